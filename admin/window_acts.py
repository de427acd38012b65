"""Acts upon the window of a batch: two officers of the province decide, and then there are minutes to think (O-10).

    proposed -> approved -> waits `cool_off_minutes` -> done
                   |              |-> cancelled          by any officer of the province who may propose
                   |              `-> overtaken          by facts; recorded and shown, never silent
                   `-> done at once: suspending only

What waits is done by a pass of the owner's (`follow`), once a second, wherever and in however many places it runs:
each act is done in a transaction of its own that holds the batch alone and looks at everything again. The offices'
role in the database can suspend a batch; it cannot move one. While the clock is in doubt nothing is done.

Batches that are to be made (`admin.creations`) wait, are cancelled and settled here, too.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from admin import announcements, creations, officers, proposals, schedule
from admin.announcements import Announced
from admin.officers import Visitor
from admin.proposals import Facts, Kind, Obstacle, Proposed, Wish, at
from admin.schedule import MOVED_ON, NOT_APPOINTED, WAITS, Deed, Outcome, Planned, obstacle
from app import audit, batches, clocks
from app.db import Database, Write, together
from app.entrance import Where
from app.errors import OutOfDate, Unavailable
from app.wording import N_

_log = logging.getLogger("zhiyuan.schedule")
#: how long between two passes
PAUSE_S: Final = 1.0
STATES: Final[Mapping[batches.State, str]] = {
    "not_yet_open": N_("Not yet open"),
    "open": N_("Open"),
    "suspended": N_("Paused"),
    "closed": N_("Closed"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants done to a batch; `at` is the new opening or end, None where there is none to choose."""

    deed: Deed
    at: datetime | None
    reason: str


# --- proposing ---------------------------------------------------------------------------------------


def province_batch(session: Any, visitor: Visitor, code: str) -> Planned:
    """The batch, for an officer of the province; raises `NotFound` for anybody else."""
    visitor.require_province()
    return schedule.batch(session, code)


def propose(  # noqa: PLR0913, PLR0917 -- a session, who, which batch, what, how long each, and whence
    session: Session, visitor: Visitor, code: str, asked: Asked, cool_off: timedelta, life: timedelta, where: Where
) -> int:
    """Propose an act upon a batch; returns its id.

    Raises `NotFound` for anybody but the province, `Obstacle` when it could not be done, and as
    `proposals.propose` does.
    """
    planned = province_batch(session, visitor, code)
    wait = timedelta() if asked.deed == "batch.suspend" else cool_off
    _require_free(session, asked.deed, planned, asked.at, wait)
    params = {
        "batch": code,
        "seen": _seen(planned),
        "at": asked.at.isoformat() if asked.at else None,
        "minutes": int(wait.total_seconds()) // 60,
    }
    facts = _facts(session, planned, asked, params["minutes"])
    wish = Wish(visitor.office_id, code, code, params, facts, asked.reason)
    return proposals.propose(session, visitor, KINDS[asked.deed], wish, life, where)


def _require_free(session: Session, deed: Deed, planned: Planned, asked: datetime | None, wait: timedelta) -> None:
    why = obstacle(deed, planned, asked, planned.as_of + wait)
    waiting = [act for act in schedule.acts(session, planned.id) if act.outcome is None]
    if why or (waiting and deed != "batch.suspend"):
        raise Obstacle(why or WAITS)


def _facts(session: Session, planned: Planned, asked: Asked, minutes: Any) -> Facts:
    candidates, filed = schedule.concerned(session, planned.id)
    window = planned.window
    changes: dict[Deed, Facts] = {
        "batch.opening": [(N_("Opening now"), at(window.opens_at)), (N_("New opening"), at(asked.at))],
        "batch.end": [(N_("End now"), at(window.closes_at)), (N_("New end"), at(asked.at))],
        "batch.suspend": [(N_("End now"), at(window.closes_at))],
        "batch.resume": [
            (N_("Paused since"), at(window.suspended_at)),
            (N_("End now"), at(window.closes_at)),
            (N_("New end"), N_("later by as long as the pause has lasted")),
            *([(N_("But not before"), at(asked.at))] if asked.at else []),
        ],
    }
    return [
        (N_("Batch"), planned.name),
        (N_("Batch code"), planned.code),
        (N_("State"), STATES[planned.state]),
        (N_("Candidates"), f"{candidates:,}"),
        (N_("Filed or waived"), f"{filed:,}"),
        *changes[asked.deed],
        (N_("Minutes from the approval until it takes effect"), str(minutes)),
    ]


