"""The one door for tables in and out: csv, .xlsx and DBF, read and written with flat memory.

    with open_table(path, CANDIDATES) as table:
        for row in table:                  # Row, or BadRow for each place that cannot be read
            ...

Nothing is dropped silently: a row comes as a `Row` or as its `BadRow`s, rows that a DBF table marks as
deleted are counted (`Table.deleted`), columns nobody knows are refused unless they are named as left out.
What a value *means* (codes, check digits, who may be in the file) is judged by whoever asked for the rows.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, Final, Literal

from admin.intake.dbf import Dbf, Marked, Rare, write_dbf
from admin.intake.delimited import Delimited, write_csv
from admin.intake.layouts import Column, Generation, Layout, plain
from admin.intake.rows import UPLOAD, BadRow, BadTable, Limits, Record, Row, Source, Trouble
from admin.intake.sheets import Workbook, write_sheet
from app.wording import N_

__all__ = ["BadRow", "BadTable", "Limits", "Row", "Table", "Written", "open_table", "write_table"]

Format = Literal["csv", "xlsx", "dbf"]

_BAD_DATE: Final = N_("“%(found)s” is not a date. Write it as 20170626 or 2017-06-26.")
_BAD_NUMBER: Final = N_("“%(found)s” is not a number. Write it with digits only.")
_BAD_CHARACTER: Final = N_("The cell holds a character that cannot be seen or exchanged: %(found)s. Enter it again.")
_TOO_LONG: Final = N_("The cell has %(found)s characters; at most %(most)s are taken.")

_DATES: Final = tuple(
    re.compile(rf"{pattern}(?: 00:00:00)?", re.ASCII)
    for pattern in (
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)",
        r"(?P<year>\d{4})([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})",
        r"(?P<year>\d{4})年(?P<month>\d{1,2})月(?P<day>\d{1,2})日",
    )
)
_NUMBER: Final = re.compile(r"(-?)0*(\d+)(?:\.(\d*?)0*)?", re.ASCII)
_HIDDEN: Final = frozenset(("Cc", "Cf", "Co", "Cs", "Zl", "Zp"))


class Table:
    """An open table; iterate it once."""

    def __init__(self, source: Source, layout: Layout, file: str, limits: Limits, left_out: Collection[str]) -> None:
        self.file = file
        self._source = source
        self._limits = limits
        self._columns = _recognised(source.headings, layout, file, left_out)
        #: our fields that the file has columns for, in the file's order
        self.fields = tuple(column.field for column in self._columns if column)

    @property
    def deleted(self) -> int:
        """Rows read so far that the file itself marks as deleted."""
        return self._source.deleted

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Every row in the file's order; raises `BadTable` when the rest of the file cannot be read."""
        return self.read(self.records())

    def records(self) -> Iterator[Record]:
        """Every row as the file has it, for `read`, which may be done elsewhere; raises as iterating does."""
        for count, record in enumerate(self._source.records(), 1):
            if count > self._limits.rows:
                raise BadTable(
                    N_("The table has more than %(most)s rows. Split it."),
                    file=self.file,
                    most=self._limits.rows,
                )
            yield record

    def read(self, records: Iterable[Record]) -> Iterator[Row | BadRow]:
        """What the records say, in their order. The file itself is not touched."""
        fields = [column.field if column else "" for column in self._columns]
        special = [(at, each) for at, each in enumerate(self._columns) if each and each.kind != "text"]
        every = all(fields)
        for record in records:
            cells = list(map(str.strip, record.cells))
            troubles = [*self._wanted(record.troubles)] if record.troubles else []
            if not self._seemly(cells):
                troubles += self._unseemly(cells)
            for at, column in special if cells else ():
                cells[at] = _canonical(column, cells[at], at, troubles)
            if troubles:
                yield from self._reported(record, troubles)
            elif every:
                yield Row(self.file, record.number, dict(zip(fields, cells, strict=True)))
            else:
                pairs = zip(fields, cells, strict=True)
                yield Row(self.file, record.number, {field: cell for field, cell in pairs if field})

    def _wanted(self, troubles: Iterable[Trouble]) -> Iterator[Trouble]:
        """Troubles of columns that are not left out."""
        return (trouble for trouble in troubles if trouble.at < 0 or self._columns[trouble.at])

    def _seemly(self, cells: list[str]) -> bool:
        """Whether no cell needs a closer look: so nearly always, told from the row as a whole."""
        joined = "".join(cells)
        return joined.isprintable() and len(joined) <= self._limits.cell

    def _unseemly(self, cells: list[str]) -> list[Trouble]:
        """Cells that are too long or hold what nobody can see. Line breaks that are allowed become plain."""
        troubles = []
        for at, cell in enumerate(cells):
            column = self._columns[at]
            if column is None:
                continue
            text = cell
            if column.lines:
                cells[at] = cell.replace("\r\n", "\n")
                text = cells[at].replace("\n", "")
            hidden = next((char for char in text if _is_hidden(char)), "")
            if hidden:
                troubles.append(Trouble(at, _BAD_CHARACTER, {"found": f"U+{ord(hidden):04X}"}))
            elif len(cell) > self._limits.cell:
                troubles.append(Trouble(at, _TOO_LONG, {"found": len(cell), "most": self._limits.cell}))
        return troubles

    def _reported(self, record: Record, troubles: list[Trouble]) -> Iterator[BadRow]:
        for at, reason, params in troubles:
            heading = self._source.headings[at] if at >= 0 else ""
            yield BadRow(self.file, record.number, heading, reason, params)


