"""Accounts: a candidate's password, known devices, waits after failures, and the way back in.

No account exists before activation, so there is no initial password to guess (A-01). Waits grow and end;
nothing here locks anybody out: a client whose device is known has a wait of its own, and the holder of
the card can always sign in with the password and two codes (R-04, R-05).
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, ForeignKey, LargeBinary, Text, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.db import Base, Moment, Octets, Question, Words, Write

FREE_TRIES: Final = 5
FIRST_WAIT_S: Final = 30
LONGEST_WAIT_S: Final = 900
RESET_LIFE: Final = timedelta(hours=24)
#: after a reset and after a new phone number
TWO_CODES_FOR: Final = timedelta(hours=24)
#: the column `app.candidates.Sealer` seals a number given here for
MOBILE_COLUMN: Final = "account_mobile"


class Account(Base):
    """What a candidate signs in with. Its row is the one every deed of the candidate locks first."""

    __tablename__ = "accounts"
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id"), primary_key=True)
    #: `app.passwords.seal`
    password: Mapped[Words]
    password_changed_at: Mapped[Moment]
    activated_at: Mapped[Moment]
    #: version of the privacy notice agreed to (P-09)
    notice_version: Mapped[Words]
    #: until then every confirmation needs two codes: after a reset or a new phone number (C-13)
    two_codes_until: Mapped[Moment | None]
    #: why every confirmation needs two codes until an office ends it: "lost", "not_me", "office"
    two_codes_reason: Mapped[str | None] = mapped_column(Text)
    #: the phone number the candidate has given, in the place of the registration's (A-15)
    mobile_sealed: Mapped[bytes | None]
    last_signed_in_at: Mapped[Moment | None]


class Device(Base):
    """A browser that has confirmed with a right code for this candidate. It never replaces a factor (R-06)."""

    __tablename__ = "devices"

    candidate_id: Mapped[int] = mapped_column(ForeignKey("accounts.candidate_id"), primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    label: Mapped[Words]
    first_seen_at: Mapped[Moment]
    last_seen_at: Mapped[Moment]
    revoked_at: Mapped[Moment | None]


class Wait(Base):
    """Failures of one bucket: an account as seen by strangers, or by one known device."""

    __tablename__ = "waits"
    bucket: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    failures: Mapped[int]
    failed_at: Mapped[Moment]
    until: Mapped[Moment]


class ResetTicket(Base):
    """A password reset approved at the counter: good once, for a day, and only with two card codes (A-09)."""

    __tablename__ = "reset_tickets"

    candidate_id: Mapped[int] = mapped_column(ForeignKey("accounts.candidate_id"), primary_key=True)
    secret_hash: Mapped[Octets]
    officer_id: Mapped[int]
    approved_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    used_at: Mapped[Moment | None]


@dataclass(frozen=True, slots=True)
class Known:
    """What a sign-in page needs about a candidate number; all None when there is no such account."""

    candidate_id: int | None
    password: str | None
    password_changed_at: datetime | None
    device_known: bool
    #: the session this browser was in until now is the candidate's and nobody has ended it: at most it has lapsed
    session_here: bool
    wait_seconds: int


#: in the place of a device: whoever gave right codes of the candidate's card, and something else wrong
CARD_HOLDER: Final = b"card"


def bucket(key: bytes, name: str, device_hash: bytes | None) -> bytes:
    """The name of a wait: keyed, so that the table tells no candidate numbers, no logins, nor what people type there.

    None: all strangers share one.
    """
    return hmac.digest(key, b"wait|" + name.encode() + b"|" + (device_hash or b""), "sha256")


_LOOK_UP: Final = Question("""
    SELECT c.id AS candidate_id, a.password, a.password_changed_at, d.token_hash IS NOT NULL AS device_known,
           s.id_hash IS NOT NULL AS session_here,
           ceil(extract(epoch FROM w.until - clock_timestamp()))::int AS wait_seconds
    FROM (SELECT CAST(:candidate_no AS text) AS candidate_no) asked
    LEFT JOIN candidates c ON c.candidate_no = asked.candidate_no
    LEFT JOIN accounts a ON a.candidate_id = c.id
    LEFT JOIN devices d ON d.candidate_id = c.id AND d.token_hash = :device AND d.revoked_at IS NULL
    LEFT JOIN sessions s ON s.candidate_id = c.id AND s.id_hash = :leaving AND s.ended_at IS NULL
    LEFT JOIN waits w ON w.bucket = CASE WHEN d.token_hash IS NULL THEN CAST(:strangers AS bytea)
                                         ELSE CAST(:own AS bytea) END
