"""Alerts: what the watch has found and people have to look at; raised once, kept up to date, closed with a reason.

An alert stands at the lowest office that has everybody concerned below it, and is seen from there upwards, but
never by a registration point, for it may be about the people there. It holds counts, times and the internal ids
of candidates; no secret, no code, nothing of a list.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, get_args

from sqlalchemy import BigInteger, CheckConstraint, Connection, ForeignKey, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column

from admin import officers
from admin.officers import Visitor
from admin.scope import BELOW
from app import audit
from app.db import Base, Document, Id, Moment, Words, Write, together
from app.entrance import Where
from app.errors import NotAllowed, NotFound, OutOfDate, OutOfScope
from app.evidence import masked

Kind = Literal[
    "filings_device",
    "filings_network",
    "filings_run",
    "activations_device",
    "activations_network",
    "activations_officer",
    "sign_ins_device",
    "wrong_codes",
    "lot_wrong_codes",
    "replacements",
    "honey_card",
    "not_activated",
    "clock",
    "receipts",
    "sealer",
    "volume",
    "witness_late",
    "witness_refused",
    "act_late",
    "seal_late",
    "reveals",
    "refusals",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
State = Literal["open", "noted", "closed"]
STATES: Final[tuple[State, ...]] = get_args(State)
#: how many candidates an alert names; of more there is the count
NAMED: Final = 200
AT_A_TIME: Final = 50


class Alert(Base):
    """One thing to be looked at."""

    __tablename__ = "alerts"
    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(repr(kind) for kind in KINDS)})", name="kind"),
        CheckConstraint("state IN ('open', 'noted', 'closed')", name="state"),
        CheckConstraint(
            "(state = 'closed') = (closed_count IS NOT NULL) AND (state = 'open' OR tended_at IS NOT NULL)",
            name="tended",
        ),
    )

    id: Mapped[Id]
    kind: Mapped[Words]
    #: where it stands; the offices above see it, too
    office_id: Mapped[int] = mapped_column(ForeignKey("offices.id"))
    #: the device, network, lot, serial, school it is about; "" for the whole service
    subject: Mapped[Words]
    #: two findings with one key are one alert
    dedupe: Mapped[Words] = mapped_column(unique=True)
    count: Mapped[int]
    facts: Mapped[Document]
    #: internal ids of candidates
    concerned: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    first_at: Mapped[Moment]
    last_at: Mapped[Moment]
    state: Mapped[Words] = mapped_column(server_default="open")
    note: Mapped[Words] = mapped_column(server_default="")
    #: who looked at it last; NULL for one that has closed by itself
    officer_id: Mapped[int | None] = mapped_column(ForeignKey("officers.id"))
    tended_at: Mapped[Moment | None]
    #: the count when it was closed
    closed_count: Mapped[int | None]


# --- raising -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule of the watch has found."""

    kind: Kind
    office_id: int
    subject: str
    count: int
    #: of the newest thing counted
    latest: datetime
    facts: Mapping[str, object] = field(default_factory=dict)
    concerned: Sequence[int] = ()
    #: what tells it from others of its kind, where the subject, as it is shown, does not
    mark: str = ""

    @property
    def key(self) -> str:
        """Names it among all findings, in every pass alike."""
        return f"{self.kind}|{self.mark or self.subject}"


# A closed alert opens again when there is something new a day after it was closed, or twice as much as then; one
# that had closed by itself, at once.
_AGAIN: Final = """
    alerts.state = 'closed' AND (alerts.officer_id IS NULL OR (:latest > alerts.tended_at
        AND (excluded.count >= 2 * alerts.closed_count OR :latest > alerts.tended_at + interval '1 day')))
"""
_RAISE = text(f"""
    WITH before AS (SELECT state FROM alerts WHERE dedupe = :key)
    INSERT INTO alerts (kind, office_id, subject, dedupe, count, facts, concerned, first_at, last_at)
    VALUES (:kind, :office, :subject, :key, :count, CAST(:facts AS jsonb), CAST(:concerned AS bigint[]),
            clock_timestamp(), :latest)
    ON CONFLICT (dedupe) DO UPDATE SET
        office_id = excluded.office_id, count = excluded.count, facts = excluded.facts,
        last_at = greatest(alerts.last_at, excluded.last_at),
        concerned = ARRAY(SELECT DISTINCT id FROM unnest(alerts.concerned || excluded.concerned) id LIMIT {NAMED}),
        state = CASE WHEN {_AGAIN} THEN 'open' ELSE alerts.state END,
        closed_count = CASE WHEN {_AGAIN} THEN NULL ELSE alerts.closed_count END
    RETURNING id, (SELECT state FROM before) IS DISTINCT FROM state AS fresh
""")  # noqa: S608 -- constants


