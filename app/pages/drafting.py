"""The draft: edited, thrown away, brought back, printed. Nothing here puts anything in force."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from flask import Response, flash, make_response, redirect, render_template, url_for
from werkzeug.wrappers import Response as BaseResponse

from app import drafts, preferences, printing
from app.catalogue import Slice
from app.choices import from_content
from app.differences import differences
from app.errors import DraftMoved, Refusal, RulesBroken
from app.findings import Verdict
from app.pages import editing, fetch, listing, papers
from app.pages.editing import Act, Typed, TypedRow, Understood
from app.pages.fetch import batch_code, visitor
from app.pages.interrupted import sealed_owner
from app.pages.sent import asked, sent, whole_number
from app.pages.words import _
from app.preferences import Asked, Sheet
from app.rules import judge
from app.web.portal import transaction

#: empty rows offered below those filled
SPARE: Final = 3


# --- edit --------------------------------------------------------------------------------------------


def edit(batch: str) -> str:
    """GET /preferences/<batch>/edit: the draft, or after the end what stands."""
    query = asked("row", "checked")
    found, whole = fetch.sheet_and_catalogue(batch)
    if found.batch.state == "closed":
        shown = listing.columns(found.batch.spec, found.in_force, whole)
        return render_template("preferences/closed.html", found=found, columns=shown)
    return _edit_page(found, whole, open_row=query["row"], checked=bool(query["checked"]))


def keep(batch: str) -> BaseResponse:
    """POST /preferences/<batch>/edit: keep the draft, whatever the button, then do what the button says."""
    found, whole = fetch.sheet_and_catalogue(batch)
    typed = editing.read(found.batch.spec)
    understood = editing.understand(typed, found.batch.spec, whole)
    if understood.errors:
        return make_response(_edit_page(found, whole, (typed, understood)), 422)
    try:
        answer = _kept(found, typed, understood)
    except DraftMoved:
        return _moved(batch, whole, understood)
    if isinstance(answer, Refusal) and not isinstance(answer, RulesBroken):
        raise answer
    return redirect(_onward(found, typed.act, understood, answer), 303)


def _kept(found: Sheet, typed: Typed, understood: Understood) -> Asked | Refusal | int:
    content, version = understood.content, typed.version
    with transaction() as session:
        if typed.act.name == "check":
            return preferences.save_and_ask(session, visitor(), found.batch, content, version)
        return drafts.save(session, visitor().candidate_id, found.batch.id, content, version)


def _onward(found: Sheet, act: Act, understood: Understood, answer: Asked | Refusal | int) -> str:
    """Where the button leads once the draft is kept."""
    here, row = found.batch.code, f"{act.column}-{understood.row}"
    if act.name == "check":
        if isinstance(answer, Asked):
            return url_for("preferences.check", batch=here)
        return url_for("preferences.edit", batch=here, checked=1)
    if act.name == "search":
        return url_for("preferences.catalogue_page", batch=here, column=act.column, q=understood.words or None)
    if act.name == "save":
        flash(_("Draft saved. It is not in force until you confirm it with a code."), "success")
        return url_for("preferences.edit", batch=here)
    if act.name == "edit":
        return url_for("preferences.edit", batch=here, row=row, _anchor=row)
    anchor = row if understood.row >= 0 else f"{act.column}-column"
    return url_for("preferences.edit", batch=here, _anchor=anchor)


def _moved(batch: str, whole: Slice, understood: Understood) -> Response:
    """Another window saved first: both lists are shown, and nothing is overwritten (F-06)."""
    found = fetch.sheet(batch)
    spec = found.batch.spec
    change = differences(preferences.compacted(found.content), understood.content)
    return make_response(
        render_template(
            "preferences/moved.html",
            found=found,
            owner=sealed_owner(),
            columns=listing.columns(spec, preferences.compacted(found.content), whole),
            changes=listing.changes(spec, change, whole),
            mine=listing.columns(spec, understood.content, whole),
            typed=editing.as_typed(understood.content, spec),
        ),
        409,
    )


@dataclass(frozen=True, slots=True)
class EditRow:
    """One row of the form: what is shown of it and what stands in its fields."""

    typed: TypedRow
    #: None where nothing is kept, or something else was typed over it
    shown: listing.Row | None = None
    #: "carried": fields hidden; "answer": the question about adjustment alone; "text": everything to be typed;
    #: "choose": majors to be chosen by name
    mode: str = "text"
    #: by what they are about: "code", "majors", "position"
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EditColumn:
    """One column of the form."""

    shown: listing.ShownColumn
    rows: Sequence[EditRow]
    spare: Sequence[EditRow]
    #: why the candidate cannot fill it
    shut: str
    institution_adjust: bool
    directed_adjust: bool


def _edit_page(
    found: Sheet,
    whole: Slice,
    refused: tuple[Typed, Understood] | None = None,
    *,
    open_row: str = "",
    checked: bool = False,
) -> str:
    """The form over the draft; or, `refused`, over what was typed and could not be kept."""
    spec, facts = found.batch.spec, visitor().facts
    content = preferences.compacted(found.content)
    verdict = judge(spec, from_content(content), facts, whole)
    rows = refused[0].columns if refused else editing.as_typed(content, spec)
    errors = refused[1].errors if refused else {}
    form = [
        _edit_column(
            column,
            rows[column.spec.code],
            "" if column.filled else listing.shut_reason(column.spec, facts, spec),
            errors,
            open_row,
        )
        for column in listing.columns(spec, content, whole, verdict)
    ]
    untouched = not checked and not content["columns"]
    return render_template(
        "preferences/edit.html",
        found=found,
        owner=sealed_owner(),
        form=form,
        version=refused[0].version if refused else found.draft_version,
        kept=refused is None,
        errors=_summary(form, errors, None if untouched else verdict),
        reminders=[] if refused else _reminders(form, verdict),
    )


def _edit_column(
    shown: listing.ShownColumn,
    typed: editing.TypedColumn,
    shut: str,
    errors: Mapping[str, str],
    open_row: str,
) -> EditColumn:
    code = shown.spec.code
    rows: list[EditRow] = []
    spare: list[EditRow] = []
    for row in typed.rows:
        start = f"{code}-{row.index}-"
        own = {name.removeprefix(start): text for name, text in errors.items() if name.startswith(start)}
        if not row.position:
            spare.append(EditRow(row, errors=own))
            continue
        display = shown.rows[row.index] if row.index < len(shown.rows) else None
        if display is not None and display.code != row.code:
            display = None  # the names of what stood there would mislead
        rows.append(EditRow(row, display, _mode(display, own, asked_for=open_row == f"{code}-{row.index}"), own))
    first = max((row.index for row in typed.rows), default=-1) + 1
    while len(spare) < SPARE and first < shown.spec.slots:
        spare.append(EditRow(TypedRow(first)))
        first += 1
    return EditColumn(shown, rows, spare, shut, typed.institution_adjust, typed.directed_adjust)


def _mode(shown: listing.Row | None, errors: Mapping[str, str], *, asked_for: bool) -> str:
    """How a row's fields are offered (`EditRow.mode`)."""
    if shown is None or shown.entry is None or errors:
        return "text"
    if asked_for:
        return "choose"
    if shown.broken <= {"P1"}:
        return "answer" if shown.broken else "carried"
    return "text"


