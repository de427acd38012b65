"""Officers' accounts: who has one, until when, and whether it has been taken into use.

How one is made and changed is in `admin.pages.appointing` and `admin.pages.account_changes`.
"""

import re
from typing import Final

from flask import Blueprint, get_template_attribute, render_template, request, url_for
from markupsafe import Markup

from admin import accounts
from admin.accounts import Account, Place, State, Wanted
from admin.officers import ROLE_NAMES
from admin.pages import account_changes, appointing
from admin.pages.account_changes import DEEDS
from admin.pages.fields import last_day, one_line
from admin.pages.reach import officer, reading
from app.errors import NotFound
from app.web.formats import moment
from app.web.forms import plain
from app.web.languages import gettext as _
from app.web.limits import costly_flood, limiter
from app.wording import N_

pages = Blueprint("accounts", __name__)

_CHANGE: Final = f"/accounts/<int:account>/<any({', '.join(DEEDS)}):deed>"
pages.get("/accounts/new", endpoint="new")(appointing.new)
pages.post("/accounts/new", endpoint="appoint")(limiter.limit(costly_flood)(appointing.appoint))
pages.get(_CHANGE, endpoint="ask")(account_changes.ask)
pages.post(_CHANGE, endpoint="change")(limiter.limit(costly_flood)(account_changes.change))

LISTS: Final[dict[State, str]] = {
    "current": N_("In force, the soonest to end first"),
    "unused": N_("In force, first password not yet changed"),
    "ended": N_("Ended, the latest first"),
}
_AFTER: Final = re.compile(r"(-?[0-9]{1,18})_([0-9]{1,18})")
_STATES: Final[dict[str, State]] = {str(state): state for state in LISTS}


@pages.get("/accounts")
@limiter.limit(costly_flood)
def overview() -> str:
    """The accounts of the officer's office and those below."""
    officer().require("see_accounts")
    wanted = _wanted()
    with reading() as connection:
        listed = accounts.several(connection, officer(), wanted)
    return render_template(
        "accounts/overview.html",
        wanted=wanted,
        listed=listed,
        lists=LISTS,
        columns=_columns(wanted.state),
        rows=[_row(one) for one in listed.accounts],
    )


def _wanted() -> Wanted:
    got = request.args.get
    words, after = one_line(plain(got("q"))), _AFTER.fullmatch(got("after") or "")
    state = _STATES.get(got("state") or "current")
    if state is None or (got("after") and not after) or not words.isprintable():
        raise NotFound("no such list")
    return Wanted(state, words[:64], Place(int(after[1]), int(after[2])) if after else None)


def _columns(state: State) -> list[dict[str, str]]:
    return [
        {"label": _("Name"), "kind": "head"},
        {"label": _("Login"), "kind": "code"},
        {"label": _("Office")},
        {"label": _("Role")},
        {"label": _("Last day"), "sorted": "descending" if state == "ended" else "ascending"},
        {"label": _("Last signed in")},
        {"label": _("Second factor")},
    ]


def _row(one: Account) -> list[str | Markup]:
    return [
        Markup('<a href="{}">{}</a>').format(url_for(".one", account=one.id), one.name),
        one.login,
        one.office_name,
        _(ROLE_NAMES[one.role]),
        _term(one),
        moment(one.signed_in_at) if one.signed_in_at else _("never"),
        _factor(one),
    ]


def _term(one: Account) -> str | Markup:
    """The last day, with a word beside it where there is something to note."""
    day, tag = last_day(one.appointed_until), get_template_attribute("macros/content.html", "tag")
    if not one.appointed:
        return Markup("{} {}").format(day, tag("closed", _("Ended")))
    return Markup("{} {}").format(day, tag("to_do", _("Ends soon"))) if one.ends_soon else day


def _factor(one: Account) -> str:
    return str(_("set up") if one.factor_used else _("not yet used"))


@pages.get("/accounts/<int:account>")
def one(account: int) -> str:
    """One account, and what the officer can do about it."""
    with reading() as connection:
        found = accounts.of(connection, officer(), account)
    officer().require("see_accounts")
    return render_template("accounts/one.html", account=found, facts=_facts(found), deeds=DEEDS)


def _facts(one: Account) -> list[tuple[str, str]]:
    return [
        (_("Login"), one.login),
        (_("Office"), one.office_name),
        (_("Role"), _(ROLE_NAMES[one.role])),
        (_("Last day"), last_day(one.appointed_until)),
        (
            _("Password"),
            _("the first one, which must be changed") if one.first_password else _("chosen by the officer"),
        ),
        (_("Second factor"), _factor(one)),
        (_("Last signed in"), moment(one.signed_in_at) if one.signed_in_at else _("never")),
        (
            _("Account made"),
            _("%(when)s by %(name)s", when=last_day(one.created_at), name=one.appointed_by or _("the command line")),
        ),
    ]
