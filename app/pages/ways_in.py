"""The ways in, each on one page or two: activation, password, password with the card, a new password.

Every refusal says one thing for all reasons, and what to do; a waiting time is told, and the way past it (R-05).
`app.pages.account` gives them their addresses.
"""

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as BaseResponse

from app.entrance import NOTICE_VERSION, Activation, SignedIn, Weak
from app.errors import ChallengeStale, TooSoon
from app.pages.doorway import door, keep_step, let_in, step, step_token, token_of_device, where
from app.pages.entries import (
    ActivationForm,
    CardNumberForm,
    CardSignInForm,
    NumberForm,
    PersonForm,
    ResetForm,
    SignInForm,
)
from app.pages.interrupted import resumed, shown_again
from app.pages.words import _
from app.web.guard import local_target
from app.web.limits import limiter, sign_in_flood


def shown(template: str, form: FlaskForm, **values: object) -> Response:
    """A page with a form; 422 when something in it is to be corrected."""
    return make_response(render_template(template, form=form, **values), 422 if form.errors else 200)


def _next() -> str | None:
    return local_target(request.args.get("next"))


def _inside() -> BaseResponse | None:
    """Where somebody goes who asks for a way in and is in already."""
    if request.method == "GET" and current_user.is_authenticated:
        return redirect(_next() or url_for("preferences.overview"), 303)
    return None


# --- activation --------------------------------------------------------------------------------------


@limiter.limit(sign_in_flood, methods=["POST"])
def activate() -> BaseResponse:
    """/activate: first page of activation, who you are and which card was handed to you."""
    if inside := _inside():
        return inside
    form = PersonForm()
    if form.validate_on_submit():
        keep_step("activate", number=form.number.typed, serial=form.serial.typed, tail=form.tail.data or "")
        return redirect(url_for(".activate_codes"), 303)
    return shown("account/activate.html", form, notice_version=NOTICE_VERSION)


@limiter.limit(sign_in_flood, methods=["POST"])
def activate_codes() -> BaseResponse:
    """/activate/codes: second page, two codes of that card, and a password of one's own."""
    read = step("activate")
    if read is None:
        return _too_late("activate")
    pair = door().pair_asked(read["serial"])
    form = ActivationForm()
    form.ask(pair)
    if form.validate_on_submit():
        token = token_of_device()
        asked = Activation(read["number"], read["serial"], read["tail"], form.given, form.password.data or "")
        answer = door().activate(asked, where(token))
        if isinstance(answer, SignedIn):
            entered = let_in(answer, token)
            flash(
                _("Your account is activated and your card is bound. Codes are asked only to confirm a list."),
                "success",
            )
            return entered
        if isinstance(answer, Weak):
            form.refuse(answer.reason)
        else:
            form.form_errors.append(
                _(
                    "These details do not fit together. Nothing was changed and no code was used up. Compare the"
                    " candidate number, the serial, the end of your identity number and both codes with the papers"
                    " and the card in front of you. If you have activated before, sign in instead. If it still does"
                    " not work, take your identity card and the card to your registration point."
                )
            )
    return shown("account/activate_codes.html", form, pair=pair, read=read, step=step_token("activate"))


def _too_late(purpose: str) -> BaseResponse:
    """Back to the first page: the second was opened by itself, or the first was too long ago."""
    if request.method == "POST":
        flash(
            _("More than 15 minutes passed, so that page had expired. Nothing was changed. Please start again."),
            "warning",
        )
    return redirect(url_for(f".{purpose}"), 303)


# --- signing in --------------------------------------------------------------------------------------


@limiter.limit(sign_in_flood, methods=["POST"])
def sign_in() -> BaseResponse:
    """/sign-in: number and password. No code of the card is ever asked here (A-16)."""
    if inside := _inside():
        return inside
    form = SignInForm()
    if current_user.is_authenticated and not form.is_submitted() and (page := shown_again(form.kept.data or "")):
        return page
    seconds = 0
    if form.validate_on_submit():
        try:
            answer = door().sign_in(form.number.typed, form.password.data or "", where())
        except TooSoon as wait:
            seconds = wait.seconds
        else:
            if isinstance(answer, SignedIn):
                return resumed(answer, form.kept.data or "", _next())
            form.form_errors.append(
                _(
                    "Candidate number and password do not fit together. Check both; capital and small letters differ."
                    " If you have not activated your account yet, do that first."
                )
            )
    page = shown("account/sign_in.html", form, seconds=seconds, next=_next())
    if seconds:
        page.status_code = 429
        page.headers["Retry-After"] = str(seconds)
    return page


