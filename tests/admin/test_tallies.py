"""Tallies: whatever is done, in whatever order and at once, they are what a count of the rows says."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, text

from admin import completeness, dropouts, moves, scope
from admin.commands import group
from admin.scope import Place
from app import drafts, preferences, tallies
from app.db import Database
from app.errors import BadInput, NotFound
from app.evidence import masked
from app.tallies import STATES
from tests.admin.colleagues import Offices
from tests.filing import file
from tests.makers import COLUMN, Person, World, content

SUPPLEMENT = COLUMN | {"eligibility": [{"rule": "not_yet_admitted", "policy": "block"}]}


def brute(world: World) -> Counter[tuple[int, int, str]]:
    """Every candidate and batch looked at one by one, in words of our own."""
    found: Counter[tuple[int, int, str]] = Counter()
    batches = world.rows("SELECT id, subject_classes, spec FROM batches")
    for who in world.rows("SELECT id, point_id, subject_class, admitted FROM candidates"):
        for batch in batches:
            found[who["point_id"], batch["id"], _state(world, who["id"], who, batch)] += 1
    return found


def _state(world: World, candidate: int, who: dict[str, object], batch: dict[str, object]) -> str:
    asked = {"c": candidate, "b": batch["id"]}
    kinds = world.rows("SELECT kind FROM filings WHERE candidate_id = :c AND batch_id = :b ORDER BY number", **asked)
    if kinds:
        return "filed" if kinds[-1]["kind"] == "list" else "waived"
    columns: list[dict[str, object]] = batch["spec"]["columns"]  # type: ignore[index]
    barred = all(rule_of(column) for column in columns)
    if who["subject_class"] not in batch["subject_classes"] or (who["admitted"] and barred):  # type: ignore[operator]
        return "not_eligible"
    for table, state in (("accounts", "never_signed_in"), ("bindings", "not_bound")):
        if not world.value(f"SELECT count(*) FROM {table} WHERE candidate_id = :c", c=candidate):  # noqa: S608
            return state
    drafted = world.value("SELECT count(*) FROM drafts WHERE candidate_id = :c AND batch_id = :b", **asked)
    return "draft_only" if drafted else "nothing_filed"


def filed(world: World) -> set[tuple[str, int, int]]:
    """Who is counted as filed now, at which point and in which batch."""
    last = "SELECT kind FROM filings WHERE candidate_id = :c AND batch_id = :b ORDER BY number DESC LIMIT 1"
    return {
        (masked(who["candidate_no"]), who["point_id"], batch["id"])
        for who in world.rows("SELECT id, candidate_no, point_id FROM candidates")
        for batch in world.rows("SELECT id FROM batches")
        if world.value(last, c=who["id"], b=batch["id"]) == "list"
    }


class Told:
    """What the offices are told of dropouts since a time: each by an officer of its own, in the portal's role."""

    def __init__(self, world: World, offices: Offices, role: Database, since: datetime) -> None:
        self.names: set[tuple[str, int, int]] = set()
        #: office below, or point, and batch
        self.numbers: Counter[tuple[int, int]] = Counter()
        for row in world.rows("SELECT id FROM offices"):
            visitor = offices.visitor(offices.appoint(row["id"]))
            with scope.reading(role, visitor) as connection:
                self._ask(connection, scope.office(connection, visitor, row["id"]), since)

    def _ask(self, connection: Connection, place: Place, since: datetime) -> None:
        for part in completeness.batches(connection, place):
            if place.level == "point":
                found = dropouts.names(connection, place, part.id, since)
                self.names |= {(one.masked_no, place.id, part.id) for one in found}
            else:
                rows = dropouts.with_numbers(connection, place, part.id, since, part.rows)
                self.numbers.update({(int(row.key), part.id): row.dropped for row in rows if row.dropped})


def rule_of(column: dict[str, object]) -> bool:
    rules: list[dict[str, object]] = column["eligibility"]  # type: ignore[assignment]
    return any(rule["rule"] == "not_yet_admitted" and rule["policy"] == "block" for rule in rules)


def kept(world: World) -> Counter[tuple[int, int, str]]:
    return Counter(
        {
            (row["point_id"], row["batch_id"], state): row[state]
            for row in world.rows("SELECT * FROM tallies")
            for state in STATES
            if row[state]
        }
    )


@pytest.fixture
def storm(world: World) -> World:
    """Schools in two counties, three batches (one only for those not yet admitted), nine candidates of two kinds."""
    world.batch("1")
    world.batch("2", name="艺术批", subject_classes=("3",))
    world.batch("3", name="征集志愿", columns=(SUPPLEMENT,))
    far = world.new_county("430103", "天心区")
    points = [world.point, world.new_point("长沙市第二中学"), world.new_point("长沙市第三中学", far)]
    for number in range(9):
        subject_class = "3" if number % 4 == 3 else "5"
        world.candidate(point=points[number % 2], subject_class=subject_class, admitted=number % 3 == 2)
    return world


