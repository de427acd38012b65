"""Fields that several forms of the offices ask for, and what is typed into them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from flask_babel import lazy_gettext
from wtforms import DateField, DateTimeLocalField, StringField, TextAreaField, ValidationError
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # the stubs lag behind WTForms 3.3
from wtforms.validators import InputRequired, Length, Optional, Regexp

from admin.candidates import TAIL
from admin.spans import Span, Unread, read
from app.web.formats import ZONE
from app.web.forms import no_control_characters, plain
from app.web.languages import gettext as _
from app.web.portal import services
from cards import serials
from cards.errors import MalformedSerial


def choices_of(words: Mapping[Any, Any]) -> list[SelectChoice]:
    """The choices of a radio field: values, each with its msgid."""
    return [SelectChoice(str(value), lazy_gettext(label)) for value, label in words.items()]


def compact(value: str | None) -> str:
    """Without any blanks; full-width digits become plain."""
    return "".join(plain(value).split())


def one_line(value: str | None) -> str:
    """Breaks of lines and runs of blanks become single blanks."""
    return " ".join((value or "").split())


def reason_field(missing: Any, control: type[StringField] = TextAreaField) -> StringField:
    """Why something is done; `missing` says so when nothing is typed."""
    return control(
        lazy_gettext("Reason"),
        validators=[
            InputRequired(missing),
            Length(min=2, max=200, message=lazy_gettext("Give the reason in 2 to 200 characters.")),
            no_control_characters,
        ],
        filters=[one_line],
    )


def number_field() -> StringField:
    """A candidate number, complete."""
    return StringField(
        lazy_gettext("Candidate number"),
        validators=[
            InputRequired(lazy_gettext("Enter the candidate number.")),
            Regexp(r"^[0-9]{14}$", message=lazy_gettext("A candidate number has 14 digits. Check what you typed.")),
        ],
        filters=[compact],
    )


def tail_field() -> StringField:
    """The end of the identity number, typed from the card."""
    return StringField(
        lazy_gettext("Last six characters of the identity number"),
        validators=[
            InputRequired(lazy_gettext("Type the last six characters of the identity number from the card.")),
            Regexp(
                rf"^[0-9]{{{TAIL - 1}}}[0-9Xx]$",
                message=lazy_gettext("These are six digits, or five digits and X. Check what you typed."),
            ),
        ],
        filters=[compact],
    )


def serial_field(label: Any) -> StringField:
    """One card."""
    return StringField(
        label,
        validators=[InputRequired(lazy_gettext("Scan or type the serial of the card.")), Length(max=60), _is_serial],
    )


def _is_serial(_form: object, field: StringField) -> None:
    try:
        serials.parse(str(field.data))
    except MalformedSerial:
        words = _("This is no serial. It has 12 digits; scan it again or compare it digit by digit.")
        raise ValidationError(words) from None


def serial_of(field: StringField) -> str:
    """The twelve digits in a valid serial field."""
    return serials.parse(str(field.data)).text


def spans_field(label: Any) -> TextAreaField:
    """Serials, one or "first – last" a line."""
    return TextAreaField(label, validators=[Length(max=100_000), _are_spans])


def _are_spans(_form: object, field: TextAreaField) -> None:
    found = read(field.data or "")
    if isinstance(found, Unread):
        words = _("This is no serial and no span: %(line)s. Write one serial a line, or first – last.", line=found.line)
        raise ValidationError(words)


def spans_of(field: TextAreaField) -> list[Span]:
    """The spans in a valid field of them."""
    found = read(field.data or "")
    return [] if isinstance(found, Unread) else found


def moment_field(label: Any, missing: Any = None) -> DateTimeLocalField:
    """Day and time of the province, as browsers send it or as people type it; `data` is aware.

    `missing` says so when nothing is typed; without it that is allowed.
    """
    return DateTimeLocalField(  # type: ignore[call-arg]  # the stubs lag behind WTForms 3.3
        label,
        validators=[Optional() if missing is None else InputRequired(missing)],
        format=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
        tz=ZONE,
        invalid_value_message=lazy_gettext("Enter day and time, like 2017-06-27 18:00."),
    )


def moment_of(field: DateTimeLocalField) -> datetime:
    """The moment in a valid field that has to have one."""
    return cast("datetime", field.data)


def end_of(field: DateField, days: int) -> datetime | None:
    """The end of the day in a field; None, which the field then says, unless it is today or at most `days` ahead."""
    day, today = field.data, datetime.now(UTC).astimezone(ZONE).date()
    if day is not None and today <= day <= today + timedelta(days=days):
        return datetime(day.year, day.month, day.day, tzinfo=ZONE) + timedelta(days=1)
    field.errors = [_("Choose a day from today on, at most %(days)s days ahead.", days=days)]
    return None


def last_day(end: datetime) -> str:
    """The day at whose end something ends, or on which it was ended: what `end_of` was given."""
    return f"{(end - timedelta(microseconds=1)).astimezone(ZONE):%Y-%m-%d}"


def proposal_life() -> timedelta:
    """How long a second officer has to decide."""
    return timedelta(minutes=services().settings.proposal_minutes)
