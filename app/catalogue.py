"""The plan catalogue (招生计划): which institutions, groups and majors a batch offers to a subject class.

A catalogue is loaded whole and never changed; a correction is a new version, and a batch is pinned to one.
So a process may keep what it has read for as long as it lives, and the rules ask no database.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Integer, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.batches import Opened
from app.db import Base, Database, Moment, Small, Words, database_of
from app.offers import Major, Offer, Requirement

PAGE: Final = 20


class CatalogueVersion(Base):
    """One catalogue as loaded from a file."""

    __tablename__ = "catalogues"

    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    source: Mapped[Words]
    digest: Mapped[Words]
    plans: Mapped[int]
    loaded_at: Mapped[Moment] = mapped_column(server_default=text("clock_timestamp()"))


class Plan(Base):
    """One row of the catalogue: a major of an institution, for one column and subject class."""

    __tablename__ = "plans"

    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    batch_code: Mapped[str] = mapped_column(Text, primary_key=True)
    subject_class: Mapped[str] = mapped_column(Text, primary_key=True)
    column_code: Mapped[str] = mapped_column(Text, primary_key=True)
    institution_code: Mapped[str] = mapped_column(Text, primary_key=True)
    #: '' where the unit is the institution
    group_code: Mapped[str] = mapped_column(Text, primary_key=True)
    major_code: Mapped[str] = mapped_column(Text, primary_key=True)
    institution_name: Mapped[Words]
    group_name: Mapped[Words]
    major_name: Mapped[Words]
    place: Mapped[Words]
    province_name: Mapped[Words]
    ownership: Mapped[Words]
    nature: Mapped[Words]
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    #: yuan a year
    tuition: Mapped[int | None]
    #: length of study, years
    years: Mapped[Small | None]
    #: how many will be admitted (招生计划数)
    quota: Mapped[int | None]
    subject_first: Mapped[Words]
    subject_second: Mapped[Words]
    restricted: Mapped[list[str]] = mapped_column(ARRAY(Text))
    languages: Mapped[list[str]] = mapped_column(ARRAY(Text))
    sex: Mapped[Words]
    remark: Mapped[Words]
    #: pinyin initials of institution and major, for the search
    initials: Mapped[Words]
    major_initials: Mapped[Words]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be chosen in a column, with what the search looks at."""

    column: str
    offer: Offer
    ownership: str
    province: str
    initials: str
    years: Mapping[str, int | None]
    text: str = field(repr=False)

    @property
    def key(self) -> str:
        """Names the entry in a form: column, institution and group."""
        return f"{self.column}.{self.offer.institution}.{self.offer.group or ''}"

    @property
    def tuition(self) -> int | None:
        """The lowest tuition among the majors, yuan a year."""
        return min((major.tuition for major in self.offer.majors.values() if major.tuition is not None), default=None)

    @property
    def quota(self) -> int:
        """How many are admitted altogether."""
        return sum(major.quota or 0 for major in self.offer.majors.values())


@dataclass(frozen=True, slots=True)
class Slice:
    """The catalogue of one batch for one subject class. It is the `app.offers.Catalogue` the rules ask."""

    entries: tuple[Entry, ...]
    index: Mapping[tuple[str, str, str | None], Entry]

    def find(self, column: str, institution: str, group: str | None) -> Offer | None:
        """The offer with these codes, or None."""
        entry = self.index.get((column, institution, group))
        return entry.offer if entry else None

    def entry(self, column: str, institution: str, group: str | None) -> Entry | None:
        """The same with what the search knows."""
        return self.index.get((column, institution, group))

    def columns_with(self, institution: str) -> set[str]:
        """The columns an institution can be chosen in."""
        return {entry.column for entry in self.entries if entry.offer.institution == institution}


@dataclass(frozen=True, slots=True)
class Search:
    """What a candidate looks for; empty fields do not narrow."""

    words: str = ""
    column: str = ""
    place: str = ""
    ownership: str = ""
    tuition_up_to: int | None = None
    suits: bool = False


_SLICE = text("""
    SELECT * FROM plans WHERE version = :version AND batch_code = :batch AND subject_class = :subject_class
    ORDER BY column_code, institution_code, group_code, major_code
""")


#: what has been read, for each database this process talks to
_READ: Final[WeakKeyDictionary[Database, dict[tuple[int, str, str], Slice]]] = WeakKeyDictionary()


