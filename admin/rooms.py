"""Registered computer rooms: where many candidates file behind one address, and from a few machines, by right.

The registration point enters a room, an approver of an office above it decides, and the watch (`admin.watch`)
then leaves the room's networks and devices out of its counts. A room is small (`ck_rooms_network`), ends by
itself, and excuses no run of filings within seconds: that is no room full of candidates.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import CheckConstraint, Connection, ForeignKey, text
from sqlalchemy.dialects.postgresql import CIDR
from sqlalchemy.orm import Mapped, Session, mapped_column

from admin import officers
from admin.officers import Visitor
from admin.scope import BELOW
from app.db import Base, Id, Moment, Words, Write, together
from app.entrance import Where
from app.errors import BadInput, NotAllowed, NotFound, OutOfDate, OutOfScope

State = Literal["asked", "approved", "refused", "ended"]
#: the shortest prefixes: a quarter of a school's addresses, not a carrier's
_SHORTEST: Final = {4: 24, 6: 56}
#: rooms of a page
MOST: Final = 500


class Room(Base):
    """One computer room of a registration point."""

    __tablename__ = "rooms"
    __table_args__ = (
        CheckConstraint("state IN ('asked', 'approved', 'refused', 'ended')", name="state"),
        CheckConstraint("masklen(network) >= CASE family(network) WHEN 4 THEN 24 ELSE 56 END", name="network"),
        CheckConstraint("state <> 'approved' OR decided_by <> asked_by", name="two_people"),
        CheckConstraint(
            "(state = 'asked') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)", name="decided"
        ),
    )

    id: Mapped[Id]
    office_id: Mapped[int] = mapped_column(ForeignKey("offices.id"), index=True)
    name: Mapped[Words]
    network: Mapped[Any] = mapped_column(CIDR)
    valid_until: Mapped[Moment]
    state: Mapped[Words] = mapped_column(server_default="asked")
    asked_by: Mapped[int] = mapped_column(ForeignKey("officers.id"))
    asked_at: Mapped[Moment]
    #: who approved, refused or ended it, and when
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("officers.id"))
    decided_at: Mapped[Moment | None]


#: for a question about acts: that a network `{}` is that of a room in force
IN_FORCE: Final = """
    EXISTS (SELECT FROM rooms r WHERE r.state = 'approved' AND r.valid_until > statement_timestamp()
            AND {} <<= r.network)
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A room as its point and the offices above see it."""

    id: int
    office_id: int
    office_name: str
    name: str
    network: str
    valid_until: datetime
    state: State
    over: bool
    asked_by: str
    asked_at: datetime
    decided_by: str | None
    decided_at: datetime | None


_FIELDS: Final = f"""
    SELECT r.id, r.office_id, p.name AS office_name, r.name, CAST(r.network AS text) AS network, r.valid_until,
           r.state, r.valid_until <= clock_timestamp() AS over, a.name AS asked_by, r.asked_at, d.name AS decided_by,
           r.decided_at
    FROM rooms r JOIN offices p ON p.id = r.office_id JOIN officers a ON a.id = r.asked_by
    LEFT JOIN officers d ON d.id = r.decided_by
    WHERE {BELOW}
"""  # noqa: S608 -- constants
_LIST = text(f"""
    {_FIELDS} ORDER BY array_position(ARRAY['asked', 'approved'], r.state), p.code, r.asked_at DESC LIMIT :most
""")
_ONE = text(f"{_FIELDS} AND r.id = :room")


def several(connection: Connection, visitor: Visitor) -> list[Shown]:
    """The rooms of the officer's office and those below; what waits for a decision first, what is over last."""
    found = connection.execute(_LIST, {"within": visitor.path, "most": MOST})
    return [Shown(**row) for row in found.mappings()]


def of(connection: Connection | Session, visitor: Visitor, room_id: int) -> Shown:
    """The room, if it is one of the officer's scope; raises `NotFound` for any other, real or not."""
    row = connection.execute(_ONE, {"room": room_id, "within": visitor.path}).mappings().first()
    if row is None:
        raise OutOfScope(f"room {room_id} is not within {visitor.path}")
    return Shown(**row)


def network(typed: str) -> str:
    """The network somebody typed, as it is stored; raises `BadInput` for none, and for one that is no room's."""
    try:
        found = ipaddress.ip_network(typed, strict=False)
    except ValueError as error:
        raise BadInput("this is no address and no network", place="network") from error
    if found.prefixlen < _SHORTEST[found.version]:
        raise BadInput("this network is too large to be a room", place="network")
    return str(found)


_ASK: Final = """
    INSERT INTO rooms (office_id, name, network, valid_until, asked_by, asked_at)
    VALUES (:office, :name, CAST(:network AS cidr), :until, :officer, clock_timestamp())
"""


def ask(  # noqa: PLR0913, PLR0917 -- one column each
    session: Session, visitor: Visitor, name: str, network: str, until: datetime, where: Where
) -> None:
    """Enter a room of the officer's own registration point, to be decided above. Raises `NotAllowed` elsewhere."""
    if visitor.level != "point":
        raise NotAllowed("only a registration point has rooms")
    values = {
        "office": visitor.office_id,
        "name": name,
        "network": network,
        "until": until,
        "officer": visitor.officer_id,
    }
    entry = officers.entry("room.asked", visitor, where, name=name, network=network, until=until)
    together(session, Write(_ASK, values), entry)


_LOCK = text("SELECT 1 FROM rooms WHERE id = :room FOR UPDATE")
_DECIDE: Final = """
    UPDATE rooms SET state = :state, decided_by = :officer, decided_at = clock_timestamp() WHERE id = :room
"""
#: what a room may become, from what, and whether its own point may say so
_STEPS: Final[dict[State, tuple[State, bool]]] = {
    "approved": ("asked", False),
    "refused": ("asked", False),
    "ended": ("approved", True),
}


def decide(session: Session, visitor: Visitor, room_id: int, state: State, where: Where) -> None:
    """Approve or refuse what was asked, or end what was approved.

    Raises `NotFound` out of scope, `NotAllowed` for a point that would approve its own, and `OutOfDate` when
    the room is no longer in the state this begins from.
    """
    session.execute(_LOCK, {"room": room_id})
    room = of(session, visitor, room_id)
    if state not in _STEPS:
        raise NotFound(f"no step to {state}")
    before, by_its_own = _STEPS[state]
    if visitor.level == "point" and not by_its_own:
        raise NotAllowed("a registration point does not approve its own rooms")
    if room.state != before:
        raise OutOfDate(f"the room is {room.state} by now")
    values = {"state": state, "officer": visitor.officer_id, "room": room_id}
    together(session, Write(_DECIDE, values), officers.entry(f"room.{state}", visitor, where, room=room_id))
