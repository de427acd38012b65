"""Calendar files: one year of batches, columns, windows and rules, read and checked (`app.specs`).

A file is YAML. Keys that only say where a figure comes from (`conf`, `slots_conf`, `note`) may stand
anywhere. `eligibility_policy` says which conditions block, `lists_held` which lists of names the office
holds, so that not being on them blocks; `form_rules` may raise a warning to an error.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import AliasChoices, Field, StringConstraints, ValidationError, model_validator

from app.specs import (
    DEFAULT_POLICY,
    BatchSpec,
    Calendar,
    Code,
    ColumnSpec,
    EligibilityRule,
    Frozen,
    GapPolicy,
    Mode,
    Name,
    Policy,
    Scope,
    SubjectClass,
    Unit,
    Window,
)

__all__ = [
    "BatchSpec",
    "Calendar",
    "CalendarError",
    "ColumnSpec",
    "EligibilityRule",
    "Mode",
    "Policy",
    "SubjectClass",
    "Unit",
    "Window",
    "load_calendar",
]

#: rules answered by a list of names, which block when the office says it holds that list (`lists_held`)
_OF_LISTS: Final = {
    "check",
    "check_passed",
    "qualification",
    "published_list",
    "per_institution_checks",
    "per_kind_qualification",
}

#: the levels a calendar may give a form rule; the others would take away what a filing rests on
_LEVELS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("F1", "F2", "F3", "F4", "F11", "G1", "G2", "G3", "G4", "G8"), ("error",)),
    **dict.fromkeys(("F7", "F8", "F9", "F12", "G5", "G6", "G7"), ("warn", "error")),
    "F5": ("configurable",),
    "F6": ("error_unless_adjust",),
    "F10": ("warn",),
}


class CalendarError(ValueError):
    """A calendar file cannot be used. `problems` names each place and what to do about it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("This calendar cannot be used:\n" + "\n".join(f"  {line}" for line in problems))
        self.problems = tuple(problems)


class _Province(Frozen):
    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
    name: Name


class _Meta(Frozen):
    """Facts of the year. The literals are what the service does; a file cannot promise anything else."""

    province: _Province
    year: int = Field(ge=2000, le=2099)
    timezone: str
    unit: Unit
    default_gap_policy: GapPolicy = "warn_and_compact"
    edits_within_window: Literal["unlimited"] = "unlimited"
    effective_rule: Literal["last_verified_save_wins"] = "last_verified_save_wins"
    signature_after_filing: Literal["not_required"] = "not_required"


class _Supplement(ColumnSpec):
    """A supplementary round: a column with a window of its own, and the column `of` the parent it follows."""

    window: str
    round: int = Field(ge=1)
    of: str
    catalogue: Scope = "only_unfilled_plans"


class _Batch(Frozen):
    code: Code
    name: Name = Field(validation_alias=AliasChoices("name", "zh"))
    order: int
    window: str
    subject_classes: tuple[Code, ...] = Field(min_length=1)
    columns: tuple[ColumnSpec, ...] = Field(min_length=1)
    supplementary: tuple[_Supplement, ...] = ()
    catalogue: Scope = "all"


class _FormRule(Frozen):
    id: str
    rule: str
    level: str

    @model_validator(mode="after")
    def _known(self) -> Self:
        allowed = _LEVELS.get(self.id)
        if allowed is None:
            raise ValueError(f"no rule has the id {self.id!r}; use one of {', '.join(_LEVELS)}")
        if self.level not in allowed:
            raise ValueError(f"{self.id} cannot have the level {self.level!r}; use {' or '.join(allowed)}")
        return self


class _File(Frozen):
    meta: _Meta
    subject_classes: tuple[SubjectClass, ...] = Field(min_length=1)
    score_lines: dict[str, dict[str, int | str]] = Field(default_factory=dict)
    windows: dict[str, Window]
    rehearsal: Window | None = None
    batches: tuple[_Batch, ...] = Field(min_length=1)
    form_rules: tuple[_FormRule, ...] = ()
    eligibility_policy: dict[str, Policy] = Field(default_factory=dict)
    lists_held: tuple[str, ...] = ()


