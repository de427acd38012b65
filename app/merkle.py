"""Merkle trees of RFC 9162: leaf SHA-256(0x00 ‖ data), node SHA-256(0x01 ‖ left ‖ right), odd node promoted.

The functions take leaf *hashes*. Those of filings are made by `evidence.filing_digest`.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

from cards.merkle import Frontier, leaf_hash, node_hash

__all__ = ["Frontier", "MerkleTree", "growth", "leaf_hash", "node_hash", "verify_consistency", "verify_inclusion"]


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

    def level(self, height: int) -> Sequence[bytes]:
        """The nodes at `height` above the leaves, from left to right; none above the root."""
        return self._levels[height] if height < len(self._levels) else ()

    def consistency(self, first: int) -> list[bytes]:
        """Return the proof that the tree of the `first` leaves is the beginning of this one. Raises IndexError."""
        if not 0 <= first <= len(self):
            raise IndexError(f"the first {first} leaves of a tree of {len(self)}")
        return [self._over(low, high) for low, high in _spans(first, len(self))][::-1]

    def _over(self, low: int, high: int) -> bytes:
        """The node over the leaves from `low` to before `high`, which are a subtree."""
        height = (high - low - 1).bit_length()
        return self._levels[height][low >> height]


def _spans(first: int, size: int) -> Iterator[tuple[int, int]]:
    """The subtrees that a proof of consistency names, from the root downwards: from which leaf to before which."""
    low, high, whole = 0, size, True
    while first and high - low != first:
        middle = 1 << (high - low - 1).bit_length() - 1
        if first <= middle:
            yield low + middle, high
            high = low + middle
        else:
            yield low, low + middle
            low, first, whole = low + middle, first - middle, False
    if first and not whole:
        yield low, high


def growth(size: int, kept: bytes, leaves: Sequence[bytes]) -> list[bytes]:
    """The proof that a tree is the beginning of the one it becomes with `leaves`, of which alone it costs hashing.

    Of the tree of `size` leaves it takes what its frontier keeps (`Frontier.kept`).
    """
    peaks: dict[int, bytes] = {}
    low = 0
    for at, height in enumerate(bit for bit in reversed(range(size.bit_length())) if size >> bit & 1):
        peaks[low] = kept[32 * at : 32 * at + 32]
        low += 1 << height

    def over(low: int, high: int) -> bytes:
        if low < size:
            return peaks[low]
        tree = Frontier()
        for leaf in leaves[low - size : high - size]:
            tree.append(leaf)
        return tree.root

    return [over(low, high) for low, high in _spans(size, size + len(leaves))][::-1]


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


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the tree of `first` leaves is the beginning of that of `second`.

    RFC 9162, section 2.1.4.2. Every tree begins with the empty one.
    """
    if not 0 <= first <= second:
        return False
    if first in {0, second}:
        return not proof and (first == 0 or first_root == second_root)
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, step)
        node, last = node >> 1, last >> 1
    return last == 0 and (old, new) == (first_root, second_root)
