"""A new phone number: the password, the code asked, and a word to the number before (A-15)."""

from datetime import timedelta

import pytest

from admin.browser import Browser, Page
from admin.sending import Message, Post
from app import drafts, notices, preferences
from app.db import together
from tests.makers import Person, World, content
from tests.pages.walks import (
    activate,
    in_english,
    shared_app,  # noqa: F401 -- a fixture
    shared_world,  # noqa: F401 -- a fixture
    wrong_fields,
)

NUMBER = "13912345678"


class Sink:
    """A sender that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        self.sent.append(message)


@pytest.fixture
def person(world: World, browser: Browser) -> Person:
    """Somebody who has activated in the browser and is signed in there."""
    made = world.candidate()
    activate(in_english(browser), made)
    return made


@pytest.fixture
def sink(world: World) -> Sink:
    """Where messages go; whatever earlier tests left in the queue is gone."""
    world.do("UPDATE notices SET sent_at = clock_timestamp() WHERE sent_at IS NULL")
    return Sink()


def asked(page: Page) -> list[int]:
    """The numbers of the codes the page asks for."""
    return [int(number) for number in dict(page.form(has="asked").fields)["asked"].split()]


def right(page: Page, person: Person, **over: str) -> dict[str, str]:
    """Everything as it should be typed."""
    names = dict(zip(("code_first", "code_second"), asked(page), strict=False))
    codes = {name: person.code(index) for name, index in names.items()}
    return {"mobile": NUMBER, "old": person.password} | codes | over


def wrong(page: Page, person: Person) -> str:
    """A well-formed code that is not the one asked first."""
    return next(code for index, code in enumerate(person.codes, 1) if index not in asked(page))


def send(browser: Browser, person: Person, **over: str) -> Page:
    page = browser.get("/account/phone")
    return browser.submit(page.form(has="mobile"), right(page, person, **over))


def number_of(world: World, person: Person) -> str | None:
    """The number the candidate has given."""
    sealed = world.value("SELECT mobile_sealed FROM accounts WHERE candidate_id = :id", id=person.id)
    return None if sealed is None else world.sealer.open(bytes(sealed), column="account_mobile", row=person.id)


def registered(world: World, person: Person) -> str:
    sealed = world.value("SELECT mobile_sealed FROM candidates WHERE id = :id", id=person.id)
    return world.sealer.open(bytes(sealed), column="mobile", row=person.id)


def tries(world: World, person: Person) -> int:
    found: int = world.value("SELECT wrong_tries FROM bindings WHERE candidate_id = :id", id=person.id)
    return found


def acts(world: World, person: Person) -> list[str]:
    return [
        row["act"] for row in world.rows("SELECT act FROM audit WHERE candidate_id = :id ORDER BY id", id=person.id)
    ]


def test_the_number_is_changed_and_the_one_before_is_told(
    world: World, browser: Browser, person: Person, sink: Sink
) -> None:
    old = registered(world, person)
    browser.get("/account")
    page = browser.click("Change your phone number")
    assert f"{old[:3]}****{old[-4:]}" in page.words
    assert old not in page.text
    code = asked(page)
    assert len(code) == 1
    page = browser.submit(page.form(has="mobile"), right(page, person))
    assert page.url == "https://localhost/account"
    assert "Phone number changed" in page.words
    assert number_of(world, person) == NUMBER

    uses = world.rows("SELECT code_index FROM card_uses WHERE candidate_id = :id AND purpose = 'phone'", id=person.id)
    assert [row["code_index"] for row in uses] == code
    assert acts(world, person)[-1] == "phone.changed"
    assert "139****5678" in browser.get("/account/phone").words

    with world.database.transaction() as session:
        together(session, notices.notice("card_bound", person.id, "later"))
    Post(world.database, world.sealer, sink, "0731-1").round()
    assert {message.kind: message.to for message in sink.sent} == {"phone_changed": old, "card_bound": NUMBER}
    kept = world.value("SELECT count(*) FROM notices WHERE mobile_sealed IS NOT NULL")
    assert kept == 0
    everything = str(world.rows("SELECT params, dedupe FROM notices")) + str(world.rows("SELECT detail FROM audit"))
    assert NUMBER not in everything
    assert old not in everything


def test_for_a_day_two_codes_are_asked_here_and_to_confirm(
    world: World, browser: Browser, person: Person, sink: Sink
) -> None:
    send(browser, person)
    until = "SELECT two_codes_until - clock_timestamp() FROM accounts WHERE candidate_id = :id"
    assert timedelta(hours=23, minutes=59) < world.value(until, id=person.id) <= timedelta(hours=24)

    batch = world.batch(f"P{person.id}")
    visitor = world.visitor(browser.cookies["__Host-sid"], None)
    with world.database.transaction() as session:
        version = drafts.save(session, person.id, batch, content("4301"), 0)
        challenge = preferences.ask(session, visitor, f"P{person.id}", "list", version)
    assert len(challenge.asked) == 2

    page = browser.get("/account/phone")
    assert asked(page) == list(challenge.asked)
    page = browser.submit(page.form(has="mobile"), right(page, person, mobile="13711112222", code_second=""))
    assert (page.status, wrong_fields(page)) == (422, {"code_second"})
    send(browser, person, mobile="13711112222")
    assert number_of(world, person) == "13711112222"
    Post(world.database, world.sealer, sink, "0731-1").round()
    told = [message.to for message in sink.sent if message.kind == "phone_changed"]
    assert told == [registered(world, person), NUMBER]


def test_one_right_code_of_two_changes_nothing(world: World, browser: Browser, person: Person) -> None:
    world.do("UPDATE accounts SET two_codes_reason = 'lost' WHERE candidate_id = :id", id=person.id)
    page = browser.get("/account/phone")
    page = send(browser, person, code_second=wrong(page, person))
    assert page.status == 422
    assert (number_of(world, person), tries(world, person)) == (None, 1)


def test_full_width_digits_and_the_countrys_prefix_are_read(world: World, browser: Browser, person: Person) -> None:
    send(browser, person, mobile="＋８６ １３９ 1234-5678")
    assert number_of(world, person) == NUMBER


@pytest.mark.parametrize(
    "mobile", ["", "1391234567", "139123456789", "12912345678", "0731-8888888", "1391234567x", "+85261234567", "²" * 11]
)
def test_what_is_no_number_costs_nothing(world: World, browser: Browser, person: Person, mobile: str) -> None:
    page = send(browser, person, mobile=mobile)
    assert (page.status, wrong_fields(page)) == (422, {"mobile"})
    assert (number_of(world, person), tries(world, person)) == (None, 0)
    assert "password.wrong" not in acts(world, person)


def test_a_wrong_password_is_booked_and_no_code_is_looked_at(world: World, browser: Browser, person: Person) -> None:
    page = browser.get("/account/phone")
    page = send(browser, person, old="not it at all", code_first=wrong(page, person))
    assert (page.status, wrong_fields(page)) == (422, {"old"})
    assert (number_of(world, person), tries(world, person)) == (None, 0)
    assert acts(world, person)[-1] == "password.wrong"
    send(browser, person)
    assert number_of(world, person) == NUMBER


def test_wrong_codes_count_as_everywhere_and_the_sixth_question_is_for_two(
    world: World, browser: Browser, person: Person
) -> None:
    page = browser.get("/account/phone")
    for number in range(1, 6):
        page = send(browser, person, code_first=wrong(page, person))
        assert (page.status, wrong_fields(page)) == (422, {"code_first"})
        assert tries(world, person) == number
    assert len(asked(page)) == 2
    assert person.codes[0] not in page.text
    assert acts(world, person)[-5:] == ["code.wrong"] * 5
    told = "SELECT count(*) FROM notices WHERE candidate_id = :id AND kind = 'wrong_codes'"
    assert world.value(told, id=person.id) == 1
    assert number_of(world, person) is None
    browser.submit(page.form(has="mobile"), right(page, person))
    assert (number_of(world, person), tries(world, person)) == (NUMBER, 0)


def test_a_lone_code_where_two_are_due_after_tries_is_counted_and_never_compared(
    world: World, browser: Browser, person: Person
) -> None:
    page = browser.get("/account/phone")
    world.do("UPDATE bindings SET wrong_tries = 5 WHERE candidate_id = :id", id=person.id)
    page = browser.submit(page.form(has="mobile"), right(page, person))
    assert page.status == 422
    assert (number_of(world, person), tries(world, person)) == (None, 6)


def test_a_page_that_asks_what_is_no_longer_asked_costs_nothing(world: World, browser: Browser, person: Person) -> None:
    page = browser.get("/account/phone")
    form, values = page.form(has="mobile"), right(page, person)
    send(browser, person)
    assert number_of(world, person) == NUMBER
    late = dict(form.fields) | values | {"mobile": "13711112222"}
    page = browser.send("POST", "/account/phone", list(late.items()))
    assert page.url == "https://localhost/account/phone"
    assert "Another code is asked by now" in page.words
    assert (number_of(world, person), tries(world, person)) == (NUMBER, 0)


@pytest.mark.parametrize("sent", ["", "x", "1 2 3", "-1", "1" * 5])
def test_a_question_no_page_asks_is_refused(browser: Browser, person: Person, sent: str) -> None:
    assert send(browser, person, asked=sent).status == 400


def test_without_a_card_that_answers_there_is_no_form(world: World, browser: Browser, person: Person) -> None:
    world.do("UPDATE bindings SET asked = NULL WHERE candidate_id = :id", id=person.id)
    page = browser.get("/account/phone")
    assert "Your card cannot answer now." in page.words
    assert 'name="mobile"' not in page.text


def test_the_new_number_must_not_be_the_password(world: World, browser: Browser, person: Person) -> None:
    send(browser, person)
    page = browser.get("/account/password")
    new = f"my {NUMBER} x"
    page = browser.submit(page.form(has="old"), {"old": person.password, "password": new, "again": new})
    assert (page.status, wrong_fields(page)) == (422, {"password"})