""")


def look_up(
    connection: Connection, key: bytes, candidate_no: str, device_hash: bytes | None, leaving: bytes = b""
) -> Known:
    """What signing in as `candidate_no` from this device would meet. Same work for numbers nobody has.

    `leaving` is the session the browser is in until now.
    """
    (row,) = _LOOK_UP.all(
        connection,
        {
            "candidate_no": candidate_no,
            "device": device_hash or b"",
            "leaving": leaving,
            "strangers": bucket(key, candidate_no, None),
            "own": bucket(key, candidate_no, device_hash or b"-"),
        },
    )
    return Known(
        candidate_id=row["candidate_id"] if row["password"] is not None else None,
        password=row["password"],
        password_changed_at=row["password_changed_at"],
        device_known=bool(row["device_known"]),
        session_here=row["session_here"],
        wait_seconds=max(0, row["wait_seconds"] or 0),
    )


_WAIT = text("""
    SELECT greatest(0, ceil(extract(epoch FROM until - clock_timestamp())))::int FROM waits WHERE bucket = :bucket
""")


def wait_seconds(session: Session, bucket_name: bytes) -> int:
    """What remains of one bucket's wait."""
    return session.execute(_WAIT, {"bucket": bucket_name}).scalar() or 0


def booked(table: str) -> str:
    """The statement that books one failure of `:bucket` in a table of waits: five are free in a day, then they grow."""
    return f"""
        INSERT INTO {table} AS w (bucket, failures, failed_at, until)
        VALUES (:bucket, 1, clock_timestamp(), clock_timestamp())
        ON CONFLICT (bucket) DO UPDATE SET (failures, failed_at, until) = (
            SELECT stood + 1, clock_timestamp(), clock_timestamp() + interval '1 second' * CASE
                WHEN stood < {FREE_TRIES} THEN 0
                ELSE least({LONGEST_WAIT_S}, {FIRST_WAIT_S} * power(2, least(stood - {FREE_TRIES}, 10))) END
            FROM (SELECT CASE WHEN w.failed_at < clock_timestamp() - interval '1 day' THEN 0 ELSE w.failures END) AS
                before (stood)
        )
    """  # noqa: S608 -- constants, and a table of ours


_FAILED: Final = booked("waits")


def failed(bucket_name: bytes) -> Write:
    """The write that books one failure: five are free, then 30 s, doubling to 15 min, never for good (R-04)."""
    return Write(_FAILED, {"bucket": bucket_name})


def forgiven(bucket_name: bytes) -> Write:
    """The write that clears a bucket after success."""
    return Write("DELETE FROM waits WHERE bucket = :bucket", {"bucket": bucket_name})


def opened(candidate_id: int, password: str, notice_version: str) -> Write:
    """The write that makes the account at activation."""
    return Write(
        """
        INSERT INTO accounts (candidate_id, password, password_changed_at, activated_at, notice_version)
        VALUES (:candidate, :password, clock_timestamp(), clock_timestamp(), :notice)
        """,
        {"candidate": candidate_id, "password": password, "notice": notice_version},
    )


def signed_in(candidate_id: int, resealed: str | None) -> Write:
    """The write that notes a sign-in, and stores the password anew when its cost or pepper has changed."""
    return Write(
        """
        UPDATE accounts SET last_signed_in_at = clock_timestamp(), password = coalesce(:password, password)
        WHERE candidate_id = :candidate
        """,
        {"candidate": candidate_id, "password": resealed},
    )


def password_changed(candidate_id: int, password: str, *, after_reset: bool) -> Write:
    """The write that sets a new password; after a reset two codes are asked for a day (A-09)."""
    return Write(
        """
        UPDATE accounts SET password = :password, password_changed_at = clock_timestamp(),
            two_codes_until = CASE WHEN :reset THEN clock_timestamp() + CAST(:life AS interval)
                                   ELSE two_codes_until END
        WHERE candidate_id = :candidate
        """,
        {
            "candidate": candidate_id,
            "password": password,
            "reset": after_reset,
            "life": TWO_CODES_FOR,
        },
    )


def phone_changed(candidate_id: int, mobile_sealed: bytes) -> Write:
    """The write that sets a new phone number; two codes are asked for a day (C-13)."""
    return Write(
        """
        UPDATE accounts SET mobile_sealed = :mobile, two_codes_until = clock_timestamp() + CAST(:life AS interval)
        WHERE candidate_id = :candidate
        """,
        {"candidate": candidate_id, "mobile": mobile_sealed, "life": TWO_CODES_FOR},
    )


def two_codes_asked(candidate_id: int, reason: str) -> Write:
    """The write that asks two codes from now on: a lost card, a sign-in that was not the candidate's.

    A new card ends "lost" (`card_replaced`), so "lost" never takes the place of what only an office ends.
    """
    return Write(
        """
        UPDATE accounts SET two_codes_reason = :reason
        WHERE candidate_id = :candidate AND (two_codes_reason IS NULL OR :reason <> 'lost')
        """,
        {"candidate": candidate_id, "reason": reason},
    )


def two_codes_ended(candidate_id: int, reason: str) -> Write:
    """The write of the counter that ends two codes asked for `reason`; nothing else of the account changes."""
    return Write(
        "UPDATE accounts SET two_codes_reason = NULL WHERE candidate_id = :candidate AND two_codes_reason = :reason",
        {"candidate": candidate_id, "reason": reason},
    )


