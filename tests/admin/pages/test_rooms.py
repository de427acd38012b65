"""Computer rooms: entered by the school, approved above by somebody else, ended by either."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from admin.browser import Browser
from app.web.formats import ZONE
from tests.makers import World

TOMORROW = str(datetime.now(UTC).astimezone(ZONE).date() + timedelta(days=1))


def enter(browser: Browser, network: str = "203.0.113.0/28", until: str = TOMORROW) -> int:
    form = browser.get("/rooms").form(has="network")
    return browser.submit(form, {"name": "机房一", "network": network, "until": until}).status


def press(browser: Browser, word: str) -> str:
    form = browser.get("/rooms").form(action="/rooms/")
    return browser.submit(form, button="state", value=word).words


def test_a_room_from_the_school_to_its_end(world: World, officer_browser: Callable[..., Browser]) -> None:
    school = officer_browser(world.point)
    assert enter(school) == 200
    assert "机房一 Waits for approval 长沙市第一中学 · 203.0.113.0/28" in school.page.words
    assert world.value("SELECT state FROM rooms") == "asked"
    assert not any("/rooms/" in form.action for form in school.page.forms)

    county = officer_browser(world.county, "approver")
    assert "The room is approved." in press(county, "approved")
    assert world.value("SELECT decided_by <> asked_by FROM rooms")
    assert "The room has ended." in press(school, "ended")
    acts = world.rows("SELECT act FROM audit WHERE act LIKE 'room.%' ORDER BY id")
    assert [one["act"] for one in acts] == ["room.asked", "room.approved", "room.ended"]


@pytest.mark.parametrize(
    ("network", "until"),
    [
        ("203.0.113.0/23", TOMORROW),
        ("0.0.0.0/0", TOMORROW),
        ("2001:db8::/48", TOMORROW),
        ("school.example", TOMORROW),
        ("203.0.113.4", "2017-06-01"),
        ("203.0.113.4", "2999-01-01"),
        ("203.0.113.4", ""),
    ],
)
def test_what_is_no_room_is_refused(
    world: World, officer_browser: Callable[..., Browser], network: str, until: str
) -> None:
    assert enter(officer_browser(world.point), network, until) == 400
    assert world.value("SELECT count(*) FROM rooms") == 0


def test_who_may_not(world: World, officer_browser: Callable[..., Browser]) -> None:
    school = officer_browser(world.point, "approver")
    enter(school)
    room = world.value("SELECT id FROM rooms")
    fields = [(name, value) for name, value in school.get("/rooms").form(has="network").fields if name != "state"]
    assert school.send("POST", f"/rooms/{room}", [*fields, ("state", "approved")]).status == 403
    operator = officer_browser(world.county)
    assert not any("/rooms/" in form.action for form in operator.get("/rooms").forms)
    other = officer_browser(world.new_point("长沙市第二中学"))
    assert "机房一" not in other.get("/rooms").text
    county = officer_browser(world.county, "approver")
    press(county, "refused")
    token = [(name, value) for name, value in county.get("/help").form(action="/sign-out").fields]
    assert county.send("POST", f"/rooms/{room}", [*token, ("state", "approved")]).status == 409
    assert county.send("POST", f"/rooms/{room}", [*token, ("state", "gone")]).status == 404
    assert world.value("SELECT state FROM rooms") == "refused"
