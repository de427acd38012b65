"""Two-person acts: one officer proposes, another approves, and the approval does the deed (O-06, O-13, A-14).

A proposal says in facts what would happen and stands for half an hour. Whoever approves is another officer of
the same office or one above it, appointed now, proved lately, and retypes a word of the deed, so that nobody
approves by reflex. The deed runs in the transaction of the approval: both happen or neither. What can be proposed
is a `Kind`; `admin.deeds` lists them.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import CheckConstraint, Connection, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from admin import officers
from admin.officers import Act, Visitor
from admin.scope import BELOW
from app.db import Base, Document, Id, Moment, Words, Write, together
from app.entrance import Where
from app.errors import NotAllowed, OutOfDate, OutOfScope

Decision = Literal["approved", "refused", "withdrawn", "expired"]
#: names (msgids) and values, in the order they are shown
Facts = Sequence[tuple[str, str]]
#: begins a value that is a moment: whoever reads it has a language, whoever writes it has none
_MOMENT: Final = "@"


def at(moment: datetime | None) -> str:
    """A moment as a value of facts."""
    return f"{_MOMENT}{moment.astimezone(UTC).isoformat()}" if moment else ""


def moment_in(value: str) -> datetime | None:
    """The moment a value of facts is, if it is one."""
    return datetime.fromisoformat(value[1:]) if value.startswith(_MOMENT) else None


class Obstacle(OutOfDate):
    """The deed cannot be done as things stand; `words` (a msgid) say why. Nothing has changed.

    `place` is the field of the form it lies with, where it is one.
    """

    def __init__(self, words: str, place: str = "") -> None:
        super().__init__(words)
        self.words = words
        self.place = place


class AlreadyProposed(OutOfDate):
    """The same waits for a second officer already. `act` is its id, or None where the asker may not see it."""

    reason = "already_proposed"

    def __init__(self, act: int | None) -> None:
        super().__init__()
        self.act = act


class Proposal(Base):
    """What somebody wants done that one person alone cannot do."""

    __tablename__ = "proposals"
    __table_args__ = (
        CheckConstraint("decision IN ('approved', 'refused', 'withdrawn', 'expired')", name="decision"),
        CheckConstraint("(decision IS NULL) = (decided_at IS NULL)", name="decided"),
        CheckConstraint("(decided_by IS NULL) = (coalesce(decision, 'expired') = 'expired')", name="decider"),
        CheckConstraint(
            "decided_by IS NULL OR (decided_by <> proposed_by) = (decision <> 'withdrawn')", name="two_people"
        ),
        Index("uq_proposals_open", "kind", "subject", unique=True, postgresql_where=text("decision IS NULL")),
    )

    id: Mapped[Id]
    kind: Mapped[Words]
    #: what it is about; only one proposal of a kind about one subject is open
    subject: Mapped[Words]
    #: officers of this office, and of those above it, may decide
    office_id: Mapped[int] = mapped_column(ForeignKey("offices.id"), index=True)
    #: what whoever approves types again
    word: Mapped[Words]
    params: Mapped[Document]
    facts: Mapped[list[Any]] = mapped_column(JSONB)
    reason: Mapped[Words]
    proposed_by: Mapped[int] = mapped_column(ForeignKey("officers.id"))
    proposed_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    decision: Mapped[Words | None]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("officers.id"))
    decided_at: Mapped[Moment | None]
    #: more facts: what the deed did
    outcome: Mapped[list[Any] | None] = mapped_column(JSONB)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is proposed."""

    office_id: int
    subject: str
    word: str
    params: Mapping[str, Any]
    facts: Facts
    reason: str


@dataclass(frozen=True, slots=True)
class Proposed:
    """A two-person act as it stands."""

    id: int
    kind: str
    subject: str
    office_id: int
    office_name: str
    office_path: str
    word: str
    params: Mapping[str, Any]
    facts: Facts
    reason: str
    proposed_by: int
    proposer: str
    #: the appointment of who proposed it has not ended
    proposer_appointed: bool
    proposed_at: datetime
    expires_at: datetime
    decision: Decision | None
    decider: str | None
    decided_at: datetime | None
    outcome: Facts | None
    now: datetime

    @property
    def state(self) -> Decision | Literal["open"]:
        """Whether it waits, or what became of it."""
        if self.decision is not None:
            return self.decision
        return "open" if self.now < self.expires_at else "expired"


