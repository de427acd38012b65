"""What an entry of the audit says to whoever reads it: every act in words, grouped by its first word."""

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from app.wording import N_

#: every act there is; a test holds the sources against it
ACTS: Final[dict[str, str]] = {
    "account.activated": N_("Account activated, card bound"),
    "activation.refused": N_("Activation refused"),
    "alert.closed": N_("Alert closed"),
    "alert.noted": N_("Note on an alert"),
    "alert.raised": N_("Alert raised"),
    "alert.settled": N_("Alert closed by itself"),
    "alerts.exported": N_("List of alerts downloaded"),
    "audit.exported": N_("Audit downloaded"),
    "audit.searched": N_("Audit searched"),
    "batch.act_cancelled": N_("Approved act upon a batch cancelled"),
    "batch.act_overtaken": N_("Approved act upon a batch overtaken, not done"),
    "batch.announced": N_("Candidates told of an act upon a batch"),
    "batch.created": N_("Batch made"),
    "batch.end_moved": N_("End of a batch moved"),
    "batch.opening_moved": N_("Opening of a batch moved"),
    "batch.resumed": N_("Batch resumed"),
    "batch.sealed": N_("Batch sealed"),
    "batch.suspended": N_("Batch paused"),
    "calendar.loaded": N_("Calendar loaded"),
    "candidate.called": N_("Call to a candidate noted"),
    "candidate.looked_up": N_("Candidate looked up at the counter"),
    "candidate.moved": N_("Candidate registered at another point"),
    "candidate.not_found": N_("Looked up a number that the office does not have"),
    "candidate.reopened": N_("Batch opened again to one candidate"),
    "candidates.loaded": N_("Candidates loaded"),
    "card.bind_refused": N_("Binding a card refused"),
    "card.bound": N_("Card bound"),
    "card.handed": N_("Card handed out"),
    "card.honey_touched": N_("Code of a honey card tried"),
    "card.lost": N_("Card reported lost"),
    "card.not_handed": N_("Handing out a card refused"),
    "card.not_me": N_("Reported that somebody else was in the account"),
    "card.not_replaced": N_("Replacing a card refused"),
    "cards.wrapped": N_("Cards given a new key"),
    "chase.exported": N_("Chase list downloaded"),
    "clock.confirmed": N_("Clock confirmed"),
    "code.wrong": N_("Wrong code"),
    "device.forgotten": N_("Device forgotten"),
    "filing.confirmed": N_("Filing confirmed with a code"),
    "lot.brought_in": N_("Lot brought in"),
    "lot.holders_exported": N_("Holders of a lot downloaded"),
    "officer.appointed": N_("Officer appointed"),
    "officer.appointment_over": N_("Session ended, the appointment was over"),
    "officer.ended": N_("Appointment ended"),
    "officer.extended": N_("Appointment extended"),
    "officer.password_changed": N_("Officer changed the password"),
    "officer.password_refused": N_("Changing the officer’s password refused"),
    "officer.password_reset": N_("Officer’s password reset"),
    "officer.proof_refused": N_("Fresh proof of identity refused"),
    "officer.proved": N_("Fresh proof of identity given"),
    "officer.refused": N_("Request of an officer refused"),
    "officer.second_factor_reset": N_("Officer’s second factor reset"),
    "officer.sign_in_refused": N_("Officer’s sign-in refused"),
    "officer.signed_in": N_("Officer signed in"),
    "officer.signed_out": N_("Officer signed out"),
    "officer.vouched": N_("Officer vouched for a command"),
    "officer.vouching_refused": N_("Vouching for a command refused"),
    "password.changed": N_("Candidate changed the password"),
    "password.reset": N_("Candidate’s password reset"),
    "password.reset_refused": N_("Resetting the candidate’s password refused"),
    "password.wrong": N_("Wrong password"),
    "phone.changed": N_("Phone number for messages changed"),
    "phone.refused": N_("Full phone number not shown, too many that day"),
    "phone.revealed": N_("Full phone number looked at"),
    "plans.loaded": N_("Plans loaded"),
    "points.loaded": N_("Registration points loaded"),
    "progress.counts_exported": N_("Table of progress downloaded"),
    "progress.names_exported": N_("Names downloaded"),
    "proposal.approved": N_("Two-person act approved"),
    "proposal.mistyped": N_("Two-person act: the word was mistyped"),
    "proposal.proposed": N_("Two-person act proposed"),
    "proposal.refused": N_("Two-person act refused"),
    "proposal.withdrawn": N_("Two-person act withdrawn"),
    "regions.loaded": N_("Regions loaded"),
    "register.exported": N_("Register of cards downloaded"),
    "register.sheet_printed": N_("Sheet of the register printed"),
    "rehearsal.begun": N_("Database marked as a rehearsal"),
    "rehearsal.wiped": N_("Rehearsal wiped"),
    "reminders.queued": N_("Reminders queued"),
    "reset.approved": N_("Password reset approved at the counter"),
    "reset.refused": N_("Password reset refused, the identity number did not fit"),
    "room.approved": N_("Computer room approved"),
    "room.asked": N_("Computer room entered"),
    "room.ended": N_("Computer room ended"),
    "room.refused": N_("Computer room refused"),
    "seal.confirmed": N_("Seal confirmed by two officers"),
    "session.ended": N_("Candidate signed out"),
    "session.others_ended": N_("Candidate ended the other sessions"),
    "session.started": N_("Candidate signed in"),
    "standing.export_begun": N_("Export for admission begun"),
    "standing.exported": N_("Export for admission handed over"),
    "tallies.repaired": N_("Count repaired"),
    "tallies.snapshot": N_("Counts kept"),
    "transfer.confirmed": N_("Box counted and confirmed"),
    "transfer.differs": N_("Box differs"),
    "transfer.miscounted": N_("Box miscounted"),
    "transfer.sent": N_("Boxes sent"),
    "transfer.settled": N_("Difference settled"),
    "two_codes.ended": N_("Two codes for each confirmation ended"),
    "witness.dropped": N_("Witness no longer asked"),
    "witness.named": N_("Witness named"),
    "witness.refused": N_("Witness refused a checkpoint"),
}
#: the first word of an act
GROUPS: Final[dict[str, str]] = {
    "account": N_("Accounts of candidates"),
    "activation": N_("Accounts of candidates"),
    "alert": N_("Alerts"),
    "alerts": N_("Alerts"),
    "audit": N_("Audit"),
    "batch": N_("Batches and their windows"),
    "calendar": N_("Loading"),
    "candidate": N_("Candidates at the offices"),
    "candidates": N_("Loading"),
    "card": N_("Cards"),
    "cards": N_("Lots and transfers"),
    "chase": N_("Progress and chase"),
    "clock": N_("Service"),
    "code": N_("Filing"),
    "device": N_("Accounts of candidates"),
    "filing": N_("Filing"),
    "lot": N_("Lots and transfers"),
    "officer": N_("Officers"),
    "password": N_("Accounts of candidates"),
    "phone": N_("Candidates at the offices"),
    "plans": N_("Loading"),
    "points": N_("Loading"),
    "progress": N_("Progress and chase"),
    "proposal": N_("Two-person acts"),
    "regions": N_("Loading"),
    "register": N_("Lots and transfers"),
    "rehearsal": N_("Service"),
    "reminders": N_("Service"),
    "reset": N_("Candidates at the offices"),
    "room": N_("Computer rooms"),
    "seal": N_("Seals"),
    "session": N_("Accounts of candidates"),
    "standing": N_("Seals"),
    "tallies": N_("Service"),
    "transfer": N_("Lots and transfers"),
    "two_codes": N_("Candidates at the offices"),
    "witness": N_("Seals"),
}
ACTORS: Final[dict[str, str]] = {
    "candidate": N_("The candidate"),
    "officer": N_("Officers"),
    "command": N_("Commands on the server"),
    "visitor": N_("People who have not signed in"),
}


def group_of(act: str) -> str:
    """The msgid of an act's group; of one that nobody foresaw, its first word."""
    first = act.partition(".")[0]
    return GROUPS.get(first, first)


def words_of(act: str) -> str:
    """The msgid of an act; of one that nobody foresaw, the act itself."""
    return ACTS.get(act, act)


def groups() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Every group with its acts, as msgids, in the order in which the groups first come."""
    order = list(dict.fromkeys(group_of(act) for act in ACTS))
    acts = sorted(ACTS, key=lambda act: order.index(group_of(act)))
    for group, members in groupby(acts, key=group_of):
        yield group, [(act, ACTS[act]) for act in members]
