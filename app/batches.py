"""Batches: what may be filed, by whom, and when.

Whether a batch is open is a function of its row and the database's clock, spelled once; there is no flag to
forget. A window is half-open: the instant `opens_at` is inside, the instant `closes_at` is not. A batch that is
suspended does not close before it is resumed, for candidates were told that its end will be moved.

Whoever changes a window holds the batch alone (`hold`), and every save holds it together with others
(`SHARED_SQL`), so that each save is wholly before or after. What a window may become is kept by a trigger
(`keep_windows`), whoever writes: once open it opens when it did and ends later only (O-07), and a suspension costs
nobody a minute.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Literal

from sqlalchemy import Boolean, CheckConstraint, Computed, Connection, ForeignKey, Integer, Text, TextClause, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.db import Base, Document, Id, Moment, Question, Small, Words
from app.errors import Closed, NotFound, NotYetOpen, Suspended
from app.specs import BatchSpec

State = Literal["not_yet_open", "open", "suspended", "closed"]


class Batch(Base):
    """One batch, or one supplementary round of it (`parent_id`)."""

    __tablename__ = "batches"
    __table_args__ = (
        CheckConstraint("opens_at < closes_at", name="window"),
        CheckConstraint("suspended_at IS NULL OR suspended_at >= opens_at", name="suspended"),
    )

    id: Mapped[Id]
    year: Mapped[Small]
    code: Mapped[Words] = mapped_column(unique=True)
    name: Mapped[Words]
    position: Mapped[Small]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("batches.id"))
    subject_classes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    #: `app.columns.BatchSpec` as JSON
    spec: Mapped[Document]
    #: raised whenever `spec` or `catalogue_version` changes
    revision: Mapped[int] = mapped_column(Integer, server_default="1")
    #: the catalogue's version this batch is pinned to
    catalogue_version: Mapped[int] = mapped_column(Integer, server_default="0")
    opens_at: Mapped[Moment]
    closes_at: Mapped[Moment]
    suspended_at: Mapped[Moment | None]
    #: the end before it was last moved: what candidates are told of a move comes from here (O-09)
    moved_from: Mapped[Moment | None]
    #: since when its list is with those who place the candidates; nothing about its window changes from then on
    handed_over_at: Mapped[Moment | None]
    #: every column is barred to candidates already admitted, so they do not file here and nobody waits for them
    closed_to_admitted: Mapped[bool] = mapped_column(Boolean, Computed("closed_to_admitted(spec)", persisted=True))


@dataclass(frozen=True, slots=True)
class Window:
    """When a batch may be filed in; enough to say yes or no at any instant."""

    opens_at: datetime
    closes_at: datetime
    suspended_at: datetime | None = None
    #: to one candidate the province has opened it again until then (O-14)
    reopened_until: datetime | None = None

    @property
    def ends_at(self) -> datetime:
        """When nothing can be filed any more by whom the window is about."""
        return max(self.closes_at, self.reopened_until or self.closes_at)

    def reopened_at(self, moment: datetime) -> bool:
        """Whether the end has passed at `moment`, for everybody but the one it was opened to again."""
        return self.closes_at <= moment < self.ends_at

    def state_at(self, moment: datetime) -> State:
        """The batch's state at `moment`; half-open, so at `ends_at` it is closed."""
        if moment < self.opens_at:
            return "not_yet_open"
        if self.suspended_at is not None and self.suspended_at < self.closes_at:
            return "suspended" if moment >= self.suspended_at else "open"
        return "closed" if moment >= self.ends_at else "open"

    def require_open(self, moment: datetime, *, grace: timedelta = timedelta(0)) -> None:
        """Raise `NotYetOpen`, `Suspended` or `Closed` unless a filing may be decided at `moment`.

        `grace` moves the end for a lock obtained late (O-04); what is shown to candidates has none, nor has a
        reopening, for one person alone is not late for others' sake.
        """
        state = replace(self, closes_at=self.closes_at + grace).state_at(moment)
        if state == "not_yet_open":
            raise NotYetOpen
        if state == "suspended":
            raise Suspended
        if state == "closed":
            raise Closed


