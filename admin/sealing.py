"""The seal of a closed batch: what stood at the close, in one signed statement (L-08).

    {"batch", "closes_at", "counts": {"filings", "lists", "waivers"}, "export", "grace_seconds", "history", "key",
     "logs": {"audit", "filings"}, "number", "opens_at", "previous", "receipt_keys", "seal_keys", "sealed_at",
     "supplement": {"filings", "reopenings"}, "tree": {"root", "size"}, "use": "zhiyuan seal 1"}

It names the tree over (pseudonym, digest) of every filing in force (`app.proofs`), both logs as they stood
(`admin.ledger`), the digest of the list for admission (`admin.sealed_list`), the batch's times and every act that
moved them, and the seal before it. It is signed by the sealer and appended; the same close is sealed once, however
often the command is run. Until the list is handed over for admission (`admin.admission`) two officers can still move
the end later, or open the batch again to one candidate; the next close then gets a seal of its own, which takes the
place of the one before.

The supplement counts what was filed after the close by leave (`admin.reopenings`). While somebody may still file so,
or a second officer may still allow it, nothing is sealed.

Two steps: the batch is locked alone until every filing that held it is decided, and let go; then everything is read
and written in one transaction that no candidate waits for. Broken off, nothing has happened.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from admin import ledger, reopenings, sealed_list
from admin.intake.loading.report import driver
from app import audit, batches, evidence, filings, proofs
from app.db import Database, clock, together
from app.errors import Refusal
from app.evidence import canonical, filing_digest, utc
from app.merkle import MerkleTree
from app.seals import CURRENT, LOGS
from app.tallies import ABOVE_FROM, STATES, SUMS_SQL
from config.keys import SealKeys

AT_A_TIME: Final = 500


class CannotSeal(Refusal):
    """The batch cannot be sealed now; the message says why and what to do."""

    status = 409
    reason = "cannot_seal"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A seal there is. `fresh`: this run made it."""

    number: int
    batch_code: str
    size: int
    root: bytes
    fresh: bool


@dataclass(frozen=True, slots=True)
class Close:
    """A batch that is closed for good, unless its end is moved."""

    id: int
    code: str
    opens_at: datetime
    closes_at: datetime
    #: until when it was open again to somebody; None where it never was
    reopened_until: datetime | None


# Of every candidate the filing that stands, in the order of the pseudonym: the database sorts, so that the list for
# admission need not be held in memory.
STANDING: Final = f"""
    SELECT {filings.RECORD_FIELDS}, f.candidate_id, first.digest AS first_digest,
           sha256('zhiyuan pseudonym 1'::bytea || first.digest) AS pseudonym
    FROM (SELECT DISTINCT ON (candidate_id) * FROM filings WHERE batch_id = :batch
          ORDER BY candidate_id, number DESC) f
    JOIN batches b ON b.id = f.batch_id
    LEFT JOIN filings first ON first.candidate_id = f.candidate_id AND first.batch_id = f.batch_id
        AND first.number = 1
    ORDER BY pseudonym
"""  # noqa: S608 -- constants
_HISTORY = text("""
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, act, CAST(detail AS text) AS detail
    FROM audit WHERE act LIKE 'batch.%' AND act <> 'batch.sealed' AND detail ->> 'batch' = :code ORDER BY id
""")
_AMENDMENTS = text(
    f"SELECT count(*) FROM filings f JOIN batches b ON b.id = f.batch_id WHERE f.batch_id = :id AND {filings.AMENDS}"  # noqa: S608
)


def seal(database: Database, keys: SealKeys, batch_code: str, grace: timedelta = timedelta(0)) -> Sealed:
    """Seal a batch whose end, and the grace after it, has passed; the seal there is if this close is sealed.

    Raises `CannotSeal` before the close, while it is open again to somebody or that waits to be decided, and when
    what was filed does not fit its digests; `NotFound`.
    """
    with database.transaction() as session:
        close = closed(session, batch_code, grace)
        there = _there(session, close)
    if there is not None:
        return there
    with database.transaction() as session:
        ledger.catch_up(session, keys)
        there = _there(session, close)  # another sealer may have been faster
        return there or _seal(session, keys, close, grace)


