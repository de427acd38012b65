"""The card: what is left on it, a new one, a lost one."""

import pytest

from admin.browser import Browser, Page
from tests.makers import Person, World
from tests.pages.test_activation import other_code
from tests.pages.walks import (
    codes_asked,
    dump,
    errors,
    in_english,
    same_but_numbers,
    shared_app,  # noqa: F401 -- a fixture
    shared_world,  # noqa: F401 -- a fixture
    two,
    wrong_fields,
)


@pytest.fixture
def person(world: World, browser: Browser) -> Person:
    made = world.candidate()
    browser.cookies["__Host-sid"] = world.activate(made)
    return made


def use_up(world: World, person: Person, left: int) -> None:
    """Leave `left` codes unused; two were spent when the card was bound."""
    world.do(
        """
        INSERT INTO card_uses (serial, code_index, candidate_id, purpose, used_at)
        SELECT :serial, i, :id, 'filing', now() FROM generate_series(1, 40) i
        WHERE i NOT IN (SELECT code_index FROM card_uses WHERE serial = :serial) LIMIT 38 - :left
        """,
        serial=person.serial,
        id=person.id,
        left=left,
    )


def bind_page(browser: Browser, serial: str) -> Page:
    page = browser.get("/card/bind?again=1")
    return browser.submit(page.form(has="serial"), {"serial": serial})


def bind(browser: Browser, person: Person, **over: str) -> Page:
    page = bind_page(browser, person.serial)
    return browser.submit(page.form(has="code_first"), two(page, person) | over)


def test_it_shows_the_serial_as_printed_and_how_many_codes_are_left(browser: Browser, person: Person) -> None:
    page = in_english(browser).get("/card")
    assert f"{person.serial[:4]} {person.serial[4:8]} {person.serial[8:]}" in page.words
    assert "38 of 40" in page.words
    assert not any(code in page.text for code in person.codes)


@pytest.mark.parametrize(("left", "kind"), [(6, ""), (5, "warning"), (1, "warning"), (0, "danger")])
def test_it_warns_in_good_time_and_says_where_to_go(
    world: World, browser: Browser, person: Person, left: int, kind: str
) -> None:
    use_up(world, person, left)
    page = in_english(browser).get("/card")
    assert f"{left} of 40" in page.words
    assert (f"notice-{kind}" in page.text) if kind else ("notice-" not in page.text)
    assert "registration point" in page.words


def test_a_new_card_is_bound_by_its_serial_and_two_of_its_codes(world: World, browser: Browser, person: Person) -> None:
    world.hand_out(person)
    assert "card/bind" in browser.get("/card").text
    page = bind(browser, person)
    assert page.url == "https://localhost/card"
    assert "notice-success" in page.text
    assert world.value("SELECT serial FROM bindings WHERE candidate_id = :id", id=person.id) == person.serial
    assert browser.cookies["__Host-device"]


def test_binding_a_new_card_ends_the_two_codes_of_a_lost_one_and_of_nothing_else(
    world: World, browser: Browser, person: Person
) -> None:
    reason = "SELECT two_codes_reason FROM accounts WHERE candidate_id = :id"
    browser.submit(browser.get("/card/lost").form(action="lost"))
    assert world.value(reason, id=person.id) == "lost"
    world.hand_out(person)
    bind(browser, person)
    assert world.value(reason, id=person.id) is None
    browser.submit(browser.get("/account").form(action="not-me"))
    browser.submit(browser.get("/card/lost").form(action="lost"))
    world.hand_out(person)
    bind(browser, person)
    assert world.value(reason, id=person.id) == "not_me"


def test_a_card_that_is_not_ones_own_is_refused_alike_and_nothing_changes(
    world: World, browser: Browser, person: Person
) -> None:
    bound = Person(0, "", "", "", 0, person.serial, person.codes)
    world.hand_out(person)
    other = world.candidate()
    stock = Person(0, "", "", "", 0, world.value("SELECT serial FROM cards WHERE state = 'stock' LIMIT 1"), other.codes)
    first, _ = codes_asked(bind_page(browser, person.serial))
    before = dump(world)
    answers = [
        bind(browser, other),
        bind(browser, bound),
        bind(browser, stock),
        bind(browser, person, code_first=other_code(person.code(first))),
    ]
    assert {answer.status for answer in answers} == {422}
    assert len({same_but_numbers(answer) for answer in answers}) == 1
    assert errors(answers[0])
    assert dump(world) == before


@pytest.mark.parametrize("serial", ["", "1234", "17010000001X", "170100000010"])
def test_a_slip_in_the_serial_is_told_beside_it(browser: Browser, person: Person, serial: str) -> None:
    page = bind_page(browser, serial)
    assert (page.status, wrong_fields(page)) == (422, {"serial"})


def test_the_second_page_alone_leads_back_to_the_first(browser: Browser, person: Person) -> None:
    page = bind_page(browser, person.serial)
    answer = browser.submit(page.form(has="code_first"), two(page, person) | {"step": "x"})
    assert answer.url == "https://localhost/card/bind"


def test_reporting_the_card_lost_asks_first_and_never_blocks(world: World, browser: Browser, person: Person) -> None:
    page = browser.get("/card/lost")
    assert world.value("SELECT two_codes_reason FROM accounts WHERE candidate_id = :id", id=person.id) is None
    page = browser.submit(page.form(action="lost"))
    assert page.url == "https://localhost/card"
    assert world.value("SELECT two_codes_reason FROM accounts WHERE candidate_id = :id", id=person.id) == "lost"
    assert world.value("SELECT state FROM cards WHERE serial = :serial", serial=person.serial) == "bound"
    notices = world.rows("SELECT kind FROM notices WHERE candidate_id = :id", id=person.id)
    assert {"kind": "card_lost"} in notices


def test_without_a_card_the_page_says_what_to_do(world: World, browser: Browser, person: Person) -> None:
    world.hand_out(person)
    page = in_english(browser).get("/card")
    assert "No card is bound to your account" in page.words
    assert "长沙市第一中学" in page.words
