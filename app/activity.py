"""What happened around an account lately, for its owner to read: where it is signed in, what was done (U-19).

The audit itself is closed to the candidates' portal, which may only add to it; this is put together from
sessions, devices, filings and notices.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, text

from app.notices import OF_WINDOWS
from app.sessions import Visitor

MOST: Final = 12
#: notices that tell of no act, or of one that is told from its own row
_UNTOLD: Final = ["filed", "waived", *OF_WINDOWS]


@dataclass(frozen=True, slots=True)
class Place:
    """A browser: one signed in now, or one that is known because a right code was given in it."""

    kind: Literal["session", "device"]
    #: a device's token hash in hexadecimal
    id: str
    label: str
    ip: str | None
    since: datetime
    seen: datetime
    #: the browser that asks
    here: bool


@dataclass(frozen=True, slots=True)
class Act:
    """One thing done: a sign-in, a filing, or the kind of a notice. `params` as in the notice."""

    kind: str
    at: datetime
    label: str
    ip: str | None
    here: bool
    params: dict[str, Any]


_PLACES = text("""
    SELECT 'session' AS kind, '' AS id, label, ip, started_at AS since, seen_at AS seen, id_hash = :own AS here
    FROM sessions
    WHERE candidate_id = :candidate AND ended_at IS NULL AND expires_at > clock_timestamp()
      AND seen_at > clock_timestamp() - :idle * interval '1 second'
    UNION ALL
    SELECT 'device', encode(token_hash, 'hex'), label, NULL, first_seen_at, last_seen_at, token_hash = :device
    FROM devices WHERE candidate_id = :candidate AND revoked_at IS NULL
    ORDER BY here DESC, seen DESC
""")


def places(connection: Connection, visitor: Visitor, idle_seconds: int) -> list[Place]:
    """The browsers signed in and the devices known, this one first, then newest first."""
    found = connection.execute(
        _PLACES,
        {
            "candidate": visitor.candidate_id,
            "own": visitor.session_hash,
            "device": visitor.device_hash or b"",
            "idle": idle_seconds,
        },
    )
    return [Place(**row) for row in found.mappings()]


_ACTS = text("""
    SELECT * FROM (
        (SELECT 'signed_in' AS kind, started_at AS at, label, ip, id_hash = :own AS here, '{}'::jsonb AS params
         FROM sessions WHERE candidate_id = :candidate ORDER BY started_at DESC LIMIT :most)
        UNION ALL
        (SELECT CASE f.kind WHEN 'list' THEN 'filed' ELSE 'waived' END, f.filed_at, f.device, f.ip, false,
                jsonb_build_object('batch', b.name, 'number', f.number)
         FROM filings f JOIN batches b ON b.id = f.batch_id
         WHERE f.candidate_id = :candidate ORDER BY f.filed_at DESC LIMIT :most)
        UNION ALL
        (SELECT kind, created_at, '', NULL, false, params FROM notices
         WHERE candidate_id = :candidate AND NOT kind = ANY (:untold) ORDER BY created_at DESC LIMIT :most)
    ) acts ORDER BY at DESC LIMIT :most
""")


def acts(connection: Connection, visitor: Visitor) -> list[Act]:
    """What was done lately, newest first."""
    asked = {"candidate": visitor.candidate_id, "own": visitor.session_hash, "most": MOST, "untold": _UNTOLD}
    return [Act(**row) for row in connection.execute(_ACTS, asked).mappings()]
