"""Witnesses: other offices that cosign the checkpoints of the logs once they have seen them only grow (L-07).

    witnesses         who cosigns, with which key; a new key takes a new name
    cosignatures      of one checkpoint by one witness, verified before it is stored
    witness_refusals  what a witness said instead, to be looked into

Only the sealer appends here (`admin.cosigning`). A cosignature is that of C2SP tlog-cosignature: four bytes that name
the key, eight of the witness's time, and an Ed25519 signature over both and the note.
"""

from typing import Final

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Id, Moment, Octets, Small, Words


class Witness(Base):
    """One that cosigns, or did until `dropped_at`."""

    __tablename__ = "witnesses"
    __table_args__ = (
        CheckConstraint("octet_length(public) = 32", name="public"),
        CheckConstraint("name ~ '^[a-z0-9][a-z0-9./-]{0,63}$'", name="name"),
    )

    name: Mapped[Words] = mapped_column(primary_key=True)
    public: Mapped[Octets] = mapped_column(unique=True)
    named_at: Mapped[Moment] = mapped_column(server_default=text("clock_timestamp()"))
    dropped_at: Mapped[Moment | None]


class Cosignature(Base):
    """A witness has seen this checkpoint, and that the log had only grown until then."""

    __tablename__ = "cosignatures"
    __table_args__ = (
        ForeignKeyConstraint(["log", "number"], ["checkpoints.log", "checkpoints.number"]),
        CheckConstraint("octet_length(signature) = 76", name="signature"),
        Index("ix_cosignatures_witness_log_number", "witness", "log", "number"),
    )

    log: Mapped[Words] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    witness: Mapped[Words] = mapped_column(ForeignKey("witnesses.name"), primary_key=True)
    signature: Mapped[Octets]
    at: Mapped[Moment] = mapped_column(server_default=text("clock_timestamp()"))


class WitnessRefusal(Base):
    """A witness would not cosign: its answer, word for word."""

    __tablename__ = "witness_refusals"
    __table_args__ = (ForeignKeyConstraint(["log", "number"], ["checkpoints.log", "checkpoints.number"]),)

    id: Mapped[Id]
    witness: Mapped[Words] = mapped_column(ForeignKey("witnesses.name"), index=True)
    log: Mapped[Words]
    number: Mapped[int]
    status: Mapped[Small]
    answer: Mapped[Words]
    at: Mapped[Moment] = mapped_column(server_default=text("clock_timestamp()"))


#: of a checkpoint `c` the note with a line for each cosignature, as it is published
NOTED: Final = """
    c.note || coalesce((
        SELECT string_agg('— ' || s.witness || ' ' || replace(encode(s.signature, 'base64'), chr(10), '') || chr(10),
                          '' ORDER BY s.witness)
        FROM cosignatures s WHERE s.log = c.log AND s.number = c.number), '')
"""
