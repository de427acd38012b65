"""Every page of the offices' portal, from its URL map: who gets where, and who does not."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import event

from admin import refusals
from admin.browser import Answer, Browser
from admin.officers import ROLES, Role
from admin.pages import OPEN
from app.web.portal import Services
from tests.admin.colleagues import Offices
from tests.admin.pages.scene import Scene, above, keeper, rules
from tests.fixtures import SITE, over_wsgi, statements_of
from tests.makers import World

#: what an officer's page may be asked with besides its address
FORMS = {
    "progress.export": {"table": "counts"},
    "chase.call": {"outcome": "reached", "again": "hour", "batch": "1"},
    "chase.phone": {"reason": "to remind them", "batch": "1"},
    "chase.export": {"batch": "1"},
    "counter.find": {"number": "17430102150001"},
    "counter.identity": {"reason": "the+card+says+otherwise"},
    "counter.approve": {"id_tail": "000000", "reason": "forgotten", "seen": "y"},
    "counter.end_two_codes": {"reason": "found again", "seen": "y", "standing": "lost"},
    "replacing.propose": {"cause": "lost", "reason": "on+the+bus", "id_tail": "000000", "serial": "170100000017"},
    "reopening.propose": {"batch": "1", "document": "no. 3", "digest": "0" * 64, "reason": "ruling", "seen": "y"},
    "stock.propose_destruction": {"reason": "the+end"},
    "transfers.begin": {"receiver": "1", "spans": "170100000017"},
    "transfers.counted": {"act": "count", "counted": "1"},
    "transfers.propose_settling": {"settling": "found", "reason": "counted+again"},
    "handing.handed": {"number": "17430102150001", "id_tail": "000000", "serial": "170100000017"},
    "handing.export": {"table": "register"},
    "acts.approve": {"word": "nothing"},
    "lots.propose_taking_in": {"printed": "1", "delivered": "1", "reason": "no.+12"},
    "lots.propose_quarantine": {"mode": "two_codes", "reason": "copies"},
    "accounts.change": {"reason": "the+end", "standing": "0"},
    "alerts.tend": {"note": "called her", "do": "note"},
    "rooms.decide": {"state": "ended"},
    "schedule.propose": {"at": "2099-06-27+18:00", "reason": "the+line+was+cut"},
    "schedule.cancel": {"act": "1"},
    "creating.propose": {"code": "1-S", "opens_at": "2099-06-27+18:00", "reason": "plans+are+left"},
    "auditing.search": {"act": "card.handed"},
    "seals.propose": {"digits": "00000000", "reason": "verifier"},
}
#: only the province opens a closed batch again
PROVINCES = {"reopening.reopen", "reopening.propose"}
#: the lower of two offices settles no difference; lots, windows and seals are the province's
NOT_A_POINTS = {"transfers.settle", "transfers.propose_settling", "seals.confirm", "seals.propose", *PROVINCES}
NOT_A_POINTS |= {
    f"lots.{name}" for name in ("statement", "propose_taking_in", "quarantine", "propose_quarantine", "holders")
}
NOT_A_POINTS |= {"schedule.ask", "schedule.propose", "schedule.cancel", "creating.ask", "creating.propose"}


def ask(app: Flask, browser: Browser, method: str, address: str, fields: dict[str, str] | None = None) -> Answer:
    """One request without following redirects."""
    body = None
    if method != "GET":
        body = "&".join(f"{name}={value}" for name, value in (fields or {}).items()).encode()
    return over_wsgi(app)(method, SITE + address, browser._headers(body), body)


def tokens(browser: Browser) -> dict[str, str]:
    """What every form of the officer's pages carries."""
    return dict(browser.get("/help").form(action="/sign-out").fields)


def kept(world: World, status: int) -> list[tuple[str, int, str]]:
    """Whom what was refused with such an answer, as the audit has it: role and office, and the page."""
    found = world.rows(
        "SELECT o.role, o.office_id, a.detail ->> 'endpoint' AS endpoint FROM audit a"
        " JOIN officers o ON o.id = a.officer_id"
        " WHERE a.act = 'officer.refused' AND a.detail ->> 'status' = :status ORDER BY a.id",
        status=str(status),
    )
    return [(row["role"], row["office_id"], row["endpoint"]) for row in found]


