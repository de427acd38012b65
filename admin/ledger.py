"""The two logs: every filing and every audit entry gets a place after its commit, and roots are signed (L-02).

A round takes what has no place yet, gives it the next ones, and signs a checkpoint at least every thousand leaves,
all in one transaction: a sealer that dies in the middle has done nothing, and two of them wait for each other. The
transaction that files writes nothing for this and waits for nothing. What a filing proves (its receipt) holds
before it has a place; the place proves that it was not taken away later.

A leaf of the filings is the filing's digest. A leaf of the audit is SHA-256(0x00 ‖ canonical JSON of its row), the
time in UTC to the microsecond, the detail as the text PostgreSQL gives for it.

A checkpoint is a C2SP signed note: origin, size, root, then number, digest of the note before, and time.
"""

import base64
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db import Database, clock
from app.errors import Refusal, Unavailable
from app.evidence import canonical
from app.merkle import Frontier, MerkleTree, leaf_hash
from app.seals import LOGS, Log
from config.keys import SealKeys

_log = logging.getLogger("zhiyuan.sealer")

#: no more leaves than this between two signed checkpoints
LEAVES: Final = 1000
#: what one transaction takes
_AT_ONCE: Final = 20_000
#: seconds between two rounds: a leaf is under a checkpoint well within a minute
PAUSE_S: Final = 15.0
#: rounds between two looks at everything, not only at the last quarter of an hour
_SWEEP_EVERY: Final = 120
#: any number of our own; the sealers ask for the same one
_ADVISORY_LOCK: Final = 7_302_020

#: an entry of the audit as its leaf covers it
AUDIT_COLUMNS: Final = """
    a.id, to_char(a.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, a.actor, a.officer_id,
    a.candidate_id, a.act, a.ip, a.request_id, CAST(a.detail AS text) AS detail
"""
_ROWS: Final[Mapping[Log, str]] = {
    "filings": """
        SELECT f.id AS ref, f.digest FROM filings f
        LEFT JOIN leaves l ON l.log = 'filings' AND l.ref = f.id
        WHERE l.ref IS NULL AND (:sweep OR f.filed_at > clock_timestamp() - interval '15 minutes')
        ORDER BY f.filed_at, f.id LIMIT :most
    """,
    "audit": f"""
        SELECT a.id AS ref, {AUDIT_COLUMNS}
        FROM audit a LEFT JOIN leaves l ON l.log = 'audit' AND l.ref = a.id
        WHERE l.ref IS NULL AND (:sweep OR a.at > clock_timestamp() - interval '15 minutes')
        ORDER BY a.id LIMIT :most
    """,  # noqa: S608 -- constants
}


class LedgerError(Refusal):
    """What is in the logs cannot be: nothing is added to it."""

    status = 409
    reason = "ledger"


@dataclass(frozen=True, slots=True)
class Head:
    """Where a log ends: its newest checkpoint, or the beginning."""

    log: Log
    number: int
    size: int
    root: bytes
    note_digest: str | None
    frontier: bytes

    def to_json(self) -> dict[str, Any]:
        """What a seal says of it."""
        return {"checkpoint": self.number, "note": self.note_digest, "root": self.root.hex(), "size": self.size}


# --- keys ---------------------------------------------------------------------------------------------


def key_statement(version: int, public: bytes, before: bytes | None) -> bytes:
    """What a key of the sealer signs about itself, and the one before it about its successor."""
    said = {
        "key": version,
        "previous": before.hex() if before else None,
        "public": public.hex(),
        "use": "zhiyuan seal key 1",
    }
    return canonical(said)


def enter_keys(session: Session, keys: SealKeys) -> None:
    """Publish the keys that are new, each vouched for by the one before. Raises `LedgerError` for a changed one."""
    hold(session)
    known = {row.version: bytes(row.public) for row in session.execute(text("SELECT version, public FROM seal_keys"))}
    before: tuple[bytes, Ed25519PrivateKey] | None = None
    for version, key in sorted(keys.private.items()):
        public = key.public_key().public_bytes_raw()
        if known.get(version, public) != public:
            raise LedgerError(f"seal_key.{version} is another key than the one published; give a new key a new number")
        if version not in known:
            if known and before is None:
                raise LedgerError("a new key must be vouched for by the one before; keep both in the directory")
            statement = key_statement(version, public, before and before[0])
            session.execute(
                text("INSERT INTO seal_keys (version, public, signature, vouched) VALUES (:v, :p, :s, :b)"),
                {
                    "v": version,
                    "p": public,
                    "s": key.sign(statement),
                    "b": before[1].sign(statement) if before else None,
                },
            )
            known[version] = public
        before = public, key


# --- rounds -------------------------------------------------------------------------------------------


def hold(session: Session) -> None:
    """Be the only sealer until the transaction ends."""
    session.execute(text("SET LOCAL statement_timeout = 0"))
    session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})


