"""Loads a calendar: batches and their windows."""

from sqlalchemy import text

from admin.intake.loading.report import loading
from app import audit, tallies
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
