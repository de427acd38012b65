"""Counties and registration points of the sample province, and how many candidates each has."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_DATA: Final = Path(__file__).with_name("data")
_NUMERALS: Final = "一二三四五六七八九十"
#: so many candidates share one school before the next one is used
_PER_SCHOOL: Final = 420
_PER_VOCATIONAL: Final = 500
#: schools of one kind in one county; the largest provinces have larger schools, not more
_MOST_SCHOOLS: Final = 12
_CLASS_SIZE: Final = 55
#: share of those who register at the county's own point, because they have left school
_LEFT_SCHOOL: Final = 0.05
_PRIVATE: Final = (
    "明德",
    "博雅",
    "育才",
    "英才",
    "振华",
    "思源",
    "长乐",
    "弘毅",
    "崇文",
    "致远",
    "新星",
    "雅礼湖",
)


@dataclass(frozen=True, slots=True)
class Region:
    """A row of the regions table."""

    code: str
    name: str
    parent: str
    level: str


@dataclass(frozen=True, slots=True)
class County:
    """A county unit with what makes its candidates differ from those of another."""

    code: str
    #: its code when today's candidates were born, which their identity numbers begin with
    former: str
    name: str
    prefecture: str
    prefecture_code: str
    people: int
    #: percentage of rural households
    rural: int
    minorities: tuple[tuple[str, float], ...]

    @property
    def short(self) -> str:
        """The name as schools bear it: 新晃县, not 新晃侗族自治县."""
        return re.sub(r"([土家苗侗瑶]族?)+自治县$", "县", self.name)

    @property
    def is_district(self) -> bool:
        """Whether it is a part of a city, whose schools bear the city's name."""
        return self.name.endswith("区")


@dataclass(frozen=True, slots=True)
class Point:
    """A registration point. `strength` moves its candidates' scores."""

    code: str
    name: str
    county: str
    kind: str
    strength: int


@dataclass(frozen=True, slots=True)
class SchoolClass:
    """One class of a point: its number, subject class and size."""

    point: Point
    number: str
    subject_class: str
    size: int


def regions(table: Sequence[Region], year: int) -> list[Region]:
    """The regions as they stood in the exam year."""
    renamed = {row["old_code"]: row for row in _rows("region-changes.csv") if int(row["year"]) <= year}
    standing = []
    for region in table:
        change = renamed.get(region.code)
        if change is None:
            standing.append(region)
        elif change["new_code"]:
            standing.append(Region(change["new_code"], change["new_name"], region.parent, region.level))
    return sorted(standing, key=lambda region: region.code)


def counties(table: Sequence[Region], year: int) -> list[County]:
    """The counties of the exam year, in the order of their codes."""
    names = {region.code: region.name for region in table}
    known = {row["code"]: row for row in _rows("counties.csv")}
    former = {row["new_code"]: row["old_code"] for row in _rows("region-changes.csv")}
    found = []
    for region in regions(table, year):
        if region.level != "county":
            continue
        facts = known[region.code if region.code in known else former[region.code]]
        minorities = [part.split(":") for part in facts["minorities"].split()]
        found.append(
            County(
                region.code,
                {"430182": "430124"}.get(region.code, facts["code"]),
                region.name,
                names[region.parent],
                region.parent,
                int(facts["people"]),
                int(facts["rural"]),
                tuple((code, float(share)) for code, share in minorities),
            )
        )
    return found


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (_DATA / name).open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def shared_out(total: int, weights: Sequence[float]) -> list[int]:
    """`total` in whole numbers by weight: every part within one of its share, and the sum exact."""
    whole = sum(weights)
    parts, reached, given = [], 0.0, 0
    for weight in weights:
        reached += weight
        upto = round(total * reached / whole)
        parts.append(upto - given)
        given = upto
    return parts


def classes(
    all_counties: Sequence[County], candidates: int, shares: Mapping[str, float], vocational: str
) -> Iterator[tuple[County, list[SchoolClass]]]:
    """Yield each county with its classes; `shares` are those of the subject classes, of any whole."""
    numbered: dict[str, int] = {}
    carried = dict.fromkeys(shares, 0.0)
    whole = sum(shares.values())
    for county, count in zip(all_counties, shared_out(candidates, [each.people for each in all_counties]), strict=True):
        wanted = {code: carried[code] + count * share / whole for code, share in shares.items()}
        counts = dict(zip(wanted, shared_out(count, [max(0.0, want) for want in wanted.values()]), strict=True))
        carried = {code: wanted[code] - counts[code] for code in wanted}
        yield county, list(_of_county(county, counts, vocational, numbered))


def _of_county(
    county: County, counts: Mapping[str, int], vocational: str, numbered: dict[str, int]
) -> Iterator[SchoolClass]:
    general = {code: count for code, count in counts.items() if code != vocational}
    schools = _general(county, min(_MOST_SCHOOLS, 1 + sum(general.values()) // _PER_SCHOOL), numbered)
    trades = _vocational(county, min(_MOST_SCHOOLS, 1 + counts.get(vocational, 0) // _PER_VOCATIONAL))
    left = Point(f"{county.code}0900", f"{county.short}社会报名点", county.code, "社会报名点", -25)
    here: dict[Point, dict[str, int]] = {point: {} for point in (*schools, *trades, left)}
    for code, count in counts.items():
        points = trades if code == vocational else schools
        gone = int(count * _LEFT_SCHOOL + 0.5) if count >= 12 else 0
        weights = [1 / (1 + 0.15 * at) for at in range(len(points))]
        for point, size in zip(points, shared_out(count - gone, weights), strict=True):
            here[point][code] = size
        here[left][code] = gone
    for point, sizes in here.items():
        number = 0
        for code, size in sizes.items():
            for part in shared_out(size, [1.0] * -(-size // _CLASS_SIZE)):
                number += 1
                yield SchoolClass(point, f"{number:02}", code, part)


def _general(county: County, count: int, numbered: dict[str, int]) -> list[Point]:
    """Ordinary schools; those of a city's districts are numbered through the city."""
    owner = county.prefecture if county.is_district else county.short
    found = []
    for at in range(count):
        number = numbered[owner] = numbered.get(owner, 0) + 1
        name = f"{owner}第{_numeral(number)}中学"
        if at % 5 == 4:
            name = f"{county.short}{_PRIVATE[at // 5 % len(_PRIVATE)]}高级中学"
        strength = 38 - 16 * at if at < 5 else -30
        found.append(Point(f"{county.code}{at + 1:04}", name, county.code, "普通高中", strength))
    return found


def _vocational(county: County, count: int) -> list[Point]:
    return [
        Point(
            f"{county.code}{501 + at:04}",
            f"{county.short}{f'第{_numeral(at + 1)}' if at else ''}职业中等专业学校",
            county.code,
            "中等职业学校",
            -10,
        )
        for at in range(count)
    ]


def _numeral(number: int) -> str:
    """1 to 99 in Chinese: 一, 十一, 二十."""
    tens, ones = divmod(number, 10)
    head = "" if not tens else "十" if tens == 1 else f"{_NUMERALS[tens - 1]}十"
    return head + (_NUMERALS[ones - 1] if ones else "")
