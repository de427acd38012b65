"""Chase: whom a registration point has to call before a batch closes, and which points have called nobody."""

from dataclasses import dataclass
from typing import Any, Final, TypeVar

from flask import Blueprint, Response, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response as BaseResponse

from admin import chase, completeness, officers, scope
from admin.categories import Part, chosen
from admin.chase import SILENT_HOURS, Callee
from admin.completeness import MISSING
from admin.pages import calls
from admin.pages.calling import by_class, list_cells, list_sheet, point_cells, points_sheet
from admin.pages.progress import sent
from admin.pages.reach import officer, reading, sealer, transaction, where
from admin.scope import Place
from app.db import Write, together
from app.errors import NotFound
from app.web.forms import require_mark, single
from app.web.limits import costly_flood, limiter

pages = Blueprint("chase", __name__)

_T = TypeVar("_T")
_PERSON: Final = "/chase/person/<int:candidate>"
pages.get(_PERSON, endpoint="person")(calls.person)
pages.post(f"{_PERSON}/call", endpoint="call")(calls.call)
pages.post(f"{_PERSON}/phone", endpoint="phone")(calls.phone)

#: rows of one page
AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """What of an office is asked for."""

    batch: str
    class_no: str
    state: str
    hours: int
    page: int

    @classmethod
    def of(cls, got: Any) -> "Asked":
        """Of a query or a form, by its function `got`. Raises `NotFound` for what there is not."""
        state, hours, page = got("state") or "", got("hours") or "24", got("page") or "1"
        if (state and state not in MISSING) or hours not in map(str, SILENT_HOURS) or not page.isdecimal():
            raise NotFound("no such list")
        return cls(got("batch") or "", got("class") or "", state, int(hours), min(max(int(page), 1), 10_000))


@pages.get("/chase")
def own() -> BaseResponse:
    """The officer's own office."""
    officer().require("chase")
    return redirect(url_for(".office", office=officer().office_id), 303)


@pages.get("/chase/<int:office>")
@limiter.limit(costly_flood)
def office(office: int) -> str:
    """At a point, whom to call; above, the points that have called nobody."""
    asked = Asked.of(request.args.get)
    with reading() as connection:
        place, part, parts = _gate(connection, office, asked.batch)
        if part is None:
            return render_template("chase/nothing.html", place=place)
        if place.level == "point":
            people = chase.callees(connection, place, part.id, asked.class_no or None, asked.state)
            return _list_page(place, part, parts, asked, people)
        found = chase.points(connection, place, part.id, asked.hours)
    return render_template(
        "chase/points.html",
        place=place,
        part=part,
        parts=parts,
        asked=asked,
        rows=point_cells(_page(found, asked.page), part),
        silent=sum(point.silent for point in found),
        count=len(found),
        uncalled=sum(point.missing - point.called for point in found),
        pages=_pages(found),
        choices=SILENT_HOURS,
    )


def _list_page(place: Place, part: Part, parts: list[Part], asked: Asked, people: list[Callee]) -> str:
    here = request.full_path.rstrip("?")
    return render_template(
        "chase/list.html",
        place=place,
        part=part,
        parts=parts,
        asked=asked,
        rows=list_cells(_page(people, asked.page), part, sealer()),
        count=len(people),
        uncalled=sum(one.called_at is None for one in people),
        due=sum(one.call_due for one in people),
        pages=_pages(people),
        stages=[stage for stage in completeness.STAGES if stage.kind == "missing"],
        here=here,
    )


@pages.get("/chase/<int:office>/sheet")
@limiter.limit(costly_flood)
def sheet(office: int) -> str:
    """The same on paper for class teachers, a class a page: no full number, no identity number, nothing of a list."""
    asked = Asked.of(request.args.get)
    with reading() as connection:
        place, part, _parts = _gate(connection, office, asked.batch)
        if part is None or place.level != "point":
            return render_template("chase/nothing.html", place=place)
        people = chase.callees(connection, place, part.id, asked.class_no or None, asked.state)
    return render_template("chase/sheet.html", place=place, part=part, classes=by_class(people, sealer()))


@pages.post("/chase/<int:office>/export")
@limiter.limit(costly_flood)
def export(office: int) -> Response:
    """The list or the points as xlsx. Names leave the service only after a fresh proof of who asks (A-14)."""
    asked = Asked.of(single)
    with reading() as connection:
        place, part, _parts = _gate(connection, office, asked.batch)
        require_mark(single("mark"))
        officer().require("export_names")
        officer().require_proof()
        if part is None:
            raise NotFound("no such table")
        if place.level == "point":
            people = chase.callees(connection, place, part.id, asked.class_no or None, asked.state)
            made = list_sheet(place, part, people, sealer(), officer())
        else:
            made = points_sheet(place, part, chase.points(connection, place, part.id, asked.hours), officer())
    with transaction() as session:
        together(session, _entry("chase.exported", office, part, asked))
    return sent(made, place.name, part)


def _gate(connection: Connection, office_id: int, batch: str) -> tuple[Place, Part | None, list[Part]]:
    """Fetch, and may I: the gate stands first."""
    place = scope.office(connection, officer(), office_id)
    officer().require("chase")
    parts = completeness.windows(connection)
    return place, chosen(parts, batch), parts


def _page(found: list[_T], page: int) -> list[_T]:
    return found[AT_ONCE * (page - 1) :][:AT_ONCE]


def _pages(found: list[Any]) -> int:
    return -(-len(found) // AT_ONCE)


def _entry(act: str, office_id: int, part: Part, asked: Asked) -> Write:
    return officers.entry(
        act, officer(), where(), office=office_id, batch=part.code, class_no=asked.class_no, state=asked.state
    )
