"""Merkle hashing of RFC 9162: leaf SHA-256(0x00 ‖ data), node SHA-256(0x01 ‖ left ‖ right).

The root of a lot is computed while its cards go by, of which there are too many to keep. The service's tree,
which also gives proofs, is built of the same two hashes.
"""

from hashlib import sha256


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of one leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over two others."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """A growing tree of which only the roots of its whole subtrees are kept, the largest first.

    That is all it takes to append a leaf or to tell the root: a few hashes, however many leaves there are.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, kept: bytes = b"") -> None:
        if len(kept) != 32 * size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} whole subtrees, not {len(kept) / 32}")
        self.size = size
        self._peaks = [kept[at : at + 32] for at in range(0, len(kept), 32)]

    def append(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        size = self.size
        while size & 1:
            leaf = node_hash(self._peaks.pop(), leaf)
            size >>= 1
        self._peaks.append(leaf)
        self.size += 1

    @property
    def root(self) -> bytes:
        """The root of the tree so far."""
        if not self._peaks:
            return sha256(b"").digest()
        found = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            found = node_hash(peak, found)
        return found

    @property
    def kept(self) -> bytes:
        """What `Frontier(size, kept)` goes on from."""
        return b"".join(self._peaks)
