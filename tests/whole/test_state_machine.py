"""Anything a candidate, an attacker with the session, and the offices may do, in any order.

After every step the invariants hold: every acknowledged filing exists exactly once (I1), none without a code
of its own (I2), no code used twice (I3), none decided after the close but by leave of two officers (I4), chains
verify (I5), the last one is what the pages call in force (I6), the wrong-try counter moves as acknowledged (I7), an
audit entry for every act (I8), and no secret in audit or notices (I9).
"""

import itertools
import json
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from admin.proposals import Obstacle
from admin.reopenings import NOT_CLOSED
from app import batches, bindings, drafts, evidence, filings, preferences, tallies
from app.db import Database
from app.errors import ChallengeStale, Closed, KeyReused, NoCard, Refusal, RulesBroken, TooSoon, WindowShut
from app.evidence import Kind
from app.preferences import Answer, Asked, Changed, Filed, Origin, WrongCode
from app.sessions import Visitor
from tests.admin.colleagues import Offices
from tests.admin.keepers import Keepers
from tests.admin.reopening import reopen
from tests.conftest import NewDatabase
from tests.makers import World, content

DEVICE = b"d" * 32
ORIGIN = Origin(ip="127.0.0.1", device="Test", request_id="machine", device_hash=DEVICE)


class Filing(RuleBasedStateMachine):
    """Two candidates, one batch."""

    new_database: NewDatabase

    asked = Bundle("asked")

    @initialize()
    def province(self) -> None:
        self.until = ExitStack()
        url = self.until.enter_context(type(self).new_database())
        directory = self.until.enter_context(TemporaryDirectory())
        self.world = World(url, "", Path(directory))
        self.batch_id = self.world.batch("1")
        self.people = [self.world.candidate() for _ in range(2)]
        self.sessions: dict[int, str] = {}
        self.acknowledged: dict[int, list[str]] = {person.id: [] for person in self.people}
        self.tries: dict[int, int] = {}
        self.acts = itertools.count()
        self.role = Database(self.world.url, role="zhiyuan_offices")
        self.keepers = Keepers(self.world, Offices(self.world), self.role)
        self.file_at_once(0, "4301")

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.role.dispose()
            self.world.database.dispose()
            self.until.close()

    # --- steps ----------------------------------------------------------------------------------

    @rule(who=st.integers(0, 1))
    def activate(self, who: int) -> None:
        person = self.people[who]
        if person.id in self.sessions:
            return
        self.sessions[person.id] = self.world.activate(person, DEVICE)
        self.tries[person.id] = 0

    @rule(who=st.integers(0, 1), codes=st.lists(st.sampled_from(["4301", "4302", "4303", "4304"]), max_size=4))
    def draft(self, who: int, codes: list[str]) -> None:
        visitor = self.visitor(who)
        if visitor is None:
            return
        found = self.sheet(visitor)
        try:
            with self.world.database.transaction() as session:
                drafts.save(session, visitor.candidate_id, self.batch_id, content(*codes), found.draft_version)
        except Closed:
            assert found.batch.state == "closed"

    @rule(who=st.integers(0, 1))
    def draft_in_a_stale_tab(self, who: int) -> None:
        visitor = self.visitor(who)
        if visitor is None:
            return
        before = self.sheet(visitor)
        try:
            with self.world.database.transaction() as session:
                drafts.save(session, visitor.candidate_id, self.batch_id, content("4309"), before.draft_version + 10**6)
            raise AssertionError("a stale tab overwrote the draft")
        except Refusal:
            assert self.sheet(visitor).draft == before.draft

    @rule(target=asked, who=st.integers(0, 1), kind=st.sampled_from(["list", "list", "waiver"]))
    def check(self, who: int, kind: Kind) -> tuple[int, Asked] | None:
        visitor = self.visitor(who)
        if visitor is None:
            return None
        found = self.sheet(visitor)
        try:
            with self.world.database.transaction() as session:
                return who, preferences.ask(session, visitor, "1", kind, found.draft_version)
        except (RulesBroken, NoCard, WindowShut):
            return None

    @rule(one=asked)
    def confirm_right(self, one: tuple[int, Asked] | None) -> None:
        if one is not None:
            who, asked = one
            self.confirm(who, asked, [self.people[who].code(index) for index in asked.asked])

    @rule(who=st.integers(0, 1), code=st.sampled_from(["4301", "4302", "4303"]))
    def file_at_once(self, who: int, code: str) -> None:
        """The steps in their order: left to chance alone they come together too rarely to file much."""
        self.activate(who)
        self.draft(who, [code])
        self.confirm_right(self.check(who, "list"))

    @rule(one=asked)
    def confirm_wrong(self, one: tuple[int, Asked] | None) -> None:
        if one is not None:
            who, asked = one
            person = self.people[who]
            self.confirm(who, asked, [person.code(index % len(person.codes) + 1) for index in asked.asked])

    @rule(one=asked)
    def confirm_with_another_list(self, one: tuple[int, Asked] | None) -> None:
        if one is None:
            return
        who, asked = one
        visitor = self.visitor(who)
        assert visitor is not None
        count = self.world.value("SELECT count(*) FROM filings")
        answer = Answer(asked.key, b"x" * 32, [self.people[who].code(asked.asked[0])])
        try:
            with self.world.database.transaction() as session:
                preferences.confirm(session, visitor, "1", answer, ORIGIN, self.world.keys)
            raise AssertionError("a list that was not shown was filed")
        except (KeyReused, ChallengeStale, NoCard, WindowShut):
            assert self.world.value("SELECT count(*) FROM filings") == count

    @rule(one=consumes(asked))
    def confirm_as_the_other_candidate(self, one: tuple[int, Asked] | None) -> None:
        if one is None:
            return
        who, asked = one
        other = self.visitor(1 - who)
        if other is None:
            return
        before = self.counter(other)
        answer = Answer(asked.key, asked.digest, [self.people[who].code(asked.asked[0])])
        try:
            with self.world.database.transaction() as session:
                preferences.confirm(session, other, "1", answer, ORIGIN, self.world.keys)
            raise AssertionError("a foreign challenge was accepted")
        except (ChallengeStale, NoCard, WindowShut):
            assert self.counter(other) == before

    @rule(who=st.integers(0, 1))
    def replace_card(self, who: int) -> None:
        person = self.people[who]
        self.world.hand_out(person)
        if person.id not in self.sessions:
            return
        pair = self.world.door.pair_asked(person.serial)
        bound = self.world.door.bind_card(
            person.id, person.serial, [person.code(index) for index in pair], self.world.where()
        )
        assert bound
        self.tries[person.id] = 0

    @precondition(lambda self: hasattr(self, "world"))
    @rule(minutes=st.sampled_from([-30, 0, 30, 90]))
    def move_deadline(self, minutes: int) -> None:
        before = self.world.value("SELECT closes_at FROM batches")
        with self.world.database.transaction() as session:
            found = batches.one(session, "1")
            moment = session.execute(
                text("SELECT clock_timestamp() + :minutes * interval '1 minute'"), {"minutes": minutes}
            ).scalar_one()
            moved = batches.move_end(session, found.id, moment)
        assert moved == (moment > before)

    @rule()
    def close(self) -> None:
        self.world.move_end(self.batch_id, 0)

    @rule()
    def extend(self) -> None:
        self.world.move_end(self.batch_id, 3600)

    @rule(who=st.integers(0, 1), seconds=st.sampled_from([1, 1800]))
    def open_again(self, who: int, seconds: int) -> None:
        with self.world.database.reading() as connection:
            closed = batches.one(connection, "1").state == "closed"
        why = ""
        try:
            reopen(self.keepers, self.people[who], hours=seconds / 3600)
        except Obstacle as obstacle:  # when it has closed: it is open to them already, or the second is over
            why = obstacle.words
        assert closed == (why != NOT_CLOSED)

    # --- parts ----------------------------------------------------------------------------------

    def visitor(self, who: int) -> Visitor | None:
        session_id = self.sessions.get(self.people[who].id)
        return self.world.visitor(session_id, DEVICE) if session_id else None

    def sheet(self, visitor: Visitor) -> Any:
        with self.world.database.reading() as connection:
            return preferences.sheet(connection, visitor, "1")

    def counter(self, visitor: Visitor) -> int:
        found = self.world.value("SELECT wrong_tries FROM bindings WHERE candidate_id = :id", id=visitor.candidate_id)
        return int(found or 0)

    def confirm(self, who: int, asked: Asked, codes: list[str]) -> None:
        visitor = self.visitor(who)
        assert visitor is not None
        person = self.people[who]
        before = self.counter(visitor)
        try:
            with self.world.database.transaction() as session:
                answer = Answer(asked.key, asked.digest, codes)
                outcome = preferences.confirm(session, visitor, "1", answer, ORIGIN, self.world.keys)
        except (ChallengeStale, Closed, NoCard, TooSoon, RulesBroken):
            assert self.counter(visitor) == before
            return
        if isinstance(outcome, WrongCode):
            self.tries[person.id] += 1
        elif isinstance(outcome, Filed):
            if outcome.replay:
                assert outcome.receipt in self.acknowledged[person.id]
                assert self.counter(visitor) == before
            else:
                self.acknowledged[person.id].append(outcome.receipt)
                self.tries[person.id] = 0
        else:
            assert isinstance(outcome, Changed)
            assert self.counter(visitor) == before

    # --- invariants -----------------------------------------------------------------------------

    @invariant()
    def acknowledged_filings_exist_exactly_once_with_a_code_each(self) -> None:
        if not hasattr(self, "world"):
            return
        rows = self.world.rows("SELECT * FROM filings ORDER BY candidate_id, number")
        for person in self.people:
            stored = [row["receipt"] for row in rows if row["candidate_id"] == person.id]
            assert stored == self.acknowledged[person.id]  # I1
        codes = [(row["serial"], row["code_index"]) for row in rows]
        codes += [(row["serial"], row["second_index"]) for row in rows if row["second_index"] is not None]
        assert len(codes) == len(set(codes))  # I2, I3
        uses = self.world.value("SELECT count(*) FROM card_uses WHERE purpose = 'filing'")
        assert uses == len(codes)

    @invariant()
    def chains_verify_and_the_last_filing_is_in_force(self) -> None:
        if not hasattr(self, "world"):
            return
        keys = {str(version): key.public_key() for version, key in self.world.keys.receipt_key.items()}
        for who, person in enumerate(self.people):
            rows = self.world.rows(
                f"SELECT {filings.RECORD_FIELDS}, f.receipt FROM filings f"  # noqa: S608 -- constants
                " JOIN candidates c ON c.id = f.candidate_id"
                " JOIN batches b ON b.id = f.batch_id WHERE c.id = :id ORDER BY f.number",
                id=person.id,
            )
            assert evidence.check_chain([(filings.record(row), bytes(row["digest"])) for row in rows]) == []  # I5
            assert all(evidence.verify_receipt(row["receipt"], keys).digest == bytes(row["digest"]) for row in rows)
            visitor = self.visitor(who)
            if visitor is not None and rows:
                standing = self.sheet(visitor).standing
                assert standing is not None
                assert standing.number == rows[-1]["number"]  # I6

    @invariant()
    def counters_tallies_and_audit_agree_with_what_happened(self) -> None:
        if not hasattr(self, "world"):
            return
        found = {row["candidate_id"]: row["wrong_tries"] for row in self.world.rows("SELECT * FROM bindings")}
        assert all(found[person] == self.tries[person] for person in found)  # I7
        confirmed = self.world.value("SELECT count(*) FROM audit WHERE act = 'filing.confirmed'")
        assert confirmed == sum(map(len, self.acknowledged.values()))  # I8
        assert self.world.value("SELECT count(*) FROM audit WHERE act = 'account.activated'") == len(self.sessions)
        with self.world.database.transaction() as session:
            assert tallies.recount(session) == 0

    @invariant()
    def nothing_was_decided_after_the_close_and_no_secret_was_written(self) -> None:
        if not hasattr(self, "world"):
            return
        late = self.world.value(
            "SELECT count(*) FROM filings f JOIN batches b ON b.id = f.batch_id WHERE f.filed_at >= b.closes_at"
            " AND NOT EXISTS (SELECT FROM reopenings r WHERE r.candidate_id = f.candidate_id"
            " AND f.filed_at >= r.created_at AND f.filed_at < r.until)"
        )
        assert late == 0  # I4
        said = json.dumps(self.world.rows("SELECT detail, act FROM audit"), default=str)
        said += json.dumps(self.world.rows("SELECT params FROM notices"), default=str)
        for person in self.people:
            assert not any(code in said for code in person.codes)  # I9
            assert person.id_no not in said


def test_whatever_is_done_in_whatever_order_the_invariants_hold(new_database: NewDatabase) -> None:
    Filing.new_database = staticmethod(new_database)
    run_state_machine_as_test(
        Filing,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


assert bindings.SINGLE_TRIES == 5  # the machine's wrong answers pass it