def head(session: Session, log: Log) -> Head:
    """Where `log` ends. Raises `LedgerError` when there are other leaves than were signed."""
    row = session.execute(
        text("SELECT * FROM checkpoints WHERE log = :log ORDER BY number DESC LIMIT 1"), {"log": log}
    ).first()
    last = session.execute(text("SELECT max(place) FROM leaves WHERE log = :log"), {"log": log}).scalar()
    size = row.size if row else 0
    if (last + 1 if last is not None else 0) != size:
        raise LedgerError(f"the log of {log} has {(last or 0) + 1} leaves and its last checkpoint says {size}")
    if row is None:
        return Head(log, 0, 0, Frontier().root, None, b"")
    note = sha256(row.note.encode()).hexdigest()
    return Head(log, row.number, row.size, bytes(row.root), note, bytes(row.frontier))


def advance(session: Session, log: Log, keys: SealKeys, *, sweep: bool = False) -> int:
    """Give places to what has none yet, and sign; returns how many. `sweep` looks at everything there ever was."""
    hold(session)
    asked = {"sweep": sweep, "most": _AT_ONCE}
    rows = [dict(row) for row in session.execute(text(_ROWS[log]), asked).mappings()]
    for start in range(0, len(rows), LEAVES):
        part = rows[start : start + LEAVES]
        refs = [row.pop("ref") for row in part]
        hashes = [bytes(row["digest"]) if log == "filings" else leaf_hash(canonical(row)) for row in part]
        _append(session, head(session, log), refs, hashes, keys)
    return len(rows)


def _append(session: Session, before: Head, refs: Sequence[int], hashes: Sequence[bytes], keys: SealKeys) -> None:
    session.execute(
        text("""
            INSERT INTO leaves (log, place, ref, hash)
            SELECT :log, :size + n.at - 1, n.ref, n.hash
            FROM unnest(CAST(:refs AS bigint[]), CAST(:hashes AS bytea[])) WITH ORDINALITY AS n (ref, hash, at)
        """),
        {"log": before.log, "size": before.size, "refs": list(refs), "hashes": list(hashes)},
    )
    tree = Frontier(before.size, before.frontier)
    for leaf in hashes:
        tree.append(leaf)
    moment = clock(session)
    session.execute(
        text("""
            INSERT INTO checkpoints (log, number, size, root, frontier, note, signed_at)
            VALUES (:log, :number, :size, :root, :frontier, :note, :at)
        """),
        {
            "log": before.log,
            "number": before.number + 1,
            "size": tree.size,
            "root": tree.root,
            "frontier": tree.kept,
            "note": note(before, tree, moment, keys),
            "at": moment,
        },
    )


def note(before: Head, tree: Frontier, moment: datetime, keys: SealKeys) -> str:
    """The checkpoint that follows `before`, signed."""
    body = (
        f"zhiyuan/{before.log}\n{tree.size}\n{base64.b64encode(tree.root).decode()}\n"
        f"number {before.number + 1}\nprevious {before.note_digest or '-'}\n"
        f"time {moment.astimezone(UTC).isoformat(timespec='seconds').replace('+00:00', 'Z')}\n"
    )
    key = keys.private[keys.version]
    name = f"zhiyuan-seal-{keys.version}"
    signature = base64.b64encode(_key_hash(name, key.public_key()) + key.sign(body.encode())).decode()
    return f"{body}\n— {name} {signature}\n"


def _key_hash(name: str, key: Ed25519PublicKey) -> bytes:
    return sha256(name.encode() + b"\n\x01" + key.public_bytes_raw()).digest()[:4]


def catch_up(session: Session, keys: SealKeys) -> None:
    """Give a place to everything there is, in this transaction."""
    enter_keys(session, keys)
    for log in LOGS:
        while advance(session, log, keys, sweep=True):
            pass


def watch(database: Database, keys: SealKeys, stopped: threading.Event, pause: float = PAUSE_S) -> None:
    """Go round until `stopped`. A round that fails is said in the log and tried again; filing goes on meanwhile."""
    rounds = 0
    while not stopped.is_set():
        sweep = rounds % _SWEEP_EVERY == 0
        try:
            many = round_of(database, keys, sweep=sweep)
        except Unavailable as error:
            _log.warning("sealer waits: %s", error)
            many, rounds = 0, 0
        else:
            # after trouble everything is looked at, for what was filed meanwhile may be older than what is recent
            rounds += many < _AT_ONCE
        stopped.wait(0 if many >= _AT_ONCE else pause)


def round_of(database: Database, keys: SealKeys, *, sweep: bool) -> int:
    """One round over both logs, a transaction each; returns the most leaves one of them took."""
    with database.transaction() as session:
        enter_keys(session, keys)
    taken = []
    for log in LOGS:
        with database.transaction() as session:
            taken.append(advance(session, log, keys, sweep=sweep))
    return max(taken)


def consistency(session: Session, log: Log, first: int, second: int) -> tuple[MerkleTree, list[bytes]]:
    """The tree of the first `second` leaves, and the proof that that of `first` is its beginning (RFC 9162)."""
    rows = session.execute(
        text("SELECT hash FROM leaves WHERE log = :log AND place < :size ORDER BY place"), {"log": log, "size": second}
    )
    tree = MerkleTree(bytes(row.hash) for row in rows)
    if not 0 < first <= second == len(tree):
        raise LedgerError(f"the log of {log} has no {first} and {second} leaves")
    return tree, tree.consistency(first)
