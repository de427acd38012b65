"""Transfers: cards on the way between an office and its parent, in boxes that the receiver counts (D-09).

The giver says which spans, the receiver what is there. A box that differs stays where it is, on the way, and
nothing of it goes on until two officers of the upper office have settled what became of the cards. Cards go down
one level at a time, and back up the same way; a foreign key knows no other neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKey,
    ForeignKeyConstraint,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE, INT8RANGE, Range
from sqlalchemy.orm import Mapped, Session, mapped_column

from admin import officers, stock
from admin.officers import Visitor
from admin.scope import BELOW
from admin.spans import Span, joined, total
from app.db import Base, Id, Moment, Words, Write, together
from app.entrance import Where
from app.errors import BadInput, OutOfScope

State = Literal["sent", "differs", "arrived", "settled"]


class Transfer(Base):
    """One hand-over from an office to another."""

    __tablename__ = "transfers"
    __table_args__ = (
        ForeignKeyConstraint(
            ["lower_id", "upper_id"], ["offices.id", "offices.parent_id"], name="fk_transfers_lower_id_offices"
        ),
        CheckConstraint(
            "(giver_id = upper_id AND receiver_id = lower_id) OR (giver_id = lower_id AND receiver_id = upper_id)",
            name="neighbours",
        ),
    )

    id: Mapped[Id]
    upper_id: Mapped[int] = mapped_column(index=True)
    lower_id: Mapped[int] = mapped_column(index=True)
    giver_id: Mapped[int]
    receiver_id: Mapped[int]
    sent_by: Mapped[int] = mapped_column(ForeignKey("officers.id"))
    sent_at: Mapped[Moment]
    note: Mapped[Words]


class Box(Base):
    """One span of a transfer, counted as a whole."""

    __tablename__ = "boxes"
    __table_args__ = (
        UniqueConstraint("transfer_id", "number", name="uq_boxes_transfer_id_number"),
        CheckConstraint("state IN ('sent', 'differs', 'arrived', 'settled')", name="state"),
        CheckConstraint("NOT isempty(span) AND cards > 0", name="span"),
        CheckConstraint("(state = 'sent') = (checked_by IS NULL)", name="checked"),
        CheckConstraint("(state IN ('differs', 'settled')) = (missing IS NOT NULL)", name="differs"),
        CheckConstraint("(missing IS NULL) = (extra IS NULL)", name="both"),
        CheckConstraint("(state IN ('arrived', 'settled')) = (arrived IS NOT NULL)", name="arrived"),
        CheckConstraint("(state = 'settled') = (proposal_id IS NOT NULL)", name="settled"),
    )

    id: Mapped[Id]
    transfer_id: Mapped[int] = mapped_column(ForeignKey("transfers.id"))
    number: Mapped[int] = mapped_column(SmallInteger)
    span: Mapped[Range[int]] = mapped_column(INT8RANGE)
    #: how many could be given away when it was sent
    cards: Mapped[int]
    state: Mapped[Words] = mapped_column(server_default="sent")
    #: what the receiver did not find in it, and found in it besides
    missing: Mapped[Any | None] = mapped_column(INT8MULTIRANGE)
    extra: Mapped[Any | None] = mapped_column(INT8MULTIRANGE)
    #: the numbers that lie at the receiver's since
    arrived: Mapped[Any | None] = mapped_column(INT8MULTIRANGE)
    checked_by: Mapped[int | None] = mapped_column(ForeignKey("officers.id"))
    checked_at: Mapped[Moment | None]
    #: the two-person act that settled the difference
    proposal_id: Mapped[int | None] = mapped_column(ForeignKey("proposals.id"))


@dataclass(frozen=True, slots=True)
class Boxed:
    """A box as it stands."""

    id: int
    number: int
    span: Span
    #: how many cards that can be given away the giver sent
    cards: int
    state: State
    missing: tuple[Span, ...]
    extra: tuple[Span, ...]
    checker: str | None
    checked_at: datetime | None
    proposal_id: int | None


@dataclass(frozen=True, slots=True)
class Sent:
    """A transfer with its boxes."""

    id: int
    giver_id: int
    giver: str
    receiver_id: int
    receiver: str
    upper_id: int
    #: officers at or above this path settle differences
    upper_path: str
    sender: str
    sent_at: datetime
    note: str
    boxes: tuple[Boxed, ...]

    @property
    def cards(self) -> int:
        """How many cards were sent."""
        return sum(box.cards for box in self.boxes)

    @property
    def state(self) -> State:
        """The box that needs most attention speaks for all."""
        found = {box.state for box in self.boxes}
        order: tuple[State, ...] = ("differs", "sent", "settled", "arrived")
        return next(state for state in order if state in found)


_SENT: Final = f"""
    SELECT t.id, t.giver_id, g.name AS giver, t.receiver_id, r.name AS receiver, t.upper_id,
           u.path AS upper_path, f.name AS sender,
           t.sent_at, t.note,
           (SELECT json_agg(json_build_array(
                b.id, b.number, lower(b.span), upper(b.span) - 1, b.cards, b.state,
                (SELECT json_agg(json_build_array(lower(m), upper(m) - 1)) FROM unnest(b.missing) m),
                (SELECT json_agg(json_build_array(lower(m), upper(m) - 1)) FROM unnest(b.extra) m),
                c.name, b.checked_at, b.proposal_id) ORDER BY b.number)
            FROM boxes b LEFT JOIN officers c ON c.id = b.checked_by WHERE b.transfer_id = t.id) AS boxes
    FROM transfers t JOIN offices g ON g.id = t.giver_id JOIN offices r ON r.id = t.receiver_id
    JOIN officers f ON f.id = t.sent_by JOIN offices p ON p.id = t.lower_id JOIN offices u ON u.id = t.upper_id
    WHERE {BELOW}
