"""Verify a bundle of a sealed batch, offline, without trusting who made it.

    python verify.py BUNDLE [--receipt FILE] [--earlier BUNDLE] [--key FILE] [--witness KEY]

BUNDLE is a directory as `python -m admin seal bundle` writes it. Prints what was checked, or one line for every
finding, and ends with status 1 if there is one. What was filed after the close by leave of two officers is no finding;
it is listed apart, as amendments. The format is described in config/deploy/evidence.md.

--receipt   a receipt, or the proof downloaded from a receipt's page: is it in the log, does it stand, in which place
--earlier   a bundle of before, or a saved copy of the page /roots.txt or of a witness's /checkpoints: is what it
            says the beginning of this one
--key       the sealer's public key (PEM), from somewhere else than the bundle; without it a bundle made anew from
            beginning to end by somebody with another key looks sound. May be given several times, as the others.
--witness   the key of a witness as that office hands it over: has it cosigned where both logs end

This program stands alone: Python's standard library and `cryptography`, nothing of the service it judges.
"""

import argparse
import base64
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

LOGS = ("filings", "audit")
PUBLIC = {"keys.jsonl", "checkpoints.jsonl", "filings.log", "audit.log", "seals.jsonl", "sealed.csv"}
RECORDS = {"records.jsonl", "audit.jsonl", "standing.csv"}
MOST_FINDINGS = 100

STATEMENT = {
    "batch", "closes_at", "counts", "export", "grace_seconds", "history", "key", "logs", "number", "opens_at",
    "previous", "receipt_keys", "seal_keys", "sealed_at", "supplement", "tree", "use",
}  # fmt: skip
RECORD = {
    "batch", "candidate_no", "catalogue_version", "content", "filed_at", "format", "indices", "kind", "nonce",
    "number", "openings", "previous", "serial",
}  # fmt: skip
CSV = (
    "candidate_no,batch,version,kind,column,institution_adjust,directed_adjust,slot,institution,group,major_adjust,"
    "major_no,major\n"
)
NOTE = re.compile(
    r"zhiyuan/(?P<log>filings|audit)\n(?P<size>[0-9]+)\n(?P<root>[A-Za-z0-9+/]{43}=)\nnumber (?P<number>[0-9]+)\n"
    r"previous (?P<previous>-|[0-9a-f]{64})\ntime [0-9TZ:-]+\n\n— zhiyuan-seal-(?P<key>[0-9]+) (?P<signature>\S+)\n"
    r"(?P<cosigned>(?:— [a-z0-9][a-z0-9./-]* [A-Za-z0-9+/]{102}==\n)*)"
)
SEAL_LINE = re.compile(r'\{"signature":"([0-9a-f]{128})","statement":(\{.*\})\}\n', re.DOTALL)
SEAL_TEXT = re.compile(r"^zhiyuan seal [0-9]+\n(\{.*\})\n([0-9a-f]{128})$", re.MULTILINE)
SEALED_LINE = re.compile(rb"([0-9a-f]{64}),([0-9a-f]{64})\n")


class Wrong(Exception):
    """Something that cannot be read on from."""


# --- bytes, trees, signatures -------------------------------------------------------------------------


def no_fraction(text: str) -> NoReturn:
    """No number of ours has a fraction or an exponent."""
    raise Wrong(f"the number {text[:20]} is none of ours")


def whole(text: str) -> int:
    """A number that RFC 8785 can write exactly."""
    number = int(text) if len(text) <= 16 else 2**53
    if abs(number) >= 2**53:
        raise Wrong(f"the number {text[:20]} is too large to be exact")
    return number


DECODER = json.JSONDecoder(parse_float=no_fraction, parse_constant=no_fraction, parse_int=whole)
ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical(value: Any) -> bytes:
    """RFC 8785 for what our records hold: whole numbers, and names in ASCII."""
    return ENCODER.encode(value).encode()


def parsed(text: bytes | str) -> Any:
    """JSON with nothing but what `canonical` can write."""
    try:
        return DECODER.decode(text if isinstance(text, str) else text.decode())
    except (ValueError, RecursionError) as error:
        raise Wrong(f"this is no JSON: {error}") from error


def octets(text: Any, size: int) -> bytes:
    """Bytes in lower-case hexadecimal, exactly so many."""
    if not isinstance(text, str) or not re.fullmatch(r"[0-9a-f]*", text) or len(text) != 2 * size:
        raise Wrong(f"{str(text)[:20]!r} is not {size} bytes in hexadecimal")
    return bytes.fromhex(text)