def test_the_portal_lists_what_is_open(offices_app: Flask) -> None:
    endpoints = {rule.endpoint for rule in offices_app.url_map.iter_rules()}
    assert endpoints >= OPEN
    behind = (
        "accounts.",
        "progress.",
        "counter.",
        "replacing.",
        "stock.",
        "transfers.",
        "handing.",
        "lots.",
        "acts.",
        "alerts.",
        "rooms.",
        "schedule.",
        "creating.",
        "auditing.",
        "seals.",
    )
    assert not any(name.startswith(behind) for name in OPEN)


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
        ("prefecture", ["province", "other prefecture"]),
        ("other prefecture", ["point", "county", "prefecture"]),
        ("its point", ["other county", "point"]),
    ],
)
def test_another_office_does_not_exist(
    offices_app: Flask,
    officer_browser: Callable[..., Browser],
    scene: Scene,
    mine: str,
    foreign: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refusals, "MOST_AN_HOUR", 10_000)
    asked: dict[int, list[tuple[str, int, str]]] = {403: [], 404: []}
    for role in ROLES:
        browser = officer_browser(scene.offices[mine], role)
        token = tokens(browser)
        for rule, method in rules(offices_app):
            # whose page it is not is asked once, and may be told so instead
            own = keeper(rule, "approver") == role
            for name in foreign if own else foreign[:1]:
                if "<int:" not in str(rule) or not scene.knows(rule, name):
                    continue
                fields = token | FORMS.get(rule.endpoint, {})
                status, _, body = ask(offices_app, browser, method, scene.address(rule, name), fields)
                assert status == 404 or (status == 403 and not own), (role, rule, method, name)
                assert "长沙市第二中学".encode() not in body
                asked[status].append((role, scene.offices[mine], rule.endpoint))
    assert len(asked[404]) >= 7
    assert {status: kept(scene.world, status) for status in asked} == asked


#: the gate, as the driver gets it
GATE = re.compile(r"p\.path ~>=~ %\(within\)s AND p\.path ~<~ \(CAST\(%\(within\)s AS text\) \|\| '~'\)")


