"""Codes: how they are drawn, read, sealed and judged."""

import hashlib
import re
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given, settings
from hypothesis import strategies as st

from cards import codes
from cards.codes import Algorithm, SealedCard
from cards.errors import AlgorithmUnavailable, KeyUnusable, MalformedCode, NoSuchIndex

KEYS = {1: bytes(range(32)), 2: bytes(range(32, 64)), 3: bytes(range(64, 96))}
SALT = bytes(range(16))
LOT, SERIAL = "1701", "170100000017"

randoms = st.integers(0, 10**7 - 1).map(lambda number: f"{number:07}")
whole_codes = randoms.map(lambda digits: digits + codes.check_digit(digits))
digit_texts = st.text("0123456789", min_size=1, max_size=20)


def sealed(
    drawn: tuple[str, ...],
    *,
    keys: Mapping[int, bytes] = KEYS,
    algorithm: Algorithm = Algorithm.SHA256,
    lot: str = LOT,
    serial: str = SERIAL,
) -> SealedCard:
    verifiers = b"".join(
        codes.seal(
            codes.opening(code, SALT, index),
            key=keys[1],
            algorithm=algorithm,
            lot=lot,
            serial=serial,
            index=index,
        )
        for index, code in enumerate(drawn, start=1)
    )
    return SealedCard(serial, lot, 1, algorithm, SALT, verifiers)


def make_code(digits: str) -> str:
    return digits + codes.check_digit(digits)


CODES = tuple(make_code(digits) for digits in ("1234567", "0000000", "9999999", "0420017"))
CARD = sealed(CODES)
WRONG = make_code("7654321")


# Drawing


def test_a_card_gets_as_many_different_well_formed_codes_as_asked() -> None:
    for n in (10, 40, 60):
        drawn = codes.draw(n)
        assert len(set(drawn)) == len(drawn) == n
        assert [codes.normalise(code) for code in drawn] == list(drawn)


def test_a_code_drawn_twice_or_beyond_the_last_whole_ten_million_is_drawn_again() -> None:
    class Stuck:
        """A source that repeats itself."""

        def __init__(self) -> None:
            self.left = [5, 5, 10_000_005, 4_290_000_000, 4_289_999_999, 9]

        def randbelow(self, _bound: int, /) -> int:
            raise AssertionError

        def token_bytes(self, nbytes: int, /) -> bytes:
            return b"".join(self.left.pop(0).to_bytes(4) for _ in range(nbytes // 4))

    assert codes.draw(3, Stuck()) == tuple(make_code(digits) for digits in ("0000005", "9999999", "0000009"))


def test_a_million_codes_are_spread_evenly() -> None:
    drawn = [code for _ in range(20_000) for code in codes.draw(50)]
    for found in (Counter(code[:4] for code in drawn), Counter(code[4:] for code in drawn)):
        statistic = sum((found[f"{number:04}"] - 100) ** 2 / 100 for number in range(10_000))
        # 9,999 degrees of freedom; six standard deviations (141 each) to either side.
        assert 9_150 < statistic < 10_850


# Reading


def test_the_check_digit_is_the_published_one() -> None:
    assert codes.check_digit("572") == "4"  # the example in Damm's thesis


@given(digit_texts, st.data())
def test_every_wrong_digit_is_noticed(digits: str, data: st.DataObject) -> None:
    whole = make_code(digits)
    place = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != whole[place]]))
    wrong = whole[:place] + other + whole[place + 1 :]
    assert codes.check_digit(wrong[:-1]) != wrong[-1]


@given(digit_texts, st.data())
def test_every_swap_of_neighbours_is_noticed(digits: str, data: st.DataObject) -> None:
    whole = make_code(digits)
    place = data.draw(st.integers(0, len(whole) - 2))
    swapped = whole[:place] + whole[place + 1] + whole[place] + whole[place + 2 :]
    assert swapped == whole or codes.check_digit(swapped[:-1]) != swapped[-1]


