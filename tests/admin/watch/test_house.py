"""The clock, the receipts, the sealer, the volumes, and what is known about them from outside."""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from admin import ledger, sealing, watch
from admin.commands import group
from admin.watch import house, settling
from app import clocks
from app.db import Database
from app.errors import ClockInDoubt
from config.keys import SealKeys
from config.settings import Watch
from tests.admin.colleagues import Offices
from tests.admin.watch.acts import alerts, keys, look
from tests.filing import file
from tests.makers import Person, World


@pytest.fixture
def person(world: World) -> Person:
    world.batch("1")
    return world.candidate()


def in_doubt(world: World) -> bool:
    with world.database.reading() as connection:
        return clocks.in_doubt(connection)


def advance(world: World, mark: str) -> None:
    """Move the mark forward: the clock has then gone back by as much."""
    world.do("UPDATE clock_marks SET seen_at = clock_timestamp() + CAST(:mark AS interval)", mark=mark)


def test_while_the_clock_is_behind_the_mark_nothing_is_filed_and_drafts_go_on(world: World, person: Person) -> None:
    session_id = world.activate(person)
    look(world)
    advance(world, "10 minutes")
    with pytest.raises(ClockInDoubt):
        file(world, person, session_id, "1", "4301")
    assert world.value("SELECT count(*) FROM drafts") == 1
    assert world.value("SELECT count(*) FROM card_uses WHERE purpose = 'filing'") == 0
    assert world.value("SELECT wrong_tries FROM bindings") == 0
    look(world)
    (alert,) = alerts(world)
    assert (alert["kind"], alert["office"], alert["state"]) == ("clock", "湖南省", "open")

    advance(world, "1 second")  # within the tolerance: the clock has come back
    assert file(world, person, session_id, "1", "4302").number == 1
    assert look(world).passed == 1
    assert [one["state"] for one in alerts(world)] == ["closed"]


def test_a_filing_from_the_future_is_doubt_enough(world: World, person: Person) -> None:
    file(world, person, world.activate(person), "1", "4301")
    assert not in_doubt(world)
    world.do("ALTER TABLE filings DISABLE TRIGGER append_only")
    world.do("UPDATE filings SET filed_at = filed_at + interval '1 hour'")
    assert in_doubt(world)
    offices = Database(world.url, role="zhiyuan_offices")  # to whom nobody's filings are shown without a scope
    with offices.reading() as connection:
        assert clocks.in_doubt(connection)
    offices.dispose()
    with world.database.transaction() as session:
        clocks.settled(session)
    assert not in_doubt(world)


@pytest.mark.parametrize("seconds", [-600.0, 3600.0])
def test_a_jump_is_seen_against_the_time_the_machine_has_been_running(world: World, seconds: float) -> None:
    def seen(uptime: float, boot: str = "first") -> clocks.Look:
        with world.database.transaction() as session:
            return clocks.look(session, uptime, boot)

    assert not seen(1_000.0).in_doubt
    assert not seen(1_001.5).in_doubt
    jumped = seen(1_001.5 - seconds)
    assert jumped.in_doubt
    assert jumped.off == pytest.approx(seconds, abs=2)
    assert in_doubt(world)
    assert seen(7.0, "second").in_doubt  # a start of the machine proves nothing
    assert in_doubt(world)
    assert not seen(1_001.5).in_doubt  # back where it should be
    assert not in_doubt(world)


def test_many_small_steps_are_as_good_as_one_large(world: World) -> None:
    for uptime, doubt in ((1_000.0, False), (998.8, False), (997.6, True)):
        with world.database.transaction() as session:
            assert clocks.look(session, uptime, "first").in_doubt == doubt


