"""Pages anybody may open: the start page, help, the privacy notice, language and appearance."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final

from flask import Blueprint, Response, redirect, render_template, request, session, url_for
from flask_login import current_user
from sqlalchemy import text
from werkzeug.wrappers import Response as BaseResponse

from app import health
from app.batches import State, Window
from app.entrance import NOTICE_VERSION
from app.errors import Unavailable
from app.web.forms import single
from app.web.guard import csrf, local_target
from app.web.languages import LANGUAGES
from app.web.portal import reading, request_id, require_internal, services

pages = Blueprint("public", __name__)
_log = logging.getLogger("zhiyuan.csp")
APPEARANCES: Final = frozenset({"", "large-font", "high-contrast", "large-font high-contrast"})
SECURITY_LIFE: Final = timedelta(days=300)


@dataclass(frozen=True, slots=True)
class Period:
    """Batches that open and close together."""

    state: State
    window: Window
    moved_from: datetime | None
    names: tuple[str, ...]
    now: datetime


_PERIODS = text("""
    SELECT name, opens_at, closes_at, suspended_at, moved_from, clock_timestamp() AS now FROM batches
    WHERE closes_at > clock_timestamp() OR suspended_at IS NOT NULL
    ORDER BY opens_at, closes_at, suspended_at, moved_from, position, code
""")


def periods() -> list[Period] | None:
    """What is open now and what opens next, by the database's clock; None when it cannot be asked."""
    try:
        with reading() as connection:
            rows = connection.execute(_PERIODS).all()
    except Unavailable:
        return None
    found = []
    for (opens, closes, suspended, moved), batches in groupby(
        rows, lambda row: (row.opens_at, row.closes_at, row.suspended_at, row.moved_from)
    ):
        together, window = list(batches), Window(opens, closes, suspended)
        now = together[0].now
        found.append(Period(window.state_at(now), window, moved, tuple(row.name for row in together), now))
    opening = min((period.window.opens_at for period in found if period.state == "not_yet_open"), default=None)
    return [period for period in found if period.state != "not_yet_open" or period.window.opens_at == opening]


@pages.get("/")
def start() -> BaseResponse | str:
    """The start page: what this is and the two ways in; a signed-in candidate goes straight to the batches."""
    if current_user.is_authenticated:
        return redirect(url_for("preferences.overview"), 303)
    return render_template("public/start.html", periods=periods())


@pages.get("/help")
def help_page() -> str:
    """What to do when something does not work."""
    return render_template("public/help.html")


@pages.get("/privacy")
def privacy() -> str:
    """What is kept about a candidate, why, how long, and who may read it (P-09)."""
    return render_template("public/privacy.html", version=NOTICE_VERSION)


@pages.post("/language")
def language() -> BaseResponse:
    """Choose the language of the pages."""
    chosen = single("language")
    if chosen in LANGUAGES:
        session["language"] = chosen
    return _back()


@pages.post("/appearance")
def appearance() -> BaseResponse:
    """Choose large type or high contrast."""
    chosen = single("appearance")
    if chosen in APPEARANCES:
        session["appearance"] = chosen
    return _back()


def _back() -> BaseResponse:
    """Where it was chosen; by a post again where the page carries what an address cannot (`app.pages.interrupted`)."""
    return redirect(local_target(single("next")) or url_for(".start"), 307 if "kept" in request.form else 303)


@pages.get("/.well-known/security.txt")
def security() -> Response:
    """Where to report a weakness (RFC 9116)."""
    expires = (datetime.now(UTC) + SECURITY_LIFE).replace(microsecond=0).isoformat()
    host = services().settings.trusted_hosts[0]
    body = (
        f"Contact: {services().settings.site.security_contact}\n"
        f"Expires: {expires}\n"
        "Preferred-Languages: zh, en\n"
        f"Canonical: https://{host}/.well-known/security.txt\n"
    )
    return Response(body, mimetype="text/plain")


@pages.post("/csp-report")
@csrf.exempt
def csp_report() -> tuple[str, int]:
    """Take note that a browser refused something our pages must not contain."""
    report = request.get_data(cache=False, as_text=True)[:2000]
    _log.warning("csp", extra={"report": report, "request_id": request_id()})
    return "", 204


@pages.get("/live")
def live() -> tuple[str, int]:
    """The process answers. The proxy shows this to nobody outside (X-13)."""
    require_internal()
    return "live\n", 200


@pages.get("/ready")
def ready() -> Response:
    """Each part the service needs, by name; 503 unless all are well."""
    require_internal()
    here = services()
    found = list(health.parts(here.database, here.settings, here.keys, here.portal.name))
    lines = [f"{part.name}: {part.trouble or 'ok'}\n" for part in found]
    well = not any(part.trouble for part in found)
    return Response("".join(lines), 200 if well else 503, mimetype="text/plain")
