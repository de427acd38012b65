"""Every way the card library says no, as one tree.

    CardError                    something about a card cannot be done
    ├── Malformed                typed text that cannot be right; a slip, never an attempt
    │   ├── MalformedCode
    │   └── MalformedSerial
    ├── CardExhausted            no unused code is left to ask for
    ├── NoSuchIndex              the card has no code of that number: a fault of the caller
    ├── KeyUnusable              a key is missing, too short, or in the chain already: a fault of the set-up
    ├── AlgorithmUnavailable     this machine's OpenSSL does not offer the hash: a fault of the set-up
    └── LotRefused               a lot is not asked for, made, printed or taken: the message says why, and what to do
        └── NotGenuine           a signature, a digest or a root does not fit: altered, cut short, swapped or foreign

A wrong code is not among them: it is an answer (`None` of `cards.codes.judge`), for the caller must remember
it. No message quotes what was typed, and none a code.
"""

from typing import Literal

Slip = Literal["not_digits", "length", "check_digit"]


class CardError(Exception):
    """Something about a card cannot be done."""


class Malformed(CardError, ValueError):
    """Typed text that cannot be right whatever the card: a slip of the fingers, never an attempt.

    `reason` says what is wrong, for the caller to put into words.
    """

    def __init__(self, reason: Slip) -> None:
        super().__init__(reason)
        self.reason: Slip = reason


class MalformedCode(Malformed):
    """No code looks like this."""


class MalformedSerial(Malformed):
    """No serial looks like this."""


class CardExhausted(CardError):
    """No unused code is left to ask for; the holder needs a new card."""


class NoSuchIndex(CardError, IndexError):
    """The card has no code of that number. Indices come from the system, so its caller is at fault."""


class KeyUnusable(CardError):
    """A key is missing, shorter than 256 bits, or in the card's chain already."""


class AlgorithmUnavailable(CardError):
    """The hash is not offered by this machine's OpenSSL."""


class LotRefused(CardError):
    """A lot is not asked for, made, printed or taken. The message is for whoever sits there: why, and what to do."""


class NotGenuine(LotRefused):
    """A signature, a digest or a root does not fit: the file was altered, cut short, swapped, or is another's."""
