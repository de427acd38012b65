"""Lots: made card by card, on all cores, and forgotten."""

import hashlib
import random
import threading
from itertools import islice

import pytest

from cards import codes, lots, serials
from cards.codes import Algorithm
from cards.errors import AlgorithmUnavailable, KeyUnusable
from cards.lots import LotRequest

KEYS = {7: bytes(range(32))}


class Seeded:
    """A repeatable source, for tests alone; counts what was asked of it and by which thread."""

    def __init__(self) -> None:
        self._random = random.Random(2017)
        self.salts = 0
        self.threads: set[str] = set()

    def randbelow(self, bound: int, /) -> int:
        return self._random.randrange(bound)

    def token_bytes(self, nbytes: int, /) -> bytes:
        self.threads.add(threading.current_thread().name)
        self.salts += nbytes == codes.SALT_SIZE
        return self._random.randbytes(nbytes)


def make_request(count: int = 12, codes_per_card: int = 10, algorithm: Algorithm = Algorithm.SHA256) -> LotRequest:
    return LotRequest("1701", count, codes_per_card, algorithm, 7)


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_every_code_of_a_lot_opens_its_card_at_its_number(algorithm: Algorithm) -> None:
    made = list(lots.make_lot(make_request(algorithm=algorithm), KEYS))
    assert [card.serial for card in made] == [serials.make("1701", number) for number in range(1, 13)]
    for card in made:
        assert (card.sealed.serial, card.sealed.lot, card.sealed.key_chain) == (card.serial, "1701", (7,))
        assert card.sealed.algorithm is algorithm
        assert card.sealed.count == len(set(card.codes)) == 10
        answers = [codes.judge(card.sealed, index, code, KEYS) for index, code in enumerate(card.codes, start=1)]
        assert None not in answers


def test_cards_share_no_salt_and_no_list_of_codes() -> None:
    made = list(lots.make_lot(make_request(), KEYS))
    assert len({card.sealed.salt for card in made}) == len({card.codes for card in made}) == len(made)


def test_the_same_request_makes_another_lot() -> None:
    once, again = (next(iter(lots.make_lot(make_request(1), KEYS))) for _ in range(2))
    assert once.codes != again.codes


def test_the_number_of_workers_changes_nothing_but_the_speed() -> None:
    alone, many = (list(lots.make_lot(make_request(), KEYS, workers=n, source=Seeded())) for n in (1, 5))
    assert alone == many


def test_a_lot_larger_than_memory_is_begun_only_a_few_cards_ahead() -> None:
    source = Seeded()
    stream = lots.make_lot(make_request(count=9_999_999), KEYS, workers=2, source=source)
    assert len(list(islice(stream, 5))) == 5
    assert source.salts <= 5 + 2 * 4
    stream.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lot")]


def test_the_source_is_asked_in_the_thread_of_the_caller_alone() -> None:
    source = Seeded()
    list(lots.make_lot(make_request(), KEYS, source=source))
    assert source.threads == {threading.current_thread().name}


@pytest.mark.parametrize(
    ("lot", "count", "codes_per_card"),
    [("1701", 1, 9), ("1701", 1, 61), ("1701", 0, 40), ("1701", 10_000_000, 40), ("17", 1, 40)],
)
def test_a_lot_that_cannot_be_printed_cannot_be_asked_for(lot: str, count: int, codes_per_card: int) -> None:
    with pytest.raises(ValueError, match=r"codes|number|lot"):
        LotRequest(lot, count, codes_per_card, Algorithm.SHA256, 7)


def test_a_missing_key_is_noticed_before_the_first_card() -> None:
    with pytest.raises(KeyUnusable):
        lots.make_lot(make_request(), {1: KEYS[7]})


def test_a_key_or_hash_that_does_not_fit_makes_no_card() -> None:
    with pytest.raises(KeyUnusable):
        next(lots.make_lot(make_request(), {7: b"short"}))
    with pytest.raises(AlgorithmUnavailable):
        next(lots.make_lot(make_request(algorithm="sm9"), KEYS))  # type: ignore[arg-type]


def test_a_made_card_does_not_show_its_codes() -> None:
    card = next(lots.make_lot(make_request(1), KEYS))
    assert not any(code in text for code in card.codes for text in (repr(card), str(card)))


def test_the_leaf_commits_to_serial_salt_and_verifiers() -> None:
    card = next(lots.make_lot(make_request(1), KEYS)).sealed
    content = bytes([0]) + card.serial.encode() + card.salt + card.verifiers
    assert lots.leaf(card) == hashlib.sha256(content).digest()
    assert lots.leaf(codes.wrap(card, key=bytes(32), key_version=8)) != lots.leaf(card)
