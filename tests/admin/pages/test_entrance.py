"""Signing in and out at the offices' portal, as a browser sees it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from admin.browser import Browser, Form, Page
from admin.pages import entrance
from tests.admin.colleagues import PASSWORD, Colleague, Offices, sign_in
from tests.fixtures import SITE, over_wsgi
from tests.makers import World

NEW = "Dongting 8848 lake"


def test_signing_in_leads_to_ones_own_office(stranger: Browser, offices: Offices, world: World) -> None:
    who = offices.appoint(world.county)
    page = sign_in(stranger, who, offices.digits(who))
    assert (page.status, page.url) == (200, f"{SITE}/progress/{world.county}")
    assert "周敏" in page.text
    assert "芙蓉区" in page.text


def test_signing_in_leads_on_to_where_one_wanted_to_go(stranger: Browser, offices: Offices, world: World) -> None:
    who = offices.appoint()
    stranger.get(f"/progress/{world.point}?batch=")
    assert stranger.page.url.startswith(f"{SITE}/sign-in?next=")
    values = {"login": who.login.upper(), "password": PASSWORD, "digits": f" {offices.digits(who)} "}
    page = stranger.submit(stranger.page.form(action="/sign-in"), values)
    assert page.url == f"{SITE}/progress/{world.point}?batch="


def test_never_to_another_site(stranger: Browser, offices: Offices, world: World) -> None:
    who = offices.appoint()
    stranger.get("/sign-in?next=//evil.example/")
    page = stranger.submit(
        stranger.page.form(action="/sign-in"),
        {"login": who.login, "password": PASSWORD, "digits": offices.digits(who), "next": "//evil.example/"},
    )
    assert page.url == f"{SITE}/progress/{world.province}"


def test_the_cookie_is_ours_alone(stranger: Browser, offices: Offices, offices_app: Flask, world: World) -> None:
    who = offices.appoint()
    sign_in(stranger, who, offices.digits(who))
    value = stranger.cookies["__Host-oid"]
    assert len(value) >= 43
    assert (
        world.value("SELECT count(*) FROM officer_sessions WHERE id_hash = sha256(CAST(:v AS bytea))", v=value.encode())
        == 1
    )
    answer = offices_app.test_client().post("/sign-in", base_url=SITE)
    assert answer.status_code == 400
    assert "__Host-sid" not in stranger.cookies


@pytest.mark.parametrize("wrong", ["login", "password", "digits"])
def test_a_refusal_says_not_which_part_was_wrong(stranger: Browser, offices: Offices, wrong: str) -> None:
    who = offices.appoint()
    page = sign_in(stranger, who, offices.digits(who), **{wrong: "000000"})
    assert page.status == 422
    assert "Login, password and digits do not fit together" in page.words
    assert page.title.startswith("Error: ")
    assert PASSWORD not in page.text
    assert "__Host-oid" not in stranger.cookies


def test_empty_fields_are_named(stranger: Browser, offices: Offices) -> None:
    page = sign_in(stranger, offices.appoint(), "", login="", password="")
    assert page.status == 400
    for words in ("Enter your login.", "Enter your password.", "Enter the six digits"):
        assert words in page.words


def test_a_wait_is_said_with_its_length(stranger: Browser, offices: Offices) -> None:
    who = offices.appoint()
    for _ in range(6):
        sign_in(stranger, who, "000000")
    page = sign_in(stranger, who, offices.digits(who))
    assert page.status == 429
    assert 0 < int(page.header("Retry-After")) <= 30
    assert "Please wait" in page.words
    assert dict(page.form(has="digits").fields)["login"] == who.login


def test_who_has_forgotten_the_password_is_sent_to_those_who_keep_the_account(stranger: Browser) -> None:
    page = stranger.get("/sign-in")
    assert "The system administrator of your office, or of the office above, gives you a new first" in page.words
    assert "of the province" not in page.words


def test_the_browser_of_an_earlier_sign_in_is_not_kept_waiting_by_strangers(
    stranger: Browser, offices: Offices, new_stranger: Callable[[], Browser], world: World
) -> None:
    who = offices.appoint()
    sign_in(stranger, who, offices.digits(who))
    stranger.submit(stranger.page.form(action="/sign-out"))
    attacker = new_stranger()
    for _ in range(6):
        sign_in(attacker, who, "000000")
    assert sign_in(attacker, who, "000000").status == 429
    assert sign_in(stranger, who, offices.digits(who, 1)).url == f"{SITE}/progress/{world.province}"


def test_signing_out_ends_it(officer_browser: Callable[..., Browser], world: World) -> None:
    browser = officer_browser()
    old = dict(browser.cookies)
    browser.get("/progress")
    page = browser.submit(browser.page.form(action="/sign-out"))
    assert page.url == f"{SITE}/sign-in"
    assert "__Host-oid" not in browser.cookies
    browser.cookies = old
    assert browser.get("/progress").url.startswith(f"{SITE}/sign-in")
    assert world.value("SELECT act FROM audit ORDER BY id DESC LIMIT 1") == "officer.signed_out"


def test_signing_out_after_the_session_has_lapsed_is_no_different(
    officer_browser: Callable[..., Browser], world: World
) -> None:
    browser = officer_browser()
    form = browser.get("/help").form(action="/sign-out")
    world.do("UPDATE officer_sessions SET seen_at = seen_at - interval '1 hour'")
    page = browser.submit(form)
    assert (page.url, "What you just sent" in page.words) == (f"{SITE}/sign-in", False)
    assert "__Host-oid" not in browser.cookies


def test_signing_out_clears_the_browser(officer_browser: Callable[..., Browser], offices_app: Flask) -> None:
    browser = officer_browser()
    form = browser.get("/help").form(action="/sign-out")
    body = "&".join(f"{name}={value}" for name, value in form.fields).encode()
    status, headers, _ = over_wsgi(offices_app)("POST", f"{SITE}/sign-out", browser._headers(body), body)
    assert status == 303
    assert dict(headers)["Clear-Site-Data"] == '"cache", "storage"'


def test_a_form_of_another_session_is_refused(officer_browser: Callable[..., Browser]) -> None:
    first, second = officer_browser(), officer_browser()
    form = first.get("/help").form(action="/sign-out")
    second.get("/help")
    second.cookies["__Host-desk"] = first.cookies["__Host-desk"]
    page = second.submit(form)
    assert page.status == 409
    assert second.get("/progress").status == 200


def test_staying_signed_in(officer_browser: Callable[..., Browser], world: World) -> None:
    browser = officer_browser()
    token = browser.get("/help").form(action="/sign-out").fields
    world.do("UPDATE officer_sessions SET seen_at = seen_at - interval '14 minutes'")
    assert browser.send("POST", "/session/extend", token).status == 204
    assert world.value("SELECT clock_timestamp() - seen_at FROM officer_sessions") < timedelta(seconds=10)


def test_a_first_password_comes_before_everything(stranger: Browser, offices: Offices, world: World) -> None:
    who = offices.appoint(password=None)
    stranger.cookies["__Host-oid"] = offices.open_session(who)
    world.do("UPDATE officers SET password = (SELECT password FROM officers WHERE id = :id)", id=offices.appoint().id)
    for address in ("/", "/progress", f"/progress/{world.province}", "/counter", "/help", "/prove", "/nowhere"):
        assert stranger.get(address).url == f"{SITE}/password"
    assert "Choose a new password first" in stranger.page.words
    weak = {"old": PASSWORD, "new": "short", "again": "short"}
    page = stranger.submit(stranger.page.form(has="old"), weak)
    assert (page.status, "Use at least 10 characters." in page.words) == (400, True)
    page = stranger.submit(page.form(has="old"), {"old": "not this one", "new": NEW, "again": NEW})
    assert (page.status, "This is not your password until now." in page.words) == (422, True)
    page = stranger.submit(page.form(has="old"), {"old": PASSWORD, "new": NEW, "again": NEW + "!"})
    assert (page.status, "This differs from the new password above." in page.words) == (400, True)
    page = stranger.submit(page.form(has="old"), {"old": PASSWORD, "new": PASSWORD, "again": PASSWORD})
    assert (page.status, "Choose another" in page.words) == (400, True)
    page = stranger.submit(page.form(has="old"), {"old": PASSWORD, "new": NEW, "again": NEW})
    assert (page.status, page.url) == (200, f"{SITE}/progress/{world.province}")
    assert "Your new password is in force." in page.words


def test_a_stolen_session_ends_with_the_password_and_a_proof_gets_no_fresher_by_it(
    officer_browser: Callable[..., Browser], stranger: Browser, world: World
) -> None:
    browser, thief = officer_browser(), stranger
    thief.cookies["__Host-oid"] = browser.cookies["__Host-oid"]
    assert thief.get("/progress").url == f"{SITE}/progress/{world.province}"
    world.do("UPDATE officer_sessions SET proved_at = proved_at - interval '6 minutes'")
    form = browser.get("/password").form(has="old")
    page = browser.submit(form, {"old": PASSWORD, "new": NEW, "again": NEW})
    assert (page.status, page.url) == (200, f"{SITE}/progress/{world.province}")
    assert thief.get("/progress").url.startswith(f"{SITE}/sign-in")
    assert world.value("SELECT clock_timestamp() - proved_at FROM officer_sessions") > timedelta(minutes=5)


def test_a_proof_renews_the_cookie_and_leads_back(officer_browser: Callable[..., Browser], offices: Offices) -> None:
    who = offices.appoint()
    browser = officer_browser()
    browser.cookies["__Host-oid"] = before = offices.open_session(who)
    browser.get("/prove?next=/counter")
    page = browser.submit(browser.page.form(has="digits"), {"password": PASSWORD, "digits": "000000"})
    assert page.status == 422
    values = {"password": PASSWORD, "digits": offices.digits(who)}
    page = browser.submit(page.form(has="digits"), values)
    assert (page.status, page.url) == (200, f"{SITE}/counter")
    assert browser.cookies["__Host-oid"] != before


# --- a form sent when the last proof is too long ago, or the session has lapsed -------------------------

REASON = "the line was cut"


@pytest.fixture
def proposing(
    world: World, offices: Offices, officer_browser: Callable[..., Browser]
) -> tuple[Browser, Colleague, Form]:
    """An officer of the province with a browser at the form that proposes a pause."""
    world.batch("1")
    who, browser = offices.appoint(), officer_browser()
    browser.cookies["__Host-oid"] = offices.open_session(who)
    return browser, who, browser.get("/schedule/1/pause").form(has="reason")


@pytest.fixture
def late(world: World, proposing: tuple[Browser, Colleague, Form]) -> tuple[Browser, Colleague, Page]:
    """The same when the proposal was sent too long after the last proof, at the page that came in its place."""
    browser, who, form = proposing
    world.do("UPDATE officer_sessions SET proved_at = proved_at - interval '6 minutes'")
    return browser, who, browser.submit(form, {"reason": REASON})


@pytest.fixture
def lapsed(world: World, proposing: tuple[Browser, Colleague, Form]) -> tuple[Browser, Colleague, Page]:
    """The same when it was sent after the session had lapsed."""
    browser, who, form = proposing
    world.do("UPDATE officer_sessions SET seen_at = seen_at - interval '1 hour'")
    return browser, who, browser.submit(form, {"reason": REASON})


def prove(browser: Browser, page: Page, digits: str, **more: str) -> Page:
    return browser.submit(page.form(has="digits"), {"password": PASSWORD, "digits": digits} | more)


def test_what_was_typed_is_sent_after_a_fresh_proof_by_one_button(
    world: World, offices: Offices, late: tuple[Browser, Colleague, Page]
) -> None:
    browser, who, page = late
    assert (page.status, page.heading) == (403, "Confirm that it is you")
    assert "More than five minutes have passed" in page.words
    assert REASON not in page.text
    page = prove(browser, page, "000000")
    assert page.status == 422
    page = prove(browser, page, offices.digits(who))
    assert (page.status, page.heading) == (200, "What you typed is still here")
    assert world.value("SELECT count(*) FROM proposals") == 0
    assert "/acts/" in browser.submit(page.form(has="reason")).url
    assert world.rows("SELECT reason, proposed_by FROM proposals") == [{"reason": REASON, "proposed_by": who.id}]


def test_what_was_typed_outlasts_a_wait(late: tuple[Browser, Colleague, Page]) -> None:
    browser, _, page = late
    kept = dict(page.form(has="digits").fields)["kept"]
    for _ in range(7):
        page = prove(browser, page, "000000")
    assert page.status == 429
    assert 0 < int(page.header("Retry-After")) <= 30
    assert dict(page.form(has="digits").fields)["kept"] == kept


def chosen(browser: Browser, page: Page) -> Page:
    """The page again, in another language and in large type, chosen where it offers them."""
    page = browser.submit(page.form(action="/language"), {"language": "zh_Hans"})
    page = browser.submit(page.form(action="/language"), {"language": "en"})
    page = browser.submit(page.form(action="/appearance"), {}, button="appearance", value="large-font")
    assert (page.status, "Please check these places" in page.words) == (200, False)
    return page


def test_nor_is_it_lost_by_another_language_or_size_of_type(
    world: World, offices: Offices, late: tuple[Browser, Colleague, Page]
) -> None:
    browser, who, page = late
    page = chosen(browser, prove(browser, chosen(browser, page), offices.digits(who)))
    assert "/acts/" in browser.submit(page.form(has="reason")).url
    assert world.value("SELECT reason FROM proposals") == REASON


def back(browser: Browser, page: Page, who: Colleague, digits: str) -> Page:
    values = {"login": who.login, "password": PASSWORD, "digits": digits}
    return browser.submit(page.form(has="digits"), values)


def test_what_was_typed_when_a_session_lapsed_is_sent_after_signing_in_by_one_button(
    world: World, offices: Offices, lapsed: tuple[Browser, Colleague, Page]
) -> None:
    browser, who, page = lapsed
    assert (page.status, page.heading) == (200, "Sign in")
    assert REASON not in page.text
    page = back(browser, chosen(browser, page), who, "000000")
    assert page.status == 422
    page = chosen(browser, back(browser, page, who, offices.digits(who)))
    assert page.heading == "What you typed is still here"
    assert world.value("SELECT count(*) FROM proposals") == 0
    assert "/acts/" in browser.submit(page.form(has="reason")).url
    assert world.rows("SELECT reason, proposed_by FROM proposals") == [{"reason": REASON, "proposed_by": who.id}]


def test_nor_is_it_lost_when_the_session_lapses_at_the_page_that_asks_for_the_proof(
    world: World, offices: Offices, late: tuple[Browser, Colleague, Page]
) -> None:
    browser, who, page = late
    world.do("UPDATE officer_sessions SET seen_at = seen_at - interval '1 hour'")
    page = prove(browser, page, offices.digits(who))
    assert page.heading == "Sign in"
    browser.submit(back(browser, page, who, offices.digits(who)).form(has="reason"))
    assert world.value("SELECT reason FROM proposals") == REASON


def test_who_signs_in_there_instead_gets_none_of_it_and_is_told(
    world: World, offices: Offices, lapsed: tuple[Browser, Colleague, Page]
) -> None:
    browser, _, page = lapsed
    other = offices.appoint()
    page = back(browser, page, other, offices.digits(other))
    assert page.url == f"{SITE}/progress/{world.province}"
    assert "What was typed in this window before was not kept" in page.words
    assert REASON not in page.text


def test_a_password_sent_after_the_session_lapsed_is_not_kept(
    officer_browser: Callable[..., Browser], world: World
) -> None:
    browser = officer_browser()
    form = browser.get("/password").form(has="old")
    world.do("UPDATE officer_sessions SET seen_at = seen_at - interval '1 hour'")
    page = browser.submit(form, {"old": PASSWORD, "new": NEW, "again": NEW})
    assert page.url == f"{SITE}/sign-in?next=/password"
    assert "What you just sent was not done" in page.words
    assert dict(page.form(has="digits").fields)["kept"] == ""


def test_nobody_else_gets_what_was_typed(
    world: World, offices: Offices, officer_browser: Callable[..., Browser], late: tuple[Browser, Colleague, Page]
) -> None:
    first, _, page = late
    kept = dict(page.form(has="digits").fields)["kept"]
    other, browser = offices.appoint(), officer_browser()
    browser.cookies["__Host-oid"] = offices.open_session(other)
    page = prove(browser, browser.get("/prove"), offices.digits(other), kept=kept)
    assert page.url == f"{SITE}/progress/{world.province}"
    # nor does somebody who has signed in at the first one's browser send it as their own
    form = first.get("/help").form(action="/sign-out")
    first.cookies["__Host-oid"] = browser.cookies["__Host-oid"]
    world.do("UPDATE officer_sessions SET proved_at = proved_at - interval '6 minutes'")
    assert first.send("POST", "/schedule/1/pause", [*form.fields, ("reason", REASON)]).status == 409


def test_passwords_are_typed_at_the_door_alone() -> None:
    """What asks for a proof carries whatever was typed into it."""
    pages = Path(entrance.__file__).parent.glob("*.py")
    assert [path.name for path in pages if "PasswordField" in path.read_text("utf-8")] == ["entrance.py"]


def test_an_appointment_that_ends_is_refused_at_the_next_request(
    officer_browser: Callable[..., Browser], world: World
) -> None:
    browser = officer_browser()
    assert browser.get("/progress").status == 200
    world.do("UPDATE officers SET appointed_until = clock_timestamp()")
    assert browser.get("/progress").status == 403
    assert "周敏" not in browser.page.text
    assert world.value("SELECT act FROM audit ORDER BY id DESC LIMIT 1") == "officer.appointment_over"
    assert browser.get("/progress").url.startswith(f"{SITE}/sign-in")
    assert world.value("SELECT count(*) FROM officer_sessions") == 0


def test_the_two_portals_do_not_know_each_others_sessions(
    world: World, browser: Browser, stranger: Browser, offices: Offices
) -> None:
    candidate, officer = world.activate(world.candidate()), offices.open_session(offices.appoint())
    for name in ("__Host-oid", "__Host-sid"):
        stranger.cookies[name] = candidate
        browser.cookies[name] = officer
    assert stranger.get("/progress").url.startswith(f"{SITE}/sign-in")
    # the candidates' portal has no page of the offices at all
    assert "/progress" not in {str(rule) for rule in browser_rules(browser)}


def browser_rules(browser: Browser) -> list[str]:
    return [href for _, href in browser.get("/help").links]
