"""What is sent after its session has ended (U-13): nothing is done for a stranger, and no list typed is lost.

The page that asks to sign in again carries what was typed, encrypted and bound to the candidate whose list it was, and
so does every page it leads to on the way back in (`app.web.forms.Kept`). The form itself says whose it was, sealed, for
the session's cookie may be gone. Whoever else signs in there gets nothing of it. Once that candidate is back, one
button sends it as before.
"""

from typing import Any, Final

from flask import Response, flash, make_response, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from app import sessions
from app.entrance import SignedIn
from app.pages.doorway import fresh_form_cookie, let_in, locked, remember_device, unlocked
from app.pages.entries import SignInForm
from app.pages.fetch import visitor
from app.pages.sent import OURS
from app.pages.words import _
from app.web.guard import signed_out
from app.web.portal import services, set_cookie

_PURPOSE: Final = "interrupted"
_OWNER: Final = "owner"
#: how long what was typed can be brought back, seconds: a day at school
LIFE: Final = 10 * 3600


def page() -> BaseResponse:
    """In the place of the page that a stranger posts to: sign in again, and a list is kept until then."""
    if request.endpoint != "preferences.keep":
        return signed_out(
            _(
                "You had been signed out. What you just sent was not done, and a code in it was not looked at: it is"
                " still good, unless you had sent it before. Once you are signed in you see which list is in force."
            )
        )
    owner = unlocked(_OWNER, request.form.get("owner", ""), LIFE)
    if owner is None:
        return signed_out(_("What you had typed in this window was not saved. Sign in and type it again."))
    typed = {name: text for name, text in request.form.items() if name not in {*OURS, "act"}}
    form = SignInForm(None, kept=locked(_PURPOSE, owner=owner["id"], path=request.path, typed=typed))
    return make_response(render_template("account/sign_in.html", form=form, seconds=0, next=request.path))


def sealed_owner() -> str:
    """Whose list a form is, for its field `owner`: it lets nobody in and is read by this service alone."""
    return locked(_OWNER, id=visitor().candidate_id)


def resumed(back: SignedIn, token: str, target: str | None, device: str | None = None) -> Response:
    """The answer to a sign-in: with what was typed before, if `token` holds something of this candidate.

    `device` as in `let_in`.
    """
    kept = unlocked(_PURPOSE, token, LIFE)
    if kept is None or kept["owner"] != back.candidate_id:
        answer = let_in(back, device, target)
        if token:  # said after it, for signing in empties the form cookie
            flash(
                _("What was typed in this window before you signed in was not yours, or is too old. It was not kept."),
                "warning",
            )
        return answer
    fresh_form_cookie()
    page = _still_here(kept, token, sessions.form_mark(sessions.hash_of(back.session_id)))
    set_cookie(page, services().portal.session_cookie, back.session_id)
    if device:
        remember_device(page, device)
    return page


def shown_again(token: str) -> Response | None:
    """The same page once more, in another language or type, for the candidate who has signed in meanwhile."""
    kept = unlocked(_PURPOSE, token, LIFE)
    if kept is None or kept["owner"] != visitor().candidate_id:
        return None
    return _still_here(kept, token, visitor().form_mark)


def _still_here(kept: dict[str, Any], token: str, mark: str) -> Response:
    page = render_template("account/resumed.html", kept=token, path=kept["path"], typed=kept["typed"], mark=mark)
    return make_response(page)
