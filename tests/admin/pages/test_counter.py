"""The counter: from the look-up to the ticket, and the ticket in the candidate's hands."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from admin import scope
from admin.browser import Browser, Page
from app.db import Database
from app.entrance import Refused, SignedIn
from tests.admin.colleagues import PASSWORD, Offices, in_english
from tests.fixtures import SITE
from tests.makers import Person, World

TICKET = re.compile(r"\b[A-Z2-9]{4}(?:-[A-Z2-9]{4}){3}\b")
NEW = "a new password of mine"


@pytest.fixture
def person(world: World) -> Person:
    found = world.candidate()
    world.activate(found)
    return found


def look_up(browser: Browser, number: str) -> Page:
    browser.get("/counter")
    return browser.submit(browser.page.form(has="number"), {"number": number})


def approve(browser: Browser, person: Person, **typed: str) -> Page:
    look_up(browser, person.candidate_no)
    page = browser.click("Approve a password reset")
    values = {"id_tail": person.id_no[-6:].lower(), "reason": "forgotten", "seen": "y"} | typed
    return browser.submit(page.form(has="id_tail"), values)


def test_from_the_number_to_the_ticket_to_a_new_password(
    officer_browser: Callable[..., Browser], world: World, person: Person
) -> None:
    browser = officer_browser(world.point)
    page = look_up(browser, " 1743 0102 1５" + person.candidate_no[10:])
    assert ("Last signed in" in page.words, "never" in page.words) == (True, False)  # activating signs in
    assert page.url == f"{SITE}/counter/{person.id}"
    assert person.candidate_no not in page.text
    assert person.id_no not in page.text
    assert f"{person.id_no[:4]}************{person.id_no[-2:]}" in page.text
    page = approve(browser, person)
    assert (page.status, page.heading) == (200, "Password reset ticket") or page.status == 200
    ticket = TICKET.search(page.words)
    assert ticket is not None
    assert page.header("Cache-Control") == "no-store"
    assert person.id_no not in page.text

    asked = world.rows("SELECT asked, asked_second FROM bindings WHERE candidate_id = :id", id=person.id)[0]
    codes = [person.code(asked["asked"]), person.code(asked["asked_second"])]
    door = world.door
    assert door.reset(person.candidate_no, "AAAA-AAAA-AAAA-AAAA", codes, NEW, world.where()) == Refused()
    answer = door.reset(person.candidate_no, ticket[0].lower(), codes, NEW, world.where())
    assert isinstance(answer, SignedIn)
    assert isinstance(door.sign_in(person.candidate_no, NEW, world.where()), SignedIn)


def test_an_identity_number_is_shown_for_a_reason_and_whoever_saw_it_no_longer_answers_for_the_card(
    officer_browser: Callable[..., Browser], world: World, person: Person, new_browser: Callable[[], Browser]
) -> None:
    browser = officer_browser(world.point)
    look_up(browser, person.candidate_no)
    page = browser.submit(browser.page.form(action="/identity"), {"reason": "x"})
    assert (page.status, person.id_no in page.text) == (400, False)
    page = browser.submit(page.form(action="/identity"), {"reason": "the card says otherwise"})
    assert (page.status, person.id_no in page.text, "49 more today" in page.words) == (200, True, True)
    assert person.id_no not in look_up(browser, person.candidate_no).text
    assert person.id_no not in str(world.rows("SELECT * FROM audit"))

    page = approve(browser, person)
    assert (page.status, page.heading) == (409, "A colleague has to do this")
    assert world.rows("SELECT 1 FROM reset_tickets") == []
    assert TICKET.search(approve(officer_browser(world.point), person).words) is not None

    candidate = in_english(new_browser())
    candidate.cookies["__Host-sid"] = world.door.sign_in(person.candidate_no, person.password, world.where()).session_id  # type: ignore[union-attr]
    words = candidate.get("/account/looks").words
    assert "Operator Looked at your identity number in full the card says otherwise" in words


def test_everything_is_remembered(officer_browser: Callable[..., Browser], world: World, person: Person) -> None:
    approve(officer_browser(world.point), person, reason="mislaid\n the note")
    looked_up, approved = world.rows("SELECT * FROM audit ORDER BY id DESC LIMIT 2")[::-1]
    assert (looked_up["act"], approved["act"]) == ("candidate.looked_up", "reset.approved")
    for entry in (looked_up, approved):
        assert entry["actor"] == "officer"
        assert entry["candidate_id"] == person.id
        assert entry["officer_id"] is not None
        assert entry["detail"]["office"] == world.point
    assert approved["detail"]["reason"] == "mislaid the note"
    assert world.value("SELECT kind FROM notices ORDER BY id DESC LIMIT 1") == "reset_approved"
    life = world.value("SELECT expires_at - approved_at FROM reset_tickets")
    assert timedelta(hours=23, minutes=59) < life <= timedelta(hours=24, seconds=1)
    everything = str(world.rows("SELECT * FROM audit")) + str(world.rows("SELECT * FROM notices"))
    assert TICKET.search(everything) is None
    assert person.candidate_no not in everything


def test_a_ticket_is_shown_once(officer_browser: Callable[..., Browser], world: World, person: Person) -> None:
    browser = officer_browser(world.point)
    page = approve(browser, person)
    ticket = TICKET.search(page.words)
    assert ticket is not None
    stored = world.value("SELECT secret_hash FROM reset_tickets")
    assert ticket[0].encode() not in bytes(stored)
    page = look_up(browser, person.candidate_no)
    assert "A ticket is out" in page.words
    assert TICKET.search(page.words) is None


def test_sending_the_form_again_makes_no_second_ticket(
    officer_browser: Callable[..., Browser], world: World, person: Person
) -> None:
    browser = officer_browser(world.point)
    look_up(browser, person.candidate_no)
    form = browser.click("Approve a password reset").form(has="id_tail")
    values = {"id_tail": person.id_no[-6:], "reason": "forgotten", "seen": "y"}
    assert browser.submit(form, values).status == 200
    before = world.value("SELECT secret_hash FROM reset_tickets")
    assert browser.submit(form, values).status == 409
    assert world.value("SELECT secret_hash FROM reset_tickets") == before
    assert approve(browser, person).status == 200  # a new form makes a new one
    assert world.value("SELECT secret_hash FROM reset_tickets") != before


def test_the_identity_card_is_compared(officer_browser: Callable[..., Browser], world: World, person: Person) -> None:
    browser = officer_browser(world.point)
    page = approve(browser, person, id_tail="000000")
    assert page.status == 422
    assert "Compare the card again" in page.words
    assert world.value("SELECT count(*) FROM reset_tickets") == 0
    assert world.value("SELECT act FROM audit ORDER BY id DESC LIMIT 1") == "reset.refused"


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("id_tail", "12345", "five digits and X"),
        ("id_tail", "", "Type the last six characters"),
        ("reason", "", "Write why"),
        ("reason", "x", "Give the reason in 2 to 200 characters."),
        ("reason", "x" * 201, "Give the reason in 2 to 200 characters."),
        ("reason", "abc\x00def", "cannot be printed"),
        ("seen", "", "Without the person"),
    ],
)
def test_what_is_missing_is_named(
    officer_browser: Callable[..., Browser], world: World, person: Person, field: str, typed: str, words: str
) -> None:
    page = approve(officer_browser(world.point), person, **{field: typed})
    assert page.status == 400
    assert words in page.words
    assert world.value("SELECT count(*) FROM reset_tickets") == 0


@pytest.mark.parametrize(("number", "status"), [("17430102199999", 422), ("1743", 400), ("' OR 1=1 --", 400)])
def test_a_number_nobody_has(officer_browser: Callable[..., Browser], world: World, number: str, status: int) -> None:
    page = look_up(officer_browser(), number)
    assert page.status == status
    assert page.title.startswith("Error: ")
    looked_for = world.value("SELECT count(*) FROM audit WHERE act = 'candidate.not_found'")
    assert looked_for == (1 if status == 422 else 0)


def test_a_foreign_candidate_reads_like_nobody(
    officer_browser: Callable[..., Browser], world: World, person: Person
) -> None:
    browser = officer_browser(world.new_point("长沙市第二中学"))
    foreign = look_up(browser, person.candidate_no)
    nobody = look_up(browser, "17430102199999")
    assert foreign.status == nobody.status == 422
    assert re.sub(r"\d", "", foreign.words) == re.sub(r"\d", "", nobody.words)


def test_somebody_without_an_account_has_nothing_to_reset(
    officer_browser: Callable[..., Browser], world: World
) -> None:
    person = world.candidate()
    browser = officer_browser(world.point)
    page = look_up(browser, person.candidate_no)
    assert "no account yet" in page.words
    assert "handed out and not bound" in page.words
    page = browser.get(f"/counter/{person.id}/reset")
    page = browser.submit(page.form(has="id_tail"), {"id_tail": person.id_no[-6:], "reason": "forgotten", "seen": "y"})
    assert page.status == 409


def test_approving_asks_for_a_fresh_proof(
    officer_browser: Callable[..., Browser], offices: Offices, world: World, person: Person
) -> None:
    who = offices.appoint(world.point)
    browser = officer_browser()
    browser.cookies["__Host-oid"] = offices.open_session(who)
    look_up(browser, person.candidate_no)
    form = browser.click("Approve a password reset").form(has="id_tail")
    world.do("UPDATE officer_sessions SET proved_at = proved_at - interval '6 minutes'")
    values = {"id_tail": person.id_no[-6:], "reason": "forgotten", "seen": "y"}
    assert browser.submit(form, values).status == 403
    page = browser.get(f"/counter/{person.id}/reset")
    assert page.url == f"{SITE}/prove?next=/counter/{person.id}/reset"
    page = browser.submit(page.form(has="digits"), {"password": PASSWORD, "digits": offices.digits(who)})
    assert page.url == f"{SITE}/counter/{person.id}/reset"
    assert browser.submit(page.form(has="id_tail"), values).status == 200


def two_codes(browser: Browser, person: Person, **typed: str) -> Page:
    look_up(browser, person.candidate_no)
    page = browser.click("End two codes")
    return browser.submit(page.form(has="standing"), {"reason": "all was well", "seen": "y"} | typed)


def asked_for(world: World, person: Person, reason: str) -> None:
    world.do("UPDATE accounts SET two_codes_reason = :reason WHERE candidate_id = :id", reason=reason, id=person.id)


@pytest.mark.parametrize(
    ("reason", "words"),
    [("lost", "reported the card lost"), ("not_me", "somebody else was in"), ("office", "An office asked for this")],
)
def test_two_codes_are_explained_and_ended(
    officer_browser: Callable[..., Browser], world: World, person: Person, reason: str, words: str
) -> None:
    asked_for(world, person, reason)
    world.do(
        "UPDATE accounts SET two_codes_until = clock_timestamp() + interval '1 hour' WHERE candidate_id = :id",
        id=person.id,
    )
    world.do("UPDATE bindings SET wrong_tries = 5 WHERE candidate_id = :id", id=person.id)
    untouched = "SELECT two_codes_until, wrong_tries FROM accounts JOIN bindings USING (candidate_id)"
    before = world.rows(untouched)
    browser = officer_browser(world.point)
    page = look_up(browser, person.candidate_no)
    assert words in page.words
    assert "This ends by itself" in page.words
    page = two_codes(browser, person)
    assert page.url == f"{SITE}/counter/{person.id}"
    assert words not in page.words
    assert "This ends by itself" in page.words  # the day after a reset goes on
    assert world.value("SELECT two_codes_reason FROM accounts WHERE candidate_id = :id", id=person.id) is None
    assert world.rows(untouched) == before
    assert world.value("SELECT kind FROM notices ORDER BY id DESC LIMIT 1") == "two_codes_ended"
    entry = world.rows("SELECT * FROM audit ORDER BY id DESC LIMIT 1")[0]
    assert (entry["act"], entry["candidate_id"]) == ("two_codes.ended", person.id)
    assert (entry["detail"]["was"], entry["detail"]["reason"]) == (reason, "all was well")


@pytest.mark.parametrize(("field", "words"), [("reason", "Write why"), ("seen", "Without the person")])
def test_two_codes_end_for_a_reason_and_a_person(
    officer_browser: Callable[..., Browser], world: World, person: Person, field: str, words: str
) -> None:
    asked_for(world, person, "not_me")
    page = two_codes(officer_browser(world.point), person, **{field: ""})
    assert page.status == 400
    assert words in page.words
    assert world.value("SELECT two_codes_reason FROM accounts WHERE candidate_id = :id", id=person.id) == "not_me"


def test_what_was_reported_meanwhile_does_not_end(
    officer_browser: Callable[..., Browser], world: World, person: Person
) -> None:
    asked_for(world, person, "lost")
    browser = officer_browser(world.point)
    look_up(browser, person.candidate_no)
    form = browser.click("End two codes").form(has="standing")
    asked_for(world, person, "not_me")
    assert browser.submit(form, {"reason": "all was well", "seen": "y"}).status == 409
    assert world.value("SELECT two_codes_reason FROM accounts WHERE candidate_id = :id", id=person.id) == "not_me"


def test_where_one_code_is_asked_there_is_nothing_to_end(
    officer_browser: Callable[..., Browser], world: World, person: Person
) -> None:
    browser = officer_browser(world.point)
    page = look_up(browser, person.candidate_no)
    assert "One code is asked" in page.words
    assert "End two codes" not in page.words
    assert "nothing here that an office could end" in browser.get(f"/counter/{person.id}/two-codes").words


def test_the_offices_role_ends_two_codes_of_its_own_candidates_and_nothing_else(
    offices: Offices, offices_role: Database, world: World, person: Person
) -> None:
    asked_for(world, person, "lost")
    elsewhere = offices.visitor(offices.appoint(world.new_point("长沙市第二中学")))
    with scope.transaction(offices_role, elsewhere) as session:
        session.execute(text("UPDATE accounts SET two_codes_reason = NULL"))
    assert world.value("SELECT two_codes_reason FROM accounts WHERE candidate_id = :id", id=person.id) == "lost"
    here = offices.visitor(offices.appoint(world.point))
    for forbidden in (
        "UPDATE accounts SET two_codes_until = NULL",
        "UPDATE accounts SET password = ''",
        "UPDATE bindings SET wrong_tries = 0",
        "SELECT mobile_sealed FROM accounts",
    ):
        with scope.transaction(offices_role, here) as session, pytest.raises(ProgrammingError):
            session.execute(text(forbidden))
