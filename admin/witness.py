"""Witness the logs of a service: cosign what has only grown, keep a copy of it, refuse what contradicts it.

    python witness.py init DIR NAME                     makes a key; prints what the province enters in WITNESSES
    python witness.py serve DIR --origin-key KEY        answers on 127.0.0.1:8711; --host and --port for another

KEY is the public key of the sealer, as `python -m admin seal witnesses` prints it; twice while it is changed. The
protocol is C2SP tlog-witness: POST /add-checkpoint. Besides, GET / names the witness, and GET /checkpoints is the
newest it has cosigned, to be held against a bundle (`verify.py --earlier`). How a prefecture sets one up is
described in config/deploy/evidence.md.

A checkpoint is on the disk before its cosignature leaves. In DIR stand `key`, `name`, for each log every note ever
cosigned (`filings.notes`, `audit.notes`), and in `evidence` what was signed by the sealer and refused.

This program stands alone: Python's standard library and `cryptography`, nothing of the service it watches.
"""

import argparse
import base64
import contextlib
import fcntl
import json
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

LOGS = ("filings", "audit")
#: 63 lines of a proof and a note are less than half of it
MOST_BYTES = 16_384
#: kinds of keys, of C2SP signed-note and tlog-cosignature
SIGNS, COSIGNS = 1, 4
PLAIN = "text/plain; charset=utf-8"
SIZE = "text/x.tlog.size"

NOTE = re.compile(
    r"zhiyuan/(?P<log>[a-z]+)\n(?P<size>0|[1-9][0-9]{0,14})\n(?P<root>[A-Za-z0-9+/]{43}=)\n(?:[^\n]+\n)*\n"
    r"(?P<signatures>(?:— [^ \n]+ [A-Za-z0-9+/]+=*\n)+)"
)
REQUEST = re.compile(
    r"old (?P<old>0|[1-9][0-9]{0,14})\n(?P<proof>(?:[A-Za-z0-9+/]{43}=\n){0,63})\n(?P<note>.+)", re.DOTALL
)

log = logging.getLogger("witness")


class Wrong(Exception):
    """What is typed or stored here that cannot be gone on with."""


class Refused(Exception):
    """A request that gets no cosignature."""

    def __init__(self, status: str, words: str, kind: str = PLAIN) -> None:
        super().__init__(words)
        self.status, self.kind = status, kind


# --- keys ---------------------------------------------------------------------------------------------


