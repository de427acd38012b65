"""The tables of the progress pages: what is shown of an office, as cells of a page and as sheets of an export."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from flask import get_template_attribute, request, url_for
from markupsafe import Markup

from admin import completeness
from admin.completeness import COLUMNS, STATE_NAMES, Batch, Column, Counts, Row, Standing
from admin.exports import Cell, Sheet
from admin.officers import Visitor
from admin.scope import Place
from app.offices import Level
from app.tallies import STATES
from app.web.formats import full_moment, moment
from app.web.forms import single
from app.web.languages import gettext as _
from app.wording import N_

WORST_FIRST: Final = "share"
_BELOW: Final[dict[Level, tuple[str, str]]] = {
    "province": (N_("Prefectures"), N_("Prefecture")),
    "prefecture": (N_("Counties"), N_("County")),
    "county": (N_("Registration points"), N_("Registration point")),
    "point": (N_("Classes"), N_("Class")),
}
_LABELS: Final[dict[str, str]] = {
    "eligible": N_("Eligible"),
    **{str(state): words for state, words in STATE_NAMES.items()},
    "share": N_("Filed or waived"),
}
_KINDS: Final = {"office": "head", "share": "text"}

#: cells of a page, and the columns they stand in, as `macros/tables.html` wants them
PageCell = str | Markup
PageColumn = dict[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page or an export is asked to show."""

    batch: str
    order: str
    state: str
    class_no: str

    @classmethod
    def from_query(cls) -> "Asked":
        """Of a GET."""
        got = request.args.get
        return cls(got("batch", ""), got("sort", "") or WORST_FIRST, got("state", ""), got("class", ""))

    @classmethod
    def from_form(cls) -> "Asked":
        """Of a POST."""
        return cls(single("batch"), single("sort") or WORST_FIRST, single("state"), single("class"))


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page or an export shows of an office."""

    place: Place
    batches: list[Batch]
    batch: Batch | None
    asked: Asked
    rows: list[Row]
    #: of a point: those asked for; None where the officer may not see names
    people: list[Standing] | None

    @property
    def name(self) -> str:
        """The office, and the class where one is asked for."""
        if not self.asked.class_no:
            return self.place.name
        return str(_("%(office)s, class %(class_no)s", office=self.place.name, class_no=self.asked.class_no))

    @property
    def total(self) -> Counts:
        """All rows together."""
        return completeness.total(self.rows)

    # --- the page ---------------------------------------------------------------------------------

    def link(self, **changes: str | int) -> str:
        """The address of what is shown, with some of it changed; what is empty is left out."""
        arguments: dict[str, Any] = {
            "office": self.place.id,
            "batch": self.batch.code if self.batch else "",
            "sort": "" if self.asked.order == WORST_FIRST else self.asked.order,
            "state": self.asked.state,
            "class": self.asked.class_no,
        } | changes
        return url_for("progress.office", **{name: value for name, value in arguments.items() if value})

    @property
    def caption(self) -> str:
        """What the rows are."""
        return str(_(_BELOW[self.place.level][0]))

    @property
    def columns(self) -> list[PageColumn]:
        """The columns, each with the link that sorts by it."""
        return [self._column(column) for column in COLUMNS]

    def _column(self, column: Column) -> PageColumn:
        order = self.asked.order
        label = _LABELS.get(column) or _BELOW[self.place.level][1]
        return {
            "label": _(label),
            "kind": _KINDS.get(column, "number"),
            "href": self.link(sort=f"-{column}" if order == column else column),
            "sorted": completeness.direction(order) if order.removeprefix("-") == column else "",
        }

    @property
    def cells(self) -> list[list[PageCell]]:
        """The rows; each leads to what is below it."""
        return [_line(self._linked(row), row.name, row.counts) for row in self.rows]

    def _linked(self, row: Row) -> PageCell:
        if self.asked.class_no:
            return row.name
        below = {"class": row.key} if self.place.level == "point" else {"office": row.key}
        return _link(self.link(**below), row.name)

    @property
    def foot(self) -> list[PageCell]:
        """The totals."""
        return _line(_("Total"), _("Total"), self.total)

    @property
    def names(self) -> list[tuple[str, list[list[PageCell]]]]:
        """The people of each class: its caption and its rows."""
        by_class: dict[str, list[list[PageCell]]] = {}
        for person in self.people or []:
            cells: list[PageCell] = [person.name, person.masked_no, _(STATE_NAMES[person.state])]
            by_class.setdefault(person.class_no, []).append(cells)
        return [
            (_("Class %(class_no)s: %(count)s", class_no=class_no, count=len(rows)), rows)
            for class_no, rows in by_class.items()
        ]

    @property
    def names_columns(self) -> list[PageColumn]:
        """The columns of `names`."""
        return [
            {"label": _("Name"), "kind": "head"},
            {"label": _("Candidate no."), "kind": "code"},
            {"label": _("State")},
        ]

    @property
    def batches_columns(self) -> list[PageColumn]:
        """The columns of `batches_cells`."""
        return [
            {"label": _("Batch"), "kind": "head"},
            {"label": _("State")},
            {"label": _("Closes")},
            {"label": _("Eligible"), "kind": "number"},
            {"label": _("Not filed"), "kind": "number"},
            {"label": _("Filed or waived")},
        ]

    @property
    def batches_cells(self) -> list[list[PageCell]]:
        """One line for each batch: how far the whole office is."""
        tag = get_template_attribute("macros/content.html", "tag")
        return [
            [
                _link(self.link(batch=one.code, state=""), one.name),
                tag(one.state),
                moment(one.window.closes_at),
                f"{one.total.eligible:,}",
                f"{one.total.missing:,}",
                _share(one.total, one.name),
            ]
            for one in self.batches
        ]

    # --- the sheets -------------------------------------------------------------------------------

    def counts_sheet(self, batch: Batch, officer: Visitor) -> Sheet:
        """The table as a sheet."""
        return Sheet(
            title=_("Progress"),
            facts=self._facts(batch, officer),
            columns=[column["label"] for column in self.columns],
            rows=[_numbers(row.name, row.counts) for row in self.rows],
            foot=_numbers(_("Total"), self.total),
        )

    def names_sheet(self, batch: Batch, officer: Visitor) -> Sheet:
        """The names as a sheet."""
        return Sheet(
            title=_("Names"),
            facts=self._facts(batch, officer),
            columns=[_("Class"), _("Name"), _("Candidate no."), _("State")],
            rows=[
                [person.class_no, person.name, person.masked_no, _(STATE_NAMES[person.state])]
                for person in self.people or []
            ],
        )

    def _facts(self, batch: Batch, officer: Visitor) -> list[tuple[str, str]]:
        return [
            (_("Office"), self.name),
            (_("Batch"), batch.name),
            (_("As of"), full_moment(batch.as_of)),
            (_("Exported by"), f"{officer.name} ({officer.login})"),
        ]


def _line(first: PageCell, name: str, counts: Counts) -> list[PageCell]:
    numbers: Iterable[int] = (counts.eligible, *(counts.of(state) for state in STATES))
    return [first, *(f"{number:,}" for number in numbers), _share(counts, name)]


def _numbers(name: str, counts: Counts) -> list[Cell]:
    return [name, counts.eligible, *(counts.of(state) for state in STATES), counts.share]


def _share(counts: Counts, name: str) -> Markup:
    bar: Markup = get_template_attribute("macros/tables.html", "share")(counts.settled, counts.eligible, name)
    return bar


def _link(href: str, words: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(href, words)
