"""The verifier file: what the service is given of a lot. Nothing in it opens anything.

zhiyuan verifier file 1 {"algorithm":…,"codes_per_card":…,"count":…,"key_version":…,"lot":…}
serial (12 digits) ‖ salt (16 bytes) ‖ v_1 ‖ … ‖ v_N (16 bytes each)        one card after another
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import rfc8785

from cards import serials
from cards.codes import SALT_SIZE, VERIFIER_SIZE, SealedCard
from cards.errors import NotGenuine
from cards.lots import LotRequest

_FORMAT: Final = b"zhiyuan verifier file 1 "
_CARDS: Final = 512


def heading(request: LotRequest) -> bytes:
    """The first line."""
    said: dict[str, str | int] = {
        "lot": request.lot,
        "count": request.count,
        "codes_per_card": request.codes_per_card,
        "algorithm": str(request.algorithm),
        "key_version": request.key_version,
    }
    return _FORMAT + rfc8785.dumps(said) + b"\n"


def record(card: SealedCard) -> bytes:
    """One card."""
    return card.serial.encode() + card.salt + card.verifiers


def size(request: LotRequest) -> int:
    """How long the file gets, in bytes."""
    return len(heading(request)) + request.count * _record_size(request)


def _record_size(request: LotRequest) -> int:
    return serials.SERIAL_LENGTH + SALT_SIZE + request.codes_per_card * VERIFIER_SIZE


def cards(path: Path, request: LotRequest) -> Iterator[SealedCard]:
    """The cards of a file that must hold exactly this lot, in order; raises `NotGenuine` at the first that is wrong.

    Numbers without gap or repetition, each with its check digit: so there is no serial twice.
    """
    length = _record_size(request)
    first = heading(request)
    salt_ends = serials.SERIAL_LENGTH + SALT_SIZE
    with path.open("rb") as file:
        if file.read(len(first)) != first:
            raise NotGenuine("The verifier file is of another lot than the manifest says.")
        number = 0
        while block := file.read(length * _CARDS):
            for start in range(0, len(block), length):
                number += 1
                one = block[start : start + length]
                if len(one) != length or number > request.count:
                    raise NotGenuine(f"The verifier file is damaged at card {number}. Fetch it anew.")
                serial = one[: serials.SERIAL_LENGTH].decode("ascii", "replace")
                if serial != serials.make(request.lot, number):
                    raise NotGenuine(f"Card {number} of the verifier file has another serial than it must have.")
                salt, verifiers = one[serials.SERIAL_LENGTH : salt_ends], one[salt_ends:]
                yield SealedCard(serial, request.lot, request.key_version, request.algorithm, salt, verifiers)
    if number != request.count:
        raise NotGenuine(f"The verifier file holds {number} cards, the manifest says {request.count}.")
