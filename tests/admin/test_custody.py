"""Custody: a card is in one place, goes one step at a time, and the books come out after each."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from admin import scope, statements
from admin.receiving import Miscounted
from admin.spans import Span, of_lot, serial_of
from admin.statements import Stated
from app.db import Database
from app.errors import BadInput, NotAllowed, NotFound, OutOfDate
from tests.admin.keepers import LIFE, Keepers
from tests.makers import World


def part(span: Span, first: int, last: int) -> Span:
    """The cards no. `first` to `last` of a span, counted from 1."""
    return Span(span.first + first - 1, span.first + last - 1)


def test_a_lot_is_nowhere_before_its_statement_comes_out(world: World, keepers: Keepers) -> None:
    span = keepers.lot("1701", 20)
    spoiled = [part(span, 3, 4)]
    one = keepers.at(world.province)
    assert keepers.counts(world.province) == (0, 0, 0, 0, 0)
    with pytest.raises(BadInput, match="not in stock"):
        keepers.send(world.province, world.prefecture, span)
    for stated, place in (
        (Stated(19, 17, spoiled, "x"), "printed"),
        (Stated(20, 19, spoiled, "x"), "delivered"),
        (Stated(20, 19, [Span(1, 1)], "x"), "spoiled"),
        (Stated(20, 16, [*spoiled, *spoiled], "x"), "spoiled"),
    ):
        with pytest.raises(BadInput) as refusal:
            keepers.act(one, statements.propose, one, "1701", stated, LIFE, world.where())
        assert refusal.value.place == place
    stated = Stated(20, 18, spoiled, "statement of 3 May")
    act = keepers.act(one, statements.propose, one, "1701", stated, LIFE, world.where())
    assert keepers.counts(world.province) == (0, 0, 0, 0, 0)  # one officer alone makes no stock
    keepers.approve(keepers.second, act)
    assert keepers.counts(world.province) == (20, 18, 0, 0, 2)
    with pytest.raises(OutOfDate):
        keepers.act(one, statements.propose, one, "1701", stated, LIFE, world.where())
    keepers.require_balance()


def test_only_the_province_knows_lots(world: World, keepers: Keepers) -> None:
    keepers.lot("1701", 3)
    county = keepers.at(world.county)
    with pytest.raises(NotFound):
        keepers.act(county, statements.propose, county, "1701", Stated(3, 3, [], "x"), LIFE, world.where())


def test_from_the_print_works_to_the_candidates_hand(world: World, keepers: Keepers) -> None:
    span = keepers.take_in(cards=20, spoiled=[Span(17010000002, 17010000002)])
    transfer = keepers.send(world.province, world.prefecture, part(span, 1, 10))
    assert keepers.counts(world.province) == (20, 10, 10, 0, 0)
    keepers.confirm(world.prefecture, transfer)
    assert keepers.counts(world.province) == (10, 10, 0, 0, 0)
    assert keepers.counts(world.prefecture) == (10, 9, 0, 0, 1)  # the spoiled one is booked with its span
    for giver, receiver in ((world.prefecture, world.county), (world.county, world.point)):
        keepers.confirm(receiver, keepers.send(giver, receiver, part(span, 1, 5)))
    person = world.candidate(card=False)
    keepers.hand_over(world.point, person, serial_of(span.first))
    assert keepers.counts(world.point) == (5, 3, 0, 1, 1)
    back = keepers.send(world.point, world.county, part(span, 4, 5))
    keepers.confirm(world.county, back)
    assert keepers.counts(world.point) == (3, 1, 0, 1, 1)
    assert keepers.counts(world.county) == (2, 2, 0, 0, 0)
    keepers.destroy(world.county)
    assert keepers.counts(world.county) == (2, 0, 0, 0, 2)
    keepers.require_balance()


def test_what_cannot_be_sent(world: World, keepers: Keepers) -> None:
    span = keepers.take_in(cards=20)
    other = world.new_county("430103", "天心区")
    keepers.bring(world.point, part(span, 1, 6))
    keepers.hand_over(world.point, world.candidate(card=False), serial_of(span.first))
    keepers.send(world.point, world.county, part(span, 5, 6))
    for receiver, spans, place in (
        (world.county, [part(span, 1, 3)], "17010 "),  # the first was given away
        (world.county, [part(span, 4, 5)], None),  # the second is on the way
        (world.county, [part(span, 7, 8)], None),  # the province's
        (world.county, [of_lot("1999", 3)], None),
        (world.county, [part(span, 2, 3), part(span, 3, 4)], "twice"),
        (world.county, [], "twice"),
    ):
        with pytest.raises(BadInput) as refusal:
            keepers.send(world.point, receiver, *spans)
        assert place in {None, "17010 "} or refusal.value.place == place
    for receiver in (world.prefecture, world.province, world.point, other):  # no neighbours
        with pytest.raises(NotFound):
            keepers.send(world.point, receiver, part(span, 2, 3))
    keepers.require_balance()


def test_the_tables_know_no_other_neighbours_and_no_two_places(world: World, keepers: Keepers) -> None:
    span = keepers.take_in(cards=4)
    keepers.send(world.province, world.prefecture, part(span, 1, 2))
    with pytest.raises(IntegrityError, match="fk_transfers_lower_id_offices"):
        world.do("UPDATE transfers SET receiver_id = :p, lower_id = :p", p=world.point)
    with pytest.raises(IntegrityError, match="ck_transfers_neighbours"):
        world.do("UPDATE transfers SET receiver_id = :p", p=world.point)
    with pytest.raises(IntegrityError, match="ex_places_span"):
        world.do("INSERT INTO places (span, office_id) VALUES (int8range(:n, :n + 1), :o)", n=span.first, o=world.point)


def test_who_may_receive(world: World, keepers: Keepers) -> None:
    span = keepers.take_in(cards=10)
    sibling = world.new_county("430103", "天心区")
    keepers.bring(world.prefecture, span)
    transfer = keepers.send(world.prefecture, world.county, span)
    with pytest.raises(NotAllowed):  # not the giver
        keepers.confirm(world.prefecture, transfer)
    with pytest.raises(NotFound):  # for the sibling it does not exist
        keepers.confirm(sibling, transfer)
    assert keepers.confirm(world.county, transfer, counted=9) == Miscounted(10)
    assert world.value("SELECT act FROM audit ORDER BY id DESC LIMIT 1") == "transfer.miscounted"
    assert keepers.confirm(world.county, transfer) is None
    with pytest.raises(OutOfDate):  # once
        keepers.confirm(world.county, transfer)
    with pytest.raises(OutOfDate):
        keepers.report(world.county, transfer, missing=[part(span, 1, 1)])
    keepers.require_balance()


def test_while_a_difference_is_open_nothing_of_the_box_goes_on(world: World, keepers: Keepers) -> None:
    span = keepers.take_in(cards=10)
    keepers.bring(world.county, part(span, 1, 8))
    transfer = keepers.send(world.county, world.point, part(span, 1, 3), part(span, 4, 6))
    nothing: list[Span] = []
    for missing, extra in (
        ([part(span, 4, 4)], nothing),  # of another box
        (nothing, [part(span, 2, 2)]),  # of this box, so not too many
        (nothing, [of_lot("1999", 1)]),  # no such card
        (nothing, nothing),
    ):
        with pytest.raises(BadInput):
            keepers.report(world.point, transfer, missing=missing, extra=extra)
    keepers.report(world.point, transfer, missing=[part(span, 2, 2)], extra=[part(span, 7, 7)])
    keepers.confirm(world.point, transfer, 2)
    for office, box in ((world.point, part(span, 1, 1)), (world.county, part(span, 1, 1))):
        with pytest.raises(BadInput):
            keepers.send(office, world.county if office == world.point else world.point, box)
    with pytest.raises(OutOfDate):
        keepers.confirm(world.point, transfer)
    person = world.candidate(card=False)
    assert keepers.hand_over(world.point, person, serial_of(span.first)).reason == "card"
    keepers.require_balance()
    with pytest.raises(NotFound):  # the lower office settles nothing
        keepers.settle(world.point, transfer, "found")


def test_a_difference_that_is_found_brings_everything(world: World, keepers: Keepers) -> None:
    span = keepers.take_in(cards=10)
    keepers.bring(world.county, part(span, 1, 8))
    transfer = keepers.send(world.county, world.point, part(span, 1, 3))
    keepers.report(world.point, transfer, missing=[part(span, 2, 2)], extra=[part(span, 7, 7)])
    keepers.settle(world.county, transfer, "found")
    assert keepers.counts(world.point) == (4, 4, 0, 0, 0)
    assert keepers.counts(world.county) == (4, 4, 0, 0, 0)
    keepers.require_balance()
    with pytest.raises(OutOfDate):
        keepers.settle(world.county, transfer, "void")


def test_a_difference_that_is_void_ends_the_cards(world: World, keepers: Keepers) -> None:
    span = keepers.take_in(cards=10)
    keepers.bring(world.county, part(span, 1, 8))
    transfer = keepers.send(world.county, world.point, part(span, 1, 3))
    keepers.report(world.point, transfer, missing=[part(span, 2, 2)], extra=[part(span, 7, 7)])
    keepers.settle(world.county, transfer, "void")
    assert keepers.counts(world.point) == (2, 2, 0, 0, 0)
    assert keepers.counts(world.county) == (6, 4, 0, 0, 2)
    keepers.require_balance()


def test_a_surplus_card_booked_elsewhere_is_not_the_countys_to_void(world: World, keepers: Keepers) -> None:
    span = keepers.take_in(cards=10)
    keepers.bring(world.county, part(span, 1, 5))
    transfer = keepers.send(world.county, world.point, part(span, 1, 3))
    keepers.report(world.point, transfer, extra=[part(span, 9, 9)])  # still the province's
    for settling in ("found", "void"):
        with pytest.raises(BadInput):
            keepers.settle(world.county, transfer, settling)
        world.do("UPDATE proposals SET expires_at = clock_timestamp() WHERE decision IS NULL")
    one, second = keepers.at(world.province), keepers.second
    assert one.path in keepers.at(world.county).path
    keepers.require_balance()
    keepers.settle(world.province, transfer, "void")
    assert keepers.counts(world.province) == (5, 4, 0, 0, 1)
    assert second.level == "province"
    keepers.require_balance()


def test_void_and_held_back_cards_are_in_the_box_and_not_in_the_count(world: World, keepers: Keepers) -> None:
    span = keepers.take_in(cards=6, spoiled=[Span(17010000002, 17010000002)])
    transfer = keepers.send(world.province, world.prefecture, span)
    assert keepers.confirm(world.prefecture, transfer, counted=6) == Miscounted(5)
    assert keepers.confirm(world.prefecture, transfer, counted=5) is None
    assert keepers.counts(world.prefecture) == (6, 5, 0, 0, 1)


def test_beneath_the_gates_an_office_sees_and_moves_its_own_places_only(
    world: World, keepers: Keepers, offices_role: Database
) -> None:
    span = keepers.take_in(cards=10)
    keepers.bring(world.county, part(span, 1, 5))
    other = keepers.at(world.new_county("430103", "天心区"))
    with scope.transaction(offices_role, other) as session:
        assert session.execute(text("SELECT count(*) FROM places")).scalar() == 0
        assert session.execute(text("SELECT count(*) FROM transfers")).scalar() == 0
        touched = session.execute(text("UPDATE cards SET state = 'void'"))
        assert getattr(touched, "rowcount", None) == 0
        assert getattr(session.execute(text("UPDATE lots SET quarantined_at = now()")), "rowcount", 0) == 0
    for forbidden in ("UPDATE cards SET verifiers = ''", "DELETE FROM handovers", "UPDATE proposals SET word = ''"):
        with scope.transaction(offices_role, other) as session, pytest.raises(ProgrammingError):
            session.execute(text(forbidden))
    keepers.require_balance()
