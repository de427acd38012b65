"""Two officers put the clock right: what no machine can know, whether the time it shows now is the right one (O-03)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from admin.officers import MAY
from app import audit, clocks
from app.db import together
from app.errors import NotAllowed

TWO: Final = 2
_PEOPLE = text("""
    SELECT o.id FROM officers o JOIN offices p ON p.id = o.office_id
    WHERE o.id = ANY (CAST(:ids AS bigint[])) AND o.role = ANY (CAST(:roles AS text[])) AND p.level = 'province'
      AND o.appointed_until > clock_timestamp()
""")


def settle(session: Session, officer_ids: Sequence[int]) -> datetime:
    """Take the clock for right on the word of two approvers of the province, who have both proved who they are.

    Filing goes on at once. Returns the time the clock shows. Raises `NotAllowed` unless they are two, and may.
    """
    asked = {"ids": list(officer_ids), "roles": list(MAY["confirm_clock"])}
    people = session.execute(_PEOPLE, asked).scalars().all()
    if len(set(officer_ids)) != TWO or len(people) != TWO:
        raise NotAllowed("two different approvers of the province must confirm the clock")
    now = clocks.settled(session)
    entries = [audit.entry("clock.confirmed", actor="officer", officer_id=one, clock=now) for one in people]
    together(session, *entries)
    return now
