"""The phone number messages go to: the registration's, until the candidate gives another (A-15).

A new number takes the password and the code the card asks; where two are due, both (C-09, C-13). The question
is the one that stands for confirming a list, so a wrong answer here and a wrong answer there are one count.
The number before is told: it travels sealed in the row of that message alone, and is dropped once it was sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from app import accounts, bindings
from app.accounts import MOBILE_COLUMN
from app.bindings import Bound, Right, Wrong
from app.candidates import Sealer
from app.db import Write
from app.errors import ChallengeStale, NoCard
from app.notices import OWN_MOBILE_COLUMN, notice
from app.sessions import Visitor


@dataclass(frozen=True, slots=True)
class Phone:
    """The number that stands, and what changing it asks."""

    candidate_id: int
    #: "" while there is none
    number: str
    bound: Bound | None
    #: the account's own state asks two codes
    two_codes_due: bool
    now: datetime

    @property
    def two_needed(self) -> bool:
        """Whether two codes are asked, for the account's state or after wrong ones."""
        return self.two_codes_due or (self.bound is not None and self.bound.wrong_tries >= bindings.SINGLE_TRIES)

    @property
    def asked(self) -> tuple[int, ...]:
        """The numbers of the codes asked, one or two; raises `NoCard`."""
        bound = self.bound
        if bound is None or bound.asked is None:
            raise NoCard
        if not self.two_needed:
            return (bound.asked,)
        if bound.asked_second is None:
            raise NoCard
        return (bound.asked, bound.asked_second)


@dataclass(frozen=True, slots=True)
class NewPhone:
    """What is typed for a new number; `shown` are the numbers of the codes as the page asked them."""

    number: str
    password: str
    shown: tuple[int, ...]
    codes: Sequence[str]


_OF = text(f"""
    SELECT a.mobile_sealed AS own, c.mobile_sealed AS registered, a.two_codes_until, a.two_codes_reason,
           clock_timestamp() AS now, {bindings.FIELDS}
    FROM accounts a JOIN candidates c ON c.id = a.candidate_id {bindings.JOINS}
    WHERE a.candidate_id = :candidate
""")  # noqa: S608 -- constants


def of(connection: Connection | Session, sealer: Sealer, candidate_id: int) -> Phone:
    """The candidate's number as it stands."""
    row = connection.execute(_OF, {"candidate": candidate_id}).mappings().one()
    number = ""
    for sealed, column in ((row["own"], MOBILE_COLUMN), (row["registered"], "mobile")):
        if sealed is not None:
            number = sealer.open(bytes(sealed), column=column, row=candidate_id)
            break
    bound = bindings.from_row(candidate_id, dict(row)) if row["serial"] is not None else None
    due = accounts.two_codes_due(row["two_codes_until"], row["two_codes_reason"], row["now"])
    return Phone(
        candidate_id=candidate_id,
        number=number,
        bound=bound,
        two_codes_due=due or (bound is not None and bound.lot_quarantined),
        now=row["now"],
    )


def judge(found: Phone, visitor: Visitor, given: NewPhone, keys: Mapping[int, bytes]) -> Right | Wrong:
    """Compare the codes with what is asked, as confirming a list does.

    Raises `ChallengeStale`, nothing compared or counted, when the page asked something else than what stands
    now; `NoCard`; `TooSoon` in two-code mode (C-10).
    """
    bound = found.bound
    if bound is None:
        raise NoCard
    if given.shown[:1] != (bound.asked,) or given.shown[1:] not in {(), (bound.asked_second,)}:
        raise ChallengeStale
    if found.two_codes_due and len(given.codes) < 2 and bound.wrong_tries < bindings.SINGLE_TRIES:
        raise ChallengeStale  # the page was made while one code was enough: not an attempt
    if _paced(found, given):
        bindings.require_pace(bound, _session(visitor), found.now, device_known=visitor.device_known)
    return bindings.judge(bound, given.codes, keys, two_needed=found.two_needed)


def _paced(found: Phone, given: NewPhone) -> bool:
    """A lone answer where two are needed is counted and never compared: no wait for it."""
    return found.two_needed and len(given.codes) > 1


def _session(visitor: Visitor) -> str:
    return visitor.session_hash.hex()[:16]


def refused(found: Phone, visitor: Visitor, given: NewPhone, wrong: Wrong, request_id: str) -> list[Write]:
    """The writes after a wrong code; the fifth in a row sends a message."""
    told = [notice("wrong_codes", found.candidate_id, request_id)] if wrong.tries == bindings.SINGLE_TRIES else []
    return [
        bindings.book_wrong(found.candidate_id, _session(visitor), paced=_paced(found, given)),
        *told,
    ]


def changed(found: Phone, given: NewPhone, right: Right, sealer: Sealer, request_id: str) -> list[Write]:
    """The writes that spend the codes, set the number, and tell the one before; where there was none, the new one."""
    if found.bound is None:
        raise NoCard
    row = found.candidate_id
    before = sealer.seal(found.number, column=OWN_MOBILE_COLUMN, row=row) if found.number else None
    return [
        *bindings.spend(found.bound, right, "phone"),
        accounts.phone_changed(row, sealer.seal(given.number, column=MOBILE_COLUMN, row=row)),
        notice("phone_changed", row, request_id, mobile_sealed=before),
    ]


def masked(number: str) -> str:
    """A phone number as pages and logs may show it."""
    return f"{number[:3]}****{number[-4:]}"
