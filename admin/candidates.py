"""The one gate from an officer to a candidate's row (O-11), and what an office may do at the counter.

An office sees who a candidate is and where they stand, never what they have chosen. It can approve that a
password be reset; it never sees or sets one, and the ticket it prints does nothing without two codes of the
candidate's card (A-09, A-10).
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from admin import officers
from admin.officers import Visitor
from admin.scope import BELOW
from app import accounts
from app.candidates import Sealer
from app.db import together
from app.entrance import Refused, Where, new_ticket
from app.errors import OutOfDate, OutOfScope, Refusal
from app.evidence import masked
from app.notices import notice


class NumberShown(Refusal):
    """The officer was shown the identity number, so typing its end proves nothing; somebody else does this."""

    status = 409
    reason = "number_shown"


#: how much of the identity card is typed off at the counter, to show that it was there
TAIL: Final = 6


@dataclass(frozen=True, slots=True)
class Person:
    """A candidate as the counter sees them."""

    id: int
    candidate_no: str
    name: str
    id_no_sealed: bytes
    class_no: str
    point_id: int
    point_name: str
    county_name: str
    activated_at: datetime | None
    #: activating signs in, too
    last_signed_in_at: datetime | None
    #: serial of the card bound, or of the one handed over and not bound yet
    bound_serial: str | None
    handed_serial: str | None
    #: the newest ticket: approved when and by whom, good until when, used when
    approved_at: datetime | None
    approved_by: str | None
    ticket_until: datetime | None
    ticket_used_at: datetime | None
    now: datetime

    @property
    def masked_no(self) -> str:
        """The candidate number as pages show it."""
        return masked(self.candidate_no)

    def masked_id_no(self, sealer: Sealer) -> str:
        """The identity number with its region's first four and last two characters (P-02)."""
        number = self.id_no(sealer)
        return f"{number[:4]}{'*' * (len(number) - 6)}{number[-2:]}"

    def id_no(self, sealer: Sealer) -> str:
        """The identity number in full: for comparing, and for `admin.reveals`."""
        return sealer.open(self.id_no_sealed, column="id_no", row=self.id)

    @property
    def ticket_stands(self) -> bool:
        """Whether a ticket is out that could still be used."""
        return self.ticket_until is not None and self.ticket_used_at is None and self.now < self.ticket_until

    @property
    def standing(self) -> str:
        """Names the ticket a form was rendered beside, so that sending it twice approves once."""
        return self.approved_at.isoformat() if self.approved_at else ""


@dataclass(frozen=True, slots=True)
class Approval:
    """What is typed at the counter."""

    reason: str
    id_tail: str
    #: `Person.standing` when the form was rendered
    standing: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """A reset ticket, to be printed at once: only its hash is kept."""

    text: str
    until: datetime
    person: Person


_PERSON = text(f"""
    SELECT c.id, c.candidate_no, c.name, c.id_no_sealed, c.class_no, c.point_id, p.name AS point_name,
           k.name AS county_name, a.activated_at,
           greatest(a.activated_at, a.last_signed_in_at) AS last_signed_in_at, bn.serial AS bound_serial,
           (SELECT h.serial FROM cards h WHERE h.holder_id = c.id AND h.state = 'handed') AS handed_serial,
           t.approved_at, o.name AS approved_by, t.expires_at AS ticket_until, t.used_at AS ticket_used_at,
           clock_timestamp() AS now
    FROM candidates c
    JOIN offices p ON p.id = c.point_id
    LEFT JOIN offices k ON k.id = p.parent_id
    LEFT JOIN accounts a ON a.candidate_id = c.id
    LEFT JOIN bindings bn ON bn.candidate_id = c.id
    LEFT JOIN reset_tickets t ON t.candidate_id = c.id
    LEFT JOIN officers o ON o.id = t.officer_id
    WHERE c.id = :candidate AND {BELOW}
""")  # noqa: S608 -- constants


def of(connection: Connection | Session, visitor: Visitor, candidate_id: int) -> Person:
    """The candidate, if registered within the officer's scope; raises `NotFound` for any other, real or not."""
    found = connection.execute(_PERSON, {"candidate": candidate_id, "within": visitor.path})
    row: Any = found.mappings().first()
    if row is None:
        raise OutOfScope(f"candidate {candidate_id} is not within {visitor.path}")
    return Person(**row)


_FIND = text(f"""
    SELECT c.id FROM candidates c JOIN offices p ON p.id = c.point_id WHERE c.candidate_no = :number AND {BELOW}
""")  # noqa: S608 -- constants


def look_up(session: Session, visitor: Visitor, candidate_no: str, where: Where) -> int | None:
    """Find a candidate by the exact number; None when there is none in scope. Either way it is remembered."""
    found: int | None = session.execute(_FIND, {"number": candidate_no, "within": visitor.path}).scalar()
    act = "candidate.looked_up" if found else "candidate.not_found"
    together(session, officers.entry(act, visitor, where, found, number=masked(candidate_no)))
    return found


_SHOWN = text("""
    SELECT 1 FROM audit WHERE officer_id = :officer AND candidate_id = :candidate AND act = 'id_no.revealed' LIMIT 1
""")


def has_card(session: Session, sealer: Sealer, visitor: Visitor, person: Person, id_tail: str) -> bool:
    """Whether the typed end of the identity number is the candidate's, which is how an officer proves to have read it.

    Raises `NumberShown` for one who was ever shown the number, for whom it would prove nothing.
    """
    if session.execute(_SHOWN, {"officer": visitor.officer_id, "candidate": person.id}).first() is not None:
        raise NumberShown(f"identity number of candidate {person.id} was shown to officer {visitor.officer_id}")
    return hmac.compare_digest(person.id_no(sealer)[-TAIL:].encode(), id_tail.upper().encode())


# two approvals of one candidate at once: the second sees the first's ticket and is refused
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('reset-ticket', :candidate))")


def approve_reset(  # noqa: PLR0913, PLR0917 -- a session, a seal, who, whom, what and whence
    session: Session, sealer: Sealer, visitor: Visitor, candidate_id: int, asked: Approval, where: Where
) -> Ticket | Refused:
    """Approve a password reset for the person at the counter; the ticket replaces one that was out.

    Refused, and remembered, when the typed end of the identity number is not the candidate's. Raises
    `NotFound` out of scope, and `OutOfDate` when another ticket was made since the form was, or there is no
    account whose password could be reset.
    """
    session.execute(_ONE_AT_A_TIME, {"candidate": candidate_id})
    person = of(session, visitor, candidate_id)
    if person.activated_at is None or asked.standing != person.standing:
        raise OutOfDate("another ticket was made, or there is no account")
    if not has_card(session, sealer, visitor, person, asked.id_tail):
        together(session, officers.entry("reset.refused", visitor, where, candidate_id))
        return Refused()
    drawn, secret_hash = new_ticket()
    together(
        session,
        accounts.reset_approved(candidate_id, secret_hash, visitor.officer_id),
        notice("reset_approved", candidate_id, where.request_id, office=visitor.office_name),
        officers.entry("reset.approved", visitor, where, candidate_id, reason=asked.reason),
    )
    return Ticket(drawn, person.now + accounts.RESET_LIFE, person)
