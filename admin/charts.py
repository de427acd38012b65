"""Charts: the geometry of a curve over time, for a template to draw as SVG. Words and the table are the page's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 260
LEFT: Final = 76
RIGHT: Final = 16
TOP: Final = 14
BOTTOM: Final = 40
_ACROSS: Final = WIDTH - LEFT - RIGHT
_UP: Final = HEIGHT - TOP - BOTTOM
_MARKS: Final = 4


@dataclass(frozen=True, slots=True)
class Curve:
    """A count over time below the line of all there are."""

    #: "x,y x,y …"
    line: str
    #: the same, closed along the axis
    area: str
    dots: tuple[tuple[float, float], ...]
    #: places on the two axes, and what stands there
    times: tuple[tuple[float, datetime], ...]
    numbers: tuple[tuple[float, int], ...]
    bottom: float = TOP + _UP
    right: float = LEFT + _ACROSS


def curve(points: Sequence[tuple[datetime, int]], most: int) -> Curve | None:
    """The curve through `points`, in the order of time, with room up to `most`; None for fewer than two."""
    if len(points) < 2 or points[0][0] >= points[-1][0]:
        return None
    start, end = points[0][0], points[-1][0]
    step = _step(max(most, *(number for _, number in points), 1))
    top = step * _MARKS

    def across(at: datetime) -> float:
        return round(LEFT + _ACROSS * ((at - start) / (end - start)), 1)

    def up(number: int) -> float:
        return round(TOP + _UP * (1 - number / top), 1)

    places = tuple((across(at), up(number)) for at, number in points)
    line = " ".join(f"{x},{y}" for x, y in places)
    return Curve(
        line=line,
        area=f"{places[0][0]},{TOP + _UP} {line} {places[-1][0]},{TOP + _UP}",
        dots=places if len(places) <= 30 else (places[-1],),
        times=tuple((across(at), at) for at in _spread(start, end)),
        numbers=tuple((up(step * at), step * at) for at in range(_MARKS + 1)),
    )


def _spread(start: datetime, end: datetime) -> list[datetime]:
    return [start + (end - start) * at / 3 for at in range(4)]


def _step(most: int) -> int:
    """A round number that reaches `most` in four steps."""
    wanted = -(-most // _MARKS)
    unit = 1
    while True:
        for times in (1, 2, 5):
            if unit * times >= wanted:
                return unit * times
        unit *= 10
