"""Completeness: in each batch, how far the candidates of an office are, and who has not filed yet.

Counts come from the tallies (`app.tallies`), so a province costs milliseconds; names from the rows of one
registration point. Both say whether somebody has filed, never what.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Self

from sqlalchemy import Connection, text

from admin.scope import BELOW, Place
from app.batches import State as WindowState
from app.batches import Window
from app.errors import NotFound
from app.evidence import masked
from app.tallies import STATE_FROM, STATE_SQL, STATES, State
from app.wording import N_

#: states that still need somebody to do something, worst first
MISSING: Final[tuple[State, ...]] = ("never_signed_in", "not_bound", "nothing_filed", "draft_only")
STATE_NAMES: Final[dict[State, str]] = {
    "never_signed_in": N_("Never signed in"),
    "not_bound": N_("Card not bound"),
    "nothing_filed": N_("Nothing filed"),
    "draft_only": N_("Draft only"),
    "filed": N_("Filed"),
    "waived": N_("Waived"),
}

Column = Literal[
    "office",
    "eligible",
    "never_signed_in",
    "not_bound",
    "nothing_filed",
    "draft_only",
    "filed",
    "waived",
    "share",
]
#: columns of a table of counts; each but the first sorts its worst row to the top
COLUMNS: Final[tuple[Column, ...]] = ("office", "eligible", *STATES, "share")
#: where little is bad
_LITTLE_IS_WORST: Final = frozenset({"office", "filed", "share"})


@dataclass(frozen=True, slots=True)
class Counts:
    """How many candidates stand where."""

    never_signed_in: int = 0
    not_bound: int = 0
    nothing_filed: int = 0
    draft_only: int = 0
    filed: int = 0
    waived: int = 0

    @property
    def eligible(self) -> int:
        """All whose subject class files in the batch."""
        return sum(self.of(state) for state in STATES)

    @property
    def settled(self) -> int:
        """Those with a filing in force: a list, or a waiver."""
        return self.filed + self.waived

    @property
    def missing(self) -> int:
        """Those without."""
        return self.eligible - self.settled

    @property
    def share(self) -> float:
        """The settled among the eligible; 1 where there is nobody."""
        return self.settled / self.eligible if self.eligible else 1.0

    def of(self, state: State) -> int:
        """The count of one state."""
        return int(getattr(self, state))

    def __add__(self, other: Self) -> "Counts":
        """Both together."""
        return Counts(*(self.of(state) + other.of(state) for state in STATES))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: an office, or a class of a point."""

    #: the office's id, or the class' number
    key: str
    #: what orders rows that are otherwise alike: region code, or class
    code: str
    name: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch, and how far an office is in it."""

    id: int
    code: str
    name: str
    window: Window
    rows: tuple[Row, ...]
    as_of: datetime

    @property
    def state(self) -> WindowState:
        """The window's state when it was counted."""
        return self.window.state_at(self.as_of)

    @property
    def total(self) -> Counts:
        """The whole office."""
        return total(self.rows)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one candidate stands."""

    candidate_no: str
    name: str
    class_no: str
    state: State

    @property
    def masked_no(self) -> str:
        """The candidate number as lists show it (P-02)."""
        return masked(self.candidate_no)


def total(lines: Iterable[Row]) -> Counts:
    """All rows together."""
    return sum((line.counts for line in lines), Counts())


_SUMS: Final = ", ".join(f"sum(t.{state})::bigint AS {state}" for state in STATES)
_OVERVIEW = text(f"""
    WITH points AS MATERIALIZED (
        SELECT p.id, nullif(split_part(p.path, '/', :position), '')::bigint AS office_id FROM offices p
        WHERE {BELOW}
    ), counted AS (
        SELECT t.batch_id, s.office_id, {_SUMS}
        FROM points s JOIN tallies t ON t.point_id = s.id
        GROUP BY t.batch_id, s.office_id
    )
    SELECT b.id AS batch_id, b.code AS batch_code, b.name AS batch_name, b.opens_at, b.closes_at,
           b.suspended_at, clock_timestamp() AS now, o.id AS office_id, o.code, o.name,
           {", ".join(f"n.{state}" for state in STATES)}
    FROM batches b LEFT JOIN counted n ON n.batch_id = b.id LEFT JOIN offices o ON o.id = n.office_id
    ORDER BY b.opens_at, b.position, b.code, o.code
