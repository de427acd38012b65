"""Both calendars we ship work from end to end: in every batch and every round a full list can be put in force."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import pytest

from admin.commands.loading import CONFIG, calendar_of
from admin.intake import loading
from admin.intake.exchange import Row, open_table, write_table
from admin.intake.layouts import PLANS, REGIONS
from admin.intake.sample import places
from admin.intake.sample.plans import Catalogue, PlanRow
from admin.rehearsal import FREE
from app import batches, catalogue, drafts, preferences, tallies
from app.catalogue import Entry, Slice
from app.choices import Choice, ColumnChoices, Preferences, to_content
from app.columns import BatchSpec, Calendar, ColumnSpec
from app.offers import NON_PARALLEL, Requirement
from app.preferences import Answer, Filed, Origin
from app.rules import Facts
from tests.conftest import NewDatabase
from tests.makers import Member, World

FIELDS: Final = ("code", "name", "parent", "level")
#: offers kept for each column and subject class; a vocational trade is that of every twelfth
OFFERS: Final = 80
ORIGIN: Final = Origin(ip="127.0.0.1", device="Test", request_id="calendars", device_hash=b"d" * 32)
#: findings of rules that look at the candidate, who here meets every condition there is
CONDITIONS: Final = {"F10", "F11", "G8", "G3"}


@dataclass
class Year:
    """One year's calendar and sample catalogue in a database, and one candidate of each subject class."""

    world: World
    calendar: Calendar
    members: Mapping[str, Member]
    moves: Callable[[str], list[BatchSpec]]


@pytest.fixture(scope="module", params=[2017, 2024])
def year(
    request: pytest.FixtureRequest,
    new_database: NewDatabase,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Year]:
    number: Literal[2017, 2024] = request.param
    directory = tmp_path_factory.mktemp(f"calendar{number}")
    with new_database() as url:
        world = World(url, "redis://unused", directory / "keys")
        calendar = calendar_of(number)
        first = min(calendar.windows, key=lambda code: calendar.windows[code].opens_at)
        loading.load_calendar(world.database, calendar.opened(first, datetime.now(UTC)))
        write_table(directory / "plans.csv", PLANS, plans(calendar), raw=True)
        assert not loading.load_plans(world.database, directory / "plans.csv").bad
        yield Year(world, calendar, everybody(world, calendar), mover(world, calendar))
        world.database.dispose()


def plans(calendar: Calendar) -> Iterator[PlanRow]:
    """The sample province's catalogue, thinned where a column has more on offer than any list needs."""
    with open_table(CONFIG / "regions.csv", REGIONS) as table:
        regions = [places.Region(*(row[name] for name in FIELDS)) for row in table if isinstance(row, Row)]
    offered: dict[tuple[str, ...], set[tuple[str, str]]] = defaultdict(set)
    for row in Catalogue(calendar, places.counties(regions, calendar.year), seed=1).rows():
        offers = offered[row["batch_code"], row["column_code"], row["subject_class"]]
        offer = row["institution_code"], row["group_code"]
        if offer in offers or len(offers) < OFFERS:
            offers.add(offer)
            yield row


def everybody(world: World, calendar: Calendar) -> dict[str, Member]:
    """An activated candidate of each subject class, granted whatever the calendar asks for anywhere."""
    members = dict(zip(calendar.subject_classes, world.crowd(len(calendar.subject_classes), codes=40), strict=True))
    granted = sorted(qualifications(calendar))
    for code, member in members.items():
        first = code.rpartition("_")[2] if calendar.unit == "GROUP" and code != "VOC" else None
        world.do(
            """
            UPDATE candidates SET subject_class = :class, qualifications = :granted, ethnicity = '15', score = 700,
                first_subject = :first, second_subjects = :second WHERE id = :id
            """,
            **{"class": code, "granted": granted, "id": member.person.id, "first": first},
            second=["CHE", "BIO"] if first else [],
        )
    recount(world)
    return members