_DUE = text(f"""
    SELECT b.id, b.code, greatest(b.closes_at, r.until) AS closed_at
    FROM batches b
    CROSS JOIN LATERAL (SELECT max(until) AS until FROM reopenings WHERE batch_id = b.id) r
    WHERE b.suspended_at IS NULL AND greatest(b.closes_at, r.until) <= clock_timestamp() - CAST(:for AS interval)
      AND NOT EXISTS (SELECT FROM seals s WHERE s.batch_id = b.id AND {CURRENT})
    ORDER BY closed_at, b.code
""")  # noqa: S608 -- constants


def due(session: Session, closed_for: timedelta) -> list[Any]:
    """Code and `closed_at` of every batch that has been closed for so long and has no seal of this close."""
    return list(session.execute(_DUE, {"for": closed_for}).all())


def seal_due(database: Database, keys: SealKeys, grace: timedelta = timedelta(0)) -> Iterator[Sealed | CannotSeal]:
    """Seal what is due, and say of each what came of it; one that cannot be sealed yet keeps no other waiting."""
    with database.transaction() as session:
        found = due(session, grace)
    for row in found:
        try:
            yield seal(database, keys, row.code, grace)
        except CannotSeal as error:
            yield error


def closed(session: Session, batch_code: str, grace: timedelta = timedelta(0)) -> Close:
    """How a batch has closed; it is held alone. Raises `CannotSeal` as `seal` does; `NotFound`."""
    batch_id = batches.id_of(session, batch_code)
    # alone: every filing that was being decided is decided now, and the next one reads a clock past the end
    batches.hold(session, batch_id)
    row = session.execute(
        text("SELECT id, code, opens_at, closes_at, suspended_at FROM batches WHERE id = :batch"), {"batch": batch_id}
    ).one()
    if row.suspended_at is not None:
        raise CannotSeal(f"batch {batch_code} is suspended; it closes after it has been resumed")
    # asked once the batch is held: whoever opens it again holds it, too
    close = Close(row.id, row.code, row.opens_at, row.closes_at, reopenings.last_until(session, row.id))
    now, waits = clock(session), reopenings.waits_until(session, batch_code)
    if now < close.closes_at + grace:
        raise CannotSeal(f"batch {batch_code} is not closed; seal it after {_when(close.closes_at + grace)}")
    if close.reopened_until is not None and now < close.reopened_until:
        until = _when(close.reopened_until)
        raise CannotSeal(f"batch {batch_code} is open again to a candidate; seal it after {until}")
    if waits is not None:
        raise CannotSeal(
            f"two officers are about to open batch {batch_code} again to a candidate; have it decided under"
            f" “Waiting for you”, or seal after {_when(waits)}"
        )
    return close


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _there(session: Session, close: Close) -> Sealed | None:
    row = session.execute(
        text("""
            SELECT number, size, root FROM seals
            WHERE batch_id = :batch AND closes_at = :closes AND reopened_until IS NOT DISTINCT FROM :reopened
        """),
        {"batch": close.id, "closes": close.closes_at, "reopened": close.reopened_until},
    ).first()
    return Sealed(row.number, close.code, row.size, bytes(row.root), fresh=False) if row else None


@dataclass(slots=True)
class _Read:
    """What one pass over the filings in force gathers."""

    pairs: list[tuple[int, bytes, bytes]]
    export: Any
    lists: int = 0
    waivers: int = 0


def _seal(session: Session, keys: SealKeys, close: Close, grace: timedelta) -> Sealed:
    read = _read(session, close)
    tree = MerkleTree(proofs.sealed_leaf(name, digest) for _, name, digest in read.pairs)
    before = session.execute(text("SELECT number, statement FROM seals ORDER BY number DESC LIMIT 1")).first()
    number = before.number + 1 if before else 1
    moment = clock(session)
    statement = canonical(
        {
            "batch": close.code,
            "closes_at": utc(close.closes_at),
            "counts": {"filings": _filings(session, close), "lists": read.lists, "waivers": read.waivers},
            "export": read.export.hexdigest(),
            "grace_seconds": int(grace.total_seconds()),
            "history": [dict(row) for row in session.execute(_HISTORY, {"code": close.code}).mappings()],
            "key": keys.version,
            "logs": {log: ledger.head(session, log).to_json() for log in LOGS},
            "number": number,
            "opens_at": utc(close.opens_at),
            "previous": sha256(before.statement.encode()).hexdigest() if before else None,
            "receipt_keys": {name: key.public_bytes_raw().hex() for name, key in keys.receipts.items()},
            "seal_keys": {
                str(row.version): bytes(row.public).hex()
                for row in session.execute(text("SELECT version, public FROM seal_keys"))
            },
            "sealed_at": utc(moment),
            "supplement": _supplement(session, close),
            "tree": {"root": tree.root.hex(), "size": len(tree)},
            "use": "zhiyuan seal 1",
        }
    )
    session.execute(
        text("""
            INSERT INTO seals (number, batch_id, closes_at, reopened_until, sealed_at, size, root, statement, signature)
            VALUES (:number, :batch, :closes, :reopened, :at, :size, :root, :statement, :signature)
        """),
        {
            "number": number,
            "batch": close.id,
            "closes": close.closes_at,
            "reopened": close.reopened_until,
            "at": moment,
            "size": len(tree),
            "root": tree.root,
            "statement": statement.decode(),
            "signature": keys.private[keys.version].sign(statement),
        },
    )
    _keep(session, number, read, tree)
    session.execute(_TALLIED, {"seal": number, "batch": close.id})
    together(session, audit.entry("batch.sealed", actor="command", batch=close.code, seal=number, root=tree.root.hex()))
    _require_unmoved(session, close)
    return Sealed(number, close.code, len(tree), tree.root, fresh=True)


