"""The clock's guard (O-03): a mark that time has reached, below which the database's clock must never fall.

Only the database's clock decides when a batch is open, so a clock that goes wrong would open or close it at the
wrong moment. Filing is suspended while it is in doubt, that is while

* the clock is more than two seconds behind the mark, or behind a filing already made; or
* the watch (`admin.watch.house`) has seen it jump, either way, against the time its own machine has been running.

Reading, drafts and receipts of what was filed go on. The doubt is part of the one question a confirmation asks
anyway (`DOUBT`): no round trip more, and nothing is written. Only the watch moves the mark.

The doubt ends by itself when the clock is back where it should be. Where the new time is the right one, because
the clock had been wrong before, nothing but people can know that: two officers say so (`settled`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint, Connection, Double, SmallInteger, Text, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.db import Base, Moment, Words

TOLERANCE_S: Final = 2
#: for so long the clock is held against one point, so that many small steps are as good as one large
ANCHOR_S: Final = 3_600


class ClockMark(Base):
    """The one row of marks of a database."""

    __tablename__ = "clock_marks"
    __table_args__ = (
        CheckConstraint("id = 1", name="one"),
        CheckConstraint("(anchor_at IS NULL) = (anchor_uptime IS NULL)", name="anchor"),
    )

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    #: the latest time seen
    seen_at: Mapped[Moment]
    #: the last time that was not in doubt, and for how long the watch's machine had been running then
    anchor_at: Mapped[Moment | None]
    anchor_uptime: Mapped[float | None] = mapped_column(Double)
    #: names that machine's start; another start has another uptime
    boot: Mapped[Words] = mapped_column(server_default="")
    #: since when the clock is where it should not be
    stepped_at: Mapped[Moment | None]
    #: the newest filing when two officers last put the clock right: filings up to it prove nothing about time
    settled_filing: Mapped[int] = mapped_column(server_default="0")


class Probe(Base):
    """What a portal writes to learn that it can write (X-13)."""

    __tablename__ = "probes"

    portal: Mapped[str] = mapped_column(Text, primary_key=True)
    at: Mapped[Moment]


# statement_timestamp() where an index is to be used: it is the clock's, read once a statement
_BEHIND: Final = f"""
    mark.seen_at > clock_timestamp() + interval '{TOLERANCE_S} seconds'
    OR EXISTS (SELECT FROM filings later
               WHERE later.filed_at > statement_timestamp() + interval '{TOLERANCE_S} seconds'
                 AND later.id > mark.settled_filing)
"""
#: one value of a SELECT: whether nothing may be filed, because nobody knows what time it is
DOUBT: Final = f"(SELECT mark.stepped_at IS NOT NULL OR {_BEHIND} FROM clock_marks mark)"  # noqa: S608 -- constant
_DOUBT = text(f"SELECT {DOUBT}")


def in_doubt(connection: Connection | Session) -> bool:
    """Whether filing is suspended."""
    return bool(connection.execute(_DOUBT).scalar())


# --- the watch ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the clock."""

    now: datetime
    mark: datetime
    #: seconds the clock is ahead of where it should be; None when there is nothing to hold it against
    off: float | None
    in_doubt: bool


_MARK = text(f"""
    SELECT mark.*, {_BEHIND} AS behind, clock_timestamp() AS now FROM clock_marks mark FOR UPDATE
""")  # noqa: S608 -- constant
_MOVE = text("UPDATE clock_marks SET seen_at = greatest(seen_at, :now), stepped_at = NULL")
_ANCHOR = text("UPDATE clock_marks SET anchor_at = :now, anchor_uptime = :uptime, boot = :boot")
_STEPPED = text("UPDATE clock_marks SET stepped_at = :stepped")


def look(session: Session, uptime: float, boot: str) -> Look:
    """Hold the clock against the mark and against `uptime`, the seconds this machine has been running.

    While all is well the mark moves on. In doubt it stays, and so does what the clock is compared with, so that
    a clock that comes back is recognised. After another start of the machine there is nothing to compare with,
    and a doubt that stood goes on standing.
    """
    row = session.execute(_MARK).mappings().one()
    off = None
    if row["anchor_at"] is not None and row["boot"] == boot:
        off = (row["now"] - row["anchor_at"]).total_seconds() - (uptime - row["anchor_uptime"])
    stepped = row["stepped_at"]
    if off is not None:
        stepped = (stepped or row["now"]) if abs(off) > TOLERANCE_S else None
    if stepped is not None or row["behind"]:
        session.execute(_STEPPED, {"stepped": stepped})
        return Look(row["now"], row["seen_at"], off, in_doubt=True)
    session.execute(_MOVE, {"now": row["now"]})
    if off is None or uptime - row["anchor_uptime"] > ANCHOR_S:
        session.execute(_ANCHOR, {"now": row["now"], "uptime": uptime, "boot": boot})
    return Look(row["now"], row["seen_at"], off, in_doubt=False)


_SETTLE = text("""
    UPDATE clock_marks SET seen_at = clock_timestamp(), anchor_at = NULL, anchor_uptime = NULL, stepped_at = NULL,
        settled_filing = (SELECT coalesce(max(id), 0) FROM filings)
    RETURNING seen_at
""")


def settled(session: Session) -> datetime:
    """Take the clock as it is now for right, whatever was seen before; returns the time it shows."""
    found: datetime = session.execute(_SETTLE).scalar_one()
    return found
