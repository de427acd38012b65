"""Progress: how far each office is in a batch, down to the names of those who have not filed. Never what."""

from collections.abc import Mapping
from datetime import datetime
from io import BytesIO

from flask import Blueprint, Response, redirect, render_template, request, send_file, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response as BaseResponse

from admin import dropouts, exports, officers, scope, snapshots
from admin.categories import Category, Counts, Part, chosen
from admin.completeness import CATEGORIES, PREFERENCES
from admin.exports import Sheet
from admin.pages.reach import officer, reading, transaction, where
from admin.pages.tables import Asked, Shown
from admin.scope import Place
from admin.snapshots import Earlier
from app.db import Write, together
from app.errors import NotFound
from app.web.forms import require_mark, single
from app.web.limits import costly_flood, limiter

pages = Blueprint("progress", __name__)


@pages.get("/progress")
def own() -> BaseResponse:
    """The officer's own office."""
    batch = request.args.get("batch") or None
    return redirect(url_for(".office", office=officer().office_id, batch=batch), 303)


@pages.get("/progress/<int:office>")
@limiter.limit(costly_flood)
def office(office: int) -> str:
    """An office's table, its worst row first; at a registration point also the names."""
    with reading() as connection:
        shown = _shown(connection, office, Asked.from_query())
    here = request.full_path.rstrip("?")
    return render_template("progress/office.html", shown=shown, categories=CATEGORIES, here=here)


@pages.post("/progress/<int:office>/export")
@limiter.limit(costly_flood)
def export(office: int) -> Response:
    """The table, or the names, as xlsx. Names leave the service only after a fresh proof of who asks (A-14)."""
    asked, table = Asked.from_form(), single("table")
    with reading() as connection:
        shown = _shown(connection, office, asked)
    require_mark(single("mark"))
    if table == "names":
        officer().require("export_names")
        officer().require_proof()
    if shown.part is None or table not in {"counts", "names"} or (table == "names" and shown.people is None):
        raise NotFound("no such table")
    with transaction() as session:
        together(session, _entry(table, office, shown.part.code, asked))
    sheet = shown.names_sheet if table == "names" else shown.counts_sheet
    return sent(sheet(shown.part, officer()), shown.name, shown.part)


def sent(sheet: Sheet, name: str, part: Part) -> Response:
    """A sheet as a file."""
    file = f"{name}-{part.name}-{sheet.title}.xlsx"
    return send_file(BytesIO(exports.xlsx(sheet)), exports.MIMETYPE, as_attachment=True, download_name=file)


def _shown(connection: Connection, office_id: int, asked: Asked) -> Shown:
    """Fetch, and may I: the gate stands first."""
    place = scope.office(connection, officer(), office_id)
    officer().require("see_progress")
    category = CATEGORIES.get(asked.category or PREFERENCES.code)
    if category is None:
        raise NotFound(f"no category {asked.category}")
    one_class = place.level == "point" and asked.class_no
    parts = category.named(connection) if one_class else category.parts(connection, place)
    part = chosen(parts, asked.batch)
    if part is None:
        return Shown(category, place, parts, None, asked)
    if place.level == "point":
        return _point(connection, category, place, parts, part, asked)
    before, course = _past(connection, category, place, part)
    since = _since(before)
    rows = snapshots.with_differences(part.rows, before)
    rows = category.in_order(dropouts.with_numbers(connection, place, part.id, since, rows), asked.order)
    return Shown(category, place, parts, part, asked, rows, before=before, since=since, course=course)


def _past(
    connection: Connection, category: Category, place: Place, part: Part, class_no: str | None = None
) -> tuple[dict[str, Earlier], list[tuple[datetime, Counts]]]:
    """What the office and those below it had earlier, where that is kept. A class has no curve of its own."""
    if not category.remembered:
        return {}, []
    below = () if place.level == "point" else (int(row.key) for row in part.rows)
    return (
        snapshots.earlier(connection, place.id, part, below),
        [] if class_no else snapshots.course(connection, place.id, part.id),
    )


def _since(before: Mapping[str, Earlier]) -> datetime | None:
    """The count that dropouts are told from: yesterday's, or that of an hour ago."""
    return next((before[mark].at for mark in ("day", "hour") if mark in before), None)


def _point(  # noqa: PLR0913, PLR0917 -- what the page has found so far
    connection: Connection, category: Category, place: Place, parts: list[Part], part: Part, asked: Asked
) -> Shown:
    """A registration point: its classes, its names, and who fell out of the count since yesterday."""
    class_no = asked.class_no or None
    everybody = category.standings(connection, place, part.id, class_no)
    rows = category.in_order(category.classes(everybody), asked.order)
    before, course = _past(connection, category, place, part, class_no)
    if not officer().may("see_names"):
        return Shown(category, place, parts, part, asked, rows, before=before, course=course)
    since = _since(before)
    return Shown(
        category,
        place,
        parts,
        part,
        asked,
        rows,
        people=category.among(everybody, asked.state),
        before=before,
        dropped=dropouts.names(connection, place, part.id, since, class_no) if since else [],
        since=since,
        course=course,
    )


def _entry(table: str, office_id: int, batch: str, asked: Asked) -> Write:
    return officers.entry(
        f"progress.{table}_exported",
        officer(),
        where(),
        office=office_id,
        batch=batch,
        state=asked.state,
        class_no=asked.class_no,
    )
