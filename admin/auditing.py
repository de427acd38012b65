"""Auditing: the audit as an auditor reads it, of their own office and those below (O-12, L-11).

An entry concerns an office when the officer or the candidate it names belongs there or below; the province reads
every entry. Two layers say so that do not know of each other: the questions here, and row-level security beneath.

Reading is a deed: each page of a search and each export is an entry itself, and a candidate who was searched for
sees in the account that somebody did (`app.looks`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from admin import officers, scope
from admin.officers import Visitor
from admin.scope import BELOW, Place
from app.audit import FREQUENT, RARE, Actor
from app.db import Write, together
from app.entrance import Where
from app.errors import NotFound
from app.evidence import masked

AT_A_TIME: Final = 50
#: how long an export may look: it is rare, it is asked for on purpose, and it locks nothing
_PATIENCE = text("SET LOCAL statement_timeout = '15s'")
#: after a batch has closed, what happens still belongs to a search for it
AFTERWARDS: Final = timedelta(hours=1)
#: acts, and none named, that are too many to look through but for the time in which the batch was open
_WHILE_OPEN: Final = frozenset({"", "code.wrong", *FREQUENT})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for; "" and None for anything."""

    since: datetime | None = None
    #: the first moment no longer wanted
    until: datetime | None = None
    act: str = ""
    actor: str = ""
    #: login or name, complete
    officer: str = ""
    #: candidate number, complete
    number: str = ""
    #: code of a batch
    batch: str = ""
    #: code of an office; with it the search reads what the auditor of that office would
    office: str = ""
    #: when the search began: its later pages and its export hold nothing newer, not even itself
    as_of: datetime | None = None

    def said(self) -> dict[str, object]:
        """What of it goes into the audit (P-02)."""
        told = {
            "since": self.since,
            "until": self.until,
            "only": self.act,
            "by": self.actor,
            "login": self.officer,
            "number": masked(self.number) if self.number else "",
            "batch": self.batch,
            "within": self.office,
        }
        return {name: value for name, value in told.items() if value}


@dataclass(frozen=True, slots=True)
class Key:
    """A place in the list, between two pages."""

    at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class Turn:
    """Which page: the newest one, or the one that is older (or newer) than `key`."""

    key: Key | None = None
    newer: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """One entry, and whom it names."""

    id: int
    at: datetime
    actor: Actor
    act: str
    ip: str | None
    detail: dict[str, Any]
    #: who did it, or whom a command did it to
    officer_id: int | None
    login: str | None
    officer: str | None
    office: str | None
    candidate_id: int | None
    #: None where the candidate is registered elsewhere by now
    candidate_no: str | None
    candidate: str | None

    @property
    def masked_no(self) -> str:
        """The candidate number as lists show it (P-02)."""
        return masked(self.candidate_no) if self.candidate_no else ""


