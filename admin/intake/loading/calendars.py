"""Loads a calendar: batches and their windows."""

from sqlalchemy import text

from admin.intake.loading.report import loading
from app import audit, batches, tallies
from app.batches import Window
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
        version = session.execute(text("SELECT coalesce(max(version), 0) FROM catalogues")).scalar_one()
        ids: dict[str, int] = {}
        for spec in sorted(calendar.batches, key=lambda one: one.parent is not None):
            planned = calendar.windows[spec.window]
            window = Window(planned.opens_at, planned.closes_at)
            ids[spec.code] = batches.add(session, spec, window, ids.get(spec.parent or ""), version)
        tallies.recount(session)
        together(session, audit.entry("calendar.loaded", actor="command", year=calendar.year, batches=len(ids)))
    return len(ids)
