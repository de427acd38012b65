"""The schedule: every batch with its window, what stands in the way of moving it, and what was done about it.

Anybody who signs in may look. What two officers of the province do about a window is in `admin.window_acts`, how they
make a batch in `admin.creations`; each of their acts is a row here from its approval on, whether it waits, was done,
was cancelled or was overtaken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import CheckConstraint, Connection, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from admin.proposals import Obstacle, Proposed
from app.batches import State, Window
from app.db import Base, Moment, Words
from app.errors import NotFound
from app.seals import CURRENT
from app.tallies import STATES
from app.wording import N_

Deed = Literal["batch.opening", "batch.end", "batch.suspend", "batch.resume"]
Outcome = Literal["done", "cancelled", "overtaken"]
#: an act that is due for so long has nobody to do it
LATE: Final = timedelta(seconds=10)


class BatchAct(Base):
    """One approved act upon a batch. One that makes a batch is about none until it is done."""

    __tablename__ = "batch_acts"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('batch.opening', 'batch.end', 'batch.suspend', 'batch.resume', 'batch.create')", name="kind"
        ),
        CheckConstraint(
            "(batch_id IS NOT NULL) = (kind <> 'batch.create' OR coalesce(outcome, '') = 'done')", name="upon"
        ),
        CheckConstraint("outcome IN ('done', 'cancelled', 'overtaken')", name="outcome"),
        CheckConstraint("(outcome IS NULL) = (settled_at IS NULL)", name="settled"),
        CheckConstraint("(cancelled_by IS NOT NULL) = (coalesce(outcome, '') = 'cancelled')", name="cancelled"),
        CheckConstraint("(coalesce(outcome, '') = 'overtaken') = (why <> '')", name="why"),
        Index("uq_batch_acts_waiting", "batch_id", unique=True, postgresql_where=text("outcome IS NULL")),
    )

    proposal_id: Mapped[int] = mapped_column(ForeignKey("proposals.id"), primary_key=True, autoincrement=False)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"), index=True)
    kind: Mapped[Words]
    #: the time asked for
    asked: Mapped[Moment | None]
    effective_at: Mapped[Moment]
    outcome: Mapped[Words | None]
    settled_at: Mapped[Moment | None]
    cancelled_by: Mapped[int | None] = mapped_column(ForeignKey("officers.id"))
    #: the opening or the end before and after it was done
    was: Mapped[Moment | None]
    became: Mapped[Moment | None]
    #: what has overtaken it, a msgid
    why: Mapped[Words] = mapped_column(server_default="")
    #: up to which candidate messages about it are queued, how many, how many of them to somebody without a phone
    #: number, and when the last was (`admin.announcements`)
    told_to: Mapped[int] = mapped_column(server_default="0")
    told: Mapped[int] = mapped_column(server_default="0")
    without_phone: Mapped[int] = mapped_column(server_default="0")
    told_at: Mapped[Moment | None]


@dataclass(frozen=True, slots=True)
class Planned:
    """A batch of the schedule."""

    id: int
    code: str
    name: str
    window: Window
    moved_from: datetime | None
    sealed_at: datetime | None
    #: since when its list is with those who place the candidates
    handed_over_at: datetime | None
    #: by the database's clock
    as_of: datetime

    @property
    def state(self) -> State:
        """The state when the row was read."""
        return self.window.state_at(self.as_of)


_PLANNED = text(f"""
    SELECT b.id, b.code, b.name, b.opens_at, b.closes_at, b.suspended_at, b.moved_from, b.handed_over_at,
           (SELECT max(s.sealed_at) FROM seals s WHERE s.batch_id = b.id AND {CURRENT}) AS sealed_at,
           clock_timestamp() AS as_of
    FROM batches b WHERE :code = '' OR b.code = :code ORDER BY b.opens_at, b.position, b.code
