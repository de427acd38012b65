"""Pages that say no: what happened, that nothing was lost, and what to do next."""

import logging
from dataclasses import dataclass
from typing import Any, Final

from flask import Flask, Response, make_response, render_template, request
from flask.globals import request_ctx
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, TooManyRequests

from app.errors import BadInput, ClockInDoubt, Refusal, TooSoon, Unavailable
from app.web.guard import signed_in
from app.web.languages import gettext as _
from app.web.portal import client_ip, request_id, services
from app.wording import N_

_log = logging.getLogger("zhiyuan.refusals")


@dataclass(frozen=True, slots=True)
class Words:
    """Title and text of a refusal, as gettext ids."""

    title: str
    text: str


WORDS: Final = {
    "not_found": Words(
        N_("This page does not exist"),
        N_("The address may be mistyped, or the page is not yours to see. Go back to the start page."),
    ),
    "not_allowed": Words(
        N_("This is not allowed"),
        N_("Your request was refused and nothing was changed. Go back to the start page and try again from there."),
    ),
    "bad_input": Words(
        N_("We could not read what was sent"),
        N_("Nothing was changed. Go back, check what you entered, and send it again."),
    ),
    "too_large": Words(
        N_("Too much was sent at once"),
        N_("Nothing was changed. Go back, shorten what you entered, and send it again."),
    ),
    "out_of_date": Words(
        N_("This page is out of date"),
        N_(
            "It was made before something changed, perhaps in another window, or somebody else has signed in"
            " on this computer. Nothing was changed. Open the page again from the start."
        ),
    ),
    "draft_moved": Words(
        N_("Your draft was changed in another window"),
        N_(
            "What you see there is newer than this page. Nothing was overwritten. Open the draft again and make"
            " your change there."
        ),
    ),
    "challenge_stale": Words(
        N_("This question is out of date"),
        N_("The code you typed was not looked at and not used up. Check your list again; a fresh question follows."),
    ),
    "key_reused": Words(
        N_("This page belongs to another list"),
        N_("Nothing was filed. Check your list again and confirm from the new page."),
    ),
    "not_yet_open": Words(
        N_("This batch is not open yet"),
        N_("Nothing was filed. You can prepare your draft now and confirm it once the batch opens."),
    ),
    "closed": Words(
        N_("This batch is closed"),
        N_("Nothing was filed by this request. What you last confirmed before the deadline stands; see My archive."),
    ),
    "suspended": Words(
        N_("Filing in this batch is paused"),
        N_(
            "Nothing was filed. What you last confirmed is safe, and the end will be moved by at least as long as the"
            " pause lasts. Try again later."
        ),
    ),
    "number_shown": Words(
        N_("A colleague has to do this"),
        N_(
            "You have looked at the full identity number of this candidate. Whoever types its end here has to have read"
            " it from the card. Nothing was changed."
        ),
    ),
    "already_proposed": Words(
        N_("This is proposed already"),
        N_("Another office has proposed the same, and a second officer decides there. Nothing was changed by you."),
    ),
    "not_eligible": Words(
        N_("You cannot file in this batch"),
        N_("This batch is for other subject classes. If you think this is wrong, ask your registration point."),
    ),
    "rules_broken": Words(
        N_("The list still has errors"),
        N_("Nothing was filed. Go back to the draft; each error is explained beside its field."),
    ),
    "no_card": Words(
        N_("No usable password card"),
        N_(
            "Your draft is kept. Bind your card first, or ask your registration point for a new one if its codes"
            " are used up."
        ),
    ),
    "too_soon": Words(
        N_("Please wait a moment"),
        N_("There were several wrong answers. Nothing is locked; try again after the time shown."),
    ),
    "too_many": Words(
        N_("Many people are using this network"),
        N_("Nothing was lost. Please try again in a minute."),
    ),
    "clock": Words(
        N_("Filing is paused: the clock is being checked"),
        N_(
            "The time of the service may be wrong, so nobody can say for certain whether the batch is open. Nothing"
            " was filed, your code was not looked at and not used up, and your draft is kept. What you last confirmed"
            " is safe. Try again in a few minutes; if the interruption lasts, the end time will be extended."
        ),
    ),
    "unavailable": Words(
        N_("The service is interrupted for a moment"),
        N_(
            "We could not complete the request. What you last confirmed is safe. If you were confirming a list,"
            " open My archive in a minute to see whether it was filed. If the interruption lasts, the end time"
            " will be extended where needed."
        ),
    ),
    "method": Words(
        N_("This address cannot be used like that"),
        N_("Nothing was changed. Go back to the start page and try again from there."),
    ),
    "error": Words(
        N_("Something went wrong on our side"),
        N_(
            "What you last confirmed is safe. Please try again; if it happens again, call the hotline and give the"
            " number below."
        ),
    ),
}


