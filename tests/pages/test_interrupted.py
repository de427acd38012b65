"""A list sent after its session had ended is neither saved for a stranger nor lost (U-13)."""

from collections.abc import Callable

import pytest

from admin.browser import Browser, Page
from tests.makers import PASSWORD, Person, World
from tests.pages.lists import draft, edit, press, rows
from tests.pages.walks import sign_in


@pytest.fixture
def typing(world: World, signed_in: tuple[Browser, Person]) -> tuple[Browser, Person, Page]:
    """A candidate at the edit page of an open batch, whose session ends before anything is sent."""
    browser, person = signed_in
    world.batch("1")
    page = browser.get("/preferences/1/edit")
    world.do("UPDATE sessions SET seen_at = seen_at - interval '1 hour'")
    return browser, person, page


def back(browser: Browser, page: Page, person: Person, password: str = PASSWORD) -> Page:
    """Sign in at the page that asks for it again."""
    return browser.submit(page.form(has="kept"), {"number": person.candidate_no, "password": password})


def test_what_was_typed_is_there_after_signing_in_again(world: World, typing: tuple[Browser, Person, Page]) -> None:
    browser, person, page = typing

    asked = press(browser, page, rows("4301"))
    assert "4301" not in asked.text
    assert world.value("SELECT count(*) FROM drafts") == 0

    wrong = back(browser, asked, person, "not the password 1")
    resumed = back(browser, wrong, person)
    saved = browser.submit(resumed.form(has="version"), {}, button="act", value="save")

    assert saved.url.endswith("/preferences/1/edit")
    assert draft(world) == ["4301"]


def test_nobody_else_gets_what_was_typed(world: World, typing: tuple[Browser, Person, Page]) -> None:
    browser, _, page = typing
    other = world.candidate()
    world.activate(other)

    inside = back(browser, press(browser, page, rows("4301")), other)

    assert inside.url.endswith("/preferences/1/edit")
    assert "4301" not in inside.text
    assert world.value("SELECT count(*) FROM drafts") == 0


def test_a_draft_changed_meanwhile_is_not_overwritten(
    world: World, typing: tuple[Browser, Person, Page], new_browser: Callable[[], Browser]
) -> None:
    browser, person, page = typing
    elsewhere = new_browser()
    sign_in(elsewhere, person.candidate_no, PASSWORD)
    edit(elsewhere, rows("4302"))

    resumed = back(browser, press(browser, page, rows("4301")), person)
    answer = browser.submit(resumed.form(has="version"), {}, button="act", value="save")

    assert answer.status == 409
    assert draft(world) == ["4302"]


def test_a_form_of_another_session_is_not_kept(typing: tuple[Browser, Person, Page]) -> None:
    browser, _, page = typing

    asked = press(browser, page, {**rows("4301"), "mark": "0" * 24})

    assert asked.url.partition("?")[0].endswith("/sign-in")
    assert "4301" not in asked.text
    assert dict(asked.form(has="kept").fields)["kept"] == ""
