"""Sessions of candidates: kept in PostgreSQL, known to the browser by one opaque random id (S-01).

Only the id's SHA-256 is stored. A session ends by itself after a time without a request and after a time
altogether, both by the database's clock (S-03). A candidate has at most three; a fourth ends one from an
unknown device first, so that somebody who only knows the password cannot push the owner's phone out.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Connection, ForeignKey, Index, LargeBinary, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Moment, Question, Words, Write
from app.eligibility import Facts
from app.evidence import masked
from app.tallies import UNCONFIRMED_SQL

AT_ONCE: Final = 3
TOUCH_S: Final = 60


class CandidateSession(Base):
    """One signed-in browser."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index("ix_sessions_candidate_id_started_at", "candidate_id", "started_at"),
        # sessions lie in the order they began in: for the last day's, an index of a few pages does
        Index("ix_sessions_started_at", "started_at", postgresql_using="brin"),
    )

    id_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    candidate_id: Mapped[int] = mapped_column(ForeignKey("accounts.candidate_id"))
    device_hash: Mapped[bytes | None]
    label: Mapped[Words]
    ip: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[Moment]
    seen_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    ended_at: Mapped[Moment | None]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A draft that is newer than what is in force, in a batch that closes to its owner within a day."""

    batch_code: str
    batch_name: str
    closes_at: datetime


@dataclass(frozen=True)
class Visitor:
    """The signed-in candidate of one request, and what every page of theirs needs."""

    session_hash: bytes
    candidate_id: int
    candidate_no: str
    name: str
    point_id: int
    point_name: str
    county_name: str
    class_no: str
    bound_serial: str | None
    device_hash: bytes | None
    device_known: bool
    seen_at: datetime
    ends_at: datetime
    now: datetime
    row: dict[str, Any]

    @property
    def masked_no(self) -> str:
        """The candidate number as pages show it."""
        return masked(self.candidate_no)

    @property
    def form_mark(self) -> str:
        """Ties a form to the candidate it was rendered for: a shared computer's old tab is refused (S-10)."""
        return form_mark(self.session_hash)

    @property
    def waiting(self) -> Waiting | None:
        """The draft that will count for nothing if it is not confirmed within a day (O-05)."""
        row = self.row
        if row["waiting_code"] is None:
            return None
        return Waiting(row["waiting_code"], row["waiting_name"], row["waiting_until"])

    @cached_property
    def facts(self) -> Facts:
        """What the rules need to know of the candidate."""
        row = self.row
        birth: date = row["birth_date"]
        return Facts(
            subject_class=row["subject_class"],
            first_subject=row["first_subject"],
            second_subjects=frozenset(row["second_subjects"]),
            score=row["score"],
            birth_date=birth,
            sex=row["sex"],
            ethnicity=row["ethnicity"],
            language=row["language"],
            hukou_county=row["hukou_county"],
            registration_county=row["county_code"],
            qualifications=frozenset(row["qualifications"]),
            restrictions=frozenset(row["restrictions"]),
            admitted=row["admitted"],
        )

    # what Flask-Login asks of a user
    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        """The candidate's internal id."""
        return str(self.candidate_id)


def new_id() -> tuple[str, bytes]:
    """A fresh session id for the cookie (256 bits), and its hash for the table."""
    value = secrets.token_urlsafe(32)
    return value, hash_of(value)


def hash_of(value: str) -> bytes:
    """What is stored of a session id."""
    return hashlib.sha256(value.encode()).digest()


def form_mark(id_hash: bytes) -> str:
    """The mark of the forms made in a session; it tells nothing of the session's id."""
    return hashlib.sha256(b"form|" + id_hash).hexdigest()[:24]


# what waits: a draft that is newer than what is in force, in a batch that closes within a day, or closes to its owner
# alone because it was opened again
_LOAD = Question(f"""
    SELECT s.candidate_id, s.seen_at, s.expires_at, clock_timestamp() AS now,
           c.candidate_no, c.name, c.subject_class, c.first_subject, c.second_subjects, c.score, c.birth_date,
           c.sex, c.ethnicity, c.language, c.hukou_county, c.qualifications, c.restrictions, c.admitted,
           c.class_no, c.point_id, p.name AS point_name, k.name AS county_name, k.code AS county_code,
           bn.serial AS bound_serial, v.token_hash IS NOT NULL AS device_known,
           w.code AS waiting_code, w.name AS waiting_name, w.closes_at AS waiting_until
    FROM sessions s
    JOIN candidates c ON c.id = s.candidate_id
    JOIN offices p ON p.id = c.point_id
    JOIN offices k ON k.id = p.parent_id
    LEFT JOIN bindings bn ON bn.candidate_id = s.candidate_id
    LEFT JOIN devices v ON v.candidate_id = s.candidate_id AND v.token_hash = :device AND v.revoked_at IS NULL
    LEFT JOIN LATERAL (
        SELECT b.code, b.name, e.at AS closes_at
        FROM drafts d JOIN batches b ON b.id = d.batch_id
        CROSS JOIN LATERAL (SELECT greatest(b.closes_at, max(r.until)) AS at FROM reopenings r
                            WHERE r.candidate_id = d.candidate_id AND r.batch_id = b.id) e
        LEFT JOIN LATERAL (SELECT content, filed_at FROM filings WHERE candidate_id = d.candidate_id
                           AND batch_id = b.id ORDER BY number DESC LIMIT 1) f ON true
        WHERE d.candidate_id = s.candidate_id AND b.opens_at <= clock_timestamp() AND b.suspended_at IS NULL
          AND e.at > clock_timestamp() AND e.at <= clock_timestamp() + interval '1 day'
          AND {UNCONFIRMED_SQL} AND d.content -> 'columns' <> '{{}}'
        ORDER BY e.at LIMIT 1
    ) w ON true
    WHERE s.id_hash = :id AND s.ended_at IS NULL AND s.expires_at > clock_timestamp()
      AND s.seen_at > clock_timestamp() - :idle * interval '1 second'
""")  # noqa: S608 -- constants


