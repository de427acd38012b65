"""Every rule by its id, what it says and at which level; and the key rules against a tiny second opinion."""

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from app.columns import BatchSpec, load_calendar
from app.eligibility import _CHECKS
from app.rules import _INCLUDED as INCLUDED
from app.rules import (
    Choice,
    ColumnChoices,
    Facts,
    Finding,
    Major,
    Offer,
    Preferences,
    Requirement,
    compact,
    judge,
    widen,
)
from app.specs import RULES

CONFIG = Path(__file__).parents[2] / "config"
OLD = load_calendar((CONFIG / "calendars" / "2017.yaml").read_text(encoding="utf-8"))
NEW = load_calendar((CONFIG / "calendars" / "2024.yaml").read_text(encoding="utf-8"))

SCIENCE = Facts(
    subject_class="5",
    first_subject=None,
    second_subjects=frozenset(),
    score=520,
    birth_date=date(1999, 5, 20),
    sex="2",
    ethnicity="01",
    language="1",
    hukou_county="430102",
    registration_county="430102",
)
PHYSICS = replace(SCIENCE, subject_class="PHY", first_subject="PHY", second_subjects=frozenset({"CHE", "BIO"}))
MAJORS = {f"{number:02}": Major(f"{number:02}", f"专业{number}") for number in range(1, 10)}


@dataclass
class Shelf:
    """A catalogue that offers what it was given, in every column."""

    offers: dict[tuple[str, str | None], Offer]

    def find(self, column: str, institution: str, group: str | None) -> Offer | None:
        return self.offers.get((institution, group))


def shelf(*changed: Offer) -> Shelf:
    plain = [Offer(str(code), f"大学{code}", MAJORS, place="长沙") for code in range(1001, 1060)]
    groups = [replace(offer, group="101", group_name="第101组") for offer in plain]
    return Shelf({(each.institution, each.group): each for each in [*plain, *groups, *changed]})


def choice(institution: int = 1001, group: str | None = None, majors: str = "01 02", **more: object) -> Choice:
    values: dict[str, object] = {"major_adjust": True} | more
    return Choice(str(institution), group, tuple(majors.split()), **values)  # type: ignore[arg-type]


def listed(column: str, *slots: Choice | None, **boxes: bool) -> Preferences:
    return Preferences({column: ColumnChoices(slots, **boxes)})


def findings(
    batch: BatchSpec, preferences: Preferences, facts: Facts, *changed: Offer, rule: str = ""
) -> list[tuple[str, str, int | None, int | None]]:
    """What was found but for F8 and G6 (unused slots), as (rule, level, slot, major)."""
    verdict = judge(batch, preferences, facts, shelf(*changed))
    assert verdict.allowed == (not verdict.errors)
    return [
        (each.rule, each.level, each.slot, each.major)
        for each in (*verdict.errors, *verdict.warnings)
        if each.rule not in {"F8", "G6"} and (not rule or each.rule == rule)
    ]


def texts(batch: BatchSpec, preferences: Preferences, facts: Facts, *changed: Offer) -> list[str]:
    verdict = judge(batch, preferences, facts, shelf(*changed))
    return [each.text(str) for each in (*verdict.errors, *verdict.warnings)]


FIRST = OLD.batch("1")
GROUPS = NEW.batch("20")
EARLY = OLD.batch("0")


def with_rule(batch: BatchSpec, column: str, **rule: object) -> BatchSpec:
    """The batch with one more condition on one column."""
    raw = batch.model_dump(mode="json")
    for each in raw["columns"]:
        if each["code"] == column:
            each["eligibility"] = [rule]
    return BatchSpec.model_validate(raw)


def test_a_good_list_has_nothing_but_its_unused_slots() -> None:
    verdict = judge(FIRST, listed("GEN1", choice(1001), choice(1002)), SCIENCE, shelf())
    assert verdict.errors == ()
    assert [(each.rule, each.params["used"], each.params["offered"]) for each in verdict.warnings] == [("F8", 2, 10)]


def test_a_full_list_has_nothing_at_all() -> None:
    full = listed("GEN1", *(choice(code) for code in range(1001, 1011)))
    verdict = judge(FIRST, full, SCIENCE, shelf())
    assert (verdict.errors, verdict.warnings) == ((), ())


def test_f1_an_institution_twice() -> None:
    assert findings(FIRST, listed("GEN1", choice(), choice(1002), choice(majors="03")), SCIENCE) == [
        ("F1", "error", 3, None)
    ]


