"""A bundle is checked by a program that knows nothing of ours, and no row of it can be changed unseen."""

from pathlib import Path
from collections.abc import Iterator

import pytest

from admin import verify
from tests.admin.sealing import bundle, seal, tamper
from tests.filing import file
from tests.makers import World


@pytest.fixture
def province(world: World) -> World:
    world.batch("1")
    world.batch("2", name="本科二批")
    people = [(person, world.activate(person)) for person in (world.candidate() for _ in range(4))]
    for at, (person, session_id) in enumerate(people):
        for turn in range(at):
            file(world, person, session_id, "1", f"43{turn + 1:02d}", f"43{turn + 2:02d}")
    file(world, *people[0], "2", "4301")
    file(world, *people[3], "1")
    return world


def test_a_bundle_as_written_has_nothing_wrong(province: World, tmp_path: Path) -> None:
    seal(province)
    place = bundle(province, tmp_path / "bundle")
    findings, said = verify.verify(place, [], [], [])
    assert findings == []
    print(said)