def qualifications(calendar: Calendar) -> Iterator[str]:
    """Every grant, check, list and exam that any column asks for."""
    yield from ("exam:art_provincial", "exam:art_school", "exam:pe_provincial", "ethnic_preference:E1")
    yield from ("vocational:农学", "list:高水平艺术团测试合格名单")
    for spec in calendar.batches:
        for column in spec.columns:
            for rule in column.eligibility:
                yield from (f"check:{name}" for name in rule.names)
                if rule.plan:
                    yield f"special_plan:{rule.plan}"


def mover(world: World, calendar: Calendar) -> Callable[[str], list[BatchSpec]]:
    """A function that moves the whole calendar so that one window is open now, and returns its batches."""

    def move(window: str) -> list[BatchSpec]:
        moved = calendar.opened(window, datetime.now(UTC))
        for spec in calendar.batches:
            there = moved.windows[spec.window]
            world.do(
                f"{FREE} UPDATE batches SET opens_at = :opens, closes_at = :closes FROM free"  # noqa: S608 -- constant
                " WHERE code = :code",
                opens=there.opens_at,
                closes=there.closes_at,
                code=spec.code,
            )
        return [spec for spec in calendar.batches if spec.window == window]

    return move


def now_open(world: World) -> set[str]:
    rows = world.rows("SELECT code FROM batches WHERE opens_at <= clock_timestamp() AND clock_timestamp() < closes_at")
    return {row["code"] for row in rows}


def recount(world: World) -> int:
    with world.database.transaction() as session:
        return tallies.recount(session)


# --- the list ----------------------------------------------------------------------------------------


def together(spec: BatchSpec, offered: Iterable[str]) -> list[list[ColumnSpec]]:
    """Sets of columns that may be filled together; every column on offer is in at least one."""
    left = [column for column in spec.columns if column.code in set(offered)]
    found: list[list[ColumnSpec]] = []
    for column in left:
        if any(column in chosen for chosen in found):
            continue
        chosen = [column]
        for other in left:
            if other not in chosen and not any(other in spec.excluded_by(each) for each in chosen):
                chosen.append(other)
        found.append(chosen)
    return found


def filled(columns: list[ColumnSpec], whole: Slice, facts: Facts) -> Preferences:
    """A list that fills these columns as far as they and the catalogue go, with every box ticked."""
    return Preferences({column.code: _column(column, whole, facts) for column in columns})


def _column(column: ColumnSpec, whole: Slice, facts: Facts) -> ColumnChoices:
    entries = [entry for entry in whole.entries if entry.column == column.code and _suits(entry, facts)]
    if column.mode == "MIXED_FIRST":
        apart = [entry for entry in entries if NON_PARALLEL in entry.offer.tags]
        assert apart, column.code
        entries = apart[:1] + [entry for entry in entries if entry not in apart]
    assert len(entries) >= min(column.slots, 2), column.code
    return ColumnChoices(
        tuple(_choice(column, entry, facts) for entry in entries[: column.slots]),
        institution_adjust=column.institution_adjust,
        directed_adjust=column.directed_adjust,
    )


def _suits(entry: Entry, facts: Facts) -> bool:
    """Whether the offer takes somebody of these subjects, home county and vocational category."""
    offer = entry.offer
    counties, trades = offer.valued("COUNTY"), offer.valued("VOCATIONAL")
    return (
        offer.requirement.met_by(facts.first_subject, facts.second_subjects)
        and (not counties or facts.hukou_county in counties)
        and (not trades or any(f"vocational:{trade}" in facts.qualifications for trade in trades))
    )


def _choice(column: ColumnSpec, entry: Entry, facts: Facts) -> Choice:
    majors = tuple(_open_majors(entry, facts))[: column.majors_per_institution]
    return Choice(entry.offer.institution, entry.offer.group, majors, True if column.major_adjust else None)


def _open_majors(entry: Entry, facts: Facts) -> list[str]:
    """Majors whose own subjects the candidate took."""
    asked = ((code, major.requirement) for code, major in entry.offer.majors.items())
    return [code for code, own in asked if own is None or own.met_by(facts.first_subject, facts.second_subjects)]


# --- the deeds ---------------------------------------------------------------------------------------


