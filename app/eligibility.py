"""Whether a candidate meets the conditions a column, an institution or a group sets (rule F11, line F10).

Each condition of `specs.RULES` is one small function in `_CHECKS`, from facts to a reason or None. What is
not known (no score yet, no line for this class, no tag on the offer) is never held against the candidate.

Qualifications are words granted by decisions of offices, each with a kind before the colon: `special_plan:
NATIONAL`, `check:政治考核`, `qualification:公费师范资格审核`, `list:自主招生入选名单`, `exam:art_provincial`,
`exam:art_school`, `exam:pe_provincial`, `ethnic_preference:E1`, `vocational:农学`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, NamedTuple

from app.offers import Offer
from app.specs import LINE_OF_OFFER, BatchSpec, EligibilityRule
from app.wording import N_, Param, Term

HAN: Final = "01"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules need to know of a candidate.

    Subjects as in the catalogue ("PHY", "CHE"), codes as in `config/codes.yaml`, counties of six digits.
    """

    subject_class: str
    first_subject: str | None
    second_subjects: frozenset[str]
    score: int | None
    birth_date: date
    sex: Literal["1", "2"]
    ethnicity: str
    language: str
    hukou_county: str
    registration_county: str
    qualifications: frozenset[str] = frozenset()
    restrictions: frozenset[str] = frozenset()
    admitted: bool = False


class Reason(NamedTuple):
    """Why a condition is not met: a msgid with a place for `place`, and its other parameters."""

    message: str
    params: Mapping[str, Param]


class _Case(NamedTuple):
    rule: EligibilityRule
    facts: Facts
    offer: Offer | None
    spec: BatchSpec


def unmet(rule: EligibilityRule, facts: Facts, offer: Offer | None, spec: BatchSpec) -> Reason | None:
    """Say why `facts` do not meet `rule`, or None. `offer` is given for rules asked per offer."""
    if rule.tag and (offer is None or (rule.tag not in offer.tags and rule.tag != offer.nature)):
        return None
    return _CHECKS[rule.rule](_Case(rule, facts, offer, spec))


_NO_GRANT: Final = N_(
    "%(place)s is only for candidates granted the %(plan)s, and you have no such grant on record."
    " Remove it, or ask your county office before the batch closes."
)
_NOT_ON_LIST: Final = N_(
    "%(place)s is only for candidates on the list “%(names)s”, and you are not on it."
    " Remove it, or ask your county office before the batch closes."
)
_NOT_ON_RECORD: Final = N_(
    "%(place)s asks for “%(names)s”, and we have no record that you passed."
    " Keep it only if you know that you did; if unsure, ask your registration point."
)
_ON_NO_LIST: Final = N_(
    "%(place)s is only for candidates on a published list, and we have no record that you are on one."
    " Keep it only if you know that you are; if unsure, ask your registration point."
)
_NO_EXAM: Final = N_(
    "%(place)s is only for candidates who passed the %(exam)s, and you have no pass on record."
    " Remove it, or ask your county office before the batch closes."
)
_MINORITIES: Final = N_(
    "%(place)s is only for candidates of minority ethnicity, and you are registered as Han."
    " Remove it; if the registration is wrong, tell your county office."
)
_NO_PREFERENCE: Final = N_(
    "%(place)s is only for candidates granted an ethnic preference, and you have no such grant on record."
    " Remove it, or ask your county office before the batch closes."
)
_OTHER_COUNTY: Final = N_(
    "%(place)s is only for candidates who registered for the exam in the county of their household"
    " registration, and yours differ. Remove it."
)
_TIED: Final = N_(
    "%(place)s is tied to the home county %(county)s, and your household registration is elsewhere."
    " Choose the plan of your own county."
)
_TOO_OLD: Final = N_(
    "%(place)s takes candidates of at most %(age)s years on 31 August %(year)s, and you will be older."
    " Read its admission rules before you keep it."
)
_OTHER_CATEGORY: Final = N_(
    "%(place)s takes the vocational category %(category)s, which is not yours. Choose one of your own."
)
_ADMITTED: Final = N_(
    "You have already been admitted, so %(place)s is closed to you."
    " If you have not been admitted, tell your county office."
)
_BELOW: Final = N_(
    "Your score %(score)s is below the line “%(line)s” of %(points)s for %(place)s."
    " You may file, but you will hardly be placed unless the line is lowered."
)
_BELOW_CLOSED: Final = N_(
    "Your score %(score)s is below the line “%(line)s” of %(points)s, so %(place)s is closed to you. Remove it."
)

_PLANS: Final = {
    "NATIONAL": Term(N_("national special plan")),
    "LOCAL": Term(N_("local special plan")),
    "UNIVERSITY": Term(N_("university special plan")),
}
_EXAMS: Final = {
    "art_exam": (Term(N_("art exam")), ("exam:art_provincial", "exam:art_school")),
    "art_school_exam": (Term(N_("art exam of an institution")), ("exam:art_school",)),
    "art_provincial_exam": (Term(N_("provincial art exam")), ("exam:art_provincial",)),
    "pe_exam": (Term(N_("provincial PE exam")), ("exam:pe_provincial",)),
    "pe_provincial_exam": (Term(N_("provincial PE exam")), ("exam:pe_provincial",)),
    "art_or_pe_exam": (
        Term(N_("art or PE exam")),
        ("exam:art_provincial", "exam:art_school", "exam:pe_provincial"),
    ),
}


