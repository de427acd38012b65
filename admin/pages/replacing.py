"""Another card at the counter: the first of two officers proposes it, the second approves (D-13)."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response
from wtforms import BooleanField, RadioField
from wtforms.validators import InputRequired

from admin import candidates, replacements
from admin.candidates import Person
from admin.pages.fields import choices_of, proposal_life, reason_field, serial_field, serial_of, tail_field
from admin.pages.reach import officer, reading, sealer, transaction, typed, where
from admin.replacements import Asked, NotReplaced
from app.web.forms import OwnForm
from app.web.languages import gettext as _
from app.web.portal import services
from app.wording import N_

pages = Blueprint("replacing", __name__)

CAUSES = {
    "lost": N_("Lost"),
    "spoiled": N_("Spoiled: codes cannot be read"),
    "seen": N_("Somebody else has seen the codes"),
    "exhausted": N_("All codes used, or few left"),
}
_REFUSALS = {
    "tail": (
        "id_tail",
        N_("These are not the last characters of this candidate’s identity number. Compare the card again."),
    ),
    "none": ("serial", N_("This candidate has no card. The first one is handed out at the registration point.")),
    "card": ("serial", N_("This card is not in the stock of your office, or can never be handed out.")),
    "limit": ("serial", N_("You have replaced as many cards today as one officer may. Ask a colleague.")),
}


class ReplaceForm(OwnForm):
    """What the first officer confirms."""

    cause = RadioField(
        lazy_gettext("Why the candidate needs another card"),
        choices=choices_of(CAUSES),
        validators=[InputRequired(lazy_gettext("Choose why."))],
    )
    reason = reason_field(lazy_gettext("Write what happened."))
    id_tail = tail_field()
    serial = serial_field(lazy_gettext("Serial of the new card"))
    seen = BooleanField(
        lazy_gettext("I have seen the identity card, and the person on it stands before me."),
        validators=[InputRequired(lazy_gettext("Without the person and the identity card there is no new card."))],
    )


@pages.get("/counter/<int:candidate>/replace")
def replace(candidate: int) -> Response | str:
    """Ask what a replacement needs; after a fresh proof of who asks (A-14)."""
    person = _person(candidate)
    if not officer().proved_lately:
        return redirect(url_for("entrance.prove", next=request.path), 303)
    return _page(ReplaceForm(), person)


@pages.post("/counter/<int:candidate>/replace")
def propose(candidate: int) -> Response | tuple[str, int]:
    """Propose it. The old card works until the second officer approves."""
    person = _person(candidate)
    officer().require_proof()
    form = ReplaceForm()
    if not form.validate():
        return _page(form, person), 400
    asked = Asked(CAUSES[typed(form.cause)], typed(form.reason), typed(form.id_tail), serial_of(form.serial))
    limit = services().settings.replacements_a_day
    with transaction() as session:
        answer = replacements.propose_replacement(
            session, sealer(), officer(), candidate, asked, limit, proposal_life(), where()
        )
    if isinstance(answer, NotReplaced):
        name, words = _REFUSALS[answer.reason]
        form[name].errors = [_(words)]
        return _page(form, person), 422
    return redirect(url_for("acts.one", act=answer), 303)


def _person(candidate: int) -> Person:
    with reading() as connection:
        person = candidates.of(connection, officer(), candidate)
    officer().require("replace_card")
    return person


def _page(form: ReplaceForm, person: Person) -> str:
    return render_template("counter/replace.html", form=form, person=person, id_no=person.masked_id_no(sealer()))
