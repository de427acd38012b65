"""Every page of the offices' portal, from its URL map: who gets where, and who does not."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import event
from werkzeug.routing import Rule

from admin.browser import Answer, Browser
from admin.officers import ROLES
from admin.pages import OPEN
from app.web.portal import Services
from tests.admin.colleagues import Offices
from tests.fixtures import SITE, over_wsgi
from tests.makers import World

#: what an officer's page may be asked with besides its address
FORMS = {
    "progress.export": {"table": "counts"},
    "counter.find": {"number": "17430102150001"},
    "counter.approve": {"id_tail": "000000", "reason": "forgotten", "seen": "y"},
    "counter.end_two_codes": {"reason": "found again", "seen": "y", "standing": "lost"},
}


@dataclass
class Scene:
    """A county with two points, a second county, a second prefecture; a candidate at each point."""

    world: World
    offices: dict[str, int]
    candidates: dict[str, int]

    def address(self, rule: Rule, name: str) -> str:
        """The address of a page about that office, or that point's candidate."""
        candidate = self.candidates.get(name, 0)
        address = re.sub(r"<int:candidate>", str(candidate), str(rule))
        return re.sub(r"<int:office>", str(self.offices[name]), address)


@pytest.fixture
def scene(world: World) -> Scene:
    offices = {"province": world.province, "prefecture": world.prefecture, "county": world.county}
    offices |= {"point": world.point, "sibling point": world.new_point("长沙市第二中学")}
    offices["other county"] = world.new_county("430103", "天心区")
    offices["its point"] = world.new_point("天心中学", offices["other county"])
    world.batch("1")
    people = {name: world.candidate(point=offices[name]) for name in offices if "point" in name}
    for person in people.values():
        world.activate(person)
    return Scene(world, offices, {name: person.id for name, person in people.items()})


def rules(app: Flask, *, shut: bool = True) -> Iterator[tuple[Rule, str]]:
    """Every address with each of its methods; only those behind the sign-in unless asked otherwise."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "static" or (shut and rule.endpoint in OPEN):
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, method


def ask(app: Flask, browser: Browser, method: str, address: str, fields: dict[str, str] | None = None) -> Answer:
    """One request without following redirects."""
    body = None
    if method != "GET":
        body = "&".join(f"{name}={value}" for name, value in (fields or {}).items()).encode()
    return over_wsgi(app)(method, SITE + address, browser._headers(body), body)


def tokens(browser: Browser) -> dict[str, str]:
    """What every form of the officer's pages carries."""
    return dict(browser.get("/help").form(action="/sign-out").fields)


def test_the_portal_lists_what_is_open(offices_app: Flask) -> None:
    endpoints = {rule.endpoint for rule in offices_app.url_map.iter_rules()}
    assert endpoints >= OPEN
    assert not any(name.startswith(("progress.", "counter.")) for name in OPEN)


def test_a_stranger_is_sent_to_the_sign_in(offices_app: Flask, stranger: Browser, scene: Scene) -> None:
    form = dict(stranger.get("/sign-in").form(action="/sign-in").fields)
    asked = 0
    for rule, method in rules(offices_app):
        status, headers, _ = ask(offices_app, stranger, method, scene.address(rule, "point"), form)
        assert status == 303, rule
        assert dict(headers)["Location"].startswith("/sign-in"), rule
        asked += 1
    assert asked >= 12


@pytest.mark.parametrize(
    ("mine", "foreign"),
    [
        ("point", ["sibling point", "county", "prefecture", "province", "its point"]),
        ("county", ["prefecture", "province", "other county", "its point"]),
        ("its point", ["other county", "point"]),
    ],
)
def test_another_office_does_not_exist(
    offices_app: Flask,
    officer_browser: Callable[..., Browser],
    scene: Scene,
    mine: str,
    foreign: list[str],
) -> None:
    browser = officer_browser(scene.offices[mine], "approver")
    token = tokens(browser)
    asked = 0
    for rule, method in rules(offices_app):
        if "<int:" not in str(rule):
            continue
        for name in foreign:
            if "<int:candidate>" in str(rule) and name not in scene.candidates:
                continue
            fields = token | FORMS.get(rule.endpoint, {})
            status, _, body = ask(offices_app, browser, method, scene.address(rule, name), fields)
            assert status == 404, (rule, method, name)
            assert "长沙市第二中学".encode() not in body
            asked += 1
    assert asked >= 7


def test_ones_own_office_and_those_below_exist(
    offices_app: Flask, officer_browser: Callable[..., Browser], scene: Scene
) -> None:
    for mine, names in (("point", ["point"]), ("county", ["county", "point"]), ("province", list(scene.offices))):
        browser = officer_browser(scene.offices[mine], "approver")
        for rule, method in rules(offices_app):
            if method != "GET" or "<int:" not in str(rule):
                continue
            for name in names:
                if "<int:candidate>" in str(rule) and name not in scene.candidates:
                    continue
                status, _, _ = ask(offices_app, browser, method, scene.address(rule, name))
                assert status == 200, (rule, name)


