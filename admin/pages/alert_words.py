"""What an alert says to whoever reads it: what was found, what it may mean, what to do; and its facts as lines."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from admin.alerts import Kind, Shown, State
from admin.deeds import KINDS
from app.web.formats import full_moment
from app.web.languages import gettext as _
from app.wording import N_


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of a kind, as msgids."""

    title: str
    means: str
    todo: str
    #: what is counted
    counted: str = N_("Candidates")


_ASK_THEM: Final = N_(
    "Call two or three of the candidates named below at the phone number of their registration, not through their"
    " teacher, and ask whether they filed themselves and still hold their cards. Where somebody did it for them, let"
    " them change the password and get a new card at the counter, and report it to the province. Where they did it"
    " themselves in a room of the school, let the school register the room, then close this alert."
)
_CARDS_BACK: Final = N_(
    "Call two or three of the candidates named below and ask whether they activated the account themselves and who"
    " has the card now. Where it was somebody else, reset the password and hand out a new card at the counter, before"
    " the first batch opens. Where a class did it together in a room of the school, let the school register the room."
)
WORDS: Final[dict[Kind, Words]] = {
    "filings_device": Words(
        N_("Many candidates filed on one device"),
        N_(
            "More candidates than friends or a family confirmed their lists in the same browser, outside registered"
            " rooms. Somebody may have collected cards and passwords and filed for them."
        ),
        _ASK_THEM,
    ),
    "filings_network": Words(
        N_("Many candidates filed from one network"),
        N_(
            "Many lists were confirmed from one address that is no registered room. It may be a school's computer"
            " room that nobody has registered, a telephone company's shared address, or somebody who files for others."
        ),
        _ASK_THEM,
    ),
    "filings_run": Words(
        N_("A class filed within seconds on one device"),
        N_(
            "Candidates of one class confirmed one right after the other in the same browser, faster than they could"
            " have signed in and read their lists. Very likely one person filed for all of them."
        ),
        _ASK_THEM,
    ),
    "activations_device": Words(
        N_("Many accounts were activated on one device"),
        N_(
            "Whoever activates an account chooses its password and sees two codes of the card. More than a family did"
            " so in the same browser: somebody may have kept the cards and activated them for the candidates."
        ),
        _CARDS_BACK,
    ),
    "activations_network": Words(
        N_("Many accounts were activated from one network"),
        N_(
            "Many accounts were activated from one address that is no registered room. It may be a school's computer"
            " room that nobody has registered, or somebody who activates cards for others."
        ),
        _CARDS_BACK,
    ),
    "activations_officer": Words(
        N_("Cards one officer handed out were activated from one network"),
        N_(
            "The cards one officer recorded as handed out were activated from one address that is no registered room."
            " They may never have reached the candidates."
        ),
        _CARDS_BACK,
    ),
    "sign_ins_device": Words(
        N_("Many accounts were signed in to on one device"),
        N_(
            "Somebody has the passwords of many candidates, or many used one computer without its room being"
            " registered. Without the cards nothing can be filed; lists can be read."
        ),
        N_(
            "Find out whose device it is: ask candidates named below where they signed in. Where passwords were"
            " collected, let the candidates change them. Where it is a room of the school, let the school register it."
        ),
    ),
    "wrong_codes": Words(
        N_("Somebody tries code after code on one account"),
        N_(
            "So many wrong codes in a day are no slips. Whoever does this knows the password and does not have the"
            " card. Nothing was filed by it, the account is not locked, and the candidate has been told."
        ),
        N_(
            "Call the candidate. If it was somebody else: let the candidate change the password, which signs everybody"
            " out. If the candidate cannot read the codes, hand out a new card at the counter."
        ),
        N_("Wrong codes"),
    ),
    "lot_wrong_codes": Words(
        N_("Cards of one lot are answered wrong far too often"),
        N_(
            "Chance alone does not explain it. Either the lot was printed badly, or somebody has part of its codes, or"
            " passwords, and is guessing."
        ),
        N_(
            "Let schools show you two cards of this lot that were answered wrong. If they are hard to read, exchange"
            " them. If they are not, call the person responsible for the cards at the province, who prepares to void"
            " the lot."
        ),
        N_("People with a wrong code"),
    ),
    "replacements": Words(
        N_("A school replaces cards far too often"),
        N_(
            "More cards were replaced in a week than elsewhere. A box may have been spoiled. Or somebody takes cards"
            " away from candidates by reporting them lost, or hands replacements to others."
        ),
        N_(
            "Ask the school for the old cards and the signed forms of the replacements, and call candidates named"
            " below: do they have the new card, and did they ask for it?"
        ),
        N_("Cards replaced"),
    ),
    "honey_card": Words(
        N_("A card that was never handed out was used"),
        N_(
            "This card lies in no box and belongs to nobody; it was made to show when somebody has seen what they"
            " should not. Whoever names it has a print file of this lot, or guesses serial numbers."
        ),
        N_(
            "Call the person responsible for the cards at the province now, at any hour. Take the lot out of use for"
            " cards not yet handed out, keep what the print works have on record, and find out from the addresses below"
            " who it was. Cards already bound go on working only with their owner's password."
        ),
        N_("Times it was used"),
    ),
    "not_activated": Words(
        N_("Cards were handed out and not activated"),
        N_(
            "The first batch is near. A candidate who has not activated the account cannot file, and would only then"
            " learn that the card was activated by somebody else, is lost or cannot be read."
        ),
        N_(
            "Let the school call the candidates named below today. Whoever cannot activate comes to the counter with"
            " the identity card. This alert closes by itself when all are done."
        ),
    ),
    "clock": Words(
        N_("The clock is in doubt, and filing is suspended"),
        N_(
            "The clock of the database has jumped or gone back. Until it is right nobody can say whether a batch is"
            " open, so nothing is accepted; candidates read why. Drafts are kept and reading goes on."
        ),
        N_(
            "Tell whoever runs the service now: compare the clock with its time sources. When it has come back, filing"
            " goes on by itself. When the time it shows now is the right one, two approvers of the province confirm"
            " it by command (watch clock-confirmed). Then decide whether a batch must end later."
        ),
        N_("Times"),
    ),
    "receipts": Words(
        N_("A filing does not prove what it should"),
        N_("A filing read again does not fit its digest, its receipt or the codes of the card: a row was changed."),
        N_(
            "Change nothing. Tell whoever runs the service and the auditor now: keep a copy of the database as it is,"
            " check everything (verify-chains), and compare with the receipt the candidate has."
        ),
        N_("Faults"),
    ),
    "sealer": Words(
        N_("Filings wait too long to be sealed"),
        N_("Filing goes on and receipts are signed, but new filings are not yet under a published seal."),
        N_("Tell whoever runs the service: look whether the sealer runs. It catches up by itself."),
        N_("Seconds behind"),
    ),
    "seal_late": Words(
        N_("A closed batch is not sealed"),
        N_(
            "Nothing is lost, and nothing can be filed any more. But until it is sealed nobody can prove that its lists"
            " stay as they were at the close, and nothing can be handed over for admission."
        ),
        N_(
            "Look under Waiting for you whether a second officer still has to decide to open it again to a candidate:"
            " until then it is not sealed. Otherwise tell whoever runs the service: seal due says what stands in the"
            " way. This alert closes by itself."
        ),
        N_("Minutes since it closed"),
    ),
    "act_late": Words(
        N_("An approved act upon a batch is not done, or nobody is told"),
        N_(
            "Two officers of the province have approved it and its time has come, but nothing has happened: the batch"
            " opens, closes or stays paused as before, or is not made. Or it is done, and no message about it has been"
            " queued."
        ),
        N_(
            "Tell whoever runs the service now: look whether the schedule’s process runs and what it writes, and do by"
            " hand what is due (schedule run). While the clock is in doubt nothing is done. If the end is near, pause"
            " the batch, which is at once: a paused batch does not close. This alert closes by itself."
        ),
        N_("Seconds late"),
    ),
    "volume": Words(
        N_("A volume is filling up"),
        N_("When it is full nothing can be filed any more."),
        N_(
            "Tell whoever runs the service: find out what grows, and delete the ballast file first if it is urgent."
            " This alert closes by itself."
        ),
        N_("Percent in use"),
    ),
    "witness_late": Words(
        N_("A witness has not cosigned for too long"),
        N_(
            "Filing and sealing go on. But checkpoints signed since then have no other office's word that nothing was"
            " changed, and a batch sealed now cannot be checked in full until the witness is back."
        ),
        N_(
            "Call the office that runs the witness: does its program run, is the network open between both? It catches"
            " up by itself, and this alert then closes by itself. Take a witness out of the settings only in writing."
        ),
        N_("Seconds without a cosignature"),
    ),
    "witness_refused": Words(
        N_("A witness refuses to cosign"),
        N_(
            "The witness holds a checkpoint that the log shown now does not go on from, or it does not know the key. If"
            " it is not a mistake in setting it up, what was filed or recorded may have been changed."
        ),
        N_(
            "Change nothing. Call the office that runs the witness on a number you know: let it keep its directory as"
            " it is, and compare its copy with the checkpoints here. Tell the auditor now. Only where a key was"
            " missing, enter it there."
        ),
        N_("Refusals"),
    ),
    "reveals": Words(
        N_("An officer asked for more full numbers than a day allows"),
        N_(
            "An officer is shown so many phone and identity numbers in full a day and no more. Whoever goes on asking"
            " may be collecting them. In the last days before a close it may also be a long list of calls."
        ),
        N_(
            "Ask the officer what the numbers were for, and call two or three of the candidates named below: did the"
            " officer call them? Let the auditor search for what this officer did. Where there was no reason, let the"
            " system administrator end the appointment."
        ),
        N_("Asked for in vain"),
    ),
    "refusals": Words(
        N_("An officer tries again and again what is refused"),
        N_(
            "A refusal now and then comes of an old bookmark, or of an address that somebody passed on. So many in an"
            " hour mean that somebody tries number after number, perhaps somebody else in the officer’s name. Nothing"
            " was shown or changed. Of one hour the first hundred are counted."
        ),
        N_(
            "Call the officer on a number you know and ask. Let the auditor search for what was asked for, and from"
            " which address. If it was somebody else, let the system administrator reset the officer’s password now;"
            " if there was no reason, end the appointment."
        ),
        N_("Refusals"),
    ),
}
STATE_WORDS: Final[dict[State, tuple[str, str]]] = {
    "open": ("missing", N_("Not looked at")),
    "noted": ("to_do", N_("Being looked into")),
    "closed": ("done", N_("Dealt with")),
}


