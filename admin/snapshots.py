"""Snapshots: what the tallies of every office said at the hours past, for differences and for the curve.

A pass (`python -m admin tallies snapshot`, hourly) keeps one row for each office of every level and each batch in
which something can still change. All of three days stay, then the first of each day for two months.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, ForeignKey, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from admin.categories import Counts, Part, Row
from admin.completeness import counts
from app import audit
from app.db import Base, Moment, together
from app.tallies import ABOVE_FROM, STATES, SUMS_SQL, Counted

#: two passes closer than this are one
CLOSEST: Final = timedelta(minutes=20)
HOURLY_FOR: Final = timedelta(days=3)
DAILY_FOR: Final = timedelta(days=60)
#: what is looked for, and how far beside it a snapshot may lie
_AGO: Final = {"hour": (timedelta(hours=1), timedelta(minutes=40)), "day": (timedelta(days=1), timedelta(minutes=90))}


class Snapshot(Counted, Base):
    """The counts of one office in one batch at one time."""

    __tablename__ = "tally_snapshots"

    office_id: Mapped[int] = mapped_column(ForeignKey("offices.id"), primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True)
    taken_at: Mapped[Moment] = mapped_column(primary_key=True)


# --- the pass ----------------------------------------------------------------------------------------

_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('tally-snapshots', 0))")
# read after the lock was had; an open batch, one that opens within a day, one that has closed within two hours
_TAKEN = text(f"""
    WITH pass AS MATERIALIZED (SELECT clock_timestamp() AS at)
    INSERT INTO tally_snapshots (office_id, batch_id, taken_at, {", ".join(STATES)})
    SELECT above.office_id, t.batch_id, pass.at, {SUMS_SQL}
    FROM {ABOVE_FROM} JOIN batches b ON b.id = t.batch_id
    JOIN pass ON pass.at BETWEEN b.opens_at - interval '1 day' AND b.closes_at + interval '2 hours'
    WHERE NOT EXISTS (SELECT 1 FROM tally_snapshots WHERE taken_at > pass.at - CAST(:closest AS interval))
    GROUP BY above.office_id, t.batch_id, pass.at
""")  # noqa: S608 -- constants
_THINNED = text("""
    WITH passes AS (
        SELECT DISTINCT s.taken_at FROM tally_snapshots s JOIN offices o ON o.id = s.office_id
        WHERE o.parent_id IS NULL
    ), kept AS (
        SELECT min(taken_at) AS at FROM passes GROUP BY date_trunc('day', taken_at AT TIME ZONE 'Asia/Shanghai')
    )
    DELETE FROM tally_snapshots s
    WHERE s.taken_at < clock_timestamp() - CAST(:daily AS interval)
       OR (s.taken_at < clock_timestamp() - CAST(:hourly AS interval)
           AND NOT EXISTS (SELECT 1 FROM kept WHERE kept.at = s.taken_at))
""")


def take(session: Session) -> tuple[int, int]:
    """Keep the counts of now and let go of what is too old; returns how many rows of each.

    Two passes at once are one: the second waits, and finds the first's rows.
    """
    session.execute(text("SET LOCAL statement_timeout = '5min'"))
    session.execute(text("SET LOCAL lock_timeout = '5min'"))
    session.execute(_ONE_AT_A_TIME)
    taken = _count(session, _TAKEN, {"closest": CLOSEST})
    thinned = _count(session, _THINNED, {"hourly": HOURLY_FOR, "daily": DAILY_FOR})
    if taken:
        together(session, audit.entry("tallies.snapshot", actor="command", rows=taken, thinned=thinned))
    return taken, thinned


def _count(session: Session, statement: Any, params: Mapping[str, object]) -> int:
    return int(getattr(session.execute(statement, params), "rowcount", 0))


# --- what they tell ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Earlier:
    """The counts of an office and of those below it at one time."""

    at: datetime
    counts: Mapping[int, Counts]


_EARLIER = text("""
    WITH mark AS MATERIALIZED (
        SELECT w.mark, found.taken_at
        FROM unnest(CAST(:marks AS text[]), CAST(:wanted AS timestamptz[]), CAST(:beside AS interval[]))
             AS w (mark, wanted, beside)
        CROSS JOIN LATERAL (
            SELECT taken_at FROM tally_snapshots
            WHERE office_id = :office AND batch_id = :batch
              AND taken_at BETWEEN w.wanted - w.beside AND w.wanted + w.beside
            ORDER BY abs(extract(epoch FROM taken_at - w.wanted)) LIMIT 1
        ) found
    )
    SELECT m.mark, s.* FROM mark m JOIN tally_snapshots s ON s.taken_at = m.taken_at
    WHERE s.batch_id = :batch AND s.office_id = ANY (:offices)
""")


def earlier(connection: Connection, office_id: int, part: Part, below: Iterable[int] = ()) -> dict[str, Earlier]:
    """What an office and those `below` had about an "hour" and a "day" before `part` was counted. One question."""
    found: dict[str, dict[int, Counts]] = {}
    at: dict[str, datetime] = {}
    asked = {
        "office": office_id,
        "batch": part.id,
        "offices": [office_id, *below],
        "marks": list(_AGO),
        "wanted": [part.as_of - ago for ago, _ in _AGO.values()],
        "beside": [beside for _, beside in _AGO.values()],
    }
    for row in connection.execute(_EARLIER, asked).mappings():
        found.setdefault(row["mark"], {})[row["office_id"]] = counts(row)
        at[row["mark"]] = row["taken_at"]
    return {mark: Earlier(at[mark], counted) for mark, counted in found.items()}


def with_differences(rows: Iterable[Row], before: Mapping[str, Earlier]) -> list[Row]:
    """The rows of offices, each with how many more are settled there than then."""
    hour, day = before.get("hour"), before.get("day")
    return [
        replace(
            row,
            hour=difference(row.counts, hour, int(row.key)),
            day=difference(row.counts, day, int(row.key)),
        )
        for row in rows
    ]


def difference(now: Counts, then: Earlier | None, office_id: int) -> int | None:
    """How many more are settled in an office than then; None where it was not counted."""
    counted = then.counts.get(office_id) if then is not None else None
    return None if counted is None else now.settled - counted.settled


_COURSE = text("""
    SELECT * FROM tally_snapshots WHERE office_id = :office AND batch_id = :batch ORDER BY taken_at
""")


def course(connection: Connection, office_id: int, batch_id: int) -> list[tuple[datetime, Counts]]:
    """Every snapshot of an office in a batch, oldest first: at most some 130."""
    found = connection.execute(_COURSE, {"office": office_id, "batch": batch_id}).mappings()
    return [(row["taken_at"], counts(row)) for row in found]
