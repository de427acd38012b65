"""Replacements: another card for a candidate whose card is lost, spoiled, seen or used up, by two officers (D-13).

Face to face, from the stock of the office where the candidate stands, in force at once: the old card ends in the
same transaction (C-16). Each officer has a limit a day, as the first of the two and as the second.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

from admin import candidates, handing, officers, proposals, stock
from admin.officers import Visitor
from admin.proposals import Facts, Kind, Proposed, Wish
from app.candidates import Sealer
from app.db import together
from app.entrance import Where
from app.errors import NotAllowed, OutOfDate
from app.wording import N_
from cards import serials

_DAY: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is typed at the counter for a replacement."""

    #: a msgid
    cause: str
    reason: str
    id_tail: str
    serial: str


@dataclass(frozen=True, slots=True)
class NotReplaced:
    """Why no replacement was proposed: as `NotHanded`, or "none": there is no card to replace; "limit"."""

    reason: Literal["tail", "card", "none", "limit"]


_REPLACED = text("""
    SELECT count(*) FROM handovers
    WHERE second_id IS NOT NULL AND :officer IN (officer_id, second_id)
      AND handed_at > clock_timestamp() - CAST(:day AS interval)
""")


def propose_replacement(  # noqa: PLR0913, PLR0917 -- a session, a seal, who, whom, what, how many, how long, whence
    session: Session,
    sealer: Sealer,
    visitor: Visitor,
    candidate_id: int,
    asked: Asked,
    limit: int,
    life: timedelta,
    where: Where,
) -> int | NotReplaced:
    """Propose that a candidate's card is replaced by one of the office's own stock; returns the act's id.

    Refused, and remembered, when the identity card, the new card or the old one is not as it must be, or the
    officer has replaced `limit` cards in a day. Raises `NotFound` out of scope.
    """
    found = candidates.of(session, visitor, candidate_id)
    old = session.execute(handing.LIVE, {"candidate": candidate_id}).scalar()
    why: NotReplaced | None = None
    if not candidates.has_card(session, sealer, visitor, found, asked.id_tail):
        why = NotReplaced("tail")
    elif old is None:
        why = NotReplaced("none")
    elif not stock.may_be_given(session, visitor.office_id, asked.serial):
        why = NotReplaced("card")
    elif _over(session, visitor.officer_id, limit):
        why = NotReplaced("limit")
    if why is not None:
        detail = {"why": why.reason, "serial": asked.serial}
        together(session, officers.entry("card.not_replaced", visitor, where, candidate_id, **detail))
        return why
    facts = [
        (N_("Candidate"), f"{found.name} {found.masked_no}"),
        (N_("Registration point"), found.point_name),
        (N_("Card until now"), serials.grouped(str(old))),
        (N_("New card"), serials.grouped(asked.serial)),
        (N_("Cause"), asked.cause),
    ]
    params = {"candidate": candidate_id, "old": old, "serial": asked.serial, "limit": limit}
    wish = Wish(visitor.office_id, str(candidate_id), asked.serial, params, facts, asked.reason)
    return proposals.propose(session, visitor, REPLACE, wish, life, where)


def _replace(session: Session, visitor: Visitor, act: Proposed, where: Where) -> Facts:
    candidate_id, serial, limit = (act.params[name] for name in ("candidate", "serial", "limit"))
    session.execute(handing.ONE_AT_A_TIME, {"candidate": candidate_id})
    candidates.of(session, visitor, candidate_id)
    if session.execute(handing.LIVE, {"candidate": candidate_id}).scalar() != act.params["old"]:
        raise OutOfDate("the candidate has another card by now")
    if not stock.may_be_given(session, act.office_id, serial):
        raise OutOfDate(f"card {serial} is no longer in stock")
    for officer in (act.proposed_by, visitor.officer_id):
        if _over(session, officer, limit):
            raise NotAllowed(f"officer {officer} has replaced {limit} cards in a day")
    handing.give(session, act.proposed_by, visitor.officer_id, visitor, candidate_id, serial, where)
    return [(N_("Card in force"), serials.grouped(serial))]


def _over(session: Session, officer_id: int, limit: int) -> bool:
    done: int = session.execute(_REPLACED, {"officer": officer_id, "day": _DAY}).scalar_one()
    return done >= limit


REPLACE: Final = Kind("card.replace", N_("Replace a card"), "replace_card", "replace_card", _replace)
