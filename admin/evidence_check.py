"""The evidence in the database, checked against itself and against the keys (L-01, L-04, L-09).

Row by row: the digest stored is that of the record, the chain of one candidate in one batch has no gap and no
break, the receipt is signed and says what the row says, the codes given were real codes of a card handed to
this candidate, and the audit knows of the filing from the same address. Then across tables: a code spent on
filing, an audit entry and a message each point to a filing that is there; the tallies are those of a recount;
the logs and the seals, so far as there are any, have these very filings; what is later than the close was allowed
by two officers. Everything is read in one snapshot
while the service goes on, a few hundred rows at a time.

What nobody can find here is a history rewritten by somebody who holds the receipts' private key and changes
filings, audit and messages alike: receipts in candidates' hands and the published seal are for that.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import text
from sqlalchemy.orm import Session

from app import bindings, evidence, filings, tallies
from app.evidence import FilingRecord, Receipt, ReceiptError
from app.seals import CURRENT
from app.wording import phrase
from cards import codes
from cards.errors import NoSuchIndex

AT_A_TIME: Final = 500
#: the longest grace there can be (`Settings.grace_seconds`): what is later needs leave
LONGEST_GRACE_S: Final = 120

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where: candidate number masked, batch, number (0: none in particular)."""

    candidate: str
    batch: str
    number: int
    text: str

    def __str__(self) -> str:
        place = [part for part in (self.candidate, self.batch and f"batch {self.batch}") if part]
        if self.number:
            place.append(f"number {self.number}")
        return f"{', '.join(place)}: {self.text}"


@dataclass(frozen=True, slots=True)
class Place:
    """A filing, by its row."""

    id: int
    candidate_id: int


@dataclass(frozen=True, slots=True)
class Keys:
    """What checking takes: the cards' keys, and the receipts' public ones by key id."""

    cards: Mapping[int, bytes]
    receipts: Mapping[str, Ed25519PublicKey]


# Outer joins, and a time the driver can read: a row that was led astray must be found, not skipped.
_FILINGS: Final = text(f"""
    SELECT {filings.RECORD_FIELDS}, f.id, f.candidate_id, f.batch_id, f.receipt, f.challenge, f.device,
           f.device_hash, f.ip, k.lot, k.key_chain, k.algorithm, k.salt, k.verifiers, k.holder_id,
           u.candidate_id AS used_by, u.purpose, v.candidate_id AS second_used_by, v.purpose AS second_purpose,
           e.ip AS audited_ip, e.detail AS audited,
           f.device_hash IS NULL OR d.token_hash IS NOT NULL AS device_known
    FROM (
        SELECT id, candidate_id, batch_id, candidate_no, number, kind, content, catalogue_version, nonce, previous,
               digest, serial, code_index, opening, second_index, second_opening, challenge, receipt, device,
               device_hash, ip,
               CASE WHEN filed_at BETWEEN '2000-01-01' AND '2999-01-01' THEN filed_at END AS filed_at
        FROM filings
    ) f
    LEFT JOIN candidates c ON c.id = f.candidate_id
    LEFT JOIN batches b ON b.id = f.batch_id
    LEFT JOIN cards k ON k.serial = f.serial
    LEFT JOIN card_uses u ON u.serial = f.serial AND u.code_index = f.code_index
    LEFT JOIN card_uses v ON v.serial = f.serial AND v.code_index = f.second_index
    LEFT JOIN devices d ON d.candidate_id = f.candidate_id AND d.token_hash = f.device_hash
    LEFT JOIN LATERAL (
        SELECT a.ip, a.detail FROM audit a
        WHERE a.candidate_id = f.candidate_id AND a.act = 'filing.confirmed' AND a.detail ->> 'batch' = b.code
          AND a.detail ->> 'number' = CAST(f.number AS text)
        ORDER BY a.id LIMIT 1
    ) e ON true
    ORDER BY f.candidate_id, f.batch_id, f.number
""")  # noqa: S608 -- constants

