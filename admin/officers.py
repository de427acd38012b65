"""Officers: people of the offices, each with a password, a second factor and one office (A-11, A-13).

Accounts are made from above (`admin.accounts`), the province's first by command (`admin.appointments`), and signed
in with at the desk (`admin.entrance`).
None of them has any way to write a preference, nor to read one before its batch closes: the role the offices'
portal takes in the database has no right to (`migrations/`), whatever a page may try.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import CheckConstraint, Connection, ForeignKey, LargeBinary, Text, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import audit
from app.db import Base, Id, Moment, Octets, Words, Write
from app.entrance import Where
from app.errors import NotAllowed, NotProved, OutOfScope
from app.offices import Level
from app.sessions import TOUCH_S
from app.wording import N_

Role = Literal["operator", "approver", "auditor", "system_admin"]
ROLES: Final[tuple[Role, ...]] = ("operator", "approver", "auditor", "system_admin")
ROLE_NAMES: Final[dict[Role, str]] = {
    "operator": N_("Operator"),
    "approver": N_("Approver"),
    "auditor": N_("Auditor"),
    "system_admin": N_("System administrator"),
}

Act = Literal[
    "see_progress",
    "see_schedule",
    "see_names",
    "export_names",
    "chase",
    "reveal_phone",
    "reveal_id_no",
    "look_up",
    "approve_reset",
    "see_stock",
    "move_cards",
    "hand_over",
    "replace_card",
    "propose",
    "approve",
    "see_alerts",
    "tend_alerts",
    "close_alerts",
    "ask_rooms",
    "approve_rooms",
    "confirm_clock",
    "export_standing",
    "see_accounts",
    "keep_accounts",
    "wipe_rehearsal",
    "search_audit",
]
#: who may do what. The three kinds of officers of MLPS 8.1.4.2 stay apart: business, audit, system (O-12)
MAY: Final[dict[Act, frozenset[Role]]] = {
    "see_progress": frozenset(ROLES),
    "see_schedule": frozenset(ROLES),
    "see_names": frozenset({"operator", "approver", "auditor"}),
    "export_names": frozenset({"operator", "approver", "auditor"}),
    "chase": frozenset({"operator", "approver"}),
    "reveal_phone": frozenset({"operator", "approver"}),
    "reveal_id_no": frozenset({"operator", "approver"}),
    "look_up": frozenset({"operator", "approver"}),
    "approve_reset": frozenset({"operator", "approver"}),
    "see_stock": frozenset({"operator", "approver", "auditor"}),
    "move_cards": frozenset({"operator", "approver"}),
    "hand_over": frozenset({"operator", "approver"}),
    "replace_card": frozenset({"operator", "approver"}),
    "propose": frozenset({"operator", "approver"}),
    "approve": frozenset({"approver"}),
    "see_alerts": frozenset({"operator", "approver", "auditor"}),
    "tend_alerts": frozenset({"operator", "approver"}),
    "close_alerts": frozenset({"approver"}),
    "ask_rooms": frozenset({"operator", "approver"}),
    "approve_rooms": frozenset({"approver"}),
    "confirm_clock": frozenset({"approver"}),
    "export_standing": frozenset({"operator", "approver"}),
    "see_accounts": frozenset({"auditor", "system_admin"}),
    "keep_accounts": frozenset({"system_admin"}),
    "wipe_rehearsal": frozenset({"operator", "approver"}),
    "search_audit": frozenset({"auditor"}),
}

SESSION_LIFE: Final = timedelta(hours=8)
PASSWORD_LIFE: Final = timedelta(days=90)
#: how long a proof of identity is good for the acts that ask for a fresh one (A-14)
PROOF_LIFE: Final = timedelta(minutes=5)


class Officer(Base):
    """One person's account in the management edition. There are no shared ones."""

    __tablename__ = "officers"
    __table_args__ = (
        CheckConstraint("role IN ('operator', 'approver', 'auditor', 'system_admin')", name="role"),
        CheckConstraint("login ~ '^[a-z][a-z0-9.-]{2,31}$'", name="login"),
    )

    id: Mapped[Id]
    login: Mapped[Words] = mapped_column(unique=True)
    name: Mapped[Words]
    office_id: Mapped[int] = mapped_column(ForeignKey("offices.id"), index=True)
    role: Mapped[Words]
    #: `app.passwords.seal` with the officers' profile
    password: Mapped[Words]
    #: None while the first password, which somebody else has seen, still stands
    password_changed_at: Mapped[Moment | None]
    #: shared secret of the TOTP, sealed like a candidate's identity number
    totp_sealed: Mapped[Octets]
    #: the last time step accepted: no step is accepted twice (A-12); 0 until a new second factor is first used
    totp_step: Mapped[int] = mapped_column(server_default="0")
    appointed_until: Mapped[Moment]
    #: the system administrator who made the account, and saw its first password; None: by command
    appointed_by: Mapped[int | None] = mapped_column(ForeignKey("officers.id"))
    created_at: Mapped[Moment]
    #: the last time
    signed_in_at: Mapped[Moment | None]


