"""The one JSON shape: what is let in, and that nothing is lost on the way."""

import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.choices import Choice, ColumnChoices, Preferences, compact, from_content, parse, to_content
from app.columns import BatchSpec, ColumnSpec, load_calendar
from app.errors import BadInput

CALENDARS = Path(__file__).parents[2] / "config" / "calendars"
SPECS = [
    spec
    for year in (2017, 2024)
    for spec in load_calendar((CALENDARS / f"{year}.yaml").read_text(encoding="utf-8")).batches
]
BY_CODE = {(spec.year, spec.code): spec for spec in SPECS}
FIRST, GROUPS = BY_CODE[2017, "1"], BY_CODE[2024, "20"]

GOOD: dict[str, Any] = {
    "columns": {
        "GEN1": {
            "slots": [
                {"institution": "1234", "group": None, "majors": ["01", "07"], "major_adjust": True},
                None,
                {"institution": "1235", "group": None, "majors": [], "major_adjust": None},
            ],
            "institution_adjust": False,
            "directed_adjust": False,
        }
    }
}


def test_the_shape_of_the_contract() -> None:
    parsed = parse(GOOD, FIRST)
    column = parsed.columns["GEN1"]
    assert column.slots == (Choice("1234", None, ("01", "07"), True), None, Choice("1235"))
    assert [number for number, _ in column.filled()] == [1, 3]
    assert column.used == 2
    assert to_content(parsed) == GOOD


def test_a_choice_is_read_by_its_codes() -> None:
    assert (Choice("1234").code, Choice("1234", "101").code) == ("1234", "1234-101")


def test_a_waiver_and_missing_keys() -> None:
    assert to_content(parse({"columns": {}}, FIRST)) == {"columns": {}}
    assert parse({"columns": {}}, FIRST).empty
    sparse = parse({"columns": {"GEN1": {"slots": [{"institution": "1234"}]}}}, FIRST)
    assert sparse.columns["GEN1"].slots == (Choice("1234"),)


def test_compacting_closes_gaps_and_drops_empty_columns() -> None:
    draft = Preferences(
        {
            "GEN1": ColumnChoices((None, Choice("1"), None, Choice("2"), None)),
            "DIR1": ColumnChoices((None,)),
            "SELF": ColumnChoices((), institution_adjust=True),
        }
    )
    closed = compact(draft)
    assert closed.columns["GEN1"].slots == (Choice("1"), Choice("2"))
    assert list(closed.columns) == ["GEN1", "SELF"]
    assert not closed.empty


