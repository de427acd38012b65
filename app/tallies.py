"""Tallies: per registration point and batch, how many candidates stand where.

Moved in the transaction that changes a candidate's state, and only when the state changes, so a province
is counted in milliseconds however large it is. `wrong` proves them from the rows themselves, `repair` puts one
point right under its own lock, `recount` makes all of them anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import CheckConstraint, ForeignKey, Integer, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.db import Base, Write

State = Literal["never_signed_in", "not_bound", "nothing_filed", "draft_only", "filed", "waived", "not_eligible"]
STATES: Final[tuple[State, ...]] = (
    "never_signed_in",
    "not_bound",
    "nothing_filed",
    "draft_only",
    "filed",
    "waived",
    "not_eligible",
)

_COLUMNS: Final = ", ".join(STATES)


class Counted:
    """A column for each state: how many candidates were in it when they were counted."""

    never_signed_in: Mapped[int] = mapped_column(Integer)
    not_bound: Mapped[int] = mapped_column(Integer)
    nothing_filed: Mapped[int] = mapped_column(Integer)
    draft_only: Mapped[int] = mapped_column(Integer)
    filed: Mapped[int] = mapped_column(Integer)
    waived: Mapped[int] = mapped_column(Integer)
    not_eligible: Mapped[int] = mapped_column(Integer)


class Tally(Base):
    """Counts of one point in one batch: every candidate of the point is in exactly one of them."""

    __tablename__ = "tallies"
    __table_args__ = (CheckConstraint(" AND ".join(f"{state} >= 0" for state in STATES), name="counts"),)

    point_id: Mapped[int] = mapped_column(ForeignKey("offices.id"), primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id"), primary_key=True)
    never_signed_in: Mapped[int] = mapped_column(server_default="0")
    not_bound: Mapped[int] = mapped_column(server_default="0")
    nothing_filed: Mapped[int] = mapped_column(server_default="0")
    draft_only: Mapped[int] = mapped_column(server_default="0")
    filed: Mapped[int] = mapped_column(server_default="0")
    waived: Mapped[int] = mapped_column(server_default="0")
    not_eligible: Mapped[int] = mapped_column(server_default="0")


#: the sums of tallies `t`, named as the states; those of bigints would be reckoned in decimal digits
SUMS_SQL: Final = ", ".join(f"sum(t.{state}::int) AS {state}" for state in STATES)
#: tallies `t`, each once for the office of its point and for every office above that: `above.office_id`
ABOVE_FROM: Final = """
    tallies t JOIN offices p ON p.id = t.point_id
    CROSS JOIN LATERAL (
        SELECT CAST(id AS bigint) AS office_id FROM string_to_table(btrim(p.path, '/'), '/') id
    ) above
"""
#: that `c` may file in `b` at all: the subject class files there, and it is not only for those not yet admitted
ELIGIBLE_SQL: Final = "(c.subject_class = ANY (b.subject_classes) AND NOT (c.admitted AND b.closed_to_admitted))"
#: that a draft `d` waits to be confirmed which is newer than what is in force, `f`
UNCONFIRMED_SQL: Final = """
    d.candidate_id IS NOT NULL
    AND (f.filed_at IS NULL OR (d.updated_at > f.filed_at AND d.content IS DISTINCT FROM f.content))
"""
#: one candidate's state in one batch, from the rows that make it, named as in STATE_FROM
STATE_SQL: Final = f"""
    CASE WHEN f.kind = 'list' THEN 'filed'
         WHEN f.kind = 'waiver' THEN 'waived'
         WHEN NOT {ELIGIBLE_SQL} THEN 'not_eligible'
         WHEN a.candidate_id IS NULL THEN 'never_signed_in'
         WHEN bn.candidate_id IS NULL THEN 'not_bound'
         WHEN d.candidate_id IS NOT NULL THEN 'draft_only'
         ELSE 'nothing_filed' END
"""
STATE_FROM: Final = """
    candidates c
    CROSS JOIN batches b
    LEFT JOIN accounts a ON a.candidate_id = c.id
    LEFT JOIN bindings bn ON bn.candidate_id = c.id
    LEFT JOIN drafts d ON d.candidate_id = c.id AND d.batch_id = b.id
    LEFT JOIN LATERAL (
        SELECT kind FROM filings WHERE candidate_id = c.id AND batch_id = b.id ORDER BY number DESC LIMIT 1
    ) f ON true
