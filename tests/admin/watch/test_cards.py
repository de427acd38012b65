"""Codes tried one after the other, honey cards, cards that lie about; and how an alert lives."""

from datetime import timedelta

import pytest

from tests.admin.colleagues import Offices
from tests.admin.watch.acts import alerts, look, noted, people
from tests.makers import World


def test_more_than_two_hundred_wrong_codes_in_a_day_alert_the_county_and_tell_the_candidate(world: World) -> None:
    person = world.candidate()
    world.activate(person)
    noted(world, "code.wrong", person.id, times=200)
    look(world)
    assert alerts(world) == []
    noted(world, "code.wrong", person.id, times=1)
    look(world)
    look(world)
    (alert,) = alerts(world)
    assert (alert["kind"], alert["count"], alert["concerned"]) == ("wrong_codes", 201, [person.id])
    assert person.candidate_no not in str(alert)
    told = world.rows("SELECT kind FROM notices WHERE candidate_id = :id AND kind = 'wrong_codes'", id=person.id)
    assert len(told) == 1


def test_a_honey_card_is_found_at_the_first_touch(world: World) -> None:
    assert world.point
    noted(world, "card.honey_touched", None, serial="170100000123", ip="198.51.100.4")
    report = look(world)
    assert [one.kind for one in report.fresh] == ["honey_card"]
    (alert,) = alerts(world)
    assert (alert["office"], alert["subject"], alert["facts"]["lot"]) == ("湖南省", "170100000123", "1701")
    assert alert["facts"]["networks"] == ["198.51.100.4"]


@pytest.mark.parametrize(("opens", "kinds"), [(9, []), (6, ["not_activated"]), (-1, ["not_activated"]), (-9, [])])
def test_cards_not_activated_are_reported_from_a_week_before_the_first_batch_to_its_end(
    world: World, opens: int, kinds: list[str]
) -> None:
    world.batch("1", opens=timedelta(days=opens), closes=timedelta(days=opens + 2))
    waiting = world.candidate()
    world.candidate(card=False)
    world.activate(world.candidate())
    look(world)
    assert [one["kind"] for one in alerts(world)] == kinds
    if kinds:
        (alert,) = alerts(world)
        assert (alert["concerned"], alert["count"], alert["facts"]["people"]) == ([waiting.id], 1, 3)
        world.activate(waiting)
        assert look(world).passed == 1
        assert [one["state"] for one in alerts(world)] == ["closed"]


def test_passes_repeat_without_harm_and_follow_the_count(world: World) -> None:
    (one,) = people(world, 1)
    noted(world, "code.wrong", one, times=9)
    assert len(look(world, wrong_codes=5).fresh) == 1
    noted(world, "code.wrong", one, times=2)
    assert look(world, wrong_codes=5).fresh == []
    (alert,) = alerts(world)
    assert (alert["count"], alert["state"]) == (11, "open")
    assert world.value("SELECT count(*) FROM audit WHERE act = 'alert.raised'") == 1


def test_a_closed_alert_opens_again_for_twice_as_much_or_a_day_later_and_not_for_less(
    world: World, offices: Offices
) -> None:
    (one,) = people(world, 1)
    officer = offices.appoint(world.county, "approver")

    def close() -> None:
        world.do(
            "UPDATE alerts SET state = 'closed', closed_count = count, officer_id = :id, tended_at = clock_timestamp()",
            id=officer.id,
        )

    def state_after(times: int) -> str:
        noted(world, "code.wrong", one, times=times)
        look(world, wrong_codes=5)
        return str(alerts(world)[0]["state"])

    assert state_after(8) == "open"
    close()
    assert state_after(0) == "closed"
    assert state_after(7) == "closed"
    assert state_after(1) == "open"
    close()
    world.do("UPDATE alerts SET tended_at = tended_at - interval '25 hours'")
    assert state_after(1) == "open"
