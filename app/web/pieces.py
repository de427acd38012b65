"""Pieces of pages that read the same for everybody: rendered once in each language, kept, and put in as they are.

A list of preferences shows some seventy institutions and majors, and thousands of candidates the same ones.
The macros stand in macros/pieces.html; what they print depends on their arguments and the language alone.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from flask import Flask, current_app
from markupsafe import Markup

from app.web.languages import language

#: a province has some 35 000 majors at some 6 000 institutions; a piece is about 200 bytes
MOST_KEPT: Final = 100_000


def piece(name: str, *values: object) -> Markup:
    """What the macro `name` prints for `values`."""
    return _made(language(), name, values)


def pieces(name: str, each: Iterable[tuple[object, ...]]) -> Markup:
    """What the macro `name` prints for each of the tuples of values, one after another."""
    spoken = language()
    return Markup("".join([_made(spoken, name, values) for values in each]))  # noqa: S704 -- put together from Markup


@lru_cache(MOST_KEPT)
def _made(_language: str, name: str, values: tuple[object, ...]) -> Markup:
    macro = getattr(current_app.jinja_env.get_template("macros/pieces.html").module, name)
    return Markup(macro(*values).strip())  # noqa: S704 -- a macro escapes what it is given


def set_up(app: Flask) -> None:
    """Let every template of `app` use pieces."""
    app.jinja_env.globals.update(piece=piece, pieces=pieces)
