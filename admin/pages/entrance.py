"""Signing in and out, a fresh proof of identity, a new password.

A form sent after its session has lapsed, or when the last proof is too long ago, is answered with the page that asks to
sign in or for a proof. That page carries what was typed, encrypted for whoever typed it, and once they are back one
button sends it as before. Passwords are typed at this door alone, and nothing sent to it is carried.
"""

from typing import Final

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, session, url_for
from flask_babel import lazy_gettext
from flask_login import current_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as BaseResponse
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length

from admin import officers
from admin.entrance import Opened, Weakness, weakness
from admin.officers import SESSION_LIFE
from admin.pages.reach import desk, officer, typed, where
from app.errors import NotProved, OutOfDate, TooSoon
from app.pages.doorway import locked, remember_device, token_of_device, unlocked
from app.pages.sent import OURS
from app.passwords import LONGEST
from app.sessions import hash_of
from app.web import refusals
from app.web.forms import Form, Kept, OwnForm, form_mark, plain, require_mark, single
from app.web.guard import enter, local_target, signed_out
from app.web.languages import gettext as _
from app.web.limits import limiter, sign_in_flood
from app.web.portal import drop_cookie, services, set_cookie
from app.wording import N_

pages = Blueprint("entrance", __name__)

#: what an officer who must change the password may still ask for
_BEFORE_CHANGE: Final = frozenset(
    {"entrance.password", "entrance.sign_out", "entrance.extend", "public.language", "public.appearance"}
)
_WEAK: Final[dict[Weakness, str]] = {
    "too_short": N_("Use at least 10 characters."),
    "too_few_kinds": N_("Use three of these four: small letters, capital letters, digits, other characters."),
    "too_long": N_("Use at most 128 characters."),
    "control_characters": N_("This contains characters that cannot be printed. Please type it again."),
    "common": N_("This password is among the first ones people try. Choose another."),
    "personal": N_("This is made of your name, login or office, which others know. Choose another."),
}
_PURPOSE: Final = "proof"
#: how long what was typed is kept for its owner, seconds: no longer than a session
_KEPT_S: Final = int(SESSION_LIFE.total_seconds())
_DIGITS_LABEL: Final = lazy_gettext("Six digits of your authenticator")
_DIGITS_MISSING: Final = lazy_gettext("Enter the six digits your authenticator shows now.")
_PASSWORD_MISSING: Final = lazy_gettext("Enter your password.")


class SignInForm(Kept, Form):
    """Login and both factors."""

    login = StringField(
        lazy_gettext("Login"),
        validators=[InputRequired(lazy_gettext("Enter your login.")), Length(max=64)],
        filters=[plain],
    )
    password = PasswordField(
        lazy_gettext("Password"), validators=[InputRequired(_PASSWORD_MISSING), Length(max=LONGEST)]
    )
    digits = StringField(_DIGITS_LABEL, validators=[InputRequired(_DIGITS_MISSING), Length(max=16)])


class ProofForm(Kept, OwnForm):
    """Both factors of the officer who is signed in."""

    password = PasswordField(
        lazy_gettext("Password"), validators=[InputRequired(_PASSWORD_MISSING), Length(max=LONGEST)]
    )
    digits = StringField(_DIGITS_LABEL, validators=[InputRequired(_DIGITS_MISSING), Length(max=16)])


class PasswordForm(OwnForm):
    """The old password and the new one."""

    old = PasswordField(
        lazy_gettext("Your password until now"),
        validators=[InputRequired(lazy_gettext("Enter your password until now.")), Length(max=LONGEST)],
    )
    new = PasswordField(lazy_gettext("New password"), validators=[InputRequired(lazy_gettext("Enter a new password."))])
    again = PasswordField(
        lazy_gettext("New password once more"),
        validators=[InputRequired(lazy_gettext("Enter the new password once more."))],
    )


@pages.before_app_request
def _first_password_first() -> BaseResponse | None:
    """Until a password somebody else has seen is changed, nothing else is done."""
    if request.endpoint == "static" or request.endpoint in _BEFORE_CHANGE:
        return None
    if not current_user.is_authenticated or not officer().must_change_password:
        return None
    return redirect(url_for("entrance.password"), 303)


@pages.route("/sign-in", methods=["GET", "POST"])
@limiter.limit(sign_in_flood, methods=["POST"])
def sign_in() -> BaseResponse | tuple[str, int] | tuple[str, int, dict[str, str]] | str:
    """Both factors in one form; where the officer wanted to go follows, or what was typed before the session ended."""
    form = SignInForm()
    if current_user.is_authenticated:
        return _resumed(typed(form.kept)) or redirect(url_for("progress.own"), 303)
    if not form.is_submitted():
        return _page("sign_in", form)
    if not form.validate():
        return _page("sign_in", form), 400
    token = token_of_device()
    try:
        answer = desk().sign_in(typed(form.login).lower(), typed(form.password), _digits(form.digits), where(token))
    except TooSoon as wait:
        return _wait("sign_in", form, wait)
    if not isinstance(answer, Opened):
        refused = _(
            "Login, password and digits do not fit together. Any of the three may be wrong; which one is not said."
            " Check login and password: capital and small letters differ. The digits change every 30 seconds, and each"
            " can be used once. From the sixth failure in a row on there is a wait."
        )
        return _page("sign_in", form, refused=refused), 422
    enter(answer.session_id)
    entered = _enter(answer, _next(), _resumed(typed(form.kept)))
    remember_device(entered, token)
    return entered


