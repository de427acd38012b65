"""Chase: who has to be called before a batch closes, who called them, and which points have called nobody.

A point's list holds those who have nothing in force, in the order in which to call them. What was said is logged
and never changed. Lists show a phone number masked; the whole of one is `admin.reveals`'s to give.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

from sqlalchemy import CheckConstraint, Connection, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from admin import candidates, officers
from admin.completeness import MISSING
from admin.officers import Visitor
from admin.scope import BELOW, Place
from app.candidates import Sealer
from app.db import Base, Id, Moment, Words, Write, together
from app.entrance import Where
from app.evidence import masked
from app.phones import masked as masked_phone
from app.tallies import STATE_FROM, STATE_SQL
from app.wording import N_

Outcome = Literal["reached", "no_answer", "will_file", "says_waived", "will_come", "wrong_number"]
OUTCOMES: Final[dict[Outcome, str]] = {
    "reached": N_("Reached"),
    "will_file": N_("Reached: will file"),
    "will_come": N_("Reached: will come to the point"),
    "says_waived": N_("Reached: does not want to file"),
    "no_answer": N_("No answer"),
    "wrong_number": N_("Wrong number"),
}
Again = Literal["usual", "", "hour", "three_hours", "evening", "morning"]
#: when to call again, and how the database reckons it
AGAIN: Final[dict[Again, str]] = {
    "usual": N_("In three hours if nobody answered, otherwise not planned"),
    "": N_("Not planned"),
    "hour": N_("In an hour"),
    "three_hours": N_("In three hours"),
    "evening": N_("At the next 19:00"),
    "morning": N_("Tomorrow at 9:00"),
}
LONGEST_NOTE: Final = 200
#: hours a point may have been silent, to choose among; the second is shown first
SILENT_HOURS: Final = (3, 12, 24, 48)


class Contact(Base):
    """One call, or another attempt to reach a candidate about a batch."""

    __tablename__ = "contacts"
    __table_args__ = (
        CheckConstraint(f"outcome IN ({', '.join(repr(one) for one in get_args(Outcome))})", name="outcome"),
        CheckConstraint(f"length(note) <= {LONGEST_NOTE}", name="note"),
        Index("ix_contacts_candidate_id_batch_id_at", "candidate_id", "batch_id", "at"),
        Index("ix_contacts_batch_id_at", "batch_id", "at"),
    )

    id: Mapped[Id]
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id"))
    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"))
    #: where the candidate belongs now: a move takes the log along
    point_id: Mapped[int] = mapped_column(ForeignKey("offices.id"))
    officer_id: Mapped[int] = mapped_column(ForeignKey("officers.id"))
    at: Mapped[Moment]
    outcome: Mapped[Words]
    note: Mapped[str] = mapped_column(Text)
    next_at: Mapped[Moment | None]


# --- whom to call ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Callee:
    """Somebody with nothing in force in a batch, and the last call."""

    candidate_id: int
    candidate_no: str
    name: str
    class_no: str
    state: str
    #: the registration's number; the one a candidate has given for messages is not for offices to read
    mobile_sealed: bytes | None
    called_at: datetime | None
    outcome: Outcome | None
    next_at: datetime | None
    #: a call was promised for now or earlier
    call_due: bool

    @property
    def masked_no(self) -> str:
        """The candidate number as lists show it (P-02)."""
        return masked(self.candidate_no)

    @property
    def missing(self) -> bool:
        """Whether nothing is in force yet."""
        return self.state in MISSING

    def phone(self, sealer: Sealer) -> str:
        """The number in full; "" for none. For `admin.reveals`, and for what masks it."""
        if self.mobile_sealed is None:
            return ""
        return sealer.open(bytes(self.mobile_sealed), column="mobile", row=self.candidate_id)

    def masked_phone(self, sealer: Sealer) -> str:
        """The number as lists show it."""
        number = self.phone(sealer)
        return masked_phone(number) if number else ""


_CALLEE: Final = f"""
    SELECT c.id AS candidate_id, c.candidate_no, c.name, c.class_no, {STATE_SQL} AS state,
           c.mobile_sealed, k.at AS called_at, k.outcome, k.next_at,
           coalesce(k.next_at <= clock_timestamp(), false) AS call_due
    FROM {STATE_FROM}
    LEFT JOIN LATERAL (
        SELECT at, outcome, next_at FROM contacts
        WHERE candidate_id = c.id AND batch_id = b.id ORDER BY at DESC LIMIT 1
    ) k ON true
"""  # noqa: S608 -- constants
# promised calls first, then whoever was never called, those with a draft before others: they think that they are done
_LIST = text(f"""
    SELECT * FROM (
        {_CALLEE} WHERE c.point_id = :point AND b.id = :batch AND (CAST(:class AS text) IS NULL OR c.class_no = :class)
    ) s
    WHERE s.state = ANY (:states)
    ORDER BY CASE WHEN s.call_due THEN 0 WHEN s.called_at IS NULL THEN 1 WHEN s.next_at IS NULL THEN 2 ELSE 3 END,
             s.next_at, array_position(:urgency, s.state), s.called_at, s.class_no, s.candidate_no
