"""Officers: people of the offices, each with a password, a second factor and one office (A-11, A-13).

None of them has any way to write a preference, nor to read one before its batch closes: the role the
offices' portal takes in the database has no right to (`migrations/`), whatever a page may try.
"""

from typing import Final, Literal

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Id, Moment, Octets, Words

Role = Literal["operator", "approver", "auditor", "system_admin"]
ROLES: Final[tuple[Role, ...]] = ("operator", "approver", "auditor", "system_admin")


class Officer(Base):
    """One person's account in the management edition. There are no shared ones."""

    __tablename__ = "officers"
    __table_args__ = (
        CheckConstraint("role IN ('operator', 'approver', 'auditor', 'system_admin')", name="role"),
        CheckConstraint("login ~ '^[a-z][a-z0-9.-]{2,31}$'", name="login"),
    )

    id: Mapped[Id]
    login: Mapped[Words] = mapped_column(unique=True)
    name: Mapped[Words]
    office_id: Mapped[int] = mapped_column(ForeignKey("offices.id"), index=True)
    role: Mapped[Words]
    #: `app.passwords.seal` with the officers' profile
    password: Mapped[Words]
    #: shared secret of the TOTP, sealed like a candidate's identity number
    totp_sealed: Mapped[Octets]
    #: the last time step accepted: no step is accepted twice (A-12)
    totp_step: Mapped[int] = mapped_column(server_default="0")
    appointed_until: Mapped[Moment]
    created_at: Mapped[Moment]


class OfficerSession(Base):
    """The one signed-in browser of an officer (S-04)."""

    __tablename__ = "officer_sessions"

    officer_id: Mapped[int] = mapped_column(ForeignKey("officers.id"), primary_key=True)
    id_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    label: Mapped[Words]
    ip: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[Moment]
    seen_at: Mapped[Moment]
    expires_at: Mapped[Moment]
