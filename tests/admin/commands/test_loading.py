"""The loading commands: what they say, what they leave beside the file, how they end, and in which order they work."""

import csv
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

import pytest
import yaml
from click.testing import CliRunner, Result

from admin.commands import group
from admin.intake.exchange import open_table, write_table
from admin.intake.layouts import CANDIDATES, PLANS, REGIONS, SCHOOLS, Layout
from admin.intake.rows import COMMAND, Row
from admin.intake.sample import SampleFiles, generate
from admin.rehearsal import FREE
from app import drafts
from tests.filing import file
from tests.makers import World, content

ROOT: Final = Path(__file__).parents[3]
LAYOUTS: Final = {"regions": REGIONS, "schools": SCHOOLS, "candidates": CANDIDATES, "plans": PLANS}
PEOPLE: Final = 300


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration we ship, with one small batch in its calendar of 2017."""
    made = tmp_path_factory.mktemp("config")
    (made / "calendars").mkdir()
    for name in ("regions.csv", "codes.yaml"):
        (made / name).write_bytes((ROOT / "config" / name).read_bytes())
    calendar = yaml.safe_load((ROOT / "config/calendars/2017.yaml").read_text(encoding="utf-8"))
    calendar["batches"] = [batch for batch in calendar["batches"] if batch["code"] == "0P"]
    (made / "calendars/2017.yaml").write_text(yaml.safe_dump(calendar, allow_unicode=True), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def sample(config: Path, tmp_path_factory: pytest.TempPathFactory) -> SampleFiles:
    return generate(tmp_path_factory.mktemp("sample"), PEOPLE, 2017, config=config)


def environment(world: World) -> dict[str, str]:
    return {
        "DATABASE_URL": world.url,
        "REDIS_URL": world.redis_url,
        "KEYS_DIRECTORY": str(world.settings.keys_directory),
    }


Run = Callable[..., Result]


@pytest.fixture
def run(world: World) -> Run:
    """A function that runs a command on this test's province."""

    def run(*arguments: str | Path, **changed: str) -> Result:
        answer = CliRunner().invoke(group(), [*map(str, arguments)], env=environment(world) | changed)
        # whatever happens, it is said in words
        assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exc_info
        assert "Traceback" not in answer.output
        return answer

    return run


def rows(path: Path, layout: Layout) -> list[dict[str, str]]:
    with open_table(path, layout, limits=COMMAND) as table:
        return [dict(row.values) for row in table if isinstance(row, Row)]


def written(path: Path, layout: Layout, lines: Sequence[Mapping[str, str]]) -> Path:
    write_table(path, layout, lines, fields=tuple(lines[0]), raw=True, rare="keep")
    return path


def offices(run: Run, sample: SampleFiles, config: Path) -> None:
    """What must be there before candidates and plans."""
    assert run("load-regions", sample.regions).exit_code == 0
    assert run("load-schools", sample.schools).exit_code == 0
    assert run("load-calendar", config / "calendars/2017.yaml").exit_code == 0


@pytest.fixture
def some(run: Run, sample: SampleFiles, config: Path, tmp_path: Path) -> list[dict[str, str]]:
    """A province with offices, and a few candidates to load."""
    offices(run, sample, config)
    return rows(sample.candidates, CANDIDATES)[:60]


# --- what goes well ----------------------------------------------------------------------------------


def test_a_province_is_loaded_in_the_usual_order(run: Run, world: World, sample: SampleFiles, config: Path) -> None:
    said = [
        run("load-regions", sample.regions).stdout,
        run("load-schools", sample.schools).stdout,
        run("load-calendar", config / "calendars/2017.yaml", "--open-now", "W1").stdout,
        run("load-candidates", sample.candidates).stdout,
        run("load-plans", sample.plans).stdout,
    ]
    regions = world.value("SELECT count(*) FROM offices WHERE level <> 'point'")
    assert [text.splitlines()[-1] for text in said] == [
        f"regions.csv: {regions} rows loaded",
        f"schools.csv: {sample.school_count} rows loaded",
        "1 batches loaded",
        f"candidates.csv: {PEOPLE} rows loaded",
        f"plans.csv: {sample.plan_count} rows loaded",
    ]
    assert not list(sample.regions.parent.glob("*.bad.csv"))
    assert world.value("SELECT count(*) FROM batches WHERE clock_timestamp() BETWEEN opens_at AND closes_at") == 1
    found = world.rows("SELECT id, candidate_no, id_no_sealed FROM candidates ORDER BY id LIMIT 1")[0]
    first = rows(sample.candidates, CANDIDATES)[0]
    assert found["candidate_no"] == first["candidate_no"]
    assert world.sealer.open(bytes(found["id_no_sealed"]), column="id_no", row=found["id"]) == first["id_no"]


