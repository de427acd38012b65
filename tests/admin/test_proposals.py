"""Two-person acts: who may propose, who may approve, when, and what retyping is for."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from admin import proposals, scope, withdrawals
from admin.deeds import KINDS
from admin.officers import Role, Visitor
from admin.proposals import AlreadyProposed, Mistyped, Proposed
from app.db import Database
from app.errors import NotAllowed, NotFound, OutOfDate
from tests.admin.keepers import LIFE, Keepers
from tests.makers import World


@pytest.fixture
def first(world: World, keepers: Keepers) -> Visitor:
    keepers.take_in("1701", 5)
    return keepers.at(world.province)


def propose(keepers: Keepers, who: Visitor, life: timedelta = LIFE) -> int:
    where = keepers.world.where()
    return int(keepers.act(who, withdrawals.propose_quarantine, who, "1701", "void", "copies", life, where))


def void(world: World) -> int:
    return int(world.value("SELECT count(*) FROM cards WHERE lot = '1701' AND state = 'void'"))


def test_a_second_officer_approves_and_it_is_done(world: World, keepers: Keepers, first: Visitor) -> None:
    act = propose(keepers, first)
    assert void(world) == 0
    done = keepers.approve(keepers.second, act)
    assert isinstance(done, Proposed)
    assert void(world) == 5
    row = world.rows("SELECT * FROM proposals WHERE id = :id", id=act)[0]
    assert (row["decision"], row["decided_by"]) == ("approved", keepers.second.officer_id)
    assert row["outcome"] == [["Void", "5"]]
    acts = [one["act"] for one in world.rows("SELECT act FROM audit ORDER BY id DESC LIMIT 2")]
    assert acts == ["proposal.approved", "proposal.proposed"]
    with pytest.raises(OutOfDate):  # once
        keepers.approve(keepers.second, act)


def test_who_proposed_it_never_approves_it(world: World, keepers: Keepers) -> None:
    keepers.take_in("1701", 5)
    one = keepers.second  # an approver, who may do either
    act = propose(keepers, one)
    with pytest.raises(NotAllowed):
        keepers.approve(one, act)
    with pytest.raises(NotAllowed):
        keepers.act(one, proposals.refuse, one, KINDS, act, world.where())
    assert void(world) == 0
    with pytest.raises(IntegrityError, match="ck_proposals_two_people"):
        world.do("UPDATE proposals SET decision = 'approved', decided_by = proposed_by, decided_at = proposed_at")


def test_what_is_retyped_is_compared(world: World, keepers: Keepers, first: Visitor) -> None:
    act = propose(keepers, first)
    for wrong in ("", "1702", "17 01 x"):
        assert keepers.approve(keepers.second, act, wrong) == Mistyped()
    assert void(world) == 0
    assert world.value("SELECT act FROM audit ORDER BY id DESC LIMIT 1") == "proposal.mistyped"
    keepers.approve(keepers.second, act, " 17 01 ")
    assert void(world) == 5


def test_half_an_hour_later_it_has_expired_and_can_be_proposed_anew(
    world: World, keepers: Keepers, first: Visitor
) -> None:
    act = propose(keepers, first)
    with pytest.raises(AlreadyProposed) as same:
        propose(keepers, first)
    assert same.value.act == act
    world.do("UPDATE proposals SET expires_at = clock_timestamp() WHERE id = :id", id=act)
    with pytest.raises(OutOfDate):
        keepers.approve(keepers.second, act)
    assert void(world) == 0
    again = propose(keepers, first)
    assert world.value("SELECT decision FROM proposals WHERE id = :id", id=act) == "expired"
    keepers.approve(keepers.second, again)


def test_without_a_fresh_proof_nobody_proposes_or_approves(world: World, keepers: Keepers, first: Visitor) -> None:
    long_ago = first.now - timedelta(minutes=6)
    with pytest.raises(NotAllowed):
        propose(keepers, replace(first, proved_at=long_ago))
    act = propose(keepers, first)
    with pytest.raises(NotAllowed):
        keepers.approve(replace(keepers.second, proved_at=long_ago), act)
    assert void(world) == 0


@pytest.mark.parametrize("whose", ["first", "second"])
def test_an_appointment_that_has_ended_decides_nothing(
    world: World, keepers: Keepers, first: Visitor, whose: str
) -> None:
    act = propose(keepers, first)
    ended = first if whose == "first" else keepers.second
    world.do("UPDATE officers SET appointed_until = clock_timestamp() WHERE id = :id", id=ended.officer_id)
    with pytest.raises(NotAllowed):
        keepers.approve(keepers.second, act)
    with pytest.raises(NotAllowed):
        propose(keepers, ended)
    assert void(world) == 0


def test_role_and_office_of_the_second(world: World, keepers: Keepers) -> None:
    span = keepers.take_in("1701", 5)
    keepers.bring(world.county, span)
    one = keepers.at(world.county)
    act = keepers.act(one, withdrawals.propose_destruction, one, "the end", LIFE, world.where())
    others: tuple[Role, ...] = ("auditor", "system_admin")
    for role in others:
        with pytest.raises(NotAllowed):
            keepers.approve(keepers.at(world.county, role), act)
    other = world.new_county("430103", "天心区")
    for office in (other, world.point):
        with pytest.raises(NotFound):
            keepers.approve(keepers.at(office, "approver"), act)
    keepers.approve(keepers.at(world.prefecture, "approver"), act)  # an office above
    assert void(world) == 5


def test_refused_and_withdrawn_are_never_done(world: World, keepers: Keepers, first: Visitor) -> None:
    act = propose(keepers, first)
    with pytest.raises(NotAllowed):  # not theirs
        keepers.act(keepers.second, proposals.withdraw, keepers.second, act, world.where())
    keepers.act(keepers.second, proposals.refuse, keepers.second, KINDS, act, world.where())
    act = propose(keepers, first)
    keepers.act(first, proposals.withdraw, first, act, world.where())
    with pytest.raises(OutOfDate):
        keepers.approve(keepers.second, act)
    decided = {row["decision"] for row in world.rows("SELECT decision FROM proposals WHERE kind = 'lot.quarantine'")}
    assert decided == {"refused", "withdrawn"}
    assert void(world) == 0


def test_what_was_proposed_cannot_be_rewritten(
    world: World, keepers: Keepers, first: Visitor, offices_role: Database
) -> None:
    propose(keepers, first)
    for column in ("params = '{}'", "word = ''", "proposed_by = 1", "expires_at = now()"):
        with scope.transaction(offices_role, first) as session, pytest.raises(Exception, match="permission denied"):
            session.execute(text(f"UPDATE proposals SET {column}"))  # noqa: S608 -- our own words
