"""Categories: what completeness is counted of, each a small table of states with the source of its counts.

Preferences are the first (`admin.completeness`). Registration, physical exams and the others join as one more
`Category`: their states, a function that counts them below an office, and one that names the people of a point.
Tables, sorting, differences, exports and pages know categories only.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, Literal

from sqlalchemy import Connection

from admin.scope import Place
from app.batches import State as WindowState
from app.batches import Window
from app.errors import NotFound
from app.evidence import masked

#: missing: somebody still has something to do; settled: done; outside: nothing is due of them
Kind = Literal["missing", "settled", "outside"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One state a candidate can be in."""

    code: str
    #: a msgid
    name: str
    kind: Kind
    #: the fewer, the worse
    good: bool = False


@dataclass(frozen=True)
class Counts:
    """How many candidates stand where; `numbers` in the order of the stages."""

    stages: tuple[Stage, ...]
    numbers: tuple[int, ...]

    def of(self, code: str) -> int:
        """The count of one stage."""
        return next(number for stage, number in zip(self.stages, self.numbers, strict=True) if stage.code == code)

    def _all(self, kind: Kind) -> int:
        return sum(number for stage, number in zip(self.stages, self.numbers, strict=True) if stage.kind == kind)

    @property
    def eligible(self) -> int:
        """All of whom something is due."""
        return self.missing + self.settled

    @cached_property
    def settled(self) -> int:
        """Those who have done it."""
        return self._all("settled")

    @cached_property
    def missing(self) -> int:
        """Those who have not."""
        return self._all("missing")

    @property
    def share(self) -> float:
        """The settled among the eligible; 1 where there is nobody."""
        return self.settled / self.eligible if self.eligible else 1.0

    def __add__(self, other: "Counts") -> "Counts":
        """Both together."""
        return Counts(self.stages, tuple(map(sum, zip(self.numbers, other.numbers, strict=True))))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: an office, or a class of a point."""

    #: the office's id, or the class' number
    key: str
    #: what orders rows that are otherwise alike: region code, or class
    code: str
    name: str
    counts: Counts
    #: how many more are settled than about an hour ago, and than yesterday; None where that was not counted
    hour: int | None = None
    day: int | None = None
    #: how many were counted as settled then and are not any more; None where that is not known
    dropped: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What of a category is counted by itself, a batch of preferences; and how far an office is in it."""

    id: int
    code: str
    name: str
    window: Window
    rows: tuple[Row, ...]
    total: Counts
    #: by the database's clock
    as_of: datetime

    @property
    def state(self) -> WindowState:
        """The window's state when it was counted."""
        return self.window.state_at(self.as_of)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one candidate stands."""

    candidate_id: int
    candidate_no: str
    name: str
    class_no: str
    state: str

    @property
    def masked_no(self) -> str:
        """The candidate number as lists show it (P-02)."""
        return masked(self.candidate_no)


@dataclass(frozen=True, slots=True)
class Category:
    """One thing every candidate's record must have."""

    code: str
    #: a msgid
    name: str
    stages: tuple[Stage, ...]
    #: the settled in a word, and the sentence above a table; msgids
    settled: str
    summary: str
    #: every part without counts, for pages that only choose one
    named: Callable[[Connection], list[Part]]
    #: every part with the counts of the offices directly below a place, or of the point itself
    parts: Callable[[Connection, Place], list[Part]]
    #: where each candidate of a point, or of one of its classes, stands in a part
    standings: Callable[[Connection, Place, int, str | None], list[Standing]]
    #: `admin.snapshots` keeps what its parts had earlier
    remembered: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of a table of counts."""
        return ("office", "eligible", *(stage.code for stage in self.stages), "share", *SINCE, "dropped")

    def stage(self, code: str) -> Stage:
        """The stage of this code; raises `NotFound`."""
        for stage in self.stages:
            if stage.code == code:
                return stage
        raise NotFound(f"no state {code}")

    def counted(self, **numbers: int) -> Counts:
        """Counts with these numbers, and none of the other stages."""
        return Counts(self.stages, tuple(numbers.pop(stage.code, 0) for stage in self.stages))

    def total(self, rows: Iterable[Row]) -> Counts:
        """All rows together."""
        return sum((row.counts for row in rows), self.counted())

    def classes(self, people: Iterable[Standing]) -> tuple[Row, ...]:
        """The counts of each class."""
        found: dict[str, Counts] = {}
        for person in people:
            found[person.class_no] = found.get(person.class_no, self.counted()) + self.counted(**{person.state: 1})
        return tuple(Row(class_no, class_no, class_no, counts) for class_no, counts in found.items())

    def among(self, people: Iterable[Standing], code: str) -> list[Standing]:
        """Those in one state, or, for "", all who are missing; raises `NotFound` for a state there is not."""
        wanted = {self.stage(code).code} if code else {one.code for one in self.stages if one.kind == "missing"}
        return [person for person in people if person.state in wanted]

    # --- order ------------------------------------------------------------------------------------

    def in_order(self, rows: Iterable[Row], order: str) -> list[Row]:
        """The rows by a column, its worst first; by "-column" the other way round. Raises `NotFound` for others."""
        name = order.removeprefix("-")
        if name not in self.columns:
            raise NotFound(f"no column {name}")
        by_code = sorted(rows, key=lambda row: row.code)
        backwards = self._backwards(order)
        if name == "office":
            return by_code[::-1] if backwards else by_code
        return sorted(by_code, key=lambda row: _weight(row, name), reverse=backwards)

    def direction(self, order: str) -> str:
        """Which way `in_order` sorts: "ascending" or "descending"."""
        return "descending" if self._backwards(order) else "ascending"

    def _backwards(self, order: str) -> bool:
        name = order.removeprefix("-")
        good = {stage.code for stage in self.stages if stage.good}
        little_is_worst = name in {"office", "share", *SINCE} | good
        return little_is_worst == order.startswith("-")


#: differences to earlier counts
SINCE: Final = ("hour", "day")


def _weight(row: Row, column: str) -> float:
    if column in {*SINCE, "dropped"}:
        return getattr(row, column) or 0
    if column in {"eligible", "share"}:
        return float(getattr(row.counts, column))
    return row.counts.of(column)


def chosen(parts: Sequence[Part], code: str | None) -> Part | None:
    """The part with this code, or the one that matters now: open and closing first, else next, else last.

    None when there are none; raises `NotFound` for a code none of them has.
    """
    if code:
        for part in parts:
            if part.code == code:
                return part
        raise NotFound(f"no batch {code}")
    order: dict[WindowState, int] = {"open": 0, "suspended": 1, "not_yet_open": 2, "closed": 3}

    def nearness(part: Part) -> tuple[int, float]:
        closing = part.window.closes_at.timestamp()
        return order[part.state], -closing if part.state == "closed" else closing

    return min(parts, key=nearness, default=None)
