"""The tables of the chase pages: whom to call, who calls nobody, and the sheets of both."""

from collections.abc import Iterable

from flask import url_for

from admin.categories import Part
from admin.chase import OUTCOMES, Callee, PointCalls
from admin.completeness import PREFERENCES
from admin.exports import Sheet
from admin.officers import Visitor
from admin.pages.tables import PageCell, facts, linked
from admin.scope import Place
from app.candidates import Sealer
from app.web.formats import moment
from app.web.languages import gettext as _


def list_cells(people: Iterable[Callee], part: Part, sealer: Sealer) -> list[list[PageCell]]:
    """One row each: name (leading to the log), class, state, masked phone, last call, next call."""
    return [
        [
            linked(url_for("chase.person", candidate=one.candidate_id, batch=part.code), one.name),
            one.class_no,
            _state(one),
            one.masked_phone(sealer) or _("none"),
            _last(one),
            _next(one),
        ]
        for one in people
    ]


def _state(one: Callee) -> str:
    return str(_(PREFERENCES.stage(one.state).name))


def _last(one: Callee) -> str:
    if one.called_at is None or one.outcome is None:
        return str(_("never called"))
    return f"{moment(one.called_at)} {_(OUTCOMES[one.outcome])}"


def _next(one: Callee) -> str:
    if one.next_at is None:
        return "—"
    return str(_("now (%(time)s)", time=moment(one.next_at))) if one.call_due else moment(one.next_at)


def by_class(people: Iterable[Callee], sealer: Sealer) -> list[tuple[str, list[list[PageCell]]]]:
    """For paper: the people of each class by name, with room to write."""
    found: dict[str, list[list[PageCell]]] = {}
    for one in sorted(people, key=lambda each: (each.class_no, each.candidate_no)):
        cells: list[PageCell] = [one.name, one.masked_no, _state(one), one.masked_phone(sealer) or _("none"), ""]
        found.setdefault(one.class_no, []).append(cells)
    return list(found.items())


def point_cells(points: Iterable[PointCalls], part: Part) -> list[list[PageCell]]:
    """One row for each point: county, missing, how many of them were called lately, last call."""
    return [
        [
            linked(url_for("chase.office", office=point.id, batch=part.code), point.name),
            point.county,
            f"{point.missing:,}",
            f"{point.called:,}",
            moment(point.last_call_at) if point.last_call_at else _("nobody called"),
        ]
        for point in points
    ]


def list_sheet(place: Place, part: Part, people: Iterable[Callee], sealer: Sealer, officer: Visitor) -> Sheet:
    """Whom to call, as a sheet; phones masked."""
    return Sheet(
        title=_("To call"),
        facts=facts(place.name, part, officer),
        columns=[
            _("Class"),
            _("Name"),
            _("Candidate no."),
            _("State"),
            _("Phone"),
            _("Last call"),
            _("Next call"),
        ],
        rows=[
            [
                one.class_no,
                one.name,
                one.masked_no,
                _state(one),
                one.masked_phone(sealer) or _("none"),
                _last(one),
                _next(one),
            ]
            for one in people
        ],
    )


def points_sheet(place: Place, part: Part, points: Iterable[PointCalls], officer: Visitor) -> Sheet:
    """Points and their calls, as a sheet."""
    return Sheet(
        title=_("Calls of the points"),
        facts=facts(place.name, part, officer),
        columns=[_("Registration point"), _("County"), _("Not filed"), _("Of them called"), _("Last call")],
        rows=[
            [
                point.name,
                point.county,
                point.missing,
                point.called,
                moment(point.last_call_at) if point.last_call_at else _("nobody called"),
            ]
            for point in points
        ],
    )
