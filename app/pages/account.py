"""The account: how to get in, how to get out, and what its owner can see and do in it."""

from typing import Final

from flask import Blueprint, Response, flash, make_response, redirect, render_template, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from app import activity, phones, upkeep
from app.bindings import SINGLE_TRIES, Wrong
from app.entrance import Refused
from app.errors import BadInput, ChallengeStale, NoCard
from app.pages import doorway, watchers, ways_in
from app.pages.doorway import door, let_out, remember_device, token_of_device, where
from app.pages.entries import PasswordForm, PhoneForm
from app.pages.fetch import visitor
from app.pages.words import _, ngettext
from app.phones import NewPhone
from app.web.forms import require_mark, single
from app.web.limits import limiter, sign_in_flood
from app.web.portal import reading, services, transaction
from app.wording import N_

pages = Blueprint("account", __name__)
pages.before_request(doorway.each_field_once)

ACTS: Final = {
    "signed_in": N_("Sign-in"),
    "filed": N_("%(batch)s: list confirmed, version %(number)s"),
    "waived": N_("%(batch)s: batch given up, version %(number)s"),
    "activated": N_("Account activated, card bound"),
    "new_device": N_("Sign-in in a browser in which no code had been right yet"),
    "wrong_codes": N_("Five wrong codes in a row"),
    "password_changed": N_("Password changed"),
    "password_reset": N_("New password set with a reset ticket"),
    "reset_approved": N_("Reset ticket printed at the counter"),
    "card_handed": N_("A card was handed out in your name"),
    "card_bound": N_("New card bound"),
    "card_lost": N_("Card reported lost"),
    "not_me": N_('"That was not me" was pressed'),
    "phone_changed": N_("Phone number changed"),
    "two_codes_ended": N_("Two codes for each confirmation ended at the counter"),
    "reopened": N_("%(batch)s: opened again for you by the province"),
}

_BOTH: Final = ["GET", "POST"]
pages.add_url_rule("/activate", view_func=ways_in.activate, methods=_BOTH)
pages.add_url_rule("/activate/codes", view_func=ways_in.activate_codes, methods=_BOTH)
pages.add_url_rule("/sign-in", view_func=ways_in.sign_in, methods=_BOTH)
pages.add_url_rule("/sign-in/card", view_func=ways_in.sign_in_with_card, methods=_BOTH)
pages.add_url_rule("/reset", view_func=ways_in.reset, methods=_BOTH)
pages.add_url_rule("/account/looks", view_func=watchers.looked)


# --- out ---------------------------------------------------------------------------------------------


@pages.post("/sign-out")
def sign_out() -> BaseResponse:
    """End the session, here and in the browser: also where it has lapsed, for what the browser kept remains."""
    if current_user.is_authenticated:
        with transaction() as session:
            upkeep.sign_out(session, visitor(), where())
    return let_out()


@pages.get("/signed-out")
def signed_out() -> str:
    """What to do before leaving a shared computer (U-20)."""
    return render_template("account/signed_out.html")


@pages.post("/session/extend")
def extend() -> tuple[str, int]:
    """Stay signed in: that somebody asked is what keeps a session alive, and the gate has noted it."""
    return "", 204


# --- the account -------------------------------------------------------------------------------------


@pages.get("/account")
def overview() -> str:
    """Where the account is signed in, what happened lately, and what to do if it was somebody else (U-19)."""
    with reading() as connection:
        places = activity.places(connection, visitor(), services().settings.idle_seconds)
        acts = activity.acts(connection, visitor())
    return render_template(
        "account/overview.html",
        sessions=[place for place in places if place.kind == "session"],
        devices=[place for place in places if place.kind == "device"],
        acts=acts,
        in_words=in_words,
        before=next((act for act in acts if act.kind == "signed_in" and not act.here), None),
    )


def in_words(act: activity.Act) -> str:
    """What was done, as its doer would say it."""
    kind = "not_me" if act.params.get("reason") == "not_me" else act.kind
    return _(ACTS[kind], **act.params)