""")  # noqa: S608 -- constants


def batches(connection: Connection, place: Place) -> list[Batch]:
    """Every batch with the counts of the offices directly below `place`, or of the point itself. One question."""
    # "/1/4/27/": a split by slashes has the office itself at 4, an office below it at 5
    position = place.path.count("/") + (0 if place.level == "point" else 1)
    found: dict[int, list[Mapping[Any, Any]]] = {}
    for row in connection.execute(_OVERVIEW, {"position": position, "within": place.path}).mappings():
        found.setdefault(row["batch_id"], []).append(row)
    return [_batch(rows) for rows in found.values()]


def _batch(rows: Sequence[Mapping[Any, Any]]) -> Batch:
    first = rows[0]
    return Batch(
        id=first["batch_id"],
        code=first["batch_code"],
        name=first["batch_name"],
        window=Window(first["opens_at"], first["closes_at"], first["suspended_at"]),
        rows=tuple(
            Row(
                str(row["office_id"]),
                row["code"],
                row["name"],
                Counts(*(int(row[state]) for state in STATES)),
            )
            for row in rows
            if row["office_id"] is not None
        ),
        as_of=first["now"],
    )


def chosen(found: Sequence[Batch], code: str | None) -> Batch | None:
    """The batch with this code, or the one that matters now: open and closing first, else next, else last.

    None when there are no batches; raises `NotFound` for a code nobody has.
    """
    if code:
        for batch in found:
            if batch.code == code:
                return batch
        raise NotFound(f"no batch {code}")
    order: dict[WindowState, int] = {"open": 0, "suspended": 1, "not_yet_open": 2, "closed": 3}

    def nearness(batch: Batch) -> tuple[int, float]:
        closing = batch.window.closes_at.timestamp()
        return order[batch.state], -closing if batch.state == "closed" else closing

    return min(found, key=nearness, default=None)


_STANDINGS = text(f"""
    SELECT c.candidate_no, c.name, c.class_no, {STATE_SQL} AS state
    FROM {STATE_FROM}
    WHERE c.point_id = :point AND b.id = :batch AND (CAST(:class AS text) IS NULL OR c.class_no = :class)
    ORDER BY c.class_no, c.candidate_no
""")  # noqa: S608 -- constants


def standings(connection: Connection, place: Place, batch_id: int, class_no: str | None = None) -> list[Standing]:
    """Where each candidate of a point (or of one of its classes) stands in a batch. One question."""
    found = connection.execute(_STANDINGS, {"point": place.id, "batch": batch_id, "class": class_no})
    return [Standing(**row) for row in found.mappings()]


def classes(people: Iterable[Standing]) -> tuple[Row, ...]:
    """The counts of each class."""
    found: dict[str, dict[State, int]] = {}
    for person in people:
        counts = found.setdefault(person.class_no, dict.fromkeys(STATES, 0))
        counts[person.state] += 1
    return tuple(Row(class_no, class_no, class_no, Counts(**counts)) for class_no, counts in found.items())


def among(people: Iterable[Standing], state: str) -> list[Standing]:
    """Those in one state, or, for "", all without a filing; raises `NotFound` for a state there is not."""
    if state and state not in STATES:
        raise NotFound(f"no state {state}")
    wanted = (state,) if state else MISSING
    return [person for person in people if person.state in wanted]


def in_order(lines: Iterable[Row], order: str) -> list[Row]:
    """The rows by a column, its worst first; by "-column" the other way round. Raises `NotFound` for others."""
    name = order.removeprefix("-")
    if name not in COLUMNS:
        raise NotFound(f"no column {name}")
    backwards = (name not in _LITTLE_IS_WORST) != order.startswith("-")
    by_code = sorted(lines, key=lambda line: line.code)
    if name == "office":
        return by_code[::-1] if backwards else by_code
    return sorted(by_code, key=lambda line: getattr(line.counts, name), reverse=backwards)


def direction(order: str) -> str:
    """Which way `in_order` sorts: "ascending" or "descending"."""
    name = order.removeprefix("-")
    return "descending" if (name not in _LITTLE_IS_WORST) != order.startswith("-") else "ascending"
