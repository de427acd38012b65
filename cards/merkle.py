"""Merkle hashing of RFC 9162: leaf SHA-256(0x00 ‖ data), node SHA-256(0x01 ‖ left ‖ right).

The root of a lot is computed while its cards go by, of which there are too many to keep. The service's tree,
which also gives proofs, is built of the same two hashes.
"""

from collections.abc import Iterable
from functools import reduce
from hashlib import sha256


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of one leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over two others."""
    return sha256(b"\x01" + left + right).digest()


class GrowingRoot:
    """The root over the leaf hashes added so far; keeps one hash for each power of two among their number."""

    __slots__ = ("_peaks", "_size")

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._size = 0
        self._peaks: list[bytes] = []
        for leaf in leaves:
            self.add(leaf)

    def __len__(self) -> int:
        return self._size

    def add(self, leaf: bytes) -> None:
        """Add the next leaf's hash: whole subtrees of one size become one of the next."""
        self._size += 1
        self._peaks.append(leaf)
        size = self._size
        while size % 2 == 0:
            right = self._peaks.pop()
            self._peaks.append(node_hash(self._peaks.pop(), right))
            size //= 2

    @property
    def root(self) -> bytes:
        """The root; of the empty tree the hash of nothing, as the RFC has it."""
        if not self._peaks:
            return sha256(b"").digest()
        return reduce(lambda right, left: node_hash(left, right), reversed(self._peaks))
