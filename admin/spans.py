"""Spans of cards: from one serial to another, as they lie in a box.

A card's number is its serial without the check digit, lot and running number in one: cards that lie side by side
have numbers side by side. Pure: values in, values out.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cards import serials
from cards.errors import MalformedSerial
from cards.serials import LARGEST_NUMBER, NUMBER_DIGITS

_PER_LOT: Final = 10**NUMBER_DIGITS
#: between the two serials of a span: a dash with blanks around it, or one of the dashes no serial has inside
_UNTIL: Final = re.compile(r"\s+[-–—~～]\s+|\s*[–—~～]\s*|\s*至\s*")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Cards side by side: numbers, first and last included."""

    first: int
    last: int

    @property
    def count(self) -> int:
        """How many numbers."""
        return self.last - self.first + 1

    @property
    def words(self) -> str:
        """As pages and papers show it."""
        ends = [shown(self.first)] if self.first == self.last else [shown(self.first), shown(self.last)]
        return " – ".join(ends)


@dataclass(frozen=True, slots=True)
class Unread:
    """A line nobody can read as a serial or as two."""

    line: str


def number_of(serial: str) -> int:
    """The number of a card whose serial is twelve plain digits."""
    return int(serial[:-1])


def serial_of(number: int) -> str:
    """The serial of a card."""
    return serials.make(f"{number // _PER_LOT:04d}", number % _PER_LOT)


def shown(number: int) -> str:
    """The serial of a card as it is printed."""
    return serials.grouped(serial_of(number))


def of_lot(lot: str, cards: int) -> Span:
    """All cards of a lot."""
    return Span(int(lot) * _PER_LOT + 1, int(lot) * _PER_LOT + min(cards, LARGEST_NUMBER))


def read(text: str) -> list[Span] | Unread:
    """What is typed or scanned, one serial or "first – last" a line; the first line that cannot be read, if any."""
    found: list[Span] = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        ends = [_number(part) for part in _UNTIL.split(line)]
        first, last = ends[0], ends[-1]
        if len(ends) > 2 or first is None or last is None or first > last or first // _PER_LOT != last // _PER_LOT:
            return Unread(line[:60])
        found.append(Span(first, last))
    return found


def _number(text: str) -> int | None:
    try:
        return number_of(serials.parse(text).text)
    except MalformedSerial:
        return None


def written(spans: Iterable[Span]) -> str:
    """What `read` reads: one span a line."""
    return "\n".join(span.words for span in spans)


def joined(spans: Iterable[Span]) -> list[Span]:
    """The same numbers in as few spans as can be, in order."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.first <= found[-1].last + 1:
            found[-1] = Span(found[-1].first, max(found[-1].last, span.last))
        else:
            found.append(span)
    return found


def without(spans: Iterable[Span], gone: Iterable[Span]) -> list[Span]:
    """The numbers of `spans` that are not in `gone`."""
    left = joined(spans)
    for cut in joined(gone):
        pieces = [
            piece
            for span in left
            for piece in (
                Span(span.first, min(span.last, cut.first - 1)),
                Span(max(span.first, cut.last + 1), span.last),
            )
        ]
        left = [piece for piece in pieces if piece.first <= piece.last]
    return left


def of_numbers(numbers: Iterable[int]) -> list[Span]:
    """Single numbers as spans."""
    return joined(Span(number, number) for number in numbers)


def total(spans: Iterable[Span]) -> int:
    """How many numbers in spans that do not overlap."""
    return sum(span.count for span in spans)


def ends(spans: Sequence[Span]) -> dict[str, list[int]]:
    """The parameters of a statement that unnests spans: `:firsts` and `:lasts`."""
    return {"firsts": [span.first for span in spans], "lasts": [span.last for span in spans]}
