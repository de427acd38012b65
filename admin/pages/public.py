"""Pages anybody may open at the offices' portal. What is the same for both portals is the candidates' own."""

from flask import Blueprint, redirect, render_template, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from app.pages import public as shared

pages = Blueprint("public", __name__)
pages.add_url_rule("/language", view_func=shared.language, methods=["POST"])
pages.add_url_rule("/appearance", view_func=shared.appearance, methods=["POST"])
pages.add_url_rule("/.well-known/security.txt", view_func=shared.security, methods=["GET"])
pages.add_url_rule("/csp-report", view_func=shared.csp_report, methods=["POST"])
pages.add_url_rule("/live", view_func=shared.live, methods=["GET"])
pages.add_url_rule("/ready", view_func=shared.ready, methods=["GET"])


@pages.get("/")
def start() -> Response:
    """The way in: an officer's work, or the sign-in."""
    target = "progress.own" if current_user.is_authenticated else "entrance.sign_in"
    return redirect(url_for(target), 303)


@pages.get("/help")
def help_page() -> str:
    """What an officer can do here, and what to do when something does not work."""
    return render_template("public/help.html")


@pages.get("/privacy")
def privacy() -> str:
    """What an officer sees of candidates and what is kept about the officer."""
    return render_template("public/privacy.html")
