"""Files loaded whole or not at all: every wrong place reported, nothing readable that is to be sealed."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal

import pytest
import yaml
from cryptography.exceptions import InvalidTag
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from admin.commands.loading import year_of
from admin.intake import loading
from admin.intake.exchange import open_table, write_table
from admin.intake.layouts import CANDIDATES, PLANS, REGIONS, SCHOOLS, Generation, Layout
from admin.intake.loading import NotLoaded, Report, Year, report
from admin.intake.rows import COMMAND, BadRow, BadTable, Row
from admin.intake.sample import SampleFiles, generate
from app import tallies
from app.candidates import Sealer
from app.db import Database
from app.errors import BadInput
from tests.conftest import NewDatabase
from tests.makers import World, id_number

ROOT: Final = Path(__file__).parents[3]
SHIPPED: Final = ROOT / "config"
SEALER: Final = Sealer({1: b"c" * 32}, b"i" * 32)
LAYOUTS: Final = {"regions": REGIONS, "schools": SCHOOLS, "candidates": CANDIDATES, "plans": PLANS}
#: few batches, so a small catalogue: with and without rounds, with and without groups
BATCHES: Final = {2017: {"0", "0P"}, 2024: {"12", "22", "30"}}
COUNTY, OTHER_COUNTY, POINT, OTHER_POINT = "430102", "430103", "4301020001", "4301030001"
#: digits as Chinese input methods type them
WIDE: Final = {ord(digit): chr(ord(digit) + 0xFEE0) for digit in "0123456789"}
BORN: Final = date(1961, 2, 3)  # long before anybody in the sample


@dataclass(frozen=True)
class Province:
    """A sample province: its files, and what they are checked against."""

    files: SampleFiles
    year: Year

    def rows(self, name: str) -> list[dict[str, str]]:
        """The rows of one of its files."""
        return read(getattr(self.files, name), LAYOUTS[name])


def read(path: Path, layout: Layout) -> list[dict[str, str]]:
    with open_table(path, layout, limits=COMMAND) as table:
        return [dict(row.values) for row in table if isinstance(row, Row)]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration we ship, with a few of its batches."""
    made = tmp_path_factory.mktemp("config")
    (made / "calendars").mkdir()
    for name in ("regions.csv", "codes.yaml"):
        (made / name).write_bytes((SHIPPED / name).read_bytes())
    for year, kept in BATCHES.items():
        calendar = yaml.safe_load((SHIPPED / f"calendars/{year}.yaml").read_text(encoding="utf-8"))
        calendar["batches"] = [batch for batch in calendar["batches"] if batch["code"] in kept]
        (made / f"calendars/{year}.yaml").write_text(yaml.safe_dump(calendar, allow_unicode=True), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def provinces(config: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Province]:
    years: tuple[Literal[2017, 2024], ...] = (2017, 2024)
    return {
        year: Province(generate(tmp_path_factory.mktemp(str(year)), 1_000, year, config=config), year_of(year, config))
        for year in years
    }


@pytest.fixture(scope="module")
def province(provinces: dict[int, Province]) -> Province:
    return provinces[2017]


@pytest.fixture(scope="module")
def new_database_of(new_database: NewDatabase) -> Iterator[Callable[[], Database]]:
    """A function that makes an empty database, as its owner sees it."""
    with ExitStack() as until:

        def make() -> Database:
            made = Database(until.enter_context(new_database()))
            until.callback(made.dispose)
            return made

        yield make


@pytest.fixture(scope="module")
def databases(provinces: dict[int, Province], new_database_of: Callable[[], Database]) -> dict[int, Database]:
    """Each sample, loaded from its csv files without one bad row."""
    made = {year: new_database_of() for year in provinces}
    for year, sample in provinces.items():
        assert [report.bad for report in load_all(made[year], sample.files, sample.year)] == [[]] * 4
    return made


@pytest.fixture(scope="module")
def loaded(databases: dict[int, Database]) -> Database:
    """The sample of 2017. Files that are refused leave it as it is."""
    return databases[2017]


@pytest.fixture
def offices(province: Province, new_database_of: Callable[[], Database], tmp_path: Path) -> Database:
    """A database of this test's own, with two points and the calendar."""
    database = with_points(new_database_of(), tmp_path)
    loading.load_calendar(database, province.year.calendar)
    return database


def with_points(database: Database, directory: Path) -> Database:
    """A province of two points."""
    chain = (("430000", "", "province"), ("430100", "430000", "prefecture"))
    counties = ((code, "430100", "county") for code in (COUNTY, OTHER_COUNTY))
    regions = [
        {"code": code, "name": code, "parent": above, "level": level} for code, above, level in (*chain, *counties)
    ]
    points = [{"code": code, "name": code, "county": code[:6]} for code in (POINT, OTHER_POINT)]
    loading.load_regions(database, written(directory / "regions.csv", REGIONS, regions))
    loading.load_schools(database, written(directory / "points.csv", SCHOOLS, points))
    return database


def load_all(database: Database, files: SampleFiles, year: Year) -> list[Report]:
    """The usual order."""
    reports = [loading.load_regions(database, files.regions), loading.load_schools(database, files.schools)]
    loading.load_calendar(database, year.calendar)
    reports.append(loading.load_candidates(database, SEALER, year, files.candidates))
    reports.append(loading.load_plans(database, files.plans))
    return reports


def written(path: Path, layout: Layout, rows: Sequence[Mapping[str, str]], generation: Generation = 2017) -> Path:
    """A file of these rows, with the columns that the first one has."""
    write_table(path, layout, rows, fields=tuple(rows[0]), raw=True, generation=generation, rare="keep")
    return path


def person(number: int, **changes: str) -> dict[str, str]:
    """The row of a man who is not in the sample."""
    return {
        "candidate_no": f"17{COUNTY}15{9000 + number:04}",
        "name": f"周{number}",
        "sex": "1",
        "birth_date": BORN.isoformat(),
        "id_no": id_number(BORN, 2 * number + 1),
        "ethnicity": "01",
        "point": POINT,
        "class_no": "301",
        "subject_class": "5",
        "first_subject": "",
        "second_subjects": "",
        "language": "1",
        "hukou_county": COUNTY,
        "mobile": f"154{number:08}",
        "qualifications": "",
        "restrictions": "",
        "score": "512",
    } | changes


def load_people(
    database: Database, path: Path, rows: Sequence[Mapping[str, str]], year: Year, *, accept_good: bool = False
) -> Report:
    return loading.load_candidates(database, SEALER, year, written(path, CANDIDATES, rows), accept_good=accept_good)


def refused(load: Callable[[], object]) -> list[BadRow]:
    """The bad places of a file that is refused."""
    with pytest.raises(NotLoaded) as caught:
        load()
    assert caught.value.report.loaded == 0
    return caught.value.report.bad


def places(bad: Iterable[BadRow]) -> list[tuple[int, str]]:
    return [(one.row, one.column) for one in bad]


def said(one: BadRow) -> str:
    """The reason as the command tells it."""
    return one.reason % dict(one.params)


def ask(database: Database, sql: str, **params: object) -> list[tuple[Any, ...]]:
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(text(sql), params)]


