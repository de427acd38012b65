"""Placeholder until the page lands."""

from flask import Blueprint

pages = Blueprint("archive", __name__)
