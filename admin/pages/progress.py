"""Progress: how far each office is in a batch, down to the names of those who have not filed. Never what."""

from io import BytesIO

from flask import Blueprint, Response, redirect, render_template, request, send_file, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response as BaseResponse

from admin import completeness, exports, scope
from admin.completeness import STATE_NAMES, Row, Standing
from admin.pages.reach import officer, reading, transaction, where
from admin.pages.tables import Asked, Shown
from app import audit
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
    return render_template("progress/office.html", shown=shown, states=STATE_NAMES, here=here)


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
    if shown.batch is None or table not in {"counts", "names"} or (table == "names" and shown.people is None):
        raise NotFound("no such table")
    with transaction() as session:
        together(session, _entry(table, office, shown.batch.code, asked))
    sheet = shown.names_sheet if table == "names" else shown.counts_sheet
    made = sheet(shown.batch, officer())
    name = f"{shown.name}-{shown.batch.name}-{made.title}.xlsx"
    return send_file(BytesIO(exports.xlsx(made)), exports.MIMETYPE, as_attachment=True, download_name=name)


def _shown(connection: Connection, office_id: int, asked: Asked) -> Shown:
    """Fetch, and may I: the gate stands first."""
    place = scope.office(connection, officer(), office_id)
    officer().require("see_progress")
    found = completeness.batches(connection, place)
    batch = completeness.chosen(found, asked.batch)
    if batch is None:
        return Shown(place, found, None, asked, [], None)
    rows: tuple[Row, ...] = batch.rows
    people: list[Standing] | None = None
    if place.level == "point":
        everybody = completeness.standings(connection, place, batch.id, asked.class_no or None)
        rows = completeness.classes(everybody)
        if officer().may("see_names"):
            people = completeness.among(everybody, asked.state)
    return Shown(place, found, batch, asked, completeness.in_order(rows, asked.order), people)


def _entry(table: str, office_id: int, batch: str, asked: Asked) -> Write:
    here = where()
    return audit.entry(
        f"progress.{table}_exported",
        actor="officer",
        officer_id=officer().officer_id,
        ip=here.ip,
        request_id=here.request_id,
        office=office_id,
        batch=batch,
        state=asked.state,
        class_no=asked.class_no,
    )
