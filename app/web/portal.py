"""A portal: which pages, whose sessions, which cookies; and what a request may reach through it."""

import ipaddress
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

from flask import Blueprint, Flask, Response, current_app, g, request
from sqlalchemy import Connection
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from app.db import Database
from app.errors import NotFound, Refusal, Unavailable
from config.keys import KeyRing
from config.settings import Portal as PortalName
from config.settings import Settings

DEVICE_COOKIE: Final = "__Host-device"
DEVICE_COOKIE_AGE: Final = 120 * 24 * 3600
_TOKEN_LENGTH: Final = range(20, 90)
_REQUEST_ID: Final = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Portal:
    """One of the two faces of the service."""

    name: PortalName
    #: cookie with the opaque session id
    session_cookie: str
    #: cookie with what a form needs before anybody has signed in; signed, never an identity
    form_cookie: str
    blueprints: tuple[Blueprint, ...]
    #: endpoints a stranger may ask for; every other page is shut (default deny)
    open_pages: frozenset[str]
    #: the page a stranger is sent to
    sign_in_page: str
    #: who is behind a session id and a device hash, or None
    load_visitor: Callable[["Services", str], Any]
    #: what a stranger gets who posts to a page that is not open: most often somebody whose session has ended
    interrupted: Callable[[], BaseResponse]
    #: keeps what was refused to somebody who has signed in, where the portal keeps that
    refused: Callable[[Any, Refusal], None] | None = None
    template_folders: tuple[str, ...] = ()
    #: the largest body of a request, bytes (S-16)
    largest_body: int = 256 * 1024


@dataclass(frozen=True, slots=True)
class Services:
    """What pages and deeds are handed: one of each per process."""

    settings: Settings
    keys: KeyRing
    database: Database
    portal: Portal
    extra: dict[str, Any] = field(default_factory=dict)


def services(app: Flask | None = None) -> Services:
    """The services of the running application."""
    return cast("Services", (app or current_app).extensions["zhiyuan"])


@contextmanager
def transaction() -> Iterator[Session]:
    """One deed of this request; see `app.db.Database.transaction`."""
    with services().database.transaction() as session:
        yield session


@contextmanager
def reading() -> Iterator[Connection]:
    """Questions of this request; see `app.db.Database.reading`."""
    with services().database.reading() as connection:
        yield connection


def is_rehearsal() -> bool:
    """Whether nothing filed here counts. While the database has never answered nobody knows."""
    try:
        return services().database.is_rehearsal
    except Unavailable:
        return False


def request_id() -> str:
    """A random name for this request, in the log, in the audit and on the page of an error.

    Our own proxy gives it and overwrites what a client says, so that its log and ours can be joined.
    """
    if "request_id" not in g:
        given = request.headers.get("X-Request-Id", "") if services().settings.behind_proxy else ""
        g.request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(6)
    return str(g.request_id)


def client_ip() -> str:
    """The client's address: the socket's, or X-Real-IP where our own proxy overwrites it (R-07)."""
    if services().settings.behind_proxy:
        return request.headers.get("X-Real-IP", "")
    return request.remote_addr or ""


def require_internal() -> None:
    """Raise `NotFound` for who asks from outside: neither past the proxy, at our own socket, nor from our networks.

    The proxy names the client in every request it passes on, so one without a name has not come through it.
    """
    given = client_ip()
    if not given:
        return
    try:
        address = ipaddress.ip_address(given)
    except ValueError as error:
        raise NotFound("not an address") from error
    if not any(address in one for one in services().settings.internal):
        raise NotFound(f"{given} is outside")


def network() -> str:
    """The client's network as limits see it: an IPv4 address, or the /64 of an IPv6 one (R-07)."""
    try:
        address = ipaddress.ip_address(client_ip())
    except ValueError:
        return "unknown"
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))


def device_token() -> str | None:
    """The token of this browser's device cookie, if it looks like one of ours."""
    token = request.cookies.get(DEVICE_COOKIE, "")
    return token if len(token) in _TOKEN_LENGTH and token.isascii() else None


def device_label() -> str:
    """What kind of browser this is, in words short enough for a list: "Chrome · Android"."""
    agent = request.user_agent.string[:400]
    browser = next((name for mark, name in _BROWSERS if mark in agent), "Browser")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return f"{browser} · {system}" if system else browser


_BROWSERS: Final = (
    ("MicroMessenger", "WeChat"),
    ("QQBrowser", "QQ Browser"),
    ("UCBrowser", "UC Browser"),
    ("Edg/", "Edge"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("Trident/", "Internet Explorer"),
)
_SYSTEMS: Final = (
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def set_cookie(response: Response, name: str, value: str, *, max_age: int | None = None) -> None:
    """Set one of our cookies: Secure, HttpOnly, SameSite=Lax, host-only (S-01)."""
    response.set_cookie(name, value, max_age=max_age, secure=True, httponly=True, samesite="Lax", path="/")


def drop_cookie(response: Response, name: str) -> None:
    """Forget one of our cookies."""
    response.delete_cookie(name, secure=True, httponly=True, samesite="Lax", path="/")
