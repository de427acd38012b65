"""A batch made like one there is: one officer of the province proposes it, another approves (O-06)."""

from dataclasses import dataclass
from datetime import timedelta

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response
from wtforms import RadioField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # the stubs lag behind WTForms 3.3
from wtforms.validators import InputRequired, Length, Regexp

from admin import creations
from admin.creations import Asked
from admin.pages.fields import moment_field, moment_of, one_line, proposal_life, reason_field
from admin.pages.reach import officer, reading, transaction, typed, where
from admin.pages.schedule import WHY
from admin.proposals import Obstacle
from app import batches, catalogue
from app.batches import Opened
from app.specs import CODE
from app.web.forms import OwnForm, no_control_characters, plain
from app.web.languages import gettext as _
from app.web.portal import services

pages = Blueprint("creating", __name__)


class CreateForm(OwnForm):
    """What a batch like another has of its own."""

    supplementary = RadioField(
        lazy_gettext("What it is"), choices=[], validators=[InputRequired(lazy_gettext("Say which of the two it is."))]
    )
    code = StringField(
        lazy_gettext("Batch code"),
        validators=[
            InputRequired(lazy_gettext("Enter a code for the batch.")),
            Regexp(CODE, message=lazy_gettext("A code has 1 to 24 letters, digits, hyphens or underscores.")),
        ],
        filters=[plain],
    )
    name = StringField(
        lazy_gettext("Name of the batch"),
        validators=[
            InputRequired(lazy_gettext("Enter the name of the batch, as candidates are to read it.")),
            Length(max=200, message=lazy_gettext("Write at most 200 characters.")),
            no_control_characters,
        ],
        filters=[one_line],
    )
    opens_at = moment_field(lazy_gettext("Opens"), lazy_gettext("Enter day and time when it opens."))
    closes_at = moment_field(lazy_gettext("Ends"), lazy_gettext("Enter day and time when it ends."))
    reason = reason_field(WHY)


@pages.get("/schedule/<string:batch>/like")
def ask(batch: str) -> Response | str:
    """What a batch like this one takes over, and what it has of its own; after a fresh proof of who asks (A-14)."""
    found = _found(batch)
    if not officer().proved_lately:
        return redirect(url_for("entrance.prove", next=request.path), 303)
    return _page(_form(found), found)


@pages.post("/schedule/<string:batch>/like")
def propose(batch: str) -> Response | tuple[str, int]:
    """Propose it."""
    found = _found(batch)
    officer().require_proof()
    form = _form(found)
    if not form.validate():
        return _page(form, found), 400
    asked = Asked(
        typed(form.code),
        typed(form.name),
        typed(form.supplementary) == "yes",
        moment_of(form.opens_at),
        moment_of(form.closes_at),
        typed(form.reason),
    )
    cool_off = timedelta(minutes=services().settings.cool_off_minutes)
    try:
        with transaction() as session:
            act = creations.propose(session, officer(), batch, asked, cool_off, proposal_life(), where())
    except Obstacle as obstacle:
        form[obstacle.place or "reason"].errors = [_(obstacle.words)]
        return _page(form, found), 422
    return redirect(url_for("acts.one", act=act), 303)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a batch is to be like, what a supplementary round would follow, and how many plans there are."""

    like: Opened
    followed: Opened
    plans: int


def _found(batch: str) -> _Found:
    officer().require_province()
    with reading() as connection:
        like = batches.one(connection, batch)
        officer().require("propose")
        followed = batches.one(connection, creations.followed(like))
        return _Found(like, followed, catalogue.size(connection, like))


def _form(found: _Found) -> CreateForm:
    form = CreateForm()
    form.supplementary.choices = [
        SelectChoice("yes", _("A supplementary round of %(batch)s", batch=found.followed.name)),
        SelectChoice("no", _("A batch of its own")),
    ]
    return form


def _page(form: CreateForm, found: _Found) -> str:
    minutes = services().settings.cool_off_minutes
    return render_template("schedule/create.html", form=form, batch=found.like, plans=found.plans, minutes=minutes)
