"""The tables of the progress pages: what is shown of an office, as cells of a page and as sheets of an export."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from flask import get_template_attribute, request, url_for
from markupsafe import Markup

from admin.categories import SINCE, Category, Counts, Part, Row, Standing
from admin.charts import Curve, curve
from admin.dropouts import Dropout
from admin.exports import Cell, Sheet
from admin.officers import Visitor
from admin.scope import Place
from admin.snapshots import Earlier, difference
from app.offices import Level
from app.web.formats import ZONE, full_moment, moment
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
_BY_THE_HOUR: Final = timedelta(hours=25)
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
    category: str

    @classmethod
    def from_query(cls) -> "Asked":
        """Of a GET."""
        got = request.args.get
        order = got("sort", "") or WORST_FIRST
        return cls(got("batch", ""), order, got("state", ""), got("class", ""), got("of", ""))

    @classmethod
    def from_form(cls) -> "Asked":
        """Of a POST."""
        order = single("sort") or WORST_FIRST
        return cls(single("batch"), order, single("state"), single("class"), single("of"))


@dataclass(frozen=True)
class Shown:
    """What a page or an export shows of an office."""

    category: Category
    place: Place
    parts: list[Part]
    part: Part | None
    asked: Asked
    rows: list[Row] = field(default_factory=list)
    #: of a point: those asked for; None where the officer may not see names
    people: list[Standing] | None = None
    #: the office itself about an hour ago and yesterday, where that was counted
    before: Mapping[str, Earlier] = field(default_factory=dict)
    #: since when dropouts are told, where that was counted; and who they are, None above a point
    since: datetime | None = None
    dropped: list[Dropout] | None = None
    course: list[tuple[datetime, Counts]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The office, and the class where one is asked for."""
        if not self.asked.class_no:
            return self.place.name
        return str(_("%(office)s, class %(class_no)s", office=self.place.name, class_no=self.asked.class_no))

    @cached_property
    def total(self) -> Counts:
        """All rows together."""
        return self.category.total(self.rows)

    # --- the page ---------------------------------------------------------------------------------

    def link(self, **changes: str | int) -> str:
        """The address of what is shown, with some of it changed; what is empty is left out."""
        arguments: dict[str, Any] = {
            "office": self.place.id,
            "batch": self.part.code if self.part else "",
            "sort": "" if self.asked.order == WORST_FIRST else self.asked.order,
            "state": self.asked.state,
            "class": self.asked.class_no,
            "of": self.asked.category,
        } | changes
        return url_for("progress.office", **{name: value for name, value in arguments.items() if value})

    @property
    def caption(self) -> str:
        """What the rows are."""
        return str(_(_BELOW[self.place.level][0]))

    @cached_property
    def _columns(self) -> list[str]:
        """Differences and dropouts stand where offices were counted before."""
        known = {*self.before, "dropped"} if self.since and self.place.level != "point" else set()
        return [column for column in self.category.columns if column not in {*SINCE, "dropped"} or column in known]

    @property
    def columns(self) -> list[PageColumn]:
        """The columns, each with the link that sorts by it."""
        return [self._column(column) for column in self._columns]

    def _column(self, column: str) -> PageColumn:
        order = self.asked.order
        return {
            "label": self._label(column),
            "kind": _KINDS.get(column, "number"),
            "href": self.link(sort=f"-{column}" if order == column else column),
            "sorted": self.category.direction(order) if order.removeprefix("-") == column else "",
        }

    def _label(self, column: str) -> str:
        if column == "office":
            return str(_(_BELOW[self.place.level][1]))
        if column in SINCE:
            return str(_("Since %(time)s", time=self._then(column)))
        if column == "dropped":
            return str(_("Dropped out since %(time)s", time=moment(self.since)))
        if column in {"eligible", "share"}:
            return str(_("Eligible") if column == "eligible" else _(self.category.settled))
        return str(_(self.category.stage(column).name))

    def _then(self, mark: str) -> str:
        """When it was counted before; an hour ago needs no date."""
        at = self.before[mark].at
        return moment(at) if mark == "day" else f"{at.astimezone(ZONE):%H:%M}"

    @property
    def cells(self) -> list[list[PageCell]]:
        """The rows; each leads to what is below it."""
        return [self._cells(row, self._linked(row)) for row in self.rows]

    def _cells(self, row: Row, first: PageCell) -> list[PageCell]:
        return [self._cell(column, row, first) for column in self._columns]

    def _cell(self, column: str, row: Row, first: PageCell) -> PageCell:
        if column == "office":
            return first
        if column == "share":
            return share(row.counts, row.name)
        if column in SINCE:
            return signed(row.hour if column == "hour" else row.day)
        if column == "dropped":
            return self._dropped(row)
        return f"{number_of(column, row.counts):,}"

    def _linked(self, row: Row) -> PageCell:
        if self.asked.class_no:
            return row.name
        below = {"class": row.key} if self.place.level == "point" else {"office": row.key}
        return linked(self.link(**below), row.name)

    def _dropped(self, row: Row) -> PageCell:
        """How many dropped out, with the way to where they did: down to the point, where their names stand."""
        number = f"{row.dropped or 0:,}"
        if not row.dropped or not row.key:
            return number
        names = {"_anchor": "dropped"} if self.place.level == "county" else {"sort": "dropped"}
        words = Markup('{}<span class="visually-hidden"> {}</span>').format(number, row.name)
        return linked(self.link(office=row.key, **names), words)

    @cached_property
    def whole(self) -> Row:
        """All rows together, as one."""
        dropped = sum(row.dropped or 0 for row in self.rows)
        changes = {mark: self.change(mark) for mark in SINCE}
        return Row("", "", _("Total"), self.total, **changes, dropped=dropped)

    def change(self, mark: str) -> int | None:
        """How many more of the whole office are settled than then; a class was not counted by itself."""
        if self.asked.class_no:
            return None
        return difference(self.total, self.before.get(mark), self.place.id)

    @property
    def foot(self) -> list[PageCell]:
        """The totals."""
        return self._cells(self.whole, _("Total"))

    @property
    def summary(self) -> str:
        """How far the whole is, in a sentence."""
        total = self.total
        return str(
            _(
                self.category.summary,
                settled=f"{total.settled:,}",
                eligible=f"{total.eligible:,}",
                missing=f"{total.missing:,}",
            )
        )

    @property
    def changes(self) -> list[str]:
        """What became of the whole office since it was counted before, in words."""
        found = [(mark, self.change(mark)) for mark in SINCE if mark in self.before]
        return [
            _("Since %(time)s: %(change)s.", time=self._then(mark), change=signed(change))
            for mark, change in found
            if change is not None
        ]

    @property
    def names(self) -> list[tuple[str, list[list[PageCell]]]]:
        """The people of each class: its caption and its rows."""
        by_class: dict[str, list[list[PageCell]]] = {}
        for person in self.people or []:
            cells: list[PageCell] = [person.name, person.masked_no, _(self.category.stage(person.state).name)]
            by_class.setdefault(person.class_no, []).append(cells)
        return [
            (_("Class %(class_no)s: %(count)s", class_no=class_no, count=len(rows)), rows)
            for class_no, rows in by_class.items()
        ]

    @property
    def curve(self) -> Curve | None:
        """How many were settled at each count kept, and now."""
        if self.part is None or self.asked.class_no:
            return None
        points = [(at, counted.settled) for at, counted in self.course]
        return curve([*points, (self.part.as_of, self.total.settled)], self.total.eligible)

    @property
    def course_cells(self) -> list[list[PageCell]]:
        """The same as a table, newest first: each count of the last day, and the last of each day before."""
        if self.part is None:
            return []
        now = self.part.as_of
        by_day = {at.astimezone(ZONE).date(): (at, counted) for at, counted in self.course}
        points = [one for one in self.course if now - one[0] < _BY_THE_HOUR or one in by_day.values()]
        points.append((now, self.total))
        befores = [None, *(counted.settled for _at, counted in points)]
        return [
            [
                moment(at),
                f"{counted.settled:,}",
                f"{counted.missing:,}",
                "" if before is None else signed(counted.settled - before),
            ]
            for (at, counted), before in zip(points, befores, strict=False)
        ][::-1]

    @property
    def parts_cells(self) -> list[list[PageCell]]:
        """One line for each batch: how far the whole office is."""
        tag = get_template_attribute("macros/content.html", "tag")
        return [
            [
                linked(self.link(batch=one.code, state=""), one.name),
                tag(one.state),
                moment(one.window.closes_at),
                f"{one.total.eligible:,}",
                f"{one.total.missing:,}",
                share(one.total, one.name),
            ]
            for one in self.parts
        ]

    # --- the sheets -------------------------------------------------------------------------------

    def counts_sheet(self, part: Part, officer: Visitor) -> Sheet:
        """The table as a sheet."""
        return Sheet(
            title=_("Progress"),
            facts=facts(self.name, part, officer),
            columns=[self._label(column) for column in self._columns],
            rows=[self._numbers(row) for row in self.rows],
            foot=self._numbers(self.whole),
        )

    def _numbers(self, row: Row) -> list[Cell]:
        return [self._number(column, row) for column in self._columns]

    def _number(self, column: str, row: Row) -> Cell:
        if column == "office":
            return row.name
        if column == "share":
            return row.counts.share
        if column in SINCE:
            change = row.hour if column == "hour" else row.day
            return "" if change is None else change
        if column == "dropped":
            return row.dropped or 0
        return number_of(column, row.counts)

    def names_sheet(self, part: Part, officer: Visitor) -> Sheet:
        """The names as a sheet."""
        return Sheet(
            title=_("Names"),
            facts=facts(self.name, part, officer),
            columns=[_("Class"), _("Name"), _("Candidate no."), _("State")],
            rows=[
                [person.class_no, person.name, person.masked_no, _(self.category.stage(person.state).name)]
                for person in self.people or []
            ],
        )


def facts(name: str, part: Part, officer: Visitor) -> list[tuple[str, str]]:
    """What stands above the table of a sheet."""
    return [
        (_("Office"), name),
        (_("Batch"), part.name),
        (_("As of"), full_moment(part.as_of)),
        (_("Exported by"), f"{officer.name} ({officer.login})"),
    ]


def number_of(column: str, counts: Counts) -> int:
    """The number in a column of counts."""
    return counts.eligible if column == "eligible" else counts.of(column)


def share(counts: Counts, name: str) -> Markup:
    """The bar and the figure of an office."""
    bar: Markup = get_template_attribute("macros/tables.html", "share")(counts.settled, counts.eligible, name)
    return bar


def signed(change: int | None) -> str:
    """A difference with its sign and in a word, so that neither colour nor sign has to be seen."""
    if change is None:
        return str(_("not counted"))
    if change == 0:
        return str(_("no change"))
    number = f"{abs(change):,}"
    return str(_("+%(number)s more", number=number) if change > 0 else _("−%(number)s fewer", number=number))


def linked(href: str, words: str) -> Markup:
    """A cell that leads somewhere."""
    return Markup('<a href="{}">{}</a>').format(href, words)
