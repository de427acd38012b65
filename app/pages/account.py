"""Placeholder until the page lands."""

from flask import Blueprint

pages = Blueprint("account", __name__)
