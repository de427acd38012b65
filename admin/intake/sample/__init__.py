"""A sample province: regions, points, candidates and catalogue, as files an office would hand in.

Everything is invented and drawn from one seed: the same arguments make the same files. Nothing here is
secret, so `random.Random` serves; the only thing kept in memory is counters, so a million candidates take no
more room than a thousand.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import yaml

from admin.intake.exchange import Format, open_table, write_table
from admin.intake.layouts import CANDIDATES, PLANS, REGIONS, SCHOOLS, Layout
from admin.intake.rows import COMMAND, BadRow
from admin.intake.sample import people, places
from admin.intake.sample.plans import Catalogue
from app.columns import Calendar, load_calendar

__all__ = ["SampleFiles", "generate"]

_CONFIG: Final = Path(__file__).parents[3] / "config"

#: Columns of the candidates' file, and those that years of 3+1+2 have besides.
_FIELDS: Final = (
    *("candidate_no", "name", "sex", "birth_date", "id_type", "id_no", "ethnicity", "political_status"),
    *("candidate_category", "graduation_category", "school_code", "school_name", "point", "class_no"),
    *("student_roll_no", "exam_type", "subject_class", "art_category", "language", "hukou_county"),
    *("household_type", "mail_address", "postcode", "mobile", "disability", "qualifications", "restrictions"),
    *("score", "art_score"),
)
_FIELDS_OF_GROUPS: Final = ("first_subject", "second_subjects")

#: Share of each kind of subject class, per thousand; art and PE lean to one side.
_SHARES: Final = {"science": 500, "arts": 330, "art": 80, "pe": 35, "vocational": 55}
_LEANING: Final = {"art": 0.25, "pe": 0.65}


@dataclass(frozen=True, slots=True)
class SampleFiles:
    """Where the files are, and how many candidates, points and plans are in them."""

    regions: Path
    schools: Path
    candidates: Path
    plans: Path
    candidate_count: int
    school_count: int
    plan_count: int


def generate(  # noqa: PLR0913 -- each says which province it is to be
    directory: Path,
    candidates: int = 1_000,
    year: Literal[2017, 2024] = 2017,
    seed: int = 1,
    *,
    format: Format = "csv",  # noqa: A002 -- the word
    config: Path = _CONFIG,
) -> SampleFiles:
    """Write regions, schools, candidates and plans into `directory` and say where they are.

    `config` holds regions.csv, codes.yaml and calendars/. In DBF, characters outside GBK are kept as GB
    18030. Raises ValueError for more candidates than there are candidate numbers.
    """
    calendar = load_calendar((config / f"calendars/{year}.yaml").read_text(encoding="utf-8"))
    table = list(_regions(config / "regions.csv"))
    counties = places.counties(table, year)
    plan = _Plan(counties, candidates, _rules(calendar, config), _shares(calendar))
    directory.mkdir(parents=True, exist_ok=True)

    def written(layout: Layout, name: str, rows: Iterable[dict[str, str]], fields: Sequence[str] | None = None) -> int:
        path = directory / f"{name}.{format}"
        return write_table(path, layout, rows, fields=fields, raw=True, rare="keep").rows

    written(REGIONS, "regions", map(_region, places.regions(table, year)))
    fields = (*_FIELDS, *_FIELDS_OF_GROUPS) if calendar.unit == "GROUP" else _FIELDS
    return SampleFiles(
        directory / f"regions.{format}",
        directory / f"schools.{format}",
        directory / f"candidates.{format}",
        directory / f"plans.{format}",
        candidate_count=written(CANDIDATES, "candidates", plan.persons(seed), fields),
        school_count=written(SCHOOLS, "schools", plan.points(seed)),
        plan_count=written(PLANS, "plans", Catalogue(calendar, counties, seed).rows()),
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    """How many candidates of which subject class are where; the persons are drawn from it as they are written."""

    counties: Sequence[places.County]
    candidates: int
    rules: people.Rules
    shares: dict[str, float]

    def classes(self) -> Iterator[tuple[places.County, list[places.SchoolClass]]]:
        """Each county with its classes."""
        vocational = next((code for code, kind in self.rules.kinds.items() if kind == "vocational"), "")
        return places.classes(self.counties, self.candidates, self.shares, vocational)

    def persons(self, seed: int) -> Iterator[people.Person]:
        """Everybody, by county, point and class."""
        registrar = people.Registrar(random.Random(seed), self.rules)  # noqa: S311 -- sample data
        for county, found in self.classes():
            registrar.enter(county)
            for school_class in found:
                yield from registrar.candidates(school_class)

    def points(self, seed: int) -> Iterator[dict[str, str]]:
        """Every point that has candidates."""
        for _, found in self.classes():
            for point in dict.fromkeys(each.point for each in found):
                yield _point(point, seed)


def _regions(path: Path) -> Iterator[places.Region]:
    with open_table(path, REGIONS, limits=COMMAND) as table:
        for row in table:
            if isinstance(row, BadRow):
                raise ValueError(f"{row.file}, row {row.row}: {row}")  # noqa: TRY004 -- the file's value is meant
            yield places.Region(row["code"], row["name"], row["parent"], row["level"])


def _rules(calendar: Calendar, config: Path) -> people.Rules:
    codes = yaml.safe_load((config / "codes.yaml").read_text(encoding="utf-8"))
    poor = frozenset(
        code for part in codes["special_plan_counties"].values() if isinstance(part, dict) for code in part
    )
    ethnic = codes["ethnic_preference"]
    autonomous = frozenset((*ethnic["autonomous_units"], *ethnic["treated_as_autonomous"]))
    return people.rules(calendar, poor, autonomous)


def _shares(calendar: Calendar) -> dict[str, float]:
    """The share of each subject class."""
    shares = {}
    for code, subject_class in calendar.subject_classes.items():
        kind = people.kind_of(code, subject_class.name)
        share = float(_SHARES[kind])
        if kind in _LEANING:
            science = "理" in subject_class.name
            share *= _LEANING[kind] if science else 1 - _LEANING[kind]
        shares[code] = share
    return shares


def _region(region: places.Region) -> dict[str, str]:
    return {"code": region.code, "name": region.name, "parent": region.parent, "level": region.level}


def _point(point: places.Point, seed: int) -> dict[str, str]:
    drawn = random.Random(f"{seed}/{point.code}")  # noqa: S311 -- sample data
    given = drawn.choice(("建国", "志强", "海燕", "春华", "立新", "晓红", "文辉", "素芳"))
    return {
        "code": point.code,
        "name": point.name,
        "county": point.county,
        "kind": point.kind,
        "contact": drawn.choice("陈刘李王张周彭谭罗唐") + given,
        "phone": f"0731-0{drawn.randrange(10**7):07}",  # nobody's: no number begins with 0
    }