def _special_plan(case: _Case) -> Reason | None:
    plan = case.rule.plan
    if f"special_plan:{plan}" in case.facts.qualifications:
        return None
    return Reason(_NO_GRANT, {"plan": _PLANS.get(plan, plan)})


def _exam(case: _Case) -> Reason | None:
    name, passes = _EXAMS[case.rule.rule]
    if not case.facts.qualifications.isdisjoint(passes):
        return None
    return Reason(_NO_EXAM, {"exam": name})


def _on_record(facts: Facts, name: str) -> bool:
    held = facts.qualifications
    return f"check:{name}" in held or f"qualification:{name}" in held or f"list:{name}" in held


def _missing(case: _Case, names: tuple[str, ...]) -> Reason:
    message = _NOT_ON_LIST if case.rule.policy == "block" else _NOT_ON_RECORD
    return Reason(message, {"names": ", ".join(names)})


def _named(case: _Case) -> Reason | None:
    """A check, a qualification, a published list: being on record under that name."""
    names = case.rule.names
    lacking = tuple(name for name in names if not _on_record(case.facts, name))
    return _missing(case, lacking) if lacking else None


def _published_list(case: _Case) -> Reason | None:
    if case.rule.names:
        return _named(case)
    # no list is named where a column holds several kinds: being on any of them is all that can be asked
    if any(each.startswith("list:") for each in case.facts.qualifications):
        return None
    return Reason(_ON_NO_LIST, {})


def _of_offer(case: _Case) -> Reason | None:
    """Checks that depend on the institution: those its tags name, else any one of the rule's kinds."""
    needed = case.offer.valued("NEEDS") if case.offer else ()
    if needed:
        lacking = tuple(name for name in needed if not _on_record(case.facts, name))
        return _missing(case, lacking) if lacking else None
    kinds = case.rule.kinds
    if not kinds or any(_on_record(case.facts, kind) for kind in kinds):
        return None
    return _missing(case, kinds)


def _ethnicity_not(case: _Case) -> Reason | None:
    return Reason(_MINORITIES, {}) if case.facts.ethnicity == str(case.rule.value or HAN) else None


def _ethnic_preference(case: _Case) -> Reason | None:
    granted = any(each.startswith("ethnic_preference:") for each in case.facts.qualifications)
    return None if granted else Reason(_NO_PREFERENCE, {})


def _registered_at_home(case: _Case) -> Reason | None:
    at_home = case.facts.hukou_county == case.facts.registration_county
    return None if at_home else Reason(_OTHER_COUNTY, {})


def _county_match(case: _Case) -> Reason | None:
    counties = case.offer.valued("COUNTY") if case.offer else ()
    if not counties or case.facts.hukou_county in counties:
        return None
    return Reason(_TIED, {"county": ", ".join(counties)})


def _vocational(case: _Case) -> Reason | None:
    categories = case.offer.valued("VOCATIONAL") if case.offer else ()
    if not categories or any(f"vocational:{each}" in case.facts.qualifications for each in categories):
        return None
    return Reason(_OTHER_CATEGORY, {"category": ", ".join(categories)})


def _age_max(case: _Case) -> Reason | None:
    """Age on 31 August of the exam year, the day military institutions count from (own knowledge, high)."""
    limit, birth, year = int(case.rule.value), case.facts.birth_date, case.spec.year
    age = year - birth.year - ((birth.month, birth.day) > (8, 31))
    return Reason(_TOO_OLD, {"age": limit, "year": year}) if age > limit else None


def _not_yet_admitted(case: _Case) -> Reason | None:
    return Reason(_ADMITTED, {}) if case.facts.admitted else None


def _score_line(case: _Case) -> Reason | None:
    line = case.rule.line
    if line == LINE_OF_OFFER:
        line = next(iter(case.offer.valued("LINE")), "") if case.offer else ""
    points = case.spec.score_lines.get(line, {}).get(case.facts.subject_class)
    score = case.facts.score
    if points is None or score is None or score >= points - case.rule.below:
        return None
    message = _BELOW_CLOSED if case.rule.policy == "block" else _BELOW
    return Reason(message, {"score": score, "points": points, "line": case.spec.line_names.get(line, line)})


def _anybody(_case: _Case) -> Reason | None:
    return None


_CHECKS: Final[Mapping[str, Callable[[_Case], Reason | None]]] = {
    "special_plan": _special_plan,
    **dict.fromkeys(_EXAMS, _exam),
    **dict.fromkeys(("check", "check_passed", "qualification"), _named),
    "published_list": _published_list,
    **dict.fromkeys(("per_institution_checks", "per_kind_qualification"), _of_offer),
    "ethnicity_not": _ethnicity_not,
    **dict.fromkeys(("ethnic_preference_any", "ethnic_qualification"), _ethnic_preference),
    "registered_in_hukou_county": _registered_at_home,
    "county_match": _county_match,
    "vocational_category_match": _vocational,
    "age_max": _age_max,
    "not_yet_admitted": _not_yet_admitted,
    **dict.fromkeys(("score_line", "score_line_or_within"), _score_line),
    "fresh_or_repeat": _anybody,
}
