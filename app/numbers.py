"""Identity numbers (GB 11643) and candidate numbers: read, checked, taken apart.

What is wrong with a number is a value (`Problem`), not an exception: whoever loads a file of thousands wants
to list them. Neither check says that the number was ever given to anybody.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from operator import mul
from typing import Final, Literal

from app.wording import N_, Param

Reason = Literal["length", "characters", "birth_date", "check", "year", "region", "exam_type", "class"]

_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ZEROS: Final = sum(_WEIGHTS) * ord("0")
_CHECK: Final = "10X98765432"

#: full-width ASCII, as Chinese input methods type it, to the plain kind
_HALF_WIDTH: Final = {code + 0xFEE0: code for code in range(0x21, 0x7F)}

_ID_MESSAGES: Final[Mapping[Reason, str]] = {
    "length": N_("An identity number has 18 characters; this one has %(length)s. Type it again."),
    "characters": N_("An identity number is 17 digits, then a digit or X. Type it again."),
    "birth_date": N_("Digits 7 to 14 should be a date of birth; %(part)s is none. Type it again."),
    "check": N_("The last character does not fit the others, so one of them is mistyped. Compare each."),
}
_CANDIDATE_MESSAGES: Final[Mapping[Reason, str]] = {
    "length": N_("A candidate number has 14 digits; this one has %(length)s. Type it again."),
    "characters": N_("A candidate number is made of digits only. Type it again."),
    "year": N_("Digits 1 and 2 should be the exam year %(expected)s; they are %(part)s."),
    "region": N_("Digits 3 to 8 should be a region of the province; %(part)s is none."),
    "exam_type": N_("Digit 9 should be a type of exam; %(part)s is none."),
    "class": N_("Digit 10 should be a subject class; %(part)s is none."),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why text is not a number of that kind: a stable word, and a msgid with parameters to show."""

    reason: Reason
    message: str
    params: Mapping[str, Param]


def normalised(text: str) -> str:
    """Return typed text as it was meant: full-width characters made half-width, blanks out, capitals."""
    plain = text if text.isascii() else text.translate(_HALF_WIDTH)
    return "".join(plain.split()).upper()


def check_character(digits: str) -> str:
    """Return the 18th character for 17 digits (ISO 7064, MOD 11-2)."""
    return _CHECK[(sum(map(mul, _WEIGHTS, digits.encode())) - _ZEROS) % 11]


@dataclass(frozen=True, slots=True)
class IdNumber:
    """A number of GB 11643. `region` is that of its first issue, and may have been abolished since."""

    text: str
    region: str
    birth_date: date
    sex: Literal["1", "2"]

    @classmethod
    def parse(cls, text: str) -> "IdNumber | Problem":
        """Read a typed identity number, or say what is wrong with it."""
        number = normalised(text)
        if len(number) != 18:
            return _id_problem("length", length=len(number))
        if not (_digits(number[:17]) and number[17] in _CHECK):
            return _id_problem("characters")
        try:
            birth_date = date.fromisoformat(number[6:14])
        except ValueError:
            return _id_problem("birth_date", part=number[6:14])
        if check_character(number[:17]) != number[17]:
            return _id_problem("check")
        return cls(number, number[:6], birth_date, "1" if int(number[16]) % 2 else "2")


@dataclass(frozen=True, slots=True)
class CandidateNumber:
    """考生号: year (2), region (6), exam type (1), subject class (1), serial (4)."""

    text: str
    year: str
    region: str
    exam_type: str
    class_digit: str
    serial: str

    @classmethod
    def parse(
        cls,
        text: str,
        *,
        year: int,
        regions: Collection[str],
        class_digits: Collection[str],
        exam_types: Collection[str] = ("1",),
    ) -> "CandidateNumber | Problem":
        """Read a typed candidate number of the exam `year`, or say what is wrong with it.

        `regions` are the county codes that register, `class_digits` those of the year's subject classes
        (`SubjectClass.number_digit`). Type "1" is the ordinary exam.
        """
        number = normalised(text)
        if len(number) != 14:
            return _candidate_problem("length", length=len(number))
        if not _digits(number):
            return _candidate_problem("characters")
        found = cls(number, number[:2], number[2:8], number[8], number[9], number[10:])
        if found.year != f"{year % 100:02}":
            return _candidate_problem("year", part=found.year, expected=f"{year % 100:02}")
        parts: tuple[tuple[Reason, str, Collection[str]], ...] = (
            ("region", found.region, regions),
            ("exam_type", found.exam_type, exam_types),
            ("class", found.class_digit, class_digits),
        )
        for reason, part, allowed in parts:
            if part not in allowed:
                return _candidate_problem(reason, part=part)
        return found


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _id_problem(reason: Reason, **params: Param) -> Problem:
    return Problem(reason, _ID_MESSAGES[reason], params)


def _candidate_problem(reason: Reason, **params: Param) -> Problem:
    return Problem(reason, _CANDIDATE_MESSAGES[reason], params)