def file(world: World, member: Member, spec: BatchSpec, content: dict[str, Any]) -> Filed:
    """Draft the list, have it checked, and put it in force with the code that is asked."""
    visitor = world.visitor(member.session_id)
    with world.database.transaction() as session:
        found = preferences.sheet(session, visitor, spec.code)
        version = drafts.save(session, visitor.candidate_id, found.batch.id, content, found.draft_version)
    with world.database.transaction() as session:
        asked = preferences.ask(session, visitor, spec.code, "list", version)
    codes = [member.person.code(index) for index in asked.asked]
    answer = Answer(asked.key, asked.digest, codes)
    with world.database.transaction() as session:
        filed = preferences.confirm(session, visitor, spec.code, answer, ORIGIN, world.keys)
    assert isinstance(filed, Filed)
    return filed


def stands(world: World, member: Member, spec: BatchSpec, content: dict[str, Any], number: int) -> None:
    """The filing is the one in force, and nothing is left to confirm."""
    with world.database.reading() as connection:
        found = preferences.sheet(connection, world.visitor(member.session_id), spec.code)
    assert found.standing is not None
    assert (found.standing.number, found.standing.kind, found.standing.content) == (number, "list", content)
    assert not found.draft_differs
    assert found.challenge is None


def file_everything(world: World, spec: BatchSpec, subject_class: str, member: Member) -> set[str]:
    """File every column of a batch that is offered to a subject class; returns their codes."""
    visitor = world.visitor(member.session_id)
    with world.database.reading() as connection:
        batch = batches.one(connection, spec.code)
        whole = catalogue.of(connection, batch, subject_class)
    used: set[str] = set()
    for number, columns in enumerate(together(spec, {entry.column for entry in whole.entries}), 1):
        content = to_content(filled(columns, whole, visitor.facts))
        verdict = preferences.verdict(visitor, batch, whole, content)
        assert not verdict.errors, (spec.code, subject_class, verdict.errors)
        assert not [finding for finding in verdict.warnings if finding.rule in CONDITIONS], (spec.code, subject_class)
        assert file(world, member, spec, content).number == number
        stands(world, member, spec, content, number)
        used.update(column.code for column in columns)
    return used


def test_every_column_of_every_batch_and_round_can_be_put_in_force(year: Year, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preferences, "PACE", ())  # a season's filings within a minute
    used: dict[str, set[str]] = {spec.code: set() for spec in year.calendar.batches}
    filers = 0
    for window in year.calendar.windows:
        opened = year.moves(window)
        assert opened, f"nothing is filed in window {window}"
        assert now_open(year.world) == {spec.code for spec in opened}
        for spec in opened:
            for subject_class in spec.subject_classes:
                columns = file_everything(year.world, spec, subject_class, year.members[subject_class])
                used[spec.code] |= columns
                filers += bool(columns)
    assert used == {spec.code: {column.code for column in spec.columns} for spec in year.calendar.batches}
    assert year.world.value("SELECT sum(filed) FROM tallies") == filers
    assert recount(year.world) == 0


@pytest.mark.parametrize("year", [2024], indirect=True)
def test_a_major_is_judged_by_the_subjects_it_asks_for_itself(year: Year) -> None:
    """Where institutions are chosen, their majors may ask for different subjects."""
    visitor = year.world.visitor(year.members["PHY"].session_id)
    facts = visitor.facts
    with year.world.database.reading() as connection:
        batch = batches.one(connection, "10")
        whole = catalogue.of(connection, batch, "PHY")
    asked = year.world.rows(
        """
        SELECT institution_code, major_code, subject_first, subject_second FROM plans
        WHERE batch_code = '10' AND subject_class = 'PHY' AND column_code = 'NONMIL'
        """
    )
    wrong = []
    for row in asked:
        requirement = Requirement.parse(row["subject_first"], row["subject_second"])
        choice = Choice(row["institution_code"], None, (row["major_code"],), major_adjust=True)
        content = to_content(Preferences({"NONMIL": ColumnChoices((choice,))}))
        errors = preferences.verdict(visitor, batch, whole, content).errors
        refused = any(finding.rule == "G3" for finding in errors)
        if refused == requirement.met_by(facts.first_subject, facts.second_subjects):
            wrong.append((choice.code, choice.majors, row["subject_second"]))
    assert asked
    assert not wrong
