"""Who offers what in a column of the sample's calendar.

What a column takes is read off the calendar: level and nature from its names, conditions from its rules. So a
calendar with other columns still gets a catalogue.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from admin.intake.sample.institutions import Institution
from admin.intake.sample.people import VOCATIONAL
from app.offers import NON_PARALLEL
from app.specs import LINE_OF_OFFER, BatchSpec, ColumnSpec

#: a word of the check an institution asks for: pool of institutions, level and part of the name of its majors
_BY_NEED: Final = (
    ("公安", "POLICE", "POLICE", ""),
    ("航海", "SEA", "SEA", ""),
    ("师范", "TEACHER", "TEACHER", ""),
    ("外语", "first", "B", "语"),
    ("医学", "second", "B", "医"),
    ("农", "second", "B", "农学"),
    ("水利", "second", "B", "水"),
    ("林", "second", "B", "园"),
)
_BY_INSTITUTION: Final = ("per_institution_checks", "per_kind_qualification")
#: what stands in a column that holds several special kinds
_SPECIAL_NATURES: Final = ("UNIVERSITY_SPECIAL", "HIGH_ART", "COMPREHENSIVE")
#: how many institutions take part in a plan that is not for everybody
_FEW: Final = {
    "SELF_RECRUIT": 24,
    "UNIVERSITY_SPECIAL": 16,
    "HIGH_ART": 10,
    "COMPREHENSIVE": 4,
    "SINGLE_SUBJECT": 8,
    "DIRECTED": 12,
    "ETHNIC_CLASS": 8,
    "PREPARATORY": 12,
    "NATIONAL_SPECIAL": 60,
}
TAG_NAMES: Final = {
    "LOCAL_SPECIAL": "农村学生专项",
    "NATIONAL_SPECIAL": "国家专项",
    "ETHNIC_CLASS": "民族班",
    "PREPARATORY": "预科班",
    "UNIVERSITY_SPECIAL": "高校专项",
    "HIGH_ART": "高水平艺术团",
    "COMPREHENSIVE": "综合评价",
}
#: natures and words in a column's name that have institutions of their own
_OWN_POOLS: Final = (
    ("NCO", "军士", "NCO"),
    ("NCO", "士官", "NCO"),
    ("PILOT", "飞行", "PILOT"),
    ("PUBLIC_TEACHER", "公费定向师范", "TEACHER"),
)
#: words in the names of batch and column: levels of institutions; the first that fits
_LEVELS: Final = (
    ("一批", ("first",)),
    ("二批", ("second",)),
    ("三批", ("third",)),
    ("对口", ("second",)),
    ("贫困", ("first", "second")),
    ("本科批", ("first", "second", "third")),
    ("", ("first",)),
)


@dataclass(frozen=True, slots=True)
class Offering:
    """What one institution offers in one column, before it is split into groups and rows."""

    institution: Institution
    #: level of its majors
    level: str
    #: only majors with this in their name
    only: str = ""
    tags: tuple[str, ...] = ()
    nature: str = "NON_DIRECTED"
    #: 0 for ordinary offers; special plans number their groups apart
    special: int = 0
    #: of the quota an ordinary offer has
    share: float = 1.0


@dataclass(frozen=True)
class Offerings:
    """Answers what is offered. `counties`: codes by prefecture; `pools`: institutions by level."""

    pools: Mapping[str, Sequence[Institution]]
    counties: Mapping[str, Sequence[str]]

    def of(self, batch: BatchSpec, column: ColumnSpec, subject_class: str, kind: str) -> Iterator[Offering]:
        """Yield what a column of a batch offers to a subject class of this kind (`people.kind_of`)."""
        nature = column.plan_nature or "NON_DIRECTED"
        asking = [rule for rule in column.eligibility if rule.rule in _BY_INSTITUTION]
        needs = [name for rule in asking for name in rule.names]
        if needs:
            yield from self._by_need(needs, kind, nature)
            return
        pools, level = _level(batch, column, kind)
        several = any(rule.rule == "published_list" and not rule.names for rule in column.eligibility)
        chosen = self._chosen(pools, level, nature, fewer=bool(asking), several=several)
        for at, institution in enumerate(chosen):
            tags = tuple(self._tags(batch, column, subject_class, institution, at))
            if kind == "vocational":
                tags += (f"VOCATIONAL:{VOCATIONAL[at % len(VOCATIONAL)]}",)
            yield Offering(institution, level, "", tags, _SPECIAL_NATURES[at % 3] if several else nature)
        tags = () if several else tuple(dict.fromkeys(rule.tag for rule in column.eligibility if rule.tag))
        for special, tag in enumerate(tags, 1):
            yield from _under_plan(chosen, column, level, tag, special)

    def _chosen(
        self, pools: Sequence[str], level: str, nature: str, *, fewer: bool, several: bool
    ) -> Sequence[Institution]:
        chosen: Sequence[Institution] = [each for pool in pools for each in self.pools[pool]]
        if level in ("ART-B", "PE-B"):
            chosen = chosen[1 :: 2 if level == "ART-B" else 4]
        if nature in _FEW:
            chosen = chosen[:: max(1, len(chosen) // _FEW[nature])][: _FEW[nature]]
        if several:
            return chosen[:12]
        return chosen[::6] if fewer else chosen

    def _tags(
        self, batch: BatchSpec, column: ColumnSpec, subject_class: str, institution: Institution, at: int
    ) -> Iterator[str]:
        rules = column.eligibility
        if institution.level == "TEACHER" and any(rule.rule == "county_match" for rule in rules):
            yield from (f"COUNTY:{code}" for code in self.counties[institution.place])
        if any(rule.line == LINE_OF_OFFER for rule in rules):
            yield f"LINE:{_line(batch, subject_class, institution.level)}"
        if column.mode == "MIXED_FIRST" and at % 7 == 3:
            yield NON_PARALLEL

    def _by_need(self, needs: Sequence[str], kind: str, nature: str) -> Iterator[Offering]:
        """Offers that ask for a check of their own each."""
        for number, need in enumerate(needs):
            fitting = (found[1:] for found in _BY_NEED if found[0] in need)
            pool, level, only = next(fitting, ("first", "B", ""))
            only = "体育" if kind == "pe" else only
            special = pool in ("first", "second")
            for institution in self.pools[pool][:14:2] if special else self.pools[pool]:
                offered = _variant(institution, need, number) if special else institution
                yield Offering(offered, level, only, (f"NEEDS:{need}",), nature)


def _variant(institution: Institution, need: str, number: int) -> Institution:
    """The institution under a code of its own, as catalogues list those that ask for a check."""
    code = f"{8000 + number * 100 + int(institution.code) % 100:04}"
    return replace(institution, code=code, name=f"{institution.name}({need[:4]})")


def _under_plan(
    chosen: Sequence[Institution], column: ColumnSpec, level: str, tag: str, special: int
) -> Iterator[Offering]:
    """Offers under a special plan; where the unit is the institution, it has a second code for them."""
    home = [each for each in chosen if each.province == "湖南省" and not each.private][: _FEW.get(tag)]
    for each in home:
        institution = each
        if column.unit == "INSTITUTION":
            code = f"{int(each.code) + 5000:04}"
            institution = replace(each, code=code, name=f"{each.name}({TAG_NAMES.get(tag, tag)})")
        yield Offering(institution, level, "", (tag,), tag, special, 0.4)


def _level(batch: BatchSpec, column: ColumnSpec, kind: str) -> tuple[tuple[str, ...], str]:
    """Pools of institutions and the level of majors of a column."""
    name = column.name
    junior = "专科" in (name if kind == "vocational" else batch.name)
    if kind in ("art", "pe"):
        label = "ART" if kind == "art" else "PE"
        return (("junior",), f"{label}-Z") if junior else (("first", "second", "third"), f"{label}-B")
    if "军事" in name.replace("非军事", ""):
        return ("MIL",), "MIL"
    for nature, word, pool in _OWN_POOLS:
        if column.plan_nature == nature or word in name:
            return (pool,), pool
    if junior:
        return ("junior",), "Z"
    return next(pools for word, pools in _LEVELS if word in batch.name + name), "B"


def _line(batch: BatchSpec, subject_class: str, level: str) -> str:
    """The code of the score line an institution of this level goes by: the highest, or the one below."""
    lines = sorted((points.get(subject_class, 0), code) for code, points in batch.score_lines.items())
    return lines[-2 if level == "second" and len(lines) > 1 else -1][1]
