"""The manifest: what was made, by whose leave, and by what each file is known (D-05, C-19).

It holds no secret. Its root commits to every card's verifiers and is published before a card leaves the province;
its digest goes into the service with the lot.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Self

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cards import lots, verifiers
from cards.codes import SealedCard
from cards.errors import NotGenuine
from cards.files import Digests, digests_of, read
from cards.keys import Person
from cards.merkle import Frontier
from cards.requests import Named, Order
from cards.signatures import Purpose, signed_by

_HEX = Field(pattern="^[0-9a-f]{64}$")


def manifest_name(lot: str) -> str:
    """The manifest's name in the lot's directory; its signature is beside it."""
    return f"lot-{lot}.manifest.json"


def print_name(lot: str) -> str:
    """The print file's name."""
    return f"lot-{lot}.print.age"


def verifier_name(lot: str) -> str:
    """The verifier file's name."""
    return f"lot-{lot}.verifiers"


def signature_of(path: Path) -> Path:
    """Where the signature of a file lies."""
    return path.with_name(f"{path.name}.sig")


class FileSaid(BaseModel):
    """A file as the manifest knows it; the digest is by the lot's algorithm."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9.-]+$")
    size: int
    digest: str = _HEX

    @classmethod
    def of(cls, name: str, size: int, digests: Digests) -> Self:
        """What there is to say."""
        return cls(name=name, size=size, digest=digests.own)


class Manifest(BaseModel):
    """What was made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Annotated[str, Field(pattern="^zhiyuan manifest 1$")] = "zhiyuan manifest 1"
    order: Order
    #: tells the key behind the verifiers from another of the same version
    key_check: str = Field(pattern="^[0-9a-f]{32}$")
    #: SHA-256 of the request's bytes, which requester and approvers have signed
    request_digest: str = _HEX
    approvers: tuple[Named, ...]
    signer: Named
    made_at: str
    #: root of the tree of RFC 9162 over `cards.lots.leaf`, in the order of the cards
    root: str = _HEX
    print_file: FileSaid
    verifier_file: FileSaid

    @property
    def canonical(self) -> bytes:
        """The bytes that are signed."""
        return rfc8785.dumps(self.model_dump(mode="json"))


@dataclass(frozen=True, slots=True)
class Opened:
    """A manifest whose signature fits, and where its files should lie."""

    manifest: Manifest
    signer: Person
    digest: bytes
    directory: Path

    @property
    def verifier_path(self) -> Path:
        """The verifier file."""
        return self.directory / self.manifest.verifier_file.name

    @property
    def print_path(self) -> Path:
        """The print file."""
        return self.directory / self.manifest.print_file.name

    def require_verifier_file(self) -> None:
        """Raise `NotGenuine` unless the verifier file is the one that was made."""
        signed = self._require(self.verifier_path, self.manifest.verifier_file)
        signature = read(signature_of(self.verifier_path))
        signed_by([self.signer], Purpose.VERIFIER_FILE, signed.signed, signature)

    def require_print_file(self) -> None:
        """Raise `NotGenuine` unless the print file is the one that was made."""
        signed = self._require(self.print_path, self.manifest.print_file)
        signed_by([self.signer], Purpose.PRINT_FILE, signed.signed, read(signature_of(self.print_path)))

    def _require(self, path: Path, said: FileSaid) -> Digests:
        found = digests_of(path, self.manifest.order.algorithm)
        if found.own != said.digest:
            raise NotGenuine(f"{path.name} is not the file of this manifest: altered, cut short or swapped.")
        return found


def cards_of(opened: Opened) -> Iterator[SealedCard]:
    """The cards of the verifier file; after the last, raises `NotGenuine` if the root is not the manifest's."""
    root = Frontier()
    for card in verifiers.cards(opened.verifier_path, opened.manifest.order.request):
        root.append(lots.leaf(card))
        yield card
    if root.root.hex() != opened.manifest.root:
        raise NotGenuine("The root over the cards is not the manifest's. Nothing of this lot may be used.")


def open_manifest(path: Path, signers: Sequence[Person]) -> Opened:
    """Read a manifest that one of `signers` has signed; raises `NotGenuine`, `LotRefused`."""
    content = read(path)
    signer = signed_by(signers, Purpose.MANIFEST, content, read(signature_of(path)))
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        raise NotGenuine(f"{path} is signed, and no manifest that this version can read.") from error
    if manifest.canonical != content:
        raise NotGenuine(f"{path} is signed, and not in the one spelling that counts.")
    return Opened(manifest, signer, sha256(content).digest(), path.parent)
