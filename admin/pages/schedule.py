"""The schedule: every batch with its window for all offices; acts upon a window for the province."""

from datetime import timedelta
from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response

from admin import schedule, window_acts
from admin.creations import CREATE
from admin.deeds import KINDS
from admin.pages.fields import moment_field, proposal_life, reason_field
from admin.pages.reach import officer, reading, transaction, typed, where
from admin.proposals import Obstacle
from admin.schedule import Act, Deed, Planned
from admin.window_acts import Asked
from app.web.forms import OwnForm, require_mark, single
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
WHY: Final = lazy_gettext("Write why, with the number of the order if there is one.")


class PauseForm(OwnForm):
    """Why a batch is paused."""

    reason = reason_field(WHY)


class ResumptionForm(OwnForm):
    """Why a batch is resumed, and the end where the length of the pause is not enough."""

    at = moment_field(lazy_gettext("New end, at the earliest"))
    reason = reason_field(WHY)


class MoveForm(OwnForm):
    """To when an opening or an end is moved, and why."""

    at = moment_field(lazy_gettext("New time"), lazy_gettext("Enter day and time, like 2017-06-27 18:00."))
    reason = reason_field(WHY)


_FORMS: Final[dict[str, type[OwnForm]]] = {
    "opening": MoveForm,
    "end": MoveForm,
    "pause": PauseForm,
    "resumption": ResumptionForm,
}


@pages.get("/schedule")
def overview() -> str:
    """Every batch, and for the province what is to become one."""
    officer().require("see_schedule")
    with reading() as connection:
        found = schedule.batches(connection)
        acts = schedule.acts(connection, None)
        undecided = schedule.undecided(connection)
    return render_template(
        "schedule/overview.html",
        batches=found,
        to_be_made=[act for act in acts if act.outcome is None],
        acts=[act for act in acts if act.outcome is not None],
        undecided=undecided,
        may_act=_may_act(),
        kinds=KINDS,
        outcomes=OUTCOMES,
    )


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
        may_act=_may_act(),
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
    now = {"opening": found.window.opens_at, "end": found.window.closes_at}.get(deed)
    return _page(_FORMS[deed](at=now), found, deed)


@pages.post(_DEED)
def propose(batch: str, deed: str) -> Response | tuple[str, int]:
    """Propose it."""
    found = _gate(batch)
    officer().require_proof()
    form = _FORMS[deed]()
    if not form.validate():
        return _page(form, found, deed), 400
    asked = Asked(DEEDS[deed], form.data.get("at"), typed(form.reason))
    cool_off = timedelta(minutes=services().settings.cool_off_minutes)
    try:
        with transaction() as session:
            act = window_acts.propose(session, officer(), batch, asked, cool_off, proposal_life(), where())
    except Obstacle as obstacle:
        form["at" if asked.at else "reason"].errors = [_(obstacle.words)]
        return _page(form, found, deed), 422
    return redirect(url_for("acts.one", act=act), 303)


def _gate(batch: str) -> Planned:
    with reading() as connection:
        found = window_acts.province_batch(connection, officer(), batch)
    officer().require("propose")
    return found


def _page(form: OwnForm, batch: Planned, deed: str) -> str:
    minutes = services().settings.cool_off_minutes
    kind = KINDS[DEEDS[deed]]
    return render_template("schedule/ask.html", form=form, batch=batch, deed=deed, kind=kind, minutes=minutes)


@pages.post("/schedule/<string:batch>/cancel")
def cancel(batch: str) -> Response:
    """Cancel the act that waits upon a batch, or to make it."""
    officer().require_province()
    officer().require("propose")
    require_mark(single("mark"))
    act = single("act")
    number = int(act) if act.isdecimal() and len(act) < 19 else 0
    with transaction() as session:
        kind = window_acts.cancel(session, officer(), batch, number, where())
    if kind == CREATE.name:
        flash(_("Cancelled. The batch is not made."), "success")
        return redirect(url_for(".overview"), 303)
    flash(_("Cancelled. The batch stays as it is."), "success")
    return redirect(url_for(".one", batch=batch), 303)
