"""The gate: own office and below, from every level; everything else does not exist. And the layer beneath it."""

from dataclasses import dataclass

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from admin import candidates, scope
from admin.candidates import Approval
from admin.officers import Visitor
from app.candidates import Sealer
from app.db import Database
from app.errors import NotFound
from tests.admin.colleagues import Offices
from tests.filing import file
from tests.makers import Person, World


@dataclass
class Tree:
    """Two prefectures, three counties, four points, a candidate at each."""

    ids: dict[str, int]
    people: dict[str, Person]


@pytest.fixture
def tree(world: World) -> Tree:
    ids = {"province": world.province, "prefecture": world.prefecture, "county": world.county}
    ids["point"] = world.point
    ids["sibling point"] = world.new_point("长沙市第二中学")
    ids["sibling county"] = world.new_county("430103", "天心区")
    ids["its point"] = world.new_point("长沙市第三中学", ids["sibling county"])
    ids["sibling prefecture"] = world._office("prefecture", world.province, "430200", "株洲市")
    ids["its county"] = world._office("county", ids["sibling prefecture"], "430202", "荷塘区")
    ids["its county's point"] = world.new_point("株洲市第一中学", ids["its county"])
    people = {name: world.candidate(point=ids[name]) for name in ids if "point" in name}
    return Tree(ids, people)


BELOW = {
    "province": {
        "province",
        "prefecture",
        "county",
        "point",
        "sibling point",
        "sibling county",
        "its point",
        "sibling prefecture",
        "its county",
        "its county's point",
    },
    "prefecture": {"prefecture", "county", "point", "sibling point", "sibling county", "its point"},
    "county": {"county", "point", "sibling point"},
    "point": {"point"},
    "its county's point": {"its county's point"},
}


@pytest.mark.parametrize("level", BELOW)
def test_an_officer_reaches_their_office_and_those_below(
    tree: Tree, offices: Offices, offices_role: Database, level: str
) -> None:
    visitor = offices.visitor(offices.appoint(tree.ids[level]))
    for name, office_id in tree.ids.items():
        with scope.reading(offices_role, visitor) as connection:
            if name in BELOW[level]:
                assert scope.office(connection, visitor, office_id).id == office_id
            else:
                with pytest.raises(NotFound):
                    scope.office(connection, visitor, office_id)
            for wrong in (0, -1, 10**9, 2**62):
                with pytest.raises(NotFound):
                    scope.office(connection, visitor, wrong)


@pytest.mark.parametrize("level", BELOW)
def test_an_officer_reaches_the_candidates_of_those(
    world: World, tree: Tree, offices: Offices, offices_role: Database, level: str
) -> None:
    visitor = offices.visitor(offices.appoint(tree.ids[level]))
    for point, person in tree.people.items():
        with scope.transaction(offices_role, visitor) as session:
            found = candidates.look_up(session, visitor, person.candidate_no, world.where())
        with scope.reading(offices_role, visitor) as connection:
            if point in BELOW[level]:
                assert candidates.of(connection, visitor, person.id).name == person.name
                assert found == person.id
            else:
                with pytest.raises(NotFound):
                    candidates.of(connection, visitor, person.id)
                assert found is None


def test_an_office_whose_number_begins_alike_is_no_relative(
    world: World, offices: Offices, offices_role: Database
) -> None:
    county = offices.visitor(offices.appoint(world.county))
    lookalike = world.new_point("长沙市第九中学")
    world.do(
        "UPDATE offices SET path = :path WHERE id = :id",
        path=county.path.removesuffix("/") + "9/",
        id=lookalike,
    )
    with scope.reading(offices_role, county) as connection, pytest.raises(NotFound):
        scope.office(connection, county, lookalike)


def test_the_way_leads_from_the_officers_own_office(tree: Tree, offices: Offices, offices_role: Database) -> None:
    for level, way in (
        ("province", ["湖南省", "长沙市", "芙蓉区"]),
        ("county", ["芙蓉区"]),
        ("point", []),
    ):
        visitor = offices.visitor(offices.appoint(tree.ids[level]))
        with scope.reading(offices_role, visitor) as connection:
            place = scope.office(connection, visitor, tree.ids["point"])
        assert [step.name for step in place.way] == way


#: what hangs on a candidate, one row for each in the tree below
ROWS = ("candidates", "tallies", "accounts", "bindings", "drafts", "filings")


def counted(where: Connection | Session) -> dict[str, int]:
    return {table: where.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in ROWS}  # noqa: S608


def test_beneath_the_gate_the_database_shows_an_offices_rows_only(
    world: World, tree: Tree, offices: Offices, offices_role: Database
) -> None:
    world.batch("1")
    for person in tree.people.values():
        file(world, person, world.activate(person), "1", "4301")
    for level, many in (("province", 4), ("prefecture", 3), ("county", 2), ("point", 1)):
        visitor = offices.visitor(offices.appoint(tree.ids[level]))
        with scope.reading(offices_role, visitor) as connection:
            assert counted(connection) == dict.fromkeys(ROWS, many)
        with scope.transaction(offices_role, visitor) as session:
            assert counted(session) == dict.fromkeys(ROWS, many)
        # what goes back into the pool sees nothing
        with offices_role.reading() as connection:
            assert counted(connection) == dict.fromkeys(ROWS, 0)
        with offices_role.transaction() as session:
            assert counted(session) == dict.fromkeys(ROWS, 0)
    with world.database.reading() as connection:
        assert counted(connection) == dict.fromkeys(ROWS, 4)


def test_a_connection_that_failed_goes_back_without_a_scope(
    world: World, tree: Tree, offices: Offices, offices_role: Database
) -> None:
    visitor = offices.visitor(offices.appoint(tree.ids["province"]))
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), scope.reading(offices_role, visitor):
            raise ZeroDivisionError
    with offices_role.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM candidates")).scalar() == 0


def test_a_ticket_cannot_be_written_past_the_gate(
    world: World, tree: Tree, offices: Offices, offices_role: Database
) -> None:
    mine, foreign = tree.people["point"], tree.people["sibling point"]
    for person in (mine, foreign):
        world.activate(person)
    visitor = offices.visitor(offices.appoint(tree.ids["point"]))
    insert = text("""
        INSERT INTO reset_tickets (candidate_id, secret_hash, officer_id, approved_at, expires_at)
        VALUES (:id, '', 1, clock_timestamp(), clock_timestamp())
    """)
    with scope.transaction(offices_role, visitor) as session:
        session.execute(insert, {"id": mine.id})
    with (
        pytest.raises(Exception, match="row-level security"),
        scope.transaction(offices_role, visitor) as session,
    ):
        session.execute(insert, {"id": foreign.id})
    with pytest.raises(NotFound), scope.transaction(offices_role, visitor) as session:
        approve(session, world, visitor, foreign)


def approve(session: object, world: World, visitor: Visitor, person: Person) -> None:
    sealer = Sealer(world.keys.column_key, world.keys.index_key)
    asked = Approval("forgotten", person.id_no[-6:], "")
    candidates.approve_reset(session, sealer, visitor, person.id, asked, world.where())  # type: ignore[arg-type]


def test_the_candidates_portal_sees_what_it_saw(world: World, tree: Tree) -> None:
    own = Database(world.url, role="zhiyuan_candidates")
    with own.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM candidates")).scalar() == 4
    own.dispose()