def test_f1_the_same_institution_in_two_columns_is_allowed() -> None:
    both = Preferences({"GEN1": ColumnChoices((choice(),)), "DIR1": ColumnChoices((choice(),))})
    assert findings(FIRST, both, SCIENCE) == []


def test_g1_a_group_twice_but_two_groups_of_one_institution_are_allowed() -> None:
    second = Offer("1001", "大学1001", MAJORS, group="102")
    twice = listed("GEN", choice(group="101"), choice(group="102"), choice(group="101"))
    assert findings(GROUPS, twice, PHYSICS, second) == [("G1", "error", 3, None)]


def test_f2_a_major_twice() -> None:
    assert findings(FIRST, listed("GEN1", choice(majors="01 02 01")), SCIENCE) == [("F2", "error", 1, 3)]


def test_f3_not_in_the_catalogue() -> None:
    assert findings(FIRST, listed("GEN1", choice(9999)), SCIENCE) == [("F3", "error", 1, None)]
    assert findings(FIRST, listed("GEN1", choice(majors="01 77")), SCIENCE) == [("F3", "error", 1, 2)]


def test_g2_a_major_or_a_group_that_is_not_offered() -> None:
    assert findings(GROUPS, listed("GEN", choice(group="999")), PHYSICS) == [("G2", "error", 1, None)]
    assert findings(GROUPS, listed("GEN", choice(group="101", majors="77")), PHYSICS) == [("G2", "error", 1, 1)]


@pytest.mark.parametrize(
    ("first", "second", "allowed"),
    [
        ("", "", True),
        ("EITHER", "", True),
        ("PHY", "", True),
        ("HIS", "", False),
        ("PHY", "ALL_OF CHE BIO", True),
        ("PHY", "ALL_OF CHE GEO", False),
        ("EITHER", "ANY_OF GEO BIO", True),
        ("EITHER", "ANY_OF GEO POL", False),
        ("", "NONE", True),
    ],
)
@pytest.mark.parametrize("of_major", [False, True], ids=["group", "major"])
def test_g3_subjects(first: str, second: str, allowed: bool, of_major: bool) -> None:
    asked = Requirement.parse(first, second)
    major = replace(MAJORS["01"], requirement=asked if of_major else None)
    offer = Offer("1001", "大学", {"01": major}, group="101", requirement=Requirement() if of_major else asked)
    found = findings(GROUPS, listed("GEN", choice(group="101", majors="01")), PHYSICS, offer)
    assert found == ([] if allowed else [("G3", "error", 1, 1 if of_major else None)])


def test_g3_names_the_subjects() -> None:
    offer = Offer("1001", "大学", MAJORS, group="101", requirement=Requirement.parse("PHY", "ALL_OF CHE GEO"))
    said = texts(GROUPS, listed("GEN", choice(group="101")), PHYSICS, offer)
    assert said[0].startswith("1001-101 大学 asks for all of these subjects: chemistry, geography.")


def test_g3_warns_where_the_calendar_says_so() -> None:
    lenient = GROUPS.model_copy(update={"subject_requirement": "warn"})
    offer = Offer("1001", "大学", MAJORS, group="101", requirement=Requirement("HIS"))
    assert findings(lenient, listed("GEN", choice(group="101")), PHYSICS, offer) == [("G3", "warning", 1, None)]


@pytest.mark.parametrize(("first", "second"), [("CHE", ""), ("PHY", "CHE BIO"), ("PHY", "ALL_OF"), ("", "SOME_OF CHE")])
def test_a_requirement_nobody_can_read_is_refused(first: str, second: str) -> None:
    with pytest.raises(ValueError, match="write"):
        Requirement.parse(first, second)


@pytest.mark.parametrize("other", ["NONMIL", "DIRECTED", "TEACHER", "NAT_EARLY"])
def test_f4_columns_that_exclude_each_other(other: str) -> None:
    both = Preferences({"MIL": ColumnChoices((choice(),)), other: ColumnChoices((choice(),))})
    assert findings(EARLY, both, SCIENCE, rule="F4") == [("F4", "error", None, None)]
    empty = Preferences({"MIL": ColumnChoices((choice(),)), other: ColumnChoices((None,))})
    assert findings(EARLY, empty, SCIENCE, rule="F4") == []


