"""Announcements: what candidates are told of a window that two officers of the province have moved (O-09).

Whom: everybody who may file in the batch. An end is the same for all: who has filed may revise until then, and has to
know until when somebody else could; who has no account yet can still get one. To choose would save few messages and
could cost somebody the batch. A batch that two officers have made is told of likewise.

Which acts: those in force. One that a later act has overtaken is not told of, nor an end moved during a pause: resuming
says which it has become. Nor is a move in a batch that opens more than a day later: nobody has planned that day yet,
pages have the time from the row, and reminders go out before the close as it is then.

Whoever has no phone number cannot be told so; they are counted apart, for the offices to tell them.

Messages are queued some thousands at a time, each time in a transaction of its own that also notes how far it came:
no lock is held for long, acts that fall due meanwhile are done between, and after a crash nobody is told twice.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from app import audit
from app.db import Database, together
from app.notices import WINDOW_SQL, Kind
from app.tallies import ELIGIBLE_SQL

AT_A_TIME: Final = 5_000
#: of an act, the kind of its message and what that says of the window: when one of these changes, it is not sent
_SAYS: Final[Mapping[str, tuple[Kind, tuple[str, ...]]]] = {
    "batch.opening": ("opening_moved", ("code", "opens_at")),
    "batch.end": ("end_moved", ("code", "closes_at", "suspended_at")),
    "batch.suspend": ("paused", ("code", "suspended_at")),
    "batch.resume": ("resumed", ("code", "closes_at", "suspended_at")),
    "batch.create": ("batch_made", ("code", "opens_at", "closes_at")),
}


@dataclass(frozen=True, slots=True)
class Announced:
    """How far candidates have been told of an act."""

    code: str
    kind: str
    messages: int
    everybody: bool


# One act at a time is told of in a pass, the one that has come least far; another pass takes another.
_NEXT = text(f"""
    SELECT a.proposal_id, a.batch_id, a.kind, a.told_to, b.code,
           jsonb_build_object('batch', b.name, 'was', a.was) || {WINDOW_SQL} AS said,
           a.kind = 'batch.create' OR coalesce(CASE a.kind
               WHEN 'batch.opening' THEN b.opens_at = a.became
               WHEN 'batch.suspend' THEN b.suspended_at <= a.settled_at
               ELSE b.suspended_at IS NULL AND b.closes_at = a.became
           END, false)
           AND least(b.opens_at, CASE WHEN a.kind = 'batch.opening' THEN a.was END) <= a.settled_at + interval '1 day'
               AS worth_telling
    FROM batch_acts a JOIN batches b ON b.id = a.batch_id
    WHERE a.outcome = 'done' AND a.told_at IS NULL
    ORDER BY a.told_to, a.settled_at LIMIT 1 FOR UPDATE OF a SKIP LOCKED
""")  # noqa: S608 -- constants
_QUEUE = text(f"""
    WITH told AS MATERIALIZED (
        SELECT c.id, coalesce(a.mobile_sealed, c.mobile_sealed) IS NULL AS without_phone
        FROM batches b JOIN candidates c ON {ELIGIBLE_SQL} LEFT JOIN accounts a ON a.candidate_id = c.id
        WHERE b.id = :batch AND c.id > :after ORDER BY c.id LIMIT :most
    ), queued AS (
        INSERT INTO notices (candidate_id, kind, params, dedupe, created_at, due_at)
        SELECT id, :kind, CAST(:params AS jsonb), concat_ws('|', CAST(:kind AS text), id, CAST(:proposal AS bigint)),
               clock_timestamp(), clock_timestamp()
        FROM told ON CONFLICT (dedupe) DO NOTHING
    )
    SELECT count(*) AS messages, count(*) FILTER (WHERE without_phone) AS without_phone,
           coalesce(max(id), :after) AS last FROM told
""")  # noqa: S608 -- constants
_NOTED = text("""
    UPDATE batch_acts SET told_to = :last, told = told + :messages, without_phone = without_phone + :without_phone,
        told_at = CASE WHEN :everybody THEN clock_timestamp() END
    WHERE proposal_id = :proposal RETURNING told
""")
_NOBODY: Final = {"messages": 0, "without_phone": 0}


def announce(database: Database) -> Announced | None:
    """Queue the next messages about an act that was done. None when everybody has been told of every act."""
    with database.transaction() as session:
        row = session.execute(_NEXT).first()
        return _told(session, row) if row else None


def _told(session: Session, row: Any) -> Announced:
    queued = _queued(session, row) if row.worth_telling else _NOBODY | {"last": row.told_to}
    everybody = queued["messages"] < AT_A_TIME
    told = session.execute(_NOTED, {"proposal": row.proposal_id, "everybody": everybody, **queued}).scalar_one()
    if everybody:
        entry = audit.entry("batch.announced", actor="command", batch=row.code, proposal=row.proposal_id, count=told)
        together(session, entry)
    return Announced(row.code, row.kind, told, everybody)


def _queued(session: Session, row: Any) -> dict[str, int]:
    kind, says = _SAYS[row.kind]
    params = {name: row.said[name] for name in ("batch", "was", *says)}
    asked = {
        "batch": row.batch_id,
        "after": row.told_to,
        "most": AT_A_TIME,
        "kind": kind,
        "params": json.dumps(params, ensure_ascii=False),
        "proposal": row.proposal_id,
    }
    return dict(session.execute(_QUEUE, asked).mappings().one())
