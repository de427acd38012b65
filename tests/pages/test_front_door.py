"""What holds for every request to the candidates' portal: headers, forms, sizes, methods."""

import logging
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from werkzeug.test import Client, TestResponse

from admin.browser import Browser
from app import create_app
from app.pages import CANDIDATES
from app.web.guard import HEADERS
from tests.fixtures import SITE, over_wsgi
from tests.makers import Person, World
from tests.pages.walks import (
    dump,
    in_english,
    shared_app,  # noqa: F401 -- a fixture
    shared_world,  # noqa: F401 -- a fixture
    sign_in,
)

OPEN = ["/", "/help", "/privacy", "/activate", "/sign-in", "/sign-in/card", "/reset", "/signed-out", "/live", "/ready"]
OWN = ["/account", "/account/password", "/card", "/card/bind", "/card/lost"]
POSTS = [
    "/activate",
    "/activate/codes",
    "/sign-in",
    "/sign-in/card",
    "/reset",
    "/sign-out",
    "/session/extend",
    "/account/password",
    "/account/not-me",
    "/account/sessions/end",
    "/account/devices/forget",
    "/card/bind",
    "/card/lost",
    "/language",
    "/appearance",
]


@pytest.fixture(scope="module")
def person(world: World) -> Person:
    made = world.candidate()
    world.activate(made)
    return made


@pytest.fixture(scope="module")
def at_home(candidates_app: Flask, person: Person) -> Browser:
    """A browser in which `person` is signed in."""
    browser = Browser(over_wsgi(candidates_app), SITE)
    sign_in(browser, person.candidate_no, person.password)
    return browser


@pytest.fixture
def ask(candidates_app: Flask) -> Callable[..., TestResponse]:
    """A function that sends a request as it is."""
    client = Client(candidates_app, use_cookies=False)

    def send(method: str, path: str, **more: Any) -> TestResponse:
        return client.open(path, base_url=SITE, method=method, **more)

    return send


def cookies(browser: Browser) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}


def token(browser: Browser) -> str:
    return dict(browser.get("/help").form(action="language").fields)["csrf_token"]


def check_headers(answer: TestResponse) -> None:
    for name, value in HEADERS.items():
        assert answer.headers[name] == value, (name, answer.request.path)
    assert answer.headers["Cache-Control"] == "no-store"
    assert re.fullmatch(r"[0-9a-f]{12}", answer.headers["X-Request-Id"])
    assert "Server" not in answer.headers
    for cookie in answer.headers.getlist("Set-Cookie"):
        assert cookie.startswith("__Host-")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
        assert "Domain" not in cookie


def test_every_answer_carries_the_headers_errors_too(ask: Callable[..., TestResponse], at_home: Browser) -> None:
    for path in [*OPEN, *OWN, "/nothing-here", "/sign-out"]:
        check_headers(ask("GET", path))
        check_headers(ask("GET", path, headers=cookies(at_home)))
    for path in POSTS:
        check_headers(ask("POST", path))
        check_headers(ask("POST", path, headers=cookies(at_home)))
    check_headers(ask("DELETE", "/sign-in"))
    check_headers(ask("POST", "/sign-in", data=b"x" * 300_000, content_type="application/x-www-form-urlencoded"))


def test_pages_of_ones_own_lead_strangers_to_signing_in(ask: Callable[..., TestResponse]) -> None:
    for path in OWN:
        answer = ask("GET", path)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/sign-in?next={path}")


@pytest.mark.parametrize("path", POSTS)
def test_without_the_forms_token_nothing_happens(
    ask: Callable[..., TestResponse], world: World, at_home: Browser, path: str
) -> None:
    before = dump(world)
    answer = ask("POST", path, headers=cookies(at_home), data={"number": "17430102150001", "mark": "x"})
    assert answer.status_code == 400
    assert b"<h1>" in answer.data
    assert dump(world) == before