def test_g4_columns_that_exclude_each_other() -> None:
    both = Preferences({"MIL": ColumnChoices((choice(group="101"),)), "NONMIL": ColumnChoices((choice(),))})
    assert findings(NEW.batch("10"), both, PHYSICS, rule="G4") == [("G4", "error", None, None)]


def test_f5_a_gap_warns_and_closes() -> None:
    gaps = listed("GEN1", None, choice(), None, None, choice(1002), None)
    assert findings(FIRST, gaps, SCIENCE) == [
        ("F5", "warning", 1, None),
        ("F5", "warning", 3, None),
        ("F5", "warning", 4, None),
    ]
    assert findings(FIRST, compact(gaps), SCIENCE) == []


def test_f5_a_gap_is_an_error_where_the_calendar_says_so() -> None:
    strict = FIRST.model_copy(update={"gap_policy": "error"})
    assert findings(strict, listed("GEN1", None, choice()), SCIENCE) == [("F5", "error", 1, None)]
    assert findings(strict, listed("GEN1", choice(), None), SCIENCE) == []


@pytest.mark.parametrize(
    ("majors", "answer", "found"),
    [
        ("01", True, []),
        ("", True, []),
        ("01", False, [("F7", "warning", 1, None)]),
        ("", False, [("F6", "error", 1, None)]),
        ("01", None, [("P1", "error", 1, None)]),
        ("", None, [("P1", "error", 1, None)]),
    ],
)
def test_f6_f7_p1_the_answer_to_adjustment(majors: str, answer: bool | None, found: list[object]) -> None:
    assert findings(FIRST, listed("GEN1", choice(majors=majors, major_adjust=answer)), SCIENCE) == found


def test_g5_other_majors_of_the_group_refused() -> None:
    refused = listed("GEN", choice(group="101", major_adjust=False))
    assert findings(GROUPS, refused, PHYSICS) == [("G5", "warning", 1, None)]
    assert any("another major of this group" in text for text in texts(GROUPS, refused, PHYSICS))


def test_f6_where_adjustment_is_not_asked_a_major_is_needed() -> None:
    single = OLD.batch("0S")
    known = replace(SCIENCE, qualifications=frozenset({"qualification:单科优秀资格"}))
    unasked = listed("SINGLE_SUBJECT", choice(major_adjust=None))
    assert findings(single, unasked, known) == []
    assert findings(single, listed("SINGLE_SUBJECT", choice(majors="", major_adjust=None)), known) == [
        ("F6", "error", 1, None)
    ]


@pytest.mark.parametrize(
    ("majors", "answer", "found"),
    [
        ("01", False, [("P6", "warning", 1, None)]),
        ("", False, [("P6", "warning", 1, None)]),
        ("", True, []),
        ("01", None, [("P1", "error", 1, None)]),
    ],
)
def test_p6_agreeing_to_other_institutions_counts_as_a_yes(
    majors: str, answer: bool | None, found: list[object]
) -> None:
    agreed = listed("GEN1_S", choice(majors=majors, major_adjust=answer), institution_adjust=True)
    assert findings(OLD.batch("1-GEN1_S"), agreed, SCIENCE) == found


@pytest.mark.parametrize(("batch", "column", "rule"), [("1", "GEN1", "F8"), ("20", "GEN", "G6")])
def test_f8_g6_unused_slots(batch: str, column: str, rule: str) -> None:
    spec = (OLD if batch == "1" else NEW).batch(batch)
    group = None if batch == "1" else "101"
    facts = SCIENCE if batch == "1" else PHYSICS
    slots = [choice(code, group) for code in range(1001, 1060)]
    offered = next(each.slots for each in spec.columns if each.code == column)
    for used in (1, offered - 1, offered):
        verdict = judge(spec, listed(column, *slots[:used]), facts, shelf())
        assert [each.rule for each in verdict.warnings] == ([rule] if used < offered else [])


@pytest.mark.parametrize(
    ("held", "restricted", "hit"),
    [
        ({"21"}, {"21"}, ["21"]),
        ({"22"}, {"21"}, ["21"]),
        ({"23"}, {"21", "22"}, ["21", "22"]),
        ({"21"}, {"22"}, []),
        ({"33"}, {"31"}, ["31"]),
        (set(), {"21"}, []),
    ],
)
def test_f9_g7_codes_of_the_physical_exam(held: set[str], restricted: set[str], hit: list[str]) -> None:
    majors = {"01": replace(MAJORS["01"], restricted=frozenset(restricted))}
    old = Offer("1001", "大学", majors)
    codes = frozenset(held)
    found = findings(FIRST, listed("GEN1", choice(majors="01")), replace(SCIENCE, restrictions=codes), old)
    assert found == ([("F9", "warning", 1, 1)] if hit else [])
    new = replace(old, group="101")
    found = findings(GROUPS, listed("GEN", choice(group="101", majors="01")), replace(PHYSICS, restrictions=codes), new)
    assert found == ([("G7", "warning", 1, 1)] if hit else [])


