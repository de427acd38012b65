"""Many candidates behind one device, network or officer: found where it is, not where a room full of them is."""

from datetime import timedelta

import pytest

from admin.watch.fanout import common_office
from tests.admin.colleagues import Offices
from tests.admin.watch.acts import activated, alerts, filed, kinds, look, people, room, signed_in
from tests.makers import World

SCHOOL = "203.0.113.7"


@pytest.fixture
def batch(world: World) -> int:
    return world.batch("1")


def test_six_filings_on_one_device_are_found_and_five_are_not(world: World, batch: int) -> None:
    filed(world, people(world, 5), batch, on="family")
    look(world)
    assert alerts(world) == []
    found = people(world, 6)
    filed(world, found, batch, on="collector")
    look(world)
    (alert,) = alerts(world)
    assert (alert["kind"], alert["count"], alert["office"]) == ("filings_device", 6, "长沙市第一中学")
    assert sorted(alert["concerned"]) == found
    assert alert["facts"]["most"] == 5


def test_more_than_thirty_from_one_address_are_found(world: World, batch: int) -> None:
    filed(world, people(world, 31), batch, ip=SCHOOL)
    look(world)
    assert [(one["kind"], one["subject"], one["count"]) for one in alerts(world)] == [("filings_network", SCHOOL, 31)]


def test_addresses_of_one_ipv6_network_count_together_and_odd_ones_blind_nobody(world: World, batch: int) -> None:
    for at, candidate in enumerate(people(world, 31)):
        filed(world, [candidate], batch, ip=f"2001:db8:1:2::{at + 1:x}")
    filed(world, people(world, 2), batch, ip="999.1.2.3")
    look(world)
    assert [(one["subject"], one["count"]) for one in alerts(world)] == [("2001:db8:1:2::/64", 31)]


def test_a_registered_room_of_sixty_is_nothing_unusual(world: World, batch: int, offices: Offices) -> None:
    teacher, approver = offices.appoint(world.point), offices.appoint(world.county, "approver")
    pupils = people(world, 60)
    for seat in range(6):  # ten pupils one after the other on each of six machines
        filed(world, pupils[seat::6], batch, on=f"seat {seat}", ip=SCHOOL)
    for pupil in pupils[:20]:
        activated(world, pupil, on="seat 0", ip=SCHOOL)
    room(world, teacher.id, approver.id, "203.0.113.0/28")
    look(world)
    assert alerts(world) == []


@pytest.mark.parametrize(("state", "days"), [("refused", 3), ("approved", -1), ("ended", 3)])
def test_a_room_that_is_not_in_force_excuses_nothing(
    world: World, batch: int, offices: Offices, state: str, days: int
) -> None:
    teacher, approver = offices.appoint(world.point), offices.appoint(world.county, "approver")
    room(world, teacher.id, approver.id, "203.0.113.0/28", state=state, days=days)
    filed(world, people(world, 31), batch, ip=SCHOOL)
    look(world)
    assert kinds(world) == {"filings_network"}


def test_a_class_filed_within_seconds_is_found_even_in_a_room(world: World, batch: int, offices: Offices) -> None:
    teacher, approver = offices.appoint(world.point), offices.appoint(world.county, "approver")
    room(world, teacher.id, approver.id, SCHOOL)
    filed(world, people(world, 4), batch, on="teacher", ip=SCHOOL, every=timedelta(seconds=40))
    filed(world, people(world, 4, class_no="302"), batch, on="queue", ip=SCHOOL, every=timedelta(seconds=90))
    for class_no in ("303", "304"):  # two of each class in turn are no class
        filed(world, people(world, 2, class_no=class_no), batch, on="mixed", ip=SCHOOL, every=timedelta(seconds=9))
    look(world)
    (alert,) = alerts(world)
    assert (alert["kind"], alert["count"], alert["facts"]["class_no"]) == ("filings_run", 4, "301")


def test_what_is_older_than_a_day_is_not_counted(world: World, batch: int) -> None:
    filed(world, people(world, 6), batch, on="slow", every=timedelta(hours=8))
    look(world)
    assert alerts(world) == []


def test_an_alert_across_offices_stands_where_all_of_them_meet(world: World, batch: int) -> None:
    elsewhere = world.new_point("天心中学", world.new_county("430103", "天心区"))
    filed(world, people(world, 3) + people(world, 3, elsewhere), batch, on="recruiter")
    look(world)
    assert [one["office"] for one in alerts(world)] == ["长沙市"]
    assert common_office(["/1/4/27/", "/1/4/27/310/"]) == 27
    assert common_office(["/1/4/27/", "/1/4/270/"]) == 4


def test_activations_and_sign_ins_on_one_device_and_cards_of_one_officer(world: World, offices: Offices) -> None:
    officer = offices.appoint(world.county)
    pupils = people(world, 11)
    for pupil in pupils:
        activated(world, pupil, on="kept cards", ip=SCHOOL, officer=officer.id)
    look(world)
    assert kinds(world) == {"activations_device", "activations_officer", "sign_ins_device"}
    (alert,) = alerts(world, "activations_officer")
    assert (alert["facts"]["officer_id"], alert["subject"], alert["count"]) == (officer.id, SCHOOL, 11)


def test_ten_signed_in_on_one_device_are_not_found(world: World) -> None:
    for pupil in people(world, 10):
        signed_in(world, pupil, on="shared", ip=SCHOOL)
    look(world)
    assert alerts(world) == []