@pytest.mark.parametrize(
    "header",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_post_from_another_site_is_refused_whatever_it_carries(
    ask: Callable[..., TestResponse], at_home: Browser, header: dict[str, str]
) -> None:
    data = {"csrf_token": token(at_home)}
    statuses = [ask("POST", path, headers=cookies(at_home) | header, data=data).status_code for path in POSTS]
    assert set(statuses) == {403}


def test_a_post_without_any_word_of_the_browser_needs_the_token_alone(
    ask: Callable[..., TestResponse], at_home: Browser
) -> None:
    answer = ask("POST", "/session/extend", headers=cookies(at_home), data={"csrf_token": token(at_home)})
    assert answer.status_code == 204


def test_reading_changes_nothing(ask: Callable[..., TestResponse], world: World, at_home: Browser) -> None:
    before = dump(world)
    for path in {*OPEN, *OWN} - {"/ready"}:  # which writes where nothing else is kept, to see that it can
        assert ask("GET", path, headers=cookies(at_home)).status_code in {200, 303}
    assert dump(world) == before


def test_a_body_too_large_for_any_form_is_refused(ask: Callable[..., TestResponse], at_home: Browser) -> None:
    body = urlencode({"csrf_token": token(at_home), "password": "x" * 300_000}).encode()
    for path in ("/sign-in", "/activate", "/account/password"):
        answer = ask(
            "POST", path, headers=cookies(at_home), data=body, content_type="application/x-www-form-urlencoded"
        )
        assert answer.status_code == 413


@pytest.mark.parametrize(
    "path", ["/sign-in", "/activate", "/reset", "/account/password", "/card/bind", "/account/not-me"]
)
def test_a_field_sent_twice_is_refused_not_chosen_between(
    ask: Callable[..., TestResponse], at_home: Browser, path: str
) -> None:
    body = urlencode([("csrf_token", token(at_home)), ("number", "1"), ("number", "2")])
    answer = ask("POST", path, headers=cookies(at_home), data=body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 400


def test_another_host_is_refused(candidates_app: Flask) -> None:
    client = Client(candidates_app, use_cookies=False)
    assert client.get("/", base_url="https://evil.example").status_code == 400


def test_a_wrong_method_is_told_the_right_one(ask: Callable[..., TestResponse]) -> None:
    answer = ask("DELETE", "/sign-in")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_a_refusal_is_written_down_with_who_whence_what_and_why(
    ask: Callable[..., TestResponse], at_home: Browser, person: Person, caplog: pytest.LogCaptureFixture
) -> None:
    home, here, note = cookies(at_home), {"REMOTE_ADDR": "203.0.113.7"}, "zhiyuan.refusals"
    with caplog.at_level(logging.INFO, note):
        answers = [
            ask("GET", "/filings/1/7?code=1", headers=home, environ_base=here),
            ask("POST", "/card/lost", headers=home, environ_base=here),
            ask("POST", "/sign-out", headers=home | {"Sec-Fetch-Site": "cross-site"}, environ_base=here),
            ask("DELETE", "/sign-in", environ_base=here),
            ask("GET", "/nothing-here", environ_base=here),
        ]
    lines = [vars(record) for record in caplog.records if record.name == note]
    who = str(person.id)
    assert [
        (line["visitor"], line["method"], line["path"], line["endpoint"], line["status"], line["reason"], line["cause"])
        for line in lines
    ] == [
        (who, "GET", "/filings/1/7", "archive.receipt", 404, "not_found", "no batch 1"),
        (who, "POST", "/card/lost", "card.report_lost", 400, "out_of_date", "The CSRF token is missing."),
        (who, "POST", "/sign-out", "account.sign_out", 403, "not_allowed", "sent by another site"),
        (None, "DELETE", "/sign-in", None, 405, "method", "Method Not Allowed"),
        (None, "GET", "/nothing-here", None, 404, "not_found", "Not Found"),
    ]
    assert [line["request_id"] for line in lines] == [one.headers["X-Request-Id"] for one in answers]
    assert {(line["portal"], line["ip"]) for line in lines} == {("candidates", "203.0.113.7")}


def test_the_name_of_a_request_is_the_proxys_where_there_is_one(world: World, candidates_app: Flask) -> None:
    behind = create_app(world.settings.model_copy(update={"behind_proxy": True}), CANDIDATES)
    for app, given, taken in (
        (behind, "0123456789ab", True),
        (behind, "0123456789ab\x1b[2J", False),
        (behind, "", False),
        (candidates_app, "0123456789ab", False),
    ):
        answer = Client(app).get("/nothing-here", base_url=SITE, headers={"X-Request-Id": given})
        assert (answer.headers["X-Request-Id"] == given) is taken
        assert re.fullmatch(r"[0-9a-f]{12}", answer.headers["X-Request-Id"])
    behind.extensions["zhiyuan"].database.dispose()


def test_a_cookie_of_the_offices_is_none_of_ours(browser: Browser, person: Person, world: World) -> None:
    session = world.door.sign_in(person.candidate_no, person.password, world.where())
    browser.cookies["__Host-oid"] = getattr(session, "session_id", "")
    assert browser.get("/account").url.startswith(f"{SITE}/sign-in")


def test_a_flood_from_one_network_is_slowed_down_with_a_page(
    world: World, new_browser: Callable[[], Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.limits.SIGN_IN_FLOOD", 3)
    browser = in_english(new_browser())
    statuses = [sign_in(browser, "17430102153333", "a wrong password 1").status for _ in range(4)]
    assert 429 in statuses
    assert "Many people are using this network" in browser.page.words
    assert browser.page.header("Retry-After") == "60"
