"""Batches as data: what a calendar file says about columns, slots, windows and eligibility.

    Calendar                     one year of one province, as `config/calendars/YEAR.yaml` says it
    ├── Window                   when something is open; half-open, aware
    ├── SubjectClass             科类
    └── BatchSpec                批次; a supplementary round (征集) is one of its own, with a parent
        └── ColumnSpec           志愿栏: mode, unit, slots, majors, which adjustments it asks for
            └── EligibilityRule  a condition on the candidate, and whether it blocks or warns

Everything here is frozen and survives `model_dump(mode="json")` and back, for a spec lives in a jsonb
column. What the published rules leave open (slots of small columns, hours) stays a figure in the file.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AliasChoices,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

Unit = Literal["INSTITUTION", "GROUP"]
Mode = Literal["PARALLEL", "SEQUENTIAL", "SINGLE", "MIXED_FIRST"]
Policy = Literal["block", "warn"]
GapPolicy = Literal["warn_and_compact", "error"]
Scope = Literal["all", "only_unfilled_plans"]
#: what the code of a batch, a column or a subject class looks like
CODE: Final = r"^[0-9A-Za-z_-]{1,24}$"
Code = Annotated[str, StringConstraints(pattern=CODE)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]

#: a score line that each offer names itself, by a tag such as `LINE:BK1`
LINE_OF_OFFER: Final = "per_institution_batch"

#: Whether failing a rule blocks or only warns, unless a calendar's `eligibility_policy` says otherwise. A
#: hard block needs facts that the offices themselves decide; elsewhere the institution decides, and we warn.
DEFAULT_POLICY: Final[Mapping[str, Policy]] = {
    "subject_requirement": "block",
    "not_yet_admitted": "block",
    "special_plan": "block",
    "ethnicity_not": "block",
    "ethnic_preference_any": "block",
    "ethnic_qualification": "block",
    "registered_in_hukou_county": "block",
    "art_exam": "block",
    "art_school_exam": "block",
    "art_provincial_exam": "block",
    "art_or_pe_exam": "block",
    "pe_exam": "block",
    "pe_provincial_exam": "block",
    "check": "warn",
    "check_passed": "warn",
    "qualification": "warn",
    "published_list": "warn",
    "per_institution_checks": "warn",
    "per_kind_qualification": "warn",
    "score_line": "warn",
    "score_line_or_within": "warn",
    "age_max": "warn",
    "county_match": "warn",
    "vocational_category_match": "warn",
    "fresh_or_repeat": "warn",
}

#: what an `EligibilityRule` may be called
RULES: Final = tuple(sorted(DEFAULT_POLICY.keys() - {"subject_requirement"}))

#: rules that look at what is chosen, not only at who chooses
_OF_OFFER: Final = {
    "county_match",
    "vocational_category_match",
    "per_institution_checks",
    "per_kind_qualification",
}

#: what a file says about itself and no rule reads: where a figure comes from and how sure it is
_REMARKS: Final = {
    "conf",
    "note",
    "notes",
    "mixed_rule",
    "data_purged_after",
    "deadline_semantics",
    "gaps_between_slots",
    "institution_code",
    "group_code",
    "major_code",
    "authentication_2024",
    "prerequisites_before_filing",
}


class Frozen(BaseModel):
    """Unchangeable, and closed to keys it does not know, but for remarks (`slots_conf`, `note`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_remarks(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        return {
            key: value
            for key, value in data.items()
            if not (key in _REMARKS or str(key).endswith("_conf") or str(key).startswith("conf_"))
        }


class Window(Frozen):
    """When something is open: `opens_at` is inside, `closes_at` is not."""

    name: str = Field(default="", validation_alias=AliasChoices("name", "zh"))
    opens_at: AwareDatetime = Field(validation_alias=AliasChoices("opens_at", "start"))
    closes_at: AwareDatetime = Field(validation_alias=AliasChoices("closes_at", "end"))

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.opens_at >= self.closes_at:
            raise ValueError("it ends before it starts, or at once; put the later time into `end`")
        return self

    def shifted(self, delta: timedelta) -> "Window":
        """Return the same window, `delta` later."""
        return Window(name=self.name, opens_at=self.opens_at + delta, closes_at=self.closes_at + delta)


class SubjectClass(Frozen):
    """科类. `digit` is its place in a candidate number, where that is not the code itself."""

    code: Code
    name: Name = Field(validation_alias=AliasChoices("name", "zh"))
    digit: Annotated[str, StringConstraints(pattern=r"^[0-9]?$")] = ""

    @property
    def number_digit(self) -> str:
        """The tenth digit of a candidate number of this class; "" when it has none."""
        return self.digit or (self.code if len(self.code) == 1 else "")


class EligibilityRule(Frozen):
    """One condition on a candidate.

    `tag` restricts it to offers that carry the tag or are of that plan nature. `policy` is settled when a
    calendar is loaded: the rule's own, or that of the calendar, or `DEFAULT_POLICY`.
    """

    rule: str
    policy: Policy = "warn"
    tag: str = Field(default="", validation_alias=AliasChoices("tag", "institution_tag", "group_tag"))
    kind: str = ""
    kinds: tuple[str, ...] = ()
    listed: str = Field(default="", validation_alias=AliasChoices("listed", "list"))
    plan: str = Field(default="", validation_alias=AliasChoices("plan", "type"))
    value: int | str = ""
    line: str = ""
    below: int = 0

    @model_validator(mode="before")
    @classmethod
    def _when_is_a_tag(cls, data: object) -> object:
        if not isinstance(data, dict) or "when" not in data:
            return data
        known = {key: value for key, value in data.items() if key != "when"}
        when = str(data["when"])
        if not when.startswith("kind_is_"):
            raise ValueError(f"`when: {when}` is not known; write `when: kind_is_` and a plan nature, or a tag")
        return known | {"tag": when.removeprefix("kind_is_").upper()}

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.rule not in RULES:
            raise ValueError(f"no rule is called {self.rule!r}; use one of {', '.join(RULES)}")
        if self.rule == "special_plan" and self.plan not in {"NATIONAL", "LOCAL", "UNIVERSITY"}:
            raise ValueError("special_plan needs `type: NATIONAL`, `LOCAL` or `UNIVERSITY`")
        if self.rule == "age_max" and not isinstance(self.value, int):
            raise ValueError("age_max needs the highest age as `value:`, a whole number")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The lists and checks it asks for."""
        return tuple(name for name in (self.kind, self.listed, *self.kinds) if name)

    @property
    def per_offer(self) -> bool:
        """Whether it must be asked for each slot; otherwise once for the column."""
        return bool(self.tag) or self.rule in _OF_OFFER or self.line == LINE_OF_OFFER


#: what every supplementary round asks
_NOT_YET_ADMITTED: Final = EligibilityRule(rule="not_yet_admitted", policy="block")


class ColumnSpec(Frozen):
    """志愿栏: one ordered list of slots within a batch."""

    code: Code
    name: Name = Field(validation_alias=AliasChoices("name", "zh"))
    unit: Unit
    mode: Mode
    slots: int = Field(ge=1, le=200)
    majors_per_institution: int = Field(ge=1, le=50)
    major_adjust: bool
    institution_adjust: bool = False
    directed_adjust: bool = False
    major_adjust_scope: Literal["", "same_group"] = ""
    plan_nature: str = ""
    exclusive_with: tuple[Code, ...] = ()
    placed_before: str = ""
    eligibility: tuple[EligibilityRule, ...] = ()

    @model_validator(mode="after")
    def _single_has_one(self) -> Self:
        if self.mode == "SINGLE" and self.slots != 1:
            raise ValueError(f"mode SINGLE has one slot, not {self.slots}; use PARALLEL or SEQUENTIAL for more")
        return self


class BatchSpec(Frozen):
    """批次, or one supplementary round of it. `window` is a key of the calendar's windows, "" where none made it.

    `plans_of` is the batch whose plans it offers, "" for its own. `score_lines` holds points by line and subject
    class, `raised` the form rules this year takes for errors although they are warnings by nature.
    """

    year: int
    code: Code
    name: Name
    order: int
    unit: Unit
    subject_classes: tuple[Code, ...]
    columns: tuple[ColumnSpec, ...]
    parent: str | None = None
    round: int = 0
    of: str | None = None
    window: str
    catalogue_scope: Scope = "all"
    plans_of: str = ""
    score_lines: dict[str, dict[str, int]] = Field(default_factory=dict)
    line_names: dict[str, str] = Field(default_factory=dict)
    gap_policy: GapPolicy = "warn_and_compact"
    subject_requirement: Policy = "block"
    raised: tuple[str, ...] = ()

    def column(self, code: str) -> ColumnSpec | None:
        """Return the column with this code, or None."""
        return next((column for column in self.columns if column.code == code), None)

    def excluded_by(self, column: ColumnSpec) -> Iterator[ColumnSpec]:
        """Yield the columns that may not be filled beside `column`; being exclusive is mutual."""
        for other in self.columns:
            if other.code in column.exclusive_with or column.code in other.exclusive_with:
                yield other

    def like(self, code: str, name: str, parent: str | None, number: int) -> "BatchSpec":
        """Return the spec of a batch made like this one; with a parent it is the supplementary round of that `number`.

        It offers the plans of this one. A column that bears the name of the batch bears the new one, and nobody who
        is admitted files in a supplementary round.
        """
        columns = []
        for column in self.columns:
            asked = {rule.rule for rule in column.eligibility}
            added = (_NOT_YET_ADMITTED,) if parent and _NOT_YET_ADMITTED.rule not in asked else ()
            named = name if column.name == self.name else column.name
            columns.append(column.model_copy(update={"name": named, "eligibility": column.eligibility + added}))
        changes = {
            "code": code,
            "name": name,
            "columns": tuple(columns),
            "parent": parent,
            "round": number,
            "of": self.of if parent else None,
            "window": "",
            "catalogue_scope": "only_unfilled_plans" if parent else self.catalogue_scope,
            "plans_of": self.plans_of or self.code,
        }
        return BatchSpec.model_validate(dict(self) | changes)


class Calendar(Frozen):
    """One year of one province."""

    year: int
    province_code: str
    province_name: str
    timezone: str
    unit: Unit
    subject_classes: dict[str, SubjectClass]
    windows: dict[str, Window]
    rehearsal: Window | None
    batches: tuple[BatchSpec, ...]

    def batch(self, code: str) -> BatchSpec:
        """Return the batch with this code; raises KeyError."""
        for spec in self.batches:
            if spec.code == code:
                return spec
        raise KeyError(code)

    def shifted(self, delta: timedelta) -> "Calendar":
        """Return the same calendar with every window, and the rehearsal, `delta` later."""
        windows = {code: window.shifted(delta) for code, window in self.windows.items()}
        rehearsal = self.rehearsal and self.rehearsal.shifted(delta)
        return self.model_copy(update={"windows": windows, "rehearsal": rehearsal})

    def opened(self, window: str, at: datetime) -> "Calendar":
        """Return a calendar moved as a whole so that `window` is open at the instant `at`.

        It is moved by whole days, so that hours stay what they are, and so that most of the window still
        lies ahead. A window too short for that is moved to have begun a tenth of its length ago. Raises
        KeyError for an unknown window.
        """
        chosen = self.windows[window]
        delta = timedelta(days=(at - chosen.opens_at).days)
        if at >= chosen.closes_at + delta:
            delta = at - chosen.opens_at - (chosen.closes_at - chosen.opens_at) / 10
        return self.shifted(delta)