""")  # noqa: S608 -- constants
_ONE = text(f"{_CALLEE} WHERE c.id = :candidate AND b.id = :batch")


def callees(
    connection: Connection, place: Place, batch_id: int, class_no: str | None = None, state: str = ""
) -> list[Callee]:
    """Those of a point (or class) with nothing in force, in the order in which to call them. One question."""
    asked = {
        "point": place.id,
        "batch": batch_id,
        "class": class_no,
        "states": [state] if state else list(MISSING),
        "urgency": list(reversed(MISSING)),
    }
    return [Callee(**row) for row in connection.execute(_LIST, asked).mappings()]


def callee(connection: Connection | Session, candidate_id: int, batch_id: int) -> Callee:
    """One candidate in a batch, whom `admin.candidates.of` has let the officer through to."""
    return Callee(**connection.execute(_ONE, {"candidate": candidate_id, "batch": batch_id}).mappings().one())


# --- the log -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    """One line of the log."""

    at: datetime
    outcome: Outcome
    note: str
    next_at: datetime | None
    officer: str
    office: str


_CALLS = text("""
    SELECT k.at, k.outcome, k.note, k.next_at, o.name AS officer, f.name AS office
    FROM contacts k JOIN officers o ON o.id = k.officer_id JOIN offices f ON f.id = o.office_id
    WHERE k.candidate_id = :candidate AND k.batch_id = :batch ORDER BY k.at DESC
""")


def calls(connection: Connection, candidate_id: int, batch_id: int) -> list[Call]:
    """What was logged about a candidate in a batch, newest first."""
    found = connection.execute(_CALLS, {"candidate": candidate_id, "batch": batch_id}).mappings()
    return [Call(**row) for row in found]


@dataclass(frozen=True, slots=True)
class Said:
    """What an officer logs after a call."""

    outcome: Outcome
    note: str
    again: Again


_LOGGED: Final = """
    INSERT INTO contacts (candidate_id, batch_id, point_id, officer_id, at, outcome, note, next_at)
    SELECT c.id, :batch, c.point_id, :officer, now.at, CAST(:outcome AS text), :note,
           CASE CAST(:again AS text)
               WHEN 'usual' THEN CASE CAST(:outcome AS text) WHEN 'no_answer' THEN now.at + interval '3 hours' END
               WHEN 'hour' THEN now.at + interval '1 hour'
               WHEN 'three_hours' THEN now.at + interval '3 hours'
               WHEN 'evening' THEN (date_trunc('day', now.here + interval '5 hours') + interval '19 hours')
                    AT TIME ZONE 'Asia/Shanghai'
               WHEN 'morning' THEN (date_trunc('day', now.here) + interval '33 hours') AT TIME ZONE 'Asia/Shanghai'
           END
    FROM candidates c
    CROSS JOIN LATERAL (SELECT clock_timestamp() AS at, clock_timestamp() AT TIME ZONE 'Asia/Shanghai' AS here) now
    WHERE c.id = :candidate
"""


def log(  # noqa: PLR0913, PLR0917 -- a session, who, whom, about what, what was said and whence
    session: Session, visitor: Visitor, candidate_id: int, batch_id: int, said: Said, where: Where
) -> None:
    """Write a call down. Raises `NotFound` out of scope."""
    candidates.of(session, visitor, candidate_id)
    together(
        session,
        Write(
            _LOGGED,
            {
                "candidate": candidate_id,
                "batch": batch_id,
                "officer": visitor.officer_id,
                "outcome": said.outcome,
                "note": said.note,
                "again": said.again,
            },
        ),
        officers.entry("candidate.called", visitor, where, candidate_id, batch=batch_id, outcome=said.outcome),
    )


def moved(candidate_id: int, point_id: int) -> Write:
    """The write that takes a candidate's log along to another point."""
    return Write(
        "UPDATE contacts SET point_id = :point WHERE candidate_id = :candidate",
        {"candidate": candidate_id, "point": point_id},
    )


# --- who calls nobody --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PointCalls:
    """A point with somebody missing, and how many of them were called lately."""

    id: int
    code: str
    name: str
    county: str
    missing: int
    called: int
    last_call_at: datetime | None

    @property
    def silent(self) -> bool:
        """Whether nobody there has called anybody of those missing."""
        return self.called == 0


_POINTS = text(f"""
    WITH lately AS MATERIALIZED (
        SELECT candidate_id, max(at) AS at FROM contacts
        WHERE batch_id = :batch AND at > clock_timestamp() - :hours * interval '1 hour' GROUP BY candidate_id
    ), called AS (
        SELECT s.point_id, count(*) AS called, max(s.at) AS at
        FROM (SELECT c.point_id, k.at, {STATE_SQL} AS state
              FROM lately k, {STATE_FROM} WHERE c.id = k.candidate_id AND b.id = :batch) s
        WHERE s.state = ANY (:states) GROUP BY s.point_id
    )
    SELECT p.id, p.code, p.name, county.name AS county, {" + ".join(f"t.{state}" for state in MISSING)} AS missing,
           coalesce(n.called, 0) AS called, n.at AS last_call_at
    FROM offices p JOIN offices county ON county.id = p.parent_id
    JOIN tallies t ON t.point_id = p.id AND t.batch_id = :batch
    LEFT JOIN called n ON n.point_id = p.id
    WHERE {BELOW} AND p.level = 'point' AND {" + ".join(f"t.{state}" for state in MISSING)} > 0
    ORDER BY coalesce(n.called, 0) > 0, missing DESC, p.code
""")  # noqa: S608 -- constants


def points(connection: Connection, place: Place, batch_id: int, hours: int) -> list[PointCalls]:
    """Every point below an office with somebody missing; the silent ones first, then by how many. One question."""
    asked: Mapping[str, Any] = {"within": place.path, "batch": batch_id, "hours": hours, "states": list(MISSING)}
    return [PointCalls(**row) for row in connection.execute(_POINTS, asked).mappings()]
