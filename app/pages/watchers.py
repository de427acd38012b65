"""Who looked at my record: role, office, time and purpose of every look of an officer (P-10)."""

from typing import Final

from flask import render_template

from app import looks
from app.looks import Look
from app.pages.fetch import visitor
from app.pages.words import _
from app.web.portal import reading
from app.wording import N_

ROLES: Final = {
    "operator": N_("Operator"),
    "approver": N_("Approver"),
    "auditor": N_("Auditor"),
    "system_admin": N_("System administrator"),
}
ACTS: Final = {
    "id_no.revealed": N_("Looked at your identity number in full"),
    "id_no.refused": N_("Asked for your identity number and was not shown it"),
    "phone.revealed": N_("Looked at your phone number in full"),
    "phone.refused": N_("Asked for your phone number and was not shown it"),
    "candidate.called": N_("Noted a call to you about filing"),
    "candidate.looked_up": N_("Opened your record at the counter"),
    "reset.approved": N_("Approved a password reset"),
    "reset.refused": N_("Tried to approve a password reset; the identity number did not fit"),
    "audit.searched": N_("Searched the records of what was done for what concerns you"),
    "audit.exported": N_("Downloaded the records of what was done that concern you"),
    "two_codes.ended": N_("Ended two codes for each confirmation"),
    "candidate.reopened": N_("Opened a closed batch again for you, together with another officer"),
}
_OTHER: Final = N_("Worked on your record")


def looked() -> str:
    """Everybody who looked, newest first."""
    with reading() as connection:
        found = looks.of(connection, visitor())
    return render_template("account/looks.html", looks=[(look, _who(look), _what(look)) for look in found])


def _who(look: Look) -> str:
    return f"{look.office}, {_(ROLES[look.role])}"


def _what(look: Look) -> str:
    return _(ACTS.get(look.act, _OTHER))
