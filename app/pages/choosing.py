"""The catalogue of a batch: searched by code, name, pinyin initials; what is found is added to the draft."""

from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app import catalogue, preferences
from app.catalogue import PAGE, Entry, Search
from app.choices import Choice, ColumnChoices, from_content
from app.errors import BadInput, NotFound
from app.pages import fetch, listing
from app.pages.copying import Appending
from app.pages.fetch import visitor
from app.pages.sent import OURS, asked, require_known, whole_number
from app.pages.words import _
from app.preferences import Sheet
from app.specs import ColumnSpec
from app.web.forms import plain, require_mark
from app.web.portal import transaction

_QUERY: Final = ("q", "column", "place", "ownership", "tuition", "suits", "page")
#: ceilings of tuition offered as a filter, yuan a year
TUITIONS: Final = (5_000, 6_000, 8_000, 15_000, 30_000)


@dataclass(frozen=True, slots=True)
class Found:
    """One entry found, and where it stands in the draft already."""

    entry: Entry
    column: ColumnSpec
    #: number in the draft's column; None when it is not there
    number: int | None
    #: whether the column has room
    room: bool

    @property
    def code(self) -> str:
        """Its codes as they are typed."""
        return listing.entry_code(self.entry)

    @property
    def name(self) -> str:
        """Name of institution and group."""
        return listing.full_name(self.entry.offer)

    @property
    def subjects(self) -> str:
        """What subjects it asks for, in words."""
        return listing.subjects_asked(self.entry.offer.requirement)

    @property
    def fits(self) -> bool:
        """Whether the candidate took them."""
        facts = visitor().facts
        return self.entry.offer.requirement.met_by(facts.first_subject, facts.second_subjects)


def catalogue_page(batch: str) -> str:
    """GET /preferences/<batch>/catalogue: a search form and what it finds."""
    query = asked(*_QUERY)
    found, whole = fetch.sheet_and_catalogue(batch)
    wanted = _wanted(query, found)
    facts = visitor().facts
    entries = catalogue.search(whole, wanted, first_subject=facts.first_subject, second_subjects=facts.second_subjects)
    pages = max(1, ceil(len(entries) / PAGE))
    page = min(pages, max(1, whole_number(query["page"] or "1", "page")))
    return render_template(
        "preferences/catalogue.html",
        found=found,
        wanted=wanted,
        total=len(entries),
        results=[_result(entry, found) for entry in entries[(page - 1) * PAGE : page * PAGE]],
        page=page,
        pages=pages,
        query={name: text for name, text in query.items() if text and name != "page"},
        places=sorted({entry.province for entry in whole.entries if entry.province}),
        ownerships=sorted({entry.ownership for entry in whole.entries if entry.ownership}),
        tuitions=TUITIONS,
        by_subject=facts.first_subject is not None,
    )


def _wanted(query: dict[str, str], found: Sheet) -> Search:
    if query["column"] and found.batch.spec.column(query["column"]) is None:
        raise NotFound("no such column")
    return Search(
        words=plain(query["q"])[:100],
        column=query["column"],
        place=query["place"],
        ownership=query["ownership"],
        tuition_up_to=whole_number(query["tuition"], "tuition") if query["tuition"] else None,
        suits=query["suits"] != "all",
    )


def _result(entry: Entry, found: Sheet) -> Found:
    column = found.batch.spec.column(entry.column)
    if column is None:
        raise NotFound(f"the catalogue has a column {entry.column} the batch has not")
    held = from_content(preferences.compacted(found.content)).columns.get(entry.column, ColumnChoices())
    key = (entry.offer.institution, entry.offer.group)
    number = next((number for number, choice in held.filled() if choice.key == key), None)
    return Found(entry, column, number, held.used < column.slots)


def add(batch: str) -> BaseResponse:
    """POST /preferences/<batch>/catalogue: append what was found to the draft, with the majors ticked."""
    found, whole = fetch.sheet_and_catalogue(batch)
    entry = next((each for each in whole.entries if each.key == request.form.get("entry")), None)
    if entry is None:
        raise BadInput("no such entry", place="entry")
    known = {f"major-{code}" for code in entry.offer.majors}
    require_known(request.form, known | OURS | {*_QUERY, "entry", "adjust"})
    require_mark(request.form.get("mark", ""))
    adding = _adding(entry, found)
    with transaction() as session:
        preferences.amend(session, visitor(), found.batch.code, adding.into)
    if adding.number:
        flash(_("It is no. %(number)s of your draft. The draft is not in force.", number=adding.number), "success")
    else:
        flash(_("This column is full. Remove an institution from the list first."), "warning")
    back: dict[str, Any] = {name: request.form[name] for name in _QUERY if request.form.get(name)}
    return redirect(url_for("preferences.catalogue_page", batch=batch, **back, _anchor=entry.key), 303)


def _adding(entry: Entry, found: Sheet) -> Appending:
    column = found.batch.spec.column(entry.column)
    if column is None:
        raise NotFound(f"the catalogue has a column {entry.column} the batch has not")
    ticked = tuple(code for code in entry.offer.majors if request.form.get(f"major-{code}"))
    most = column.majors_per_institution
    if len(ticked) > most:
        flash(
            _("%(given)s majors were ticked; the first %(most)s were taken.", given=len(ticked), most=most), "warning"
        )
    adjust = {"yes": True, "no": False}.get(request.form.get("adjust", "")) if column.major_adjust else None
    return Appending(column, [Choice(entry.offer.institution, entry.offer.group, ticked[:most], adjust)])
