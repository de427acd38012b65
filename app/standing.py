"""What stands: for one candidate and batch the filing in force, the draft, the question asked; and all batches.

Each is one question to the database, so that a page costs as many round trips as it has subjects.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from app import accounts, batches, bindings, choices, clocks
from app.batches import Opened
from app.bindings import Bound
from app.db import Question
from app.errors import NotEligible, NotFound
from app.sessions import Visitor

CHALLENGE_LIFE: Final = timedelta(minutes=10)
EMPTY: Final[dict[str, Any]] = {"columns": {}}

Kind = Literal["list", "waiver"]


def compacted(content: Mapping[str, Any]) -> dict[str, Any]:
    """A list as it is filed: no gaps, no empty columns."""
    return choices.to_content(choices.compact(choices.from_content(content)))


@dataclass(frozen=True, slots=True)
class Standing:
    """The filing in force."""

    number: int
    kind: Kind
    content: dict[str, Any]
    digest: bytes
    filed_at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """The challenge that stands for a batch."""

    key: bytes
    session_hash: bytes
    kind: Kind
    content: dict[str, Any]
    digest: bytes
    asked: tuple[int, ...]
    issued_at: datetime

    @property
    def expires_at(self) -> datetime:
        """When its ten minutes are over (C-05)."""
        return self.issued_at + CHALLENGE_LIFE

    def stale_at(self, moment: datetime) -> bool:
        """Whether its ten minutes are over at `moment`."""
        return moment >= self.expires_at

    def asks(self, bound: Bound) -> bool:
        """Whether the card still asks what the page asked: no code was used and no card replaced meanwhile."""
        return self.asked[0] == bound.asked and self.asked[1:] in {(), (bound.asked_second,)}


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything about one candidate and one batch, as one question to the database answers it."""

    batch: Opened
    draft: dict[str, Any] | None
    draft_version: int
    draft_at: datetime | None
    standing: Standing | None
    challenge: Asked | None
    #: None while no card is bound
    bound: Bound | None
    #: why the next confirmation needs two codes (C-09, C-13): "tries", "device", "recent", "lost", "not_me",
    #: "office", "lot"; "" when one is enough
    two_codes_reason: str
    now: datetime

    @property
    def two_codes_due(self) -> bool:
        """Whether the next confirmation needs two codes."""
        return self.two_codes_reason != ""

    @property
    def content(self) -> dict[str, Any]:
        """What the edit page shows: the draft, else what is in force, else nothing."""
        if self.draft is not None:
            return self.draft
        return self.in_force

    @property
    def in_force(self) -> dict[str, Any]:
        """The list in force; empty for a waiver, and while nothing was filed."""
        return self.standing.content if self.standing else EMPTY

    @property
    def draft_differs(self) -> bool:
        """Whether a draft waits that is not what is in force."""
        standing = self.standing
        if standing is None:
            return _differs(self.draft, self.draft_at, EMPTY, None, None)
        return _differs(self.draft, self.draft_at, standing.content, standing.kind, standing.filed_at)


def _differs(
    draft: Mapping[str, Any] | None,
    draft_at: datetime | None,
    in_force: Mapping[str, Any],
    kind: Kind | None,
    filed_at: datetime | None,
) -> bool:
    """Whether a draft waits to be confirmed. One left lying when the batch was given up does not."""
    if draft is None or draft_at is None:
        return False
    if kind == "waiver" and filed_at is not None and draft_at <= filed_at:
        return False
    return compacted(draft) != compacted(in_force)


