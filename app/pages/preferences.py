"""Placeholder until the page lands."""

from flask import Blueprint

pages = Blueprint("preferences", __name__)