def raise_(session: Session, finding: Finding) -> bool:
    """Raise the alert of a finding, or bring it up to date; returns whether it is new, or open again."""
    values = {
        "kind": finding.kind,
        "office": finding.office_id,
        "subject": finding.subject,
        "key": finding.key,
        "count": finding.count,
        "facts": json.dumps(finding.facts, ensure_ascii=False, default=str),
        "concerned": sorted(finding.concerned)[:NAMED],
        "latest": finding.latest,
    }
    alert_id, fresh = session.execute(_RAISE, values).one()
    if fresh:
        detail = {"alert": alert_id, "kind": finding.kind, "subject": finding.subject, "count": finding.count}
        together(session, audit.entry("alert.raised", actor="command", **detail))
    return bool(fresh)


_SETTLE = text("""
    UPDATE alerts SET state = 'closed', closed_count = count, officer_id = NULL, tended_at = clock_timestamp()
    WHERE kind = :kind AND state <> 'closed' AND dedupe <> ALL (CAST(:still AS text[])) RETURNING id
""")


def settle(session: Session, kind: Kind, still: Iterable[str]) -> int:
    """Close the alerts about a state that has passed, all of a kind but those in `still`; returns how many."""
    passed = session.execute(_SETTLE, {"kind": kind, "still": list(still)}).scalars().all()
    if passed:
        together(session, *(audit.entry("alert.settled", actor="command", alert=one) for one in passed))
    return len(passed)


# --- reading -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """An alert as an office sees it."""

    id: int
    kind: Kind
    office_id: int
    office_name: str
    subject: str
    count: int
    facts: dict[str, Any]
    first_at: datetime
    last_at: datetime
    state: State
    note: str
    tended_at: datetime | None
    tended_by: str | None

    @property
    def standing(self) -> str:
        """Names what a form was rendered beside, so that nobody overwrites what they have not read."""
        return self.tended_at.isoformat() if self.tended_at else ""


@dataclass(frozen=True, slots=True)
class Concerned:
    """A candidate an alert names."""

    id: int
    candidate_no: str
    name: str
    class_no: str
    point_name: str

    @property
    def masked_no(self) -> str:
        """The candidate number as pages show it (P-02)."""
        return masked(self.candidate_no)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts a list shows: "" for every kind; "standing" for those not closed, "all", or one state."""

    kind: str = ""
    state: str = "standing"
    page: int = 1

    @property
    def states(self) -> list[str]:
        """The states, spelled out; raises `NotFound` for others."""
        known: dict[str, list[str]] = {"standing": ["open", "noted"], "all": list(STATES)}
        known |= {state: [state] for state in STATES}
        if self.state not in known or (self.kind and self.kind not in KINDS):
            raise NotFound(f"no such list of alerts: {self.kind!r}, {self.state!r}")
        return known[self.state]


# a registration point sees none, not even its own
_SEEN: Final = f"{BELOW} AND NOT (p.path = :within AND p.level = 'point')"
_FIELDS: Final = f"""
    SELECT a.id, a.kind, a.office_id, p.name AS office_name, a.subject, a.count, a.facts, a.first_at, a.last_at,
           a.state, a.note, a.tended_at, o.name AS tended_by
    FROM alerts a JOIN offices p ON p.id = a.office_id LEFT JOIN officers o ON o.id = a.officer_id
    WHERE {_SEEN}
"""  # noqa: S608 -- constants
_LIST = text(f"""
    {_FIELDS} AND a.state = ANY (CAST(:states AS text[])) AND (:kind = '' OR a.kind = :kind)
    ORDER BY a.state = 'closed',
             array_position(ARRAY['clock', 'act_late', 'receipts', 'witness_refused', 'honey_card'], a.kind),
             a.state <> 'open', a.last_at DESC, a.id DESC LIMIT :most OFFSET :skip
