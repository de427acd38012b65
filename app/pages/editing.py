"""What the edit form of a preference list sends, read strictly and understood leniently.

Strictly: only fields this batch has, each once (F-13). Leniently: full-width digits, any dash between
institution and group, blanks or commas between majors. What cannot be understood is named beside its field,
and everything typed stays in the page.

Fields, for column KEY and row i (from 0; rows of the draft first, then empty ones):

    KEY-i-position   number wished; rows of the draft only
    KEY-i-code       institution, or institution-group
    KEY-i-majors     codes of majors in order; or KEY-i-major1, KEY-i-major2 … with one each
    KEY-i-adjust     "yes" or "no"
    KEY-institution_adjust, KEY-directed_adjust   "yes"
    version          of the draft the page was made from
    owner            whose list it is, sealed: for a form that comes too late (`interrupted`)
    act              what the button does: save, check, search KEY, up|down|to|edit|remove KEY i
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from flask import request

from app.catalogue import Slice
from app.choices import Choice, ColumnChoices, Preferences, compact, to_content
from app.errors import BadInput
from app.pages.sent import OURS, require_known, whole_number
from app.pages.words import _
from app.specs import BatchSpec, ColumnSpec
from app.web.forms import plain, require_mark

_ROW_ACTS: Final = frozenset({"up", "down", "to", "edit", "remove"})
_CODE: Final = re.compile(r"[0-9A-Z]{1,8}")
_APART: Final = re.compile(r"[^0-9A-Z]+")
_LONGEST: Final = 200


# --- as typed ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Act:
    """What the button pressed does, and to which column and row."""

    name: str = "save"
    column: str = ""
    row: int = -1


@dataclass(frozen=True, slots=True)
class TypedRow:
    """One row as it was typed."""

    index: int
    position: str = ""
    code: str = ""
    majors: tuple[str, ...] = ()
    adjust: str = ""

    @property
    def blank(self) -> bool:
        """Whether nothing was typed; an answer alone cannot be taken back and says nothing."""
        return not plain(self.code) and not any(plain(text) for text in self.majors)

    @property
    def majors_text(self) -> str:
        """The majors in one field."""
        return " ".join(text for text in self.majors if text)


@dataclass(frozen=True, slots=True)
class TypedColumn:
    """One column as it was typed."""

    rows: tuple[TypedRow, ...] = ()
    institution_adjust: bool = False
    directed_adjust: bool = False


@dataclass(frozen=True, slots=True)
class Typed:
    """The whole form as it was typed."""

    version: int
    act: Act
    columns: Mapping[str, TypedColumn]


def read(spec: BatchSpec) -> Typed:
    """The edit form of a batch as sent; raises `BadInput` and `OutOfDate` as `sent` does."""
    known = {name for column in spec.columns for name in _names(column)}
    require_known(request.form, known | OURS | {"version", "owner", "act"})
    require_mark(request.form.get("mark", ""))
    too_long = next((name for name, text in request.form.items() if len(text) > _LONGEST), None)
    if too_long is not None:
        raise BadInput(f"{too_long} is too long", place=too_long)
    return Typed(
        version=whole_number(request.form.get("version", ""), "version"),
        act=_act(request.form.get("act", "save"), spec),
        columns={column.code: _typed_column(column) for column in spec.columns},
    )


def _names(column: ColumnSpec) -> Iterator[str]:
    yield f"{column.code}-institution_adjust"
    yield f"{column.code}-directed_adjust"
    for row in range(column.slots):
        for what in ("position", "code", "majors", "adjust"):
            yield f"{column.code}-{row}-{what}"
        for number in range(1, column.majors_per_institution + 1):
            yield f"{column.code}-{row}-major{number}"


def _act(text: str, spec: BatchSpec) -> Act:
    parts = text.split(" ")
    name, column = parts[0], spec.column(parts[1]) if len(parts) > 1 else None
    if len(parts) == 1 and name in {"save", "check"}:
        return Act(name)
    if len(parts) == 2 and name == "search" and column is not None:
        return Act(name, column.code)
    if len(parts) == 3 and name in _ROW_ACTS and column is not None:
        row = whole_number(parts[2], "act")
        if row < column.slots:
            return Act(name, column.code, row)
    raise BadInput("no such button", place="act")


def _typed_column(spec: ColumnSpec) -> TypedColumn:
    return TypedColumn(
        tuple(row for index in range(spec.slots) if (row := _typed_row(spec, index)) is not None),
        _box(spec, "institution_adjust"),
        _box(spec, "directed_adjust"),
    )


def _box(spec: ColumnSpec, name: str) -> bool:
    value = request.form.get(f"{spec.code}-{name}", "")
    if value not in {"", "yes"} or (value and not getattr(spec, name)):
        raise BadInput(f"{name} is not a box of this column", place=f"{spec.code}-{name}")
    return value == "yes"


def _typed_row(spec: ColumnSpec, index: int) -> TypedRow | None:
    start = f"{spec.code}-{index}-"
    singly = [f"{start}major{number}" for number in range(1, spec.majors_per_institution + 1)]
    if not any(f"{start}{what}" in request.form for what in ("position", "code", "majors", "adjust")):
        return None
    if f"{start}majors" in request.form and any(name in request.form for name in singly):
        raise BadInput("majors were sent in two ways", place=f"{start}majors")
    adjust = request.form.get(f"{start}adjust", "")
    if adjust not in {"", "yes", "no"} or (adjust and not spec.major_adjust):
        raise BadInput("adjustment of majors is answered by yes or no", place=f"{start}adjust")
    majors = request.form.get(f"{start}majors")
    return TypedRow(
        index=index,
        position=request.form.get(f"{start}position", ""),
        code=request.form.get(f"{start}code", ""),
        majors=(majors,) if majors is not None else tuple(request.form.get(name, "") for name in singly),
        adjust=adjust,
    )


# --- understood --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Understood:
    """What the form means. With `errors`, by name of field, nothing of it may be kept."""

    content: dict[str, Any]
    errors: Mapping[str, str]
    #: where the row the button was pressed in stands now, from 0
    row: int = -1
    #: what was typed in place of a code, for the search
    words: str = ""


@dataclass(slots=True)
class _Reading:
    """What is found while one column is understood."""

    spec: ColumnSpec
    whole: Slice
    act: Act
    errors: dict[str, str] = field(default_factory=dict)
    words: str = ""

    def error(self, row: TypedRow, what: str, message: str) -> None:
        self.errors[f"{self.spec.code}-{row.index}-{what}"] = message


def understand(typed: Typed, spec: BatchSpec, whole: Slice) -> Understood:
    """The list a form means: rows ordered as wished and the button's move made; empty rows left out."""
    columns: dict[str, ColumnChoices] = {}
    errors: dict[str, str] = {}
    row, words = -1, ""
    for column in spec.columns:
        given = typed.columns.get(column.code, TypedColumn())
        reading = _Reading(column, whole, typed.act if typed.act.column == column.code else Act())
        rows = _ordered(given.rows, reading)
        choices = [_choice(each, reading) for each in rows]
        columns[column.code] = ColumnChoices(tuple(choices), given.institution_adjust, given.directed_adjust)
        errors |= reading.errors
        if typed.act.column == column.code:
            words = reading.words
            row = next((at for at, each in enumerate(rows) if each.index == typed.act.row), -1)
    return Understood(to_content(compact(Preferences(columns))), errors, row, words)