"""


def move(candidate_id: int, batch_id: int, before: State, after: State) -> Write:
    """The write that moves one candidate from one state to another in one batch, at the point they belong to now."""
    if before not in STATES or after not in STATES:
        raise ValueError(f"unknown state {before!r} or {after!r}")
    return Write(
        f"UPDATE tallies SET {before} = {before} - 1, {after} = {after} + 1"  # noqa: S608 -- checked above
        " WHERE point_id = (SELECT point_id FROM candidates WHERE id = :candidate) AND batch_id = :batch",
        {"candidate": candidate_id, "batch": batch_id},
    )


def candidate_moved(candidate_id: int, *, bound: bool) -> Write:
    """The write for a card bound or taken away: moves the candidate in every batch, whatever stood before.

    It reads the state as it was when the statement began, so it travels with the writes that change it. Rows are
    held in the order of `hold`, so that two candidates of a school never wait for each other.
    """
    after = STATE_SQL.replace("a.candidate_id IS NULL", "FALSE").replace(
        "bn.candidate_id IS NULL", "FALSE" if bound else "TRUE"
    )
    moves = ", ".join(
        f"{state} = t.{state} - (s.before = '{state}')::int + (s.after = '{state}')::int" for state in STATES
    )
    return Write(
        f"""
        UPDATE tallies t SET {moves}
        FROM (SELECT m.* FROM (SELECT c.point_id, b.id AS batch_id, {STATE_SQL} AS before, {after} AS after
                               FROM {STATE_FROM} WHERE c.id = :candidate) m
              JOIN tallies h ON h.point_id = m.point_id AND h.batch_id = m.batch_id
              WHERE m.before <> m.after ORDER BY h.point_id, h.batch_id FOR UPDATE OF h) s
        WHERE t.point_id = s.point_id AND t.batch_id = s.batch_id
        """,  # noqa: S608 -- constants
        {"candidate": candidate_id},
    )


_HELD: Final = text("""
    SELECT 1 FROM tallies WHERE point_id = ANY (:points) ORDER BY point_id, batch_id FOR UPDATE
""")


def hold(session: Session, *point_ids: int) -> None:
    """Hold every tally of these points, in the one order in which anybody holds several."""
    session.execute(_HELD, {"points": list(point_ids)})


def left(candidate_id: int) -> Write:
    """The write that takes a candidate out of every count, before what decides where they count is changed.

    `hold` the tallies of both points first.
    """
    moves = ", ".join(f"{state} = t.{state} - (s.state = '{state}')::int" for state in STATES)
    return Write(
        f"""
        UPDATE tallies t SET {moves}
        FROM (SELECT c.point_id, b.id AS batch_id, {STATE_SQL} AS state FROM {STATE_FROM} WHERE c.id = :candidate) s
        WHERE t.point_id = s.point_id AND t.batch_id = s.batch_id
        """,  # noqa: S608 -- constants
        {"candidate": candidate_id},
    )


def joined(candidate_id: int) -> Write:
    """The write that counts a candidate again in every batch, after the change; a statement of its own."""
    return Write(
        f"""
        INSERT INTO tallies AS t (point_id, batch_id, {_COLUMNS})
        SELECT s.point_id, s.batch_id, {", ".join(f"(s.state = '{state}')::int" for state in STATES)}
        FROM (SELECT c.point_id, b.id AS batch_id, {STATE_SQL} AS state FROM {STATE_FROM} WHERE c.id = :candidate) s
        ON CONFLICT (point_id, batch_id) DO UPDATE
        SET {", ".join(f"{state} = t.{state} + excluded.{state}" for state in STATES)}
        """,  # noqa: S608 -- constants
        {"candidate": candidate_id},
    )


_REGISTERED: Final = text(f"""
    INSERT INTO tallies (point_id, batch_id, never_signed_in, not_eligible)
    SELECT c.point_id, b.id, coalesce(sum(c.count) FILTER (WHERE {ELIGIBLE_SQL}), 0),
           coalesce(sum(c.count) FILTER (WHERE NOT {ELIGIBLE_SQL}), 0)
    FROM (SELECT point_id, subject_class, admitted, count(*) FROM candidates WHERE id >= :first GROUP BY 1, 2, 3) c
    CROSS JOIN batches b
    GROUP BY c.point_id, b.id ORDER BY c.point_id, b.id
    ON CONFLICT (point_id, batch_id) DO UPDATE
    SET never_signed_in = tallies.never_signed_in + excluded.never_signed_in,
        not_eligible = tallies.not_eligible + excluded.not_eligible
""")  # noqa: S608 -- constants


def registered(session: Session, first_id: int) -> None:
    """Count candidates just registered, those from `first_id` on: nobody has signed in yet."""
    session.execute(_REGISTERED, {"first": first_id})


# --- proof ------------------------------------------------------------------------------------------

#: counted from the rows themselves, with nothing of the tallies in it
_COUNT: Final = f"""
    SELECT c.point_id, b.id AS batch_id,
           {", ".join(f"count(*) FILTER (WHERE s.state = '{state}') AS {state}" for state in STATES)}
    FROM {STATE_FROM} CROSS JOIN LATERAL (SELECT {STATE_SQL} AS state) s
