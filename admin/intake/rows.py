"""What reading a table gives: rows, the places that cannot be read, and the refusal of a whole file.

Reasons are kept as an English message and its parameters, so that a report stored today can be shown in the
language of whoever reads it tomorrow.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from flask_babel import gettext

from app.errors import BadInput
from app.wording import N_, Param, phrase

#: A cell that begins so is taken for a formula by some program (I-08; full width ones by Chinese versions).
FORMULA_STARTS: Final = tuple("=+-@\t\r\n\0＝＋－＠")
NO_PARAMS: Final[Mapping[str, Param]] = {}


@dataclass(frozen=True, slots=True)
class Row:
    """One readable row: the file's name, the row's number as its user sees it, and our fields.

    Values are text without blanks at either end. A date reads 2017-06-26, a number has no needless zeros.
    A field whose column is not in the file is not in `values`; an empty cell is "".
    """

    file: str
    number: int
    values: Mapping[str, str]

    def __getitem__(self, field_name: str) -> str:
        """The value of a field, "" when the file has no such column."""
        return self.values.get(field_name, "")


@dataclass(frozen=True, slots=True)
class BadRow:
    """One place that cannot be read. A row with three such places gives three of these and no `Row`.

    `column` is the heading as it stands in the file, "" when the whole row is meant.
    """

    file: str
    row: int
    column: str
    reason: str
    params: Mapping[str, Param] = field(default_factory=dict)

    def __str__(self) -> str:
        """The reason, in the reader's language."""
        return phrase(self.reason, self.params, gettext)


class BadTable(BadInput):
    """The file cannot be taken at all; says why and what to do."""

    reason = "bad_table"

    def __init__(self, message: str, *, file: str, **params: Param) -> None:
        super().__init__(message, place=file)
        self.file = file
        self.message = message
        self.params: Mapping[str, Param] = params

    def __str__(self) -> str:
        """The reason, in the reader's language."""
        return phrase(self.message, self.params, gettext)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one file may cost (I-01 to I-03). Sizes in bytes."""

    size: int = 10 * 2**20
    unpacked: int = 100 * 2**20
    members: int = 2_000
    ratio: int = 100
    rows: int = 1_048_575
    columns: int = 200
    cell: int = 4_000
    memory: int = 2**30
    cpu_seconds: int = 30


#: A file sent in through a page.
UPLOAD: Final = Limits()
#: A province's own file, named on the command line by somebody who may run commands there.
COMMAND: Final = Limits(size=4 * 2**30, unpacked=8 * 2**30, rows=10_000_000, memory=8 * 2**30, cpu_seconds=900)


class Trouble(NamedTuple):
    """What is wrong in one cell of a record; `at` is the cell's position, -1 for the whole record."""

    at: int
    reason: str
    params: Mapping[str, Param] = NO_PARAMS


class Record(NamedTuple):
    """One row as a file's format gives it, before anybody looks at its columns."""

    number: int
    cells: list[str]
    troubles: tuple[Trouble, ...] = ()


class Source(Protocol):
    """An open file of one of the formats."""

    headings: tuple[str, ...]
    #: rows the file itself marks as deleted, so far
    deleted: int

    def records(self) -> Iterator[Record]:
        """Every row in the file's order; raises `BadTable` when the rest cannot be read."""

    def close(self) -> None:
        """Let go of whatever the source holds besides the stream."""


#: Beginnings of files that are often handed in under a wrong ending, and what to do about each.
_MISTAKEN: Final[tuple[tuple[bytes, str], ...]] = (
    (b"PK\x03\x04", N_("This is an Excel workbook or a zip archive. If it is a workbook, name it .xlsx.")),
    (b"PK\x05\x06", N_("This is an empty zip archive.")),
    (
        b"\xd0\xcf\x11\xe0",
        N_("This is an .xls workbook or one with a password. Save it as .xlsx without a password."),
    ),
    (b"\xff\xfe", N_("This text is in UTF-16. Save it as “CSV UTF-8” and hand it in again.")),
    (b"\xfe\xff", N_("This text is in UTF-16. Save it as “CSV UTF-8” and hand it in again.")),
    (b"%PDF", N_("This is a PDF document. Hand in the table itself: .csv, .xlsx or .dbf.")),
    (b"Rar!", N_("This is a RAR archive. Unpack it and hand in the table itself.")),
    (b"\x1f\x8b", N_("This is a gzip archive. Unpack it and hand in the table itself.")),
    (b"7z\xbc\xaf", N_("This is a 7z archive. Unpack it and hand in the table itself.")),
)


def refuse_mistaken(start: bytes, file: str) -> None:
    """Raise `BadTable` when `start`, a file's first bytes, belongs to one of the usual wrong kinds."""
    for magic, message in _MISTAKEN:
        if start.startswith(magic):
            raise BadTable(message, file=file)
