"""Reopenings: a closed batch opened again to one candidate, by decision of a court or an authority (O-14, K5).

Two officers of the province decide it together, before the list is handed over and so before anybody is placed; a
batch that was sealed by then is sealed once more. Nothing is filed for the candidate and nothing that was filed is
touched: until the hour named the candidate can file once more, with a code of the own card as ever. What is filed so
is an amendment (`app.filings.AMENDS`), counted and named apart by the seal and by `admin/verify.py`.

Of the decision its number and the SHA-256 of its scan are kept, the scan is not: it holds what a court says of a
person, and whoever has the file can prove by the digest that it is the one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import CheckConstraint, Connection, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from admin import candidates, officers, proposals
from admin.candidates import Person
from admin.officers import Visitor
from admin.proposals import Facts, Kind, Obstacle, Proposed, Wish, at
from app import accounts, batches
from app.batches import Window
from app.db import Base, Moment, Octets, Words, Write, together
from app.entrance import Where
from app.evidence import utc
from app.notices import notice
from app.wording import N_

#: the seal, and admission with it, waits for a reopening: long enough for the post and a weekend, and no longer
LONGEST: Final = timedelta(days=3)
NOT_CLOSED: Final = N_("This batch has not closed, so there is nothing to open again.")
_HANDED_OVER: Final = N_("Its list has been handed over for admission, so nobody can file in it any more.")
_OPEN: Final = N_("This batch is open to this candidate already.")
_TOO_FAR: Final = N_("Choose a time from now on, at most three days ahead: the seal waits for it.")
_OVER: Final = N_("The time until which it was to be open has passed.")
_RENUMBERED: Final = N_("The candidate has another number than when this was proposed.")


class Reopening(Base):
    """One decision carried out. `until` counts only where it is later than the batch's own end."""

    __tablename__ = "reopenings"
    __table_args__ = (
        CheckConstraint("until > created_at AND until <= created_at + interval '3 days'", name="brief"),
        CheckConstraint("document <> '' AND reason <> ''", name="said"),
        CheckConstraint("length(document_sha256) = 32", name="document_sha256"),
        Index("ix_reopenings_candidate_id_batch_id", "candidate_id", "batch_id"),
    )

    proposal_id: Mapped[int] = mapped_column(ForeignKey("proposals.id"), primary_key=True, autoincrement=False)
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id"))
    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id"))
    until: Mapped[Moment]
    #: number of the decision, as it stands on the paper
    document: Mapped[Words]
    document_sha256: Mapped[Octets]
    reason: Mapped[Words]
    created_at: Mapped[Moment]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is typed."""

    batch: str
    until: datetime
    document: str
    document_sha256: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Shut:
    """A batch of the candidate that has closed for everybody."""

    id: int
    code: str
    name: str
    window: Window
    #: its list is with those who place the candidates
    handed_over: bool
    #: whether anything was filed, never what
    filed: bool
    now: datetime

    @property
    def reopenable(self) -> bool:
        """Whether it can be opened again to this candidate."""
        return not self.handed_over and not self.window.reopened_at(self.now)


# one that is paused has not closed: its end moves when it is resumed
_SHUT = text("""
    SELECT b.id, b.code, b.name, b.opens_at, b.closes_at, clock_timestamp() AS now,
           b.handed_over_at IS NOT NULL AS handed_over,
           EXISTS (SELECT FROM filings f WHERE f.candidate_id = c.id AND f.batch_id = b.id) AS filed,
           (SELECT max(r.until) FROM reopenings r WHERE r.candidate_id = c.id AND r.batch_id = b.id) AS until
    FROM candidates c JOIN batches b ON c.subject_class = ANY (b.subject_classes)
    WHERE c.id = :candidate AND b.closes_at <= clock_timestamp() AND b.suspended_at IS NULL
    ORDER BY b.closes_at DESC, b.position, b.code
""")


def shut(connection: Connection | Session, candidate_id: int) -> list[Shut]:
    """The candidate's batches that have closed, the last one first."""
    found = connection.execute(_SHUT, {"candidate": candidate_id})
    return [
        Shut(
            row.id,
            row.code,
            row.name,
            Window(row.opens_at, row.closes_at, None, row.until),
            row.handed_over,
            row.filed,
            row.now,
        )
        for row in found
    ]


def of(connection: Connection | Session, visitor: Visitor, candidate_id: int) -> Person:
    """The candidate, for an officer of the province; raises `NotFound` out of scope, and for anybody else."""
    visitor.require_province()
    return candidates.of(connection, visitor, candidate_id)


# --- the act -------------------------------------------------------------------------------------------