#: what an approval does; returns the facts of its outcome, raises a refusal to leave everything as it was
Deed = Callable[[Session, Visitor, Proposed, Where], Facts]


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of two-person act."""

    name: str
    #: a msgid
    title: str
    #: what the two officers' roles must include
    propose: Act
    approve: Act
    deed: Deed
    #: the approval only begins it: it takes effect later, and can be cancelled until then
    waits: bool = False
    #: what is asked for where the word is not shown, a msgid: whoever approves has it from elsewhere
    unseen: str = ""


@dataclass(frozen=True, slots=True)
class Mistyped:
    """The word was not the one to retype. Nothing but the audit has changed."""


_FIELDS: Final = """
    q.id, q.kind, q.subject, q.office_id, p.name AS office_name, p.path AS office_path, q.word, q.params, q.facts,
    q.reason, q.proposed_by, f.name AS proposer, f.appointed_until > clock_timestamp() AS proposer_appointed,
    q.proposed_at, q.expires_at, q.decision, d.name AS decider, q.decided_at, q.outcome, clock_timestamp() AS now
"""
_FROM: Final = """
    FROM proposals q JOIN offices p ON p.id = q.office_id JOIN officers f ON f.id = q.proposed_by
    LEFT JOIN officers d ON d.id = q.decided_by
"""
_ONE = text(f"SELECT {_FIELDS} {_FROM} WHERE q.id = :id AND {BELOW}")
_ALL = text(f"""
    SELECT {_FIELDS} {_FROM}
    WHERE {BELOW} AND coalesce(q.decided_at, q.proposed_at) > clock_timestamp() - interval '30 days'
    ORDER BY q.decision IS NULL AND q.expires_at > clock_timestamp() DESC, q.id DESC LIMIT 100
""")


def of(connection: Connection | Session, visitor: Visitor, proposal_id: int) -> Proposed:
    """The act, if its office is the officer's own or below it; raises `NotFound` for any other."""
    row = connection.execute(_ONE, {"id": proposal_id, "within": visitor.path}).mappings().first()
    if row is None:
        raise OutOfScope(f"act {proposal_id} is not within {visitor.path}")
    return Proposed(**row)


def recent(connection: Connection, visitor: Visitor) -> list[Proposed]:
    """The acts of the officer's office and those below, of the last thirty days; those that wait first."""
    return [Proposed(**row) for row in connection.execute(_ALL, {"within": visitor.path}).mappings()]


_WAITING = text(f"""
    SELECT q.id {_FROM} WHERE q.kind = :kind AND q.subject = :subject AND q.decision IS NULL AND {BELOW}
""")
_LAPSE = text("""
    UPDATE proposals SET decision = 'expired', decided_at = expires_at
    WHERE kind = :kind AND subject = :subject AND decision IS NULL AND expires_at <= clock_timestamp()
""")
_PROPOSE = text("""
    INSERT INTO proposals (kind, subject, office_id, word, params, facts, reason, proposed_by, proposed_at, expires_at)
    VALUES (:kind, :subject, :office, :word, CAST(:params AS jsonb), CAST(:facts AS jsonb), :reason, :officer,
            clock_timestamp(), clock_timestamp() + CAST(:life AS interval))
    ON CONFLICT (kind, subject) WHERE decision IS NULL DO NOTHING RETURNING id
""")


def propose(  # noqa: PLR0913, PLR0917 -- a session, who, what sort, what, how long and whence
    session: Session, visitor: Visitor, kind: Kind, wish: Wish, life: timedelta, where: Where
) -> int:
    """Propose an act; returns its id.

    Raises `NotAllowed` without the role, a fresh proof or an appointment, and `AlreadyProposed` when the same waits
    for a decision already.
    """
    visitor.require(kind.propose)
    visitor.require_proof()
    officers.require_appointed(session, visitor)
    same = {"kind": kind.name, "subject": wish.subject}
    session.execute(_LAPSE, same)
    made = session.execute(
        _PROPOSE,
        {
            **same,
            "office": wish.office_id,
            "word": wish.word,
            "params": json.dumps(wish.params, ensure_ascii=False),
            "facts": json.dumps(list(wish.facts), ensure_ascii=False),
            "reason": wish.reason,
            "officer": visitor.officer_id,
            "life": life,
        },
    ).scalar()
    if made is None:
        raise AlreadyProposed(session.execute(_WAITING, {**same, "within": visitor.path}).scalar())
    together(session, _entry("proposed", visitor, made, kind.name, wish, where, reason=wish.reason))
    return int(made)


