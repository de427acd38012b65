"""Accounts and the door of the offices: what opens it, what does not, and what is remembered."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from admin import appointments, officers
from admin.appointments import open_totp
from admin.entrance import Desk, Opened, weakness
from admin.officers import MAY, ROLES
from app import passwords, sessions
from app.db import Database
from app.entrance import Refused
from app.errors import BadInput, NotAllowed, NotFound, TooSoon
from tests.admin.colleagues import PASSWORD, Colleague, Offices
from tests.makers import World


@pytest.fixture
def desk(world: World, offices_role: Database) -> Desk:
    """The door, with no more rights than the portal has."""
    return Desk(offices_role, world.keys)


@pytest.fixture
def who(offices: Offices) -> Colleague:
    return offices.appoint()


def acts(world: World, officer_id: int | None = None) -> list[str]:
    found = world.rows("SELECT act, officer_id FROM audit ORDER BY id")
    return [row["act"] for row in found if officer_id is None or row["officer_id"] == officer_id]


def load(world: World, session_id: str, idle: int = 900) -> officers.Visitor | None:
    with world.database.reading() as connection:
        return officers.load(connection, sessions.hash_of(session_id), idle)


def test_both_factors_open_a_session(world: World, desk: Desk, offices: Offices, who: Colleague) -> None:
    answer = desk.sign_in(who.login, PASSWORD, offices.digits(who), world.where())
    assert isinstance(answer, Opened)
    visitor = load(world, answer.session_id)
    assert visitor is not None
    assert (visitor.login, visitor.office_id, visitor.level, visitor.role) == (
        who.login,
        world.province,
        "province",
        "operator",
    )
    assert abs(visitor.ends_at - visitor.started_at - timedelta(hours=8)) < timedelta(seconds=1)
    assert acts(world, who.id) == ["officer.appointed", "officer.signed_in"]


@pytest.mark.parametrize("wrong", ["login", "password", "digits", "later", "all"])
def test_anything_wrong_is_refused_alike(
    world: World, desk: Desk, offices: Offices, who: Colleague, wrong: str
) -> None:
    login = "nobody" if wrong in {"login", "all"} else who.login
    password = "Nanyue-Hengshan 27" if wrong in {"password", "all"} else PASSWORD
    digits = "000000" if wrong in {"digits", "all"} else offices.digits(who, 3 if wrong == "later" else 0)
    assert desk.sign_in(login, password, digits, world.where()) == Refused()
    assert world.value("SELECT count(*) FROM officer_sessions") == 0
    assert world.value("SELECT failures FROM officer_waits") == 1
    assert acts(world)[-1] == "officer.sign_in_refused"


def test_digits_are_taken_once(world: World, desk: Desk, offices: Offices, who: Colleague) -> None:
    digits = offices.digits(who)
    assert isinstance(desk.sign_in(who.login, PASSWORD, digits, world.where()), Opened)
    assert desk.sign_in(who.login, PASSWORD, digits, world.where()) == Refused()
    # nor are earlier ones, once later ones were used
    assert desk.sign_in(who.login, PASSWORD, offices.digits(who, -1), world.where()) == Refused()
    assert isinstance(desk.sign_in(who.login, PASSWORD, offices.digits(who, 1), world.where()), Opened)


def test_of_two_requests_with_the_same_digits_one_gets_in(
    world: World, desk: Desk, offices: Offices, who: Colleague
) -> None:
    digits = offices.digits(who)
    answers: list[object] = []

    def attempt() -> None:
        answers.append(desk.sign_in(who.login, PASSWORD, digits, world.where()))

    threads = [threading.Thread(target=attempt) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(answer).__name__ for answer in answers) == ["Opened", "Refused"]


def test_one_session_each(world: World, desk: Desk, offices: Offices, who: Colleague) -> None:
    first = desk.sign_in(who.login, PASSWORD, offices.digits(who), world.where())
    second = desk.sign_in(who.login, PASSWORD, offices.digits(who, 1), world.where())
    assert isinstance(first, Opened)
    assert isinstance(second, Opened)
    assert load(world, first.session_id) is None
    assert load(world, second.session_id) is not None


def test_waits_grow_per_login_and_end(world: World, desk: Desk, offices: Offices, who: Colleague) -> None:
    other = offices.appoint()
    for login in (who.login, "nobody"):
        for _ in range(6):
            assert desk.sign_in(login, "wrong", "000000", world.where()) == Refused()
        with pytest.raises(TooSoon) as caught:
            desk.sign_in(login, PASSWORD, offices.digits(who), world.where())
        assert 25 < caught.value.seconds <= 30
    assert isinstance(desk.sign_in(other.login, PASSWORD, offices.digits(other), world.where()), Opened)
    world.do("UPDATE officer_waits SET until = clock_timestamp()")
    assert desk.sign_in(who.login, "wrong", "000000", world.where()) == Refused()
    with pytest.raises(TooSoon) as caught:
        desk.sign_in(who.login, PASSWORD, offices.digits(who), world.where())
    assert 55 < caught.value.seconds <= 60
    world.do("UPDATE officer_waits SET failures = 400, until = clock_timestamp()")
    desk.sign_in(who.login, "wrong", "000000", world.where())
    with pytest.raises(TooSoon) as caught:
        desk.sign_in(who.login, PASSWORD, offices.digits(who), world.where())
    assert caught.value.seconds <= 900
    world.do("UPDATE officer_waits SET until = clock_timestamp()")
    assert isinstance(desk.sign_in(who.login, PASSWORD, offices.digits(who), world.where()), Opened)
    assert world.value("SELECT count(*) FROM officer_waits") == 1  # of "nobody"


def test_the_table_of_waits_names_nobody(world: World, desk: Desk, who: Colleague) -> None:
    desk.sign_in(who.login, "wrong", "000000", world.where())
    assert who.login.encode() not in bytes(world.value("SELECT bucket FROM officer_waits"))


@pytest.mark.parametrize("column", ["seen_at", "expires_at"])
def test_a_session_lapses(world: World, offices: Offices, who: Colleague, column: str) -> None:
    session_id = offices.open_session(who)
    span = {"seen_at": timedelta(minutes=15), "expires_at": timedelta(hours=8)}[column]
    world.do(f"UPDATE officer_sessions SET {column} = {column} - CAST(:span AS interval)", span=span)  # noqa: S608
    assert load(world, session_id) is None


def test_looking_is_a_sign_of_life_once_a_minute(world: World, offices: Offices, who: Colleague) -> None:
    session_id = offices.open_session(who)
    world.do("UPDATE officer_sessions SET seen_at = seen_at - interval '14 minutes'")
    for _ in range(2):
        visitor = load(world, session_id)
        assert visitor is not None
        with world.database.reading() as connection:
            officers.touch(connection, visitor)
    assert world.value("SELECT clock_timestamp() - seen_at < interval '10 seconds' FROM officer_sessions")


def test_an_appointment_that_is_over_opens_nothing(world: World, desk: Desk, offices: Offices) -> None:
    late = offices.appoint(until=datetime.now(UTC) - timedelta(seconds=1))
    assert desk.sign_in(late.login, PASSWORD, offices.digits(late), world.where()) == Refused()
    visitor = load(world, offices.open_session(late))
    assert visitor is not None
    assert not visitor.appointed


def test_ending_an_appointment_ends_the_session(world: World, offices: Offices, who: Colleague) -> None:
    session_id = offices.open_session(who)
    appointments.end(world.database, who.login)
    assert load(world, session_id) is None
    appointments.extend(world.database, who.login, datetime.now(UTC) + timedelta(days=1))
    assert offices.visitor(who).appointed
    assert acts(world, who.id) == ["officer.appointed", "officer.ended", "officer.extended"]


def test_a_first_password_must_be_changed(world: World, desk: Desk, offices: Offices) -> None:
    new = offices.appoint(password=None)
    visitor = offices.visitor(new)
    assert visitor.must_change_password
    given = appointments.reset_password(world.database, world.keys, new.login)
    assert given.password is not None
    visitor = offices.visitor(new)
    assert desk.change_password(visitor, "not this", PASSWORD, world.where()) == Refused()
    assert isinstance(desk.change_password(visitor, given.password, PASSWORD, world.where()), Opened)
    assert not offices.visitor(new).must_change_password
    assert isinstance(desk.sign_in(new.login, PASSWORD, offices.digits(new), world.where()), Opened)
    assert acts(world, new.id) == [
        "officer.appointed",
        "officer.password_reset",
        "officer.password_refused",
        "officer.password_changed",
        "officer.signed_in",
    ]


def test_a_password_of_ninety_days_must_be_changed(world: World, offices: Offices, who: Colleague) -> None:
    assert not offices.visitor(who).must_change_password
    world.do("UPDATE officers SET password_changed_at = password_changed_at - interval '91 days'")
    assert offices.visitor(who).must_change_password


def test_a_fresh_proof_gives_the_session_a_new_id(world: World, desk: Desk, offices: Offices, who: Colleague) -> None:
    before = offices.visitor(who)
    world.do("UPDATE officer_sessions SET proved_at = proved_at - interval '6 minutes'")
    with world.database.reading() as connection:
        stale = officers.load(connection, before.session_hash, 900)
    assert stale is not None
    with pytest.raises(NotAllowed):
        stale.require_proof()
    assert desk.prove(stale, "wrong", offices.digits(who), world.where()) == Refused()
    answer = desk.prove(stale, PASSWORD, offices.digits(who), world.where())
    assert isinstance(answer, Opened)
    after = load(world, answer.session_id)
    assert after is not None
    after.require_proof()
    assert after.form_mark == before.form_mark  # forms open in other windows still fit
    with world.database.reading() as connection:
        assert officers.load(connection, before.session_hash, 900) is None


def test_a_new_second_factor_makes_the_old_one_void(world: World, desk: Desk, offices: Offices, who: Colleague) -> None:
    old = offices.digits(who)
    given = appointments.reset_totp(world.database, world.keys, who.login)
    assert given.totp_secret not in {None, who.totp_secret}
    assert desk.sign_in(who.login, PASSWORD, old, world.where()) == Refused()
    who.totp_secret = given.totp_secret or ""
    assert isinstance(desk.sign_in(who.login, PASSWORD, offices.digits(who), world.where()), Opened)


@pytest.mark.parametrize("what", ["password", "second factor"])
def test_who_was_signing_in_with_the_old_ones_comes_too_late(
    world: World, desk: Desk, offices: Offices, who: Colleague, what: str
) -> None:
    """The factors are compared before the transaction begins; new ones may be given in between."""
    known = desk._look_up(who.login)
    step = desk._step(known, PASSWORD, offices.digits(who))
    assert step is not None
    if what == "password":
        appointments.reset_password(world.database, world.keys, who.login)
    else:
        appointments.reset_totp(world.database, world.keys, who.login)
    with desk.database.transaction() as session:
        assert desk._spend(session, known, step) is None


def test_secrets_are_kept_sealed(world: World, who: Colleague) -> None:
    row = world.rows("SELECT * FROM officers")[0]
    assert who.totp_secret.encode() not in bytes(row["totp_sealed"])
    assert open_totp(world.keys, who.id, bytes(row["totp_sealed"])) == who.totp_secret
    assert row["password"].startswith("v1$m=65536,t=3,p=1$")
    assert "totp" not in world.value("SELECT detail::text FROM audit")


def test_a_cheaper_seal_is_made_anew_at_sign_in(world: World, desk: Desk, offices: Offices, who: Colleague) -> None:
    cheap = passwords.seal(PASSWORD, world.keys.password_pepper, passwords.CANDIDATE)
    world.do("UPDATE officers SET password = :cheap", cheap=cheap)
    assert isinstance(desk.sign_in(who.login, PASSWORD, offices.digits(who), world.where()), Opened)
    assert world.value("SELECT password FROM officers").startswith("v1$m=65536,t=3,p=1$")


def test_logins_are_well_formed_and_taken_once(world: World, offices: Offices, who: Colleague) -> None:
    for login in (who.login, "Zhou", "a", "周敏", "x" * 40):
        with pytest.raises(BadInput):
            offices.appoint(login=login)
    assert world.value("SELECT count(*) FROM officers") == 1
    with pytest.raises(NotFound):
        appointments.end(world.database, "nobody")


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("Short-1", "too_short"),
        ("onlysmallletters", "too_few_kinds"),
        ("smallletters123", "too_few_kinds"),
        ("SMALL letters", None),
        ("Passw0rd!!" + "x" * 130, "too_long"),
        ("Officer1-2017", None),
        ("ZhouMin-17", "personal"),
        ("Tab\tulator 17", "control_characters"),
        ("衡山南岳七十二峰a1", None),
        ("Hengshan-Nanyue 72", None),
    ],
)
def test_what_a_password_must_be(offices: Offices, who: Colleague, password: str, reason: str | None) -> None:
    assert weakness(password, offices.visitor(who)) == reason


def test_roles_stay_apart(offices: Offices) -> None:
    assert {act for act, roles in MAY.items() if "system_admin" in roles} == {
        "see_progress",
        "see_schedule",
        "see_accounts",
        "keep_accounts",
    }
    assert MAY["keep_accounts"] == {"system_admin"}
    assert {act for act, roles in MAY.items() if "auditor" in roles} == {
        "see_progress",
        "see_schedule",
        "see_names",
        "export_names",
        "see_alerts",
        "see_stock",
        "see_accounts",
        "search_audit",
    }
    assert MAY["search_audit"] == {"auditor"}
    for role in ROLES:
        visitor = offices.visitor(offices.appoint(role=role))
        if role in {"operator", "approver"}:
            visitor.require("approve_reset")
        else:
            with pytest.raises(NotAllowed):
                visitor.require("approve_reset")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT content FROM filings",
        "SELECT content FROM drafts",
        "SELECT * FROM filings",
        "SELECT receipt FROM filings",
        "INSERT INTO filings (candidate_id) VALUES (1)",
        "UPDATE filings SET kind = 'waiver'",
        "DELETE FROM filings",
        "INSERT INTO drafts (candidate_id) VALUES (1)",
        "UPDATE drafts SET content = '{}'",
        "DELETE FROM drafts",
        "SELECT content FROM challenges",
        "SELECT password FROM accounts",
        "UPDATE accounts SET password = 'x'",
        "SELECT * FROM sessions",
        "SELECT verifiers FROM cards",
        "UPDATE candidates SET name = 'x'",
        "UPDATE batches SET closes_at = closes_at",
        "UPDATE batches SET opens_at = opens_at",
        "UPDATE batches SET moved_from = moved_from",
        "UPDATE batch_acts SET effective_at = clock_timestamp()",
        "DELETE FROM batch_acts",
        "DELETE FROM waits",
        "UPDATE audit SET act = 'x'",
        "DELETE FROM audit",
        "INSERT INTO officers (login) VALUES ('x')",
        "UPDATE officers SET role = 'system_admin'",
        "UPDATE officers SET appointed_until = 'infinity'",
        "ALTER TABLE candidates DISABLE ROW LEVEL SECURITY",
    ],
)
def test_the_portals_role_in_the_database_has_no_right_to(offices_role: Database, statement: str) -> None:
    with (
        pytest.raises(Exception, match=r"permission denied|must be owner"),
        offices_role.transaction() as session,
    ):
        session.execute(text(statement))


def test_counts_of_other_offices_are_out_of_the_roles_reach(world: World, offices_role: Database) -> None:
    """A card replaced at the counter moves a count, so the role may change counts: those of its own office."""
    world.candidate()
    world.batch("1")
    before = world.rows("SELECT * FROM tallies ORDER BY point_id")
    assert before
    with offices_role.transaction() as session:
        session.execute(text("UPDATE tallies SET filed = filed + 1"))
    assert world.rows("SELECT * FROM tallies ORDER BY point_id") == before
