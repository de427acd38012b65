"""Candidates as the registration knows them: facts, never secrets.

Identity number and phone are sealed (AES-256-GCM, bound to table, column and row), with a keyed blind
index for the look-up (P-03). A candidate's number may change with the subject class; everything else
refers to `id`.
"""

import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Id, Moment, Octets, Words, Write


class Candidate(Base):
    """One person registered for this year's exam."""

    __tablename__ = "candidates"
    __table_args__ = (
        CheckConstraint("candidate_no ~ '^[0-9]{14}$'", name="candidate_no"),
        CheckConstraint("sex IN ('1', '2')", name="sex"),
        Index("ix_candidates_point_id_class_no", "point_id", "class_no"),
    )

    id: Mapped[Id]
    #: 考生号: year, region, exam type, subject class, serial
    candidate_no: Mapped[Words] = mapped_column(unique=True)
    name: Mapped[Words]
    sex: Mapped[Words]
    birth_date: Mapped[date]
    id_no_sealed: Mapped[Octets]
    id_no_index: Mapped[Octets] = mapped_column(unique=True)
    mobile_sealed: Mapped[bytes | None]
    ethnicity: Mapped[Words]
    subject_class: Mapped[Words]
    first_subject: Mapped[str | None]
    second_subjects: Mapped[list[str]] = mapped_column(ARRAY(Text))
    language: Mapped[Words]
    point_id: Mapped[int] = mapped_column(ForeignKey("offices.id"))
    class_no: Mapped[Words]
    #: county (GB/T 2260) of the household registration
    hukou_county: Mapped[Words]
    score: Mapped[int | None] = mapped_column(SmallInteger)
    #: granted by decisions of offices: "special_plan:NATIONAL", "check:政治考核", "exam:art_provincial"
    qualifications: Mapped[list[str]] = mapped_column(ARRAY(Text))
    #: codes of the physical exam that advise or bar from majors (教学〔2003〕3号)
    restrictions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    admitted: Mapped[bool] = mapped_column(server_default="false")


class PointMove(Base):
    """A candidate who left one point for another, for the counts of both to be explained."""

    __tablename__ = "point_moves"
    __table_args__ = (
        Index("ix_point_moves_from_point_id_at", "from_point_id", "at"),
        Index("ix_point_moves_to_point_id_at", "to_point_id", "at"),
    )

    id: Mapped[Id]
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id"), index=True)
    #: as the point that was left may still see it: the number masked, the name it knew
    masked_no: Mapped[Words]
    name: Mapped[Words]
    from_point_id: Mapped[int] = mapped_column(ForeignKey("offices.id"))
    from_class_no: Mapped[Words]
    to_point_id: Mapped[int] = mapped_column(ForeignKey("offices.id"))
    at: Mapped[Moment]


def moved(candidate_id: int, masked_no: str, point_id: int, class_no: str) -> list[Write]:
    """The writes that register a candidate at another point, and note where they came from."""
    return [
        Write(
            """
            INSERT INTO point_moves (candidate_id, masked_no, name, from_point_id, from_class_no, to_point_id, at)
            SELECT id, :masked, name, point_id, class_no, :point, clock_timestamp()
            FROM candidates WHERE id = :candidate
            """,
            {"candidate": candidate_id, "masked": masked_no, "point": point_id},
        ),
        Write(
            "UPDATE candidates SET point_id = :point, class_no = :class WHERE id = :candidate",
            {"candidate": candidate_id, "point": point_id, "class": class_no},
        ),
    ]


_NONCE: Final = 12


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals single values of single rows. Moved to another row or column, a value no longer opens."""

    keys: Mapping[int, bytes]
    index_key: bytes

    def seal(self, value: str, *, column: str, row: int) -> bytes:
        """Encrypt `value` for one row of `candidates`: version (1 byte), nonce (12), ciphertext and tag."""
        version = max(self.keys)
        nonce = os.urandom(_NONCE)
        sealed = _cipher(self.keys[version]).encrypt(nonce, value.encode(), _place(column, row))
        return bytes((version,)) + nonce + sealed

    def open(self, sealed: bytes, *, column: str, row: int) -> str:
        """Decrypt; raises `cryptography.exceptions.InvalidTag` when the value is not this row's."""
        key = self.keys[sealed[0]]
        nonce, rest = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        return _cipher(key).decrypt(nonce, rest, _place(column, row)).decode()

    def index(self, value: str) -> bytes:
        """Keyed digest by which a value can be found, and found twice, without being read."""
        return hmac.digest(self.index_key, value.encode(), "sha256")[:16]


@cache
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


def _place(column: str, row: int) -> bytes:
    return f"candidates|{column}|{row}".encode()
