"""A batch made like another: what it takes over, who decides, and everything looked at again when it is made."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from admin import announcements, creations, proposals, scope, verify, window_acts
from admin.announcements import Announced
from admin.creations import Asked
from admin.intake import loading
from admin.proposals import Mistyped, Obstacle
from admin.rehearsal import FREE
from admin.window_acts import Settled
from app import batches, tallies
from app.batches import Opened
from app.db import Database, together
from app.errors import NotFound, OutOfDate
from tests.admin.keepers import LIFE, Keepers
from tests.admin.sealing import bundle, seal
from tests.filing import file
from tests.makers import COLUMN, Person, World

HOUR = timedelta(hours=1)
COOL_OFF = timedelta(minutes=5)
PLANS = "批次代码,志愿栏代码,科类,院校代号,院校名称,专业代号,专业名称,学费,学制,计划数"


@dataclass
class Office:
    """Two officers of the province, somebody who has a card, and batch 1, which has closed."""

    world: World
    keepers: Keepers
    person: Person

    def now(self, later: timedelta = timedelta()) -> datetime:
        return self.world.value("SELECT clock_timestamp() + CAST(:later AS interval)", later=later)  # type: ignore[no-any-return]

    def asked(self, **changes: Any) -> Asked:
        return replace(
            Asked("1-S", "本科一批征集", True, self.now(HOUR), self.now(3 * HOUR), "plans are left"),
            **changes,
        )

    def propose(self, like: str = "1", **changes: Any) -> int:
        who, where = self.keepers.at(self.world.province), self.world.where()
        return int(self.keepers.act(who, creations.propose, who, like, self.asked(**changes), COOL_OFF, LIFE, where))

    def approve(self, like: str = "1", **changes: Any) -> int:
        act = self.propose(like, **changes)
        self.keepers.approve(self.keepers.second, act)
        return act

    def settle(self) -> list[Settled]:
        """The pass, when the waiting time is over."""
        self.world.do("UPDATE batch_acts SET effective_at = clock_timestamp() WHERE outcome IS NULL")
        return window_acts.settle(self.world.database)

    def batch(self, code: str = "1-S") -> Opened:
        with self.world.database.reading() as connection:
            return batches.one(connection, code)

    def open(self, code: str = "1-S") -> None:
        self.world.do(
            f"{FREE} UPDATE batches SET opens_at = clock_timestamp() FROM free WHERE code = :code",  # noqa: S608
            code=code,
        )

    def codes(self) -> list[str]:
        return [row["code"] for row in self.world.rows("SELECT code FROM batches ORDER BY id")]

    def recounted(self) -> int:
        with self.world.database.transaction() as session:
            return tallies.recount(session)


@pytest.fixture
def office(world: World, keepers: Keepers) -> Office:
    batch = world.batch("1", columns=(COLUMN, COLUMN | {"code": "ALL1", "name": "本科一批", "slots": 3}))
    person = world.candidate()
    world.move_end(batch, -60)
    return Office(world, keepers, person)


def test_a_supplementary_round_is_made_after_the_waiting_time_like_the_batch_it_follows(office: Office) -> None:
    session_id = office.world.activate(office.person)
    admitted = office.world.candidate()
    office.world.do("UPDATE candidates SET admitted = true WHERE id = :id", id=admitted.id)
    office.recounted()
    asked = office.asked()
    act = office.approve(opens_at=asked.opens_at, closes_at=asked.closes_at)
    assert window_acts.settle(office.world.database) == []  # not yet
    assert office.settle() == [Settled("1-S", "batch.create", "done", "")]
    assert office.settle() == []  # once
    made, like = office.batch(), office.batch("1")
    assert (made.name, made.window.opens_at, made.window.closes_at) == (asked.name, asked.opens_at, asked.closes_at)
    assert (made.parent_id, made.spec.round, made.spec.plans_of) == (like.id, 1, "1")
    assert [(column.name, column.slots) for column in made.spec.columns] == [("非定向", 10), ("本科一批征集", 3)]
    assert made.closed_to_admitted
    (counted,) = office.world.rows("SELECT nothing_filed, not_eligible FROM tallies WHERE batch_id = :id", id=made.id)
    assert counted == {"nothing_filed": 1, "not_eligible": 1}
    assert office.recounted() == 0
    assert office.world.value("SELECT batch_id FROM batch_acts") == made.id
    detail = office.world.value("SELECT detail FROM audit WHERE act = 'batch.created'")
    assert (detail["batch"], detail["proposal"], detail["like"]) == ("1-S", act, "1")
    office.open()
    assert file(office.world, office.person, session_id, "1-S", "4301").number == 1


def test_whom_a_made_batch_is_for_is_told_of_it(office: Office) -> None:
    office.world.candidate(card=False, subject_class="3")  # who files in none of these batches
    office.approve(opens_at=office.now(50 * HOUR), closes_at=office.now(60 * HOUR))
    office.settle()
    announced = announcements.announce(office.world.database)
    assert announced == Announced("1-S", "batch.create", 1, everybody=True)
    (told,) = office.world.rows("SELECT candidate_id, kind, params FROM notices WHERE params ->> 'code' = '1-S'")
    assert (told["candidate_id"], told["kind"], told["params"]["batch"]) == (
        office.person.id,
        "batch_made",
        "本科一批征集",
    )
    assert announcements.announce(office.world.database) is None


def test_a_second_round_is_made_like_the_first_and_a_batch_of_its_own_has_no_parent(office: Office) -> None:
    office.approve()
    office.settle()
    ends = office.batch().window.closes_at
    office.approve("1-S", code="1-S2", name="第二次征集", opens_at=ends, closes_at=ends + HOUR)
    office.approve("1-S", code="7", name="补报", supplementary=False)
    office.settle()
    second, own = office.batch("1-S2"), office.batch("7")
    assert (second.parent_id, second.spec.round, second.spec.plans_of) == (office.batch("1").id, 2, "1")
    assert [column.name for column in second.spec.columns] == ["非定向", "第二次征集"]
    assert (own.parent_id, own.spec.parent, own.spec.round) == (None, None, 0)


def test_the_proposal_says_what_it_is_about_and_takes_two_of_the_province_and_the_owner(
    office: Office, offices_role: Database
) -> None:
    act = office.propose()
    with (
        pytest.raises(Exception, match="permission denied"),
        scope.transaction(offices_role, office.keepers.second) as session,
    ):
        creations.make(session, office.world.value("SELECT params FROM proposals"))
    facts = dict(office.world.value("SELECT facts FROM proposals WHERE id = :id", id=act))
    assert (facts["Supplementary round of"], facts["Made like"]) == ("本科一批 (1)", "本科一批 (1)")
    assert (facts["Candidates"], facts["Majors to choose from"]) == ("1", "144")
    assert facts["Columns and slots"] == "非定向 10 · 本科一批征集 3"
    assert proposals.moment_in(facts["Opens"]) is not None
    assert office.keepers.approve(office.keepers.second, act, "1") == Mistyped()
    county = office.keepers.at(office.world.county, "approver")
    with pytest.raises(NotFound):
        office.keepers.act(county, creations.propose, county, "1", office.asked(), COOL_OFF, LIFE, office.world.where())
    with pytest.raises(OutOfDate):
        office.propose()


def test_what_could_not_be_made_is_said_at_its_field_and_a_round_opens_after_what_it_follows_has_ended(
    office: Office,
) -> None:
    early, upside_down = office.now(timedelta(minutes=4)), office.now(HOUR / 2)
    given: dict[str, Any] = {"code": "1", "opens_at": early, "closes_at": upside_down}
    for place, value in given.items():
        with pytest.raises(Obstacle) as refused:
            office.propose(**{place: value})
        assert refused.value.place == place
    office.world.move_end(office.batch("1").id, 7_200)
    with pytest.raises(Obstacle, match="has ended"):
        office.propose()
    office.world.do("UPDATE batches SET suspended_at = clock_timestamp()")
    late: dict[str, Any] = {"opens_at": office.now(5 * HOUR), "closes_at": office.now(6 * HOUR)}
    with pytest.raises(Obstacle, match="has ended"):  # a paused batch does not close before it is resumed
        office.propose(**late)
    office.propose(supplementary=False)


def test_a_code_waits_for_one_batch(office: Office) -> None:
    first = office.approve()
    with pytest.raises(Obstacle, match="waits to be made"):
        office.propose()
    who = office.keepers.at(office.world.province)
    office.keepers.act(who, window_acts.cancel, who, "1-S", first, office.world.where())
    assert office.settle() == []
    assert office.codes() == ["1"]
    assert office.world.value("SELECT detail ->> 'batch' FROM audit WHERE act = 'batch.act_cancelled'") == "1-S"
    office.propose()


def test_what_facts_have_overtaken_is_not_made_and_never_silent(office: Office) -> None:
    passed = "jsonb_set(params, '{opens_at}', to_jsonb(clock_timestamp() - interval '1 s'))"
    for code, overtake, why in (
        ("a", "UPDATE batches SET code = 'a' WHERE code = '2'", "this code already"),
        ("b", "UPDATE batches SET revision = revision + 1", "not any more as it was"),
        ("c", f"UPDATE proposals SET params = {passed} WHERE subject = 'c'", "has passed"),  # noqa: S608 -- constant
        ("d", "WITH gone AS (DELETE FROM tallies) DELETE FROM batches", "not any more as it was"),
    ):
        if code == "a":
            office.world.batch("2")
        office.approve(code=code)
        office.world.do(overtake)
        before = office.codes()
        (settled,) = office.settle()
        assert settled.outcome == "overtaken"
        assert why in settled.why
        assert office.codes() == before
        said = office.world.value("SELECT detail FROM audit WHERE act = 'batch.act_overtaken' ORDER BY id DESC LIMIT 1")
        assert (said["batch"], said["why"]) == (code, settled.why)


def test_a_card_taken_away_while_a_batch_is_made_is_counted(office: Office) -> None:
    office.world.activate(office.person)
    office.approve()
    with office.world.database.transaction() as session:
        together(session, tallies.candidate_moved(office.person.id, bound=False))
        session.execute(text("DELETE FROM bindings"))
        assert office.settle() == []  # it waits for the tallies, gives up and comes again
        assert office.codes() == ["1"]
    assert [one.outcome for one in office.settle()] == ["done"]
    assert office.recounted() == 0


def test_it_offers_the_plans_of_the_other_until_it_has_its_own(office: Office, tmp_path: Path) -> None:
    office.approve()
    office.approve(code="7", supplementary=False)
    office.settle()
    plans = tmp_path / "plans.csv"
    rows = [PLANS, "1,GEN1,1,4301,湘江大学,01,法学,4800,4,30", "1-S,GEN1,1,4302,湘潭大学,01,法学,4800,4,3"]
    plans.write_text("\n".join(rows), encoding="utf-8")
    loading.load_plans(office.world.database, plans)
    made, other, like = office.batch(), office.batch("7"), office.batch("1")
    assert (made.catalogue_version, made.spec.plans_of) == (2, "")
    assert (other.catalogue_version, other.spec.plans_of) == (2, "1")
    assert like.catalogue_version == 1  # it has opened


def test_it_is_sealed_and_checked_like_any_other(office: Office, tmp_path: Path) -> None:
    session_id = office.world.activate(office.person)
    office.approve()
    office.settle()
    office.open()
    file(office.world, office.person, session_id, "1-S", "4301")
    assert seal(office.world, "1-S").size == 1
    found, said = verify.verify(bundle(office.world, tmp_path / "bundle", "1-S"), [], [], [])
    assert list(found) == []
    assert "batch.created" in office.world.value("SELECT statement FROM seals")
    assert list(said)
