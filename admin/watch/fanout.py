"""Fan-out: many candidates behind one device, one network or one officer (P-14, D-14, K7, T2, T3).

Each rule is one question over what is recorded anyway: filings, sessions and the audit. What is done in a
registered room (`admin.rooms`) is left out, except for runs: one machine that files for a class, pupil after
pupil within seconds, is no room full of pupils.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from admin import rooms
from admin.alerts import Finding, Kind
from config.settings import Watch

HOURS: Final = 24
_SINCE: Final = f"statement_timestamp() - interval '{HOURS} hours'"

# --- acts: whose, on which device, from where, when ---------------------------------------------------

_FILED: Final = f"""
    SELECT candidate_id, device_hash, ip, filed_at AS at, '' AS serial FROM filings WHERE filed_at > {_SINCE}
"""  # noqa: S608 -- constants
_SIGNED_IN: Final = f"""
    SELECT candidate_id, device_hash, ip, started_at AS at, '' AS serial FROM sessions WHERE started_at > {_SINCE}
"""  # noqa: S608 -- constants
# An activation opens a session in the same statement, and that knows the device.
_ACTIVATED: Final = f"""
    SELECT e.candidate_id, s.device_hash, e.ip, e.at, e.detail ->> 'serial' AS serial
    FROM audit e LEFT JOIN sessions s ON s.candidate_id = e.candidate_id AND s.started_at > {_SINCE}
         AND s.started_at BETWEEN e.at - interval '5 seconds' AND e.at + interval '5 seconds'
    WHERE e.act = 'account.activated' AND e.at > {_SINCE}
