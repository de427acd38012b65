"""Chase: whom a registration point has to call before a batch closes, and which points have called nobody."""

from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from sqlalchemy import Connection
from werkzeug.wrappers import Response as BaseResponse
from wtforms import HiddenField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the types
from wtforms.validators import InputRequired, Length

from admin import candidates, chase, completeness, reveals, scope
from admin.categories import Part, chosen
from admin.chase import AGAIN, LONGEST_NOTE, OUTCOMES, SILENT_HOURS, Again, Callee, Outcome, Said
from admin.completeness import MISSING
from admin.pages.calling import by_class, list_cells, list_sheet, point_cells, points_sheet
from admin.pages.progress import sent
from admin.pages.reach import officer, reading, sealer, transaction, typed, where
from admin.reveals import Revealed, Wish
from admin.scope import Place
from app import audit
from app.db import Write, together
from app.errors import NotFound
from app.web.forms import OwnForm, no_control_characters, require_mark, single
from app.web.limits import costly_flood, limiter
from app.web.portal import services

pages = Blueprint("chase", __name__)

_T = TypeVar("_T")
#: rows of one page
AT_ONCE: Final = 100


def _folded(value: str | None) -> str:
    return " ".join((value or "").split())


class CallForm(OwnForm):
    """What came of a call."""

    batch = HiddenField()
    outcome = RadioField(
        lazy_gettext("What came of it"),
        choices=[SelectChoice(code, lazy_gettext(words)) for code, words in OUTCOMES.items()],
        validators=[InputRequired(lazy_gettext("Choose what came of the call."))],
    )
    again = SelectField(
        lazy_gettext("Call again"), choices=[SelectChoice(code, lazy_gettext(words)) for code, words in AGAIN.items()]
    )
    note = StringField(
        lazy_gettext("Remarks"),
        validators=[
            Length(max=LONGEST_NOTE, message=lazy_gettext("Write at most 200 characters.")),
            no_control_characters,
        ],
        filters=[_folded],
    )


class RevealForm(OwnForm):
    """Why a full phone number is needed."""

    batch = HiddenField()
    reason = StringField(
        lazy_gettext("Reason"),
        validators=[
            InputRequired(lazy_gettext("Write why you need the full number.")),
            Length(min=4, max=200, message=lazy_gettext("Write 4 to 200 characters.")),
            no_control_characters,
        ],
        filters=[_folded],
    )


# --- lists -------------------------------------------------------------------------------------------


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


# --- one candidate -----------------------------------------------------------------------------------


@pages.get("/chase/person/<int:candidate>")
def person(candidate: int) -> str:
    """One candidate: where they stand, what was said, and forms to log a call or to look at the number."""
    batch = request.args.get("batch") or ""
    return _person_page(candidate, batch, CallForm(batch=batch), RevealForm(batch=batch))


@pages.post("/chase/person/<int:candidate>/call")
def call(candidate: int) -> BaseResponse | tuple[str, int]:
    """Log a call."""
    form = CallForm()
    with reading() as connection:
        candidates.of(connection, officer(), candidate)
        officer().require("chase")
        part = _batch(connection, typed(form.batch))
    if not form.validate():
        return _person_page(candidate, part.code, form, RevealForm(formdata=None, batch=part.code)), 400
    said = Said(cast("Outcome", form.outcome.data), typed(form.note), cast("Again", form.again.data))
    with transaction() as session:
        chase.log(session, officer(), candidate, part.id, said, where())
    return redirect(url_for(".person", candidate=candidate, batch=part.code), 303)


@pages.post("/chase/person/<int:candidate>/phone")
def phone(candidate: int) -> tuple[str, int]:
    """Show the number in full, once, for a reason; written down, and the candidate can read it."""
    form = RevealForm()
    with reading() as connection:
        candidates.of(connection, officer(), candidate)
        officer().require("reveal_phone")
        part = _batch(connection, typed(form.batch))
    answer = None
    if form.validate():
        wish = Wish(candidate, part.id, typed(form.reason))
        most = services().settings.reveals_per_day
        with transaction() as session:
            answer = reveals.reveal(session, sealer(), officer(), wish, most, where())
        if not isinstance(answer, Revealed):
            form.reason.errors = [
                _(
                    "You have looked at %(most)s full numbers today, which is the most for one day. Ask a colleague, or"
                    " go on tomorrow.",
                    most=most,
                )
            ]
    status = 200 if isinstance(answer, Revealed) else 429 if answer else 400
    shown = answer if isinstance(answer, Revealed) else None
    call_form = CallForm(formdata=None, batch=part.code)
    call_form.mark.data = officer().form_mark
    return _person_page(candidate, part.code, call_form, form, shown), status


def _batch(connection: Connection, code: str) -> Part:
    part = chosen(completeness.windows(connection), code)
    if part is None:
        raise NotFound("there are no batches")
    return part


def _person_page(
    candidate: int, batch: str, call_form: CallForm, reveal_form: RevealForm, revealed: Revealed | None = None
) -> str:
    with reading() as connection:
        found = candidates.of(connection, officer(), candidate)
        officer().require("chase")
        part = _batch(connection, batch)
        callee = chase.callee(connection, candidate, part.id)
        calls = chase.calls(connection, candidate, part.id)
    call_form.batch.data = reveal_form.batch.data = part.code
    return render_template(
        "chase/person.html",
        person=found,
        callee=callee,
        part=part,
        calls=calls,
        state=completeness.PREFERENCES.stage(callee.state).name,
        phone=callee.masked_phone(sealer()),
        outcomes=OUTCOMES,
        call_form=call_form,
        reveal_form=reveal_form,
        form=reveal_form if reveal_form.errors else call_form,
        revealed=revealed,
        most=services().settings.reveals_per_day,
    )


def _entry(act: str, office_id: int, part: Part, asked: Asked) -> Write:
    here = where()
    return audit.entry(
        act,
        actor="officer",
        officer_id=officer().officer_id,
        ip=here.ip,
        request_id=here.request_id,
        office=office_id,
        batch=part.code,
        class_no=asked.class_no,
        state=asked.state,
    )