def _ordered(rows: Sequence[TypedRow], reading: _Reading) -> list[TypedRow]:
    """Rows in the order wished, without empty ones and the one removed."""
    act = reading.act
    standing = [row for row in rows if row.position]
    added = [row for row in rows if not row.position and not row.blank]
    wishes = {row.index: _position(row, reading) for row in standing}
    if sorted(wishes.values()) == list(range(1, len(standing) + 1)):
        standing.sort(key=lambda row: wishes[row.index])  # the script renumbers every row
    else:
        for row in [row for row in standing if wishes[row.index] != row.index + 1]:
            standing.remove(row)
            standing.insert(max(0, wishes[row.index] - 1), row)
    ordered = [row for row in standing if not row.blank] + added
    if act.name == "remove":
        return [row for row in ordered if row.index != act.row]
    if act.name in {"up", "down"}:
        _step(ordered, act)
    return ordered


def _position(row: TypedRow, reading: _Reading) -> int:
    text = plain(row.position)
    if text.isascii() and text.isdigit() and len(text) <= 4:
        return int(text)
    reading.error(row, "position", _("Type the number of the place, for example 3."))
    return row.index + 1


def _step(rows: list[TypedRow], act: Act) -> None:
    at = next((at for at, row in enumerate(rows) if row.index == act.row), None)
    if at is None:
        return
    to = at - 1 if act.name == "up" else at + 1
    if 0 <= to < len(rows):
        rows[at], rows[to] = rows[to], rows[at]


