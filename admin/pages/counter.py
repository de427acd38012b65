"""The counter: a candidate stands before the officer with an identity card.

The password is forgotten, or two codes are asked for a reason that has passed.
"""

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response
from wtforms import BooleanField, HiddenField
from wtforms.validators import InputRequired

from admin import candidates, two_codes
from admin.candidates import Approval, Person, Ticket
from admin.pages.calls import NumberForm, revealed
from admin.pages.fields import number_field, reason_field, tail_field
from admin.pages.reach import officer, reading, sealer, transaction, typed, where
from admin.reveals import Revealed, Wish
from app.web.forms import OwnForm
from app.web.languages import gettext as _
from app.web.portal import services

pages = Blueprint("counter", __name__)


class LookUpForm(OwnForm):
    """One candidate number, complete."""

    number = number_field()


class ResetForm(OwnForm):
    """What the officer confirms about the person at the counter."""

    id_tail = tail_field()
    reason = reason_field(lazy_gettext("Write why the password is reset."))
    seen = BooleanField(
        lazy_gettext("I have seen the identity card, and the person on it stands before me."),
        validators=[InputRequired(lazy_gettext("Without the person and the identity card there is no reset."))],
    )
    standing = HiddenField()


class TwoCodesForm(OwnForm):
    """What the officer confirms before two codes are no longer asked."""

    reason = reason_field(lazy_gettext("Write why two codes are no longer needed."))
    seen = BooleanField(
        lazy_gettext("I have seen the identity card, and the person on it stands before me."),
        validators=[InputRequired(lazy_gettext("Without the person and the identity card this cannot be ended."))],
    )
    standing = HiddenField()


@pages.get("/counter")
def look_up() -> str:
    """Ask for a candidate number."""
    officer().require("look_up")
    return render_template("counter/look_up.html", form=LookUpForm())


@pages.post("/counter")
def find() -> Response | tuple[str, int]:
    """Look a candidate up by the exact number, which is remembered, and so a POST."""
    officer().require("look_up")
    form = LookUpForm()
    if not form.validate():
        return render_template("counter/look_up.html", form=form), 400
    with transaction() as session:
        found = candidates.look_up(session, officer(), typed(form.number), where())
    if found is None:
        form.number.errors = [_("No candidate of your office has this number. Check what you typed.")]
        return render_template("counter/look_up.html", form=form), 422
    return redirect(url_for(".candidate", candidate=found), 303)


@pages.get("/counter/<int:candidate>")
def candidate(candidate: int) -> str:
    """Who this is, and whether there is an account, a card, a ticket."""
    return _candidate(candidate, NumberForm())


@pages.post("/counter/<int:candidate>/identity")
def identity(candidate: int) -> tuple[str, int]:
    """Show the identity number in full, once, for a reason; written down, and the candidate can read it."""
    with reading() as connection:
        candidates.of(connection, officer(), candidate)
    officer().require("reveal_id_no")
    form = NumberForm()
    shown, status = revealed(form, Wish(candidate, "id_no", typed(form.reason)))
    return _candidate(candidate, form, shown), status


def _candidate(candidate: int, form: NumberForm, shown: Revealed | None = None) -> str:
    with reading() as connection:
        person = candidates.of(connection, officer(), candidate)
        asked = two_codes.of(connection, candidate)
    officer().require("look_up")
    return render_template(
        "counter/candidate.html",
        person=person,
        asked=asked,
        id_no=person.masked_id_no(sealer()),
        form=form,
        revealed=shown,
        most=services().settings.reveals_per_day,
    )


@pages.get("/counter/<int:candidate>/reset")
def reset(candidate: int) -> Response | str:
    """Ask what a reset needs; after a fresh proof of who asks (A-14)."""
    with reading() as connection:
        person = candidates.of(connection, officer(), candidate)
    officer().require("approve_reset")
    if not officer().proved_lately:
        return redirect(url_for("entrance.prove", next=request.path), 303)
    form = ResetForm(standing=person.standing)
    return render_template("counter/reset.html", form=form, person=person, id_no=person.masked_id_no(sealer()))


@pages.post("/counter/<int:candidate>/reset")
def approve(candidate: int) -> tuple[str, int] | str:
    """Approve the reset. The ticket is on this page and nowhere else."""
    with reading() as connection:
        person = candidates.of(connection, officer(), candidate)
    officer().require("approve_reset")
    officer().require_proof()
    form = ResetForm()
    status = 400
    if form.validate():
        asked = Approval(typed(form.reason), typed(form.id_tail), typed(form.standing))
        with transaction() as session:
            answer = candidates.approve_reset(session, sealer(), officer(), candidate, asked, where())
        if isinstance(answer, Ticket):
            return render_template("counter/slip.html", ticket=answer, person=answer.person)
        form.id_tail.errors = [
            _("These are not the last characters of this candidate’s identity number. Compare the card again.")
        ]
        status = 422
    page = render_template("counter/reset.html", form=form, person=person, id_no=person.masked_id_no(sealer()))
    return page, status


@pages.get("/counter/<int:candidate>/two-codes")
def two_codes_asked(candidate: int) -> Response | str:
    """Why two codes are asked, and what ending that needs; after a fresh proof of who asks (A-14)."""
    with reading() as connection:
        person = candidates.of(connection, officer(), candidate)
        asked = two_codes.of(connection, candidate)
    officer().require("approve_reset")
    if not officer().proved_lately:
        return redirect(url_for("entrance.prove", next=request.path), 303)
    return _two_codes_page(TwoCodesForm(standing=asked.reason or ""), person, asked)


@pages.post("/counter/<int:candidate>/two-codes")
def end_two_codes(candidate: int) -> Response | tuple[str, int]:
    """One code again: the reason has passed, and the person at the counter is the candidate."""
    with reading() as connection:
        person = candidates.of(connection, officer(), candidate)
        asked = two_codes.of(connection, candidate)
    officer().require("approve_reset")
    officer().require_proof()
    form = TwoCodesForm()
    if not form.validate():
        return _two_codes_page(form, person, asked), 400
    ending = two_codes.Ending(typed(form.reason), typed(form.standing))
    with transaction() as session:
        two_codes.end(session, officer(), candidate, ending, where())
    return redirect(url_for(".candidate", candidate=candidate), 303)


def _two_codes_page(form: TwoCodesForm, person: Person, asked: two_codes.TwoCodes) -> str:
    id_no = person.masked_id_no(sealer())
    return render_template("counter/two_codes.html", form=form, person=person, asked=asked, id_no=id_no)
