"""Passwords: stored so that the database alone gives nothing away, and none that a classmate would try."""

import unicodedata
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import passwords
from app.passwords import Profile, matches, needs_resealing, number_parts, personal_data, seal, weakness
from tests.makers import id_number

CHEAP = Profile(memory=8, passes=1)
PEPPERS = {1: b"a" * 32, 2: b"b" * 32}

SURNAMES = {"王": "wang", "欧阳": "ouyang", "单": "shan", "曾": "zeng", "吕": "lv", "吉克": "jike", "尉迟": "yuchi"}
GIVEN = {"小明": "xiaoming", "娜娜": "nana", "雄": "xiong", "国藩": "guofan", "梓涵": "zihan", "一": "yi"}
SCHOOLS = {"长沙市第一中学": "changshashidiyizhongxue", "凤凰县民族中学": "fenghuangxianminzuzhongxue"}


# --- storing -----------------------------------------------------------------------------------------


@given(st.text(min_size=1, max_size=130))
@settings(max_examples=30)
def test_a_password_opens_what_it_sealed_and_no_other_does(password: str) -> None:
    stored = seal(password, PEPPERS, CHEAP)
    assert matches(password, stored, PEPPERS)
    assert not matches(password + "x", stored, PEPPERS)
    assert not matches(password[:-1], stored, PEPPERS)


def test_two_ways_to_type_one_character_are_one_password() -> None:
    stored = seal(unicodedata.normalize("NFD", "é è ü 한글"), PEPPERS, CHEAP)
    assert matches(unicodedata.normalize("NFC", "é è ü 한글"), stored, PEPPERS)


def test_what_is_stored_names_cost_and_pepper_and_hides_the_rest() -> None:
    stored = seal("a quiet river", PEPPERS, passwords.CANDIDATE)
    form, cost, salt, tag, version = stored.split("$")
    assert (form, cost, version) == ("v1", "m=19456,t=2,p=1", "2")
    assert (len(salt), len(tag)) == (24, 44)
    assert seal("a quiet river", PEPPERS, passwords.CANDIDATE) != stored


def test_without_its_pepper_nothing_matches() -> None:
    stored = seal("a quiet river", PEPPERS, CHEAP)
    assert not matches("a quiet river", stored, {1: PEPPERS[1]})
    assert not matches("a quiet river", stored, {2: b"c" * 32})


def test_a_password_is_stored_anew_when_cost_or_pepper_changed() -> None:
    stored = seal("a quiet river", {1: PEPPERS[1]}, CHEAP)
    assert not needs_resealing(stored, {1: PEPPERS[1]}, CHEAP)
    assert needs_resealing(stored, PEPPERS, CHEAP)
    assert needs_resealing(stored, {1: PEPPERS[1]}, Profile(memory=16, passes=1))
    assert matches("a quiet river", stored, PEPPERS)


def test_nobodys_password_is_never_matched() -> None:
    assert [passwords.matches_nobody(each, CHEAP) for each in ("", "x")] == [False, False]


def test_an_entry_of_a_newer_service_is_not_taken_for_one_of_ours() -> None:
    with pytest.raises(ValueError, match="newer version"):
        matches("x", "v2$m=8,t=1,p=1$AA==$AA==$1", PEPPERS)


# --- what is too easy --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("1234567", "too_short"),
        ("é" * 7, "too_short"),
        (unicodedata.normalize("NFD", "éèüöäàç"), "too_short"),  # seven characters, typed as fourteen
        ("长" * 129, "too_long"),
        ("tab\tbetween", "control_characters"),
        ("null\x00byte", "control_characters"),
        ("password", "common"),
        ("P@ssw0rd", "common"),
        ("qwertyuiop", "common"),
        ("woaini1314", "common"),
        ("Qq520_1314", "common"),
        ("!gaokao2017", "common"),
        ("52013145201314", "common"),
        ("12345678", "common"),
        ("hgfedcba", "common"),
        ("aaaaaaaaaaaa", "common"),
        ("abababababab", "common"),
        ("        ", "common"),
        ("１２３４５６７８", "common"),
    ],
)
def test_it_says_why_a_password_is_too_easy(password: str, reason: str) -> None:
    assert weakness(password) == reason


