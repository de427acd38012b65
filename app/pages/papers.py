"""What the papers say: a filing's receipt and the form for drafts, as values for `app.printing`."""

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Response

from app import preferences
from app.catalogue import Slice
from app.evidence import shown
from app.notices import REHEARSAL
from app.pages import listing
from app.pages.words import _
from app.preferences import Sheet
from app.printing import Paper, PaperColumn, PaperMajor, PaperRow
from app.sessions import Visitor
from app.specs import BatchSpec
from app.web.formats import full_moment
from app.web.languages import language
from app.web.portal import is_rehearsal, services


def receipt(row: Mapping[str, Any], spec: BatchSpec, whole: Slice, visitor: Visitor, *, standing: bool) -> Paper:
    """The receipt of a row of `filings.history`; `standing`: whether it is the one in force."""
    version = _("%(number)s, in force when printed", number=row["number"])
    if not standing:
        version = _("%(number)s, later replaced", number=row["number"])
    amended = _("filed after the close, when the batch was open again to you by a decision of the province")
    return Paper(
        title=_("Receipt of filed preferences") if row["kind"] == "list" else _("Receipt: batch given up"),
        facts=[
            (_("Candidate"), f"{visitor.name}  {visitor.masked_no}"),
            (_("Registration point"), visitor.point_name),
            (_("Batch"), row["batch_name"]),
            (_("Version"), version),
            (_("In force since"), full_moment(row["filed_at"])),
            *([(_("Amendment"), amended)] if row["amends"] else []),
            (_("Digest"), shown(bytes(row["digest"]))),
        ],
        columns=_columns(spec, row["content"], whole, blank=False),
        words={
            **_common(),
            "qr": _(
                "Verify: scan, then paste at %(address)s", address=f"{services().settings.trusted_hosts[0]}/verify"
            ),
            "notice": _(
                "Keep this receipt. Whoever has it can check at the service or offline that this version was filed"
                " and not changed since. Nobody needs your password or the codes of your card: no teacher, no"
                " relative, no office, no hotline."
            ),
            "empty": _("In this batch the candidate files no preferences (given up)."),
        },
        stamp=row["filed_at"],
        language=_language(),
        token=row["receipt"],
    )


def draft_form(found: Sheet, whole: Slice, visitor: Visitor, *, filled: bool) -> Paper:
    """The form on which a list is drafted by hand, empty or `filled` with the draft."""
    content = preferences.compacted(found.content) if filled else preferences.EMPTY
    return Paper(
        title=_("Draft form: %(batch)s", batch=found.batch.name),
        facts=[
            (_("Candidate"), f"{visitor.name}  {visitor.masked_no}"),
            (_("Class"), visitor.class_no),
            (_("Opens"), full_moment(found.batch.window.opens_at)),
            (_("Closes"), full_moment(found.batch.window.ends_at)),
        ],
        columns=_columns(found.batch.spec, content, whole, blank=True),
        words={
            **_common(),
            "invalid": _("Draft form · not filed · not valid"),
            "mark": _("DRAFT"),
            "notice": _(
                "For drafting at home. Only what you confirm on the site with a code of your card is in force;"
                " this paper is handed in nowhere."
            ),
            "major": _("Major "),
            "yes": _("yes"),
            "no": _("no"),
        },
        stamp=found.now,
        language=_language(),
    )


def service_name(name: str) -> str:
    """The name of the service on a paper; in a rehearsal the paper says that it counts for nothing."""
    return f"{name} {_(REHEARSAL)}" if is_rehearsal() else name


def _common() -> dict[str, str]:
    site = services().settings.site
    return {
        "service": service_name(_("%(province)s university preference filing", province=site.province)),
        "footer": _("Hotline %(hotline)s", hotline=site.hotline),
        "number": _("No."),
        "code": _("Code"),
        "institution": _("Institution"),
        "majors": _("Majors"),
        "adjust": _("Adjustment"),
    }


def _columns(spec: BatchSpec, content: Mapping[str, Any], whole: Slice, *, blank: bool) -> list[PaperColumn]:
    return [
        PaperColumn(
            name=column.spec.name,
            rows=[_row(row) for row in column.rows],
            slots=column.spec.slots,
            majors=column.spec.majors_per_institution,
            asks_adjust=column.spec.major_adjust,
            boxes=list(_boxes(column, blank=blank)),
        )
        for column in listing.columns(spec, content, whole)
        if blank or column.filled
    ]


def _boxes(column: listing.ShownColumn, *, blank: bool) -> Iterable[str]:
    """The answers to the questions of a column; a form to fill in has a box for those not ticked."""
    asked = (
        (column.spec.institution_adjust, column.institution_adjust, _("Adjustment to other institutions")),
        (column.spec.directed_adjust, column.directed_adjust, _("Adjustment to directed plans")),
    )
    for asks, answer, words in asked:
        if asks:
            yield f"□ {words}" if blank and not answer else f"{words}: {listing.answered(answer)}"


def _row(row: listing.Row) -> PaperRow:
    adjust = row.choice.major_adjust
    return PaperRow(
        number=row.index + 1,
        code=row.code,
        name=row.name,
        place=row.place,
        majors=[PaperMajor(major.code, major.name) for major in row.majors],
        adjust="" if adjust is None else listing.answered(adjust),
    )


def _language() -> str:
    return "zh" if language() == "zh_Hans" else "en"


def answer(pdf: bytes, name: str) -> Response:
    """A PDF to look at, with a name for keeping it."""
    made = Response(pdf, mimetype="application/pdf")
    made.headers["Content-Disposition"] = f'inline; filename="{name}"'
    return made
