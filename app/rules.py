"""Is this preference list allowed? Errors block it, warnings inform. Pure: no clock, no database, no I/O.

The rules, by the ids of the calendars (F: columns of institutions, G: columns of groups), and ours (P):

    F1  G1   one institution, or group, twice in a column         error
    F2       one major twice in a slot                            error
    F3  G2   not in this year's catalogue for this column         error
         G3  subjects the candidate did not take                  error (policy `subject_requirement`)
    F4  G4   columns that exclude each other are both filled      error
    F5       a gap before a filled slot                           warning or error (`gap_policy`)
    F6       no major, and other majors refused                   error
    F7  G5   other majors refused                                 warning
    F8  G6   fewer slots used than offered                        warning
    F9  G7   a code of the physical exam touches a major          warning
    F10      below the score line                                 warning (policy `score_line`)
    F11 G8   a condition on candidates is not met                 error or warning (policy of the rule)
    F12 G7   language, sex, or a remark in the plan               warning
    P1       adjustment of majors not answered yes or no          error
    P2       nothing chosen at all; a waiver is filed differently error
    P3       a non-parallel institution not in the first slot     error
    P4       the batch is not for this subject class              error
    P5       a box ticked in a column without an institution      error
    P6       a no that agreeing to other institutions overrides   warning
    P7       more than the column takes, or a box it has not      error

A calendar's `form_rules` may raise the warnings F7-F9, F12, G5-G7 to errors.

This module is the door: what `choices`, `differences`, `eligibility` and `offers` hold can be had here.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from app.choices import Choice, ColumnChoices, Preferences, compact, from_content, parse, to_content
from app.differences import Difference, differences
from app.eligibility import Facts, unmet
from app.findings import ColumnNotes, Finding, Notes, Verdict
from app.offers import NON_PARALLEL, Catalogue, Major, Offer, Requirement
from app.specs import BatchSpec
from app.wording import N_, Param, Term, Terms

__all__ = [
    "Catalogue",
    "Choice",
    "ColumnChoices",
    "Difference",
    "Facts",
    "Finding",
    "Major",
    "Offer",
    "Preferences",
    "Requirement",
    "Verdict",
    "compact",
    "differences",
    "from_content",
    "judge",
    "parse",
    "to_content",
    "widen",
]

_Offers = Mapping[tuple[str, str | None], Offer | None]

#: codes of the physical exam that carry others with them, as colour blindness does colour weakness (section
#: 2, items 2 and 3, and section 3, items 2 and 3, of the ministry's guideline of 2003)
_INCLUDED: Final[Mapping[str, frozenset[str]]] = {
    "22": frozenset({"21"}),
    "23": frozenset({"21", "22"}),
    "32": frozenset({"31"}),
    "33": frozenset({"31"}),
}

_SUBJECTS: Final = {
    "PHY": Term(N_("physics")),
    "HIS": Term(N_("history")),
    "CHE": Term(N_("chemistry")),
    "BIO": Term(N_("biology")),
    "POL": Term(N_("politics")),
    "GEO": Term(N_("geography")),
}
_LANGUAGES: Final = {
    "1": Term(N_("English")),
    "2": Term(N_("Russian")),
    "3": Term(N_("Japanese")),
    "4": Term(N_("German")),
    "5": Term(N_("French")),
    "6": Term(N_("Spanish")),
    "9": Term(N_("another language")),
}

_NOTHING: Final = N_(
    "Nothing is chosen. Choose at least one institution;"
    " if you want to file nothing in this batch, give it up with the button for that."
)
_OTHER_CLASS: Final = N_("%(batch)s is not for your subject class. Choose a batch that is.")
_EXCLUSIVE: Final = N_(
    "%(first)s and %(second)s exclude each other, and filling both would make both void. Empty one of them."
)
_ANY_MAY_REFUSE: Final = N_(
    "Your physical exam has the code %(codes)s, with which any institution may refuse you."
    " Ask the institutions before you file."
)
_BOX_ALONE: Final = N_("%(place)s: a box is ticked, but no institution is chosen. Choose one or untick the box.")
_NO_SUCH_COLUMN: Final = N_("This batch has no column %(code)s. Open the batch again and start from there.")
_TOO_MANY: Final = N_("%(place)s takes at most %(offered)s institutions, not %(used)s. Remove some.")
_TOO_MANY_MAJORS: Final = N_("%(institution)s: at most %(offered)s majors, not %(used)s. Remove some.")
_NO_SUCH_BOX: Final = N_("%(place)s has no box of that kind. Untick it.")
_GAP: Final = N_("%(place)s: number %(number)s is empty. When you file, the later ones move up.")
_GAP_REFUSED: Final = N_("%(place)s: number %(number)s is empty. Fill it, or move the later ones up.")
_FEWER: Final = N_("%(place)s: %(used)s of %(offered)s numbers are used. You can add more.")
_TWICE: Final = N_("%(institution)s stands at number %(first)s and at number %(second)s of %(place)s. Remove one.")
_NOT_FIRST: Final = N_(
    "%(institution)s can only stand at number 1 of %(place)s. Move it there, or choose a parallel one."
)
_NO_SUCH_OFFER: Final = N_(
    "%(institution)s is not offered to you in %(place)s this year. Compare it with this year's plan, or search by name."
)
_NO_SUCH_MAJOR: Final = N_("%(institution)s does not offer a major %(major)s in %(place)s. Choose one it offers.")
_MAJOR_TWICE: Final = N_("%(institution)s: the major %(major)s stands twice. Remove one.")
_NO_MAJOR: Final = N_(
    "%(institution)s: no major is chosen and other majors are refused, so you could not be placed there."
    " Choose a major, or agree to adjustment of majors."
)
_MAJOR_NEEDED: Final = N_("%(institution)s: no major is chosen. Choose at least one.")
_UNANSWERED: Final = N_("%(institution)s: say yes or no to adjustment of majors.")
_REFUSED: Final = N_(
    "%(institution)s: you refuse adjustment of majors. If your majors are full, your file is returned"
    " and only supplementary rounds remain. Answer yes if you would take another major there."
)
_REFUSED_IN_GROUP: Final = N_(
    "%(institution)s: you refuse adjustment of majors. If your majors are full, your file is returned"
    " and only supplementary rounds remain. Answer yes if you would take another major of this group."
)
_OVERRIDDEN: Final = N_(
    "%(institution)s: your no to other majors has no effect, because you agree to be placed at other"
    " institutions of %(place)s. Untick that box if you mean no."
)
_OTHER_SUBJECT: Final = N_("%(offered)s asks for %(subjects)s as the first subject, which you did not take. Remove it.")
_NOT_ALL: Final = N_("%(offered)s asks for all of these subjects: %(subjects)s. You did not take them all. Remove it.")
_NOT_ANY: Final = N_("%(offered)s asks for one of these subjects: %(subjects)s. You took none of them. Remove it.")
_RESTRICTED: Final = N_(
    "%(institution)s, %(major)s: this major may refuse you for the code %(codes)s of your physical exam."
    " Read the institution's admission rules before you keep it."
)
_OTHER_LANGUAGE: Final = N_(
    "%(institution)s, %(major)s takes only candidates examined in %(languages)s."
    " Read the institution's admission rules before you keep it."
)
_MEN: Final = N_(
    "%(institution)s, %(major)s takes only men. Read the institution's admission rules before you keep it."
)
_WOMEN: Final = N_(
    "%(institution)s, %(major)s takes only women. Read the institution's admission rules before you keep it."
)
_REMARK: Final = N_("%(institution)s, %(major)s: the plan says “%(remark)s”. Make sure that it fits you.")


class _Slot(NamedTuple):
    """A filled slot and what the catalogue offers there; `offer` None: nothing."""

    number: int
    choice: Choice
    offer: Offer | None

    @property
    def label(self) -> str:
        """Its codes, with name and place where they are known."""
        return self.choice.code if self.offer is None else self.offer.label


def widen(restrictions: frozenset[str]) -> frozenset[str]:
    """Return the codes of a physical exam with those they carry with them."""
    return restrictions.union(*(_INCLUDED.get(code, frozenset()) for code in restrictions))


def judge(spec: BatchSpec, preferences: Preferences, facts: Facts, catalogue: Catalogue) -> Verdict:
    """Judge a list for one batch. Judge the draft with its gaps: closing them hides that they were there.

    `catalogue` is the one of the batch and of the candidate's subject class. A waiver is not judged.
    """
    found: list[Finding] = []
    notes = Notes(spec, found)
    _whole(notes, preferences, facts)
    restrictions = widen(facts.restrictions)
    for column in spec.columns:
        choices = preferences.columns.get(column.code)
        if choices is None:
            continue
        within = notes.within(column)
        slots = [
            _Slot(number, choice, catalogue.find(column.code, choice.institution, choice.group))
            for number, choice in choices.filled()
        ]
        _boxes(within, choices)
        if slots:
            _filling(within, choices, slots)
            _conditions(within, slots, facts)
        for slot in slots:
            _adjustment(within, slot, agreed=choices.institution_adjust)
            _offered(within, slot)
            if slot.offer is not None:
                _fit(within, slot, slot.offer, facts, restrictions)
    return Verdict(
        tuple(finding for finding in found if finding.level == "error"),
        tuple(finding for finding in found if finding.level == "warning"),
    )


def _whole(notes: Notes, preferences: Preferences, facts: Facts) -> None:
    """P2, P4, P7, F4, and codes of the physical exam that concern every institution (F9)."""
    spec = notes.spec
    if preferences.empty:
        notes.error("P2", _NOTHING, {})
    if facts.subject_class not in spec.subject_classes:
        notes.error("P4", _OTHER_CLASS, {"batch": spec.name})
    for code in preferences.columns:
        if spec.column(code) is None:
            notes.error("P7", _NO_SUCH_COLUMN, {"code": code})
    filled = [column for column in spec.columns if _used(preferences, column.code)]
    for index, column in enumerate(filled):
        for other in spec.excluded_by(column):
            if other in filled[index + 1 :]:
                notes.error("F4", _EXCLUSIVE, {"first": column.name, "second": other.name})
    everywhere = sorted(code for code in facts.restrictions if code.startswith("1"))
    if everywhere and filled:
        notes.warning("F9", _ANY_MAY_REFUSE, {"codes": ", ".join(everywhere)})


def _used(preferences: Preferences, column: str) -> bool:
    choices = preferences.columns.get(column)
    return choices is not None and choices.used > 0


def _boxes(notes: ColumnNotes, choices: ColumnChoices) -> None:
    """P5, P7: boxes ticked for nothing, or that are not there."""
    column = notes.column
    if not choices.used and (choices.institution_adjust or choices.directed_adjust):
        notes.error("P5", _BOX_ALONE, {})
    offered = (choices.institution_adjust <= column.institution_adjust) and (
        choices.directed_adjust <= column.directed_adjust
    )
    if not offered:
        notes.error("P7", _NO_SUCH_BOX, {})


def _filling(notes: ColumnNotes, choices: ColumnChoices, slots: list[_Slot]) -> None:
    """F5, F8, P7, F1: gaps, unused slots, too many, duplicates."""
    for number, choice in enumerate(choices.slots[: slots[-1].number], 1):
        if choice is not None:
            continue
        if notes.spec.gap_policy == "error":
            notes.error("F5", _GAP_REFUSED, {"number": number}, number)
        else:
            notes.warning("F5", _GAP, {"number": number}, number)
    offered = notes.column.slots
    if len(slots) < offered:
        notes.warning("F8", _FEWER, {"used": len(slots), "offered": offered})
    elif len(slots) > offered:
        notes.error("P7", _TOO_MANY, {"used": len(slots), "offered": offered})
    seen: dict[tuple[str, str | None], int] = {}
    for slot in slots:
        first = seen.setdefault(slot.choice.key, slot.number)
        if first != slot.number:
            where: dict[str, Param] = {"institution": slot.label, "first": first, "second": slot.number}
            notes.error("F1", _TWICE, where, slot.number)


def _conditions(notes: ColumnNotes, slots: list[_Slot], facts: Facts) -> None:
    """F10, F11: conditions on the candidate, those of the column once, those of offers at each slot."""
    for rule in notes.column.eligibility:
        known = "F10" if rule.rule.startswith("score_line") else "F11"
        write = notes.error if rule.policy == "block" else notes.warning
        if not rule.per_offer:
            reason = unmet(rule, facts, None, notes.spec)
            if reason is not None:
                write(known, reason.message, reason.params)
            continue
        for slot in slots:
            reason = unmet(rule, facts, slot.offer, notes.spec)
            if reason is not None:
                write(known, reason.message, {**reason.params, "place": slot.label}, slot.number)


def _adjustment(notes: ColumnNotes, slot: _Slot, *, agreed: bool) -> None:
    """P1, F6, F7, P6: the answer to adjustment of majors.

    Having agreed to be placed at other institutions counts as a yes (published rules of 2017).
    """
    asked = notes.column.major_adjust
    answer = slot.choice.major_adjust
    if asked and answer is None:
        notes.error("P1", _UNANSWERED, {"institution": slot.label}, slot.number)
    elif answer or agreed:
        if answer is False:
            notes.warning("P6", _OVERRIDDEN, {"institution": slot.label}, slot.number)
    elif not slot.choice.majors:
        message = _NO_MAJOR if asked else _MAJOR_NEEDED
        notes.error("F6", message, {"institution": slot.label}, slot.number)
    elif asked:
        message = _REFUSED_IN_GROUP if notes.column.unit == "GROUP" else _REFUSED
        notes.warning("F7", message, {"institution": slot.label}, slot.number)


def _offered(notes: ColumnNotes, slot: _Slot) -> None:
    """F2, F3, P7: majors named twice, what is not offered, too many majors."""
    if slot.offer is None:
        notes.error("F3", _NO_SUCH_OFFER, {"institution": slot.label}, slot.number)
    offered = {} if slot.offer is None else slot.offer.majors
    majors, most = slot.choice.majors, notes.column.majors_per_institution
    if len(majors) > most:
        excess: dict[str, Param] = {"institution": slot.label, "used": len(majors), "offered": most}
        notes.error("P7", _TOO_MANY_MAJORS, excess, slot.number)
    seen: set[str] = set()
    for position, code in enumerate(majors, 1):
        major = offered.get(code)
        if code in seen:
            label = code if major is None else major.label
            notes.error("F2", _MAJOR_TWICE, {"institution": slot.label, "major": label}, slot.number, position)
        elif major is None and slot.offer is not None:
            notes.error("F3", _NO_SUCH_MAJOR, {"institution": slot.label, "major": code}, slot.number, position)
        seen.add(code)


def _fit(notes: ColumnNotes, slot: _Slot, offer: Offer, facts: Facts, restrictions: frozenset[str]) -> None:
    """P3, G3, F9, F12: whether the offer and its majors fit this slot and this candidate."""
    if notes.column.mode == "MIXED_FIRST" and slot.number > 1 and NON_PARALLEL in offer.tags:
        notes.error("P3", _NOT_FIRST, {"institution": offer.label}, slot.number)
    _subjects(notes, offer.requirement, facts, offer.label, (slot.number, None))
    for position, code in enumerate(slot.choice.majors, 1):
        major = offer.majors.get(code)
        if major is None:
            continue
        if major.requirement is not None:
            label = f"{offer.label}, {major.label}"
            _subjects(notes, major.requirement, facts, label, (slot.number, position))
        if not restrictions.isdisjoint(major.restricted):
            codes = ", ".join(sorted(restrictions & major.restricted))
            params = {"institution": offer.label, "major": major.label, "codes": codes}
            notes.warning("F9", _RESTRICTED, params, slot.number, position)
        if major.languages or major.sex or major.remark:
            _limits(notes, major, facts, offer.label, (slot.number, position))


def _limits(notes: ColumnNotes, major: Major, facts: Facts, institution: str, at: tuple[int, int]) -> None:
    """F12: language, sex, and what else the plan remarks."""
    params: dict[str, Param] = {"institution": institution, "major": major.label}
    if major.languages and facts.language not in major.languages:
        languages = Terms(_LANGUAGES.get(code, Term(code)) for code in sorted(major.languages))
        notes.warning("F12", _OTHER_LANGUAGE, {**params, "languages": languages}, *at)
    if major.sex and major.sex != facts.sex:
        notes.warning("F12", _MEN if major.sex == "1" else _WOMEN, params, *at)
    if major.remark:
        notes.warning("F12", _REMARK, {**params, "remark": major.remark}, *at)


def _subjects(notes: ColumnNotes, asked: Requirement, facts: Facts, offered: str, at: tuple[int, int | None]) -> None:
    """G3: the first and the second subjects asked for."""
    if asked.met_by(facts.first_subject, facts.second_subjects):
        return
    if asked.first in {"PHY", "HIS"} and asked.first != facts.first_subject:
        message, subjects = _OTHER_SUBJECT, Terms((_SUBJECTS[asked.first],))
    else:
        message = _NOT_ALL if asked.mode == "ALL_OF" else _NOT_ANY
        subjects = Terms(_SUBJECTS.get(code, Term(code)) for code in sorted(asked.second))
    write = notes.error if notes.spec.subject_requirement == "block" else notes.warning
    write("G3", message, {"offered": offered, "subjects": subjects}, *at)