@dataclass(frozen=True, slots=True)
class Opened:
    """A batch as one request sees it."""

    id: int
    code: str
    name: str
    parent_id: int | None
    spec: BatchSpec
    revision: int
    catalogue_version: int
    window: Window
    #: nobody already admitted may file here
    closed_to_admitted: bool
    #: the database's clock when the row was read
    now: datetime
    #: the end before it was last moved
    moved_from: datetime | None

    @property
    def state(self) -> State:
        """The state when the row was read."""
        return self.window.state_at(self.now)

    @property
    def reopened(self) -> bool:
        """Whether it was open to this candidate alone when the row was read."""
        return self.window.reopened_at(self.now)


FIELDS = """
    b.id AS batch_id, b.code AS batch_code, b.name AS batch_name, b.parent_id, b.spec::text AS spec, b.revision,
    b.catalogue_version, b.opens_at, b.closes_at, b.suspended_at, b.subject_classes, b.closed_to_admitted,
    b.moved_from, clock_timestamp() AS now
"""
#: until when the batch `b` was opened again to the `:candidate` (`admin.reopenings`); NULL for nearly everybody
REOPENED: Final = """
    (SELECT max(r.until) FROM reopenings r WHERE r.candidate_id = :candidate AND r.batch_id = b.id) AS reopened_until
"""


@lru_cache(maxsize=256)
def _spec(dumped: str) -> BatchSpec:
    return BatchSpec.model_validate_json(dumped)


def from_row(row: Mapping[str, Any]) -> Opened:
    """Build an `Opened` from a row holding `FIELDS`, and `REOPENED` if it is about one candidate.

    A spec is parsed once a process.
    """
    return Opened(
        id=row["batch_id"],
        code=row["batch_code"],
        name=row["batch_name"],
        parent_id=row["parent_id"],
        spec=_spec(row["spec"]),
        revision=row["revision"],
        catalogue_version=row["catalogue_version"],
        window=Window(row["opens_at"], row["closes_at"], row["suspended_at"], row.get("reopened_until")),
        closed_to_admitted=row["closed_to_admitted"],
        now=row["now"],
        moved_from=row["moved_from"],
    )


_OF_CLASS: Final = Question(
    f"SELECT {FIELDS} FROM batches b WHERE :subject_class = ANY (b.subject_classes)"  # noqa: S608 -- constant
    " ORDER BY b.opens_at, b.position, b.code"
)
_ONE: Final = Question(f"SELECT {FIELDS} FROM batches b WHERE b.code = :code")  # noqa: S608 -- constant


def of_class(connection: Connection | Session, subject_class: str) -> list[Opened]:
    """Every batch a subject class files in, in the order of the calendar."""
    return [from_row(row) for row in _OF_CLASS.all(connection, {"subject_class": subject_class})]


def one(connection: Connection | Session, code: str) -> Opened:
    """The batch with this code; raises `NotFound`."""
    row = _ONE.first(connection, {"code": code})
    if row is None:
        raise NotFound(f"no batch {code}")
    return from_row(row)


_ADD = text("""
    INSERT INTO batches (year, code, name, position, parent_id, subject_classes, spec, catalogue_version, opens_at,
                         closes_at)
    VALUES (:year, :code, :name, :position, :parent, :classes, CAST(:spec AS jsonb), :version, :opens_at, :closes_at)
    RETURNING id
""")


def add(session: Session, spec: BatchSpec, window: Window, parent_id: int | None, catalogue_version: int) -> int:
    """Add a batch; returns its id. Nobody is counted in it yet (`tallies`)."""
    params = {
        "year": spec.year,
        "code": spec.code,
        "name": spec.name,
        "position": spec.order,
        "parent": parent_id,
        "classes": list(spec.subject_classes),
        "spec": spec.model_dump_json(),
        "version": catalogue_version,
        "opens_at": window.opens_at,
        "closes_at": window.closes_at,
    }
    return int(session.execute(_ADD, params).scalar_one())


