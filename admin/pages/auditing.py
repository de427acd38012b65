"""The auditor's search over the audit of the own office and those below, with export. It changes nothing."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from io import BytesIO
from typing import Any, Final

from flask import Blueprint, Response, get_template_attribute, render_template, request, send_file
from flask_babel import lazy_gettext
from markupsafe import Markup
from werkzeug.datastructures import MultiDict
from wtforms import DateTimeLocalField, HiddenField, StringField, ValidationError
from wtforms.validators import AnyOf, Length, Optional, Regexp

from admin import auditing, completeness, exports
from admin.auditing import Found, Key, Names, Shown, Turn, Wanted
from admin.exports import Sheet
from admin.pages.audit_lines import about, details, what, who
from admin.pages.audit_words import ACTORS, ACTS, groups
from admin.pages.fields import compact, one_line
from admin.pages.reach import officer, reading, transaction, typed, where
from app.db import together
from app.errors import NotFound, TooLong
from app.web.formats import ZONE, full_moment
from app.web.forms import OwnForm, no_control_characters, plain
from app.web.languages import gettext as _
from app.web.limits import costly_flood, limiter

pages = Blueprint("auditing", __name__)
#: entries of one export
MOST: Final = 10_000
#: as a browser sends a time, and as people type one
_TIMES: Final = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"]


class _TimeField(DateTimeLocalField):
    """A time in the province's zone; one that is none says so in our words."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read what was sent; nothing is no time."""
        if not any(valuelist):
            self.raw_data = []
            return
        try:
            super().process_formdata(valuelist)
        except ValueError:
            words = _("This is no date and time. Write it like 2017-06-27 18:00, in the time of the province.")
            raise ValueError(words) from None

    @property
    def moment(self) -> datetime | None:
        """The time, aware."""
        return self.data.replace(tzinfo=ZONE) if self.data else None


class SearchForm(OwnForm):
    """What is searched for. Every field may stay empty."""

    since = _TimeField(lazy_gettext("Since"), format=_TIMES, validators=[Optional()])
    until = _TimeField(lazy_gettext("Until, not included"), format=_TIMES, validators=[Optional()])
    act = StringField(validators=[AnyOf(["", *ACTS], lazy_gettext("Choose one of the list."))], filters=[plain])
    actor = StringField(validators=[AnyOf(["", *ACTORS], lazy_gettext("Choose one of the list."))], filters=[plain])
    officer = StringField(
        lazy_gettext("Login or name of an officer"),
        validators=[Length(max=60, message=lazy_gettext("Write at most 60 characters.")), no_control_characters],
        filters=[one_line],
    )
    number = StringField(
        lazy_gettext("Candidate number"),
        validators=[
            Optional(),
            Regexp(r"^[0-9]{14}$", message=lazy_gettext("A candidate number has 14 digits. Check what you typed.")),
        ],
        filters=[compact],
    )
    batch = StringField(validators=[Length(max=40), no_control_characters])
    office = StringField(
        lazy_gettext("Code of an office"),
        validators=[
            Optional(),
            Regexp(
                r"^([0-9]{6}|[0-9]{10})$",
                message=lazy_gettext("A code has six digits, that of a registration point ten. Check what you typed."),
            ),
        ],
        filters=[compact],
    )
    #: between two pages
    key = HiddenField()
    turn = HiddenField()
    #: when the first of the pages was asked for
    as_of = HiddenField()

    def validate_until(self, field: _TimeField) -> None:
        """Raise when the end is not after the begin."""
        if field.data and self.since.data and field.data <= self.since.data:
            raise ValidationError(_("The end must be later than the begin."))

    @property
    def wanted(self) -> Wanted:
        """What a valid form asks for."""
        texts = {name: typed(self[name]) for name in _TEXTS}
        return Wanted(self.since.moment, self.until.moment, **texts, as_of=self.begun)

    @property
    def begun(self) -> datetime:
        """When the search began. Raises `NotFound` for what is no time."""
        return _moment(typed(self.as_of)) if typed(self.as_of) else officer().now

    @property
    def page(self) -> Turn:
        """Which page of it. Raises `NotFound` for one that no page of ours asks for."""
        at, _blank, number = typed(self.key).partition(" ")
        if not at:
            return Turn()
        if not (number.isascii() and number.isdigit() and len(number) < _LONGEST_ID):
            raise NotFound("no such page")
        return Turn(Key(_moment(at), int(number)), newer=typed(self.turn) == "newer")

    def sent(self) -> list[tuple[str, str]]:
        """The fields as they were sent, for other forms that ask the same."""
        return [(name, one) for name in _SENT for one in [request.form.get(name, "")] if one]


def _moment(given: str) -> datetime:
    try:
        found = datetime.fromisoformat(given)
    except ValueError as error:
        raise NotFound("no such page") from error
    if found.tzinfo is None:
        raise NotFound("no such page")
    return found


