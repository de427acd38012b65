"""Institutions of the sample catalogue: invented, though many a name has a namesake. Figures are made up."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_DATA: Final = Path(__file__).with_name("data")

_LEVELS: Final = (("first", 1001), ("second", 2001), ("third", 3001), ("junior", 4001))
_FIRST_SPECIAL_CODE: Final = 101
_FIRST_TEACHERS_CODE: Final = 4801


@dataclass(frozen=True, slots=True)
class Institution:
    """One institution. `level` is first, second, third, junior or one of the special kinds (MIL, NCO ...)."""

    code: str
    name: str
    level: str
    place: str
    province: str
    private: bool
    themes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MajorKind:
    """A major as institutions of one level teach it; `side` is science, arts or both."""

    level: str
    name: str
    side: str
    years: str
    tuition: int
    restricted: str
    second: str


def majors() -> dict[str, list[MajorKind]]:
    """Majors by level."""
    found: dict[str, list[MajorKind]] = {}
    for row in _rows("majors.csv"):
        kind = MajorKind(
            row["level"],
            row["name"],
            row["side"],
            row["years"],
            int(row["tuition"]),
            row["restricted"],
            row["second"],
        )
        found.setdefault(kind.level, []).append(kind)
    return found


def institutions(prefectures: Sequence[str]) -> dict[str, list[Institution]]:
    """Institutions by level; each of `prefectures` (names) has one that trains its teachers."""
    endings: dict[str, list[str]] = {}
    for row in _rows("endings.csv"):
        endings.setdefault(row["level"], []).append(row["ending"])
    cities = list(_rows("cities.csv"))
    provinces = {row["city"]: row["province"] for row in cities} | {"廊坊市": "河北省"}
    found: dict[str, list[Institution]] = {}
    for level, code in _LEVELS:
        group = found.setdefault(level, [])
        for row in cities:
            for at in range(int(row[level])):
                name, private = _named(level, row, at, endings)
                place = (row["city"], row["province"])
                group.append(_made(code + len(group), name, level, place, private=private))
    for code, row in enumerate(_rows("special.csv"), _FIRST_SPECIAL_CODE):
        place = (row["city"], provinces[row["city"]])
        found.setdefault(row["level"], []).append(_made(code, row["name"], row["level"], place))
    for code, city in enumerate(prefectures, _FIRST_TEACHERS_CODE):
        short = city.removesuffix("市") if city.endswith("市") else "武陵"
        made = _made(code, f"{short}师范学院(公费定向)", "TEACHER", (city, "湖南省"))
        found.setdefault("TEACHER", []).append(made)
    return found


def _named(level: str, row: dict[str, str], at: int, endings: dict[str, list[str]]) -> tuple[str, bool]:
    """Name of a city's institution of a level, and whether it is private."""
    city, ending = row["city"].removesuffix("市"), endings[level][at % len(endings[level])]
    if level == "third":  # a private college of one of the city's own universities
        owner = "first" if int(row["first"]) else "second"
        return f"{city}{endings[owner][at % int(row[owner])]}{ending}", True
    if level == "junior":
        owner = city if at < len(endings[level]) else row["province"].removesuffix("省")
        return owner + ending, at % 5 == 3
    return city + ending, level == "second" and at % 6 == 4


@cache
def _themes() -> list[tuple[str, tuple[str, ...]]]:
    return [(row["part"], tuple(row["majors"].split())) for row in _rows("themes.csv")]


def _made(code: int, name: str, level: str, place: tuple[str, str], *, private: bool = False) -> Institution:
    themes = tuple(word for part, words in _themes() if part in name for word in words)
    return Institution(f"{code:04}", name, level, *place, private, themes)


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (_DATA / name).open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)