@pytest.mark.parametrize("name", ["people.xlsx", "people.dbf", "PEOPLE.CSV", "PEOPLE.XLSX"])
def test_candidates_are_taken_from_every_format(
    run: Run, world: World, some: list[dict[str, str]], tmp_path: Path, name: str
) -> None:
    answer = run("load-candidates", written(tmp_path / name, CANDIDATES, some))
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.splitlines()[-1] == f"{name}: {len(some)} rows loaded"
    assert world.value("SELECT count(*) FROM candidates") == len(some)


def test_the_progress_bar_leaves_the_last_line_alone(
    world: World, run: Run, some: list[dict[str, str]], tmp_path: Path
) -> None:
    bad = [*some, some[0]]
    path = written(tmp_path / "people.csv", CANDIDATES, bad)
    status, shown = at_terminal(world, "load-candidates", str(path), "--accept-good")
    assert status == 0
    assert "[####" in shown  # the bar was there
    # what stands on the screen in the end: of each line what came after its last return
    lines = [
        re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).rpartition("\r")[2]
        for line in shown.replace("\r\n", "\n").split("\n")
    ]
    assert f"people.csv: {len(some)} rows loaded" in lines
    assert "1 bad rows; every place is listed in people.bad.csv" in lines
    assert any(line.startswith(f"  people.csv, row {len(bad) + 1}, 考生号: ") for line in lines)