class OfficerSession(Base):
    """The one signed-in browser of an officer (S-04)."""

    __tablename__ = "officer_sessions"

    officer_id: Mapped[int] = mapped_column(ForeignKey("officers.id"), primary_key=True)
    id_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    label: Mapped[Words]
    ip: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[Moment]
    seen_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    #: when both factors were last given
    proved_at: Mapped[Moment] = mapped_column(server_default=text("clock_timestamp()"))


# --- the officer of a request -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Visitor:
    """The signed-in officer of one request, and what every page of theirs needs."""

    session_hash: bytes
    officer_id: int
    login: str
    name: str
    role: Role
    office_id: int
    office_name: str
    level: Level
    path: str
    #: the appointment has not ended
    appointed: bool
    must_change_password: bool
    started_at: datetime
    seen_at: datetime
    proved_at: datetime
    ends_at: datetime
    now: datetime

    # what Flask-Login asks of a user
    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        """The officer's internal id."""
        return str(self.officer_id)

    @property
    def role_name(self) -> str:
        """The role as a msgid."""
        return ROLE_NAMES[self.role]

    @property
    def form_mark(self) -> str:
        """Ties a form to the session it was rendered in. Outlives the new id after a proof of identity (S-10)."""
        return form_mark(self.officer_id, self.started_at)

    @property
    def proved_lately(self) -> bool:
        """Whether both factors were given within the last five minutes (A-14)."""
        return self.now - self.proved_at <= PROOF_LIFE

    def may(self, act: Act) -> bool:
        """Whether the officer's role includes `act`."""
        return self.role in MAY[act]

    def require(self, act: Act) -> None:
        """Raise `NotAllowed` unless the officer's role includes `act`."""
        if not self.may(act):
            raise NotAllowed(f"{self.role} may not {act}")

    def require_province(self) -> None:
        """Raise `OutOfScope` unless the officer's office is the province."""
        if self.level != "province":
            raise OutOfScope(f"the province's, and not for {self.path}")

    def require_proof(self) -> None:
        """Raise `NotProved` unless the officer has lately proved who they are."""
        if not self.proved_lately:
            raise NotProved("no fresh proof of identity")


def form_mark(officer_id: int, started_at: datetime) -> str:
    """The mark of the forms made in a session."""
    return hashlib.sha256(f"officer-form|{officer_id}|{started_at.isoformat()}".encode()).hexdigest()[:24]


_LOAD = text("""
    SELECT s.officer_id, o.login, o.name, o.role, o.office_id, f.name AS office_name, f.level, f.path,
           o.appointed_until > clock_timestamp() AS appointed,
           coalesce(o.password_changed_at < clock_timestamp() - CAST(:password_life AS interval), true)
               AS must_change_password,
           s.started_at, s.seen_at, s.proved_at, s.expires_at AS ends_at, clock_timestamp() AS now
    FROM officer_sessions s
    JOIN officers o ON o.id = s.officer_id
    JOIN offices f ON f.id = o.office_id
    WHERE s.id_hash = :id AND s.expires_at > clock_timestamp()
      AND s.seen_at > clock_timestamp() - :idle * interval '1 second'
""")


def load(connection: Connection, id_hash: bytes, idle_seconds: int) -> Visitor | None:
    """The officer behind a session id, or None when it has ended, lapsed or never was.

    An officer whose appointment is over is returned with `appointed` false: the caller ends the session.
    """
    found = connection.execute(_LOAD, {"id": id_hash, "idle": idle_seconds, "password_life": PASSWORD_LIFE}).mappings()
    row = found.first()
    return None if row is None else Visitor(session_hash=id_hash, **row)