def load_calendar(text: str) -> Calendar:
    """Read a calendar file. Raises `CalendarError`, which names every place and its remedy."""
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise CalendarError([f"the file is not YAML: {error}"]) from error
    if not isinstance(raw, dict):
        raise CalendarError(["the file: write `meta:`, `windows:`, `batches:` and so on at its top level"])
    try:
        file = _File.model_validate(_spelled_out(raw))
    except ValidationError as error:
        raise CalendarError([_problem(item["loc"], item["msg"]) for item in error.errors()]) from error
    problems = list(_unresolved(file))
    if problems:
        raise CalendarError(problems)
    return _calendar(file)


def _problem(place: tuple[int | str, ...], message: str) -> str:
    path = ""
    for step in place:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    remedies = {
        "Field required": "is missing; add it",
        "Extra inputs are not permitted": "is not a key we know; correct its spelling or remove it",
        "Input should be a valid string": "should be text; put it in quotes",
    }
    return f"{path}: {remedies.get(message, message.removeprefix('Value error, '))}"


def _spelled_out(raw: dict[str, Any]) -> dict[str, Any]:
    """Give columns the unit of the year where they name none, and bring their rules under one key.

    What is not of the expected shape is left as it is, for the validation to name its place.
    """
    skip = {"defaults", "supplementary_defaults", "subject_requirement_vocab"}
    file = {key: value for key, value in raw.items() if key not in skip}
    meta = file.get("meta")
    unit = meta.get("unit") if isinstance(meta, dict) else None
    lines = file.get("score_lines")
    if isinstance(lines, dict):
        file["score_lines"] = {code: line for code, line in lines.items() if code != "conf"}
    if isinstance(file.get("batches"), list):
        file["batches"] = [_with_columns(batch, unit) for batch in file["batches"]]
    return file


def _with_columns(batch: object, unit: object) -> object:
    if not isinstance(batch, dict):
        return batch
    batch = dict(batch)
    for key in ("columns", "supplementary"):
        if isinstance(batch.get(key), list):
            batch[key] = [_with_rules(column, unit) for column in batch[key]]
    return batch


def _with_rules(column: object, unit: object) -> object:
    if not isinstance(column, dict):
        return column
    spelled: dict[Any, Any] = {"unit": unit, "eligibility": [], **column}
    for key in ("extra_eligibility", "per_institution_eligibility", "per_group_eligibility"):
        if isinstance(spelled.get(key), list) and isinstance(spelled["eligibility"], list):
            spelled["eligibility"] = [*spelled["eligibility"], *spelled.pop(key)]
    return spelled


def _unresolved(file: _File) -> Iterator[str]:
    """Yield a line for every name in the file that leads nowhere or is given twice."""
    classes = {subject_class.code for subject_class in file.subject_classes}
    codes = [batch.code for batch in file.batches]
    for number, batch in enumerate(file.batches):
        place = f"batches[{number}]"
        if batch.code in codes[:number]:
            yield f"{place}.code: {batch.code!r} is used by an earlier batch; choose another code"
        for each in batch.subject_classes:
            if each not in classes:
                yield f"{place}.subject_classes: {each!r} is not listed under `subject_classes`; add it there"
        yield from _unknown_windows(file, batch, place)
        yield from _unknown_columns(batch, place)
    for rule in sorted(file.eligibility_policy.keys() - DEFAULT_POLICY.keys()):
        known = ", ".join(sorted(DEFAULT_POLICY))
        yield f"eligibility_policy.{rule}: no rule has this name; use one of {known}"


