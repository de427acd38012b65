"""How an officer gets in and stays in: sign-in with two factors, a fresh proof of identity, a new password.

Argon2id of a password is always computed outside a transaction. Refusals read alike and cost alike: nobody
learns whether a login exists, nor which of the two factors was wrong (A-08). Time is the database's.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from pypinyin import Style, lazy_pinyin
from sqlalchemy import text
from sqlalchemy.orm import Session

from admin import officers, scope, totp, waits
from admin.appointments import open_totp
from admin.officers import MAY, Act, Role, Visitor
from app import accounts, audit, passwords, sessions
from app.db import Database, Write, together
from app.entrance import Refused, Where
from app.errors import NotAllowed, OutOfDate, TooSoon
from app.offices import Level
from config.keys import KeyRing

Weakness = Literal["too_short", "too_few_kinds", "too_long", "control_characters", "common", "personal"]

#: the profile of MLPS for staff (requirements G-03); candidates have a gentler one
SHORTEST: Final = 10
KINDS: Final = 3
#: compared with where nobody has the login, so that the work is the same
_NOBODYS_SECRET: Final = "A" * 32


@dataclass(frozen=True, slots=True)
class Opened:
    """A session was opened, or goes on under a new id; `session_id` is the cookie's value."""

    session_id: str


@dataclass(frozen=True, slots=True)
class Vouched:
    """An officer who gave both factors for one deed, a moment ago."""

    officer_id: int
    login: str
    name: str
    role: Role
    level: Level
    office_name: str

    def require(self, act: Act, level: Level) -> None:
        """Raise `NotAllowed` unless the officer's role includes `act`, and the office is of that level."""
        if self.role not in MAY[act] or self.level != level:
            raise NotAllowed(f"{self.login}, {self.role} of {self.office_name}, may not {act}")


Two = tuple[Vouched, Vouched]


def require_two(by: Two, act: Act) -> None:
    """Raise `NotAllowed` unless two different officers of the province may do this, one of them an approver."""
    for one in by:
        one.require(act, "province")
    if by[0].officer_id == by[1].officer_id:
        raise NotAllowed("two people are needed, each with the own login")
    if "approver" not in {one.role for one in by}:
        raise NotAllowed("one of the two must be an approver")


@dataclass(frozen=True, slots=True)
class _Known:
    """What stands under a login; all None when nobody has it. Failures are booked in `bucket`."""

    officer_id: int | None
    password: str | None
    totp_sealed: bytes | None
    appointed: bool
    bucket: bytes
    wait_seconds: int
    now: datetime


_LOOK_UP = text("""
    SELECT o.id AS officer_id, o.password, o.totp_sealed,
           coalesce(o.appointed_until > clock_timestamp(), false) AS appointed, b.bucket,
           greatest(0, coalesce(ceil(extract(epoch FROM w.until - clock_timestamp())), 0))::int AS wait_seconds,
           clock_timestamp() AS now
    FROM (SELECT CAST(:login AS text) AS login) asked
    LEFT JOIN officers o ON o.login = asked.login
    LEFT JOIN officer_devices d ON d.officer_id = o.id AND d.token_hash = :device
    CROSS JOIN LATERAL (SELECT CASE WHEN d.officer_id IS NULL THEN CAST(:shared AS bytea)
                                    ELSE CAST(:own AS bytea) END) AS b (bucket)
    LEFT JOIN officer_waits w ON w.bucket = b.bucket
""")

_WHO = text("""
    SELECT o.id AS officer_id, o.login, o.name, o.role, f.level, f.name AS office_name
    FROM officers o JOIN offices f ON f.id = o.office_id WHERE o.id = :officer
""")

# one statement decides: of two requests with the same six digits one finds the step taken, and of a sign-in and
# somebody who gives new credentials meanwhile, one comes too late
_SPEND = text("""
    UPDATE officers SET totp_step = :step,
        signed_in_at = CASE WHEN :enters THEN clock_timestamp() ELSE signed_in_at END
    WHERE id = :officer AND totp_step < :step AND appointed_until > clock_timestamp()
      AND password = :password AND totp_sealed = :totp RETURNING id
""")
_HOLD = text("SELECT id FROM officers WHERE id = :officer AND password = :password FOR NO KEY UPDATE")


