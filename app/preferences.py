"""Filing: check, then confirm with a code. What `confirm` does is one transaction:

    lock the candidate, then the batch (shared) → this challenge already answered? → open by the clock read
    after the locks → the challenge is this one → the list is the one shown → rules → code → append → commit

The order matters. Looking for the earlier answer before holding the lock would take replays for failures;
comparing a code before the challenge is known to be current would book a double click as a wrong try.
"""

import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from app import accounts, audit, batches, bindings, catalogue, choices, evidence, rules, tallies
from app.batches import Opened
from app.bindings import Bound, Right
from app.catalogue import Slice
from app.db import Question, Write, together
from app.differences import Difference, differences
from app.errors import ChallengeStale, DraftMoved, KeyReused, NoCard, NotEligible, NotFound, RulesBroken
from app.evidence import FilingRecord
from app.notices import notice
from app.sessions import Visitor
from config.keys import KeyRing

CHALLENGE_LIFE: Final = timedelta(minutes=10)
EMPTY: Final[dict[str, Any]] = {"columns": {}}

Kind = Literal["list", "waiver"]


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

    def stale_at(self, moment: datetime) -> bool:
        """Whether its ten minutes are over (C-05)."""
        return moment >= self.issued_at + CHALLENGE_LIFE


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
    two_codes_due: bool
    now: datetime

    @property
    def content(self) -> dict[str, Any]:
        """What the edit page shows: the draft, else what is in force, else nothing."""
        if self.draft is not None:
            return self.draft
        return self.standing.content if self.standing else EMPTY

    @property
    def draft_differs(self) -> bool:
        """Whether a draft waits that is not what is in force."""
        if self.draft is None:
            return False
        in_force = self.standing.content if self.standing else EMPTY
        return compacted(self.draft) != compacted(in_force)