_LONGEST_ID: Final = 19
_TEXTS: Final = ("act", "actor", "officer", "number", "batch", "office")
_SENT: Final = ("since", "until", *_TEXTS)
#: what the address of the empty form may carry: a candidate number has no place in an address
_CARRIED: Final = frozenset(_SENT) - {"number"}


@pages.get("/audit")
def page() -> str:
    """An empty form, or one as it was before a proof of identity. Nothing is read yet."""
    officer().require("search_audit")
    carried = MultiDict((name, value) for name, value in request.args.items() if name in _CARRIED)
    return _page(SearchForm(carried))


@pages.post("/audit")
@limiter.limit(costly_flood)
def search() -> str | tuple[str, int]:
    """One page of what was found. The search is remembered, and so a POST."""
    officer().require("search_audit")
    form = SearchForm()
    if not form.validate():
        return _page(form), 400
    wanted, turn = form.wanted, form.page
    try:
        with transaction() as session:
            found = auditing.search(session, officer(), wanted, turn, where())
    except (TooLong, NotFound) as error:
        return _refused(form, error)
    return _page(form, found)


@pages.post("/audit/export")
@limiter.limit(costly_flood)
def export() -> Response | tuple[str, int]:
    """The list as xlsx, after a fresh proof of who asks (A-14).

    Made before it is sent, not streamed: its digest stands in the audit before the first byte leaves (D-05).
    """
    officer().require("search_audit")
    form = SearchForm()
    if not form.validate():
        return _page(form), 400
    officer().require_proof()
    wanted = form.wanted
    try:
        with transaction() as session:
            found, candidate_id = auditing.gathered(session, officer(), wanted, MOST)
            file = exports.xlsx(_sheet(found))
            digest = hashlib.sha256(file).hexdigest()
            together(session, auditing.exported(officer(), wanted, candidate_id, len(found.rows), digest, where()))
    except (TooLong, NotFound) as error:
        return _refused(form, error)
    name = f"{found.place.name}-{_('Audit')}.xlsx"
    return send_file(BytesIO(file), exports.MIMETYPE, as_attachment=True, download_name=name)


def _refused(form: SearchForm, error: TooLong | NotFound) -> tuple[str, int]:
    """The form again, with what to change."""
    if isinstance(error, TooLong):
        form.since.errors = [
            _(
                "That was more than can be looked through at once, and nothing was read. Choose a shorter time, an act,"
                " an officer or a candidate."
            )
        ]
    else:
        form.office.errors = [_("Your office and those below have no office of this code. Check what you typed.")]
    return _page(form), 422


def _page(form: SearchForm, found: Found | None = None) -> str:
    with reading() as connection:
        batches = completeness.windows(connection)
    return render_template(
        "auditing/search.html",
        form=form,
        groups=list(groups()),
        actors=ACTORS,
        batches=batches,
        found=found,
        sent=[*form.sent(), ("as_of", form.begun.isoformat())] if found else [],
        carried={name: value for name, value in form.sent() if name in _CARRIED},
        columns=_columns(),
        rows=[_row(one, found.names) for one in found.rows] if found else [],
        keys={"newer": _key(found.rows[:1]), "older": _key(found.rows[-1:])} if found else {},
        most=MOST,
    )


def _key(rows: Sequence[Shown]) -> str:
    """Names the place of an entry in the list."""
    return "".join(f"{one.at.isoformat()} {one.id}" for one in rows)


def _columns() -> list[dict[str, str]]:
    return [
        {"label": _("Time")},
        {"label": _("Act"), "kind": "head"},
        {"label": _("Done by")},
        {"label": _("About")},
        {"label": _("Details")},
        {"label": _("Address")},
        {"label": _("Entry no."), "kind": "number"},
    ]


def _row(one: Shown, names: Names) -> list[str | Markup]:
    terms = get_template_attribute("macros/tables.html", "terms")
    lines = list(details(one.detail, names, one.office))
    return [full_moment(one.at), what(one), who(one), about(one), terms(lines), one.ip or "", str(one.id)]


def _cells(one: Shown, names: Names) -> list[Any]:
    lines = "\n".join(
        _("%(name)s: %(value)s", name=name, value=value) for name, value in details(one.detail, names, one.office)
    )
    return [full_moment(one.at), what(one), who(one), about(one), lines, one.ip or "", one.id]


def _sheet(found: Found) -> Sheet:
    return Sheet(
        title=_("Audit"),
        facts=list(_facts(found)),
        columns=[column["label"] for column in _columns()],
        rows=[_cells(one, found.names) for one in found.rows],
    )


def _facts(found: Found) -> Iterator[tuple[str, str]]:
    """What stands above the table: what was asked for, by whom, and whether it is all."""
    yield _("Office"), found.place.name
    yield from details(found.wanted.said(), found.names)
    yield _("Exported by"), f"{officer().name} ({officer().login})"
    if found.older:
        yield _("Not all"), _("The newest %(most)s entries. Choose shorter times to get the others.", most=f"{MOST:,}")