@limiter.limit(sign_in_flood, methods=["POST"])
def sign_in_with_card() -> BaseResponse:
    """/sign-in/card: past a wait that somebody else has caused: the password and two codes of the card (R-05)."""
    if inside := _inside():
        return inside
    read = step("sign_in_with_card")
    if first_page(read):
        return _number_page("sign_in_with_card", "account/sign_in_card.html", CardNumberForm())
    if read is None:
        back = _too_late("sign_in_with_card")
        form = CardNumberForm()
        return shown("account/sign_in_card.html", form, next=_next()) if form.kept.data else back
    pair = _pair(read)
    form = CardSignInForm()
    form.ask(pair)
    if form.validate_on_submit():
        token = token_of_device()
        try:
            answer = door().sign_in_with_card(read["number"], form.password.data or "", form.given, where(token), pair)
        except ChallengeStale:
            return _asked_anew("sign_in_with_card", read["number"])
        if isinstance(answer, SignedIn):
            return resumed(answer, form.kept.data or "", _next(), token)
        form.form_errors.append(
            _(
                "Password and codes do not fit together. No code was used up. Check the password, and compare both"
                " codes with the card."
            )
        )
    return _card_page(form, read, step_token("sign_in_with_card"))


def _card_page(form: CardSignInForm, read: dict[str, str], token: str) -> Response:
    return shown("account/sign_in_card_codes.html", form, pair=_pair(read), read=read, step=token, next=_next())


# --- a new password with the counter's ticket --------------------------------------------------------


@limiter.limit(sign_in_flood, methods=["POST"])
def reset() -> BaseResponse:
    """/reset: a forgotten password takes the ticket of the counter and two codes of the card (A-09)."""
    if inside := _inside():
        return inside
    read = step("reset")
    if first_page(read):
        return _number_page("reset", "account/reset.html", NumberForm())
    if read is None:
        return _too_late("reset")
    pair = _pair(read)
    form = ResetForm()
    form.ask(pair)
    if form.validate_on_submit():
        token = token_of_device()
        try:
            answer = door().reset(
                read["number"], form.ticket.data or "", form.given, form.password.data or "", where(token), pair
            )
        except ChallengeStale:
            return _asked_anew("reset", read["number"])
        if isinstance(answer, SignedIn):
            entered = let_in(answer, token)
            flash(_("Your new password is set. For 24 hours each confirmation asks for two codes."), "success")
            return entered
        if isinstance(answer, Weak):
            form.refuse(answer.reason)
        else:
            form.form_errors.append(
                _(
                    "Ticket and codes do not fit together. Nothing was changed and no code was used up. Compare all"
                    " three with the paper and the card; a ticket is good for 24 hours and for one new password. If"
                    " it still does not work, go back to the counter that gave you the ticket."
                )
            )
    return shown("account/reset_codes.html", form, pair=pair, read=read, step=step_token("reset"))


def first_page(read: dict[str, str] | None) -> bool:
    """Whether a way in two pages stands at its first one."""
    if request.method == "POST":
        return "step" not in request.form
    return read is None or "again" in request.args


def _number_page(purpose: str, template: str, form: NumberForm) -> BaseResponse:
    if form.validate_on_submit():
        return _asked(purpose, form.number.typed)
    return shown(template, form, next=_next())


def _asked(purpose: str, number: str) -> BaseResponse:
    """On to the second page, with the pair it asks: another pair by then is noticed before a code is looked at."""
    first, second = door().pair_for_sign_in(number)
    read = {"number": number, "first": str(first), "second": str(second)}
    token = keep_step(purpose, **read)
    if request.form.get("kept") and purpose == "sign_in_with_card":  # no address can carry it
        form = CardSignInForm()
        form.ask((first, second))
        return _card_page(form, read, token)
    return redirect(url_for(f".{purpose}", next=_next()), 303)


def _asked_anew(purpose: str, number: str) -> BaseResponse:
    flash(
        _(
            "Other codes are asked by now, because a code was used or the card was replaced meanwhile. The codes you"
            " typed were not looked at. Please enter the two named here."
        ),
        "warning",
    )
    return _asked(purpose, number)


def _pair(read: dict[str, str]) -> tuple[int, int]:
    return int(read["first"]), int(read["second"])
