"""Counts of every level against the rows themselves, names of a point, and how many questions they cost."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Connection, event

from admin import completeness, scope
from admin.categories import Part, Row, chosen
from admin.completeness import MISSING, PREFERENCES
from app.db import Database
from app.errors import NotFound
from app.tallies import STATES, State
from tests.admin.colleagues import Offices
from tests.makers import Person, World

counted = PREFERENCES.counted
ONE_EACH = counted(**dict.fromkeys(STATES, 1))


@pytest.fixture
def batch(world: World) -> int:
    return world.batch("1")


@pytest.fixture
def people(world: World, batch: int) -> dict[State, Person]:
    """One candidate in each state, all at one point; one more at another point, one in another county."""
    class_of = {"not_eligible": "3"}  # files in no batch here
    found: dict[State, Person] = {
        state: world.candidate(class_no="301", name=state, subject_class=class_of.get(state, "5")) for state in STATES
    }
    for state, person in found.items():
        if state != "never_signed_in":
            world.activate(person)
    world.do("DELETE FROM bindings WHERE candidate_id = :id", id=found["not_bound"].id)
    for state in ("draft_only", "filed"):
        world.do(
            "INSERT INTO drafts (candidate_id, batch_id, content, version, updated_at)"
            " VALUES (:id, :batch, '{\"secret\": 1}', 1, clock_timestamp())",
            id=found[state].id,
            batch=batch,
        )
    for state, kind in (("filed", "list"), ("waived", "waiver")):
        file(world, found[state], batch, kind)
    world.candidate(point=world.new_point("长沙市第二中学"), class_no="302")
    world.candidate(point=world.new_point("天心中学", world.new_county("430103", "天心区")))
    return found


def file(world: World, person: Person, batch: int, kind: str) -> None:
    """A filing in force, with a code that activation has not used up."""
    world.do(
        """
        WITH used AS (
            INSERT INTO card_uses (serial, code_index, candidate_id, purpose, used_at)
            SELECT :serial, min(i), :id, 'file', clock_timestamp() FROM generate_series(1, 40) i
            WHERE i NOT IN (SELECT code_index FROM card_uses WHERE serial = :serial)
            RETURNING code_index
        )
        INSERT INTO filings (candidate_id, batch_id, candidate_no, number, kind, content, catalogue_version,
                             filed_at, nonce, digest, serial, code_index, opening, challenge, receipt, device)
        SELECT :id, :batch, :no, 1, :kind, '{}', 1, clock_timestamp(), '', CAST(:serial AS bytea), :serial,
               code_index, '', '', '', ''
        FROM used
        """,
        id=person.id,
        batch=batch,
        no=person.candidate_no,
        kind=kind,
        serial=person.serial,
    )


@contextmanager
def questions(database: Database) -> Iterator[list[str]]:
    asked: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    event.listen(database.reader, "before_cursor_execute", note)
    yield asked
    event.remove(database.reader, "before_cursor_execute", note)


def shown(connection: Connection, offices: Offices, office_id: int) -> Part:
    visitor = offices.visitor(offices.appoint(office_id))
    place = scope.office(connection, visitor, office_id)
    found = chosen(completeness.batches(connection, place), "1")
    assert found is not None
    return found


def test_every_level_counts_what_is_below_it(world: World, offices: Offices, people: dict[State, Person]) -> None:
    one_each = ONE_EACH
    with world.database.reading() as connection:
        point = shown(connection, offices, world.point)
        county = shown(connection, offices, world.county)
        prefecture = shown(connection, offices, world.prefecture)
        province = shown(connection, offices, world.province)
    assert [(row.name, row.counts) for row in point.rows] == [("长沙市第一中学", one_each)]
    assert [row.name for row in county.rows] == ["长沙市第一中学", "长沙市第二中学"]
    assert [(row.name, row.counts.eligible) for row in prefecture.rows] == [("芙蓉区", 7), ("天心区", 1)]
    assert [(row.name, row.counts.eligible) for row in province.rows] == [("长沙市", 8)]
    assert province.total == prefecture.total == ONE_EACH + counted(never_signed_in=2)
    assert (province.total.settled, province.total.missing) == (2, 6)
    assert province.state == "open"


def test_names_of_a_point(world: World, offices: Offices, batch: int, people: dict[State, Person]) -> None:
    visitor = offices.visitor(offices.appoint(world.point))
    with world.database.reading() as connection:
        place = scope.office(connection, visitor, world.point)
        everybody = completeness.standings(connection, place, batch)
        nobody = completeness.standings(connection, place, batch, "302")
    assert {person.state: person.name for person in everybody} == {state: state for state in STATES}
    assert nobody == []
    assert everybody[0].masked_no.startswith("17****")
    assert [row.counts for row in PREFERENCES.classes(everybody)] == [ONE_EACH]
    assert {person.state for person in PREFERENCES.among(everybody, "")} == set(MISSING)
    assert [person.state for person in PREFERENCES.among(everybody, "draft_only")] == ["draft_only"]
    with pytest.raises(NotFound):
        PREFERENCES.among(everybody, "content")


def test_the_portals_role_can_count_and_name(
    world: World, offices: Offices, offices_role: Database, batch: int, people: dict[State, Person]
) -> None:
    visitor = offices.visitor(offices.appoint(world.point))
    with scope.reading(offices_role, visitor) as connection, questions(offices_role) as asked:
        place = scope.office(connection, visitor, world.point)
        assert completeness.batches(connection, place)[0].total == ONE_EACH
        assert len(completeness.standings(connection, place, batch)) == 7
    assert len(asked) == 3  # the gate, the counts, the names
    assert not any("content" in statement for statement in asked)


def test_a_province_is_one_question_however_large(
    world: World, offices: Offices, offices_role: Database, batch: int
) -> None:
    world.do(
        """
        INSERT INTO offices (parent_id, level, code, name, path)
        SELECT :county, 'point', 'x' || n, 'Point ' || n, c.path || (100000 + n) || '/'
        FROM generate_series(1, 3000) n, offices c WHERE c.id = :county
        """,
        county=world.county,
    )
    world.do(
        "INSERT INTO tallies (point_id, batch_id, filed) SELECT id, :batch, 100 FROM offices WHERE level = 'point'",
        batch=batch,
    )
    visitor = offices.visitor(offices.appoint(world.province))
    with scope.reading(offices_role, visitor) as connection:
        place = scope.office(connection, visitor, world.province)
        with questions(offices_role) as asked:
            found = completeness.batches(connection, place)
    assert len(asked) == 1
    assert found[0].total.of("filed") == 300_000


def test_a_batch_without_candidates_is_still_there(world: World, offices: Offices) -> None:
    world.batch("1")
    with world.database.reading() as connection:
        batch = shown(connection, offices, world.province)
    assert batch.rows == ()
    assert batch.total == counted()
    assert batch.total.share == 1


def test_the_batch_that_matters_now_comes_first(world: World, offices: Offices) -> None:
    hours = timedelta(hours=1)
    world.batch("past", opens=-9 * hours, closes=-5 * hours)
    world.batch("lately", opens=-9 * hours, closes=-1 * hours)
    world.batch("next", opens=2 * hours, closes=3 * hours)
    world.batch("later", opens=5 * hours, closes=9 * hours)
    world.batch("open", opens=-1 * hours, closes=4 * hours)
    world.batch("closing", opens=-2 * hours, closes=1 * hours)
    visitor = offices.visitor(offices.appoint())
    with world.database.reading() as connection:
        found = completeness.batches(connection, scope.office(connection, visitor, world.province))
    order = []
    while found:
        first = chosen(found, "")
        assert first is not None
        order.append(first.code)
        found.remove(first)
    assert order == ["closing", "open", "next", "later", "lately", "past"]
    assert chosen([], "") is None
    with pytest.raises(NotFound):
        chosen([], "no such batch")


ROWS = [
    Row("1", "430100", "A", counted(never_signed_in=5, filed=95)),
    Row("2", "430200", "B", counted(draft_only=1, filed=9), dropped=2),
    Row("3", "430300", "C", counted(nothing_filed=30, filed=1000, waived=4), dropped=1),
    Row("4", "430400", "D", counted()),
]


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("share", "BACD"),
        ("-share", "DCAB"),
        ("never_signed_in", "ABCD"),
        ("nothing_filed", "CABD"),
        ("draft_only", "BACD"),
        ("eligible", "CABD"),
        ("filed", "DBAC"),
        ("waived", "CABD"),
        ("office", "ABCD"),
        ("-office", "DCBA"),
        ("dropped", "BCAD"),
    ],
)
def test_each_column_puts_its_worst_row_first(order: str, names: str) -> None:
    assert "".join(row.name for row in PREFERENCES.in_order(ROWS, order)) == names


def test_only_columns_sort() -> None:
    for order in ("", "name", "--share", "share; DROP"):
        with pytest.raises(NotFound):
            PREFERENCES.in_order(ROWS, order)
    for column in PREFERENCES.columns:
        up, down = PREFERENCES.direction(column), PREFERENCES.direction(f"-{column}")
        assert {up, down} == {"ascending", "descending"}
