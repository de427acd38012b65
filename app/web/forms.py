"""Forms: one base with the mark of the candidate it was rendered for, and readers for what people type."""

import unicodedata
from typing import Any

from flask import request
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import HiddenField, ValidationError

from app.errors import BadInput, OutOfDate
from app.web.guard import signed_in


class Form(FlaskForm):
    """A form of a stranger's page."""


class OwnForm(FlaskForm):
    """A form of a signed-in candidate's page. It refuses to act for anybody else (S-10)."""

    mark = HiddenField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Stamp the form with the session it is rendered in."""
        super().__init__(*args, **kwargs)
        if not self.is_submitted():
            self.mark.data = form_mark()

    def validate_mark(self, field: HiddenField) -> None:
        """Raise `OutOfDate` when another candidate has signed in on this computer meanwhile."""
        require_mark(str(field.data or ""))


class Kept(FlaskForm):
    """A way in that takes along what was typed before it was asked for, encrypted; to be mixed into a form."""

    kept = HiddenField()

    def is_submitted(self) -> bool:
        """Not by a post that only brings it along, from another way in or into another language."""
        sent = any(field.raw_data for field in self if not isinstance(field, HiddenField))
        return bool(super().is_submitted() and (sent or not self.kept.data))


def form_mark() -> str:
    """The mark of whoever has signed in, for a form written by hand; "" for a stranger's."""
    visitor = signed_in()
    return visitor.form_mark if visitor else ""


def require_mark(given: str) -> None:
    """Refuse a form that was rendered for another session."""
    if not given or given != form_mark():
        raise OutOfDate("another session")


def plain(value: str | None) -> str:
    """Text as typed, in compatibility form and without surrounding blanks: full-width digits become plain."""
    return unicodedata.normalize("NFKC", value or "").strip()


def no_control_characters(_: object, field: Any) -> None:
    """Validator: no control characters."""
    if any(unicodedata.category(char) == "Cc" for char in field.data or ""):
        raise ValidationError(lazy_gettext("This contains characters that cannot be printed. Please type it again."))


def single(name: str) -> str:
    """The one value of a form field. A field sent twice is refused, not chosen between (F-13)."""
    values = request.form.getlist(name)
    if len(values) > 1:
        raise BadInput(f"{name} was sent {len(values)} times", place=name)
    return values[0] if values else ""
