"""Notices: messages to candidates, kept as rows in the transaction of the deed and sent afterwards.

The table is the queue: a notice cannot exist without its deed, nor the deed without its notice, and a
gateway that is down delays messages and nothing else (P-12). A message says that something happened, when,
and what to do if it was somebody else; never what was filed, and no link (P-13).
"""

import json
from typing import Final, Literal

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Document, Id, Moment, Words, Write

Kind = Literal[
    "activated",
    "new_device",
    "filed",
    "waived",
    "wrong_codes",
    "password_changed",
    "password_reset",
    "reset_approved",
    "card_handed",
    "card_bound",
    "card_lost",
    "phone_changed",
]
KINDS: Final[tuple[Kind, ...]] = (
    "activated",
    "new_device",
    "filed",
    "waived",
    "wrong_codes",
    "password_changed",
    "password_reset",
    "reset_approved",
    "card_handed",
    "card_bound",
    "card_lost",
    "phone_changed",
)


class Notice(Base):
    """One message, sent or still to be sent."""

    __tablename__ = "notices"
    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(repr(kind) for kind in KINDS)})", name="kind"),
        Index("ix_notices_due_at", "due_at", postgresql_where=text("sent_at IS NULL")),
    )

    id: Mapped[Id]
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id"))
    kind: Mapped[Words]
    #: what the text names: time, batch name, number; never the content of a list
    params: Mapped[Document]
    #: two notices with one key are one message
    dedupe: Mapped[Words] = mapped_column(unique=True)
    created_at: Mapped[Moment]
    due_at: Mapped[Moment]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    sent_at: Mapped[Moment | None]
    trouble: Mapped[str | None] = mapped_column(Text)


def notice(kind: Kind, candidate_id: int, dedupe: str, **params: object) -> Write:
    """The write that puts a message in the queue, once for each `dedupe`."""
    return Write(
        """
        INSERT INTO notices (candidate_id, kind, params, dedupe, created_at, due_at)
        VALUES (:candidate, :kind, CAST(:params AS jsonb), :dedupe, clock_timestamp(), clock_timestamp())
        ON CONFLICT (dedupe) DO NOTHING
        """,
        {
            "candidate": candidate_id,
            "kind": kind,
            "params": json.dumps(params, ensure_ascii=False, default=str),
            "dedupe": f"{kind}|{candidate_id}|{dedupe}",
        },
    )
