"""A preference list as pages and papers show it: every code with its name, place and tuition (U-17).

Beside each row stand what the rules say of it and what changed since the filing in force, in words.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from app.catalogue import Entry, Slice
from app.choices import Choice, ColumnChoices, from_content
from app.differences import Difference
from app.eligibility import Facts, unmet
from app.findings import Finding, Verdict
from app.offers import Offer, Requirement
from app.pages.words import _
from app.specs import BatchSpec, ColumnSpec
from app.wording import N_, phrase


class ShownMajor(NamedTuple):
    """One major of a row; `name` "" where the catalogue does not know the code."""

    code: str
    name: str
    tuition: int | None = None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One filled slot, `index` from 0."""

    index: int
    choice: Choice
    #: None where the catalogue does not offer it in this column
    entry: Entry | None
    majors: tuple[ShownMajor, ...]
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    #: what changed since the filing in force, in words
    marks: tuple[str, ...] = ()
    #: ids of the rules behind `errors`
    broken: frozenset[str] = frozenset()

    @property
    def code(self) -> str:
        """Its codes as they are typed."""
        return self.choice.code

    @property
    def name(self) -> str:
        """Name of the institution, and of the group."""
        if self.entry is None:
            return _("not in this year’s plan")
        return full_name(self.entry.offer)

    @property
    def place(self) -> str:
        """The city."""
        return self.entry.offer.place if self.entry else ""

    @property
    def tuition(self) -> int | None:
        """Lowest tuition of the majors chosen, or of all, yuan a year."""
        chosen = [major.tuition for major in self.majors if major.tuition is not None]
        if chosen:
            return min(chosen)
        return self.entry.tuition if self.entry else None

    @property
    def ownership(self) -> str:
        """Public or private."""
        return self.entry.ownership if self.entry else ""


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """One column of the batch with what is filled in."""

    spec: ColumnSpec
    rows: tuple[Row, ...]
    institution_adjust: bool
    directed_adjust: bool
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    #: what changed about its boxes
    marks: tuple[str, ...] = ()

    @property
    def free(self) -> int:
        """How many slots are left."""
        return self.spec.slots - len(self.rows)

    @property
    def filled(self) -> bool:
        """Whether anything stands in it."""
        return bool(self.rows) or self.institution_adjust or self.directed_adjust


def full_name(offer: Offer) -> str:
    """Name of the institution, and of the group where there is one."""
    return f"{offer.name} {offer.group_name}".strip()


def entry_code(entry: Entry) -> str:
    """The codes of an entry as they are typed: "1234", or "1234-101"."""
    return Choice(entry.offer.institution, entry.offer.group).code


_SUBJECTS: Final = {
    "PHY": N_("physics"),
    "HIS": N_("history"),
    "CHE": N_("chemistry"),
    "BIO": N_("biology"),
    "POL": N_("politics"),
    "GEO": N_("geography"),
}


def subjects_asked(asked: Requirement) -> str:
    """What subjects an offer asks for (3+1+2), in words; "" where it asks for none."""
    said = []
    if asked.first == "EITHER":
        said.append(_("first subject physics or history"))
    elif asked.first:
        said.append(_("first subject %(subject)s", subject=_(_SUBJECTS[asked.first])))
    if asked.mode:
        named = _(", ").join(_(_SUBJECTS.get(code, code)) for code in sorted(asked.second))
        all_of = asked.mode == "ALL_OF"
        said.append(_("and %(subjects)s", subjects=named) if all_of else _("and one of %(subjects)s", subjects=named))
    return _(", ").join(said)


def columns(
    spec: BatchSpec,
    content: Mapping[str, Any],
    whole: Slice,
    verdict: Verdict | None = None,
    changes: Sequence[Difference] = (),
) -> list[ShownColumn]:
    """Every column of the batch with the list `content`, which has no gaps, filled in."""
    filled = from_content(content).columns
    findings = [*verdict.errors, *verdict.warnings] if verdict else []
    return [
        _column(
            each,
            filled.get(each.code, ColumnChoices()),
            whole,
            [finding for finding in findings if finding.column == each.code],
            [change for change in changes if change.column == each.code],
        )
        for each in spec.columns
    ]