def set_up(app: Flask) -> None:
    """Answer every refusal and every mistake with a page of ours."""
    app.register_error_handler(Refusal, _refusal)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _mistake)


def page(reason: str, status: int, *, seconds: int | None = None, place: str = "") -> Response:
    """The page for `reason`; `seconds` is when to try again."""
    words = WORDS.get(reason, WORDS["error"])
    if request_ctx.url_adapter is None:  # a host that is not ours: no address of this site can be written
        return Response(f"{words.title}\n", status, mimetype="text/plain")
    answer = make_response(_rendered(words, seconds, place), status)
    if seconds is not None:
        answer.headers["Retry-After"] = str(seconds)
    return answer


def _rendered(words: Words, seconds: int | None, place: str) -> str:
    try:
        return render_template(
            "refusal.html",
            title=_(words.title),
            text=_(words.text),
            seconds=seconds,
            place=place,
            request_id=request_id(),
        )
    except Exception:  # noqa: BLE001 -- the last resort: whatever is wrong, the person gets words
        _log.exception("the page of a refusal cannot be shown", extra={"request_id": request_id()})
        return f"<!doctype html><title>{_(words.title)}</title><h1>{_(words.title)}</h1><p>{_(words.text)}</p>"


def _refusal(error: Refusal) -> Response:
    _note(error.reason, error.status, str(error))
    _keep(error)
    if isinstance(error, TooSoon):
        return page(error.reason, error.status, seconds=error.seconds)
    if isinstance(error, ClockInDoubt):
        return page(error.reason, error.status, seconds=60)
    if isinstance(error, Unavailable):
        return page(error.reason, error.status, seconds=10)
    place = error.place if isinstance(error, BadInput) else ""
    return page(error.reason, error.status, place=place)


def _csrf(error: CSRFError) -> Response:
    _note("out_of_date", 400, error.description or "")
    return page("out_of_date", 400)


def _http(error: HTTPException) -> Response:
    code = error.code or 500
    reasons = {
        400: "bad_input",
        403: "not_allowed",
        404: "not_found",
        405: "method",
        413: "too_large",
        429: "too_many",
    }
    reason = reasons.get(code, "error")
    _note(reason, code, error.name)
    answer = page(reason, code, seconds=60 if isinstance(error, TooManyRequests) else None)
    for name, value in error.get_headers():
        if name == "Allow":
            answer.headers[name] = value
    return answer


def _mistake(error: Exception) -> Response:
    _log.error("mistake", exc_info=error, extra=_facts())
    return page("error", 500)


def _note(reason: str, status: int, cause: str) -> None:
    """Write down what was refused to whom; `cause` is ours, in words that hold no secret (P-04)."""
    level = logging.WARNING if status >= 500 else logging.INFO
    _log.log(level, "refused", extra={"reason": reason, "status": status, "cause": cause, **_facts()})


def _facts() -> dict[str, object]:
    """Who asked whence for what; ids, never a name or a number, and no query string."""
    return {
        "portal": services().portal.name,
        "visitor": None if (visitor := _visitor()) is None else visitor.get_id(),
        "ip": client_ip(),
        "method": request.method,
        "path": request.path,
        "endpoint": request.endpoint,
        "request_id": request_id(),
    }


def _visitor() -> Any:
    try:
        return signed_in()
    except Exception:  # noqa: BLE001 -- whatever keeps us from knowing, the person gets an answer
        return None


def _keep(error: Refusal) -> None:
    """Let the portal keep what it refused to whom; the answer goes out whatever becomes of that."""
    keep, visitor = services().portal.refused, _visitor()
    if keep is None or visitor is None:
        return
    try:
        keep(visitor, error)
    except Exception:  # noqa: BLE001 -- the log has it
        _log.exception("a refusal was not kept", extra={"request_id": request_id()})
