"""Activation: every factor counts, none is told."""

import base64
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from admin.browser import Browser, Page
from app.pages import doorway
from cards.codes import check_digit
from tests.makers import PASSWORD, Person, World
from tests.pages.walks import (
    activate,
    chosen,
    codes_asked,
    dump,
    errors,
    is_signed_in,
    person_page,
    same_but_numbers,
    shared_app,  # noqa: F401 -- a fixture
    shared_world,  # noqa: F401 -- a fixture
    sign_in,
    two,
    wrong_fields,
)

#: rows besides the two tables of counts that an activation writes
WRITTEN = {"accounts", "bindings", "card_uses", "cards", "devices", "notices", "sessions"}


def other_code(code: str) -> str:
    """A well-formed code that is not this one."""
    digits = f"{(int(code[:7]) + 1) % 10**7:07}"
    return digits + check_digit(digits)


def has_account(world: World, person: Person) -> bool:
    return bool(world.rows("SELECT 1 FROM accounts WHERE candidate_id = :id", id=person.id))


def refused(browser: Browser, person: Person, first: dict[str, str], second: dict[str, str]) -> Page:
    """Activate with something wrong on the first page, on the second, or on both."""
    page = person_page(browser, person, **first)
    asked = two(page, person) | chosen()
    return browser.submit(page.form(has="code_first"), asked | second)


def test_it_makes_the_account_binds_the_card_and_signs_in(world: World, browser: Browser) -> None:
    person = world.candidate()
    before = dump(world)
    activate(browser, person)
    assert is_signed_in(browser)
    after = dump(world)
    assert {name for name in after if after[name] != before[name]} == WRITTEN
    assert world.value("SELECT state FROM cards WHERE serial = :serial", serial=person.serial) == "bound"
    used = world.rows("SELECT purpose FROM card_uses WHERE candidate_id = :id", id=person.id)
    assert used == [{"purpose": "binding"}, {"purpose": "binding"}]
    assert browser.cookies["__Host-device"]


def test_the_password_chosen_is_the_one_that_signs_in(
    world: World, browser: Browser, new_browser: Callable[[], Browser]
) -> None:
    person = world.candidate()
    activate(browser, person)
    elsewhere = new_browser()
    sign_in(elsewhere, person.candidate_no, person.password)
    assert is_signed_in(elsewhere)


def test_any_wrong_factor_is_refused_alike_and_changes_nothing(world: World, browser: Browser) -> None:
    """The matrix of A-02 and A-03: numbers nobody has, cards of others, in stock, replaced, bound; codes, identity."""
    person, neighbour, replaced, done = (world.candidate() for _ in range(4))
    world.activate(done)
    dead = Person(replaced.id, replaced.candidate_no, "", replaced.id_no, 0, replaced.serial, replaced.codes)
    world.hand_out(replaced)
    bare = world.candidate(card=False)
    stock = world.value("SELECT serial FROM cards WHERE state = 'stock' LIMIT 1")
    nowhere = "99990000001" + check_digit("99990000001")
    codes = {"code_first": other_code(person.codes[0]), "code_second": other_code(person.codes[1])}
    first, second = codes_asked(person_page(browser, person))
    cases: list[tuple[Person, dict[str, str], dict[str, str]]] = [
        (person, {"number": "17430102159999"}, {}),  # nobody's number
        (person, {"number": neighbour.candidate_no}, {}),
        (person, {"serial": neighbour.serial}, codes),  # another candidate's card without its codes
        (neighbour, {"number": person.candidate_no, "tail": person.id_no[-6:]}, {}),  # and with them
        (person, {"serial": stock}, codes),  # a card in stock
        (person, {"serial": nowhere}, codes),
        (person, {"number": bare.candidate_no, "tail": bare.id_no[-6:], "serial": stock}, codes),
        (person, {"tail": neighbour.id_no[-6:]}, {}),
        (person, {}, {"code_first": other_code(person.code(first))}),
        (person, {}, {"code_second": other_code(person.code(second))}),
        (person, {}, {"code_first": person.code(second), "code_second": person.code(first)}),
        (dead, {}, {}),  # a card that was replaced
        (done, {}, {}),  # activated before
    ]
    before, audit = dump(world), world.value("SELECT count(*) FROM audit")
    answers = [refused(browser, who, on_first, on_second) for who, on_first, on_second in cases]
    assert {answer.status for answer in answers} == {422}
    assert len({same_but_numbers(answer) for answer in answers}) == 1
    assert len({errors(answer) for answer in answers}) == 1
    assert errors(answers[0])
    assert dump(world) == before
    assert world.value("SELECT count(*) FROM audit WHERE act = 'activation.refused'") == len(cases)
    assert world.value("SELECT count(*) FROM audit") == audit + len(cases)
    assert not is_signed_in(browser)


