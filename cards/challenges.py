"""Which codes to ask for.

When filing: one unused code at random, kept by the caller until it is answered (C-04). At activation: two
codes that follow from the serial alone, so that nobody can reload the page until it asks for codes he happens
to know (A-02).
"""

import hmac
import secrets
from collections.abc import Collection
from itertools import count as count_from
from typing import Final

from cards.codes import KEY_SIZE, Randomness
from cards.errors import CardExhausted, KeyUnusable

_WORD: Final = 2**32


def draw_index(count: int, used: Collection[int], exclude: Collection[int] = (), source: Randomness = secrets) -> int:
    """Draw the number of a code to ask for: uniform among 1 to `count` without those `used` or in `exclude`.

    `exclude` is for the second code of a pair. Raises `CardExhausted` if none is left.
    """
    unused = sorted(set(range(1, count + 1)).difference(used, exclude))
    if not unused:
        raise CardExhausted
    return unused[source.randbelow(len(unused))]


def pair_for_binding(key: bytes, serial: str, count: int) -> tuple[int, int]:
    """Return the two different indices, in order, that activation asks of whoever names this serial.

    They depend on nothing but the arguments and are unpredictable without `key`: a real, a foreign and an
    unknown serial look alike, and a second try is asked the same. That holds only if `count` is the same for
    every serial, known or not: pass the smallest among the lots in circulation. Uniform over ordered pairs.

    Raises `KeyUnusable` for a key shorter than 256 bits and `ValueError` for a card of fewer than two codes.
    """
    if len(key) < KEY_SIZE:
        raise KeyUnusable(f"a binding key has {KEY_SIZE} bytes, not {len(key)}")
    if count <= 1:
        raise ValueError("a pair needs a card of two codes or more")
    pairs = count * (count - 1)
    first, second = divmod(_below(pairs, key, b"pair v1" + serial.encode()), count - 1)
    return first + 1, second + 1 + (second >= first)


def _below(bound: int, key: bytes, label: bytes) -> int:
    """Return a number below `bound` that follows from key and label: uniform, by rejecting the last few."""
    limit = _WORD - _WORD % bound
    digests = (hmac.digest(key, label + attempt.to_bytes(4, "big"), "sha256") for attempt in count_from())
    words = (int.from_bytes(digest[:4], "big") for digest in digests)
    return next(word for word in words if word < limit) % bound