""")  # noqa: S608 -- constants


def _planned(row: Any) -> Planned:
    window = Window(row.opens_at, row.closes_at, row.suspended_at)
    return Planned(row.id, row.code, row.name, window, row.moved_from, row.sealed_at, row.handed_over_at, row.as_of)


def batches(connection: Connection) -> list[Planned]:
    """Every batch, in the order of the calendar."""
    return [_planned(row) for row in connection.execute(_PLANNED, {"code": ""})]


def batch(connection: Connection | Session, code: str) -> Planned:
    """The batch with this code; raises `NotFound`."""
    row = connection.execute(_PLANNED, {"code": code}).first() if code else None
    if row is None:
        raise NotFound(f"no batch {code}")
    return _planned(row)


_CONCERNED = text(f"""
    SELECT coalesce(sum({" + ".join(state for state in STATES if state != "not_eligible")}), 0)::bigint AS candidates,
           coalesce(sum(filed + waived), 0)::bigint AS filed
    FROM tallies WHERE batch_id = :batch
""")  # noqa: S608 -- constants


def concerned(connection: Connection | Session, batch_id: int) -> tuple[int, int]:
    """How many candidates may file in a batch, and how many of them have, as far as the officer sees."""
    row = connection.execute(_CONCERNED, {"batch": batch_id}).one()
    return row.candidates, row.filed


# --- what stands in the way --------------------------------------------------------------------------

WAITS: Final = N_("Another act waits to take effect. Cancel it first, or wait until it is done.")
MOVED_ON: Final = N_("The batch is not any more as it was when this was proposed.")
NOT_APPOINTED: Final = N_("The appointment of an officer who proposed or approved it has ended.")
_HANDED_OVER: Final = N_("The list has been handed over for admission. The batch’s window does not change any more.")
_WANTED: Final[Mapping[Deed, tuple[State, str]]] = {
    "batch.suspend": ("open", N_("Only an open batch can be paused.")),
    "batch.resume": ("suspended", N_("The batch is not paused.")),
}
_OPENED: Final = N_("By the time this takes effect the batch has opened. Its opening cannot be moved any more.")
PAST: Final = N_("By the time this takes effect that time has passed. Choose a later one.")
UPSIDE_DOWN: Final = N_("The batch would end before it opens.")
_ONLY_LATER: Final = N_("Once a batch has opened its end moves later only. Choose a time after the end as it stands.")


def obstacle(deed: Deed, planned: Planned, asked: datetime | None, at: datetime) -> str:
    """Why the deed could not be done to the batch at `at`, as a msgid; "" when nothing stands in the way."""
    state, window = planned.window.state_at(at), planned.window
    if planned.handed_over_at is not None:
        return _HANDED_OVER
    if deed in _WANTED:
        wanted, words = _WANTED[deed]
        earlier = asked is not None and asked <= window.closes_at
        return words if state != wanted else _ONLY_LATER if earlier else ""
    if deed == "batch.opening" and state != "not_yet_open":
        return _OPENED
    if asked is None or asked <= at:
        return PAST
    opens_at, closes_at = (asked, window.closes_at) if deed == "batch.opening" else (window.opens_at, asked)
    if state != "not_yet_open" and closes_at <= window.closes_at:
        return _ONLY_LATER
    return UPSIDE_DOWN if opens_at >= closes_at else ""


# --- what was done -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Act:
    """An approved act as the province sees it."""

    proposal_id: int
    kind: str
    #: of the batch; its name where the act makes it
    code: str
    name: str | None
    asked: datetime | None
    effective_at: datetime
    outcome: Outcome | None
    settled_at: datetime | None
    canceller: str | None
    was: datetime | None
    became: datetime | None
    why: str
    told: int
    without_phone: int
    reason: str
    proposer: str
    approver: str
    now: datetime

    @property
    def late(self) -> bool:
        """Whether it should have been done by now."""
        return self.outcome is None and self.now > self.effective_at + LATE


_ACT: Final = """
    SELECT a.proposal_id, a.kind, q.subject AS code, q.params ->> 'name' AS name, a.asked, a.effective_at, a.outcome,
           a.settled_at, c.name AS canceller, a.was, a.became, a.why, a.told, a.without_phone, q.reason,
           f.name AS proposer, d.name AS approver, clock_timestamp() AS now
    FROM batch_acts a JOIN proposals q ON q.id = a.proposal_id JOIN officers f ON f.id = q.proposed_by
    JOIN officers d ON d.id = q.decided_by LEFT JOIN officers c ON c.id = a.cancelled_by
