"""What gunicorn runs: `wsgi:candidates()` in public, `wsgi:offices()` on the offices' network."""

from flask import Flask

from admin.pages import OFFICES
from app import create_app
from app.pages import CANDIDATES
from config.settings import Settings


def candidates() -> Flask:
    """The candidate edition."""
    return create_app(Settings.from_environment(), CANDIDATES)


def offices() -> Flask:
    """The management edition."""
    return create_app(Settings.from_environment(), OFFICES)
