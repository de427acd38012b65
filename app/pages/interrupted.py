"""A list sent after its session had ended (U-13): nothing is saved for a stranger, and nothing typed is lost.

The page that asks to sign in again carries what was typed, encrypted and bound to the candidate whose session it
was, and so does every page it leads to on the way back in (`entries.Kept`). Whoever else signs in there gets nothing
of it. Once that candidate is back, one button sends it as before.
"""

from typing import Final

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app import sessions
from app.entrance import SignedIn
from app.pages.doorway import fresh_form_cookie, let_in, locked, remember_device, unlocked
from app.pages.entries import SignInForm
from app.pages.sent import OURS
from app.pages.words import _
from app.web.portal import reading, services, set_cookie

_PURPOSE: Final = "interrupted"
#: how long what was typed can be brought back, seconds: a day at school
LIFE: Final = 10 * 3600


def page() -> BaseResponse:
    """In the place of a page that a stranger posts a list to: sign in again, and keep this page open until then."""
    owner = _owner()
    if owner is None:
        return redirect(url_for("account.sign_in", next=request.path), 303)
    typed = {name: text for name, text in request.form.items() if name not in {*OURS, "act"}}
    form = SignInForm(None, kept=locked(_PURPOSE, owner=owner, path=request.path, typed=typed))
    return make_response(render_template("account/sign_in.html", form=form, seconds=0, next=request.path))


def _owner() -> int | None:
    """The candidate whose session this browser was in when the form was made, if the form was made in it."""
    session_id = request.cookies.get(services().portal.session_cookie, "")
    id_hash = sessions.hash_of(session_id)
    if request.form.get("mark") != sessions.form_mark(id_hash):
        return None
    with reading() as connection:
        return sessions.owner(connection, id_hash)


def resumed(back: SignedIn, token: str, target: str | None, device: str | None = None) -> Response:
    """The answer to a sign-in: with what was typed before, if `token` holds something of this candidate.

    `device` as in `let_in`.
    """
    kept = unlocked(_PURPOSE, token, LIFE)
    if kept is None or kept["owner"] != back.candidate_id:
        if token:
            flash(
                _("What was typed in this window before you signed in was not yours, or is too old. It was not kept."),
                "warning",
            )
        return let_in(back, device, target)
    fresh_form_cookie()
    mark = sessions.form_mark(sessions.hash_of(back.session_id))
    page = make_response(render_template("account/resumed.html", path=kept["path"], typed=kept["typed"], mark=mark))
    set_cookie(page, services().portal.session_cookie, back.session_id)
    if device:
        remember_device(page, device)
    return page
