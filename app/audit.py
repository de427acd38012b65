"""The audit: who did what to whom, written in the transaction that does it, never changed (P-06).

Append-only by GRANT and by trigger. If the entry cannot be written, the deed does not happen.
"""

import json
from typing import Final, Literal

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Document, Id, Moment, Words, Write

#: the acts `admin.watch` asks for by time; the others are not burdened with another index
WATCHED: Final = "'code.wrong', 'account.activated', 'card.handed', 'card.honey_touched'"

Actor = Literal["candidate", "officer", "command", "visitor"]


class Entry(Base):
    """One act."""

    __tablename__ = "audit"
    __table_args__ = (
        CheckConstraint("actor IN ('candidate', 'officer', 'command', 'visitor')", name="actor"),
        Index("ix_audit_candidate_id_at", "candidate_id", "at"),
        Index("ix_audit_at", "at"),
        Index("ix_audit_act_at", "act", "at", postgresql_where=text(f"act IN ({WATCHED})")),
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
