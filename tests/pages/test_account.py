"""The account: what its owner sees of it, and how others are put out."""

from collections.abc import Callable

import pytest

from admin.browser import Browser
from app.notices import KINDS, OF_WINDOWS
from app.pages.account import ACTS
from tests.makers import Person, World
from tests.pages.walks import (
    NEW,
    activate,
    chosen,
    in_english,
    is_signed_in,
    shared_app,  # noqa: F401 -- a fixture
    shared_world,  # noqa: F401 -- a fixture
    sign_in,
    wrong_fields,
)


@pytest.fixture
def person(world: World, browser: Browser) -> Person:
    """Somebody who has activated in the browser and is signed in there."""
    made = world.candidate()
    activate(browser, made)
    return made


@pytest.fixture
def elsewhere(person: Person, new_browser: Callable[[], Browser]) -> Browser:
    """Another browser, signed in to the same account."""
    other = new_browser()
    sign_in(other, person.candidate_no, person.password)
    return other


def press(browser: Browser, action: str, **values: str) -> None:
    browser.submit(browser.get("/account").form(action=action), values)


def test_every_notice_has_words_here() -> None:
    assert set(KINDS) - set(OF_WINDOWS) <= set(ACTS)  # of which nobody is the doer


def test_it_shows_sign_ins_sessions_devices_and_acts(browser: Browser, person: Person, elsewhere: Browser) -> None:
    page = in_english(elsewhere).get("/account")
    assert "Before this visit your account was last signed in to" in page.words
    assert "Account activated, card bound" in page.words
    assert "Sign-in in a browser in which no code had been right yet" in page.words
    assert "Sign out every other browser" in page.words
    assert "Forget" in page.words


def test_signing_out_ends_the_session_and_empties_the_browser(
    browser: Browser, person: Person, new_browser: Callable[[], Browser]
) -> None:
    copy = new_browser()
    copy.cookies = dict(browser.cookies)
    device = browser.cookies["__Host-device"]
    answers = _answers(browser)
    page = browser.submit(browser.get("/account").form(action="sign-out"))
    assert page.url == "https://localhost/signed-out"
    assert "__Host-sid" not in browser.cookies
    assert browser.cookies["__Host-device"] == device
    left = next(headers for headers in answers if "Clear-Site-Data" in headers)
    assert left["Clear-Site-Data"] == '"cache", "storage"'
    assert not is_signed_in(copy)


def test_signing_out_of_a_session_that_has_lapsed_empties_the_browser_all_the_same(
    world: World, browser: Browser, person: Person
) -> None:
    form = browser.get("/account").form(action="sign-out")
    world.do("UPDATE sessions SET seen_at = seen_at - interval '1 hour' WHERE candidate_id = :id", id=person.id)
    answers = _answers(browser)
    page = browser.submit(form)
    assert page.url == "https://localhost/signed-out"
    assert "__Host-sid" not in browser.cookies
    left = next(headers for headers in answers if "Clear-Site-Data" in headers)
    assert left["Clear-Site-Data"] == '"cache", "storage"'


def _answers(browser: Browser) -> list[dict[str, str]]:
    """The headers of every answer from now on."""
    seen: list[dict[str, str]] = []
    transport = browser._transport

    def watched(*request: object) -> object:
        status, headers, body = transport(*request)  # type: ignore[arg-type]
        seen.append(dict(headers))
        return status, headers, body

    browser._transport = watched  # type: ignore[assignment]
    return seen


def test_a_changed_password_signs_out_every_other_browser(
    browser: Browser, person: Person, elsewhere: Browser, new_browser: Callable[[], Browser]
) -> None:
    page = browser.get("/account/password")
    browser.submit(page.form(has="old"), {"old": person.password} | chosen())
    assert is_signed_in(browser)
    assert not is_signed_in(elsewhere)
    later = new_browser()
    assert sign_in(later, person.candidate_no, person.password).status == 422
    sign_in(later, person.candidate_no, NEW)
    assert is_signed_in(later)


@pytest.mark.parametrize(
    ("old", "new", "again", "field"),
    [
        ("not it at all", NEW, NEW, "old"),
        ("", NEW, NEW, "old"),
        (None, "short", "short", "password"),
        (None, "ouyangnana1999", "ouyangnana1999", "password"),
        (None, NEW, "another one 12", "again"),
    ],
)
def test_a_password_is_not_changed_by_mistake(
    browser: Browser, person: Person, elsewhere: Browser, old: str | None, new: str, again: str, field: str
) -> None:
    page = browser.get("/account/password")
    values = {"old": person.password if old is None else old, "password": new, "again": again}
    page = browser.submit(page.form(has="old"), values)
    assert (page.status, wrong_fields(page)) == (422, {field})
    assert is_signed_in(elsewhere)


