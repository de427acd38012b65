"""Candidates of the sample province: number, person, household, subjects, score, decisions.

Identity numbers are valid and unique, phone numbers begin with 154, which is given to nobody. Numbers are
dense: the serial has four digits, so a county's further thousands of one class go on under another exam
type (`EXAM_TYPES`), as provinces do whose counties are too big for the number.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Final

from admin.intake.sample.names import Namer, spread
from admin.intake.sample.places import County, SchoolClass
from app.numbers import check_character
from app.specs import Calendar, EligibilityRule

Person = dict[str, str]

#: Digit 9 of a candidate number for the ordinary exam, and those a big county goes on with when it is full.
EXAM_TYPES: Final = ("1", "6", "7", "8", "9")
_VOCATIONAL_TYPES: Final = ("2", "3")
_SERIALS: Final = 9_999

_POSTCODES: Final = {
    "4301": "410",
    "4302": "412",
    "4303": "411",
    "4304": "421",
    "4305": "422",
    "4306": "414",
    "4307": "415",
    "4308": "427",
    "4309": "413",
    "4310": "423",
    "4311": "425",
    "4312": "418",
    "4313": "417",
    "4331": "416",
}
#: where some were born: counties of other provinces
_ELSEWHERE: Final = (
    "440106",
    "440306",
    "441900",
    "330102",
    "310115",
    "110108",
    "420106",
    "520102",
    "450103",
    "350203",
)
_HAN: Final = (
    ("01", 9880),
    ("15", 40),
    ("06", 30),
    ("12", 15),
    ("13", 12),
    ("03", 7),
    ("08", 5),
    ("11", 4),
    ("05", 2),
    ("22", 2),
    ("04", 1),
    ("02", 1),
    ("17", 1),
)
#: trades that vocational candidates are examined in
VOCATIONAL: Final = (
    "农学",
    "机电",
    "电子电工",
    "计算机",
    "建筑",
    "师范",
    "医卫",
    "财会",
    "商贸",
    "旅游",
    "文秘",
    "服装",
)
_ART_KINDS: Final = ("美术", "音乐", "舞蹈", "播音", "编导", "书法")
_SECOND: Final = {
    "PHY": (
        ("CHE BIO", 45),
        ("CHE GEO", 20),
        ("BIO GEO", 16),
        ("CHE POL", 12),
        ("BIO POL", 4),
        ("POL GEO", 3),
    ),
    "HIS": (
        ("POL GEO", 50),
        ("BIO GEO", 22),
        ("BIO POL", 18),
        ("CHE GEO", 6),
        ("CHE POL", 3),
        ("CHE BIO", 1),
    ),
}
#: mean and spread of the total by kind of class, chosen so that the lines of both years cut where they did
_SCORES: Final = {
    "science": (418, 92),
    "arts": (428, 80),
    "art": (335, 80),
    "pe": (318, 75),
    "vocational": (405, 105),
}
#: rules that ask for one of several, depending on the institution
_ANY_OF_THEM: Final = ("per_institution_checks", "per_kind_qualification")
_RESTRICTIONS: Final = {
    "1": (
        *(("", 4000), ("24", 1200), ("24 25", 3500), ("24 25 34", 800), ("24 25 34 35", 90), ("21", 180)),
        *(("21 24", 60), ("21 22", 50), ("21 22 23", 10), ("33", 15), ("37", 8), ("38", 40), ("31", 8), ("11", 2)),
    ),
    "2": (
        *(("", 3500), ("24", 1300), ("24 25", 4000), ("24 25 34", 1000), ("24 25 34 35", 110), ("21", 15)),
        *(("33", 12), ("37", 7), ("38", 30), ("31", 6), ("11", 2)),
    ),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What of the year's codes and calendar decides who gets which qualification."""

    year: int
    #: subject class to digit 10 of the number and kind: science, arts, art, pe, vocational
    digits: Mapping[str, str]
    kinds: Mapping[str, str]
    #: counties of the national special plan, and those whose minorities are preferred without condition
    poor: frozenset[str]
    autonomous: frozenset[str]
    #: what a column asks for (`check:...`, `list:...`), by subject class
    bundles: Mapping[str, Sequence[str]]


def rules(calendar: Calendar, poor: frozenset[str], autonomous: frozenset[str]) -> Rules:
    """Read off the calendar what candidates may be granted. Raises ValueError for a class without a digit."""
    digits = {code: each.number_digit for code, each in calendar.subject_classes.items()}
    for code, digit in digits.items():
        if not digit:
            raise ValueError(f"the calendar gives subject class {code} no digit in candidate numbers")
    kinds = {code: kind_of(code, each.name) for code, each in calendar.subject_classes.items()}
    bundles = {code: _bundles(calendar, code) for code in digits}
    return Rules(calendar.year, digits, kinds, poor, autonomous, bundles)


def kind_of(code: str, name: str) -> str:
    """science, arts, art, pe or vocational, from a subject class's name."""
    for word, kind in (("艺术", "art"), ("体育", "pe"), ("对口", "vocational"), ("理", "science")):
        if word in name:
            return kind
    return "science" if code == "PHY" else "arts"


