"""Passwords: Argon2id, then a keyed step whose key is not in the database (A-06); and what is too easy to guess.

Pure: keys and profiles are arguments. A stored password reads
`v1$m=19456,t=2,p=1$<salt>$<HMAC-SHA256 of the Argon2id tag>$<pepper version>`.
"""

import base64
import hmac
import os
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from argon2.low_level import Type, hash_secret_raw
from zxcvbn.frequency_lists import FREQUENCY_LISTS

SHORTEST: Final = 8
LONGEST: Final = 128
_SALT: Final = 16
_TAG: Final = 32
#: a personal datum shorter than this may occur in a password by chance
_PERSONAL: Final = 4


@dataclass(frozen=True, slots=True)
class Profile:
    """Cost of one Argon2id: memory in KiB, passes, lanes."""

    memory: int
    passes: int
    lanes: int = 1


#: OWASP's minimum, for accounts that also need a card code for every act that matters
CANDIDATE: Final = Profile(memory=19_456, passes=2)
#: RFC 9106's second recommended option with one lane, for officers
OFFICER: Final = Profile(memory=65_536, passes=3)

Weakness = Literal["too_short", "too_long", "control_characters", "common", "personal"]


def normalise(password: str) -> str:
    """NFC, as SP 800-63B-4 asks; blanks and every printable character are kept."""
    return unicodedata.normalize("NFC", password)


def weakness(password: str, personal: Iterable[str] = ()) -> Weakness | None:
    """Why `password` must not be used, or None.

    `personal` are things a classmate or a teacher knows: name and its pinyin, identity and candidate
    number, birthday in its usual forms, phone, school, card serial (A-05).
    """
    if len(password) < SHORTEST:
        return "too_short"
    if len(password) > LONGEST:
        return "too_long"
    if any(unicodedata.category(char) == "Cc" for char in password):
        return "control_characters"
    folded = _fold(password)
    if folded in _common() or len(set(folded)) < 3 or _is_run(folded):  # noqa: PLR2004 -- "aaaa1111" has two
        return "common"
    stripped = folded.strip("0123456789!@#$%^&*._-")
    for datum in personal:
        known = _fold(datum)
        if len(known) < 2:  # noqa: PLR2004 -- one letter says nothing
            continue
        if folded == known or (known in folded and len(folded) - len(known) < _PERSONAL):
            return "personal"
        if stripped == known or (len(known) >= _PERSONAL * 2 and folded in known):
            return "personal"
    return None


def seal(password: str, peppers: Mapping[int, bytes], profile: Profile) -> str:
    """The text to store for `password` under the newest pepper."""
    salt = os.urandom(_SALT)
    version = max(peppers)
    return _encode(password, salt, peppers[version], version, profile)


def matches(password: str, stored: str, peppers: Mapping[int, bytes]) -> bool:
    """Whether `password` is the stored one. Costs the same whether it is or not."""
    profile, salt, version = _parts(stored)
    pepper = peppers.get(version)
    if pepper is None:
        return False
    return hmac.compare_digest(_encode(password, salt, pepper, version, profile), stored)


def needs_resealing(stored: str, peppers: Mapping[int, bytes], profile: Profile) -> bool:
    """Whether a password that just matched should be stored anew: other cost, or an older pepper."""
    was, _, version = _parts(stored)
    return was != profile or version != max(peppers)


@cache
def dummy(profile: Profile) -> str:
    """A stored password nobody has: an unknown name is checked against it, at the same cost (A-08)."""
    return _encode("", bytes(_SALT), bytes(_TAG), 0, profile)


def matches_nobody(password: str, profile: Profile) -> Literal[False]:
    """Spend what a real check spends, and say no."""
    matches(password, dummy(profile), {0: bytes(_TAG)})
    return False


def birthday_forms(digits: str) -> Collection[str]:
    """The ways people write a birthday given as YYYYMMDD."""
    year, month, day = digits[:4], digits[4:6], digits[6:]
    return {
        digits,
        digits[2:],
        month + day + year,
        day + month + year,
        year + month + day,
        f"{year}{int(month)}{int(day)}",
        f"{year}-{month}-{day}",
        f"{year}.{month}.{day}",
    }


def _encode(password: str, salt: bytes, pepper: bytes, version: int, profile: Profile) -> str:
    tag = hash_secret_raw(
        normalise(password).encode("utf-8", "surrogatepass"),
        salt,
        time_cost=profile.passes,
        memory_cost=profile.memory,
        parallelism=profile.lanes,
        hash_len=_TAG,
        type=Type.ID,
    )
    keyed = hmac.digest(pepper, tag, "sha256")
    cost = f"m={profile.memory},t={profile.passes},p={profile.lanes}"
    return f"v1${cost}${_text(salt)}${_text(keyed)}${version}"


def _parts(stored: str) -> tuple[Profile, bytes, int]:
    form, cost, salt, _, version = stored.split("$")
    if form != "v1":
        raise ValueError("stored by a newer version of the service")
    numbers = dict(part.split("=") for part in cost.split(","))
    profile = Profile(int(numbers["m"]), int(numbers["t"]), int(numbers["p"]))
    return profile, base64.b64decode(salt), int(version)


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")


def _fold(value: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", value)).casefold()


def _is_run(folded: str) -> bool:
    steps = {ord(after) - ord(before) for before, after in zip(folded, folded[1:], strict=False)}
    return steps in ({1}, {-1}, {0})


@cache
def _common() -> frozenset[str]:
    # 30 000 most frequent passwords of public leaks, as counted by the authors of zxcvbn
    return frozenset(FREQUENCY_LISTS["passwords"])