@pytest.mark.parametrize("mine", ["point", "other county"])
def test_with_a_bug_planted_in_the_gate_the_database_still_shows_nobody_elsewhere(
    offices_app: Flask, officer_browser: Callable[..., Browser], scene: Scene, mine: str
) -> None:
    planted = []

    def forget(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> object:
        statement, found = GATE.subn("CAST(%(within)s AS text) IS NOT NULL", statement)
        planted.append(found)
        return statement, parameters

    database = offices_app.extensions["zhiyuan"].database
    for engine in (database.engine, database.reader):
        event.listen(engine, "before_cursor_execute", forget, retval=True)
    elsewhere = ["sibling point", "its point"] if mine == "point" else ["point", "county"]
    marks = scene.marks(*elsewhere)
    for role in ROLES:
        browser = officer_browser(scene.offices[mine], role)
        token = tokens(browser)
        for rule, method in rules(offices_app):
            for name in elsewhere if "<int:" in str(rule) else elsewhere[:1]:
                if rule.endpoint != "entrance.sign_out" and scene.knows(rule, name):
                    fields = token | FORMS.get(rule.endpoint, {})
                    _, _, body = ask(offices_app, browser, method, scene.address(rule, name), fields)
                    shown = [mark for mark in marks if mark.encode() in body]
                    assert not shown, (role, rule, method, name, shown)
    assert sum(planted) > 20
    # the gate stands open: the office's page is there, and empty
    empty = officer_browser(scene.offices[mine]).get(f"/progress/{scene.offices[elsewhere[0]]}?batch=1")
    assert (empty.status, "0 of 0 have filed or waived" in empty.words) == (200, True)


def test_ones_own_office_and_those_below_exist(
    offices_app: Flask, officer_browser: Callable[..., Browser], scene: Scene
) -> None:
    for mine, names in (("point", ["point"]), ("county", ["county", "point"]), ("province", list(scene.offices))):
        below = "SELECT id FROM offices WHERE :office IN (id, parent_id)"
        near = {row["id"] for row in scene.world.rows(below, office=scene.offices[mine])}
        roles: tuple[Role, ...] = ("approver", "system_admin", "auditor")
        browsers = {role: officer_browser(scene.offices[mine], role) for role in roles}
        for rule, method in rules(offices_app):
            browser = browsers[keeper(rule, "approver")]
            if method != "GET" or "<int:" not in str(rule) or (mine == "point" and above(rule) != mine):
                continue
            for name in names:
                if not scene.knows(rule, name) or (mine == "point" and rule.endpoint in NOT_A_POINTS):
                    continue
                if mine != "province" and rule.endpoint in PROVINCES:
                    continue
                status, _, _ = ask(offices_app, browser, method, scene.address(rule, name))
                # two levels down an account is seen, and kept by somebody else
                kept = rule.endpoint != "accounts.ask" or scene.offices[name] in near
                assert status == (200 if kept else 403), (rule, name)


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
    browsers = {
        (name, role): officer_browser(scene.offices[name], role)
        for name in ("point", "county")
        for role in ("operator", "system_admin", "auditor")
    }
    exempt = {"entrance.sign_in", "entrance.extend", "public.language", "public.appearance", "public.csp_report"}
    for rule, method in rules(offices_app, shut=False):
        if method == "POST" and rule.endpoint not in exempt:
            browser = browsers[above(rule), keeper(rule, "operator")]
            fields = FORMS.get(rule.endpoint, {}) | {"csrf_token": tokens(browser)["csrf_token"]}
            status, _, _ = ask(offices_app, browser, method, scene.address(rule, "point"), fields)
            assert status == (404 if rule.endpoint in NOT_A_POINTS else 409), rule


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


def refused(app: Flask, mine: str) -> dict[Role, set[str]]:
    """What officers of an office may not do with what a point has, by role; what is not theirs at all is 404."""
    pages = {rule.endpoint for rule, _ in rules(app)}

    def of(*names: str) -> set[str]:
        return {page for page in pages if page.startswith(names)}

    def what(page: str, *deeds: str) -> set[str]:
        return {f"{page}.{deed}" for deed in deeds}

    accounts = of("accounts.")
    keeping = accounts - what("accounts", "overview", "one")
    provinces = of("lots.", "reopening.", "creating.") | what("schedule", "ask", "propose", "cancel")
    provinces -= {"lots.overview"}
    reading = what("lots", "holders")
    counter = of("counter.", "chase.", "replacing.")
    deeds = what("transfers", "send", "begin", "counted") | what("stock", "destroy", "propose_destruction")
    deeds |= what("handing", "hand_over", "handed") | what("acts", "approve", "refuse")
    seen = of("stock.", "transfers.", "handing.", "acts.") - what("stock", "own") - deeds
    settling = what("transfers", "settle", "propose_settling")
    seen -= settling | what("acts", "withdraw")
    tending = what("alerts", "tend") | what("rooms", "ask", "decide")
    watching = of("alerts.", "rooms.") - tending
    auditing = of("auditing.")
    nobody = what("acts", "withdraw")  # whose it is not
    if mine == "point":
        nobody |= what("lots", "overview")
        return {
            "operator": nobody | accounts | auditing,
            "approver": nobody | accounts | auditing,
            "auditor": nobody | counter | deeds | tending | keeping,
            "system_admin": nobody | counter | deeds | settling | seen | tending | watching | auditing,
        }
    deeds |= settling
    nobody |= what("handing", "hand_over", "handed")  # a point's
    if mine == "province":
        deeds |= provinces - reading
        seen |= reading | what("lots", "overview")
    else:
        nobody |= what("lots", "overview")
    return {
        "operator": nobody | accounts | auditing | what("rooms", "decide"),
        "approver": nobody | accounts | auditing,
        "auditor": nobody | counter | deeds | tending | keeping,
        # accounts are kept from directly above
        "system_admin": nobody
        | counter
        | deeds
        | seen
        | tending
        | watching
        | auditing
        | (set() if mine == "county" else what("accounts", "ask", "change")),
    }


@pytest.mark.parametrize("mine", ["point", "county", "prefecture", "province"])
def test_what_a_role_may(
    offices_app: Flask,
    officer_browser: Callable[..., Browser],
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    mine: str,
) -> None:
    monkeypatch.setattr(refusals, "MOST_AN_HOUR", 10_000)
    asked = []
    found: dict[Role, set[str]] = {role: set() for role in ROLES}
    for role in ROLES:
        browsers = {name: officer_browser(scene.offices[name], role) for name in {mine, "county"}}
        token = {name: tokens(browser) for name, browser in browsers.items()}
        for rule, method in rules(offices_app):
            if rule.endpoint == "entrance.sign_out":
                continue
            name = above(rule) if mine == "point" else mine
            fields = token[name] | FORMS.get(rule.endpoint, {})
            status, _, _ = ask(offices_app, browsers[name], method, scene.address(rule, "point"), fields)
            assert status in {200, 204, 303, 400, 403, 404, 409, 422}, (rule, method, status)
            if status == 403:
                found[role].add(rule.endpoint)
                asked.append((role, scene.offices[name], rule.endpoint))
    assert kept(scene.world, 403) == asked
    assert found == refused(offices_app, mine)


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
    asked = statements_of(services.database)
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
