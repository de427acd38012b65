"""Handing out: a card from the point's stock to the candidate who stands there, and its replacement (D-10, D-13).

One at a time, by an officer of exactly that point, not more than one in five seconds: the table itself refuses
two within one officer's pace. A replacement takes two officers, and their register names both.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import CheckConstraint, Connection, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, Session, mapped_column

from admin import candidates, officers, stock
from admin.candidates import Person
from admin.officers import Visitor
from app import bindings
from app.candidates import Sealer
from app.db import Base, Moment, Write, together
from app.entrance import Where
from app.errors import NotAllowed, TooSoon
from app.evidence import masked
from app.notices import notice

#: one officer hands out one card in so long (D-10)
PACE: Final = timedelta(seconds=5)
_DAY: Final = timedelta(hours=24)


class Handover(Base):
    """One card given to one candidate: the register."""

    __tablename__ = "handovers"
    __table_args__ = (
        CheckConstraint("second_id <> officer_id", name="two_people"),
        CheckConstraint("(second_id IS NULL) = (pace IS NOT NULL)", name="paced"),
        CheckConstraint("lower(pace) = handed_at AND upper(pace) >= handed_at + interval '5 seconds'", name="pace"),
        ExcludeConstraint(
            (text("int8range(officer_id, officer_id, '[]')"), "&&"),
            ("pace", "&&"),
            name="ex_handovers_pace",
            using="gist",
        ),
        Index("ix_handovers_office_id_handed_at", "office_id", "handed_at"),
        Index("ix_handovers_officer_id_handed_at", "officer_id", "handed_at"),
    )

    serial: Mapped[str] = mapped_column(ForeignKey("cards.serial"), primary_key=True)
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id"), index=True)
    #: whose stock it was
    office_id: Mapped[int] = mapped_column(ForeignKey("offices.id"))
    officer_id: Mapped[int] = mapped_column(ForeignKey("officers.id"))
    #: who approved a replacement
    second_id: Mapped[int | None] = mapped_column(ForeignKey("officers.id"))
    handed_at: Mapped[Moment]
    #: while the officer hands out no other; a replacement, which takes two, has none
    pace: Mapped[Range[datetime] | None] = mapped_column(TSTZRANGE)


# --- the first card ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Presented:
    """What is typed or scanned while the candidate stands there; plain digits."""

    candidate_no: str
    id_tail: str
    serial: str


@dataclass(frozen=True, slots=True)
class Handed:
    """A card that was handed out."""

    candidate_id: int
    name: str
    class_no: str
    serial: str


@dataclass(frozen=True, slots=True)
class NotHanded:
    """Why no card was handed out. Remembered.

    "nobody": no candidate of this point has the number; "tail": the identity card is another's; "holds": the
    candidate has a card; "card": it is not in the point's stock, or is never to be given away.
    """

    reason: Literal["nobody", "tail", "holds", "card"]


_PERSON = text("SELECT id FROM candidates WHERE candidate_no = :number AND point_id = :point")
# two officers, one candidate: the second sees the first's card
ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('card', :candidate))")
_WAIT = text("""
    SELECT extract(epoch FROM (SELECT max(upper(h.pace)) FROM handovers h WHERE h.officer_id = o.id)
                              - clock_timestamp())
    FROM officers o WHERE o.id = :officer
""")
_HOLD_OFFICER = text("SELECT 1 FROM officers WHERE id = :officer FOR NO KEY UPDATE")
LIVE = text("SELECT serial FROM cards WHERE holder_id = :candidate AND state IN ('handed', 'bound')")


def person(connection: Connection | Session, visitor: Visitor, candidate_no: str) -> Person | None:
    """The candidate of exactly the officer's point who has this number."""
    found = connection.execute(_PERSON, {"number": candidate_no, "point": visitor.office_id}).scalar()
    return None if found is None else candidates.of(connection, visitor, found)


def hand_over(session: Session, sealer: Sealer, visitor: Visitor, given: Presented, where: Where) -> Handed | NotHanded:
    """Hand a card from the point's stock to the candidate who stands there; the candidate is told.

    Raises `NotAllowed` unless the officer is of a point, and `TooSoon` within the pace.
    """
    visitor.require("hand_over")
    if visitor.level != "point":
        raise NotAllowed("cards are handed out at registration points")
    _require_pace(session, visitor)
    found = person(session, visitor, given.candidate_no)
    if found is None:
        return _refused(session, visitor, None, NotHanded("nobody"), given, where)
    session.execute(ONE_AT_A_TIME, {"candidate": found.id})
    if not candidates.has_card(session, sealer, visitor, found, given.id_tail):
        return _refused(session, visitor, found.id, NotHanded("tail"), given, where)
    if session.execute(LIVE, {"candidate": found.id}).first() is not None:
        return _refused(session, visitor, found.id, NotHanded("holds"), given, where)
    if not stock.may_be_given(session, visitor.office_id, given.serial):
        return _refused(session, visitor, found.id, NotHanded("card"), given, where)
    give(session, visitor.officer_id, None, visitor, found.id, given.serial, where)
    return Handed(found.id, found.name, found.class_no, given.serial)


def _require_pace(session: Session, visitor: Visitor) -> None:
    """One tab of an officer after the other: the second sees the first's pace."""
    session.execute(_HOLD_OFFICER, {"officer": visitor.officer_id})
    wait = session.execute(_WAIT, {"officer": visitor.officer_id}).scalar()
    if wait is not None and wait > 0:
        raise TooSoon(int(wait) + 1)


def _refused(  # noqa: PLR0913, PLR0917 -- a session, who, whom, why, what and whence
    session: Session, visitor: Visitor, candidate_id: int | None, why: NotHanded, given: Presented, where: Where
) -> NotHanded:
    detail = {"why": why.reason, "serial": given.serial, "number": masked(given.candidate_no)}
    together(session, officers.entry("card.not_handed", visitor, where, candidate_id, **detail))
    return why


def give(  # noqa: PLR0913, PLR0917 -- a session, both officers, whom, what and whence
    session: Session,
    officer_id: int,
    second_id: int | None,
    visitor: Visitor,
    candidate_id: int,
    serial: str,
    where: Where,
) -> None:
    """Register and hand out; `visitor` is the one who acts now, from whose office's offices the card is."""
    who = {"officer_id": visitor.officer_id, "ip": where.ip, "request_id": where.request_id}
    bindings.hand_out(session, serial, candidate_id, actor="officer", office=visitor.office_id, **who)
    together(
        session,
        Write(
            """
            INSERT INTO handovers (serial, candidate_id, office_id, officer_id, second_id, handed_at, pace)
            SELECT :serial, :candidate, s.office_id, :officer, CAST(:second AS bigint), n.now,
                   CASE WHEN CAST(:second AS bigint) IS NULL
                        THEN tstzrange(n.now, n.now + CAST(:pace AS interval)) END
            FROM places s, (SELECT clock_timestamp() AS now) n
            WHERE s.span @> CAST(left(CAST(:serial AS text), 11) AS bigint)
            """,
            {"serial": serial, "candidate": candidate_id, "officer": officer_id, "second": second_id, "pace": PACE},
        ),
        notice("card_handed", candidate_id, serial, office=visitor.office_name),
    )
