"""Reminders before a close: whom, when, exactly once, and never a word of what a list holds."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from admin import reminders
from admin.rehearsal import FREE
from admin.reminders import Done
from admin.sending import Post, ToLog
from app import drafts, preferences
from app.notices import WINDOW_SQL
from tests.filing import file
from tests.makers import COLUMN, Person, World, content

HOURS = timedelta(hours=1)


def remind(world: World) -> list[Done]:
    with world.database.transaction() as session:
        return reminders.remind(session)


def draft(world: World, person: Person, session_id: str, *institutions: str, batch: str = "1") -> None:
    with world.database.transaction() as session:
        sheet = preferences.sheet(session, world.visitor(session_id), batch)
        drafts.save(session, person.id, sheet.batch.id, content(*institutions), sheet.draft_version)


def told(world: World) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    kinds = ["draft_waits", "nothing_filed"]
    for row in world.rows(
        "SELECT kind, candidate_id FROM notices WHERE kind = ANY (:kinds) ORDER BY candidate_id", kinds=kinds
    ):
        found.setdefault(row["kind"], []).append(row["candidate_id"])
    return found


@pytest.fixture
def people(world: World) -> dict[str, Person]:
    """Everybody there is before a batch of 23 hours to go closes."""
    world.batch("1", closes=23 * HOURS)
    names = ("stranger", "idle", "drafter", "filed", "changing", "waived", "barred")
    found = {
        name: world.candidate(name=name, subject_class="3" if name == "barred" else "5", card=name != "stranger")
        for name in names
    }
    sessions = {name: world.activate(person) for name, person in found.items() if name != "stranger"}
    draft(world, found["drafter"], sessions["drafter"], "4301")
    file(world, found["filed"], sessions["filed"], "1", "4301")
    file(world, found["changing"], sessions["changing"], "1", "4301")
    draft(world, found["changing"], sessions["changing"], "4302", "4303")
    draft(world, found["waived"], sessions["waived"], "4301")
    file(world, found["waived"], sessions["waived"], "1")
    return found


def test_who_is_reminded_of_what(world: World, people: dict[str, Person]) -> None:
    assert remind(world) == [Done("1", "24h", 2, 2)]
    assert told(world) == {
        "draft_waits": sorted([people["drafter"].id, people["changing"].id]),
        "nothing_filed": sorted([people["stranger"].id, people["idle"].id]),
    }
    assert world.value("SELECT count(*) FROM audit WHERE act = 'reminders.queued'") == 1


def test_each_step_is_due_once_and_an_extension_moves_them(world: World, people: dict[str, Person]) -> None:
    batch = world.value("SELECT id FROM batches")
    seen: list[Any] = []
    for seconds in (25 * 3600, 23.9 * 3600, 2.9 * 3600, 1700):
        world.move_end(batch, seconds)
        seen.append([(one.step, one.drafts, one.nothing) for one in remind(world) + remind(world)])
    assert seen == [[], [("24h", 2, 2)], [("3h", 2, 2)], [("30min", 2, 0)]]
    world.move_end(batch, 4 * 3600)  # extended: what was sent named a close that is not true any more
    assert [one.step for one in remind(world)] == ["24h"]
    world.move_end(batch, -1)
    assert remind(world) == []


def test_concurrent_passes_remind_exactly_once(world: World, people: dict[str, Person]) -> None:
    done: list[Done] = []
    start = threading.Barrier(4)

    def one_pass() -> None:
        start.wait()
        done.extend(remind(world))

    threads = [threading.Thread(target=one_pass) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [Done("1", "24h", 2, 2)]
    assert sum(map(len, told(world).values())) == 4


@pytest.mark.parametrize("state", ["suspended", "not_yet_open", "closed"])
def test_nobody_is_reminded_of_a_batch_that_is_not_open(world: World, people: dict[str, Person], state: str) -> None:
    changes = {
        "suspended": "suspended_at = clock_timestamp()",
        "not_yet_open": "opens_at = clock_timestamp() + interval '1 hour'",
        "closed": "closes_at = clock_timestamp()",
    }
    world.do(f"{FREE} UPDATE batches SET {changes[state]} FROM free")  # noqa: S608 -- from the list above
    assert remind(world) == []


def test_who_may_not_file_is_left_alone(world: World) -> None:
    barred = COLUMN | {"eligibility": [{"rule": "not_yet_admitted", "policy": "block"}]}
    world.batch("s", name="征集志愿", closes=2 * HOURS, columns=(barred,))
    waiting, _admitted = world.candidate(card=False), world.candidate(card=False, admitted=True)
    assert remind(world) == [Done("s", "3h", 0, 1)]
    assert told(world) == {"nothing_filed": [waiting.id]}


def test_the_text_names_batch_and_close_and_nothing_of_the_list(
    world: World, people: dict[str, Person], capsys: pytest.CaptureFixture[str]
) -> None:
    remind(world)
    world.do("DELETE FROM notices WHERE NOT kind = ANY (:kinds)", kinds=["draft_waits", "nothing_filed"])
    post = Post(world.database, world.sealer, ToLog(), "0731-1")
    assert post.round() == (4, 0)
    said = capsys.readouterr().err
    assert said.count("本科一批") == 4
    assert "湘江大学" not in said
    assert "4302" not in said
    assert "http" not in said


def test_a_reminder_that_could_not_be_sent_before_the_close_is_given_up(
    world: World, people: dict[str, Person], capsys: pytest.CaptureFixture[str]
) -> None:
    remind(world)
    world.do("DELETE FROM notices WHERE NOT kind = ANY (:kinds)", kinds=["draft_waits", "nothing_filed"])
    world.do(
        f"{FREE} UPDATE batches SET opens_at = opens_at - interval '9 days', closes_at = closes_at - interval '9 days'"  # noqa: S608
        " FROM free"
    )
    world.do(f"UPDATE notices SET params = params || {WINDOW_SQL} FROM batches b")  # noqa: S608 -- said of this close
    post = Post(world.database, world.sealer, ToLog(), "0731-1")
    assert post.round() == (0, 4)
    assert capsys.readouterr().err == ""
    assert world.value("SELECT count(*) FROM notices WHERE due_at = 'infinity'") == 4
