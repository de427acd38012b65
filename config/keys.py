"""The secrets of one deployment, each a file of its own, versioned where values outlive a rotation.

    secret_key             signs forms and short-lived tokens
    session_key            names the devices and sessions in logs without telling them
    binding_key            draws the two codes asked at activation
    index_key              blind index of identity numbers
    password_pepper.N      keyed step behind Argon2id of passwords
    card_key.N             keyed step behind Argon2id of card codes (`cards`)
    column_key.N           AES-256-GCM of identity numbers, phones
    receipt_key.N          Ed25519 private key (PEM), signs receipts
    seal_key.N             Ed25519 private key (PEM), signs checkpoints and seals; the portals never read it (L-12)

The highest N is used for new values; older ones still read. A file holds 64 hexadecimal digits, or PEM.
"""

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

_SINGLE: Final = ("secret_key", "session_key", "binding_key", "index_key")
_VERSIONED: Final = ("password_pepper", "card_key", "column_key")
_SIGNING: Final = ("receipt", "seal")
_HEX: Final = re.compile(r"[0-9a-f]{64}")


class KeysError(Exception):
    """A secret is missing or malformed; the message names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All secrets, read once at start."""

    secret_key: bytes
    session_key: bytes
    binding_key: bytes
    index_key: bytes
    password_pepper: dict[int, bytes]
    card_key: dict[int, bytes]
    column_key: dict[int, bytes]
    receipt_key: dict[int, Ed25519PrivateKey]

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read every secret below `directory`; raises `KeysError` for the first that is missing or malformed."""
        single = {name: _read(directory / name) for name in _SINGLE}
        versioned = {name: _read_versions(directory, name) for name in _VERSIONED}
        return cls(
            secret_key=single["secret_key"],
            session_key=single["session_key"],
            binding_key=single["binding_key"],
            index_key=single["index_key"],
            password_pepper=versioned["password_pepper"],
            card_key=versioned["card_key"],
            column_key=versioned["column_key"],
            receipt_key=_read_private(directory, "receipt_key"),
        )

    @property
    def receipt_version(self) -> int:
        """The version new receipts are signed with."""
        return max(self.receipt_key)

    def receipt_public_keys(self) -> dict[str, Ed25519PublicKey]:
        """Key id (the version as text) to public key, as the offline verifier wants them."""
        return {str(version): key.public_key() for version, key in self.receipt_key.items()}


@dataclass(frozen=True, slots=True)
class SealKeys:
    """What the sealer alone holds: the keys of checkpoints and seals, and the receipts' public ones."""

    private: dict[int, Ed25519PrivateKey]
    receipts: dict[str, Ed25519PublicKey]

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read the sealer's keys below `directory`; raises `KeysError`. No other secret is looked at."""
        receipts: dict[str, Ed25519PublicKey] = {}
        for path in directory.glob("receipt_public.*.pem"):
            key = load_pem_public_key(path.read_bytes())
            if not isinstance(key, Ed25519PublicKey):
                raise KeysError(f"{path.name} is no Ed25519 public key; copy the one made with the receipts' key")
            receipts[path.name.split(".")[1]] = key
        if not receipts:
            raise KeysError("receipt_public.1.pem is missing; copy it from the directory of all keys")
        return cls(_read_private(directory, "seal_key"), receipts)

    @property
    def version(self) -> int:
        """The version that signs now."""
        return max(self.private)


def make(directory: Path) -> list[str]:
    """Write every secret that is missing (mode 0600) and the public keys of signatures; return the names made."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = []
    wanted = [*_SINGLE, *(f"{name}.1" for name in _VERSIONED if not _versions(directory, name, need=False))]
    for name in wanted:
        if not (directory / name).exists():
            _write(directory / name, secrets.token_hex(32).encode())
            made.append(name)
    for name in _SIGNING:
        if not _versions(directory, f"{name}_key", need=False):
            key = Ed25519PrivateKey.generate()
            _write(
                directory / f"{name}_key.1",
                key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            )
            (directory / f"{name}_public.1.pem").write_bytes(
                key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            )
            made.append(f"{name}_key.1")
    return made


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def _read(path: Path) -> bytes:
    try:
        content = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise KeysError(f"{path.name} cannot be read; make the missing keys with `python -m admin keys`") from error
    if not _HEX.fullmatch(content):
        raise KeysError(f"{path.name} must hold 64 hexadecimal digits")
    return bytes.fromhex(content)


def _versions(directory: Path, name: str, *, need: bool = True) -> list[tuple[int, Path]]:
    found = sorted(
        (int(path.name.rsplit(".", 1)[1]), path)
        for path in directory.glob(f"{name}.*")
        if path.name.rsplit(".", 1)[1].isdecimal()
    )
    if need and not found:
        raise KeysError(f"{name}.1 is missing; make the missing keys with `python -m admin keys`")
    return found


def _read_versions(directory: Path, name: str) -> dict[int, bytes]:
    return {version: _read(path) for version, path in _versions(directory, name)}


def _read_private(directory: Path, name: str) -> dict[int, Ed25519PrivateKey]:
    found: dict[int, Ed25519PrivateKey] = {}
    for version, path in _versions(directory, name):
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise KeysError(f"{path.name} cannot be read by this user") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeysError(f"{path.name} is no Ed25519 private key; make one with `python -m admin keys`")
        found[version] = key
    return found
