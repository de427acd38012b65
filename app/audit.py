"""The audit: who did what to whom, written in the transaction that does it, never changed (P-06).

Append-only by GRANT and by trigger. If the entry cannot be written, the deed does not happen.

`officer_id` is who did it, or, in an entry made by a command, whom it was done to. What offices read of the audit,
row-level security decides (`admin.auditing`).
"""

import json
from typing import Final, Literal

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Document, Id, Moment, Words, Write

#: what candidates do every minute: nine entries of ten, which are burdened with no index but the first two
FREQUENT: Final = ("session.started", "session.ended", "filing.confirmed")
#: true of all others; a question that says so is answered from `ix_audit_act_at`
RARE: Final = f"act NOT IN ({', '.join(repr(act) for act in FREQUENT)})"

Actor = Literal["candidate", "officer", "command", "visitor"]


class Entry(Base):
    """One act."""

    __tablename__ = "audit"
    __table_args__ = (
        CheckConstraint("actor IN ('candidate', 'officer', 'command', 'visitor')", name="actor"),
        Index("ix_audit_candidate_id_at", "candidate_id", "at"),
        Index("ix_audit_at", "at"),
        # what the watch asks for by time, and the auditor's search
        Index("ix_audit_act_at", "act", "at", postgresql_where=text(RARE)),
        Index("ix_audit_actor_at", "actor", "at", postgresql_where=text("actor <> 'candidate'")),
        # also counts how many full phone numbers an officer has looked at today, before each
        Index("ix_audit_officer_id_at", "officer_id", "at", postgresql_where=text("officer_id IS NOT NULL")),
    )

    id: Mapped[Id]
    at: Mapped[Moment] = mapped_column(server_default=text("clock_timestamp()"))
    actor: Mapped[Words]
    officer_id: Mapped[int | None]
    candidate_id: Mapped[int | None]
    #: dotted, the noun first: "filing.confirmed", "password.wrong"
    act: Mapped[Words]
    ip: Mapped[str | None]
    request_id: Mapped[str | None]
    detail: Mapped[Document]


_ENTRY: Final = """
    INSERT INTO audit (at, actor, officer_id, candidate_id, act, ip, request_id, detail)
    SELECT clock_timestamp(), CAST(:actor AS text), CAST(:officer_id AS bigint), CAST(:candidate_id AS bigint),
           CAST(:act AS text), CAST(:ip AS text), CAST(:request_id AS text), CAST(:detail AS jsonb)
"""


def entry(  # noqa: PLR0913 -- one column each
    act: str,
    *,
    actor: Actor,
    candidate_id: int | None = None,
    officer_id: int | None = None,
    ip: str | None = None,
    request_id: str | None = None,
    **detail: object,
) -> Write:
    """The write that records `act`. `detail` never holds a secret, nor what a list contains."""
    return Write(
        _ENTRY,
        {
            "actor": actor,
            "officer_id": officer_id,
            "candidate_id": candidate_id,
            "act": act,
            "ip": ip,
            "request_id": request_id,
            "detail": json.dumps(detail, ensure_ascii=False, default=str),
        },
    )


def only_if(condition: str, write: Write, **params: object) -> Write:
    """The same entry, made only where `condition` (a constant of SQL, over `params`) holds.

    In the statement itself, so that an answer takes no longer for it.
    """
    return Write(f"{write.sql} WHERE {condition}", {**write.params, **params})