def _bundles(calendar: Calendar, subject_class: str) -> list[str]:
    """What somebody has who may file in a column with checks or lists; a round counts as its column."""
    asked: dict[tuple[str, str], list[str]] = {}
    kinds: list[str] = []
    for batch in calendar.batches:
        if subject_class in batch.subject_classes:
            for column in batch.columns:
                words = asked.setdefault((batch.parent or batch.code, batch.of or column.code), [])
                for rule in column.eligibility:
                    if rule.rule in _ANY_OF_THEM:
                        kinds += [f"qualification:{name}" for name in rule.names]
                    else:
                        words += _words(rule)
    return [*(" ".join(dict.fromkeys(words)) for words in asked.values() if words), *dict.fromkeys(kinds)]


def _words(rule: EligibilityRule) -> list[str]:
    """What `app.eligibility` looks for on record."""
    if rule.rule in ("check", "check_passed"):
        return [f"check:{name}" for name in rule.names]
    if rule.rule == "qualification":
        return [f"qualification:{name}" for name in rule.names]
    if rule.rule == "published_list":
        return [f"list:{name}" for name in rule.names or ("高水平艺术团测试合格名单",)]
    return []


class Registrar:
    """Makes the candidates of one class after the other. One seed, one province."""

    def __init__(self, random: Random, year_rules: Rules) -> None:
        self._random = random
        self._rules = year_rules
        self._name = Namer(random).draw
        self._births = _births(year_rules.year)
        self._serials: dict[tuple[str, str], int] = {}
        self._issued: dict[tuple[str, str, str], int] = {}
        self._restrictions = {sex: spread(table) for sex, table in _RESTRICTIONS.items()}
        self._second = {first: spread(table) for first, table in _SECOND.items()}
        self._county = County("", "", "", "", "", 0, 0, ())
        self._peoples: list[str] = []
        self._index = -1

    def enter(self, county: County) -> None:
        """Go on to the next county."""
        self._index += 1
        self._county = county
        self._issued.clear()  # numbers of different counties begin differently
        rest = max(0.0, 100 - sum(share for _, share in county.minorities))
        others = [(code, share * rest / 10_000) for code, share in _HAN]
        self._peoples = spread([*others, *county.minorities])

    def candidates(self, school_class: SchoolClass) -> Iterator[Person]:
        """Everybody in one class of the county entered last."""
        for _ in range(school_class.size):
            yield self._candidate(school_class)

    def _candidate(self, school_class: SchoolClass) -> Person:
        bits, county, point = self._random.getrandbits, self._county, school_class.point
        people = self._peoples[bits(12)]
        sex = "2" if bits(10) < 487 else "1"
        born, compact = self._births[bits(13)]
        name = self._name(sex, people)
        id_no = self._id_no(sex, compact)
        rural = bits(10) * 100 < county.rural * 1024
        repeating = point.kind == "社会报名点" or bits(10) < 60
        exam_type, number = self._number(school_class.subject_class)
        person = {
            "candidate_no": number,
            "name": name,
            "sex": sex,
            "birth_date": born,
            "id_type": "1",
            "id_no": id_no,
            "ethnicity": people,
            "political_status": "03" if bits(10) < 800 else "13",
            "candidate_category": ("4" if rural else "3") if repeating else ("2" if rural else "1"),
            "graduation_category": "4" if point.kind == "中等职业学校" else "1",
            "school_code": point.code,
            "school_name": point.name,
            "point": point.code,
            "class_no": school_class.number,
            "student_roll_no": f"G{id_no}",
            "exam_type": exam_type,
            "subject_class": school_class.subject_class,
            "language": self._language(),
            "hukou_county": county.code,
            "household_type": "1" if rural else "2",
            "mail_address": self._address(rural, bits(8)),
            "postcode": f"{_POSTCODES[county.code[:4]]}{bits(3)}00",
            "mobile": f"154{bits(27) % 100_000_000:08}" if bits(10) > 38 else "",
            "disability": "0",
            "restrictions": self._restrictions[sex][bits(12)],
            "art_category": "",
            "first_subject": "",
            "second_subjects": "",
            "art_score": "",
        }
        self._subjects(person, self._rules.kinds[school_class.subject_class])
        self._marks(person, point.strength - (county.rural - 50) // 4)
        self._decisions(person, rural=rural)
        return person

    def _number(self, subject_class: str) -> tuple[str, str]:
        """Exam type and candidate number: the next free serial of county and class."""
        place = (self._county.code, subject_class)
        taken = self._serials.get(place, 0)
        self._serials[place] = taken + 1
        vocational = self._rules.kinds[subject_class] == "vocational"
        types = _VOCATIONAL_TYPES if vocational else EXAM_TYPES
        full, serial = divmod(taken, _SERIALS)
        if full >= len(types):
            raise ValueError(f"{self._county.name} has more candidates of class {subject_class} than numbers")
        head = f"{self._rules.year % 100:02}{self._county.code}{types[full]}{self._rules.digits[subject_class]}"
        return types[full], f"{head}{serial + 1:04}"

    def _id_no(self, sex: str, born: str) -> str:
        """An identity number nobody else in the province has.

        Somebody born in another province gets one of the eight orders of birth that are kept for this county
        there, so that two counties never make the same number and none has to be remembered.
        """
        bits = self._random.getrandbits
        region = self._county.former
        if bits(6) < 4:
            elsewhere = _ELSEWHERE[bits(8) % len(_ELSEWHERE)]
            nth = self._issued.get((elsewhere, born, sex), 0)
            if nth < 4:
                self._issued[elsewhere, born, sex] = nth + 1
                order = self._index * 8 + nth * 2 + (sex == "1")
                return _with_check(f"{elsewhere}{born}{order:03}")
        nth = self._issued.get((region, born, sex), 0)
        self._issued[region, born, sex] = nth + 1
        order = (int(born[4:]) * 37 + nth) % 500 * 2 + (sex == "1")
        return _with_check(f"{region}{born}{order:03}")

    def _language(self) -> str:
        chance = self._random.getrandbits(10)
        return "1" if chance > 14 else "3" if chance > 3 else "2"

    def _address(self, rural: bool, house: int) -> str:  # noqa: FBT001 -- one caller, two lines above
        county = self._county
        street = f"城关镇{house % 12 + 1}村{house // 12 + 1}组" if rural else f"人民路{house + 1}号"
        return f"湖南省{county.prefecture}{county.name}{street}"

    def _subjects(self, person: Person, kind: str) -> None:
        code = person["subject_class"]
        if self._rules.year >= 2021 and kind != "vocational":
            first = "HIS" if code.endswith("HIS") else "PHY"
            person["first_subject"] = first
            person["second_subjects"] = self._second[first][self._random.getrandbits(12)]
        if kind in ("art", "pe"):
            person["art_category"] = "体育" if kind == "pe" else _ART_KINDS[self._random.getrandbits(8) % 6]
            person["art_score"] = str(min(290, max(90, int(self._random.gauss(205, 28)))))

    def _marks(self, person: Person, moved: int) -> None:
        if self._random.getrandbits(9) == 0:  # absent
            person["score"] = ""
            return
        mean, deviation = _SCORES[self._rules.kinds[person["subject_class"]]]
        person["score"] = str(min(728, max(60, int(self._random.gauss(mean + moved, deviation)))))

    def _decisions(self, person: Person, *, rural: bool) -> None:
        """What offices have granted: special plans, exams passed, lists, ethnic preference."""
        bits = self._random.getrandbits
        kind = self._rules.kinds[person["subject_class"]]
        granted = []
        if kind == "art":
            granted += ["exam:art_provincial"] if bits(4) else []
            granted += ["exam:art_school"] if bits(3) < 3 else []
        elif kind == "pe":
            granted += ["exam:pe_provincial"] if bits(4) else []
        elif kind == "vocational":
            granted.append(f"vocational:{VOCATIONAL[bits(8) % len(VOCATIONAL)]}")
        else:
            granted += self._plans(rural=rural)
        granted += self._preference(person["ethnicity"])
        bundles = self._rules.bundles[person["subject_class"]]
        if bundles and bits(5) == 0:
            granted.append(bundles[bits(12) % len(bundles)])
        person["qualifications"] = " ".join(granted)

    def _plans(self, *, rural: bool) -> list[str]:
        bits, poor = self._random.getrandbits, self._county.code in self._rules.poor
        plans = []
        if poor and bits(3) < 3:
            plans.append("special_plan:NATIONAL")
        if rural and bits(3) == 0:
            plans.append("special_plan:LOCAL")
        if rural and poor and bits(5) == 0:
            plans.append("special_plan:UNIVERSITY")
        return plans

    def _preference(self, people: str) -> list[str]:
        """Class of ethnic preference, by the classes of 2010 or of 2020."""
        compact = self._county.code in self._rules.autonomous
        minority = people != "01"
        letter = "F" if self._rules.year >= 2021 else "E"
        if minority and compact:
            return [f"ethnic_preference:{letter}1"]
        if minority and self._random.getrandbits(1):
            return [f"ethnic_preference:{letter}3"]
        if compact and self._random.getrandbits(2) == 0:
            return [f"ethnic_preference:{'F4' if letter == 'F' else 'E2'}"]
        return []


def _with_check(digits: str) -> str:
    return digits + check_character(digits)


def _births(year: int) -> list[tuple[str, str]]:
    """8192 dates of birth, as a date and as digits: most turn 18 in the school year, some are older."""
    shares = ((17, 6.0), (18, 70.0), (19, 17.0), (20, 4.5), (21, 1.5), (23, 0.6), (26, 0.3), (31, 0.1))
    dated = []
    for age, share in shares:
        start = date(year - age - 1, 9, 1)
        days = [start + timedelta(days=at) for at in range(365)]
        dated += [(day.isoformat(), share / 365) for day in days]
    table = spread(dated, 8192)
    return [(day, day.replace("-", "")) for day in table]
