"""Challenges: which code is asked for."""

import hmac
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cards import challenges, serials
from cards.challenges import _below
from cards.errors import CardExhausted, KeyUnusable

KEY = bytes(range(32))
counts = st.integers(2, 60)


# One unused code


@given(counts, st.data())
def test_only_an_unused_code_that_is_not_excluded_is_asked_for(count: int, data: st.DataObject) -> None:
    used = data.draw(st.sets(st.integers(1, count), max_size=count - 1))
    left = set(range(1, count + 1)) - used
    assert challenges.draw_index(count, used) in left
    exclude = data.draw(st.sampled_from(sorted(left)))
    if len(left) > 1:
        assert challenges.draw_index(count, list(used), (exclude,)) in left - {exclude}


@given(counts, st.data())
def test_an_exhausted_card_is_asked_nothing(count: int, data: st.DataObject) -> None:
    last = data.draw(st.integers(1, count))
    with pytest.raises(CardExhausted):
        challenges.draw_index(count, range(1, count + 1))
    with pytest.raises(CardExhausted):
        challenges.draw_index(count, set(range(1, count + 1)) - {last}, (last,))


def test_each_unused_code_is_asked_for_equally_often() -> None:
    used = {1, 7, 40}
    found = Counter(challenges.draw_index(40, used) for _ in range(37_000))
    assert not used & found.keys()
    # 36 degrees of freedom: 110 has a probability of about 1e-9.
    assert sum((found[index] - 1000) ** 2 / 1000 for index in range(1, 41) if index not in used) < 110


# The pair at activation


@given(st.binary(min_size=32, max_size=64), st.text(max_size=20), counts)
def test_the_pair_is_two_different_codes_of_the_card_and_always_the_same(key: bytes, serial: str, count: int) -> None:
    first, second = challenges.pair_for_binding(key, serial, count)
    assert first != second
    assert {first, second} <= set(range(1, count + 1))
    assert challenges.pair_for_binding(key, serial, count) == (first, second)


def test_the_pair_follows_the_written_formula() -> None:
    word = int.from_bytes(hmac.digest(KEY, b"pair v1170100000017" + bytes(4), "sha256")[:4], "big")
    pairs = [(first, second) for first in range(1, 41) for second in range(1, 41) if first != second]
    assert challenges.pair_for_binding(KEY, "170100000017", 40) == pairs[word % len(pairs)]


def test_another_key_asks_other_pairs() -> None:
    names = [serials.make("1701", number) for number in range(1, 201)]
    same = sum(
        challenges.pair_for_binding(KEY, name, 40) == challenges.pair_for_binding(KEY[::-1], name, 40) for name in names
    )
    assert same < 5  # one in 1,560 by chance


@pytest.mark.parametrize("count", [2, 3, 10])
def test_every_ordered_pair_is_equally_likely_over_the_serials(count: int) -> None:
    pairs = count * (count - 1)
    found = Counter(
        challenges.pair_for_binding(KEY, serials.make("1701", number), count) for number in range(1, 200 * pairs + 1)
    )
    assert len(found) == pairs
    statistic = sum((times - 200) ** 2 / 200 for times in found.values())
    assert statistic < pairs - 1 + 6 * (2 * (pairs - 1)) ** 0.5


def test_what_the_rejection_leaves_is_uniform() -> None:
    bound = 3 * 2**30  # a quarter of all words is rejected; without that, the first third would come twice as often
    found = Counter(_below(bound, KEY, str(number).encode()) >> 30 for number in range(6000))
    assert set(found) == {0, 1, 2}
    assert sum((times - 2000) ** 2 / 2000 for times in found.values()) < 40


def test_a_short_key_or_a_card_of_one_code_gives_no_pair() -> None:
    with pytest.raises(KeyUnusable):
        challenges.pair_for_binding(KEY[:31], "170100000017", 40)
    with pytest.raises(ValueError, match="two codes"):
        challenges.pair_for_binding(KEY, "170100000017", 1)
