"""The register: who was given which card, when and by whom. It names serials and never a code (D-12)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from app.evidence import masked


@dataclass(frozen=True, slots=True)
class Registered:
    """A candidate of a point in the register, with the card they hold or without one."""

    class_no: str
    name: str
    candidate_no: str
    serial: str | None
    #: "handed", "bound"; "" without a card
    state: str
    handed_at: datetime | None
    officer: str | None
    second: str | None

    @property
    def masked_no(self) -> str:
        """The candidate number as pages show it."""
        return masked(self.candidate_no)


_REGISTER = text("""
    SELECT c.class_no, c.name, c.candidate_no, k.serial, coalesce(k.state, '') AS state,
           coalesce(h.handed_at, k.handed_at) AS handed_at, f.name AS officer, s.name AS second
    FROM candidates c
    LEFT JOIN cards k ON k.holder_id = c.id AND k.state IN ('handed', 'bound')
    LEFT JOIN handovers h ON h.serial = k.serial
    LEFT JOIN officers f ON f.id = h.officer_id LEFT JOIN officers s ON s.id = h.second_id
    WHERE c.point_id = :point
    ORDER BY c.class_no, c.candidate_no
""")


def of_point(connection: Connection | Session, point_id: int) -> list[Registered]:
    """Everybody of a point, by class, with the card they hold."""
    found = connection.execute(_REGISTER, {"point": point_id}).mappings()
    return [Registered(**row) for row in found]


_LATEST = text("""
    SELECT c.class_no, c.name, c.candidate_no, h.serial, 'handed' AS state, h.handed_at, f.name AS officer,
           s.name AS second
    FROM handovers h JOIN candidates c ON c.id = h.candidate_id JOIN officers f ON f.id = h.officer_id
    LEFT JOIN officers s ON s.id = h.second_id
    WHERE h.office_id = :office ORDER BY h.handed_at DESC LIMIT 10
""")


def latest(connection: Connection | Session, office_id: int) -> list[Registered]:
    """The last cards that were handed out from an office's stock."""
    return [Registered(**row) for row in connection.execute(_LATEST, {"office": office_id}).mappings()]
