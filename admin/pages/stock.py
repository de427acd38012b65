"""Stock: where the cards of an office and of those below it are, as a table and as a picture."""

from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from markupsafe import Markup
from werkzeug.wrappers import Response

from admin import scope, stock, transfers, withdrawals
from admin.pages.fields import proposal_life, reason_field
from admin.pages.protocols import BOX_STATES
from admin.pages.reach import officer, reading, transaction, typed, where
from admin.scope import Place
from admin.spans import Span, total
from admin.stock import Counts, Held, Line
from admin.transfers import Sent
from app.web.formats import moment
from app.web.forms import OwnForm
from app.web.languages import gettext as _
from app.web.limits import costly_flood, limiter

pages = Blueprint("stock", __name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page of an office's stock shows."""

    place: Place
    own: Line
    below: list[Line]
    held: list[Held]
    sent: list[Sent]

    @property
    def total(self) -> Counts:
        """The office and all below it."""
        return sum((line.counts for line in self.below), self.own.counts)

    @property
    def lines(self) -> list[tuple[str, Counts]]:
        """The rows of table and picture: the office's own store, then those below."""
        own = [(_("%(office)s itself", office=self.own.name), self.own.counts)] if self.below else []
        return [*own, *((line.name, line.counts) for line in self.below)] or [(self.own.name, self.own.counts)]

    @property
    def columns(self) -> list[dict[str, str]]:
        """The columns of the table."""
        labels = [_("Received"), _("In stock"), _("On the way"), _("Handed out"), _("Void or held back")]
        labels.append(_("Difference"))
        return [{"label": _("Office"), "kind": "head"}, *({"label": label, "kind": "number"} for label in labels)]

    @property
    def cells(self) -> list[list[str | Markup]]:
        """The rows of the table; an office below leads to its own page."""
        rows = [[name, *_figures(counts)] for name, counts in self.lines]
        for row, line in zip(rows[len(rows) - len(self.below) :], self.below, strict=True):
            row[0] = _link(url_for("stock.office", office=line.office_id), line.name)
        return rows

    @property
    def foot(self) -> list[str | Markup] | None:
        """All together, where there is more than one row."""
        return [_("Total"), *_figures(self.total)] if self.below else None

    @property
    def sent_columns(self) -> list[dict[str, str]]:
        """The columns of `sent_cells`."""
        return [
            {"label": _("Transfer"), "kind": "head"},
            {"label": _("From")},
            {"label": _("To")},
            {"label": _("Cards"), "kind": "number"},
            {"label": _("Sent")},
            {"label": _("State")},
        ]

    @property
    def sent_cells(self) -> list[list[str | Markup]]:
        """One line for each transfer."""
        return [
            [
                _link(url_for("transfers.one", transfer=one.id), _("no. %(number)s", number=one.id)),
                one.giver,
                one.receiver,
                f"{one.cards:,}",
                moment(one.sent_at),
                _(BOX_STATES[one.state]),
            ]
            for one in self.sent
        ]

    @property
    def waiting(self) -> list[Sent]:
        """Transfers whose boxes this office is to count."""
        return [one for one in self.sent if one.receiver_id == self.place.id and one.state == "sent"]


def _figures(counts: Counts) -> list[str | Markup]:
    numbers = (counts.received, counts.stock, counts.way, counts.issued, counts.void, counts.difference)
    return [f"{number:,}" for number in numbers]


def _link(href: str, words: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(href, words)


@pages.get("/stock")
def own() -> Response:
    """The officer's own office."""
    return redirect(url_for(".office", office=officer().office_id), 303)


@pages.get("/stock/<int:office>")
@limiter.limit(costly_flood)
def office(office: int) -> str:
    """An office's stock, and that of each office below it."""
    with reading() as connection:
        place = scope.office(connection, officer(), office)
        officer().require("see_stock")
        own, below = stock.table(connection, place)
        held = stock.held(connection, office)
        sent = transfers.of_office(connection, officer(), office)
    return render_template("stock/office.html", shown=Shown(place, own, below, held, sent))


class DestroyForm(OwnForm):
    """Why what is left is destroyed."""

    reason = reason_field(lazy_gettext("Write why the cards are destroyed."))


@pages.get("/stock/destroy")
def destroy() -> Response | str:
    """What would be destroyed; after a fresh proof of who asks (A-14)."""
    officer().require("propose")
    if not officer().proved_lately:
        return redirect(url_for("entrance.prove", next=request.path), 303)
    return _destroy_page(DestroyForm())


@pages.post("/stock/destroy")
def propose_destruction() -> Response | tuple[str, int]:
    """Propose that all that is left in the own office is void."""
    officer().require("propose")
    officer().require_proof()
    form = DestroyForm()
    if not form.validate():
        return _destroy_page(form), 400
    with transaction() as session:
        act = withdrawals.propose_destruction(session, officer(), typed(form.reason), proposal_life(), where())
    return redirect(url_for("acts.one", act=act), 303)


def _destroy_page(form: DestroyForm) -> str:
    with reading() as connection:
        left: list[Span] = stock.unissued(connection, officer().office_id)
    return render_template("stock/destroy.html", form=form, left=left, count=total(left))