def test_f9_a_code_of_the_first_section_concerns_every_institution_and_is_said_once() -> None:
    facts = replace(SCIENCE, restrictions=frozenset({"11"}))
    assert findings(FIRST, listed("GEN1", choice(), choice(1002)), facts) == [("F9", "warning", None, None)]


def test_f9_carries_what_the_code_table_says() -> None:
    codes = yaml.safe_load((CONFIG / "codes.yaml").read_text(encoding="utf-8"))
    for code, entry in codes["medical_restrictions"]["values"].items():
        carried = {*entry.get("includes", ()), *([entry["majors_as"]] if "majors_as" in entry else [])}
        assert INCLUDED.get(code, frozenset()) == carried
    assert widen(frozenset({"23", "33"})) == {"21", "22", "23", "31", "33"}


@pytest.mark.parametrize(("score", "found"), [(504, [("F10", "warning", None, None)]), (505, []), (None, [])])
def test_f10_below_the_line(score: int | None, found: list[object]) -> None:
    assert findings(FIRST, listed("GEN1", choice()), replace(SCIENCE, score=score)) == found


@pytest.mark.parametrize(("score", "warned"), [(484, True), (485, False)])
def test_f10_a_supplementary_round_reaches_twenty_points_lower(score: int, warned: bool) -> None:
    found = findings(OLD.batch("1-GEN1_S"), listed("GEN1_S", choice()), replace(SCIENCE, score=score))
    assert found == ([("F10", "warning", None, None)] if warned else [])


def test_f10_may_block() -> None:
    strict = with_rule(FIRST, "GEN1", rule="score_line", line="BK1", policy="block")
    low = replace(SCIENCE, score=100)
    assert findings(strict, listed("GEN1", choice()), low) == [("F10", "error", None, None)]
    assert "is closed to you" in texts(strict, listed("GEN1", choice()), low)[0]


def test_f10_a_line_without_points_for_the_class_is_not_held_against_anybody() -> None:
    art = replace(SCIENCE, subject_class="7", qualifications=frozenset({"exam:art_provincial"}), score=1)
    assert findings(OLD.batch("0A"), listed("ART_E_P", choice()), art) == []


def test_f10_the_line_of_each_institution() -> None:
    granted = replace(SCIENCE, qualifications=frozenset({"special_plan:NATIONAL"}), score=450)
    tagged = Offer("1002", "大学", MAJORS, tags=frozenset({"LINE:BK1"}))
    assert findings(OLD.batch("0N"), listed("NAT", choice(), choice(1002)), granted, tagged) == [
        ("F10", "warning", 2, None)
    ]


