"""Dropouts: who was counted as filed at an earlier count and is not any more; names at a point, numbers above it.

A list once filed is never taken back, so there are two ways out of the count: to give the batch up, or to leave for
another point. A move counts at the point that was left whoever asks, so that every number is that of the names below.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from admin.categories import Row
from admin.scope import BELOW, Place
from app.evidence import masked


@dataclass(frozen=True, slots=True)
class Dropout:
    """Somebody a point counted as filed, and does not any more."""

    masked_no: str
    name: str
    class_no: str
    at: datetime
    #: where they went when they left last; "" for a waiver
    moved_to: str


# Only a waiver after the first filing gives anything up, which leaves few to look at. Where somebody was then is said
# by the first move since; of whoever has left the officer's office row-level security shows that move, no candidate.
# OFFSET 0 keeps the database from reading every candidate for the sake of those few.
_DROPPED: Final = f"""
    WITH moved AS MATERIALIZED (
        SELECT DISTINCT ON (candidate_id) candidate_id, from_point_id AS point_id
        FROM point_moves WHERE at > :since ORDER BY candidate_id, id
    ), dropped AS (
        SELECT p.id AS point_id, p.path, s.candidate_id, c.candidate_no, c.name, c.class_no, f.filed_at,
               c.point_id IS DISTINCT FROM p.id AS away
        FROM (
            SELECT candidate_id FROM filings
            WHERE batch_id = :batch AND kind = 'waiver' AND number > 1 AND filed_at > :since
              AND (CAST(:point AS bigint) IS NULL
                   OR candidate_id IN (SELECT id FROM candidates WHERE point_id = :point))
            UNION SELECT candidate_id FROM moved
        ) s
        CROSS JOIN LATERAL (
            SELECT max(filed_at) AS filed_at, (array_agg(kind ORDER BY number DESC))[1] AS kind,
                   (array_agg(kind ORDER BY number DESC) FILTER (WHERE filed_at <= :since))[1] AS earlier
            FROM filings WHERE candidate_id = s.candidate_id AND batch_id = :batch
        ) f
        LEFT JOIN moved m ON m.candidate_id = s.candidate_id
        LEFT JOIN LATERAL (
            SELECT point_id, candidate_no, name, class_no FROM candidates WHERE id = s.candidate_id OFFSET 0
        ) c ON true
        JOIN offices p ON p.id = coalesce(m.point_id, c.point_id)
        WHERE {BELOW} AND f.earlier = 'list' AND (c.point_id IS DISTINCT FROM p.id OR f.kind = 'waiver')
    )
"""  # noqa: S608 -- constants
_NAMES = text(f"""
    {_DROPPED}
    SELECT coalesce(l.masked_no, d.candidate_no) AS number, coalesce(l.name, d.name) AS name,
           coalesce(l.class_no, d.class_no) AS class_no, coalesce(l.at, d.filed_at) AS at,
           coalesce(l.moved_to, '') AS moved_to
    FROM dropped d
    LEFT JOIN LATERAL (
        SELECT t.masked_no, t.name, t.from_class_no AS class_no, t.at, o.name AS moved_to
        FROM point_moves t JOIN offices o ON o.id = t.to_point_id
        WHERE d.away AND t.candidate_id = d.candidate_id AND t.from_point_id = d.point_id
        ORDER BY t.id DESC LIMIT 1
    ) l ON true
    WHERE CAST(:class AS text) IS NULL OR coalesce(l.class_no, d.class_no) = :class
    ORDER BY at DESC
""")  # noqa: S608 -- constants
_NUMBERS = text(f"""
    {_DROPPED}
    SELECT split_part(path, '/', :position) AS office, count(*) AS number FROM dropped GROUP BY office
""")  # noqa: S608 -- constants


def names(
    connection: Connection, place: Place, batch_id: int, since: datetime, class_no: str | None = None
) -> list[Dropout]:
    """Who of a point (or class) was filed at `since` and is not now, newest first. One question."""
    asked = {"within": place.path, "batch": batch_id, "since": since, "point": place.id, "class": class_no}
    return [
        Dropout(row.number if row.moved_to else masked(row.number), row.name, row.class_no, row.at, row.moved_to)
        for row in connection.execute(_NAMES, asked)
    ]


def with_numbers(
    connection: Connection, place: Place, batch_id: int, since: datetime | None, rows: Iterable[Row]
) -> list[Row]:
    """The rows of the offices directly below `place`, each with how many dropped out there. One question."""
    if since is None:
        return list(rows)
    asked = {"within": place.path, "batch": batch_id, "since": since, "point": None, "position": place.position + 1}
    found = {row.office: row.number for row in connection.execute(_NUMBERS, asked)}
    return [replace(row, dropped=found.get(row.key, 0)) for row in rows]
