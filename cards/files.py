"""Files that are written whole or not at all, and known by their digests.

A lot is written into a directory whose name says that it is unfinished; when all of it is on the disk, one
renaming makes it a lot. Whatever breaks off before leaves that name behind, also a power cut.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Self

from cards.codes import Algorithm
from cards.errors import AlgorithmUnavailable, LotRefused

UNFINISHED: Final = "UNFINISHED-"
_BLOCK: Final = 1 << 20


class Digests:
    """The SHA-256 of bytes as they go by, for signing, and the digest of the lot's own algorithm."""

    def __init__(self, algorithm: Algorithm = Algorithm.SHA256) -> None:
        self._signed = hashlib.sha256()
        try:
            self._own = self._signed if algorithm is Algorithm.SHA256 else hashlib.new(str(algorithm))
        except ValueError as error:
            raise AlgorithmUnavailable(str(algorithm)) from error

    def add(self, content: bytes) -> None:
        """Take the next bytes in."""
        self._signed.update(content)
        if self._own is not self._signed:
            self._own.update(content)

    @property
    def signed(self) -> bytes:
        """What a signature over the whole covers."""
        return self._signed.digest()

    @property
    def own(self) -> str:
        """What the manifest says of it, in hexadecimal digits."""
        return self._own.hexdigest()


class Output:
    """A new file, its digests kept while it is written. Remembers that a write failed, for those who write for us."""

    def __init__(self, path: Path, algorithm: Algorithm = Algorithm.SHA256) -> None:
        """Open `path`, which must not exist, for its owner alone."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(handle, "wb", buffering=_BLOCK)
        self.digests = Digests(algorithm)
        self.size = 0
        self.failure: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """On the disk when the block ends well; closed in any case."""
        try:
            if kind is None:
                self._file.flush()
                os.fsync(self._file.fileno())
        finally:
            try:
                self._file.close()
            except OSError:  # the buffer that cannot be written is no news
                if kind is None:
                    raise

    def write(self, content: bytes) -> int:
        """Write and digest."""
        try:
            self._file.write(content)
            self.digests.add(content)
        except BaseException as error:
            self.failure = error
            raise
        self.size += len(content)
        return len(content)


def write_new(path: Path, content: bytes) -> None:
    """Write a small new file, on the disk when this returns."""
    try:
        with Output(path) as file:
            file.write(content)
    except FileExistsError as error:
        raise LotRefused(f"{path} exists. Name a new file, or delete that one first.") from error


def read(path: Path, most: int = _BLOCK) -> bytes:
    """Read a small file; raises `LotRefused` when it cannot be read or is none of ours."""
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise LotRefused(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > most:
        raise LotRefused(f"{path} is too long to be the file that is meant.")
    return content


def blocks(file: BinaryIO) -> Iterator[bytes]:
    """The rest of a file, piece by piece."""
    while block := file.read(_BLOCK):
        yield block


def digests_of(path: Path, algorithm: Algorithm = Algorithm.SHA256) -> Digests:
    """The digests of a file; raises `LotRefused` when it cannot be read."""
    digests = Digests(algorithm)
    try:
        with path.open("rb") as file:
            for block in blocks(file):
                digests.add(block)
    except OSError as error:
        raise LotRefused(f"{path} cannot be read: {error.strerror}.") from error
    return digests


@contextmanager
def whole_or_unfinished(parent: Path, name: str) -> Iterator[Path]:
    """A new directory to write into; it gets its `name` in `parent` when the block ends well, all files on the disk."""
    begun = parent / f"{UNFINISHED}{name}"
    begun.mkdir(mode=0o700)
    yield begun
    sync_directory(begun)
    begun.rename(parent / name)
    sync_directory(parent)


def sync_directory(path: Path) -> None:
    """Bring the names in a directory to the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
