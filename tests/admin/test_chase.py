"""Chase: the order of calls, the log, silent points, and full numbers for a reason, so many a day."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from admin import chase, completeness, moves, reveals, scope
from admin.chase import AGAIN, Callee, Said
from admin.officers import Visitor
from admin.reveals import Capped, Revealed, Wish
from app import drafts
from app.db import Database
from app.errors import NotFound
from tests.admin.colleagues import Offices
from tests.admin.watch.acts import alerts, look
from tests.filing import file
from tests.makers import Person, World, content


@pytest.fixture
def batch(world: World) -> int:
    return world.batch("1", closes=timedelta(hours=20))


@pytest.fixture
def people(world: World, batch: int) -> dict[str, Person]:
    """A school with everybody who must be called, and two who need not."""
    names = ("stranger", "idle", "drafter", "promised", "later", "filed")
    found = {name: world.candidate(name=name, class_no="302" if name == "idle" else "301") for name in names}
    found["barred"] = world.candidate(name="barred", subject_class="3")
    for name in ("idle", "drafter", "promised", "later", "filed"):
        session_id = world.activate(found[name])
        if name == "drafter":
            with world.database.transaction() as session:
                drafts.save(session, found[name].id, batch, content("4301"), 0)
        if name == "filed":
            file(world, found[name], session_id, "1", "4301")
    return found


@pytest.fixture
def officer(offices: Offices, world: World) -> Visitor:
    return offices.visitor(offices.appoint(world.point))


def log(role: Database, world: World, officer: Visitor, candidate: int, batch: int, **said: Any) -> None:
    with scope.transaction(role, officer) as session:
        what = Said(said.get("outcome", "reached"), said.get("note", ""), said.get("again", ""))
        chase.log(session, officer, candidate, batch, what, world.where())


def listed(role: Database, officer: Visitor, batch: int, *asked: str) -> list[Callee]:
    with scope.reading(role, officer) as connection:
        place = scope.office(connection, officer, officer.office_id)
        return chase.callees(connection, place, batch, *asked)


def test_the_list_is_in_the_order_in_which_to_call(
    world: World, offices_role: Database, people: dict[str, Person], officer: Visitor, batch: int
) -> None:
    log(offices_role, world, officer, people["promised"].id, batch, outcome="will_come", again="hour")
    world.do("UPDATE contacts SET next_at = clock_timestamp() - interval '1 minute'")
    log(offices_role, world, officer, people["later"].id, batch, again="three_hours")
    found = listed(offices_role, officer, batch)
    # the promise that is due; those never called, who think they are done before others; then what was promised later
    assert [one.name for one in found] == ["promised", "drafter", "idle", "stranger", "later"]
    assert [one.call_due for one in found] == [True, False, False, False, False]
    assert [one.name for one in listed(offices_role, officer, batch, "302")] == ["idle"]
    assert [one.name for one in listed(offices_role, officer, batch, "301", "draft_only")] == ["drafter"]


def test_phones_are_masked_in_lists(
    world: World, offices_role: Database, people: dict[str, Person], officer: Visitor, batch: int
) -> None:
    for one in listed(offices_role, officer, batch):
        masked = one.masked_phone(world.sealer)
        assert (masked[:3], masked[3:7], len(masked)) == ("138", "****", 11)
        assert one.phone(world.sealer) not in repr(one)


def test_the_next_call_is_reckoned_by_the_provinces_clock(
    world: World, offices_role: Database, officer: Visitor, batch: int
) -> None:
    person = world.candidate(card=False)
    for again in AGAIN:
        log(offices_role, world, officer, person.id, batch, again=again, outcome="no_answer", note="rang twice")
    log(offices_role, world, officer, person.id, batch, again="usual", outcome="reached")
    *rows, reached = world.rows(
        "SELECT next_at - at AS wait, to_char(next_at AT TIME ZONE 'Asia/Shanghai', 'HH24:MI') AS clock,"
        " outcome, note FROM contacts ORDER BY id"
    )
    three = timedelta(hours=3)
    assert [row["wait"] for row in rows[:4]] == [three, None, timedelta(hours=1), three]
    assert reached["wait"] is None
    assert [row["clock"] for row in rows[4:]] == ["19:00", "09:00"]
    assert timedelta(0) < rows[4]["wait"] <= timedelta(hours=24)
    assert timedelta(hours=9) < rows[5]["wait"] <= timedelta(hours=33)
    assert {(row["outcome"], row["note"]) for row in rows} == {("no_answer", "rang twice")}
    entry = world.rows("SELECT candidate_id, detail FROM audit WHERE act = 'candidate.called'")[0]
    assert (entry["candidate_id"], entry["detail"]["outcome"]) == (person.id, "no_answer")
    assert "rang" not in str(entry)


def test_the_log_is_the_offices_own_and_is_never_changed(
    world: World, offices: Offices, offices_role: Database, people: dict[str, Person], officer: Visitor, batch: int
) -> None:
    other = world.new_point("长沙市第二中学")
    foreign = offices.visitor(offices.appoint(other))
    with pytest.raises(NotFound):
        log(offices_role, world, foreign, people["idle"].id, batch)
    log(offices_role, world, officer, people["idle"].id, batch)
    for statement in ("UPDATE contacts SET note = ''", "DELETE FROM contacts"):
        with pytest.raises(ProgrammingError), scope.transaction(offices_role, officer) as session:
            session.execute(text(statement))
    count = text("SELECT count(*) FROM contacts")
    with scope.reading(offices_role, officer) as mine, scope.reading(offices_role, foreign) as theirs:
        assert (mine.execute(count).scalar(), theirs.execute(count).scalar()) == (1, 0)
    with world.database.transaction() as session:
        code = world.value("SELECT code FROM offices WHERE id = :id", id=other)
        moves.move(session, people["idle"].candidate_no, code, "301", "moved house")
    with scope.reading(offices_role, officer) as mine, scope.reading(offices_role, foreign) as theirs:
        assert (mine.execute(count).scalar(), theirs.execute(count).scalar()) == (0, 1)


def test_points_that_have_called_nobody_come_first(
    world: World, offices: Offices, offices_role: Database, people: dict[str, Person], officer: Visitor, batch: int
) -> None:
    silent, done = world.new_point("长沙市第二中学"), world.new_point("长沙市第三中学")
    for _ in range(2):
        world.candidate(point=silent)
    complete = world.candidate(point=done)
    file(world, complete, world.activate(complete), "1", "4301")
    for name in ("idle", "idle", "drafter", "filed"):  # who has filed meanwhile is not among those missing
        log(offices_role, world, officer, people[name].id, batch)
    world.do("UPDATE contacts SET at = at - interval '5 hours' WHERE candidate_id = :id", id=people["drafter"].id)
    county = offices.visitor(offices.appoint(world.county))

    def points(hours: int) -> list[tuple[str, int, int, bool]]:
        with scope.reading(offices_role, county) as connection:
            place = scope.office(connection, county, world.county)
            found = chase.points(connection, place, batch, hours)
        return [(point.name, point.missing, point.called, point.silent) for point in found]

    assert points(24) == [("长沙市第二中学", 2, 0, True), ("长沙市第一中学", 5, 2, False)]
    assert points(3) == [("长沙市第二中学", 2, 0, True), ("长沙市第一中学", 5, 1, False)]


# --- full numbers ------------------------------------------------------------------------------------


def reveal(
    role: Database, world: World, officer: Visitor, candidate: int, batch: int, most: int = 50
) -> Revealed | Capped:
    with scope.transaction(role, officer) as session:
        wish = Wish(candidate, "phone", "to remind the candidate", batch)
        return reveals.reveal(session, world.sealer, officer, wish, most, world.where())


def test_a_full_number_leaves_its_trace(
    world: World, offices_role: Database, people: dict[str, Person], officer: Visitor, batch: int
) -> None:
    answer = reveal(offices_role, world, officer, people["idle"].id, batch)
    assert isinstance(answer, Revealed)
    assert (answer.number[:3], len(answer.number), answer.left) == ("138", 11, 49)
    entry = world.rows("SELECT * FROM audit WHERE act = 'phone.revealed'")[0]
    assert (entry["officer_id"], entry["candidate_id"]) == (officer.officer_id, people["idle"].id)
    assert entry["detail"]["reason"] == "to remind the candidate"
    assert answer.number not in str(entry)


def test_a_day_allows_so_many_also_at_once(
    world: World, offices: Offices, offices_role: Database, people: dict[str, Person], officer: Visitor, batch: int
) -> None:
    world.do(
        "INSERT INTO audit (actor, officer_id, act, detail, at) VALUES ('officer', :o, 'phone.revealed', '{}',"
        " clock_timestamp() - interval '2 days')",
        o=officer.officer_id,
    )
    answers: list[Revealed | Capped] = []
    role = Database(world.url, role="zhiyuan_offices", pool_size=6)
    threads = [
        threading.Thread(target=lambda: answers.append(reveal(role, world, officer, people["idle"].id, batch, most=3)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    role.dispose()
    assert sorted(one.left for one in answers if isinstance(one, Revealed)) == [0, 1, 2]
    assert answers.count(Capped(3)) == 3
    assert world.value("SELECT count(*) FROM audit WHERE act = 'phone.refused'") == 3
    look(world)
    assert [(one["office"], one["count"]) for one in alerts(world, "reveals")] == [("芙蓉区", 3)]
    colleague = offices.visitor(offices.appoint(world.point))
    assert isinstance(reveal(offices_role, world, colleague, people["idle"].id, batch, most=3), Revealed)


def test_the_number_of_another_offices_candidate_is_not_to_be_had(
    world: World, offices: Offices, offices_role: Database, people: dict[str, Person], batch: int
) -> None:
    foreign = offices.visitor(offices.appoint(world.new_point("长沙市第二中学")))
    with pytest.raises(NotFound):
        reveal(offices_role, world, foreign, people["idle"].id, batch)
    assert world.value("SELECT count(*) FROM audit WHERE act LIKE 'phone.%'") == 0


def test_the_offices_role_still_reads_no_list(
    world: World, offices_role: Database, people: dict[str, Person], officer: Visitor
) -> None:
    for table in ("drafts", "filings"):
        with pytest.raises(ProgrammingError), scope.reading(offices_role, officer) as connection:
            connection.execute(text(f"SELECT content FROM {table}"))  # noqa: S608 -- from the list above
    assert completeness.MISSING == ("never_signed_in", "not_bound", "nothing_filed", "draft_only")