def _moment(value: Any) -> str:
    return full_moment(datetime.fromisoformat(value))


def _chance(value: Any) -> str:
    return str(_("about 1 in %(many)s", many=f"{1 / value:,.0f}") if value >= 1e-12 else _("practically none"))


def _listed(value: Any) -> str:
    return ", ".join(str(one) for one in value)


_LOGS: Final[dict[str, str]] = {"filings": N_("Log of all filings"), "audit": N_("Log of what was done")}


def _log(value: Any) -> str:
    return str(_(_LOGS[value]))


def _act(value: Any) -> str:
    return str(_(KINDS[value].title))


#: facts in the order they are shown: label, how the value reads
_FACTS: Final[dict[str, tuple[str, Callable[[Any], str]]]] = {
    "first": (N_("First of them"), _moment),
    "hours": (N_("Within hours"), str),
    "days": (N_("Within days"), str),
    "seconds": (N_("Seconds"), str),
    "most": (N_("Raised above"), str),
    "class_no": (N_("Class"), str),
    "lot": (N_("Lot"), str),
    "networks": (N_("Addresses"), _listed),
    "addresses": (N_("Number of addresses"), str),
    "people": (N_("Out of"), str),
    "tries": (N_("Wrong codes"), str),
    "expected": (N_("Expected"), str),
    "chance": (N_("Chance of so many"), _chance),
    "opens": (N_("First batch opens"), _moment),
    "mark": (N_("Time reached before"), _moment),
    "now": (N_("Time it showed"), _moment),
    "closed": (N_("Closed"), _moment),
    "act": (N_("Approved act"), _act),
    "due": (N_("Was due"), _moment),
    "batch": (N_("Batch"), str),
    "number": (N_("Version"), str),
    "faults": (N_("What is wrong"), _listed),
    "log": (N_("Log"), _log),
    "checkpoint": (N_("Checkpoint no."), str),
    "status": (N_("Status of the answer"), str),
    "answer": (N_("Answer"), str),
    "line": (N_("Line crossed, percent"), str),
    "free_mib": (N_("Free, MiB"), str),
}


def facts(shown: Shown, officer_name: str | None) -> Iterator[tuple[str, str]]:
    """The facts of an alert as lines: a label and a value."""
    yield _(WORDS[shown.kind].counted), f"{shown.count:,}"
    if officer_name:
        yield _("Officer"), officer_name
    for name, (label, read) in _FACTS.items():
        value = shown.facts.get(name)
        if value not in (None, "", []):
            yield _(label), read(value)
