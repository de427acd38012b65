"""The print file: serials and codes of a lot, encrypted with age for the print works and one escrow (D-03, D-06).

    zhiyuan print file 1 {"codes_per_card":…,"count":…,"imprint":{…},"layout":…,"lot":…}
    170100000012 12345678 …          one line a card, in the order of their numbers
    end 500000

age says that nothing was altered since somebody encrypted it, and not who: the signature beside the file does,
and is looked at before anything is decrypted. What is decrypted still has to be whole: age notices a file cut
short, and the last line says how many cards there were.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import pyrage
import rfc8785
from pydantic import BaseModel, ConfigDict, ValidationError

from cards import serials
from cards.codes import CODE_LENGTH, check_digit
from cards.errors import LotRefused, NotGenuine
from cards.files import Digests, Output, digests_of, read
from cards.keys import Person
from cards.lots import Made
from cards.requests import Order
from cards.sheets import LAYOUTS, Face, Imprint
from cards.signatures import Purpose, signed_by

_FORMAT: Final = b"zhiyuan print file 1 "


class Heading(BaseModel):
    """What the print works needs to know: how the cards look, and how many there are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lot: str
    count: int
    codes_per_card: int
    layout: str
    imprint: Imprint


def size(order: Order) -> int:
    """About how long the file gets, in bytes."""
    return order.count * _line_length(order.codes_per_card) + 10_000


def _line_length(codes_per_card: int) -> int:
    return serials.SERIAL_LENGTH + codes_per_card * (CODE_LENGTH + 1) + 1


# --- writing -----------------------------------------------------------------------------------------


def encrypt(order: Order, made: Iterable[Made], out: Output) -> None:
    """Encrypt the cards as they are made. Nothing of them is kept, and a failure of either side comes out as it was."""
    reader = _Reader(_lines(order, made))
    recipients = [pyrage.x25519.Recipient.from_str(one) for one in order.recipients]
    try:
        pyrage.encrypt_io(reader, out, recipients)
    except Exception as error:
        failure = reader.failure or out.failure
        if failure is not None:
            raise failure from None
        raise LotRefused("The print file could not be encrypted.") from error


def _lines(order: Order, made: Iterable[Made]) -> Iterator[bytes]:
    heading = Heading(**{name: getattr(order, name) for name in Heading.model_fields})
    yield _FORMAT + rfc8785.dumps(heading.model_dump(mode="json")) + b"\n"
    for card in made:
        yield " ".join((card.serial, *card.codes)).encode() + b"\n"
    yield f"end {order.count}\n".encode()


class _Reader:
    """Lines as the file that the encryption reads from. Remembers why they ended early."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._rest = b""
        self.failure: BaseException | None = None

    def read(self, most: int = -1) -> bytes:
        """The next bytes; none at the end."""
        try:
            if not self._rest:
                self._rest = next(self._lines, b"")
        except BaseException as error:
            self.failure = error
            raise
        given, self._rest = (self._rest[:most], self._rest[most:]) if most >= 0 else (self._rest, b"")
        return given


# --- reading -----------------------------------------------------------------------------------------


def require_signed(path: Path, signature: Path, signers: Iterable[Person]) -> tuple[Person, Digests]:
    """Return who made the file as it lies there; raises `NotGenuine`."""
    digests = digests_of(path)
    return signed_by(signers, Purpose.PRINT_FILE, digests.signed, read(signature)), digests


def decrypt(
    path: Path,
    signature: Path,
    signers: Iterable[Person],
    identity: pyrage.x25519.Identity,
    take: Callable[[Heading, Face], object],
) -> Heading:
    """Check the signature, then hand each card to `take`; what was taken counts only if this returns.

    Raises `NotGenuine` for a file that was altered, cut short or swapped, and for an identity it is not for.
    """
    _, signed = require_signed(path, signature, signers)
    with path.open("rb") as file:
        reader, writer = _DigestedReader(file), _Writer(take)
        try:
            pyrage.decrypt_io(reader, writer, [identity])
        except (pyrage.DecryptError, OSError) as error:
            if writer.failure is not None:
                raise writer.failure from None
            raise NotGenuine(_why(error)) from None
    if reader.digests.signed != signed.signed:
        raise NotGenuine("The file was changed while it was being read. Throw away what came out of it.")
    return writer.ended()


def _why(error: Exception) -> str:
    if isinstance(error, pyrage.DecryptError) and "key" in str(error).lower():
        return "This identity cannot open the file: it is encrypted for others."
    return "The file does not decrypt: it was altered or cut short, or the disk cannot be read. Fetch it anew."


class _DigestedReader:
    """A file, its digests kept while it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digests = Digests()

    def read(self, most: int = -1) -> bytes:
        """The next bytes."""
        block = self._file.read(most)
        self.digests.add(block)
        return block


class _Writer:
    """Takes what is decrypted, and gives the cards out as soon as their line is whole. Quotes nothing."""

    def __init__(self, take: Callable[[Heading, Face], object]) -> None:
        self._take = take
        self._rest = b""
        self._heading: Heading | None = None
        self._cards = 0
        self._ended = False
        self.failure: BaseException | None = None

    def write(self, content: bytes) -> int:
        """Take the next bytes."""
        try:
            *lines, self._rest = (self._rest + content).split(b"\n")
            for line in lines:
                self._line(line)
        except BaseException as error:
            self.failure = error
            raise
        return len(content)

    def flush(self) -> None:
        """Nothing waits."""

    def ended(self) -> Heading:
        """The heading, when every card it tells of has come."""
        if self._heading is None or not self._ended or self._rest:
            raise NotGenuine("The file ends too early. Throw away what came out of it, and fetch the file anew.")
        return self._heading

    def _line(self, line: bytes) -> None:
        if self._heading is None:
            self._heading = _heading(line)
        elif self._cards < self._heading.count:
            self._cards += 1
            self._take(self._heading, _face(self._heading, self._cards, line))
        elif line == f"end {self._cards}".encode() and not self._ended:
            self._ended = True
        else:
            raise NotGenuine("There is more in the file than it says. Ask the province.")


def _heading(line: bytes) -> Heading:
    try:
        heading = Heading.model_validate(json.loads(line.removeprefix(_FORMAT)))
    except (ValueError, ValidationError):
        heading = None
    if heading is None or not line.startswith(_FORMAT) or heading.layout not in LAYOUTS:
        raise NotGenuine("This is no print file that this version can read. Ask the province which version made it.")
    return heading


def _face(heading: Heading, number: int, line: bytes) -> Face:
    serial, *codes = line.decode("ascii", "replace").split(" ")
    right = serial == serials.make(heading.lot, number) and len(codes) == heading.codes_per_card
    if not (right and all(_is_code(code) for code in codes)):
        raise NotGenuine(f"Card {number} in the file is damaged. Print none of this lot, and ask the province.")
    return Face(serial, tuple(codes))


def _is_code(code: str) -> bool:
    return len(code) == CODE_LENGTH and code.isascii() and code.isdigit() and check_digit(code[:-1]) == code[-1]
