"""Drafts: kept, never in force, and never overwritten by a window that has not seen them."""

from datetime import timedelta
from typing import Any

import pytest

from app import drafts, tallies
from app.errors import Closed, DraftMoved, NotFound
from tests.makers import Person, World, content

EMPTY: dict[str, Any] = {"columns": {}}


@pytest.fixture
def person(world: World) -> Person:
    made = world.candidate()
    world.activate(made)
    return made


def save(world: World, person: Person, batch_id: int, list_: dict[str, Any], seen: int) -> int:
    with world.database.transaction() as session:
        return drafts.save(session, person.id, batch_id, list_, seen)


def kept(world: World) -> dict[str, Any] | None:
    found: dict[str, Any] | None = world.value("SELECT content FROM drafts")
    return found


def tally(world: World, batch_id: int) -> tuple[int, int]:
    row = world.rows("SELECT nothing_filed, draft_only FROM tallies WHERE batch_id = :batch", batch=batch_id)[0]
    return row["nothing_filed"], row["draft_only"]


def recount(world: World) -> int:
    with world.database.transaction() as session:
        return tallies.recount(session)


def test_a_draft_is_kept_and_its_version_rises(world: World, person: Person) -> None:
    batch = world.batch("1")
    first = save(world, person, batch, content("4301"), 0)
    second = save(world, person, batch, content("4302"), first)
    assert second > first
    assert kept(world) == content("4302")


def test_a_window_that_has_not_seen_the_latest_draft_overwrites_nothing(world: World, person: Person) -> None:
    batch = world.batch("1")
    first = save(world, person, batch, content("4301"), 0)
    second = save(world, person, batch, content("4302"), first)
    for seen in (0, first, second + 1):
        with pytest.raises(DraftMoved) as moved:
            save(world, person, batch, content("4303"), seen)
        assert moved.value.version == second
    assert kept(world) == content("4302")


def test_saving_what_is_kept_already_changes_nothing_whatever_was_seen(world: World, person: Person) -> None:
    batch = world.batch("1")
    version = save(world, person, batch, content("4301"), 0)
    at = world.value("SELECT updated_at FROM drafts")
    assert save(world, person, batch, content("4301"), 0) == version
    assert save(world, person, batch, content("4301"), version) == version
    assert world.value("SELECT updated_at FROM drafts") == at


def test_an_empty_list_over_nothing_is_no_draft(world: World, person: Person) -> None:
    batch = world.batch("1")
    assert save(world, person, batch, EMPTY, 0) == 0
    assert kept(world) is None
    assert tally(world, batch) == (1, 0)


def test_an_emptied_draft_is_kept_empty(world: World, person: Person) -> None:
    batch = world.batch("1")
    version = save(world, person, batch, content("4301"), 0)
    save(world, person, batch, EMPTY, version)
    assert kept(world) == EMPTY


def test_a_version_thrown_away_is_never_given_again(world: World, person: Person) -> None:
    batch = world.batch("1")
    version = save(world, person, batch, content("4301"), 0)
    with world.database.transaction() as session:
        drafts.discard(session, person.id, batch, version)
    assert kept(world) is None
    assert save(world, person, batch, content("4302"), 0) > version


def test_the_point_s_tally_follows_the_draft(world: World, person: Person) -> None:
    batch = world.batch("1")
    assert tally(world, batch) == (1, 0)
    version = save(world, person, batch, content("4301"), 0)
    assert tally(world, batch) == (0, 1)
    with world.database.transaction() as session:
        drafts.discard(session, person.id, batch, version)
    assert tally(world, batch) == (1, 0)
    assert recount(world) == 0


def test_only_the_latest_draft_can_be_thrown_away(world: World, person: Person) -> None:
    batch = world.batch("1")
    first = save(world, person, batch, content("4301"), 0)
    save(world, person, batch, content("4302"), first)
    with pytest.raises(DraftMoved), world.database.transaction() as session:
        drafts.discard(session, person.id, batch, first)
    assert kept(world) == content("4302")


def test_before_the_opening_drafts_are_welcome(world: World, person: Person) -> None:
    batch = world.batch("1", opens=timedelta(days=1), closes=timedelta(days=2))
    assert save(world, person, batch, content("4301"), 0)


def test_after_the_close_a_draft_cannot_change(world: World, person: Person) -> None:
    batch = world.batch("1")
    version = save(world, person, batch, content("4301"), 0)
    world.move_end(batch, 0)
    with pytest.raises(Closed):
        save(world, person, batch, content("4302"), version)
    with pytest.raises(Closed), world.database.transaction() as session:
        drafts.discard(session, person.id, batch, version)
    assert kept(world) == content("4301")


def test_a_batch_of_another_subject_class_takes_no_draft(world: World, person: Person) -> None:
    batch = world.batch("1", subject_classes=("1",))
    with pytest.raises(NotFound):
        save(world, person, batch, content("4301"), 0)
