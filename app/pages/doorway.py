"""Between a request and the door: where it comes from, what the page before has read, the cookies of who is let in."""

import base64
import hmac
import json
from typing import Any, Final

from cryptography.fernet import Fernet, InvalidToken
from flask import Response, g, make_response, redirect, request, session, url_for

from app.accounts import device_hash
from app.candidates import Sealer
from app.entrance import Door, SignedIn, Where
from app.errors import BadInput
from app.sessions import hash_of, new_id
from app.web.portal import (
    DEVICE_COOKIE,
    DEVICE_COOKIE_AGE,
    client_ip,
    device_label,
    device_token,
    drop_cookie,
    request_id,
    services,
    set_cookie,
)

#: how long the first page of two is remembered, seconds
STEP_LIFE: Final = 15 * 60
_KEPT: Final = "step-"
#: what of the form cookie outlives signing in and out: it belongs to the browser, not to a candidate
_BROWSERS_OWN: Final = ("language", "appearance")


def door() -> Door:
    """The door of the running application; made once."""
    here = services()
    if "door" not in here.extra:
        here.extra["door"] = Door(
            here.database,
            here.keys,
            Sealer(here.keys.column_key, here.keys.index_key),
            session_seconds=here.settings.session_seconds,
            card_codes=here.settings.card_codes,
            idle_seconds=here.settings.idle_seconds,
        )
    made: Door = here.extra["door"]
    return made


def where(token: str | None = None) -> Where:
    """Where this request comes from. `token`: the device token this browser will hold after the answer."""
    session_id = request.cookies.get(services().portal.session_cookie)
    return Where(
        ip=client_ip(),
        label=device_label(),
        request_id=request_id(),
        device_hash=device_hash(token or device_token()),
        leaving=hash_of(session_id) if session_id else b"",
    )


def token_of_device() -> str:
    """This browser's device token, or a fresh one to give it once a code was right (R-06)."""
    return device_token() or new_id()[0]


def each_field_once() -> None:
    """Before every page of the door: a field sent twice is refused, not chosen between (F-13)."""
    for name, values in request.form.lists() if request.method == "POST" else ():
        if len(values) > 1:
            raise BadInput(f"{name} was sent {len(values)} times", place=name)


# --- from the first page to the second ---------------------------------------------------------------


def keep_step(purpose: str, **values: str) -> str:
    """Remember what the first page read, for a quarter of an hour and for this `purpose` alone; returns its token.

    It lies in the form cookie, encrypted: the next person at a shared computer cannot read the last digits of an
    identity number there. It proves nothing and lets nobody in.
    """
    token = locked(purpose, **values)
    session[_KEPT + purpose] = token
    return token


def step(purpose: str) -> dict[str, str] | None:
    """What the first page read, or None when it was never filled in or too long ago.

    A form says itself which first page it follows (`step_token`): two windows do not mix.
    """
    return unlocked(purpose, step_token(purpose), STEP_LIFE)


def step_token(purpose: str) -> str:
    """The value of the form's hidden field `step`."""
    return str((request.form.get("step") if request.method == "POST" else session.get(_KEPT + purpose)) or "")


def locked(purpose: str, **values: Any) -> str:
    """`values`, that JSON can hold, as a text to put into a page: only this service reads it, for this `purpose`."""
    return _cipher(purpose).encrypt(json.dumps(values).encode()).decode("ascii")


def unlocked(purpose: str, token: str, life: int) -> dict[str, Any] | None:
    """What `locked` made a text of at most `life` seconds ago; None for any other text."""
    try:
        values: dict[str, Any] = json.loads(_cipher(purpose).decrypt(token, ttl=life))
    except (InvalidToken, ValueError):  # the latter for what is no ASCII
        return None
    return values


def _cipher(purpose: str) -> Fernet:
    key = hmac.digest(services().keys.secret_key, b"step|" + purpose.encode(), "sha256")
    return Fernet(base64.urlsafe_b64encode(key))


# --- in and out --------------------------------------------------------------------------------------


def let_in(signed_in: SignedIn, token: str | None = None, target: str | None = None) -> Response:
    """The answer that signs in: a fresh session cookie, a fresh form cookie, and on to `target`.

    `token` is the device's, given where a right code was (R-06). Whatever the form cookie held is gone: a token
    planted before signing in is worth nothing after it (S-02).
    """
    fresh_form_cookie()
    answer = make_response(redirect(target or url_for("preferences.overview"), 303))
    set_cookie(answer, services().portal.session_cookie, signed_in.session_id)
    if token:
        remember_device(answer, token)
    return answer


def remember_device(answer: Response, token: str) -> None:
    """Give the browser its device token, for as long as a season lasts."""
    set_cookie(answer, DEVICE_COOKIE, token, max_age=DEVICE_COOKIE_AGE)


def let_out() -> Response:
    """The answer that signs out: nothing of the candidate stays in the browser, nor in its cache (S-10)."""
    fresh_form_cookie()
    answer = make_response(redirect(url_for("account.signed_out"), 303))
    drop_cookie(answer, services().portal.session_cookie)
    # not "cookies": the device stays known
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


def fresh_form_cookie() -> None:
    """Begin the form cookie anew, and with it the token of whatever form this answer still shows (S-02)."""
    kept = {name: session[name] for name in _BROWSERS_OWN if name in session}
    session.clear()
    session.update(kept)
    g.pop("csrf_token", None)  # where Flask-WTF keeps the token it has made for the cookie of before