_POINTERS: Final = (
    (
        "a code of the card was spent on a filing that is not there",
        """
        SELECT u.candidate_id, '' AS batch, 0 AS number FROM card_uses u
        WHERE u.purpose = 'filing'
          AND NOT EXISTS (SELECT FROM filings f WHERE f.serial = u.serial AND f.code_index = u.code_index)
          AND NOT EXISTS (SELECT FROM filings f WHERE f.serial = u.serial AND f.second_index = u.code_index)
        """,
    ),
    (
        "one code of the card is given as proof of two filings",
        """
        SELECT max(g.candidate_id) AS candidate_id, '' AS batch, 0 AS number
        FROM (SELECT candidate_id, serial, code_index FROM filings
              UNION ALL SELECT candidate_id, serial, second_index FROM filings WHERE second_index IS NOT NULL) g
        GROUP BY g.serial, g.code_index HAVING count(*) > 1
        """,
    ),
    (
        "the audit tells of a filing that is not there",
        """
        SELECT a.candidate_id, a.detail ->> 'batch' AS batch, CAST(a.detail ->> 'number' AS integer) AS number
        FROM audit a
        WHERE a.act = 'filing.confirmed' AND NOT EXISTS (
            SELECT FROM filings f JOIN batches b ON b.id = f.batch_id
            WHERE f.candidate_id = a.candidate_id AND b.code = a.detail ->> 'batch'
              AND CAST(f.number AS text) = a.detail ->> 'number')
        """,
    ),
    (
        "the candidate was sent a message about a filing with another digest, or one that is not there",
        """
        SELECT n.candidate_id, n.params ->> 'batch' AS batch, CAST(n.params ->> 'number' AS integer) AS number
        FROM notices n
        WHERE n.kind IN ('filed', 'waived') AND NOT EXISTS (
            SELECT FROM filings f
            WHERE f.candidate_id = n.candidate_id AND encode(f.digest, 'hex') = split_part(n.dedupe, '|', 3))
        """,
    ),
    (
        "it was filed after the close, and the audit knows of no leave for it",
        f"""
        SELECT f.candidate_id, b.code AS batch, f.number FROM filings f JOIN batches b ON b.id = f.batch_id
        WHERE f.filed_at >= b.closes_at + interval '{LONGEST_GRACE_S} seconds' AND NOT EXISTS (
            SELECT FROM reopenings r JOIN audit a ON a.candidate_id = r.candidate_id
            WHERE r.candidate_id = f.candidate_id AND r.batch_id = f.batch_id
              AND r.created_at <= f.filed_at AND f.filed_at < r.until
              AND a.act = 'candidate.reopened' AND a.detail ->> 'batch' = b.code AND a.at <= f.filed_at
              AND a.detail ->> 'until' = to_char(r.until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
        """,  # noqa: S608 -- constants
    ),
    (
        "the log has a filing with another digest, or one that is not there",
        """
        SELECT f.candidate_id, '' AS batch, f.number FROM leaves l LEFT JOIN filings f ON f.id = l.ref
        WHERE l.log = 'filings' AND f.digest IS DISTINCT FROM l.hash
        """,
    ),
    (
        "what stands is not what was sealed",
        f"""
        SELECT coalesce(z.candidate_id, f.candidate_id) AS candidate_id, b.code AS batch, f.number
        FROM batches b
        JOIN seals s ON s.batch_id = b.id AND {CURRENT}
        CROSS JOIN LATERAL (
            SELECT DISTINCT ON (candidate_id) candidate_id, number, digest FROM filings WHERE batch_id = b.id
            ORDER BY candidate_id, number DESC
        ) f
        FULL JOIN sealed_filings z ON z.seal = s.number AND z.candidate_id = f.candidate_id
        WHERE z.digest IS DISTINCT FROM f.digest AND (z.seal IS NULL OR z.seal IN (
            SELECT s.number FROM seals s JOIN batches b ON b.id = s.batch_id AND {CURRENT}))
        """,  # noqa: S608 -- constants
    ),
)
_WHO: Final = tuple(
    (
        words,
        text(
            f"SELECT c.candidate_no, w.batch, w.number FROM ({sql}) w"  # noqa: S608 -- constants
            " LEFT JOIN candidates c ON c.id = w.candidate_id"
        ),
    )
    for words, sql in _POINTERS
)


def count(session: Session) -> int:
    """How many filings there are to check."""
    return int(session.execute(text("SELECT count(*) FROM filings")).scalar_one())


def check(session: Session, keys: Keys, checked: Callable[[int], object]) -> Iterator[Finding]:
    """Yield everything that is wrong. `checked` is told how many filings each step took.

    `session` must be fresh: it is made one read-only snapshot. Raises `cards.errors.KeyUnusable` when a card
    key in use is not among `keys`, for then nothing can be said.
    """
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    session.execute(text("SET TRANSACTION READ ONLY"))
    session.execute(text("SET LOCAL statement_timeout = 0"))
    session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    with session.execute(_FILINGS, execution_options={"yield_per": AT_A_TIME}) as found:
        for _, rows in groupby(found.mappings(), lambda row: (row["candidate_id"], row["batch_id"])):
            chain = [dict(row) for row in rows]
            yield from _chain(chain, keys)
            checked(len(chain))
    yield from _pointers(session)
    for tally in tallies.wrong(session):
        name = f"{tally.office} ({tally.office_code})"
        yield Finding("", tally.batch or "?", 0, f"the tally of {name} is not that of a recount")


_SOME: Final = text(f"SELECT * FROM ({_FILINGS.text}) f WHERE id = ANY (CAST(:ids AS bigint[]))")  # noqa: S608 -- constants


