"""A batch made on a page: two officers of the province, the owner's pass, and a candidate who files in it."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from admin import window_acts
from admin.browser import Browser
from admin.rehearsal import FREE
from app.web.formats import ZONE
from tests.admin.watch.acts import look
from tests.makers import World
from tests.pages import lists


@pytest.fixture
def province(world: World, officer_browser: Callable[..., Browser]) -> tuple[Browser, Browser]:
    """Two officers of the province, over batch 1, which has closed."""
    world.move_end(world.batch("1"), -60)
    return officer_browser(world.province), officer_browser(world.province, "approver")


def typed(world: World, **changes: str) -> dict[str, str]:
    now = world.value("SELECT clock_timestamp()").astimezone(ZONE)
    day = timedelta(days=1)
    return {
        "supplementary": "yes",
        "code": "1-S",
        "name": "本科一批征集志愿",
        "opens_at": f"{now + day:%Y-%m-%d %H:%M}",
        "closes_at": f"{now + 2 * day:%Y-%m-%d %H:%M}",
        "reason": "plans are left",
    } | changes


def propose(browser: Browser, fields: dict[str, str]) -> int:
    browser.get("/schedule/1")
    return browser.submit(browser.click("Make a batch like this one").form(has="code"), fields).status


def test_from_the_form_to_the_receipt_of_a_candidate(
    world: World, province: tuple[Browser, Browser], new_browser: Callable[[], Browser]
) -> None:
    first, second = province
    person = world.candidate()
    anybody, browser = lists.in_english(new_browser()), lists.in_english(new_browser())
    browser.cookies["__Host-sid"] = world.activate(person, b"d" * 32)
    browser.get("/preferences")  # the process knows the batches there are
    assert propose(first, typed(world)) == 200
    assert "Make a batch 1-S is proposed." in second.get("/schedule").words
    page = second.click("A second officer decides here")
    assert "Majors to choose from 72" in page.words
    assert "Make a batch: 本科一批征集志愿 (1-S)" in second.get("/acts").words
    second.get(page.url)
    assert second.submit(page.form(action="/approve"), {"word": "1"}).status == 422
    page = second.submit(second.page.form(action="/approve"), {"word": "1-S"})
    assert "it can be cancelled" in page.words
    page = second.click("Schedule")
    assert "本科一批征集志愿 (1-S), to open" in page.words
    assert "is approved and waits." in page.words
    assert "本科一批征集志愿" not in browser.get("/preferences").words
    world.do("UPDATE batch_acts SET effective_at = clock_timestamp()")
    window_acts.settle(world.database)
    assert "Opens next 本科一批征集志愿" in anybody.get("/").words
    page = first.get("/schedule/1-S")
    assert "Not yet open" in page.words
    assert "Make a batch 本科一批征集志愿" in page.words
    world.do(f"{FREE} UPDATE batches SET opens_at = clock_timestamp() FROM free WHERE code = '1-S'")  # noqa: S608
    assert "本科一批征集志愿" in browser.get("/preferences").words
    assert lists.file(browser, person, "4301", batch="1-S").url.endswith("/filings/1-S/1")


def test_what_waits_is_cancelled_and_what_was_not_made_is_shown(
    world: World, province: tuple[Browser, Browser], officer_browser: Callable[..., Browser]
) -> None:
    first, second = province
    propose(first, typed(world))
    second.submit(second.get(first.page.url).form(action="/approve"), {"word": "1-S"})
    assert "1-S" not in officer_browser(world.county).get("/schedule").words
    page = first.submit(first.get("/schedule").form(action="/cancel"))
    assert "Cancelled. The batch is not made." in page.words
    assert "Batches that were not made" in page.words
    propose(first, typed(world))
    second.submit(second.get(first.page.url).form(action="/approve"), {"word": "1-S"})
    world.do("UPDATE batches SET revision = revision + 1")
    world.do("UPDATE batch_acts SET effective_at = clock_timestamp() WHERE outcome IS NULL")
    window_acts.settle(world.database)
    assert "not any more as it was" in first.get("/schedule").words


def test_a_batch_that_is_not_made_in_time_is_an_alert_that_says_which_act(
    world: World, province: tuple[Browser, Browser]
) -> None:
    first, second = province
    propose(first, typed(world))
    second.submit(second.get(first.page.url).form(action="/approve"), {"word": "1-S"})
    world.do("UPDATE batch_acts SET effective_at = clock_timestamp() - interval '1 minute'")
    look(world)
    first.get("/alerts")
    page = first.click("An approved act upon a batch is not done, or nobody is told")
    assert "Approved act Make a batch" in page.words


def test_what_cannot_be_made_is_said_at_its_field(world: World, province: tuple[Browser, Browser]) -> None:
    first, _ = province
    for wrong in ({"code": "1 S"}, {"code": ""}, {"name": ""}, {"opens_at": "soon"}, {"supplementary": ""}):
        assert propose(first, typed(world, **wrong)) == 400
    assert propose(first, typed(world, code="1")) == 422
    assert "There is a batch with this code already." in first.page.words
    assert propose(first, typed(world, opens_at="2017-06-27 18:00")) == 422
    assert "that time has passed" in first.page.words
    assert world.value("SELECT count(*) FROM proposals") == 0