def _column(
    spec: ColumnSpec,
    choices: ColumnChoices,
    whole: Slice,
    findings: Sequence[Finding],
    changes: Sequence[Difference],
) -> ShownColumn:
    rows: list[Row] = []
    for number, choice in choices.filled():
        entry = whole.entry(spec.code, choice.institution, choice.group)
        here = [finding for finding in findings if finding.slot == number]
        rows.append(
            Row(
                index=len(rows),
                choice=choice,
                entry=entry,
                majors=tuple(_major(code, entry) for code in choice.majors),
                errors=_said(here, "error"),
                warnings=_said(here, "warning"),
                marks=tuple(_mark(change) for change in changes if change.new_slot == number),
                broken=frozenset(finding.rule for finding in here if finding.level == "error"),
            )
        )
    common = [finding for finding in findings if finding.slot is None]
    return ShownColumn(
        spec=spec,
        rows=tuple(rows),
        institution_adjust=choices.institution_adjust,
        directed_adjust=choices.directed_adjust,
        errors=_said(common, "error"),
        warnings=_said(common, "warning"),
        marks=tuple(_mark(change) for change in changes if change.choice is None),
    )


def _said(findings: Iterable[Finding], level: str) -> tuple[str, ...]:
    return tuple(finding.text(_) for finding in findings if finding.level == level)


def _major(code: str, entry: Entry | None) -> ShownMajor:
    if entry is None:
        return ShownMajor(code, "")
    offered = entry.offer.majors.get(code)
    if offered is None:
        return ShownMajor(code, _("not in this year’s plan"))
    return ShownMajor(code, offered.name, offered.tuition, offered.remark)


def shut_reason(column: ColumnSpec, facts: Facts, spec: BatchSpec) -> str:
    """Why the candidate cannot fill a column, in words; "" when nothing on record forbids it."""
    for rule in column.eligibility:
        if rule.policy == "block" and not rule.per_offer:
            reason = unmet(rule, facts, None, spec)
            if reason is not None:
                return phrase(reason.message, {"place": column.name, **reason.params}, _)
    return ""


# --- what changed ------------------------------------------------------------------------------------


def _mark(change: Difference) -> str:
    """What changed, to stand at the row it concerns."""
    words = {
        "added": _("New"),
        "moved": _("Moved, was no. %(number)s", number=change.old_slot),
        "shifted": _("Now further along, was no. %(number)s", number=change.old_slot),
        "majors": _("Majors changed, were %(majors)s", majors=_codes(change.old)),
        "major_adjust": _("Answer to adjustment of majors changed, was: %(answer)s", answer=answered(change.old)),
        "institution_adjust": _(
            "Adjustment to other institutions changed, was: %(answer)s", answer=answered(change.old)
        ),
        "directed_adjust": _("Adjustment to directed plans changed, was: %(answer)s", answer=answered(change.old)),
    }
    return words.get(change.kind, "")


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the list of changes; `kind` as `diff()` of macros/preferences.html has it.

    `column` is the name of the column it is in, "" in a batch of one column.
    """

    kind: str
    text: str
    column: str
    was: int | None = None
    now: int | None = None


def changes(spec: BatchSpec, found: Sequence[Difference], whole: Slice) -> list[Change]:
    """The changes in the order of the batch's columns, those of mere numbering left out."""
    order = [column.code for column in spec.columns]
    shown = [each for each in found if each.kind != "shifted" and each.column in order]
    shown.sort(key=lambda each: order.index(each.column))
    several = len(order) > 1
    return [_change(each, whole, _column_name(spec, each.column) if several else "") for each in shown]


def _column_name(spec: BatchSpec, code: str) -> str:
    column = spec.column(code)
    return column.name if column else code


def _change(found: Difference, whole: Slice, column: str) -> Change:
    label = _label(found, whole)
    if found.kind in {"added", "removed"}:
        number = found.new_slot if found.kind == "added" else found.old_slot
        return Change(found.kind, _("no. %(number)s, %(label)s", number=number, label=label), column)
    if found.kind == "moved":
        return Change("moved", label, column, found.old_slot, found.new_slot)
    if found.kind == "majors":
        old, new = _codes(found.old), _codes(found.new)
        return Change("altered", _("%(label)s: majors %(old)s become %(new)s", label=label, old=old, new=new), column)
    return Change("altered", _answer_change(found, label), column)


def _answer_change(found: Difference, label: str) -> str:
    old, new = answered(found.old), answered(found.new)
    if found.kind == "institution_adjust":
        return _("Adjustment to other institutions: %(old)s becomes %(new)s", old=old, new=new)
    if found.kind == "directed_adjust":
        return _("Adjustment to directed plans: %(old)s becomes %(new)s", old=old, new=new)
    return _("%(label)s: adjustment of majors, %(old)s becomes %(new)s", label=label, old=old, new=new)


def _label(found: Difference, whole: Slice) -> str:
    if found.choice is None:
        return ""
    offer = whole.find(found.column, found.choice.institution, found.choice.group)
    return offer.label if offer else found.choice.code


def _codes(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) and value else _("none")


def answered(value: object) -> str:
    """An answer to adjustment in a word."""
    if value is None:
        return _("not answered")
    return _("accepted") if value else _("not accepted")