#: a rule, what meets it, what it blocks with, and the offer it is asked of
CONDITIONS: list[tuple[dict[str, object], dict[str, object], set[str]]] = [
    ({"rule": "special_plan", "plan": "NATIONAL"}, {"qualifications": {"special_plan:NATIONAL"}}, set()),
    ({"rule": "special_plan", "plan": "LOCAL"}, {"qualifications": {"special_plan:LOCAL"}}, set()),
    ({"rule": "special_plan", "plan": "UNIVERSITY"}, {"qualifications": {"special_plan:UNIVERSITY"}}, set()),
    ({"rule": "check", "kind": "军检"}, {"qualifications": {"check:军检"}}, set()),
    ({"rule": "check_passed", "kind": "军检"}, {"qualifications": {"check:军检"}}, set()),
    ({"rule": "qualification", "kind": "单科"}, {"qualifications": {"qualification:单科"}}, set()),
    ({"rule": "published_list", "listed": "名单"}, {"qualifications": {"list:名单"}}, set()),
    ({"rule": "published_list"}, {"qualifications": {"list:名单"}}, set()),
    ({"rule": "per_institution_checks", "kinds": ["甲", "乙"]}, {"qualifications": {"check:乙"}}, set()),
    ({"rule": "per_kind_qualification"}, {"qualifications": {"check:航海"}}, {"NEEDS:航海"}),
    ({"rule": "art_exam"}, {"qualifications": {"exam:art_school"}}, set()),
    ({"rule": "art_school_exam"}, {"qualifications": {"exam:art_school"}}, set()),
    ({"rule": "art_provincial_exam"}, {"qualifications": {"exam:art_provincial"}}, set()),
    ({"rule": "art_or_pe_exam"}, {"qualifications": {"exam:pe_provincial"}}, set()),
    ({"rule": "pe_exam"}, {"qualifications": {"exam:pe_provincial"}}, set()),
    ({"rule": "pe_provincial_exam"}, {"qualifications": {"exam:pe_provincial"}}, set()),
    ({"rule": "ethnicity_not", "value": "01"}, {"ethnicity": "15"}, set()),
    ({"rule": "ethnicity_not"}, {"ethnicity": "15"}, set()),
    ({"rule": "ethnic_preference_any"}, {"qualifications": {"ethnic_preference:E1"}}, set()),
    ({"rule": "ethnic_qualification"}, {"qualifications": {"ethnic_preference:F1"}}, set()),
    ({"rule": "registered_in_hukou_county"}, {"registration_county": "430103"}, set()),
    ({"rule": "county_match"}, {"hukou_county": "430522"}, {"COUNTY:430522", "COUNTY:430523"}),
    ({"rule": "vocational_category_match"}, {"qualifications": {"vocational:农学"}}, {"VOCATIONAL:农学"}),
    ({"rule": "age_max", "value": 20}, {"birth_date": date(1996, 9, 1)}, set()),
    ({"rule": "not_yet_admitted"}, {"admitted": False}, set()),
]
LACKING = replace(
    SCIENCE, birth_date=date(1996, 8, 31), hukou_county="430103", registration_county="430102", admitted=True
)


@pytest.mark.parametrize("policy", ["block", "warn"])
@pytest.mark.parametrize(
    ("rule", "meets", "tags"),
    CONDITIONS,
    ids=lambda value: str(sorted(value) if isinstance(value, set | frozenset) else value)[:60],
)
def test_f11_each_condition(rule: dict[str, object], meets: dict[str, object], tags: set[str], policy: str) -> None:
    spec = with_rule(FIRST, "GEN1", policy=policy, **rule)
    offer = Offer("1001", "大学", MAJORS, tags=frozenset(tags))
    per_offer = spec.columns[4].eligibility[0].per_offer
    level = "error" if policy == "block" else "warning"
    expected = [("F11", level, 1 if per_offer else None, None)]
    assert findings(spec, listed("GEN1", choice()), LACKING, offer) == expected
    met = {key: frozenset(value) if isinstance(value, set) else value for key, value in meets.items()}
    fitting = replace(LACKING, **met)  # type: ignore[arg-type]
    assert findings(spec, listed("GEN1", choice()), fitting, offer) == []


def test_f11_every_condition_has_a_check_and_a_test() -> None:
    assert set(_CHECKS) == set(RULES)
    tested = {str(rule["rule"]) for rule, _, _ in CONDITIONS}
    assert tested == set(RULES) - {"score_line", "score_line_or_within", "fresh_or_repeat"}


@pytest.mark.parametrize(
    "rule", ["county_match", "vocational_category_match", "per_institution_checks", "per_kind_qualification"]
)
def test_f11_what_an_offer_does_not_ask_is_not_held_against_anybody(rule: str) -> None:
    assert findings(with_rule(FIRST, "GEN1", rule=rule), listed("GEN1", choice()), LACKING) == []


def test_f11_the_calendar_of_2017_blocks_and_warns() -> None:
    assert findings(EARLY, listed("NAT_EARLY", choice()), SCIENCE) == [("F11", "error", None, None)]
    assert findings(EARLY, listed("MIL", choice()), SCIENCE) == [("F11", "warning", None, None)] * 3
    assert findings(OLD.batch("1-GEN1_S"), listed("GEN1_S", choice()), replace(SCIENCE, admitted=True)) == [
        ("F11", "error", None, None)
    ]


def test_f11_a_local_special_plan_among_ordinary_institutions() -> None:
    tagged = Offer("1002", "大学", MAJORS, tags=frozenset({"LOCAL_SPECIAL"}))
    mixed = listed("GEN1", choice(), choice(1002))
    assert findings(FIRST, mixed, SCIENCE, tagged) == [("F11", "error", 2, None)]
    granted = replace(SCIENCE, qualifications=frozenset({"special_plan:LOCAL"}))
    assert findings(FIRST, mixed, granted, tagged) == []