# --- approving and cancelling ------------------------------------------------------------------------


def _moment(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written) if written else None


def _seen(planned: Planned) -> list[str]:
    """The window both officers decide about."""
    window = planned.window
    return [at(window.opens_at), at(window.closes_at), at(window.suspended_at)]


def _begin(session: Session, visitor: Visitor, act: Proposed, _where: Where) -> Facts:
    planned = province_batch(session, visitor, act.params["batch"])
    deed: Deed = act.kind  # type: ignore[assignment]  # one of `KINDS`, for this is their deed
    wait, asked = timedelta(minutes=act.params["minutes"]), _moment(act.params["at"])
    _require_free(session, deed, planned, asked, wait)
    if act.params["seen"] != _seen(planned):
        raise Obstacle(MOVED_ON)
    return [(N_("Takes effect"), at(schedule.note(session, act, planned.id, asked)))]


def _suspend(session: Session, visitor: Visitor, act: Proposed, where: Where) -> Facts:
    planned = province_batch(session, visitor, act.params["batch"])
    _require_free(session, "batch.suspend", planned, None, timedelta())
    if not batches.suspend(session, planned.id):
        raise Obstacle(MOVED_ON)
    since = schedule.note(session, act, planned.id, None, "done")
    together(session, officers.entry("batch.suspended", visitor, where, batch=planned.code, proposal=act.id))
    return [(N_("Paused since"), at(since))]


OPENING: Final = Kind("batch.opening", N_("Move the opening of a batch"), "propose", "approve", _begin, waits=True)
END: Final = Kind("batch.end", N_("Move the end of a batch"), "propose", "approve", _begin, waits=True)
SUSPEND: Final = Kind("batch.suspend", N_("Pause a batch"), "propose", "approve", _suspend)
RESUME: Final = Kind("batch.resume", N_("Resume a batch"), "propose", "approve", _begin, waits=True)
KINDS: Final[Mapping[Deed, Kind]] = {
    "batch.opening": OPENING,
    "batch.end": END,
    "batch.suspend": SUSPEND,
    "batch.resume": RESUME,
}

_CANCEL = text("""
    UPDATE batch_acts a SET outcome = 'cancelled', settled_at = clock_timestamp(), cancelled_by = :officer
    FROM proposals q WHERE q.id = a.proposal_id AND q.subject = :code
      AND a.proposal_id = :proposal AND a.outcome IS NULL RETURNING a.kind
""")


def cancel(session: Session, visitor: Visitor, code: str, proposal_id: int, where: Where) -> str:
    """Cancel an act that waits, upon a batch or to make it; returns its kind.

    Raises `NotFound` for anybody but the province; `NotAllowed` without the role, a fresh proof or an appointment;
    `OutOfDate` when it does not wait any more.
    """
    visitor.require_province()
    visitor.require("propose")
    visitor.require_proof()
    officers.require_appointed(session, visitor)
    asked = {"officer": visitor.officer_id, "proposal": proposal_id, "code": code}
    kind: str | None = session.execute(_CANCEL, asked).scalar()
    if kind is None:
        raise OutOfDate(f"act {proposal_id} upon batch {code} does not wait")
    told = officers.entry("batch.act_cancelled", visitor, where, batch=code, kind=kind, proposal=proposal_id)
    together(session, told)
    return kind


# --- the pass ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of an act that was due."""

    code: str
    kind: str
    outcome: Outcome
    why: str


@dataclass(frozen=True, slots=True)
class _Change:
    """What an act has done, or `why` it has not."""

    why: str
    batch_id: int | None
    was: datetime | None = None
    became: datetime | None = None
    #: what the audit says of it
    detail: Mapping[str, Any] = field(default_factory=dict)


