"""Cards taken out of use by two officers: a whole lot put under quarantine (C-18), an office's stock destroyed.

Quarantine is one statement whatever the size of the lot: either every confirmation with one of its cards needs
two codes, or every card of it that is not bound is void. Whoever holds such a card is on the list for a new one.
At the end of the season what was not given to anybody is void, office by office, with a protocol that names the
spans.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from admin import proposals, statements, stock
from admin.officers import Visitor
from admin.proposals import Facts, Kind, Proposed, Wish
from admin.spans import total, written
from app.entrance import Where
from app.errors import NotAllowed, NotFound, OutOfDate
from app.evidence import masked
from app.wording import N_

Mode = Literal["two_codes", "void", "end"]
MODES: Final[dict[Mode, str]] = {
    "two_codes": N_("Two codes for each confirmation with a card of this lot; every card goes on working"),
    "void": N_("Every card of this lot that is not bound is void at once, for good"),
    "end": N_("End two codes for this lot"),
}

# --- a lot ---------------------------------------------------------------------------------------------

_MARK = text("""
    UPDATE lots SET quarantined_at = CASE WHEN :on THEN coalesce(quarantined_at, clock_timestamp()) END
    WHERE code = :lot RETURNING cards
""")
_VOID_LOT = text("""
    UPDATE cards SET state = 'void', ended_at = clock_timestamp() WHERE lot = :lot AND state IN ('stock', 'handed')
""")


def propose_quarantine(  # noqa: PLR0913, PLR0917 -- a session, who, which lot, how, why, how long and whence
    session: Session, visitor: Visitor, code: str, mode: Mode, reason: str, life: timedelta, where: Where
) -> int:
    """Propose what is done about a lot; returns the act's id. Raises `NotFound` for anybody but the province."""
    lot = statements.lot(session, visitor, code)
    if (mode == "end") != (lot.quarantined_at is not None) and mode != "void":
        raise OutOfDate(f"lot {code} is not as this supposes")
    facts = [
        (N_("Lot"), code),
        (N_("Deed"), MODES[mode]),
        (N_("Cards"), f"{lot.cards:,}"),
        (N_("In stock"), f"{lot.stock:,}"),
        (N_("Handed out, not bound"), f"{lot.handed:,}"),
        (N_("Bound"), f"{lot.bound:,}"),
    ]
    wish = Wish(visitor.office_id, code, code, {"lot": code, "mode": mode}, facts, reason)
    return proposals.propose(session, visitor, QUARANTINE, wish, life, where)


def _quarantine(session: Session, visitor: Visitor, act: Proposed, _where: Where) -> Facts:
    if visitor.level != "province":
        raise NotAllowed("only the province decides about a lot")
    code, mode = act.params["lot"], act.params["mode"]
    if mode == "void":
        done = getattr(session.execute(_VOID_LOT, {"lot": code}), "rowcount", 0)
        return [(N_("Void"), f"{done:,}")]
    cards = session.execute(_MARK, {"lot": code, "on": mode == "two_codes"}).scalar()
    if cards is None:
        raise NotFound(f"no lot {code}")
    return [(N_("Cards"), f"{cards:,}")]


QUARANTINE: Final = Kind("lot.quarantine", N_("Quarantine of a lot"), "propose", "approve", _quarantine)


@dataclass(frozen=True, slots=True)
class Holder:
    """A candidate who needs a card of another lot."""

    prefecture: str
    county: str
    point: str
    class_no: str
    name: str
    candidate_no: str
    state: str

    @property
    def masked_no(self) -> str:
        """The candidate number as lists show it."""
        return masked(self.candidate_no)


_HOLDERS = text("""
    SELECT f.name AS prefecture, y.name AS county, p.name AS point, c.class_no, c.name, c.candidate_no, k.state
    FROM cards k JOIN candidates c ON c.id = k.holder_id JOIN offices p ON p.id = c.point_id
    JOIN offices y ON y.id = p.parent_id JOIN offices f ON f.id = y.parent_id
    WHERE k.lot = :lot AND (k.state IN ('bound', 'handed')
          OR k.state = 'void' AND NOT EXISTS (
              SELECT FROM cards live WHERE live.holder_id = c.id AND live.state IN ('handed', 'bound')))
    ORDER BY p.path, c.class_no, c.candidate_no
""")


def holders(connection: Connection | Session, lot: str) -> list[Holder]:
    """Everybody who holds a card of the lot, or held one that is void and has no other."""
    return [Holder(**row) for row in connection.execute(_HOLDERS, {"lot": lot}).mappings()]


# --- what is left at the end ---------------------------------------------------------------------------


def propose_destruction(session: Session, visitor: Visitor, reason: str, life: timedelta, where: Where) -> int:
    """Propose that all the office's own stock is void and destroyed; returns the act's id.

    Raises `OutOfDate` when there is none.
    """
    left = stock.unissued(session, visitor.office_id)
    if not left:
        raise OutOfDate("nothing is left in stock")
    facts = [
        (N_("Office"), visitor.office_name),
        (N_("Cards"), f"{total(left):,}"),
        (N_("Serials"), written(left)),
    ]
    word = f"{total(left)}"
    spans: Sequence[list[int]] = [[span.first, span.last] for span in left]
    wish = Wish(visitor.office_id, str(visitor.office_id), word, {"spans": spans}, facts, reason)
    return proposals.propose(session, visitor, DESTROY, wish, life, where)


def _destroy(session: Session, _visitor: Visitor, act: Proposed, _where: Where) -> Facts:
    left = stock.unissued(session, act.office_id)
    if [[span.first, span.last] for span in left] != act.params["spans"]:
        raise OutOfDate("the stock is another by now")
    return [(N_("Void"), f"{stock.void(session, left):,}")]


DESTROY: Final = Kind("stock.destroy", N_("Destroy what is left"), "propose", "approve", _destroy)
