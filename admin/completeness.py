"""Completeness of preferences: in each batch, how far the candidates of an office are, and who has not filed yet.

Counts come from the tallies (`app.tallies`), so a province costs milliseconds; names from the rows of one
registration point. Both say whether somebody has filed, never what.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, text

from admin.categories import Category, Counts, Part, Row, Stage, Standing
from admin.scope import BELOW, Place
from app.batches import Window
from app.tallies import STATE_FROM, STATE_SQL, STATES, SUMS_SQL
from app.wording import N_

#: worst first, as `app.tallies` has them
STAGES: Final = (
    Stage("never_signed_in", N_("Never signed in"), "missing"),
    Stage("not_bound", N_("Card not bound"), "missing"),
    Stage("nothing_filed", N_("Nothing filed"), "missing"),
    Stage("draft_only", N_("Draft only"), "missing"),
    Stage("filed", N_("Filed"), "settled", good=True),
    Stage("waived", N_("Waived"), "settled"),
    Stage("not_eligible", N_("Not eligible"), "outside"),
)
#: the states a candidate is to be called about
MISSING: Final = tuple(stage.code for stage in STAGES if stage.kind == "missing")

_OVERVIEW = text(f"""
    WITH points AS MATERIALIZED (
        SELECT p.id, nullif(split_part(p.path, '/', :position), '')::bigint AS office_id FROM offices p
        WHERE {BELOW}
    ), counted AS (
        SELECT t.batch_id, s.office_id, {SUMS_SQL}
        FROM points s JOIN tallies t ON t.point_id = s.id
        GROUP BY t.batch_id, s.office_id
    )
    SELECT b.id AS batch_id, b.code AS batch_code, b.name AS batch_name, b.opens_at, b.closes_at,
           b.suspended_at, clock_timestamp() AS now, o.id AS office_id, o.code, o.name,
           {", ".join(f"n.{state}" for state in STATES)}
    FROM batches b LEFT JOIN counted n ON n.batch_id = b.id LEFT JOIN offices o ON o.id = n.office_id
    ORDER BY b.opens_at, b.position, b.code, o.code
""")  # noqa: S608 -- constants


def batches(connection: Connection, place: Place) -> list[Part]:
    """Every batch with the counts of the offices directly below `place`, or of the point itself. One question."""
    position = place.position + (0 if place.level == "point" else 1)
    found: dict[int, list[Any]] = {}
    for row in connection.execute(_OVERVIEW, {"position": position, "within": place.path}):
        found.setdefault(row.batch_id, []).append(row)
    return [_batch(rows) for rows in found.values()]


def _batch(rows: Sequence[Any]) -> Part:
    first = rows[0]
    lines = tuple(office_row(row) for row in rows if row.office_id is not None)
    return Part(
        id=first.batch_id,
        code=first.batch_code,
        name=first.batch_name,
        window=Window(first.opens_at, first.closes_at, first.suspended_at),
        rows=lines,
        total=PREFERENCES.total(lines),
        as_of=first.now,
    )


def office_row(row: Any) -> Row:
    """An office with its counts, of a row with `office_id`, `code` and `name` that ends in a column for each state."""
    return Row(str(row.office_id), row.code, row.name, Counts(STAGES, tuple(row[-len(STAGES) :])))


_WINDOWS = text("""
    SELECT id, code, name, opens_at, closes_at, suspended_at, clock_timestamp() AS now
    FROM batches ORDER BY opens_at, position, code
""")


def windows(connection: Connection) -> list[Part]:
    """Every batch without counts, for pages that only choose one."""
    return [
        Part(
            row.id,
            row.code,
            row.name,
            Window(row.opens_at, row.closes_at, row.suspended_at),
            (),
            PREFERENCES.counted(),
            row.now,
        )
        for row in connection.execute(_WINDOWS)
    ]


def counts(row: Mapping[Any, Any]) -> Counts:
    """The counts of a row that has a column for each state."""
    return Counts(STAGES, tuple(int(row[state]) for state in STATES))


_STANDINGS = text(f"""
    SELECT c.id AS candidate_id, c.candidate_no, c.name, c.class_no, {STATE_SQL} AS state
    FROM {STATE_FROM}
    WHERE c.point_id = :point AND b.id = :batch AND (CAST(:class AS text) IS NULL OR c.class_no = :class)
    ORDER BY c.class_no, c.candidate_no
""")  # noqa: S608 -- constants


def standings(connection: Connection, place: Place, batch_id: int, class_no: str | None = None) -> list[Standing]:
    """Where each candidate of a point (or of one of its classes) stands in a batch. One question."""
    found = connection.execute(_STANDINGS, {"point": place.id, "batch": batch_id, "class": class_no})
    return [Standing(**row) for row in found.mappings()]


PREFERENCES: Final = Category(
    "preferences",
    N_("Preferences"),
    STAGES,
    N_("Filed or waived"),
    N_("%(settled)s of %(eligible)s have filed or waived, %(missing)s have not."),
    windows,
    batches,
    standings,
    remembered=True,
)
#: by the code their address has; a page is the same for each of them
CATEGORIES: Final[Mapping[str, Category]] = {PREFERENCES.code: PREFERENCES}
