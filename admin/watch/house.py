"""The house itself: its clock, its schedule, its receipts, its sealer, its witnesses, its volumes.

L-07, O-03, O-08, X-12, X-15, X-16.
"""

import secrets
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from admin import cosigning, evidence_check, schedule, sealing
from admin.alerts import Finding
from admin.evidence_check import Keys
from app import clocks, health
from app.clocks import Look
from config.settings import Watch

#: filings read again in each pass: the newest, and some drawn from all
NEWEST: Final = 10
DRAWN: Final = 10
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_PROVINCE = text("SELECT id FROM offices WHERE parent_id IS NULL ORDER BY id LIMIT 1")
_NOW = text("SELECT clock_timestamp()")


def look(session: Session) -> Look:
    """Hold the database's clock against the time this machine has been running, suspended or not."""
    return clocks.look(session, time.clock_gettime(time.CLOCK_BOOTTIME), _BOOT.read_text(encoding="ascii").strip())


def province(session: Session) -> int:
    """Where alerts about the whole stand; 0 while nothing is loaded."""
    return session.execute(_PROVINCE).scalar() or 0


def clock(session: Session, _: Watch) -> Iterator[Finding]:
    """A clock in doubt: filing is suspended."""
    seen = look(session)
    if seen.in_doubt:
        behind = (seen.mark - seen.now).total_seconds()
        facts = {"mark": seen.mark, "now": seen.now, "seconds": round(seen.off if seen.off is not None else -behind)}
        yield Finding("clock", province(session), "", 1, seen.now, facts)


def acts_late(session: Session, limits: Watch) -> Iterator[Finding]:
    """Approved acts upon batches that should have been done: the schedule's process is down, or fails (O-08)."""
    now = session.execute(_NOW).scalar_one()
    for row in schedule.overdue(session, limits.act_seconds):
        facts = {"act": row.kind, "due": row.due_at}
        yield Finding(
            "act_late", province(session), row.code, round(row.seconds), now, facts, mark=str(row.proposal_id)
        )


_NEWEST = text("SELECT id FROM filings ORDER BY id DESC LIMIT :most")


def receipts(session: Session, keys: Keys) -> Iterator[Finding]:
    """Filings that do not prove what they should: the newest and some others are read again in each pass (X-16)."""
    ids = set(session.execute(_NEWEST, {"most": NEWEST}).scalars())
    ids |= {secrets.randbelow(max(ids)) + 1 for _ in range(DRAWN if ids else 0)}
    now = session.execute(_NOW).scalar_one()
    for at, found in evidence_check.some(session, keys, ids).items():
        facts = {"batch": found[0].batch, "number": found[0].number, "faults": sorted({one.text for one in found})}
        yield Finding(
            "receipts",
            province(session),
            found[0].candidate,
            len(found),
            now,
            facts,
            (at.candidate_id,),
            mark=str(at.id),
        )


def sealer(session: Session, limits: Watch) -> Iterator[Finding]:
    """A sealer that has left filings unsealed for too long. Filing goes on meanwhile (X-15)."""
    lag = health.sealer_lag(session, limits)
    if lag > limits.sealer_seconds:
        now = session.execute(_NOW).scalar_one()
        yield Finding("sealer", province(session), "", round(lag), now)


def seals_late(session: Session, limits: Watch) -> Iterator[Finding]:
    """Batches that have been closed for too long without a seal of that close (L-08)."""
    now = session.execute(_NOW).scalar_one()
    for row in sealing.due(session, timedelta(seconds=limits.seal_seconds)) if limits.sealer else ():
        minutes = int((now - row.closed_at).total_seconds()) // 60
        yield Finding("seal_late", province(session), row.code, minutes, now, {"closed": row.closed_at})


def witnesses_late(session: Session, limits: Watch) -> Iterator[Finding]:
    """Witnesses that have cosigned nothing for too long while there was something. Filing and sealing go on (L-07)."""
    now = session.execute(_NOW).scalar_one()
    for row in cosigning.late(session, limits.witness_seconds):
        yield Finding("witness_late", province(session), row.name, round(row.seconds), now)


def witnesses_refused(session: Session, _: Watch) -> Iterator[Finding]:
    """What a witness would not cosign: there may be two histories (L-07)."""
    for row in cosigning.refusals(session):
        facts = {"log": row.log, "checkpoint": row.number, "status": row.status, "answer": row.answer}
        mark = f"{row.witness}|{row.log}"
        yield Finding("witness_refused", province(session), row.witness, row.times, row.at, facts, mark=mark)


def volumes(session: Session, limits: Watch) -> Iterator[Finding]:
    """Volumes that are filling up; one alert each, at the highest line it has crossed (X-12)."""
    now = session.execute(_NOW).scalar_one()
    for path in limits.volumes:
        usage = shutil.disk_usage(path)
        percent = round(100 * usage.used / (usage.used + usage.free))
        crossed = [line for line in limits.volume_percents if percent >= line]
        if crossed:
            facts = {"line": max(crossed), "free_mib": usage.free // 2**20}
            yield Finding("volume", province(session), str(path), percent, now, facts)