def _read(session: Session, close: Close) -> _Read:
    export = sha256(sealed_list.HEADING.encode())
    read = _Read([], export)
    for row in standing(session, close.id):
        record = filings.record(row)
        if row["pseudonym"] is None or filing_digest(record) != row["digest"]:
            who = evidence.masked(record.candidate_no)
            raise CannotSeal(f"the filings of {who} were altered; run `python -m admin verify-chains` and seal nothing")
        export.update(sealed_list.written(sealed_list_of(row)).encode())
        read.pairs.append((row["candidate_id"], bytes(row["pseudonym"]), bytes(row["digest"])))
        read.lists += row["kind"] == "list"
        read.waivers += row["kind"] == "waiver"
    return read


def standing(session: Session, batch_id: int) -> Iterator[dict[str, Any]]:
    """Of every candidate the filing that stands in a batch, in the order of the seal."""
    with session.execute(text(STANDING), {"batch": batch_id}, execution_options={"yield_per": AT_A_TIME}) as found:
        for row in found.mappings():
            yield dict(row)


def sealed_list_of(row: dict[str, Any]) -> list[sealed_list.Line]:
    """The lines of a row of `standing` in the list for admission."""
    return sealed_list.lines(row["candidate_no"], row["batch_code"], row["number"], row["kind"], row["content"])


def _filings(session: Session, close: Close) -> int:
    counted = session.execute(text("SELECT count(*) FROM filings WHERE batch_id = :id"), {"id": close.id})
    return int(counted.scalar_one())


def _supplement(session: Session, close: Close) -> dict[str, Any]:
    amendments = session.execute(_AMENDMENTS, {"id": close.id})
    return {"filings": int(amendments.scalar_one()), "reopenings": reopenings.decided(session, close.code)}


_TALLIED = text(f"""
    INSERT INTO sealed_tallies (seal, office_id, {", ".join(STATES)})
    SELECT :seal, above.office_id, {SUMS_SQL} FROM {ABOVE_FROM} WHERE t.batch_id = :batch GROUP BY above.office_id
""")  # noqa: S608 -- constants


def _keep(session: Session, number: int, read: _Read, tree: MerkleTree) -> None:
    with driver(session).cursor() as cursor:
        into = "COPY sealed_filings (seal, position, candidate_id, pseudonym, digest) FROM STDIN"
        with cursor.copy(into) as copy:
            for position, (candidate, name, digest) in enumerate(read.pairs):
                copy.write_row((number, position, candidate, name, digest))
        with cursor.copy("COPY seal_tiles (seal, height, position, hashes) FROM STDIN") as copy:
            for height, position, hashes in proofs.tiles(tree):
                copy.write_row((number, height, position, hashes))


def _require_unmoved(session: Session, close: Close) -> None:
    """The batch was let go while its filings were read; what moved an end in between ends this in nothing."""
    now = session.execute(
        text("SELECT closes_at FROM batches WHERE id = :batch FOR SHARE"), {"batch": close.id}
    ).scalar_one()
    if now != close.closes_at:
        raise CannotSeal(f"the end of batch {close.code} was moved meanwhile; seal it after it has closed again")
    if reopenings.last_until(session, close.id) != close.reopened_until:
        raise CannotSeal(f"batch {close.code} was opened again to a candidate meanwhile; seal it after that")
