"""Every address of the candidates' portal: shut to strangers, deaf to other sites, never cached."""

from collections.abc import Iterator

import pytest
from flask import Flask

from admin.browser import Browser
from app.pages import CANDIDATES, OPEN
from app.web.guard import HEADERS
from tests.fixtures import over_wsgi
from tests.makers import Person, World

VALUES = {"batch": "1", "batch_code": "1", "number": "1", "session": "0", "device": "00", "filename": "zhiyuan.css"}


def addresses(app: Flask, method: str) -> Iterator[tuple[str, str]]:
    """Endpoint and address of every rule that takes `method`, its variables filled in."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if method in (rule.methods or set()) and rule.endpoint != "static":
            yield (
                rule.endpoint,
                adapter.build(rule.endpoint, {name: VALUES.get(name, "1") for name in rule.arguments}, method=method),
            )


def test_the_open_pages_are_pages_of_the_portal(candidates_app: Flask) -> None:
    assert set(OPEN) <= set(candidates_app.view_functions)


def test_a_stranger_is_sent_to_the_door_by_every_page_that_is_not_listed_as_open(
    candidates_app: Flask, browser: Browser
) -> None:
    send = over_wsgi(candidates_app)
    for endpoint, path in addresses(candidates_app, "GET"):
        status, headers, _ = send("GET", path, {}, None)
        location = dict(headers).get("Location", "")
        if endpoint in OPEN:
            assert not location.startswith("/sign-in"), endpoint
        else:
            assert (status, location.split("?")[0]) == (303, "/sign-in"), endpoint


def test_a_post_without_the_forms_token_changes_nothing(
    candidates_app: Flask, signed_in: tuple[Browser, Person], world: World
) -> None:
    world.batch("1")
    browser, _ = signed_in
    before = _rows(world)
    for endpoint, path in addresses(candidates_app, "POST"):
        page = browser.send("POST", path, [])
        assert page.status == (204 if endpoint == "public.csp_report" else 400), endpoint
    assert _rows(world) == before


def test_a_post_sent_by_another_site_is_refused_even_with_a_token(
    candidates_app: Flask, signed_in: tuple[Browser, Person]
) -> None:
    browser, _ = signed_in
    send = over_wsgi(candidates_app)
    cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
    for endpoint, path in addresses(candidates_app, "POST"):
        if endpoint != "public.csp_report":
            assert send("POST", path, {**cookies, "Sec-Fetch-Site": "cross-site"}, b"")[0] == 403, endpoint
            assert send("POST", path, {**cookies, "Origin": "https://evil.example"}, b"")[0] == 403, endpoint


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "TRACE"])
def test_other_methods_are_refused_with_a_page(candidates_app: Flask, method: str) -> None:
    status, headers, body = over_wsgi(candidates_app)(method, "/sign-in", {"Sec-Fetch-Site": "same-origin"}, b"")
    assert status in {400, 405}
    assert b"<h1" in body or method == "TRACE"
    assert dict(headers)["X-Content-Type-Options"] == "nosniff"


def test_every_answer_carries_the_headers_and_no_private_page_is_kept(
    candidates_app: Flask, signed_in: tuple[Browser, Person], world: World
) -> None:
    world.batch("1")
    browser, _ = signed_in
    for path in [path for _, path in addresses(candidates_app, "GET")] + ["/nowhere", "/preferences/9/edit"]:
        page = browser.get(path)
        for name, value in HEADERS.items():
            assert page.header(name) == value, (path, name)
        assert page.header("Cache-Control") == ("public, max-age=60" if path == "/roots.txt" else "no-store"), path
        assert page.status < 500, path


def test_a_host_that_is_not_ours_is_refused(candidates_app: Flask) -> None:
    status, _, _ = over_wsgi(candidates_app)("GET", "/", {"Host": "evil.example"}, None)
    assert status == 400


def test_an_oversize_body_is_refused_and_says_so(candidates_app: Flask, browser: Browser) -> None:
    browser.get("/sign-in")
    answer = browser.send("POST", "/sign-in", [("candidate_no", "1" * 300_000)])
    assert answer.status == 413


def test_a_session_of_one_portal_means_nothing_to_the_other(
    candidates_app: Flask, signed_in: tuple[Browser, Person]
) -> None:
    browser, _ = signed_in
    assert CANDIDATES.session_cookie == "__Host-sid"
    browser.cookies["__Host-oid"] = browser.cookies.pop("__Host-sid")
    assert "/sign-in" in browser.get("/preferences").url


def _rows(world: World) -> dict[str, int]:
    tables = world.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {
        one["tablename"]: world.value(f'SELECT count(*) FROM "{one["tablename"]}"')  # noqa: S608 -- a table's name
        for one in tables
    }