"""  # noqa: S608 -- constants
#: `:point` NULL is the whole province
_COUNTED: Final = f"{_COUNT} WHERE CAST(:point AS bigint) IS NULL OR c.point_id = :point GROUP BY c.point_id, b.id"
_WRONG: Final = text(f"""
    WITH counted AS ({_COUNTED}), kept AS (
        SELECT * FROM tallies WHERE CAST(:point AS bigint) IS NULL OR point_id = :point
    )
    SELECT point_id, batch_id, o.code AS office_code, o.name AS office, b.code AS batch,
           {", ".join(f"coalesce(k.{state}, 0) AS kept_{state}, coalesce(n.{state}, 0) AS {state}" for state in STATES)}
    FROM counted n FULL JOIN kept k USING (point_id, batch_id)
    LEFT JOIN offices o ON o.id = point_id LEFT JOIN batches b ON b.id = batch_id
    WHERE {" OR ".join(f"coalesce(n.{state}, 0) <> coalesce(k.{state}, 0)" for state in STATES)}
    ORDER BY o.code, b.code
""")  # noqa: S608 -- constants


@dataclass(frozen=True, slots=True)
class Wrong:
    """A tally that is not what the rows say. `kept` and `counted` hold the states that differ."""

    point_id: int
    batch_id: int
    office_code: str
    office: str
    batch: str
    kept: Mapping[str, int]
    counted: Mapping[str, int]

    def __str__(self) -> str:
        said = ", ".join(f"{state} {self.kept[state]}, counted {self.counted[state]}" for state in self.counted)
        return f"{self.office_code} {self.office}, batch {self.batch}: {said}"


def wrong(session: Session, point_id: int | None = None) -> list[Wrong]:
    """Every tally that is not what the rows say: one question, one snapshot, nothing held meanwhile."""
    return [_wrong(row) for row in session.execute(_WRONG, {"point": point_id}).mappings()]


def _wrong(row: Mapping[Any, Any]) -> Wrong:
    differ = [state for state in STATES if row[state] != row[f"kept_{state}"]]
    return Wrong(
        row["point_id"],
        row["batch_id"],
        row["office_code"],
        row["office"],
        row["batch"],
        kept={state: row[f"kept_{state}"] for state in differ},
        counted={state: row[state] for state in differ},
    )


_REPAIRED: Final = text(f"""
    WITH counted AS MATERIALIZED ({_COUNTED}), gone AS (
        DELETE FROM tallies t WHERE (CAST(:point AS bigint) IS NULL OR t.point_id = :point)
        AND NOT EXISTS (SELECT 1 FROM counted n WHERE n.point_id = t.point_id AND n.batch_id = t.batch_id)
        RETURNING {" + ".join(STATES)} AS people
    ), put AS (
        INSERT INTO tallies AS t (point_id, batch_id, {_COLUMNS}) SELECT point_id, batch_id, {_COLUMNS} FROM counted
        ON CONFLICT (point_id, batch_id) DO UPDATE SET {", ".join(f"{state} = excluded.{state}" for state in STATES)}
        WHERE ({", ".join(f"t.{state}" for state in STATES)})
              IS DISTINCT FROM ({", ".join(f"excluded.{state}" for state in STATES)})
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM gone WHERE people <> 0) + (SELECT count(*) FROM put)
""")  # noqa: S608 -- constants


def repair(session: Session, point_id: int) -> list[Wrong]:
    """Put one point's tallies right and return what was wrong. Its candidates may go on filing meanwhile.

    The rows are held first: a deed that has moved one is over before the count begins, and a deed that comes
    later waits, and moves what was counted.
    """
    hold(session, point_id)
    found = wrong(session, point_id)
    if found:
        session.execute(_REPAIRED, {"point": point_id})
    return found


_ALONE: Final = text("LOCK TABLE tallies IN EXCLUSIVE MODE")


def recount(session: Session) -> int:
    """Make every tally anew from the rows; returns how many were wrong. Holds the tallies meanwhile."""
    session.execute(_ALONE)
    return int(session.execute(_REPAIRED, {"point": None}).scalar_one())


_BEGUN: Final = text(f"""
    INSERT INTO tallies (point_id, batch_id, {_COLUMNS}) {_COUNT} WHERE b.id = :batch GROUP BY c.point_id, b.id
""")


def begun(session: Session, batch_id: int) -> None:
    """Count everybody in a batch made in this transaction, which nobody else sees yet.

    Holds the tallies: who moves a candidate in every batch meanwhile is over before the count, or moves it here, too.
    Half a million are counted in a second and a half; whoever saves waits for it.
    """
    session.execute(text("SET LOCAL statement_timeout = '30s'"))
    session.execute(_ALONE)
    session.execute(_BEGUN, {"batch": batch_id})
