"""Filing: draft, check, then confirm with a code.

What `confirm` does is one transaction:

    lock the candidate, then the batch (shared) → this challenge already answered? → the clock is trusted, and the
    batch open by it, read after the locks → the challenge is this one → the list is the one shown → rules → code
    → append → commit

The order matters. Looking for the earlier answer before holding the lock would take replays for failures;
comparing a code before the challenge is known to be current would book a double click as a wrong try.
"""

import hmac
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy.orm import Session

from app import (
    accounts,
    audit,
    batches,
    bindings,
    catalogue,
    choices,
    drafts,
    evidence,
    filings,
    rules,
    standing,
    tallies,
)
from app.batches import Opened
from app.bindings import Right
from app.catalogue import Slice
from app.db import Question, Write, together
from app.differences import Difference, differences
from app.errors import (
    ChallengeStale,
    ClockInDoubt,
    DraftMoved,
    KeyReused,
    NoCard,
    NotFound,
    Refusal,
    RulesBroken,
    TooSoon,
    WindowShut,
)
from app.evidence import FilingRecord
from app.notices import notice
from app.sessions import Visitor
from app.standing import (
    CHALLENGE_LIFE,
    EMPTY,
    Asked,
    Kind,
    Line,
    Sheet,
    Source,
    Standing,
    answered,
    compacted,
    overview,
    sheet,
    sources,
)
from config.keys import KeyRing

__all__ = [
    "CHALLENGE_LIFE",
    "EMPTY",
    "Answer",
    "Asked",
    "Changed",
    "Filed",
    "Kind",
    "Line",
    "Origin",
    "Sheet",
    "Source",
    "Standing",
    "WrongCode",
    "amend",
    "answered",
    "ask",
    "compacted",
    "confirm",
    "list_digest",
    "overview",
    "restore",
    "save_and_ask",
    "sheet",
    "sources",
    "verdict",
]

#: how often a person files at most, in all batches together (F-14): so many in so long
PACE: Final = ((10, timedelta(minutes=1)), (60, timedelta(days=1)))

_LOCK: Final = Question(f"""
    WITH candidate AS MATERIALIZED (
        SELECT candidate_id FROM accounts WHERE candidate_id = :candidate FOR UPDATE
    ), held AS MATERIALIZED (
        SELECT b.id, {batches.SHARED_SQL} FROM batches b, candidate WHERE b.code = :batch
    )
    SELECT 1 FROM batches b JOIN held ON held.id = b.id FOR SHARE OF b
""")  # noqa: S608 -- constants


def hold(session: Session, visitor: Visitor, batch_code: str) -> None:
    """Hold the candidate alone, then the batch together with whoever else saves."""
    _LOCK.first(session, {"candidate": visitor.candidate_id, "batch": batch_code})


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


# --- drafts ------------------------------------------------------------------------------------------


def amend(
    session: Session,
    visitor: Visitor,
    batch_code: str,
    change: Callable[[dict[str, Any]], dict[str, Any]],
    seen_version: int | None = None,
) -> int:
    """Change what the edit page shows, whatever it is by now, and keep it as the draft; returns its version.

    For changes that lose nothing of what another window saved: one more institution, a box. One that takes
    the place of everything gives `seen_version`, and raises `DraftMoved` where that is no longer what stands.
    Raises as `drafts.save` does.
    """
    accounts.lock(session, visitor.candidate_id)
    found = sheet(session, visitor, batch_code)
    if seen_version is not None and seen_version != found.draft_version:
        raise DraftMoved(version=found.draft_version)
    return drafts.save(session, visitor.candidate_id, found.batch.id, change(found.content), found.draft_version)


def restore(session: Session, visitor: Visitor, batch_code: str, number: int, seen_version: int) -> int:
    """Make the draft what filing `number` was; it is in force only after a code (F-11). Returns its version.

    Raises `NotFound` for a number there is not and for a waiver, and as `amend` does.
    """
    filed = filings.one(session, visitor.candidate_id, batch_code, number)
    if filed["kind"] != "list":
        raise NotFound("a waiver has no list")
    return amend(session, visitor, batch_code, lambda _: filed["content"], seen_version)


# --- check -------------------------------------------------------------------------------------------