def of(connection: Connection | Session, batch: Opened, subject_class: str) -> Slice:
    """What the batch offers a subject class, at the version it is pinned to. Read once a process."""
    known = _READ.setdefault(database_of(connection), {})
    key = (batch.catalogue_version, _plans_of(batch), subject_class)
    if key not in known:
        known[key] = _slice(connection, *key)
    return known[key]


def _plans_of(batch: Opened) -> str:
    return batch.spec.plans_of or batch.code


_SIZE = text("SELECT count(*) FROM plans WHERE version = :version AND batch_code = :batch")


def size(connection: Connection | Session, batch: Opened) -> int:
    """How many plans the batch offers, to all subject classes together."""
    asked = {"version": batch.catalogue_version, "batch": _plans_of(batch)}
    return int(connection.execute(_SIZE, asked).scalar_one())


def _slice(connection: Connection | Session, version: int, batch: str, subject_class: str) -> Slice:
    found = connection.execute(_SLICE, {"version": version, "batch": batch, "subject_class": subject_class}).mappings()
    entries = tuple(_entries([dict(row) for row in found]))
    return Slice(entries, {(entry.column, entry.offer.institution, entry.offer.group): entry for entry in entries})


def _entries(plans: Sequence[dict[str, Any]]) -> Iterator[Entry]:
    def place(row: dict[str, Any]) -> tuple[str, str, str]:
        return row["column_code"], row["institution_code"], row["group_code"]

    for (column, institution, group), rows in groupby(plans, place):
        majors = list(rows)
        first = majors[0]
        # an institution's majors may each ask for other subjects, and then none of it is asked of the whole
        asked = {Requirement.parse(row["subject_first"], row["subject_second"]) for row in majors}
        requirement = asked.pop() if len(asked) == 1 else Requirement()
        offer = Offer(
            institution=institution,
            name=first["institution_name"],
            majors={row["major_code"]: _major(row, requirement) for row in majors},
            group=group or None,
            group_name=first["group_name"],
            place=first["place"],
            tags=frozenset(first["tags"]),
            nature=first["nature"],
            requirement=requirement,
        )
        searched = [
            f"{institution}-{group}" if group else institution,
            first["institution_name"],
            first["group_name"],
            first["initials"],
            first["place"],
            first["province_name"],
        ]
        for row in majors:
            searched += [row["major_name"], row["major_initials"]]
        yield Entry(
            column=column,
            offer=offer,
            ownership=first["ownership"],
            province=first["province_name"],
            initials=first["initials"],
            years={row["major_code"]: row["years"] for row in majors},
            text=" ".join(searched).casefold(),
        )


def _major(row: dict[str, Any], common: Requirement) -> Major:
    own = Requirement.parse(row["subject_first"], row["subject_second"])
    return Major(
        code=row["major_code"],
        name=row["major_name"],
        tuition=row["tuition"],
        quota=row["quota"],
        restricted=frozenset(row["restricted"]),
        languages=frozenset(row["languages"]),
        sex=row["sex"],
        remark=row["remark"],
        requirement=None if own == common else own,
    )


def search(
    whole: Slice,
    wanted: Search,
    *,
    first_subject: str | None = None,
    second_subjects: frozenset[str] = frozenset(),
) -> list[Entry]:
    """The entries that fit; exact code or name first, then by code.

    `suits` keeps only what the candidate's subjects meet.
    """
    words = unicodedata.normalize("NFKC", wanted.words).casefold().split()
    found = [
        entry
        for entry in whole.entries
        if (not wanted.column or entry.column == wanted.column)
        and (not wanted.place or wanted.place in (entry.offer.place, entry.province))
        and (not wanted.ownership or entry.ownership == wanted.ownership)
        and (wanted.tuition_up_to is None or (entry.tuition or 0) <= wanted.tuition_up_to)
        and (not wanted.suits or entry.offer.requirement.met_by(first_subject, second_subjects))
        and all(word in entry.text for word in words)
    ]
    return sorted(found, key=lambda entry: (not _leads(entry, words), entry.offer.institution, entry.offer.group or ""))


def _leads(entry: Entry, words: Sequence[str]) -> bool:
    name = entry.offer.name.casefold()
    codes = {entry.offer.institution, f"{entry.offer.institution}-{entry.offer.group}"}
    initials = entry.initials.casefold()
    return any(word in codes or name.startswith(word) or initials == word for word in words)
