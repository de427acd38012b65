"""From the point's stock into the candidate's hand, and another card: pace, limits, lots under quarantine."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import IntegrityError

from admin import handing, withdrawals
from admin.handing import Handed, NotHanded, Presented
from admin.officers import Visitor
from admin.replacements import NotReplaced
from admin.spans import Span, serial_of
from app import accounts, bindings, standing
from app.db import Database
from app.errors import NotAllowed, NotFound, OutOfDate, TooSoon
from tests.admin.keepers import Keepers
from tests.makers import Person, World


@pytest.fixture
def span(world: World, keepers: Keepers) -> Span:
    found = keepers.take_in("1701", 12)
    keepers.bring(world.point, Span(found.first, found.first + 9))
    return found


def test_a_card_is_handed_to_the_person_and_registered(world: World, keepers: Keepers, span: Span) -> None:
    person = world.candidate(card=False)
    answer = keepers.hand_over(world.point, person, serial_of(span.first))
    assert answer == Handed(person.id, person.name, "301", serial_of(span.first))
    row = world.rows("SELECT * FROM handovers")[0]
    assert (row["candidate_id"], row["office_id"], row["second_id"]) == (person.id, world.point, None)
    entry = world.rows("SELECT * FROM audit WHERE act = 'card.handed'")[0]
    assert (entry["actor"], entry["candidate_id"]) == ("officer", person.id)
    assert world.value("SELECT kind FROM notices ORDER BY id DESC LIMIT 1") == "card_handed"
    keepers.require_balance()


@pytest.mark.parametrize("state", ["void", "handed", "replaced"])
def test_only_cards_in_stock_are_given(world: World, keepers: Keepers, span: Span, state: str) -> None:
    someone = world.candidate(card=False)
    holder = someone.id if state == "handed" else None
    serial = serial_of(span.first)
    sql = "UPDATE cards SET state = :state, holder_id = :holder WHERE serial = :serial"
    world.do(sql, state=state, holder=holder, serial=serial)
    person = world.candidate(card=False)
    assert keepers.hand_over(world.point, person, serial) == NotHanded("card")


def test_what_is_elsewhere_is_not_given(world: World, keepers: Keepers, span: Span) -> None:
    sibling = world.new_point("长沙市第二中学")
    person = world.candidate(card=False)
    keepers.bring(sibling, Span(span.first + 10, span.first + 10))
    keepers.send(world.point, world.county, Span(span.first + 9, span.first + 9))
    for number in (span.first + 10, span.first + 11, span.first + 9):  # the sibling's, the province's, on the way
        assert keepers.hand_over(world.point, person, serial_of(number)) == NotHanded("card")
    stranger = world.candidate(card=False, point=sibling)
    assert keepers.hand_over(world.point, stranger, serial_of(span.first)) == NotHanded("nobody")
    with pytest.raises(NotAllowed):
        keepers.hand_over(world.county, person, serial_of(span.first))
    assert keepers.hand_over(world.point, person, serial_of(span.first), "000000") == NotHanded("tail")
    assert world.value("SELECT count(*) FROM handovers") == 0


def test_nobody_is_given_two_cards(world: World, keepers: Keepers, span: Span) -> None:
    person = world.candidate(card=False)
    keepers.hand_over(world.point, person, serial_of(span.first))
    assert keepers.hand_over(world.point, person, serial_of(span.first + 1)) == NotHanded("holds")


def test_one_card_in_five_seconds_for_each_officer(world: World, keepers: Keepers, span: Span) -> None:
    first, second = (world.candidate(card=False) for _ in range(2))
    keepers.hand_over(world.point, first, serial_of(span.first))
    with pytest.raises(TooSoon) as refusal:
        keepers.hand_over(world.point, second, serial_of(span.first + 1), rested=False)
    assert 1 <= refusal.value.seconds <= 5
    assert world.value("SELECT state FROM cards WHERE serial = :s", s=serial_of(span.first + 1)) == "stock"
    # the table itself refuses, whatever a page may do
    with pytest.raises(IntegrityError, match="ex_handovers_pace"):
        world.do(
            "INSERT INTO handovers (serial, candidate_id, office_id, officer_id, handed_at, pace)"
            " SELECT :serial, candidate_id, office_id, officer_id, handed_at + interval '1 second',"
            "        tstzrange(lower(pace) + interval '1 second', upper(pace) + interval '1 second') FROM handovers",
            serial=serial_of(span.first + 1),
        )
    with pytest.raises(IntegrityError, match="ck_handovers_pace"):
        world.do(
            "INSERT INTO handovers (serial, candidate_id, office_id, officer_id, handed_at, pace)"
            " SELECT :serial, candidate_id, office_id, officer_id, handed_at + interval '1 minute',"
            "        tstzrange(handed_at + interval '1 minute', handed_at + interval '61 seconds') FROM handovers",
            serial=serial_of(span.first + 1),
        )


def test_two_officers_at_once_give_one_card(world: World, keepers: Keepers, span: Span) -> None:
    people = [world.candidate(card=False) for _ in range(2)]
    point, at = world.point, serial_of(span.first)
    keepers.at(point)
    second = keepers.at(point, "approver")
    crowded = Keepers(world, keepers.offices, Database(world.url, role="zhiyuan_offices", pool_size=4), keepers._known)

    def both(one: Callable[[], object], other: Callable[[], object]) -> list[object]:
        with ThreadPoolExecutor(2) as pool:
            return [future.result() for future in (pool.submit(one), pool.submit(other))]

    def give(who: Visitor, person: Person, serial: str) -> object:
        given = Presented(person.candidate_no, person.id_no[-6:], serial)
        return crowded.act(who, handing.hand_over, world.sealer, who, given, world.where())

    one_card = both(lambda: give(crowded.at(point), people[0], at), lambda: give(second, people[1], at))
    assert sorted(type(answer).__name__ for answer in one_card) == ["Handed", "NotHanded"]
    keepers.rest(keepers.at(point))
    keepers.rest(second)
    person = world.candidate(card=False)
    one_person = both(
        lambda: give(crowded.at(point), person, serial_of(span.first + 1)),
        lambda: give(second, person, serial_of(span.first + 2)),
    )
    assert NotHanded("holds") in one_person
    assert world.value("SELECT count(*) FROM cards WHERE holder_id = :id", id=person.id) == 1
    crowded.role.dispose()
    keepers.require_balance()


def test_a_replacement_has_a_limit_and_is_of_the_card_shown(world: World, keepers: Keepers, span: Span) -> None:
    people = [world.candidate() for _ in range(3)]
    one, second = keepers.at(world.point), keepers.at(world.county)
    assert keepers.ask_replacement(one, world.candidate(card=False), serial_of(span.first)) == NotReplaced("none")
    assert keepers.ask_replacement(one, people[0], serial_of(span.first + 11)) == NotReplaced("card")
    act = keepers.ask_replacement(one, people[0], serial_of(span.first), limit=1)
    late = keepers.ask_replacement(one, people[1], serial_of(span.first + 1), limit=1)
    keepers.approve(second, act)
    assert keepers.ask_replacement(one, people[2], serial_of(span.first + 2), limit=1) == NotReplaced("limit")
    with pytest.raises(NotAllowed):  # both have had their one
        keepers.approve(second, late)
    stale = keepers.ask_replacement(keepers.at(world.point, "approver"), people[2], serial_of(span.first + 3))
    world.hand_out(people[2])  # another card, meanwhile
    with pytest.raises(OutOfDate):
        keepers.approve(keepers.at(world.prefecture), stale)
    with pytest.raises(NotFound):
        keepers.ask_replacement(keepers.at(world.new_point("长沙市第二中学")), people[1], serial_of(span.first))
    keepers.require_balance()


def test_ten_thousand_cards_are_void_by_one_statement(world: World, keepers: Keepers) -> None:
    keepers.lot("1704", 10_000)  # also one that nobody has taken in yet
    keepers.quarantine("1704", "void")
    assert world.value("SELECT count(*) FROM cards WHERE lot = '1704' AND state = 'void'") == 10_000


def test_two_codes_for_a_lot_are_asked_and_explained_until_they_end(world: World, keepers: Keepers) -> None:
    world.batch("1")
    person, other = world.candidate(), world.candidate()
    visitor = world.visitor(world.activate(person, b"d" * 32))

    def why() -> tuple[str, bool]:
        with world.database.reading() as connection:
            found = standing.sheet(connection, visitor, "1")
            return found.two_codes_reason, bindings.of(connection, person.id).lot_quarantined

    assert why() == ("", False)
    keepers.quarantine(person.serial[:4], "two_codes")
    assert why() == ("lot", True)
    with world.database.reading() as connection:
        assert accounts.why_two_codes(connection, person.id) == ""  # nothing of the account's own
        listed = [one.candidate_no for one in withdrawals.holders(connection, person.serial[:4])]
    assert listed == [person.candidate_no, other.candidate_no]
    keepers.quarantine(person.serial[:4], "end")
    assert why() == ("", False)


def test_a_void_lot_leaves_the_bound_and_lists_all_who_need_another(world: World, keepers: Keepers) -> None:
    bound, handed = world.candidate(), world.candidate()
    world.activate(bound)
    keepers.quarantine(bound.serial[:4], "void")
    states = {row["serial"]: row["state"] for row in world.rows("SELECT serial, state FROM cards")}
    assert (states[bound.serial], states[handed.serial]) == ("bound", "void")
    with world.database.reading() as connection:
        listed = [(one.candidate_no, one.state) for one in withdrawals.holders(connection, bound.serial[:4])]
    assert listed == [(bound.candidate_no, "bound"), (handed.candidate_no, "void")]
    keepers.take_in("1701", 2)
    keepers.bring(world.point, Span(17010000001, 17010000002))
    assert isinstance(keepers.hand_over(world.point, handed, serial_of(17010000001)), Handed)
