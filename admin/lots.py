"""Lots of cards: brought in as they were made offline, or made here for development; and handed out for rehearsal.

A lot comes in whole or not at all: one COPY in one transaction, undone when the root over its cards, known after the
last one, is not the one that was signed.
"""

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any, Final

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from app import audit, bindings
from app.bindings import Lot
from app.db import Database, together
from app.errors import BadInput, NotFound
from cards import codes, manifests, serials
from cards import lots as making
from cards.codes import SealedCard
from cards.keys import key_check
from cards.lots import LotRequest, Made
from cards.manifests import Opened
from cards.merkle import Frontier

#: cards of a lot that nobody ever gets (C-17); a lot for trying things out may do with fewer
FEWEST_HONEY: Final = 20
SMALL_LOT: Final = 1_000

Progress = Callable[[int], object]


def bring_in_made(
    database: Database, opened: Opened, keys: Mapping[int, bytes], progress: Progress, honey: int = FEWEST_HONEY
) -> int:
    """Bring in a lot that was made offline; returns how many cards.

    Raises `BadInput` when the lot is here already, its key is not, or it has too few honey cards, and `NotGenuine`
    when a file is not the one that was signed. Nothing is kept then.
    """
    order = opened.manifest.order
    if key_check(keys.get(order.key_version, b"")) != opened.manifest.key_check:
        raise BadInput(
            f"the lot needs card_key.{order.key_version}, and this service has none or another one of that number;"
            " bring the file from the offline machine"
        )
    if honey < FEWEST_HONEY and order.count >= SMALL_LOT:
        raise BadInput(f"a lot of {order.count} cards needs {FEWEST_HONEY} honey cards or more", place="honey")
    opened.require_verifier_file()
    lot = Lot(
        code=order.lot,
        codes_per_card=order.codes_per_card,
        cards=order.count,
        algorithm=str(order.algorithm),
        made_at=datetime.fromisoformat(opened.manifest.made_at),
        key_version=order.key_version,
        layout=order.layout,
        root=bytes.fromhex(opened.manifest.root),
        manifest=opened.digest,
    )
    with database.transaction() as session:
        return _store(session, lot, _counted(manifests.cards_of(opened), progress), draw_honey(order.request, honey))


def bring_in(
    database: Database,
    request: LotRequest,
    made: Iterable[Made],
    keep: Callable[[Made], object] = lambda _: None,
    honey: int = 0,
) -> int:
    """Bring in the verifiers of a lot being made, giving each card with its codes to `keep`; returns how many.

    For development. One transaction: when it fails, none of the codes given to `keep` opens anything. Raises
    `BadInput` when there is such a lot.
    """
    root = Frontier()

    def sealed() -> Iterator[SealedCard]:
        for card in made:
            keep(card)
            root.append(making.leaf(card.sealed))
            yield card.sealed

    lot = Lot(
        code=request.lot,
        codes_per_card=request.codes_per_card,
        cards=request.count,
        algorithm=str(request.algorithm),
        made_at=datetime.now(UTC),
        key_version=request.key_version,
    )
    with database.transaction() as session:
        count = _store(session, lot, sealed(), draw_honey(request, honey))
        lot.root = root.root
    return count


def _store(session: Session, lot: Lot, cards: Iterable[SealedCard], honey: Collection[str]) -> int:
    session.execute(text("SET LOCAL statement_timeout = 0"))
    if session.get(Lot, lot.code) is not None:
        raise BadInput(f"there is a lot {lot.code} already; choose another number", place="lot")
    count = bindings.bring_in(session, lot, cards, honey)
    manifest = lot.manifest.hex() if lot.manifest else None
    entry = audit.entry(
        "lot.brought_in", actor="command", lot=lot.code, cards=count, honey=len(honey), manifest=manifest
    )
    together(session, entry)
    return count


def _counted(cards: Iterable[SealedCard], progress: Progress) -> Iterator[SealedCard]:
    for card in cards:
        progress(1)
        yield card


def draw_honey(request: LotRequest, count: int) -> frozenset[str]:
    """Draw the serials that nobody gets; raises `BadInput` for more than there are."""
    if count > request.count:
        raise BadInput(f"of {request.count} cards no {count} can be set aside", place="honey")
    numbers = secrets.SystemRandom().sample(range(1, request.count + 1), count)
    return frozenset(serials.make(request.lot, number) for number in numbers)


def honey_of(connection: Connection, lot: str) -> list[str]:
    """The honey cards of a lot, in the order of the boxes; raises `NotFound` without such a lot."""
    found = connection.execute(text("SELECT FROM lots WHERE code = :lot"), {"lot": lot})
    if found.first() is None:
        raise NotFound(f"there is no lot {lot}")
    return list(
        connection.execute(
            text("SELECT serial FROM cards WHERE lot = :lot AND state = 'honey' ORDER BY serial"), {"lot": lot}
        ).scalars()
    )


_ROWS = text("""
    SELECT serial, lot, key_chain, algorithm, salt, verifiers FROM cards WHERE lot = :lot ORDER BY serial
""")


def differing(session: Session, opened: Opened, keys: Mapping[int, bytes], progress: Progress) -> Iterator[str]:
    """The serials of a lot whose rows are not what was made, however often they were wrapped since (C-19).

    `session` must be fresh: the rows are read in one snapshot. Raises `NotGenuine` for a file that was altered, and
    `KeyUnusable` when a key of the chain is missing.
    """
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    session.execute(text("SET LOCAL statement_timeout = 0"))
    session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    lot = opened.manifest.order.lot
    with session.execute(_ROWS, {"lot": lot}, execution_options={"yield_per": 500}) as found:
        for card, row in zip_longest(manifests.cards_of(opened), found.mappings()):
            progress(1)
            if card is None or row is None or not _same(card, dict(row), keys):
                yield card.serial if card is not None else row["serial"]


def _same(card: SealedCard, row: dict[str, Any], keys: Mapping[int, bytes]) -> bool:
    try:
        stored = bindings.sealed(row)
    except ValueError:
        return False
    for version in stored.wraps:
        card = codes.wrap(card, key=codes.usable_key(keys, version), key_version=version)
    return stored == card


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