@pytest.mark.parametrize(
    "password", ["长沙的夏天很热很热", "correct horse battery", "x7!kQ2#m", "🚀🌊🏔🌾🐎🎋🎐🧭", "é" * 3 + "quiet river"]
)
def test_long_or_odd_is_good_enough(password: str) -> None:
    assert weakness(password) is None


people = st.fixed_dictionaries(
    {
        "surname": st.sampled_from(sorted(SURNAMES)),
        "given": st.sampled_from(sorted(GIVEN)),
        "birth": st.dates(date(1996, 1, 1), date(2003, 12, 31)),
        "serial": st.integers(1, 999),
        "mobile": st.integers(13_000_000_000, 19_999_999_999).map(str),
        "school": st.sampled_from(sorted(SCHOOLS)),
        "number": st.integers(0, 9999).map(lambda n: f"1743010215{n:04}"),
    }
)


def guesses(surname: str, given_name: str, birth: date, id_no: str, mobile: str, school: str, number: str) -> list[str]:
    """What a classmate would try, each at least eight characters long."""
    first, last = SURNAMES[surname], GIVEN[given_name]
    full, initials = first + last, first[0] + last[0]
    day = birth.strftime("%Y%m%d")
    tried = [
        day,
        birth.strftime("%m%d%Y"),
        f"{day}{initials}",
        f"{initials}{day}",
        f"{full}{day}",
        f"{full}{day[2:]}",
        f"{full.title()}@{day[:4]}",
        f"{full}123",
        f"{full}666!",
        f"{last}{first}{day[4:]}",
        f"{first}{day[:4]}{day[4:]}",
        f"{last}20172017",
        id_no,
        id_no[-8:],
        id_no[6:14],
        f"{id_no[-6:]}ab",
        id_no.lower(),
        mobile,
        mobile[-8:],
        f"{mobile}!",
        number,
        number[-8:],
        f"{school}1",
        SCHOOLS[school],
        f"{SCHOOLS[school]}1",
        f"{surname}{given_name}12345678",
        number.translate(str.maketrans("0123456789", "０１２３４５６７８９")),
    ]
    return [each for each in tried if len(each) >= passwords.SHORTEST]


@given(people)
@settings(max_examples=150)
def test_nothing_made_of_a_candidates_own_data_is_accepted(person: dict[str, object]) -> None:
    """A-05, over made-up candidates: also names read in a way a dictionary does not expect."""
    surname, given_name, birth = str(person["surname"]), str(person["given"]), person["birth"]
    assert isinstance(birth, date)
    id_no = id_number(birth, int(str(person["serial"])))
    mobile, school, number = str(person["mobile"]), str(person["school"]), str(person["number"])
    known = [*personal_data(surname + given_name, id_no, mobile, school, birth), *number_parts(number)]
    tried = guesses(surname, given_name, birth, id_no, mobile, school, number)
    assert [guess for guess in tried if weakness(guess, known) is None] == []


@given(people)
@settings(max_examples=20)
def test_a_good_password_is_not_refused_for_a_resemblance(person: dict[str, object]) -> None:
    birth = person["birth"]
    assert isinstance(birth, date)
    name, school = f"{person['surname']}{person['given']}", str(person["school"])
    known = personal_data(name, id_number(birth, 7), str(person["mobile"]), school, birth)
    for password in ("seven quiet bridges", "长沙的夏天很热很热", "x7!kQ2#m", "yellow-tractor-42"):
        assert weakness(password, known) is None


def test_a_letter_and_an_empty_datum_say_nothing() -> None:
    assert weakness("a quiet river", ["", "a", " "]) is None
