"""Differences: what becomes of a box in which cards were missing or too many, by two officers (D-09).

Found: the missing cards were there after all, or have come since, and the box is the receiver's with what was
in it besides. Void: missing and surplus cards are good for nothing from now on, the rest is the receiver's.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

from admin import proposals, receiving, scope, stock, transfers
from admin.officers import Visitor
from admin.proposals import Facts, Kind, Proposed, Wish
from admin.spans import Span, joined, total, without, written
from admin.transfers import Boxed, Sent
from app.db import together
from app.entrance import Where
from app.errors import BadInput, NotFound, OutOfDate
from app.wording import N_

Settling = Literal["found", "void"]
SETTLINGS: Final[dict[Settling, str]] = {
    "found": N_("Found: the missing cards are there, and the box is as the receiver has it now"),
    "void": N_("Void: missing and surplus cards can never be used, the rest of the box goes on"),
}


def box_of(sent: Sent, number: int) -> Boxed:
    """A box of a transfer by its number; raises `NotFound`."""
    found = next((box for box in sent.boxes if box.number == number), None)
    if found is None:
        raise NotFound(f"transfer {sent.id} has no box {number}")
    return found


def propose(  # noqa: PLR0913, PLR0917 -- a session, who, which box, how, why, how long and whence
    session: Session,
    visitor: Visitor,
    sent: Sent,
    box: Boxed,
    settling: Settling,
    reason: str,
    life: timedelta,
    where: Where,
) -> int:
    """Propose how a difference is settled; returns the act's id.

    Raises `NotFound` to the lower of the two offices, and `OutOfDate` when nothing is to be settled.
    """
    upper = scope.office(session, visitor, sent.upper_id)
    if box.state != "differs":
        raise OutOfDate(f"box {box.id} is {box.state}")
    facts = [
        (N_("Transfer"), f"{sent.id}: {sent.giver} → {sent.receiver}"),
        (N_("Box"), f"{box.number}: {box.span.words}"),
        (N_("Missing"), f"{total(box.missing):,}\n{written(box.missing)}".strip()),
        (N_("Surplus"), f"{total(box.extra):,}\n{written(box.extra)}".strip()),
        (N_("Settled as"), SETTLINGS[settling]),
    ]
    word = f"{sent.id}-{box.number}"
    params = {"transfer": sent.id, "box": box.number, "as": settling}
    wish = Wish(upper.id, word, word, params, facts, reason)
    return proposals.propose(session, visitor, SETTLE, wish, life, where)


_SETTLED = text("""
    UPDATE boxes SET state = 'settled', proposal_id = :proposal,
        arrived = (SELECT coalesce(range_agg(int8range(w.first, w.last, '[]')), '{}')
                   FROM unnest(CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[])) w(first, last))
    WHERE id = :box
""")
_UNPACK = text("DELETE FROM places WHERE box_id = :box")


def _settle(session: Session, visitor: Visitor, act: Proposed, where: Where) -> Facts:
    sent = transfers.of(session, visitor, act.params["transfer"])
    box = box_of(sent, act.params["box"])
    receiving.hold(session, box, "differs")
    arrived = joined([box.span, *box.extra])
    stays: Sequence[Span] = ()
    outcome: Facts = []
    if act.params["as"] == "found":
        stock.take_out(session, sent.giver_id, box.extra)
    else:
        outcome = [(N_("Void"), f"{_void(session, box.missing) + _void(session, box.extra):,}")]
        arrived, stays = without([box.span], box.missing), box.missing
    session.execute(_UNPACK, {"box": box.id})
    stock.put(session, sent.giver_id, stays)
    stock.put(session, sent.receiver_id, arrived)
    ends = {"firsts": [span.first for span in arrived], "lasts": [span.last for span in arrived]}
    session.execute(_SETTLED, {"proposal": act.id, "box": box.id, **ends})
    together(session, transfers.entry("settled", visitor, sent.id, where, box=box.number, settled=act.params["as"]))
    return [*outcome, (N_("Arrived"), f"{stock.counted(session, arrived)[0]:,}")]


def _void(session: Session, spans: Sequence[Span]) -> int:
    """Raises `BadInput` when some of the cards lie outside the officer's offices."""
    due, _ = stock.counted(session, spans) if spans else (0, None)
    done = stock.void(session, spans) if spans else 0
    if done != due:
        raise BadInput("some of these cards are booked at an office outside yours", place="extra")
    return done


SETTLE: Final = Kind("box.settle", N_("Settle a difference"), "propose", "approve", _settle)
