"""One candidate to call: where they stand, what was said, a call to log, a number to look at for a reason."""

from typing import cast

from flask import flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from sqlalchemy import Connection
from werkzeug.wrappers import Response
from wtforms import HiddenField, RadioField, SelectField, StringField
from wtforms.validators import InputRequired, Length

from admin import candidates, chase, completeness, reveals
from admin.categories import Part, chosen
from admin.chase import AGAIN, LONGEST_NOTE, OUTCOMES, Again, Outcome, Said
from admin.pages.fields import choices_of, one_line, reason_field
from admin.pages.reach import officer, reading, sealer, transaction, typed, where
from admin.reveals import Revealed, Wish
from app.errors import NotFound
from app.web.forms import OwnForm, no_control_characters
from app.web.languages import gettext as _
from app.web.portal import services


class CallForm(OwnForm):
    """What came of a call."""

    batch = HiddenField()
    outcome = RadioField(
        lazy_gettext("What came of it"),
        choices=choices_of(OUTCOMES),
        validators=[InputRequired(lazy_gettext("Choose what came of the call."))],
    )
    again = SelectField(lazy_gettext("Call again"), choices=choices_of(AGAIN))
    note = StringField(
        lazy_gettext("Remarks"),
        validators=[
            Length(max=LONGEST_NOTE, message=lazy_gettext("Write at most 200 characters.")),
            no_control_characters,
        ],
        filters=[one_line],
    )


class NumberForm(OwnForm):
    """Why a full number is needed."""

    reason = reason_field(lazy_gettext("Write why you need the full number."), StringField)


class RevealForm(NumberForm):
    """Why a full phone number is needed, and for which batch."""

    batch = HiddenField()


def person(candidate: int) -> str:
    """One candidate: where they stand, what was said, and forms to log a call or to look at the number."""
    batch = request.args.get("batch") or ""
    return _person_page(candidate, batch, CallForm(), RevealForm())


def call(candidate: int) -> Response | tuple[str, int]:
    """Log a call."""
    form = CallForm()
    with reading() as connection:
        candidates.of(connection, officer(), candidate)
        officer().require("chase")
        part = _batch(connection, typed(form.batch))
    if not form.validate():
        return _person_page(candidate, part.code, form, RevealForm(formdata=None)), 400
    said = Said(cast("Outcome", form.outcome.data), typed(form.note), cast("Again", form.again.data))
    with transaction() as session:
        chase.log(session, officer(), candidate, part.id, said, where())
    flash(_("The call is noted."), "success")
    return redirect(url_for("chase.person", candidate=candidate, batch=part.code), 303)


def phone(candidate: int) -> tuple[str, int]:
    """Show the number in full, once, for a reason; written down, and the candidate can read it."""
    form = RevealForm()
    with reading() as connection:
        candidates.of(connection, officer(), candidate)
        officer().require("reveal_phone")
        part = _batch(connection, typed(form.batch))
    shown, status = revealed(form, Wish(candidate, "phone", typed(form.reason), part.id))
    return _person_page(candidate, part.code, CallForm(formdata=None), form, shown), status


def revealed(form: OwnForm, wish: Wish) -> tuple[Revealed | None, int]:
    """A number in full for the `reason` in a form, or what is wrong noted there; and the status of the answer."""
    if not form.validate():
        return None, 400
    most = services().settings.reveals_per_day
    with transaction() as session:
        answer = reveals.reveal(session, sealer(), officer(), wish, most, where())
    if isinstance(answer, Revealed):
        return answer, 200
    form["reason"].errors = [
        _(
            "You have looked at %(most)s full numbers today, which is the most for one day. Ask a colleague, or"
            " go on tomorrow.",
            most=most,
        )
    ]
    return None, 429


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