@pytest.mark.parametrize("missing", ["number", "serial", "tail", "agree"])
def test_a_missing_detail_is_asked_for_beside_its_field(browser: Browser, missing: str) -> None:
    page = browser.get("/activate")
    typed = {"number": "17430102150001", "serial": "170100000012", "tail": "05040X", "agree": "y"}
    typed["serial"] = "17010000001" + check_digit("17010000001")
    del typed[missing]
    page = browser.submit(page.form(has="serial"), typed)
    assert page.status == 422
    assert wrong_fields(page) == {missing}
    assert page.url.endswith("/activate")


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("number", "1743010215001"),
        ("number", "1743010215000Ⅹ"),
        ("number", "17430102150001\x00"),
        ("serial", "1701 0000 12"),
        ("serial", "1701 0000 1239"),
        ("serial", "1701 0000 12AB"),
        ("tail", "05040"),
        ("tail", "X05040"),
    ],
)
def test_a_slip_is_told_beside_its_field_and_asks_nobody(
    browser: Browser, world: World, field: str, typed: str
) -> None:
    audit = world.value("SELECT count(*) FROM audit")
    good = {"number": "17430102150001", "serial": "17010000001" + check_digit("17010000001"), "tail": "05040X"}
    page = browser.get("/activate")
    page = browser.submit(page.form(has="serial"), {**good, field: typed, "agree": "y"})
    assert (page.status, wrong_fields(page)) == (422, {field})
    assert world.value("SELECT count(*) FROM audit") == audit


@pytest.mark.parametrize("code", ["", "1234", "1234 567", "12345670", "abcdefgh", "1234\x005678"])
def test_a_code_no_card_can_carry_is_told_and_never_counts(world: World, browser: Browser, code: str) -> None:
    person = world.candidate()
    counted = "SELECT (SELECT count(*) FROM audit) + (SELECT count(*) FROM waits)"
    before = world.value(counted)
    page = refused(browser, person, {}, {"code_second": code})
    assert (page.status, wrong_fields(page)) == (422, {"code_second"})
    assert world.value(counted) == before


def test_numbers_are_read_however_they_are_written(world: World, browser: Browser) -> None:
    person = world.candidate()
    wide = str.maketrans("0123456789", "０１２３４５６７８９")
    number, serial, tail = person.candidate_no, person.serial, person.id_no[-6:]
    page = person_page(
        browser,
        person,
        number=f" {number[:6]}-{number[6:]}　".translate(wide),
        serial=f"{serial[:4]} {serial[4:8]}－{serial[8:]}".translate(wide),
        tail=tail.lower().translate(wide),
    )
    first, second = (f"{code[:4]}　{code[4:]}".translate(wide) for code in two(page, person).values())
    browser.submit(page.form(has="code_first"), {"code_first": first, "code_second": second} | chosen())
    assert is_signed_in(browser)


@pytest.mark.parametrize(
    ("password", "again", "field"),
    [
        ("short 1", None, "password"),
        ("长" * 129, None, "password"),
        ("tab\tin the middle", None, "password"),
        ("password1", None, "password"),
        ("", None, "password"),
        ("a quiet river 7 bridges", "a quiet river 8 bridges", "again"),
    ],
)
def test_a_password_is_refused_with_its_reason_and_given_back_to_nobody(
    world: World, browser: Browser, password: str, again: str | None, field: str
) -> None:
    person = world.candidate()
    before = dump(world)
    page = refused(browser, person, {}, {"password": password, "again": password if again is None else again})
    assert page.status == 422
    assert field in wrong_fields(page)
    assert dump(world) == before
    fields = dict(page.form(has="code_first").fields)
    assert (fields["password"], fields["again"], fields["code_first"]) == ("", "", "")


@pytest.mark.parametrize(
    "password", ["湘" * 32 + "江水悠悠" * 8, " a blank at both ends ", "🚀 über naïve 🚀", "zqqqx" + "x7!" * 41]
)
def test_any_printable_password_of_up_to_128_characters_is_taken_whole(
    world: World, browser: Browser, new_browser: Callable[[], Browser], password: str
) -> None:
    person = world.candidate()
    person.password = password
    activate(browser, person)
    assert is_signed_in(browser)
    cut, whole = new_browser(), new_browser()
    sign_in(cut, person.candidate_no, password[:-1])
    assert not is_signed_in(cut)
    sign_in(whole, person.candidate_no, password)
    assert is_signed_in(whole)


