"""Statements of the print works: how a lot comes into the province's stock (D-08).

What was printed, spoiled and delivered must come out to the last card before a lot is anywhere; spoiled cards
are void from then on. Two officers take a lot in, so that nobody alone makes stock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import CheckConstraint, Connection, ForeignKey, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from admin import proposals, stock
from admin.officers import Visitor
from admin.proposals import Facts, Kind, Proposed, Wish
from admin.spans import Span, joined, of_lot, total, without, written
from app.db import Base, Moment, Write, together
from app.entrance import Where
from app.errors import BadInput, NotAllowed, OutOfDate, OutOfScope
from app.wording import N_


class Statement(Base):
    """What the print works has signed about a lot."""

    __tablename__ = "statements"
    __table_args__ = (CheckConstraint("printed = spoiled + delivered", name="reconciled"),)

    lot: Mapped[str] = mapped_column(ForeignKey("lots.code"), primary_key=True)
    printed: Mapped[int]
    spoiled: Mapped[int]
    delivered: Mapped[int]
    proposal_id: Mapped[int] = mapped_column(ForeignKey("proposals.id"))
    taken_in_at: Mapped[Moment]


@dataclass(frozen=True, slots=True)
class Stated:
    """A statement as it is typed in."""

    printed: int
    delivered: int
    spoiled: Sequence[Span]
    reason: str


@dataclass(frozen=True, slots=True)
class LotLine:
    """A lot as the province sees it."""

    code: str
    cards: int
    made_at: datetime
    taken_in_at: datetime | None
    quarantined_at: datetime | None
    stock: int
    handed: int
    bound: int
    replaced: int
    void: int

    @property
    def issued(self) -> int:
        """How many were given to somebody."""
        return self.handed + self.bound + self.replaced


_LOTS = text("""
    SELECT l.code, l.cards, l.made_at, st.taken_in_at, l.quarantined_at, k.*
    FROM lots l LEFT JOIN statements st ON st.lot = l.code
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE state = 'stock') AS stock, count(*) FILTER (WHERE state = 'handed') AS handed,
               count(*) FILTER (WHERE state = 'bound') AS bound,
               count(*) FILTER (WHERE state = 'replaced') AS replaced,
               count(*) FILTER (WHERE state NOT IN ('stock', 'handed', 'bound', 'replaced')) AS void
        FROM cards WHERE lot = l.code
    ) k
    WHERE :lot = '' OR l.code = :lot ORDER BY l.code DESC
""")


def lots(connection: Connection | Session) -> list[LotLine]:
    """All lots, the newest number first."""
    return [LotLine(**row) for row in connection.execute(_LOTS, {"lot": ""}).mappings()]


def lot(connection: Connection | Session, visitor: Visitor, code: str) -> LotLine:
    """One lot, for an officer of the province; raises `NotFound` for anybody else."""
    row: Any = None
    if visitor.level == "province":
        row = connection.execute(_LOTS, {"lot": code}).mappings().first() if code else None
    if row is None:
        raise OutOfScope(f"no lot {code} for {visitor.path}")
    return LotLine(**row)


def propose(  # noqa: PLR0913, PLR0917 -- a session, who, which lot, what of it, how long and whence
    session: Session, visitor: Visitor, code: str, stated: Stated, life: timedelta, where: Where
) -> int:
    """Propose to take a lot in; returns the act's id.

    Raises `NotFound` for anybody but the province, `OutOfDate` when the lot is in stock already, and `BadInput`
    (place "printed", "delivered" or "spoiled") when the figures do not come out.
    """
    found = lot(session, visitor, code)
    if found.taken_in_at is not None:
        raise OutOfDate(f"lot {code} is in stock already")
    spoiled = joined(stated.spoiled)
    if without(spoiled, [of_lot(code, found.cards)]) or total(spoiled) != total(stated.spoiled):
        raise BadInput("serials of another lot, or one twice", place="spoiled")
    if stated.printed != found.cards:
        raise BadInput(f"the lot has {found.cards} cards", place="printed")
    if stated.printed - total(spoiled) != stated.delivered:
        raise BadInput(f"{stated.printed} less {total(spoiled)} is not {stated.delivered}", place="delivered")
    facts = [
        (N_("Lot"), code),
        (N_("Printed"), f"{stated.printed:,}"),
        (N_("Spoiled"), f"{total(spoiled):,}"),
        (N_("Delivered"), f"{stated.delivered:,}"),
        (N_("Spoiled serials"), written(spoiled) or "—"),
    ]
    params = {"lot": code, "spoiled": [[span.first, span.last] for span in spoiled]}
    wish = Wish(visitor.office_id, code, code, params, facts, stated.reason)
    return proposals.propose(session, visitor, TAKE_IN, wish, life, where)


def _take_in(session: Session, visitor: Visitor, act: Proposed, _where: Where) -> Facts:
    if visitor.level != "province":
        raise NotAllowed("only the province takes lots in")
    found = lot(session, visitor, act.params["lot"])
    if found.taken_in_at is not None:
        raise OutOfDate(f"lot {found.code} is in stock already")
    spoiled = [Span(*each) for each in act.params["spoiled"]]
    stock.void(session, spoiled)
    stock.put(session, act.office_id, [of_lot(found.code, found.cards)])
    together(session, _stated(found, total(spoiled), act.id))
    return [(N_("In stock"), f"{found.cards - total(spoiled):,}")]


def _stated(found: LotLine, spoiled: int, proposal_id: int) -> Write:
    return Write(
        """
        INSERT INTO statements (lot, printed, spoiled, delivered, proposal_id, taken_in_at)
        VALUES (:lot, :printed, :spoiled, :delivered, :proposal, clock_timestamp())
        """,
        {
            "lot": found.code,
            "printed": found.cards,
            "spoiled": spoiled,
            "delivered": found.cards - spoiled,
            "proposal": proposal_id,
        },
    )


TAKE_IN: Final = Kind("lot.take_in", N_("Take a lot in"), "propose", "approve", _take_in)