def at(content: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of the content with one place changed."""
    changed = copy.deepcopy(content)
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    inner: Any = changed
    for step in steps:
        inner = inner[step]
    inner[last] = value
    return changed


SLOT = "columns/GEN1/slots/0"
BAD = [
    ("columns", [], "columns"),
    ("more", 1, "content"),
    ("columns/XXX", {}, "columns"),
    ("columns/GEN1", [], "columns.GEN1"),
    ("columns/GEN1/more", 1, "columns.GEN1"),
    ("columns/GEN1/slots", {}, "columns.GEN1.slots"),
    ("columns/GEN1/slots", [None] * 11, "columns.GEN1.slots"),
    ("columns/GEN1/slots/0", "1234", "columns.GEN1.slots[0]"),
    ("columns/GEN1/institution_adjust", 0, "columns.GEN1.institution_adjust"),
    ("columns/GEN1/institution_adjust", True, "columns.GEN1.institution_adjust"),
    ("columns/GEN1/directed_adjust", "yes", "columns.GEN1.directed_adjust"),
    (f"{SLOT}/more", 1, "columns.GEN1.slots[0]"),
    (f"{SLOT}/institution", None, "columns.GEN1.slots[0].institution"),
    (f"{SLOT}/institution", 1234, "columns.GEN1.slots[0].institution"),
    (f"{SLOT}/institution", "", "columns.GEN1.slots[0].institution"),
    (f"{SLOT}/institution", "123456789", "columns.GEN1.slots[0].institution"),
    (f"{SLOT}/institution", "1234\n", "columns.GEN1.slots[0].institution"),
    (f"{SLOT}/institution", "１２３４", "columns.GEN1.slots[0].institution"),
    (f"{SLOT}/group", "101", "columns.GEN1.slots[0].group"),
    (f"{SLOT}/majors", "01", "columns.GEN1.slots[0].majors"),
    (f"{SLOT}/majors", ["01"] * 7, "columns.GEN1.slots[0].majors"),
    (f"{SLOT}/majors", ["01", None], "columns.GEN1.slots[0].majors[1]"),
    (f"{SLOT}/majors", [["01"]], "columns.GEN1.slots[0].majors[0]"),
    (f"{SLOT}/major_adjust", 1, "columns.GEN1.slots[0].major_adjust"),
    (f"{SLOT}/major_adjust", "true", "columns.GEN1.slots[0].major_adjust"),
]


@pytest.mark.parametrize(("path", "value", "place"), BAD)
def test_what_is_not_of_the_shape_is_refused_by_place(path: str, value: object, place: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(at(GOOD, path, value), FIRST)
    assert caught.value.place == place
    assert str(caught.value).startswith(place)


@pytest.mark.parametrize("content", [None, [], "x", 1, {1: 2}])
def test_what_is_no_list_at_all_is_refused(content: object) -> None:
    with pytest.raises(BadInput):
        parse(content, FIRST)


def test_an_answer_to_a_question_that_is_not_asked_is_refused() -> None:
    content = {"columns": {"SINGLE_SUBJECT": {"slots": [{"institution": "1", "major_adjust": False}]}}}
    with pytest.raises(BadInput, match="does not ask"):
        parse(content, BY_CODE[2017, "0S"])


def test_a_column_of_groups_wants_a_group_but_for_the_first_kind_of_a_mixed_one() -> None:
    with pytest.raises(BadInput, match="name the group"):
        parse({"columns": {"GEN": {"slots": [{"institution": "1234"}]}}}, GROUPS)
    mixed = parse({"columns": {"ART_E": {"slots": [{"institution": "1234"}]}}}, BY_CODE[2024, "11"])
    assert mixed.columns["ART_E"].slots == (Choice("1234"),)


CODES = st.from_regex(r"[0-9A-Za-z]{1,8}", fullmatch=True)


def columns(spec: ColumnSpec) -> st.SearchStrategy[ColumnChoices]:
    group = CODES if spec.unit == "GROUP" else st.none()
    choices = st.builds(
        Choice,
        CODES,
        group,
        st.lists(CODES, max_size=spec.majors_per_institution).map(tuple),
        st.sampled_from([True, False, None]) if spec.major_adjust else st.none(),
    )
    return st.builds(
        ColumnChoices,
        st.lists(st.none() | choices, max_size=min(spec.slots, 12)).map(tuple),
        st.booleans() if spec.institution_adjust else st.just(False),
        st.booleans() if spec.directed_adjust else st.just(False),
    )


def lists(spec: BatchSpec) -> st.SearchStrategy[Preferences]:
    return st.fixed_dictionaries({}, optional={c.code: columns(c) for c in spec.columns}).map(Preferences)


@given(st.sampled_from(SPECS).flatmap(lambda spec: st.tuples(st.just(spec), lists(spec))))
def test_round_trips(given_list: tuple[BatchSpec, Preferences]) -> None:
    spec, preferences = given_list
    content = to_content(preferences)
    stored = json.loads(json.dumps(content))
    assert parse(stored, spec) == preferences
    assert from_content(stored) == preferences
    assert compact(compact(preferences)) == compact(preferences)
    assert parse(to_content(compact(preferences)), spec) == compact(preferences)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | CODES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["columns", "GEN1", "slots", "institution", "majors"]), inner)
    ),
)


@given(JUNK)
def test_junk_is_refused_or_means_what_it_says(content: object) -> None:
    with contextlib.suppress(BadInput):
        parsed = parse(content, FIRST)
        assert parse(to_content(parsed), FIRST) == parsed
