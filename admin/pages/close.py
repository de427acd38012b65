"""Close: what a closed batch came to at an office, and the root it was sealed with. Counts only, for the file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from admin import closing, completeness, confirmations, scope
from admin.categories import Counts, Part, Row, chosen
from admin.completeness import PREFERENCES
from admin.pages.reach import officer, reading
from admin.scope import Place
from app import seals
from app.web.languages import gettext as _
from app.web.limits import costly_flood, limiter

pages = Blueprint("close", __name__)

Line = list[str]


@dataclass(frozen=True, slots=True)
class Shown:
    """An office at the close of a batch."""

    place: Place
    closed: list[Part]
    batch: Part | None
    #: of this close
    seal: Mapping[Any, Any] | None
    rows: Sequence[Row]
    #: filings made after the close, as long as there is no seal to count them
    amended: int = 0

    @property
    def columns(self) -> list[dict[str, str]]:
        """The columns: office, eligible, a count for each state."""
        labels = [_("Eligible"), *(_(stage.name) for stage in PREFERENCES.stages)]
        return [{"label": _("Office"), "kind": "head"}, *({"label": each, "kind": "number"} for each in labels)]

    @property
    def cells(self) -> list[Line]:
        """One line for each office below, by its code."""
        return [_line(row.name, row.counts) for row in self.rows]

    @property
    def foot(self) -> Line:
        """All of them."""
        return _line(_("Total"), PREFERENCES.total(self.rows))


def _line(name: str, counts: Counts) -> Line:
    return [name, f"{counts.eligible:,}", *(f"{number:,}" for number in counts.numbers)]


@pages.get("/close")
def own() -> BaseResponse:
    """The officer's own office."""
    return redirect(url_for(".office", office=officer().office_id), 303)


@pages.get("/close/<int:office>")
@limiter.limit(costly_flood)
def office(office: int) -> str:
    """One office in one closed batch, the last one closed unless another is asked for."""
    with reading() as connection:
        place = scope.office(connection, officer(), office)
        officer().require("see_progress")
        closed = [batch for batch in completeness.batches(connection, place) if batch.state == "closed"]
        batch = chosen(closed, request.args.get("batch"))
        seal = seals.of_batch(connection, batch.code) if batch else None
        if batch and seal:
            shown = Shown(place, closed, batch, seal, closing.rows(connection, place, seal["number"]))
        elif batch:
            amended = closing.amended(connection, place, batch.id)
            shown = Shown(place, closed, batch, None, sorted(batch.rows, key=lambda row: row.code), amended)
        else:
            shown = Shown(place, closed, None, None, ())
        confirmed = confirmations.of(connection, shown.seal["number"]) if shown.seal else None
    return render_template("close/office.html", shown=shown, confirmed=confirmed)
