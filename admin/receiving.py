"""Receiving: the receiver counts a box, and confirms it or reports what differs (D-09).

Who has the box counts, not who sent it: nothing is the receiver's stock before their own count says so, and a
count that differs is either made again or reported, never put right by one person.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from admin import stock
from admin.officers import Visitor
from admin.spans import Span, ends, joined, of_numbers, shown, total, without
from admin.transfers import Boxed, Sent, State, entry
from app.db import Write, together
from app.entrance import Where
from app.errors import BadInput, NotAllowed, OutOfDate


@dataclass(frozen=True, slots=True)
class Miscounted:
    """The receiver counted another number than was sent. Remembered; the box stays on the way."""

    expected: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What is missing of a box and what is in it besides."""

    missing: tuple[Span, ...]
    extra: tuple[Span, ...]

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.missing or self.extra)


_LIVE = text(f"""
    SELECT CAST(left(k.serial, 11) AS bigint) FROM boxes s JOIN cards k ON {stock.IN_SPAN}
    WHERE s.id = :box AND k.state = 'stock'
""")  # noqa: S608 -- constants


def compare(connection: Connection | Session, box_id: int, scanned: Iterable[Span]) -> Difference:
    """Compare what was scanned out of a box with the cards that should be in it."""
    there = joined(scanned)
    due = of_numbers(connection.execute(_LIVE, {"box": box_id}).scalars())
    return Difference(tuple(without(due, there)), tuple(without(there, due)))


def expected(connection: Connection | Session, box: Boxed) -> int:
    """How many cards that can be given away should be in a box."""
    return stock.counted(connection, [box.span])[0]


def confirm(  # noqa: PLR0913, PLR0917 -- a session, who, which box, how many and whence
    session: Session, visitor: Visitor, sent: Sent, box: Boxed, counted: int, where: Where
) -> Miscounted | None:
    """Confirm that a box arrived with all its cards: from now on they are the receiver's stock.

    Returns `Miscounted`, which is remembered, for another number than there should be. Raises `NotAllowed` unless
    the officer is the receiver's, and `OutOfDate` when the box was confirmed or reported before.
    """
    _hold_as_receiver(session, visitor, box)
    due = expected(session, box)
    if counted != due:
        together(session, entry("miscounted", visitor, sent.id, where, box=box.number, counted=counted))
        return Miscounted(due)
    together(
        session,
        Write(
            """
            UPDATE boxes SET state = 'arrived', arrived = int8multirange(span), checked_by = :officer,
                checked_at = clock_timestamp()
            WHERE id = :box
            """,
            {"officer": visitor.officer_id, "box": box.id},
        ),
        Write(
            "UPDATE places SET office_id = :office, box_id = NULL WHERE box_id = :box",
            {"office": sent.receiver_id, "box": box.id},
        ),
        entry("confirmed", visitor, sent.id, where, box=box.number, cards=counted),
    )
    return None


_DIFFERS = text("""
    UPDATE boxes SET state = 'differs', checked_by = :officer, checked_at = clock_timestamp(),
        missing = (SELECT coalesce(range_agg(int8range(w.first, w.last, '[]')), '{}')
                   FROM unnest(CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[])) w(first, last)),
        extra = (SELECT coalesce(range_agg(int8range(w.first, w.last, '[]')), '{}')
                 FROM unnest(CAST(:extra_firsts AS bigint[]), CAST(:extra_lasts AS bigint[])) w(first, last))
    WHERE id = :box
""")


def report(  # noqa: PLR0913, PLR0917 -- a session, who, which box, what and whence
    session: Session, visitor: Visitor, sent: Sent, box: Boxed, found: Difference, where: Where
) -> None:
    """Report that a box differs: nothing of it goes on until that is settled.

    Raises `NotAllowed` unless the officer is the receiver's, `OutOfDate` when the box was confirmed or reported
    before, and `BadInput` for a difference that cannot be: missing cards of another box, cards that do not exist.
    """
    _hold_as_receiver(session, visitor, box)
    due = of_numbers(session.execute(_LIVE, {"box": box.id}).scalars())
    if not found:
        raise BadInput("nothing differs", place="missing")
    if without(found.missing, due):
        raise BadInput(f"{shown(without(found.missing, due)[0].first)} was not sent in this box", place="missing")
    if without(found.extra, due) != joined(found.extra):
        raise BadInput("a card of this box is none too many", place="extra")
    if not _exist(session, found.extra):
        raise BadInput("there is no such card", place="extra")
    missing, extra = ends(found.missing), ends(found.extra)
    session.execute(
        _DIFFERS,
        {
            "officer": visitor.officer_id,
            "box": box.id,
            **missing,
            "extra_firsts": extra["firsts"],
            "extra_lasts": extra["lasts"],
        },
    )
    gone, more = ([span.words for span in spans] for spans in (found.missing, found.extra))
    together(session, entry("differs", visitor, sent.id, where, box=box.number, missing=gone, extra=more))


_EXIST = text(f"""
    SELECT count(*) FROM (SELECT int8range(w.first, w.last, '[]') AS span
        FROM unnest(CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[])) w(first, last)) s
    JOIN cards k ON {stock.IN_SPAN}
""")  # noqa: S608 -- constants


def _exist(session: Session, spans: Sequence[Span]) -> bool:
    return int(session.execute(_EXIST, ends(spans)).scalar_one()) == total(joined(spans))


def _hold_as_receiver(session: Session, visitor: Visitor, box: Boxed) -> None:
    visitor.require("move_cards")
    if hold(session, box, "sent") != visitor.office_id:
        raise NotAllowed(f"box {box.id} goes to another office")


_HOLD = text("""
    SELECT b.state, t.receiver_id FROM boxes b JOIN transfers t ON t.id = b.transfer_id WHERE b.id = :box
    FOR UPDATE OF b
""")


def hold(session: Session, box: Boxed, state: State) -> int:
    """Hold a box until the transaction ends; returns its receiver. Raises `OutOfDate` in any other state."""
    held = session.execute(_HOLD, {"box": box.id}).one()
    if held.state != state:
        raise OutOfDate(f"box {box.id} is {held.state}")
    return int(held.receiver_id)
