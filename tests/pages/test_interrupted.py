"""A list sent after its session had ended is neither saved for a stranger nor lost (U-13)."""

from collections.abc import Callable

import pytest

from admin.browser import Browser, Page
from tests.makers import PASSWORD, Person, World
from tests.pages.lists import confirm, count, draft, edit, file, in_english, press, rows
from tests.pages.walks import errors, sign_in, two


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


def saved(world: World, browser: Browser, resumed: Page) -> list[str]:
    """What the draft holds once the button there is pressed."""
    browser.submit(resumed.form(has="version"), {}, button="act", value="save")
    return draft(world)


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

    inside = back(browser, press(in_english(browser), page, rows("4301")), other)

    assert "was not yours, or is too old. It was not kept." in inside.words
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


def test_a_form_that_says_not_whose_it_is_is_not_kept_and_that_is_said(typing: tuple[Browser, Person, Page]) -> None:
    browser, person, page = typing

    asked = press(in_english(browser), page, {**rows("4301"), "owner": "志" * 24})

    assert "What you had typed in this window was not saved" in asked.words
    assert "4301" not in asked.text
    assert dict(asked.form(has="kept").fields)["kept"] == ""
    assert back(browser, asked, person).url.endswith("/preferences/1/edit")


def test_what_was_typed_is_there_after_signing_out_in_another_window(
    world: World, typing: tuple[Browser, Person, Page]
) -> None:
    browser, person, page = typing
    browser.submit(page.form(action="/sign-out"))
    assert "__Host-sid" not in browser.cookies

    resumed = back(browser, press(browser, page, rows("4301")), person)
    assert saved(world, browser, resumed) == ["4301"]


def test_a_code_sent_too_late_is_said_to_be_still_good_and_what_is_in_force_is_shown(
    world: World, signed_in: tuple[Browser, Person]
) -> None:
    browser, person = signed_in
    world.batch("1")
    page = edit(in_english(browser), rows("4301"), "check")
    world.do("UPDATE sessions SET seen_at = seen_at - interval '1 hour'")

    asked = confirm(browser, page, person)
    assert "What you just sent was not done, and a code in it was not looked at: it is still good" in asked.words
    assert back(browser, asked, person).url.endswith("/preferences")
    assert count(world) == 0
    file(browser, person, "4301")
    assert count(world) == 1


def chosen(browser: Browser, page: Page) -> Page:
    """The page again, in another language and in large type, chosen where it offers them."""
    page = browser.submit(page.form(action="/language"), {"language": "zh_Hans"})
    page = browser.submit(page.form(action="/language"), {"language": "en"})
    return browser.submit(page.form(action="/appearance"), {}, button="appearance", value="large-font")


def test_what_was_typed_outlives_another_language_and_another_size_of_type(
    world: World, typing: tuple[Browser, Person, Page]
) -> None:
    browser, person, page = typing

    asked = chosen(browser, press(browser, page, rows("4301")))
    assert (asked.status, asked.heading) == (200, "Sign in")
    assert "large-font" in asked.text
    assert errors(asked) == ""
    resumed = chosen(browser, back(browser, asked, person))
    assert (resumed.status, resumed.heading) == (200, "Your list is still here")
    assert saved(world, browser, resumed) == ["4301"]


def test_what_was_typed_goes_along_past_a_wait(world: World, typing: tuple[Browser, Person, Page]) -> None:
    browser, person, page = typing
    asked = press(browser, page, rows("4301"))
    for _ in range(8):
        asked = back(browser, asked, person, "not the password 1")
    assert asked.status == 429

    codes = chosen(browser, browser.submit(asked.form(action="/sign-in/card")))
    stale = two(codes, person) | {"password": PASSWORD}
    world.do("UPDATE bindings SET asked = asked_second, asked_second = asked")
    codes = browser.submit(codes.form(has="code_first"), stale)
    assert "Other codes are asked by now" in codes.words
    wrong = browser.submit(codes.form(has="code_first"), two(codes, person) | {"password": "not the password 1"})
    assert wrong.status == 422
    resumed = browser.submit(wrong.form(has="code_first"), two(wrong, person) | {"password": PASSWORD})
    assert saved(world, browser, resumed) == ["4301"]
    assert browser.cookies["__Host-device"]


def test_nor_is_it_lost_when_the_codes_are_typed_too_late(world: World, typing: tuple[Browser, Person, Page]) -> None:
    browser, person, page = typing
    form = press(browser, page, rows("4301")).form(action="/language")
    form.action = "/sign-in/card"
    page = browser.submit(form, {"step": "of an hour ago"})
    assert "已超过15分钟" in page.words
    codes = browser.submit(page.form(has="number"), {"number": person.candidate_no})
    resumed = browser.submit(codes.form(has="code_first"), two(codes, person) | {"password": PASSWORD})
    assert saved(world, browser, resumed) == ["4301"]
