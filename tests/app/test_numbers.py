"""Identity numbers and candidate numbers."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.columns import load_calendar
from app.numbers import CandidateNumber, IdNumber, Problem, check_character, normalised

CONFIG = Path(__file__).parents[2] / "config"
#: the example of GB 11643 itself
EXAMPLE = "11010519491231002X"

COUNTIES = {
    code
    for code, _, _, level in (
        line.split(",") for line in (CONFIG / "regions.csv").read_text(encoding="utf-8").splitlines()[1:]
    )
    if level in {"county", "zone"}
}


def parsed(text: str) -> IdNumber:
    number = IdNumber.parse(text)
    assert isinstance(number, IdNumber)
    return number


def test_what_is_said_names_the_part() -> None:
    problem = IdNumber.parse("11010519491331002X")
    assert isinstance(problem, Problem)
    assert problem.params == {"part": "19491331"}


def reason(text: str) -> str:
    problem = IdNumber.parse(text)
    assert isinstance(problem, Problem)
    assert "%(" not in problem.message % problem.params
    return problem.reason


def test_the_example_of_the_standard() -> None:
    assert check_character(EXAMPLE[:17]) == "X"
    assert parsed(EXAMPLE) == IdNumber(EXAMPLE, "110105", date(1949, 12, 31), "2")


@pytest.mark.parametrize(
    "typed",
    [
        "11010519491231002x",
        " 110105 19491231 002X ",
        "１１０１０５１９４９１２３１００２Ｘ",
        "11010519491231002ｘ",
        "110105\u300019491231002X",
    ],
)
def test_what_is_typed_otherwise_means_the_same(typed: str) -> None:
    assert parsed(typed).text == EXAMPLE


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "length"),
        (EXAMPLE[:17], "length"),
        ("110105491231002", "length"),
        (EXAMPLE + "1", "length"),
        ("1101051949123100XX", "characters"),
        ("11010519491231002Y", "characters"),
        ("1101051949123100-2", "characters"),
        ("11010519491331002X", "birth_date"),
        ("11010519490229002X", "birth_date"),
        ("110105000000000021", "birth_date"),
        ("110105194912310021", "check"),
        ("١١٠١٠٥١٩٤٩١٢٣١٠٠٢X", "characters"),
    ],
)
def test_what_is_wrong_with_an_identity_number(text: str, why: str) -> None:
    assert reason(text) == why


PEOPLE = st.builds(
    lambda region, born, serial: f"{region}{born:%Y%m%d}{serial:03d}",
    st.sampled_from(["430102", "433122", "110105", "430124"]),
    st.dates(date(1900, 1, 1), date(2030, 1, 1)),
    st.integers(0, 999),
)


@given(PEOPLE)
def test_what_is_well_made_is_taken_apart(first17: str) -> None:
    number = parsed(first17 + check_character(first17))
    assert number.region == first17[:6]
    assert f"{number.birth_date:%Y%m%d}" == first17[6:14]
    # ISO 7064, MOD 11-2, as the standard defines it
    values = [10 if each == "X" else int(each) for each in number.text]
    assert sum(value * pow(2, 17 - place) for place, value in enumerate(values)) % 11 == 1
    assert number.sex == ("1" if int(first17[16]) % 2 else "2")


@given(PEOPLE, st.integers(0, 17), st.sampled_from("0123456789X"))
def test_one_wrong_character_is_always_found(first17: str, place: int, other: str) -> None:
    text = first17 + check_character(first17)
    assume(text[place] != other)
    assert isinstance(IdNumber.parse(text[:place] + other + text[place + 1 :]), Problem)


@given(PEOPLE, st.integers(0, 16))
def test_two_neighbours_exchanged_are_always_found(first17: str, place: int) -> None:
    text = first17 + check_character(first17)
    swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    assume(swapped != text)
    assert isinstance(IdNumber.parse(swapped), Problem)


CALENDAR = load_calendar((CONFIG / "calendars" / "2017.yaml").read_text(encoding="utf-8"))
DIGITS = {each.number_digit for each in CALENDAR.subject_classes.values()}


def candidate(text: str, year: int = 2017) -> CandidateNumber | Problem:
    return CandidateNumber.parse(text, year=year, regions=COUNTIES, class_digits=DIGITS)


def test_a_candidate_number_is_taken_apart() -> None:
    number = candidate("１７430102 15 0001")
    assert number == CandidateNumber("17430102150001", "17", "430102", "1", "5", "0001")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1743010215000", "length"),
        ("174301021500012", "length"),
        ("1743010215000X", "characters"),
        ("18430102150001", "year"),
        ("17430199150001", "region"),
        ("17430100150001", "region"),
        ("17430102950001", "exam_type"),
        ("17430102120001", "class"),
    ],
)
def test_what_is_wrong_with_a_candidate_number(text: str, why: str) -> None:
    problem = candidate(text)
    assert isinstance(problem, Problem)
    assert problem.reason == why
    assert "%(" not in problem.message % problem.params


def test_years_of_this_century_have_two_digits() -> None:
    assert isinstance(candidate("05430102150001", year=2005), CandidateNumber)


@given(st.text(max_size=24))
def test_anything_can_be_typed(text: str) -> None:
    assert isinstance(IdNumber.parse(text), IdNumber | Problem)
    assert isinstance(
        CandidateNumber.parse(text, year=2017, regions=COUNTIES, class_digits="15"), CandidateNumber | Problem
    )
    assert normalised(normalised(text)) == normalised(text)
