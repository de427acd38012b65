"""A lot of cards, made card by card: nothing of it is kept, so nothing of it can be made again.

The work is Argon2id, which lets go of Python's lock, so threads use every core. Threads and not processes
because a plain code must not leave the memory of the one process that makes it (D-02): to a pool of processes
it would be written through a pipe.
"""

import os
import secrets
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from cards import codes, serials
from cards.codes import SALT_SIZE, Algorithm, Randomness, SealedCard
from cards.merkle import leaf_hash

FEWEST_CODES: Final = 10
MOST_CODES: Final = 60
# Cards begun ahead of the one handed out, per worker: enough to keep it busy, few enough to hold in memory.
_AHEAD: Final = 4


@dataclass(frozen=True, slots=True)
class LotRequest:
    """What is to be made: `count` cards, numbered from 1, with `codes_per_card` codes each (C-02)."""

    lot: str
    count: int
    codes_per_card: int
    algorithm: Algorithm
    key_version: int

    def __post_init__(self) -> None:
        """Raise `ValueError` for a lot that could not be printed or numbered."""
        serials.make(self.lot, self.count)
        if not FEWEST_CODES <= self.codes_per_card <= MOST_CODES:
            raise ValueError(f"a card has {FEWEST_CODES} to {MOST_CODES} codes, not {self.codes_per_card}")


@dataclass(frozen=True, slots=True)
class Made:
    """One card: its plain codes for the print file alone, and what the service is given instead."""

    serial: str
    codes: tuple[str, ...] = field(repr=False)
    sealed: SealedCard


def make_lot(
    request: LotRequest,
    keys: Mapping[int, bytes],
    *,
    workers: int | None = None,
    source: Randomness = secrets,
) -> Iterator[Made]:
    """Make the cards of a lot in the order of their numbers, a few ahead of the one handed out.

    `workers` is the number of cores to use, by default all. `source` is asked in the calling thread alone.
    Raises `KeyUnusable` at once if the key is not among `keys`; `KeyUnusable` or `AlgorithmUnavailable` with
    the first card if key or hash does not fit. Closing the iterator stops the work.
    """
    key = codes.usable_key(keys, request.key_version)
    return _stream(request, key, workers or len(os.sched_getaffinity(0)), source)


def _stream(request: LotRequest, key: bytes, workers: int, source: Randomness) -> Iterator[Made]:
    pool = ThreadPoolExecutor(workers, thread_name_prefix="lot")
    try:
        begun = (_begin(pool, request, key, number, source) for number in range(1, request.count + 1))
        window: deque[Future[Made]] = deque(islice(begun, workers * _AHEAD))
        while window:
            yield window.popleft().result()
            window.extend(islice(begun, 1))
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(pool: ThreadPoolExecutor, request: LotRequest, key: bytes, number: int, source: Randomness) -> Future[Made]:
    drawn = codes.draw(request.codes_per_card, source)
    return pool.submit(_make, request, key, number, drawn, source.token_bytes(SALT_SIZE))


def _make(request: LotRequest, key: bytes, number: int, drawn: tuple[str, ...], salt: bytes) -> Made:
    serial = serials.make(request.lot, number)
    verifiers = b"".join(
        codes.seal(
            codes.opening(code, salt, index),
            key=key,
            algorithm=request.algorithm,
            lot=request.lot,
            serial=serial,
            index=index,
        )
        for index, code in enumerate(drawn, start=1)
    )
    card = SealedCard(serial, request.lot, request.key_version, request.algorithm, salt, verifiers)
    return Made(serial, drawn, card)


def leaf(card: SealedCard) -> bytes:
    """Return the card's leaf in the lot's Merkle tree, published before any card leaves the province (C-19).

    SHA-256(0x00 ‖ serial ‖ salt ‖ verifiers); serial and salt have fixed lengths. Wrapping changes it, so the
    published root is that of the cards as they were made.
    """
    return leaf_hash(card.serial.encode() + card.salt + card.verifiers)
