"""A closed batch opened again to one candidate: one officer of the province proposes it, another approves (O-14)."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response
from wtforms import BooleanField, RadioField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # the stubs lag behind WTForms 3.3
from wtforms.validators import InputRequired, Length, Regexp

from admin import reopenings
from admin.candidates import Person
from admin.pages.fields import compact, moment_field, moment_of, one_line, proposal_life, reason_field
from admin.pages.reach import officer, reading, sealer, transaction, typed, where
from admin.proposals import Obstacle
from admin.reopenings import Asked, Shut
from app.web.forms import OwnForm, no_control_characters
from app.web.languages import gettext as _

pages = Blueprint("reopening", __name__)


class ReopenForm(OwnForm):
    """What the first officer types from the decision."""

    batch = RadioField(
        lazy_gettext("Batch"),
        choices=[],
        validators=[InputRequired(lazy_gettext("Choose the batch the decision names."))],
    )
    until = moment_field(
        lazy_gettext("Open until"),
        lazy_gettext("Enter day and time until which the candidate can file."),
    )
    document = StringField(
        lazy_gettext("Number of the decision"),
        validators=[
            InputRequired(lazy_gettext("Enter the number of the decision, as it stands on the paper.")),
            Length(min=3, max=80, message=lazy_gettext("Write 3 to 80 characters.")),
            no_control_characters,
        ],
        filters=[one_line],
    )
    digest = StringField(
        lazy_gettext("SHA-256 of its scan"),
        validators=[
            InputRequired(lazy_gettext("Enter the SHA-256 of the scan.")),
            Regexp(
                r"^[0-9a-fA-F]{64}$",
                message=lazy_gettext("A SHA-256 has 64 characters, digits and the letters a to f. Copy it again."),
            ),
        ],
        filters=[compact],
    )
    reason = reason_field(lazy_gettext("Write what happened and who decided."))
    seen = BooleanField(
        lazy_gettext("The scan holds the decision and the candidate’s own signed request."),
        validators=[
            InputRequired(lazy_gettext("Without the decision and the candidate’s signature nothing is opened."))
        ],
    )


@pages.get("/counter/<int:candidate>/reopen")
def reopen(candidate: int) -> Response | str:
    """Which batches have closed, and what opening one again needs; after a fresh proof of who asks (A-14)."""
    person, batches = _found(candidate)
    if not officer().proved_lately:
        return redirect(url_for("entrance.prove", next=request.path), 303)
    return _page(_form(batches), person, batches)


@pages.post("/counter/<int:candidate>/reopen")
def propose(candidate: int) -> Response | tuple[str, int]:
    """Propose it. Nothing is open until the second officer approves."""
    person, batches = _found(candidate)
    officer().require_proof()
    form = _form(batches)
    if not form.validate():
        return _page(form, person, batches), 400
    asked = Asked(
        typed(form.batch),
        moment_of(form.until),
        typed(form.document),
        bytes.fromhex(typed(form.digest)),
        typed(form.reason),
    )
    try:
        with transaction() as session:
            act = reopenings.propose(session, officer(), candidate, asked, proposal_life(), where())
    except Obstacle as obstacle:
        form[obstacle.place].errors = [_(obstacle.words)]
        return _page(form, person, batches), 422
    return redirect(url_for("acts.one", act=act), 303)


def _found(candidate: int) -> tuple[Person, list[Shut]]:
    with reading() as connection:
        person = reopenings.of(connection, officer(), candidate)
        officer().require("propose")
        return person, reopenings.shut(connection, candidate)


def _form(batches: list[Shut]) -> ReopenForm:
    form = ReopenForm()
    form.batch.choices = [SelectChoice(one.code, one.name) for one in batches if one.reopenable]
    return form


def _page(form: ReopenForm, person: Person, batches: list[Shut]) -> str:
    return render_template(
        "counter/reopen.html", form=form, person=person, batches=batches, id_no=person.masked_id_no(sealer())
    )