def test_in_one_code_no_single_slip_is_missed() -> None:
    whole = make_code("1234567")
    slips = {whole[:place] + digit + whole[place + 1 :] for place in range(8) for digit in "0123456789"} | {
        whole[:place] + whole[place + 1] + whole[place] + whole[place + 2 :] for place in range(7)
    }
    for slip in slips - {whole}:
        with pytest.raises(MalformedCode, match="check_digit"):
            codes.normalise(slip)


@pytest.mark.parametrize(
    "typed",
    [
        "12345671",
        "1234 5671",
        "1234-5671",
        " 12345671\r\n",
        "１２３４ ５６７１",
        "１２３４　５６７１",
        "1234－5671",
        "1234—5671",
        "1234−5671",
        "1234ー5671",
        "1\u200b2\u00ad3\u00a04\ufeff5671",
        "1 2 3 4 5 6 7 1",
    ],
)
def test_what_a_person_may_type_is_read_as_the_code(typed: str) -> None:
    assert make_code("1234567") == "12345671"
    assert codes.normalise(typed) == "12345671"


@given(
    whole_codes,
    st.lists(st.sampled_from([" ", "-", "－", "—", "　", "\t", "\u200d"]), min_size=9, max_size=9),
)
def test_blanks_dashes_and_width_never_change_a_code(code: str, fillers: list[str]) -> None:
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in code)
    for text in (code, wide):
        typed = fillers[0] + "".join(digit + filler for digit, filler in zip(text, fillers[1:], strict=True))
        assert codes.normalise(typed) == code
    assert codes.normalise(codes.grouped(code)) == code


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "length"),
        ("  - ", "length"),
        ("1234567", "length"),
        ("123456711", "length"),
        ("1" * 100_000, "length"),
        ("１２３４ ５６７", "length"),
        ("1234567l", "not_digits"),
        ("1234_5671", "not_digits"),
        ("一二三四五六七八", "not_digits"),
        ("١٢٣٤٥٦٧١", "not_digits"),
        ("12345678", "check_digit"),
        ("１２３４ ５６７８", "check_digit"),
        ("1234-5678", "check_digit"),
    ],
)
def test_a_slip_is_refused_with_its_reason(typed: str, reason: str) -> None:
    with pytest.raises(MalformedCode) as caught:
        codes.normalise(typed)
    assert caught.value.reason == reason


@given(st.text(max_size=80))
def test_any_text_is_either_a_code_or_a_slip_that_is_not_quoted(text: str) -> None:
    said = ""
    try:
        code = codes.normalise(text)
    except MalformedCode as slip:
        code, said = "", str(slip)
    assert re.fullmatch("[0-9]{8}", code) or said in {"not_digits", "length", "check_digit"}


# Sealing, against a second implementation of every primitive (OpenSSL through `cryptography`)


def expected_opening(code: str, index: int) -> bytes:
    salt = hashlib.sha256(b"salt" + SALT + bytes([0, index])).digest()[:16]
    return Argon2id(salt=salt, length=32, iterations=1, lanes=1, memory_cost=1024).derive(code.encode())


def expected_mac(key: bytes, message: bytes, algorithm: Algorithm) -> bytes:
    mac = HMAC(key, hashes.SM3() if algorithm is Algorithm.SM3 else hashes.SHA256())
    mac.update(message)
    return mac.finalize()[:16]


@pytest.mark.parametrize("algorithm", list(Algorithm))
@pytest.mark.parametrize("index", [1, 2, 40, 60])
def test_opening_and_verifier_are_the_written_formula(algorithm: Algorithm, index: int) -> None:
    opening = codes.opening(CODES[0], SALT, index)
    assert opening == expected_opening(CODES[0], index)
    message = b"card v1" + b"\x00\x041701" + b"\x00\x0c170100000017" + bytes([0, index]) + opening
    verifier = codes.seal(opening, key=KEYS[1], algorithm=algorithm, lot=LOT, serial=SERIAL, index=index)
    assert verifier == expected_mac(KEYS[1], message, algorithm)