def test_two_approvers_of_the_province_put_the_clock_right(
    world: World, offices: Offices, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (offices.appoint(world.province, "approver") for _ in range(2))
    county = offices.appoint(world.county, "approver")
    monkeypatch.setenv("DATABASE_URL", world.url)
    monkeypatch.setenv("REDIS_URL", world.redis_url)
    monkeypatch.setenv("KEYS_DIRECTORY", str(world.settings.keys_directory))
    advance(world, "10 minutes")

    def confirmed(*people: tuple[str, str, str]) -> int:
        arguments = [part for login, _, _ in people for part in ("--by", login)]
        typed = "".join(f"{password}\n{digits}\n" for _, password, digits in people)
        return CliRunner().invoke(group(), ["watch", "clock-confirmed", *arguments], input=typed).exit_code

    def proof(who: object, steps: int = 0) -> tuple[str, str, str]:
        assert isinstance(who, type(first))
        return who.login, who.password, offices.digits(who, steps)

    assert confirmed(proof(first, -1), (second.login, "wrong", offices.digits(second))) == 1
    assert confirmed(proof(first), proof(county)) == 1
    assert in_doubt(world)
    assert confirmed(proof(first, 1), proof(second)) == 0
    assert not in_doubt(world)
    assert world.value("SELECT count(*) FROM audit WHERE act = 'clock.confirmed'") == 2


def test_one_approver_alone_does_not(world: World, offices: Offices) -> None:
    one = offices.appoint(world.province, "approver")
    with world.database.transaction() as session, pytest.raises(Exception, match="two different approvers"):
        settling.settle(session, [one.id, one.id])


def test_a_changed_filing_is_found_in_the_next_pass(world: World, person: Person) -> None:
    file(world, person, world.activate(person), "1", "4301")
    look(world)
    assert alerts(world, "receipts") == []
    world.do("ALTER TABLE filings DISABLE TRIGGER append_only")
    world.do("UPDATE filings SET content = '{\"columns\": {}}'")
    look(world)
    (alert,) = alerts(world, "receipts")
    assert alert["concerned"] == [person.id]
    assert "it was altered" in str(alert["facts"]["faults"])
    assert person.candidate_no not in str(alert)


def test_a_closed_batch_without_a_seal_alarms_until_it_is_sealed(world: World, person: Person) -> None:
    file(world, person, world.activate(person), "1", "4301")
    limits = {"sealer": True, "seal_seconds": 1}
    look(world, **limits)
    assert alerts(world) == []
    world.move_end(1, -60)
    look(world, **limits)
    (alert,) = alerts(world)
    assert (alert["kind"], alert["subject"], alert["state"]) == ("seal_late", "1", "open")
    sealing.seal(world.database, SealKeys.load(world.keys_directory), "1")
    look(world, **limits)
    assert [one["state"] for one in alerts(world)] == ["closed"]


def test_a_late_sealer_alarms_and_one_that_catches_up_ends_it(world: World, person: Person) -> None:
    file(world, person, world.activate(person), "1", "4301")
    limits = {"sealer": True, "sealer_seconds": 1}
    world.value("SELECT pg_sleep(1.1)")
    look(world, **limits)
    assert [one["kind"] for one in alerts(world)] == ["sealer"]
    ledger.round_of(world.database, SealKeys.load(world.keys_directory), sweep=True)
    assert look(world, **limits).passed == 1


def test_a_volume_alarms_at_the_highest_line_it_has_crossed(world: World, tmp_path: Path) -> None:
    assert world.point
    look(world, volumes=(tmp_path,), volume_percents=(0, 101))
    (alert,) = alerts(world)
    assert (alert["kind"], alert["subject"], alert["facts"]["line"]) == ("volume", str(tmp_path), 0)
    assert look(world, volumes=(tmp_path,), volume_percents=(101,)).passed == 1


def test_a_rule_that_cannot_be_asked_takes_no_other_with_it(world: World, person: Person) -> None:
    world.do("DROP FUNCTION network_of(text)")
    advance(world, "1 minute")
    report = watch.run(world.database, keys(world), Watch())
    assert report.failed == ["fan_out"]
    assert [one["kind"] for one in alerts(world)] == ["clock", "not_activated"]


def test_following_looks_at_the_clock_between_passes(world: World) -> None:
    assert world.point
    stopped, reports = threading.Event(), []

    def tell(report: watch.Report) -> None:
        reports.append(report)
        if len(reports) == 1:
            advance(world, "1 minute")
        else:
            stopped.set()

    before = world.value("SELECT clock_timestamp()")
    watch.follow(world.database, keys(world), Watch(), stopped, tell)
    assert [[one.kind for one in report.fresh] for report in reports] == [[], ["clock"]]
    assert world.value("SELECT clock_timestamp()") - before < timedelta(seconds=30)


def test_the_portals_roles_can_move_no_mark(world: World, offices_role: Database) -> None:
    candidates = Database(world.url, role="zhiyuan_candidates")
    for database in (offices_role, candidates):
        assert not _doubt_of(database)
        with pytest.raises(Exception, match="permission denied"), database.transaction() as session:
            house.look(session)
    candidates.dispose()


def _doubt_of(database: Database) -> bool:
    with database.reading() as connection:
        return clocks.in_doubt(connection)


def test_the_command_says_what_is_new(world: World, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", world.url)
    monkeypatch.setenv("REDIS_URL", world.redis_url)
    monkeypatch.setenv("KEYS_DIRECTORY", str(world.settings.keys_directory))
    say: Callable[[str], str] = lambda what: CliRunner().invoke(group(), ["watch", what]).output  # noqa: E731
    assert "new: not_activated 长沙市第一中学, 1" in say("run")
    assert "1 alerts stand, 0 of them new" in say("run")
    assert "trusted" in say("clock")