def test_what_is_known_of_a_candidate_is_held_against_a_password_only_once_the_codes_are_right(
    world: World, browser: Browser
) -> None:
    """Otherwise the page would tell anybody the phone number and the birthday of anybody."""
    person = world.candidate(name="王小明")
    before = dump(world)
    wrong = {"code_first": other_code(person.codes[0]), "code_second": other_code(person.codes[1])}
    guess = refused(browser, person, {}, wrong | chosen("wangxiaoming99"))
    neutral = refused(browser, person, {}, wrong | chosen("a quiet river 7 bridges"))
    assert same_but_numbers(guess) == same_but_numbers(neutral)
    told = refused(browser, person, {}, chosen("wangxiaoming99"))
    assert wrong_fields(told) == {"password"}
    assert dump(world) == before


def test_who_holds_the_card_cannot_try_identity_numbers_for_long(world: World, browser: Browser) -> None:
    thief_of = world.candidate()
    statuses = [refused(browser, thief_of, {"tail": f"05{n:03}0"}, {}).status for n in range(8)]
    assert statuses[:6] == [422] * 6
    assert statuses[6] == 429
    # and nobody without the card can make the owner wait
    other = world.candidate()
    for _ in range(8):
        page = refused(browser, other, {}, {"code_first": other_code(other.codes[0])})
        assert page.status == 422
    activate(browser, other)
    assert is_signed_in(browser)


def test_the_second_page_forgets_the_first_after_a_quarter_of_an_hour(
    world: World, browser: Browser, candidates_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = world.candidate()
    page = person_page(browser, person)
    asked = two(page, person) | chosen()
    late = time.time() + doorway.STEP_LIFE + 5
    monkeypatch.setattr("cryptography.fernet.time.time", lambda: late)
    answer = browser.submit(page.form(has="code_first"), asked)
    assert answer.url.endswith("/activate")
    assert "notice-warning" in answer.text
    assert not has_account(world, person)


@pytest.mark.parametrize("token", ["", "x", "gAAAAABqEjR3"])
def test_the_second_page_alone_leads_back_to_the_first(world: World, browser: Browser, token: str) -> None:
    person = world.candidate()
    page = person_page(browser, person)
    answer = browser.submit(page.form(has="code_first"), two(page, person) | chosen() | {"step": token})
    assert answer.url.endswith("/activate")
    assert browser.get("/activate/codes").url.endswith("/activate/codes")
    browser.cookies.pop("__Host-form")
    assert browser.get("/activate/codes").url.endswith("/activate")


def test_a_token_of_one_purpose_is_worth_nothing_for_another(world: World, browser: Browser) -> None:
    person = world.candidate()
    page = person_page(browser, person)
    token = dict(page.form(has="step").fields)["step"]
    reset = browser.get("/reset")
    answer = browser.submit(reset.form(has="number"), {"number": person.candidate_no, "step": token})
    assert answer.url.endswith("/reset")
    assert not answer.text.count("code-index")


def test_the_form_cookie_shows_nobody_what_was_typed(world: World, browser: Browser) -> None:
    person = world.candidate()
    person_page(browser, person)
    cookie: Any = browser.cookies["__Host-form"]
    opened = base64.urlsafe_b64decode(cookie.lstrip(".").split(".")[0] + "===")
    for typed in (person.candidate_no, person.serial, person.id_no[-6:]):
        assert typed.encode() not in opened


def test_two_windows_do_not_mix(world: World, browser: Browser) -> None:
    one, other = world.candidate(), world.candidate()
    page = person_page(browser, one)
    person_page(browser, other)
    browser.submit(page.form(has="code_first"), two(page, one) | chosen(PASSWORD))
    assert has_account(world, one)
    assert not has_account(world, other)


def test_a_double_click_activates_once(world: World, browser: Browser) -> None:
    person = world.candidate()
    page = person_page(browser, person)
    answers = two(page, person) | chosen()
    form = page.form(has="code_first")
    before = dict(browser.cookies)
    browser.submit(form, answers)
    browser.cookies = before
    browser.page = page
    assert browser.submit(form, answers).status == 422
    assert world.value("SELECT count(*) FROM card_uses WHERE candidate_id = :id", id=person.id) == 2
