"""Reveals: a phone or identity number in full, for a reason, so many a day, and never in secret (P-02, P-10).

The audit keeps who looked and why, and the candidate reads it (`app.looks`). Whoever was shown an identity number
cannot prove by typing its end that they have read the card (`candidates.has_card`).
"""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

from admin import candidates, chase, officers
from admin.officers import Visitor
from app.candidates import Sealer
from app.db import Write, together
from app.entrance import Where


@dataclass(frozen=True, slots=True)
class Revealed:
    """A number, and how many more the officer may look at today."""

    number: str
    left: int


@dataclass(frozen=True, slots=True)
class Capped:
    """The officer has looked at as many as one day allows."""

    most: int


@dataclass(frozen=True, slots=True)
class Wish:
    """Whose number, which, and why; of a phone number also which batch the call is about."""

    candidate_id: int
    what: Literal["phone", "id_no"]
    reason: str
    batch_id: int | None = None


# two at once of one officer: the second counts the first
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('reveal', :officer))")
_TODAY = text("""
    SELECT count(*) FROM audit
    WHERE officer_id = :officer AND act IN ('phone.revealed', 'id_no.revealed')
      AND at >= date_trunc('day', clock_timestamp() AT TIME ZONE 'Asia/Shanghai') AT TIME ZONE 'Asia/Shanghai'
""")


def reveal(  # noqa: PLR0913, PLR0917 -- a session, a seal, who, what, how many and whence
    session: Session, sealer: Sealer, visitor: Visitor, wish: Wish, most: int, where: Where
) -> Revealed | Capped:
    """Open one number. Refused, and remembered, beyond `most` of both kinds a day. Raises `NotFound` out of scope."""
    person, what = candidates.of(session, visitor, wish.candidate_id), wish.what
    session.execute(_ONE_AT_A_TIME, {"officer": visitor.officer_id})
    today = session.execute(_TODAY, {"officer": visitor.officer_id}).scalar_one()
    if today >= most:
        together(session, _entry(f"{what}.refused", visitor, wish, where, most=most))
        return Capped(most)
    if what == "id_no":
        number = person.id_no(sealer)
    else:
        number = chase.callee(session, wish.candidate_id, wish.batch_id or 0).phone(sealer)
    together(session, _entry(f"{what}.revealed", visitor, wish, where, reason=wish.reason))
    return Revealed(number, most - today - 1)


def _entry(act: str, visitor: Visitor, wish: Wish, where: Where, **detail: object) -> Write:
    about = {"batch": wish.batch_id} if wish.batch_id is not None else {}
    return officers.entry(act, visitor, where, wish.candidate_id, **about, **detail)
