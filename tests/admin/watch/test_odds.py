"""Lots and schools against chance: exact tails, honest noise, and what is no noise any more."""

import math

import pytest

from admin.watch.odds import at_least
from tests.admin.watch.acts import alerts, filed, look, noted, people
from tests.makers import World


@pytest.mark.parametrize(
    ("count", "expected", "chance"),
    [
        (0, 3.0, 1.0),
        (1, 0.0, 0.0),
        (1, 2.0, 1 - math.exp(-2)),
        (2, 2.0, 1 - 3 * math.exp(-2)),
        (3, 1.0, 1 - 2.5 * math.exp(-1)),
        (10, 1.0, 1.1142547833872071e-07),
        (20, 3.0, 8.3144235881916989e-11),
        (200, 100.0, 9.3431500729883903e-19),
    ],
)
def test_the_tail_is_exact(count: int, expected: float, chance: float) -> None:
    assert at_least(count, expected) == pytest.approx(chance, rel=1e-9)


def test_tail_and_body_make_one_and_tails_fall() -> None:
    for expected in (0.3, 4.0, 90.0, 700.0):
        body = math.fsum(
            math.exp(each * math.log(expected) - expected - math.lgamma(each + 1)) for each in range(int(expected) + 9)
        )
        assert body + at_least(int(expected) + 9, expected) == pytest.approx(1, abs=1e-9)
        tails = [at_least(count, expected) for count in range(1, int(expected * 3) + 40)]
        assert tails == sorted(tails, reverse=True)
        assert 0 <= tails[-1] < tails[0] <= 1


def test_a_lot_answered_wrong_by_two_in_three_is_found_and_one_with_bad_luck_is_not(world: World) -> None:
    batch = world.batch("1")
    usual = people(world, 60, lot="0901")
    unlucky = people(world, 30, lot="0902")
    bad = people(world, 30, lot="0903")
    filed(world, [*usual, *unlucky, *bad], batch)
    for one in [*usual[:6], *unlucky[:8], *bad[:20]]:
        noted(world, "code.wrong", one, times=4)  # slip after slip is one person's, not four events
    look(world)
    (alert,) = alerts(world)
    assert (alert["kind"], alert["subject"], alert["count"]) == ("lot_wrong_codes", "0903", 20)
    # 14 of the other 90 mistyped: 30 people are expected to have 4.67
    assert (alert["facts"]["people"], alert["facts"]["expected"], alert["facts"]["tries"]) == (30, 4.67, 80)
    assert alert["facts"]["chance"] == pytest.approx(at_least(20, 30 * 14 / 90))


def test_codes_of_a_card_that_was_replaced_count_for_its_own_lot(world: World) -> None:
    bad = people(world, 20, lot="0904")
    for one in bad:
        noted(world, "code.wrong", one)
        old, new = f"0905{one:08d}", f"0904{one:08d}"
        noted(world, "card.handed", one, serial=new, replaced=old)
    look(world, usual_replaced=0.9)
    assert [one["subject"] for one in alerts(world)] == ["0905"]


def test_a_school_that_replaces_cards_too_often_is_found(world: World) -> None:
    honest, busy = world.point, world.new_point("长沙市第二中学")
    for at, one in enumerate(people(world, 100, honest)[:3] + people(world, 100, busy)[:18]):
        noted(world, "card.handed", one, serial=f"0900{one:08d}", replaced=f"0800{at:08d}")
    look(world)
    (alert,) = alerts(world)
    assert (alert["kind"], alert["subject"], alert["count"]) == ("replacements", "长沙市第二中学", 18)
    assert alert["facts"]["expected"] == pytest.approx(3)
