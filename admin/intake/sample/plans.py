"""The catalogue of the sample province: rows for every batch, column and subject class of a calendar.

The same institution teaches the same majors under the same codes wherever it appears; a supplementary round
offers a part of what its column offered.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Final

from admin.intake.sample.institutions import MajorKind, institutions, majors
from admin.intake.sample.offers import TAG_NAMES, Offering, Offerings
from admin.intake.sample.people import kind_of
from admin.intake.sample.places import County
from app.specs import BatchSpec, Calendar, ColumnSpec

PlanRow = dict[str, str]
Taught = list[tuple[str, MajorKind]]

_EXAMS: Final = ("art_exam", "art_school_exam", "art_provincial_exam", "pe_exam", "pe_provincial_exam")
_ENGLISH_ONLY: Final = ("英语", "翻译", "法语", "国际")
_MEN: Final = ("MIL", "SEA", "NCO")


class Catalogue:
    """Makes the rows. One seed, one catalogue."""

    def __init__(self, calendar: Calendar, counties: Sequence[County], seed: int) -> None:
        self._calendar = calendar
        self._seed = seed
        self._kinds = {code: kind_of(code, each.name) for code, each in calendar.subject_classes.items()}
        by_prefecture: dict[str, list[str]] = {}
        for county in counties:
            by_prefecture.setdefault(county.prefecture, []).append(county.code)
        self._offerings = Offerings(institutions(list(by_prefecture)), by_prefecture)
        self._majors = majors()

    def rows(self) -> Iterator[PlanRow]:
        """Every row, batch by batch."""
        for batch in self._calendar.batches:
            for column in batch.columns:
                for subject_class in batch.subject_classes:
                    if takes(column, self._kinds[subject_class]):
                        yield from self._of_column(batch, column, subject_class)

    def _of_column(self, batch: BatchSpec, column: ColumnSpec, subject_class: str) -> Iterator[PlanRow]:
        kind = self._kinds[subject_class]
        original, source = batch, column
        if batch.parent and batch.of:
            original = self._calendar.batch(batch.parent)
            followed = original.column(batch.of)
            source = followed if followed and takes(followed, kind) else column
        offers = list(self._offerings.of(original, source, subject_class, kind))
        if batch.parent:
            step = 6 if len(offers) > 18 else 2
            offers = [replace(offer, share=0.2) for offer in offers[1::step] or offers]
        for offer in offers:
            for row in self._of_offer(offer, column, subject_class, step=2 if batch.parent else 1):
                yield {
                    "batch_code": batch.code,
                    "column_code": column.code,
                    "subject_class": subject_class,
                    **row,
                }

    def _of_offer(self, offer: Offering, column: ColumnSpec, subject_class: str, *, step: int) -> Iterator[PlanRow]:
        """The rows of one offer; with a `step` only each such major of every group."""
        kind, here = self._kinds[subject_class], offer.institution
        subjects = self._calendar.year >= 2021 and kind != "vocational"
        first = {"science": "PHY", "arts": "HIS"}.get(kind, "EITHER")
        for group, group_name, members in self._groups(offer, column, self._taught(offer, kind), subject_class):
            for code, major in members[::step]:
                yield {
                    "institution_code": here.code,
                    "institution_name": here.name,
                    "group_code": group,
                    "group_name": group_name,
                    "major_code": code,
                    "place": here.place,
                    "province_name": here.province,
                    "ownership": "民办" if here.private else "公办",
                    "nature": offer.nature,
                    "tags": " ".join(offer.tags),
                    "subject_first": first if subjects else "",
                    "subject_second": major.second if subjects and first != "EITHER" else "",
                    **_terms(major, offer, self._random(here.code, offer.level, code)),
                }

    def _taught(self, offer: Offering, kind: str) -> Taught:
        """An institution's majors of a level for one kind of candidates; codes are the same for all kinds."""
        here = offer.institution
        random = self._random(here.name, offer.level, offer.only)
        many = random.randint(6, 16) if offer.level in ("B", "Z") else random.randint(3, 7)

        def rank(major: MajorKind) -> tuple[bool, float]:
            return not any(theme in major.name for theme in here.themes), random.random()

        known = sorted((major for major in self._majors[offer.level] if offer.only in major.name), key=rank)
        taught = [(f"{number:02}", major) for number, major in enumerate(known[:many], 1)]
        both = kind not in ("science", "arts")
        return [pair for pair in taught if both or pair[1].side in ("both", kind)] or taught[:2]

    def _groups(
        self, offer: Offering, column: ColumnSpec, taught: Taught, subject_class: str
    ) -> Iterator[tuple[str, str, Taught]]:
        """Group code, group name, majors. A group has one requirement of subjects for all its majors."""
        if column.unit != "GROUP":
            yield "", "", taught
            return
        place = list(self._calendar.subject_classes).index(subject_class)
        plan = next((f"({TAG_NAMES[tag]})" for tag in offer.tags if tag in TAG_NAMES), "")
        wanted: dict[str, Taught] = {}
        for code, major in taught:
            wanted.setdefault(major.second, []).append((code, major))
        for number, second in enumerate(sorted(wanted), 1):
            group = str(100 * (1 + place) + 10 * offer.special + number)
            yield group, f"第{group}组{plan}", wanted[second]

    def _random(self, *about: str) -> Random:
        return Random("/".join((str(self._seed), *about)))  # noqa: S311 -- sample data


def takes(column: ColumnSpec, kind: str) -> bool:
    """Whether candidates of this kind (`people.kind_of`) can ever meet the column's exam rules."""
    asked = {rule.rule[:2] for rule in column.eligibility if rule.rule in _EXAMS}
    return not asked or kind[:2] in asked


def _terms(major: MajorKind, offer: Offering, random: Random) -> PlanRow:
    """Money, number, conditions and remark of one major."""
    joint = offer.level == "B" and random.random() < 0.03
    tuition = major.tuition * 32 // 1000 * 100 + 2000 if offer.institution.private else major.tuition
    languages = "1" if joint or any(word in major.name for word in _ENGLISH_ONLY) else ""
    remarks = []
    if joint:
        remarks.append("与境外高校合作办学，以英语授课")
    elif languages:
        remarks.append("只招英语语种考生")
    if offer.level in ("SEA", "PILOT"):
        remarks.append("双眼裸视力均能达4.7(0.5)及以上，身高165厘米以上")
    if offer.level == "TEACHER":
        remarks.append("毕业后回定向县市区任教不少于6年")
    if {"21", "22"} & set(major.restricted.split()):
        remarks.append("色弱、色盲考生慎报")
    quota = random.randint(3, 60) if offer.level == "Z" else random.randint(1, 12)
    return {
        "major_name": major.name + ("(中外合作办学)" if joint else ""),
        "tuition": "32000" if joint else str(tuition),
        "years": major.years,
        "quota": str(max(1, round(quota * offer.share))),
        "restricted": major.restricted,
        "languages": languages,
        "sex": "1" if offer.level in _MEN and random.random() < 0.85 else "",
        "remark": "；".join(remarks),
    }