def test_an_open_browser_is_no_way_to_try_passwords(browser: Browser, person: Person, elsewhere: Browser) -> None:
    def tried(at: Browser, old: str) -> int:
        return at.submit(at.get("/account/password").form(has="old"), {"old": old} | chosen()).status

    assert [tried(elsewhere, f"not it {n} abc") for n in range(7)] == [422] * 6 + [429]
    tried(browser, person.password)  # the owner in another browser does not wait
    assert is_signed_in(browser)
    assert not is_signed_in(elsewhere)


def test_that_was_not_me_puts_others_out_and_asks_two_codes(
    world: World, browser: Browser, person: Person, elsewhere: Browser
) -> None:
    press(browser, "not-me")
    assert is_signed_in(browser)
    assert not is_signed_in(elsewhere)
    assert world.value("SELECT two_codes_reason FROM accounts WHERE candidate_id = :id", id=person.id) == "not_me"
    page = in_english(browser).get("/account")
    assert '"That was not me" was pressed' in page.text.replace("&#34;", '"')


def test_every_other_browser_can_be_signed_out(browser: Browser, person: Person, elsewhere: Browser) -> None:
    press(browser, "sessions/end")
    assert is_signed_in(browser)
    assert not is_signed_in(elsewhere)


def test_a_device_can_be_forgotten(world: World, browser: Browser, person: Person) -> None:
    press(browser, "devices/forget")
    revoked = world.value("SELECT revoked_at FROM devices WHERE candidate_id = :id", id=person.id)
    assert revoked is not None
    assert "devices/forget" not in browser.get("/account").text


def test_nobody_forgets_the_device_of_another(
    world: World, browser: Browser, person: Person, new_browser: Callable[[], Browser]
) -> None:
    other, theirs = new_browser(), world.candidate()
    activate(other, theirs)
    device = world.value("SELECT encode(token_hash, 'hex') FROM devices WHERE candidate_id = :id", id=theirs.id)
    press(browser, "devices/forget", device=device)
    assert world.value("SELECT revoked_at FROM devices WHERE candidate_id = :id", id=theirs.id) is None


def test_a_device_that_is_none_is_refused(browser: Browser, person: Person) -> None:
    press(browser, "devices/forget", device="not hexadecimal")
    assert browser.page.status == 400


@pytest.mark.parametrize("action", ["not-me", "sessions/end", "devices/forget"])
def test_a_page_of_somebody_who_has_left_does_nothing(
    world: World, browser: Browser, person: Person, elsewhere: Browser, action: str
) -> None:
    """Two candidates at one computer: an old window of the first is not a window of the second (S-10)."""
    form = browser.get("/account").form(action="not-me")
    second = world.candidate()
    world.activate(second)
    browser.submit(browser.page.form(action="sign-out"))
    sign_in(browser, second.candidate_no, second.password)
    token = dict(browser.get("/account").form(action="not-me").fields)["csrf_token"]
    mark = dict(form.fields)["mark"]
    answer = browser.send("POST", f"/account/{action}", [("csrf_token", token), ("mark", mark), ("device", "00")])
    assert answer.status == 409
    assert world.value("SELECT two_codes_reason FROM accounts WHERE candidate_id = :id", id=second.id) is None


def test_a_session_is_extended_by_asking(world: World, browser: Browser, person: Person) -> None:
    world.do("UPDATE sessions SET seen_at = seen_at - interval '14 minutes' WHERE candidate_id = :id", id=person.id)
    token = dict(browser.get("/help").form(action="language").fields)["csrf_token"]
    assert browser.send("POST", "/session/extend", [("csrf_token", token)]).status == 204
    seen = "SELECT clock_timestamp() - max(seen_at) < interval '1 minute' FROM sessions WHERE candidate_id = :id"
    assert world.value(seen, id=person.id) is True


def test_a_session_that_has_lapsed_leads_to_signing_in_and_back(world: World, browser: Browser, person: Person) -> None:
    world.do("UPDATE sessions SET seen_at = seen_at - interval '1 hour' WHERE candidate_id = :id", id=person.id)
    page = browser.get("/account/password")
    assert page.url == "https://localhost/sign-in?next=/account/password"
    browser.submit(page.form(has="password"), {"number": person.candidate_no, "password": person.password})
    assert browser.page.url == "https://localhost/account/password"
