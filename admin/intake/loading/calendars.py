"""Loads a calendar: batches and their windows."""

from sqlalchemy import text

from admin.intake.loading.report import loading
from app import audit, batches, tallies
from app.batches import Window
from app.db import Database, together
from app.errors import BadInput
from app.specs import Calendar

# to replace it would delete what people have begun, and move an end that candidates read
_IN_USE = text("""
    SELECT v.what FROM (VALUES
        ('filings', EXISTS (SELECT FROM filings)),
        ('drafts', EXISTS (SELECT FROM drafts)),
        ('calls to candidates', EXISTS (SELECT FROM contacts)),
        ('reminders sent', EXISTS (SELECT FROM reminders)),
        ('acts of two officers upon a batch', EXISTS (SELECT FROM batch_acts)),
        ('batches that are open', EXISTS (SELECT FROM batches WHERE opens_at <= clock_timestamp()
                                          AND (clock_timestamp() < closes_at OR suspended_at IS NOT NULL)))
    ) v (what, there) WHERE v.there
""")


def load_calendar(database: Database, calendar: Calendar) -> int:
    """Load a calendar's batches and windows in the place of those there are; returns how many batches.

    Refused once it is in use: `BadInput`, and nothing is changed.
    """
    with loading(database) as session:
        found = session.execute(_IN_USE).scalars().all()
        if found:
            raise BadInput(
                f"The calendar is in use ({', '.join(found)}), so it is not replaced any more. Move the windows of its"
                " batches under Schedule; load another calendar only into a database in which nobody has begun."
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
