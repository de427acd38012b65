"""The papers of custody: a transfer's protocol, a class's sheet to sign, a two-person act's protocol."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from flask import Response

from admin.deeds import KINDS
from admin.proposals import Facts, Proposed, at, moment_in
from admin.register import Registered
from admin.schedule import Act, Outcome
from admin.transfers import Boxed, Sent, State
from app import printing
from app.pages.papers import service_name
from app.printing import Protocol, Sheet, SheetColumn
from app.web.formats import full_moment, moment, span
from app.web.languages import gettext as _
from app.web.languages import language
from app.web.portal import services
from app.wording import N_
from cards.serials import grouped

BOX_STATES: dict[State, str] = {
    "sent": N_("on the way"),
    "differs": N_("differs"),
    "arrived": N_("arrived"),
    "settled": N_("difference settled"),
}


def of_transfer(sent: Sent, now: datetime) -> Response:
    """Which boxes, what they hold, what the receiver found."""
    rows = [
        [str(box.number), box.span.words, f"{box.cards:,}", _(BOX_STATES[box.state]), _checked(box)]
        for box in sent.boxes
    ]
    columns = [_("Box"), _("Serials"), _("Cards"), _("State"), _("Counted by")]
    facts = [
        (_("From"), sent.giver),
        (_("To"), sent.receiver),
        (_("Sent"), f"{full_moment(sent.sent_at)}, {sent.sender}"),
        (_("Cards"), f"{sent.cards:,}"),
        *([(_("Remark"), sent.note)] if sent.note else []),
    ]
    sheet = Sheet("", [SheetColumn(name, wide=name == columns[1]) for name in columns], rows)
    title = _("Hand-over of card boxes no. %(number)s", number=sent.id)
    signers = [_("Given by"), _("Received by")]
    return _answer(title, facts, [sheet], signers, now, f"transfer-{sent.id}.pdf")


def _checked(box: Boxed) -> str:
    return f"{box.checker}\n{moment(box.checked_at)}" if box.checker else ""


def of_classes(point: str, people: Sequence[Registered], now: datetime) -> Response:
    """The sheets classes sign: a line for each candidate, with the card they hold if they have one."""
    names = [_("Name"), _("Candidate no."), _("Serial"), _("Handed"), _("Film intact"), _("Signature")]
    columns = [SheetColumn(name, wide=name == names[-1]) for name in names]
    by_class: dict[str, list[list[str]]] = {}
    for one in people:
        serial = grouped(one.serial) if one.serial else ""
        line = [one.name, one.masked_no, serial, moment(one.handed_at), "□", ""]
        by_class.setdefault(one.class_no, []).append(line)
    sheets = [
        Sheet(_("Class %(class_no)s: %(count)s", class_no=class_no, count=len(rows)), columns, rows, roomy=True)
        for class_no, rows in by_class.items()
    ]
    facts = [(_("Registration point"), point), (_("Candidates"), str(len(people)))]
    words = _("Sign only for a card in your own hand whose film is whole. Nobody else may keep it for you.")
    signers = [_("Class teacher"), _("Officer")]
    return _answer(_("Cards handed out: list to sign"), facts, sheets, signers, now, "cards-to-sign.pdf", words)


def of_act(act: Proposed, followed: Act | None) -> Response:
    """What two officers did together, or would not; `followed`: what has become of one that waits."""
    facts = [
        (_("Office"), act.office_name),
        (_("Facts as of"), full_moment(act.proposed_at)),
        *said(act.facts),
        (_("Reason"), act.reason),
        (_("Proposed by"), f"{act.proposer}, {full_moment(act.proposed_at)}"),
        *([(_("Decided by"), f"{act.decider}, {full_moment(act.decided_at)}")] if act.decider else []),
        (_("Decision"), decision(act, followed)[1]),
        *said(outcome(act, followed)),
    ]
    title = _("Protocol: %(act)s", act=_(KINDS[act.kind].title))
    return _answer(title, facts, [], [_("First officer"), _("Second officer")], act.now, f"act-{act.id}.pdf")


#: the colour of an act, and how it reads
DECISIONS: Final[Mapping[str, tuple[str, str]]] = {
    "open": ("to_do", N_("waits for a second officer")),
    "approved": ("done", N_("approved and done")),
    "refused": ("returned", N_("refused")),
    "withdrawn": ("closed", N_("withdrawn")),
    "expired": ("closed", N_("expired, nothing was done")),
}
#: the same of one that waits once it is approved
FOLLOWED: Final[Mapping[Outcome | None, tuple[str, str]]] = {
    None: ("to_do", N_("approved, waits to take effect")),
    "done": ("done", N_("approved and done")),
    "cancelled": ("closed", N_("approved, then cancelled, nothing was done")),
    "overtaken": ("returned", N_("approved, then overtaken, nothing was done")),
}


def decision(act: Proposed, followed: Act | None) -> tuple[str, str]:
    """The colour of an act, and whether it waits or what became of it, in words."""
    if followed is None and act.state == "approved" and KINDS[act.kind].waits:  # with its batch it has gone
        return "closed", _("approved")
    colour, words = FOLLOWED[followed.outcome] if followed else DECISIONS[act.state]
    return colour, _(words)


def outcome(act: Proposed, followed: Act | None) -> Facts:
    """What an approval did; of an act that waits, when it takes effect or what has become of it."""
    if followed is None:
        return act.outcome or []
    settled = at(followed.settled_at)
    if followed.outcome is None:
        return [(N_("Takes effect"), at(followed.effective_at))]
    if followed.outcome == "cancelled":
        return [(N_("Cancelled"), settled), (N_("Cancelled by"), followed.canceller or "")]
    if followed.outcome == "overtaken":
        return [(N_("Overtaken"), settled), (N_("What has overtaken it"), followed.why)]
    moved = [(N_("Moved from"), at(followed.was)), (N_("Moved to"), at(followed.became))]
    return [(N_("Done at"), settled), *(moved if followed.was else [])]


def said(facts: Facts, now: datetime | None = None) -> list[tuple[str, str]]:
    """Facts in the reader's language; a value that is a word of ours is translated, too.

    With `now` a moment is followed by how far off it is.
    """
    return [(_(name), _said(value, now)) for name, value in facts]


def _said(value: str, now: datetime | None) -> str:
    when = moment_in(value)
    if when is None:
        return str(_(value)) if value else ""
    if now is None:
        return full_moment(when)
    seconds = int((when - now).total_seconds())
    far = _("in %(time)s", time=span(seconds)) if seconds > 0 else _("%(time)s ago", time=span(-seconds))
    return f"{full_moment(when)}\n{far}"


def _answer(  # noqa: PLR0913, PLR0917 -- one for each part of a protocol
    title: str,
    facts: Sequence[tuple[str, str]],
    sheets: Sequence[Sheet],
    signers: Sequence[str],
    now: datetime,
    name: str,
    words: str = "",
) -> Response:
    site = services().settings.site
    pdf = printing.protocol(
        Protocol(
            title=title,
            facts=facts,
            sheets=sheets,
            signers=signers,
            words={
                "service": service_name(f"{site.province} {_('Preference filing: offices')}"),
                "footer": _("Printed %(when)s", when=full_moment(now)),
                "notice": words,
                "date": _("Date"),
            },
            stamp=now,
            language="zh" if language() == "zh_Hans" else "en",
        )
    )
    made = Response(pdf, mimetype="application/pdf")
    made.headers["Content-Disposition"] = f'inline; filename="{name}"'
    return made