def at_terminal(world: World, *arguments: str) -> tuple[int, str]:
    """Exit status of a command run at a terminal, and what it sent there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "admin", *arguments],
        cwd=ROOT,
        env=os.environ | environment(world) | {"TERM": "xterm", "COLUMNS": "100"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        sent = b"".join(_blocks(ours))
    os.close(ours)
    return process.returncode, sent.decode()


def _blocks(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            block = os.read(terminal, 4096)
        except OSError:  # the other end is closed: how Linux says that it is over
            return
        if not block:
            return
        yield block


# --- bad rows ----------------------------------------------------------------------------------------


def spoilt(lines: list[dict[str, str]], every: int) -> list[dict[str, str]]:
    """The same rows, some of them with another sex."""
    other = {"1": "2", "2": "1"}
    return [row | {"sex": other[row["sex"]]} if at % every == 0 else row for at, row in enumerate(lines)]


def bad_places(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_bad_rows_keep_everything_out_and_are_listed(
    run: Run, world: World, some: list[dict[str, str]], tmp_path: Path
) -> None:
    before = world.value("SELECT count(*) FROM audit")
    answer = run("load-candidates", written(tmp_path / "people.csv", CANDIDATES, spoilt(some, 2)))
    assert answer.exit_code == 1
    assert "rows loaded" not in answer.output
    shown = [line for line in answer.stderr.splitlines() if line.startswith("  people.csv, row ")]
    assert len(shown) == 20  # the rest is in the list
    assert shown[0].startswith("  people.csv, row 2, 性别: The identity number says ")
    assert shown[1].startswith("  people.csv, row 4, 性别: ")
    assert "30 bad rows; every place is listed in people.bad.csv" in answer.stderr
    assert answer.stderr.splitlines()[-1] == (
        "Error: nothing was loaded; correct the file, or take the good rows with --accept-good"
    )
    heading, *places = bad_places(tmp_path / "people.bad.csv")
    assert heading == ["file", "row", "column", "reason"]
    assert [place[:3] for place in places] == [["people.csv", str(row), "性别"] for row in range(2, 62, 2)]
    assert all("Correct the wrong one." in place[3] for place in places)
    assert world.value("SELECT count(*) FROM candidates") == 0
    assert world.value("SELECT count(*) FROM audit") == before


def test_the_good_rows_are_taken_when_they_are_accepted(
    run: Run, world: World, some: list[dict[str, str]], tmp_path: Path
) -> None:
    path = written(tmp_path / "people.csv", CANDIDATES, spoilt(some, 30))
    answer = run("load-candidates", path, "--accept-good")
    assert answer.exit_code == 0
    assert answer.stdout.splitlines()[-1] == "people.csv: 58 rows loaded"
    assert "2 bad rows; every place is listed in people.bad.csv" in answer.stderr
    assert len(bad_places(tmp_path / "people.bad.csv")) == 3
    assert world.value("SELECT count(*) FROM candidates") == 58


def test_accepting_good_rows_is_no_help_where_none_is(
    run: Run, world: World, some: list[dict[str, str]], tmp_path: Path
) -> None:
    path = written(tmp_path / "people.csv", CANDIDATES, spoilt(some, 1))
    assert run("load-candidates", path, "--accept-good").exit_code == 1
    assert world.value("SELECT count(*) FROM candidates") == 0


def test_a_file_loaded_again_is_refused(
    run: Run, world: World, sample: SampleFiles, config: Path, tmp_path: Path
) -> None:
    offices(run, sample, config)
    for command, name in (("load-regions", "regions"), ("load-schools", "schools")):
        path = tmp_path / f"{name}.csv"
        path.write_bytes(getattr(sample, name).read_bytes())
        before = world.value("SELECT count(*) FROM offices")
        answer = run(command, path)
        assert answer.exit_code == 1
        assert "already loaded" in answer.stderr
        assert (tmp_path / f"{name}.bad.csv").exists()
        assert world.value("SELECT count(*) FROM offices") == before


# --- mistakes and their remedies ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "name", "loaded", "remedy"),
    [
        ("load-schools", "schools", [], "Load the regions first"),
        ("load-candidates", "candidates", ["regions"], "Load the schools first"),
        ("load-plans", "plans", ["regions", "schools"], "Load the calendar first"),
    ],
)
def test_what_is_loaded_too_early_names_what_comes_first(
    run: Run, world: World, sample: SampleFiles, tmp_path: Path, command: str, name: str, loaded: list[str], remedy: str
) -> None:
    for each in loaded:
        assert run(f"load-{each}", getattr(sample, each)).exit_code == 0
    path = tmp_path / f"{name}.csv"
    path.write_bytes(getattr(sample, name).read_bytes())
    answer = run(command, path)
    assert answer.exit_code == 1
    assert remedy in answer.stderr
    assert "nothing was loaded" in answer.stderr
    for table in ("candidates", "plans", "catalogues"):
        assert world.value(f"SELECT count(*) FROM {table}") == 0  # noqa: S608


def test_another_table_is_refused_with_the_headings_that_are_missing(run: Run, sample: SampleFiles) -> None:
    answer = run("load-schools", sample.regions)
    assert answer.exit_code == 1
    assert "Missing: 报名点代码、报名点名称、县市区代码" in answer.stderr
    assert "Nothing was changed." in answer.stderr


@pytest.mark.parametrize(
    ("name", "content", "remedy"),
    [
        ("people.csv", b"", "The file is empty."),
        ("people.txt", b"a,b\n", "Tables are taken as .csv, .xlsx and .dbf."),
        ("people.csv", b"PK\x03\x04rest", "If it is a workbook, name it .xlsx."),
        ("people.xlsx", b"\xd0\xcf\x11\xe0rest", "Save it as .xlsx without a password."),
        ("people.dbf", b"\x03\x10" + bytes(40), "damaged"),
    ],
    ids=["empty", "ending", "workbook named csv", "old workbook", "damaged"],
)
def test_a_file_that_is_no_table_is_refused_with_what_to_do(
    run: Run, world: World, tmp_path: Path, name: str, content: bytes, remedy: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    answer = run("load-regions", path)
    assert answer.exit_code == 1
    assert remedy in answer.stderr
    assert ".." not in answer.stderr
    assert world.value("SELECT count(*) FROM offices") == 0


def test_a_table_without_rows_is_refused(run: Run, world: World, tmp_path: Path) -> None:
    path = tmp_path / "regions.csv"
    write_table(path, REGIONS, [], raw=True)
    answer = run("load-regions", path)
    assert answer.exit_code == 1
    assert "has no rows" in answer.stderr


def test_candidates_of_another_year_name_the_year(run: Run, some: list[dict[str, str]], tmp_path: Path) -> None:
    answer = run("load-candidates", written(tmp_path / "people.csv", CANDIDATES, some), "--year", "2024")
    assert answer.exit_code == 1
    assert "should be the exam year 24; they are 17" in answer.stderr


def test_a_file_that_is_not_there_is_a_mistake_in_the_command(run: Run, tmp_path: Path) -> None:
    answer = run("load-plans", tmp_path / "none.csv")
    assert answer.exit_code == 2
    assert "does not exist" in answer.stderr


@pytest.mark.parametrize(
    ("changed", "remedy"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL"),
        ({"KEYS_DIRECTORY": "/nowhere"}, "python -m admin keys"),
        ({"DATABASE_URL": "postgresql+psycopg://nobody@/nothing?host=/nowhere"}, "Check DATABASE_URL"),
    ],
    ids=["no setting", "no keys", "no database"],
)
def test_a_set_up_that_cannot_work_says_what_is_missing(
    run: Run, sample: SampleFiles, changed: dict[str, str], remedy: str
) -> None:
    answer = run("load-candidates", sample.candidates, **changed)
    assert answer.exit_code == 1
    assert remedy in answer.stderr


# --- calendars ---------------------------------------------------------------------------------------


def test_a_calendar_somebody_has_begun_to_file_in_is_not_replaced(run: Run, world: World, config: Path) -> None:
    batch_id = world.batch("1", opens=timedelta(hours=1), closes=timedelta(hours=2))
    person = world.candidate()
    session_id = world.activate(person)
    with world.database.transaction() as session:
        drafts.save(session, person.id, batch_id, content("4301"), 0)
    refused(run, world, config, "drafts")
    world.do(f"{FREE} UPDATE batches SET opens_at = clock_timestamp() FROM free")  # noqa: S608 -- constants
    file(world, person, session_id, "1", "4301")
    refused(run, world, config, "filings, drafts, batches that are open")


def refused(run: Run, world: World, config: Path, why: str) -> None:
    answer = run("load-calendar", config / "calendars/2017.yaml")
    assert answer.exit_code == 1
    assert f"in use ({why})" in answer.stderr
    assert world.value("SELECT code FROM batches") == "1"


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"windows": {}}, "is not listed under `windows`; add it there"),
        ({"batches": []}, "batches"),
        ({"nonsense": 1}, "is not a key we know"),
    ],
    ids=["window", "no batches", "unknown key"],
)
def test_a_calendar_that_cannot_be_used_names_each_place(
    run: Run, world: World, config: Path, tmp_path: Path, change: dict[str, Any], remedy: str
) -> None:
    calendar = yaml.safe_load((config / "calendars/2017.yaml").read_text(encoding="utf-8")) | change
    path = tmp_path / "calendar.yaml"
    path.write_text(yaml.safe_dump(calendar, allow_unicode=True), encoding="utf-8")
    answer = run("load-calendar", path)
    assert answer.exit_code == 1
    assert remedy in answer.stderr
    assert world.value("SELECT count(*) FROM batches") == 0


def test_a_window_the_calendar_has_not_is_named(run: Run, world: World, config: Path) -> None:
    answer = run("load-calendar", config / "calendars/2017.yaml", "--open-now", "W9")
    assert answer.exit_code != 0
    assert "W9" in answer.stderr
    assert world.value("SELECT count(*) FROM batches") == 0


# --- sample ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("year", "ending"), [("2017", "csv"), ("2024", "dbf")])
def test_a_sample_is_written_for_a_year_in_a_format(
    run: Run, tmp_path: Path, year: str, ending: Literal["csv", "dbf"]
) -> None:
    answer = run("sample", tmp_path / "made", "--year", year, "--format", ending)
    assert answer.exit_code == 0, answer.output
    assert {path.name for path in (tmp_path / "made").iterdir()} == {f"{name}.{ending}" for name in LAYOUTS}
    people = rows(tmp_path / f"made/candidates.{ending}", CANDIDATES)
    assert len(people) == 1_000
    assert {row["candidate_no"][:2] for row in people} == {year[2:]}


def test_a_sample_smaller_than_a_province_is_refused(run: Run, tmp_path: Path) -> None:
    answer = run("sample", tmp_path / "made", "--candidates", "999")
    assert answer.exit_code == 2
    assert not (tmp_path / "made").exists()
