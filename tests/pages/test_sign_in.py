"""Signing in: strangers are slowed down, the owner never is."""

import re
from collections.abc import Callable

import pytest

from admin.browser import Browser, Page
from tests.makers import PASSWORD, Person, World
from tests.pages.test_activation import other_code
from tests.pages.walks import (
    activate,
    card_page,
    codes_asked,
    dump,
    errors,
    is_signed_in,
    same_but_numbers,
    shared_app,  # noqa: F401 -- a fixture
    shared_world,  # noqa: F401 -- a fixture
    sign_in,
    two,
    wrong_fields,
)

NOBODY = "17430102158888"
WRONG = "not the password 1"


@pytest.fixture
def person(world: World) -> Person:
    made = world.candidate()
    world.activate(made)
    return made


def heat(browser: Browser, number: str) -> Page:
    """Type wrong passwords until the page asks to wait."""
    for _ in range(8):
        page = sign_in(browser, number, WRONG)
        if page.status == 429:
            return page
    raise AssertionError("no wait")


def with_card(browser: Browser, person: Person, password: str = PASSWORD, **over: str) -> Page:
    page = card_page(browser, person.candidate_no)
    return browser.submit(page.form(has="code_first"), two(page, person) | {"password": password} | over)


def test_the_right_password_opens_a_session_and_a_wrong_one_does_not(browser: Browser, person: Person) -> None:
    page = sign_in(browser, person.candidate_no, WRONG)
    assert page.status == 422
    assert dict(page.form(has="password").fields)["password"] == ""
    assert not is_signed_in(browser)
    sign_in(browser, person.candidate_no, person.password)
    assert is_signed_in(browser)


def test_full_width_digits_and_blanks_are_read(browser: Browser, person: Person) -> None:
    wide = person.candidate_no.translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    sign_in(browser, f" {wide[:6]} {wide[6:]} ", person.password)
    assert is_signed_in(browser)


def test_it_never_asks_for_a_code(browser: Browser) -> None:
    page = browser.get("/sign-in")
    assert "data-code" not in page.text
    assert page.form(has="password").names == {"csrf_token", "kept", "number", "password"}


def test_a_number_nobody_has_is_answered_like_any_other(world: World, browser: Browser, person: Person) -> None:
    registered = world.candidate()
    answers = [sign_in(browser, number, WRONG) for number in (person.candidate_no, registered.candidate_no, NOBODY)]
    assert {answer.status for answer in answers} == {422}
    assert len({same_but_numbers(answer) for answer in answers}) == 1
    changing = {"x-request-id", "content-length", "set-cookie", "date"}
    headers = [sorted((key, value) for key, value in each.headers if key.lower() not in changing) for each in answers]
    assert headers[0] == headers[1] == headers[2]


def test_after_five_free_tries_a_wait_runs_for_known_and_unknown_numbers_alike(
    world: World, browser: Browser, person: Person
) -> None:
    for number in (person.candidate_no, "17430102156666"):
        statuses = [sign_in(browser, number, WRONG).status for _ in range(7)]
        assert statuses == [422] * 6 + [429]
        assert 0 < int(browser.page.header("Retry-After")) <= 30
        assert codes_asked(browser.submit(browser.page.form(action="/sign-in/card")))
    # while it runs, not even the right password is looked at
    assert sign_in(browser, person.candidate_no, person.password).status == 429


def test_a_known_device_does_not_wait_for_strangers(
    world: World, browser: Browser, new_browser: Callable[[], Browser]
) -> None:
    owner = world.candidate()
    activate(browser, owner)
    browser.submit(browser.get("/account").form(action="sign-out"))
    heat(new_browser(), owner.candidate_no)
    sign_in(browser, owner.candidate_no, owner.password)
    assert is_signed_in(browser)


def test_the_wait_ends_with_success(world: World, browser: Browser, person: Person) -> None:
    for _ in range(4):
        sign_in(browser, person.candidate_no, WRONG)
    sign_in(browser, person.candidate_no, person.password)
    browser.cookies.clear()
    assert [sign_in(browser, person.candidate_no, WRONG).status for _ in range(6)] == [422] * 6


