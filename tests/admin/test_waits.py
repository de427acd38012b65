"""A stranger's failures at the offices' door keep nobody out who was in before, and guessing stays slow (R-04)."""

from collections.abc import Callable

import pytest

from admin.entrance import Desk, Opened, Vouched
from admin.waits import KNOWN_DEVICES
from app.db import Database
from app.entrance import Refused
from app.errors import TooSoon
from tests.admin.colleagues import PASSWORD, Colleague, Offices
from tests.makers import World

OWN, OTHER = b"o" * 32, b"x" * 32


@pytest.fixture
def desk(world: World, offices_role: Database) -> Desk:
    """The door, with no more rights than the portal has."""
    return Desk(offices_role, world.keys)


@pytest.fixture
def who(offices: Offices) -> Colleague:
    return offices.appoint(role="approver")


def guess(world: World, desk: Desk, who: Colleague, device: bytes | None = None) -> Refused | Opened:
    return desk.sign_in(who.login, "wrong", "000000", world.where(device))


def test_a_strangers_failures_keep_nobody_out_who_was_in_before(
    world: World, desk: Desk, offices: Offices, who: Colleague
) -> None:
    assert isinstance(desk.sign_in(who.login, PASSWORD, offices.digits(who, -1), world.where(OWN)), Opened)
    visitor = offices.visitor(who)
    for device in (None, OTHER, None, OTHER, None, OTHER):
        guess(world, desk, who, device)

    with pytest.raises(TooSoon):
        desk.sign_in(who.login, PASSWORD, offices.digits(who), world.where(OTHER))
    assert isinstance(desk.prove(visitor, PASSWORD, offices.digits(who), world.where()), Opened)
    assert isinstance(desk.sign_in(who.login, PASSWORD, offices.digits(who, 1), world.where(OWN)), Opened)
    assert isinstance(desk.change_password(offices.visitor(who), PASSWORD, "Dongting 8848", world.where()), Opened)
    world.do("UPDATE officers SET totp_step = 1")
    assert isinstance(desk.vouch(who.login, "Dongting 8848", offices.digits(who), world.where()), Vouched)
    # nor does any of these let strangers guess on
    with pytest.raises(TooSoon):
        guess(world, desk, who)


def test_who_was_in_before_cannot_guess_any_faster(world: World, desk: Desk, offices: Offices, who: Colleague) -> None:
    assert isinstance(desk.sign_in(who.login, PASSWORD, offices.digits(who), world.where(OWN)), Opened)
    visitor = offices.visitor(who)
    ways: dict[str, Callable[[], object]] = {
        "known browser": lambda: guess(world, desk, who, OWN),
        "session": lambda: desk.prove(visitor, "wrong", "000000", world.where(OWN)),
        "prompt": lambda: desk.vouch(who.login, "wrong", "000000", world.where(OWN)),
    }
    for way in ways.values():
        for _ in range(6):
            assert way() == Refused()
        with pytest.raises(TooSoon):
            way()
    with pytest.raises(TooSoon):
        desk.change_password(visitor, "wrong", "Dongting 8848", world.where(OWN))
    assert world.value("SELECT count(*) FROM officer_waits") == len(ways)


def test_the_browser_seen_longest_ago_is_forgotten(world: World, desk: Desk, offices: Offices, who: Colleague) -> None:
    devices = [bytes([number]) * 32 for number in range(KNOWN_DEVICES + 1)]
    for device in (*devices[:KNOWN_DEVICES], devices[0], devices[-1]):
        world.do("UPDATE officers SET totp_step = 1")
        assert isinstance(desk.sign_in(who.login, PASSWORD, offices.digits(who), world.where(device)), Opened)

    known = world.rows("SELECT token_hash FROM officer_devices ORDER BY token_hash")
    assert [bytes(row["token_hash"]) for row in known] == [devices[0], *devices[2:]]
