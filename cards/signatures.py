r"""Detached Ed25519 signatures: who vouches for which bytes, and as what.

    message = purpose ‖ "\n" ‖ content

The purpose keeps a signature made for one thing from serving as another. A file that is too long to be held is
signed by the SHA-256 of its content. A signature's own file is JSON: the signature, the key, the name.
"""

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import rfc8785

from cards.errors import NotGenuine
from cards.keys import Person, Signer

_LONGEST: Final = 4096


class Purpose(StrEnum):
    """What a signature says about the bytes."""

    REQUEST = "zhiyuan: I ask for this lot, v1"
    APPROVAL = "zhiyuan: I approve this lot, v1"
    PRINT_FILE = "zhiyuan: print file, v1"
    VERIFIER_FILE = "zhiyuan: verifier file, v1"
    MANIFEST = "zhiyuan: manifest, v1"


def signature(signer: Signer, purpose: Purpose, content: bytes) -> bytes:
    """Return the content of a signature's file."""
    made = signer.sign(_message(purpose, content)).hex()
    return rfc8785.dumps({"key": signer.person.key, "name": signer.person.name, "signature": made})


def signed_by(people: Iterable[Person], purpose: Purpose, content: bytes, signature_file: bytes) -> Person:
    """Return who of `people` signed the content; raises `NotGenuine` when none of them did."""
    try:
        said = json.loads(signature_file[:_LONGEST])
        key, found = str(said["key"]), bytes.fromhex(said["signature"])
    except (ValueError, KeyError, TypeError) as error:
        raise NotGenuine("This is no signature file. Take the .sig or .approval file that belongs to it.") from error
    person = next((one for one in people if one.key == key), None)
    if person is None:
        raise NotGenuine("The signature is by a key that is not on the list of those trusted here.")
    if not person.signed(found, _message(purpose, content)):
        raise NotGenuine(f"The signature of {person.name} does not fit: this is not what was signed.")
    return person


def _message(purpose: Purpose, content: bytes) -> bytes:
    return f"{purpose}\n".encode() + content