def load(connection: Connection, id_hash: bytes, device: bytes | None, idle_seconds: int) -> Visitor | None:
    """The visitor behind a session id, or None when it has ended, lapsed or never was."""
    row = _LOAD.first(connection, {"id": id_hash, "device": device or b"", "idle": idle_seconds})
    if row is None:
        return None
    return Visitor(
        session_hash=id_hash,
        candidate_id=row["candidate_id"],
        candidate_no=row["candidate_no"],
        name=row["name"],
        point_id=row["point_id"],
        point_name=row["point_name"],
        county_name=row["county_name"],
        class_no=row["class_no"],
        bound_serial=row["bound_serial"],
        device_hash=device,
        device_known=row["device_known"],
        seen_at=row["seen_at"],
        ends_at=row["expires_at"],
        now=row["now"],
        row=row,
    )


def touch(connection: Connection, visitor: Visitor) -> None:
    """Note that the session is in use; at most once a minute, so that reading stays reading."""
    if (visitor.now - visitor.seen_at).total_seconds() < TOUCH_S:
        return
    connection.execute(
        text("UPDATE sessions SET seen_at = clock_timestamp() WHERE id_hash = :id"),
        {"id": visitor.session_hash},
    )


def started(  # noqa: PLR0913 -- one column each
    id_hash: bytes, candidate_id: int, *, device: bytes | None, label: str, ip: str | None, life_seconds: int
) -> Write:
    """The write that opens a session."""
    return Write(
        """
        INSERT INTO sessions (id_hash, candidate_id, device_hash, label, ip, started_at, seen_at, expires_at)
        VALUES (:id, :candidate, :device, :label, :ip, clock_timestamp(), clock_timestamp(),
                clock_timestamp() + :life * interval '1 second')
        """,
        {
            "id": id_hash,
            "candidate": candidate_id,
            "device": device,
            "label": label,
            "ip": ip,
            "life": life_seconds,
        },
    )


def made_room(candidate_id: int, idle_seconds: int, leaving: bytes = b"") -> Write:
    """The write that ends live sessions beyond the second, unknown devices' and oldest first, and `leaving`.

    `leaving` is the session the browser was in until now, whoever's it was (S-02). Sessions that have lapsed
    take nobody's place.
    """
    return Write(
        f"""
        UPDATE sessions SET ended_at = clock_timestamp() WHERE ended_at IS NULL AND (id_hash = :leaving OR id_hash IN (
            SELECT s.id_hash FROM sessions s
            LEFT JOIN devices d ON d.candidate_id = s.candidate_id AND d.token_hash = s.device_hash
                 AND d.revoked_at IS NULL
            WHERE s.candidate_id = :candidate AND s.ended_at IS NULL AND s.id_hash <> :leaving
              AND s.expires_at > clock_timestamp()
              AND s.seen_at > clock_timestamp() - :idle * interval '1 second'
            ORDER BY d.token_hash IS NULL, s.seen_at DESC OFFSET {AT_ONCE - 1}))
        """,  # noqa: S608 -- constant
        {"candidate": candidate_id, "idle": idle_seconds, "leaving": leaving},
    )


def ended(id_hash: bytes) -> Write:
    """The write that ends one session."""
    return Write(
        "UPDATE sessions SET ended_at = clock_timestamp() WHERE id_hash = :id AND ended_at IS NULL",
        {"id": id_hash},
    )


def all_ended(candidate_id: int, *, but: bytes = b"") -> Write:
    """The write that ends every session of a candidate, except perhaps the one that asks."""
    return Write(
        """
        UPDATE sessions SET ended_at = clock_timestamp()
        WHERE candidate_id = :candidate AND ended_at IS NULL AND id_hash <> :but
        """,
        {"candidate": candidate_id, "but": but},
    )


def live(connection: Connection, candidate_id: int, idle_seconds: int) -> list[dict[str, Any]]:
    """The candidate's live sessions, newest first."""
    found = connection.execute(
        text("""
            SELECT s.id_hash, s.label, s.ip, s.started_at, s.seen_at FROM sessions s
            WHERE s.candidate_id = :candidate AND s.ended_at IS NULL AND s.expires_at > clock_timestamp()
              AND s.seen_at > clock_timestamp() - :idle * interval '1 second' ORDER BY s.seen_at DESC
        """),
        {"candidate": candidate_id, "idle": idle_seconds},
    )
    return [dict(row) for row in found.mappings()]
