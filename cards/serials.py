"""The serial outside a card: twelve digits, shown as `1701 0000 1230`.

    lot (4) ‖ running number in the lot (7) ‖ Damm check digit (1)

Digits alone, because a serial is typed on telephones by people who hold a card in one hand: one keyboard, no
letter case, no 0/O or 1/I, and Code 128-C packs two digits into each symbol of the barcode. Damm, because one
check digit then finds every wrong digit and every swap of neighbours; ISO 7064 MOD 37,36 needs all of A to Z
as check characters, look-alikes among them. Twelve digits are neither a code (eight) nor a candidate number
(fourteen), so a number in the wrong box is recognised by its length.

A serial is no secret: anybody can compute a well-formed one.
"""

from dataclasses import dataclass
from typing import Final

from cards.codes import bare_digits, check_digit
from cards.errors import MalformedSerial

LOT_DIGITS: Final = 4
NUMBER_DIGITS: Final = 7
SERIAL_LENGTH: Final = LOT_DIGITS + NUMBER_DIGITS + 1
LARGEST_NUMBER: Final = 10**NUMBER_DIGITS - 1


@dataclass(frozen=True, slots=True, order=True)
class Serial:
    """A well-formed serial taken apart. Ordered as the cards lie in the boxes: by lot, then by number."""

    lot: str
    number: int

    @property
    def text(self) -> str:
        """The twelve digits: what is stored, scanned and sealed."""
        return make(self.lot, self.number)

    @property
    def grouped(self) -> str:
        """The serial as it is printed and shown: three groups of four."""
        return grouped(self.text)


def make(lot: str, number: int) -> str:
    """Return the serial of card `number`, counted from 1, of `lot`, four digits.

    Raises `ValueError` for a lot or a number that no serial can carry.
    """
    if not is_lot(lot):
        raise ValueError(f"a lot is {LOT_DIGITS} digits such as 1701, not {lot!r}")
    if not 1 <= number <= LARGEST_NUMBER:
        raise ValueError(f"a card's number is 1 to {LARGEST_NUMBER}, not {number}")
    digits = f"{lot}{number:0{NUMBER_DIGITS}}"
    return digits + check_digit(digits)


def parse(text: str) -> Serial:
    """Take apart a serial as typed, pasted or scanned: full-width digits, blanks and dashes are forgiven.

    Raises `MalformedSerial`, whose `reason` is 'not_digits', 'length' or 'check_digit'.
    """
    digits = bare_digits(text, length=SERIAL_LENGTH, error=MalformedSerial)
    lot, number = digits[:LOT_DIGITS], int(digits[LOT_DIGITS:-1])
    if number == 0:  # counted from 1, so no card carries it although its check digit may fit
        raise MalformedSerial("check_digit")
    return Serial(lot, number)


def grouped(serial: str) -> str:
    """Return `serial`, twelve plain digits, in three groups of four."""
    return f"{serial[:4]} {serial[4:8]} {serial[8:]}"


def is_lot(text: str) -> bool:
    """Say whether `text` is a lot: exactly four ASCII digits."""
    return len(text) == LOT_DIGITS and text.isascii() and text.isdigit()
