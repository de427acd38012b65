"""Key files of those who make a lot: who they are is the public half, one line `KEY NAME` in a text file.

    NAME.key        Ed25519 private key (PEM), under a passphrase, or bare and readable by its owner alone
    NAME.key.pub    its public half: 64 hexadecimal digits and the person's name
    NAME.age        age identity of a print works or an escrow, under a passphrase (itself an age file) or bare
    NAME.age.pub    its recipient, age1…
    card_key.N      key behind the verifiers: 64 hexadecimal digits, in the directory of the service's keys

A list of people is several public lines one below another; lines that begin with # are remarks.
"""

import hmac
import os
import re
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import pyrage
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from cards.codes import KEY_SIZE
from cards.errors import LotRefused

LONGEST_NAME: Final = 60
_LINE: Final = re.compile(r"([0-9a-f]{64})\s+(\S.*)")
_CARD_KEY: Final = re.compile(r"card_key\.([1-9][0-9]{0,3})")

#: asks whoever sits there for the passphrase of a file
AskPassphrase = Callable[[Path], str]


@dataclass(frozen=True, slots=True)
class Person:
    """Who signs: a name, and the key that proves it."""

    name: str
    key: str

    @classmethod
    def named(cls, name: str, key: str) -> Self:
        """Make one of a name as typed; raises `LotRefused` for one that could be taken for another."""
        tidy = " ".join(unicodedata.normalize("NFKC", name).split())
        if not tidy or len(tidy) > LONGEST_NAME or not tidy.isprintable():
            raise LotRefused(
                f"A name has 1 to {LONGEST_NAME} characters that can be seen. Give the person's full name."
            )
        return cls(tidy, key)

    def is_also(self, other: "Person") -> bool:
        """Whether both could be one: the same key, or the same name however it is written."""
        return self.key == other.key or self.name.casefold() == other.name.casefold()

    def signed(self, signature: bytes, message: bytes) -> bool:
        """Whether this person's key made the signature."""
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.key)).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    @property
    def line(self) -> str:
        """How the person stands in a file."""
        return f"{self.key} {self.name}\n"


@dataclass(frozen=True, slots=True)
class Signer:
    """A person with the private key at hand."""

    person: Person
    private: Ed25519PrivateKey

    def sign(self, message: bytes) -> bytes:
        """Sign a message."""
        return self.private.sign(message)


# --- people ------------------------------------------------------------------------------------------


