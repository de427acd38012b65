"""The codes of a card: drawn, read as typed, sealed, judged.

A code is seven random digits and a check digit. It is never stored; a card's row keeps one verifier a code:

    A_i  = Argon2id(code_i, salt = SHA-256("salt" ‖ card_salt ‖ u16(i))[:16], m = 1 MiB, t = 1, p = 1)[:32]
    v_i  = HMAC_K("card v1" ‖ u16(|lot|) ‖ lot ‖ u16(|serial|) ‖ serial ‖ u16(i) ‖ A_i)[:16]
    v'_i = HMAC_K'("wrap" ‖ v_i)[:16]            once more for each later key of the card's chain

HMAC is with SHA-256 or SM3; u16 is big-endian; a code enters as its eight ASCII digits, lot and serial as
UTF-8; i counts from 1, as printed. The lengths before lot and serial keep two different pairs from ever
making one message, and no context is the beginning of another.

The key K carries the protection: ten million codes are few, so whoever has the row *and* K can search them,
at about an hour of one core for a code. Argon2id is there for that case alone and is therefore light.
"""

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Final, Protocol

from argon2.low_level import Type, hash_secret_raw

from cards.errors import AlgorithmUnavailable, KeyUnusable, Malformed, MalformedCode, NoSuchIndex

CODE_LENGTH: Final = 8
SALT_SIZE: Final = 16
VERIFIER_SIZE: Final = 16
OPENING_SIZE: Final = 32
KEY_SIZE: Final = 32

# The totally anti-symmetric quasigroup of order 10 from H. M. Damm's thesis (Marburg, 2004).
_DAMM: Final = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)
_LONGEST_TEXT: Final = 64
_NUMBERS: Final = 10 ** (CODE_LENGTH - 1)
_WORD_SIZE: Final = 4
_WORD_LIMIT: Final = 2 ** (8 * _WORD_SIZE) // _NUMBERS * _NUMBERS
# Dashes that Unicode does not class as dashes: minus sign, hyphen bullet, modifier minus, Katakana long vowel
# mark (one key away from the hyphen in Chinese and Japanese input methods) and the box-drawing line.
_OTHER_DASHES: Final = frozenset("\u2212\u2043\u02d7\u30fc\u2500")


class Randomness(Protocol):
    """Where codes and salts come from. The module `secrets` is one: the operating system's CSPRNG."""

    def randbelow(self, exclusive_upper_bound: int, /) -> int:
        """Draw a uniform integer from 0 up to, not including, the bound."""

    def token_bytes(self, nbytes: int, /) -> bytes:
        """Draw that many uniform bytes."""


class Algorithm(StrEnum):
    """The hash under HMAC. SM3 is for deployments that are assessed under GB/T 39786."""

    SHA256 = "sha256"
    SM3 = "sm3"


