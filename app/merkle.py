"""Merkle trees of RFC 9162: leaf SHA-256(0x00 ‖ data), node SHA-256(0x01 ‖ left ‖ right), odd node promoted.

The functions take leaf *hashes*. Those of filings are made by `evidence.filing_digest`.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

from cards.merkle import leaf_hash, node_hash

__all__ = ["MerkleTree", "leaf_hash", "node_hash", "verify_inclusion"]


class MerkleTree:
    """A tree over leaf hashes, all levels kept, so that a proof costs no hashing."""

    __slots__ = ("_levels",)

    def __init__(self, leaves: Iterable[bytes]) -> None:
        level = list(leaves)
        self._levels = [level]
        while len(level) > 1:
            above = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
            if len(level) % 2:
                above.append(level[-1])
            self._levels.append(above)
            level = above

    def __len__(self) -> int:
        return len(self._levels[0])

    @property
    def root(self) -> bytes:
        """The root; of the empty tree the hash of nothing, as the RFC has it."""
        return self._levels[-1][0] if len(self) else sha256(b"").digest()

    def proof(self, index: int) -> list[bytes]:
        """Return the inclusion proof of the leaf at `index` (from 0). Raises IndexError."""
        if not 0 <= index < len(self):
            raise IndexError(f"leaf {index} of a tree of {len(self)}")
        path = []
        for level in self._levels[:-1]:
            beside = index ^ 1
            if beside < len(level):
                path.append(level[beside])
            index >>= 1
        return path


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that `leaf` is the one at `index` in the tree of `size` leaves with this root.

    RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        return False
    node, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(step, found)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            found = node_hash(found, step)
        node >>= 1
        last >>= 1
    return last == 0 and found == root
