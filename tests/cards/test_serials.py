"""Serials: made, read, shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cards import serials
from cards.errors import MalformedSerial
from cards.serials import Serial

lots = st.integers(0, 9999).map(lambda number: f"{number:04}")
numbers = st.integers(1, 9_999_999)


@given(lots, numbers)
def test_a_serial_taken_apart_is_what_it_was_made_of(lot: str, number: int) -> None:
    text = serials.make(lot, number)
    assert len(text) == 12
    found = serials.parse(text)
    assert (found.lot, found.number, found.text) == (lot, number, text)


@given(lots, numbers)
def test_it_is_read_back_from_its_shown_form_in_any_width(lot: str, number: int) -> None:
    serial = Serial(lot, number)
    shown = serial.grouped
    assert [len(group) for group in shown.split(" ")] == [4, 4, 4]
    wide = "".join(chr(ord(char) + 0xFEE0) if char != " " else "　" for char in shown)
    assert serials.parse(shown) == serials.parse(wide) == serials.parse(shown.replace(" ", "-")) == serial


@given(lots, numbers, st.integers(0, 11), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(lot: str, number: int, place: int, shift: int) -> None:
    text = serials.make(lot, number)
    wrong = text[:place] + str((int(text[place]) + shift) % 10) + text[place + 1 :]
    with pytest.raises(MalformedSerial, match="check_digit"):
        serials.parse(wrong)


@given(lots, numbers, st.integers(0, 10))
def test_two_neighbours_swapped_are_noticed(lot: str, number: int, place: int) -> None:
    text = serials.make(lot, number)
    swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    if swapped != text:
        with pytest.raises(MalformedSerial, match="check_digit"):
            serials.parse(swapped)


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "length"),
        ("12345671", "length"),  # a code in the wrong box
        ("20174301000001", "length"),  # a candidate number in the wrong box
        ("1701OOOOOO12", "not_digits"),
        ("170100000019", "check_digit"),
        ("000000000000", "check_digit"),  # the check digit fits, but cards are counted from 1
    ],
)
def test_what_no_card_carries_is_refused_with_its_reason(typed: str, reason: str) -> None:
    with pytest.raises(MalformedSerial) as caught:
        serials.parse(typed)
    assert caught.value.reason == reason


@pytest.mark.parametrize(("lot", "number"), [("170", 1), ("17010", 1), ("17a1", 1), ("１７０１", 1), ("", 1)])
def test_a_lot_that_is_not_four_digits_has_no_serials(lot: str, number: int) -> None:
    with pytest.raises(ValueError, match="lot"):
        serials.make(lot, number)


@pytest.mark.parametrize("number", [-1, 0, 10_000_000])
def test_a_number_that_does_not_fit_has_no_serial(number: int) -> None:
    with pytest.raises(ValueError, match="number"):
        serials.make("1701", number)


@given(lots, numbers, lots, numbers)
def test_serials_sort_as_text_in_the_order_of_the_boxes(lot: str, number: int, other: str, another: int) -> None:
    one, two = Serial(lot, number), Serial(other, another)
    assert (one < two) == (one.text < two.text)