def test_no_deed_without_the_forms_token(
    offices_app: Flask, officer_browser: Callable[..., Browser], scene: Scene
) -> None:
    browser = officer_browser(scene.world.point)
    for rule, method in rules(offices_app, shut=False):
        if method == "POST" and rule.endpoint != "public.csp_report":
            fields = FORMS.get(rule.endpoint, {}) | {"mark": tokens(browser)["mark"]}
            status, _, _ = ask(offices_app, browser, method, scene.address(rule, "point"), fields)
            assert status == 400, rule


def test_no_deed_without_the_sessions_mark(
    offices_app: Flask, officer_browser: Callable[..., Browser], scene: Scene
) -> None:
    browser = officer_browser(scene.world.point)
    token = {"csrf_token": tokens(browser)["csrf_token"]}
    exempt = {"entrance.sign_in", "entrance.extend", "public.language", "public.appearance", "public.csp_report"}
    for rule, method in rules(offices_app, shut=False):
        if method == "POST" and rule.endpoint not in exempt:
            fields = FORMS.get(rule.endpoint, {}) | token
            status, _, _ = ask(offices_app, browser, method, scene.address(rule, "point"), fields)
            assert status == 409, rule


def test_no_deed_from_another_site(offices_app: Flask, officer_browser: Callable[..., Browser], scene: Scene) -> None:
    browser = officer_browser(scene.world.point)
    token = tokens(browser)
    for rule, method in rules(offices_app, shut=False):
        if method == "POST" and rule.endpoint != "public.csp_report":
            body = "&".join(f"{name}={value}" for name, value in token.items()).encode()
            headers = browser._headers(body) | {"Sec-Fetch-Site": "cross-site"}
            status, _, _ = over_wsgi(offices_app)("POST", SITE + scene.address(rule, "point"), headers, body)
            assert status == 403, rule


def test_no_address_takes_another_method(
    offices_app: Flask, officer_browser: Callable[..., Browser], scene: Scene
) -> None:
    browser = officer_browser(scene.world.point)
    token = tokens(browser)
    allowed: dict[str, set[str]] = {}
    for rule, method in rules(offices_app, shut=False):
        allowed.setdefault(scene.address(rule, "point"), set()).add(method)
    for address, methods in allowed.items():
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - methods:
            status, headers, _ = ask(offices_app, browser, method, address, token)
            assert status in ({405, 400} if method != "GET" else {405}), (address, method)
            if status == 405:
                assert methods <= set(dict(headers)["Allow"].split(", "))


def test_what_a_role_may(offices_app: Flask, officer_browser: Callable[..., Browser], scene: Scene) -> None:
    refused: dict[str, set[str]] = {role: set() for role in ROLES}
    for role in ROLES:
        browser = officer_browser(scene.world.point, role)
        for rule, method in rules(offices_app):
            if rule.endpoint == "entrance.sign_out":
                continue
            fields = tokens(browser) | FORMS.get(rule.endpoint, {})
            status, _, _ = ask(offices_app, browser, method, scene.address(rule, "point"), fields)
            assert status in {200, 204, 303, 400, 403, 409, 422}, (rule, method, status)
            if status == 403:
                refused[role].add(rule.endpoint)
    counter = {"counter.look_up", "counter.find", "counter.candidate", "counter.reset", "counter.approve"}
    counter |= {"counter.two_codes_asked", "counter.end_two_codes"}
    assert refused == {"operator": set(), "approver": set(), "auditor": counter, "system_admin": counter}


def test_every_answer_carries_the_headers(
    offices_app: Flask, officer_browser: Callable[..., Browser], scene: Scene
) -> None:
    browser = officer_browser(scene.world.point)
    for rule, method in rules(offices_app, shut=False):
        _, headers, _ = ask(offices_app, browser, method, scene.address(rule, "point"))
        found = dict(headers)
        kept = "public, max-age=60" if rule.endpoint == "roots.plain" else "no-store"
        assert found["Cache-Control"] == kept, rule
        assert "default-src 'none'" in found["Content-Security-Policy"], rule
        assert "unsafe" not in found["Content-Security-Policy"], rule


def test_no_page_of_the_portal_touches_a_list(
    offices_app: Flask, officer_browser: Callable[..., Browser], offices: Offices, scene: Scene
) -> None:
    """Every address and method once, with good forms: not one statement writes, or reads, what was filed."""
    services: Services = offices_app.extensions["zhiyuan"]
    asked: list[str] = []
    event.listen(
        services.database.engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_rest: asked.append(statement),
    )
    browser = officer_browser(scene.world.point)
    before = scene.world.rows("SELECT (SELECT count(*) FROM drafts), (SELECT count(*) FROM filings)")
    for rule, method in sorted(rules(offices_app), key=lambda one: one[0].endpoint == "entrance.sign_out"):
        fields = tokens(browser) | FORMS.get(rule.endpoint, {})
        ask(offices_app, browser, method, scene.address(rule, "point"), fields)
    assert len(asked) > 30
    listed = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM)\s+(drafts|filings|challenges|bindings|card_uses)")
    assert [statement for statement in asked if listed.search(statement)] == []
    assert [statement for statement in asked if re.search(r"\bcontent\b", statement)] == []
    assert scene.world.rows("SELECT (SELECT count(*) FROM drafts), (SELECT count(*) FROM filings)") == before
