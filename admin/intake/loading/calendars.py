"""Loads a calendar: batches and their windows."""

from sqlalchemy import text

from admin.intake.loading.report import loading
from app import audit, tallies
from app.db import Database, together
from app.errors import BadInput
from app.specs import Calendar


def load_calendar(database: Database, calendar: Calendar) -> int:
    """Load a calendar's batches and windows; returns how many batches. Refused once a filing exists."""
    with loading(database) as session:
        if session.execute(text("SELECT 1 FROM filings LIMIT 1")).first() is not None:
            raise BadInput(
                "There are filings already, and each was checked against the calendar as it stands: it is not replaced"
                " any more. Load another calendar only into a database in which nobody has filed."
            )
        session.execute(text("DELETE FROM tallies"))
        session.execute(text("DELETE FROM challenges"))
        session.execute(text("DELETE FROM drafts"))
        session.execute(text("UPDATE batches SET parent_id = NULL"))
        session.execute(text("DELETE FROM batches"))
        ids: dict[str, int] = {}
        for spec in sorted(calendar.batches, key=lambda one: one.parent is not None):
            window = calendar.windows[spec.window]
            ids[spec.code] = session.execute(
                text("""
                    INSERT INTO batches (year, code, name, position, parent_id, subject_classes, spec,
                                         catalogue_version, opens_at, closes_at)
                    VALUES (:year, :code, :name, :position, :parent, :classes, CAST(:spec AS jsonb),
                            (SELECT coalesce(max(version), 0) FROM catalogues), :opens_at, :closes_at)
                    RETURNING id
                """),
                {
                    "year": spec.year,
                    "code": spec.code,
                    "name": spec.name,
                    "position": spec.order,
                    "parent": ids.get(spec.parent) if spec.parent else None,
                    "classes": list(spec.subject_classes),
                    "spec": spec.model_dump_json(),
                    "opens_at": window.opens_at,
                    "closes_at": window.closes_at,
                },
            ).scalar_one()
        tallies.recount(session)
        together(session, audit.entry("calendar.loaded", actor="command", year=calendar.year, batches=len(ids)))
    return len(ids)
