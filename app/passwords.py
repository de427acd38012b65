"""Passwords: Argon2id, then a keyed step whose key is not in the database (A-06); and what is too easy to guess.

Pure: keys and profiles are arguments. A stored password reads
`v1$m=19456,t=2,p=1$<salt>$<HMAC-SHA256 of the Argon2id tag>$<pepper version>`.
"""

import base64
import hmac
import os
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import pairwise
from typing import Final, Literal

from argon2.low_level import Type, hash_secret_raw
from pypinyin import Style, lazy_pinyin, pinyin
from zxcvbn.frequency_lists import FREQUENCY_LISTS

SHORTEST: Final = 8
LONGEST: Final = 128
_SALT: Final = 16
_TAG: Final = 32
#: a personal datum with fewer other characters than this around it is the whole password
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

#: what people put before and after a word to make it a password
_AROUND: Final = "0123456789!@#$%^&*._-"
#: words at the heart of the most frequent passwords in leaks of Chinese sites, which the Western list lacks
_WORDS: Final = """
    woaini woaiwo aini woaiwojia woaimama woaibaba woaizhongguo woshishui woshiwo nishishui laopo laogong baobao
    baobei xiaoxiao tiantian nihao mima wodemima gaokao gaokaojiayou zhiyuan jiayou daxue beida qinghua caonima
    meiyou meiyoumima buzhidao zhongguo shunfeng tianya woyaoshangdaxue qwerty qwert qwer asdf asdfgh asdfghjkl
    zxcv zxcvbn zxcvbnm qazwsx qweasd qweasdzxc iloveyou abc abcd qq aa asd zxc qwe admin password mm xx
"""
_CHINESE: Final = frozenset(_WORDS.split())

Weakness = Literal["too_short", "too_long", "control_characters", "common", "personal"]


def normalise(password: str) -> str:
    """NFC, as SP 800-63B-4 asks; blanks and every printable character are kept."""
    return unicodedata.normalize("NFC", password)


def weakness(password: str, personal: Iterable[str] = ()) -> Weakness | None:
    """Why `password` must not be used, or None.

    `personal` are things a classmate or a teacher knows: candidate number, card serial, `personal_data` (A-05).
    """
    password = normalise(password)
    if len(password) < SHORTEST:
        return "too_short"
    if len(password) > LONGEST:
        return "too_long"
    if any(unicodedata.category(char) == "Cc" for char in password):
        return "control_characters"
    folded = _fold(password)
    if folded in _common() or folded.strip(_AROUND) in _CHINESE or len(set(folded)) < 3 or _is_run(folded):
        return "common"
    return "personal" if any(_tells(folded, _fold(datum)) for datum in personal) else None


def _tells(folded: str, known: str) -> bool:
    """Whether a password is a known datum, a part of one, or one with a few characters or digits around it."""
    if len(known) < 2:  # one letter says nothing
        return False
    return (
        (known in folded and len(folded) - len(known) < _PERSONAL)
        or folded.strip(_AROUND) == known
        or (len(known) >= _PERSONAL * 2 and folded in known)
    )


def number_parts(number: str) -> list[str]:
    """A long number as a password might carry it: whole, or its end."""
    return [number, number[-8:], number[-6:]] if number else []


def personal_data(name: str, id_no: str, mobile: str, school: str, birth: date) -> list[str]:
    """Everything about a candidate that a classmate can know and might try as a password."""
    birthday = birth.strftime("%Y%m%d")
    forms = birthday_forms(birthday)
    words = {word for reading in _readings(name) for word in _spelled(reading)}
    school_reading = [part for part in lazy_pinyin(school, style=Style.NORMAL) if part.isalpha()]
    return [
        name,
        *words,
        *(word + form for word in words for form in forms),
        *number_parts(id_no),
        id_no[:6],
        *number_parts(mobile),
        school,
        "".join(school_reading),
        "".join(part[0] for part in school_reading),
        *forms,
    ]


def _readings(name: str) -> Iterator[tuple[str, ...]]:
    """The ways a name is read, one character at a time: 单 is dan and shan, 吕 is typed lv, lu and lyu."""
    ways_of = pinyin([*name], style=Style.NORMAL, heteronym=True)
    usual = lazy_pinyin(name, style=Style.NORMAL)
    if len(usual) != len(ways_of):  # letters that stand together are one part of `usual`
        usual = [ways[0] for ways in ways_of]
    yield tuple(filter(str.isalpha, usual))
    for at, ways in enumerate(ways_of):
        for way in (*ways, usual[at].replace("v", "u"), usual[at].replace("v", "yu")):
            if way != usual[at]:
                yield tuple(filter(str.isalpha, [*usual[:at], way, *usual[at + 1 :]]))


def _spelled(syllables: tuple[str, ...]) -> Iterator[str]:
    """A name in letters: in order, surname (one character or two) last, either alone, initials."""
    for surname in (1, 2):
        yield "".join(syllables[surname:] + syllables[:surname])
        yield "".join(syllables[:surname])
        yield "".join(syllables[surname:])
    yield "".join(syllables)
    yield "".join(syllable[0] for syllable in syllables)


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
    return "".join(unicodedata.normalize("NFKC", value).split()).casefold()


def _is_run(folded: str) -> bool:
    steps = {ord(after) - ord(before) for before, after in pairwise(folded)}
    return steps in ({1}, {-1}, {0})


@cache
def _common() -> frozenset[str]:
    # 30 000 most frequent passwords of public leaks, as counted by the authors of zxcvbn, and Chinese ones
    digits = ("5201314", "1314520", "13145200", "52013140", "5211314", "1314521", "147258369", "159357")
    twice = (word + word for word in digits)
    return frozenset(FREQUENCY_LISTS["passwords"]) | {*digits, *twice}
