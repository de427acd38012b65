"""The sample province: files that a strict reader takes, numbers that are right, every column with something in it."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Literal

import pytest
import yaml

from admin.intake.exchange import Row, open_table
from admin.intake.layouts import CANDIDATES, PLANS, REGIONS, SCHOOLS, Layout
from admin.intake.rows import COMMAND
from admin.intake.sample import SampleFiles, generate, people, places
from admin.intake.sample.plans import takes
from app.columns import Calendar, load_calendar
from app.numbers import CandidateNumber, IdNumber
from app.offers import Requirement

CONFIG = Path(__file__).parents[3] / "config"
YEARS = (2017, 2024)
SIZES = {2017: 20_000, 2024: 1_000}


def calendar_of(year: int) -> Calendar:
    return load_calendar((CONFIG / f"calendars/{year}.yaml").read_text(encoding="utf-8"))


def rows(path: Path, layout: Layout) -> Iterator[Row]:
    with open_table(path, layout, limits=COMMAND) as table:
        for row in table:
            assert isinstance(row, Row), row
            yield row


@pytest.fixture(scope="module", params=YEARS)
def year(request: pytest.FixtureRequest) -> Literal[2017, 2024]:
    return 2017 if request.param == 2017 else 2024


@pytest.fixture(scope="module")
def province(year: Literal[2017, 2024], tmp_path_factory: pytest.TempPathFactory) -> SampleFiles:
    return generate(tmp_path_factory.mktemp(str(year)), SIZES[year], year, seed=7)


@pytest.fixture(scope="module")
def candidates(province: SampleFiles) -> list[Row]:
    return list(rows(province.candidates, CANDIDATES))


@pytest.fixture(scope="module")
def plans(province: SampleFiles) -> list[Row]:
    return list(rows(province.plans, PLANS))


def test_counts_are_what_was_asked_for(
    province: SampleFiles, candidates: list[Row], plans: list[Row], year: int
) -> None:
    assert province.candidate_count == len(candidates) == SIZES[year]
    assert province.plan_count == len(plans) > 10_000


def test_identity_numbers_are_valid_unique_and_agree(candidates: list[Row]) -> None:
    assert len({row["id_no"] for row in candidates}) == len(candidates)
    for row in candidates:
        number = IdNumber.parse(row["id_no"])
        assert isinstance(number, IdNumber), row
        assert (number.sex, number.birth_date.isoformat()) == (row["sex"], row["birth_date"])


def test_candidate_numbers_are_valid_unique_and_agree(province: SampleFiles, candidates: list[Row], year: int) -> None:
    calendar = calendar_of(year)
    counties = {row["code"] for row in rows(province.regions, REGIONS) if row["level"] == "county"}
    points = {row["code"]: row["county"] for row in rows(province.schools, SCHOOLS)}
    digits = {code: each.number_digit for code, each in calendar.subject_classes.items()}
    assert len(counties) == 122
    assert len({row["candidate_no"] for row in candidates}) == len(candidates)
    assert {row["hukou_county"] for row in candidates} == counties
    for row in candidates:
        number = CandidateNumber.parse(
            row["candidate_no"], year=year, regions=counties, class_digits=digits.values(), exam_types=("1", "2")
        )
        assert isinstance(number, CandidateNumber), row
        assert (number.region, number.exam_type) == (points[row["point"]], row["exam_type"])
        assert number.class_digit == digits[row["subject_class"]]


def test_regions_are_a_tree_in_order(province: SampleFiles, year: int) -> None:
    known = {""}
    for row in rows(province.regions, REGIONS):
        assert row["parent"] in known
        known.add(row["code"])
    assert ("430212" in known, "430221" in known) == (year == 2024, year == 2017)


def test_candidates_are_like_those_of_a_province(candidates: list[Row], year: int) -> None:
    kinds = {code: people.kind_of(code, each.name) for code, each in calendar_of(year).subject_classes.items()}
    count = len(candidates)
    assert {row["subject_class"] for row in candidates} == set(kinds)
    assert max(Counter((row["point"], row["class_no"]) for row in candidates).values()) <= 55
    assert 0.01 * count < sum(not row["mobile"] for row in candidates) < 0.08 * count
    assert 0.05 * count < sum(row["ethnicity"] != "01" for row in candidates) < 0.2 * count
    scores = [int(row["score"]) for row in candidates if row["score"] and kinds[row["subject_class"]] == "science"]
    assert 0.1 < sum(score >= 505 for score in scores) / len(scores) < 0.4
    granted = Counter(word.split(":")[0] for row in candidates for word in row["qualifications"].split())
    assert set(granted) == {
        "special_plan",
        "exam",
        "vocational",
        "ethnic_preference",
        "check",
        "list",
        "qualification",
    }
    if year == 2024:
        chosen = [row for row in candidates if kinds[row["subject_class"]] != "vocational"]
        assert all(row["first_subject"] and len(row["second_subjects"].split()) == 2 for row in chosen)


def test_names_hold_the_characters_that_break_things() -> None:
    registrar = people.Registrar(Random(3), people.rules(calendar_of(2017), frozenset(), frozenset()))
    registrar.enter(places.County("430104", "430104", "岳麓区", "长沙市", "430100", 80, 20, (("05", 5),)))
    point = places.Point("4301040001", "长沙市第一中学", "430104", "普通高中", 0)
    names = [person["name"] for person in registrar.candidates(places.SchoolClass(point, "01", "5", 8_000))]
    assert any("·" in name for name in names)
    assert any(name.encode("gbk", "ignore").decode("gbk") != name for name in names)
    assert {2, 3, 4} <= {len(name) for name in names}
    assert len(set(names)) > 5_000


def test_serials_beyond_four_digits_go_on_under_another_type() -> None:
    registrar = people.Registrar(Random(1), people.rules(calendar_of(2017), frozenset(), frozenset()))
    registrar.enter(places.County("430181", "430181", "浏阳市", "长沙市", "430100", 128, 60, ()))
    point = places.Point("4301810001", "浏阳市第一中学", "430181", "普通高中", 0)
    found = list(registrar.candidates(places.SchoolClass(point, "01", "5", 10_001)))
    numbers = [person["candidate_no"] for person in found]
    assert numbers[0] == "17430181150001"
    assert numbers[9_998:] == ["17430181159999", "17430181650001", "17430181650002"]
    assert len({person["id_no"] for person in found}) == 10_001


def test_every_column_can_be_filed(plans: list[Row], year: int) -> None:
    calendar = calendar_of(year)
    offered = Counter((row["batch_code"], row["column_code"], row["subject_class"]) for row in plans)
    wanted = {
        (batch.code, column.code, subject_class)
        for batch in calendar.batches
        for column in batch.columns
        for subject_class in batch.subject_classes
        if takes(column, people.kind_of(subject_class, calendar.subject_classes[subject_class].name))
    }
    assert set(offered) == wanted
    assert {batch for batch, _, _ in offered} == {batch.code for batch in calendar.batches}


def test_the_catalogue_is_consistent(plans: list[Row], year: int) -> None:
    calendar = calendar_of(year)
    units = {(batch.code, column.code): column.unit for batch in calendar.batches for column in batch.columns}
    names: dict[str, set[str]] = defaultdict(set)
    offers: dict[tuple[str, ...], set[tuple[str, ...]]] = defaultdict(set)
    keys = set()
    for row in plans:
        offer = tuple(
            row[name] for name in ("batch_code", "column_code", "subject_class", "institution_code", "group_code")
        )
        key = (*offer, row["major_code"])
        assert key not in keys
        keys.add(key)
        names[row["institution_code"]].add(row["institution_name"])
        offers[offer].add((row["tags"], row["nature"], row["group_name"], row["place"]))
        if row["group_code"]:
            offers[offer].add(("second", row["subject_second"]))
        grouped = units[row["batch_code"], row["column_code"]] == "GROUP"
        assert bool(row["group_code"]) == grouped
        assert (len(row["institution_code"]), len(row["major_code"]), len(row["group_code"])) == (4, 2, 3 * grouped)
        assert int(row["quota"]) > 0
        Requirement.parse(row["subject_first"], row["subject_second"])
    assert all(len(found) == 1 for found in names.values())
    assert all(len(found) == 1 + bool(offer[4]) for offer, found in offers.items())
    assert len(names) > 400


def test_a_supplementary_round_offers_what_its_column_offered(plans: list[Row], year: int) -> None:
    calendar = calendar_of(year)
    offered = defaultdict(set)
    for row in plans:
        offered[row["batch_code"], row["subject_class"]].add(
            (row["institution_code"], row["group_code"], row["major_code"], row["major_name"])
        )
    for batch in calendar.batches:
        if batch.parent and batch.of != "ART2_P":  # which is followed by PE, too, of another column
            for subject_class in batch.subject_classes:
                assert offered[batch.code, subject_class] <= offered[batch.parent, subject_class]


def test_a_seed_makes_the_same_files(tmp_path: Path, small_config: Path) -> None:
    first, again, other = (
        generate(tmp_path / name, 300, 2017, seed, config=small_config) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    for path in ("regions", "schools", "candidates", "plans"):
        made = [getattr(files, path).read_bytes() for files in (first, again, other)]
        assert made[0] == made[1]
        assert (made[0] == made[2]) == (path == "regions")


@pytest.mark.parametrize("ending", ["xlsx", "dbf"])
def test_every_format_says_the_same(tmp_path: Path, small_config: Path, ending: Literal["xlsx", "dbf"]) -> None:
    plain = generate(tmp_path, 300, 2017, config=small_config)
    other = generate(tmp_path, 300, 2017, format=ending, config=small_config)
    for name, layout in (("regions", REGIONS), ("schools", SCHOOLS), ("candidates", CANDIDATES), ("plans", PLANS)):
        expected = [row.values for row in rows(getattr(plain, name), layout)]
        assert [row.values for row in rows(getattr(other, name), layout)] == expected


@pytest.fixture
def small_config(tmp_path: Path) -> Path:
    """The configuration with two small batches."""
    config = tmp_path / "config"
    (config / "calendars").mkdir(parents=True)
    for name in ("regions.csv", "codes.yaml"):
        (config / name).write_bytes((CONFIG / name).read_bytes())
    calendar = yaml.safe_load((CONFIG / "calendars/2017.yaml").read_text(encoding="utf-8"))
    calendar["batches"] = [batch for batch in calendar["batches"] if batch["code"] in {"0", "0P"}]
    (config / "calendars/2017.yaml").write_text(yaml.safe_dump(calendar, allow_unicode=True), encoding="utf-8")
    return config
