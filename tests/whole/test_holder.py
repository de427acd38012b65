"""Somebody who knows number, password and identity number but holds no card never keeps the holder out (T3, T5).

Whatever they do at whatever moment, the holder's next step succeeds at once: from a computer nobody has seen,
with the card in hand.
"""

from collections.abc import Callable, Iterator

import pytest

from admin import proposals
from admin.spans import serial_of
from app import drafts, preferences
from app.db import Database
from app.entrance import Activation, Refused, SignedIn
from app.errors import TooSoon
from app.preferences import Answer, Filed, Origin, WrongCode
from tests.admin.colleagues import Offices
from tests.admin.keepers import Keepers
from tests.makers import Person, World, content

MINE, THEIRS, NEW = b"m" * 32, b"t" * 32, b"n" * 32
WRONG = "00000000"


@pytest.fixture
def keepers(world: World) -> Iterator[Keepers]:
    role = Database(world.url, role="zhiyuan_offices")
    yield Keepers(world, Offices(world), role)
    role.dispose()


@pytest.fixture
def person(world: World) -> Person:
    world.batch("1")
    return world.candidate()


def activate(world: World, person: Person, device: bytes, codes: list[str]) -> SignedIn | Refused:
    asked = Activation(person.candidate_no, person.serial, person.id_no[-6:], codes, person.password)
    answer = world.door.activate(asked, world.where(device))
    assert isinstance(answer, SignedIn | Refused)
    return answer


def sign_in_with_card(world: World, person: Person) -> str:
    """The holder's way in from a new computer, past every wait."""
    pair = world.door.pair_for_sign_in(person.candidate_no)
    codes = [person.code(index) for index in pair]
    answer = world.door.sign_in_with_card(person.candidate_no, person.password, codes, world.where(NEW), pair)
    assert isinstance(answer, SignedIn)
    return answer.session_id


def confirm(world: World, session_id: str, device: bytes, code: Callable[[int], str]) -> Filed | WrongCode:
    """Draft, check and confirm with whatever `code` gives for the numbers asked."""
    visitor = world.visitor(session_id, device)
    with world.database.transaction() as session:
        sheet = preferences.sheet(session, visitor, "1")
        version = drafts.save(session, visitor.candidate_id, sheet.batch.id, content("4301"), sheet.draft_version)
    with world.database.transaction() as session:
        asked = preferences.ask(session, visitor, "1", "list", version)
    answer = Answer(asked.key, asked.digest, [code(index) for index in asked.asked])
    origin = Origin(ip="127.0.0.1", device="Test", request_id="holder", device_hash=device)
    with world.database.transaction() as session:
        found = preferences.confirm(session, visitor, "1", answer, origin, world.keys)
    assert isinstance(found, Filed | WrongCode)
    return found


def test_before_and_while_the_account_is_activated(world: World, person: Person) -> None:
    for _ in range(30):
        assert activate(world, person, THEIRS, [WRONG, WRONG]) == Refused()
    codes = [person.code(index) for index in world.door.pair_asked(person.serial)]
    assert isinstance(activate(world, person, MINE, codes), SignedIn)


def test_while_signing_in(world: World, person: Person) -> None:
    world.activate(person, MINE)
    for _ in range(8):
        try:
            world.door.sign_in(person.candidate_no, "a guess", world.where(THEIRS))
        except TooSoon:
            break
    assert isinstance(world.door.sign_in(person.candidate_no, person.password, world.where(MINE)), SignedIn)
    sign_in_with_card(world, person)


def test_with_wrong_codes(world: World, person: Person) -> None:
    world.activate(person, MINE)
    stolen = world.door.sign_in(person.candidate_no, person.password, world.where(THEIRS))
    assert isinstance(stolen, SignedIn)
    for _ in range(7):
        try:
            assert isinstance(confirm(world, stolen.session_id, THEIRS, lambda _: WRONG), WrongCode)
        except TooSoon:
            break
    assert isinstance(confirm(world, sign_in_with_card(world, person), NEW, person.code), Filed)


def test_with_a_loss_that_is_none(world: World, person: Person) -> None:
    world.activate(person, MINE)
    for reason in ("lost", "not_me"):
        world.door.report(person.id, reason, world.where(THEIRS))
    assert isinstance(confirm(world, sign_in_with_card(world, person), NEW, person.code), Filed)


def test_with_a_replacement_at_the_counter(world: World, keepers: Keepers, person: Person) -> None:
    session_id = world.activate(person, MINE)
    span = keepers.take_in("1701", 3)
    keepers.bring(world.point, span)
    one = keepers.at(world.point)
    act = keepers.ask_replacement(one, person, serial_of(span.first))
    assert isinstance(confirm(world, session_id, MINE, person.code), Filed)  # the old card works meanwhile
    keepers.act(one, proposals.withdraw, one, act, world.where())
    assert isinstance(confirm(world, session_id, MINE, person.code), Filed)


def test_while_the_lot_is_under_quarantine(world: World, keepers: Keepers, person: Person) -> None:
    world.activate(person, MINE)
    keepers.quarantine(person.serial[:4], "two_codes")
    assert isinstance(confirm(world, sign_in_with_card(world, person), NEW, person.code), Filed)
    keepers.quarantine(person.serial[:4], "void")  # the bound ones go on
    assert isinstance(confirm(world, sign_in_with_card(world, person), NEW, person.code), Filed)
