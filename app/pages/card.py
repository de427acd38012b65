"""Placeholder until the page lands."""

from flask import Blueprint

pages = Blueprint("card", __name__)
