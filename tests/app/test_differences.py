"""What changed between two lists."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.choices import Choice, ColumnChoices, Preferences, to_content
from app.differences import Difference, differences


def content(*codes: str, **boxes: bool) -> dict[str, Any]:
    """One column of institutions; "1:01+02" with majors, "1!" refusing others."""
    return to_content(Preferences({"GEN1": ColumnChoices(tuple(map(choice, codes)), **boxes)}))


def choice(code: str) -> Choice:
    institution, _, majors = code.rstrip("!").partition(":")
    return Choice(institution, None, tuple(majors.split("+")) if majors else (), not code.endswith("!"))


def said(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str, int | None, int | None]]:
    return [
        (each.kind, each.choice.code if each.choice else "", each.old_slot, each.new_slot)
        for each in differences(old, new)
    ]


def test_nothing_changed() -> None:
    assert said(content("1", "2"), content("1", "2")) == []


def test_added_and_removed_shift_the_rest() -> None:
    assert said(content("1", "2", "3"), content("2", "3", "4")) == [
        ("removed", "1", 1, None),
        ("shifted", "2", 2, 1),
        ("shifted", "3", 3, 2),
        ("added", "4", None, 3),
    ]


def test_only_what_was_moved_is_called_moved() -> None:
    assert said(content("1", "2", "3", "4"), content("4", "1", "2", "3")) == [
        ("moved", "4", 4, 1),
        ("shifted", "1", 1, 2),
        ("shifted", "2", 2, 3),
        ("shifted", "3", 3, 4),
    ]


def test_majors_and_answers() -> None:
    found = differences(content("1:01+02", "2"), content("1:02+01", "2!"))
    assert [(each.kind, each.old, each.new) for each in found] == [
        ("majors", ("01", "02"), ("02", "01")),
        ("major_adjust", True, False),
    ]
    assert found[0].message % found[0].params == "1: the majors change from 01 02 to 02 01."


def test_boxes_of_a_column() -> None:
    found = differences(content("1"), content("1", institution_adjust=True, directed_adjust=True))
    assert [(each.kind, each.new) for each in found] == [
        ("institution_adjust", True),
        ("directed_adjust", True),
    ]


def test_columns_that_come_and_go() -> None:
    assert said({"columns": {}}, content("1")) == [("added", "1", None, 1)]
    assert said(content("1"), {"columns": {}}) == [("removed", "1", 1, None)]


def test_duplicates_of_a_draft_are_told_apart() -> None:
    assert said(content("1", "1", "1"), content("1", "1", "1", "1")) == [("added", "1", None, 4)]
    assert said(content("1", "1:01", "1"), content("1", "1:01")) == [("removed", "1", 3, None)]


CODES = st.lists(st.sampled_from([f"{code}{rest}" for code in "12345" for rest in ("", "!", ":01")]), max_size=7)


@given(CODES, CODES)
def test_none_means_equal_and_every_one_can_be_said(old: Sequence[str], new: Sequence[str]) -> None:
    before, after = content(*old), content(*new)
    found = differences(before, after)
    assert (found == []) == (before == after)
    for each in found:
        assert "%(" not in each.message % each.params


@given(st.integers(0, 7), st.integers(0, 7))
def test_one_move_is_called_one_move(taken: int, put: int) -> None:
    old = list("12345678")
    new = [code for code in old if code != old[taken]]
    new.insert(put, old[taken])
    moved = [each for each in differences(content(*old), content(*new)) if each.kind == "moved"]
    assert len(moved) == (taken != put)


@given(CODES, CODES)
def test_what_is_said_rebuilds_the_new_list(old: Sequence[str], new: Sequence[str]) -> None:
    before, after = content(*old), content(*new)
    assert rebuilt(before, differences(before, after)) == after["columns"]["GEN1"]["slots"]


def rebuilt(before: dict[str, Any], found: list[Difference]) -> list[dict[str, Any]]:
    """Apply differences to a list, as somebody reading the history would."""
    slots: dict[int, dict[str, Any]] = dict(enumerate(before["columns"]["GEN1"]["slots"], 1))
    placed: dict[int, dict[str, Any]] = {}
    for each in found:
        if each.kind == "removed" and each.old_slot:
            del slots[each.old_slot]
        elif each.kind == "added" and each.new_slot and each.choice:
            placed[each.new_slot] = to_content(Preferences({"x": ColumnChoices((each.choice,))}))["columns"]["x"][
                "slots"
            ][0]
        elif each.kind in {"majors", "major_adjust"} and each.old_slot:
            value = list(each.new) if isinstance(each.new, tuple) else each.new
            slots[each.old_slot] = slots[each.old_slot] | {each.kind: value}
    moves = {each.old_slot: each.new_slot for each in found if each.kind in {"moved", "shifted"}}
    placed |= {moves.get(old_slot) or old_slot: slot for old_slot, slot in slots.items()}
    return [placed[number] for number in sorted(placed)]
