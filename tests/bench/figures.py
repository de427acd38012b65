"""A figure with its goal, and how two things are measured turn about."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Figure:
    """One measured value and the goal it is held against."""

    name: str
    value: float
    goal: float
    #: whether less is better
    less: bool = False

    def __str__(self) -> str:
        """The line that is printed."""
        reached = self.value <= self.goal if self.less else self.value >= self.goal
        sign = "<=" if self.less else ">="
        return f"{self.name} = {_shown(self.value)} (goal {sign} {_shown(self.goal)}) {'ok' if reached else 'short'}"


def _shown(value: float) -> str:
    return f"{value:.2f}".removesuffix(".00")


def note(text: str) -> None:
    """What a figure is made of."""
    print(f"  {text}", flush=True)


def ratio(name: str, ours: Callable[[int], float], theirs: Callable[[int], float], rounds: int) -> float:
    """The median of `ours` by `theirs`, rates both, measured turn about; the round's number is handed in."""
    pairs = []
    for at in range(rounds):
        first, second = (ours, theirs) if at % 2 == 0 else (theirs, ours)
        rates = first(at), second(at)
        pairs.append(rates if at % 2 == 0 else rates[::-1])
    found = median(one / other for one, other in pairs)
    rate, bound = (median(rates) for rates in zip(*pairs, strict=True))
    note(f"{name}: {rate:,.1f} a second against {bound:,.1f}: {found:.2f}")
    return found