_HOLD = text("SELECT 1 FROM proposals WHERE id = :id FOR UPDATE")


def approve(  # noqa: PLR0913, PLR0917 -- a session, who, what sorts there are, which one, the word and whence
    session: Session, visitor: Visitor, kinds: Mapping[str, Kind], proposal_id: int, retyped: str, where: Where
) -> Proposed | Mistyped:
    """Approve an act and do it. Returns `Mistyped`, which is remembered, when the word is another.

    Raises `NotFound` out of scope; `NotAllowed` to who proposed it, without the role, a fresh proof or an
    appointment, also when the proposer's has ended; `OutOfDate` when it is decided or expired; and whatever
    the deed refuses with.
    """
    act = _held(session, visitor, proposal_id)
    kind = kinds[act.kind]
    _require_second(session, visitor, act, kind)
    if "".join(retyped.split()).lower() != act.word.lower():
        together(session, _entry("mistyped", visitor, act.id, act.kind, act, where))
        return Mistyped()
    outcome = kind.deed(session, visitor, act, where)
    _decide(session, visitor, act, "approved", where, outcome)
    return act


def refuse(session: Session, visitor: Visitor, kinds: Mapping[str, Kind], proposal_id: int, where: Where) -> None:
    """Refuse an act: it is not done. Raises as `approve` does."""
    act = _held(session, visitor, proposal_id)
    _require_second(session, visitor, act, kinds[act.kind])
    _decide(session, visitor, act, "refused", where)


def withdraw(session: Session, visitor: Visitor, proposal_id: int, where: Where) -> None:
    """Take back what one has proposed oneself; raises `NotAllowed` to anybody else, `OutOfDate` when decided."""
    act = _held(session, visitor, proposal_id)
    if act.proposed_by != visitor.officer_id:
        raise NotAllowed("only who proposed it can withdraw it")
    _require_open(act)
    _decide(session, visitor, act, "withdrawn", where)


def _held(session: Session, visitor: Visitor, proposal_id: int) -> Proposed:
    session.execute(_HOLD, {"id": proposal_id})
    return of(session, visitor, proposal_id)


def _require_second(session: Session, visitor: Visitor, act: Proposed, kind: Kind) -> None:
    visitor.require(kind.approve)
    visitor.require_proof()
    if act.proposed_by == visitor.officer_id:
        raise NotAllowed("it takes another officer than the one who proposed it")
    officers.require_appointed(session, visitor)
    _require_open(act)
    if not act.proposer_appointed:
        raise NotAllowed("the appointment of the officer who proposed it has ended")


def _require_open(act: Proposed) -> None:
    if act.state != "open":
        raise OutOfDate(f"act {act.id} is {act.state}")


def _decide(  # noqa: PLR0913, PLR0917 -- a session, who, what, how, whence and with what outcome
    session: Session, visitor: Visitor, act: Proposed, decision: Decision, where: Where, outcome: Facts | None = None
) -> None:
    together(
        session,
        Write(
            """
            UPDATE proposals SET decision = :decision, decided_by = :officer, decided_at = clock_timestamp(),
                outcome = CAST(:outcome AS jsonb)
            WHERE id = :id
            """,
            {
                "decision": decision,
                "officer": visitor.officer_id,
                "outcome": None if outcome is None else json.dumps(list(outcome), ensure_ascii=False),
                "id": act.id,
            },
        ),
        _entry(decision, visitor, act.id, act.kind, act, where, outcome=outcome),
    )


def _entry(  # noqa: PLR0913, PLR0917 -- what happened to what, by whom and whence
    act: str, visitor: Visitor, proposal_id: int, kind: str, what: Wish | Proposed, where: Where, **detail: Any
) -> Write:
    detail |= {"proposal": proposal_id, "kind": kind, "subject": what.subject}
    if "batch" in what.params:  # by which a search finds it
        detail["batch"] = what.params["batch"]
    return officers.entry(f"proposal.{act}", visitor, where, **detail)
