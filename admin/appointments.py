"""Appointments: how an officer's account is made, given new credentials, and ended.

The parts of each deed, and the deeds as commands do them; those of the pages are in `admin.accounts`. What an
officer is given is shown once and kept by nobody: the password is stored as its seal, the second factor's secret
encrypted. There are no default accounts, and an appointment always has an end (A-13).
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from admin import officers, totp
from admin.officers import Role
from app import audit, passwords
from app.candidates import Sealer
from app.db import Database, Write, rows, together
from app.errors import BadInput, NotAllowed, NotFound
from config.keys import KeyRing

#: no appointment outlives the season that needs it by much; a trigger holds it, too
LONGEST: Final = timedelta(days=400)
#: without letters and digits that are taken for one another
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789"
_TOTP_COLUMN: Final = "officers.totp"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an officer is given once, on paper or screen, and nobody keeps."""

    officer_id: int
    login: str
    password: str | None
    totp_secret: str | None

    @property
    def totp_address(self) -> str | None:
        """What the authenticator reads from a QR code."""
        return totp.address(self.totp_secret, self.login) if self.totp_secret else None


@dataclass(frozen=True, slots=True)
class Password:
    """A password in clear, and what is stored of it. Made before a transaction begins, for sealing takes its time."""

    text: str
    stored: str

    @classmethod
    def of(cls, chosen: str, keys: KeyRing) -> Self:
        """Of a password somebody chose."""
        return cls(chosen, passwords.seal(chosen, keys.password_pepper, passwords.OFFICER))

    @classmethod
    def drawn(cls, keys: KeyRing) -> Self:
        """A first password nobody chose, about 93 bits."""
        letters = "".join(secrets.choice(_ALPHABET) for _ in range(16))
        return cls.of("-".join(letters[at : at + 4] for at in range(0, 16, 4)), keys)


@dataclass(frozen=True, slots=True)
class Appointment:
    """Who is appointed where, as what, until when."""

    login: str
    name: str
    office_id: int
    role: Role
    until: datetime


# --- the parts of a deed -------------------------------------------------------------------------------


_NEXT_ID = text("SELECT nextval('officers_id_seq')")
_APPOINT = text("""
    INSERT INTO officers (id, login, name, office_id, role, password, totp_sealed, appointed_until, appointed_by,
                          created_at)
    VALUES (:id, :login, :name, :office, :role, :password, :totp, :until, :by, clock_timestamp())
    ON CONFLICT (login) DO NOTHING RETURNING id
""")
_LOGIN = text("SELECT CAST(:login AS text) ~ '^[a-z][a-z0-9.-]{2,31}$'")


def make(
    session: Session, keys: KeyRing, appointment: Appointment, password: Password, by: int | None = None
) -> Credentials:
    """Make an account with a first password, which must be changed, and a second factor.

    Raises `BadInput` when the login is taken or malformed.
    """
    if not session.execute(_LOGIN, {"login": appointment.login}).scalar():
        raise BadInput("a login is 3 to 32 small letters, digits, dots and hyphens", place="login")
    officer_id = session.execute(_NEXT_ID).scalar_one()
    secret = totp.new_secret()
    values = {
        "id": officer_id,
        "login": appointment.login,
        "name": appointment.name,
        "office": appointment.office_id,
        "role": appointment.role,
        "password": password.stored,
        "totp": seal_totp(keys, officer_id, secret),
        "until": appointment.until,
        "by": by,
    }
    if session.execute(_APPOINT, values).scalar() is None:
        raise BadInput(f"the login {appointment.login} is taken", place="login")
    return Credentials(officer_id, appointment.login, password.text, secret)


def set_end(session: Session, officer_id: int, until: datetime | None) -> None:
    """Set when an appointment ends; None: now, unless it is over already."""
    ends = "least(appointed_until, clock_timestamp())" if until is None else ":until"
    _change(session, f"appointed_until = {ends}", officer_id, until=until)


def set_first_password(session: Session, officer_id: int, password: Password) -> None:
    """Set a first password, which must be changed."""
    _change(session, "password = :stored, password_changed_at = NULL", officer_id, stored=password.stored)


def set_second_factor(session: Session, keys: KeyRing, officer_id: int) -> str:
    """Set a new second factor; returns its secret."""
    secret = totp.new_secret()
    sealed = seal_totp(keys, officer_id, secret)
    _change(session, "totp_sealed = :sealed, totp_step = 0", officer_id, sealed=sealed)
    return secret


