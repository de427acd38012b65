"""Alerts: what the watch has found below the officer's office, what it means, and what somebody has done about it."""

from io import BytesIO
from typing import Any, Final

from flask import (
    Blueprint,
    Response,
    flash,
    get_template_attribute,
    redirect,
    render_template,
    request,
    send_file,
    url_for,
)
from flask_babel import lazy_gettext
from markupsafe import Markup
from werkzeug.wrappers import Response as BaseResponse
from wtforms import HiddenField, TextAreaField
from wtforms.validators import InputRequired, Length

from admin import alerts, exports
from admin.alerts import KINDS, Shown, State, Wanted
from admin.exports import Sheet
from admin.pages.alert_words import STATE_WORDS, WORDS, facts
from admin.pages.reach import officer, reading, transaction, typed, where
from app.db import together
from app.errors import NotFound, OutOfScope
from app.web.formats import full_moment, moment
from app.web.forms import OwnForm, no_control_characters, require_mark, single
from app.web.languages import gettext as _
from app.web.limits import costly_flood, limiter
from app.wording import N_

pages = Blueprint("alerts", __name__)
#: alerts of an export
MOST: Final = 10_000
_LISTS: Final[dict[str, str]] = {
    "standing": N_("Not closed"),
    "open": STATE_WORDS["open"][1],
    "noted": STATE_WORDS["noted"][1],
    "closed": STATE_WORDS["closed"][1],
    "all": N_("All"),
}


class TendForm(OwnForm):
    """What was seen and done."""

    note = TextAreaField(
        lazy_gettext("What you found and did"),
        validators=[
            InputRequired(lazy_gettext("Write what you found, so that the next reader need not ask again.")),
            Length(min=4, max=500, message=lazy_gettext("Write 4 to 500 characters.")),
            no_control_characters,
        ],
        filters=[lambda value: " ".join((value or "").split())],
    )
    standing = HiddenField()


@pages.get("/alerts")
@limiter.limit(costly_flood)
def overview() -> str:
    """The alerts of the officer's office and those below."""
    _admit()
    wanted = Wanted(request.args.get("kind", ""), request.args.get("state", "") or "standing", _page_asked())
    with reading() as connection:
        found = alerts.several(connection, officer(), wanted)
        counted = alerts.counts(connection, officer(), wanted)
    total = counted.get(wanted.kind, 0) if wanted.kind else sum(counted.values())
    return render_template(
        "alerts/overview.html",
        wanted=wanted,
        kinds=[(kind, WORDS[kind].title, counted.get(kind, 0)) for kind in KINDS],
        lists=_LISTS,
        columns=_columns(),
        rows=[_row(one) for one in found],
        total=total,
        last_page=max(1, -(-total // alerts.AT_A_TIME)),
    )


@pages.post("/alerts/export")
@limiter.limit(costly_flood)
def export() -> Response:
    """The list as xlsx, after a fresh proof of who asks (A-14)."""
    _admit()
    require_mark(single("mark"))
    officer().require_proof()
    wanted = Wanted(single("kind"), single("state") or "standing")
    with transaction() as session:
        found = alerts.several(session.connection(), officer(), wanted, MOST)
        together(session, alerts.exported(officer(), wanted, where()))
    sheet = Sheet(
        title=_("Alerts"),
        facts=[
            (_("Office"), officer().office_name),
            (_("State"), _(_LISTS[wanted.state])),
            (_("Exported by"), f"{officer().name} ({officer().login})"),
        ],
        columns=[*(column["label"] for column in _columns()), _("First seen"), _("What was noted")],
        rows=[_cells(one) for one in found],
    )
    name = f"{officer().office_name}-{sheet.title}.xlsx"
    return send_file(BytesIO(exports.xlsx(sheet)), exports.MIMETYPE, as_attachment=True, download_name=name)


@pages.get("/alerts/<int:alert>")
def one(alert: int) -> str:
    """One alert: what it means, whom it concerns, what was done."""
    with reading() as connection:
        shown = alerts.of(connection, officer(), alert)
    officer().require("see_alerts")
    return _shown(shown, TendForm(standing=shown.standing))


@pages.post("/alerts/<int:alert>")
def tend(alert: int) -> BaseResponse | tuple[str, int]:
    """Write down what was seen; by the other button, close the alert with that as its reason."""
    with reading() as connection:
        shown = alerts.of(connection, officer(), alert)
    state: State = "closed" if single("do") == "close" else "noted"
    officer().require("close_alerts" if state == "closed" else "tend_alerts")
    form = TendForm()
    if not form.validate():
        return _shown(shown, form), 400
    with transaction() as session:
        alerts.tend(session, officer(), alert, state, typed(form.note), typed(form.standing), where())
    flash(_("The alert is closed.") if state == "closed" else _("Your note is kept."), "success")
    return redirect(url_for(".one", alert=alert), 303)


def _admit() -> None:
    officer().require("see_alerts")
    if officer().level == "point":
        raise OutOfScope("a registration point sees no alerts")


def _page_asked() -> int:
    given = request.args.get("page", "1")
    if not (given.isascii() and given.isdigit() and 0 < int(given) < MOST):
        raise NotFound("no such page")
    return int(given)


def _shown(shown: Shown, form: TendForm) -> str:
    with reading() as connection:
        people = alerts.concerned(connection, shown)
        who = alerts.officer_named(connection, shown)
    return render_template(
        "alerts/alert.html",
        shown=shown,
        words=WORDS[shown.kind],
        state=STATE_WORDS[shown.state],
        facts=list(facts(shown, who)),
        form=form,
        people_columns=[
            {"label": _("Name"), "kind": "head"},
            {"label": _("Candidate no."), "kind": "code"},
            {"label": _("Registration point")},
            {"label": _("Class")},
        ],
        people=[[_to_counter(one.id, one.name), one.masked_no, one.point_name, one.class_no] for one in people],
    )


def _to_counter(candidate_id: int, name: str) -> str | Markup:
    if not officer().may("look_up"):
        return name
    return _link(url_for("counter.candidate", candidate=candidate_id), name)


def _columns() -> list[dict[str, str]]:
    return [
        {"label": _("Alert"), "kind": "head"},
        {"label": _("Office")},
        {"label": _("About"), "kind": "code"},
        {"label": _("Number"), "kind": "number"},
        {"label": _("Last seen")},
        {"label": _("State")},
    ]


def _row(one: Shown) -> list[str | Markup]:
    tag = get_template_attribute("macros/content.html", "tag")
    colour, words = STATE_WORDS[one.state]
    return [
        _link(url_for(".one", alert=one.id), _(WORDS[one.kind].title)),
        one.office_name,
        one.subject,
        f"{one.count:,}",
        moment(one.last_at),
        tag(colour, _(words)),
    ]


def _cells(one: Shown) -> list[Any]:
    return [
        _(WORDS[one.kind].title),
        one.office_name,
        one.subject,
        one.count,
        full_moment(one.last_at),
        _(STATE_WORDS[one.state][1]),
        full_moment(one.first_at),
        one.note,
    ]


def _link(href: str, words: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(href, words)