_SHEET: Final = Question(f"""
    SELECT {batches.FIELDS}, {batches.REOPENED}, {bindings.FIELDS},
           a.two_codes_until, a.two_codes_reason,
           d.content AS draft, d.version AS draft_version, d.updated_at AS draft_at,
           f.number, f.kind, f.content, f.digest, f.filed_at,
           ch.key AS challenge_key, ch.session_hash, ch.kind AS challenge_kind, ch.content AS challenge_content,
           ch.digest AS challenge_digest, ch.asked AS challenge_asked, ch.issued_at,
           prior.number AS prior_number, prior.prior_batch, prior.receipt AS prior_receipt,
           prior.kind AS prior_kind, prior.content AS prior_content,
           prior.catalogue_version AS prior_catalogue,
           ARRAY(SELECT p.filed_at FROM filings p WHERE p.candidate_id = a.candidate_id AND length(:key) > 0
                 AND p.filed_at > clock_timestamp() - interval '1 day' ORDER BY p.filed_at DESC) AS filed_lately,
           {clocks.DOUBT} AS clock_in_doubt
    FROM accounts a
    JOIN batches b ON b.code = :batch
    {bindings.JOINS}
    LEFT JOIN drafts d ON d.candidate_id = a.candidate_id AND d.batch_id = b.id
    LEFT JOIN challenges ch ON ch.candidate_id = a.candidate_id AND ch.batch_id = b.id
    LEFT JOIN LATERAL (
        SELECT number, kind, content, digest, filed_at FROM filings
        WHERE candidate_id = a.candidate_id AND batch_id = b.id ORDER BY number DESC LIMIT 1
    ) f ON true
    LEFT JOIN LATERAL (
        SELECT number, kind, content, receipt, catalogue_version, batch_id AS prior_batch FROM filings
        WHERE candidate_id = a.candidate_id AND challenge = :key
    ) prior ON true
    WHERE a.candidate_id = :candidate
""")  # noqa: S608 -- constants


def row(connection: Connection | Session, visitor: Visitor, batch_code: str, key: bytes) -> dict[str, Any]:
    """The sheet as it comes from the tables, and what was filed before by the challenge `key` (`prior_…`).

    With a key, which a confirmation alone has, also when the candidate has filed within a day (`filed_lately`).

    Raises `NotFound` or `NotEligible`.
    """
    found = _SHEET.first(connection, {"candidate": visitor.candidate_id, "batch": batch_code, "key": key})
    if found is None:
        raise NotFound(f"no batch {batch_code}")
    if visitor.facts.subject_class not in found["subject_classes"]:
        raise NotEligible
    return found


def sheet(connection: Connection | Session, visitor: Visitor, batch_code: str) -> Sheet:
    """What stands for this candidate in this batch; raises `NotFound` or `NotEligible`."""
    return read(visitor, row(connection, visitor, batch_code, b""))


def read(visitor: Visitor, found: Mapping[str, Any]) -> Sheet:
    """Build the sheet from its `row`."""
    standing = None
    if found["number"] is not None:
        standing = Standing(found["number"], found["kind"], found["content"], bytes(found["digest"]), found["filed_at"])
    asked = None
    if found["challenge_key"] is not None:
        asked = Asked(
            key=bytes(found["challenge_key"]),
            session_hash=bytes(found["session_hash"]),
            kind=found["challenge_kind"],
            content=found["challenge_content"],
            digest=bytes(found["challenge_digest"]),
            asked=tuple(found["challenge_asked"]),
            issued_at=found["issued_at"],
        )
    bound = bindings.from_row(visitor.candidate_id, found) if found["serial"] is not None else None
    return Sheet(
        batch=batches.from_row(found),
        draft=found["draft"],
        draft_version=found["draft_version"] or 0,
        draft_at=found["draft_at"],
        standing=standing,
        challenge=asked,
        bound=bound,
        two_codes_reason=_two_codes_reason(visitor, found, bound, standing),
        now=found["now"],
    )


def _two_codes_reason(
    visitor: Visitor, found: Mapping[str, Any], bound: Bound | None, standing: Standing | None
) -> str:
    """Why the next confirmation needs two codes (C-09, C-13); "" when one is enough."""
    if found["two_codes_reason"] is not None:
        return str(found["two_codes_reason"])
    if bound is not None and bound.lot_quarantined:
        return "lot"
    if accounts.two_codes_due(found["two_codes_until"], None, found["now"]):
        return "recent"
    if bound is not None and bound.wrong_tries >= bindings.SINGLE_TRIES:
        return "tries"
    return "device" if standing is not None and not visitor.device_known else ""