def _choice(row: TypedRow, reading: _Reading) -> Choice | None:
    codes = _institution(row, reading)
    majors = _majors(row, reading)
    if codes is None:
        return None
    answer = {"yes": True, "no": False}.get(row.adjust)
    return Choice(codes[0], codes[1], majors, answer)


def _institution(row: TypedRow, reading: _Reading) -> tuple[str, str | None] | None:
    text = plain(row.code).upper()
    parts = [part for part in _APART.split(text) if part]
    if not text:
        reading.error(row, "code", _("Type the code of the institution for these majors, or clear them."))
        return None
    if _unreadable(text) or not parts or not all(_CODE.fullmatch(part) for part in parts):
        if reading.act.name == "search" and not row.position:
            reading.words = reading.words or plain(row.code)
        else:
            reading.error(row, "code", _("This is not a code. Type digits as printed in the plan, or search by name."))
        return None
    if reading.spec.unit == "INSTITUTION":
        return _only_institution(row, parts, reading)
    return _with_group(row, parts, reading)


def _unreadable(text: str) -> bool:
    """Letters that are no code, and control characters."""
    return any(unicodedata.category(char)[0] == "C" or (char.isalnum() and not char.isascii()) for char in text)


def _only_institution(row: TypedRow, parts: Sequence[str], reading: _Reading) -> tuple[str, None] | None:
    if len(parts) == 1:
        return parts[0], None
    reading.error(row, "code", _("Type one code only: this column is filled with institutions, not groups."))
    return None


def _with_group(row: TypedRow, parts: Sequence[str], reading: _Reading) -> tuple[str, str | None] | None:
    if len(parts) == 2:
        return parts[0], parts[1]
    if len(parts) > 2:
        reading.error(row, "code", _("Type one institution and one group, for example 1234-101."))
        return None
    offers = [entry.offer for entry in reading.whole.entries if entry.column == reading.spec.code]
    joined = [(each.institution, each.group) for each in offers if each.institution + (each.group or "") == parts[0]]
    if len(joined) == 1:
        return joined[0]
    if reading.spec.mode == "MIXED_FIRST":
        return parts[0], None
    groups = sorted(each.group for each in offers if each.institution == parts[0] and each.group)
    if groups:
        message = _("Add the group: this institution has %(groups)s.", groups=", ".join(groups))
    else:
        message = _("Add the group after the institution, for example 1234-101.")
    reading.error(row, "code", message)
    return None


def _majors(row: TypedRow, reading: _Reading) -> tuple[str, ...]:
    text = " ".join(plain(each) for each in row.majors).upper()
    codes = tuple(part for part in _APART.split(text) if part)
    most = reading.spec.majors_per_institution
    if _unreadable(text) or not all(_CODE.fullmatch(code) for code in codes):
        reading.error(row, "majors", _("Type the codes of the majors with blanks between, for example 01 07."))
    elif len(codes) > most:
        reading.error(
            row, "majors", _("%(given)s majors are typed; at most %(most)s fit.", given=len(codes), most=most)
        )
    return codes


def as_typed(content: Mapping[str, Any], spec: BatchSpec) -> dict[str, TypedColumn]:
    """A list as its form would send it, to be offered again."""
    typed = {}
    for column in spec.columns:
        kept = content["columns"].get(column.code, {})
        slots = [slot for slot in kept.get("slots", []) if slot is not None]
        rows = tuple(_as_row(index, slot) for index, slot in enumerate(slots))
        typed[column.code] = TypedColumn(
            rows, kept.get("institution_adjust", False), kept.get("directed_adjust", False)
        )
    return typed


def _as_row(index: int, slot: Mapping[str, Any]) -> TypedRow:
    code = slot["institution"] if slot["group"] is None else f"{slot['institution']}-{slot['group']}"
    adjust = {True: "yes", False: "no", None: ""}[slot["major_adjust"]]
    return replace(TypedRow(index), position=str(index + 1), code=code, majors=tuple(slot["majors"]), adjust=adjust)
