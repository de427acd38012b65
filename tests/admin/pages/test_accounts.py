"""Accounts of officers on pages: who keeps whose, what is shown once, what ends at once, and the layer beneath."""

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from admin import accounts, appointments, scope
from admin.accounts import Listed, Wanted
from admin.appointments import Appointment, Password
from admin.browser import Browser, Page
from admin.officers import Role, Visitor
from admin.spans import Span, serial_of
from app.db import Database
from app.errors import NotAllowed
from app.web.formats import ZONE
from tests.admin.colleagues import PASSWORD, Colleague, Offices, sign_in
from tests.admin.keepers import Keepers
from tests.makers import World

TODAY = datetime.now(UTC).astimezone(ZONE).date()
DRAWN = re.compile(r"\b(?:[A-Za-z2-9]{4}-){3}[A-Za-z2-9]{4}\b")
KEY = re.compile(r"\b(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}\b")
DEEDS = ("extend", "end", "password", "factor")


@pytest.fixture
def county(world: World, officer_browser: Callable[..., Browser]) -> Browser:
    """The system administrator of a county."""
    return officer_browser(world.county, "system_admin")


def make(browser: Browser, office: int, **typed: str) -> Page:
    """Fill in the form of a new account."""
    values = {"office": str(office), "name": "李雷", "role": "operator", "login": "li.lei", "reason": "letter no. 12"}
    values["until"] = str(TODAY + timedelta(days=60))
    return browser.submit(browser.get("/accounts/new").form(has="login"), values | typed)


def change(browser: Browser, who: Colleague, deed: str, **typed: str) -> Page:
    """Fill in the form of a change."""
    form = browser.get(f"/accounts/{who.id}/{deed}").form(action=f"/accounts/{who.id}")
    return browser.submit(form, {"reason": "letter no. 13"} | typed)


def entry(world: World, act: str) -> dict[str, object]:
    """The one entry of an act that an officer did."""
    found = world.rows("SELECT officer_id, detail FROM audit WHERE act = :act AND actor = 'officer'", act=act)
    assert len(found) == 1
    return {"by": found[0]["officer_id"], **found[0]["detail"]}


# --- making ---------------------------------------------------------------------------------------------


def test_an_account_from_its_slip_to_the_first_sign_in(
    world: World, county: Browser, stranger: Browser, offices: Offices
) -> None:
    page = make(county, world.point)
    assert page.status == 200
    given, key = DRAWN.findall(page.words), KEY.findall(page.words)
    assert (len(given), len(key)) == (1, 1)
    assert '<svg viewBox="0 0 ' in page.text
    assert "style=" not in page.text
    assert "Address of the site localhost Login" in page.words
    row = world.rows("SELECT * FROM officers WHERE login = 'li.lei'")[0]
    assert row["office_id"] == world.point
    assert row["appointed_by"] == world.value("SELECT id FROM officers WHERE role = 'system_admin'")
    assert row["appointed_until"].astimezone(ZONE).date() == TODAY + timedelta(days=61)
    noted = entry(world, "officer.appointed")
    assert (noted["by"], noted["account"], noted["reason"]) == (row["appointed_by"], row["id"], "letter no. 12")

    who = Colleague(row["id"], "li.lei", world.point, "operator", key[0].replace(" ", ""), given[0])
    page = sign_in(stranger, who, offices.digits(who))
    assert page.url.endswith("/password")
    assert stranger.get("/progress").url.endswith("/password")
    page = stranger.submit(page.form(has="old"), {"old": given[0], "new": PASSWORD, "again": PASSWORD})
    assert "Your new password is in force." in page.words
    assert world.value("SELECT signed_in_at IS NOT NULL FROM officers WHERE login = 'li.lei'")
    assert "set up" in county.get(f"/accounts/{who.id}").words