"""  # noqa: S608 -- constants

# --- what they are counted by: where from, the columns, how the subject reads --------------------------

_DEVICE: Final = ("placed", "device_hash", "left(encode(device_hash, 'hex'), 16)")
_NETWORK: Final = ("placed", "network", "CAST(network AS text)")
_OFFICER: Final = ("handed", "officer_id, network", "officer_id || '|' || network")


def _counted(kind: Kind, by: tuple[str, str, str], limit: str) -> str:
    source, columns, subject = by
    return f"""
        SELECT '{kind}' AS kind, {subject} AS subject, CAST(:{limit} AS integer) AS most,
               count(DISTINCT candidate_id) AS count, min(at) AS first, max(at) AS latest,
               array_agg(DISTINCT candidate_id) AS concerned
        FROM {source} GROUP BY {columns}
        HAVING count(DISTINCT candidate_id) > :{limit} AND {subject} IS NOT NULL
    """  # noqa: S608 -- constants


def _question(acts: str, *counted: str) -> TextClause:
    return text(f"""
        WITH acts AS MATERIALIZED ({acts}),
        networks AS MATERIALIZED (
            SELECT ip, network_of(ip) AS network FROM (SELECT DISTINCT ip FROM acts) d
        ), places AS MATERIALIZED (
            SELECT n.ip, n.network, {rooms.IN_FORCE.format("n.network")} AS in_room FROM networks n
        ), placed AS MATERIALIZED (
            SELECT a.candidate_id, a.device_hash, p.network, a.at, a.serial
            FROM acts a LEFT JOIN places p ON p.ip = a.ip WHERE p.in_room IS NOT TRUE
        ), busy AS (
            SELECT network FROM placed GROUP BY network HAVING count(*) > CAST(:officer AS integer)
        ), handed AS (
            SELECT p.candidate_id, p.network, p.at, h.officer_id
            FROM placed p JOIN busy USING (network) JOIN audit h ON h.candidate_id = p.candidate_id
                 AND h.act = 'card.handed' AND h.officer_id IS NOT NULL AND h.detail ->> 'serial' = p.serial
        ), many AS ({" UNION ALL ".join(counted)})
        SELECT m.*, (SELECT array_agg(DISTINCT o.path) FROM candidates c JOIN offices o ON o.id = c.point_id
                     WHERE c.id = ANY (m.concerned)) AS paths
        FROM many m
    """)  # noqa: S608 -- constants


_QUESTIONS: Final = (
    _question(
        _FILED,
        _counted("filings_device", _DEVICE, "device"),
        _counted("filings_network", _NETWORK, "network"),
    ),
    _question(
        _ACTIVATED,
        _counted("activations_device", _DEVICE, "device"),
        _counted("activations_network", _NETWORK, "network"),
        _counted("activations_officer", _OFFICER, "officer"),
    ),
    _question(_SIGNED_IN, _counted("sign_ins_device", _DEVICE, "sign_ins")),
)


def many(session: Session, limits: Watch) -> Iterator[Finding]:
    """Devices, networks and officers behind which too many candidates stand."""
    for question in _QUESTIONS:
        for row in session.execute(question, limits.model_dump()).mappings():
            facts: dict[str, Any] = {"first": row["first"], "hours": HOURS, "most": row["most"]}
            officer, _, subject = row["subject"].rpartition("|")
            if officer:
                facts["officer_id"] = int(officer)
            yield Finding(
                row["kind"],
                common_office(row["paths"]),
                _plain(subject),
                row["count"],
                row["latest"],
                facts,
                row["concerned"],
                mark=row["subject"],
            )


def _plain(subject: str) -> str:
    """A single address without the length of its prefix."""
    return subject.removesuffix("/32")


def common_office(paths: Sequence[str]) -> int:
    """The lowest office that has all of these at or below it. A path holds the ids from the root down."""
    found = ""
    for steps in zip(*(path.strip("/").split("/") for path in paths), strict=False):
        if len(set(steps)) > 1:
            break
        found = steps[0]
    return int(found)


# --- runs ------------------------------------------------------------------------------------------------

_RUNS = text(f"""
    WITH busy AS (
        SELECT device_hash FROM filings WHERE filed_at > {_SINCE} AND device_hash IS NOT NULL
        GROUP BY device_hash HAVING count(DISTINCT candidate_id) > :most
    ), steps AS (
        SELECT f.device_hash, f.candidate_id, f.filed_at AS at, c.point_id, c.class_no,
               f.filed_at - lag(f.filed_at) OVER one_class > CAST(:gap AS interval) AS apart
        FROM filings f JOIN busy USING (device_hash) JOIN candidates c ON c.id = f.candidate_id
        WHERE f.filed_at > {_SINCE}
        WINDOW one_class AS (PARTITION BY f.device_hash, c.point_id, c.class_no ORDER BY f.filed_at)
    ), runs AS (
        SELECT *, count(*) FILTER (WHERE apart)
            OVER (PARTITION BY device_hash, point_id, class_no ORDER BY at) AS run
        FROM steps
    ), long AS (
        SELECT device_hash, point_id, class_no, count(DISTINCT candidate_id) AS count, min(at) AS first,
               max(at) AS latest, array_agg(DISTINCT candidate_id) AS concerned
        FROM runs GROUP BY device_hash, point_id, class_no, run HAVING count(DISTINCT candidate_id) > :most
    )
    SELECT DISTINCT ON (device_hash, point_id, class_no) *, left(encode(device_hash, 'hex'), 16) AS device
    FROM long ORDER BY device_hash, point_id, class_no, count DESC, latest DESC
""")  # noqa: S608 -- constants


def runs(session: Session, limits: Watch) -> Iterator[Finding]:
    """Candidates of one class filing one right after the other on one device; the longest run of each (K7)."""
    gap = timedelta(seconds=limits.run_seconds)
    for row in session.execute(_RUNS, {"most": limits.run, "gap": gap}).mappings():
        yield Finding(
            "filings_run",
            row["point_id"],
            row["device"],
            row["count"],
            row["latest"],
            {"first": row["first"], "class_no": row["class_no"], "seconds": limits.run_seconds},
            row["concerned"],
            mark=f"{row['device']}|{row['point_id']}|{row['class_no']}",
        )
