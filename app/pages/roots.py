"""Published seals: roots of every sealed batch and the newest checkpoints, for everybody to read and to keep."""

from typing import Final

from flask import Blueprint, Response, g, render_template

from app import seals
from app.web.portal import reading

pages = Blueprint("roots", __name__)

#: seconds a copy may be shown by whoever keeps one
KEPT_S: Final = 60


@pages.get("/roots")
def page() -> str:
    """The roots to read, and what to do with them."""
    with reading() as connection:
        return render_template("public/roots.html", published=seals.published(connection))


@pages.get("/roots.txt")
def plain() -> Response:
    """The same as text, exactly as it was signed. Holds nothing of anybody, so anybody may keep it."""
    with reading() as connection:
        text = seals.published(connection).plain
    g.kept_by_anybody = KEPT_S
    return Response(text, mimetype="text/plain")