_ANSWERED: Final = Question("""
    SELECT b.code, f.number FROM filings f JOIN batches b ON b.id = f.batch_id
    WHERE f.candidate_id = :candidate AND f.challenge = :key
""")


def answered(connection: Connection, visitor: Visitor, key: bytes) -> tuple[str, int] | None:
    """Batch code and number of what the challenge `key` put in force, if it did.

    After a commit whose outcome is unknown this is asked; the deed is never tried again (F-09).
    """
    found = _ANSWERED.first(connection, {"candidate": visitor.candidate_id, "key": key})
    return None if found is None else (found["code"], found["number"])


# --- all batches -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One batch in the list of tasks."""

    batch: Opened
    drafted_at: datetime | None
    number: int | None
    kind: Kind | None
    filed_at: datetime | None
    draft_differs: bool


# Only contents that differ travel; the closing of gaps, which SQL does not know, is compared here.
_OVERVIEW: Final = Question(f"""
    SELECT {batches.FIELDS}, {batches.REOPENED}, d.updated_at AS drafted_at, f.number, f.kind, f.filed_at,
           CASE WHEN d.content IS DISTINCT FROM f.content THEN d.content END AS draft,
           CASE WHEN d.content IS DISTINCT FROM f.content THEN f.content END AS content
    FROM batches b
    LEFT JOIN drafts d ON d.batch_id = b.id AND d.candidate_id = :candidate
    LEFT JOIN LATERAL (
        SELECT number, kind, content, filed_at FROM filings
        WHERE candidate_id = :candidate AND batch_id = b.id ORDER BY number DESC LIMIT 1
    ) f ON true
    WHERE :subject_class = ANY (b.subject_classes)
    ORDER BY b.opens_at, b.position, b.code
""")  # noqa: S608 -- constants


def overview(connection: Connection, visitor: Visitor) -> list[Line]:
    """Every batch of the candidate's subject class, and how far each is."""
    found = _OVERVIEW.all(connection, {"candidate": visitor.candidate_id, "subject_class": visitor.facts.subject_class})
    return [
        Line(
            batch=batches.from_row(each),
            drafted_at=each["drafted_at"],
            number=each["number"],
            kind=each["kind"],
            filed_at=each["filed_at"],
            draft_differs=_differs(
                each["draft"], each["drafted_at"], each["content"] or EMPTY, each["kind"], each["filed_at"]
            ),
        )
        for each in found
    ]


@dataclass(frozen=True, slots=True)
class Source:
    """A list of another batch, to copy institutions from: the draft there, else what was filed."""

    batch: Opened
    content: dict[str, Any]


_SOURCES: Final = Question(f"""
    SELECT {batches.FIELDS}, coalesce(d.content, f.content) AS content
    FROM batches b
    LEFT JOIN drafts d ON d.batch_id = b.id AND d.candidate_id = :candidate
    LEFT JOIN LATERAL (
        SELECT content FROM filings
        WHERE candidate_id = :candidate AND batch_id = b.id ORDER BY number DESC LIMIT 1
    ) f ON true
    WHERE :subject_class = ANY (b.subject_classes) AND b.code <> :but
      AND (d.content IS NOT NULL OR f.content IS NOT NULL)
    ORDER BY b.opens_at, b.position, b.code
""")  # noqa: S608 -- constants


def sources(connection: Connection | Session, visitor: Visitor, *, but: str) -> list[Source]:
    """The candidate's lists in all batches of their class `but` one."""
    found = _SOURCES.all(
        connection,
        {"candidate": visitor.candidate_id, "subject_class": visitor.facts.subject_class, "but": but},
    )
    return [Source(batches.from_row(each), compacted(each["content"])) for each in found]