_APPOINTED = text("SELECT appointed_until > clock_timestamp() FROM officers WHERE id = :officer")


def require_appointed(session: Session, visitor: Visitor) -> None:
    """Raise `NotAllowed` when the officer's appointment has ended since the request began."""
    if not session.execute(_APPOINTED, {"officer": visitor.officer_id}).scalar():
        raise NotAllowed("the appointment is over")


_OWNER = text("SELECT officer_id, started_at FROM officer_sessions WHERE id_hash = :id")


def owner(connection: Connection, id_hash: bytes, mark: str) -> int | None:
    """The officer whose session this is, though it may have lapsed, if a form with this mark was made in it."""
    found = connection.execute(_OWNER, {"id": id_hash}).first()
    return found.officer_id if found is not None and mark == form_mark(*found) else None


def touch(connection: Connection, visitor: Visitor) -> None:
    """Note that the session is in use; at most once a minute, so that reading stays reading."""
    if (visitor.now - visitor.seen_at).total_seconds() < TOUCH_S:
        return
    connection.execute(
        text("UPDATE officer_sessions SET seen_at = clock_timestamp() WHERE id_hash = :id"),
        {"id": visitor.session_hash},
    )


# --- writes of a deed ---------------------------------------------------------------------------------


def entry(act: str, visitor: Visitor, where: Where, candidate_id: int | None = None, **detail: Any) -> Write:
    """The audit entry of what an officer does, for the office they do it from unless `office` names another."""
    return audit.entry(
        act,
        actor="officer",
        officer_id=visitor.officer_id,
        candidate_id=candidate_id,
        ip=where.ip,
        request_id=where.request_id,
        **{"office": visitor.office_id, **detail},
    )


def session_started(officer_id: int, id_hash: bytes, label: str, ip: str | None) -> Write:
    """The write that opens an officer's session; the one before it ends with that (S-04)."""
    return Write(
        """
        INSERT INTO officer_sessions (officer_id, id_hash, label, ip, started_at, seen_at, proved_at, expires_at)
        VALUES (:officer, :id, :label, :ip, clock_timestamp(), clock_timestamp(), clock_timestamp(),
                clock_timestamp() + CAST(:life AS interval))
        ON CONFLICT (officer_id) DO UPDATE SET id_hash = excluded.id_hash, label = excluded.label,
            ip = excluded.ip, started_at = excluded.started_at, seen_at = excluded.seen_at,
            proved_at = excluded.proved_at, expires_at = excluded.expires_at
        """,
        {"officer": officer_id, "id": id_hash, "label": label, "ip": ip, "life": SESSION_LIFE},
    )


def session_renewed(old: bytes, new: bytes, *, proved: bool) -> Write:
    """The write by which a session goes on under a new id (S-02); `proved`: both factors were given just now."""
    return Write(
        """
        UPDATE officer_sessions SET id_hash = :new, seen_at = clock_timestamp(),
            proved_at = CASE WHEN :proved THEN clock_timestamp() ELSE proved_at END
        WHERE id_hash = :old
        """,
        {"old": old, "new": new, "proved": proved},
    )


def session_ended(id_hash: bytes) -> Write:
    """The write that ends a session."""
    return Write("DELETE FROM officer_sessions WHERE id_hash = :id", {"id": id_hash})


def sessions_ended(officer_id: int) -> Write:
    """The write that ends whatever session an officer has."""
    return Write("DELETE FROM officer_sessions WHERE officer_id = :officer", {"officer": officer_id})


def password_set(officer_id: int, stored: str) -> Write:
    """The write that sets the password an officer has chosen."""
    return Write(
        "UPDATE officers SET password = :password, password_changed_at = clock_timestamp() WHERE id = :officer",
        {"password": stored, "officer": officer_id},
    )


def password_resealed(officer_id: int, stored: str) -> Write:
    """The write that stores the same password anew, when its cost or pepper has changed."""
    return Write(
        "UPDATE officers SET password = :password WHERE id = :officer",
        {"password": stored, "officer": officer_id},
    )