def leaf(data: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash of a node over two others."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """The growing tree of RFC 9162: roots of whole subtrees, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def append(self, found: bytes) -> None:
        """The hash of the next leaf."""
        size = self.size
        while size & 1:
            found = node(self.peaks.pop(), found)
            size >>= 1
        self.peaks.append(found)
        self.size += 1

    def root(self) -> bytes:
        """The root of the tree so far."""
        if not self.peaks:
            return sha256(b"").digest()
        found = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            found = node(peak, found)
        return found


def included(found: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """RFC 9162, section 2.1.3.2."""
    if not 0 <= index < size:
        return False
    last = size - 1
    for step in path:
        if last == 0:
            return False
        if index & 1 or index == last:
            found = node(step, found)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            found = node(found, step)
        index, last = index >> 1, last >> 1
    return last == 0 and found == root


def signed(public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether the signature is of that key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except InvalidSignature:
        return False
    return True


def moment(text: Any) -> datetime:
    """A time as ours are written."""
    if not isinstance(text, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text, re.ASCII):
        raise Wrong(f"{str(text)[:40]!r} is no time of ours")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise Wrong(f"{text!r} is no time") from error


def masked(number: str) -> str:
    """A candidate number with only the year and the serial legible."""
    return f"{number[:2]}{'*' * (len(number) - 6)}{number[-4:]}"


def pseudonym(first: bytes) -> bytes:
    """What stands for a candidate whose first filing has this digest."""
    return sha256(b"zhiyuan pseudonym 1" + first).digest()


# --- a bundle -----------------------------------------------------------------------------------------


@dataclass
class Checkpoint:
    """A signed root of a log."""

    log: str
    number: int
    size: int
    root: bytes
    previous: str
    key: int
    note: str
    sound: bool
    #: a line for each witness, no part of what the next checkpoint names
    cosigned: str


@dataclass
class Seal:
    """A signed statement; `said` is what it says."""

    said: dict[str, Any]
    statement: bytes
    signature: bytes


@dataclass
class Late:
    """A filing from after the close. `where` it stands, and what is said of it."""

    where: str
    name: str
    filed_at: datetime


@dataclass
class Bundle:
    """What has been read so far."""

    place: Path
    records: bool
    keys: dict[int, bytes] = field(default_factory=dict)
    seals: list[Seal] = field(default_factory=list)
    checkpoints: dict[str, list[Checkpoint]] = field(default_factory=dict)
    logs: dict[str, bytes] = field(default_factory=dict)
    #: numbers of seals that two officers have confirmed, as the audit tells
    confirmed: set[int] = field(default_factory=set)
    #: pseudonym and digest, behind one another
    sealed: list[tuple[bytes, bytes]] = field(default_factory=list)
    filings: int = 0
    #: by digest
    late: dict[bytes, Late] = field(default_factory=dict)
    #: those among them that were allowed, in words
    amendments: list[str] = field(default_factory=list)

    @property
    def last(self) -> dict[str, Any]:
        """What the batch's own seal says."""
        return self.seals[-1].said


#: name, checkpoints and seals of an earlier bundle or page
Earlier = tuple[str, list[Checkpoint], list[Seal]]


def lines(path: Path) -> Iterator[bytes]:
    """Whole lines; a file that was cut in the middle of one is wrong."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                raise Wrong(f"{path.name} is cut off in line {number}")
            yield line


def rows(path: Path, names: set[str]) -> Iterator[dict[str, Any]]:
    """Rows of canonical JSON with exactly these names."""
    for _, row in written_rows(path, names):
        yield row


def written_rows(path: Path, names: set[str]) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """The same, each with the line it was read from."""
    for number, line in enumerate(lines(path), 1):
        try:
            row = parsed(line)
        except Wrong as error:
            raise Wrong(f"{path.name}, line {number}: {error}") from error
        if not isinstance(row, dict) or row.keys() != names or canonical(row) + b"\n" != line:
            raise Wrong(f"{path.name}, line {number} is not written as it should be")
        yield line, row


def opened(place: Path) -> Bundle:
    """A bundle with all its files, its signatures and chains checked; raises `Wrong`."""
    if not place.is_dir():
        raise Wrong(f"{place} is no directory")
    names = {path.name for path in place.iterdir()}
    if missing := PUBLIC - names:
        raise Wrong(f"the bundle lacks {', '.join(sorted(missing))}")
    if foreign := names - PUBLIC - RECORDS:
        raise Wrong(f"the bundle has files there should be none of: {', '.join(sorted(foreign))}")
    if RECORDS & names not in (RECORDS, set()):
        raise Wrong(f"the bundle lacks {', '.join(sorted(RECORDS - names))}")
    bundle = Bundle(place, records=names >= RECORDS)
    read_keys(bundle)
    read_seals(bundle)
    read_checkpoints(bundle)
    return bundle


def read_keys(bundle: Bundle) -> None:
    """Each key signs itself, and the one before signs it."""
    before: bytes | None = None
    for row in rows(bundle.place / "keys.jsonl", {"public", "signature", "version", "vouched"}):
        public, version = octets(row["public"], 32), row["version"]
        said = {"key": version, "previous": before.hex() if before else None, "public": row["public"]}
        data = canonical(said | {"use": "zhiyuan seal key 1"})
        if not signed(public, octets(row["signature"], 64), data):
            raise Wrong(f"key {version} does not sign itself")
        if (row["vouched"] is None) != (before is None):
            raise Wrong(f"key {version} is not tied to the key before it")
        if before is not None and not signed(before, octets(row["vouched"], 64), data):
            raise Wrong(f"key {version} is not vouched for by the key before it")
        bundle.keys[version] = before = public
    if not bundle.keys:
        raise Wrong("there is no key")


def read_seal(text: str, keys: dict[int, bytes]) -> Seal:
    """A line of seals.jsonl."""
    found = SEAL_LINE.fullmatch(text)
    if not found:
        raise Wrong("seals.jsonl has a line that is no seal")
    statement, signature = found[2].encode(), octets(found[1], 64)
    said = parsed(statement)
    if canonical(said) != statement or said.keys() != STATEMENT or said["use"] != "zhiyuan seal 1":
        raise Wrong("a seal is not written as it should be")
    if said["key"] not in keys or not signed(keys[said["key"]], signature, statement):
        raise Wrong(f"seal {said['number']} is not signed by the sealer")
    return Seal(said, statement, signature)


def read_seals(bundle: Bundle) -> None:
    """Numbered from one, each naming the one before, each signed."""
    before: str | None = None
    for number, line in enumerate(lines(bundle.place / "seals.jsonl"), 1):
        seal = read_seal(line.decode(), bundle.keys)
        if (seal.said["number"], seal.said["previous"]) != (number, before):
            raise Wrong(f"seal {number} does not follow the seal before it")
        before = sha256(seal.statement).hexdigest()
        bundle.seals.append(seal)
    if not bundle.seals:
        raise Wrong("there is no seal")
    if bundle.last["seal_keys"] != {str(version): key.hex() for version, key in bundle.keys.items()}:
        raise Wrong("the keys are not those the seal names")


def read_note(text: str, keys: dict[int, bytes]) -> Checkpoint:
    """A signed note; `sound` says whether its key and signature are."""
    found = NOTE.fullmatch(text)
    if not found:
        raise Wrong("a checkpoint is not written as it should be")
    key, body = keys.get(int(found["key"])), text[: text.index("\n\n") + 1].encode()
    sound = False
    if key is not None:
        name = f"zhiyuan-seal-{found['key']}".encode() + b"\n\x01" + key
        shown = decoded(found["signature"])
        sound = shown[:4] == sha256(name).digest()[:4] and signed(key, shown[4:], body)
    number, size, root = int(found["number"]), int(found["size"]), decoded(found["root"])
    note, cosigned = text[: found.start("cosigned")], found["cosigned"]
    return Checkpoint(found["log"], number, size, root, found["previous"], int(found["key"]), note, sound, cosigned)


def decoded(text: str) -> bytes:
    """Base 64 in its one spelling."""
    try:
        found = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Wrong("a checkpoint is not written as it should be") from error
    if base64.b64encode(found).decode() != text:
        raise Wrong("a checkpoint is not written as it should be")
    return found


def read_checkpoints(bundle: Bundle) -> None:
    """Those of the filings, then those of the audit, numbered from one, each naming the one before."""
    found: dict[str, list[Checkpoint]] = {log: [] for log in LOGS}
    done: list[str] = []
    for row in rows(bundle.place / "checkpoints.jsonl", {"log", "note"}):
        one = read_note(row["note"], bundle.keys)
        if one.log != row["log"] or one.log in done[:-1] or not one.sound:
            raise Wrong(f"a checkpoint of the {one.log} is not sound")
        if one.log not in done:
            done.append(one.log)
        chain = found[one.log]
        before = sha256(chain[-1].note.encode()).hexdigest() if chain else "-"
        if (one.number, one.previous) != (len(chain) + 1, before) or (chain and one.size <= chain[-1].size):
            raise Wrong(f"checkpoint {one.number} of the {one.log} does not follow the one before it")
        chain.append(one)
    if done != [log for log in LOGS if log in done]:
        raise Wrong("the checkpoints do not stand in their order")
    bundle.checkpoints = found


# --- what must agree ----------------------------------------------------------------------------------


def judged(bundle: Bundle, earlier: list[Earlier]) -> Iterator[str]:
    """Everything about the bundle that is wrong."""
    for stage in (logs(bundle, earlier), sealed(bundle), records(bundle) if bundle.records else ()):
        try:
            yield from stage
        except Wrong as error:
            yield str(error)


def logs(bundle: Bundle, earlier: list[Earlier]) -> Iterator[str]:
    """Every root that was ever signed is the root of the log at its size."""
    for log in LOGS:
        bundle.logs[log] = blob = read_log(bundle.place / f"{log}.log")
        signed_roots = [(one.size, one.root, f"checkpoint {one.number}") for one in bundle.checkpoints[log]]
        for seal in bundle.seals:
            head = seal.said["logs"][log]
            signed_roots.append((head["size"], octets(head["root"], 32), f"seal {seal.said['number']}"))
            yield from head_fits(bundle, log, head, seal.said["number"])
        if len(blob) != 32 * bundle.last["logs"][log]["size"]:
            yield f"the log of the {log} is not as long as the seal says"
        for name, notes, _ in earlier:
            of_log = [one for one in notes if one.log == log]
            signed_roots += [(one.size, one.root, f"{name}, checkpoint {one.number}") for one in of_log]
        yield from roots_fit(log, blob, signed_roots)
    for name, _, seals in earlier:
        for one, other in zip(bundle.seals, seals, strict=False):
            if one.statement != other.statement:
                yield f"{name} has another seal {other.said['number']}: one of the two histories was made up"
        if len(seals) > len(bundle.seals):
            yield f"{name} has more seals than this bundle: something was taken away, or it is the later one"


def read_log(path: Path) -> bytes:
    """The leaves behind one another."""
    parts = []
    with path.open("rb") as file:
        while part := file.read(65 * 8192):
            try:
                found = bytes.fromhex(part.decode())
            except ValueError as error:
                raise Wrong(f"{path.name} is not written as it should be") from error
            text = found.hex("\n", -32) + "\n"
            if len(found) % 32 or text.encode() != part:
                raise Wrong(f"{path.name} is not written as it should be")
            parts.append(found)
    return b"".join(parts)


def head_fits(bundle: Bundle, log: str, head: dict[str, Any], number: int) -> Iterator[str]:
    """The checkpoint a seal names is there, and none after the last."""
    chain = bundle.checkpoints[log]
    at = head["checkpoint"]
    if not 0 <= at <= len(chain):
        yield f"checkpoint {at} of the {log}, which seal {number} names, is missing"
    elif at and (chain[at - 1].size, sha256(chain[at - 1].note.encode()).hexdigest()) != (head["size"], head["note"]):
        yield f"checkpoint {at} of the {log} is not the one that seal {number} names"
    if number == len(bundle.seals) and at != len(chain):
        yield f"there are other checkpoints of the {log} than up to the seal"


def roots_fit(log: str, blob: bytes, wanted: list[tuple[int, bytes, str]]) -> Iterator[str]:
    """Each root is that of so many leaves."""
    tree, size = Tree(), len(blob) // 32
    for at, root, where in sorted(wanted, key=lambda one: one[0]):
        if at > size:
            yield f"{where} of the {log} has {at} leaves, the log here only {size}: something was taken away"
            continue
        while tree.size < at:
            tree.append(blob[32 * tree.size : 32 * tree.size + 32])
        if tree.root() != root:
            yield f"{where} has another root of the {log} at {at} leaves: the log was changed, or there are two"


def sealed(bundle: Bundle) -> Iterator[str]:
    """The pairs are the tree that was sealed, and each of their filings is in the log."""
    tree, last, digests = Tree(), b"", set()
    for number, line in enumerate(lines(bundle.place / "sealed.csv"), 1):
        found = SEALED_LINE.fullmatch(line)
        if not found:
            raise Wrong(f"sealed.csv, line {number} is not written as it should be")
        name, digest = bytes.fromhex(found[1].decode()), bytes.fromhex(found[2].decode())
        if name <= last:
            yield f"sealed.csv, line {number} does not stand in its place"
        last = name
        tree.append(leaf(name + digest))
        digests.add(digest)
        bundle.sealed.append((name, digest))
    said, counts = bundle.last["tree"], bundle.last["counts"]
    if (tree.size, tree.root()) != (said["size"], octets(said["root"], 32)):
        yield "sealed.csv is not what was sealed"
    if counts["lists"] + counts["waivers"] != tree.size:
        yield "the seal's counts do not fit its tree"
    blob = bundle.logs.get("filings", b"")
    digests.difference_update(blob[at : at + 32] for at in range(0, len(blob), 32))
    if digests:
        yield f"{len(digests)} sealed filings are not in the log"


# --- the records themselves ---------------------------------------------------------------------------


@dataclass
class Pass:
    """What is gathered while the records go by."""

    group: int = 0
    first: bytes = b""
    last: dict[str, Any] | None = None
    digest: bytes = b""
    place: int = -1
    kinds: dict[str, int] = field(default_factory=lambda: {"list": 0, "waiver": 0})
    codes: set[tuple[str, int]] = field(default_factory=set)
    digests: set[bytes] = field(default_factory=set)
    export: Any = field(default_factory=lambda: sha256(CSV.encode()))


def records(bundle: Bundle) -> Iterator[str]:
    """Digest, chain, receipt, place, time and codes of every filing; then the list, the audit and the counts."""
    seen = Pass()
    public = {name: octets(key, 32) for name, key in bundle.last["receipt_keys"].items()}
    receipts = {name: Ed25519PublicKey.from_public_bytes(key) for name, key in public.items()}
    found = written_rows(bundle.place / "records.jsonl", {"place", "receipt", "record"})
    for at, (line, row) in enumerate(found, 1):
        record = row["record"]
        where = f"records.jsonl, line {at}"
        if not isinstance(record, dict) or record.keys() != RECORD:
            raise Wrong(f"{where}: this is no filing")
        # the line is canonical and "record" its last name, so the record stands at its end as it is hashed
        digest = leaf(line[line.index(b'"record":') + 9 : -2])
        if record["number"] == 1:
            yield from group_ends(bundle, seen)
        yield from chained(record, digest, row["place"], seen, where)
        yield from placed(bundle, record, digest, row["place"], where)
        yield from receipted(record, digest, row["receipt"], receipts, where)
        seen.last, seen.digest, seen.place = record, digest, row["place"] if type(row["place"]) is int else -1
        seen.digests.add(digest)
        bundle.filings += 1
    yield from group_ends(bundle, seen)
    counts = {"filings": bundle.filings, "lists": seen.kinds["list"], "waivers": seen.kinds["waiver"]}
    if counts != bundle.last["counts"] or seen.group != len(bundle.sealed):
        yield "the filings are not as many as the seal says"
    text = (bundle.place / "standing.csv").read_bytes()
    if not seen.export.hexdigest() == bundle.last["export"] == sha256(text).hexdigest():
        yield "the list for admission is not the one that was sealed"
    yield from audited(bundle, seen.digests)


def chained(record: dict[str, Any], digest: bytes, place: Any, seen: Pass, where: str) -> Iterator[str]:
    """A filing follows the one before it, with codes of its own."""
    before = seen.last
    if record["number"] == 1:
        if record["previous"] is not None:
            yield f"{where}: a first filing that follows another"
        seen.first = digest
    elif before is None or record["number"] != before["number"] + 1 or record["previous"] != seen.digest.hex():
        yield f"{where}: it does not follow the filing before it"
    elif place is None or place <= seen.place or moment(record["filed_at"]) < moment(before["filed_at"]):
        yield f"{where}: it is older than the filing before it"
    for index in record["indices"]:
        if (record["serial"], index) in seen.codes:
            yield f"{where}: a code that another filing has used"
        seen.codes.add((record["serial"], index))


def placed(bundle: Bundle, record: dict[str, Any], digest: bytes, place: Any, where: str) -> Iterator[str]:
    """A filing is the one in the log, of this batch, and of a time when it was open."""
    blob, last = bundle.logs["filings"], bundle.last
    if type(place) is not int or place < 0 or blob[32 * place : 32 * place + 32] != digest:
        yield f"{where}: it is not the one that stands in the log: it was altered, or put in"
    if record["batch"] != last["batch"]:
        yield f"{where}: it is of another batch"
    filed_at = moment(record["filed_at"])
    if filed_at < moment(last["opens_at"]):
        yield f"{where}: it was filed while the batch was not open"
    if filed_at >= moment(last["closes_at"]):
        # whether that was allowed stands in the audit, which is read later
        name = f"version {record['number']} of {masked(record['candidate_no'])}"
        bundle.late[digest] = Late(where, name, filed_at)


def receipted(
    record: dict[str, Any], digest: bytes, token: Any, keys: dict[str, Ed25519PublicKey], where: str
) -> Iterator[str]:
    """The receipt is genuine and says what the record says."""
    try:
        said = read_receipt(token, keys)
    except Wrong as error:
        yield f"{where}: {error}"
        return
    meant = {
        "batch": record["batch"],
        "candidate": masked(record["candidate_no"]),
        "digest": digest.hex(),
        "filed_at": record["filed_at"],
        "key": said["key"],
        "kind": record["kind"],
        "number": record["number"],
        "use": "zhiyuan receipt 1",
    }
    if said != meant:
        yield f"{where}: its receipt says something else"


def read_receipt(token: Any, keys: dict[str, Ed25519PublicKey]) -> dict[str, Any]:
    """What a genuine receipt says; raises `Wrong`."""
    parts = token.split(".") if isinstance(token, str) else []
    try:
        payload, signature = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts)
        if [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (payload, signature)] != parts:
            raise Wrong("this is no receipt")
        said: dict[str, Any] = parsed(payload)
        keys[said["key"]].verify(signature, payload)
    except (ValueError, KeyError, TypeError) as error:
        raise Wrong("this is no receipt") from error
    except InvalidSignature as error:
        raise Wrong("the signature of the receipt is wrong") from error
    return said


def group_ends(bundle: Bundle, seen: Pass) -> Iterator[str]:
    """The last filing of a candidate is the one that was sealed under the candidate's pseudonym."""
    if seen.last is None:
        return
    if seen.group >= len(bundle.sealed) or bundle.sealed[seen.group] != (pseudonym(seen.first), seen.digest):
        yield f"records.jsonl: the filings of candidate {seen.group + 1} are not those that were sealed"
    seen.group += 1
    seen.kinds[seen.last["kind"]] = seen.kinds.get(seen.last["kind"], 0) + 1
    seen.export.update("".join(listed(seen.last)).encode())
    seen.last = None


def listed(record: dict[str, Any]) -> list[str]:
    """The lines of a filing in the list for admission."""
    say = {True: "1", False: "0", None: ""}
    head = [record["candidate_no"], record["batch"], str(record["number"]), record["kind"]]
    found: list[list[str]] = []
    try:
        for code, column in sorted(record["content"].get("columns", {}).items()):
            top = [*head, code, say[column["institution_adjust"]], say[column["directed_adjust"]]]
            if not column["slots"]:
                found.append([*top, "", "", "", "", "", ""])
            for number, slot in enumerate(column["slots"], 1):
                place = [*top, str(number), slot["institution"], slot["group"] or "", say[slot["major_adjust"]]]
                majors = [[str(at), major] for at, major in enumerate(slot["majors"], 1)]
                found += [place + major for major in majors or [["", ""]]]
    except (KeyError, TypeError, AttributeError) as error:
        raise Wrong("records.jsonl has a list that cannot be read") from error
    return [",".join(line) + "\n" for line in found or [head + [""] * 9]]


@dataclass
class Told:
    """What the audit tells of the batch."""

    filed: set[bytes] = field(default_factory=set)
    #: of filings from after the close: whose they are
    filers: dict[bytes, Any] = field(default_factory=dict)
    reopened: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)


def audited(bundle: Bundle, digests: set[bytes]) -> Iterator[str]:
    """Every entry is the one in the log; they tell of every filing and of no other, and of the batch's times."""
    names = {"act", "actor", "at", "candidate_id", "detail", "id", "ip", "officer_id", "request_id"}
    blob, told, size = bundle.logs["audit"], Told(), 0
    for row in rows(bundle.place / "audit.jsonl", names):
        if leaf(canonical(row)) != blob[32 * size : 32 * size + 32]:
            yield f"audit.jsonl, line {size + 1} is not the entry that stands in the log"
        size += 1
        if row["act"] == "seal.confirmed":
            yield from confirmed(bundle, row)
        else:
            hear(bundle, row, told)
    if 32 * size != len(blob):
        yield f"the audit has {size} entries, its log {len(blob) // 32}"
    if told.filed != digests:
        yield f"audit and filings differ in {len(told.filed ^ digests)} filings"
    if told.history != bundle.last["history"]:
        yield "the audit tells another history of the batch's times than the seal"
    yield from amended(bundle, told)


def hear(bundle: Bundle, row: dict[str, Any], told: Told) -> None:
    """Keep what an entry of the audit says, if it is about the batch."""
    code = bundle.last["batch"]
    if row["act"] in {"filing.confirmed", "candidate.reopened"}:
        detail = json.loads(row["detail"])
        if detail["batch"] != code:
            return
        if row["act"] == "candidate.reopened":
            told.reopened.append(row | {"detail": detail})
            return
        digest = octets(detail["digest"], 32)
        told.filed.add(digest)
        if digest in bundle.late:
            told.filers[digest] = row["candidate_id"]
    elif about_times(row, code):
        told.history.append({name: row[name] for name in ("at", "act", "detail")})


def amended(bundle: Bundle, told: Told) -> Iterator[str]:
    """Whoever filed after the close had leave: two officers had opened the batch again to them, and it still was."""
    said = bundle.last["supplement"]
    published = [
        {"at": row["at"]} | {name: row["detail"][name] for name in ("document_sha256", "until")}
        for row in sorted(told.reopened, key=lambda row: str(row["at"]))
    ]
    if published != said["reopenings"]:
        yield "the audit tells of other reopenings of the batch than the seal"
    for row in told.reopened:
        if row["actor"] != "officer" or row["officer_id"] in {None, row["detail"]["proposed_by"]}:
            yield f"the reopening of {row['at']} was not decided by two officers"
    end = moment(bundle.last["closes_at"]) + timedelta(seconds=bundle.last["grace_seconds"])
    for digest, late in bundle.late.items():
        leave = [row["detail"] for row in told.reopened if covers(row, told.filers.get(digest), late.filed_at)]
        if leave:
            filed = f"{late.filed_at:%Y-%m-%d %H:%M:%S} UTC"
            bundle.amendments.append(f"{late.name}, filed {filed} by leave of decision {leave[-1]['document']}")
        elif late.filed_at >= end:
            yield f"{late.where}: it was filed while the batch was not open"
    if len(bundle.amendments) != said["filings"]:
        yield "the filings after the close are not as many as the seal says"


def covers(row: dict[str, Any], candidate: Any, filed_at: datetime) -> bool:
    """Whether a reopening was in force for a candidate at that moment."""
    mine = candidate is not None and row["candidate_id"] == candidate
    return mine and moment(row["at"]) <= filed_at < moment(row["detail"]["until"])


def confirmed(bundle: Bundle, row: dict[str, Any]) -> Iterator[str]:
    """Two officers have confirmed a seal that is here, by its root, and once."""
    said = json.loads(row["detail"])
    number = said["seal"]
    seals = {seal.said["number"]: seal.said["tree"]["root"] for seal in bundle.seals}
    if seals.get(number) != said["root"] or number in bundle.confirmed:
        yield f"the audit tells of two officers who confirmed another seal {number}"
    if row["actor"] != "officer" or row["officer_id"] == said["proposed_by"]:
        yield f"the audit tells that seal {number} was confirmed by one officer alone"
    bundle.confirmed.add(number)


def about_times(row: dict[str, Any], code: str) -> bool:
    """Whether an entry of the audit is an act upon the batch."""
    act = str(row["act"])
    return act.startswith("batch.") and act != "batch.sealed" and json.loads(row["detail"]).get("batch") == code


# --- receipts and earlier copies ----------------------------------------------------------------------


def receipt_fits(bundle: Bundle, path: Path, said: list[str]) -> Iterator[str]:
    """A receipt, or a proof, held against the bundle. `said` is told what is right."""
    text = path.read_text(encoding="utf-8").strip()
    token, proof = text, None
    if text.startswith("{"):
        proof = parsed(text)
        token = proof["receipt"]
    public = bundle.last["receipt_keys"].items()
    keys = {name: Ed25519PublicKey.from_public_bytes(octets(key, 32)) for name, key in public}
    receipt = read_receipt("".join(token.split()), keys)
    digest = octets(receipt["digest"], 32)
    place = placed_at(bundle.logs["filings"], digest)
    name = f"{path.name} (version {receipt['number']} of {receipt['candidate']} in batch {receipt['batch']})"
    if place is None:
        yield f"{name} is not in the log: it was taken away, or filed after {bundle.last['sealed_at']}"
        return
    said.append(f"{name} is in the log at place {place}")
    if receipt["batch"] == bundle.last["batch"]:
        yield from stands(bundle, receipt, digest, name, said)
    if proof is not None:
        yield from proof_fits(bundle, proof, receipt, digest, name)


def placed_at(blob: bytes, digest: bytes) -> int | None:
    """The place of a digest in a log."""
    at = blob.find(digest)
    while at % 32 and at >= 0:
        at = blob.find(digest, at + 1)
    return at // 32 if at >= 0 else None


def stands(bundle: Bundle, receipt: dict[str, Any], digest: bytes, name: str, said: list[str]) -> Iterator[str]:
    """Whether a receipt of this batch is of the filing that was sealed."""
    standing = {filed: at for at, (_, filed) in enumerate(bundle.sealed)}
    if digest in standing:
        said.append(f"{name} stands, as number {standing[digest] + 1} of {len(bundle.sealed)}")
    elif receipt["number"] == 1:
        named = dict(bundle.sealed).get(pseudonym(digest))
        if named is None:
            yield f"{name}: nothing of this candidate was sealed"
        else:
            said.append(f"{name} was replaced; the filing with digest {named.hex()[:20]} stands")
    else:
        said.append(f"{name} does not stand; a later version does")


def proof_fits(
    bundle: Bundle, proof: dict[str, Any], receipt: dict[str, Any], digest: bytes, name: str
) -> Iterator[str]:
    """A proof is of the receipt's list, and its path leads to the root of a seal."""
    if leaf(canonical(proof["record"])) != digest or proof["digest"] != receipt["digest"]:
        yield f"{name}: the list in the proof is not the one the receipt was given for"
    if "seal" not in proof:
        return
    seal = proof["seal"]
    statement = canonical(seal["statement"])
    if statement not in [one.statement for one in bundle.seals]:
        yield f"{name}: the proof names a seal that is not in this bundle"
        return
    tree, own = seal["statement"]["tree"], pseudonym(octets(seal["first_digest"], 32))
    found = leaf(own + digest)
    path = [octets(step, 32) for step in seal["path"]]
    if seal["pseudonym"] != own.hex() or seal["leaf"] != found.hex():
        yield f"{name}: pseudonym or leaf in the proof are not this filing's"
    if not included(found, seal["index"], tree["size"], path, octets(tree["root"], 32)):
        yield f"{name}: the path in the proof does not lead to the root"


def read_earlier(path: Path, keys: dict[int, bytes]) -> Earlier:
    """Signed roots and seals of an earlier bundle, or of a saved copy of the published page."""
    if path.is_dir():
        before = opened(path)
        if not before.keys.items() <= keys.items():
            raise Wrong(f"{path.name} has other keys: one of the two was made up")
        return path.name, [one for log in LOGS for one in before.checkpoints[log]], before.seals
    text = path.read_text(encoding="utf-8")
    notes = [read_note(found[0], keys) for found in NOTE.finditer(text)]
    seals = [
        read_seal(f'{{"signature":"{found[2]}","statement":{found[1]}}}\n', keys) for found in SEAL_TEXT.finditer(text)
    ]
    if not notes or not all(one.sound for one in notes):
        raise Wrong(f"{path.name} has no checkpoint that is signed by a key of this bundle")
    return path.name, notes, seals


def trusted(bundle: Bundle, paths: list[Path]) -> Iterator[str]:
    """Whether one of the keys is the one that was handed over by another way; the others hang on it."""
    given = set()
    for path in paths:
        key = load_pem_public_key(path.read_bytes())
        if isinstance(key, Ed25519PublicKey):
            given.add(key.public_bytes_raw())
    if not given & set(bundle.keys.values()):
        yield "the bundle was not sealed with the key given"


def witnessed(bundle: Bundle, written: list[str], said: list[str]) -> Iterator[str]:
    """Whether each of these witnesses has cosigned where the logs end. `said` is told when it did."""
    for text in written:
        name, check, key = [*text.split("+", 2), "", ""][:3]
        public = decoded(key)[1:]
        own = sha256(name.encode() + b"\n\x04" + public).digest()[:4]
        if own.hex() != check or len(public) != 32 or decoded(key)[0] != 4:
            raise Wrong(f"{text[:40]!r} is no key of a witness; compare it letter by letter")
        for one in (chain[-1] for chain in bundle.checkpoints.values() if chain):
            at = cosigned_at(one, name, own, public)
            if at is None:
                yield (
                    f"checkpoint {one.number} of the {one.log}, where it ends, was not cosigned by {name}: wait for it"
                    " and write the bundle again; if the office says it did cosign, somebody took it away"
                )
            else:
                said.append(f"{name} cosigned checkpoint {one.number} of the {one.log} at {at:%Y-%m-%d %H:%M:%S} UTC")


def cosigned_at(one: Checkpoint, name: str, own: bytes, public: bytes) -> datetime | None:
    """When a witness has cosigned a checkpoint by its own clock, if it has."""
    body = one.note[: one.note.index("\n\n") + 1].encode()
    for line in one.cosigned.splitlines():
        value = decoded(line.rsplit(" ", 1)[1])
        time = int.from_bytes(value[4:12]) % 2**33
        data = f"cosignature/v1\ntime {time}\n".encode() + body
        if line.startswith(f"— {name} ") and value[:4] == own and signed(public, value[12:], data):
            return datetime.fromtimestamp(time, UTC)
    return None


# --- the program --------------------------------------------------------------------------------------


def verify(
    place: Path, receipts: list[Path], earlier: list[Path], keys: list[Path], witnesses: list[str] | None = None
) -> tuple[list[str], list[str]]:
    """Findings, and what was found right."""
    said: list[str] = []
    try:
        bundle = opened(place)
        before = [read_earlier(path, bundle.keys) for path in earlier]
        findings = [*(trusted(bundle, keys) if keys else ()), *judged(bundle, before)]
        for path in receipts:
            findings += receipt_fits(bundle, path, said)
        findings += witnessed(bundle, witnesses or [], said)
    except Wrong as error:
        return [str(error)], said
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OSError, RecursionError) as error:
        return [f"the bundle cannot be read: {type(error).__name__}: {error}"], said
    last, tree = bundle.last, bundle.last["tree"]
    said.insert(0, f"batch {last['batch']}, seal {last['number']} of {last['sealed_at']}")
    said.insert(1, f"  root {tree['root']} over {tree['size']} candidates")
    what = f"{bundle.filings} filings with all their records" if bundle.records else "digests only (no records given)"
    said.insert(2, f"  checked: {what}; logs of {last['logs']['filings']['size']} filings and "
                   f"{last['logs']['audit']['size']} audit entries")  # fmt: skip
    supplement = last["supplement"]
    if supplement["reopenings"]:
        number = len(supplement["reopenings"])
        said.append(f"  after the close: {number} reopenings, {supplement['filings']} amendments")
    said += [f"    amendment: {one}" for one in bundle.amendments]
    if bundle.records:
        known = ", ".join(str(number) for number in sorted(bundle.confirmed))
        said.append(f"  seals that two officers have confirmed, as of this one: {known or 'none'}")
    if not keys:
        said.append("  the key was taken from the bundle; compare it with --key")
    return findings, said


def main(arguments: list[str] | None = None) -> int:
    """Run the program; 0 sound, 1 findings."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("bundle", type=Path)
    for option in ("receipt", "earlier", "key"):
        parser.add_argument(f"--{option}", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--witness", action="append", default=[], metavar="KEY")
    asked = parser.parse_args(arguments)
    findings, said = verify(asked.bundle, asked.receipt, asked.earlier, asked.key, asked.witness)
    print("\n".join(said))
    for finding in findings[:MOST_FINDINGS]:
        print(f"WRONG: {finding}")
    if findings:
        print(f"{len(findings)} findings")
        return 1
    print("nothing is wrong")
    return 0


if __name__ == "__main__":
    sys.exit(main())
