"""What a batch came to at its close: who filed, waived or did not, by office, and its seal.

As it was counted when the batch was sealed, and so the same for ever; until then as it is counted now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from admin.categories import Row
from admin.completeness import office_row
from admin.scope import BELOW, Place
from app import batches, seals
from app.filings import AMENDS
from app.tallies import ABOVE_FROM, STATES, SUMS_SQL

_REPORT = text(f"""
    SELECT o.code, o.name, {SUMS_SQL} FROM {ABOVE_FROM} JOIN offices o ON o.id = above.office_id
    WHERE t.batch_id = :batch AND o.level <> 'point' GROUP BY o.id ORDER BY o.path
""")  # noqa: S608 -- constants
_SEALED_REPORT = text(f"""
    SELECT o.code, o.name, {", ".join(f"t.{state}" for state in STATES)}
    FROM sealed_tallies t JOIN offices o ON o.id = t.office_id
    WHERE t.seal = :seal AND o.level <> 'point' ORDER BY o.path
""")  # noqa: S608 -- constants
_SEALED_ROWS = text(f"""
    SELECT o.id AS office_id, o.code, o.name, {", ".join(f"t.{state}" for state in STATES)}
    FROM sealed_tallies t JOIN offices o ON o.id = t.office_id
    WHERE t.seal = :seal AND (o.parent_id = :office OR (o.id = :office AND o.level = 'point')) ORDER BY o.code
""")  # noqa: S608 -- constants
_AMENDED = text(f"""
    SELECT count(*) FROM filings f JOIN batches b ON b.id = f.batch_id
    JOIN candidates c ON c.id = f.candidate_id JOIN offices p ON p.id = c.point_id
    WHERE f.batch_id = :batch AND {AMENDS} AND {BELOW}
""")  # noqa: S608 -- constants


@dataclass(frozen=True, slots=True)
class Report:
    """A batch, its seal if there is one, and the counts of every office above the points."""

    name: str
    closes_at: datetime
    seal: Mapping[Any, Any] | None
    rows: Sequence[Mapping[Any, Any]]


def report(connection: Connection, batch_code: str) -> Report:
    """The whole province; raises `NotFound`."""
    batch = batches.one(connection, batch_code)
    seal = seals.of_batch(connection, batch_code)
    if seal is not None:
        found = connection.execute(_SEALED_REPORT, {"seal": seal["number"]})
    else:
        found = connection.execute(_REPORT, {"batch": batch.id})
    return Report(batch.name, batch.window.closes_at, seal, found.mappings().all())


def rows(connection: Connection, place: Place, seal: int) -> tuple[Row, ...]:
    """What a seal counted of the offices directly below `place`, or of the point itself, by their codes."""
    found = connection.execute(_SEALED_ROWS, {"seal": seal, "office": place.id})
    return tuple(office_row(row) for row in found)


def amended(connection: Connection, place: Place, batch_id: int) -> int:
    """How many filings of an office were made after the close, by leave of two officers."""
    return int(connection.execute(_AMENDED, {"batch": batch_id, "within": place.path}).scalar_one())
