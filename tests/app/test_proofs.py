"""Trees as logs need them: growing, consistent with what they were, and kept in tiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import proofs
from app.merkle import Frontier, MerkleTree, growth, leaf_hash, verify_consistency, verify_inclusion

#: inputs and proofs of the test suites of Certificate Transparency (transparency-dev/merkle)
INPUTS = [
    bytes.fromhex(each)
    for each in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
KNOWN = {
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def leaves(size: int) -> list[bytes]:
    return [leaf_hash(str(number).encode()) for number in range(size)]


@pytest.mark.parametrize("sizes", KNOWN)
def test_known_proofs_of_consistency(sizes: tuple[int, int]) -> None:
    first, second = sizes
    tree = MerkleTree(map(leaf_hash, INPUTS[:second]))
    assert [step.hex() for step in tree.consistency(first)] == KNOWN[sizes]


@given(st.integers(1, 200), st.data())
def test_a_tree_proves_that_it_has_only_grown(size: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, size))
    old, new = MerkleTree(leaves(first)), MerkleTree(leaves(size))
    proof = new.consistency(first)
    frontier = Frontier()
    for leaf in leaves(first):
        frontier.append(leaf)
    assert growth(first, frontier.kept, leaves(size)[first:]) == proof
    assert verify_consistency(first, size, old.root, new.root, proof)
    assert not verify_consistency(first, size, old.root, new.root, [*proof, bytes(32)])
    if 0 < first < size:
        assert not verify_consistency(first, size, leaf_hash(b"other"), new.root, proof)
        assert not verify_consistency(first, size, old.root, leaf_hash(b"other"), proof)
        assert not verify_consistency(first, size, old.root, new.root, proof[:-1])
    assert not verify_consistency(size + 1, size, old.root, new.root, proof)


@pytest.mark.parametrize("first", [-1, 4])
def test_no_proof_beyond_the_tree(first: int) -> None:
    with pytest.raises(IndexError):
        MerkleTree(leaves(3)).consistency(first)


@given(st.integers(0, 300))
def test_a_growing_tree_goes_on_from_what_is_kept(size: int) -> None:
    tree = Frontier()
    for leaf in leaves(size):
        tree = Frontier(tree.size, tree.kept)
        tree.append(leaf)
    assert (tree.size, tree.root) == (size, MerkleTree(leaves(size)).root)


def test_what_is_kept_must_fit_the_size() -> None:
    with pytest.raises(ValueError, match="whole subtrees"):
        Frontier(3, bytes(32))


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 511, 513, 65_536, 65_537, 66_000])
def test_tiles_hold_every_path(size: int) -> None:
    tree = MerkleTree(leaves(size))
    kept = {(height, position): hashes for height, position, hashes in proofs.tiles(tree)}
    for index in {0, 1, 254, 255, 256, 257, 511, 512, 65_535, 65_536, size // 2, size - 2, size - 1} & {*range(size)}:
        wanted = proofs.tiles_for(index, size)
        assert len(wanted) <= 3
        path = proofs.path(index, size, kept)
        assert path == tree.proof(index)
        assert verify_inclusion(tree.level(0)[index], index, size, path, tree.root)


def test_a_pseudonym_tells_nothing_and_is_another_for_every_first_filing() -> None:
    first, other = leaf_hash(b"a"), leaf_hash(b"b")
    assert proofs.pseudonym(first) != proofs.pseudonym(other)
    assert proofs.pseudonym(first) not in {first, leaf_hash(first)}
    assert proofs.sealed_leaf(proofs.pseudonym(first), other) == leaf_hash(proofs.pseudonym(first) + other)