class Deeds:
    """What may happen to one candidate; each is a deed of the service."""

    def __init__(self, world: World, person: Person, rng: random.Random) -> None:
        self.world, self.person, self.rng = world, person, rng
        self.session_id = ""

    def once(self) -> str:
        deeds: list[Callable[[], None]] = [self.move, self.replace_card]
        if self.session_id:
            deeds += [self.file, self.withdraw, self.draft, self.draft, self.discard, self.bind, self.file]
        else:
            deeds += [self.activate, self.activate]
        deed = self.rng.choice(deeds)
        deed()
        return deed.__name__

    def settle(self) -> None:
        """Whatever it takes, and a filing, of whoever files at all."""
        if not self.session_id:
            self.activate()
        self.bind()
        self.file()

    def waver(self) -> None:
        """What may take somebody out of a count, or back into it."""
        self.rng.choice([self.move, self.withdraw, self.file])()

    @property
    def batch(self) -> str:
        return self.rng.choice(["1", "3"])

    @property
    def bound(self) -> bool:
        return bool(self.world.value("SELECT count(*) FROM bindings WHERE candidate_id = :c", c=self.person.id))

    @property
    def files_here(self) -> bool:
        return bool(self.world.value("SELECT subject_class = '5' FROM candidates WHERE id = :c", c=self.person.id))

    def activate(self) -> None:
        self.session_id = self.world.activate(self.person, b"d" * 32)

    def move(self) -> None:
        points = self.world.rows("SELECT id, code FROM offices WHERE level = 'point'")
        here = self.world.value("SELECT point_id FROM candidates WHERE id = :c", c=self.person.id)
        target = self.rng.choice([point["code"] for point in points if point["id"] != here])
        with self.world.database.transaction() as session:
            moves.move(session, self.person.candidate_no, target, "305", "decision 7")

    def replace_card(self) -> None:
        self.world.hand_out(self.person)

    def bind(self) -> None:
        if not self.bound:
            pair = self.world.door.pair_asked(self.person.serial)
            codes = [self.person.code(index) for index in pair]
            assert self.world.door.bind_card(self.person.id, self.person.serial, codes, self.world.where())

    def file(self) -> None:
        admitted = self.world.value("SELECT admitted FROM candidates WHERE id = :c", c=self.person.id)
        if self.bound and self.files_here:
            file(self.world, self.person, self.session_id, "1" if admitted else self.batch, "4301", "4302")

    def withdraw(self) -> None:
        if self.bound and self.files_here:
            file(self.world, self.person, self.session_id, self.batch)

    def draft(self) -> None:
        if self.files_here:
            with self.world.database.transaction() as session:
                sheet = preferences.sheet(session, self.world.visitor(self.session_id), self.batch)
                wanted = content(self.rng.choice(["4303", "4304", "4305"]))
                drafts.save(session, self.person.id, sheet.batch.id, wanted, sheet.draft_version)

    def discard(self) -> None:
        if self.files_here:
            with self.world.database.transaction() as session:
                sheet = preferences.sheet(session, self.world.visitor(self.session_id), self.batch)
                drafts.discard(session, self.person.id, sheet.batch.id, sheet.draft_version)


def everybody(world: World, seed: int) -> Iterator[Deeds]:
    for row in world.rows("SELECT id, candidate_no, name, point_id FROM candidates ORDER BY id"):
        person = world.people[row["id"]]
        yield Deeds(world, person, random.Random(seed * 1000 + row["id"]))


@pytest.mark.parametrize("seed", [1, 2])
def test_after_a_storm_of_deeds_the_counts_are_those_of_a_recount(
    storm: World, offices: Offices, offices_role: Database, seed: int
) -> None:
    crowd = list(everybody(storm, seed))
    done: Counter[str] = Counter()
    for _ in range(7):
        done.update(deeds.once() for deeds in crowd)
    for deeds in crowd:
        deeds.settle()
    since, then = storm.value("SELECT clock_timestamp()"), filed(storm)
    for deeds in crowd * 4:
        deeds.waver()
    lost, told = then - filed(storm), Told(storm, offices, offices_role, since)
    assert told.names == lost
    path_of = {row["id"]: row["path"] for row in storm.rows("SELECT id, path FROM offices")}
    above = {point: [int(step) for step in path_of[point].split("/")[2:-1]] for _, point, _ in lost}
    assert told.numbers == Counter((office, batch) for _, point, batch in lost for office in above[point])
    assert kept(storm) == brute(storm)
    assert {"file", "withdraw", "discard", "move", "replace_card"} <= set(done)
    with storm.database.transaction() as session:
        assert tallies.wrong(session) == []