def test_the_formula_never_changes_under_cards_already_printed() -> None:
    opening = codes.opening("12345671", SALT, 1)
    assert opening.hex() == "7a50363621241c56f92aa5ba1cb4e056c51d9b4b5c38eedcae25f439f4860d9c"
    by_algorithm = {
        algorithm: codes.seal(opening, key=KEYS[1], algorithm=algorithm, lot=LOT, serial=SERIAL, index=1).hex()
        for algorithm in Algorithm
    }
    assert by_algorithm == {
        Algorithm.SHA256: "5cb26dfdc56a649a5296863fb3d9fb3b",
        Algorithm.SM3: "1be842a77296ae835e1e921e8b89aa89",
    }


def test_lot_and_serial_cannot_be_shifted_into_each_other() -> None:
    opening = bytes(32)
    verifiers = {
        codes.seal(opening, key=KEYS[1], algorithm=Algorithm.SHA256, lot=lot, serial=serial, index=1)
        for lot, serial in (("1701", "23"), ("170", "123"), ("17012", "3"), ("", "170123"), ("170123", ""))
    }
    assert len(verifiers) == 5


def test_a_key_that_is_too_short_seals_nothing() -> None:
    for key in (b"", bytes(31)):
        with pytest.raises(KeyUnusable):
            codes.seal(bytes(32), key=key, algorithm=Algorithm.SHA256, lot=LOT, serial=SERIAL, index=1)


def test_a_hash_this_machine_lacks_is_named() -> None:
    with pytest.raises(AlgorithmUnavailable, match="sm9"):
        codes.seal(bytes(32), key=KEYS[1], algorithm="sm9", lot=LOT, serial=SERIAL, index=1)  # type: ignore[arg-type]


# Judging


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(list(Algorithm)), st.lists(whole_codes, min_size=2, max_size=6, unique=True))
def test_each_code_is_right_in_its_own_place_and_nowhere_else(algorithm: Algorithm, drawn: list[str]) -> None:
    card = sealed(tuple(drawn), algorithm=algorithm)
    for place in range(1, card.count + 1):
        for index, code in enumerate(drawn, start=1):
            answer = codes.judge(card, place, code, KEYS)
            assert answer == (codes.opening(code, SALT, index) if place == index else None)


def test_a_code_is_judged_as_it_was_typed() -> None:
    assert codes.judge(CARD, 1, "１２３４－５６７１", KEYS) == codes.opening("12345671", SALT, 1)


def test_a_slip_is_not_judged() -> None:
    with pytest.raises(MalformedCode):
        codes.judge(CARD, 1, "12345670", KEYS)


def test_another_serial_lot_salt_key_or_algorithm_refuses_the_right_code() -> None:
    assert codes.judge(CARD, 1, CODES[0], KEYS) is not None
    others = [
        replace(CARD, serial="170100000024"),
        replace(CARD, lot="1702"),
        replace(CARD, salt=bytes(16)),
        replace(CARD, key_version=2),
        replace(CARD, algorithm=Algorithm.SM3),
    ]
    assert [codes.judge(card, 1, CODES[0], KEYS) for card in others] == [None] * len(others)
    assert codes.judge(CARD, 1, CODES[0], {1: KEYS[2]}) is None
    assert codes.judge(CARD, 1, WRONG, KEYS) is None


