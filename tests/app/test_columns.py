"""Both calendars load with the figures their sources give, and what is wrong with a file is said by place."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from app.columns import BatchSpec, Calendar, CalendarError, Window, load_calendar
from app.specs import DEFAULT_POLICY, RULES

CALENDARS = Path(__file__).parents[2] / "config" / "calendars"
TEXTS = {year: (CALENDARS / f"{year}.yaml").read_text(encoding="utf-8") for year in (2017, 2024)}
LOADED = {year: load_calendar(text) for year, text in TEXTS.items()}
SPECS = [spec for calendar in LOADED.values() for spec in calendar.batches]

#: batch → column → (mode, slots), as `config/calendars` and its sources have it
SLOTS = {
    2017: {
        "0": {
            "MIL": ("PARALLEL", 10),
            "NONMIL": ("SINGLE", 1),
            "NAT_EARLY": ("PARALLEL", 10),
            "TEACHER": ("SINGLE", 1),
            "DIRECTED": ("SINGLE", 1),
        },
        "0-MIL_S": {"MIL_S": ("PARALLEL", 10)},
        "0P": {"PILOT": ("SEQUENTIAL", 2)},
        "0A": {"ART_E_NP": ("SEQUENTIAL", 2), "ART_E_P": ("PARALLEL", 10)},
        "0N": {"NAT": ("PARALLEL", 10)},
        "0N-NAT_S": {"NAT_S": ("PARALLEL", 10)},
        "0S": {"SINGLE_SUBJECT": ("SINGLE", 1)},
        "1": {
            "SELF": ("SINGLE", 1),
            "UNI": ("SINGLE", 1),
            "ARTGROUP": ("SINGLE", 1),
            "COMP": ("SINGLE", 1),
            "GEN1": ("PARALLEL", 10),
            "DIR1": ("SINGLE", 1),
            "ETH1": ("SINGLE", 1),
            "PRE1": ("SINGLE", 1),
        },
        "1-GEN1_S": {"GEN1_S": ("PARALLEL", 10)},
        "2": {"GEN2": ("PARALLEL", 10), "DIR2": ("SINGLE", 1), "PRE2": ("SINGLE", 1)},
        "2-GEN2_S": {"GEN2_S": ("PARALLEL", 10)},
        "2A": {"ART2_NP": ("SINGLE", 1), "ART2_P": ("PARALLEL", 10), "PE2": ("PARALLEL", 10)},
        "2A-ART2_S": {"ART2_S": ("PARALLEL", 10)},
        "3": {"GEN3": ("PARALLEL", 10)},
        "3-GEN3_S": {"GEN3_S": ("PARALLEL", 10)},
        "4": {"NCO": ("PARALLEL", 10), "EARLYZK": ("SINGLE", 1), "EARLYZK_D": ("SINGLE", 1)},
        "5": {"GENZ": ("PARALLEL", 10)},
        "5-GENZ_S1": {"GENZ_S1": ("PARALLEL", 10)},
        "5-GENZ_S2": {"GENZ_S2": ("PARALLEL", 10)},
        "9": {"VOC_BK": ("PARALLEL", 10), "VOC_ZK": ("PARALLEL", 10)},
    },
    2024: {
        "10": {"MIL": ("PARALLEL", 30), "NONMIL": ("SINGLE", 1)},
        "10-MIL_S": {"MIL_S": ("PARALLEL", 30)},
        "20": {"SPECIAL": ("SINGLE", 1), "GEN": ("PARALLEL", 45)},
        "20-GEN_S1": {"GEN_S1": ("PARALLEL", 45)},
        "20-GEN_S2": {"GEN_S2": ("PARALLEL", 45)},
        "30": {"NCO": ("PARALLEL", 30), "OTHERZ": ("SINGLE", 1)},
        "30-NCO_S": {"NCO_S": ("PARALLEL", 30)},
        "40": {"ZK": ("PARALLEL", 30)},
        "40-ZK_S1": {"ZK_S1": ("PARALLEL", 30)},
        "40-ZK_S2": {"ZK_S2": ("PARALLEL", 30)},
        "11": {"ART_E": ("MIXED_FIRST", 30)},
        "11-ART_E_S": {"ART_E_S": ("MIXED_FIRST", 30)},
        "21": {"ART_B": ("MIXED_FIRST", 30)},
        "21-ART_B_S": {"ART_B_S": ("MIXED_FIRST", 30)},
        "41": {"ART_Z": ("PARALLEL", 30)},
        "41-ART_Z_S1": {"ART_Z_S1": ("PARALLEL", 30)},
        "41-ART_Z_S2": {"ART_Z_S2": ("PARALLEL", 30)},
        "12": {"PE_E": ("SINGLE", 1)},
        "22": {"PE_B": ("PARALLEL", 30)},
        "22-PE_B_S1": {"PE_B_S1": ("PARALLEL", 30)},
        "42": {"PE_Z": ("PARALLEL", 30)},
        "42-PE_Z_S1": {"PE_Z_S1": ("PARALLEL", 30)},
    },
}


@pytest.mark.parametrize("year", SLOTS)
def test_every_batch_has_its_columns_and_slots(year: int) -> None:
    found = {
        spec.code: {column.code: (column.mode, column.slots) for column in spec.columns}
        for spec in LOADED[year].batches
    }
    assert found == SLOTS[year]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.year}-{spec.code}")
def test_a_spec_survives_a_jsonb_column(spec: BatchSpec) -> None:
    assert BatchSpec.model_validate(json.loads(json.dumps(spec.model_dump(mode="json")))) == spec


@pytest.mark.parametrize("calendar", LOADED.values(), ids=str)
def test_a_calendar_survives_json(calendar: Calendar) -> None:
    assert Calendar.model_validate(json.loads(json.dumps(calendar.model_dump(mode="json")))) == calendar


def test_every_column_takes_six_majors_and_asks_for_adjustment_but_one() -> None:
    odd = [
        column.code
        for spec in SPECS
        for column in spec.columns
        if column.majors_per_institution != 6 or not column.major_adjust
    ]
    assert odd == ["SINGLE_SUBJECT"]


def test_units_are_groups_in_2024_but_for_single_columns() -> None:
    assert {column.unit for spec in LOADED[2017].batches for column in spec.columns} == {"INSTITUTION"}
    single = {c.code for s in LOADED[2024].batches for c in s.columns if c.unit == "INSTITUTION"}
    assert single == {"NONMIL", "SPECIAL", "OTHERZ", "PE_E"}


def test_a_supplementary_round_is_a_batch_with_a_parent() -> None:
    parent, child = LOADED[2017].batch("5"), LOADED[2017].batch("5-GENZ_S2")
    assert (child.parent, child.round, child.of, child.window) == ("5", 2, "GENZ", "S7")
    assert child.name == "高职专科批第二次征集"
    assert child.subject_classes == parent.subject_classes
    assert (parent.catalogue_scope, child.catalogue_scope) == ("all", "only_unfilled_plans")
    assert child.columns[0].institution_adjust
    assert not parent.columns[0].institution_adjust


def test_a_supplementary_round_takes_the_line_of_the_column_it_follows() -> None:
    rules = {rule.rule: rule for rule in LOADED[2017].batch("1-GEN1_S").columns[0].eligibility}
    assert (rules["score_line_or_within"].line, rules["score_line_or_within"].below) == ("BK1", 20)


def test_score_lines_by_class() -> None:
    spec = LOADED[2017].batch("1")
    assert spec.score_lines["BK1"] == {"1": 548, "5": 505}
    assert spec.line_names["BK1"] == "本科一批"
    assert LOADED[2024].batch("20").score_lines["BK"] == {"PHY": 422, "HIS": 438}


def test_exclusive_columns_exclude_each_other() -> None:
    spec = LOADED[2017].batch("0")
    by_code = {column.code: column for column in spec.columns}
    assert {c.code for c in spec.excluded_by(by_code["MIL"])} == {
        "NONMIL",
        "DIRECTED",
        "TEACHER",
        "NAT_EARLY",
    }
    assert [c.code for c in spec.excluded_by(by_code["TEACHER"])] == ["MIL"]


def test_conditions_on_tags_and_kinds() -> None:
    general = LOADED[2024].batch("20").columns[1].eligibility
    assert [(rule.tag, rule.rule) for rule in general if rule.tag] == [
        ("NATIONAL_SPECIAL", "special_plan"),
        ("LOCAL_SPECIAL", "special_plan"),
        ("ETHNIC_CLASS", "ethnic_qualification"),
        ("PREPARATORY", "ethnic_qualification"),
    ]
    special = LOADED[2024].batch("20").columns[0].eligibility
    assert special[1].tag == "UNIVERSITY_SPECIAL"
    assert special[1].per_offer
    assert not special[0].per_offer


def test_the_tenth_digit_of_a_candidate_number() -> None:
    digits = {code: each.number_digit for code, each in LOADED[2024].subject_classes.items()}
    assert digits["PHY"] == "5"
    assert len(set(digits.values())) == len(digits)
    assert LOADED[2017].subject_classes["5"].number_digit == "5"


def changed(year: int = 2017, **top: object) -> str:
    return yaml.safe_dump(yaml.safe_load(TEXTS[year]) | top, allow_unicode=True)


def policies(calendar: Calendar, batch: str) -> dict[str, str]:
    return {rule.rule: rule.policy for c in calendar.batch(batch).columns for rule in c.eligibility}


def test_without_a_policy_the_defaults_hold() -> None:
    raw = {
        key: value
        for key, value in yaml.safe_load(TEXTS[2017]).items()
        if key not in {"eligibility_policy", "lists_held"}
    }
    assert load_calendar(yaml.safe_dump(raw, allow_unicode=True)) == LOADED[2017]


def test_both_calendars_say_a_policy_for_every_rule_they_use() -> None:
    for year, text in TEXTS.items():
        said = yaml.safe_load(text)["eligibility_policy"]
        assert said == {rule: policy for rule, policy in DEFAULT_POLICY.items() if rule in said}
        used = {rule.rule for s in LOADED[year].batches for c in s.columns for rule in c.eligibility}
        assert used <= said.keys() | {"fresh_or_repeat"}


def test_a_list_the_office_holds_blocks() -> None:
    assert policies(LOADED[2017], "1")["published_list"] == "warn"
    held = load_calendar(changed(lists_held=["自主招生入选名单"])).batch("1")
    found = {c.code: [r.policy for r in c.eligibility if r.rule == "published_list"] for c in held.columns}
    assert (found["SELF"], found["COMP"]) == (["block"], ["warn"])


def test_a_rules_own_policy_comes_first() -> None:
    strict = load_calendar(changed(eligibility_policy={"score_line": "block"}))
    assert policies(strict, "0")["score_line"] == "block"
    assert policies(strict, "1")["score_line"] == "warn"


def test_a_form_rule_may_be_raised_but_never_dropped() -> None:
    rules = yaml.safe_load(TEXTS[2017])["form_rules"]
    raised = [rule | {"level": "error"} if rule["id"] == "F7" else rule for rule in rules]
    assert load_calendar(changed(form_rules=raised)).batch("1").raised == ("F7",)
    dropped = [rule | {"level": "warn"} if rule["id"] == "F1" else rule for rule in rules]
    with pytest.raises(CalendarError, match=r"form_rules\[0\]: F1 cannot have the level 'warn'; use error"):
        load_calendar(changed(form_rules=dropped))


FAULTS = [
    (("code: MIL, ", "code: MIL, round: 1, "), "batches[0].columns[0].round: is not a key we know"),
    (
        ("mode: SINGLE, slots: 1, slots_conf: medium", "mode: SINGLE, slots: 3"),
        "batches[0].columns[1]: mode SINGLE has one slot",
    ),
    (("code: PILOT,", "code: PILOT, slot: 3,"), "batches[1].columns[0].slot: is not a key we know"),
    (
        ("window: S1, round: 1, of: MIL,", "window: S9, round: 1, of: MIL,"),
        "batches[0].supplementary[0].window: 'S9'",
    ),
    (("round: 1, of: GEN1", "round: 1, of: GEN7"), "batches[5].supplementary[0].of: 'GEN7'"),
    (("exclusive_with: [MIL]", "exclusive_with: [MIR]"), "batches[0].columns[1].exclusive_with: 'MIR'"),
    (('  - code: "0P"', '  - code: "0"'), "batches[1].code: '0'"),
    (('  - code: "0P"', "  - code: 7"), "batches[1].code: should be text; put it in quotes"),
    (('subject_classes: ["3", "7"]', 'subject_classes: ["3", "6"]'), "batches[2].subject_classes: '6'"),
    (("code: NAT_S,", "code: NAT,"), "batches[3]: the column code 'NAT'"),
    (
        ("rule: art_school_exam, conf: high", "rule: art_scool_exam"),
        "batches[2].columns[0].eligibility[0]: no rule is called",
    ),
    (("rule: age_max, value: 20", "rule: age_max, value: old"), "eligibility[4]: age_max needs"),
    (("rule: special_plan, type: UNIVERSITY", "rule: special_plan"), "special_plan needs `type"),
    (
        ('end: "2017-06-27T18:00:00+08:00"', 'end: "2017-06-20T18:00:00+08:00"'),
        "windows.W1: it ends before it starts",
    ),
    (('end: "2017-06-27T18:00:00+08:00"', 'end: "2017-06-27T18:00:00"'), "windows.W1.end"),
    (("effective_rule: last_verified_save_wins", "effective_rule: first_save_wins"), "meta.effective_rule"),
    (("special_plan: block", "specialplan: block"), "eligibility_policy.specialplan: no rule"),
    (("windows:", "window:"), "window: is not a key we know"),
]


@pytest.mark.parametrize(("change", "place"), FAULTS, ids=[place for _, place in FAULTS])
def test_what_is_wrong_is_said_by_place(change: tuple[str, str], place: str) -> None:
    assert change[0] in TEXTS[2017]
    with pytest.raises(CalendarError) as caught:
        load_calendar(TEXTS[2017].replace(*change, 1))
    assert any(place in problem for problem in caught.value.problems), caught.value.problems


@pytest.mark.parametrize(
    "text",
    ["", "[]", "meta: [", "meta: {}\nbatches: 3", "batches: [1, {columns: 2}]", "batches: [{columns: [3]}]"],
)
def test_what_is_no_calendar_is_refused_whole(text: str) -> None:
    with pytest.raises(CalendarError):
        load_calendar(text)


def test_every_problem_is_named_at_once() -> None:
    text = TEXTS[2017].replace("window: S3,", "window: S0,").replace("window: S4,", "window: S0,")
    with pytest.raises(CalendarError) as caught:
        load_calendar(text)
    assert len(caught.value.problems) == 3


def test_shifting_moves_every_window_and_nothing_else() -> None:
    calendar, delta = LOADED[2017], timedelta(days=3, minutes=7)
    moved = calendar.shifted(delta)
    for code, window in calendar.windows.items():
        assert moved.windows[code].opens_at - window.opens_at == delta
        assert moved.windows[code].closes_at - window.closes_at == delta
    assert moved.rehearsal is not None
    assert calendar.rehearsal is not None
    assert moved.rehearsal.opens_at == calendar.rehearsal.opens_at + delta
    assert moved.batches == calendar.batches


@given(
    st.sampled_from([(year, code) for year, calendar in LOADED.items() for code in calendar.windows]),
    st.datetimes(datetime(2015, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_a_chosen_window_is_open_at_a_chosen_instant(chosen: tuple[int, str], at: datetime) -> None:
    year, code = chosen
    before, after = LOADED[year].windows[code], LOADED[year].opened(code, at).windows[code]
    assert after.opens_at <= at < after.closes_at
    assert after.closes_at - after.opens_at == before.closes_at - before.opens_at
    if before.closes_at - before.opens_at >= timedelta(days=1):
        assert (after.opens_at - before.opens_at) % timedelta(days=1) == timedelta(0)


def test_an_unknown_window_cannot_be_opened() -> None:
    with pytest.raises(KeyError):
        LOADED[2017].opened("W9", datetime(2026, 6, 1, tzinfo=UTC))


def test_a_window_says_when_it_is_open_in_one_spelling() -> None:
    window = LOADED[2017].windows["W1"]
    assert window == Window.model_validate(window.model_dump(mode="json"))
    assert (window.closes_at - window.opens_at) == timedelta(hours=34)


def test_a_window_that_never_opens_is_refused() -> None:
    start = "2017-06-26T08:00:00+08:00"
    with pytest.raises(ValueError, match="ends before it starts"):
        Window.model_validate({"start": start, "end": start})


def test_every_rule_name_has_a_policy() -> None:
    assert set(RULES) == DEFAULT_POLICY.keys() - {"subject_requirement"}