def decoded(text: str) -> bytes:
    """Base 64; nothing for what is none."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def key_id(name: str, kind: int, public: bytes) -> bytes:
    """The four bytes in front of a signature."""
    return sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def written_key(name: str, kind: int, public: bytes) -> str:
    """A public key as it is handed over: name, check, key."""
    return f"{name}+{key_id(name, kind, public).hex()}+{base64.b64encode(bytes([kind]) + public).decode()}"


def read_key(text: str, kind: int) -> tuple[str, bytes]:
    """Name and public key; raises `Wrong` for a slip in typing."""
    name, check, key = [*text.split("+", 2), "", ""][:3]
    found = decoded(key)
    if not name or len(found) != 33 or found[0] != kind or key_id(name, kind, found[1:]).hex() != check:
        raise Wrong(f"{text[:40]!r} is no key of this kind; compare it letter by letter")
    return name, found[1:]


def signed(public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether the signature is of that key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except InvalidSignature:
        return False
    return True


# --- trees --------------------------------------------------------------------------------------------


def node(left: bytes, right: bytes) -> bytes:
    """The hash of a node over two others."""
    return sha256(b"\x01" + left + right).digest()


def consistent(first: int, second: int, old: bytes, new: bytes, proof: list[bytes]) -> bool:
    """Whether the tree of `first` leaves is proved to be the beginning of that of `second` (RFC 9162, 2.1.4.2)."""
    if first in {0, second}:
        return not proof and (first == 0 or old == new)
    path = [old, *proof] if first & (first - 1) == 0 else proof
    if first > second or not path:
        return False
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    below = above = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            below, above = node(step, below), node(step, above)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            above = node(above, step)
        at, last = at >> 1, last >> 1
    return last == 0 and (below, above) == (old, new)


# --- notes --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Note:
    """A checkpoint as it was offered."""

    text: str
    log: str
    size: int
    root: bytes

    @property
    def body(self) -> bytes:
        """What is signed."""
        return self.text[: self.text.index("\n\n") + 1].encode()

    def signed_by(self, keys: dict[str, bytes]) -> bool:
        """Whether one of these keys has signed it; other signatures do not matter."""
        for line in self.text.split("\n\n", 1)[1].splitlines():
            _, name, value = line.split(" ")
            shown, public = decoded(value), keys.get(name, b"")
            if public and shown[:4] == key_id(name, SIGNS, public) and signed(public, shown[4:], self.body):
                return True
        return False


def read_note(text: str) -> Note:
    """A checkpoint; raises `Refused`."""
    found = NOTE.fullmatch(text)
    if not found:
        raise Refused("400 Bad Request", "this is no checkpoint")
    return Note(text, found["log"], int(found["size"]), base64.b64decode(found["root"]))


# --- what is kept -------------------------------------------------------------------------------------


@dataclass
class Kept:
    """What has been cosigned of one log."""

    path: Path
    note: Note | None = None
    cosignature: str = ""
    #: of every size that was cosigned
    roots: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Kept":
        """Everything from the disk. A last line that was not written to its end has never been answered."""
        kept = cls(path)
        with path.open("a+b") as file:
            file.seek(0)
            data = file.read()
            whole = data.rfind(b"\n") + 1
            file.truncate(whole)
            os.fsync(file.fileno())
        for line in data[:whole].splitlines():
            said = json.loads(line)
            kept.take(read_note(said["note"]), said["cosignature"])
        return kept

    @property
    def size(self) -> int:
        """How many leaves the newest has."""
        return self.note.size if self.note else 0

    def append(self, note: Note, cosignature: str) -> None:
        """Write it down for good; raises `OSError`, and then it is not there."""
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        before = os.fstat(handle).st_size
        try:
            with os.fdopen(os.dup(handle), "wb") as file:
                file.write(json.dumps({"cosignature": cosignature, "note": note.text}).encode() + b"\n")
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, before)
            raise
        finally:
            os.close(handle)
        self.take(note, cosignature)

    def take(self, note: Note, cosignature: str) -> None:
        """It is the newest."""
        self.note, self.cosignature = note, cosignature
        self.roots[note.size] = note.root

    def of_size(self, size: int) -> str:
        """The note of that size that was cosigned."""
        notes = (json.loads(line)["note"] for line in self.path.read_bytes().splitlines())
        return next((text for text in notes if read_note(text).size == size), "")


class Witness:
    """A key, and what was cosigned with it."""

    def __init__(self, directory: Path, origin_keys: dict[str, bytes]) -> None:
        """Read the directory; raises `Wrong` while another witness runs in it."""
        self.directory, self.origin_keys = directory, origin_keys
        self.name = (directory / "name").read_text(encoding="utf-8").strip()
        key = load_pem_private_key((directory / "key").read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise Wrong("the file `key` is no Ed25519 key")
        self.key = key
        self.public = key.public_key().public_bytes_raw()
        self._alone = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Wrong("another witness runs in this directory") from error
        self.kept = {name: Kept.read(directory / f"{name}.notes") for name in LOGS}
        sync(directory)
        self._one_at_a_time = threading.Lock()

    def close(self) -> None:
        """Let another witness run in the directory."""
        os.close(self._alone)

    @property
    def written_key(self) -> str:
        """What the province enters."""
        return written_key(self.name, COSIGNS, self.public)

    def add(self, body: bytes) -> str:
        """The cosignature of a checkpoint, once it is kept; raises `Refused`."""
        try:
            found = REQUEST.fullmatch(body.decode())
        except UnicodeDecodeError:
            found = None
        if not found:
            raise Refused("400 Bad Request", "this is no request of tlog-witness")
        note = read_note(found["note"])
        if note.log not in self.kept:
            raise Refused("404 Not Found", "nothing is known of this log")
        if not note.signed_by(self.origin_keys):
            raise Refused("403 Forbidden", "no key that is trusted here has signed this")
        if int(found["old"]) > note.size:
            raise Refused("400 Bad Request", "the old size is larger than the new one")
        with self._one_at_a_time:
            return self._judged(note, int(found["old"]), found["proof"].split())

    def _judged(self, note: Note, old: int, proof: list[str]) -> str:
        kept = self.kept[note.log]
        forked = kept.roots.get(note.size, note.root) != note.root
        if forked:
            self._evidence("another root of the same size", note, kept.of_size(note.size), proof)
        if forked or old != kept.size:
            raise Refused("409 Conflict", str(kept.size), SIZE)
        before = kept.note
        if before and not consistent(old, note.size, before.root, note.root, [decoded(step) for step in proof]):
            self._evidence("no proof that it has only grown", note, before.text, proof)
            raise Refused("422 Unprocessable Entity", f"not proved to go on from what was cosigned at {old}")
        if before and before.body == note.body:
            return kept.cosignature
        cosignature = self._cosigned(note)
        kept.append(note, cosignature)
        log.info("%s: cosigned at %d", note.log, note.size)
        return cosignature

    def _cosigned(self, note: Note) -> str:
        now = int(time.time())
        signature = self.key.sign(f"cosignature/v1\ntime {now}\n".encode() + note.body)
        value = key_id(self.name, COSIGNS, self.public) + now.to_bytes(8) + signature
        return f"— {self.name} {base64.b64encode(value).decode()}\n"

    def _evidence(self, found: str, note: Note, kept: str, proof: list[str]) -> None:
        """Keep what the sealer has signed and should not have; the same once."""
        path = self.directory / "evidence" / f"{note.log}-{note.size}-{sha256(note.body).hexdigest()[:16]}.json"
        if path.exists():
            return
        said = {"found": found, "at": int(time.time()), "kept": kept, "offered": note.text, "proof": proof}
        path.parent.mkdir(mode=0o700, exist_ok=True)
        part = path.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file:
            json.dump(said, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        sync(path.parent)
        log.error("%s: %s at %d; kept in %s", note.log, found, note.size, path)

    def newest(self) -> str:
        """The newest of each log, with the cosignature."""
        with self._one_at_a_time:
            return "\n".join(one.note.text + one.cosignature for one in self.kept.values() if one.note)


def sync(directory: Path) -> None:
    """Names in the directory are on the disk."""
    handle = os.open(directory, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


# --- over HTTP ----------------------------------------------------------------------------------------


def application(witness: Witness) -> Callable[..., Iterable[bytes]]:
    """The witness as a WSGI application; one process, for it alone knows what was cosigned last."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, kind = "200 OK", PLAIN
        try:
            words = _answered(witness, environ)
        except Refused as refusal:
            status, kind, words = refusal.status, refusal.kind, f"{refusal}\n"
        except OSError:
            log.exception("the disk")
            status, words = "503 Service Unavailable", "it could not be written down, so it is not cosigned\n"
        data = words.encode()
        headers = [("Content-Type", kind), ("Content-Length", str(len(data))), ("Cache-Control", "no-store")]
        start_response(status, [*headers, ("X-Content-Type-Options", "nosniff")])
        return [data]

    return answer