@dataclass(frozen=True, slots=True)
class Names:
    """What the ids and codes in the details of some entries are called."""

    offices: Mapping[int, str] = field(default_factory=dict)
    officers: Mapping[int, str] = field(default_factory=dict)
    batches: Mapping[str | int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search."""

    place: Place
    #: with the times of the batch, where none were given
    wanted: Wanted
    rows: Sequence[Shown]
    names: Names
    newer: bool = False
    older: bool = False


# --- the questions -----------------------------------------------------------------------------------

# OFFSET 0: row by row, for a page has few rows and an office has many candidates
_CONCERNS: Final = f"""
    (EXISTS (SELECT 1 FROM officers o JOIN offices p ON p.id = o.office_id
             WHERE o.id = a.officer_id AND {BELOW} OFFSET 0)
     OR EXISTS (SELECT 1 FROM candidates c JOIN offices p ON p.id = c.point_id
                WHERE c.id = a.candidate_id AND {BELOW} OFFSET 0))
"""  # noqa: S608 -- constants
_ORDERS: Final = {False: "a.at DESC, a.id DESC", True: "a.at, a.id"}
_SCAN: Final = "SELECT a.id, a.at FROM audit a WHERE {conditions} ORDER BY {order} LIMIT :most"
# A small office has so small a part of the audit that to look through the newest entries for it takes seconds:
# everything of each of its people instead. OFFSET 0: by no other index than that of the person.
_FEW: Final = f"""
    SELECT a.id, a.at FROM (
        SELECT l.id, l.at FROM candidates c JOIN offices p ON p.id = c.point_id CROSS JOIN LATERAL (
            SELECT a.id, a.at FROM (SELECT a.* FROM audit a WHERE a.candidate_id = c.id OFFSET 0) a WHERE {{conditions}}
        ) l WHERE {BELOW}
        UNION
        SELECT l.id, l.at FROM officers o JOIN offices p ON p.id = o.office_id CROSS JOIN LATERAL (
            SELECT a.id, a.at FROM (SELECT a.* FROM audit a WHERE a.officer_id = o.id OFFSET 0) a WHERE {{conditions}}
        ) l WHERE {BELOW}
    ) a ORDER BY {{order}} LIMIT :most
"""  # noqa: S608 -- constants
_FOUND: Final = """
    WITH found AS MATERIALIZED ({found})
    SELECT a.id, a.at, a.actor, a.act, a.ip, a.detail, a.officer_id, o.login, o.name AS officer, f.name AS office,
           a.candidate_id, c.candidate_no, c.name AS candidate
    FROM found JOIN audit a ON a.id = found.id
    LEFT JOIN officers o ON o.id = a.officer_id LEFT JOIN offices f ON f.id = o.office_id
    LEFT JOIN candidates c ON c.id = a.candidate_id
    ORDER BY {order}
"""


def _is_few(wanted: Wanted, place: Place, most: int) -> bool:
    """Whether the people of the office lead to its entries sooner than the time does; not for one page of a county."""
    few = place.level == "point" or (place.level == "county" and most > AT_A_TIME + 1)
    return few and not (wanted.number or wanted.officer)


def _conditions(wanted: Wanted, turn: Turn, *, concerns: bool) -> list[str]:
    rules = {
        "a.at >= :since": wanted.since,
        "a.at < :until": wanted.until,
        "a.at <= :as_of": wanted.as_of,
        "a.act = :act": wanted.act,
        # each spelled as the index has it, too
        f"a.{RARE}": wanted.act and wanted.act not in FREQUENT,
        "a.actor = :actor": wanted.actor,
        "a.actor <> 'candidate'": wanted.actor and wanted.actor != "candidate",
        "a.officer_id = ANY (CAST(:officers AS bigint[]))": wanted.officer,
        "a.candidate_id = :candidate": wanted.number,
        # some entries have the batch's code, a text, others its id, a number
        "a.detail -> 'batch' IN (to_jsonb(CAST(:batch AS text)), to_jsonb(CAST(:batch_id AS bigint)))": wanted.batch,
        _CONCERNS: concerns,
        f"(a.at, a.id) {'>' if turn.newer else '<'} (:key_at, :key_id)": turn.key,
    }
    return [rule for rule, applies in rules.items() if applies] or ["true"]


_OFFICE = text(f"SELECT p.id FROM offices p WHERE p.code = :code AND {BELOW}")  # noqa: S608 -- constant
_NAMED = text(f"""
    SELECT (SELECT c.id FROM candidates c JOIN offices p ON p.id = c.point_id
            WHERE c.candidate_no = :number AND {BELOW}) AS candidate,
           (SELECT coalesce(array_agg(o.id), '{{}}') FROM officers o
            WHERE o.login = :officer OR o.name = :officer) AS officers,
           b.id AS batch_id, b.opens_at, b.closes_at
    FROM (SELECT) one LEFT JOIN batches b ON b.code = :batch
""")  # noqa: S608 -- constants


def place_of(connection: Connection | Session, visitor: Visitor, code: str) -> Place:
    """The office whose entries are searched: the one of this code, or the officer's own.

    Raises `NotFound` for one out of scope, real or not.
    """
    if not code:
        return scope.office(connection, visitor, visitor.office_id)
    found = connection.execute(_OFFICE, {"code": code, "within": visitor.path}).scalar()
    if found is None:
        raise NotFound(f"no office {code} within {visitor.path}")
    return scope.office(connection, visitor, found)


@dataclass(frozen=True, slots=True)
class _Named:
    """The ids of what a search names; a number or a name that nobody has finds nothing."""

    candidate: int | None
    officers: list[int]
    batch_id: int | None
    opens_at: datetime | None
    closes_at: datetime | None


def _named(connection: Connection | Session, wanted: Wanted, place: Place) -> tuple[Wanted, _Named]:
    """What is wanted, its times completed by those of its batch, and who and what it names.

    No index leads to the entries of a batch: what happened while it was open is found by the time.
    """
    asked = {"number": wanted.number, "officer": wanted.officer, "batch": wanted.batch, "within": place.path}
    named = _Named(**connection.execute(_NAMED, asked).mappings().one())
    if named.closes_at is not None and wanted.act in _WHILE_OPEN:
        until = wanted.until or named.closes_at + AFTERWARDS
        wanted = replace(wanted, since=wanted.since or named.opens_at, until=until)
    return wanted, named


def _question(wanted: Wanted, place: Place, turn: Turn, most: int) -> str:
    """The question for these entries: pieces of this module and nothing that was typed, which goes as parameters."""
    few = _is_few(wanted, place, most)
    order = _ORDERS[turn.newer]
    conditions = " AND ".join(_conditions(wanted, turn, concerns=not few and place.level != "province"))
    found = (_FEW if few else _SCAN).format(conditions=conditions, order=order)
    return _FOUND.format(found=found, order=order)


def _several(  # noqa: PLR0913, PLR0917 -- what is wanted of whom, which page and how many
    connection: Connection | Session, wanted: Wanted, named: _Named, place: Place, turn: Turn, most: int
) -> list[Shown]:
    """At most `most` entries, in the order of the turn: newest first unless it goes to newer ones."""
    question = _question(wanted, place, turn, most)
    asked = {
        "since": wanted.since,
        "until": wanted.until,
        "as_of": wanted.as_of,
        "act": wanted.act,
        "actor": wanted.actor,
        "officers": named.officers,
        "candidate": named.candidate,
        "batch": wanted.batch,
        "batch_id": named.batch_id,
        "within": place.path,
        "key_at": turn.key.at if turn.key else None,
        "key_id": turn.key.id if turn.key else None,
        "most": most,
    }
    rows = connection.execute(text(question), asked).mappings()
    return [Shown(**row) for row in rows]


#: keys of details that hold ids
OFFICES: Final = ("office", "to", "before", "after")
_NAMES = text("""
    SELECT 'office' AS kind, id, NULL AS code, name FROM offices WHERE id = ANY (:offices)
    UNION ALL SELECT 'officer', id, NULL, name || ' (' || login || ')' FROM officers WHERE id = ANY (:officers)
    UNION ALL SELECT 'batch', id, code, name FROM batches
""")


def _names(connection: Connection | Session, rows: Sequence[Shown]) -> Names:
    offices = {row.detail[key] for row in rows for key in OFFICES if isinstance(row.detail.get(key), int)}
    people = {one for row in rows for one in (*row.detail.get("officers", ()), row.detail.get("proposed_by")) if one}
    found = connection.execute(_NAMES, {"offices": list(offices), "officers": list(people)}).all()
    batches: dict[str | int, str] = {}
    for one in found:
        if one.kind == "batch":
            batches |= {one.id: one.name, one.code: one.name}
    return Names(
        {one.id: one.name for one in found if one.kind == "office"},
        {one.id: one.name for one in found if one.kind == "officer"},
        batches,
    )


# --- the deeds ---------------------------------------------------------------------------------------


def search(session: Session, visitor: Visitor, wanted: Wanted, turn: Turn, where: Where) -> Found:
    """One page of the entries wanted, and the entry that somebody looked. Raises `NotFound` for a foreign office."""
    place = place_of(session, visitor, wanted.office)
    wanted, named = _named(session, wanted, place)
    rows = _several(session, wanted, named, place, turn, AT_A_TIME + 1)
    more, rows = len(rows) > AT_A_TIME, rows[:AT_A_TIME]
    if turn.newer:
        rows.reverse()
    page = {"page": turn.key.at} if turn.key else {}
    together(session, officers.entry("audit.searched", visitor, where, named.candidate, **wanted.said(), **page))
    newer = more if turn.newer else turn.key is not None
    return Found(place, wanted, rows, _names(session, rows), newer, turn.newer or more)


def gathered(session: Session, visitor: Visitor, wanted: Wanted, most: int) -> tuple[Found, int | None]:
    """Everything wanted, the newest `most` of it, for an export; and the candidate searched for."""
    session.execute(_PATIENCE)
    place = place_of(session, visitor, wanted.office)
    wanted, named = _named(session, wanted, place)
    rows = _several(session, wanted, named, place, Turn(), most + 1)
    return Found(place, wanted, rows[:most], _names(session, rows[:most]), older=len(rows) > most), named.candidate


def exported(  # noqa: PLR0913, PLR0917 -- who, what, whom, how many, which file and whence
    visitor: Visitor, wanted: Wanted, candidate_id: int | None, entries: int, sha256: str, where: Where
) -> Write:
    """The audit entry of a file that leaves the service (D-05)."""
    detail = {"entries": entries, "sha256": sha256}
    return officers.entry("audit.exported", visitor, where, candidate_id, **wanted.said(), **detail)