def test_the_holder_of_the_card_passes_every_wait(world: World, browser: Browser, person: Person) -> None:
    heat(browser, person.candidate_no)
    assert card_page(browser, person.candidate_no).status == 200
    with_card(browser, person)
    assert is_signed_in(browser)
    used = world.value("SELECT count(*) FROM card_uses WHERE candidate_id = :id AND purpose = 'sign_in'", id=person.id)
    assert used == 2
    assert browser.cookies["__Host-device"]
    assert world.value("SELECT count(*) FROM devices WHERE candidate_id = :id", id=person.id) == 1


def test_password_and_codes_are_refused_together_and_nothing_is_used_up(
    world: World, browser: Browser, person: Person
) -> None:
    wrong = {"code_second": other_code(person.codes[0])}
    before = dump(world)
    answers = [
        with_card(browser, person, WRONG),
        with_card(browser, person, PASSWORD, **wrong),
        with_card(browser, person, WRONG, **wrong),
        with_card(browser, Person(0, NOBODY, "", "", 0, "", person.codes)),
    ]
    assert {answer.status for answer in answers} == {422}
    assert len({same_but_numbers(answer) for answer in answers}) == 1
    assert dump(world) == before
    assert "__Host-device" not in browser.cookies


def test_a_stolen_card_is_no_way_to_try_passwords(world: World, browser: Browser, person: Person) -> None:
    statuses = [with_card(browser, person, f"{WRONG}{n}").status for n in range(7)]
    assert statuses == [422] * 6 + [429]
    assert with_card(browser, person).status == 429
    # the owner, who knows the password, need not care
    sign_in(browser, person.candidate_no, person.password)
    assert is_signed_in(browser)


def test_codes_of_an_older_question_are_not_looked_at(world: World, browser: Browser, person: Person) -> None:
    page = card_page(browser, person.candidate_no)
    answers = two(page, person) | {"password": person.password}
    world.do(
        "UPDATE bindings SET asked = asked_second, asked_second = asked WHERE candidate_id = :id",
        id=person.id,
    )
    before = world.rows("SELECT * FROM waits ORDER BY bucket")
    page = browser.submit(page.form(has="code_first"), answers)
    assert "notice-warning" in page.text
    assert world.rows("SELECT * FROM waits ORDER BY bucket") == before
    browser.submit(page.form(has="code_first"), two(page, person) | {"password": person.password})
    assert is_signed_in(browser)


def test_a_new_card_not_yet_bound_lets_its_holder_in_and_is_bound(
    world: World, browser: Browser, person: Person
) -> None:
    world.hand_out(person)
    heat(browser, person.candidate_no)
    with_card(browser, person)
    assert is_signed_in(browser)
    assert world.value("SELECT serial FROM bindings WHERE candidate_id = :id", id=person.id) == person.serial


def test_a_code_slip_is_told_and_never_counts(world: World, browser: Browser, person: Person) -> None:
    before = world.rows("SELECT * FROM waits ORDER BY bucket")
    page = with_card(browser, person, PASSWORD, code_first="1234 567")
    assert wrong_fields(page) == {"code_first"}
    assert world.rows("SELECT * FROM waits ORDER BY bucket") == before


@pytest.mark.parametrize("target", ["/card", "/account?x=1"])
def test_it_leads_on_to_where_the_visitor_wanted_to_go(browser: Browser, person: Person, target: str) -> None:
    page = browser.get(target)
    assert page.url.startswith("https://localhost/sign-in?next=")
    browser.submit(page.form(has="password"), {"number": person.candidate_no, "password": person.password})
    assert browser.page.url == f"https://localhost{target}"


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/%5Cevil.example", "/%09/evil.example", "javascript:1", "evil"],
)
def test_it_leads_nowhere_else(browser: Browser, person: Person, target: str) -> None:
    sign_in(browser, person.candidate_no, person.password, f"?next={target}")
    assert browser.page.url == "https://localhost/preferences"


def test_a_session_planted_before_signing_in_is_worth_nothing(
    browser: Browser, person: Person, new_browser: Callable[[], Browser]
) -> None:
    planted = "x" * 43
    browser.cookies["__Host-sid"] = planted
    token = dict(browser.get("/sign-in").form(has="password").fields)["csrf_token"]
    sign_in(browser, person.candidate_no, person.password)
    assert browser.cookies["__Host-sid"] != planted
    thief = new_browser()
    thief.cookies["__Host-sid"] = planted
    assert not is_signed_in(thief)
    # nor is a form's token from before
    answer = browser.send("POST", "/sign-out", [("csrf_token", token)])
    assert answer.status == 400
    assert is_signed_in(browser)


