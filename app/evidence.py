"""What proves a filing: its digest, its chain, its signed receipt, its place in the sealed tree.

A filing is written down as one JSON object (`FilingRecord.to_json`) in the canonical bytes of RFC 8785:

    {"batch", "candidate_no", "catalogue_version", "content", "filed_at", "format": 1, "indices", "kind",
     "nonce", "number", "openings", "previous", "serial"}

Bytes are lower-case hex, `filed_at` is UTC to the microsecond ("2017-06-28T06:02:11.000000Z"), `previous` is
null for a candidate's first filing in a batch. Its digest is SHA-256(0x00 ‖ bytes), a leaf of RFC 9162, so
records, receipts and the sealed tree all speak of the same 32 bytes. The nonce keeps a published digest from
telling which of few likely lists it stands for.

Pure: time, nonce and keys are arguments.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, Literal

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.merkle import MerkleTree, leaf_hash, node_hash, verify_inclusion
from app.wording import N_, Param

__all__ = [
    "ChainFault",
    "FilingRecord",
    "MerkleTree",
    "Receipt",
    "ReceiptError",
    "canonical",
    "check_chain",
    "draft_digest",
    "filing_digest",
    "leaf_hash",
    "masked",
    "node_hash",
    "shown",
    "sign_receipt",
    "utc",
    "verify_inclusion",
    "verify_receipt",
]

Kind = Literal["list", "waiver"]

_EXACT: Final = 2**53 - 1
_PLAIN: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical(value: Any) -> bytes:
    """Return the one byte string of RFC 8785 for a JSON value. Raises ValueError for what JSON cannot say."""
    # Where there are no floats, and keys are ASCII, the C encoder writes the very same bytes several times
    # as fast; a test holds the two against each other.
    return _PLAIN.encode(value).encode() if _is_plain(value) else rfc8785.dumps(value)


def _is_plain(value: object) -> bool:
    if value is None or type(value) is str or type(value) is bool:
        return True
    if type(value) is int:
        return -_EXACT <= value <= _EXACT
    if type(value) is dict:
        return all(type(key) is str and key.isascii() and _is_plain(each) for key, each in value.items())
    return (type(value) is list or type(value) is tuple) and all(map(_is_plain, value))


def draft_digest(
    *, candidate_no: str, batch: str, kind: Kind, content: Mapping[str, Any], catalogue_version: int
) -> bytes:
    """Return the digest of what a candidate is shown and signs with a code (F-02).

    `content` is the compacted list. A new catalogue makes another digest, so that a list is confirmed
    against the catalogue it was checked against (F-07).
    """
    shown_to_sign = {
        "batch": batch,
        "candidate_no": candidate_no,
        "catalogue_version": catalogue_version,
        "content": content,
        "kind": kind,
    }
    return sha256(canonical(shown_to_sign)).digest()


@dataclass(frozen=True, slots=True)
class FilingRecord:
    """One filing as it is proved. `number` counts from 1 within candidate and batch.

    `serial` is the card's, `indices` the numbers of the codes asked for (one, or two), `openings` their A_i:
    whoever holds the verifier key can check that real codes of this card were given (L-09).
    """

    candidate_no: str
    batch: str
    number: int
    kind: Kind
    content: Mapping[str, Any]
    catalogue_version: int
    filed_at: datetime
    nonce: bytes
    previous: bytes | None
    serial: str
    indices: tuple[int, ...]
    openings: tuple[bytes, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the record as the JSON object that is hashed. Raises ValueError for a naive time."""
        return {
            "batch": self.batch,
            "candidate_no": self.candidate_no,
            "catalogue_version": self.catalogue_version,
            "content": self.content,
            "filed_at": utc(self.filed_at),
            "format": 1,
            "indices": self.indices,
            "kind": self.kind,
            "nonce": self.nonce.hex(),
            "number": self.number,
            "openings": [opening.hex() for opening in self.openings],
            "previous": None if self.previous is None else self.previous.hex(),
            "serial": self.serial,
        }


def utc(moment: datetime) -> str:
    """Return a time as everything that is proved spells it. Raises ValueError for one without a zone."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be evidence; read it from the database as timestamptz")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def filing_digest(record: FilingRecord) -> bytes:
    """Return SHA-256(0x00 ‖ canonical record), the digest of a filing and its leaf in the sealed tree."""
    return leaf_hash(canonical(record.to_json()))


def shown(digest: bytes) -> str:
    """Return what people compare: the first 20 hex digits in groups of four (L-05)."""
    text = digest.hex()[:20]
    return " ".join(text[start : start + 4] for start in range(0, 20, 4))


def masked(candidate_no: str) -> str:
    """Return a candidate number with only the year and the serial legible: 17********0001."""
    return f"{candidate_no[:2]}{'*' * (len(candidate_no) - 6)}{candidate_no[-4:]}"


# ---------------------------------------------------------------------------------------------------------
# Receipts


class ReceiptError(ValueError):
    """A receipt does not prove anything. `reason` is a stable word, `message` a msgid."""

    def __init__(self, reason: Literal["malformed", "unknown_key", "signature"], message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a verified receipt says. The candidate number is masked; the list itself is not in it."""

    candidate: str
    batch: str
    number: int
    kind: Kind
    filed_at: datetime
    digest: bytes
    key_id: str


_MALFORMED: Final = N_("This is not a receipt of ours. Check that nothing of it was cut off or changed.")
_UNKNOWN_KEY: Final = N_("The key of this receipt is not known here. Ask the office for its list of keys.")
_FORGED: Final = N_("The signature is wrong: this receipt was changed, or is not ours.")