# --- acts upon a window ------------------------------------------------------------------------------

# PostgreSQL lets a shared lock of a row in while an exclusive one waits: eight saves at a time, one after the other,
# kept an extension waiting for twenty seconds. An advisory lock has a queue, so it is taken before the row's.
_GATE: Final = 7_302_022
#: a value of a question about a batch `b`: until the transaction ends it is held, together with others
SHARED_SQL: Final = f"pg_advisory_xact_lock_shared({_GATE}, CAST(b.id AS integer))"
_ALONE = text(f"SELECT pg_advisory_xact_lock({_GATE}, CAST(:batch AS integer))")
_ID = text("SELECT id FROM batches WHERE code = :code")
# not FOR UPDATE: rows that only refer to the batch, as drafts do, need not wait, nor be waited for
_HOLD = text("SELECT 1 FROM batches WHERE id = :batch FOR NO KEY UPDATE")


def id_of(session: Session, code: str) -> int:
    """The id of the batch with this code; raises `NotFound`."""
    found: int | None = session.execute(_ID, {"code": code}).scalar()
    if found is None:
        raise NotFound(f"no batch {code}")
    return found


def hold(session: Session, batch_id: int) -> None:
    """Hold a batch alone: every save that holds it is decided, and the next one waits."""
    session.execute(_ALONE, {"batch": batch_id})
    session.execute(_HOLD, {"batch": batch_id})


_OPENING = text("UPDATE batches SET opens_at = :opens_at WHERE id = :batch AND clock_timestamp() < opens_at")
_END = text(
    "UPDATE batches SET moved_from = closes_at, closes_at = :closes_at WHERE id = :batch"
    " AND (clock_timestamp() < opens_at OR :closes_at > closes_at)"
)
_SUSPEND = text("""
    UPDATE batches SET suspended_at = clock_timestamp() WHERE id = :batch AND suspended_at IS NULL
    AND opens_at <= clock_timestamp() AND clock_timestamp() < closes_at
""")
_RESUME = text("""
    UPDATE batches SET moved_from = closes_at, suspended_at = NULL,
        closes_at = greatest(CAST(:closes_at AS timestamptz), closes_at + (clock_timestamp() - suspended_at))
    WHERE id = :batch AND suspended_at IS NOT NULL
""")


def move_opening(session: Session, batch_id: int, opens_at: datetime) -> bool:
    """Move the opening of a batch that has not opened. Returns whether it moved."""
    return _change(session, _OPENING, batch_id, opens_at=opens_at)


def move_end(session: Session, batch_id: int, closes_at: datetime) -> bool:
    """Move a batch's end; once it has opened only later (O-07). Returns whether it moved."""
    return _change(session, _END, batch_id, closes_at=closes_at)


def suspend(session: Session, batch_id: int) -> bool:
    """Stop filing in an open batch now. Returns whether it was open."""
    return _change(session, _SUSPEND, batch_id)


def resume(session: Session, batch_id: int, closes_at: datetime | None) -> bool:
    """Go on: the end moves by as long as filing was stopped, or to `closes_at` where that is later still."""
    return _change(session, _RESUME, batch_id, closes_at=closes_at)


_HANDED_OVER = text("""
    UPDATE batches SET handed_over_at = clock_timestamp() WHERE id = :batch AND handed_over_at IS NULL
""")


def hand_over(session: Session, batch_id: int) -> None:
    """Note that the list is with those who place the candidates: its window does not change any more."""
    session.execute(_HANDED_OVER, {"batch": batch_id})


def _change(session: Session, statement: TextClause, batch_id: int, **to: datetime | None) -> bool:
    hold(session, batch_id)
    changed = session.execute(statement, {"batch": batch_id, **to})
    return bool(getattr(changed, "rowcount", 0))