def propose(  # noqa: PLR0913, PLR0917 -- a session, who, for whom, what, how long and whence
    session: Session, visitor: Visitor, candidate_id: int, asked: Asked, life: timedelta, where: Where
) -> int:
    """Propose to open a closed batch again to a candidate; returns the act's id.

    Raises `Obstacle`, its `place` "batch" or "until", when it could not be done; `NotFound`; and as
    `proposals.propose` does.
    """
    person = of(session, visitor, candidate_id)
    batch = _reopenable(session, candidate_id, asked.batch)
    if not batch.now < asked.until <= batch.now + LONGEST:
        raise Obstacle(_TOO_FAR, "until")
    facts = [
        (N_("Candidate"), f"{person.name} {person.masked_no}"),
        (N_("Registration point"), person.point_name),
        (N_("Batch"), f"{batch.name} ({batch.code})"),
        (N_("Closed"), at(batch.window.closes_at)),
        (N_("Open to this candidate until"), at(asked.until)),
        (N_("Has filed in it"), N_("yes") if batch.filed else N_("no")),
        (N_("Number of the decision"), asked.document),
        (N_("SHA-256 of its scan"), asked.document_sha256.hex()),
    ]
    params = {
        "candidate": candidate_id,
        "batch": batch.code,
        "until": asked.until.isoformat(),
        "document": asked.document,
        "document_sha256": asked.document_sha256.hex(),
    }
    subject = f"{candidate_id} {batch.code}"
    wish = Wish(visitor.office_id, subject, person.candidate_no, params, facts, asked.reason)
    return proposals.propose(session, visitor, REOPEN, wish, life, where)


def _reopen(session: Session, visitor: Visitor, act: Proposed, where: Where) -> Facts:
    candidate_id, until = act.params["candidate"], datetime.fromisoformat(act.params["until"])
    person = of(session, visitor, candidate_id)
    accounts.lock(session, candidate_id)
    # alone, as for a moved end: the seal holds the batch, too, and either sees this or is seen by it
    batches.hold(session, batches.id_of(session, act.params["batch"]))
    batch = _reopenable(session, candidate_id, act.params["batch"])
    if person.candidate_no != act.word:
        raise Obstacle(_RENUMBERED)
    if until <= batch.now:
        raise Obstacle(_OVER)
    document, digest = act.params["document"], act.params["document_sha256"]
    together(
        session,
        _row(act, batch, until),
        officers.entry(
            "candidate.reopened",
            visitor,
            where,
            candidate_id,
            batch=batch.code,
            until=utc(until),
            document=document,
            document_sha256=digest,
            reason=act.reason,
            proposal=act.id,
            proposed_by=act.proposed_by,
        ),
        notice("reopened", candidate_id, str(act.id), batch=batch.name, until=until.isoformat(), document=document),
    )
    return [(N_("Open to this candidate until"), at(until))]


def _reopenable(session: Session, candidate_id: int, code: str) -> Shut:
    batch = next((one for one in shut(session, candidate_id) if one.code == code), None)
    if batch is None:
        raise Obstacle(NOT_CLOSED, "batch")
    if not batch.reopenable:
        raise Obstacle(_HANDED_OVER if batch.handed_over else _OPEN, "batch")
    return batch


def _row(act: Proposed, batch: Shut, until: datetime) -> Write:
    return Write(
        """
        INSERT INTO reopenings (proposal_id, candidate_id, batch_id, until, document, document_sha256, reason,
                                created_at)
        VALUES (:proposal, :candidate, :batch, :until, :document, decode(:digest, 'hex'), :reason, clock_timestamp())
        """,
        {
            "proposal": act.id,
            "candidate": act.params["candidate"],
            "batch": batch.id,
            "until": until,
            "document": act.params["document"],
            "digest": act.params["document_sha256"],
            "reason": act.reason,
        },
    )


REOPEN: Final = Kind(
    "candidate.reopen",
    N_("Open a batch again to one candidate"),
    "propose",
    "approve",
    _reopen,
    unseen=N_("Candidate number, from the decision in your hand"),
)


# --- what the seal asks --------------------------------------------------------------------------------

_LAST = text("SELECT max(until) FROM reopenings WHERE batch_id = :batch")
_WAITS = text("""
    SELECT max(expires_at) FROM proposals
    WHERE kind = 'candidate.reopen' AND decision IS NULL AND expires_at > clock_timestamp()
      AND params ->> 'batch' = :code
""")
#: as the audit has them, which a verifier can hold the seal against
_DECIDED = text("""
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, detail ->> 'until' AS until,
           detail ->> 'document_sha256' AS document_sha256
    FROM audit WHERE act = 'candidate.reopened' AND detail ->> 'batch' = :code ORDER BY at, id
""")


def last_until(session: Session, batch_id: int) -> datetime | None:
    """Until when a batch was opened again to anybody; None where it never was."""
    found: datetime | None = session.execute(_LAST, {"batch": batch_id}).scalar()
    return found


def waits_until(session: Session, batch_code: str) -> datetime | None:
    """Until when a second officer can still decide to open a batch again; None when nothing waits."""
    found: datetime | None = session.execute(_WAITS, {"code": batch_code}).scalar()
    return found


def decided(session: Session, batch_code: str) -> Sequence[Mapping[str, Any]]:
    """Every reopening of a batch as it is published: when, until when, the digest of the decision; not for whom."""
    return [dict(row) for row in session.execute(_DECIDED, {"code": batch_code}).mappings()]
