"""What a candidate can choose: an institution, or a group of it, with its majors, as the catalogue offers it.

Plain values that the catalogue builds and the rules read. Tags are words of the plan (`LOCAL_SPECIAL`); those
with a colon carry a value: `COUNTY:430522` (tied to a home county), `LINE:BK1` (its score line),
`NEEDS:航海体检` (a check it asks for), `VOCATIONAL:农学` (the category it takes).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, Self

#: the tag of an institution that may only stand first in a column of mode MIXED_FIRST
NON_PARALLEL: Final = "NON_PARALLEL"


First = Literal["", "EITHER", "PHY", "HIS"]
Second = Literal["", "ALL_OF", "ANY_OF"]
_FIRST: Final[Mapping[str, First]] = {"": "", "EITHER": "EITHER", "PHY": "PHY", "HIS": "HIS"}
_SECOND: Final[Mapping[str, Second]] = {"ALL_OF": "ALL_OF", "ANY_OF": "ANY_OF"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """Subjects a candidate must have taken (3+1+2). An empty requirement is met by all."""

    first: First = ""
    mode: Second = ""
    second: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, first: str, second: str) -> Self:
        """Read the catalogue's two columns: "PHY" and "ALL_OF CHE BIO". Raises ValueError."""
        if first not in _FIRST:
            raise ValueError(f"first subject {first!r}: write PHY, HIS, EITHER or nothing")
        mode, *subjects = second.split() or ("",)
        if mode in {"", "NONE"} and not subjects:
            return cls(_FIRST[first])
        if mode not in _SECOND or not subjects:
            raise ValueError(f"second subjects {second!r}: write ALL_OF or ANY_OF and the subjects, or nothing")
        return cls(_FIRST[first], _SECOND[mode], frozenset(subjects))

    def met_by(self, first: str | None, second: frozenset[str]) -> bool:
        """Whether a candidate with these subjects meets it."""
        if self.first in {"PHY", "HIS"} and self.first != first:
            return False
        if self.mode == "ALL_OF":
            return self.second <= second
        return self.mode != "ANY_OF" or not self.second.isdisjoint(second)


@dataclass(frozen=True, slots=True)
class Major:
    """One row of the catalogue. `requirement` is None where that of the offer holds.

    `restricted` holds codes of the physical exam, `languages` those it takes (empty: all), `sex` "" or one.
    """

    code: str
    name: str
    tuition: int | None = None
    quota: int | None = None
    restricted: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    sex: Literal["", "1", "2"] = ""
    remark: str = ""
    requirement: Requirement | None = None

    @property
    def label(self) -> str:
        """Code and name."""
        return f"{self.code} {self.name}"


@dataclass(frozen=True, slots=True)
class Offer:
    """An institution, or one group of it, in one column. `place` is its city, `nature` its plan nature."""

    institution: str
    name: str
    majors: Mapping[str, Major]
    group: str | None = None
    group_name: str = ""
    place: str = ""
    tags: frozenset[str] = frozenset()
    nature: str = ""
    requirement: Requirement = field(default_factory=Requirement)

    @property
    def label(self) -> str:
        """Code, name and place: institution codes differ by one digit (U-17)."""
        code = self.institution if self.group is None else f"{self.institution}-{self.group}"
        name = f"{self.name} {self.group_name}" if self.group_name else self.name
        return f"{code} {name} ({self.place})" if self.place else f"{code} {name}"

    def valued(self, tag: str) -> tuple[str, ...]:
        """Return the values of its tags of one kind: `valued("COUNTY")` of `COUNTY:430522`."""
        prefix = f"{tag}:"
        return tuple(sorted(each.removeprefix(prefix) for each in self.tags if each.startswith(prefix)))


class Catalogue(Protocol):
    """What may be chosen in one batch by one subject class, at the version the batch is pinned to."""

    def find(self, column: str, institution: str, group: str | None) -> Offer | None:
        """Return the offer with these codes in this column, or None."""