"""
_ACTS = text(f"""{_ACT}
    WHERE a.batch_id IS NOT DISTINCT FROM CAST(:batch AS bigint)
      AND (a.batch_id IS NOT NULL OR coalesce(a.settled_at, 'infinity') > clock_timestamp() - interval '30 days')
    ORDER BY a.outcome IS NULL DESC, a.settled_at DESC, a.proposal_id DESC
""")
_FOLLOWED = text(f"{_ACT} WHERE a.proposal_id = ANY (:proposals)")
#: acts that are due and not done, or done and nobody has begun to tell the candidates: `proposal_id`, `kind`, batch
#: `code`, since when (`due_at`) and for how many `seconds`
OVERDUE: Final = """
    SELECT a.proposal_id, a.kind, q.subject AS code, d.at AS due_at,
           extract(epoch FROM clock_timestamp() - d.at)::float8 AS seconds
    FROM batch_acts a JOIN proposals q ON q.id = a.proposal_id
    CROSS JOIN LATERAL (SELECT coalesce(a.settled_at, a.effective_at) AS at) d
    WHERE d.at <= clock_timestamp()
      AND (a.outcome IS NULL OR (a.outcome = 'done' AND a.told_at IS NULL AND a.told_to = 0))
"""
_OVERDUE = text(OVERDUE)
_UNDECIDED = text("""
    SELECT id, kind, subject FROM proposals
    WHERE CASE WHEN :code = '' THEN kind = 'batch.create' ELSE kind LIKE 'batch.%' AND subject = :code END
      AND decision IS NULL AND expires_at > clock_timestamp() ORDER BY id
""")


def acts(connection: Connection | Session, batch_id: int | None) -> list[Act]:
    """Every approved act upon a batch, the one that waits first; none for anybody but the province.

    With None those that were to make a batch and have not, of the last thirty days.
    """
    return [Act(**row) for row in connection.execute(_ACTS, {"batch": batch_id}).mappings()]


def followed(connection: Connection, proposals: Sequence[int]) -> dict[int, Act]:
    """What has become of approved acts upon batches, by the ids of their proposals; none but for the province."""
    found = connection.execute(_FOLLOWED, {"proposals": proposals}).mappings()
    return {row["proposal_id"]: Act(**row) for row in found}


def overdue(session: Session, seconds: int) -> list[Any]:
    """The acts, of any batch, that have been due for longer: rows as `OVERDUE` has them."""
    return [row for row in session.execute(_OVERDUE) if row.seconds > seconds]


def undecided(connection: Connection, code: str = "") -> list[tuple[int, str, str]]:
    """What is proposed about a batch, or which are to be made, and waits for a second officer: id, kind and code."""
    return [(row.id, row.kind, row.subject) for row in connection.execute(_UNDECIDED, {"code": code})]


_NOTED = text("""
    INSERT INTO batch_acts (proposal_id, batch_id, kind, asked, effective_at, outcome, settled_at)
    VALUES (:proposal, :batch, :kind, :asked, clock_timestamp() + :minutes * interval '1 minute',
            CAST(:outcome AS text), CASE WHEN CAST(:outcome AS text) IS NOT NULL THEN clock_timestamp() END)
    ON CONFLICT (batch_id) WHERE outcome IS NULL DO NOTHING RETURNING effective_at
""")


def note(
    session: Session, act: Proposed, batch_id: int | None, asked: datetime | None, outcome: Outcome | None = None
) -> datetime:
    """Note an act from its approval on; returns when it takes effect. Raises `Obstacle` when another one waits."""
    noted: datetime | None = session.execute(
        _NOTED,
        {
            "proposal": act.id,
            "batch": batch_id,
            "kind": act.kind,
            "asked": asked,
            "minutes": act.params["minutes"],
            "outcome": outcome,
        },
    ).scalar()
    if noted is None:
        raise Obstacle(WAITS)
    return noted