@contextmanager
def open_table(
    path: Path, layout: Layout, *, name: str = "", limits: Limits = UPLOAD, left_out: Collection[str] = ()
) -> Iterator[Table]:
    """Open a table for reading; its ending says which format it must have.

    `name` is the file's name as its user knows it, `left_out` headings that are to be ignored. Raises
    `BadTable` when the file cannot be taken at all.
    """
    file = name or path.name
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(0)
        if size > limits.size:
            raise BadTable(
                N_("The file has %(found)s MB; at most %(most)s MB are taken. Split it."),
                file=file,
                found=-(-size // 2**20),
                most=limits.size // 2**20,
            )
        if size == 0:
            raise BadTable(N_("The file is empty."), file=file)
        source = _source(stream, file, Path(file).suffix.lower(), limits, layout)
        try:
            yield Table(source, layout, file, limits, left_out)
        finally:
            source.close()


def _source(stream: BinaryIO, file: str, suffix: str, limits: Limits, layout: Layout) -> Source:
    if suffix == ".csv":
        return Delimited(stream, file, limits, layout.by_spelling)
    if suffix == ".xlsx":
        return Workbook(stream, file, limits)
    if suffix == ".dbf":
        return Dbf(stream, file, limits)
    raise BadTable(N_("Tables are taken as .csv, .xlsx and .dbf."), file=file)


def _recognised(headings: tuple[str, ...], layout: Layout, file: str, left_out: Collection[str]) -> list[Column | None]:
    """The column of each heading, None for one left out; one refusal names everything that is wrong."""
    ignored = {plain(heading) for heading in left_out}
    columns: list[Column | None] = []
    unknown, twice = [], []
    for heading in headings:
        column = layout.by_spelling.get(plain(heading))
        if plain(heading) in ignored:
            column = None
        elif column is None:
            unknown.append(heading.strip() or "-")
        elif column in columns:
            twice.append(heading.strip())
        columns.append(column)
    missing = [column.heading for column in layout.columns if column.required and column not in columns]
    if not (unknown or twice or missing):
        return columns
    raise BadTable(
        N_(
            "The headings do not fit the table “%(table)s”. Missing: %(missing)s. Unknown: %(unknown)s."
            " Twice: %(twice)s. Found: %(found)s. Expected: %(expected)s."
        ),
        file=file,
        table=layout.name,
        missing=_listed(missing),
        unknown=_listed(unknown),
        twice=_listed(twice),
        found=_listed(headings),
        expected=_listed(column.heading for column in layout.columns),
    )


def _listed(words: Iterable[str]) -> str:
    return "、".join(word[:40] for word in words)[:1000] or "-"


def _canonical(column: Column, cell: str, at: int, troubles: list[Trouble]) -> str:
    """A date or number as every format gives it."""
    if not cell:
        return ""
    found = _day(cell) if column.kind == "date" else _number(cell)
    if not found:
        reason = _BAD_DATE if column.kind == "date" else _BAD_NUMBER
        troubles.append(Trouble(at, reason, {"found": cell[:40]}))
    return found


@lru_cache(maxsize=2**14)
def _day(text: str) -> str:
    """A date as 2017-06-26, "" when it is none."""
    for pattern in _DATES:
        if match := pattern.fullmatch(text):
            try:
                return date(*map(int, match.group("year", "month", "day"))).isoformat()
            except ValueError:
                return ""
    return ""


@lru_cache(maxsize=2**14)
def _number(text: str) -> str:
    """A number without needless zeros, "" when it is none."""
    match = _NUMBER.fullmatch(text)
    if not match:
        return ""
    sign, whole, part = match.groups()
    number = f"{whole}.{part}" if part else whole
    return number if number == "0" else sign + number


def _is_hidden(character: str) -> bool:
    """Control, format and private characters, halves of pairs, and those that are none at all."""
    return unicodedata.category(character) in _HIDDEN or character == "\ufffd" or ord(character) & 0xFFFE == 0xFFFE


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: rows, and texts whose characters GBK lacks (marked "??" in the file)."""

    rows: int
    marked: tuple[Marked, ...] = ()


def write_table(  # noqa: PLR0913 -- each says what is in the file
    path: Path,
    layout: Layout,
    rows: Iterable[Mapping[str, str]],
    *,
    fields: Collection[str] | None = None,
    raw: bool = False,
    generation: Generation = 2017,
    rare: Rare = "mark",
) -> Written:
    """Write a table in the format its ending names; the file appears whole or not at all.

    `fields` chooses columns, in the layout's order. `raw` is for tables that a program reads again: without
    it, csv and .xlsx guard cells that look like formulas (I-08). `generation` and `rare` concern DBF alone
    (`dbf.write_dbf`). Raises `KeyError` for a row without one of the fields.
    """
    columns = [column for column in layout.columns if fields is None or column.field in fields]
    pick = itemgetter(*(column.field for column in columns))
    lines = map(pick, rows) if len(columns) > 1 else ((pick(row),) for row in rows)
    unfinished = path.with_name(f".{path.name}.part")
    marked: list[Marked] = []
    try:
        match path.suffix.lower():
            case ".csv":
                count = write_csv(unfinished, columns, lines, raw=raw)
            case ".xlsx":
                count = write_sheet(unfinished, layout.name, columns, lines, raw=raw)
            case ".dbf":
                count, marked = write_dbf(unfinished, columns, lines, generation=generation, rare=rare)
            case other:
                message = f"no table is written as {other!r}"
                raise ValueError(message)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return Written(count, tuple(marked))
