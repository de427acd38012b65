"""Officers' accounts, kept from above: made, extended, ended and recovered by a system administrator (A-13, O-12).

A system administrator keeps the accounts of the offices directly below, and those of the own office but for system
administrators, who are kept from above: so nobody keeps their own. The database holds the same
(`migrations/versions/0010_accounts.py`), whatever a page may ask. Others see the accounts of their scope at most.

Whoever makes or recovers an account sees its first password and its second factor. The password must be changed at
the first sign-in; who made the account stays with it, and every deed is in the audit with its reason.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from admin import appointments, officers, scope
from admin.appointments import Appointment, Credentials, Password
from admin.officers import ROLES, Role, Visitor
from admin.scope import BELOW
from app.db import Write, together
from app.entrance import Where
from app.errors import NotAllowed, OutOfDate, OutOfScope
from config.keys import KeyRing

#: which accounts are listed
State = Literal["current", "unused", "ended"]
#: rows of one page
AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class Account:
    """An account as those above see it."""

    id: int
    login: str
    name: str
    role: Role
    office_id: int
    office_name: str
    #: the office above
    parent_id: int | None
    appointed_until: datetime
    appointed: bool
    #: less than two weeks are left of it
    ends_soon: bool
    created_at: datetime
    appointed_by: str | None
    #: the first password, which somebody else has seen, still stands
    first_password: bool
    #: digits of the present second factor have been used
    factor_used: bool
    signed_in_at: datetime | None
    #: names the account as a form was rendered from it, so that sending it twice does it once
    standing: str

    def kept_by(self, visitor: Visitor) -> bool:
        """Whether the officer may change this account."""
        return visitor.may("keep_accounts") and _keeps(visitor, self.office_id, self.parent_id, self.role)


@dataclass(frozen=True, slots=True)
class Opening:
    """An office whose accounts an officer keeps, and the roles they can give there."""

    office_id: int
    office_name: str
    roles: tuple[Role, ...]


def _keeps(visitor: Visitor, office_id: int, parent_id: int | None, role: Role) -> bool:
    if office_id == visitor.office_id:
        return role != "system_admin"
    return parent_id == visitor.office_id


_FIELDS: Final = """
    o.id, o.login, o.name, o.role, o.office_id, p.name AS office_name, p.parent_id, o.appointed_until,
    o.appointed_until > clock_timestamp() AS appointed,
    o.appointed_until < clock_timestamp() + interval '14 days' AS ends_soon, o.created_at, m.name AS appointed_by,
    o.password_changed_at IS NULL AS first_password, o.totp_step > 0 AS factor_used, o.signed_in_at,
    left(encode(sha256(convert_to(concat_ws('|', o.password, encode(o.totp_sealed, 'hex'), o.appointed_until), 'UTF8')),
                'hex'), 16) AS standing
"""
_FROM: Final = f"""
    FROM officers o JOIN offices p ON p.id = o.office_id LEFT JOIN officers m ON m.id = o.appointed_by WHERE {BELOW}
"""
_ONE = text(f"SELECT {_FIELDS} {_FROM} AND o.id = :account")


def of(connection: Connection | Session, visitor: Visitor, account_id: int) -> Account:
    """The account, if it is of the officer's office or one below it; raises `NotFound` for any other."""
    row = connection.execute(_ONE, {"account": account_id, "within": visitor.path}).mappings().first()
    if row is None:
        raise OutOfScope(f"officer {account_id} is not within {visitor.path}")
    return Account(**row)


# --- lists ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a list an account stands."""

    turn: int
    id: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which accounts are asked for."""

    state: State
    #: part of a name, a login or an office's name
    words: str
    #: where the page begins; None: at the first account
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of accounts, and how many there are in all."""

    accounts: list[Account]
    count: int
    #: where the next page begins; None: there is none
    after: Place | None