_SHEET = Question(f"""
    SELECT {batches.FIELDS}, {bindings.FIELDS},
           a.two_codes_until, a.two_codes_reason,
           d.content AS draft, d.version AS draft_version, d.updated_at AS draft_at,
           f.number, f.kind, f.content, f.digest, f.filed_at,
           ch.key AS challenge_key, ch.session_hash, ch.kind AS challenge_kind, ch.content AS challenge_content,
           ch.digest AS challenge_digest, ch.asked AS challenge_asked, ch.issued_at,
           prior.number AS prior_number, prior.prior_batch, prior.receipt AS prior_receipt,
           prior.kind AS prior_kind, prior.content AS prior_content,
           prior.catalogue_version AS prior_catalogue
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
_LOCK = Question("""
    WITH candidate AS MATERIALIZED (
        SELECT candidate_id FROM accounts WHERE candidate_id = :candidate FOR UPDATE
    )
    SELECT 1 FROM batches b, candidate WHERE b.code = :batch FOR SHARE OF b
""")


def _row(connection: Connection | Session, visitor: Visitor, batch_code: str, key: bytes) -> dict[str, Any]:
    row = _SHEET.first(connection, {"candidate": visitor.candidate_id, "batch": batch_code, "key": key})
    if row is None:
        raise NotFound(f"no batch {batch_code}")
    if visitor.facts.subject_class not in row["subject_classes"]:
        raise NotEligible
    return row


def sheet(connection: Connection | Session, visitor: Visitor, batch_code: str) -> Sheet:
    """What stands for this candidate in this batch; raises `NotFound` or `NotEligible`."""
    return _sheet(visitor, _row(connection, visitor, batch_code, b""))


def _sheet(visitor: Visitor, row: Mapping[str, Any]) -> Sheet:
    now = row["now"]
    standing = None
    if row["number"] is not None:
        standing = Standing(row["number"], row["kind"], row["content"], bytes(row["digest"]), row["filed_at"])
    asked = None
    if row["challenge_key"] is not None:
        asked = Asked(
            key=bytes(row["challenge_key"]),
            session_hash=bytes(row["session_hash"]),
            kind=row["challenge_kind"],
            content=row["challenge_content"],
            digest=bytes(row["challenge_digest"]),
            asked=tuple(row["challenge_asked"]),
            issued_at=row["issued_at"],
        )
    bound = bindings.from_row(visitor.candidate_id, row) if row["serial"] is not None else None
    return Sheet(
        batch=batches.from_row(row),
        draft=row["draft"],
        draft_version=row["draft_version"] or 0,
        draft_at=row["draft_at"],
        standing=standing,
        challenge=asked,
        bound=bound,
        two_codes_due=_two_codes_due(visitor, row, bound, standing, now),
        now=now,
    )


def _two_codes_due(
    visitor: Visitor, row: Mapping[str, Any], bound: Bound | None, standing: Standing | None, now: datetime
) -> bool:
    """Whether the next confirmation needs two codes (C-09, C-13)."""
    if bound is not None and bound.wrong_tries >= bindings.SINGLE_TRIES:
        return True
    if standing is not None and not visitor.device_known:
        return True
    return accounts.two_codes_due(row["two_codes_until"], row["two_codes_reason"], now)


def compacted(content: Mapping[str, Any]) -> dict[str, Any]:
    """A list as it is filed: no gaps, no empty columns."""
    return choices.to_content(choices.compact(choices.from_content(content)))


def list_digest(
    visitor: Visitor, batch_code: str, kind: Kind, content: Mapping[str, Any], catalogue_version: int
) -> bytes:
    """The digest the challenge signs: candidate, batch, kind, the exact list, the catalogue it was checked with."""
    return evidence.draft_digest(
        candidate_no=visitor.candidate_no,
        batch=batch_code,
        kind=kind,
        content=content,
        catalogue_version=catalogue_version,
    )


def verdict(visitor: Visitor, batch: Opened, whole: Slice, content: Mapping[str, Any]) -> rules.Verdict:
    """What the rules say of a list."""
    return rules.judge(batch.spec, choices.from_content(content), visitor.facts, whole)


# --- check -------------------------------------------------------------------------------------------


def ask(session: Session, visitor: Visitor, batch_code: str, kind: Kind, seen_version: int) -> Asked:
    """Issue the challenge for the draft as it stands, or for a waiver.

    Raises `WindowShut` outside the window, `NoCard` without codes, `DraftMoved` when the draft is newer than
    the page, `RulesBroken` when the list has errors. A new challenge keeps the index asked (C-05).
    """
    accounts.lock(session, visitor.candidate_id)
    found = sheet(session, visitor, batch_code)
    found.batch.window.require_open(found.now)
    bound = found.bound
    if bound is None or bound.asked is None:
        raise NoCard
    content = EMPTY
    if kind == "list":
        if found.draft_version != seen_version:
            raise DraftMoved(version=found.draft_version)
        content = compacted(found.content)
        whole = catalogue.of(session, found.batch, visitor.facts.subject_class)
        broken = verdict(visitor, found.batch, whole, content).errors
        if broken:
            raise RulesBroken(broken)
    asked = (bound.asked,)
    if found.two_codes_due:
        if bound.asked_second is None:
            raise NoCard
        asked = (bound.asked, bound.asked_second)
    issued = Asked(
        key=secrets.token_bytes(16),
        session_hash=visitor.session_hash,
        kind=kind,
        content=content,
        digest=list_digest(visitor, batch_code, kind, content, found.batch.catalogue_version),
        asked=asked,
        issued_at=found.now,
    )
    together(session, _issue(visitor.candidate_id, found.batch.id, issued))
    return issued


def _issue(candidate_id: int, batch_id: int, issued: Asked) -> Write:
    return Write(
        """
        INSERT INTO challenges (candidate_id, batch_id, key, session_hash, kind, content, digest, asked, issued_at)
        VALUES (:candidate, :batch, :key, :session, :kind, CAST(:content AS jsonb), :digest,
                CAST(:asked AS smallint[]), clock_timestamp())
        ON CONFLICT (candidate_id, batch_id) DO UPDATE SET key = excluded.key,
            session_hash = excluded.session_hash, kind = excluded.kind, content = excluded.content,
            digest = excluded.digest, asked = excluded.asked, issued_at = excluded.issued_at
        """,
        {
            "candidate": candidate_id,
            "batch": batch_id,
            "key": issued.key,
            "session": issued.session_hash,
            "kind": issued.kind,
            "content": json.dumps(issued.content, ensure_ascii=False),
            "digest": issued.digest,
            "asked": list(issued.asked),
        },
    )


# --- confirm -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """What the confirm form sends: the challenge, the list's digest as shown, the codes already normalised."""

    key: bytes
    digest: bytes
    codes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Filed:
    """It is in force. `replay`: an earlier request had already filed it; the receipt is the same."""

    number: int
    receipt: str
    replay: bool = False


@dataclass(frozen=True, slots=True)
class WrongCode:
    """A code was wrong; nothing but the counter changed. `two_needed`: next time two codes are asked."""

    tries_left: int
    two_needed: bool


@dataclass(frozen=True, slots=True)
class Changed:
    """The draft was edited after the page was shown; nothing was filed."""

    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a confirmation came from; kept with the filing for the candidate to read."""

    ip: str
    device: str
    request_id: str
    #: token hash of the device cookie this browser will hold after the answer
    device_hash: bytes


def confirm(
    session: Session,
    visitor: Visitor,
    batch_code: str,
    answer: Answer,
    origin: Origin,
    keys: KeyRing,
    grace: timedelta = timedelta(0),
) -> Filed | WrongCode | Changed:
    """Put the list in force if the code is right; see the module's docstring for the order of steps.

    Raises `WindowShut`, `ChallengeStale`, `KeyReused`, `RulesBroken`, `NoCard`, `TooSoon`; then nothing changed.
    """
    _LOCK.first(session, {"candidate": visitor.candidate_id, "batch": batch_code})
    row = _row(session, visitor, batch_code, answer.key)
    found = _sheet(visitor, row)
    if row["prior_number"] is not None:
        return _replayed(visitor, found, row, answer)
    found.batch.window.require_open(found.now, grace=grace)
    asked = _current(visitor, found, answer)
    if asked.kind == "list":
        changed = differences(asked.content, compacted(found.content))
        if changed:
            return Changed(tuple(changed))
    _require_rules(session, visitor, found, asked)
    return _judged(session, visitor, found, asked, answer, origin, keys)


def _replayed(visitor: Visitor, found: Sheet, row: Mapping[str, Any], answer: Answer) -> Filed:
    """The same answer once more, also after the close: the same receipt; with another list: an error (F-04)."""
    if row["prior_batch"] != found.batch.id:
        raise KeyReused
    digest = list_digest(
        visitor, found.batch.code, row["prior_kind"], row["prior_content"], row["prior_catalogue"]
    )
    if not hmac.compare_digest(digest, answer.digest):
        raise KeyReused
    return Filed(row["prior_number"], row["prior_receipt"], replay=True)


def _current(visitor: Visitor, found: Sheet, answer: Answer) -> Asked:
    """The challenge, if it is the one that stands; a stale or foreign one is never compared with a code (C-06)."""
    asked, bound = found.challenge, found.bound
    if bound is None:
        raise NoCard
    if (
        asked is None
        or not hmac.compare_digest(asked.key, answer.key)
        or asked.session_hash != visitor.session_hash
        or asked.stale_at(found.now)
        or asked.asked[0] != bound.asked
        or (len(asked.asked) > 1 and asked.asked[1] != bound.asked_second)
    ):
        raise ChallengeStale
    if not hmac.compare_digest(asked.digest, answer.digest):
        raise KeyReused
    version = found.batch.catalogue_version
    if asked.digest != list_digest(visitor, found.batch.code, asked.kind, asked.content, version):
        raise ChallengeStale  # the catalogue was corrected after the page was made (F-07)
    return asked


def _require_rules(session: Session, visitor: Visitor, found: Sheet, asked: Asked) -> None:
    if asked.kind == "waiver":
        return
    whole = catalogue.of(session, found.batch, visitor.facts.subject_class)
    broken = verdict(visitor, found.batch, whole, asked.content).errors
    if broken:
        raise RulesBroken(broken)


def _judged(
    session: Session,
    visitor: Visitor,
    found: Sheet,
    asked: Asked,
    answer: Answer,
    origin: Origin,
    keys: KeyRing,
) -> Filed | WrongCode:
    bound = found.bound
    if bound is None:
        raise NoCard
    two_needed = found.two_codes_due
    session_name = visitor.session_hash.hex()[:16]
    if two_needed and len(answer.codes) > 1:
        bindings.require_pace(bound, session_name, found.now, device_known=visitor.device_known)
    judged = bindings.judge(bound, answer.codes, keys.card_key, two_needed=two_needed)
    if not isinstance(judged, Right):
        writes = [
            bindings.book_wrong(visitor.candidate_id, session_name, paced=two_needed),
            _entry(visitor, origin, "code.wrong", batch=found.batch.code, tries=judged.tries),
        ]
        if judged.tries == bindings.SINGLE_TRIES:
            writes.append(notice("wrong_codes", visitor.candidate_id, origin.request_id))
        together(session, *writes)
        return WrongCode(max(0, bindings.SINGLE_TRIES - judged.tries), judged.two_needed)
    return _append(session, visitor, found, asked, judged, bound, origin, keys)


def _append(
    session: Session,
    visitor: Visitor,
    found: Sheet,
    asked: Asked,
    right: Right,
    bound: Bound,
    origin: Origin,
    keys: KeyRing,
) -> Filed:
    standing = found.standing
    record = FilingRecord(
        candidate_no=visitor.candidate_no,
        batch=found.batch.code,
        number=standing.number + 1 if standing else 1,
        kind=asked.kind,
        content=asked.content,
        catalogue_version=found.batch.catalogue_version,
        filed_at=found.now.astimezone(UTC),
        nonce=secrets.token_bytes(16),
        previous=standing.digest if standing else None,
        serial=bound.card.serial,
        indices=tuple(index for index, _ in right.given),
        openings=tuple(opening for _, opening in right.given),
    )
    digest = evidence.filing_digest(record)
    version = keys.receipt_version
    receipt = evidence.sign_receipt(record, keys.receipt_key[version], str(version), digest=digest)
    after: tallies.State = "filed" if asked.kind == "list" else "waived"
    before = _state_before(found)
    together(
        session,
        *bindings.spend(bound, right, "filing"),
        _filing(visitor.candidate_id, found.batch.id, record, digest, receipt, asked.key, origin),
        Write(
            "DELETE FROM challenges WHERE candidate_id = :candidate AND batch_id = :batch",
            {"candidate": visitor.candidate_id, "batch": found.batch.id},
        ),
        accounts.device_known(visitor.candidate_id, origin.device_hash, origin.device),
        notice(
            "filed" if asked.kind == "list" else "waived",
            visitor.candidate_id,
            digest.hex(),
            batch=found.batch.name,
            number=record.number,
            at=record.filed_at.isoformat(),
            digest=digest.hex()[:8],
        ),
        _entry(
            visitor,
            origin,
            "filing.confirmed",
            batch=found.batch.code,
            number=record.number,
            kind=record.kind,
        ),
        *([tallies.move(visitor.point_id, found.batch.id, before, after)] if before != after else []),
    )
    return Filed(record.number, receipt)


def _state_before(found: Sheet) -> tallies.State:
    if found.standing is not None:
        return "filed" if found.standing.kind == "list" else "waived"
    return "nothing_filed" if found.draft is None else "draft_only"


def _filing(
    candidate_id: int,
    batch_id: int,
    record: FilingRecord,
    digest: bytes,
    receipt: str,
    challenge: bytes,
    origin: Origin,
) -> Write:
    second = len(record.indices) > 1
    return Write(
        """
        INSERT INTO filings (candidate_id, batch_id, number, kind, content, catalogue_version, filed_at, nonce,
            previous, digest, serial, code_index, opening, second_index, second_opening, challenge, receipt,
            device, device_hash, ip)
        VALUES (:candidate, :batch, :number, :kind, CAST(:content AS jsonb), :catalogue_version, :filed_at, :nonce,
            :previous, :digest, :serial, :code_index, :opening, :second_index, :second_opening, :challenge,
            :receipt, :device, :device_hash, :ip)
        """,
        {
            "candidate": candidate_id,
            "batch": batch_id,
            "number": record.number,
            "kind": record.kind,
            "content": json.dumps(record.content, ensure_ascii=False),
            "catalogue_version": record.catalogue_version,
            "filed_at": record.filed_at,
            "nonce": record.nonce,
            "previous": record.previous,
            "digest": digest,
            "serial": record.serial,
            "code_index": record.indices[0],
            "opening": record.openings[0],
            "second_index": record.indices[1] if second else None,
            "second_opening": record.openings[1] if second else None,
            "challenge": challenge,
            "receipt": receipt,
            "device": origin.device,
            "device_hash": origin.device_hash,
            "ip": origin.ip,
        },
    )


def _entry(visitor: Visitor, origin: Origin, act: str, **detail: object) -> Write:
    return audit.entry(
        act,
        actor="candidate",
        candidate_id=visitor.candidate_id,
        ip=origin.ip,
        request_id=origin.request_id,
        **detail,
    )


# --- overview ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One batch in the list of tasks."""

    batch: Opened
    drafted_at: datetime | None
    number: int | None
    kind: Kind | None
    filed_at: datetime | None
    draft_differs: bool


_OVERVIEW = text(f"""
    SELECT {batches.FIELDS}, d.updated_at AS drafted_at, f.number, f.kind, f.filed_at,
           d.candidate_id IS NOT NULL AND (f.number IS NULL OR d.updated_at > f.filed_at) AS draft_differs
    FROM batches b
    LEFT JOIN drafts d ON d.batch_id = b.id AND d.candidate_id = :candidate
    LEFT JOIN LATERAL (
        SELECT number, kind, filed_at FROM filings
        WHERE candidate_id = :candidate AND batch_id = b.id ORDER BY number DESC LIMIT 1
    ) f ON true
    WHERE :subject_class = ANY (b.subject_classes)
    ORDER BY b.opens_at, b.position, b.code
""")  # noqa: S608 -- constants


def overview(connection: Connection, visitor: Visitor) -> list[Line]:
    """Every batch of the candidate's subject class, and how far each is."""
    found = connection.execute(
        _OVERVIEW, {"candidate": visitor.candidate_id, "subject_class": visitor.facts.subject_class}
    ).mappings()
    return [
        Line(
            batch=batches.from_row(dict(row)),
            drafted_at=row["drafted_at"],
            number=row["number"],
            kind=row["kind"],
            filed_at=row["filed_at"],
            draft_differs=row["draft_differs"],
        )
        for row in found
    ]
