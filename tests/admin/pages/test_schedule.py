"""The schedule's pages: everybody reads, two officers of the province move."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from admin import announcements, window_acts
from admin.browser import Browser
from app.web.formats import ZONE
from tests.makers import World

HOUR = timedelta(hours=1)


@pytest.fixture
def province(world: World, officer_browser: Callable[..., Browser]) -> tuple[Browser, Browser]:
    """Two officers of the province, over a candidate and batch 1."""
    world.candidate()
    world.batch("1")
    return officer_browser(world.province), officer_browser(world.province, "approver")


def propose(browser: Browser, deed: str, at: str = "") -> int:
    form = browser.get(f"/schedule/1/{deed}").form(has="reason")
    return browser.submit(form, {"at": at, "reason": "the line was cut"}).status


def approve(browser: Browser, address: str, word: str = "1") -> int:
    return browser.submit(browser.get(address).form(action="/approve"), {"word": word}).status


def later(world: World, hours: int = 3) -> str:
    moment = world.value("SELECT clock_timestamp() + CAST(:span AS interval)", span=hours * HOUR)
    return str(moment.astimezone(ZONE).strftime("%Y-%m-%dT%H:%M"))


def test_an_end_is_moved_from_the_form_to_the_candidates_row(world: World, province: tuple[Browser, Browser]) -> None:
    first, second = province
    assert "本科一批 1 Open" in first.get("/schedule").words
    assert propose(first, "end", later(world)) == 200
    assert re.search(r"New end \w+ \d+ \w+ \d{4}, \d\d:\d\d:00 in [23] h", first.page.words)
    act = first.page.url
    assert "Move the end of a batch is proposed." in second.get("/schedule/1").words
    assert "Move the end of a batch: 本科一批 (1)" in second.get("/acts").words
    page = second.get(act).words
    assert "open again for everybody until the new end" in page
    assert "Type the batch code again: 1" in page
    assert approve(second, act, "2") == 422
    assert approve(second, act) == 200
    assert "it can be cancelled" in second.page.words
    page = first.get("/schedule/1").words
    assert "is approved and waits." in page
    assert "周敏" in page
    world.do("UPDATE batch_acts SET effective_at = clock_timestamp() - interval '11 seconds'")
    assert "has not been done" in first.get("/schedule/1").words  # nobody runs the pass
    window_acts.settle(world.database)
    world.do("UPDATE candidates SET mobile_sealed = NULL")
    announcements.announce(world.database)
    page = second.get("/schedule/1").words
    assert "Messages to candidates: 1. 1 candidate has no phone number" in page
    assert "has not been done" not in page
    assert re.search(r"Move the end of a batch from \d+ \w+ [\d:]+ to \d+ \w+ [\d:]+", page)
    assert world.value("SELECT moved_from IS NOT NULL FROM batches")
    page = second.get(act).words
    assert "Facts as of" in page
    assert re.search(r"approved and done .* Done at .* Moved from .* Moved to \w+ \d+ \w+ \d{4}, \d\d:\d\d:00", page)


def test_pausing_shows_at_once_and_only_resuming_is_offered_then(
    world: World, province: tuple[Browser, Browser]
) -> None:
    first, second = province
    assert propose(first, "pause") == 200
    assert approve(second, first.page.url) == 200
    page = second.get("/schedule/1")
    assert "Filing is paused." in page.words
    links = [href for _, href in page.links]
    assert "/schedule/1/resumption" in links
    assert "/schedule/1/pause" not in links
    assert propose(first, "resumption", later(world, 0)) == 422
    assert "New end, at the earliest" in first.page.words
    assert "Choose a time after the end as it stands." in first.page.words


def test_what_waits_is_cancelled_on_its_page(world: World, province: tuple[Browser, Browser]) -> None:
    first, second = province
    propose(first, "end", later(world))
    act = first.page.url
    approve(second, act)
    assert re.search(r"approved, waits to take effect .* Takes effect", second.page.words)
    form = first.get("/schedule/1").form(action="/cancel")
    assert "Cancelled." in first.submit(form).words
    assert first.submit(form).status == 409
    assert world.value("SELECT outcome FROM batch_acts") == "cancelled"
    page = second.get(act)
    assert "approved, then cancelled, nothing was done" in page.words
    assert "Cancelled by 周敏" in page.words
    assert "Takes effect" not in page.words
    assert "approved, then cancelled, nothing was done" in second.get("/acts").words


@pytest.mark.parametrize("at", ["", "tomorrow", "2017-06-27", "2017-13-27T18:00"])
def test_what_is_no_time_is_asked_for_again(world: World, province: tuple[Browser, Browser], at: str) -> None:
    assert propose(province[0], "end", at) == 400
    assert "Enter day and time" in province[0].page.words
    assert world.value("SELECT count(*) FROM proposals") == 0


def test_what_cannot_be_done_is_said_at_once(world: World, province: tuple[Browser, Browser]) -> None:
    first, second = province
    assert propose(first, "end", "2017-06-27T18:00") == 422
    assert "that time has passed" in first.page.words
    assert propose(first, "opening", later(world)) == 422
    assert propose(first, "resumption") == 422
    assert propose(first, "pause") == 200
    world.do("UPDATE batches SET suspended_at = clock_timestamp()")
    assert approve(second, first.page.url) == 409
    assert "Only an open batch can be paused." in second.page.words


def test_who_proposes_what_a_colleague_has_proposed_is_led_to_it_and_can_approve(
    world: World, province: tuple[Browser, Browser]
) -> None:
    first, second = province
    form = second.get("/schedule/1/pause").form(has="reason")
    assert propose(first, "pause") == 200
    page = second.submit(form, {"reason": "the line was cut"})
    assert (page.status, page.url) == (200, first.page.url)
    assert "This is proposed already, as you see here, and waits for a second officer." in page.words
    assert "Approved and done" in second.submit(page.form(action="/approve"), {"word": "1"}).words


def test_other_offices_read_the_calendar_and_no_more(world: World, officer_browser: Callable[..., Browser]) -> None:
    world.batch("1")
    school = officer_browser(world.point, "approver")
    page = school.get("/schedule/1")
    assert "本科一批" in page.words
    assert "What can be done" not in page.words
    assert school.get("/schedule/1/end").status == 404
    auditor = officer_browser(world.province, "auditor")
    assert auditor.get("/schedule/1").status == 200
    assert auditor.get("/schedule/1/end").status == 403
    assert auditor.get("/schedule/7").status == 404


def test_without_a_fresh_proof_the_form_is_not_shown(world: World, province: tuple[Browser, Browser]) -> None:
    world.do("UPDATE officer_sessions SET proved_at = proved_at - interval '6 minutes'")
    assert "/prove" in province[0].get("/schedule/1/end").url