def _unknown_columns(batch: _Batch, place: str) -> Iterator[str]:
    columns = [column.code for column in batch.columns]
    codes = columns + [supplement.code for supplement in batch.supplementary]
    for code in sorted({code for code in codes if codes.count(code) > 1}):
        yield f"{place}: the column code {code!r} is used twice; choose another code"
    for index, column in enumerate(batch.columns):
        for other in column.exclusive_with:
            if other not in columns or other == column.code:
                yield (
                    f"{place}.columns[{index}].exclusive_with: {other!r} is not another column of this batch;"
                    " correct it"
                )
    for index, supplement in enumerate(batch.supplementary):
        if supplement.of not in columns:
            where = f"{place}.supplementary[{index}].of"
            yield f"{where}: {supplement.of!r} is not a column of this batch; correct it"


def _unknown_windows(file: _File, batch: _Batch, place: str) -> Iterator[str]:
    named = [(place, batch.window)]
    named += [(f"{place}.supplementary[{i}]", each.window) for i, each in enumerate(batch.supplementary)]
    for where, window in named:
        if window not in file.windows:
            yield f"{where}.window: {window!r} is not listed under `windows`; add it there"


def _calendar(file: _File) -> Calendar:
    return Calendar(
        year=file.meta.year,
        province_code=file.meta.province.code,
        province_name=file.meta.province.name,
        timezone=file.meta.timezone,
        unit=file.meta.unit,
        subject_classes={each.code: each for each in file.subject_classes},
        windows=file.windows,
        rehearsal=file.rehearsal,
        batches=tuple(spec for batch in file.batches for spec in _specs(file, batch)),
    )


def _specs(file: _File, batch: _Batch) -> Iterator[BatchSpec]:
    """Yield the batch itself, then its supplementary rounds."""
    common: dict[str, Any] = {
        "year": file.meta.year,
        "order": batch.order,
        "unit": file.meta.unit,
        "subject_classes": batch.subject_classes,
        "score_lines": {code: _points(line) for code, line in file.score_lines.items()},
        "line_names": {code: str(line.get("zh", code)) for code, line in file.score_lines.items()},
        "gap_policy": file.meta.default_gap_policy,
        "subject_requirement": _policy_of(file, "subject_requirement"),
        "raised": _raised(file),
    }
    columns = tuple(_settled(file, column) for column in batch.columns)
    yield BatchSpec(
        code=batch.code,
        name=batch.name,
        columns=columns,
        window=batch.window,
        catalogue_scope=batch.catalogue,
        **common,
    )
    for supplement in batch.supplementary:
        followed = next(column for column in columns if column.code == supplement.of)
        yield BatchSpec(
            code=f"{batch.code}-{supplement.code}",
            name=supplement.name,
            columns=(_settled(file, supplement, _line_of(followed)),),
            parent=batch.code,
            round=supplement.round,
            of=supplement.of,
            window=supplement.window,
            catalogue_scope=supplement.catalogue,
            **common,
        )


def _raised(file: _File) -> tuple[str, ...]:
    return tuple(rule.id for rule in file.form_rules if rule.level == "error" and "warn" in _LEVELS[rule.id])


def _points(line: Mapping[str, int | str]) -> dict[str, int]:
    return {code: points for code, points in line.items() if isinstance(points, int)}


def _line_of(column: ColumnSpec) -> str:
    return next((rule.line for rule in column.eligibility if rule.rule == "score_line"), "")


def _settled(file: _File, column: ColumnSpec, line: str = "") -> ColumnSpec:
    """Return the column with the policy of each rule decided, and `line` for score rules that name none."""
    rules = []
    for rule in column.eligibility:
        held = rule.rule in _OF_LISTS and rule.names and set(rule.names) <= set(file.lists_held)
        policy = "block" if held else _policy_of(file, rule.rule)
        update: dict[str, Any] = {} if "policy" in rule.model_fields_set else {"policy": policy}
        if rule.rule.startswith("score_line") and not rule.line:
            update["line"] = line
        rules.append(rule.model_copy(update=update))
    fields = {name: getattr(column, name) for name in ColumnSpec.model_fields}
    return ColumnSpec(**fields | {"eligibility": tuple(rules)})


def _policy_of(file: _File, rule: str) -> Policy:
    return file.eligibility_policy.get(rule, DEFAULT_POLICY[rule])