def make_signer(path: Path, name: str, passphrase: str) -> Person:
    """Write a new private key, with its public line beside it; without a passphrase it is bare (mode 0600)."""
    private = Ed25519PrivateKey.generate()
    person = Person.named(name, private.public_key().public_bytes_raw().hex())
    lock: KeySerializationEncryption = NoEncryption()
    if passphrase:
        lock = BestAvailableEncryption(passphrase.encode())
    _write_new(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
    _write_new(public_of(path), person.line.encode(), mode=0o644)
    return person


def load_signer(path: Path, ask: AskPassphrase) -> Signer:
    """Read a private key and, from the file beside it, whose it is."""
    content = _read(path)
    locked = b"ENCRYPTED" in content.partition(b"\n")[0]
    if not locked:
        _require_own(path)
    try:
        private = load_pem_private_key(content, password=ask(path).encode() if locked else None)
    except ValueError as error:
        why = "The passphrase is wrong." if locked else "It is no private key."
        raise LotRefused(f"{path} cannot be opened. {why}") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise LotRefused(f"{path} is no Ed25519 key. Make one with `python -m cards make-key person`.")
    people = read_people(public_of(path))
    if [person.key for person in people] != [private.public_key().public_bytes_raw().hex()]:
        raise LotRefused(f"{public_of(path)} is not the public half of {path}. Put the right file there.")
    return Signer(people[0], private)


def public_of(path: Path) -> Path:
    """Where the public half of a private key lies."""
    return path.with_name(f"{path.name}.pub")


def read_people(path: Path) -> tuple[Person, ...]:
    """Read a list of people; raises `LotRefused` naming the line that is none, or when there is nobody."""
    people = []
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            found = _LINE.fullmatch(line.strip())
            if found is None:
                raise LotRefused(f"{path}, line {number}, is not `KEY NAME`. It must be the line of a .pub file.")
            people.append(Person.named(found[2], found[1]))
    if not people:
        raise LotRefused(f"{path} names nobody. It must hold the lines of .pub files.")
    return tuple(people)


# --- age ---------------------------------------------------------------------------------------------


def make_identity(path: Path, passphrase: str) -> str:
    """Write a new age identity, with its recipient beside it; returns the recipient."""
    identity = pyrage.x25519.Identity.generate()
    content = f"{identity}\n".encode()
    _write_new(path, pyrage.passphrase.encrypt(content, passphrase) if passphrase else content)
    recipient = str(identity.to_public())
    _write_new(public_of(path), f"{recipient}\n".encode(), mode=0o644)
    return recipient


def load_identity(path: Path, ask: AskPassphrase) -> pyrage.x25519.Identity:
    """Read an age identity, as written here or by age-keygen."""
    content = _read(path)
    locked = content.startswith(b"age-encryption.org/")
    if not locked:
        _require_own(path)
    try:
        if locked:
            content = pyrage.passphrase.decrypt(content, ask(path))
        lines = [line for line in content.decode().split() if line.startswith("AGE-SECRET-KEY-1")]
        return pyrage.x25519.Identity.from_str(lines[0])
    except (pyrage.DecryptError, pyrage.IdentityError, UnicodeDecodeError, IndexError):
        # without the cause: it may quote what it could not read
        raise LotRefused(f"{path} is no age identity, or the passphrase is wrong.") from None


def read_recipient(path: Path) -> str:
    """Read the recipient of a .pub file of an age identity."""
    return usable_recipient("".join(line for line in _read_text(path).splitlines() if not line.startswith("#")))


def usable_recipient(recipient: str) -> str:
    """Return the recipient in its one spelling; raises `LotRefused`."""
    try:
        return str(pyrage.x25519.Recipient.from_str(recipient.strip()))
    except pyrage.RecipientError as error:
        raise LotRefused("A recipient is one line that begins with age1, from a .age.pub file.") from error


# --- the key behind the verifiers --------------------------------------------------------------------


def make_card_key(directory: Path) -> Path:
    """Write the next version of the card key beside those that are there."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / f"card_key.{max(_card_keys(directory), default=0) + 1}"
    _write_new(path, secrets.token_hex(KEY_SIZE).encode())
    return path


def read_card_key(directory: Path, version: int) -> bytes:
    """Read one version of the card key."""
    path = _card_keys(directory).get(version)
    if path is None:
        raise LotRefused(
            f"{directory} has no card_key.{version}. Bring the one the request names, in a file of its own."
        )
    _require_own(path)
    content = _read(path).strip()
    if not re.fullmatch(rb"[0-9a-f]{64}", content):
        raise LotRefused(f"{path} does not hold 64 hexadecimal digits.")
    return bytes.fromhex(content.decode())


def key_check(key: bytes) -> str:
    """What a card key is known by where it must not be shown: a file of the right name may hold the wrong key."""
    return hmac.digest(key, b"key check v1", "sha256")[:16].hex()


def _card_keys(directory: Path) -> dict[int, Path]:
    named = ((_CARD_KEY.fullmatch(path.name), path) for path in directory.glob("card_key.*"))
    return {int(found[1]): path for found, path in named if found}


# --- files -------------------------------------------------------------------------------------------


def _write_new(path: Path, content: bytes, mode: int = 0o600) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise LotRefused(f"{path} exists, and a key is never written over. Name a new file.") from error
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def _require_own(path: Path) -> None:
    if path.stat().st_mode & 0o077:
        raise LotRefused(f"Others may read {path}. Say `chmod 600 {path}`, and think about who has read it.")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LotRefused(f"{path} cannot be read: {error.strerror}.") from error


def _read_text(path: Path) -> str:
    try:
        return _read(path).decode()
    except UnicodeDecodeError as error:
        raise LotRefused(f"{path} is no text file.") from error
