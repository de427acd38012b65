"""Sending cards to a neighbour, counting what arrived, saying what differs."""

from typing import cast

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response
from wtforms import IntegerField, RadioField, StringField
from wtforms.validators import InputRequired, Length, Optional

from admin import differences, receiving, scope, stock, transfers
from admin.differences import SETTLINGS, Settling
from admin.pages import protocols
from admin.pages.fields import choices_of, one_line, proposal_life, reason_field, spans_field, spans_of
from admin.pages.protocols import BOX_STATES
from admin.pages.reach import officer, reading, transaction, typed, where
from admin.receiving import Difference, Miscounted
from admin.spans import written
from admin.transfers import Boxed, Sent
from app.errors import BadInput
from app.web.forms import OwnForm, no_control_characters, single
from app.web.languages import gettext as _

pages = Blueprint("transfers", __name__)


class SendForm(OwnForm):
    """To whom, and which cards."""

    receiver = RadioField(
        lazy_gettext("To which office"),
        validators=[InputRequired(lazy_gettext("Choose who receives the cards."))],
    )
    spans = spans_field(lazy_gettext("Serials, one box a line"))
    note = StringField(lazy_gettext("Remark"), validators=[Length(max=100), no_control_characters], filters=[one_line])


def _send_page(form: SendForm) -> str:
    with reading() as connection:
        near = transfers.neighbours(connection, officer().office_id)
        left = stock.unissued(connection, officer().office_id)
    form.receiver.choices = choices_of(
        {
            one.id: one.name if one.below else _("%(office)s (return to the office above)", office=one.name)
            for one in near
        }
    )
    return render_template("transfers/send.html", form=form, left=left)


@pages.get("/transfers/send")
def send() -> str:
    """What is in stock, and where it can go."""
    officer().require("move_cards")
    return _send_page(SendForm())


@pages.post("/transfers/send")
def begin() -> Response | tuple[str, int]:
    """Send: from now on the cards are on the way."""
    officer().require("move_cards")
    form = SendForm()
    with reading() as connection:
        near = transfers.neighbours(connection, officer().office_id)
    form.receiver.choices = choices_of({one.id: one.name for one in near})
    if not form.validate():
        return _send_page(form), 400
    spans = spans_of(form.spans)
    try:
        with transaction() as session:
            transfer = transfers.send(session, officer(), int(typed(form.receiver)), spans, typed(form.note), where())
    except BadInput as refusal:
        if refusal.place in {"", "twice"}:
            words = _("Write at least one serial, and none of them twice.")
        else:
            words = _(
                "%(span)s cannot be sent: not all of it is in your stock, or some of it was handed out, or is on the"
                " way, or can never be used.",
                span=refusal.place,
            )
        form.spans.errors = [words]
        return _send_page(form), 422
    return redirect(url_for(".one", transfer=transfer), 303)


@pages.get("/transfers/<int:transfer>")
def one(transfer: int) -> str:
    """A transfer and the state of its boxes."""
    sent = _sent(transfer)
    settles = officer().may("propose") and sent.upper_path.startswith(officer().path)
    return render_template("transfers/one.html", sent=sent, states=BOX_STATES, settles=settles)


@pages.get("/transfers/<int:transfer>/protocol.pdf")
def protocol(transfer: int) -> Response:
    """The paper both sides sign."""
    return protocols.of_transfer(_sent(transfer), officer().now)


def _sent(transfer: int) -> Sent:
    with reading() as connection:
        sent = transfers.of(connection, officer(), transfer)
    officer().require("see_stock")
    return sent


# --- counting a box ------------------------------------------------------------------------------------


class CountForm(OwnForm):
    """What is in a box: its number of cards, or every serial, or what differs."""

    counted = IntegerField(
        lazy_gettext("Cards counted"),
        validators=[Optional()],
    )
    scanned = spans_field(lazy_gettext("Serials scanned"))
    missing = spans_field(lazy_gettext("Missing serials"))
    extra = spans_field(lazy_gettext("Surplus serials"))


@pages.get("/transfers/<int:transfer>/boxes/<int:box>")
def count(transfer: int, box: int) -> str:
    """Count a box."""
    sent = _sent(transfer)
    found = differences.box_of(sent, box)
    return _count_page(CountForm(), sent, found)


