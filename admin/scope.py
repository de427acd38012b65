"""The one gate from an officer to an office (O-11): their own, or one below it; anything else does not exist.

Two layers that do not know of each other: every question filters by the path of the officer's office
(`BELOW`), and beneath it row-level security shows the connection that office's candidates and tallies only.
The way to a candidate's row is in `admin.candidates`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from admin.officers import Visitor
from app.db import Database
from app.errors import OutOfScope
from app.offices import Level

#: that the office `p` is the one at the path `:within`, or below it; paths are digits and slashes, before "~"
BELOW: Final = "p.path ~>=~ :within AND p.path ~<~ (CAST(:within AS text) || '~')"

_ENTER = text("SELECT set_config('zhiyuan.scope', :path, false)")
_LEAVE = text("SELECT set_config('zhiyuan.scope', '', false)")
_ENTER_HERE = text("SELECT set_config('zhiyuan.scope', :path, true), set_config('zhiyuan.officer', :officer, true)")
_ACT_AS = text("SELECT set_config('zhiyuan.officer', :officer, true)")


@dataclass(frozen=True, slots=True)
class Step:
    """One office on the way down from the officer's own."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Place:
    """An office an officer has been let through to."""

    id: int
    level: Level
    code: str
    name: str
    path: str
    #: from the officer's own office down to this one's parent
    way: tuple[Step, ...]

    @property
    def position(self) -> int:
        """Where its path, and every path below, names this office when split by slashes: 4 for "/1/4/27/"."""
        return self.path.count("/")


@contextmanager
def reading(database: Database, visitor: Visitor) -> Iterator[Connection]:
    """A connection for questions that sees the rows of the officer's office and nobody else's."""
    with database.reading() as connection:
        connection.execute(_ENTER, {"path": visitor.path})
        try:
            yield connection
        finally:
            _leave(connection)


def _leave(connection: Connection) -> None:
    try:
        connection.execute(_LEAVE)
    except BaseException:
        connection.invalidate()  # never back into the pool with somebody's scope
        raise


@contextmanager
def transaction(database: Database, visitor: Visitor) -> Iterator[Session]:
    """One deed of an officer; until it ends it sees the rows of their office only, and writes accounts as they may."""
    with database.transaction() as session:
        session.execute(_ENTER_HERE, {"path": visitor.path, "officer": str(visitor.officer_id)})
        yield session


def act_as(session: Session, officer_id: int | None) -> None:
    """Say whose own account a deed at the door may write to, until it ends; nobody's for None."""
    session.execute(_ACT_AS, {"officer": str(officer_id or "")})


_OFFICE = text(f"""
    SELECT p.id, p.level, p.code, p.name, p.path,
           (SELECT coalesce(json_agg(json_build_array(a.id, a.name) ORDER BY length(a.path)), '[]')
            FROM offices a
            WHERE a.id = ANY (CAST(string_to_array(btrim(p.path, '/'), '/') AS bigint[]))
              AND a.id <> p.id AND length(a.path) >= length(CAST(:within AS text))) AS way
    FROM offices p WHERE p.id = :office AND {BELOW}
""")  # noqa: S608 -- constants


def office(connection: Connection | Session, visitor: Visitor, office_id: int) -> Place:
    """The office, if it is the officer's own or below it; raises `NotFound` for any other, real or not."""
    row = connection.execute(_OFFICE, {"office": office_id, "within": visitor.path}).mappings().first()
    if row is None:
        raise OutOfScope(f"office {office_id} is not within {visitor.path}")
    way = tuple(Step(*step) for step in row["way"])
    return Place(row["id"], row["level"], row["code"], row["name"], row["path"], way)
