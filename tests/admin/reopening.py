"""A closed batch opened again to one candidate, as two officers of the province do it."""

from datetime import timedelta

from admin import reopenings
from admin.officers import Visitor
from admin.reopenings import Asked
from app.db import clock
from tests.admin.keepers import LIFE, Keepers
from tests.makers import Person

DIGEST = bytes(range(32))
DOCUMENT = "湘招复〔2017〕3号"


def propose(keepers: Keepers, person: Person, batch: str = "1", *, hours: float = 2, who: Visitor | None = None) -> int:
    """Propose it; returns the act."""
    who = who or keepers.at(keepers.world.province)
    with keepers.world.database.reading() as connection:
        until = clock(connection) + timedelta(hours=hours)
    asked = Asked(batch, until, DOCUMENT, DIGEST, "the list was changed by a classmate")
    return int(keepers.act(who, reopenings.propose, who, person.id, asked, LIFE, keepers.world.where()))


def reopen(keepers: Keepers, person: Person, batch: str = "1", *, hours: float = 2) -> None:
    """Propose and approve it."""
    keepers.approve(keepers.second, propose(keepers, person, batch, hours=hours))
