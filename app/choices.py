"""A preference list: the value behind the JSON that drafts, filings and evidence all hold.

    {"columns": {"GEN1": {"slots": [{"institution": "1234", "group": null, "majors": ["01", "07"],
                                     "major_adjust": true}, null],
                          "institution_adjust": false, "directed_adjust": false}}}

Slots are ordered; null is a gap, which only a draft may have. A column that is absent is empty, and a list
without columns is a waiver's content.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.errors import BadInput
from app.specs import BatchSpec, ColumnSpec

_CODE: Final = re.compile(r"[0-9A-Za-z]{1,8}")


@dataclass(frozen=True, slots=True)
class Choice:
    """One slot: an institution, or a group of it, with majors in order. `major_adjust` None: not answered."""

    institution: str
    group: str | None = None
    majors: tuple[str, ...] = ()
    major_adjust: bool | None = None

    @property
    def key(self) -> tuple[str, str | None]:
        """What makes it a duplicate of another."""
        return self.institution, self.group

    @property
    def code(self) -> str:
        """Its codes as they are read: "1234", or "1234-101"."""
        return self.institution if self.group is None else f"{self.institution}-{self.group}"


@dataclass(frozen=True, slots=True)
class ColumnChoices:
    """What stands in one column. A None among the slots is a gap."""

    slots: tuple[Choice | None, ...] = ()
    institution_adjust: bool = False
    directed_adjust: bool = False

    @property
    def used(self) -> int:
        """How many slots are filled."""
        return sum(slot is not None for slot in self.slots)

    def filled(self) -> Iterator[tuple[int, Choice]]:
        """Yield position (from 1) and choice of every filled slot."""
        for number, slot in enumerate(self.slots, 1):
            if slot is not None:
                yield number, slot


@dataclass(frozen=True, slots=True)
class Preferences:
    """A list for one batch, by column code, in the order of the batch's columns."""

    columns: Mapping[str, ColumnChoices]

    @property
    def empty(self) -> bool:
        """Whether no slot is filled and no box ticked."""
        return not any(
            column.used or column.institution_adjust or column.directed_adjust for column in self.columns.values()
        )


def compact(preferences: Preferences) -> Preferences:
    """Return the list as it is filed: gaps closed, empty columns left out."""
    columns = {}
    for code, column in preferences.columns.items():
        slots = tuple(slot for slot in column.slots if slot is not None)
        if slots or column.institution_adjust or column.directed_adjust:
            columns[code] = ColumnChoices(slots, column.institution_adjust, column.directed_adjust)
    return Preferences(columns)


def to_content(preferences: Preferences) -> dict[str, Any]:
    """Return the list in its one JSON shape, every key present."""
    return {
        "columns": {
            code: {
                "slots": [None if slot is None else _slot_content(slot) for slot in column.slots],
                "institution_adjust": column.institution_adjust,
                "directed_adjust": column.directed_adjust,
            }
            for code, column in preferences.columns.items()
        }
    }


def _slot_content(slot: Choice) -> dict[str, Any]:
    return {
        "institution": slot.institution,
        "group": slot.group,
        "majors": list(slot.majors),
        "major_adjust": slot.major_adjust,
    }


def from_content(content: Mapping[str, Any]) -> Preferences:
    """Read content that we stored ourselves; nothing is checked. For anything else use `parse`."""
    return Preferences(
        {
            code: ColumnChoices(
                tuple(slot and Choice(**{**slot, "majors": tuple(slot["majors"])}) for slot in column["slots"]),
                column["institution_adjust"],
                column["directed_adjust"],
            )
            for code, column in content["columns"].items()
        }
    )


def parse(content: object, spec: BatchSpec) -> Preferences:
    """Read content that came from outside, against the batch's shape.

    Raises `BadInput` with the place for an unknown key or column, a wrong type, an odd code, more slots or
    majors than the column has, or an answer to a question it does not ask (F-13). Keys may be missing and
    then mean nothing was filled in. Whether the list is allowed is for `rules.judge` to say.
    """
    given = _object(content, {"columns"}, "content")
    columns = _object(given.get("columns", {}), {column.code for column in spec.columns}, "columns")
    return Preferences(
        {
            column.code: _column(columns[column.code], column, f"columns.{column.code}")
            for column in spec.columns
            if column.code in columns
        }
    )


def _object(value: object, known: set[str], place: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _bad(place, "should be an object")
    for key in value:
        if key not in known:
            raise _bad(place, f"has the unknown key {str(key)[:40]!r}; remove it")
    return value


def _column(value: object, spec: ColumnSpec, place: str) -> ColumnChoices:
    given = _object(value, {"slots", "institution_adjust", "directed_adjust"}, place)
    slots = _list(given.get("slots", []), spec.slots, f"{place}.slots")
    return ColumnChoices(
        tuple(
            None if slot is None else _slot(slot, spec, f"{place}.slots[{index}]") for index, slot in enumerate(slots)
        ),
        _box(given, "institution_adjust", place, asked=spec.institution_adjust),
        _box(given, "directed_adjust", place, asked=spec.directed_adjust),
    )


def _slot(value: object, spec: ColumnSpec, place: str) -> Choice:
    given = _object(value, {"institution", "group", "majors", "major_adjust"}, place)
    majors = _list(given.get("majors", []), spec.majors_per_institution, f"{place}.majors")
    return Choice(
        _code(given.get("institution"), f"{place}.institution"),
        _group(given.get("group"), spec, f"{place}.group"),
        _codes(majors, f"{place}.majors"),
        _answer(given.get("major_adjust"), spec, f"{place}.major_adjust"),
    )


def _list(value: object, most: int, place: str) -> list[object]:
    if not isinstance(value, list):
        raise _bad(place, "should be a list")
    if len(value) > most:
        raise _bad(place, f"has {len(value)} entries where {most} are offered; remove some")
    return value


def _codes(values: list[object], place: str) -> tuple[str, ...]:
    codes = tuple(value for value in values if isinstance(value, str) and _CODE.fullmatch(value))
    if len(codes) < len(values):
        for index, value in enumerate(values):
            _code(value, f"{place}[{index}]")
    return codes


def _code(value: object, place: str) -> str:
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise _bad(place, "should be a code of 1 to 8 letters and digits")
    return value


def _group(value: object, spec: ColumnSpec, place: str) -> str | None:
    if value is None:
        # only the first slot of a mixed column may hold an institution that has no groups
        if spec.unit == "GROUP" and spec.mode != "MIXED_FIRST":
            raise _bad(place, "is missing; name the group of the institution")
        return None
    if spec.unit == "INSTITUTION":
        raise _bad(place, "should be null: this column is filled with institutions, not groups")
    return _code(value, place)


def _answer(value: object, spec: ColumnSpec, place: str) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise _bad(place, "should be true, false or null")
    if value is not None and not spec.major_adjust:
        raise _bad(place, "should be null: this column does not ask it")
    return value


def _box(given: Mapping[str, object], key: str, place: str, *, asked: bool) -> bool:
    value = given.get(key, False)
    if not isinstance(value, bool):
        raise _bad(f"{place}.{key}", "should be true or false")
    if value and not asked:
        raise _bad(f"{place}.{key}", "should be false: this column does not ask it")
    return value


def _bad(place: str, what: str) -> BadInput:
    return BadInput(f"{place} {what}", place=place)
