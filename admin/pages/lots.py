"""Lots, for the province: taken into stock by the statement of the print works, put under quarantine."""

from io import BytesIO
from typing import cast

from flask import Blueprint, redirect, render_template, request, send_file, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response
from wtforms import IntegerField, RadioField
from wtforms.validators import InputRequired, NumberRange

from admin import exports, officers, statements, withdrawals
from admin.exports import Sheet
from admin.pages.fields import choices_of, proposal_life, reason_field, spans_field, spans_of
from admin.pages.handing import STATES
from admin.pages.reach import officer, reading, transaction, typed, where
from admin.statements import LotLine, Stated
from admin.withdrawals import MODES, Holder, Mode
from app.db import Write, together
from app.errors import BadInput, NotAllowed
from app.web.formats import full_moment
from app.web.forms import OwnForm, require_mark, single
from app.web.languages import gettext as _
from app.web.limits import costly_flood, limiter

pages = Blueprint("lots", __name__)


@pages.get("/lots")
@limiter.limit(costly_flood)
def overview() -> str:
    """All lots and how far each is."""
    officer().require("see_stock")
    if officer().level != "province":
        raise NotAllowed("lots are the province's")
    with reading() as connection:
        found = statements.lots(connection)
    return render_template("lots/overview.html", lots=found)


def _lot(code: str) -> LotLine:
    with reading() as connection:
        found = statements.lot(connection, officer(), code)
    officer().require("see_stock")
    return found


# --- the statement of the print works ------------------------------------------------------------------


class StatementForm(OwnForm):
    """What the print works has signed."""

    printed = IntegerField(
        lazy_gettext("Cards printed"),
        validators=[InputRequired(lazy_gettext("Write how many cards were printed.")), NumberRange(min=1)],
    )
    spoiled = spans_field(lazy_gettext("Serials of spoiled cards"))
    delivered = IntegerField(
        lazy_gettext("Cards delivered"),
        validators=[InputRequired(lazy_gettext("Write how many cards were delivered.")), NumberRange(min=0)],
    )
    reason = reason_field(lazy_gettext("Write number and date of the statement."))


@pages.get("/lots/<string(length=4):lot>/statement")
def statement(lot: str) -> Response | str:
    """Enter the statement; after a fresh proof of who asks (A-14)."""
    found = _lot(lot)
    officer().require("propose")
    if not officer().proved_lately:
        return redirect(url_for("entrance.prove", next=request.path), 303)
    return render_template("lots/statement.html", form=StatementForm(), lot=found)


@pages.post("/lots/<string(length=4):lot>/statement")
def propose_taking_in(lot: str) -> Response | tuple[str, int]:
    """Propose to take the lot in, when the figures come out."""
    found = _lot(lot)
    officer().require("propose")
    officer().require_proof()
    form = StatementForm()
    status = 400
    if form.validate():
        printed, delivered = cast("int", form.printed.data), cast("int", form.delivered.data)
        stated = Stated(printed, delivered, spans_of(form.spoiled), typed(form.reason))
        try:
            with transaction() as session:
                act = statements.propose(session, officer(), lot, stated, proposal_life(), where())
        except BadInput as refusal:
            form[refusal.place].errors = [_wrong(refusal.place, found)]
            status = 422
        else:
            return redirect(url_for("acts.one", act=act), 303)
    return render_template("lots/statement.html", form=form, lot=found), status


def _wrong(place: str, lot: LotLine) -> str:
    words = {
        "printed": _("The lot was made with %(count)s cards. Clear the difference up first.", count=lot.cards),
        "spoiled": _("Some of these are of another lot, or stand here twice."),
        "delivered": _("Printed less spoiled is another number. The difference must be 0."),
    }
    return str(words[place])


# --- quarantine ----------------------------------------------------------------------------------------


class QuarantineForm(OwnForm):
    """What is done about the lot."""

    mode = RadioField(
        lazy_gettext("What is done"),
        choices=choices_of(MODES),
        validators=[InputRequired(lazy_gettext("Choose what is done."))],
    )
    reason = reason_field(lazy_gettext("Write why."))


@pages.get("/lots/<string(length=4):lot>/quarantine")
def quarantine(lot: str) -> Response | str:
    """What can be done about a lot, and how many it would touch; after a fresh proof of who asks (A-14)."""
    found = _lot(lot)
    officer().require("propose")
    if not officer().proved_lately:
        return redirect(url_for("entrance.prove", next=request.path), 303)
    return render_template("lots/quarantine.html", form=QuarantineForm(), lot=found)


@pages.post("/lots/<string(length=4):lot>/quarantine")
def propose_quarantine(lot: str) -> Response | tuple[str, int]:
    """Propose it."""
    found = _lot(lot)
    officer().require("propose")
    officer().require_proof()
    form = QuarantineForm()
    if not form.validate():
        return render_template("lots/quarantine.html", form=form, lot=found), 400
    mode, why = cast("Mode", form.mode.data), typed(form.reason)
    with transaction() as session:
        act = withdrawals.propose_quarantine(session, officer(), lot, mode, why, proposal_life(), where())
    return redirect(url_for("acts.one", act=act), 303)


@pages.post("/lots/<string(length=4):lot>/holders")
@limiter.limit(costly_flood)
def holders(lot: str) -> Response:
    """Who needs a card of another lot, as xlsx; names leave only after a fresh proof of who asks (A-14)."""
    _lot(lot)
    require_mark(single("mark"))
    officer().require("export_names")
    officer().require_proof()
    with transaction() as session:
        people = withdrawals.holders(session, lot)
        together(session, _entry(lot, len(people)))
    made, name = exports.xlsx(_sheet(lot, people)), f"{_('For a new card')}-{lot}.xlsx"
    return send_file(BytesIO(made), exports.MIMETYPE, as_attachment=True, download_name=name)


def _entry(lot: str, people: int) -> Write:
    return officers.entry("lot.holders_exported", officer(), where(), lot=lot, people=people)


def _sheet(lot: str, people: list[Holder]) -> Sheet:
    return Sheet(
        title=_("For a new card"),
        facts=[
            (_("Lot"), lot),
            (_("As of"), full_moment(officer().now)),
            (_("Exported by"), f"{officer().name} ({officer().login})"),
        ],
        columns=[
            _("Prefecture"),
            _("County"),
            _("Registration point"),
            _("Class"),
            _("Name"),
            _("Candidate no."),
            _("Card"),
        ],
        rows=[
            [one.prefecture, one.county, one.point, one.class_no, one.name, one.masked_no, _(STATES[one.state])]
            for one in people
        ],
    )
