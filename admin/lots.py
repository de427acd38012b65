"""Lots of cards on a machine for development: made, brought in, handed out. Production makes lots offline."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from app import bindings
from app.bindings import Lot
from app.db import Database
from app.errors import BadInput, NotFound
from cards.codes import SealedCard
from cards.lots import LotRequest, Made


def bring_in(
    database: Database, request: LotRequest, made: Iterable[Made], keep: Callable[[Made], object] = lambda _: None
) -> int:
    """Bring in the verifiers of a lot being made, giving each card with its codes to `keep`; returns how many.

    One transaction: when it fails, none of the codes given to `keep` opens anything. Raises `BadInput` when
    there is such a lot.
    """

    def sealed() -> Iterator[SealedCard]:
        for card in made:
            keep(card)
            yield card.sealed

    with database.transaction() as session:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        if session.get(Lot, request.lot) is not None:
            raise BadInput(f"there is a lot {request.lot} already; choose another number", place="lot")
        lot = Lot(
            code=request.lot,
            codes_per_card=request.codes_per_card,
            cards=request.count,
            algorithm=str(request.algorithm),
            made_at=datetime.now(UTC),
        )
        return bindings.bring_in(session, lot, sealed())


@dataclass(frozen=True, slots=True)
class Handed:
    """A card that was handed to a candidate."""

    candidate_no: str
    name: str
    serial: str


_WITHOUT = text("""
    SELECT c.id, c.candidate_no, c.name FROM candidates c
    WHERE c.point_id = :point
      AND NOT EXISTS (SELECT FROM cards k WHERE k.holder_id = c.id AND k.state IN ('handed', 'bound'))
    ORDER BY c.class_no, c.candidate_no
""")
_STOCK = text("SELECT serial FROM cards WHERE lot = :lot AND state = 'stock' ORDER BY serial LIMIT :most FOR UPDATE")


def hand_out_at(session: Session, point_code: str, lot: str) -> list[Handed]:
    """Hand the next cards of a lot to everybody of a registration point who has none, class by class.

    All of them or nobody: raises `NotFound` without such a point, `BadInput` when the lot has too few left.
    """
    point = session.execute(
        text("SELECT id FROM offices WHERE code = :code AND level = 'point'"), {"code": point_code}
    ).scalar()
    if point is None:
        raise NotFound(f"there is no registration point {point_code}")
    people = session.execute(_WITHOUT, {"point": point}).all()
    stock = session.execute(_STOCK, {"lot": lot, "most": len(people)}).scalars().all()
    if len(stock) < len(people):
        raise BadInput(f"lot {lot} has {len(stock)} cards in stock, {len(people)} are needed; make another lot")
    for person, serial in zip(people, stock, strict=True):
        bindings.hand_out(session, serial, person.id)
    return [Handed(person.candidate_no, person.name, serial) for person, serial in zip(people, stock, strict=True)]


def hand_out_to(session: Session, candidate_no: str, serial: str, *, replace: bool) -> Handed:
    """Hand one card to one candidate. Raises `NotFound`, and `BadInput` when a live card would die unasked."""
    person = session.execute(
        text("""
            SELECT c.id, c.candidate_no, c.name, k.serial AS held FROM candidates c
            LEFT JOIN cards k ON k.holder_id = c.id AND k.state IN ('handed', 'bound')
            WHERE c.candidate_no = :no
        """),
        {"no": candidate_no},
    ).first()
    if person is None:
        raise NotFound(f"there is no candidate {candidate_no}")
    if person.held is not None and not replace:
        raise BadInput(
            f"the candidate holds card {person.held}, which would stop working; say --replace if that is meant"
        )
    bindings.hand_out(session, serial, person.id)
    return Handed(person.candidate_no, person.name, serial)
