"""A rehearsal: the sample province loaded by the offices' own loaders, and candidates who act through real deeds."""

import secrets
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import text

from admin import lots
from admin.commands.loading import calendar_of, year_of
from admin.intake import loading, sample
from admin.stage import Stage
from app import batches, bindings, catalogue, drafts, preferences, sessions
from app.batches import Opened
from app.catalogue import Slice
from app.entrance import Activation, SignedIn, Where
from app.preferences import Answer, Filed, Origin
from app.sessions import Visitor
from cards.codes import Algorithm
from cards.lots import LotRequest, Made, make_lot
from config.keys import KeyRing

YEAR: Final = 2017
#: the window of the ordinary batches
WINDOW: Final = "W2"
CODES: Final = 40
#: begins a statement of the owner's that moves windows past the rules of `app.batches`, as `FROM free`
FREE: Final = "WITH free AS MATERIALIZED (SELECT set_config('zhiyuan.windows', 'free', true))"

Tell = Callable[[str], object]


class RehearsalError(Exception):
    """The sample does not allow what a rehearsal does; a fault of ours."""


@dataclass
class Player:
    """A candidate of the sample with everything it takes to act in their place."""

    id: int
    candidate_no: str
    name: str
    id_tail: str
    point: str
    serial: str
    codes: tuple[str, ...]
    password: str = ""

    def code(self, index: int) -> str:
        """The code under film `index`, counted from 1 as printed."""
        return self.codes[index - 1]


@dataclass(frozen=True)
class Lot:
    """Cards with their codes, made and not yet brought in."""

    request: LotRequest
    cards: list[Made]


def load(where: Stage, candidates: int, tell: Tell) -> None:
    """Make the sample province and load it as an office would, moved so that the ordinary batches are open now."""
    directory = where.directory / "sample"
    files = sample.generate(directory, candidates, YEAR)
    tell(f"the sample province is written to {directory}")
    calendar = calendar_of(YEAR).opened(WINDOW, datetime.now(UTC))
    steps: Iterable[tuple[str, Callable[[], int]]] = (
        ("regions", lambda: loading.load_regions(where.database, files.regions).loaded),
        ("registration points", lambda: loading.load_schools(where.database, files.schools).loaded),
        ("batches", lambda: loading.load_calendar(where.database, calendar)),
        (
            "candidates",
            lambda: loading.load_candidates(where.database, where.sealer, year_of(YEAR), files.candidates).loaded,
        ),
        ("plans", lambda: loading.load_plans(where.database, files.plans).loaded),
    )
    for name, step in steps:
        tell(f"{step():>7} {name} loaded")


def open_again(where: Stage) -> bool:
    """Move all windows by whole days so that the ordinary batches are open, when they are not; whether it did.

    For a stage that is kept from one week to the next. No office can do this: once open, an end only moves later.
    """
    with where.database.transaction() as session:
        moved = session.execute(
            text(f"""
                {FREE}, ordinary AS (
                    SELECT max(opens_at) AS opens_at, max(closes_at) AS closes_at FROM batches
                    WHERE parent_id IS NULL AND spec ->> 'window' = :window
                ), shift AS (
                    SELECT interval '1 day' * floor(extract(epoch FROM clock_timestamp() - opens_at) / 86400) AS days
                    FROM ordinary WHERE clock_timestamp() >= closes_at - interval '1 hour'
                )
                UPDATE batches SET opens_at = opens_at + days, closes_at = closes_at + days,
                    suspended_at = suspended_at + days, moved_from = moved_from + days
                FROM shift, free
            """),  # noqa: S608 -- constants
            {"window": WINDOW},
        )
        return bool(getattr(moved, "rowcount", 0))


_CANDIDATES_OF: Final = text("""
    SELECT c.id, c.candidate_no, c.name, c.id_no_sealed, c.subject_class, c.score, p.name AS point
    FROM candidates c JOIN offices p ON p.id = c.point_id
    WHERE p.path LIKE (SELECT path FROM offices WHERE code = :office) || '%'
    ORDER BY p.code, c.class_no, c.candidate_no LIMIT :most
""")