def value(database: Database, sql: str, **params: object) -> Any:
    return ask(database, sql, **params)[0][0]


def counts(database: Database) -> tuple[Any, ...]:
    """What a refused file must leave as it was."""
    return ask(
        database,
        """
        SELECT (SELECT count(*) FROM offices), (SELECT count(*) FROM candidates), (SELECT count(*) FROM plans),
               (SELECT count(*) FROM catalogues), (SELECT count(*) FROM audit),
               (SELECT sum(never_signed_in) FROM tallies), (SELECT sum(revision) FROM batches)
        """,
    )[0]


def wrong_tallies(database: Database) -> int:
    with database.transaction() as session:
        return tallies.recount(session)


# --- whole samples -----------------------------------------------------------------------------------

EVERYTHING: Final = {
    "offices": """
        SELECT o.level, o.code, o.name, p.code AS parent, p.path || o.id || '/' = o.path AS path
        FROM offices o LEFT JOIN offices p ON p.id = o.parent_id
    """,
    "candidates": """
        SELECT c.candidate_no, c.name, c.sex, c.birth_date::text, c.id_no_index, c.ethnicity, c.subject_class,
               c.first_subject, c.second_subjects, c.language, o.code AS point, c.class_no, c.hukou_county, c.score,
               c.qualifications, c.restrictions, c.admitted, c.mobile_sealed IS NULL AS no_mobile
        FROM candidates c JOIN offices o ON o.id = c.point_id
    """,
    "plans": "SELECT * FROM plans",
    "tallies": """
        SELECT o.code, b.code AS batch, never_signed_in, not_eligible, not_bound, nothing_filed, draft_only,
               filed, waived
        FROM tallies t JOIN offices o ON o.id = t.point_id JOIN batches b ON b.id = t.batch_id
    """,
}


