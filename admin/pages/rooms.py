"""Computer rooms: a registration point enters them, an approver above decides, on one page."""

from datetime import datetime
from typing import Final

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response
from wtforms import DateField, StringField
from wtforms.validators import InputRequired, Length

from admin import rooms
from admin.pages.fields import end_of
from admin.pages.reach import officer, reading, transaction, typed, where
from admin.rooms import State
from app.errors import BadInput, NotFound
from app.web.forms import OwnForm, no_control_characters, plain, require_mark, single
from app.web.languages import gettext as _
from app.web.portal import client_ip
from app.wording import N_

pages = Blueprint("rooms", __name__)
#: days ahead
LONGEST: Final = 120
STATE_WORDS: Final[dict[State, tuple[str, str]]] = {
    "asked": ("to_do", N_("Waits for approval")),
    "approved": ("done", N_("Approved")),
    "refused": ("closed", N_("Refused")),
    "ended": ("closed", N_("Ended")),
}
_DONE: Final[dict[State, str]] = {
    "approved": N_("The room is approved. Filings from it are no longer counted as unusual."),
    "refused": N_("The room is refused."),
    "ended": N_("The room has ended. Filings from its network are counted again."),
}
_STATES: Final[dict[str, State]] = {str(state): state for state in _DONE}


class RoomForm(OwnForm):
    """A room of one's own school."""

    name = StringField(
        lazy_gettext("Name of the room"),
        validators=[
            InputRequired(lazy_gettext("Enter what the room is called at your school.")),
            Length(min=2, max=60, message=lazy_gettext("Write 2 to 60 characters.")),
            no_control_characters,
        ],
        filters=[lambda value: " ".join((value or "").split())],
    )
    network = StringField(
        lazy_gettext("Network address"),
        validators=[InputRequired(lazy_gettext("Enter the address the room has on the internet.")), Length(max=60)],
        filters=[plain],
    )
    until = DateField(
        lazy_gettext("Last day"),
        validators=[InputRequired(lazy_gettext("Enter the last day on which candidates file in the room."))],
    )


@pages.get("/rooms")
def overview() -> str:
    """The rooms of the officer's office and those below; a registration point enters one here."""
    officer().require("see_alerts")
    return _page(RoomForm())


@pages.post("/rooms")
def ask() -> Response | tuple[str, int]:
    """Enter a room, for an office above to approve."""
    officer().require("ask_rooms")
    form = RoomForm()
    until = _until(form) if form.validate() else None
    if until is None:
        return _page(form), 400
    with transaction() as session:
        rooms.ask(session, officer(), typed(form.name), rooms.network(typed(form.network)), until, where())
    flash(_("The room is entered. It counts once your county has approved it."), "success")
    return redirect(url_for(".overview"), 303)


@pages.post("/rooms/<int:room>")
def decide(room: int) -> Response:
    """Approve, refuse or end a room."""
    with reading() as connection:
        rooms.of(connection, officer(), room)
    state = _STATES.get(single("state"))
    officer().require("ask_rooms" if state == "ended" and officer().level == "point" else "approve_rooms")
    require_mark(single("mark"))
    if state is None:
        raise NotFound("no such step")
    with transaction() as session:
        rooms.decide(session, officer(), room, state, where())
    flash(_(_DONE[state]), "success")
    return redirect(url_for(".overview"), 303)


def _until(form: RoomForm) -> datetime | None:
    """When the room of a form that has all its fields ends; None where a field is not to be taken."""
    try:
        rooms.network(typed(form.network))
    except BadInput:
        form.network.errors = [
            _(
                "This is no address, or a network larger than a school has. Enter one like 203.0.113.25 or"
                " 203.0.113.0/28; ask the person who looks after your network."
            )
        ]
    until = end_of(form.until, LONGEST)
    return None if form.network.errors else until


def _page(form: RoomForm) -> str:
    with reading() as connection:
        found = rooms.several(connection, officer())
    return render_template("rooms/overview.html", form=form, rooms=found, states=STATE_WORDS, seen_as=client_ip())