@dataclass(frozen=True, slots=True)
class Desk:
    """The door of the management edition."""

    database: Database
    keys: KeyRing

    def sign_in(self, login: str, password: str, digits: str, where: Where) -> Opened | Refused:
        """Open the officer's session for the right password and six digits not used before; the last one ends.

        A failure is booked against strangers together, or against this known browser alone (R-04), and success
        makes the browser known. Raises `TooSoon` while the wait of that bucket runs; logins nobody has wait just
        the same.
        """
        known = self._look_up(login, device=where.device_hash)
        step = self._step(known, password, digits)
        resealed = self._resealed(known, password) if step is not None else []
        session_id, id_hash = sessions.new_id()
        with self.database.transaction() as session:
            officer_id = self._spend(session, known, step, enters=True)
            if officer_id is None:
                return self._refused(session, "officer.sign_in_refused", known, where)
            together(
                session,
                officers.session_started(officer_id, id_hash, where.label, where.ip),
                waits.forgiven(known.bucket),
                *waits.device_known(officer_id, where.device_hash),
                *resealed,
                _entry("officer.signed_in", officer_id, where),
            )
        return Opened(session_id)

    def prove(self, visitor: Visitor, password: str, digits: str, where: Where) -> Opened | Refused:
        """Take both factors once more, for the acts that ask for it (A-14). The session gets a new id.

        A failure is booked against this session alone; raises `TooSoon` while its wait runs.
        """
        known = self._look_up(visitor.login, place=visitor.session_hash)
        step = self._step(known, password, digits)
        session_id, id_hash = sessions.new_id()
        with self.database.transaction() as session:
            officer_id = self._spend(session, known, step)
            if officer_id is None:
                return self._refused(session, "officer.proof_refused", known, where)
            together(
                session,
                officers.session_renewed(visitor.session_hash, id_hash, proved=True),
                waits.forgiven(known.bucket),
                _entry("officer.proved", officer_id, where),
            )
        return Opened(session_id)

    def vouch(self, login: str, password: str, digits: str, where: Where) -> Vouched | Refused:
        """Take both factors of somebody who is not signed in, for a deed by command.

        No session begins, and one that stands goes on. Failures are booked against the prompt alone: whoever sits
        there has the service's own keys at hand, and nobody else can keep two officers from what only they may do.
        Raises `TooSoon` while its wait runs.
        """
        known = self._look_up(login, place=waits.PROMPT)
        step = self._step(known, password, digits)
        with self.database.transaction() as session:
            officer_id = self._spend(session, known, step)
            if officer_id is None:
                return self._refused(session, "officer.vouching_refused", known, where)
            together(session, waits.forgiven(known.bucket), _entry("officer.vouched", officer_id, where))
            return Vouched(**session.execute(_WHO, {"officer": officer_id}).mappings().one())

    def change_password(self, visitor: Visitor, old: str, new: str, where: Where) -> Opened | Refused:
        """Set a new password for the right old one. The session gets a new id: a stolen one is worth nothing after it.

        A wrong old one is booked against this session alone. Raises `TooSoon` while its wait runs, and `OutOfDate`
        when somebody has set another meanwhile.
        """
        known = self._look_up(visitor.login, place=visitor.session_hash)
        if not self._password_right(known, old):
            with self.database.transaction() as session:
                return self._refused(session, "officer.password_refused", known, where)
        stored = passwords.seal(new, self.keys.password_pepper, passwords.OFFICER)
        session_id, id_hash = sessions.new_id()
        with self.database.transaction() as session:
            scope.act_as(session, visitor.officer_id)
            if session.execute(_HOLD, {"officer": visitor.officer_id, "password": known.password}).first() is None:
                raise OutOfDate("the password was changed meanwhile")
            together(
                session,
                officers.password_set(visitor.officer_id, stored),
                officers.session_renewed(visitor.session_hash, id_hash, proved=False),
                waits.forgiven(known.bucket),
                _entry("officer.password_changed", visitor.officer_id, where),
            )
        return Opened(session_id)

    def sign_out(self, visitor: Visitor, where: Where) -> None:
        """End the session."""
        with self.database.transaction() as session:
            together(
                session,
                officers.session_ended(visitor.session_hash),
                _entry("officer.signed_out", visitor.officer_id, where),
            )

    def dismiss(self, visitor: Visitor, where: Where) -> None:
        """End the session of an officer whose appointment is over, and remember that it was used (A-13)."""
        with self.database.transaction() as session:
            together(
                session,
                officers.session_ended(visitor.session_hash),
                _entry("officer.appointment_over", visitor.officer_id, where),
            )

    # --- parts --------------------------------------------------------------------------------------

    def _look_up(self, login: str, *, device: bytes | None = None, place: bytes | None = None) -> _Known:
        """What stands under a login. Failures are those of `place`, of all strangers without, of a known `device`."""
        key = self.keys.session_key
        asked = {"login": login, "device": device or b""}
        asked |= {"shared": accounts.bucket(key, login, place), "own": accounts.bucket(key, login, device)}
        with self.database.reading() as connection:
            known = _Known(**connection.execute(_LOOK_UP, asked).mappings().one())
        if known.wait_seconds:
            raise TooSoon(known.wait_seconds)
        return known

    def _password_right(self, known: _Known, password: str) -> bool:
        if known.password is None:
            return passwords.matches_nobody(password, passwords.OFFICER)
        return passwords.matches(password, known.password, self.keys.password_pepper)

    def _step(self, known: _Known, password: str, digits: str) -> int | None:
        """The time step of the digits if both factors are right; all work is done whatever is wrong."""
        secret = _NOBODYS_SECRET
        if known.officer_id is not None and known.totp_sealed is not None:
            secret = open_totp(self.keys, known.officer_id, bytes(known.totp_sealed))
        step = totp.step_of(secret, digits, known.now)
        right = self._password_right(known, password)
        return step if right else None

    @staticmethod
    def _spend(session: Session, known: _Known, step: int | None, *, enters: bool = False) -> int | None:
        """Take the time step, so that nobody can use it again; the officer's id, or None when it cannot be had."""
        scope.act_as(session, known.officer_id)
        stood = {"officer": known.officer_id, "password": known.password, "totp": known.totp_sealed}
        taken = session.execute(_SPEND, {"step": step, "enters": enters, **stood})
        found: int | None = taken.scalar()
        return found

    @staticmethod
    def _refused(session: Session, act: str, known: _Known, where: Where) -> Refused:
        together(session, waits.failed(known.bucket), _entry(act, known.officer_id, where))
        return Refused()

    def _resealed(self, known: _Known, password: str) -> list[Write]:
        peppers = self.keys.password_pepper
        if known.officer_id is None or known.password is None:
            return []
        if not passwords.needs_resealing(known.password, peppers, passwords.OFFICER):
            return []
        stored = passwords.seal(password, peppers, passwords.OFFICER)
        return [officers.password_resealed(known.officer_id, stored)]


def weakness(password: str, visitor: Visitor) -> Weakness | None:
    """Why an officer must not use `password`, or None: ten characters, three of four kinds, not easy to guess."""
    if len(password) < SHORTEST:
        return "too_short"
    if len({_kind(char) for char in password}) < KINDS:
        return "too_few_kinds"
    pinyin = "".join(lazy_pinyin(visitor.name, style=Style.NORMAL))
    return passwords.weakness(password, (visitor.login, visitor.name, pinyin, visitor.office_name))


def _kind(char: str) -> str:
    if char.isdecimal():
        return "digit"
    if char.islower():
        return "small"
    return "capital" if char.isupper() else "other"


def _entry(act: str, officer_id: int | None, where: Where) -> Write:
    return audit.entry(
        act,
        actor="officer" if officer_id is not None else "visitor",
        officer_id=officer_id,
        ip=where.ip,
        request_id=where.request_id,
        device=where.label,
    )