# what ends soonest first; of what has ended, the latest
_LIST = text(f"""
    WITH found AS (
        SELECT o.id, CASE :state WHEN 'ended' THEN -1 ELSE 1 END
                     * CAST(extract(epoch FROM o.appointed_until) * 1000000 AS bigint) AS turn
        {_FROM}
          AND CASE :state WHEN 'ended' THEN o.appointed_until <= clock_timestamp()
                          WHEN 'unused' THEN o.appointed_until > clock_timestamp() AND o.password_changed_at IS NULL
                          ELSE o.appointed_until > clock_timestamp() END
          AND (:words = '' OR strpos(o.login, lower(:words)) > 0 OR strpos(o.name, :words) > 0
               OR strpos(p.name, :words) > 0)
    ), page AS (
        SELECT f.id, f.turn, (SELECT count(*) FROM found) AS many FROM found f
        WHERE CAST(:turn AS bigint) IS NULL OR (f.turn, f.id) > (:turn, :id)
        ORDER BY f.turn, f.id LIMIT :most
    )
    SELECT one.*, g.turn, g.many FROM page g, LATERAL (SELECT {_FIELDS} {_FROM} AND o.id = g.id) one
    ORDER BY g.turn, g.id
""")  # noqa: S608 -- constants


def several(connection: Connection, visitor: Visitor, wanted: Wanted) -> Listed:
    """A page of the accounts of the officer's office and those below."""
    asked = {"within": visitor.path, "state": wanted.state, "words": wanted.words, "most": AT_ONCE + 1}
    asked |= {"turn": wanted.after and wanted.after.turn, "id": wanted.after and wanted.after.id}
    rows = [dict(row) for row in connection.execute(_LIST, asked).mappings()]
    turns, counts = [row.pop("turn") for row in rows], [row.pop("many") for row in rows]
    found = [Account(**row) for row in rows[:AT_ONCE]]
    more = len(rows) > AT_ONCE
    return Listed(found, max(counts, default=0), Place(turns[AT_ONCE - 1], found[-1].id) if more else None)


_OPENINGS = text("""
    SELECT p.id, p.name, p.parent_id FROM offices p WHERE :office IN (p.id, p.parent_id)
    ORDER BY p.id <> :office, p.code
""")


def openings(connection: Connection | Session, visitor: Visitor) -> list[Opening]:
    """The offices whose accounts the officer keeps, their own first."""
    found = connection.execute(_OPENINGS, {"office": visitor.office_id})
    return [
        Opening(one.id, one.name, tuple(role for role in ROLES if _keeps(visitor, one.id, one.parent_id, role)))
        for one in found
    ]


# --- deeds ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Namesake:
    """Somebody of the same name has an account in force at the office: the same person, or another."""

    login: str
    role: Role


@dataclass(frozen=True, slots=True)
class Change:
    """Why an account is changed, and `Account.standing` when the form was rendered."""

    reason: str
    standing: str


_NAMESAKE = text("""
    SELECT login, role FROM officers
    WHERE office_id = :office AND name = :name AND appointed_until > clock_timestamp() ORDER BY id LIMIT 1
""")


def appoint(  # noqa: PLR0913 -- a session, keys, who, whom, with what, why and whence
    session: Session,
    keys: KeyRing,
    visitor: Visitor,
    appointment: Appointment,
    password: Password,
    *,
    reason: str,
    another: bool,
    where: Where,
) -> Credentials | Namesake:
    """Make an account. `another`: whoever has this name at the office is somebody else.

    Returns `Namesake`, with nothing made, where one has and nobody said so: one person has one role (O-12). Raises
    `NotFound` out of scope, `NotAllowed` for an office or a role the officer does not keep, and `BadInput` for a
    login that is taken or malformed.
    """
    office_id = scope.office(session, visitor, appointment.office_id).id
    _require(session, visitor)
    roles = next((one.roles for one in openings(session, visitor) if one.office_id == office_id), ())
    if appointment.role not in roles:
        raise NotAllowed(f"{visitor.login} appoints no {appointment.role} of office {office_id}")
    namesake = session.execute(_NAMESAKE, {"office": office_id, "name": appointment.name}).first()
    if namesake is not None and not another:
        return Namesake(*namesake)
    made = appointments.make(session, keys, appointment, password, visitor.officer_id)
    detail = {"account": made.officer_id, "login": made.login, "role": appointment.role, "until": appointment.until}
    detail |= {"reason": reason} | ({"namesake": namesake.login} if namesake else {})
    together(session, _entry("officer.appointed", visitor, where, office_id, **detail))
    return made


