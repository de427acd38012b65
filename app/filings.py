"""Filings: what was confirmed, appended and never changed (F-05).

Each carries its number, its digest, the digest before it, the index of the code given and the code's
opening A_i: proof that somebody held the card (L-09). The last one before the close stands. Withdrawing is
a filing of its own, of kind `waiver`. One made after the close, while the province had opened the batch again
to this candidate, is an amendment (O-14): a filing like any other, and called so wherever it is shown or counted.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.db import Base, Document, Id, Moment, Octets, Question, Small, Words
from app.errors import NotFound
from app.evidence import FilingRecord


class Filing(Base):
    """One confirmed list, or one waiver, of one candidate in one batch."""

    __tablename__ = "filings"
    __table_args__ = (
        UniqueConstraint("candidate_id", "batch_id", "number", postgresql_include=["kind"]),
        UniqueConstraint("candidate_id", "challenge"),
        UniqueConstraint("serial", "code_index"),
        ForeignKeyConstraint(["serial", "code_index"], ["card_uses.serial", "card_uses.code_index"]),
        ForeignKeyConstraint(["serial", "second_index"], ["card_uses.serial", "card_uses.code_index"]),
        CheckConstraint("kind IN ('list', 'waiver')", name="kind"),
        CheckConstraint("number >= 1", name="number"),
        CheckConstraint("(number = 1) = (previous IS NULL)", name="previous"),
        CheckConstraint("(second_index IS NULL) = (second_opening IS NULL)", name="second"),
        Index("ix_filings_filed_at", "filed_at"),
        Index(
            "ix_filings_batch_id_filed_at",
            "batch_id",
            "filed_at",
            postgresql_where=text("kind = 'waiver' AND number > 1"),
        ),
    )

    id: Mapped[Id]
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id"))
    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id"))
    #: as it was then: a candidate's number may change with the subject class, evidence may not
    candidate_no: Mapped[Words]
    number: Mapped[Small]
    kind: Mapped[Words]
    content: Mapped[Document]
    catalogue_version: Mapped[int]
    filed_at: Mapped[Moment]
    #: 128 random bits, so that a digest tells nothing about a short list
    nonce: Mapped[Octets]
    #: digest of the filing before, NULL for the first
    previous: Mapped[bytes | None] = mapped_column(LargeBinary)
    digest: Mapped[Octets] = mapped_column(unique=True)
    serial: Mapped[Words]
    code_index: Mapped[Small]
    opening: Mapped[Octets]
    second_index: Mapped[int | None] = mapped_column(SmallInteger)
    second_opening: Mapped[bytes | None] = mapped_column(LargeBinary)
    #: the challenge answered, which is the idempotency key too (F-04)
    challenge: Mapped[Octets]
    receipt: Mapped[Words]
    device: Mapped[Words]
    device_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    ip: Mapped[str | None] = mapped_column(Text)


class Challenge(Base):
    """The question that stands for one candidate and batch: what is asked, about which list, for ten minutes."""

    __tablename__ = "challenges"
    candidate_id: Mapped[int] = mapped_column(ForeignKey("accounts.candidate_id"), primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id"), primary_key=True)
    #: 128 random bits in the form
    key: Mapped[Octets]
    session_hash: Mapped[Octets]
    kind: Mapped[Words]
    #: the list as shown on the check page, compacted, and its digest
    content: Mapped[Document]
    digest: Mapped[Octets]
    #: indices asked when the page was made
    asked: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    issued_at: Mapped[Moment]


RECORD_FIELDS: Final = """
    f.candidate_no, b.code AS batch_code, f.number, f.kind, f.content, f.catalogue_version, f.filed_at, f.nonce,
    f.previous, f.digest, f.serial, f.code_index, f.opening, f.second_index, f.second_opening
"""
#: whether the filing `f` in the batch `b` is an amendment
AMENDS: Final = """
    f.filed_at >= b.closes_at AND EXISTS (
        SELECT FROM reopenings r
        WHERE r.candidate_id = f.candidate_id AND r.batch_id = f.batch_id
          AND r.created_at <= f.filed_at AND f.filed_at < r.until)
"""
_HISTORY: Final = Question(f"""
    SELECT f.number, f.kind, f.content, f.filed_at, f.digest, f.receipt, f.device, f.ip, f.catalogue_version,
           b.id AS batch_id, b.code AS batch_code, b.name AS batch_name, f.code_index, f.second_index,
           l.place,
           (SELECT c.number FROM checkpoints c WHERE c.log = 'filings' AND c.size > l.place
            ORDER BY c.size LIMIT 1) AS checkpoint,
           (SELECT max(z.seal) FROM sealed_filings z
            WHERE z.candidate_id = f.candidate_id AND z.digest = f.digest) AS seal,
           {AMENDS} AS amends
    FROM filings f JOIN batches b ON b.id = f.batch_id
    LEFT JOIN leaves l ON l.log = 'filings' AND l.ref = f.id
    WHERE f.candidate_id = :candidate AND (CAST(:batch AS text) IS NULL OR b.code = :batch)
    ORDER BY b.opens_at, b.position, b.code, f.number DESC
""")  # noqa: S608 -- constants


def history(connection: Connection | Session, candidate_id: int, batch_code: str | None = None) -> list[dict[str, Any]]:
    """Every filing of a candidate, by batch, newest first; or those of one batch.

    `place`, `checkpoint` and `seal` say where its proof stands (`app.seals`), None until the sealer has come by.
    """
    return _HISTORY.all(connection, {"candidate": candidate_id, "batch": batch_code})


def one(connection: Connection | Session, candidate_id: int, batch_code: str, number: int) -> dict[str, Any]:
    """One filing of a candidate; raises `NotFound`."""
    for row in history(connection, candidate_id, batch_code):
        if row["number"] == number:
            return row
    raise NotFound(f"no filing {number} in {batch_code}")


def record(row: Mapping[str, Any]) -> FilingRecord:
    """The evidence of a row holding `RECORD_FIELDS`, as its digest covers it."""
    indices, openings = [row["code_index"]], [bytes(row["opening"])]
    if row["second_index"] is not None:
        indices.append(row["second_index"])
        openings.append(bytes(row["second_opening"]))
    return FilingRecord(
        candidate_no=row["candidate_no"],
        batch=row["batch_code"],
        number=row["number"],
        kind=row["kind"],
        content=row["content"],
        catalogue_version=row["catalogue_version"],
        filed_at=row["filed_at"],
        nonce=bytes(row["nonce"]),
        previous=bytes(row["previous"]) if row["previous"] is not None else None,
        serial=row["serial"],
        indices=tuple(indices),
        openings=tuple(openings),
    )
