"""What every load shares: the report, a transaction that may take its time, COPY's text format."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from admin.intake import layouts
from admin.intake.exchange import BadRow, Row
from app import audit
from app.db import Database, together
from app.errors import BadInput
from app.wording import N_

#: rows checked, and sent to the server, at once
CHUNK: Final = 1_000
MOST_REPORTED: Final = 100_000

Progress = Callable[[int], None]


@dataclass
class Report:
    """What came of a file: rows loaded, and every place that could not be taken."""

    file: str
    loaded: int = 0
    bad: list[BadRow] = field(default_factory=list)

    @property
    def bad_rows(self) -> int:
        """How many rows have at least one bad place."""
        return len({one.row for one in self.bad})


class NotLoaded(BadInput):
    """The file has bad rows, so nothing of it was loaded. `report` lists them."""

    reason = "not_loaded"

    def __init__(self, report: Report) -> None:
        super().__init__(f"{report.file}: {report.bad_rows} bad rows", place=report.file)
        self.report = report


class Reject(Exception):
    """One cell of one row is wrong."""

    def __init__(self, column: str, message: str, **params: str | int) -> None:
        super().__init__(message)
        self.column = column
        self.message = message
        self.params = params


def bad_place(file: str, row: int, layout: layouts.Layout, reject: Reject) -> BadRow:
    """Name the place of a rejected cell as the file's owner reads it."""
    heading = layout.by_field[reject.column].heading if reject.column in layout.by_field else ""
    return BadRow(file, row, heading, reject.message, reject.params)


@contextmanager
def loading(database: Database) -> Iterator[Session]:
    """A transaction that may take its time."""
    with database.transaction() as session:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        session.execute(text("SET LOCAL synchronous_commit = on"))
        yield session


def driver(session: Session) -> psycopg.Connection[Any]:
    """The driver's own connection, for COPY."""
    found: psycopg.Connection[Any] = session.connection().connection.driver_connection  # type: ignore[assignment]
    return found


UNKNOWN_CODE = N_("“%(found)s” is no code of this table.")
EMPTY = N_("The cell is empty. Fill it in.")


def require(row: Row, *columns: str) -> None:
    """Raise `Reject` for the first of these cells that is empty."""
    for column in columns:
        if not row[column]:
            raise Reject(column, EMPTY)


def note(bad: BadRow, report: Report) -> None:
    """Put a bad place into the report, up to a limit nobody reads beyond."""
    if len(report.bad) < MOST_REPORTED:
        report.bad.append(bad)


def good_rows(table: Iterable[Row | BadRow], report: Report, progress: Progress | None) -> Iterator[Row]:
    """The readable rows; the others go into the report."""
    count = 0
    for row in table:
        count += 1
        if progress is not None and count % CHUNK == 0:
            progress(CHUNK)
        if isinstance(row, BadRow):
            note(row, report)
        else:
            yield row
    if progress is not None:
        progress(count % CHUNK)


def settle(session: Session, report: Report, act: str, *, accept_good: bool) -> None:
    """Record the load, or undo it when there are bad rows and the operator did not accept the good ones.

    A file without one good row is never a load: an empty catalogue would take the place of a full one.
    """
    if not (report.bad or report.loaded):
        raise BadInput(f"{report.file} has no rows", place=report.file)
    if report.bad and not (accept_good and report.loaded):
        report.loaded = 0
        raise NotLoaded(report)
    together(
        session,
        audit.entry(act, actor="command", file=report.file, loaded=report.loaded, left_out=report.bad_rows),
    )


# --- COPY's text format ------------------------------------------------------------------------------


def copy_text(value: str) -> str:
    """A text as COPY's text format has it."""
    if "\\" in value or "\t" in value or "\n" in value:
        return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
    return value


def copy_bytes(value: bytes) -> str:
    """A bytea as COPY's text format has it."""
    return "\\\\x" + value.hex()


@cache
def words(value: str) -> tuple[str, ...]:
    """The codes of a cell that holds several, however they are separated."""
    return tuple(value.replace(",", " ").replace(";", " ").replace("、", " ").replace("|", " ").split())


@cache
def copy_array(value: str) -> str:
    """The words of a cell as an array in COPY's text format."""
    quoted = (part.replace("\\", "\\\\").replace('"', '\\"') for part in words(value))
    return copy_text("{" + ",".join(f'"{part}"' for part in quoted) + "}")