def set_end(  # noqa: PLR0913, PLR0917 -- a session, who, whom, until when, why and whence
    session: Session, visitor: Visitor, account_id: int, until: datetime | None, change: Change, where: Where
) -> None:
    """Set when an appointment ends, also of one that is over. None: now, with whatever session there is (A-13).

    Raises as `_held` does.
    """
    account = _held(session, visitor, account_id, change)
    appointments.set_end(session, account.id, until)
    if until is None:
        entry = _changed("officer.ended", visitor, account, change, where)
        together(session, officers.sessions_ended(account.id), entry)
    else:
        before = account.appointed_until
        together(session, _changed("officer.extended", visitor, account, change, where, before=before, until=until))


def reset_password(  # noqa: PLR0913, PLR0917 -- a session, who, whom, to what, why and whence
    session: Session, visitor: Visitor, account_id: int, password: Password, change: Change, where: Where
) -> Credentials:
    """Give an officer a new first password; ends the session. Raises as `_held` does."""
    account = _held(session, visitor, account_id, change)
    appointments.set_first_password(session, account.id, password)
    entry = _changed("officer.password_reset", visitor, account, change, where)
    together(session, officers.sessions_ended(account.id), entry)
    return Credentials(account.id, account.login, password.text, None)


def reset_factor(  # noqa: PLR0913, PLR0917 -- a session, keys, who, whom, why and whence
    session: Session, keys: KeyRing, visitor: Visitor, account_id: int, change: Change, where: Where
) -> Credentials:
    """Give an officer a new second factor; ends the session. Raises as `_held` does."""
    account = _held(session, visitor, account_id, change)
    secret = appointments.set_second_factor(session, keys, account.id)
    entry = _changed("officer.second_factor_reset", visitor, account, change, where)
    together(session, officers.sessions_ended(account.id), entry)
    return Credentials(account.id, account.login, None, secret)


_HOLD = text("SELECT 1 FROM officers WHERE id = :account FOR NO KEY UPDATE")


def _held(session: Session, visitor: Visitor, account_id: int, change: Change) -> Account:
    """The account, locked.

    Raises `NotFound` out of scope; `NotAllowed` unless the officer keeps it, has proved lately and is appointed;
    `OutOfDate` when it has changed since the form was rendered.
    """
    session.execute(_HOLD, {"account": account_id})
    account = of(session, visitor, account_id)
    _require(session, visitor)
    if not account.kept_by(visitor):
        raise NotAllowed(f"the account {account.login} is not {visitor.login}'s to keep")
    if account.standing != change.standing:
        raise OutOfDate(f"the account {account.login} has changed")
    return account


def _require(session: Session, visitor: Visitor) -> None:
    visitor.require("keep_accounts")
    visitor.require_proof()
    officers.require_appointed(session, visitor)


def _changed(act: str, visitor: Visitor, account: Account, change: Change, where: Where, **detail: Any) -> Write:
    detail |= {"account": account.id, "login": account.login, "reason": change.reason}
    return _entry(act, visitor, where, account.office_id, **detail)


def _entry(act: str, visitor: Visitor, where: Where, office_id: int, **detail: Any) -> Write:
    return officers.entry(act, visitor, where, office=office_id, **detail)
