"""Alerts: seen from the office upwards and never by a school, explained, noted, closed, exported."""

import io
from collections.abc import Callable

import pytest
from python_calamine import CalamineWorkbook

from admin import alerts as deeds
from admin import scope
from admin.alerts import KINDS, Finding
from admin.browser import Browser
from admin.pages.alert_words import WORDS
from app.db import Database
from app.errors import NotFound
from tests.admin.colleagues import Offices
from tests.admin.watch.acts import look, noted
from tests.makers import Person, World


@pytest.fixture
def guessed(world: World) -> Person:
    """A candidate on whose account somebody is guessing, which the watch has found."""
    person = world.candidate(name="李娜")
    world.activate(person)
    noted(world, "code.wrong", person.id, times=300)
    look(world)
    return person


def alert_of(world: World) -> int:
    return int(world.value("SELECT id FROM alerts ORDER BY id LIMIT 1"))


def test_from_the_list_to_the_candidate(world: World, guessed: Person, officer_browser: Callable[..., Browser]) -> None:
    browser = officer_browser(world.county, "approver")
    browser.get("/progress")
    page = browser.click("Alerts")
    assert page.heading == "芙蓉区Alerts"
    assert "长沙市第一中学" in page.words
    page = browser.click("Somebody tries code after code")
    assert "What to do Call the candidate." in page.words
    assert "Wrong codes 300" in page.words
    assert guessed.candidate_no not in page.text
    assert browser.click("李娜").heading == "李娜"


def test_a_note_stays_and_a_reason_closes(
    world: World, guessed: Person, officer_browser: Callable[..., Browser]
) -> None:
    address = f"/alerts/{alert_of(world)}"
    browser = officer_browser(world.county, "operator")
    form = browser.get(address).form(has="note")
    assert "close" not in {value for _, value, _ in form.buttons}
    assert browser.submit(form, {"note": "…"}, button="do", value="note").status == 400
    assert "Being looked into" in browser.submit(form, {"note": "called at noon"}, button="do", value="note").words
    assert browser.submit(form, {"note": "called later"}, button="do", value="note").status == 409
    token = [(name, value) for name, value in browser.get(address).form(has="note").fields if name != "note"]
    assert browser.send("POST", address, [*token, ("note", "it is fine"), ("do", "close")]).status == 403

    approver = officer_browser(world.province, "approver")
    form = approver.get(address).form(has="note")
    page = approver.submit(form, {"note": "her brother, card exchanged"}, button="do", value="close")
    assert "her brother, card exchanged" in page.words
    assert not any("note" in one.names for one in page.forms)
    assert approver.get("/alerts").words.count("Somebody tries") == 0
    assert "Somebody tries" in approver.get("/alerts?state=closed").words
    acts = world.rows("SELECT act, officer_id FROM audit WHERE act LIKE 'alert.%' ORDER BY id")
    assert [one["act"] for one in acts] == ["alert.raised", "alert.noted", "alert.closed"]


def test_nobody_closes_an_alert_about_themselves(world: World, offices: Offices, offices_role: Database) -> None:
    who = offices.visitor(offices.appoint(world.county, "approver"))
    now = world.value("SELECT clock_timestamp()")
    with world.database.transaction() as session:
        facts = {"officer_id": who.officer_id}
        deeds.raise_(session, Finding("activations_officer", world.point, "203.0.113.7", 12, now, facts))
    with pytest.raises(Exception, match="themselves"), scope.transaction(offices_role, who) as session:
        deeds.tend(session, who, alert_of(world), "closed", "it was me", "", world.where())


@pytest.mark.parametrize(
    ("office", "seen"),
    [("province", True), ("prefecture", True), ("county", True), ("point", False), ("other county", False)],
)
def test_who_sees_it(
    world: World, guessed: Person, offices: Offices, offices_role: Database, office: str, seen: bool
) -> None:
    ids = {name: getattr(world, name) for name in ("province", "prefecture", "county", "point")}
    ids["other county"] = world.new_county("430103", "天心区")
    who = offices.visitor(offices.appoint(ids[office], "approver"))
    with scope.reading(offices_role, who) as connection:
        found = deeds.several(connection, who, deeds.Wanted())
        assert len(found) == int(seen)
        # and beneath the gate: a question that forgets to ask
        assert connection.exec_driver_sql("SELECT count(*) FROM alerts").scalar() == int(seen)
        if seen:
            assert [one.id for one in deeds.concerned(connection, found[0])] == [guessed.id]
        else:
            with pytest.raises(NotFound):
                deeds.of(connection, who, alert_of(world))


def test_an_office_sees_its_own_candidates_of_an_alert_only(
    world: World, offices: Offices, offices_role: Database
) -> None:
    ours = world.candidate()
    elsewhere = world.new_point("天心中学", world.new_county("430103", "天心区"))
    theirs = world.candidate(point=elsewhere)
    now = world.value("SELECT clock_timestamp()")
    with world.database.transaction() as session:
        deeds.raise_(session, Finding("filings_device", world.county, "d", 6, now, {}, (ours.id, theirs.id)))
    who = offices.visitor(offices.appoint(world.county))
    with scope.reading(offices_role, who) as connection:
        (shown,) = deeds.several(connection, who, deeds.Wanted())
        assert [one.id for one in deeds.concerned(connection, shown)] == [ours.id]


def test_the_portals_role_raises_and_rewrites_none(world: World, guessed: Person, offices_role: Database) -> None:
    for statement in (
        "INSERT INTO alerts SELECT * FROM alerts",
        "DELETE FROM alerts",
        "UPDATE alerts SET count = 0",
        "UPDATE alerts SET concerned = '{}'",
        "UPDATE rooms SET network = '10.0.0.0/24'",
        "DELETE FROM rooms",
        "UPDATE gauges SET value = 0",
    ):
        with pytest.raises(Exception, match="permission denied"), offices_role.transaction() as session:
            session.connection().exec_driver_sql(statement)


def test_a_list_leaves_after_a_fresh_proof_only_and_is_remembered(
    world: World, guessed: Person, officer_browser: Callable[..., Browser]
) -> None:
    browser = officer_browser(world.county)
    form = browser.get("/alerts").form(action="/alerts/export")
    page = browser.submit(form)
    (title, *_) = rows = CalamineWorkbook.from_filelike(io.BytesIO(page.body)).get_sheet_by_index(0).to_python()
    assert title[0] == "Alerts"
    assert rows[-1][:2] == ["Somebody tries code after code on one account", "长沙市第一中学"]
    assert guessed.candidate_no not in str(rows)
    assert world.value("SELECT count(*) FROM audit WHERE act = 'alerts.exported'") == 1
    world.do("UPDATE officer_sessions SET proved_at = proved_at - interval '6 minutes'")
    assert browser.get("/alerts").form(has="state").method.upper() == "GET"
    assert browser.send("POST", "/alerts/export", form.fields).status == 403


def test_a_list_that_is_none_does_not_exist(world: World, officer_browser: Callable[..., Browser]) -> None:
    browser = officer_browser(world.province)
    for query in ("state=gone", "kind=gone", "page=0", "page=x", "page=99999999999999999999"):
        assert browser.get(f"/alerts?{query}").status == 404
    assert "There is nothing to do." in browser.get("/alerts?kind=clock&page=3").words
    assert officer_browser(world.point).get("/alerts").status == 404


def test_every_kind_is_explained() -> None:
    assert set(WORDS) == set(KINDS)
