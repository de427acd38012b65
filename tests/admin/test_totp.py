from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin import totp

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
moments = st.datetimes(datetime(2017, 1, 1), datetime(2040, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC))  # noqa: DTZ001


@given(moments)
def test_what_an_authenticator_shows_is_taken(now: datetime) -> None:
    assert totp.step_of(SECRET, pyotp.TOTP(SECRET).at(now), now) == int(now.timestamp()) // 30


@given(moments, st.integers(-1, 1))
def test_a_clock_half_a_minute_off_is_taken(now: datetime, steps: int) -> None:
    shown = totp.shown_at(SECRET, now + timedelta(seconds=30 * steps))
    assert totp.step_of(SECRET, shown, now) is not None


@given(moments, st.sampled_from([-40, -3, -2, 2, 3, 40]))
def test_older_and_later_digits_are_not(now: datetime, steps: int) -> None:
    shown = totp.shown_at(SECRET, now + timedelta(seconds=30 * steps))
    near = {totp.shown_at(SECRET, now + timedelta(seconds=30 * step)) for step in (-1, 0, 1)}
    assert (totp.step_of(SECRET, shown, now) is None) == (shown not in near)


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "一二三四五六"])
def test_whatever_is_typed_is_compared_and_refused(typed: str) -> None:
    assert totp.step_of(SECRET, typed, datetime(2017, 6, 28, tzinfo=UTC)) is None


def test_the_address_names_the_login() -> None:
    address = totp.address(SECRET, "zhou.min")
    assert address.startswith("otpauth://totp/Zhiyuan:zhou.min?")
    assert pyotp.parse_uri(address).secret == SECRET
    assert len(totp.new_secret()) == 32
