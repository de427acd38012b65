"""Two codes for each confirmation: why a candidate is asked them, and how an office ends that (C-13).

Only the account's standing reason ends here: a card reported lost and found again, a stranger in the account,
a flag of an office. The day after a reset or a new phone number runs out by itself, and wrong tries are
forgiven by a right code alone; the offices' role in the database can change neither.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from admin import candidates, officers
from admin.officers import Visitor
from app import accounts
from app.bindings import SINGLE_TRIES
from app.db import together
from app.entrance import Where
from app.errors import OutOfDate
from app.notices import notice


@dataclass(frozen=True, slots=True)
class TwoCodes:
    """What of a candidate's account asks two codes."""

    #: "lost", "not_me", "office": until an office ends it
    reason: str | None
    #: after a reset or a new phone number: until then, by itself
    until: datetime | None
    #: after wrong codes: until a right answer
    after_tries: bool
    #: with every card of this one's lot, until the province ends it
    lot: bool

    @property
    def asked(self) -> bool:
        """Whether two codes are asked, whatever for."""
        return self.reason is not None or self.until is not None or self.after_tries or self.lot


@dataclass(frozen=True, slots=True)
class Ending:
    """What is typed at the counter; `standing`: the reason shown when the form was rendered."""

    why: str
    standing: str


_OF = text("""
    SELECT a.two_codes_reason AS reason,
           CASE WHEN a.two_codes_until > clock_timestamp() THEN a.two_codes_until END AS until,
           coalesce(bn.wrong_tries >= :tries, false) AS after_tries, l.quarantined_at IS NOT NULL AS lot
    FROM candidates c
    LEFT JOIN accounts a ON a.candidate_id = c.id
    LEFT JOIN bindings bn ON bn.candidate_id = c.id
    LEFT JOIN cards k ON k.serial = bn.serial
    LEFT JOIN lots l ON l.code = k.lot
    WHERE c.id = :candidate
""")
_LOCK = text("SELECT two_codes_reason FROM accounts WHERE candidate_id = :candidate FOR UPDATE")


def of(connection: Connection | Session, candidate_id: int) -> TwoCodes:
    """Why two codes are asked of a candidate, whom `candidates.of` has let the officer through to."""
    row = connection.execute(_OF, {"candidate": candidate_id, "tries": SINGLE_TRIES}).mappings().one()
    return TwoCodes(**row)


def end(session: Session, visitor: Visitor, candidate_id: int, ending: Ending, where: Where) -> None:
    """End the standing reason, for the person at the counter; the candidate is told.

    Raises `NotFound` out of scope, and `OutOfDate` when the reason is no longer the one shown.
    """
    candidates.of(session, visitor, candidate_id)
    reason = session.execute(_LOCK, {"candidate": candidate_id}).scalar()
    if reason is None or reason != ending.standing:
        raise OutOfDate("two codes are asked for another reason by now, or for none")
    together(
        session,
        accounts.two_codes_ended(candidate_id, reason),
        notice("two_codes_ended", candidate_id, where.request_id, office=visitor.office_name),
        officers.entry("two_codes.ended", visitor, where, candidate_id, was=reason, reason=ending.why),
    )