@pytest.mark.parametrize(
    ("nature", "grant"),
    [
        ("NATIONAL_SPECIAL", "special_plan:NATIONAL"),
        ("LOCAL_SPECIAL", "special_plan:LOCAL"),
        ("ETHNIC_CLASS", "ethnic_preference:F1"),
        ("PREPARATORY", "ethnic_preference:F1"),
    ],
)
@pytest.mark.parametrize("batch", ["20", "20-GEN_S1", "20-GEN_S2"])
def test_g8_groups_of_special_plans_in_every_round(nature: str, grant: str, batch: str) -> None:
    spec = NEW.batch(batch)
    column = spec.columns[-1].code
    offer = Offer("1001", "大学", MAJORS, group="101", nature=nature)
    chosen = listed(column, choice(group="101"))
    assert findings(spec, chosen, PHYSICS, offer) == [("G8", "error", 1, None)]
    assert findings(spec, chosen, replace(PHYSICS, qualifications=frozenset({grant})), offer) == []


def test_f12_language_sex_and_remark() -> None:
    majors = {
        "01": replace(MAJORS["01"], languages=frozenset({"1", "3"})),
        "02": replace(MAJORS["02"], sex="1"),
        "03": replace(MAJORS["03"], remark="只招英语语种"),
    }
    offer = Offer("1001", "大学", majors)
    chosen = listed("GEN1", choice(majors="01 02 03"))
    russian = replace(SCIENCE, language="2")
    assert findings(FIRST, chosen, russian, offer) == [("F12", "warning", 1, at) for at in (1, 2, 3)]
    said = texts(FIRST, chosen, russian, offer)
    assert any("examined in English, Japanese." in text for text in said)
    assert any("takes only men" in text for text in said)
    assert any("“只招英语语种”" in text for text in said)
    assert findings(FIRST, chosen, replace(russian, sex="1", language="3"), offer) == [("F12", "warning", 1, 3)]


def test_a_warning_raised_by_the_calendar_is_an_error() -> None:
    strict = FIRST.model_copy(update={"raised": ("F7",)})
    refused = listed("GEN1", choice(major_adjust=False))
    assert findings(strict, refused, SCIENCE) == [("F7", "error", 1, None)]


def test_p2_nothing_chosen() -> None:
    for nothing in (Preferences({}), listed("GEN1"), listed("GEN1", None, None)):
        assert findings(FIRST, nothing, SCIENCE) == [("P2", "error", None, None)]


def test_p3_a_non_parallel_institution_only_comes_first() -> None:
    spec = NEW.batch("11")
    art = replace(PHYSICS, subject_class="ART_PHY", qualifications=frozenset({"exam:art_provincial"}))
    lone = Offer("1002", "美院", MAJORS, tags=frozenset({"NON_PARALLEL"}))
    group = choice(group="101")
    assert findings(spec, listed("ART_E", choice(1002), group), art, lone) == []
    assert findings(spec, listed("ART_E", group, choice(1002)), art, lone) == [("P3", "error", 2, None)]


def test_p4_a_batch_of_other_classes() -> None:
    assert findings(OLD.batch("2A"), listed("PE2", choice()), SCIENCE, rule="P4") == [("P4", "error", None, None)]


def test_p5_a_box_ticked_without_an_institution() -> None:
    spec = OLD.batch("1-GEN1_S")
    assert findings(spec, listed("GEN1_S", institution_adjust=True), SCIENCE) == [("P5", "error", None, None)]
    assert findings(spec, compact(listed("GEN1_S", None, institution_adjust=True)), SCIENCE) == [
        ("P5", "error", None, None)
    ]


def test_p7_more_than_the_column_takes() -> None:
    too_many = listed("GEN1", *(choice(code) for code in range(1001, 1012)))
    assert findings(FIRST, too_many, SCIENCE) == [("P7", "error", None, None)]
    majors = "01 02 03 04 05 06 07"
    assert findings(FIRST, listed("GEN1", choice(majors=majors)), SCIENCE) == [("P7", "error", 1, None)]
    elsewhere = Preferences({"GEN1": ColumnChoices((choice(),)), "GEN9": ColumnChoices((choice(),))})
    assert findings(FIRST, elsewhere, SCIENCE) == [("P7", "error", None, None)]


