"""Handing out cards at the registration point, and the register.

One form for a queue: scan the admission ticket, type the end of the identity number, scan the card. A scanner ends
each field with Enter, so a form sent with the first fields filled comes back with who it is and the next field
ready; only a complete one hands a card out.
"""

from io import BytesIO

from flask import Blueprint, flash, redirect, render_template, send_file, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response

from admin import exports, handing, officers, register, scope
from admin.exports import Sheet
from admin.handing import NotHanded, Presented
from admin.pages import protocols
from admin.pages.fields import number_field, serial_field, serial_of, tail_field
from admin.pages.reach import officer, reading, sealer, transaction, typed, where
from admin.register import Registered
from admin.scope import Place
from app.db import Write, together
from app.errors import NotAllowed, NotFound, TooSoon
from app.web.formats import full_moment, moment
from app.web.forms import OwnForm, require_mark, single
from app.web.languages import gettext as _
from app.web.limits import costly_flood, limiter
from app.wording import N_
from cards.serials import grouped

pages = Blueprint("handing", __name__)

#: what to say, and at which field
_REFUSALS = {
    "nobody": ("number", N_("No candidate of your registration point has this number. Check what you typed.")),
    "tail": (
        "id_tail",
        N_("These are not the last characters of this candidate’s identity number. Compare the card again."),
    ),
    "holds": ("number", N_("This candidate has a card already. Another one takes two officers, at the counter.")),
    "card": (
        "serial",
        N_("This card is not in your stock, or can never be handed out. Put it aside and take another."),
    ),
}
STATES = {"": N_("no card yet"), "handed": N_("handed out, not bound"), "bound": N_("bound"), "void": N_("void")}


class HandOverForm(OwnForm):
    """Who stands there, and which card."""

    number = number_field()
    id_tail = tail_field()
    serial = serial_field(lazy_gettext("Serial of the card"))


def _require_point() -> None:
    officer().require("hand_over")
    if officer().level != "point":
        raise NotAllowed("cards are handed out at registration points")


@pages.get("/hand-over")
def hand_over() -> str:
    """The form for the next candidate, and the last cards handed out."""
    _require_point()
    return _page(HandOverForm(), "number")


@pages.post("/hand-over")
def handed() -> Response | tuple[str, int] | str:
    """Hand one card out, or ask for what is still missing."""
    _require_point()
    form = HandOverForm()
    whole = form.validate()
    following = next((name for name in ("number", "id_tail", "serial") if not typed(form[name])), "")
    if following and not any(form[name].errors for name in form.data if typed(form[name])):
        for name in ("number", "id_tail", "serial"):
            form[name].errors = []
        return _page(form, following)
    if not whole:
        return _page(form), 400
    given = Presented(typed(form.number), typed(form.id_tail), serial_of(form.serial))
    try:
        with transaction() as session:
            answer = handing.hand_over(session, sealer(), officer(), given, where())
    except TooSoon as refusal:
        form.serial.errors = [_("One card in five seconds. Try again in %(count)s s.", count=refusal.seconds)]
        return _page(form), refusal.status
    if isinstance(answer, NotHanded):
        name, words = _REFUSALS[answer.reason]
        form[name].errors = [_(words)]
        return _page(form), 422
    flash(
        _("%(name)s, class %(class_no)s, has card %(serial)s. Let the candidate sign the list.", name=answer.name,
          class_no=answer.class_no, serial=grouped(answer.serial)),
        "success",
    )  # fmt: skip
    return redirect(url_for(".hand_over"), 303)


def _page(form: HandOverForm, focus: str = "") -> str:
    with reading() as connection:
        person = None
        if typed(form.number) and not form.number.errors:
            person = handing.person(connection, officer(), typed(form.number))
        last = register.latest(connection, officer().office_id)
    return render_template("handing/hand_over.html", form=form, focus=focus, person=person, last=last)


# --- the register --------------------------------------------------------------------------------------


@pages.get("/register/<int:office>")
@limiter.limit(costly_flood)
def registered(office: int) -> str:
    """Who of a point has which card."""
    place, people = _people(office)
    classes = sorted({one.class_no for one in people})
    return render_template("handing/register.html", place=place, people=people, classes=classes, states=STATES)


@pages.post("/register/<int:office>/export")
@limiter.limit(costly_flood)
def export(office: int) -> Response:
    """The register as xlsx, or a class's sheet to sign as PDF. Names leave only after a fresh proof (A-14)."""
    place, people = _people(office)
    require_mark(single("mark"))
    officer().require("export_names")
    officer().require_proof()
    class_no = single("class")
    chosen = [one for one in people if class_no in {"", one.class_no}]
    if not chosen:
        raise NotFound("no such class")
    form = single("table")
    with transaction() as session:
        together(session, _entry(form, office, class_no))
    if form == "sheet":
        return protocols.of_classes(place.name, chosen, officer().now)
    made, name = exports.xlsx(_sheet(place, chosen)), f"{place.name}-{_('Register of cards')}.xlsx"
    return send_file(BytesIO(made), exports.MIMETYPE, as_attachment=True, download_name=name)


def _people(office: int) -> tuple[Place, list[Registered]]:
    with reading() as connection:
        place = scope.office(connection, officer(), office)
        officer().require("see_names")
        return place, register.of_point(connection, office)


def _sheet(place: Place, people: list[Registered]) -> Sheet:
    return Sheet(
        title=_("Register of cards"),
        facts=[
            (_("Registration point"), place.name),
            (_("As of"), full_moment(officer().now)),
            (_("Exported by"), f"{officer().name} ({officer().login})"),
        ],
        columns=[
            _("Class"), _("Name"), _("Candidate no."), _("Serial"), _("State"), _("Handed"), _("Officer"),
            _("Second officer"),
        ],
        rows=[
            [
                one.class_no,
                one.name,
                one.masked_no,
                grouped(one.serial) if one.serial else "",
                _(STATES[one.state]),
                moment(one.handed_at, seconds=True),
                one.officer or "",
                one.second or "",
            ]
            for one in people
        ],
    )  # fmt: skip


def _entry(form: str, office: int, class_no: str) -> Write:
    act = "register.sheet_printed" if form == "sheet" else "register.exported"
    return officers.entry(act, officer(), where(), office=office, class_no=class_no)
