"""An entry of the audit as a line to read: who, about whom, and its details one by one, with names for ids."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from admin.alerts import KINDS as ALERT_KINDS
from admin.auditing import OFFICES, Names, Shown
from admin.chase import OUTCOMES
from admin.completeness import STAGES
from admin.deeds import KINDS as DEED_KINDS
from admin.officers import ROLE_NAMES
from admin.pages import protocols
from admin.pages.alert_words import STATE_WORDS
from admin.pages.alert_words import WORDS as ALERT_WORDS
from admin.pages.audit_words import ACTORS, ACTS, words_of
from app.web.formats import device, digest, full_moment
from app.web.languages import gettext as _
from app.wording import N_, SEPARATOR
from cards.serials import grouped

#: acts of somebody who typed an officer's login and has not shown to be that officer
UNPROVEN: Final = frozenset({"officer.sign_in_refused", "officer.vouching_refused"})
#: what a detail is called; one that is not here is shown by its own name
KEYS: Final[dict[str, str]] = {
    "account": N_("Account no."),
    "after": N_("Afterwards"),
    "alert": N_("Alert no."),
    "answer": N_("Answer"),
    "asked": N_("Asked for"),
    "batch": N_("Batch"),
    "batches": N_("Batches"),
    "before": N_("Before"),
    "box": N_("Box"),
    "by": N_("Done by"),
    "cards": N_("Cards"),
    "checkpoint": N_("Checkpoint no."),
    "class_no": N_("Class"),
    "closes_at": N_("Ends"),
    "clock": N_("The clock showed"),
    "count": N_("Number"),
    "counted": N_("Count found"),
    "device": N_("Device"),
    "digest": N_("Digest"),
    "document": N_("Number of the decision"),
    "document_sha256": N_("SHA-256 of its scan"),
    "drafts": N_("Drafts that wait"),
    "endpoint": N_("Page"),
    "entries": N_("Entries"),
    "extra": N_("Surplus"),
    "file": N_("File"),
    "from": N_("Before"),
    "honey": N_("Honey cards"),
    "kept": N_("Count until then"),
    "key_version": N_("Key version"),
    "kind": N_("Kind"),
    "left_out": N_("Rows left out"),
    "like": N_("Made like"),
    "loaded": N_("Rows loaded"),
    "login": N_("Login or name of an officer"),
    "log": N_("Log"),
    "logins": N_("Officers"),
    "lot": N_("Lot"),
    "manifest": N_("Manifest"),
    "missing": N_("Missing"),
    "most": N_("At most a day"),
    "name": N_("Name of the room"),
    "namesake": N_("Login of somebody of the same name"),
    "network": N_("Network address"),
    "note": N_("What was noted"),
    "nothing": N_("Nothing filed"),
    "number": N_("Candidate no."),
    "office": N_("Office"),
    "officers": N_("Officers"),
    "only": N_("Act"),
    "opens_at": N_("Opens"),
    "outcome": N_("Outcome"),
    "page": N_("Entries from"),
    "people": N_("Candidates"),
    "point": N_("Registration point"),
    "proposal": N_("Two-person act no."),
    "proposed_by": N_("Proposed by"),
    "public": N_("Public key"),
    "purpose": N_("For"),
    "reason": N_("Reason"),
    "recipient": N_("Recipient"),
    "replaced": N_("Card until now"),
    "role": N_("Role"),
    "room": N_("Room no."),
    "root": N_("Root"),
    "rows": N_("Rows"),
    "seal": N_("Seal no."),
    "serial": N_("Serial"),
    "settled": N_("Settled as"),
    "sha256": N_("SHA-256 of the file"),
    "since": N_("Since"),
    "spans": N_("Serials"),
    "state": N_("State"),
    "status": N_("Status of the answer"),
    "step": N_("Before the close"),
    "subject": N_("About"),
    "thinned": N_("Rows let go"),
    "to": N_("To"),
    "transfer": N_("Transfer no."),
    "tries": N_("Wrong tries"),
    "until": N_("Until"),
    "was": N_("Reason until then"),
    "why": N_("Refused because"),
    "witness": N_("Witness"),
    "within": N_("Code of an office"),
    "year": N_("Year"),
}
#: codes of reasons; where the reason is a msgid itself, it speaks for itself
_REASONS: Final[dict[str, str]] = {
    "nobody": N_("no candidate of the office has this number"),
    "tail": N_("the identity number did not fit"),
    "holds": N_("the candidate has a card already"),
    "card": N_("the card is not in the office’s stock"),
    "none": N_("there is no card to replace"),
    "limit": N_("too many cards replaced that day"),
}
#: the key of a question that has been answered: nobody needs it, and nobody should have it
_HIDDEN: Final = frozenset({"challenge"})
_PAIR: Final = 2
_STAGES: Final = {stage.code: stage.name for stage in STAGES}
#: details that are one of few words, and those words
_WORDS: Final[dict[str, Mapping[Any, str]]] = {
    "asked": {**KEYS, "act": KEYS["proposal"], "candidate": N_("Candidate, internal no.")},
    "by": ACTORS,
    "counted": _STAGES,
    "kept": _STAGES,
    "kind": {
        "list": N_("List"),
        "waiver": N_("Waiver"),
        **{kind: ALERT_WORDS[kind].title for kind in ALERT_KINDS},
        **{kind.name: kind.title for kind in DEED_KINDS.values()},
    },
    "only": ACTS,
    "purpose": {"phone": N_("Phone number for messages")},
    "role": ROLE_NAMES,
    "settled": {"found": N_("Found"), "void": N_("Void")},
    "state": {
        **{state: words for state, (_colour, words) in STATE_WORDS.items()},
        **_STAGES,
        "standing": N_("Not closed"),
        "all": N_("All"),
    },
    "was": {"lost": N_("Card reported lost"), "not_me": N_("Reported that somebody else was in the account")},
}


def who(one: Shown) -> str:
    """Who did it."""
    if one.actor == "officer" and one.act not in UNPROVEN:
        return f"{_officer(one)}, {one.office or ''}".rstrip(", ")
    return {
        "candidate": _("The candidate"),
        "command": _("Command on the server"),
    }.get(one.actor, _("Somebody who has not signed in"))


def about(one: Shown) -> str:
    """To whom: a candidate, or the officer whom a command or a stranger named."""
    if one.candidate_no:
        return f"{one.candidate} {one.masked_no}"
    if one.candidate_id is not None:
        return _("A candidate of another office")
    named = one.officer_id is not None and (one.actor != "officer" or one.act in UNPROVEN)
    return _officer(one) if named else ""


def _officer(one: Shown) -> str:
    return f"{one.officer} ({one.login})" if one.login else f"{one.officer_id}"


def what(one: Shown) -> str:
    """The act in words."""
    return _(words_of(one.act))


def details(detail: Mapping[str, Any], names: Names, office: str | None = None) -> Iterator[tuple[str, str]]:
    """Each detail in words: what it is called and what it says. The office that stands with the officer is left out."""
    for key, value in detail.items():
        said = _said(key, value, names)
        if said and key not in _HIDDEN and not (key == "office" and said == office):
            yield _called(key, value), said


def _called(key: str, value: Any) -> str:
    if key == "number" and isinstance(value, int):
        return _("Version")  # of a filing; elsewhere a candidate's number
    if key == "to" and not isinstance(value, int):
        return _("Afterwards")  # a moment; elsewhere an office
    return _(KEYS.get(key, key))


def _said(key: str, value: Any, names: Names) -> str:
    if value is None or value == "":
        return ""
    if key in OFFICES and isinstance(value, int):
        return names.offices.get(value, str(value))
    if key in _READERS:
        return _READERS[key](value, names)
    return _plain(value, _WORDS.get(key, {}))


def _plain(value: Any, words: Mapping[Any, str]) -> str:
    if isinstance(value, Mapping):
        return _(SEPARATOR).join(f"{_(words.get(name, name))} {_plain(one, words)}" for name, one in value.items())
    if isinstance(value, list) and all(isinstance(one, list) and len(one) == _PAIR for one in value):
        return _plain(dict(value), words)
    if isinstance(value, list):
        return _(SEPARATOR).join(_plain(one, words) for one in value)
    return _(words[value]) if isinstance(value, str) and value in words else str(value)


def _outcome(value: Any, _names: Names) -> str:
    """Of a two-person act its facts, of a call one word."""
    if isinstance(value, list):
        return _(SEPARATOR).join(f"{name} {said}" for name, said in protocols.said(value))
    return _plain(value, OUTCOMES)


def _moment(value: Any, _names: Names) -> str:
    try:
        return full_moment(datetime.fromisoformat(str(value)))
    except (ValueError, OverflowError):
        return str(value)


_READERS: Final[dict[str, Callable[[Any, Names], str]]] = {
    "batch": lambda value, names: names.batches.get(value, str(value)),
    "like": lambda value, names: names.batches.get(value, str(value)),
    "why": lambda value, _names: _(_REASONS.get(value, value)),
    "proposed_by": lambda value, names: names.officers.get(value, str(value)),
    "officers": lambda value, names: _(SEPARATOR).join(names.officers.get(one, str(one)) for one in value),
    "outcome": _outcome,
    "serial": lambda value, _names: grouped(str(value)),
    "replaced": lambda value, _names: grouped(str(value)),
    "device": lambda value, _names: device(str(value)),
    "digest": lambda value, _names: digest(str(value)),
    "from": _moment,
    "to": _moment,
    "before": _moment,
    "since": _moment,
    "until": _moment,
    "opens_at": _moment,
    "closes_at": _moment,
    "clock": _moment,
    "page": _moment,
}