def everything(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All that was loaded, whatever ids it got."""
    return {name: sorted(ask(database, sql), key=repr) for name, sql in EVERYTHING.items()}


def rewritten(files: SampleFiles, directory: Path, ending: str, generation: Generation) -> SampleFiles:
    """The same province as files of another format."""
    made = {
        name: written(directory / f"{name}.{ending}", layout, read(getattr(files, name), layout), generation)
        for name, layout in LAYOUTS.items()
    }
    counted = (files.candidate_count, files.school_count, files.plan_count)
    return SampleFiles(made["regions"], made["schools"], made["candidates"], made["plans"], *counted)


@pytest.mark.parametrize(
    ("year", "ending", "generation"),
    [(2017, "xlsx", 2017), (2017, "dbf", 2012), (2024, "dbf", 2017)],
)
def test_a_sample_comes_to_the_same_in_every_format(
    provinces: dict[int, Province],
    databases: dict[int, Database],
    new_database_of: Callable[[], Database],
    tmp_path: Path,
    year: int,
    ending: str,
    generation: Generation,
) -> None:
    sample, database = provinces[year], new_database_of()
    files = rewritten(sample.files, tmp_path, ending, generation)
    reports = load_all(database, files, sample.year)
    assert [report.bad for report in reports] == [[]] * 4
    assert [report.loaded for report in reports[1:]] == [files.school_count, files.candidate_count, files.plan_count]
    assert everything(database) == everything(databases[year])


def test_the_table_says_what_the_file_says(province: Province, loaded: Database) -> None:
    columns = (
        "candidate_no, name, sex, birth_date::text, ethnicity, subject_class, first_subject, language, class_no,"
        " hukou_county, score::text, qualifications, restrictions"
    )
    found = ask(loaded, f"SELECT {columns} FROM candidates ORDER BY id")  # noqa: S608
    names = ("candidate_no", "name", "sex", "birth_date", "ethnicity", "subject_class", "first_subject", "language")
    expected = [
        (
            *(row.get(name) or None for name in names),
            *(row[name] or None for name in ("class_no", "hukou_county", "score")),
            row["qualifications"].split(),
            row["restrictions"].split(),
        )
        for row in province.rows("candidates")
    ]
    assert found == expected


def test_a_load_is_on_record_with_its_file_and_count(province: Province, loaded: Database) -> None:
    acts = dict(ask(loaded, "SELECT act, detail FROM audit WHERE act IN ('candidates.loaded', 'plans.loaded')"))
    assert acts["candidates.loaded"] == {"file": "candidates.csv", "loaded": 1_000, "left_out": 0}
    assert acts["plans.loaded"]["loaded"] == province.files.plan_count


def test_progress_adds_up_to_the_rows(province: Province, loaded: Database) -> None:
    steps: list[int] = []
    refused(
        lambda: loading.load_candidates(loaded, SEALER, province.year, province.files.candidates, progress=steps.append)
    )
    refused(lambda: loading.load_schools(loaded, province.files.schools, progress=steps.append))
    assert sum(steps) == province.files.candidate_count + province.files.school_count


# --- sealed columns ----------------------------------------------------------------------------------


def test_sealed_columns_open_for_their_own_row_and_column_alone(province: Province, loaded: Database) -> None:
    people = {row["candidate_no"]: row for row in province.rows("candidates")}
    rows = ask(loaded, "SELECT id, candidate_no, id_no_sealed, mobile_sealed, id_no_index FROM candidates ORDER BY id")
    assert len(rows) == len(people)
    neighbour = rows[-1]
    for row in rows:
        number, no, sealed, mobile, index = row
        given = people[no]
        assert SEALER.open(bytes(sealed), column="id_no", row=number) == given["id_no"]
        assert bytes(index) == SEALER.index(given["id_no"])
        if mobile is None:
            assert not given["mobile"]
        else:
            assert SEALER.open(bytes(mobile), column="mobile", row=number) == given["mobile"]
            with pytest.raises(InvalidTag):
                SEALER.open(bytes(mobile), column="id_no", row=number)
        with pytest.raises(InvalidTag):
            SEALER.open(bytes(sealed), column="id_no", row=neighbour[0])
        neighbour = row


def test_no_identity_number_or_phone_stands_in_clear(province: Province, loaded: Database) -> None:
    whole = "\n".join(
        row[0]
        for table in ("candidates", "audit")
        for row in ask(loaded, f"SELECT x::text FROM {table} x")  # noqa: S608
    )
    assert len(whole) > 100_000
    hidden = (bytes.fromhex(run).decode() for run in re.findall(r"(?:3\d){11,}", whole))  # bytea is shown as hex
    runs = "\n".join((*re.findall(r"[0-9]{11,}X?", whole), *hidden))
    for row in province.rows("candidates"):
        assert row["id_no"] not in runs
        assert not row["mobile"] or row["mobile"] not in runs


# --- tallies -----------------------------------------------------------------------------------------


def expected_tallies(people: Iterable[Mapping[str, str]], year: Year) -> dict[tuple[str, str, bool], int]:
    """Everybody of a point in every batch, and whether it is one of their subject class."""
    return Counter(
        (row["point"], spec.code, row["subject_class"] in spec.subject_classes)
        for row in people
        for spec in year.calendar.batches
    )


def counted(database: Database) -> dict[tuple[str, str, bool], int]:
    found = ask(database, EVERYTHING["tallies"])
    assert not any(any(rest) for _point, _batch, _never, _not_eligible, *rest in found)
    return {
        (point, batch, eligible): number
        for point, batch, never, not_eligible, *_rest in found
        for eligible, number in ((True, never), (False, not_eligible))
        if number
    }


def test_every_point_is_counted_in_every_batch(province: Province, loaded: Database) -> None:
    assert counted(loaded) == expected_tallies(province.rows("candidates"), province.year)
    assert wrong_tallies(loaded) == 0


@pytest.mark.parametrize("calendar_at", [0, 1, 2])
def test_tallies_are_right_wherever_the_calendar_comes(
    province: Province, new_database_of: Callable[[], Database], tmp_path: Path, calendar_at: int
) -> None:
    database = with_points(new_database_of(), tmp_path)
    people = [person(number) for number in range(6)] + [
        person(20, point=OTHER_POINT, candidate_no=f"17{OTHER_COUNTY}159020"),
        person(21, subject_class="1", candidate_no=f"17{COUNTY}119021"),
        person(22, subject_class="3", candidate_no=f"17{COUNTY}139022"),  # files in none of these batches
    ]
    parts = [people[::2], people[1::2]]
    for number in range(3):
        if number == calendar_at:
            loading.load_calendar(database, province.year.calendar)
        if number < len(parts):
            load_people(database, tmp_path / f"part{number}.csv", parts[number], province.year)
    assert counted(database) == expected_tallies(people, province.year)
    assert wrong_tallies(database) == 0


def test_newcomers_are_counted_beside_those_who_have_begun(world: World, tmp_path: Path, province: Province) -> None:
    world.batch("0P")
    first = world.candidate()
    world.activate(first)
    rows = [person(number, point=world.value("SELECT code FROM offices WHERE level = 'point'")) for number in range(3)]
    load_people(world.database, tmp_path / "more.csv", rows, province.year)
    assert world.rows("SELECT never_signed_in, not_bound, nothing_filed FROM tallies") == [
        {"never_signed_in": 3, "not_bound": 0, "nothing_filed": 1}
    ]
    assert wrong_tallies(world.database) == 0


# --- bad candidates ----------------------------------------------------------------------------------

#: of people whom a fault would let in, so that it does not show in the next test
NUMBERS: Final = count(100, 3)
GOOD_ID = id_number(BORN, 901)
BAD_CHECK = GOOD_ID[:-1] + ("0" if GOOD_ID[-1] != "0" else "1")


@pytest.mark.parametrize(
    ("changes", "heading", "reason"),
    [
        ({"id_no": BAD_CHECK}, "证件号码", "last character does not fit"),
        ({"id_no": GOOD_ID[:17]}, "证件号码", "has 18 characters; this one has 17"),
        ({"id_no": ""}, "证件号码", "has 18 characters"),
        ({"sex": "2"}, "性别", "says 1 (1 male, 2 female), the table 2"),
        ({"sex": ""}, "性别", "says 1"),
        ({"birth_date": "1961-02-04"}, "出生日期", "born on 1961-02-03, the table 1961-02-04"),
        ({"birth_date": "1961-02-30"}, "出生日期", "is not a date"),
        ({"birth_date": ""}, "出生日期", "born on 1961-02-03"),
        ({"point": "4301029999"}, "报名点代码", "4301029999 is not loaded. Load the schools first"),
        ({"point": COUNTY}, "报名点代码", "is not loaded"),
        ({"candidate_no": f"17{COUNTY}159"}, "考生号", "has 14 digits"),
        ({"candidate_no": f"16{COUNTY}159900"}, "考生号", "should be the exam year 17; they are 16"),
        ({"candidate_no": f"17{OTHER_COUNTY}159900"}, "考生号", f"county {OTHER_COUNTY}, but the registration point"),
        ({"candidate_no": "17440106159900"}, "考生号", "440106 is none"),
        ({"candidate_no": f"17{COUNTY}059900"}, "考生号", "type of exam; 0 is none"),
        ({"subject_class": "1"}, "考生号", "says subject class 5, the table 1"),
        ({"subject_class": "X"}, "科类", "“X” is no subject class"),
        ({"ethnicity": "99"}, "民族", "“99” is no code"),
        ({"ethnicity": ""}, "民族", "is no code"),
        ({"language": "8"}, "外语语种", "“8” is no code"),
        ({"first_subject": "MAT"}, "首选科目", "“MAT” is no code"),
        ({"second_subjects": "CHE MAT"}, "再选科目", "“MAT” is no code"),
        ({"hukou_county": "芙蓉区"}, "户籍所在地", "“芙蓉区” is no code"),
        ({"restrictions": "24 99"}, "专业受限代码", "“99” is no code"),
        ({"name": ""}, "姓名", "empty"),
        ({"name": "周\u200b杰"}, "姓名", "U+200B"),
        ({"name": "周\t杰"}, "姓名", "U+0009"),
        ({"score": "901"}, "总分", "between 0 and 900; 901 does not"),
        ({"score": "-1"}, "总分", "between 0 and 900; -1 does not"),
        ({"score": "9" * 400}, "总分", "between 0 and 900"),
        ({"score": "缺考"}, "总分", "is not a number"),
    ],
    ids=lambda given: "-".join(given) if isinstance(given, dict) else "",
)
def test_a_bad_candidate_is_reported_and_keeps_everybody_out(
    province: Province, loaded: Database, tmp_path: Path, changes: dict[str, str], heading: str, reason: str
) -> None:
    before = counts(loaded)
    first = next(NUMBERS)
    rows = [person(first), person(first + 1, **changes), person(first + 2)]
    bad = refused(lambda: load_people(loaded, tmp_path / "mixed.csv", rows, province.year))
    assert [(one.file, one.row, one.column) for one in bad] == [("mixed.csv", 3, heading)]
    assert reason in said(bad[0])
    assert counts(loaded) == before


@pytest.mark.parametrize(("ending", "first"), [("csv", 2), ("xlsx", 2), ("dbf", 1)])
def test_rows_are_numbered_as_each_format_shows_them(
    province: Province, loaded: Database, tmp_path: Path, ending: str, first: int
) -> None:
    rows = [person(1), person(2, sex="2"), person(3), person(4, ethnicity="99")]
    bad = refused(lambda: load_people(loaded, tmp_path / f"mixed.{ending}", rows, province.year))
    assert places(bad) == [(first + 1, "性别"), (first + 3, "民族")]


def test_good_rows_are_loaded_when_they_are_accepted_and_nobody_else(
    province: Province, offices: Database, tmp_path: Path
) -> None:
    bad = {2: {"sex": "2"}, 5: {"birth_date": "never"}, 6: {"id_no": person(3)["id_no"]}, 9: {"language": "8"}}
    rows = [person(number, **bad.get(number, {})) for number in range(1, 11)]
    report = load_people(offices, tmp_path / "mixed.csv", rows, province.year, accept_good=True)
    assert (report.loaded, report.bad_rows) == (6, 4)
    assert places(report.bad) == [(3, "性别"), (6, "出生日期"), (7, "证件号码"), (10, "外语语种")]
    found = ask(offices, "SELECT id, candidate_no, id_no_sealed FROM candidates ORDER BY id")
    assert {no: SEALER.open(bytes(sealed), column="id_no", row=number) for number, no, sealed in found} == {
        row["candidate_no"]: row["id_no"] for at, row in enumerate(rows, 1) if at not in bad
    }
    assert ask(offices, "SELECT detail FROM audit WHERE act = 'candidates.loaded'") == [
        ({"file": "mixed.csv", "loaded": 6, "left_out": 4},)
    ]
    assert wrong_tallies(offices) == 0
    assert value(offices, "SELECT min(never_signed_in) FROM tallies") == 6  # in each batch of class 5
    later = load_people(offices, tmp_path / "later.csv", [person(2)], province.year)
    assert later.loaded == 1


def test_nobody_is_loaded_when_all_rows_are_bad(province: Province, offices: Database, tmp_path: Path) -> None:
    rows = [person(number, sex="2") for number in range(3)]
    before = counts(offices)
    refused(lambda: load_people(offices, tmp_path / "bad.csv", rows, province.year, accept_good=True))
    assert counts(offices) == before


def test_numbers_given_twice_in_a_file_name_the_other_row(province: Province, loaded: Database, tmp_path: Path) -> None:
    rows = [
        person(1),
        person(2, id_no=person(1)["id_no"]),
        person(3, candidate_no=person(1)["candidate_no"]),
        person(4, id_no=person(1)["id_no"].translate(WIDE)),
        person(1),
    ]
    bad = refused(lambda: load_people(loaded, tmp_path / "twice.csv", rows, province.year))
    assert places(bad) == [(3, "证件号码"), (4, "考生号"), (5, "证件号码"), (6, "考生号")]
    assert all("here and in row 2" in said(one) for one in bad)


def test_numbers_that_are_in_the_table_are_reported(province: Province, loaded: Database, tmp_path: Path) -> None:
    known = province.rows("candidates")[0]
    rows = [
        person(1, id_no=known["id_no"], sex=known["sex"], birth_date=known["birth_date"]),
        person(2, candidate_no=known["candidate_no"], point=known["point"], subject_class=known["subject_class"]),
    ]
    bad = refused(lambda: load_people(loaded, tmp_path / "again.csv", rows, province.year))
    assert [(one.row, one.column, said(one)) for one in bad] == [
        (2, "证件号码", "This identity number is already registered in the province."),
        (3, "考生号", "This candidate number is already loaded."),
    ]


def test_the_same_file_again_is_refused_row_by_row(province: Province, loaded: Database) -> None:
    before = counts(loaded)
    files = province.files
    bad = refused(lambda: loading.load_candidates(loaded, SEALER, province.year, files.candidates))
    assert places(bad) == [(row, "考生号") for row in range(2, 1_002)]
    assert {said(one) for one in bad} == {"This candidate number is already loaded."}
    for load, path, heading in (
        (loading.load_regions, files.regions, "地区代码"),
        (loading.load_schools, files.schools, "报名点代码"),
    ):
        bad = refused(lambda load=load, path=path: load(loaded, path))  # type: ignore[misc]
        assert {one.column for one in bad} == {heading}
        assert "already loaded" in said(bad[0])
    assert counts(loaded) == before


def test_another_years_calendar_refuses_everybody(provinces: dict[int, Province], loaded: Database) -> None:
    bad = refused(
        lambda: loading.load_candidates(loaded, SEALER, provinces[2024].year, provinces[2017].files.candidates)
    )
    assert len({one.row for one in bad}) == 1_000
    assert {said(one) for one in bad} == {"Digits 1 and 2 should be the exam year 24; they are 17."}


def test_names_that_gbk_lacks_survive(province: Province, offices: Database, tmp_path: Path) -> None:
    names = ["𠮷𡈽", "䶮㛃", "买买提·阿卜杜拉", "王㐂", "张𬭎", "O'Neil \\N", '"{周,}"']
    files = []
    for ending, part in (("csv", names[:3]), ("xlsx", names[3:5]), ("dbf", names[5:])):
        rows = [person(names.index(name), name=name) for name in part]
        files.append(load_people(offices, tmp_path / f"names.{ending}", rows, province.year))
    also = person(90, name="张??", name_unicode="张𬭎钰")
    load_people(offices, tmp_path / "marked.xlsx", [also], province.year)
    assert [name for (name,) in ask(offices, "SELECT name FROM candidates ORDER BY id")] == [*names, "张𬭎钰"]


def test_a_table_that_is_no_table_of_candidates_is_refused_whole(province: Province, loaded: Database) -> None:
    before = counts(loaded)
    with pytest.raises(BadTable, match="Missing: 考生号"):
        loading.load_candidates(loaded, SEALER, province.year, province.files.plans)
    assert counts(loaded) == before


def test_a_table_without_rows_changes_nothing(province: Province, loaded: Database, tmp_path: Path) -> None:
    before = counts(loaded)
    for name, layout in LAYOUTS.items():
        path = tmp_path / f"{name}.csv"
        write_table(path, layout, [], raw=True)
        with pytest.raises(BadInput):
            load_one(loaded, name, path, province.year)
    assert counts(loaded) == before


def load_one(database: Database, name: str, path: Path, year: Year, *, accept_good: bool = False) -> Report:
    if name == "candidates":
        return loading.load_candidates(database, SEALER, year, path, accept_good=accept_good)
    load = {"regions": loading.load_regions, "schools": loading.load_schools, "plans": loading.load_plans}[name]
    return load(database, path, accept_good=accept_good)


# --- offices -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "row", "heading", "reason"),
    [
        (
            "regions",
            {"code": "430199", "name": "新区", "parent": "430999", "level": "county"},
            "上级地区代码",
            "430999",
        ),
        (
            "regions",
            {"code": "430199", "name": "新区", "parent": "", "level": "county"},
            "上级地区代码",
            "is not in the table",
        ),
        (
            "regions",
            {"code": "430199", "name": "新区", "parent": "430100", "level": "town"},
            "级别",
            "“town” is no level",
        ),
        ("regions", {"code": "430199", "name": "", "parent": "430100", "level": "county"}, "地区名称", "empty"),
        ("regions", {"code": "", "name": "新区", "parent": "430100", "level": "county"}, "地区代码", "empty"),
        ("regions", {"code": COUNTY, "name": "芙蓉区", "parent": "430100", "level": "county"}, "地区代码", "already"),
        (
            "schools",
            {"code": "4301029002", "name": "新学校", "county": "430999"},
            "县市区代码",
            "Load the regions first",
        ),
        (
            "schools",
            {"code": "4301029002", "name": "新学校", "county": "430100"},
            "县市区代码",
            "Load the regions first",
        ),
        ("schools", {"code": "4301029002", "name": "新学校", "county": POINT}, "县市区代码", "Load the regions first"),
        ("schools", {"code": "4301029002", "name": "", "county": COUNTY}, "报名点名称", "empty"),
        ("schools", {"code": POINT, "name": "新学校", "county": COUNTY}, "报名点代码", "already"),
    ],
)
def test_a_bad_office_is_reported(
    province: Province, loaded: Database, tmp_path: Path, name: str, row: dict[str, str], heading: str, reason: str
) -> None:
    before = counts(loaded)
    path = written(tmp_path / "offices.csv", LAYOUTS[name], [row])
    bad = refused(lambda: load_one(loaded, name, path, province.year))
    assert places(bad) == [(2, heading)]
    assert reason in said(bad[0])
    assert counts(loaded) == before


def test_regions_must_stand_below_what_they_belong_to(
    province: Province, new_database_of: Callable[[], Database], tmp_path: Path
) -> None:
    rows = province.rows("regions")[::-1]
    bad = refused(lambda: loading.load_regions(new_database_of(), written(tmp_path / "r.csv", REGIONS, rows)))
    assert places(bad) == [(row, "上级地区代码") for row in range(2, len(rows) + 1)]
    assert "Put regions before what belongs to them" in said(bad[0])


# --- catalogue ---------------------------------------------------------------------------------------


def plan(major: str, **changes: str) -> dict[str, str]:
    """A row of the catalogue."""
    return {
        "batch_code": "0P",
        "column_code": "PILOT",
        "subject_class": "5",
        "institution_code": "0101",
        "institution_name": "湘江大学",
        "group_code": "",
        "group_name": "",
        "major_code": major,
        "major_name": "飞行技术",
        "place": "长沙市",
        "province_name": "湖南省",
        "ownership": "公办",
        "nature": "PILOT",
        "tags": "",
        "tuition": "4800",
        "years": "4",
        "quota": "30",
        "subject_first": "",
        "subject_second": "",
        "restricted": "",
        "languages": "",
        "sex": "",
        "remark": "",
    } | changes


@pytest.mark.parametrize(
    ("changes", "heading", "reason"),
    [
        ({"batch_code": "7"}, "批次代码", "Batch 7 is not loaded. Load the calendar first"),
        ({"column_code": "GEN1"}, "志愿栏代码", "Batch 0P has no column GEN1"),
        ({"subject_class": "3"}, "科类", "Batch 0P is not for subject class 3"),
        ({"subject_first": "MAT"}, "再选科目要求", "MAT"),
        ({"subject_second": "CHE"}, "再选科目要求", "CHE"),
        ({"major_code": "01"}, "专业代号", "in the file twice"),
        ({"institution_code": ""}, "院校代号", "empty"),
        ({"institution_name": ""}, "院校名称", "empty"),
        ({"major_name": ""}, "专业名称", "empty"),
        ({"quota": "12.5"}, "计划数", "12.5"),
        ({"quota": "-3"}, "计划数", "-3"),
        ({"quota": "99999999999"}, "计划数", "99999999999"),
        ({"tuition": "4800.5"}, "学费", "4800.5"),
        ({"tuition": "9" * 30}, "学费", "999"),
        ({"years": "9" * 400}, "学制", "999"),
        ({"years": "两年"}, "学制", "is not a number"),
        ({"sex": "男"}, "性别要求", "“男” is no code"),
    ],
    ids=lambda given: "-".join(given) if isinstance(given, dict) else "",
)
def test_a_bad_plan_is_reported_and_keeps_the_catalogue_out(
    loaded: Database, tmp_path: Path, changes: dict[str, str], heading: str, reason: str
) -> None:
    before = counts(loaded)
    rows = [plan("01"), plan("02", **changes), plan("03")]
    bad = refused(lambda: loading.load_plans(loaded, written(tmp_path / "plans.csv", PLANS, rows)))
    assert places(bad) == [(3, heading)]
    assert reason in said(bad[0])
    assert counts(loaded) == before


def test_good_plans_are_loaded_when_they_are_accepted(offices: Database, tmp_path: Path) -> None:
    rows = [plan("01"), plan("02", batch_code="7"), plan("03"), plan("03"), plan("04", quota="many")]
    report = loading.load_plans(offices, written(tmp_path / "plans.csv", PLANS, rows), accept_good=True)
    assert (report.loaded, places(report.bad)) == (2, [(3, "批次代码"), (5, "专业代号"), (6, "计划数")])
    assert ask(offices, "SELECT major_code FROM plans ORDER BY 1") == [("01",), ("03",)]
    assert ask(offices, "SELECT version, plans FROM catalogues") == [(1, 2)]


def test_a_catalogue_without_one_good_row_is_no_catalogue(offices: Database, tmp_path: Path) -> None:
    rows = [plan("01", batch_code="7")]
    before = counts(offices)
    refused(lambda: loading.load_plans(offices, written(tmp_path / "plans.csv", PLANS, rows), accept_good=True))
    assert counts(offices) == before


def pins(database: Database) -> dict[str, tuple[int, int]]:
    """Catalogue version and revision of each batch."""
    return {
        code: (version, revision)
        for code, version, revision in ask(database, "SELECT code, catalogue_version, revision FROM batches")
    }


def test_a_second_catalogue_is_for_batches_that_have_not_opened(
    offices: Database, province: Province, tmp_path: Path
) -> None:
    calendar = province.year.calendar
    loading.load_calendar(offices, calendar.opened("W2", datetime.now(UTC)))
    begun = {spec.code for spec in calendar.batches if spec.window in {"W1", "W2"}}
    assert begun < {spec.code for spec in calendar.batches}
    assert set(pins(offices).values()) == {(0, 1)}
    first = written(tmp_path / "first.csv", PLANS, [plan("01"), plan("02")])
    loading.load_plans(offices, first)
    assert set(pins(offices).values()) == {(1, 2)}  # even those that are open: they had none
    loading.load_plans(offices, written(tmp_path / "second.csv", PLANS, [plan("01", quota="31")]))
    assert pins(offices) == {spec.code: (1, 2) if spec.code in begun else (2, 3) for spec in calendar.batches}
    assert ask(offices, "SELECT version, source, plans FROM catalogues ORDER BY 1") == [
        (1, "first.csv", 2),
        (2, "second.csv", 1),
    ]
    assert ask(offices, "SELECT version, major_code, quota FROM plans ORDER BY 1, 2") == [
        (1, "01", 30),
        (1, "02", 30),
        (2, "01", 31),
    ]
    loading.load_calendar(offices, calendar)
    assert set(pins(offices).values()) == {(2, 1)}


# --- COPY's text format ------------------------------------------------------------------------------

visible = st.characters(exclude_categories=("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"), exclude_characters="\ufffd")
awkward = st.sampled_from(
    ["\\", "\\N", "\\.", "\\t", "\\x41", "{", "}", "{}", '"', "'", "''", "NULL", "(", ",", ";", "|", "$1", "%s"]
)
cells = st.lists(st.text(visible, max_size=6) | awkward, min_size=1, max_size=4).map("".join).map(str.strip)
filled = cells.filter(bool)
lines = st.lists(cells, max_size=3).map("\n".join).map(str.strip)
words = st.lists(st.text(visible, min_size=1, max_size=6) | awkward, max_size=4).map(" ".join).map(str.strip)


@given(
    st.lists(
        st.fixed_dictionaries({
            "institution_name": filled, "group_name": cells, "major_name": filled, "place": cells,
            "nature": cells, "remark": lines, "tags": words, "restricted": words,
        }),
        min_size=1, max_size=6,
    )
)  # fmt: skip
@example([{"institution_name": "\\N", "group_name": "\\.", "major_name": "\\", "place": "a\\tb", "nature": '"',
           "remark": "\\\n\\.\nNULL", "tags": '\\ " {} \\N NULL a"b{c}', "restricted": "\\\\ ''"}])  # fmt: skip
@settings(max_examples=25)
def test_whatever_stands_in_a_cell_stands_in_the_table(
    tmp_path_factory: pytest.TempPathFactory, scratch: Database, rows: list[dict[str, str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "awkward.csv"
    loading.load_plans(scratch, written(path, PLANS, [plan(f"{at:02}", **row) for at, row in enumerate(rows)]))
    found = ask(
        scratch,
        """
        SELECT institution_name, group_name, major_name, place, nature, remark, tags, restricted FROM plans
        WHERE version = (SELECT max(version) FROM catalogues) ORDER BY major_code
        """,
    )
    assert found == [
        (*(row[name] for name in SINGLE), *(listed(row[name]) for name in ("tags", "restricted"))) for row in rows
    ]


SINGLE = ("institution_name", "group_name", "major_name", "place", "nature", "remark")


def listed(cell: str) -> list[str]:
    """The words of a cell, however they are separated."""
    return [word for word in re.split(r"[\s,;、|]+", cell) if word]


@pytest.fixture(scope="module")
def scratch(new_database_of: Callable[[], Database], province: Province) -> Database:
    """A database for catalogues nobody needs."""
    database = new_database_of()
    loading.load_calendar(database, province.year.calendar)
    return database


@given(
    st.lists(
        st.tuples(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")), st.binary(max_size=9)),
        max_size=9,
    )
)
@example([("\t\\t\\N\n\\.\n", b"\\"), ("\\N", b"")])
@settings(max_examples=30)
def test_text_and_bytes_come_out_of_copy_as_they_went_in(scratch: Database, rows: list[tuple[str, bytes]]) -> None:
    with scratch.transaction() as session:
        session.execute(text("CREATE TEMP TABLE copied (at int, word text, octets bytea) ON COMMIT DROP"))
        with report.driver(session).cursor() as cursor, cursor.copy("COPY copied FROM STDIN") as copy:
            for at, (word, octets) in enumerate(rows):
                copy.write(f"{at}\t{report.copy_text(word)}\t{report.copy_bytes(octets)}\n")
        found = session.execute(text("SELECT word, octets FROM copied ORDER BY at")).all()
    assert [(word, bytes(octets)) for word, octets in found] == rows


# --- memory ------------------------------------------------------------------------------------------

#: loads one file after the other, and says the most memory that it or a process it started ever had, in KiB
CHILD = """
import resource, sys
from pathlib import Path
from admin.commands.loading import year_of
from admin.intake import loading
from app.candidates import Sealer
from app.db import Database
config, *pairs = sys.argv[1:]
year, sealer = year_of(2017, Path(config)), Sealer({1: b"c" * 32}, b"i" * 32)
for url, file in zip(pairs[::2], pairs[1::2]):
    report = loading.load_candidates(Database(url), sealer, year, Path(file))
    own = next(line.split()[1] for line in Path("/proc/self/status").open() if line.startswith("VmHWM"))
    print(report.loaded, max(int(own), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
"""


def many(total: int) -> Iterator[dict[str, str]]:
    """Candidates of one point: nine thousand numbers a subject class, five hundred men a birthday."""
    for at in range(total):
        subject_class, born = ("5", "1", "3")[at // 9_000], BORN + timedelta(days=at // 500)
        yield person(
            0,
            candidate_no=f"17{COUNTY}1{subject_class}{at % 9_000 + 1:04}",
            subject_class=subject_class,
            birth_date=born.isoformat(),
            id_no=id_number(born, at % 500 * 2 + 1),
            name=f"周{at}",
        )


def test_four_times_the_rows_take_the_same_memory(
    new_database_of: Callable[[], Database], config: Path, tmp_path: Path
) -> None:
    """Of each row only its two numbers are kept; 15 000 whole rows would take more than twice what is allowed."""
    arguments = [str(config)]
    for total in (5_000, 20_000):
        path = tmp_path / f"{total}.csv"
        write_table(path, CANDIDATES, many(total), fields=tuple(person(0)), raw=True)
        url = with_points(new_database_of(), tmp_path).engine.url
        arguments += [url.render_as_string(hide_password=False), str(path)]
    answer = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    (few, few_kib), (more, more_kib) = (map(int, line.split()) for line in answer.stdout.splitlines())
    assert (few, more) == (5_000, 20_000)
    assert more_kib - few_kib < 24 * 1024, (few_kib, more_kib)