@contextmanager
def lot_in_the_making(keys: KeyRing, lot: str, count: int) -> Iterator[Callable[[], Lot]]:
    """Make cards while the block does something else; what it is given waits for them."""
    request = LotRequest(lot, count, CODES, Algorithm.SHA256, max(keys.card_key))
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(lambda: list(make_lot(request, keys.card_key)))
        yield lambda: Lot(request, made.result())


def hand_out(where: Stage, office: str, lot: Lot, spare: int = 0, absent: int = 0) -> list[Player]:
    """Bring in a lot and hand its cards to the candidates of an office, by point and class, until `spare` are left.

    With `absent`, every so many-th candidate was not there and has none.
    """
    lots.bring_in(where.database, lot.request, lot.cards)
    given = lot.cards[: len(lot.cards) - spare]
    with where.database.reading() as connection:
        asked = {"office": office, "most": 2 * len(given)}
        found = connection.execute(_CANDIDATES_OF, asked).mappings().all()
    people = [person for at, person in enumerate(found, start=1) if not absent or at % absent]
    with where.database.transaction() as session:
        for person, card in zip(people, given, strict=False):
            bindings.hand_out(session, card.serial, person["id"])
    return [
        Player(
            id=person["id"],
            candidate_no=person["candidate_no"],
            name=person["name"],
            id_tail=where.sealer.open(bytes(person["id_no_sealed"]), column="id_no", row=person["id"])[-6:],
            point=person["point"],
            serial=card.serial,
            codes=card.codes,
        )
        for person, card in zip(people, given, strict=False)
    ]


def activate(where: Stage, player: Player, password: str) -> str:
    """Activate as the candidate would, with the two codes asked; returns the session's id."""
    asked = Activation(
        candidate_no=player.candidate_no,
        serial=player.serial,
        id_tail=player.id_tail,
        codes=[player.code(index) for index in where.door.pair_asked(player.serial)],
        password=password,
    )
    answer = where.door.activate(asked, Where("127.0.0.1", "Rehearsal", secrets.token_hex(6), None))
    if not isinstance(answer, SignedIn):
        raise RehearsalError(f"{player.candidate_no} could not be activated")
    player.password = password
    return answer.session_id


def file(where: Stage, player: Player, session_id: str, batch_code: str, size: int = 3) -> Filed:
    """File a list of `size` institutions that breaks no rule, with the code asked."""
    device_hash = secrets.token_bytes(32)
    with where.database.reading() as connection:
        visitor = sessions.load(connection, sessions.hash_of(session_id), device_hash, 900)
        batch = batches.one(connection, batch_code)
        if visitor is None:
            raise RehearsalError(f"the session of {player.candidate_no} is gone")
        whole = catalogue.of(connection, batch, visitor.facts.subject_class)
        sheet = preferences.sheet(connection, visitor, batch_code)
    content = a_list(visitor, batch, whole, size)
    with where.database.transaction() as session:
        version = drafts.save(session, player.id, batch.id, content, sheet.draft_version)
    with where.database.transaction() as session:
        asked = preferences.ask(session, visitor, batch_code, "list", version)
    answer = Answer(asked.key, asked.digest, [player.code(index) for index in asked.asked])
    origin = Origin("127.0.0.1", "Rehearsal", secrets.token_hex(6), device_hash)
    with where.database.transaction() as session:
        filed = preferences.confirm(session, visitor, batch_code, answer, origin, where.keys)
    if not isinstance(filed, Filed):
        raise RehearsalError(f"{player.candidate_no} could not file in {batch_code}: {filed}")
    return filed


def a_list(visitor: Visitor, batch: Opened, whole: Slice, size: int) -> dict[str, Any]:
    """A list of `size` institutions of the batch's first parallel column that breaks no rule."""
    column = next(column.code for column in batch.spec.columns if column.mode == "PARALLEL")
    slots: list[dict[str, Any]] = []
    for entry in whole.entries:
        if entry.column != column:
            continue
        slot = {
            "institution": entry.offer.institution,
            "group": entry.offer.group,
            "majors": sorted(entry.offer.majors)[:2],
            "major_adjust": True,
        }
        wished = {"columns": {column: {"slots": [*slots, slot], "institution_adjust": False, "directed_adjust": False}}}
        if not preferences.verdict(visitor, batch, whole, wished).errors:
            slots.append(slot)
        if len(slots) == size:
            return wished
    raise RehearsalError(f"batch {batch.code} offers fewer than {size} institutions without conditions")