def save_and_ask(
    session: Session, visitor: Visitor, batch: Opened, content: dict[str, Any], seen_version: int
) -> Asked | Refusal:
    """Keep the draft, and issue the challenge for it.

    What forbids asking (`WindowShut`, `NoCard`, `RulesBroken`) is returned, not raised, for the draft is to be
    kept all the same. Raises as `drafts.save` does.
    """
    version = drafts.save(session, visitor.candidate_id, batch.id, content, seen_version)
    try:
        return ask(session, visitor, batch.code, "list", version)
    except (WindowShut, NoCard, RulesBroken) as refusal:  # raised before anything is written
        return refusal


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
        # the draft with its gaps: closing them would hide them from the rule about gaps
        broken = verdict(visitor, found.batch, whole, found.content).errors
        if broken:
            raise RulesBroken(broken)
    asked: tuple[int, ...] = (bound.asked,)
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


@dataclass(frozen=True, slots=True)
class _Case:
    """One confirmation under its locks."""

    visitor: Visitor
    found: Sheet
    asked: Asked
    origin: Origin


def confirm(  # noqa: PLR0913, PLR0917 -- who, what, from where, and what it takes
    session: Session,
    visitor: Visitor,
    batch_code: str,
    answer: Answer,
    origin: Origin,
    keys: KeyRing,
    grace: timedelta = timedelta(0),
) -> Filed | WrongCode | Changed:
    """Put the list in force if the code is right; see the module's docstring for the order of steps.

    Raises `ClockInDoubt`, `WindowShut`, `ChallengeStale`, `KeyReused`, `RulesBroken`, `NoCard`, `TooSoon`; then
    nothing changed.
    """
    hold(session, visitor, batch_code)
    row = standing.row(session, visitor, batch_code, answer.key)
    found = standing.read(visitor, row)
    if row["prior_number"] is not None:
        return _replayed(visitor, found, row, answer)
    if row["clock_in_doubt"]:
        raise ClockInDoubt
    found.batch.window.require_open(found.now, grace=grace)
    asked = _current(visitor, found, answer)
    _require_pace(row["filed_lately"], found.now)
    if asked.kind == "list":
        changed = differences(asked.content, compacted(found.content))
        if changed:
            return Changed(tuple(changed))
    _require_rules(session, visitor, found, asked)
    return _judged(session, _Case(visitor, found, asked, origin), answer, keys)


def _replayed(visitor: Visitor, found: Sheet, row: Mapping[str, Any], answer: Answer) -> Filed:
    """The same answer once more, also after the close: the same receipt; with another list: an error (F-04)."""
    if row["prior_batch"] != found.batch.id:
        raise KeyReused
    digest = list_digest(visitor, found.batch.code, row["prior_kind"], row["prior_content"], row["prior_catalogue"])
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
        or not asked.asks(bound)
    ):
        raise ChallengeStale
    if not hmac.compare_digest(asked.digest, answer.digest):
        raise KeyReused
    version = found.batch.catalogue_version
    if asked.digest != list_digest(visitor, found.batch.code, asked.kind, asked.content, version):
        raise ChallengeStale  # the catalogue was corrected after the page was made (F-07)
    used_up = bound.wrong_tries >= bindings.SINGLE_TRIES
    if found.two_codes_due and len(answer.codes) < 2 and not used_up:
        raise ChallengeStale  # the page was made while one code was enough: not an attempt
    return asked


def _require_pace(filed_lately: Sequence[datetime], now: datetime) -> None:
    """Raise `TooSoon` for more filings than a person makes. Nobody without the card can bring that about."""
    for most, time in PACE:
        if len(filed_lately) >= most:
            wait = filed_lately[most - 1] + time - now
            if wait > timedelta(0):
                raise TooSoon(max(1, round(wait.total_seconds())))


def _require_rules(session: Session, visitor: Visitor, found: Sheet, asked: Asked) -> None:
    if asked.kind == "waiver":
        return
    whole = catalogue.of(session, found.batch, visitor.facts.subject_class)
    broken = verdict(visitor, found.batch, whole, asked.content).errors
    if broken:
        raise RulesBroken(broken)


def _judged(session: Session, case: _Case, answer: Answer, keys: KeyRing) -> Filed | WrongCode:
    found, visitor, bound = case.found, case.visitor, case.found.bound
    if bound is None:
        raise NoCard
    two_needed = found.two_codes_due
    session_name = visitor.session_hash.hex()[:16]
    # a lone answer where wrong ones have made it two is a wrong try too, counted and never compared: no wait for it
    paced = two_needed and len(answer.codes) > 1
    if paced:
        bindings.require_pace(bound, session_name, found.now, device_known=visitor.device_known)
    judged = bindings.judge(bound, answer.codes, keys.card_key, two_needed=two_needed)
    if isinstance(judged, Right):
        return _append(session, case, judged, keys)
    writes = [
        bindings.book_wrong(visitor.candidate_id, session_name, paced=paced),
        _entry(case, "code.wrong", batch=found.batch.code, tries=judged.tries),
    ]
    if judged.tries == bindings.SINGLE_TRIES:
        writes.append(notice("wrong_codes", visitor.candidate_id, case.origin.request_id))
    together(session, *writes)
    return WrongCode(max(0, bindings.SINGLE_TRIES - judged.tries), judged.two_needed)


