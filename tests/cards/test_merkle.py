"""The root that grows while cards go by is that of the whole tree."""

from hashlib import sha256

from app.merkle import MerkleTree
from cards.merkle import Frontier


def test_the_growing_root_is_the_tree_s_for_every_number_of_leaves() -> None:
    leaves = [sha256(bytes([at])).digest() for at in range(130)]
    growing = Frontier()
    for size in range(len(leaves) + 1):
        assert growing.root == MerkleTree(leaves[:size]).root
        assert growing.size == size
        growing.append(leaves[size % len(leaves)])