@given(st.integers(0, 8 * 64 - 1))
@settings(max_examples=20, deadline=None)
def test_one_altered_bit_of_a_verifier_refuses_its_code_and_no_other(bit: int) -> None:
    altered = bytearray(CARD.verifiers)
    altered[bit // 8] ^= 1 << bit % 8
    card = replace(CARD, verifiers=bytes(altered))
    hit = bit // 128 + 1
    assert [index for index in range(1, 5) if codes.judge(card, index, CODES[index - 1], KEYS) is None] == [hit]


def test_an_index_the_card_does_not_have_is_an_error_and_never_a_match() -> None:
    for index in (-1, 0, 5, 65_535):
        with pytest.raises(NoSuchIndex):
            codes.matches(CARD.verifiers, index, b"")
    for index in (0, 5):
        with pytest.raises(NoSuchIndex):
            codes.judge(CARD, index, CODES[0], KEYS)


def test_a_verifier_cut_short_does_not_match() -> None:
    assert codes.matches(CARD.verifiers, 1, CARD.verifiers[:16])
    assert not codes.matches(CARD.verifiers, 1, CARD.verifiers[:15])
    assert not codes.matches(CARD.verifiers, 1, b"")


def test_a_missing_key_is_an_error_and_not_a_wrong_code() -> None:
    with pytest.raises(KeyUnusable, match="version 1"):
        codes.judge(CARD, 1, CODES[0], {2: KEYS[2]})


def test_a_damaged_row_is_not_a_card() -> None:
    for damage in ({"salt": b""}, {"salt": bytes(17)}, {"verifiers": b""}, {"verifiers": bytes(17)}):
        with pytest.raises(ValueError, match="bytes"):
            replace(CARD, **damage)  # type: ignore[arg-type]


def test_the_opening_kept_after_use_proves_the_code_was_given() -> None:
    opening = codes.judge(CARD, 2, CODES[1], KEYS)
    assert opening is not None
    assert codes.proves(CARD, 2, opening, KEYS)
    assert not codes.proves(CARD, 1, opening, KEYS)
    assert not codes.proves(CARD, 2, bytes(32), KEYS)


def test_no_code_opens_a_decoy() -> None:
    card = codes.decoy(SERIAL, count=40, key_version=1)
    assert card.count == 40
    assert codes.judge(card, 40, codes.draw(1)[0], KEYS) is None


# Wrapping


def test_after_wrapping_the_old_codes_work_with_both_keys_and_with_neither_alone() -> None:
    wrapped = codes.wrap(CARD, key=KEYS[2], key_version=2)
    assert wrapped.key_chain == (1, 2)
    for index, code in enumerate(CODES, start=1):
        assert codes.judge(wrapped, index, code, KEYS) == codes.judge(CARD, index, code, KEYS)
        assert codes.judge(wrapped, index, WRONG, KEYS) is None
    assert codes.judge(replace(wrapped, wraps=()), 1, CODES[0], KEYS) is None
    assert codes.judge(replace(wrapped, key_version=2, wraps=()), 1, CODES[0], KEYS) is None
    assert codes.judge(wrapped, 1, CODES[0], {1: KEYS[1], 2: KEYS[3]}) is None
    assert codes.judge(wrapped, 1, CODES[0], {1: KEYS[3], 2: KEYS[2]}) is None
    with pytest.raises(KeyUnusable):
        codes.judge(wrapped, 1, CODES[0], {1: KEYS[1]})


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_wrapped_verifier_is_the_written_formula(algorithm: Algorithm) -> None:
    card = sealed(CODES[:2], algorithm=algorithm)
    wrapped = codes.wrap(card, key=KEYS[2], key_version=2)
    parts = [card.verifiers[start:end] for start, end in pairwise((0, 16, 32))]
    assert wrapped.verifiers == b"".join(expected_mac(KEYS[2], b"wrap" + part, algorithm) for part in parts)
    assert (wrapped.serial, wrapped.lot, wrapped.salt) == (card.serial, card.lot, card.salt)


def test_wraps_pile_up_in_order() -> None:
    twice = codes.wrap(codes.wrap(CARD, key=KEYS[2], key_version=2), key=KEYS[3], key_version=3)
    assert twice.key_chain == (1, 2, 3)
    assert codes.judge(twice, 3, CODES[2], KEYS) is not None
    assert codes.judge(replace(twice, wraps=(3, 2)), 3, CODES[2], KEYS) is None


def test_a_card_is_not_wrapped_twice_by_a_run_begun_again() -> None:
    wrapped = codes.wrap(CARD, key=KEYS[2], key_version=2)
    for card, version in ((CARD, 1), (wrapped, 2), (wrapped, 1)):
        with pytest.raises(KeyUnusable, match="already"):
            codes.wrap(card, key=KEYS[version], key_version=version)


def test_the_operating_system_is_the_default_source() -> None:
    source: codes.Randomness = secrets
    assert codes.draw.__defaults__ == (source,)