"""  # noqa: S608 -- constants
_ONE = text(f"{_SENT} AND t.id = :id")
_OF = text(f"""
    {_SENT} AND (t.giver_id = :office OR t.receiver_id = :office)
    ORDER BY EXISTS (SELECT FROM boxes b WHERE b.transfer_id = t.id AND b.state IN ('sent', 'differs')) DESC,
             t.id DESC LIMIT 50
""")


def of(connection: Connection | Session, visitor: Visitor, transfer_id: int) -> Sent:
    """The transfer, if one of its two offices is within the officer's scope; raises `NotFound` for any other."""
    row = connection.execute(_ONE, {"id": transfer_id, "within": visitor.path}).mappings().first()
    if row is None:
        raise OutOfScope(f"transfer {transfer_id} is not within {visitor.path}")
    return _sent(dict(row))


def of_office(connection: Connection | Session, visitor: Visitor, office_id: int) -> list[Sent]:
    """The transfers from and to an office, those that are not finished first."""
    found = connection.execute(_OF, {"office": office_id, "within": visitor.path}).mappings()
    return [_sent(dict(row)) for row in found]


def _sent(row: dict[str, Any]) -> Sent:
    return Sent(**(row | {"boxes": tuple(_boxed(*each) for each in row["boxes"])}))


def _boxed(  # noqa: PLR0913, PLR0917 -- as it comes from the row
    box_id: int,
    number: int,
    first: int,
    last: int,
    cards: int,
    state: State,
    missing: list[list[int]] | None,
    extra: list[list[int]] | None,
    checker: str | None,
    checked_at: str | None,
    proposal_id: int | None,
) -> Boxed:
    gone, more = (tuple(Span(*each) for each in spans or ()) for spans in (missing, extra))
    at = datetime.fromisoformat(checked_at) if checked_at else None
    return Boxed(box_id, number, Span(first, last), cards, state, gone, more, checker, at, proposal_id)


# --- sending -------------------------------------------------------------------------------------------

_NEIGHBOURS = text("""
    SELECT o.id, o.name, o.parent_id IS NOT DISTINCT FROM :office AS below FROM offices o
    WHERE o.parent_id = :office OR o.id = (SELECT parent_id FROM offices WHERE id = :office)
    ORDER BY below DESC, o.code
""")


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An office that cards can be sent to."""

    id: int
    name: str
    #: directly below; otherwise the one above
    below: bool


def neighbours(connection: Connection | Session, office_id: int) -> list[Neighbour]:
    """The offices directly below, and the one above."""
    return [Neighbour(*row) for row in connection.execute(_NEIGHBOURS, {"office": office_id})]


_SEND = text("""
    INSERT INTO transfers (upper_id, lower_id, giver_id, receiver_id, sent_by, sent_at, note)
    VALUES (:upper, :lower, :giver, :receiver, :officer, clock_timestamp(), :note) RETURNING id
""")
_PACK = text("""
    INSERT INTO boxes (transfer_id, number, span, cards)
    VALUES (:transfer, :number, int8range(:first, :last, '[]'), :cards) RETURNING id
""")


def send(  # noqa: PLR0913, PLR0917 -- a session, who, to whom, what, why and whence
    session: Session, visitor: Visitor, receiver_id: int, spans: Sequence[Span], note: str, where: Where
) -> int:
    """Send spans of the officer's own office to a neighbour, each span a box; returns the transfer's id.

    Raises `NotFound` unless the receiver is directly below or above, and `BadInput`, its `place` the span, when
    cards are not in the office's stock, were given to somebody, or none can be given away.
    """
    visitor.require("move_cards")
    to = next((one for one in neighbours(session, visitor.office_id) if one.id == receiver_id), None)
    if to is None:
        raise OutOfScope(f"office {receiver_id} is no neighbour of {visitor.office_id}")
    if not spans or total(spans) != total(joined(spans)):
        raise BadInput("no serials, or one twice", place="twice")
    stock.take_out(session, visitor.office_id, spans)
    upper, lower = (visitor.office_id, to.id) if to.below else (to.id, visitor.office_id)
    asked = {"upper": upper, "lower": lower, "giver": visitor.office_id, "receiver": to.id}
    transfer: int = session.execute(_SEND, {**asked, "officer": visitor.officer_id, "note": note}).scalar_one()
    for number, span in enumerate(spans, start=1):
        cards, given = stock.counted(session, [span])
        if given is not None:
            raise BadInput(f"{given} was given to a candidate", place=span.words)
        if cards == 0:
            raise BadInput("all cards are void", place=span.words)
        one = {"transfer": transfer, "number": number, "first": span.first, "last": span.last, "cards": cards}
        box: int = session.execute(_PACK, one).scalar_one()
        stock.put(session, visitor.office_id, [span], box)
    sent = [span.words for span in spans]
    together(session, entry("sent", visitor, transfer, where, to=to.id, spans=sent))
    return transfer


def entry(act: str, visitor: Visitor, transfer_id: int, where: Where, **detail: Any) -> Write:
    """The write that records what was done about a transfer."""
    return officers.entry(f"transfer.{act}", visitor, where, transfer=transfer_id, **detail)