def _append(session: Session, case: _Case, right: Right, keys: KeyRing) -> Filed:
    found, visitor, asked, bound = case.found, case.visitor, case.asked, case.found.bound
    if bound is None:
        raise NoCard
    before = found.standing
    record = FilingRecord(
        candidate_no=visitor.candidate_no,
        batch=found.batch.code,
        number=before.number + 1 if before else 1,
        kind=asked.kind,
        content=asked.content,
        catalogue_version=found.batch.catalogue_version,
        filed_at=found.now.astimezone(UTC),
        nonce=secrets.token_bytes(16),
        previous=before.digest if before else None,
        serial=bound.card.serial,
        indices=tuple(index for index, _ in right.given),
        openings=tuple(opening for _, opening in right.given),
    )
    digest = evidence.filing_digest(record)
    version = keys.receipt_version
    receipt = evidence.sign_receipt(record, keys.receipt_key[version], str(version), digest=digest)
    together(
        session,
        *bindings.spend(bound, right, "filing"),
        _filing(case, record, digest, receipt),
        Write(
            "DELETE FROM challenges WHERE candidate_id = :candidate AND batch_id = :batch",
            {"candidate": visitor.candidate_id, "batch": found.batch.id},
        ),
        accounts.device_known(visitor.candidate_id, case.origin.device_hash, case.origin.device),
        *_told(case, record, digest),
    )
    return Filed(record.number, receipt)


def _told(case: _Case, record: FilingRecord, digest: bytes) -> list[Write]:
    """Who hears of a filing: the candidate, the audit, the tallies of the registration point."""
    found, visitor = case.found, case.visitor
    before, after = _state_before(visitor, found), _STATES[record.kind]
    writes = [
        notice(
            after,
            visitor.candidate_id,
            digest.hex(),
            batch=found.batch.name,
            number=record.number,
            at=record.filed_at.isoformat(),
            digest=digest.hex()[:8],
        ),
        _entry(
            case,
            "filing.confirmed",
            batch=found.batch.code,
            number=record.number,
            kind=record.kind,
            digest=digest.hex(),
            challenge=case.asked.key.hex(),
            device=case.origin.device,
        ),
    ]
    if before != after:
        writes.append(tallies.move(visitor.candidate_id, found.batch.id, before, after))
    return writes


_STATES: Final[Mapping[Kind, Literal["filed", "waived"]]] = {"list": "filed", "waiver": "waived"}


def _state_before(visitor: Visitor, found: Sheet) -> tallies.State:
    if found.standing is not None:
        return _STATES[found.standing.kind]
    if visitor.facts.admitted and found.batch.closed_to_admitted:
        return "not_eligible"
    return "nothing_filed" if found.draft is None else "draft_only"


def _filing(case: _Case, record: FilingRecord, digest: bytes, receipt: str) -> Write:
    second = len(record.indices) > 1
    return Write(
        """
        INSERT INTO filings (candidate_id, batch_id, candidate_no, number, kind, content, catalogue_version,
            filed_at, nonce, previous, digest, serial, code_index, opening, second_index, second_opening, challenge,
            receipt, device, device_hash, ip)
        VALUES (:candidate, :batch, :candidate_no, :number, :kind, CAST(:content AS jsonb), :catalogue_version,
            :filed_at, :nonce, :previous, :digest, :serial, :code_index, :opening, :second_index, :second_opening,
            :challenge, :receipt, :device, :device_hash, :ip)
        """,
        {
            "candidate": case.visitor.candidate_id,
            "batch": case.found.batch.id,
            "candidate_no": record.candidate_no,
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
            "challenge": case.asked.key,
            "receipt": receipt,
            "device": case.origin.device,
            "device_hash": case.origin.device_hash,
            "ip": case.origin.ip,
        },
    )


def _entry(case: _Case, act: str, **detail: Any) -> Write:
    return audit.entry(
        act,
        actor="candidate",
        candidate_id=case.visitor.candidate_id,
        ip=case.origin.ip,
        request_id=case.origin.request_id,
        **detail,
    )
