"""Appointments: how an officer's account is made, given new credentials, and ended. By command only.

What an officer is given is shown once and kept by nobody: the password is stored as its seal, the second
factor's secret encrypted. There are no default accounts, and an appointment always has an end (A-13).
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from admin import totp
from admin.officers import Role
from app import audit, passwords
from app.candidates import Sealer
from app.db import Database, Write, rows, together
from app.errors import BadInput, NotFound
from config.keys import KeyRing

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


def new_password() -> str:
    """A first password nobody chose, about 93 bits."""
    drawn = "".join(secrets.choice(_ALPHABET) for _ in range(16))
    return "-".join(drawn[at : at + 4] for at in range(0, 16, 4))


_APPOINTED: Final = """
    INSERT INTO officers (id, login, name, office_id, role, password, password_changed_at, totp_sealed,
                          appointed_until, created_at)
    OVERRIDING SYSTEM VALUE
    VALUES (:id, :login, :name, :office, :role, :password,
            CASE WHEN :changed THEN clock_timestamp() END, :totp, :until, clock_timestamp())
"""


def appoint(  # noqa: PLR0913 -- one column each
    database: Database,
    keys: KeyRing,
    *,
    login: str,
    name: str,
    office_code: str,
    role: Role,
    until: datetime,
    password: str | None = None,
) -> Credentials:
    """Make an officer's account; with a random first password that must be changed, unless one is given.

    Raises `BadInput` when the login is taken or malformed, `NotFound` when there is no such office.
    """
    given = password or new_password()
    stored = passwords.seal(given, keys.password_pepper, passwords.OFFICER)
    secret = totp.new_secret()
    with database.transaction() as session:
        office_id = _office(session, office_code)
        _require_free(session, login)
        officer_id = session.execute(text("SELECT nextval(pg_get_serial_sequence('officers', 'id'))")).scalar_one()
        write = Write(
            _APPOINTED,
            {
                "id": officer_id,
                "login": login,
                "name": name,
                "office": office_id,
                "role": role,
                "password": stored,
                "changed": password is not None,
                "totp": seal_totp(keys, officer_id, secret),
                "until": until,
            },
        )
        entry = _entry("officer.appointed", officer_id, role=role, office=office_code, until=until)
        together(session, write, entry)
    return Credentials(officer_id, login, given, secret)


def end(database: Database, login: str) -> None:
    """End an appointment and the officer's session at once (A-13); raises `NotFound`."""
    with database.transaction() as session:
        officer_id = _officer(session, login)
        together(
            session,
            Write(
                "UPDATE officers SET appointed_until = least(appointed_until, clock_timestamp()) WHERE id = :id",
                {"id": officer_id},
            ),
            Write("DELETE FROM officer_sessions WHERE officer_id = :id", {"id": officer_id}),
            _entry("officer.ended", officer_id),
        )


def extend(database: Database, login: str, until: datetime) -> None:
    """Set when an appointment ends, also one that is over; raises `NotFound`."""
    with database.transaction() as session:
        officer_id = _officer(session, login)
        write = Write("UPDATE officers SET appointed_until = :until WHERE id = :id", {"until": until, "id": officer_id})
        together(session, write, _entry("officer.extended", officer_id, until=until))


def reset_totp(database: Database, keys: KeyRing, login: str) -> Credentials:
    """Give an officer a new second factor (the telephone was lost); ends the session. Raises `NotFound`."""
    secret = totp.new_secret()
    with database.transaction() as session:
        officer_id = _officer(session, login)
        together(
            session,
            Write(
                "UPDATE officers SET totp_sealed = :totp, totp_step = 0 WHERE id = :id",
                {"totp": seal_totp(keys, officer_id, secret), "id": officer_id},
            ),
            Write("DELETE FROM officer_sessions WHERE officer_id = :id", {"id": officer_id}),
            _entry("officer.second_factor_reset", officer_id),
        )
    return Credentials(officer_id, login, None, secret)


def reset_password(database: Database, keys: KeyRing, login: str) -> Credentials:
    """Give an officer a new random first password; ends the session. Raises `NotFound`."""
    given = new_password()
    stored = passwords.seal(given, keys.password_pepper, passwords.OFFICER)
    with database.transaction() as session:
        officer_id = _officer(session, login)
        together(
            session,
            Write(
                "UPDATE officers SET password = :password, password_changed_at = NULL WHERE id = :id",
                {"password": stored, "id": officer_id},
            ),
            Write("DELETE FROM officer_sessions WHERE officer_id = :id", {"id": officer_id}),
            _entry("officer.password_reset", officer_id),
        )
    return Credentials(officer_id, login, given, None)


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


def seal_totp(keys: KeyRing, officer_id: int, secret: str) -> bytes:
    """What is stored of a second factor."""
    return Sealer(keys.column_key, keys.index_key).seal(secret, column=_TOTP_COLUMN, row=officer_id)


def open_totp(keys: KeyRing, officer_id: int, sealed: bytes) -> str:
    """The secret behind `seal_totp`."""
    return Sealer(keys.column_key, keys.index_key).open(sealed, column=_TOTP_COLUMN, row=officer_id)


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


def _require_free(session: Session, login: str) -> None:
    found = session.execute(
        text("""
            SELECT :login !~ '^[a-z][a-z0-9.-]{2,31}$' AS malformed,
                   EXISTS (SELECT 1 FROM officers WHERE login = :login) AS taken
        """),
        {"login": login},
    ).one()
    if found.malformed:
        raise BadInput("a login is 3 to 32 small letters, digits, dots and hyphens", place="login")
    if found.taken:
        raise BadInput(f"the login {login} is taken", place="login")


def _entry(act: str, officer_id: int, **detail: Any) -> Write:
    return audit.entry(act, actor="command", officer_id=officer_id, **detail)
