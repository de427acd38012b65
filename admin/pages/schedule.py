"""The schedule: every batch with its window for all offices; acts upon a window for the province."""

from datetime import datetime, timedelta
from typing import Any, Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import Length

from admin import schedule, window_acts
from admin.deeds import KINDS
from admin.pages.fields import proposal_life, reason_field
from admin.pages.reach import officer, reading, transaction, typed, where
from admin.proposals import Obstacle
from admin.schedule import Act, Deed, Planned
from admin.window_acts import Asked
from app.web.formats import ZONE
from app.web.forms import OwnForm, plain, require_mark, single
from app.web.languages import gettext as _
from app.web.portal import services
from app.wording import N_

pages = Blueprint("schedule", __name__)

DEEDS: Final[dict[str, Deed]] = {
    "opening": "batch.opening",
    "end": "batch.end",
    "pause": "batch.suspend",
    "resumption": "batch.resume",
}
_DEED: Final = "/schedule/<string:batch>/<any(opening, end, pause, resumption):deed>"
#: what can be asked for, by the state of a batch
OFFERED: Final[dict[str, tuple[str, ...]]] = {
    "not_yet_open": ("opening", "end"),
    "open": ("end", "pause"),
    "suspended": ("resumption", "end"),
    "closed": ("end",),
}
#: how the state of an act reads, and its colour
OUTCOMES: Final[dict[str | None, tuple[str, str]]] = {
    None: ("to_do", N_("waits")),
    "done": ("done", N_("done")),
    "cancelled": ("closed", N_("cancelled")),
    "overtaken": ("returned", N_("overtaken")),
}
#: as browsers send a moment, and as people type one where the browser has no calendar
_FORMATS: Final = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M")


class WindowForm(OwnForm):
    """What is done to a batch."""

    at = StringField(lazy_gettext("New time"), validators=[Length(max=30)], filters=[plain])
    reason = reason_field(lazy_gettext("Write why, with the number of the order if there is one."))


@pages.get("/schedule")
def overview() -> str:
    """Every batch."""
    officer().require("see_schedule")
    with reading() as connection:
        found = schedule.batches(connection)
    return render_template("schedule/overview.html", batches=found)


@pages.get("/schedule/<string:batch>")
def one(batch: str) -> str:
    """One batch: its window; for the province also what was done about it and what can be."""
    officer().require("see_schedule")
    with reading() as connection:
        found = schedule.batch(connection, batch)
        candidates, filed = schedule.concerned(connection, found.id)
        acts = schedule.acts(connection, found.id)
        undecided = schedule.undecided(connection, batch)
    return render_template(
        "schedule/one.html",
        batch=found,
        candidates=candidates,
        filed=filed,
        acts=acts,
        waiting=_waiting(acts),
        undecided=undecided,
        offered=OFFERED[found.state] if _may_act() and found.handed_over_at is None else (),
        may_cancel=_may_act(),
        kinds=KINDS,
        outcomes=OUTCOMES,
    )


def _waiting(acts: list[Act]) -> Act | None:
    return next((act for act in acts if act.outcome is None), None)


def _may_act() -> bool:
    return officer().level == "province" and officer().may("propose")


@pages.get(_DEED)
def ask(batch: str, deed: str) -> Response | str:
    """What is to happen to the batch; after a fresh proof of who asks (A-14)."""
    found = _gate(batch)
    if not officer().proved_lately:
        return redirect(url_for("entrance.prove", next=request.path), 303)
    form = WindowForm()
    now = {"opening": found.window.opens_at, "end": found.window.closes_at}.get(deed)
    form.at.data = now.astimezone(ZONE).strftime(_FORMATS[0]) if now else ""
    return _page(form, found, deed)


@pages.post(_DEED)
def propose(batch: str, deed: str) -> Response | tuple[str, int]:
    """Propose it."""
    found = _gate(batch)
    officer().require_proof()
    form = WindowForm()
    at = _moment(typed(form.at))
    # with a mark of another session this raises before anything is said about the fields
    if not form.validate() or (at is None and (deed in {"opening", "end"} or typed(form.at))):
        if at is None and not form.at.errors:
            form.at.errors = [_("Enter day and time, like 2017-06-27 18:00.")]
        return _page(form, found, deed), 400
    asked = Asked(DEEDS[deed], at, typed(form.reason))
    cool_off = timedelta(minutes=services().settings.cool_off_minutes)
    try:
        with transaction() as session:
            act = window_acts.propose(session, officer(), batch, asked, cool_off, proposal_life(), where())
    except Obstacle as obstacle:
        field: Any = form.at if deed in {"opening", "end"} else form.reason
        field.errors = [_(obstacle.words)]
        return _page(form, found, deed), 422
    return redirect(url_for("acts.one", act=act), 303)


def _gate(batch: str) -> Planned:
    with reading() as connection:
        found = window_acts.province_batch(connection, officer(), batch)
    officer().require("propose")
    return found


def _moment(written: str) -> datetime | None:
    for form in _FORMATS:
        try:
            return datetime.strptime(written, form).replace(tzinfo=ZONE)
        except ValueError:
            continue
    return None


def _page(form: WindowForm, batch: Planned, deed: str) -> str:
    minutes = services().settings.cool_off_minutes
    kind = KINDS[DEEDS[deed]]
    return render_template("schedule/ask.html", form=form, batch=batch, deed=deed, kind=kind, minutes=minutes)


@pages.post("/schedule/<string:batch>/cancel")
def cancel(batch: str) -> Response:
    """Cancel the act that waits."""
    _gate(batch)
    require_mark(single("mark"))
    act = single("act")
    with transaction() as session:
        window_acts.cancel(session, officer(), batch, int(act) if act.isdecimal() and len(act) < 19 else 0, where())
    flash(_("Cancelled. The batch stays as it is."), "success")
    return redirect(url_for(".one", batch=batch), 303)