def _answered(witness: Witness, environ: dict[str, Any]) -> str:
    asked = environ["REQUEST_METHOD"], environ.get("PATH_INFO") or "/"
    if asked == ("GET", "/"):
        trusted = "".join(f"{written_key(name, SIGNS, key)}\n" for name, key in witness.origin_keys.items())
        return f"{witness.written_key}\n\n{trusted}"
    if asked == ("GET", "/checkpoints"):
        return witness.newest()
    if asked != ("POST", "/add-checkpoint"):
        raise Refused("404 Not Found", "there is no such page")
    length = environ.get("CONTENT_LENGTH") or ""
    if not re.fullmatch("[0-9]{1,9}", length):
        raise Refused("411 Length Required", "say how long it is")
    if int(length) > MOST_BYTES:
        raise Refused("413 Content Too Large", "this is too long")
    return witness.add(environ["wsgi.input"].read(int(length)))


class Server(ThreadingMixIn, WSGIServer):
    """A thread for each request; who is slow keeps nobody else waiting."""

    daemon_threads = True


class Handler(WSGIRequestHandler):
    """Ten seconds for a request, and no line in the log for it."""

    timeout = 10

    def log_message(self, *_: object) -> None:
        """Say nothing: the witness says what matters."""


# --- the program --------------------------------------------------------------------------------------


def init(directory: Path, name: str) -> str:
    """Make key and name in a new directory; returns the public key as it is handed over."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9./-]{0,63}", name):
        raise Wrong(
            "a name is made of small letters, digits, dots, strokes and hyphens, such as changsha.gov.cn/witness"
        )
    directory.mkdir(mode=0o700, parents=True)
    key = Ed25519PrivateKey.generate()
    for file, content in (
        ("name", f"{name}\n".encode()),
        ("key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())),
    ):
        handle = os.open(directory / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(handle)
    sync(directory)
    return written_key(name, COSIGNS, key.public_key().public_bytes_raw())


def main(arguments: list[str] | None = None) -> int:
    """Run the program; 1 when it cannot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    made = commands.add_parser("init", help="make a key in a new directory")
    made.add_argument("directory", type=Path)
    made.add_argument("name")
    served = commands.add_parser("serve", help="answer until it is stopped")
    served.add_argument("directory", type=Path)
    served.add_argument("--origin-key", action="append", required=True, metavar="KEY")
    served.add_argument("--host", default="127.0.0.1")
    served.add_argument("--port", type=int, default=8711)
    asked = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        if asked.command == "init":
            print(init(asked.directory, asked.name))
            return 0
        witness = Witness(asked.directory, dict(read_key(text, SIGNS) for text in asked.origin_key))
        server = make_server(asked.host, asked.port, application(witness), Server, Handler)
    except (Wrong, OSError, ValueError, KeyError, Refused) as error:
        print(f"The witness cannot run: {error}", file=sys.stderr)
        return 1
    log.info("%s answers on port %d", witness.written_key, server.server_port)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
