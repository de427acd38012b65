"""What changed between two preference lists, for the check page and the history.

An entry is known by its codes, whatever its position. `moved` is said of the fewest entries whose moving
explains the new order; an entry whose number only changed because others came, went or moved is `shifted`.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from app.choices import Choice, ColumnChoices, from_content
from app.wording import N_

Kind = Literal[
    "added",
    "removed",
    "moved",
    "shifted",
    "majors",
    "major_adjust",
    "institution_adjust",
    "directed_adjust",
]
#: an entry's codes, and a count that tells duplicates in a draft apart
_Key = tuple[str, str | None, int]

_MESSAGES: Final[Mapping[Kind, str]] = {
    "added": N_("%(code)s added at number %(new_slot)s."),
    "removed": N_("%(code)s removed from number %(old_slot)s."),
    "moved": N_("%(code)s moved from number %(old_slot)s to number %(new_slot)s."),
    "shifted": N_("%(code)s, formerly number %(old_slot)s, is now number %(new_slot)s."),
    "majors": N_("%(code)s: the majors change from %(old)s to %(new)s."),
    "major_adjust": N_("%(code)s: the answer to adjustment of majors changes."),
    "institution_adjust": N_("The answer to adjustment of institutions changes."),
    "directed_adjust": N_("The answer to directed adjustment changes."),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One change in one column. Positions count from 1; `old` and `new` hold majors or answers."""

    kind: Kind
    column: str
    choice: Choice | None = None
    old_slot: int | None = None
    new_slot: int | None = None
    old: tuple[str, ...] | bool | None = None
    new: tuple[str, ...] | bool | None = None

    @property
    def message(self) -> str:
        """A msgid for `params`."""
        return _MESSAGES[self.kind]

    @property
    def params(self) -> dict[str, str | int]:
        """Parameters of `message`. A page that knows the catalogue says more than the `code`."""
        return {
            "code": self.choice.code if self.choice else "",
            "old_slot": self.old_slot or 0,
            "new_slot": self.new_slot or 0,
            "old": _majors(self.old),
            "new": _majors(self.new),
        }


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """Compare two contents that passed `choices.parse`; columns in the order of `new`, then what is gone."""
    if old == new:
        return []
    before, after = from_content(old).columns, from_content(new).columns
    nothing = ColumnChoices()
    found: list[Difference] = []
    for column in [*after, *(code for code in before if code not in after)]:
        found += _in_column(column, before.get(column, nothing), after.get(column, nothing))
    return found


def _in_column(column: str, old: ColumnChoices, new: ColumnChoices) -> Iterator[Difference]:
    was, now = _positions(old), _positions(new)
    for key, (slot, choice) in was.items():
        if key not in now:
            yield Difference("removed", column, choice, old_slot=slot)
    kept = [key for key in now if key in was]
    unmoved = _longest_rising([was[key][0] for key in kept])
    still = {kept[index] for index in unmoved}
    for key, (slot, choice) in now.items():
        if key not in was:
            yield Difference("added", column, choice, new_slot=slot)
            continue
        old_slot, before = was[key]
        if old_slot != slot:
            yield Difference("shifted" if key in still else "moved", column, choice, old_slot, slot)
        if before.majors != choice.majors:
            yield Difference("majors", column, choice, old_slot, slot, before.majors, choice.majors)
        if before.major_adjust != choice.major_adjust:
            yield Difference("major_adjust", column, choice, old_slot, slot, before.major_adjust, choice.major_adjust)
    if old.institution_adjust != new.institution_adjust:
        yield Difference("institution_adjust", column, old=old.institution_adjust, new=new.institution_adjust)
    if old.directed_adjust != new.directed_adjust:
        yield Difference("directed_adjust", column, old=old.directed_adjust, new=new.directed_adjust)


def _positions(column: ColumnChoices) -> dict[_Key, tuple[int, Choice]]:
    found: dict[_Key, tuple[int, Choice]] = {}
    seen: dict[tuple[str, str | None], int] = {}
    for slot, choice in column.filled():
        count = seen.get(choice.key, 0)
        seen[choice.key] = count + 1
        found[(*choice.key, count)] = (slot, choice)
    return found


def _longest_rising(numbers: Sequence[int]) -> set[int]:
    """Return the indices of a longest rising subsequence (patience sorting)."""
    ends: list[int] = []
    last_of: list[int] = []
    previous: list[int | None] = []
    for index, number in enumerate(numbers):
        place = bisect_left(ends, number)
        previous.append(last_of[place - 1] if place else None)
        if place == len(ends):
            ends.append(number)
            last_of.append(index)
        else:
            ends[place] = number
            last_of[place] = index
    chain: set[int] = set()
    step = last_of[-1] if last_of else None
    while step is not None:
        chain.add(step)
        step = previous[step]
    return chain


def _majors(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) and value else "—"