def test_deeds_at_the_same_moment_keep_the_counts_exact(storm: World) -> None:
    """A move against everything the candidate does meanwhile: no count is moved at the school they have left."""
    crowd = list(everybody(storm, 3))
    trouble: list[BaseException] = []

    def live(deeds: Deeds, steps: list[str]) -> None:
        try:
            for step in steps:
                getattr(deeds, step)()
        except BaseException as error:  # noqa: BLE001 -- told by the main thread
            trouble.append(error)

    threads = []
    for deeds in crowd[:4]:
        other = Deeds(storm, deeds.person, random.Random(deeds.person.id))
        threads.append(threading.Thread(target=live, args=(deeds, ["activate", "draft", "file", "withdraw", "draft"])))
        threads.append(threading.Thread(target=live, args=(other, ["move"] * 6)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []
    assert kept(storm) == brute(storm)


def test_a_move_takes_counts_and_log_along_and_says_so(storm: World) -> None:
    person = storm.people[min(storm.people)]
    with storm.database.transaction() as session:
        code = session.execute(text("SELECT code FROM offices WHERE name = '长沙市第三中学'")).scalar_one()
        moves.move(session, person.candidate_no, code, "309", "decision 12")
    row = storm.rows("SELECT p.name, c.class_no FROM candidates c JOIN offices p ON p.id = c.point_id WHERE c.id = :id",
                     id=person.id)[0]  # fmt: skip
    assert row == {"name": "长沙市第三中学", "class_no": "309"}
    entry = storm.rows("SELECT actor, detail FROM audit WHERE act = 'candidate.moved'")[0]
    assert (entry["actor"], entry["detail"]["reason"]) == ("command", "decision 12")
    noted = storm.rows("SELECT masked_no, from_point_id, from_class_no FROM point_moves")[0]
    assert (noted["masked_no"][:4], noted["from_point_id"], noted["from_class_no"]) == ("17**", person.point_id, "301")


def test_a_move_to_nowhere_changes_nothing(storm: World) -> None:
    person = storm.people[min(storm.people)]
    here = storm.value("SELECT code FROM offices WHERE id = :id", id=person.point_id)
    before = kept(storm)
    for number, point, refusal in (
        ("17430102150000", here, NotFound),
        (person.candidate_no, "430102", NotFound),
        (person.candidate_no, here, BadInput),
    ):
        with pytest.raises(refusal), storm.database.transaction() as session:
            moves.move(session, number, point, "301", "no reason")
    assert kept(storm) == before


def test_the_command_finds_and_repairs_a_tally_that_is_wrong(storm: World) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        environment = {
            "DATABASE_URL": storm.url,
            "REDIS_URL": storm.redis_url,
            "KEYS_DIRECTORY": str(storm.keys_directory),
        }
        result = CliRunner().invoke(group(), arguments, env=environment)
        return result.exit_code, result.output

    assert run("tallies", "check") == (0, "every tally is what the rows say\n")
    point = storm.point
    storm.do("UPDATE tallies SET filed = filed + 7 WHERE point_id = :p", p=point)
    storm.do("DELETE FROM tallies WHERE point_id <> :p AND batch_id = (SELECT min(id) FROM batches)", p=point)
    code, said = run("tallies", "check")
    assert (code, said.count("长沙市第一中学"), said.count("filed 7, counted 0")) == (1, 3, 3)
    assert "4 tallies are wrong" in said
    code, said = run("tallies", "check", "--repair")
    assert (code, "4 tallies repaired" in said) == (0, True)
    assert kept(storm) == brute(storm)
    assert storm.value("SELECT count(*) FROM audit WHERE act = 'tallies.repaired'") == 4
    assert run("tallies", "check")[0] == 0


def test_a_repair_waits_for_a_deed_in_flight_and_counts_it(storm: World) -> None:
    deeds = next(everybody(storm, 5))
    deeds.activate()
    storm.do("UPDATE tallies SET filed = filed + 1")
    repaired = threading.Event()

    def repair() -> None:
        with storm.database.transaction() as session:
            tallies.repair(session, deeds.person.point_id)
        repaired.set()

    with storm.database.transaction() as session:
        sheet = preferences.sheet(session, storm.visitor(deeds.session_id), "1")
        drafts.save(session, deeds.person.id, sheet.batch.id, content("4301"), 0)
        thread = threading.Thread(target=repair)
        thread.start()
        assert not repaired.wait(0.3)
    thread.join()
    with storm.database.transaction() as session:
        assert tallies.wrong(session, deeds.person.point_id) == []


def test_a_batch_is_closed_to_the_admitted_where_every_column_is(world: World) -> None:
    plain, barred, warned = COLUMN, SUPPLEMENT, COLUMN | {
        "eligibility": [{"rule": "not_yet_admitted", "policy": "warn"}]
    }  # fmt: skip
    codes = {"none": (plain,), "all": (barred, barred | {"code": "B"}), "some": (barred, plain | {"code": "B"}),
             "warned": (warned,)}  # fmt: skip
    for code, columns in codes.items():
        world.batch(code, columns=columns, opens=timedelta(hours=1), closes=timedelta(hours=2))
    found = world.rows("SELECT code, closed_to_admitted AS closed FROM batches")
    assert {row["code"]: row["closed"] for row in found} == {
        "none": False, "all": True, "some": False, "warned": False,
    }  # fmt: skip