def some(session: Session, keys: Keys, ids: Iterable[int]) -> dict[Place, list[Finding]]:
    """What is wrong with these filings, each looked at by itself (X-16); nothing of those that are right."""
    found: dict[Place, list[Finding]] = {}
    for mapping in session.execute(_SOME, {"ids": list(ids)}).mappings():
        row = dict(mapping)
        record = _record(row)
        said = list(_row(row, record, keys))
        if record is not None and evidence.filing_digest(record) != bytes(row["digest"]):
            said.append("it was altered: it no longer has the digest stored with it")
        if said:
            found[Place(row["id"], row["candidate_id"])] = [_at(row, words) for words in said]
    return found


def _pointers(session: Session) -> Iterator[Finding]:
    for words, question in _WHO:
        with session.execute(question, execution_options={"yield_per": AT_A_TIME}) as found:
            for row in found.mappings():
                yield Finding(evidence.masked(row["candidate_no"] or ""), row["batch"] or "", row["number"] or 0, words)


# --- one candidate in one batch ------------------------------------------------------------------------


def _chain(rows: Sequence[Row], keys: Keys) -> Iterator[Finding]:
    stored: list[tuple[FilingRecord, bytes]] = []
    last_id = 0
    for row in rows:
        record = _record(row)
        said = list(_row(row, record, keys))
        if row["id"] <= last_id:
            said.append("its place in the table is before that of the filing before it")
        last_id = max(last_id, row["id"])
        yield from (_at(row, words) for words in said)
        if record is not None:
            stored.append((record, bytes(row["digest"])))
    by_number = {row["number"]: row for row in rows}
    for fault in evidence.check_chain(stored):
        yield _at(by_number.get(fault.number, rows[0]), phrase(fault.message, fault.params, str), fault.number)


def _at(row: Row, words: str, number: int | None = None) -> Finding:
    return Finding(
        evidence.masked(row["candidate_no"] or "0" * 14), row["batch_code"] or "?", number or row["number"], words
    )


def _record(row: Row) -> FilingRecord | None:
    """The record as the digest covers it, or None when the row cannot be one any more."""
    whole = all(row[name] is not None for name in ("candidate_no", "batch_code", "filed_at"))
    if not whole or (row["second_index"] is None) != (row["second_opening"] is None):
        return None
    record = filings.record(row)
    try:
        evidence.filing_digest(record)
    except (ValueError, OverflowError):  # JSON of which there are no canonical bytes
        return None
    return record


def _row(row: Row, record: FilingRecord | None, keys: Keys) -> Iterator[str]:
    if record is None:
        yield "the row cannot be read as a filing any more: it was altered"
        return
    yield from _receipt(row, record, keys)
    yield from _codes(row, record, keys)
    yield from _circumstances(row)


def _receipt(row: Row, record: FilingRecord, keys: Keys) -> Iterator[str]:
    try:
        receipt = evidence.verify_receipt(row["receipt"], keys.receipts)
    except ReceiptError as error:
        yield f"its receipt proves nothing: {error}"
        return
    meant = Receipt(
        candidate=evidence.masked(record.candidate_no),
        batch=record.batch,
        number=record.number,
        kind=record.kind,
        filed_at=record.filed_at,
        digest=bytes(row["digest"]),
        key_id=receipt.key_id,
    )
    if receipt != meant:
        yield "its receipt says something else than the filing"


def _codes(row: Row, record: FilingRecord, keys: Keys) -> Iterator[str]:
    if row["verifiers"] is None:
        yield f"there is no card {record.serial}"
        return
    if row["holder_id"] != row["candidate_id"]:
        yield "the card was not handed to this candidate"
    uses = [(row["used_by"], row["purpose"]), (row["second_used_by"], row["second_purpose"])]
    for index, opening, use in zip(record.indices, record.openings, uses, strict=False):
        if use != (row["candidate_id"], "filing"):
            yield f"code {index} of the card was not spent by this candidate on filing"
        if not _proved(row, index, opening, keys):
            yield f"no real code {index} of the card was given: whoever made this row did not hold the card"


def _proved(row: Row, index: int, opening: bytes, keys: Keys) -> bool:
    try:
        card = bindings.sealed(row)
        return codes.proves(card, index, opening, keys.cards)
    except (ValueError, NoSuchIndex):  # the card's row is damaged, or it has no such code
        return False


def _circumstances(row: Row) -> Iterator[str]:
    """What is no part of the digest, held against the audit, which was written in the same transaction."""
    audited = row["audited"]
    if audited is None:
        yield "the audit does not tell of it"
        return
    if row["audited_ip"] != row["ip"]:
        yield "the audit has it from another address"
    if not row["device_known"]:
        yield "its device is none of the candidate's"
    for name in ("kind", "device", "digest", "challenge"):
        value = bytes(row[name]).hex() if isinstance(row[name], bytes) else row[name]
        if audited.get(name, value) != value:
            yield f"the audit has another {name}"
