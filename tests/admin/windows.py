"""Two officers of the province and a batch whose window they move."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from admin import window_acts
from admin.officers import Visitor
from admin.schedule import Deed
from admin.window_acts import Asked, Settled
from tests.admin.keepers import LIFE, Keepers
from tests.makers import World

COOL_OFF = timedelta(minutes=5)


@dataclass
class Office:
    """Two officers of the province and batch 1, which opens an hour ago and ends in an hour unless moved."""

    world: World
    keepers: Keepers
    batch_id: int

    @property
    def first(self) -> Visitor:
        return self.keepers.at(self.world.province)

    @property
    def second(self) -> Visitor:
        return self.keepers.second

    def now(self, later: timedelta = timedelta()) -> datetime:
        return self.world.value("SELECT clock_timestamp() + CAST(:later AS interval)", later=later)  # type: ignore[no-any-return]

    def row(self) -> dict[str, Any]:
        return self.world.rows("SELECT opens_at, closes_at, suspended_at, moved_from FROM batches")[0]

    def propose(self, deed: Deed, at: datetime | None = None, cool_off: timedelta = COOL_OFF) -> int:
        asked = Asked(deed, at, "the line was cut")
        where = self.world.where()
        return int(self.keepers.act(self.first, window_acts.propose, self.first, "1", asked, cool_off, LIFE, where))

    def approve(self, deed: Deed, at: datetime | None = None, cool_off: timedelta = COOL_OFF) -> int:
        act = self.propose(deed, at, cool_off)
        self.keepers.approve(self.second, act)
        return act

    def cancel(self, act: int, who: Visitor | None = None) -> None:
        who = who or self.first
        self.keepers.act(who, window_acts.cancel, who, "1", act, self.world.where())

    def let_time_pass(self) -> None:
        """The waiting time is over."""
        self.world.do("UPDATE batch_acts SET effective_at = clock_timestamp() WHERE outcome IS NULL")

    def settle(self) -> list[Settled]:
        return window_acts.settle(self.world.database)

    def outcomes(self) -> list[str | None]:
        return [row["outcome"] for row in self.world.rows("SELECT outcome FROM batch_acts ORDER BY proposal_id")]

    def entries(self) -> list[str]:
        rows = self.world.rows(
            "SELECT act FROM audit WHERE act LIKE 'batch.%' AND detail ->> 'batch' = '1' ORDER BY id"
        )
        return [row["act"] for row in rows]
