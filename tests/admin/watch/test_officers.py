"""Officers who reach for more than they are shown: the office above is told, and no school about its own."""

from datetime import timedelta

from tests.admin.colleagues import Offices
from tests.admin.watch.acts import alerts, look, noted
from tests.makers import World


def test_whoever_goes_on_asking_for_phone_numbers_beyond_the_days_is_reported(world: World, offices: Offices) -> None:
    clerk, calm = offices.appoint(world.point), offices.appoint(world.point)
    person = world.candidate()
    noted(world, "phone.refused", person.id, officer=clerk.id, ago=timedelta(hours=25))
    noted(world, "phone.revealed", person.id, officer=calm.id, times=50)
    look(world)
    assert alerts(world) == []
    noted(world, "phone.refused", person.id, officer=clerk.id)
    look(world)
    noted(world, "phone.refused", person.id, officer=clerk.id, times=8)
    look(world)
    (alert,) = alerts(world)
    assert (alert["kind"], alert["office"], alert["subject"]) == ("reveals", "芙蓉区", clerk.login)
    assert (alert["count"], alert["concerned"], alert["facts"]["officer_id"]) == (9, [person.id], clerk.id)


def test_more_than_twenty_refusals_within_an_hour_are_reported_to_the_office_above(
    world: World, offices: Offices
) -> None:
    walkers = {office: offices.appoint(getattr(world, office)) for office in ("point", "county", "province")}
    for walker in walkers.values():
        noted(world, "officer.refused", None, officer=walker.id, ago=timedelta(minutes=61), times=30)
        noted(world, "officer.refused", None, officer=walker.id, times=20)
    look(world)
    assert alerts(world) == []
    for walker in walkers.values():
        noted(world, "officer.refused", None, officer=walker.id)
    look(world)
    assert {(one["kind"], one["office"], one["subject"], one["count"]) for one in alerts(world)} == {
        ("refusals", office, walkers[whose].login, 21)
        for whose, office in (("point", "芙蓉区"), ("county", "长沙市"), ("province", "湖南省"))
    }