_DO: Final[Mapping[Deed, Callable[[Session, int, Any], bool]]] = {
    "batch.opening": batches.move_opening,
    "batch.end": batches.move_end,
    "batch.resume": batches.resume,
}
#: what of it the audit says
_DONE: Final[Mapping[str, str]] = {
    "batch.opening": "opening_moved",
    "batch.end": "end_moved",
    "batch.resume": "resumed",
    "batch.create": "created",
}
_DUE = text("""
    SELECT proposal_id, batch_id FROM batch_acts
    WHERE outcome IS NULL AND effective_at <= clock_timestamp() ORDER BY effective_at
""")
_TAKE = text("""
    SELECT a.kind, a.asked, a.batch_id, q.subject AS code, q.params,
           f.appointed_until > clock_timestamp() AND d.appointed_until > clock_timestamp() AS appointed
    FROM batch_acts a
    JOIN proposals q ON q.id = a.proposal_id AND q.decision = 'approved' AND q.kind = a.kind
    JOIN officers f ON f.id = q.proposed_by JOIN officers d ON d.id = q.decided_by
    WHERE a.proposal_id = :proposal AND a.outcome IS NULL FOR UPDATE OF a
""")
_SETTLED: Final = """
    UPDATE batch_acts SET outcome = :outcome, settled_at = clock_timestamp(), batch_id = :batch, was = :was,
        became = :became, why = :why
    WHERE proposal_id = :proposal
"""


def settle(database: Database) -> list[Settled]:
    """One pass: do every act that is due, or say what has overtaken it. Repeating it does no harm."""
    with database.reading() as connection:
        due = connection.execute(_DUE).all()
    done = []
    for row in due:
        try:
            with database.transaction() as session:
                done.append(_settle(session, row.proposal_id, row.batch_id))
        except (Unavailable, SQLAlchemyError) as error:  # one that fails keeps no other waiting, and is tried again
            _log.error("act not done", extra={"act": row.proposal_id, "cause": str(error)})
    return [one for one in done if one is not None]


def _settle(session: Session, proposal_id: int, batch_id: int | None) -> Settled | None:
    if clocks.in_doubt(session):
        return None
    if batch_id is not None:
        batches.hold(session, batch_id)
    row = session.execute(_TAKE, {"proposal": proposal_id}).first()
    if row is None:  # another pass, or somebody who cancelled it, was faster
        return None
    if not row.appointed:
        change = _Change(NOT_APPOINTED, batch_id)
    elif batch_id is None:
        change = _create(session, row)
    else:
        change = _move(session, row)
    settled = Settled(row.code, row.kind, "overtaken" if change.why else "done", change.why)
    together(session, *_kept(proposal_id, settled, change))
    return settled


def _move(session: Session, row: Any) -> _Change:
    before = schedule.batch(session, row.code)
    why = obstacle(row.kind, before, row.asked, before.as_of)
    if not why and not _DO[row.kind](session, row.batch_id, row.asked):
        why = MOVED_ON
    was, became = _time(row.kind, before), _time(row.kind, schedule.batch(session, row.code))
    return _Change(why, row.batch_id, was, became, {"from": was.isoformat(), "to": became.isoformat()})


def _time(deed: Deed, planned: Planned) -> datetime:
    return planned.window.opens_at if deed == "batch.opening" else planned.window.closes_at


def _create(session: Session, row: Any) -> _Change:
    try:
        batch_id = creations.make(session, row.params)
    except Obstacle as overtaken:
        return _Change(overtaken.words, None)
    return _Change("", batch_id, detail={name: row.params[name] for name in ("like", "opens_at", "closes_at")})


def _kept(proposal_id: int, settled: Settled, change: _Change) -> tuple[Write, Write]:
    params = {
        "proposal": proposal_id,
        "outcome": settled.outcome,
        "batch": change.batch_id,
        "was": change.was,
        "became": change.became,
        "why": change.why,
    }
    detail: dict[str, Any] = {"batch": settled.code, "proposal": proposal_id}
    if settled.why:
        act = "batch.act_overtaken"
        detail |= {"kind": settled.kind, "why": settled.why}
    else:
        done = _DONE[settled.kind]
        act = f"batch.{done}"
        detail |= change.detail
    return Write(_SETTLED, params), audit.entry(act, actor="command", **detail)


def follow(database: Database, stopped: threading.Event, tell: Callable[[Settled | Announced], object]) -> None:
    """Pass after pass until `stopped` is set: what is due is done, then some candidates are told of what was done.

    A database that is away delays.
    """
    while not stopped.wait(PAUSE_S):
        try:
            for one in settle(database):
                tell(one)
            if announced := announcements.announce(database):
                tell(announced)
        except (Unavailable, SQLAlchemyError) as error:
            _log.error("pass failed", extra={"cause": str(error)})
