"""What a batch came to at its close: who filed, waived or did not, by office, and its seal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from app import batches, seals
from app.tallies import STATES

_REPORT = text(f"""
    SELECT o.code, o.name, {", ".join(f"sum(t.{state})::bigint AS {state}" for state in STATES)}
    FROM offices o
    JOIN offices p ON p.path ~>=~ o.path AND p.path ~<~ (o.path || '~')
    JOIN tallies t ON t.point_id = p.id AND t.batch_id = :batch
    WHERE o.level <> 'point'
    GROUP BY o.id ORDER BY o.path
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
    rows = connection.execute(_REPORT, {"batch": batch.id}).mappings().all()
    return Report(batch.name, batch.window.closes_at, seals.of_batch(connection, batch_code), rows)