@pages.route("/account/password", methods=["GET", "POST"])
@limiter.limit(sign_in_flood, methods=["POST"])
def password() -> BaseResponse:
    """A new password for the old one; every other session ends."""
    form = PasswordForm()
    if form.validate_on_submit():
        answer = door().change_password(
            visitor().candidate_id,
            visitor().candidate_no,
            form.old.data or "",
            form.password.data or "",
            keep=visitor().session_hash,
            where=where(),
        )
        if answer is None:
            flash(_("Your password is changed. Every other browser was signed out."), "success")
            return redirect(url_for(".overview"), 303)
        if isinstance(answer, Refused):
            form.old.errors = [_("This is not your current password. Check capital and small letters.")]
        else:
            form.refuse(answer.reason)
    return ways_in.shown("account/password.html", form)


@pages.route("/account/phone", methods=["GET", "POST"])
@limiter.limit(sign_in_flood, methods=["POST"])
def phone() -> BaseResponse:
    """A new phone number for the password and a code of the card (A-15)."""
    form = PhoneForm()
    if form.is_submitted():
        form.ask_again()
    if form.validate_on_submit():
        token = token_of_device()
        asked = NewPhone(form.mobile.typed, form.old.data or "", form.shown, form.given)
        try:
            answer = door().change_phone(visitor(), asked, where(token))
        except ChallengeStale:
            flash(
                _(
                    "Another code is asked by now, because one was used or the card was replaced meanwhile. What you"
                    " typed was not looked at. Please fill in the page once more."
                ),
                "warning",
            )
            return redirect(url_for(".phone"), 303)
        if answer is None:
            return _phone_changed(token)
        if isinstance(answer, Refused):
            form.old.errors = [_("This is not your current password. Check capital and small letters.")]
        else:
            form.code_first.errors = [_wrong_code(answer)]
    return _phone_page(form)


def _phone_page(form: PhoneForm) -> Response:
    """The page as the card asks now, which after a wrong code may be for two."""
    with reading() as connection:
        found = phones.of(connection, door().sealer, visitor().candidate_id)
    number = phones.masked(found.number) if found.number else ""
    try:
        form.ask(found.asked)
    except NoCard:
        return make_response(render_template("account/phone.html", form=None, phone=found, number=number))
    return ways_in.shown("account/phone.html", form, phone=found, number=number)


def _phone_changed(token: str) -> Response:
    flash(
        _("Your phone number is changed, and the one before was told. For 24 hours each confirmation asks two codes."),
        "success",
    )
    answer = make_response(redirect(url_for(".overview"), 303))
    remember_device(answer, token)
    return answer


def _wrong_code(wrong: Wrong) -> str:
    if wrong.two_needed:
        return _(
            "This is not what was asked for. Nothing was changed or used up. Please type both codes asked for here."
        )
    return ngettext(
        "This is not the code asked for. The number was not changed and the code not used up. After %(num)d more wrong"
        " answer two codes are asked.",
        "This is not the code asked for. The number was not changed and the code not used up. After %(num)d more wrong"
        " answers two codes are asked.",
        SINGLE_TRIES - wrong.tries,
    )


@pages.post("/account/not-me")
def not_me() -> BaseResponse:
    """Somebody else was here: two codes from now on, every other session ends. Never a block."""
    require_mark(single("mark"))
    door().report(visitor().candidate_id, "not_me", where(), keep=visitor().session_hash)
    flash(
        _(
            "Every other browser was signed out, and each confirmation asks for two codes of your card from now on."
            " Change your password now, then look at My archive: every list in force is there with time and device."
        ),
        "warning",
    )
    return redirect(url_for(".overview"), 303)


@pages.post("/account/sessions/end")
def end_sessions() -> BaseResponse:
    """Sign out everywhere but here."""
    require_mark(single("mark"))
    with transaction() as session:
        upkeep.end_other_sessions(session, visitor(), where())
    flash(_("Every other browser was signed out."), "success")
    return redirect(url_for(".overview"), 303)


@pages.post("/account/devices/forget")
def forget_device() -> BaseResponse:
    """Make a device unknown again."""
    require_mark(single("mark"))
    try:
        token_hash = bytes.fromhex(single("device"))
    except ValueError as error:
        raise BadInput("not a device", place="device") from error
    with transaction() as session:
        upkeep.forget_device(session, visitor(), token_hash, where())
    flash(_("The device is no longer known. To change a filed list from there, two codes will be asked."), "success")
    return redirect(url_for(".overview"), 303)
