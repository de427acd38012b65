"""Drafts: what a candidate is still working on, kept by the server and in force for nothing (F-15).

Each carries a version; saving over a version one has not seen is refused, so two windows never overwrite
each other silently (F-06).
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import accounts, tallies
from app.batches import REOPENED, Window
from app.db import Base, Big, Document, Moment, Write, together
from app.errors import Closed, DraftMoved, NotFound


class Draft(Base):
    """One candidate's work on one batch."""

    __tablename__ = "drafts"

    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id"), primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id"), primary_key=True)
    #: drawn from a sequence, so that a version thrown away is never given again
    version: Mapped[Big]
    content: Mapped[Document]
    updated_at: Mapped[Moment]


_STANDS = text(f"""
    SELECT coalesce(d.version, 0) AS version, d.content, nextval('draft_versions') AS next_version,
           clock_timestamp() AS now,
           EXISTS (SELECT 1 FROM bindings bn WHERE bn.candidate_id = c.id) AS bound,
           EXISTS (SELECT 1 FROM filings f WHERE f.candidate_id = c.id AND f.batch_id = b.id) AS filed,
           EXISTS (SELECT 1 FROM filings w WHERE w.candidate_id = c.id AND w.batch_id = b.id AND w.kind = 'waiver'
                   AND w.filed_at >= d.updated_at) AS given_up_since,
           NOT (c.admitted AND b.closed_to_admitted) AS eligible, b.opens_at, b.closes_at, b.suspended_at,
           {REOPENED}
    FROM candidates c
    JOIN batches b ON b.id = :batch AND c.subject_class = ANY (b.subject_classes)
    LEFT JOIN drafts d ON d.candidate_id = c.id AND d.batch_id = b.id
    WHERE c.id = :candidate
""")  # noqa: S608 -- constants


def save(session: Session, candidate_id: int, batch_id: int, content: dict[str, Any], seen_version: int) -> int:
    """Keep `content` as the draft and return its version.

    What is kept already is not written again and keeps its version: going through one's pages must not turn
    those of another window out of date. Nor is an empty list where there never was anything.

    Raises `DraftMoved` when another window saved after `seen_version` (0: there was none), `Closed` after
    the batch's end, `NotFound` when the batch is not for this candidate. Before the opening drafts are welcome.
    """
    stands = _hold(session, candidate_id, batch_id)
    never_anything = not stands["version"] and not stands["filed"]
    if (stands["content"] == content and not stands["given_up_since"]) or (never_anything and not content["columns"]):
        return int(stands["version"])
    if stands["version"] != seen_version:
        raise DraftMoved(version=stands["version"])
    writes = [
        Write(
            """
            INSERT INTO drafts (candidate_id, batch_id, version, content, updated_at)
            VALUES (:candidate, :batch, :version, CAST(:content AS jsonb), clock_timestamp())
            ON CONFLICT (candidate_id, batch_id) DO UPDATE SET version = excluded.version,
                content = excluded.content, updated_at = excluded.updated_at
            """,
            {
                "candidate": candidate_id,
                "batch": batch_id,
                "version": stands["next_version"],
                "content": json.dumps(content, ensure_ascii=False),
            },
        )
    ]
    if seen_version == 0 and _counts(stands):
        writes.append(tallies.move(candidate_id, batch_id, "nothing_filed", "draft_only"))
    together(session, *writes)
    return int(stands["next_version"])


def discard(session: Session, candidate_id: int, batch_id: int, seen_version: int) -> None:
    """Throw the draft away; the standing filing, if any, is untouched. Raises as `save` does."""
    stands = _hold(session, candidate_id, batch_id)
    if stands["version"] != seen_version:
        raise DraftMoved(version=stands["version"])
    writes = [
        Write(
            "DELETE FROM drafts WHERE candidate_id = :candidate AND batch_id = :batch",
            {"candidate": candidate_id, "batch": batch_id},
        )
    ]
    if seen_version and _counts(stands):
        writes.append(tallies.move(candidate_id, batch_id, "draft_only", "nothing_filed"))
    together(session, *writes)


def _counts(stands: Mapping[str, Any]) -> bool:
    """Whether having a draft or none is what the tallies say of the candidate."""
    return bool(stands["bound"] and not stands["filed"] and stands["eligible"])


def _hold(session: Session, candidate_id: int, batch_id: int) -> dict[str, Any]:
    accounts.lock(session, candidate_id)
    row = session.execute(_STANDS, {"candidate": candidate_id, "batch": batch_id}).mappings().first()
    if row is None:
        raise NotFound("no such batch for this candidate")
    # read by a statement after the lock was had, as the clock must be
    now: datetime = row["now"]
    window = Window(row["opens_at"], row["closes_at"], row["suspended_at"], row["reopened_until"])
    if window.state_at(now) == "closed":
        raise Closed
    return dict(row)
