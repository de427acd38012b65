"""Seals and the logs beneath them: what the sealer has published, and what a candidate reads of it.

    leaves           two logs, `filings` (digests) and `audit`, each with places 0, 1, 2 … and no gap
    checkpoints      signed roots of a log at some size, each naming the one before
    seals            one closed batch: its signed statement, each naming the one before
    sealed_filings   pseudonym and digest of every filing in force, in the order of the tree (`app.proofs`)
    sealed_tallies   what each office had counted then

Only the sealer appends here (`admin.ledger`, `admin.sealing`), outside the transaction that files: a place in a
log is given after the commit, so that none is lost with a transaction that failed (L-02).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from sqlalchemy import CheckConstraint, Connection, ForeignKey, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import proofs
from app.db import Base, Moment, Octets, Small, Words
from app.errors import NotFound
from app.filings import RECORD_FIELDS, record
from app.tallies import Counted
from app.witnesses import NOTED

#: that the seal `s` is of the batch `b` as it has closed last
CURRENT: Final = "s.closes_at = b.closes_at AND s.reopened_until IS NOT DISTINCT FROM last_reopening(b.id)"
Log = Literal["filings", "audit"]
LOGS: Final[tuple[Log, ...]] = ("filings", "audit")


class Leaf(Base):
    """One place in a log. `ref` is the id of the filing, or of the audit entry."""

    __tablename__ = "leaves"
    __table_args__ = (
        UniqueConstraint("log", "ref"),
        CheckConstraint("log IN ('filings', 'audit')", name="log"),
        CheckConstraint("place >= 0", name="place"),
    )

    log: Mapped[Words] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[int]
    hash: Mapped[Octets]


class Checkpoint(Base):
    """The signed root of a log at some size. `note` is what is published (C2SP signed note)."""

    __tablename__ = "checkpoints"
    __table_args__ = (
        UniqueConstraint("log", "size"),
        CheckConstraint("log IN ('filings', 'audit')", name="log"),
    )

    log: Mapped[Words] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int]
    root: Mapped[Octets]
    #: `cards.merkle.Frontier.kept`
    frontier: Mapped[Octets]
    note: Mapped[Words]
    signed_at: Mapped[Moment]


class SealKey(Base):
    """A public key of the sealer, signed by itself and, after a rotation, by the one before (L-12)."""

    __tablename__ = "seal_keys"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    public: Mapped[Octets]
    signature: Mapped[Octets]
    vouched: Mapped[bytes | None] = mapped_column(LargeBinary)
    used_from: Mapped[Moment] = mapped_column(server_default=text("clock_timestamp()"))


class Seal(Base):
    """One sealed batch; once more if it could be filed in again afterwards, to everybody or to one candidate."""

    __tablename__ = "seals"
    __table_args__ = (UniqueConstraint("batch_id", "closes_at", "reopened_until", postgresql_nulls_not_distinct=True),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id"))
    closes_at: Mapped[Moment]
    #: until when the batch was last opened again to a candidate; NULL where it never was
    reopened_until: Mapped[Moment | None]
    sealed_at: Mapped[Moment]
    size: Mapped[int]
    root: Mapped[Octets]
    #: canonical JSON, exactly as it was signed
    statement: Mapped[Words]
    signature: Mapped[Octets]


class SealedFiling(Base):
    """One candidate's place in a seal."""

    __tablename__ = "sealed_filings"
    __table_args__ = (UniqueConstraint("candidate_id", "seal"),)

    seal: Mapped[int] = mapped_column(ForeignKey("seals.number"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id"))
    pseudonym: Mapped[Octets]
    digest: Mapped[Octets]


class SealedTally(Counted, Base):
    """What one office had counted in a batch when it was sealed (`app.tallies`)."""

    __tablename__ = "sealed_tallies"

    seal: Mapped[int] = mapped_column(ForeignKey("seals.number"), primary_key=True)
    office_id: Mapped[int] = mapped_column(ForeignKey("offices.id"), primary_key=True)


class SealTile(Base):
    """256 neighbouring nodes of a seal's tree."""

    __tablename__ = "seal_tiles"

    seal: Mapped[int] = mapped_column(ForeignKey("seals.number"), primary_key=True)
    height: Mapped[Small] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    hashes: Mapped[Octets]


# --- what a candidate reads ---------------------------------------------------------------------------

_OF_FILING = text(f"""
    SELECT {RECORD_FIELDS}, f.receipt, b.name AS batch_name,
           first.digest AS first_digest, l.place AS leaf,
           (SELECT c.number FROM checkpoints c WHERE c.log = 'filings' AND c.size > l.place
            ORDER BY c.size LIMIT 1) AS checkpoint,
           z.seal, z.position, z.pseudonym, s.size, s.root, s.statement, s.signature, s.sealed_at
    FROM filings f
    JOIN batches b ON b.id = f.batch_id
    JOIN filings first ON first.candidate_id = f.candidate_id AND first.batch_id = f.batch_id AND first.number = 1
    LEFT JOIN leaves l ON l.log = 'filings' AND l.ref = f.id
    LEFT JOIN LATERAL (
        SELECT z.* FROM sealed_filings z
        WHERE z.candidate_id = f.candidate_id AND z.digest = f.digest ORDER BY z.seal DESC LIMIT 1
    ) z ON true
    LEFT JOIN seals s ON s.number = z.seal
    WHERE f.candidate_id = :candidate AND b.code = :batch AND f.number = :number
""")  # noqa: S608 -- constants
_TILES = text("""
    SELECT t.height, t.position, t.hashes FROM seal_tiles t
    JOIN unnest(CAST(:heights AS smallint[]), CAST(:positions AS bigint[])) AS w (height, position)
        ON w.height = t.height AND w.position = t.position
    WHERE t.seal = :seal
""")


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Where a filing stands in a sealed batch, and the way from there to the root."""

    seal: int
    index: int
    size: int
    root: bytes
    pseudonym: bytes
    leaf: bytes
    path: Sequence[bytes]


@dataclass(frozen=True)
class Proof:
    """What proves one filing: its record, its receipt, its place in the log and, once sealed, in the seal."""

    row: Mapping[Any, Any]
    inclusion: Inclusion | None

    @cached_property
    def document(self) -> str:
        """All of it as a text file, for `admin/verify.py` and whoever checks by hand."""
        row, found = self.row, self.inclusion
        said: dict[str, Any] = {
            "use": "zhiyuan proof 1",
            "record": record(row).to_json(),
            "receipt": row["receipt"],
            "digest": row["digest"].hex(),
            "log": {"place": row["leaf"], "checkpoint": row["checkpoint"]},
        }
        if found is not None:
            said["seal"] = {
                "first_digest": row["first_digest"].hex(),
                "pseudonym": found.pseudonym.hex(),
                "leaf": found.leaf.hex(),
                "index": found.index,
                "path": [step.hex() for step in found.path],
                "statement": json.loads(row["statement"]),
                "signature": row["signature"].hex(),
            }
        return json.dumps(said, ensure_ascii=False, indent=1) + "\n"


def proof(connection: Connection | Session, candidate_id: int, batch_code: str, number: int) -> Proof:
    """What proves one filing of a candidate; raises `NotFound`."""
    asked = {"candidate": candidate_id, "batch": batch_code, "number": number}
    row = connection.execute(_OF_FILING, asked).mappings().first()
    if row is None:
        raise NotFound(f"no filing {number} in {batch_code}")
    return Proof(row, _inclusion(connection, row) if row["seal"] is not None else None)


def _inclusion(connection: Connection | Session, row: Mapping[Any, Any]) -> Inclusion:
    wanted = proofs.tiles_for(row["position"], row["size"])
    heights, positions = zip(*wanted, strict=True)
    asked = {"seal": row["seal"], "heights": list(heights), "positions": list(positions)}
    tiles = {(one.height, one.position): bytes(one.hashes) for one in connection.execute(_TILES, asked)}
    return Inclusion(
        seal=row["seal"],
        index=row["position"],
        size=row["size"],
        root=bytes(row["root"]),
        pseudonym=bytes(row["pseudonym"]),
        leaf=proofs.sealed_leaf(row["pseudonym"], row["digest"]),
        path=proofs.path(row["position"], row["size"], tiles),
    )


# --- what anybody reads -------------------------------------------------------------------------------

_SEALS = text(f"""
    SELECT s.number, b.code AS batch_code, b.name AS batch_name, s.closes_at, s.sealed_at, s.size, s.root,
           s.statement, s.signature, c.at AS confirmed_at, {CURRENT} AS current
    FROM seals s JOIN batches b ON b.id = s.batch_id LEFT JOIN seal_confirmations c ON c.seal = s.number
    ORDER BY s.number DESC
""")  # noqa: S608 -- constants
# the newest of each log, which nobody may have cosigned yet, and what each witness has cosigned last
_NEWEST = text(f"""
    SELECT c.log, c.number, c.size, c.root, c.signed_at, n.newest, {NOTED} AS note
    FROM (
        SELECT l.log, w.number, bool_or(w.newest) AS newest
        FROM (VALUES ('filings'), ('audit')) AS l (log) CROSS JOIN LATERAL (
            SELECT max(number) AS number, true AS newest FROM checkpoints WHERE log = l.log
            UNION ALL
            SELECT (SELECT max(s.number) FROM cosignatures s WHERE s.witness = w.name AND s.log = l.log), false
            FROM witnesses w WHERE w.dropped_at IS NULL) w
        GROUP BY l.log, w.number) n
    JOIN checkpoints c ON c.log = n.log AND c.number = n.number
    ORDER BY c.log DESC, c.number DESC
""")  # noqa: S608 -- constants
_WITNESSES = text("""
    SELECT w.name, w.public, l.log, s.number, s.at
    FROM witnesses w CROSS JOIN (VALUES ('filings'), ('audit')) AS l (log)
    LEFT JOIN LATERAL (
        SELECT s.number, s.at FROM cosignatures s WHERE s.witness = w.name AND s.log = l.log
        ORDER BY s.number DESC LIMIT 1) s ON true
    WHERE w.dropped_at IS NULL ORDER BY w.name, l.log DESC
""")
_KEYS = text("SELECT version, public, used_from FROM seal_keys ORDER BY version")


@dataclass(frozen=True, slots=True)
class Published:
    """Everything that is published: every seal, newest first; the newest checkpoints; the keys; who cosigns."""

    seals: Sequence[Mapping[Any, Any]]
    checkpoints: Sequence[Mapping[Any, Any]]
    keys: Sequence[Mapping[Any, Any]]
    witnesses: Sequence[Mapping[Any, Any]]

    @property
    def plain(self) -> str:
        """The same as text, to be kept by anybody and held against a later one (`admin/verify.py --earlier`)."""
        parts = [one["note"] for one in self.checkpoints]
        parts += [
            f"zhiyuan seal {one['number']}\n{one['statement']}\n{one['signature'].hex()}\n"
            for one in reversed(self.seals)
        ]
        parts += [f"zhiyuan seal key {one['version']}\n{one['public'].hex()}\n" for one in self.keys]
        return "\n".join(parts)


def published(connection: Connection | Session) -> Published:
    """What everybody may know and should keep a copy of."""
    asked = (_SEALS, _NEWEST, _KEYS, _WITNESSES)
    return Published(*(connection.execute(one).mappings().all() for one in asked))


def of_batch(connection: Connection | Session, batch_code: str) -> Mapping[Any, Any] | None:
    """The seal of a batch as it has closed last; None while that has none."""
    seals = published(connection).seals
    return next((one for one in seals if one["batch_code"] == batch_code and one["current"]), None)
