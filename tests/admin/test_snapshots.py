"""Snapshots: one a pass, differences to then, the curve, who dropped out, and no more rows than are needed."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from admin import charts, completeness, dropouts, moves, scope, snapshots
from admin.categories import Part, chosen
from admin.scope import Place
from app import sessions
from app.db import Database, clock, together
from tests.admin.colleagues import Offices
from tests.filing import file
from tests.makers import Person, World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def take(world: World, ago: timedelta = timedelta(0)) -> int:
    """Take a snapshot, as if it had been so long ago."""
    with world.database.transaction() as session:
        taken, _ = snapshots.take(session)
    newest = "(SELECT max(taken_at) FROM tally_snapshots)"
    world.do(f"UPDATE tally_snapshots SET taken_at = taken_at - :ago WHERE taken_at = {newest}", ago=ago)  # noqa: S608
    return taken


@pytest.fixture
def school(world: World) -> World:
    """Two candidates who have filed in batch 1, one who has not; batch 9 lies far ahead."""
    world.batch("1", closes=timedelta(hours=5))
    world.batch("9", opens=9 * DAY, closes=10 * DAY)
    for _ in range(2):
        person = world.candidate()
        file(world, person, world.activate(person), "1", "4301")
    world.activate(world.candidate())
    return world


def looked_at(world: World, offices: Offices, role: Database, office_id: int) -> tuple[Place, Part]:
    visitor = offices.visitor(offices.appoint(office_id))
    with scope.reading(role, visitor) as connection:
        place = scope.office(connection, visitor, office_id)
        part = chosen(completeness.batches(connection, place), "1")
    assert part is not None
    return place, part


def test_a_pass_keeps_every_level_of_what_can_still_change_once(school: World) -> None:
    assert take(school) == 4  # point, county, prefecture, province; the batch that is far ahead is not kept
    assert take(school) == 0
    levels = school.rows("SELECT level, filed, nothing_filed FROM tally_snapshots s JOIN offices o ON o.id = office_id")
    assert {row["level"] for row in levels} == {"province", "prefecture", "county", "point"}
    assert {(row["filed"], row["nothing_filed"]) for row in levels} == {(2, 1)}
    assert school.value("SELECT count(*) FROM audit WHERE act = 'tallies.snapshot'") == 1


def test_two_passes_at_once_are_one(school: World) -> None:
    threads = [threading.Thread(target=take, args=(school,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert school.value("SELECT count(*) FROM tally_snapshots") == 4


def test_differences_are_to_an_hour_ago_and_to_yesterday(
    school: World, offices: Offices, offices_role: Database
) -> None:
    take(school, DAY + timedelta(minutes=20))
    file(school, *newcomer(school), "1", "4301")
    take(school, timedelta(minutes=70))
    for _ in range(2):
        file(school, *newcomer(school), "1")
    visitor = offices.visitor(offices.appoint(school.county))
    with scope.reading(offices_role, visitor) as connection:
        place = scope.office(connection, visitor, school.county)
        part = chosen(completeness.batches(connection, place), "1")
        assert part is not None
        before = snapshots.earlier(connection, place.id, part, (int(row.key) for row in part.rows))
        course = snapshots.course(connection, place.id, part.id)
    (row,) = snapshots.with_differences(part.rows, before)
    assert (row.hour, row.day) == (2, 3)
    assert [counted.settled for _, counted in course] == [2, 3]
    assert snapshots.difference(part.total, before["day"], school.county) == 3
    assert abs(before["day"].at - part.as_of + DAY) < timedelta(minutes=25)


def newcomer(world: World) -> tuple[Person, str]:
    person = world.candidate()
    return person, world.activate(person)


def test_what_was_not_counted_makes_no_difference(school: World, offices: Offices, offices_role: Database) -> None:
    take(school, timedelta(hours=5))
    place, part = looked_at(school, offices, offices_role, school.province)
    with school.database.reading() as connection:
        assert snapshots.earlier(connection, place.id, part) == {}
    assert snapshots.difference(part.total, None, place.id) is None


def test_an_office_sees_snapshots_of_its_own_only(school: World, offices: Offices, offices_role: Database) -> None:
    take(school)
    elsewhere = school.new_point("天心中学", school.new_county("430103", "天心区"))
    for office_id, many in ((school.province, 4), (school.point, 1), (elsewhere, 0)):
        visitor = offices.visitor(offices.appoint(office_id))
        with scope.reading(offices_role, visitor) as connection:
            assert len(snapshots.course(connection, school.point, 1)) == (1 if many else 0)
            found = connection.exec_driver_sql("SELECT count(*) FROM tally_snapshots").scalar()
        assert found == many


def test_old_snapshots_are_thinned_to_one_a_day_and_then_go(school: World) -> None:
    take(school)
    # an hourly pass for seventy days, which are then past
    school.do("""
        INSERT INTO tally_snapshots SELECT office_id, batch_id, taken_at - n * interval '1 hour', never_signed_in,
            not_bound, nothing_filed, draft_only, filed, waived, not_eligible
        FROM tally_snapshots, generate_series(1, 24 * 70) n
    """)
    with school.database.transaction() as session:
        _, thinned = snapshots.take(session)
    left = school.rows("SELECT DISTINCT taken_at FROM tally_snapshots ORDER BY taken_at")
    now = school.value("SELECT clock_timestamp()")
    recent = [row for row in left if row["taken_at"] > now - 3 * DAY]
    assert len(recent) == 72
    assert len(left) - len(recent) in range(55, 60)
    assert left[0]["taken_at"] > now - 60 * DAY
    assert thinned == 4 * (24 * 70 + 1 - len(left))


def test_who_dropped_out_and_how(school: World, offices: Offices, offices_role: Database) -> None:
    waiver, mover = list(school.people.values())[:2]
    back, session_id = newcomer(school)
    file(school, back, session_id, "1", "4303")
    late, session_id = newcomer(school)
    with school.database.reading() as connection:
        since = clock(connection)
    file(school, waiver, open_session(school, waiver), "1")
    file(school, late, session_id, "1", "4302")  # filed and given up since: was never counted as filed
    file(school, late, session_id, "1")
    other = school.new_point("长沙市第二中学")
    with school.database.transaction() as session:
        code = school.value("SELECT code FROM offices WHERE id = :id", id=other)
        moves.move(session, mover.candidate_no, code, "301", "moved house")
        moves.move(session, back.candidate_no, code, "301", "an error")
        here = school.value("SELECT code FROM offices WHERE id = :id", id=school.point)
        moves.move(session, back.candidate_no, here, "301", "put right")
    place, part = looked_at(school, offices, offices_role, school.point)
    visitor = offices.visitor(offices.appoint(school.point))
    with scope.reading(offices_role, visitor) as connection:
        found = dropouts.names(connection, place, part.id, since)
        nobody = dropouts.names(connection, place, part.id, since, "302")
    assert [(one.masked_no[-4:], one.moved_to) for one in found] == [
        (mover.candidate_no[-4:], "长沙市第二中学"),
        (waiver.candidate_no[-4:], ""),
    ]
    assert all("********" in one.masked_no for one in found)
    assert nobody == []


def open_session(world: World, person: Person) -> str:
    session_id, id_hash = sessions.new_id()
    with world.database.transaction() as session:
        together(
            session, sessions.started(id_hash, person.id, device=b"d" * 32, label="Test", ip=None, life_seconds=60)
        )
    return session_id


AT = datetime(2017, 6, 30, 8, tzinfo=UTC)


def test_a_curve_stays_inside_its_frame_and_ends_at_the_last_count() -> None:
    points = [(AT + HOUR * at, at * at) for at in range(40)]
    found = charts.curve(points, 2_000)
    assert found is not None
    places = [tuple(map(float, place.split(","))) for place in found.line.split()]
    assert len(places) == 40
    assert all(charts.LEFT <= x <= charts.WIDTH - charts.RIGHT and charts.TOP <= y <= found.bottom for x, y in places)
    assert [number for _, number in found.numbers] == [0, 500, 1000, 1500, 2000]
    assert (found.times[0][1], found.times[-1][1]) == (AT, AT + 39 * HOUR)
    assert places[-1][1] < places[0][1]


def test_one_count_is_no_curve() -> None:
    assert charts.curve([], 5) is None
    assert charts.curve([(AT, 3)], 5) is None
    assert charts.curve([(AT, 0), (AT + HOUR, 0)], 0) is not None