def test_language_and_appearance_outlive_signing_in_and_out(browser: Browser, person: Person) -> None:
    browser.submit(browser.get("/help").form(action="language"), {"language": "en"})
    browser.submit(browser.get("/help").form(action="appearance"), {"appearance": "large-font"})
    sign_in(browser, person.candidate_no, person.password)
    page = browser.get("/account")
    chosen = re.compile(r'<html lang="en"\s+class="large-font">')
    assert chosen.search(page.text)
    assert chosen.search(browser.submit(page.form(action="sign-out")).text)


def test_signing_in_ends_the_session_the_browser_was_in(
    world: World, browser: Browser, person: Person, new_browser: Callable[[], Browser]
) -> None:
    other = world.candidate()
    world.activate(other)
    page = browser.get("/sign-in")
    sign_in(browser, person.candidate_no, person.password)
    old = new_browser()
    old.cookies = dict(browser.cookies)
    token = dict(browser.get("/account").form(action="sign-out").fields)["csrf_token"]
    browser.page = page
    values = {"number": other.candidate_no, "password": other.password, "csrf_token": token}
    browser.submit(page.form(has="password"), values)
    assert is_signed_in(browser)
    assert not is_signed_in(old)


def test_who_is_in_already_is_led_on(browser: Browser, person: Person) -> None:
    sign_in(browser, person.candidate_no, person.password)
    for way in ("/", "/activate", "/sign-in", "/sign-in/card", "/reset"):
        assert browser.get(way).url == "https://localhost/preferences"


def test_a_fourth_session_ends_one_of_a_device_that_is_not_known(
    world: World, browser: Browser, new_browser: Callable[[], Browser]
) -> None:
    owner = world.candidate()
    activate(browser, owner)  # the owner's phone: its device is known
    strangers = [new_browser() for _ in range(4)]
    for each in strangers:
        sign_in(each, owner.candidate_no, owner.password)
    assert is_signed_in(browser)
    assert [is_signed_in(each) for each in strangers] == [False, False, True, True]


def test_sessions_that_have_lapsed_take_nobodys_place(
    world: World, browser: Browser, person: Person, new_browser: Callable[[], Browser]
) -> None:
    world.do("DELETE FROM sessions WHERE candidate_id = :id", id=person.id)
    for _ in range(2):
        world.do(
            """
            INSERT INTO sessions (id_hash, candidate_id, device_hash, label, started_at, seen_at, expires_at)
            VALUES (gen_random_uuid()::text::bytea, :id, 'known', 'old', now() - interval '1 hour',
                    now() - interval '1 hour', now() + interval '1 hour')
            """,
            id=person.id,
        )
    world.do("INSERT INTO devices VALUES (:id, 'known', 'old', now(), now(), NULL)", id=person.id)
    sign_in(browser, person.candidate_no, person.password)
    sign_in(new_browser(), person.candidate_no, person.password)
    assert is_signed_in(browser)


def test_a_sign_in_from_an_unknown_device_is_told_to_the_owner(world: World, browser: Browser, person: Person) -> None:
    sign_in(browser, person.candidate_no, person.password)
    assert told(world, person) == 1


def test_it_is_not_told_again_where_a_session_has_merely_lapsed(world: World, browser: Browser, person: Person) -> None:
    sign_in(browser, person.candidate_no, person.password)
    world.do("UPDATE sessions SET seen_at = seen_at - interval '1 hour' WHERE candidate_id = :id", id=person.id)
    sign_in(browser, person.candidate_no, person.password)
    assert told(world, person) == 1
    # somebody else has ended it meanwhile, as a new password does
    world.do("UPDATE sessions SET ended_at = clock_timestamp() WHERE candidate_id = :id", id=person.id)
    sign_in(browser, person.candidate_no, person.password)
    assert told(world, person) == 2


def told(world: World, person: Person) -> int:
    """Messages about a sign-in in an unknown browser."""
    asked = "SELECT count(*) FROM notices WHERE candidate_id = :id AND kind = 'new_device'"
    return int(world.value(asked, id=person.id))


def test_empty_fields_are_told_beside_them(browser: Browser) -> None:
    page = sign_in(browser, "", "")
    assert wrong_fields(page) == {"number", "password"}
    assert errors(page)
