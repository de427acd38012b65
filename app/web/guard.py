"""The gate of a portal: who may pass before a page runs, and what every answer carries.

Shut by default: a page is open only if its portal lists it. State changes only by POST, with a token of the
form and from our own pages; the browser's word (Sec-Fetch-Site, else Origin) comes on top of the token.
"""

from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, flash, g, redirect, request, url_for
from flask_login import LoginManager, current_user
from flask_wtf.csrf import CSRFProtect
from werkzeug.wrappers import Response as BaseResponse

from app.errors import NotAllowed, Unavailable
from app.web.portal import request_id, services

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; report-uri /csp-report"
)
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
#: what a browser sends without a form of ours: policy reports
_NO_FORM: Final = frozenset({"public.csp_report"})

csrf = CSRFProtect()
login = LoginManager()
login.session_protection = None  # it binds to the address, which changes on phones (S-05)


def set_up(app: Flask) -> None:
    """Put the gate in front of every page and the headers behind it."""
    login.init_app(app)
    app.before_request(_gate)
    csrf.init_app(app)
    app.after_request(_finish)


@login.request_loader
def _visitor(_: object) -> Any:
    here = services()
    value = request.cookies.get(here.portal.session_cookie)
    if not value or g.get("asked_in_vain"):
        return None
    try:
        return here.portal.load_visitor(here, value)
    except Unavailable:
        # the connection may be older than the database's last restart; asking again is harmless. If that fails too,
        # the page that says so must not ask a third time.
        g.asked_in_vain = True
        return here.portal.load_visitor(here, value)


def signed_in() -> Any:
    """Whoever has signed in, or None: found once a request, where Flask-Login's stand-in searches at every look."""
    if "signed_in" not in g:
        found = current_user._get_current_object()  # noqa: SLF001 -- the way Werkzeug documents
        g.signed_in = found if found.is_authenticated else None
    return g.signed_in


def enter(session_id: str) -> None:
    """Let the rest of this request, and the page it answers with, be of whoever has just signed in."""
    g.signed_in = services().portal.load_visitor(services(), session_id)


def _gate() -> BaseResponse | None:
    if request.endpoint == "static":
        return None
    if request.method not in {"GET", "HEAD", "OPTIONS"}:
        _require_same_site()
    endpoint = request.endpoint
    if endpoint is None or endpoint in services().portal.open_pages:
        return None
    if signed_in() is not None:
        return None
    if request.method == "POST":
        return services().portal.interrupted()
    target = url_for(services().portal.sign_in_page)
    if request.method == "GET":
        g.return_to = request.full_path if request.query_string else request.path
        target = url_for(services().portal.sign_in_page, next=g.return_to)
    return redirect(target, 303)


def signed_out(words: str) -> BaseResponse:
    """The way to the sign-in for a stranger's post: `words` say what became of it, and the page it belongs to follows.

    That page is the one with the post's own address, or the nearest above it that can be opened.
    """
    flash(words, "warning")
    opens = current_app.create_url_adapter(request)
    path = PurePosixPath(request.path)
    page = next((str(each) for each in (path, *path.parents) if opens and opens.test(str(each), "GET")), None)
    return redirect(url_for(services().portal.sign_in_page, next=page), 303)


def _require_same_site() -> None:
    """Refuse a POST another site made the browser send. Missing headers are left to the form's token (S-08)."""
    if request.endpoint in _NO_FORM:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in {"same-origin", "none"}:
            raise NotAllowed("sent by another site")
        return
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise NotAllowed("sent by another site")


def _finish(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers["X-Request-Id"] = request_id()
    if request.endpoint != "static":
        kept = g.get("kept_by_anybody")
        response.headers["Cache-Control"] = f"public, max-age={kept}" if kept else "no-store"
    response.headers.pop("Server", None)
    return response


def local_target(target: str | None) -> str | None:
    """`target` if it is a path of this site, else None: where to go on after signing in."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return None
    if any(ord(char) < 33 for char in target):
        return None
    return target