@pages.post("/transfers/<int:transfer>/boxes/<int:box>")
def counted(transfer: int, box: int) -> Response | tuple[str, int]:
    """Confirm by number or by scanning, or report what differs."""
    sent = _sent(transfer)
    found = differences.box_of(sent, box)
    officer().require("move_cards")
    form = CountForm()
    if not form.validate():
        return _count_page(form, sent, found), 400
    act = single("act")
    if act == "report":
        return _reported(form, sent, found)
    if act == "scan":
        return _scanned(form, sent, found)
    if form.counted.data is None:
        form.counted.errors = [_("Write how many cards you counted.")]
        return _count_page(form, sent, found), 400
    return _confirmed(form, sent, found, form.counted.data)


def _confirmed(form: CountForm, sent: Sent, box: Boxed, number: int) -> Response | tuple[str, int]:
    with transaction() as session:
        answer = receiving.confirm(session, officer(), sent, box, number, where())
    if isinstance(answer, Miscounted):
        form.counted.errors = [
            _("There should be %(count)s cards. Count once more; if it is not so, say which are missing or too many.",
              count=answer.expected)
        ]  # fmt: skip
        return _count_page(form, sent, box), 422
    flash(_("Box %(number)s is in your stock.", number=box.number), "success")
    return redirect(url_for(".one", transfer=sent.id), 303)


def _scanned(form: CountForm, sent: Sent, box: Boxed) -> Response | tuple[str, int]:
    scanned = spans_of(form.scanned)
    if not scanned:
        form.scanned.errors = [_("Scan the cards first, one serial a line.")]
        return _count_page(form, sent, box), 400
    with reading() as connection:
        found = receiving.compare(connection, box.id, scanned)
        expected = receiving.expected(connection, box)
    if not found:
        return _confirmed(form, sent, box, expected)
    form.missing.data, form.extra.data = written(found.missing), written(found.extra)
    form.scanned.errors = [_("This is not what was sent: see below what is missing and what is too many.")]
    return _count_page(form, sent, box), 422


def _reported(form: CountForm, sent: Sent, box: Boxed) -> Response | tuple[str, int]:
    found = Difference(tuple(spans_of(form.missing)), tuple(spans_of(form.extra)))
    try:
        with transaction() as session:
            receiving.report(session, officer(), sent, box, found, where())
    except BadInput as refusal:
        field = form.extra if refusal.place == "extra" else form.missing
        field.errors = [
            _("There is no such card, or it is one of this box.")
            if refusal.place == "extra"
            else _("Write only serials that should be in this box, and at least one here or below.")
        ]
        return _count_page(form, sent, box), 422
    words = _("Box %(number)s differs: reported. Nothing of it goes on until that is settled.", number=box.number)
    flash(words, "warning")
    return redirect(url_for(".one", transfer=sent.id), 303)


def _count_page(form: CountForm, sent: Sent, box: Boxed) -> str:
    return render_template("transfers/count.html", form=form, sent=sent, box=box)


# --- settling a difference -----------------------------------------------------------------------------


class SettleForm(OwnForm):
    """What became of the cards."""

    settling = RadioField(
        lazy_gettext("What became of the cards"),
        choices=choices_of(SETTLINGS),
        validators=[InputRequired(lazy_gettext("Choose what became of the cards."))],
    )
    reason = reason_field(lazy_gettext("Write what was found out, and how."))


def _differing(transfer: int, box: int) -> tuple[Sent, Boxed]:
    """The box, for officers of the upper office and those above it; for the lower one nothing is there."""
    sent = _sent(transfer)
    found = differences.box_of(sent, box)
    with reading() as connection:
        scope.office(connection, officer(), sent.upper_id)
    officer().require("propose")
    return sent, found


@pages.get("/transfers/<int:transfer>/boxes/<int:box>/settle")
def settle(transfer: int, box: int) -> Response | str:
    """What differs, and how it can be settled; after a fresh proof of who asks (A-14)."""
    sent, found = _differing(transfer, box)
    if not officer().proved_lately:
        return redirect(url_for("entrance.prove", next=request.path), 303)
    return render_template("transfers/settle.html", form=SettleForm(), sent=sent, box=found)


@pages.post("/transfers/<int:transfer>/boxes/<int:box>/settle")
def propose_settling(transfer: int, box: int) -> Response | tuple[str, int]:
    """Propose how it is settled."""
    sent, found = _differing(transfer, box)
    officer().require_proof()
    form = SettleForm()
    if not form.validate():
        return render_template("transfers/settle.html", form=form, sent=sent, box=found), 400
    settling = cast("Settling", form.settling.data)
    why = typed(form.reason)
    with transaction() as session:
        act = differences.propose(session, officer(), sent, found, settling, why, proposal_life(), where())
    return redirect(url_for("acts.one", act=act), 303)
