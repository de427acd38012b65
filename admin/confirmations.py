"""Two officers of the province put their names to a seal: each has compared its root with a copy of their own (L-08).

The machine seals; people answer for it. Each types the first eight digits of the root as the verifier printed it or
the public page shows it: neither page shows them to copy. A seal is confirmed once, and the audit, which the next
seal covers, tells the verifier by which two.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import CheckConstraint, Connection, ForeignKey, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from admin import officers, proposals
from admin.officers import Visitor
from admin.proposals import Facts, Kind, Proposed, Wish
from app.db import Base, Moment, Write, together
from app.entrance import Where
from app.errors import BadInput, NotAllowed, NotFound, OutOfDate
from app.seals import CURRENT
from app.wording import N_

#: of the root, as both type them
DIGITS: Final = 8


class SealConfirmation(Base):
    """Two officers have confirmed a seal."""

    __tablename__ = "seal_confirmations"
    __table_args__ = (CheckConstraint("proposed_by <> approved_by", name="two_people"),)

    seal: Mapped[int] = mapped_column(ForeignKey("seals.number"), primary_key=True, autoincrement=False)
    proposed_by: Mapped[int] = mapped_column(ForeignKey("officers.id"))
    approved_by: Mapped[int] = mapped_column(ForeignKey("officers.id"))
    at: Mapped[Moment] = mapped_column(server_default=text("clock_timestamp()"))


@dataclass(frozen=True, slots=True)
class Confirmable:
    """A seal, and who has confirmed it."""

    number: int
    batch_code: str
    batch_name: str
    sealed_at: datetime
    size: int
    root: bytes
    #: of the batch as it has closed last; another has taken the place of one that is not
    current: bool
    confirmed_at: datetime | None
    #: both officers, once they have
    officers: str | None

    @property
    def word(self) -> str:
        """What is typed from the copy."""
        return self.root.hex()[:DIGITS]


_ONE = text(f"""
    SELECT s.number, b.code AS batch_code, b.name AS batch_name, s.sealed_at, s.size, s.root, {CURRENT} AS current,
           c.at AS confirmed_at,
           p.name || ', ' || a.name AS officers
    FROM seals s JOIN batches b ON b.id = s.batch_id
    LEFT JOIN seal_confirmations c ON c.seal = s.number
    LEFT JOIN officers p ON p.id = c.proposed_by LEFT JOIN officers a ON a.id = c.approved_by
    WHERE s.number = :number
""")  # noqa: S608 -- constants


def of(connection: Connection | Session, number: int) -> Confirmable:
    """A seal as it stands; raises `NotFound`."""
    row = connection.execute(_ONE, {"number": number}).mappings().first()
    if row is None:
        raise NotFound(f"no seal {number}")
    return Confirmable(**row)


def for_province(connection: Connection | Session, visitor: Visitor, number: int) -> Confirmable:
    """The same for an officer of the province; raises `NotFound` for anybody else."""
    visitor.require_province()
    return of(connection, number)


def propose(  # noqa: PLR0913, PLR0917 -- a session, who, which seal, what was typed, why, how long and whence
    session: Session, visitor: Visitor, number: int, typed: str, reason: str, life: timedelta, where: Where
) -> int:
    """The first of the two confirms; returns the act's id.

    Raises `NotFound` for anybody but the province, `OutOfDate` when it is confirmed or replaced already, and
    `BadInput` (place "digits") when the root begins with others.
    """
    seal = for_province(session, visitor, number)
    _require_open(seal)
    if typed.lower() != seal.word:
        raise BadInput("the root begins with other digits", place="digits")
    facts = [
        (N_("Batch"), seal.batch_name),
        (N_("Seal no."), f"{seal.number}"),
        (N_("Filings in force in the whole province"), f"{seal.size:,}"),
    ]
    params = {"seal": number, "batch": seal.batch_code}
    wish = Wish(visitor.office_id, f"{number}", seal.word, params, facts, reason)
    return proposals.propose(session, visitor, CONFIRM, wish, life, where)


def _require_open(seal: Confirmable) -> None:
    if seal.confirmed_at is not None or not seal.current:
        raise OutOfDate(f"seal {seal.number} is confirmed already, or another has taken its place")


def _confirm(session: Session, visitor: Visitor, act: Proposed, where: Where) -> Facts:
    if visitor.level != "province":
        raise NotAllowed("only the province confirms a seal")
    seal = of(session, act.params["seal"])
    _require_open(seal)
    said: dict[str, Any] = {"seal": seal.number, "batch": seal.batch_code, "root": seal.root.hex()}
    said["proposed_by"] = act.proposed_by
    together(
        session,
        Write(
            "INSERT INTO seal_confirmations (seal, proposed_by, approved_by) VALUES (:seal, :proposed, :approved)",
            {"seal": seal.number, "proposed": act.proposed_by, "approved": visitor.officer_id},
        ),
        officers.entry("seal.confirmed", visitor, where, **said),
    )
    return [(N_("Root"), seal.root.hex())]


CONFIRM: Final = Kind(
    "seal.confirm",
    N_("Confirm a seal"),
    "propose",
    "approve",
    _confirm,
    unseen=N_("First eight digits of the root, from your own copy"),
)
