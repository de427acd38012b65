"""Every way the service says no, as one tree.

    Refusal                      a request that cannot be met; nothing was changed
    ├── NotFound                 no such thing (404)
    │   └── OutOfScope           or not in the asker's scope: the two read alike
    ├── NotAllowed               known who asks, and the answer is no (403)
    │   └── NotProved            yes, but not before both factors are given once more
    ├── BadInput                 the request itself is wrong; names the place and the remedy (400)
    ├── TooLarge                 more bytes or fields than any form of ours sends (413)
    ├── OutOfDate                the page was made from something that has changed since (409)
    │   ├── DraftMoved           another window saved this draft first
    │   └── ChallengeStale       the question was answered, replaced, or is over ten minutes old
    ├── KeyReused                one idempotency key, two different lists (422)
    ├── WindowShut               outside the batch's window (409)
    │   ├── NotYetOpen
    │   ├── Closed
    │   └── Suspended
    ├── NotEligible              this candidate may not file in this batch (403)
    ├── RulesBroken              the list breaks a rule; carries the findings (422)
    ├── NoCard                   no live card is bound, or all its codes are used (409)
    ├── TooSoon                  a growing wait is running; says for how long (429)
    ├── ClockInDoubt             nobody knows whether the batch is open; filing is suspended (503)
    └── Unavailable              a part is away or too slow; nothing was saved (503)
        └── TooLong              the database gave up a question that took too long

A refusal that must be remembered (a wrong code, a wrong password) is *returned* by the deed, so that
its counter and its audit entry are committed. A refusal that must leave no trace is *raised*, so that
the transaction ends without one. What an officer must not have is kept all the same, by the portal, in a
transaction of its own (`admin.refusals`).
"""

from collections.abc import Sequence


class Refusal(Exception):
    """A request that cannot be met; nothing was changed.

    `status` is the HTTP status of the answer, `reason` the stable word used in logs and tests.
    """

    status = 400
    reason = "refused"

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.reason)


class NotFound(Refusal):
    """No such thing."""

    status = 404
    reason = "not_found"


class OutOfScope(NotFound):
    """Not in the asker's scope, whether there is such a thing or not."""


class NotAllowed(Refusal):
    """The asker is known and may not."""

    status = 403
    reason = "not_allowed"


class NotProved(NotAllowed):
    """The asker may, after giving both factors once more: the last time is too long ago (A-14)."""

    reason = "not_proved"


class BadInput(Refusal):
    """The request is malformed. `place` names the field."""

    status = 400
    reason = "bad_input"

    def __init__(self, message: str = "", *, place: str = "") -> None:
        super().__init__(message)
        self.place = place


class TooLarge(Refusal):
    """More bytes or fields than any form of ours sends."""

    status = 413
    reason = "too_large"


class OutOfDate(Refusal):
    """The page was made from something that has changed since."""

    status = 409
    reason = "out_of_date"


class DraftMoved(OutOfDate):
    """Another window saved this draft first. `version` is the version that stands now."""

    reason = "draft_moved"

    def __init__(self, message: str = "", *, version: int = 0) -> None:
        super().__init__(message)
        self.version = version


class ChallengeStale(OutOfDate):
    """The question was answered, replaced, or is over ten minutes old. Never counts as a wrong try (C-06)."""

    reason = "challenge_stale"


class KeyReused(Refusal):
    """One idempotency key, two different lists (F-04)."""

    status = 422
    reason = "key_reused"


class WindowShut(Refusal):
    """Outside the batch's window."""

    status = 409
    reason = "window_shut"


class NotYetOpen(WindowShut):
    """Before the batch opens."""

    reason = "not_yet_open"


class Closed(WindowShut):
    """After the batch's deadline."""

    reason = "closed"


class Suspended(WindowShut):
    """The province has paused the batch; its end will be moved."""

    reason = "suspended"


class NotEligible(Refusal):
    """This candidate may not file in this batch."""

    status = 403
    reason = "not_eligible"


class RulesBroken(Refusal):
    """The list breaks a rule. `findings` are those of `app.rules`."""

    status = 422
    reason = "rules_broken"

    def __init__(self, findings: Sequence[object] = ()) -> None:
        super().__init__()
        self.findings = tuple(findings)


class NoCard(Refusal):
    """No live card is bound to the candidate, or all its codes are used."""

    status = 409
    reason = "no_card"


class TooSoon(Refusal):
    """A growing wait is running. `seconds` is what remains of it."""

    status = 429
    reason = "too_soon"

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.seconds = seconds


class ClockInDoubt(Refusal):
    """The database's clock is not to be trusted, so nothing may be filed; reading and drafts go on (O-03)."""

    status = 503
    reason = "clock"


class Unavailable(Refusal):
    """A part of the service is away or too slow. Nothing was saved."""

    status = 503
    reason = "unavailable"


class TooLong(Unavailable):
    """The database gave up a question that took longer than any of ours may. Asking for less may help."""
