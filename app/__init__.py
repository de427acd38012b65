"""The service: what exists, what may be done to it, and the candidates' pages.

`create_app` is the only place where the parts meet.
"""

import hashlib
from pathlib import Path
from typing import Final

import itsdangerous
from flask import Flask, g, request, session
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer
from jinja2 import ChoiceLoader, FileSystemLoader

from app.db import Database
from app.web import formats, guard, languages, limits, pieces, refusals
from app.web.forms import form_mark
from app.web.guard import signed_in
from app.web.languages import Service
from app.web.portal import Portal, Services, services
from config import logs
from config.settings import Settings

_HERE: Final = Path(__file__).parent

# every token of the libraries (Flask-WTF's among them) is signed with SHA-256, not itsdangerous' default (S-06)
itsdangerous.Signer.default_digest_method = staticmethod(hashlib.sha256)


class _FormCookie(SecureCookieSessionInterface):
    """The signed cookie behind `flask.session`: form token, language, one-page messages. Never an identity."""

    digest_method = staticmethod(hashlib.sha256)
    salt = "form-cookie"

    def __init__(self, app: Flask) -> None:
        self._signer = super().get_signing_serializer(app)

    def get_signing_serializer(self, _app: Flask) -> URLSafeTimedSerializer | None:
        """The one signer of the application, which the library makes anew for each request."""
        return self._signer


def create_app(settings: Settings, portal: Portal) -> Flask:
    """Build the application of one portal."""
    app = Service(__name__, static_folder=str(_HERE / "static"), template_folder=str(_HERE / "templates"))
    keys = settings.keys()
    url, role = settings.database_url_of(portal.name)
    database = Database(url, role=role, pool_size=settings.threads + 1)
    app.extensions["zhiyuan"] = Services(settings, keys, database, portal)
    _configure(app, settings, portal, keys.secret_key)
    logs.set_up(settings.log_level)
    languages.set_up(app)
    guard.set_up(app)
    limits.set_up(app)
    refusals.set_up(app)
    formats.set_up(app)
    pieces.set_up(app)
    app.jinja_env.globals["form_mark"] = form_mark
    app.context_processor(_page_context)
    for blueprint in portal.blueprints:
        app.register_blueprint(blueprint)
    return app


def _configure(app: Flask, settings: Settings, portal: Portal, secret_key: bytes) -> None:
    app.config.update(
        SECRET_KEY=hashlib.sha256(secret_key + portal.name.encode()).digest(),
        SESSION_COOKIE_NAME=portal.form_cookie,
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        TRUSTED_HOSTS=list(settings.trusted_hosts),
        MAX_CONTENT_LENGTH=portal.largest_body,
        MAX_FORM_MEMORY_SIZE=portal.largest_body,
        MAX_FORM_PARTS=200,
        SEND_FILE_MAX_AGE_DEFAULT=31_536_000,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,  # the guard compares Origin itself, also where no Referer is sent
        BABEL_DEFAULT_LOCALE="zh_Hans",
        BABEL_DEFAULT_TIMEZONE="Asia/Shanghai",
        BABEL_TRANSLATION_DIRECTORIES=str(_HERE / "translations"),
    )
    app.session_interface = _FormCookie(app)
    if portal.template_folders:
        own = FileSystemLoader(list(portal.template_folders))
        app.jinja_loader = ChoiceLoader([own, FileSystemLoader(str(_HERE / "templates"))])
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.auto_reload = False
    versions = _static_versions(Path(str(app.static_folder)))

    @app.url_defaults
    def _name_version(endpoint: str, values: dict[str, object]) -> None:
        """Static files carry their content's digest, so that browsers may keep them for a year."""
        if endpoint == "static" and "v" not in values:
            values["v"] = versions.get(str(values.get("filename")), "0")


def _static_versions(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()[:10]
        for path in folder.rglob("*")
        if path.is_file()
    }


def _page_context() -> dict[str, object]:
    here = services()
    visitor = signed_in()
    return {
        "portal": here.portal.name,
        "site": here.settings.site,
        "visitor": visitor,
        "server_now": visitor.now if visitor else None,
        "idle_seconds": here.settings.idle_seconds,
        "language": languages.language(),
        "appearance": session.get("appearance", ""),
        "request_path": request.path,
        "return_to": g.get("return_to"),
    }
