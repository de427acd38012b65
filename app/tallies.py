"""Tallies: per registration point and batch, how many candidates stand where.

Moved in the transaction that changes a candidate's state, and only when the state changes, so a province
is counted in milliseconds however large it is. `recount` proves them from the rows themselves.
"""

from typing import Final, Literal

from sqlalchemy import CheckConstraint, ForeignKey, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.db import Base, Write

State = Literal["never_signed_in", "not_bound", "nothing_filed", "draft_only", "filed", "waived"]
STATES: Final[tuple[State, ...]] = (
    "never_signed_in",
    "not_bound",
    "nothing_filed",
    "draft_only",
    "filed",
    "waived",
)


class Tally(Base):
    """Counts of one point in one batch; only candidates whose subject class files in the batch."""

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


#: one candidate's state in one batch, from the rows that make it, named as in STATE_FROM
STATE_SQL: Final = """
    CASE WHEN f.kind = 'list' THEN 'filed'
         WHEN f.kind = 'waiver' THEN 'waived'
         WHEN a.candidate_id IS NULL THEN 'never_signed_in'
         WHEN bn.candidate_id IS NULL THEN 'not_bound'
         WHEN d.candidate_id IS NOT NULL THEN 'draft_only'
         ELSE 'nothing_filed' END
"""
STATE_FROM: Final = """
    candidates c
    JOIN batches b ON c.subject_class = ANY (b.subject_classes)
    LEFT JOIN accounts a ON a.candidate_id = c.id
    LEFT JOIN bindings bn ON bn.candidate_id = c.id
    LEFT JOIN drafts d ON d.candidate_id = c.id AND d.batch_id = b.id
    LEFT JOIN LATERAL (
        SELECT kind FROM filings WHERE candidate_id = c.id AND batch_id = b.id ORDER BY number DESC LIMIT 1
    ) f ON true
"""


def move(point_id: int, batch_id: int, before: State, after: State) -> Write:
    """The write that moves one candidate of a point from one state to another in one batch."""
    if before not in STATES or after not in STATES:
        raise ValueError(f"unknown state {before!r} or {after!r}")
    return Write(
        f"UPDATE tallies SET {before} = {before} - 1, {after} = {after} + 1"  # noqa: S608 -- checked above
        " WHERE point_id = :point AND batch_id = :batch",
        {"point": point_id, "batch": batch_id},
    )


_CURRENT: Final = f"""
    SELECT c.point_id, b.id AS batch_id,
           {", ".join(f"count(*) FILTER (WHERE s.state = '{state}') AS {state}" for state in STATES)}
    FROM {STATE_FROM} CROSS JOIN LATERAL (SELECT {STATE_SQL} AS state) s
    GROUP BY c.point_id, b.id
"""  # noqa: S608 -- constants


def candidate_moved(candidate_id: int, *, bound: bool) -> Write:
    """The write for a card bound or taken away: moves the candidate in every batch, whatever stood before.

    It reads the state as it was when the statement began, so it travels with the writes that change it.
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
        FROM (SELECT c.point_id, b.id AS batch_id, {STATE_SQL} AS before, {after} AS after
              FROM {STATE_FROM} WHERE c.id = :candidate) s
        WHERE t.point_id = s.point_id AND t.batch_id = s.batch_id AND s.before <> s.after
        """,  # noqa: S608 -- constants
        {"candidate": candidate_id},
    )


_REGISTERED: Final = text("""
    INSERT INTO tallies (point_id, batch_id, never_signed_in)
    SELECT c.point_id, b.id, sum(c.count)
    FROM (SELECT point_id, subject_class, count(*) FROM candidates WHERE id >= :first GROUP BY 1, 2) c
    JOIN batches b ON c.subject_class = ANY (b.subject_classes)
    GROUP BY c.point_id, b.id
    ON CONFLICT (point_id, batch_id) DO UPDATE
    SET never_signed_in = tallies.never_signed_in + excluded.never_signed_in
""")


def registered(session: Session, first_id: int) -> None:
    """Count candidates just registered, those from `first_id` on: nobody has signed in yet."""
    session.execute(_REGISTERED, {"first": first_id})


def recount(session: Session) -> int:
    """Make every tally anew from the rows; returns how many were wrong. Holds the tallies meanwhile."""
    session.execute(text("LOCK TABLE tallies IN EXCLUSIVE MODE"))
    columns = ", ".join(STATES)
    wrong = session.execute(
        text(
            f"SELECT count(*) FROM (({_CURRENT}) EXCEPT "  # noqa: S608 -- constants
            f"SELECT point_id, batch_id, {columns} FROM tallies) x"
        )
    ).scalar_one()
    session.execute(text("DELETE FROM tallies"))
    anew = f"INSERT INTO tallies (point_id, batch_id, {columns}) {_CURRENT}"
    session.execute(text(anew))
    return int(wrong)
