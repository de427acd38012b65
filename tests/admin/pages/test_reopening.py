"""The pages of a batch opened again: two officers of the province, then the candidate, without script."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from admin.browser import Browser
from app.db import clock
from app.web.formats import ZONE
from tests.admin.colleagues import in_english
from tests.admin.reopening import DIGEST, DOCUMENT
from tests.filing import file
from tests.makers import Person, World
from tests.pages import lists


@pytest.fixture
def candidate(world: World, browser: Browser) -> tuple[Browser, Person]:
    """A candidate in whose list somebody else meddled, at their browser; the batch has closed."""
    batch = world.batch("1")
    person = world.candidate()
    session_id = world.activate(person, b"d" * 32)
    file(world, person, session_id, "1", "4301")
    world.move_end(batch, 0)
    browser.cookies["__Host-sid"] = session_id
    return in_english(browser), person


def typed(world: World, *, days: float = 1) -> dict[str, str]:
    with world.database.reading() as connection:
        until = (clock(connection) + timedelta(days=days)).astimezone(ZONE)
    digest = DIGEST.hex().upper()
    return {
        "batch": "1",
        "until": f"{until:%Y-%m-%d %H:%M}",
        "document": DOCUMENT,
        "digest": f"{digest[:32]} {digest[32:]}",
        "reason": "ruling of the intermediate court",
        "seen": "y",
    }


def test_from_the_decision_to_the_receipt(
    officer_browser: Callable[..., Browser], world: World, candidate: tuple[Browser, Person]
) -> None:
    browser, person = candidate
    assert "This batch is closed" in browser.get("/preferences/1/edit").words
    first, second = officer_browser(world.province), officer_browser(world.province, "approver")
    page = first.get(f"/counter/{person.id}")
    page = first.click("Open a batch again")
    assert "something was filed · not handed over for admission yet" in page.words
    assert first.submit(page.form(has="document"), typed(world) | {"digest": "12"}).status == 400
    assert first.submit(page.form(has="document"), typed(world) | {"seen": ""}).status == 400
    late = first.submit(page.form(has="document"), typed(world, days=4))
    assert late.status == 422
    assert "at most three days ahead" in late.words
    page = first.submit(page.form(has="document"), typed(world))
    assert "A second officer decides" in page.words
    assert "This batch is closed" in browser.get("/preferences/1/edit").words

    second.get("/acts")
    page = second.click("Open a batch again to one candidate")
    assert DOCUMENT in page.words
    assert person.candidate_no not in page.text  # it is on the paper
    assert "4301" not in page.text.replace(person.candidate_no[:4], "")
    assert second.submit(page.form(has="word"), {"word": person.candidate_no[:-1]}).status == 422
    page = second.submit(page.form(has="word"), {"word": person.candidate_no})
    assert "Approved and done" in page.words
    assert "open to this candidate until" in first.get(f"/counter/{person.id}/reopen").words

    assert "is open again, for you alone" in browser.get("/preferences").words
    page = browser.get("/preferences/1/edit")
    assert "is open again, for you alone" in page.words
    page = lists.file(browser, person, "4302")
    assert page.url.endswith("/filings/1/2")
    assert "filed after the close" in page.words
    assert "amended after the close" in browser.get("/filings").words
    assert browser.get("/filings/1/2.pdf").header("Content-Type") == "application/pdf"
    assert "filed after the close" not in browser.get("/filings/1/1").words
    assert "Opened a closed batch again for you" in browser.get("/account/looks").words
    assert "opened again for you by the province" in browser.get("/account").words


def test_who_approves_nothing_opens_nothing(
    officer_browser: Callable[..., Browser], world: World, candidate: tuple[Browser, Person]
) -> None:
    for role in ("auditor", "system_admin"):
        browser = officer_browser(world.province, role)
        assert browser.get(f"/counter/{candidate[1].id}/reopen").status == 403


def test_without_a_fresh_proof_the_form_is_not_shown(
    officer_browser: Callable[..., Browser], world: World, candidate: tuple[Browser, Person]
) -> None:
    browser = officer_browser(world.province)
    world.do("UPDATE officer_sessions SET proved_at = proved_at - interval '6 minutes'")
    assert "/prove" in browser.get(f"/counter/{candidate[1].id}/reopen").url
    county = officer_browser(world.county)
    assert "Open a batch again" not in county.get(f"/counter/{candidate[1].id}").words
    assert county.get(f"/counter/{candidate[1].id}/reopen").status == 404
