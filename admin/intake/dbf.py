"""DBF tables: the header checked against the file before a row is believed, both ways in GBK.

A general library reads one row, without an error, from a file whose header promises five or two thousand
million (I-04); so the header is checked here, and rows are cut by its field lengths with `struct`.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO, Final, Literal, NamedTuple

from admin.intake.layouts import Column, Generation
from admin.intake.rows import BadTable, Limits, Record, Trouble, refuse_mistaken
from app.wording import N_

Rare = Literal["mark", "keep"]

_HEAD: Final = struct.Struct("<B3BLHH16xBBH")
_FIELD: Final = struct.Struct("<11sc4xBB14x")
_FIELDS_END: Final = 0x0D
_FILE_END: Final = b"\x1a"
_DELETED: Final = b"*"
_ALIVE: Final = b" "
#: dBASE III, FoxPro, Visual FoxPro (3): all without memo fields
_VERSIONS: Final = frozenset((0x03, 0x30, 0x31, 0x32))
_CP936: Final = 0x7A
#: Code page byte and codec. GB 18030 contains GBK and adds what GBK lacks; 0x00 and 0x57 say "as on this
#: machine".
_CODECS: Final = {0x00: "gb18030", 0x4D: "gb18030", 0x57: "gb18030", _CP936: "gb18030", 0x78: "cp950"}
_TYPES: Final = frozenset("CDNFLI")
#: Between fields while a record is decoded at once; no second byte of a character can be this one.
_GAP: Final = b"\x1f"
_BLOCK: Final = 2**20
_FIXED: Final[dict[str, int]] = {"D": 8, "L": 1, "I": 4}
_BIGGEST: Final = 2**31 - 1
_FLAGS: Final = {"T": "1", "Y": "1", "F": "0", "N": "0", "?": "", "": ""}

_BAD_BYTES: Final = N_("The bytes are not characters of the file's code page: %(bytes)s. Enter the text again.")
_BAD_MARK: Final = N_("The row begins with a byte that marks it neither as kept nor as deleted.")


class _Field(NamedTuple):
    name: str
    kind: str
    length: int


class Dbf:
    """One DBF table. Satisfies `rows.Source`; a row's number is its record number, deleted ones counted."""

    def __init__(self, stream: BinaryIO, file: str, limits: Limits) -> None:
        """Read and check the header."""
        self.file = file
        self.deleted = 0
        self._stream = stream
        self._limits = limits
        size = stream.seek(0, 2)
        stream.seek(0)
        self._count, self._start, self._length, self._codec = self._head(stream.read(_HEAD.size), size)
        self._fields = self._described(stream.read(self._start - _HEAD.size))
        self.headings = tuple(field.name for field in self._fields)

    def close(self) -> None:
        """Nothing is held besides the stream."""

    def records(self) -> Iterator[Record]:
        """Every row that is not marked as deleted."""
        cut = struct.Struct("c" + "".join(f"{field.length}s" for field in self._fields))
        others = [(at, field.kind) for at, field in enumerate(self._fields) if field.kind in "LI"]
        fields, codec, number = len(self._fields), self._codec, 0
        self._stream.seek(self._start)
        for block in self._blocks():
            for mark, *parts in cut.iter_unpack(block):
                number += 1
                if mark == _DELETED:
                    self.deleted += 1
                    continue
                if others:
                    _spell_out(parts, others)
                try:  # some programs pad with zeros instead of blanks
                    cells = _GAP.join([part.rstrip(b" \0") for part in parts]).decode(codec).split("\x1f")
                except UnicodeDecodeError:
                    cells = []
                if len(cells) == fields and mark == _ALIVE:
                    yield Record(number, cells)
                else:
                    yield self._salvaged(number, mark, parts)

    def _blocks(self) -> Iterator[bytes]:
        """Whole records, many at a time."""
        left = self._count
        while left:
            many = min(left, max(1, _BLOCK // self._length))
            block = self._stream.read(many * self._length)
            if len(block) != many * self._length:
                raise self._refused(N_("The file ended while it was read. Hand it in again."))
            left -= many
            yield block

    def _salvaged(self, number: int, mark: bytes, parts: Sequence[bytes]) -> Record:
        """A record with something wrong in it, field by field."""
        troubles = [] if mark == _ALIVE else [Trouble(-1, _BAD_MARK)]
        cells = []
        for at, part in enumerate(parts):
            try:
                cells.append(part.decode(self._codec))
            except UnicodeDecodeError as error:
                cells.append("")
                shown = part[error.start : error.start + 4].hex(" ")
                troubles.append(Trouble(at, _BAD_BYTES, {"bytes": shown}))
        return Record(number, cells, tuple(troubles))

    def _head(self, head: bytes, size: int) -> tuple[int, int, int, str]:
        """Number of records, where they start, length of one, codec."""
        if len(head) < _HEAD.size or head[0] not in _VERSIONS:
            refuse_mistaken(head, self.file)
            raise self._refused(N_("This is not a DBF table, or one with memo fields. Save it as dBASE III."))
        _, year, month, day, count, start, length, _, page, _ = _HEAD.unpack(head)
        if (year, month, day) != (0, 0, 0):
            try:
                date(1900 + year, month, day)
            except ValueError as error:
                raise self._refused(N_("The date in the file's head is none. The file is damaged.")) from error
        if page not in _CODECS:
            raise self._refused(
                N_("The file says that its text is in code page %(page)s. Save it in GBK (0x7A)."),
                page=f"0x{page:02X}",
            )
        if count > self._limits.rows:
            raise self._refused(
                N_("The table says that it has %(found)s rows; at most %(most)s are taken. Split it."),
                found=count,
                most=self._limits.rows,
            )
        if start <= _HEAD.size or length < 2 or start > size:
            raise self._refused(N_("The lengths in the file's head are impossible. The file is damaged."))
        room, over = divmod(size - start, length)
        if count != room or over > 1:
            raise self._refused(
                N_("The table says that it has %(said)s rows, but it has %(found)s. Hand in the whole file."),
                said=count,
                found=room,
            )
        return count, start, length, _CODECS[page]

    def _described(self, head: bytes) -> list[_Field]:
        """The fields; their lengths must add up to the length of a record."""
        fields: list[_Field] = []
        at = 0
        while at + _FIELD.size <= len(head) and head[at] != _FIELDS_END:
            raw, kind, length, _ = _FIELD.unpack_from(head, at)
            at += _FIELD.size
            name = raw.split(b"\0")[0].decode("gb18030", "replace").strip()
            kind = kind.decode("latin-1")
            if not name or not name.isprintable() or "\ufffd" in name or kind not in _TYPES:
                raise self._refused(
                    N_("Field %(number)s (%(name)s) is of a kind that cannot be read. Use C, N, D or L."),
                    number=len(fields) + 1,
                    name=ascii(name),
                )
            if length == 0 or length != _FIXED.get(kind, length):
                raise self._refused(N_("Field %(name)s has an impossible length."), name=name)
            fields.append(_Field(name, kind, length))
        if at >= len(head) or head[at] != _FIELDS_END or not 0 < len(fields) <= self._limits.columns:
            raise self._refused(N_("The list of fields in the file's head has no end. The file is damaged."))
        if 1 + sum(field.length for field in fields) != self._length:
            raise self._refused(N_("The fields do not add up to the length of a row. The file is damaged."))
        return fields

    def _refused(self, message: str, **params: str | int) -> BadTable:
        return BadTable(message, file=self.file, **params)


def _spell_out(parts: list[bytes], others: Iterable[tuple[int, str]]) -> None:
    """Replace yes/no fields and binary integers by their text, in place."""
    for at, kind in others:
        if kind == "I":
            parts[at] = b"%d" % int.from_bytes(parts[at], "little", signed=True)
        else:
            text = parts[at].decode("latin-1").strip().upper()
            parts[at] = _FLAGS.get(text, text).encode("latin-1")


class Marked(NamedTuple):
    """A text that had characters outside GBK, written as "??" each."""

    row: int
    field: str
    text: str


def write_dbf(  # noqa: PLR0913 -- each says what is in the file
    path: Path,
    columns: Sequence[Column],
    rows: Iterable[Sequence[str]],
    *,
    generation: Generation,
    rare: Rare,
    today: date | None = None,
) -> tuple[int, list[Marked]]:
    """Write a dBASE III table in code page 936; returns the number of rows and what had to be marked.

    Characters outside GBK become "??" each, as the national format has it (`rare="mark"`), or are kept as
    four bytes of GB 18030 (`rare="keep"`), which programs that know only GBK show wrongly. Raises
    `ValueError` for a value wider than its column: nothing is cut off.
    """
    today = today or datetime.now(UTC).date()
    fields = [(column, column.dbf_name(generation).encode("ascii")) for column in columns]
    length = 1 + sum(column.width for column in columns)
    marked: list[Marked] = []
    count = 0
    with path.open("wb") as stream:
        stream.write(bytes(_HEAD.size))
        for column, name in fields:
            kind = {"text": b"C", "date": b"D", "number": b"N"}[column.kind]
            stream.write(_FIELD.pack(name, kind, column.width, column.decimals))
        stream.write(bytes((_FIELDS_END,)))
        start = stream.tell()
        for count, row in enumerate(rows, 1):
            line = [_ALIVE]
            for column, value in zip(columns, row, strict=True):
                line.append(_field(column, value, count, rare, marked))
            stream.write(b"".join(line))
        stream.write(_FILE_END)
        if stream.tell() > _BIGGEST:
            message = "a DBF table ends at two gigabytes; write fewer rows"
            raise ValueError(message)
        stream.seek(0)
        day = (today.year - 1900, today.month, today.day)
        stream.write(_HEAD.pack(0x03, *day, count, start, length, 0, _CP936, 0))
    return count, marked


def _field(column: Column, value: str, row: int, rare: Rare, marked: list[Marked]) -> bytes:
    """One value as its field holds it, blank padded; numbers stand to the right."""
    if not value:
        return b" " * column.width
    if column.kind == "date":
        value = value.replace("-", "")
    if value.isascii():
        written = value.encode("ascii")
    elif rare == "keep":
        written = value.encode("gb18030")
    else:
        try:
            written = value.encode("gbk")
        except UnicodeEncodeError:
            written = b"".join(_gbk(character) for character in value)
            marked.append(Marked(row, column.field, value))
    if len(written) > column.width:
        message = f"row {row}: {value!r} does not fit into {column.field} ({column.width} bytes)"
        raise ValueError(message)
    return written.rjust(column.width) if column.kind == "number" else written.ljust(column.width)


def _gbk(character: str) -> bytes:
    try:
        return character.encode("gbk")
    except UnicodeEncodeError:
        return b"??"