def test_a_slip_is_shown_once_and_kept_nowhere(
    world: World, county: Browser, offices: Offices, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    who = offices.appoint(world.point)
    form = county.get("/accounts/new").form(has="login")
    values = {"office": str(world.point), "name": "李雷", "role": "operator", "login": "li.lei", "reason": "no. 12"}
    values["until"] = str(TODAY)
    slips = [county.submit(form, values)]
    assert county.submit(form, values).status == 422  # reload
    for deed in ("password", "factor"):
        form = county.get(f"/accounts/{who.id}/{deed}").form(action=f"/accounts/{who.id}")
        slips.append(county.submit(form, {"reason": "forgotten"}))
        assert county.submit(form, {"reason": "forgotten"}).status == 409
    secrets = [found for page in slips for found in (*DRAWN.findall(page.words), *KEY.findall(page.words))]
    assert len(secrets) == 4
    for page in slips:
        assert page.status == 200
        assert page.header("Cache-Control") == "no-store"
    kept = world.value("SELECT (SELECT json_agg(o) FROM officers o)::text || (SELECT json_agg(a) FROM audit a)::text")
    logged = "".join(str(record.__dict__) for record in caplog.records)
    pages = [county.get(address).text for address in ("/accounts", f"/accounts/{who.id}", "/accounts/new")]
    for secret in secrets:
        for shape in (secret, secret.replace(" ", "")):
            assert all(shape not in place for place in (kept, logged, *pages, *(page.url for page in slips)))


def test_what_is_wrong_is_said_and_makes_nothing(world: World, county: Browser, offices: Offices) -> None:
    offices.appoint(world.point, login="taken")
    for typed, words in (
        ({"login": "Li Lei"}, "Use 3 to 32 small letters"),
        ({"login": "taken"}, "This login is taken."),
        ({"until": "2017-06-01"}, "Choose a day from today on, at most 399 days ahead."),
        ({"until": str(TODAY + timedelta(days=400))}, "Choose a day from today on, at most 399 days ahead."),
        ({"until": ""}, "Enter the last day."),
        ({"role": ""}, "Choose one role."),
        ({"reason": ""}, "Write why"),
        ({"name": "周敏"}, "One person has one account and one role."),
    ):
        page = make(county, world.point, **typed)
        assert page.status in {400, 422}
        assert words in page.words
    assert world.value("SELECT count(*) FROM officers") == 2


def test_somebody_else_of_the_same_name_is_appointed_once_that_is_said(
    world: World, county: Browser, offices: Offices
) -> None:
    offices.appoint(world.point)
    page = make(county, world.point, name="周敏")
    form = page.form(has="login")
    page = county.submit(form, {"another": "y"})
    assert page.status == 200
    assert entry(world, "officer.appointed")["namesake"] == "officer2"


# --- who keeps whose ------------------------------------------------------------------------------------


def test_accounts_are_kept_from_directly_above_and_at_home(
    world: World, officer_browser: Callable[..., Browser], offices: Offices, caplog: pytest.LogCaptureFixture
) -> None:
    """The matrix: whose system administrator may change which account; every other answer changes nothing."""
    places = {"province": world.province, "prefecture": world.prefecture, "county": world.county, "point": world.point}
    people = {
        (level, role): offices.appoint(places[level], role) for level in places for role in ("operator", "system_admin")
    }
    mine = {
        "province": {("province", "operator"), ("prefecture", "operator"), ("prefecture", "system_admin")},
        "county": {("county", "operator"), ("point", "operator"), ("point", "system_admin")},
        "point": {("point", "operator")},
    }
    order = list(places)
    before = world.rows(
        "SELECT * FROM officers WHERE id <= :last ORDER BY id", last=max(one.id for one in people.values())
    )
    with caplog.at_level(logging.INFO, "zhiyuan.refusals"):
        for level, kept in mine.items():
            browser = officer_browser(places[level], "system_admin")
            mark = browser.get("/help").form(action="/sign-out").fields
            for (where, role), who in people.items():
                within = order.index(where) >= order.index(level)
                expected = 200 if (where, role) in kept else 403 if within else 404
                for deed in DEEDS:
                    assert browser.get(f"/accounts/{who.id}/{deed}").status == expected, (level, where, role, deed)
                    if expected != 200:
                        fields = [*mark, ("reason", "letter"), ("until", str(TODAY)), ("standing", "")]
                        assert browser.send("POST", f"/accounts/{who.id}/{deed}", fields).status == expected
    after = world.rows(
        "SELECT * FROM officers WHERE id <= :last ORDER BY id", last=max(one.id for one in people.values())
    )
    assert after == before
    refused = {(record.reason, record.path) for record in caplog.records}  # type: ignore[attr-defined]
    assert ("not_allowed", f"/accounts/{people['point', 'operator'].id}/end") in refused
    assert ("not_found", f"/accounts/{people['province', 'operator'].id}/end") in refused


def test_nobody_is_appointed_elsewhere_nor_as_ones_own_equal(world: World, county: Browser) -> None:
    other = world.new_county("430103", "天心区")
    for office in (world.prefecture, other, world.new_point("天心中学", other), 10**12):
        assert make(county, office, login=f"x{office}").status == 404
    assert make(county, world.county, role="system_admin", login="equal").status == 400
    assert "appointed by the office above" in county.page.words
    assert world.value("SELECT count(*) FROM officers") == 1
    assert make(county, world.point, role="system_admin", login="below").status == 200


@pytest.mark.parametrize("role", ["operator", "approver", "auditor"])
def test_other_roles_keep_no_accounts(
    world: World, officer_browser: Callable[..., Browser], offices: Offices, role: str
) -> None:
    who = offices.appoint(world.point)
    browser = officer_browser(world.county, role)
    assert browser.get("/accounts/new").status == 403
    assert (
        browser.get("/accounts").status
        == browser.get(f"/accounts/{who.id}").status
        == (200 if role == "auditor" else 403)
    )
    mark = browser.get("/help").form(action="/sign-out").fields
    for address in ("/accounts/new", *(f"/accounts/{who.id}/{deed}" for deed in DEEDS)):
        assert browser.send("POST", address, mark).status == 403


def test_every_change_asks_for_a_fresh_proof(world: World, county: Browser, offices: Offices) -> None:
    who = offices.appoint(world.point)
    forms = [county.get(f"/accounts/{who.id}/{deed}").form(action=f"/accounts/{who.id}") for deed in DEEDS]
    forms.append(county.get("/accounts/new").form(has="login"))
    world.do("UPDATE officer_sessions SET proved_at = proved_at - interval '6 minutes'")
    for form in forms:
        assert county.submit(form, {"reason": "letter", "until": str(TODAY)}).status == 403
        assert "/prove?" in county.get(form.action).url


# --- what a change does ---------------------------------------------------------------------------------


def test_an_ended_account_is_signed_out_at_the_next_request(
    world: World, county: Browser, officer_browser: Callable[..., Browser], stranger: Browser, offices: Offices
) -> None:
    who = offices.appoint(world.point)
    school = officer_browser(world.point)
    school.cookies["__Host-oid"] = offices.open_session(who)
    assert school.get("/progress").status == 200
    assert "Done. It is in force now." in change(county, who, "end").words
    assert school.get("/progress").url.endswith("/sign-in?next=/progress")
    noted = entry(world, "officer.ended")
    assert (noted["account"], noted["reason"]) == (who.id, "letter no. 13")
    assert "This appointment has ended" in county.get(f"/accounts/{who.id}").words
    assert "do not fit together" in sign_in(stranger, who, offices.digits(who)).words
    change(county, who, "extend", until=str(TODAY))
    assert sign_in(stranger, who, offices.digits(who)).url.endswith(f"/progress/{world.point}")


def test_what_an_officer_proposed_dies_with_the_appointment(
    world: World, county: Browser, officer_browser: Callable[..., Browser], keepers: Keepers
) -> None:
    person = world.candidate()
    world.activate(person)
    span = keepers.take_in("1701", 20)
    keepers.bring(world.point, Span(span.first, span.first + 9))
    proposer = keepers.at(world.point)
    act = keepers.ask_replacement(proposer, person, serial_of(span.first))
    approver = officer_browser(world.point, "approver")
    form = approver.get(f"/acts/{act}").form(action="/approve")
    who = Colleague(proposer.officer_id, proposer.login, world.point, "operator", "")
    change(county, who, "end")
    word = world.value("SELECT word FROM proposals WHERE id = :id", id=act)
    assert approver.submit(form, {"word": word}).status == 403
    assert world.value("SELECT decision FROM proposals WHERE id = :id", id=act) is None


def test_new_credentials_end_the_session_and_make_the_old_ones_void(
    world: World, county: Browser, stranger: Browser, offices: Offices
) -> None:
    who = offices.appoint(world.point)
    session = offices.open_session(who)
    key = KEY.findall(change(county, who, "factor").words)[0].replace(" ", "")
    assert world.value("SELECT count(*) FROM officer_sessions WHERE officer_id = :id", id=who.id) == 0
    assert session
    assert "not yet used" in county.get(f"/accounts/{who.id}").words
    assert "do not fit together" in sign_in(stranger, who, offices.digits(who)).words
    who.totp_secret = key
    assert sign_in(stranger, who, offices.digits(who)).url.endswith("/progress/" + str(world.point))
    who.password = DRAWN.findall(change(county, who, "password").words)[0]
    assert stranger.get("/progress").url.endswith("/sign-in?next=/progress")
    world.do("UPDATE officers SET totp_step = 1 WHERE id = :id", id=who.id)
    assert sign_in(stranger, who, offices.digits(who)).url.endswith("/password")
    acts = world.rows("SELECT act FROM audit WHERE detail ->> 'reason' = 'letter no. 13' ORDER BY id")
    assert [one["act"] for one in acts] == ["officer.second_factor_reset", "officer.password_reset"]


def test_a_form_made_before_another_change_is_out_of_date(world: World, county: Browser, offices: Offices) -> None:
    who = offices.appoint(world.point)
    form = county.get(f"/accounts/{who.id}/extend").form(action="/extend")
    change(county, who, "end")
    assert county.submit(form, {"reason": "letter", "until": str(TODAY)}).status == 409
    assert world.value("SELECT appointed_until <= clock_timestamp() FROM officers WHERE id = :id", id=who.id)


# --- the list -------------------------------------------------------------------------------------------


def test_the_list_begins_with_what_ends_soonest_and_goes_on(
    world: World, offices: Offices, county: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "AT_ONCE", 2)
    now = datetime.now(UTC)
    for days in (50, 3, 20):
        offices.appoint(world.point, login=f"in{days}", until=now + timedelta(days=days))
    offices.appoint(world.point, login="over", until=now - timedelta(days=1))
    offices.appoint(world.prefecture, login="higher")
    logins = re.compile(r"\b(in\d+|over|higher|officer\d)\b")
    assert logins.findall(county.get("/accounts").words) == ["in3", "in20"]
    assert logins.findall(county.click("Next").words) == ["officer1", "in50"]
    assert not any(label == "Next" for label, _ in county.page.links)
    assert logins.findall(county.get("/accounts?state=ended").words) == ["over"]
    assert logins.findall(county.get("/accounts?q=IN2").words) == ["in20"]
    assert "No account of this kind." in county.get("/accounts?q=%25").words
    assert "No account of this kind." in county.get("/accounts?state=unused").words
    for bad in ("state=x", "after=x", "after=" + "9" * 30, "q=%00"):
        assert county.get(f"/accounts?{bad}").status == 404


def test_five_thousand_accounts_come_in_pages(world: World, offices: Offices, offices_role: Database) -> None:
    visitor = offices.visitor(offices.appoint(role="system_admin"))
    world.do(
        """
        INSERT INTO officers (login, name, office_id, role, password, totp_sealed, appointed_until, created_at)
        SELECT 'many' || n, '周敏', :point, 'operator', '', '', now() + n * interval '1 minute', now()
        FROM generate_series(1, 5000) n
    """,
        point=world.point,
    )
    seen: list[str] = []
    listed = Listed([], 0, None)
    with scope.reading(offices_role, visitor) as connection:
        for _ in range(3):
            listed = accounts.several(connection, visitor, Wanted("current", "", listed.after))
            seen += [one.login for one in listed.accounts]
    assert listed.count == 5001
    assert seen == [f"many{n}" for n in range(1, 151)]


# --- beneath the gate -----------------------------------------------------------------------------------

Deed = Callable[[Session, int], object]


@pytest.fixture
def parts(world: World) -> dict[str, Deed]:
    """What deeds are made of, past every gate: as if a page had forgotten to ask."""
    password = Password.drawn(world.keys)
    until = datetime.now(UTC) + timedelta(days=9)
    return {
        "end": lambda session, who: appointments.set_end(session, who, None),
        "extend": lambda session, who: appointments.set_end(session, who, until),
        "password": lambda session, who: appointments.set_first_password(session, who, password),
        "factor": lambda session, who: appointments.set_second_factor(session, world.keys, who),
    }


def test_beneath_the_gate_the_database_keeps_accounts_apart(
    world: World, offices: Offices, offices_role: Database, parts: dict[str, Deed]
) -> None:
    keeper = offices.visitor(offices.appoint(world.county, "system_admin"))
    operator = offices.visitor(offices.appoint(world.county))
    other = world.new_point("天心中学", world.new_county("430103", "天心区"))
    foreign = [offices.appoint(world.county, "system_admin"), offices.appoint(world.prefecture), offices.appoint(other)]
    mine = offices.appoint(world.point).id

    def refused(part: str, visitor: Visitor, account: int) -> None:
        before = world.rows("SELECT * FROM officers ORDER BY id")
        with (
            pytest.raises((DBAPIError, NotAllowed), match=r"permission denied|their own|theirs to change"),
            scope.transaction(offices_role, visitor) as session,
        ):
            parts[part](session, account)
        assert world.rows("SELECT * FROM officers ORDER BY id") == before, (part, visitor.login, account)

    for part, do in parts.items():
        for who in foreign:
            refused(part, keeper, who.id)
        refused(part, operator, mine)
        with scope.transaction(offices_role, keeper) as session:
            do(session, mine)
    for part in ("end", "extend", "factor"):
        refused(part, keeper, keeper.officer_id)
        refused(part, operator, operator.officer_id)
    appointments.end(world.database, keeper.login)
    for part in parts:
        refused(part, keeper, mine)


def test_beneath_the_gate_nobody_is_appointed_elsewhere(world: World, offices: Offices, offices_role: Database) -> None:
    keeper = offices.visitor(offices.appoint(world.county, "system_admin"))
    operator = offices.visitor(offices.appoint(world.county))
    password = Password.drawn(world.keys)

    def make_one(visitor: Visitor, office: int, role: Role = "operator", by: int | None = None) -> None:
        one = Appointment("new.one", "李雷", office, role, datetime.now(UTC) + timedelta(days=1))
        with scope.transaction(offices_role, visitor) as session:
            appointments.make(session, world.keys, one, password, by or visitor.officer_id)

    refused: list[tuple[Visitor, int, Role, int | None, str]] = [
        (keeper, world.prefecture, "operator", None, "row-level security"),
        (keeper, world.county, "system_admin", None, "row-level security"),
        (keeper, world.point, "operator", operator.officer_id, "names who made it"),
        (operator, world.point, "operator", None, "permission denied"),
    ]
    for visitor, office, role, by, words in refused:
        with pytest.raises(DBAPIError, match=words):
            make_one(visitor, office, role, by)
    make_one(keeper, world.point, "system_admin")
    assert world.value("SELECT count(*) FROM officers") == 3


def test_what_no_deed_does_the_database_refuses(world: World, offices: Offices, offices_role: Database) -> None:
    keeper = offices.visitor(offices.appoint(world.county, "system_admin"))
    mine = offices.appoint(world.point).id
    for change, words in (
        ("role = 'approver'", "permission denied"),
        ("office_id = 1", "permission denied"),
        ("appointed_by = 1", "permission denied"),
        ("password = 'x'", "is a first password"),
        ("password_changed_at = now()", "is a first password"),
        ("signed_in_at = now()", "is a first password"),
        ("appointed_until = 'infinity'", "within 400 days"),
    ):
        statement = text(f"UPDATE officers SET {change} WHERE id = :mine")  # noqa: S608 -- constants
        with pytest.raises(DBAPIError, match=words), scope.transaction(offices_role, keeper) as session:
            session.execute(statement, {"mine": mine})


def test_without_an_officer_no_account_is_written_to(world: World, offices: Offices, offices_role: Database) -> None:
    offices.appoint()
    for statement in ("UPDATE officers SET password = 'x'", "UPDATE officers SET totp_step = 9"):
        with offices_role.transaction() as session:
            assert session.execute(text(f"{statement} RETURNING id")).all() == []
    with pytest.raises(DBAPIError, match="within 400 days"):
        offices.appoint(until=datetime.now(UTC) + timedelta(days=401))