def sign_receipt(record: FilingRecord, key: Ed25519PrivateKey, key_id: str, *, digest: bytes | None = None) -> str:
    """Return a receipt that anybody can verify offline: base64url(payload).base64url(signature), unpadded.

    The payload is canonical JSON and is signed as it is. `digest` saves a second hashing where
    `filing_digest(record)` is at hand.
    """
    payload = canonical(
        {
            "batch": record.batch,
            "candidate": masked(record.candidate_no),
            "digest": (filing_digest(record) if digest is None else digest).hex(),
            "filed_at": utc(record.filed_at),
            "key": key_id,
            "kind": record.kind,
            "number": record.number,
            "use": "zhiyuan receipt 1",
        }
    )
    return f"{_base64url(payload)}.{_base64url(key.sign(payload))}"


def verify_receipt(token: str, public_keys: Mapping[str, Ed25519PublicKey]) -> Receipt:
    """Verify a receipt and return what it says. Raises `ReceiptError`."""
    payload, signature = _split(token)
    said = _read(payload)
    key = public_keys.get(said["key"])
    if key is None:
        raise ReceiptError("unknown_key", _UNKNOWN_KEY)
    try:
        key.verify(signature, payload)
    except InvalidSignature as error:
        raise ReceiptError("signature", _FORGED) from error
    return Receipt(
        candidate=said["candidate"],
        batch=said["batch"],
        number=said["number"],
        kind=said["kind"],
        filed_at=datetime.fromisoformat(said["filed_at"]),
        digest=bytes.fromhex(said["digest"]),
        key_id=said["key"],
    )


def _split(token: str) -> tuple[bytes, bytes]:
    parts = token.strip().split(".")
    try:
        payload, signature = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts)
    except (ValueError, binascii.Error) as error:
        raise ReceiptError("malformed", _MALFORMED) from error
    # one receipt, one spelling: the decoder lets foreign characters and spare bits pass
    if [_base64url(payload), _base64url(signature)] != parts:
        raise ReceiptError("malformed", _MALFORMED)
    return payload, signature


def _read(payload: bytes) -> dict[str, Any]:
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ReceiptError("malformed", _MALFORMED) from error
    words = {"batch", "candidate", "digest", "filed_at", "key", "kind", "number", "use"}
    if not isinstance(said, dict) or said.keys() != words or said["use"] != "zhiyuan receipt 1":
        raise ReceiptError("malformed", _MALFORMED)
    if not all(isinstance(said[word], str) for word in words - {"number"}):
        raise ReceiptError("malformed", _MALFORMED)
    return said


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# ---------------------------------------------------------------------------------------------------------
# The chain of one candidate's filings in one batch

Reason = Literal["altered", "missing", "reordered", "foreign", "broken", "earlier", "ended"]

_FAULTS: Final[Mapping[Reason, str]] = {
    "altered": N_("Filing %(number)s was altered: it no longer has the digest stored with it."),
    "missing": N_("Filing %(number)s is missing."),
    "reordered": N_("Filing %(number)s does not stand in its place."),
    "foreign": N_("Filing %(number)s belongs to another candidate or batch."),
    "broken": N_("Filing %(number)s does not follow the filing before it: one of the two was replaced."),
    "earlier": N_("Filing %(number)s claims an earlier time than the filing before it."),
    "ended": N_("The filings do not end where the seal or the receipt says: the last ones were removed."),
}


@dataclass(frozen=True, slots=True)
class ChainFault:
    """One thing wrong with a chain, at the filing of that number."""

    reason: Reason
    number: int

    @property
    def message(self) -> str:
        """A msgid for `params`."""
        return _FAULTS[self.reason]

    @property
    def params(self) -> dict[str, Param]:
        """Parameters of `message`."""
        return {"number": self.number}


def check_chain(stored: Sequence[tuple[FilingRecord, bytes]], *, last: bytes | None = None) -> list[ChainFault]:
    """Check the filings of one candidate in one batch, each with the digest stored beside it, in order.

    Finds what was altered, removed, put in or reordered. A chain cut at its end looks whole: give `last`, the
    digest of the standing filing as the seal or a receipt has it, to find that too.
    """
    faults: list[ChainFault] = []
    for position, (record, digest) in enumerate(stored):
        if filing_digest(record) != digest:
            faults.append(ChainFault("altered", record.number))
        if (record.candidate_no, record.batch) != (stored[0][0].candidate_no, stored[0][0].batch):
            faults.append(ChainFault("foreign", record.number))
        if position and record.number <= stored[position - 1][0].number:
            faults.append(ChainFault("reordered", record.number))
    by_number = {record.number: (record, digest) for record, digest in stored}
    for number in range(1, max(by_number, default=0) + 1):
        faults += _links(by_number, number)
    if last is not None and (not stored or stored[-1][1] != last):
        faults.append(ChainFault("ended", stored[-1][0].number if stored else 0))
    return faults


def _links(by_number: Mapping[int, tuple[FilingRecord, bytes]], number: int) -> list[ChainFault]:
    if number not in by_number:
        return [ChainFault("missing", number)]
    record = by_number[number][0]
    if number == 1:
        return [ChainFault("broken", 1)] if record.previous is not None else []
    if number - 1 not in by_number:
        return []
    before, digest = by_number[number - 1]
    faults = [ChainFault("broken", number)] if record.previous != digest else []
    return [*faults, ChainFault("earlier", number)] if record.filed_at < before.filed_at else faults
