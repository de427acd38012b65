"""Whatever offices do with a lot in whatever order: each step is what a card's life allows, or refused.

A model keeps for every card where it is and what became of it. A step succeeds exactly when the model says so,
and after each the books come out at every office and agree with the model card by card.
"""

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin.differences import Settling
from admin.handing import Handed
from admin.receiving import Miscounted
from admin.spans import Span, serial_of
from app.db import Database
from app.errors import Refusal
from tests.admin.colleagues import Offices
from tests.admin.keepers import Keepers
from tests.conftest import NewDatabase
from tests.makers import World

CARDS = 12
#: what is done, in shares of how often, and three numbers that say to what
DEEDS = (
    *("send", "send_something_there_is", "confirm", "hand_over") * 2,
    *("send_something_there_is", "confirm_as_it_should_be") * 3,
    *("report", "settle") * 2,
    "destroy",
)
STEPS = st.lists(st.tuples(st.sampled_from(DEEDS), *([st.integers(0, 59)] * 3)), min_size=30, max_size=60)


class Custody:
    """One lot, a line of three offices, two points below."""

    def __init__(self, url: str) -> None:
        self.directory = TemporaryDirectory()
        world = self.world = World(url, "", Path(self.directory.name))
        self.role = Database(world.url, role="zhiyuan_offices")
        self.keepers = Keepers(world, Offices(world), self.role)
        self.offices = [world.province, world.prefecture, world.county, world.point, world.new_point("长沙市第二中学")]
        self.parents = {1: 0, 2: 1, 3: 2, 4: 2}
        self.span = self.keepers.take_in("1701", CARDS, spoiled=[Span(17010000004, 17010000004)])
        # so that every kind of step is possible from the start
        self.lies: list[int] = [0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4]
        for office in (1, 2, 3, 4):
            cards = [at for at in range(CARDS) if self.lies[at] == office]
            self.keepers.bring(self.offices[office], self.part(range(cards[0], cards[-1] + 1)))
        #: the transfer a card is on the way in
        self.way: list[int | None] = [None] * CARDS
        self.state = ["stock"] * CARDS
        self.state[3] = "void"
        #: per transfer: giver, receiver, cards, whether a difference is open
        self.sent: dict[int, tuple[int, int, range, bool]] = {}

    def close(self) -> None:
        self.world.database.dispose()
        self.role.dispose()
        self.directory.cleanup()

    def part(self, cards: range) -> Span:
        return Span(self.span.first + cards.start, self.span.first + cards.stop - 1)

    def neighbours(self, one: int, other: int) -> bool:
        return self.parents.get(one) == other or self.parents.get(other) == one

    # --- steps ----------------------------------------------------------------------------------

    def send(self, giver: int, receiver: int, first: int) -> None:
        giver, receiver, first = giver % 5, receiver % 5, first % CARDS
        cards = range(first, min(CARDS, first + 1 + giver))
        self.send_cards(giver, receiver, cards)

    def send_something_there_is(self, at: int, to: int, count: int) -> None:
        ready = [card for card in range(CARDS) if self.way[card] is None and self.state[card] == "stock"]
        if ready:
            first = ready[at % len(ready)]
            near = [office for office in range(5) if self.neighbours(self.lies[first], office)]
            cards = range(first, min(CARDS, first + 1 + count % 3))
            self.send_cards(self.lies[first], near[to % len(near)], cards)

    def send_cards(self, giver: int, receiver: int, cards: range) -> None:
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

    def confirm(self, office: int, which: int, right: int) -> None:
        if self.sent:
            self.confirm_one(office % 5, sorted(self.sent)[which % len(self.sent)], right=right % 3 > 0)

    def confirm_as_it_should_be(self, which: int, *_: int) -> None:
        under_way = sorted({transfer for transfer in self.way if transfer is not None})
        if under_way:
            transfer = under_way[which % len(under_way)]
            self.confirm_one(self.sent[transfer][1], transfer, right=True)

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

    def report(self, which: int, at: int, *_: int) -> None:
        if not self.sent:
            return
        under_way = sorted({transfer for transfer in self.way if transfer is not None}) or sorted(self.sent)
        transfer = under_way[which % len(under_way)]
        giver, receiver, cards, differs = self.sent[transfer]
        missing = cards[at % len(cards)] if at % 4 else at % CARDS
        allowed = self.way[missing] == transfer and self.state[missing] == "stock" and not differs
        try:
            gone = self.part(range(missing, missing + 1))
            self.keepers.report(self.offices[receiver], transfer, missing=[gone])
        except Refusal:
            assert not allowed
            return
        assert allowed
        self.sent[transfer] = (giver, receiver, cards, True)

    def settle(self, which: int, how: int, *_: int) -> None:
        if not self.sent:
            return
        open_ones = sorted(transfer for transfer, one in self.sent.items() if one[3]) or sorted(self.sent)
        transfer = open_ones[which % len(open_ones)]
        giver, receiver, _cards, differs = self.sent[transfer]
        upper = giver if self.parents.get(receiver) == giver else receiver
        missing = self.world.value("SELECT lower(missing) FROM boxes WHERE transfer_id = :id", id=transfer)
        settling: Settling = "found" if how % 2 else "void"
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

    def hand_over(self, point: int, at: int, *_: int) -> None:
        point, at = 2 + point % 3, at % CARDS
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

    def destroy(self, office: int, *_: int) -> None:
        office %= 5
        here = [at for at in range(CARDS) if self.lies[at] == office and self.way[at] is None]
        left = [at for at in here if self.state[at] == "stock"]
        if len(left) > 1:
            return  # or soon nothing is left to play with
        try:
            self.keepers.destroy(self.offices[office])
        except Refusal:
            assert not left
            return
        assert left
        for at in left:
            self.state[at] = "void"

    # --- what holds -----------------------------------------------------------------------------

    def require_the_books_to_come_out(self) -> None:
        self.keepers.require_balance()
        found: dict[int, tuple[int, bool]] = {}
        for row in self.world.rows("SELECT lower(span) AS first, upper(span) AS last, office_id, box_id FROM places"):
            found |= dict.fromkeys(range(row["first"], row["last"]), (row["office_id"], row["box_id"] is not None))
        for at in range(CARDS):
            transfer = self.way[at]
            office = self.lies[at] if transfer is None else self.sent[transfer][0]
            assert found[self.span.first + at] == (self.offices[office], transfer is not None)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_whatever_is_done_in_whatever_order_the_books_come_out(
    new_database: NewDatabase, steps: list[tuple[str, int, int, int]]
) -> None:
    with new_database() as url, closing(Custody(url)) as custody:
        for deed, *numbers in steps:
            getattr(custody, deed)(*numbers)
            custody.require_the_books_to_come_out()
