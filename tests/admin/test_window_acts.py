"""Acts upon a window: two officers, minutes to think, and everything looked at again when the time has come."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from admin import announcements, proposals, scope, sealing, window_acts
from admin.proposals import Mistyped, Obstacle
from admin.rehearsal import FREE
from admin.schedule import Deed, Planned, obstacle
from admin.window_acts import Asked, Settled
from app import batches
from app.batches import Window
from app.db import Database
from app.errors import NotAllowed, NotFound, OutOfDate
from config import keys as key_files
from config.keys import SealKeys
from tests.admin.keepers import LIFE, Keepers
from tests.admin.watch.acts import alerts, look
from tests.admin.windows import COOL_OFF, Office
from tests.makers import World

HOUR = timedelta(hours=1)


def test_an_end_moves_after_the_waiting_time_and_says_from_where(office: Office) -> None:
    before, later = office.row()["closes_at"], office.now(3 * HOUR)
    act = office.approve("batch.end", later)
    assert office.settle() == []  # not yet
    assert office.row()["closes_at"] == before
    office.let_time_pass()
    assert office.settle() == [Settled("1", "batch.end", "done", "")]
    assert (office.row()["closes_at"], office.row()["moved_from"]) == (later, before)
    assert office.settle() == []  # once
    assert office.entries() == ["batch.end_moved"]
    detail = office.world.value("SELECT detail FROM audit WHERE act = 'batch.end_moved'")
    assert detail == {"batch": "1", "proposal": act, "from": before.isoformat(), "to": later.isoformat()}


def test_the_proposal_says_what_it_is_about(office: Office) -> None:
    later = office.now(3 * HOUR)
    act = office.propose("batch.end", later)
    facts = dict(office.world.value("SELECT facts FROM proposals WHERE id = :id", id=act))
    assert facts["Batch"] == "本科一批"
    assert (facts["Candidates"], facts["Filed or waived"]) == ("1", "0")
    assert proposals.moment_in(facts["New end"]) == later
    assert proposals.moment_in(facts["End now"]) == office.row()["closes_at"]
    assert facts["Minutes from the approval until it takes effect"] == "5"


def test_it_takes_two_of_the_province_and_the_code_typed_again(office: Office) -> None:
    act = office.propose("batch.end", office.now(3 * HOUR))
    with pytest.raises(NotAllowed):
        office.keepers.approve(office.first, act)
    assert office.keepers.approve(office.second, act, "2") == Mistyped()
    stale = replace(office.second, proved_at=office.second.now - timedelta(minutes=6))
    with pytest.raises(NotAllowed):
        office.keepers.approve(stale, act)
    assert office.outcomes() == []
    county = office.keepers.at(office.world.county, "approver")
    asked = Asked("batch.suspend", None, "the line was cut")
    with pytest.raises(NotFound):
        office.keepers.act(county, window_acts.propose, county, "1", asked, COOL_OFF, LIFE, office.world.where())
    with pytest.raises(NotFound):
        office.cancel(act, county)


def test_pausing_is_at_once_and_resuming_gives_back_every_minute(office: Office) -> None:
    before = office.row()["closes_at"]
    office.approve("batch.suspend")
    assert office.row()["suspended_at"] is not None
    assert office.outcomes() == ["done"]
    office.world.do("ALTER TABLE batches DISABLE TRIGGER keep_windows")
    office.world.do("UPDATE batches SET suspended_at = suspended_at - interval '20 minutes'")
    office.world.do("ALTER TABLE batches ENABLE TRIGGER keep_windows")
    with pytest.raises(Obstacle, match="after the end as it stands"):  # no time at which it would resume
        office.propose("batch.resume", before)
    office.approve("batch.resume", before + timedelta(minutes=1))  # the pause has lasted longer
    office.let_time_pass()
    assert [one.outcome for one in office.settle()] == ["done"]
    row = office.row()
    assert row["suspended_at"] is None
    assert timedelta(minutes=20) <= row["closes_at"] - before < timedelta(minutes=21)
    assert row["moved_from"] == before
    assert office.entries() == ["batch.suspended", "batch.resumed"]


def test_a_paused_batch_does_not_close_and_is_not_sealed(office: Office) -> None:
    office.approve("batch.suspend")
    office.world.move_end(office.batch_id, 0.05)
    office.world.do("SELECT pg_sleep(0.06)")
    with office.world.database.reading() as connection:
        assert batches.one(connection, "1").state == "suspended"
    with pytest.raises(sealing.CannotSeal, match="suspended"):
        sealing.seal(office.world.database, seal_keys(office.world), "1")
    office.approve("batch.resume", office.now(HOUR))
    office.let_time_pass()
    office.settle()
    with office.world.database.reading() as connection:
        assert batches.one(connection, "1").state == "open"


def seal_keys(world: World) -> SealKeys:
    key_files.make(world.keys_directory)
    return SealKeys.load(world.keys_directory)


def test_an_end_moved_after_the_close_opens_the_batch_again(office: Office) -> None:
    office.world.move_end(office.batch_id, -60)
    office.approve("batch.end", office.now(HOUR))
    office.let_time_pass()
    assert [one.outcome for one in office.settle()] == ["done"]
    with office.world.database.reading() as connection:
        assert batches.one(connection, "1").state == "open"


def test_an_opening_moves_only_before_it(world: World, keepers: Keepers) -> None:
    office = Office(world, keepers, world.batch("1", opens=HOUR, closes=3 * HOUR))
    later = office.now(2 * HOUR)
    office.approve("batch.opening", later)
    office.let_time_pass()
    assert [one.outcome for one in office.settle()] == ["done"]
    assert office.row()["opens_at"] == later
    assert office.entries() == ["batch.opening_moved"]
    overtaken_by_an_opening(office)
    with pytest.raises(Obstacle, match="cannot be moved"):
        office.propose("batch.opening", office.now(HOUR))


def overtaken_by_an_opening(office: Office) -> None:
    office.world.do("UPDATE batches SET opens_at = clock_timestamp()")


def overtaken_by_a_later_end(office: Office) -> None:
    with office.world.database.transaction() as session:
        batches.move_end(session, office.batch_id, office.now(9 * HOUR))


def overtaken_by_an_ended_appointment(office: Office) -> None:
    office.world.do(
        "UPDATE officers SET appointed_until = clock_timestamp() WHERE id = :id", id=office.second.officer_id
    )


def overtaken_by_the_hand_over(office: Office) -> None:
    with office.world.database.transaction() as session:
        batches.hand_over(session, office.batch_id)


@pytest.mark.parametrize(
    ("deed", "overtake", "why"),
    [
        ("batch.opening", overtaken_by_an_opening, "has opened"),
        ("batch.end", overtaken_by_a_later_end, "moves later only"),
        ("batch.end", overtaken_by_an_ended_appointment, "appointment"),
        ("batch.end", overtaken_by_the_hand_over, "handed over"),
    ],
)
def test_what_facts_have_overtaken_is_not_done_and_never_silent(
    world: World, keepers: Keepers, deed: Deed, overtake: Callable[[Office], None], why: str
) -> None:
    opens = HOUR / 2 if deed == "batch.opening" else -HOUR
    office = Office(world, keepers, world.batch("1", opens=opens, closes=4 * HOUR))
    office.approve(deed, office.now(HOUR if deed == "batch.opening" else 5 * HOUR))
    overtake(office)
    before = office.row()
    office.let_time_pass()
    (settled,) = office.settle()
    assert settled.outcome == "overtaken"
    assert why in settled.why
    assert office.row() == before
    assert office.entries() == ["batch.act_overtaken"]
    assert office.world.value("SELECT why FROM batch_acts") == settled.why


def test_once_the_list_is_handed_over_nothing_moves_whoever_writes(office: Office) -> None:
    act = office.propose("batch.end", office.now(3 * HOUR))
    overtaken_by_the_hand_over(office)
    with pytest.raises(Obstacle, match="handed over"):
        office.keepers.approve(office.second, act)
    deeds: tuple[Deed, ...] = ("batch.end", "batch.suspend", "batch.resume", "batch.opening")
    for deed in deeds:
        with pytest.raises(Obstacle, match="handed over"):
            office.propose(deed, office.now(3 * HOUR))
    for change in ("closes_at = closes_at + interval '1 hour'", "handed_over_at = NULL"):
        with pytest.raises(IntegrityError, match="handed over"):
            office.world.do(f"{FREE} UPDATE batches SET {change} FROM free")  # noqa: S608 -- constants


def test_what_is_approved_is_the_window_that_was_seen(office: Office) -> None:
    act = office.propose("batch.end", office.now(9 * HOUR))
    with office.world.database.transaction() as session:
        batches.move_end(session, office.batch_id, office.now(3 * HOUR))
    with pytest.raises(Obstacle, match="not any more as it was"):
        office.keepers.approve(office.second, act)
    assert office.outcomes() == []


def test_until_it_takes_effect_anybody_who_may_propose_cancels_it(office: Office) -> None:
    before = office.row()
    act = office.approve("batch.end", office.now(3 * HOUR))
    with pytest.raises(NotAllowed):
        office.cancel(act, replace(office.first, proved_at=office.first.now - timedelta(minutes=6)))
    office.cancel(act)
    office.let_time_pass()
    assert office.settle() == []
    assert (office.row(), office.outcomes(), office.entries()) == (before, ["cancelled"], ["batch.act_cancelled"])
    with pytest.raises(OutOfDate):
        office.cancel(act)


def test_only_one_act_upon_a_batch_waits_but_a_pause_waits_for_none(office: Office) -> None:
    office.approve("batch.end", office.now(3 * HOUR))
    with pytest.raises(Obstacle, match="waits"):
        office.propose("batch.end", office.now(4 * HOUR))
    office.approve("batch.suspend")
    assert sorted(map(str, office.outcomes())) == ["None", "done"]
    with pytest.raises(Obstacle, match="Only an open batch"):
        office.propose("batch.suspend")


def test_while_the_clock_is_in_doubt_nothing_takes_effect(office: Office) -> None:
    office.approve("batch.end", office.now(3 * HOUR))
    office.let_time_pass()
    office.world.do("UPDATE clock_marks SET stepped_at = clock_timestamp()")
    assert office.settle() == []
    assert office.outcomes() == [None]
    office.world.do("UPDATE clock_marks SET stepped_at = NULL")
    assert [one.outcome for one in office.settle()] == ["done"]


def test_an_act_that_nobody_does_or_tells_of_is_an_alert_of_the_province(office: Office) -> None:
    act = office.approve("batch.end", office.now(3 * HOUR))

    def since(column: str, seconds: int) -> list[tuple[str, str, str]]:
        office.world.do(
            f"UPDATE batch_acts SET {column} = clock_timestamp() - CAST(:late AS interval)",  # noqa: S608 -- ours
            late=timedelta(seconds=seconds),
        )
        look(office.world)
        return [(one["office"], one["subject"], one["state"]) for one in alerts(office.world, "act_late")]

    assert since("effective_at", -60) == since("effective_at", 20) == []
    assert since("effective_at", 40) == [("湖南省", "1", "open")]
    assert office.world.value("SELECT facts ->> 'act' FROM alerts WHERE dedupe = :key", key=f"act_late|{act}") == (
        "batch.end"
    )
    assert office.world.value("SELECT value FROM gauges WHERE name = 'zhiyuan_act_late_seconds'") >= 40
    office.settle()
    assert since("settled_at", 20) == [("湖南省", "1", "closed")]
    assert since("settled_at", 40) == [("湖南省", "1", "open")]
    announcements.announce(office.world.database)
    assert look(office.world).passed == 1
    assert office.world.value("SELECT value FROM gauges WHERE name = 'zhiyuan_act_late_seconds'") == 0


def test_of_several_passes_and_a_cancellation_at_once_exactly_one_wins(office: Office) -> None:
    for _ in range(6):
        closes_at = office.row()["closes_at"]
        act = office.approve("batch.end", closes_at + HOUR)
        office.let_time_pass()
        start = threading.Barrier(4)
        done: list[str] = []

        def settle(start: threading.Barrier = start, done: list[str] = done) -> None:
            start.wait()
            done.extend(one.outcome for one in office.settle())

        def cancel(start: threading.Barrier = start, done: list[str] = done, act: int = act) -> None:
            start.wait()
            try:
                office.cancel(act)
            except OutOfDate:
                return
            done.append("cancelled")

        threads = [threading.Thread(target=deed) for deed in (settle, settle, settle, cancel)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        outcome = office.world.value("SELECT outcome FROM batch_acts WHERE proposal_id = :id", id=act)
        assert done == [outcome]
        assert office.row()["closes_at"] == closes_at + (HOUR if outcome == "done" else timedelta())


def test_two_approvals_at_once_make_one_act(office: Office) -> None:
    act = office.propose("batch.end", office.now(3 * HOUR))
    second = office.second
    outcomes: list[str] = []

    def approve() -> None:
        try:
            office.keepers.approve(second, act)
        except OutOfDate:
            outcomes.append("too late")
        else:
            outcomes.append("approved")

    threads = [threading.Thread(target=approve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["approved", "too late", "too late", "too late"]
    assert office.outcomes() == [None]


# --- what the database keeps, whoever writes ---------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "change"),
    [
        ("", "opens_at = opens_at - interval '1 minute'"),
        ("", "closes_at = closes_at - interval '1 second'"),
        ("", "suspended_at = clock_timestamp() + interval '1 minute'"),
        ("suspended_at = clock_timestamp()", "suspended_at = NULL"),
        ("suspended_at = clock_timestamp()", "suspended_at = suspended_at - interval '1 minute'"),
    ],
)
def test_not_even_the_owner_moves_a_window_past_the_rules(office: Office, before: str, change: str) -> None:
    if before:
        office.world.do(f"UPDATE batches SET {before}")  # noqa: S608 -- from the list above
    with pytest.raises(IntegrityError, match="batch 1: "):
        office.world.do(f"UPDATE batches SET {change}")  # noqa: S608 -- from the list above


def test_the_portals_role_pauses_for_the_province_only_and_resumes_for_nobody(
    office: Office, offices_role: Database
) -> None:
    county = office.keepers.at(office.world.county, "approver")
    pause = text("UPDATE batches SET suspended_at = clock_timestamp()")
    with pytest.raises(IntegrityError, match="only the province"), scope.transaction(offices_role, county) as session:
        session.execute(pause)
    with scope.transaction(offices_role, office.first) as session:
        session.execute(pause)
    resume = text(f"{FREE} UPDATE batches SET suspended_at = NULL FROM free")  # noqa: S608 -- constant
    with pytest.raises(IntegrityError, match="ends later"), scope.transaction(offices_role, office.first) as session:
        session.execute(resume)
    with scope.transaction(offices_role, county) as session:
        assert session.execute(text("SELECT count(*) FROM batch_acts")).scalar() == 0


# --- what stands in the way, at every instant --------------------------------------------------------

MINUTES = st.integers(-200, 200)


@given(opens=MINUTES, length=st.integers(1, 200), asked=MINUTES, deed=st.sampled_from(["batch.opening", "batch.end"]))
def test_what_nothing_stands_in_the_way_of_is_a_window_by_the_rules(
    opens: int, length: int, asked: int, deed: Deed
) -> None:
    zero = datetime.fromisoformat("2017-06-27T08:00:00+08:00")

    def at(minutes: int) -> datetime:
        return zero + timedelta(minutes=minutes)

    window = Window(at(opens), at(opens + length), None)
    planned = Planned(1, "1", "本科一批", window, None, None, None, zero)
    after = (at(asked), window.closes_at) if deed == "batch.opening" else (window.opens_at, at(asked))
    by_the_rules = (
        after[0] < after[1]
        and asked > 0
        and (window.opens_at > zero or (after[0] == window.opens_at and after[1] > window.closes_at))
    )
    assert (obstacle(deed, planned, at(asked), zero) == "") == by_the_rules
