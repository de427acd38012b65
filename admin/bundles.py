"""Bundles: what `admin/verify.py` checks without us, as files in one directory (config/deploy/evidence.md).

    keys.jsonl         public keys of the sealer
    checkpoints.jsonl  every signed checkpoint up to the seal, with what witnesses have cosigned
    filings.log        digest of every filing of the season up to the seal, a line each, in the order of the log
    audit.log          hash of every audit entry, the same
    seals.jsonl        every seal up to this one; the last is the batch's
    sealed.csv         pseudonym and digest of every filing in force

These are published. A whole bundle, for auditors only, holds the records themselves besides:

    records.jsonl      every filing of the batch, with its receipt and its place in the log
    audit.jsonl        every audit entry
    standing.csv       the list for admission

What is written is what the database holds now, sound or not: judging is the verifier's part.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from admin import sealed_list, sealing
from admin.ledger import AUDIT_COLUMNS
from app import filings
from app.errors import NotFound
from app.evidence import canonical
from app.seals import LOGS
from app.witnesses import NOTED

PUBLIC: Final = ("keys.jsonl", "checkpoints.jsonl", "filings.log", "audit.log", "seals.jsonl", "sealed.csv")
WHOLE: Final = (*PUBLIC, "records.jsonl", "audit.jsonl", "standing.csv")

_SEAL = text("""
    SELECT s.number, s.batch_id, CAST(s.statement AS json) -> 'logs' AS logs
    FROM seals s JOIN batches b ON b.id = s.batch_id WHERE b.code = :code ORDER BY s.number DESC LIMIT 1
""")
_KEYS = text("""
    SELECT version, encode(public, 'hex') AS public, encode(signature, 'hex') AS signature,
           encode(vouched, 'hex') AS vouched
    FROM seal_keys ORDER BY version
""")
_SEALS = text(
    "SELECT statement, encode(signature, 'hex') AS signature FROM seals WHERE number <= :number ORDER BY number"
)
_CHECKPOINTS = text(f"""
    SELECT c.log, {NOTED} AS note FROM checkpoints c WHERE c.log = :log AND c.size <= :size ORDER BY c.number
""")  # noqa: S608 -- constants
_LOG = text("SELECT encode(hash, 'hex') AS hash FROM leaves WHERE log = :log AND place < :size ORDER BY place")
_SEALED = text("""
    SELECT encode(pseudonym, 'hex') AS pseudonym, encode(digest, 'hex') AS digest
    FROM sealed_filings WHERE seal = :number ORDER BY position
""")
_RECORDS = text(f"""
    SELECT {filings.RECORD_FIELDS}, f.receipt, l.place
    FROM filings f
    JOIN batches b ON b.id = f.batch_id
    LEFT JOIN leaves l ON l.log = 'filings' AND l.ref = f.id
    LEFT JOIN sealed_filings z ON z.seal = :number AND z.candidate_id = f.candidate_id
    WHERE f.batch_id = :batch
    ORDER BY z.position, f.candidate_id, f.number
""")  # noqa: S608 -- constants
_AUDIT = text(f"""
    SELECT {AUDIT_COLUMNS}
    FROM leaves l LEFT JOIN audit a ON a.id = l.ref
    WHERE l.log = 'audit' AND l.place < :size ORDER BY l.place
""")  # noqa: S608 -- constants


def write(session: Session, batch_code: str, directory: Path, *, whole: bool) -> list[str]:
    """Write the bundle of a sealed batch into a new directory; returns the names of its files.

    `session` is made one read-only snapshot. Raises `NotFound` for a batch that is not sealed, `FileExistsError`.
    """
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    session.execute(text("SET TRANSACTION READ ONLY"))
    session.execute(text("SET LOCAL statement_timeout = 0"))
    session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    seal = session.execute(_SEAL, {"code": batch_code}).first()
    if seal is None:
        raise NotFound(f"batch {batch_code} is not sealed")
    directory.mkdir(mode=0o700)
    parts = dict(_public(session, seal)) | (dict(_records(session, seal)) if whole else {})
    for name, lines in parts.items():
        handle = os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.writelines(lines)
    return list(parts)


Parts = Iterator[tuple[str, Iterable[str]]]


def _public(session: Session, seal: Any) -> Parts:
    sizes = {log: seal.logs[log]["size"] for log in LOGS}
    number = {"number": seal.number}
    yield "keys.jsonl", (_json(dict(row)) for row in _rows(session, _KEYS))
    yield (
        "checkpoints.jsonl",
        (_json(dict(row)) for log in LOGS for row in _rows(session, _CHECKPOINTS, log=log, size=sizes[log])),
    )
    for log in LOGS:
        yield f"{log}.log", (f"{row['hash']}\n" for row in _rows(session, _LOG, log=log, size=sizes[log]))
    # a statement is written as it was signed, character for character
    seals = _rows(session, _SEALS, **number)
    yield "seals.jsonl", (f'{{"signature":"{row["signature"]}","statement":{row["statement"]}}}\n' for row in seals)
    yield "sealed.csv", (f"{row['pseudonym']},{row['digest']}\n" for row in _rows(session, _SEALED, **number))


def _records(session: Session, seal: Any) -> Parts:
    found = _rows(session, _RECORDS, number=seal.number, batch=seal.batch_id)
    yield "records.jsonl", (_record(dict(row)) for row in found)
    size = seal.logs["audit"]["size"]
    yield (
        "audit.jsonl",
        (_json(dict(row)) for row in _rows(session, _AUDIT, size=size)),
    )
    yield "standing.csv", _list(session, seal.batch_id)


def _list(session: Session, batch_id: int) -> Iterator[str]:
    yield sealed_list.HEADING
    for row in sealing.standing(session, batch_id):
        try:
            yield sealed_list.written(sealing.sealed_list_of(row))
        except (KeyError, TypeError, AttributeError):  # altered so far that it is no list any more
            yield f"{row['candidate_no']} cannot be read\n"


def _record(row: dict[str, Any]) -> str:
    return _json({"place": row["place"], "receipt": row["receipt"], "record": filings.record(row).to_json()})


def _rows(session: Session, asked: Any, **where: object) -> Iterator[Any]:
    with session.execute(asked, where, execution_options={"yield_per": sealing.AT_A_TIME}) as found:
        yield from found.mappings()


def _json(value: dict[str, Any]) -> str:
    return canonical(value).decode() + "\n"