def card_replaced(candidate_id: int) -> Write:
    """The write that ends the two codes of a lost card once a new one is bound: the lost one opens nothing."""
    return Write(
        "UPDATE accounts SET two_codes_reason = NULL WHERE candidate_id = :candidate AND two_codes_reason = 'lost'",
        {"candidate": candidate_id},
    )


def device_hash(token: str | None) -> bytes | None:
    """What is stored of a device's token."""
    return hashlib.sha256(token.encode()).digest() if token else None


def device_known(candidate_id: int, token_hash: bytes, label: str) -> Write:
    """The write that makes a device known, after a right code was given on it."""
    return Write(
        """
        INSERT INTO devices (candidate_id, token_hash, label, first_seen_at, last_seen_at)
        VALUES (:candidate, :token, :label, clock_timestamp(), clock_timestamp())
        ON CONFLICT (candidate_id, token_hash) DO UPDATE SET last_seen_at = clock_timestamp(), revoked_at = NULL
        """,
        {"candidate": candidate_id, "token": token_hash, "label": label},
    )


def devices(connection: Connection, candidate_id: int) -> list[dict[str, Any]]:
    """The candidate's known devices, newest first."""
    found = connection.execute(
        text("""
            SELECT encode(token_hash, 'hex') AS id, label, first_seen_at, last_seen_at
            FROM devices WHERE candidate_id = :candidate AND revoked_at IS NULL ORDER BY last_seen_at DESC
        """),
        {"candidate": candidate_id},
    )
    return [dict(row) for row in found.mappings()]


def device_forgotten(candidate_id: int, token_hash: bytes) -> Write:
    """The write that makes a device unknown again."""
    return Write(
        "UPDATE devices SET revoked_at = clock_timestamp() WHERE candidate_id = :candidate AND token_hash = :token",
        {"candidate": candidate_id, "token": token_hash},
    )


def reset_approved(candidate_id: int, secret_hash: bytes, officer_id: int) -> Write:
    """The write of the counter: the person was seen with the identity card; one ticket, a day long."""
    return Write(
        """
        INSERT INTO reset_tickets (candidate_id, secret_hash, officer_id, approved_at, expires_at)
        VALUES (:candidate, :secret, :officer, clock_timestamp(), clock_timestamp() + CAST(:life AS interval))
        ON CONFLICT (candidate_id) DO UPDATE SET secret_hash = excluded.secret_hash, used_at = NULL,
            officer_id = excluded.officer_id, approved_at = excluded.approved_at, expires_at = excluded.expires_at
        """,
        {"candidate": candidate_id, "secret": secret_hash, "officer": officer_id, "life": RESET_LIFE},
    )


def reset_used(candidate_id: int) -> Write:
    """The write that spends the ticket."""
    return Write(
        "UPDATE reset_tickets SET used_at = clock_timestamp() WHERE candidate_id = :candidate",
        {"candidate": candidate_id},
    )


_TICKET = text("""
    SELECT secret_hash FROM reset_tickets
    WHERE candidate_id = :candidate AND used_at IS NULL AND expires_at > clock_timestamp()
""")


def ticket_matches(session: Session, candidate_id: int, secret_hash: bytes) -> bool:
    """Whether the counter's ticket is this one and still good."""
    found = session.execute(_TICKET, {"candidate": candidate_id}).scalar()
    return hmac.compare_digest(found or bytes(32), secret_hash)


_LOCK: Final = Question("SELECT 1 FROM accounts WHERE candidate_id = :candidate FOR UPDATE")


def lock(session: Session, candidate_id: int) -> bool:
    """Hold the candidate's row until the transaction ends: the first lock of every deed. False: no account."""
    return _LOCK.first(session, {"candidate": candidate_id}) is not None


_HOLD: Final = Question("""
    SELECT 1 FROM accounts WHERE candidate_id = :candidate AND password_changed_at = :changed_at FOR UPDATE
""")


def hold(session: Session, known: Known) -> bool:
    """Lock the account whose password was just found right. False when the password was changed meanwhile.

    Without this a sign-in begun with the old password would outlive the reset that ends every session.
    """
    asked = {"candidate": known.candidate_id, "changed_at": known.password_changed_at}
    return _HOLD.first(session, asked) is not None


_TWO_CODES = text("""
    SELECT two_codes_reason AS reason, two_codes_until AS until, clock_timestamp() AS now
    FROM accounts WHERE candidate_id = :candidate
""")


def why_two_codes(connection: Connection, candidate_id: int) -> str:
    """Why the account's own state asks two codes: "lost", "not_me", "office", "recent"; "" if it does not.

    "recent" is a reset or a new phone number of the last day.
    """
    row = connection.execute(_TWO_CODES, {"candidate": candidate_id}).one()
    if row.reason is not None:
        return str(row.reason)
    return "recent" if two_codes_due(row.until, None, row.now) else ""


def two_codes_due(until: datetime | None, reason: str | None, now: datetime) -> bool:
    """Whether the account's own state asks for two codes."""
    return reason is not None or (until is not None and now < until)
