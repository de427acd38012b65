"""Candidates are told of a window that has moved: once, of what is in force, and nobody who may not file there."""

import re
import threading
from datetime import datetime, timedelta

import pytest

from admin import announcements, reminders, window_acts
from admin.announcements import Announced
from admin.schedule import Deed
from admin.sending import Post, ToLog
from app.web.formats import ZONE
from tests.admin.keepers import Keepers
from tests.admin.windows import Office
from tests.makers import COLUMN, World

HOUR = timedelta(hours=1)
WINDOWS = ["opening_moved", "end_moved", "paused", "resumed"]


def do(office: Office, deed: Deed, later: timedelta | None = None) -> None:
    """An act from its proposal until it is done; nobody is told yet."""
    office.approve(deed, office.now(later) if later else None)
    office.let_time_pass()
    office.settle()


def announce(office: Office) -> list[Announced]:
    """Passes until there is nobody left to tell."""
    return list(iter(lambda: announcements.announce(office.world.database), None))


def queued(world: World) -> list[tuple[str, int]]:
    """Which messages about windows there are, and for how many candidates."""
    rows = world.rows(
        "SELECT kind, count(DISTINCT candidate_id) AS people, count(*) AS messages FROM notices"
        " WHERE kind = ANY (:kinds) GROUP BY kind ORDER BY min(id)",
        kinds=WINDOWS,
    )
    assert all(row["people"] == row["messages"] for row in rows)
    return [(row["kind"], row["people"]) for row in rows]


def sent(world: World, capsys: pytest.CaptureFixture[str]) -> str:
    """What goes out of all that waits."""
    capsys.readouterr()
    post = Post(world.database, world.sealer, ToLog(), "0731-1")
    while post.round() != (0, 0):
        pass
    return capsys.readouterr().err


def as_told(moment: datetime) -> str:
    local = moment.astimezone(ZONE)
    return f"{local.month}月{local.day}日{local:%H:%M}"


def test_everybody_who_may_file_is_told_of_a_moved_end_and_nobody_else(
    world: World, keepers: Keepers, capsys: pytest.CaptureFixture[str]
) -> None:
    barred = COLUMN | {"eligibility": [{"rule": "not_yet_admitted", "policy": "block"}]}
    office = Office(world, keepers, world.batch("1", columns=(barred,)))
    people = [world.candidate(card=False).id for _ in range(2)]
    people.append(world.candidate(card=False, mobile_sealed=None).id)
    world.candidate(card=False, admitted=True)
    world.candidate(card=False, subject_class="3")
    office.approve("batch.end", office.now(3 * HOUR))
    assert announce(office) == []  # not before it is done
    office.let_time_pass()
    office.settle()

    assert announce(office) == [Announced("1", "batch.end", 3, everybody=True)]

    assert announce(office) == []
    assert world.rows("SELECT candidate_id AS id FROM notices ORDER BY id") == [{"id": one} for one in people]
    assert world.value("SELECT detail ->> 'count' FROM audit WHERE act = 'batch.announced'") == "3"
    assert world.value("SELECT without_phone FROM batch_acts") == 1
    row, text = office.row(), sent(world, capsys)
    for word in ("本科一批", as_told(row["closes_at"]), as_told(row["moved_from"])):
        assert text.count(word) == 2


def test_a_pause_is_told_when_it_has_begun_and_the_new_end_when_it_is_over(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    office.approve("batch.suspend")
    announce(office)
    assert "暂停" in sent(office.world, capsys)
    do(office, "batch.end", 5 * HOUR)
    announce(office)
    assert sent(office.world, capsys) == ""  # while it is paused, no end is the end
    do(office, "batch.resume")
    announce(office)
    assert as_told(office.row()["closes_at"]) in sent(office.world, capsys)
    assert queued(office.world) == [("paused", 1), ("resumed", 1)]


def test_messages_are_queued_piece_by_piece_each_once_whatever_dies_between(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcements, "AT_A_TIME", 2)
    world = office.world
    for _ in range(6):
        world.candidate(card=False)
    do(office, "batch.end", 3 * HOUR)
    assert announcements.announce(world.database) == Announced("1", "batch.end", 2, everybody=False)
    world.do("ALTER TABLE audit RENAME TO elsewhere")
    with pytest.raises(Exception, match="audit"):
        announce(office)
    world.do("ALTER TABLE elsewhere RENAME TO audit")
    assert queued(world) == [("end_moved", 6)]
    start = threading.Barrier(3)

    def one_pass() -> None:
        start.wait()
        announce(office)

    threads = [threading.Thread(target=one_pass) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert queued(world) == [("end_moved", 7)]
    assert world.rows("SELECT told, told_at IS NOT NULL AS done FROM batch_acts") == [{"told": 7, "done": True}]


def test_what_has_been_overtaken_is_neither_queued_nor_sent(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    with office.world.database.transaction() as session:
        reminders.remind(session)
    do(office, "batch.end", 3 * HOUR)
    announce(office)
    do(office, "batch.end", 5 * HOUR)
    passed_over = office.row()["closes_at"]
    do(office, "batch.end", 7 * HOUR)
    announce(office)
    text = sent(office.world, capsys)
    assert text.count("\n") == 1
    assert as_told(office.row()["closes_at"]) in text
    assert as_told(passed_over) in text  # as the end until then
    assert office.world.value("SELECT count(*) FROM notices WHERE due_at = 'infinity'") == 2


def test_a_batch_that_opens_on_another_day_is_not_told_of(world: World, keepers: Keepers) -> None:
    world.candidate(card=False)
    office = Office(world, keepers, world.batch("1", opens=30 * HOUR, closes=90 * HOUR))
    do(office, "batch.end", 80 * HOUR)
    do(office, "batch.opening", 28 * HOUR)
    announce(office)
    assert queued(world) == []
    do(office, "batch.opening", 20 * HOUR)
    announce(office)
    do(office, "batch.opening", 40 * HOUR)  # many would have come today
    announce(office)
    assert world.value("SELECT count(*) FROM notices WHERE kind = 'opening_moved'") == 2
    assert world.value("SELECT count(*) FROM batch_acts WHERE told_at IS NULL") == 0


def test_the_pass_that_moves_windows_tells_of_them(office: Office) -> None:
    office.approve("batch.end", office.now(3 * HOUR))
    office.let_time_pass()
    stopped, heard = threading.Event(), []

    def hear(one: object) -> None:
        heard.append(type(one).__name__)
        if len(heard) == 2:
            stopped.set()

    window_acts.follow(office.world.database, stopped, hear)
    assert heard == ["Settled", "Announced"]
    assert re.fullmatch(r"end_moved\|\d+\|\d+", office.world.value("SELECT dedupe FROM notices"))
