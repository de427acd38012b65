"""Confirming a seal, for the province: the first of two officers types what their own copy of the root begins with."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import InputRequired, Regexp

from admin import confirmations
from admin.confirmations import DIGITS, Confirmable
from admin.pages.fields import compact, proposal_life, reason_field
from admin.pages.reach import officer, reading, transaction, typed, where
from app.errors import BadInput
from app.web.forms import OwnForm
from app.web.languages import gettext as _

pages = Blueprint("seals", __name__)


class ConfirmForm(OwnForm):
    """What the officer has compared."""

    digits = StringField(
        lazy_gettext("First eight digits of the root, from your own copy"),
        validators=[
            InputRequired(lazy_gettext("Type the first eight digits of the root.")),
            Regexp(
                rf"^[0-9A-Fa-f]{{{DIGITS}}}$",
                message=lazy_gettext("These are eight digits, 0 to 9 and a to f. Check what you typed."),
            ),
        ],
        filters=[compact],
    )
    reason = reason_field(lazy_gettext("Write what you have compared it with."))


def _seal(number: int) -> Confirmable:
    with reading() as connection:
        found = confirmations.for_province(connection, officer(), number)
    officer().require("propose")
    return found


@pages.get("/seals/<int:seal>/confirm")
def confirm(seal: int) -> Response | str:
    """What to compare, and how; after a fresh proof of who asks (A-14)."""
    found = _seal(seal)
    if not officer().proved_lately:
        return redirect(url_for("entrance.prove", next=request.path), 303)
    return render_template("close/confirm.html", form=ConfirmForm(), seal=found)


@pages.post("/seals/<int:seal>/confirm")
def propose(seal: int) -> Response | tuple[str, int]:
    """Confirm it as the first of two."""
    found = _seal(seal)
    officer().require_proof()
    form = ConfirmForm()
    status = 400
    if form.validate():
        digits, why = typed(form.digits), typed(form.reason)
        try:
            with transaction() as session:
                act = confirmations.propose(session, officer(), seal, digits, why, proposal_life(), where())
        except BadInput:
            form.digits.errors = [
                _(
                    "The root of this seal begins with other digits. Compare them once more. If your copy says"
                    " something else, do not confirm: keep the copy and tell the auditor."
                )
            ]
            status = 422
        else:
            return redirect(url_for("acts.one", act=act), 303)
    return render_template("close/confirm.html", form=form, seal=found), status
