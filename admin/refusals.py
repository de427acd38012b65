"""Refusals: what an officer asked for and must not have, kept for the auditor and the watch (P-04).

What a page did is undone by then, so the entry has a transaction of its own. Each is kept, but only so many an hour:
somebody who tries number after number must not bury the audit, and the service's log has every one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from admin import officers
from admin.officers import Visitor
from app import audit
from app.db import together
from app.entrance import Where
from app.errors import NotAllowed, OutOfScope, Refusal

#: entries of one officer within an hour; more than `config.settings.Watch.refusals`, which is counted in them
MOST_AN_HOUR: Final = 100
#: what of an address is kept: no id of ours is longer
_LONGEST: Final = 40
_FEW: Final = """
    (SELECT count(*) FROM audit WHERE officer_id = :officer_id AND act = 'officer.refused'
        AND at > statement_timestamp() - interval '1 hour') < :most
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A page, and the ids in its address."""

    endpoint: str
    ids: Mapping[str, object]


def is_kept(error: Refusal) -> bool:
    """Whether it is about what the officer may and must not; others are slips, or come in too late."""
    return isinstance(error, NotAllowed | OutOfScope)


def keep(session: Session, visitor: Visitor, asked: Asked, error: Refusal, where: Where) -> None:
    """Record what was refused to whom; beyond `MOST_AN_HOUR` nothing."""
    entry = officers.entry(
        "officer.refused",
        visitor,
        where,
        endpoint=asked.endpoint,
        asked={name: str(value)[:_LONGEST] for name, value in asked.ids.items()},
        status=error.status,
    )
    together(session, audit.only_if(_FEW, entry, most=MOST_AN_HOUR))
