"""How slowly an officer's login can be guessed at, and who waits for whose failures (R-04).

Strangers share one wait a login, whether anybody has it or not. A browser in which both factors were right waits for
itself alone; so does a session, for what is asked from inside, and so does the prompt of a command, which no network
reaches. So a stranger keeps nobody out who was in before, and all guesses together stay bounded, for a login has few
known browsers, one session and one prompt. A known browser is no factor: it opens nothing.
"""

from typing import Final

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.accounts import booked
from app.db import Base, Moment, Write

#: so many browsers of one officer are known at most, the latest
KNOWN_DEVICES: Final = 5
#: in the place of a device: who sits at the command's prompt
PROMPT: Final = b"prompt"


class OfficerDevice(Base):
    """A browser in which both factors of this officer were right (R-06)."""

    __tablename__ = "officer_devices"

    officer_id: Mapped[int] = mapped_column(ForeignKey("officers.id"), primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    last_seen_at: Mapped[Moment]


class OfficerWait(Base):
    """Failures of one bucket: a login as seen by strangers, by one device or session, or at the prompt."""

    __tablename__ = "officer_waits"

    bucket: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    failures: Mapped[int]
    failed_at: Mapped[Moment]
    until: Mapped[Moment]


_FAILED: Final = booked("officer_waits")


def failed(bucket: bytes) -> Write:
    """The write that books one failure."""
    return Write(_FAILED, {"bucket": bucket})


def forgiven(bucket: bytes) -> Write:
    """The write that clears a bucket after success."""
    return Write("DELETE FROM officer_waits WHERE bucket = :bucket", {"bucket": bucket})


def device_known(officer_id: int, token_hash: bytes | None) -> list[Write]:
    """The writes that make this browser known, if it keeps cookies, and the one seen longest ago unknown again."""
    if token_hash is None:
        return []
    known = {"officer": officer_id, "token": token_hash}
    return [
        Write(
            """
            INSERT INTO officer_devices (officer_id, token_hash, last_seen_at)
            VALUES (:officer, :token, clock_timestamp())
            ON CONFLICT (officer_id, token_hash) DO UPDATE SET last_seen_at = excluded.last_seen_at
            """,
            known,
        ),
        Write(
            """
            DELETE FROM officer_devices WHERE officer_id = :officer AND token_hash IN (
                SELECT token_hash FROM officer_devices WHERE officer_id = :officer AND token_hash <> :token
                ORDER BY last_seen_at DESC OFFSET :others)
            """,
            {**known, "others": KNOWN_DEVICES - 1},
        ),
    ]
