"""Changing an officer's account: its last day, its end, a new first password, a new second factor.

Each asks for a fresh proof and a reason. What is shown once is on the answer to the POST (`appointing.slip`); sending
the form again is refused, because the account has changed since.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from flask import flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response
from wtforms import HiddenField

from admin import accounts
from admin.accounts import Account, Change
from admin.appointments import Credentials, Password
from admin.pages.appointing import DAYS, slip, until_field
from admin.pages.fields import end_of, last_day, reason_field
from admin.pages.reach import officer, reading, transaction, typed, where
from app.errors import NotAllowed
from app.web.forms import OwnForm
from app.web.languages import gettext as _
from app.web.portal import services
from app.wording import N_

Deed = Literal["extend", "end", "password", "factor"]


@dataclass(frozen=True, slots=True)
class Words:
    """What the page of a deed says: msgids."""

    title: str
    text: str
    button: str
    kind: str = "primary"


DEEDS: Final[dict[Deed, Words]] = {
    "extend": Words(
        N_("Change the last day"),
        N_(
            "The account works until the end of the last day. One that has ended works again, with the password and"
            " the second factor it had."
        ),
        N_("Set the last day"),
    ),
    "end": Words(
        N_("End the appointment now"),
        N_(
            "The account stops at once: whoever is signed in with it is signed out, and what this officer has proposed"
            " can no longer be approved. Nothing is deleted. If it was a mistake, set a new last day."
        ),
        N_("End the appointment"),
        "danger",
    ),
    "password": Words(
        N_("New first password"),
        N_(
            "For somebody who has forgotten the password. Make sure that it is this person: see them, or call them back"
            " at a number you know. The old password and the session stop at once. You will see the new password, once;"
            " it must be changed at the first sign-in."
        ),
        N_("Make a new first password"),
    ),
    "factor": Words(
        N_("New second factor"),
        N_(
            "For somebody whose telephone is lost or new. Make sure that it is this person, and have them beside you:"
            " their authenticator reads a square from your screen, once. The old one and the session stop at once."
        ),
        N_("Make a new second factor"),
    ),
}


class ChangeForm(OwnForm):
    """Why an account is changed."""

    reason = reason_field(lazy_gettext("Write why."))
    standing = HiddenField()


class ExtendForm(ChangeForm):
    """Until when, and why."""

    until = until_field()


def ask(account: int, deed: Deed) -> Response | str:
    """What would change, and why; after a fresh proof of who asks (A-14)."""
    found = _kept(account)
    if not officer().proved_lately:
        return redirect(url_for("entrance.prove", next=request.path), 303)
    return _page(_form(deed, standing=found.standing), found, deed)


def change(account: int, deed: Deed) -> Response | tuple[str, int] | str:
    """Change it. A new password or second factor is on this page and nowhere else."""
    found = _kept(account)
    officer().require_proof()
    form = _form(deed)
    until = end_of(form.until, DAYS) if form.validate() and isinstance(form, ExtendForm) else None
    if form.errors:
        return _page(form, found, deed), 400
    answer = _DO[deed](account, Change(typed(form.reason), typed(form.standing)), until)
    if isinstance(answer, Credentials):
        return slip(answer, _(DEEDS[deed].title))
    flash(_("Done. It is in force now."), "success")
    return redirect(url_for("accounts.one", account=account), 303)


def _kept(account: int) -> Account:
    """Fetch, and may I."""
    with reading() as connection:
        found = accounts.of(connection, officer(), account)
    officer().require("keep_accounts")
    if not found.kept_by(officer()):
        raise NotAllowed(f"the account {found.login} is not {officer().login}'s to keep")
    return found


def _form(deed: Deed, standing: str | None = None) -> ChangeForm:
    return (ExtendForm if deed == "extend" else ChangeForm)(standing=standing)


def _page(form: ChangeForm, found: Account, deed: Deed) -> str:
    day = last_day(found.appointed_until)
    return render_template("accounts/change.html", form=form, account=found, last_day=day, deed=deed, words=DEEDS[deed])


def _set_end(account: int, change: Change, until: datetime | None) -> None:
    with transaction() as session:
        accounts.set_end(session, officer(), account, until, change, where())


def _password(account: int, change: Change, _until: datetime | None) -> Credentials:
    password = Password.drawn(services().keys)
    with transaction() as session:
        return accounts.reset_password(session, officer(), account, password, change, where())


def _factor(account: int, change: Change, _until: datetime | None) -> Credentials:
    with transaction() as session:
        return accounts.reset_factor(session, services().keys, officer(), account, change, where())


_DO: Final[Mapping[Deed, Callable[[int, Change, datetime | None], Credentials | None]]] = {
    "extend": _set_end,
    "end": _set_end,
    "password": _password,
    "factor": _factor,
}
