"""A forgotten password: the counter's ticket and two codes of the card, never one of them alone."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from admin.browser import Browser, Page
from app import accounts
from app.db import together
from app.entrance import new_ticket
from tests.makers import Person, World
from tests.pages.test_activation import other_code
from tests.pages.walks import (
    NEW,
    card_page,
    chosen,
    codes_asked,
    dump,
    is_signed_in,
    same_but_numbers,
    shared_app,  # noqa: F401 -- a fixture
    shared_world,  # noqa: F401 -- a fixture
    sign_in,
    two,
    wrong_fields,
)


@pytest.fixture
def person(world: World) -> Person:
    made = world.candidate()
    world.activate(made)
    return made


def ticket_for(world: World, person: Person) -> str:
    """What the counter prints when the person stands there."""
    ticket, ticket_hash = new_ticket()
    with world.database.transaction() as session:
        together(session, accounts.reset_approved(person.id, ticket_hash, 1))
    return ticket


def reset(browser: Browser, person: Person, ticket: str, **over: str) -> Page:
    page = card_page(browser, person.candidate_no, "/reset")
    return browser.submit(page.form(has="ticket"), two(page, person) | chosen() | {"ticket": ticket} | over)


def test_ticket_and_two_codes_set_a_new_password_and_end_every_session(
    world: World, browser: Browser, person: Person, new_browser: Callable[[], Browser]
) -> None:
    thief = new_browser()
    sign_in(thief, person.candidate_no, person.password)
    reset(browser, person, ticket_for(world, person))
    assert is_signed_in(browser)
    assert not is_signed_in(thief)
    sign_in(thief, person.candidate_no, person.password)
    assert not is_signed_in(thief)
    account = world.rows("SELECT two_codes_until FROM accounts WHERE candidate_id = :id", id=person.id)[0]
    left = account["two_codes_until"] - world.value("SELECT clock_timestamp()")
    assert timedelta(hours=23) < left <= timedelta(hours=24)
    kinds = world.rows("SELECT kind FROM notices WHERE candidate_id = :id", id=person.id)
    assert {"kind": "password_reset"} in kinds
    used = world.value("SELECT count(*) FROM card_uses WHERE candidate_id = :id AND purpose = 'reset'", id=person.id)
    assert used == 2


def test_anything_wrong_is_refused_alike_and_changes_nothing(world: World, browser: Browser, person: Person) -> None:
    neighbour = world.candidate()
    world.activate(neighbour)
    ticket, foreign, never = ticket_for(world, person), ticket_for(world, neighbour), new_ticket()[0]
    first, second = codes_asked(card_page(browser, person.candidate_no, "/reset"))
    nobody = Person(0, "17430102157777", "", "", 0, "", person.codes)
    registered = Person(0, world.candidate().candidate_no, "", "", 0, "", person.codes)
    before = dump(world)
    answers = [
        reset(browser, person, never),  # the card alone
        reset(browser, person, foreign),
        reset(browser, person, ticket, code_first=other_code(person.code(first))),  # the ticket alone
        reset(browser, person, ticket, code_second=other_code(person.code(second))),
        reset(browser, nobody, ticket),
        reset(browser, registered, ticket),
    ]
    assert {answer.status for answer in answers} == {422}
    assert len({same_but_numbers(answer) for answer in answers}) == 1
    assert dump(world) == before
    assert not is_signed_in(browser)


def test_a_ticket_is_good_once(world: World, browser: Browser, person: Person) -> None:
    ticket = ticket_for(world, person)
    reset(browser, person, ticket)
    browser.cookies.clear()
    assert reset(browser, person, ticket).status == 422


def test_a_ticket_is_good_for_a_day(world: World, browser: Browser, person: Person) -> None:
    ticket = ticket_for(world, person)
    world.do("UPDATE reset_tickets SET expires_at = clock_timestamp() WHERE candidate_id = :id", id=person.id)
    assert reset(browser, person, ticket).status == 422


def test_a_ticket_is_read_however_it_is_written(world: World, browser: Browser, person: Person) -> None:
    ticket = ticket_for(world, person).lower().replace("-", "　")
    reset(browser, person, ticket)
    assert is_signed_in(browser)


@pytest.mark.parametrize("ticket", ["", "ABCD-EFGH-JKLM", "ABCD-EFGH-JKLM-NPQ!"])
def test_a_slip_in_the_ticket_is_told_beside_it(browser: Browser, person: Person, ticket: str) -> None:
    assert wrong_fields(reset(browser, person, ticket)) == {"ticket"}


def test_who_lost_card_and_password_comes_back_by_the_new_card_and_a_ticket(
    world: World, browser: Browser, person: Person
) -> None:
    world.hand_out(person)
    reset(browser, person, ticket_for(world, person))
    assert is_signed_in(browser)
    assert world.value("SELECT serial FROM bindings WHERE candidate_id = :id", id=person.id) == person.serial


def test_what_is_known_of_a_candidate_is_held_against_the_password_only_behind_ticket_and_codes(
    world: World, browser: Browser, person: Person
) -> None:
    end_of_number = f"{person.candidate_no[-8:]}ab"
    assert wrong_fields(reset(browser, person, new_ticket()[0], **chosen(end_of_number))) == {"password"}  # typed here
    guess = reset(browser, person, new_ticket()[0], **chosen("ouyangnana99"))
    neutral = reset(browser, person, new_ticket()[0], **chosen(NEW))
    assert same_but_numbers(guess) == same_but_numbers(neutral)
    ticket = ticket_for(world, person)
    assert wrong_fields(reset(browser, person, ticket, **chosen("ouyangnana99"))) == {"password"}
    assert wrong_fields(reset(browser, person, ticket, **chosen(f"{person.serial[-8:]}ab"))) == {"password"}
    reset(browser, person, ticket)
    assert is_signed_in(browser)
