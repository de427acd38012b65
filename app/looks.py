"""Looks: what officers did about a candidate, for the candidate to read (P-10).

The database shows the candidates' portal this much of the audit and no more: role, office, time, act, reason.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from app.sessions import Visitor

MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Look:
    """One time an officer had the record before them, or did something about it."""

    at: datetime
    #: as in the audit
    act: str
    role: str
    office: str
    #: what the officer wrote, where a reason is asked for
    reason: str


_LOOKS = text("""
    SELECT at, act, role, office, reason FROM officer_looks WHERE candidate_id = :candidate ORDER BY at DESC LIMIT :most
""")


def of(connection: Connection, visitor: Visitor) -> list[Look]:
    """Who looked at the visitor's record, newest first."""
    found = connection.execute(_LOOKS, {"candidate": visitor.candidate_id, "most": MOST}).mappings()
    return [Look(**row) for row in found]