def _change(session: Session, columns: str, officer_id: int, **values: object) -> None:
    statement = text(f"UPDATE officers SET {columns} WHERE id = :id RETURNING id")  # noqa: S608 -- constants
    if session.execute(statement, {"id": officer_id, **values}).scalar() is None:
        raise NotAllowed(f"the account of officer {officer_id} is not theirs to change who asks")


def seal_totp(keys: KeyRing, officer_id: int, secret: str) -> bytes:
    """What is stored of a second factor."""
    return Sealer(keys.column_key, keys.index_key).seal(secret, column=_TOTP_COLUMN, row=officer_id)


def open_totp(keys: KeyRing, officer_id: int, sealed: bytes) -> str:
    """The secret behind `seal_totp`."""
    return Sealer(keys.column_key, keys.index_key).open(sealed, column=_TOTP_COLUMN, row=officer_id)


# --- by command ----------------------------------------------------------------------------------------


def appoint(  # noqa: PLR0913 -- one column each
    database: Database,
    keys: KeyRing,
    *,
    login: str,
    name: str,
    office_code: str,
    role: Role,
    until: datetime,
    chosen: Password | None = None,
) -> Credentials:
    """Make an officer's account; with a random first password that must be changed, unless they have `chosen` one.

    Raises `BadInput` when the login is taken or malformed, `NotFound` when there is no such office.
    """
    given = chosen or Password.drawn(keys)
    with database.transaction() as session:
        appointment = Appointment(login, name, _office(session, office_code), role, until)
        made = make(session, keys, appointment, given)
        kept = [officers.password_set(made.officer_id, chosen.stored)] if chosen else []
        entry = _entry("officer.appointed", made.officer_id, role=role, office=office_code, until=until)
        together(session, *kept, entry)
    return made


def end(database: Database, login: str) -> None:
    """End an appointment and the officer's session at once (A-13); raises `NotFound`."""
    with database.transaction() as session:
        officer_id = _officer(session, login)
        set_end(session, officer_id, None)
        together(session, officers.sessions_ended(officer_id), _entry("officer.ended", officer_id))


def extend(database: Database, login: str, until: datetime) -> None:
    """Set when an appointment ends, also one that is over; raises `NotFound`."""
    with database.transaction() as session:
        officer_id = _officer(session, login)
        set_end(session, officer_id, until)
        together(session, _entry("officer.extended", officer_id, until=until))


def reset_totp(database: Database, keys: KeyRing, login: str) -> Credentials:
    """Give an officer a new second factor (the telephone was lost); ends the session. Raises `NotFound`."""
    with database.transaction() as session:
        officer_id = _officer(session, login)
        secret = set_second_factor(session, keys, officer_id)
        together(session, officers.sessions_ended(officer_id), _entry("officer.second_factor_reset", officer_id))
    return Credentials(officer_id, login, None, secret)


def reset_password(database: Database, keys: KeyRing, login: str) -> Credentials:
    """Give an officer a new random first password; ends the session. Raises `NotFound`."""
    given = Password.drawn(keys)
    with database.transaction() as session:
        officer_id = _officer(session, login)
        set_first_password(session, officer_id, given)
        together(session, officers.sessions_ended(officer_id), _entry("officer.password_reset", officer_id))
    return Credentials(officer_id, login, given.text, None)


def everybody(connection: Connection) -> list[dict[str, Any]]:
    """Every account with its office and whether somebody is signed in, by office."""
    return rows(
        connection.execute(
            text("""
                SELECT o.login, o.name, o.role, f.name AS office_name, f.code AS office_code, o.appointed_until,
                       o.appointed_until > clock_timestamp() AS appointed, s.seen_at
                FROM officers o JOIN offices f ON f.id = o.office_id
                LEFT JOIN officer_sessions s ON s.officer_id = o.id
                ORDER BY f.path, o.login
            """)
        )
    )


def _office(session: Session, code: str) -> int:
    found = session.execute(text("SELECT id FROM offices WHERE code = :code"), {"code": code}).scalar()
    if found is None:
        raise NotFound(f"no office has the code {code}")
    return int(found)


def _officer(session: Session, login: str) -> int:
    found = session.execute(text("SELECT id FROM officers WHERE login = :login FOR UPDATE"), {"login": login})
    officer_id = found.scalar()
    if officer_id is None:
        raise NotFound(f"nobody has the login {login}")
    return int(officer_id)


def _entry(act: str, officer_id: int, **detail: Any) -> Write:
    return audit.entry(act, actor="command", officer_id=officer_id, **detail)