def _summary(form: Sequence[EditColumn], errors: Mapping[str, str], verdict: Verdict | None) -> list[tuple[str, str]]:
    """The errors of the form as sent, else those of the list as kept, each with the place it is at."""
    if errors:
        return [(text, f"#{name}") for name, text in errors.items()]
    if verdict is None:
        return []
    first = next((f"#{each.shown.spec.code}-column" for each in form if not each.shut), "#main")
    found = [(each.text(_), first) for each in verdict.errors if each.column is None]
    for column in form:
        code = column.shown.spec.code
        found += [(text, f"#{code}-column") for text in column.shown.errors]
        found += [(text, f"#{code}-{row.index}") for row in column.shown.rows for text in row.errors]
    return found


def _reminders(form: Sequence[EditColumn], verdict: Verdict) -> list[tuple[str, str]]:
    found = [(each.text(_), "") for each in verdict.warnings if each.column is None]
    for column in form:
        code = column.shown.spec.code
        found += [(text, f"#{code}-column") for text in column.shown.warnings]
        found += [(text, f"#{code}-{row.index}") for row in column.shown.rows for text in row.warnings]
    return found


# --- throw away, bring back --------------------------------------------------------------------------


def discard(batch: str) -> BaseResponse:
    """POST /preferences/<batch>/discard: throw the draft away; what is in force stays."""
    version = whole_number(sent("version")["version"], "version")
    found = fetch.sheet(batch)
    with transaction() as session:
        drafts.discard(session, visitor().candidate_id, found.batch.id, version)
    flash(_("The draft was thrown away. What is in force has not changed."), "success")
    return redirect(url_for("preferences.edit", batch=batch), 303)


def restore(batch: str, number: int) -> BaseResponse:
    """POST /preferences/<batch>/restore/<number>: make an earlier version the draft (F-11)."""
    version = whole_number(sent("version")["version"], "version")
    with transaction() as session:
        preferences.restore(session, visitor(), batch_code(batch), number, version)
    flash(
        _("Version %(number)s is your draft again. It is not in force until you confirm it.", number=number),
        "success",
    )
    return redirect(url_for("preferences.edit", batch=batch), 303)


# --- on paper ----------------------------------------------------------------------------------------


def draft_form(batch: str) -> Response:
    """GET /preferences/<batch>/draft-form.pdf: the form to fill in by hand, empty or with the draft."""
    filled = asked("filled")["filled"] == "1"
    found, whole = fetch.sheet_and_catalogue(batch)
    pdf = printing.draft_form(papers.draft_form(found, whole, visitor(), filled=filled))
    return papers.answer(pdf, f"draft-{found.batch.code}.pdf")
