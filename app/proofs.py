"""What a candidate needs to find the own filing in a sealed batch: pseudonym, leaf, path.

A sealed batch is a list of pairs, one for each candidate with a filing in force, sorted by the first of the two:

    pseudonym   SHA-256("zhiyuan pseudonym 1" ‖ digest of the candidate's first filing in the batch)
    digest      of the filing that stands

A candidate number has few possible values, so any hash of the number alone is undone by trying them all. The
digest of the first filing holds 128 random bits, and only its candidate has been given it, on the first receipt.
It stays the same whatever is filed later, so the list cannot show one candidate twice; and in another batch it is
another, so that two lists published cannot be laid side by side.

The leaf of a pair is SHA-256(0x00 ‖ pseudonym ‖ digest), the tree that of RFC 9162. Its nodes are kept in tiles, as
transparency logs do: 256 neighbours of the heights 0, 8, 16 … each, from which any path is read with a few rows.

Pure.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Final

from app.merkle import MerkleTree, leaf_hash

TILE: Final = 256
_HEIGHT: Final = 8


def pseudonym(first: bytes) -> bytes:
    """Return what stands for a candidate in a sealed batch; `first` is the digest of the first filing there."""
    return sha256(b"zhiyuan pseudonym 1" + first).digest()


def sealed_leaf(name: bytes, digest: bytes) -> bytes:
    """Return the leaf of a pseudonym and the digest of the filing that stands."""
    return leaf_hash(name + digest)


def tiles(tree: MerkleTree) -> Iterator[tuple[int, int, bytes]]:
    """Yield height, position and nodes of every tile."""
    height = 0
    while nodes := tree.level(height):
        for start in range(0, len(nodes), TILE):
            yield height, start // TILE, b"".join(nodes[start : start + TILE])
        height += _HEIGHT


def tiles_for(index: int, size: int) -> list[tuple[int, int]]:
    """Return height and position of the tiles that hold the path of the leaf at `index`."""
    wanted = []
    height = 0
    while height == 0 or (size - 1) >> height:
        wanted.append((height, index >> height + _HEIGHT))
        height += _HEIGHT
    return wanted


def path(index: int, size: int, found: Mapping[tuple[int, int], bytes]) -> list[bytes]:
    """Return the inclusion proof of the leaf at `index` from the tiles of `tiles_for`. Raises KeyError."""
    proof: list[bytes] = []
    for height, position in tiles_for(index, size):
        nodes = split(found[height, position])
        proof += MerkleTree(nodes).proof((index >> height) % TILE)
    return proof


def split(hashes: bytes) -> list[bytes]:
    """Return the hashes that stand behind one another in `hashes`."""
    return [hashes[at : at + 32] for at in range(0, len(hashes), 32)]
