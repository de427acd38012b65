"""What judging a list leaves behind: findings, each with the id of its rule, its place and its words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from app.specs import BatchSpec, ColumnSpec
from app.wording import Param, phrase

Level = Literal["error", "warning"]
_Place = tuple[int | None, int | None]

#: the id of a rule in columns of groups, where the calendars of 3+1+2 years give it one of its own
_GROUP_IDS: Final[Mapping[str, str]] = {
    "F1": "G1",
    "F3": "G2",
    "F4": "G4",
    "F7": "G5",
    "F8": "G6",
    "F9": "G7",
    "F11": "G8",
    "F12": "G7",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to say about a list. `slot` and `major` are positions from 1; `message` is a msgid."""

    rule: str
    level: Level
    message: str
    params: Mapping[str, Param]
    column: str | None = None
    slot: int | None = None
    major: int | None = None

    def text(self, gettext: Callable[[str], str]) -> str:
        """Say it in the language `gettext` speaks."""
        return phrase(self.message, self.params, gettext)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `rules.judge` found: errors block the list, warnings do not."""

    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    @property
    def allowed(self) -> bool:
        """Whether the list may be filed."""
        return not self.errors


class Notes:
    """Takes down findings about a list as a whole.

    A rule is named by its F id (or G3, P1 ...); the group's id and the level a calendar raises it to are
    found here.
    """

    def __init__(self, spec: BatchSpec, found: list[Finding]) -> None:
        self.spec = spec
        self._found = found

    def error(
        self,
        rule: str,
        message: str,
        params: Mapping[str, Param],
        slot: int | None = None,
        major: int | None = None,
    ) -> None:
        """Take down what blocks the list."""
        self._found.append(self._finding(self._id(rule), "error", message, params, (slot, major)))

    def warning(
        self,
        rule: str,
        message: str,
        params: Mapping[str, Param],
        slot: int | None = None,
        major: int | None = None,
    ) -> None:
        """Take down what the candidate should know, unless the calendar raises the rule to an error."""
        known = self._id(rule)
        level: Level = "error" if known in self.spec.raised else "warning"
        self._found.append(self._finding(known, level, message, params, (slot, major)))

    def within(self, column: ColumnSpec) -> "ColumnNotes":
        """Return notes about one column, kept with these."""
        return ColumnNotes(self.spec, self._found, column)

    def _id(self, rule: str) -> str:
        return _GROUP_IDS.get(rule, rule) if self.spec.unit == "GROUP" else rule

    def _finding(self, rule: str, level: Level, message: str, params: Mapping[str, Param], _at: _Place) -> Finding:
        return Finding(rule, level, message, params)


class ColumnNotes(Notes):
    """Takes down findings about one column. Messages may use `place`: its name, unless another is given."""

    def __init__(self, spec: BatchSpec, found: list[Finding], column: ColumnSpec) -> None:
        super().__init__(spec, found)
        self.column = column

    def _id(self, rule: str) -> str:
        return _GROUP_IDS.get(rule, rule) if self.column.unit == "GROUP" else rule

    def _finding(self, rule: str, level: Level, message: str, params: Mapping[str, Param], at: _Place) -> Finding:
        named = params if "place" in params else {"place": self.column.name, **params}
        return Finding(rule, level, message, named, self.column.code, *at)