@pytest.mark.parametrize("box", ["institution_adjust", "directed_adjust"])
def test_p7_a_box_the_column_has_not(box: str) -> None:
    assert findings(FIRST, listed("GEN1", choice(), **{box: True}), SCIENCE) == [("P7", "error", None, None)]
    directed = listed("DIR1", choice(), directed_adjust=True)
    assert findings(FIRST, directed, SCIENCE) == []


def test_what_is_said_names_codes_names_and_places() -> None:
    said = texts(FIRST, listed("GEN1", choice(major_adjust=False), choice(9999)), SCIENCE)
    assert "9999 is not offered to you in 非定向(含农村学生专项单列院校代号) this year." in said[0]
    assert any(text.startswith("1001 大学1001 (长沙): you refuse adjustment of majors.") for text in said)


def test_what_is_said_is_translated_with_its_terms() -> None:
    words = {"physics": "物理"}
    offer = Offer("1001", "大学", MAJORS, group="101", requirement=Requirement("PHY"))
    history = replace(PHYSICS, subject_class="HIS", first_subject="HIS")
    verdict = judge(GROUPS, listed("GEN", choice(group="101")), history, shelf(offer))
    said = verdict.errors[0].text(lambda msgid: words.get(msgid, msgid))
    assert "asks for 物理 as the first subject" in said


# --- a second opinion --------------------------------------------------------------------------------

CODES = st.sampled_from(["1001", "1002", "1003", "9999"])
MAJOR_CODES = st.lists(st.sampled_from(["01", "02", "03", "77"]), max_size=4).map(tuple)
CHOICES = st.builds(Choice, CODES, st.none(), MAJOR_CODES, st.sampled_from([True, False, None]))
SLOTS = st.lists(st.none() | CHOICES, max_size=10).map(tuple)
LISTS = st.builds(
    lambda general, directed: Preferences({"GEN1": ColumnChoices(general), "DIR1": ColumnChoices(directed)}),
    SLOTS,
    st.lists(st.none() | CHOICES, max_size=1).map(tuple),
)


def second_opinion(preferences: Preferences) -> bool:
    """Whether 2017's first batch lets a list in, by the key rules alone, written from their text."""
    filled = [[slot for slot in column.slots if slot] for column in preferences.columns.values()]
    if not any(filled):
        return False
    for slots in filled:
        if len({slot.institution for slot in slots}) < len(slots):
            return False
        for slot in slots:
            if slot.institution == "9999" or "77" in slot.majors or slot.major_adjust is None:
                return False
            if len(set(slot.majors)) < len(slot.majors):
                return False
            if not slot.majors and not slot.major_adjust:
                return False
    return True


@given(LISTS)
def test_the_key_rules_agree_with_a_second_opinion(preferences: Preferences) -> None:
    assert judge(FIRST, preferences, SCIENCE, shelf()).allowed == second_opinion(preferences)


@given(LISTS)
def test_closing_gaps_changes_no_error(preferences: Preferences) -> None:
    def kinds(judged: Preferences) -> list[tuple[str, str]]:
        return sorted((each.rule, each.column or "") for each in judge(FIRST, judged, SCIENCE, shelf()).errors)

    assert kinds(preferences) == kinds(compact(preferences))


@given(LISTS, st.sampled_from([SCIENCE, replace(LACKING, score=1, restrictions=frozenset({"11", "22"}))]))
def test_every_finding_can_be_said_and_points_into_the_list(preferences: Preferences, facts: Facts) -> None:
    tagged = Offer(
        "1002",
        "大学",
        {"01": replace(MAJORS["01"], restricted=frozenset({"21"}), sex="1", remark="男")},
        tags=frozenset({"LOCAL_SPECIAL"}),
    )
    verdict = judge(FIRST, preferences, facts, shelf(tagged))
    for finding in (*verdict.errors, *verdict.warnings):
        assert "%(" not in finding.text(str)
        assert places(finding, preferences)


def places(finding: Finding, preferences: Preferences) -> bool:
    if finding.column is None or finding.slot is None:
        return finding.slot is None and finding.major is None
    slot = preferences.columns[finding.column].slots[finding.slot - 1]
    if finding.major is None or slot is None:
        return finding.rule == "F5" if slot is None else True
    return 1 <= finding.major <= len(slot.majors)
