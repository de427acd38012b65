"""Offices: the tree of province, prefectures, counties and registration points.

`path` holds the ids from the root down, "/1/4/27/310/", so that everything below an office is one prefix.
"""

from typing import Final, Literal

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Id, Words

Level = Literal["province", "prefecture", "county", "point"]
LEVELS: Final[tuple[Level, ...]] = ("province", "prefecture", "county", "point")


class Office(Base):
    """One office of the four levels. A registration point is a school."""

    __tablename__ = "offices"
    __table_args__ = (
        CheckConstraint("level IN ('province', 'prefecture', 'county', 'point')", name="level"),
        CheckConstraint("(parent_id IS NULL) = (level = 'province')", name="root"),
        # what a foreign key of two neighbours points at
        UniqueConstraint("id", "parent_id", name="uq_offices_id_parent_id"),
        Index("ix_offices_path", "path", postgresql_ops={"path": "text_pattern_ops"}),
    )

    id: Mapped[Id]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("offices.id"), index=True)
    level: Mapped[Words]
    #: region code of GB/T 2260 (six digits) down to the county; a point's is the county's and four digits
    code: Mapped[Words] = mapped_column(unique=True)
    name: Mapped[Words]
    path: Mapped[Words] = mapped_column(unique=True)
