"""Reminders before a batch closes: to those whose draft waits to be confirmed, and to those with nothing (O-05).

A day, three hours and half an hour before the close as it stands then; an extension moves the steps, and what was
sent for the old close does not stand in for the new one. A pass does what has become due since the last: each step
of each close once, with one statement for all candidates, however many passes run.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ForeignKey, Integer, Text, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import audit
from app.db import Base, Moment, together
from app.notices import WINDOW_SQL
from app.tallies import ELIGIBLE_SQL, UNCONFIRMED_SQL


class Reminder(Base):
    """A step that has been done: nobody is reminded of it again."""

    __tablename__ = "reminders"

    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[str] = mapped_column(Text, primary_key=True)
    #: the close it was reckoned from
    closes_at: Mapped[Moment] = mapped_column(primary_key=True)
    at: Mapped[Moment]
    drafts: Mapped[int] = mapped_column(Integer)
    nothing: Mapped[int] = mapped_column(Integer)


@dataclass(frozen=True, slots=True)
class Done:
    """What one step came to: how many messages of each kind."""

    batch: str
    step: str
    drafts: int
    nothing: int


# Of the steps reached only the last: after an outage nobody is told twice. A second pass waits here for the first,
# and finds the step done.
_DUE = text("""
    INSERT INTO reminders AS r (batch_id, step, closes_at, at, drafts, nothing)
    SELECT b.id, s.step, b.closes_at, now.at, 0, 0
    FROM (SELECT clock_timestamp() AS at) now
    JOIN batches b ON b.opens_at <= now.at AND now.at < b.closes_at
         AND (b.suspended_at IS NULL OR now.at < b.suspended_at)
    CROSS JOIN LATERAL (
        SELECT step FROM (VALUES ('24h', interval '24 hours'), ('3h', interval '3 hours'),
                                 ('30min', interval '30 minutes')) v (step, before)
        WHERE b.closes_at - v.before <= now.at ORDER BY v.before LIMIT 1
    ) s
    ON CONFLICT DO NOTHING
    RETURNING r.batch_id, r.step, r.closes_at, (SELECT code FROM batches WHERE id = r.batch_id) AS code
""")
_LAST: Final = """
    LEFT JOIN LATERAL (SELECT content, filed_at FROM filings WHERE candidate_id = c.id AND batch_id = b.id
                       ORDER BY number DESC LIMIT 1) f ON true
"""
_MESSAGE: Final = f"""
    INSERT INTO notices (candidate_id, kind, params, dedupe, created_at, due_at)
    SELECT c.id, :kind, jsonb_build_object('batch', b.name) || {WINDOW_SQL},
           concat_ws('|', CAST(:kind AS text), c.id, b.id, CAST(:step AS text), extract(epoch FROM b.closes_at)),
           clock_timestamp(), clock_timestamp()
"""  # noqa: S608 -- constant
_DRAFTS = text(f"""
    {_MESSAGE}
    FROM batches b JOIN drafts d ON d.batch_id = b.id JOIN candidates c ON c.id = d.candidate_id {_LAST}
    WHERE b.id = :batch AND {ELIGIBLE_SQL} AND {UNCONFIRMED_SQL}
    ON CONFLICT (dedupe) DO NOTHING
""")
_NOTHING = text(f"""
    {_MESSAGE}
    FROM batches b JOIN candidates c ON {ELIGIBLE_SQL}
    WHERE b.id = :batch
      AND NOT EXISTS (SELECT 1 FROM filings f WHERE f.candidate_id = c.id AND f.batch_id = b.id)
      AND NOT EXISTS (SELECT 1 FROM drafts d WHERE d.candidate_id = c.id AND d.batch_id = b.id)
    ON CONFLICT (dedupe) DO NOTHING
""")  # noqa: S608 -- constants
_NOTED = text("""
    UPDATE reminders SET drafts = :drafts, nothing = :nothing
    WHERE batch_id = :batch AND step = :step AND closes_at = :closes_at
""")
#: half an hour before, only those who think that they are done
_DRAFTS_ONLY: Final = frozenset({"30min"})


def remind(session: Session) -> list[Done]:
    """Queue every message that has become due; returns what was done, step by step."""
    session.execute(text("SET LOCAL statement_timeout = '5min'"))
    session.execute(text("SET LOCAL lock_timeout = '5min'"))
    found = session.execute(_DUE).all()
    return [_step(session, row.batch_id, row.code, row.step, row.closes_at) for row in found]


def _step(session: Session, batch_id: int, code: str, step: str, closes_at: datetime) -> Done:
    asked = {"batch": batch_id, "step": step}
    drafts = _queued(session, _DRAFTS, asked | {"kind": "draft_waits"})
    nothing = 0 if step in _DRAFTS_ONLY else _queued(session, _NOTHING, asked | {"kind": "nothing_filed"})
    session.execute(_NOTED, asked | {"closes_at": closes_at, "drafts": drafts, "nothing": nothing})
    together(
        session,
        audit.entry("reminders.queued", actor="command", batch=code, step=step, drafts=drafts, nothing=nothing),
    )
    return Done(code, step, drafts, nothing)


def _queued(session: Session, statement: Any, asked: dict[str, Any]) -> int:
    return int(getattr(session.execute(statement, asked), "rowcount", 0))
