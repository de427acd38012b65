"""Making a lot, once: everything is checked, then it is written down that the request is spent, then cards are made.

A request is never made twice, and what breaks off is not gone on with: codes are forgotten as soon as they are
encrypted, so half a lot cannot be completed (D-04). The register says which requests are spent. It is written, and
on the disk, before the first card exists.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import rfc8785

from cards import codes, lots, manifests, printfile, verifiers
from cards.errors import LotRefused
from cards.files import UNFINISHED, Output, sync_directory, whole_or_unfinished, write_new
from cards.keys import Signer, key_check
from cards.lots import Made
from cards.manifests import FileSaid, Manifest, signature_of
from cards.merkle import Frontier
from cards.requests import Approved, Named
from cards.signatures import Purpose, signature

_ROOM: Final = 1.05

Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Register:
    """The file on the offline machine that says which requests are spent; kept for good."""

    path: Path

    def begin(self) -> None:
        """Make it, on a machine that has made no lot; raises `LotRefused` when there is one."""
        write_new(self.path, b"")
        sync_directory(self.path.absolute().parent)

    @contextmanager
    def spending(self, lot: str, request: bytes, now: datetime) -> Iterator[None]:
        """Write down that a request is spent, before the block begins, and that it was finished, when it ends well.

        Raises `LotRefused` when the lot or the request was ever begun, and when another lot is being made.
        """
        digest = sha256(request).hexdigest()
        with self._held() as handle:
            for entry in self._entries():
                if lot == entry.get("lot") or digest == entry.get("request"):
                    raise LotRefused(
                        f"Lot {lot} was begun at {entry.get('at')} and is spent, whatever became of it. A lot is made"
                        " once. Ask for a new lot with another number."
                    )
            self._write(handle, {"act": "begun", "at": now.isoformat(), "lot": lot, "request": digest})
            yield
            self._write(handle, {"act": "finished", "lot": lot, "request": digest})

    @contextmanager
    def _held(self) -> Iterator[int]:
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND)
        except OSError as error:
            raise LotRefused(
                f"The register {self.path} cannot be opened: {error.strerror}. Name the one this machine has always"
                " used. Only on a machine that never made a lot, make one with `python -m cards make-register`."
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield handle
        except BlockingIOError as error:
            raise LotRefused("Another lot is being made. Wait until it is finished.") from error
        finally:
            os.close(handle)

    def _entries(self) -> list[dict[str, str]]:
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
            return [dict(json.loads(line)) for line in lines]
        except ValueError as error:
            raise LotRefused(f"The register {self.path} is damaged. Ask the person who keeps it.") from error

    @staticmethod
    def _write(handle: int, entry: dict[str, str]) -> None:
        line = rfc8785.dumps(entry) + b"\n"
        if os.write(handle, line) != len(line):
            raise LotRefused("The register could not be written. Make room on its disk.")
        os.fsync(handle)


@dataclass(frozen=True, slots=True)
class Making:
    """All it takes to make a lot."""

    approved: Approved
    request: bytes
    key: bytes
    signer: Signer
    register: Register
    #: an empty directory; the lot becomes a directory in it
    out: Path
    workers: int | None = None

    @property
    def name(self) -> str:
        """Name of the directory the lot will be in."""
        return f"lot-{self.approved.order.lot}"

    @property
    def unfinished(self) -> Path:
        """The directory while it is being written: what to delete when it breaks off."""
        return self.out / f"{UNFINISHED}{self.name}"

    def require_hash(self) -> None:
        """Raise `cards.errors.AlgorithmUnavailable` unless this machine has the lot's hash."""
        order = self.approved.order
        codes.seal(bytes(32), key=self.key, algorithm=order.algorithm, lot=order.lot, serial="", index=1)

    def require_room(self) -> None:
        """Raise `LotRefused` unless `out` is empty and has room for the lot."""
        if not self.out.is_dir() or any(self.out.iterdir()):
            raise LotRefused(f"{self.out} must be an empty directory. Nothing was begun.")
        order = self.approved.order
        needed = int(_ROOM * (printfile.size(order) + verifiers.size(order.request)))
        free = shutil.disk_usage(self.out).free
        if free < needed:
            mib = 1 << 20
            raise LotRefused(
                f"The lot needs about {needed // mib + 1} MiB; {self.out} has {free // mib} free. Nothing was begun."
            )

    def run(self, now: datetime, progress: Progress) -> Path:
        """Make the lot; returns its directory. `progress` is told of each card."""
        self.require_hash()
        self.require_room()
        order = self.approved.order
        with (
            self.register.spending(order.lot, self.request, now),
            whole_or_unfinished(self.out, self.name) as directory,
        ):
            self._write(directory, now, progress)
        return self.out / self.name

    def _write(self, directory: Path, now: datetime, progress: Progress) -> None:
        order = self.approved.order
        root = Frontier()
        print_path, verifier_path = (
            directory / name for name in (manifests.print_name(order.lot), manifests.verifier_name(order.lot))
        )
        with Output(print_path, order.algorithm) as prints, Output(verifier_path, order.algorithm) as sealed:
            sealed.write(verifiers.heading(order.request))
            printfile.encrypt(order, self._noted(root, sealed, progress), prints)
        for path, file, purpose in (
            (print_path, prints, Purpose.PRINT_FILE),
            (verifier_path, sealed, Purpose.VERIFIER_FILE),
        ):
            write_new(signature_of(path), signature(self.signer, purpose, file.digests.signed))
        manifest = Manifest(
            order=order,
            key_check=key_check(self.key),
            request_digest=sha256(self.request).hexdigest(),
            approvers=tuple(Named(name=person.name, key=person.key) for person in self.approved.approvers),
            signer=Named(name=self.signer.person.name, key=self.signer.person.key),
            made_at=now.isoformat(),
            root=root.root.hex(),
            print_file=FileSaid.of(print_path.name, prints.size, prints.digests),
            verifier_file=FileSaid.of(verifier_path.name, sealed.size, sealed.digests),
        )
        path = directory / manifests.manifest_name(order.lot)
        write_new(path, manifest.canonical)
        write_new(signature_of(path), signature(self.signer, Purpose.MANIFEST, manifest.canonical))

    def _noted(self, root: Frontier, sealed: Output, progress: Progress) -> Iterator[Made]:
        """The cards, each noted for the service and for the root before its codes go to the print file."""
        request = self.approved.order.request
        for card in lots.make_lot(request, {request.key_version: self.key}, workers=self.workers):
            sealed.write(verifiers.record(card.sealed))
            root.append(lots.leaf(card.sealed))
            progress(1)
            yield card
