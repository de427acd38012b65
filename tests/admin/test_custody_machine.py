"""Whatever offices do with a lot in whatever order: each step is what a card's life allows, or refused.

A model keeps for every card where it is and what became of it. A step succeeds exactly when the model says so,
and after each the books come out at every office and agree with the model card by card.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from admin.differences import Settling
from admin.handing import Handed
from admin.receiving import Miscounted
from admin.spans import Span, serial_of
from app.db import Database
from app.errors import Refusal
from tests.admin.colleagues import Offices
from tests.admin.keepers import Keepers
from tests.makers import World

CARDS = 12
OFFICES = st.integers(0, 4)
NUMBERS = st.integers(0, CARDS - 1)


class Custody(RuleBasedStateMachine):
    """One lot, a line of three offices, two points below."""

    new_database: Callable[[], str]

    @initialize()
    def province(self) -> None:
        self.directory = TemporaryDirectory()
        world = self.world = World(type(self).new_database(), "", Path(self.directory.name))
        self.role = Database(world.url, role="zhiyuan_offices")
        self.keepers = Keepers(world, Offices(world), self.role)
        self.offices = [world.province, world.prefecture, world.county, world.point, world.new_point("长沙市第二中学")]
        self.parents = {1: 0, 2: 1, 3: 2, 4: 2}
        self.span = self.keepers.take_in("1701", CARDS, spoiled=[Span(17010000004, 17010000004)])
        self.lies: list[int] = [0] * CARDS
        #: the transfer a card is on the way in
        self.way: list[int | None] = [None] * CARDS
        self.state = ["stock"] * CARDS
        self.state[3] = "void"
        #: per transfer: giver, receiver, cards, whether a difference is open
        self.sent: dict[int, tuple[int, int, range, bool]] = {}

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.database.dispose()
            self.role.dispose()
            self.directory.cleanup()

    def part(self, cards: range) -> Span:
        return Span(self.span.first + cards.start, self.span.first + cards.stop - 1)

    def neighbours(self, one: int, other: int) -> bool:
        return self.parents.get(one) == other or self.parents.get(other) == one

    # --- steps ----------------------------------------------------------------------------------

    @rule(giver=OFFICES, receiver=OFFICES, first=NUMBERS, count=st.integers(1, 5))
    def send(self, giver: int, receiver: int, first: int, count: int) -> None:
        cards = range(first, min(CARDS, first + count))
        allowed = self.neighbours(giver, receiver) and all(
            self.lies[at] == giver and self.way[at] is None and self.state[at] != "issued" for at in cards
        )
        allowed = allowed and any(self.state[at] == "stock" for at in cards)
        try:
            transfer = self.keepers.send(self.offices[giver], self.offices[receiver], self.part(cards))
        except Refusal:
            assert not allowed
            return
        assert allowed
        self.sent[transfer] = (giver, receiver, cards, False)
        for at in cards:
            self.way[at] = transfer

    @rule(data=st.data(), count=st.integers(1, 6))
    def send_something_there_is(self, data: st.DataObject, count: int) -> None:
        ready = [at for at in range(CARDS) if self.way[at] is None and self.state[at] == "stock"]
        if ready:
            first = data.draw(st.sampled_from(ready))
            giver = self.lies[first]
            receiver = data.draw(st.sampled_from([one for one in range(5) if self.neighbours(giver, one)]))
            self.send(giver, receiver, first, count)

    @rule(data=st.data())
    def confirm_as_it_should_be(self, data: st.DataObject) -> None:
        under_way = sorted({transfer for transfer in self.way if transfer is not None})
        if under_way:
            transfer = data.draw(st.sampled_from(under_way))
            self.confirm_one(self.sent[transfer][1], transfer, right=True)

    @rule(office=OFFICES, data=st.data(), right=st.booleans())
    def confirm(self, office: int, data: st.DataObject, *, right: bool) -> None:
        if not self.sent:
            return
        self.confirm_one(office, data.draw(st.sampled_from(sorted(self.sent))), right=right)

    def confirm_one(self, office: int, transfer: int, *, right: bool) -> None:
        _, receiver, cards, differs = self.sent[transfer]
        due = sum(self.state[at] == "stock" for at in cards)
        allowed = office == receiver and not differs and all(self.way[at] == transfer for at in cards)
        try:
            answer = self.keepers.confirm(self.offices[office], transfer, counted=due if right else due + 1)
        except Refusal:
            assert not allowed
            return
        assert allowed
        assert (answer is None) == right, answer
        assert right or isinstance(answer, Miscounted)
        if right:
            self.arrive(transfer)

    def arrive(self, transfer: int, without: int | None = None) -> None:
        giver, receiver, cards, _ = self.sent[transfer]
        for at in cards:
            self.lies[at], self.way[at] = (giver if at == without else receiver), None
        self.sent[transfer] = (giver, receiver, cards, False)

    @rule(data=st.data(), missing=NUMBERS)
    def report(self, data: st.DataObject, missing: int) -> None:
        if not self.sent:
            return
        transfer = data.draw(st.sampled_from(sorted(self.sent)))
        giver, receiver, cards, differs = self.sent[transfer]
        allowed = self.way[missing] == transfer and self.state[missing] == "stock" and not differs
        try:
            gone = self.part(range(missing, missing + 1))
            self.keepers.report(self.offices[receiver], transfer, missing=[gone])
        except Refusal:
            assert not allowed
            return
        assert allowed
        self.sent[transfer] = (giver, receiver, cards, True)

    @rule(data=st.data(), settling=st.sampled_from(["found", "void"]))
    def settle(self, data: st.DataObject, settling: Settling) -> None:
        if not self.sent:
            return
        transfer = data.draw(st.sampled_from(sorted(self.sent)))
        giver, receiver, _, differs = self.sent[transfer]
        upper = giver if self.parents.get(receiver) == giver else receiver
        missing = self.world.value("SELECT lower(missing) FROM boxes WHERE transfer_id = :id", id=transfer)
        try:
            self.keepers.settle(self.offices[upper], transfer, settling)
        except Refusal:
            assert not differs
            return
        assert differs
        at = missing - self.span.first
        if settling == "void":
            self.state[at] = "void"
        self.arrive(transfer, at if settling == "void" else None)

    @rule(point=st.sampled_from([2, 3, 4]), at=NUMBERS)
    def hand_over(self, point: int, at: int) -> None:
        person = self.world.candidate(card=False, point=self.offices[point])
        allowed = point != 2 and self.lies[at] == point and self.way[at] is None and self.state[at] == "stock"
        try:
            answer = self.keepers.hand_over(self.offices[point], person, serial_of(self.span.first + at))
        except Refusal:
            assert not allowed
            return
        assert isinstance(answer, Handed) == allowed, answer
        if allowed:
            self.state[at] = "issued"

    @rule(office=OFFICES)
    def destroy(self, office: int) -> None:
        here = [at for at in range(CARDS) if self.lies[at] == office and self.way[at] is None]
        left = [at for at in here if self.state[at] == "stock"]
        if len(left) > CARDS // 2:
            return  # or nothing is left to play with
        try:
            self.keepers.destroy(self.offices[office])
        except Refusal:
            assert not left
            return
        assert left
        for at in left:
            self.state[at] = "void"

    # --- what holds -----------------------------------------------------------------------------

    @invariant()
    def the_books_come_out(self) -> None:
        if not hasattr(self, "lies"):
            return
        self.keepers.require_balance()
        found: dict[int, tuple[int, bool]] = {}
        for row in self.world.rows("SELECT lower(span) AS first, upper(span) AS last, office_id, box_id FROM places"):
            found |= dict.fromkeys(range(row["first"], row["last"]), (row["office_id"], row["box_id"] is not None))
        for at in range(CARDS):
            transfer = self.way[at]
            office = self.lies[at] if transfer is None else self.sent[transfer][0]
            assert found[self.span.first + at] == (self.offices[office], transfer is not None)


def test_whatever_is_done_in_whatever_order_the_books_come_out(new_database: Callable[[], str]) -> None:
    Custody.new_database = staticmethod(new_database)
    run_state_machine_as_test(
        Custody,
        settings=settings(
            max_examples=6, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