""")
_COUNTS = text(f"""
    SELECT a.kind, count(*) FROM alerts a JOIN offices p ON p.id = a.office_id
    WHERE {_SEEN} AND a.state = ANY (CAST(:states AS text[])) GROUP BY a.kind
""")  # noqa: S608 -- constants
_ONE = text(f"{_FIELDS} AND a.id = :alert")
_CONCERNED = text("""
    SELECT c.id, c.candidate_no, c.name, c.class_no, p.name AS point_name
    FROM alerts a JOIN candidates c ON c.id = ANY (a.concerned) JOIN offices p ON p.id = c.point_id
    WHERE a.id = :alert ORDER BY p.name, c.class_no, c.candidate_no
""")


def several(connection: Connection, visitor: Visitor, wanted: Wanted, most: int = AT_A_TIME) -> list[Shown]:
    """One page of the alerts of the officer's office and those below: what cannot wait first, then the newest."""
    asked = {
        "within": visitor.path,
        "states": wanted.states,
        "kind": wanted.kind,
        "most": most,
        "skip": (wanted.page - 1) * AT_A_TIME,
    }
    return [Shown(**row) for row in connection.execute(_LIST, asked).mappings()]


def counts(connection: Connection, visitor: Visitor, wanted: Wanted) -> dict[str, int]:
    """How many alerts there are of each kind, in the states wanted."""
    found = connection.execute(_COUNTS, {"within": visitor.path, "states": wanted.states})
    return {row[0]: row[1] for row in found}


def of(connection: Connection | Session, visitor: Visitor, alert_id: int) -> Shown:
    """The alert, if it stands within the officer's scope; raises `NotFound` for any other, real or not."""
    row = connection.execute(_ONE, {"alert": alert_id, "within": visitor.path}).mappings().first()
    if row is None:
        raise OutOfScope(f"alert {alert_id} is not within {visitor.path}")
    return Shown(**row)


def concerned(connection: Connection, shown: Shown) -> list[Concerned]:
    """The candidates it names, school by school; through the gate of `of`, and row-level security beneath."""
    return [Concerned(**row) for row in connection.execute(_CONCERNED, {"alert": shown.id}).mappings()]


_OFFICER = text("SELECT name || ' (' || login || ')' FROM officers WHERE id = :officer")


def officer_named(connection: Connection, shown: Shown) -> str | None:
    """The officer it is about, where it is about one."""
    name: str | None = connection.execute(_OFFICER, {"officer": shown.facts.get("officer_id")}).scalar()
    return name


# --- tending -----------------------------------------------------------------------------------------

_LOCK = text("SELECT 1 FROM alerts WHERE id = :alert FOR UPDATE")
_TEND: Final = """
    UPDATE alerts SET state = :state, note = :note, officer_id = :officer, tended_at = clock_timestamp(),
        closed_count = CASE WHEN :state = 'closed' THEN count END
    WHERE id = :alert
"""


def tend(  # noqa: PLR0913, PLR0917 -- which, by whom, how and whence
    session: Session, visitor: Visitor, alert_id: int, state: State, note: str, standing: str, where: Where
) -> None:
    """Write down what was seen, and leave the alert standing ("noted") or close it.

    Raises `NotFound` out of scope, `NotAllowed` for closing an alert about oneself, and `OutOfDate` when
    somebody else has written since the form was rendered.
    """
    session.execute(_LOCK, {"alert": alert_id})
    shown = of(session, visitor, alert_id)
    if standing != shown.standing or shown.state == "closed":
        raise OutOfDate("somebody else has looked at this alert since")
    if state == "closed" and shown.facts.get("officer_id") == visitor.officer_id:
        raise NotAllowed("nobody closes an alert about themselves")
    values = {"state": state, "note": note, "officer": visitor.officer_id, "alert": alert_id}
    together(session, Write(_TEND, values), officers.entry(f"alert.{state}", visitor, where, alert=alert_id, note=note))


def exported(visitor: Visitor, wanted: Wanted, where: Where) -> Write:
    """The audit entry of a list that leaves the service."""
    return officers.entry("alerts.exported", visitor, where, kind=wanted.kind, state=wanted.state)