@pages.post("/sign-out")
def sign_out() -> BaseResponse:
    """End the session, and leave nothing of it in the browser (S-10): also where it has lapsed."""
    if current_user.is_authenticated:
        require_mark(single("mark"))
        desk().sign_out(officer(), where())
    session.clear()
    answer = make_response(redirect(url_for("entrance.sign_in"), 303))
    drop_cookie(answer, services().portal.session_cookie)
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


@pages.post("/session/extend")
def extend() -> tuple[str, int]:
    """Stay signed in: the request itself is the sign of life (S-03)."""
    return "", 204


@pages.route("/prove", methods=["GET", "POST"])
@limiter.limit(sign_in_flood, methods=["POST"])
def prove() -> BaseResponse | tuple[str, int] | tuple[str, int, dict[str, str]] | str:
    """Give both factors once more before an act that asks for it (A-14)."""
    form = ProofForm()
    if not form.is_submitted():
        return _page("prove", form)
    if not form.validate():
        return _page("prove", form), 400
    try:
        answer = desk().prove(officer(), typed(form.password), _digits(form.digits), where())
    except TooSoon as wait:
        return _wait("prove", form, wait)
    if not isinstance(answer, Opened):
        refused = _(
            "Password and digits do not fit together. Either may be wrong; which one is not said. Check the password:"
            " capital and small letters differ. The digits change every 30 seconds, and each can be used once. From the"
            " sixth failure in a row on there is a wait."
        )
        return _page("prove", form, refused=refused), 422
    return _enter(answer, _next(), _resumed(typed(form.kept)))


@pages.app_errorhandler(NotProved)
def prove_first(refusal: NotProved) -> Response | tuple[str, int]:
    """In the place of whatever was to be done: a proof of identity, and what was typed is kept until then."""
    if request.form.get("mark") != form_mark():
        return refusals.page(OutOfDate.reason, OutOfDate.status)
    form = ProofForm(None, kept=_kept(officer().officer_id), mark=form_mark())
    return _page("prove", form), refusal.status


def interrupted() -> BaseResponse:
    """In the place of the page that a stranger posts to: sign in again, and what was typed is kept until then."""
    kept = request.form.get("kept") if request.blueprint == pages.name else _kept_of_session()
    if not kept:
        return signed_out(_("You had been signed out. What you just sent was not done: sign in and do it again."))
    return make_response(_page("sign_in", SignInForm(None, kept=kept)))


def _kept_of_session() -> str | None:
    """What was typed, for the officer whose session this browser was in, if the form was made in it."""
    id_hash = hash_of(request.cookies.get(services().portal.session_cookie, ""))
    with services().database.reading() as connection:
        owner = officers.owner(connection, id_hash, request.form.get("mark", ""))
    return None if owner is None else _kept(owner)


def _kept(owner: int) -> str:
    fields = [(name, value) for name, value in request.form.items(multi=True) if name not in OURS]
    return locked(_PURPOSE, owner=owner, path=request.full_path.removesuffix("?"), fields=fields)


def _resumed(token: str) -> str | None:
    """The page that sends what was typed before, if `token` holds something of this officer who can send it now."""
    kept = unlocked(_PURPOSE, token, _KEPT_S)
    if kept is None or kept["owner"] != officer().officer_id or officer().must_change_password:
        if token:
            flash(
                _(
                    "What was typed in this window before was not kept: it was not yours, is too old, or a new password"
                    " has to be chosen first. It was not done."
                ),
                "warning",
            )
        return None
    return render_template("entrance/resumed.html", kept=token, path=kept["path"], fields=kept["fields"])


@pages.route("/password", methods=["GET", "POST"])
@limiter.limit(sign_in_flood, methods=["POST"])
def password() -> BaseResponse | tuple[str, int] | str:
    """Change the password; the first thing after the first sign-in."""
    form = PasswordForm()
    if request.method == "GET":
        return render_template("entrance/password.html", form=form)
    if not (form.validate() and _new_fits(form)):
        return render_template("entrance/password.html", form=form), 400
    answer = desk().change_password(officer(), typed(form.old), typed(form.new), where())
    if not isinstance(answer, Opened):
        form.old.errors = [_("This is not your password until now.")]
        return render_template("entrance/password.html", form=form), 422
    flash(_("Your new password is in force."), "success")
    return _enter(answer)


def _new_fits(form: PasswordForm) -> bool:
    weak = weakness(typed(form.new), officer())
    if weak is not None:
        form.new.errors = [_(_WEAK[weak])]
    elif form.new.data == form.old.data:
        form.new.errors = [_("This is your password until now. Choose another.")]
    elif form.new.data != form.again.data:
        form.again.errors = [_("This differs from the new password above.")]
    return not form.new.errors and not form.again.errors


def _page(name: str, form: FlaskForm, **values: object) -> str:
    return render_template(f"entrance/{name}.html", form=form, target=_next(), **values)


def _wait(name: str, form: FlaskForm, wait: TooSoon) -> tuple[str, int, dict[str, str]]:
    return _page(name, form, seconds=wait.seconds), 429, {"Retry-After": str(wait.seconds)}


def _next() -> str | None:
    return local_target(request.args.get("next"))


def _digits(field: StringField) -> str:
    return "".join(plain(field.data).split())


def _enter(opened: Opened, target: str | None = None, page: str | None = None) -> Response:
    answer = make_response(page or redirect(target or url_for("progress.own"), 303))
    set_cookie(answer, services().portal.session_cookie, opened.session_id)
    return answer
