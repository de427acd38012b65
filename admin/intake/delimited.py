"""Tables as comma-separated text: UTF-8 or GB 18030, told apart strictly, every bad line reported."""

import codecs
import csv
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from admin.intake.layouts import Column, plain
from admin.intake.rows import FORMULA_STARTS, BadTable, Limits, Record, Trouble, refuse_mistaken
from app.wording import N_

_CODEC_NAMES: Final = {"utf-8": "UTF-8", "gb18030": "GB 18030"}
_BLOCK: Final = 2**20
_LONGEST_LINE: Final = 2**20
#: A quoted cell may go on over so many lines; a lost quotation mark costs one row, not the rest of the file.
_MOST_LINES: Final = 50

_BAD_BYTES: Final = N_("The line is not text in %(codec)s: %(bytes)s. Enter the text again.")
_BAD_QUOTES: Final = N_("The quotation marks do not match. Put the cell in quotation marks, and double those in it.")
_BAD_WIDTH: Final = N_("The row has %(found)s cells, the headings have %(expected)s.")


class Delimited:
    """One csv file. Satisfies `rows.Source`; a row's number is that of its first line."""

    def __init__(self, stream: BinaryIO, file: str, limits: Limits, known: Container[str]) -> None:
        """Find the encoding and read the headings. `known` decides when both encodings are possible."""
        refuse_mistaken(stream.read(8), file)
        self.file = file
        self.deleted = 0
        self._stream = stream
        self._limits = limits
        self._number = 0
        self.codec, headings = self._recognised(known)
        while headings and not headings[-1].strip():
            headings.pop()
        self.headings = tuple(headings)

    def close(self) -> None:
        """Nothing is held besides the stream."""

    def records(self) -> Iterator[Record]:
        """Every line under the headings that is not empty."""
        width = len(self.headings)
        for number, line in self._lines(self._number):
            if isinstance(line, Record):
                yield line
                continue
            if not line.strip(', \t"'):
                continue
            cells = line.split(",") if '"' not in line else _cells(line)
            if cells is None:
                yield Record(number, [], (Trouble(-1, _BAD_QUOTES),))
                continue
            while len(cells) > width and not cells[-1].strip():
                cells.pop()
            if len(cells) == width:
                yield Record(number, cells)
            else:
                wrong = Trouble(-1, _BAD_WIDTH, {"found": len(cells), "expected": width})
                yield Record(number, [], (wrong,))

    def _lines(self, number: int) -> Iterator[tuple[int, "str | Record"]]:
        """Lines, joined where a quoted cell goes on; one that is not text comes as its trouble."""
        back: list[bytes] = []
        while raw := self._line(back):
            number += 1
            first = number
            if raw.count(b'"') % 2:
                ahead: list[bytes] = []
                while len(ahead) < _MOST_LINES and (more := self._line(back)):
                    ahead.append(more)
                    if more.count(b'"') % 2:
                        break
                whole = b"".join((raw, *ahead))
                if whole.count(b'"') % 2 == 0 and self._fits(whole):
                    raw = whole
                    number += len(ahead)
                else:
                    back.extend(reversed(ahead))
            try:
                yield first, raw.decode(self.codec).rstrip("\r\n")
            except UnicodeDecodeError as error:
                shown = raw[error.start : error.start + 4].hex(" ")
                trouble = Trouble(-1, _BAD_BYTES, {"codec": _CODEC_NAMES[self.codec], "bytes": shown})
                yield first, Record(first, [], (trouble,))

    def _fits(self, raw: bytes) -> bool:
        """Whether joined lines make one row."""
        try:
            cells = _cells(raw.decode(self.codec).rstrip("\r\n"))
        except UnicodeDecodeError:
            return False
        return cells is not None and len(cells) == len(self.headings)

    def _line(self, back: list[bytes]) -> bytes:
        """The next physical line, b"" at the end; lines put `back` come first, last in first out."""
        line = back.pop() if back else self._stream.readline(_LONGEST_LINE)
        if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
            raise BadTable(N_("A line is longer than any row. Save the table as CSV again."), file=self.file)
        return line

    def _recognised(self, known: Container[str]) -> tuple[str, list[str]]:
        """The encoding and the headings; reads the whole file once, in blocks."""
        possible = self._possible()
        self._stream.seek(0)
        line = self._line([])
        self._number = 1
        marked = line.startswith(codecs.BOM_UTF8)
        found: dict[str, list[str]] = {}
        for codec in ("utf-8",) if marked else _CODEC_NAMES:
            try:
                found[codec] = _cells(line.decode(codec).removeprefix("\ufeff").rstrip("\r\n")) or []
            except UnicodeDecodeError:
                continue
        usable = [codec for codec in found if codec in possible] or list(found)
        if not usable:
            raise BadTable(
                N_("The file is text in neither UTF-8 nor GBK. Save it as “CSV UTF-8” and hand it in again."),
                file=self.file,
            )
        best = max(usable, key=lambda codec: sum(plain(heading) in known for heading in found[codec]))
        return best, found[best]

    def _possible(self) -> set[str]:
        """Encodings in which every byte of the file is text."""
        self._stream.seek(0)
        decoders = {codec: codecs.getincrementaldecoder(codec)("strict") for codec in _CODEC_NAMES}
        block = b"-"
        while block and decoders:
            block = self._stream.read(_BLOCK)
            for codec, decoder in list(decoders.items()):
                try:
                    decoder.decode(block, final=not block)
                except UnicodeDecodeError:
                    del decoders[codec]
        return set(decoders)


def _cells(line: str) -> list[str] | None:
    """The cells of one row, None when its quotation marks are not as RFC 4180 has them."""
    try:
        rows = list(csv.reader([line], strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def write_csv(path: Path, columns: Sequence[Column], rows: Iterable[Sequence[str]], *, raw: bool) -> int:
    """Write UTF-8 with a byte order mark, which Excel needs; returns the number of rows.

    Without `raw`, a cell that a spreadsheet would take for a formula gets an apostrophe in front (I-08).
    """
    count = 0
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([column.heading for column in columns])
        for count, row in enumerate(rows, 1):  # noqa: B007 -- the last number is the answer
            writer.writerow(row if raw else map(defused, row))
    return count


def defused(value: str) -> str:
    """`value` as a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if value.startswith(FORMULA_STARTS) else value