@dataclass(frozen=True, slots=True)
class SealedCard:
    """What the service knows of a card: enough to judge a code, not enough to find one.

    `verifiers` is v_1 ‖ … ‖ v_N. `key_version` names the key it was sealed with, `wraps` the later ones.
    """

    serial: str
    lot: str
    key_version: int
    algorithm: Algorithm
    salt: bytes
    verifiers: bytes
    wraps: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a damaged row before it is compared with anything."""
        if len(self.salt) != SALT_SIZE:
            raise ValueError(f"a card's salt has {SALT_SIZE} bytes, not {len(self.salt)}")
        if not self.verifiers or len(self.verifiers) % VERIFIER_SIZE:
            raise ValueError(f"a card's verifiers have {VERIFIER_SIZE} bytes each; {len(self.verifiers)} do not divide")

    @property
    def count(self) -> int:
        """How many codes the card has, used or not."""
        return len(self.verifiers) // VERIFIER_SIZE

    @property
    def key_chain(self) -> tuple[int, ...]:
        """The versions of all keys needed to judge a code, in the order they are applied."""
        return (self.key_version, *self.wraps)


def check_digit(digits: str) -> str:
    """Return the Damm check digit of ASCII `digits`: it shows any wrong digit and any swap of neighbours."""
    state = 0
    for byte in digits.encode("ascii"):
        state = _DAMM[state][byte - ord("0")]
    return str(state)


def bare_digits(text: str, *, length: int, error: type[Malformed]) -> str:
    """Return the digits in `text` if there are `length` of them and the last one is their check digit.

    Full-width digits become plain ones; spaces, dashes of all kinds and invisible characters are dropped.
    Raises `error` with the reason otherwise.
    """
    if len(text) > _LONGEST_TEXT:
        raise error("length")
    digits = "".join(char for char in unicodedata.normalize("NFKC", text) if not _is_filler(char))
    if not digits.isascii() or not (digits.isdigit() or not digits):
        raise error("not_digits")
    if len(digits) != length:
        raise error("length")
    if check_digit(digits[:-1]) != digits[-1]:
        raise error("check_digit")
    return digits


def _is_filler(char: str) -> bool:
    return char.isspace() or char in _OTHER_DASHES or unicodedata.category(char) in {"Pd", "Cf"}


def normalise(text: str) -> str:
    """Return the eight plain digits meant by `text`, as typed or pasted.

    Raises `MalformedCode`, whose `reason` is 'not_digits', 'length' or 'check_digit'. What raises here must
    not be counted as an attempt (C-08): no card has such a code.
    """
    return bare_digits(text, length=CODE_LENGTH, error=MalformedCode)


def grouped(code: str) -> str:
    """Return `code` as it is printed: two groups of four."""
    return f"{code[:4]} {code[4:]}"


def draw(n: int, source: Randomness = secrets) -> tuple[str, ...]:
    """Draw `n` codes, each uniform among all, no two alike on this card, in the order they are printed.

    A word of 32 bits gives the digits, and the few words above the last whole 10^7 are thrown away. The source is
    asked once for all that are missing: on the way to it, threads that make cards wait for one another.
    """
    drawn: dict[str, None] = {}
    while len(drawn) < n:
        block = source.token_bytes(_WORD_SIZE * (n - len(drawn)))
        for start in range(0, len(block), _WORD_SIZE):
            word = int.from_bytes(block[start : start + _WORD_SIZE], "big")
            if word < _WORD_LIMIT:
                digits = f"{word % _NUMBERS:07}"
                drawn[digits + check_digit(digits)] = None
    return tuple(drawn)


def opening(code: str, salt: bytes, index: int) -> bytes:
    """Return A_i of a `code` already normalised, on the card with this `salt`.

    After its use an opening is kept as proof that the code was given (L-09); until then it is as secret.
    """
    return hash_secret_raw(
        secret=code.encode("ascii"),
        salt=hashlib.sha256(b"salt" + salt + _u16(index)).digest()[:16],
        time_cost=1,
        memory_cost=1024,
        parallelism=1,
        hash_len=OPENING_SIZE,
        type=Type.ID,
    )


def seal(  # noqa: PLR0913  (the parts of one formula)
    opening: bytes, *, key: bytes, algorithm: Algorithm, lot: str, serial: str, index: int
) -> bytes:
    """Return v_i: the verifier of the code with this `opening`, under one key and before any wrapping."""
    place = b"".join(_u16(len(part)) + part for part in (lot.encode(), serial.encode()))
    return _mac(key, b"card v1" + place + _u16(index) + opening, algorithm)


def matches(verifiers: bytes, index: int, candidate_verifier: bytes) -> bool:
    """Say whether v_index among the packed `verifiers` is this one, in constant time.

    Raises `NoSuchIndex` where there is none: two empty strings must never be found equal.
    """
    if not 1 <= index <= len(verifiers) // VERIFIER_SIZE:
        raise NoSuchIndex(index)
    stored = verifiers[(index - 1) * VERIFIER_SIZE : index * VERIFIER_SIZE]
    return hmac.compare_digest(stored, candidate_verifier)


def proves(card: SealedCard, index: int, opening: bytes, keys: Mapping[int, bytes]) -> bool:
    """Say whether `opening` is that of code `index` of the card: what an auditor asks of evidence kept.

    Raises `KeyUnusable` unless `keys` holds every version of the card's chain; `NoSuchIndex`.
    """
    first, *later = (usable_key(keys, version) for version in card.key_chain)
    verifier = seal(opening, key=first, algorithm=card.algorithm, lot=card.lot, serial=card.serial, index=index)
    for key in later:
        verifier = _wrapped(verifier, key, card.algorithm)
    return matches(card.verifiers, index, verifier)


def judge(card: SealedCard, index: int, code: str, keys: Mapping[int, bytes]) -> bytes | None:
    """Return the opening if `code`, as typed, is code `index` of the card; `None` if it is a wrong one.

    The time taken does not depend on the answer. Ask for every attempt, also on a dead card or, with `decoy`,
    on none, and look at the state of the card afterwards: then refusals take alike long too. Whether the code
    was used before is not known here; the caller's primary key says so.

    Raises `MalformedCode` (a slip, not an attempt), `KeyUnusable`, `NoSuchIndex`.
    """
    found = opening(normalise(code), card.salt, index)
    return found if proves(card, index, found, keys) else None


def decoy(serial: str, *, count: int, key_version: int, algorithm: Algorithm = Algorithm.SHA256) -> SealedCard:
    """Return a card that no code opens, to judge in the place of one that does not exist."""
    return SealedCard(serial, "", key_version, algorithm, bytes(SALT_SIZE), bytes(VERIFIER_SIZE * count))


def wrap(card: SealedCard, *, key: bytes, key_version: int) -> SealedCard:
    """Return the card under one more key, without knowing any code: what to do when a key may have leaked.

    The same codes go on working, for holders of *all* keys of the chain. So the old key must be kept to judge
    with, but has stopped being enough to search with. Raises `KeyUnusable` if the version is already in the
    chain, so that a run broken off can be begun again.
    """
    if key_version in card.key_chain:
        raise KeyUnusable(f"key version {key_version} is already in the card's chain")
    ends = range(0, len(card.verifiers) + 1, VERIFIER_SIZE)
    verifiers = (_wrapped(card.verifiers[start:end], key, card.algorithm) for start, end in pairwise(ends))
    return replace(card, verifiers=b"".join(verifiers), wraps=(*card.wraps, key_version))


def usable_key(keys: Mapping[int, bytes], version: int) -> bytes:
    """Return the key of that version; raises `KeyUnusable` if it is not among `keys`."""
    try:
        return keys[version]
    except KeyError:
        raise KeyUnusable(f"card key version {version} is missing") from None


def _wrapped(verifier: bytes, key: bytes, algorithm: Algorithm) -> bytes:
    return _mac(key, b"wrap" + verifier, algorithm)


def _mac(key: bytes, message: bytes, algorithm: Algorithm) -> bytes:
    if len(key) < KEY_SIZE:
        raise KeyUnusable(f"a card key has {KEY_SIZE} bytes, not {len(key)}")
    try:
        return hmac.digest(key, message, str(algorithm))[:VERIFIER_SIZE]
    except ValueError as error:
        raise AlgorithmUnavailable(str(algorithm)) from error


def _u16(number: int) -> bytes:
    return number.to_bytes(2, "big")
