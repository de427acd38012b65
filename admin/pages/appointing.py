"""Making an officer's account, and the slip on which its first password and second factor are handed over.

They are on the page that answers the POST and nowhere else: no address leads to it, and sending the form again
makes nothing, because the login is taken by then.
"""

from typing import Final

import segno
from flask import redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from markupsafe import Markup
from werkzeug.wrappers import Response
from wtforms import BooleanField, DateField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the types
from wtforms.validators import InputRequired, Length, Regexp

from admin import accounts
from admin.accounts import Namesake
from admin.appointments import LONGEST, Appointment, Credentials, Password
from admin.officers import ROLE_NAMES, Role
from admin.pages.fields import choices_of, end_of, one_line, reason_field
from admin.pages.reach import officer, reading, transaction, typed, where
from app.errors import BadInput, OutOfScope
from app.web.forms import OwnForm, no_control_characters, plain
from app.web.languages import gettext as _
from app.web.portal import services

#: the last day is at most so many days ahead: its end is within `LONGEST`
DAYS: Final = LONGEST.days - 1
_ROLES: Final[dict[str, Role]] = {str(role): role for role in ROLE_NAMES}


def until_field() -> DateField:
    """The last day of an appointment."""
    return DateField(lazy_gettext("Last day"), validators=[InputRequired(lazy_gettext("Enter the last day."))])


class NewForm(OwnForm):
    """Who is appointed."""

    office = SelectField(lazy_gettext("Office"), validate_choice=False)
    role = RadioField(
        lazy_gettext("Role"),
        choices=choices_of(ROLE_NAMES),
        validators=[InputRequired(lazy_gettext("Choose one role."))],
    )
    name = StringField(
        lazy_gettext("Name"),
        validators=[
            InputRequired(lazy_gettext("Enter the name of the person.")),
            Length(min=2, max=40, message=lazy_gettext("Write 2 to 40 characters.")),
            no_control_characters,
        ],
        filters=[one_line],
    )
    another = BooleanField(lazy_gettext("This is another person of the same name."))
    login = StringField(
        lazy_gettext("Login"),
        validators=[
            InputRequired(lazy_gettext("Enter a login.")),
            Regexp(
                r"^[a-z][a-z0-9.-]{2,31}$",
                message=lazy_gettext("Use 3 to 32 small letters, digits, dots and hyphens; begin with a letter."),
            ),
        ],
        filters=[lambda value: plain(value).lower()],
    )
    until = until_field()
    reason = reason_field(lazy_gettext("Write why, for example the number of the letter of appointment."))


def new() -> Response | str:
    """Ask who is appointed; after a fresh proof of who asks (A-14)."""
    officer().require("keep_accounts")
    if not officer().proved_lately:
        return redirect(url_for("entrance.prove", next=request.path), 303)
    return _new_page(NewForm())


def appoint() -> tuple[str, int] | str:
    """Make an account. Its password and second factor are on this page and nowhere else."""
    officer().require("keep_accounts")
    officer().require_proof()
    form = NewForm()
    whole = form.validate()
    until = end_of(form.until, DAYS) if form.until.data else None
    if not (_role_fits(form) and whole) or until is None:
        return _new_page(form), 400
    appointment = Appointment(
        typed(form.login), typed(form.name), int(typed(form.office)), _ROLES[typed(form.role)], until
    )
    answer = _appoint(form, appointment)
    if isinstance(answer, Credentials):
        return slip(answer, _("Account of the offices’ edition"))
    if isinstance(answer, Namesake):
        form.name.errors = [
            _(
                "Somebody of this name has an account there already: %(login)s, %(role)s. One person has one account"
                " and one role. If this is somebody else, say so below.",
                login=answer.login,
                role=_(ROLE_NAMES[answer.role]),
            )
        ]
    return _new_page(form, same_name=isinstance(answer, Namesake)), 422


def _role_fits(form: NewForm) -> bool:
    """Whether the office is one of the officer's, and has an opening of that role; raises for another office."""
    with reading() as connection:
        found = {str(one.office_id): one.roles for one in accounts.openings(connection, officer())}
    if typed(form.office) not in found:
        raise OutOfScope("no office whose accounts the officer keeps")
    if typed(form.role) in ROLE_NAMES and typed(form.role) not in found[typed(form.office)]:
        form.role.errors = [_("System administrators of your own office are appointed by the office above.")]
        return False
    return True


def _appoint(form: NewForm, appointment: Appointment) -> Credentials | Namesake | None:
    """None: the login is taken, which the form then says."""
    keys = services().keys
    password = Password.drawn(keys)
    try:
        with transaction() as session:
            return accounts.appoint(
                session,
                keys,
                officer(),
                appointment,
                password,
                reason=typed(form.reason),
                another=bool(form.another.data),
                where=where(),
            )
    except BadInput:
        form.login.errors = [
            _(
                "This login is taken. If you have just made this account and the slip is lost, find the account in the"
                " list and give it a new first password and a new second factor."
            )
        ]
        return None


def _new_page(form: NewForm, *, same_name: bool = False) -> str:
    with reading() as connection:
        found = accounts.openings(connection, officer())
    form.office.choices = [SelectChoice(str(one.office_id), one.office_name) for one in found]
    return render_template("accounts/new.html", form=form, same_name=same_name or form.another.data)


# --- the slip ------------------------------------------------------------------------------------------


def slip(given: Credentials, title: str) -> str:
    """The only page that ever shows what an officer is given."""
    with reading() as connection:
        account = accounts.of(connection, officer(), given.officer_id)
    secret = given.totp_secret or ""
    return render_template(
        "accounts/slip.html",
        given=given,
        account=account,
        title=title,
        role=_(ROLE_NAMES[account.role]),
        square=_square(given.totp_address) if given.totp_address else "",
        key=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
    )


def _square(address: str) -> Markup:
    """A QR code in the page itself: at an address of its own, the secret would have one."""
    drawn = segno.make(address, error="m", micro=False)
    return Markup(drawn.svg_inline(border=4, light="#fff", omitsize=True, svgclass=None, lineclass=None))  # noqa: S704
