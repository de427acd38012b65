"""Digests, chains, receipts and trees: every change is found, and what is signed can be checked offline."""

import base64
import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from app.evidence import (
    FilingRecord,
    MerkleTree,
    Receipt,
    ReceiptError,
    canonical,
    check_chain,
    draft_digest,
    filing_digest,
    leaf_hash,
    masked,
    node_hash,
    shown,
    sign_receipt,
    verify_inclusion,
    verify_receipt,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = {"2017-1": KEY.public_key()}
CONTENT: dict[str, Any] = {
    "columns": {
        "GEN1": {
            "slots": [{"institution": "1234", "group": None, "majors": ["01", "07"], "major_adjust": True}],
            "institution_adjust": False,
            "directed_adjust": False,
        }
    }
}
RECORD = FilingRecord(
    candidate_no="17430102150001",
    batch="1",
    number=1,
    kind="list",
    content=CONTENT,
    catalogue_version=3,
    filed_at=datetime(2017, 6, 28, 6, 2, 11, 25, tzinfo=UTC),
    nonce=bytes(16),
    previous=None,
    serial="430000000017",
    indices=(17,),
    openings=(bytes(range(32)),),
)

# --- canonical bytes ---------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)


@given(JSON)
def test_the_fast_way_writes_the_bytes_of_the_standard(value: object) -> None:
    assert canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_written_as_the_standard_says(value: float) -> None:
    assert canonical({"a": [value]}) == rfc8785.dumps({"a": [value]})


@pytest.mark.parametrize("value", [2**53, -(2**53), float("nan"), "\ud800", {"\ud800": 1}, {1: 2}, b"x", {"a": {1}}])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical(value)


def test_the_example_of_rfc_8785() -> None:
    """Section 3.2.2, its key order and escapes."""
    value = {"string": '€$\u000f\nA\'B"\\\\"/', "literals": [None, True, False]}
    assert canonical(value) == '{"literals":[null,true,false],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'.encode()


# --- digests -----------------------------------------------------------------------------------------


def test_a_filing_can_be_recomputed_by_hand() -> None:
    written = (
        '{"batch":"1","candidate_no":"17430102150001","catalogue_version":3,"content":{"columns":{"GEN1":'
        '{"directed_adjust":false,"institution_adjust":false,"slots":[{"group":null,"institution":"1234",'
        '"major_adjust":true,"majors":["01","07"]}]}}},"filed_at":"2017-06-28T06:02:11.000025Z","format":1,'
        f'"indices":[17],"kind":"list","nonce":"{"00" * 16}","number":1,'
        f'"openings":["{bytes(range(32)).hex()}"],"previous":null,"serial":"430000000017"}}'
    )
    assert canonical(RECORD.to_json()) == written.encode()
    assert filing_digest(RECORD) == sha256(b"\x00" + written.encode()).digest()


def test_the_zone_a_time_is_told_in_does_not_matter() -> None:
    local = RECORD.filed_at.astimezone(timezone(timedelta(hours=8)))
    assert filing_digest(replace(RECORD, filed_at=local)) == filing_digest(RECORD)


def test_a_naive_time_is_no_evidence() -> None:
    with pytest.raises(ValueError, match="zone"):
        filing_digest(replace(RECORD, filed_at=datetime(2017, 6, 28)))  # noqa: DTZ001


CHANGES: dict[str, object] = {
    "candidate_no": "17430102150002",
    "batch": "2",
    "number": 2,
    "kind": "waiver",
    "content": {"columns": {}},
    "catalogue_version": 4,
    "filed_at": RECORD.filed_at + timedelta(microseconds=1),
    "nonce": bytes(15) + b"\x01",
    "previous": bytes(32),
    "serial": "430000000025",
    "indices": (18,),
    "openings": (bytes(32),),
}


def test_every_field_has_a_change() -> None:
    assert set(CHANGES) == {each.name for each in fields(FilingRecord)}


@pytest.mark.parametrize("field", CHANGES)
def test_any_changed_field_changes_the_digest(field: str) -> None:
    assert filing_digest(replace(RECORD, **{field: CHANGES[field]})) != filing_digest(RECORD)  # type: ignore[arg-type]


def test_what_is_signed_is_this_list_of_this_candidate_in_this_batch() -> None:
    asked: dict[str, Any] = {
        "candidate_no": "17430102150001",
        "batch": "1",
        "kind": "list",
        "content": CONTENT,
        "catalogue_version": 3,
    }
    other = {
        "candidate_no": "17430102150002",
        "batch": "2",
        "kind": "waiver",
        "content": {"columns": {}},
        "catalogue_version": 4,
    }
    digests = {draft_digest(**asked)} | {draft_digest(**asked | {key: other[key]}) for key in asked}
    assert len(digests) == 6
    assert draft_digest(**asked) == draft_digest(**asked | {"content": json.loads(json.dumps(CONTENT))})


def test_what_people_compare() -> None:
    assert shown(bytes.fromhex("9f86d081884c7d659a2feaa0c55ad015")) == "9f86 d081 884c 7d65 9a2f"
    assert masked("17430102150001") == "17********0001"


# --- receipts ----------------------------------------------------------------------------------------


def test_a_receipt_says_what_was_filed_and_not_what_is_in_it() -> None:
    token = sign_receipt(RECORD, KEY, "2017-1")
    assert verify_receipt(token, KEYS) == Receipt(
        candidate="17********0001",
        batch="1",
        number=1,
        kind="list",
        filed_at=RECORD.filed_at,
        digest=filing_digest(RECORD),
        key_id="2017-1",
    )
    payload = base64.urlsafe_b64decode(token.split(".")[0] + "==").decode()
    for secret in ("1234", "17430102150001", RECORD.nonce.hex(), RECORD.openings[0].hex(), RECORD.serial):
        assert secret not in payload
    assert sign_receipt(RECORD, KEY, "2017-1", digest=filing_digest(RECORD)) == token


def test_a_receipt_is_short_enough_for_a_printed_code() -> None:
    assert len(sign_receipt(replace(RECORD, number=9999, batch="41-ART_Z_S2"), KEY, "2017-10")) < 420


def refused(token: str) -> str:
    with pytest.raises(ReceiptError) as caught:
        verify_receipt(token, KEYS)
    assert caught.value.message
    return caught.value.reason


def test_an_unknown_key_and_a_foreign_signature() -> None:
    assert refused(sign_receipt(RECORD, KEY, "2018-1")) == "unknown_key"
    assert refused(sign_receipt(RECORD, Ed25519PrivateKey.generate(), "2017-1")) == "signature"


@pytest.mark.parametrize("token", ["", ".", "a.b", "a.b.c", "é.é", "e30.e30", "W10.e30", "[" * 3000 + ".e30"])
def test_what_is_no_receipt(token: str) -> None:
    assert refused(token) == "malformed"


def test_a_payload_too_deep_to_read_is_no_receipt() -> None:
    deep = base64.urlsafe_b64encode(b"[" * 200_000).decode().rstrip("=")
    assert refused(f"{deep}.e30") == "malformed"


@given(st.data())
def test_any_changed_character_of_a_receipt_is_found(data: st.DataObject) -> None:
    token = sign_receipt(RECORD, KEY, "2017-1")
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="ascii", exclude_characters=token[place]))
    changed = token[:place] + other + token[place + 1 :]
    if changed.strip() != token:
        assert refused(changed) in {"malformed", "unknown_key", "signature"}


# --- chains ------------------------------------------------------------------------------------------


def chain(length: int) -> list[tuple[FilingRecord, bytes]]:
    stored: list[tuple[FilingRecord, bytes]] = []
    for number in range(1, length + 1):
        record = replace(
            RECORD,
            number=number,
            nonce=sha256(str(number).encode()).digest()[:16],
            previous=stored[-1][1] if stored else None,
            filed_at=RECORD.filed_at + timedelta(minutes=number),
            indices=(number,),
        )
        stored.append((record, filing_digest(record)))
    return stored


def reasons(stored: list[tuple[FilingRecord, bytes]], last: bytes | None = None) -> list[tuple[str, int]]:
    found = check_chain(stored, last=last)
    for fault in found:
        assert "%(" not in fault.message % fault.params
    return [(fault.reason, fault.number) for fault in found]


@pytest.mark.parametrize("length", [0, 1, 2, 7])
def test_an_untouched_chain_has_no_fault(length: int) -> None:
    stored = chain(length)
    assert reasons(stored) == []
    assert reasons(stored, last=stored[-1][1] if stored else None) == []


@pytest.mark.parametrize("field", CHANGES)
@pytest.mark.parametrize("position", [0, 2, 4])
def test_any_altered_field_is_found(field: str, position: int) -> None:
    stored = chain(5)
    record, digest = stored[position]
    if getattr(record, field) == CHANGES[field]:
        pytest.skip("this record already has the value")
    stored[position] = (replace(record, **{field: CHANGES[field]}), digest)  # type: ignore[arg-type]
    assert "altered" in {reason for reason, _ in reasons(stored)}


@pytest.mark.parametrize("position", [0, 1, 3])
def test_a_record_replaced_with_its_digest_breaks_the_next(position: int) -> None:
    stored = chain(5)
    forged = replace(stored[position][0], content={"columns": {}}, kind="waiver")
    stored[position] = (forged, filing_digest(forged))
    assert reasons(stored) == [("broken", position + 2)]


def test_the_last_record_replaced_is_found_by_what_the_seal_says() -> None:
    stored = chain(5)
    sealed = stored[-1][1]
    forged = replace(stored[-1][0], content={"columns": {}})
    stored[-1] = (forged, filing_digest(forged))
    assert reasons(stored) == []
    assert reasons(stored, last=sealed) == [("ended", 5)]


@given(st.integers(1, 7), st.data())
def test_missing_reordered_cut_and_foreign_records_are_found(length: int, data: st.DataObject) -> None:
    stored = chain(length)
    sealed = stored[-1][1]
    position = data.draw(st.integers(0, length - 1))
    without = stored[:position] + stored[position + 1 :]
    assert reasons(without, last=sealed)
    if position < length - 1:
        assert ("missing", position + 1) in reasons(without)
    if length > 1:
        one, other = data.draw(st.sampled_from([(a, b) for a in range(length) for b in range(a)]))
        swapped = list(stored)
        swapped[one], swapped[other] = swapped[other], swapped[one]
        assert "reordered" in {reason for reason, _ in reasons(swapped)}
    twice = [*stored, stored[position]]
    assert "reordered" in {reason for reason, _ in reasons(twice)}
    assert reasons(stored[: position + 1], last=sealed) == ([] if position == length - 1 else [("ended", position + 1)])


def test_a_chain_of_another_candidate_does_not_count() -> None:
    stored = chain(3)
    strange = replace(stored[1][0], candidate_no="17430102150009")
    stored[1] = (strange, filing_digest(strange))
    assert ("foreign", 2) in reasons(stored)


def test_time_does_not_run_backwards_in_a_chain() -> None:
    stored = chain(2)
    early = replace(stored[1][0], filed_at=RECORD.filed_at)
    assert reasons([stored[0], (early, filing_digest(early))]) == [("earlier", 2)]


def test_a_first_record_has_nothing_before_it() -> None:
    odd = replace(RECORD, previous=bytes(32))
    assert reasons([(odd, filing_digest(odd))]) == [("broken", 1)]


# --- trees -------------------------------------------------------------------------------------------

#: the reference leaves and roots of Certificate Transparency's implementations (transparency-dev/merkle)
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("size", range(9))
def test_known_roots(size: int) -> None:
    assert MerkleTree(map(leaf_hash, LEAVES[:size])).root.hex() == ROOTS[size]


def by_definition(leaves: list[bytes]) -> bytes:
    """The root as section 2.1.1 of RFC 9162 defines it."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(by_definition(leaves[:split]), by_definition(leaves[split:]))


@given(st.integers(0, 300))
def test_the_root_is_the_one_defined(size: int) -> None:
    leaves = [leaf_hash(str(number).encode()) for number in range(size)]
    assert MerkleTree(leaves).root == by_definition(leaves)


@given(st.integers(1, 200), st.data())
def test_every_leaf_proves_its_place_and_no_other(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(str(number).encode()) for number in range(size)]
    tree = MerkleTree(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = tree.proof(index)
    assert verify_inclusion(leaves[index], index, size, proof, tree.root)
    assert not verify_inclusion(leaf_hash(b"other"), index, size, proof, tree.root)
    assert not verify_inclusion(leaves[index], index, size, proof, leaf_hash(b"other"))
    assert not verify_inclusion(leaves[index], index, size, [*proof, bytes(32)], tree.root)
    if size > 1:
        assert not verify_inclusion(leaves[index], (index + 1) % size, size, proof, tree.root)
        assert not verify_inclusion(leaves[index], index, size, proof[:-1], tree.root)
        assert not verify_inclusion(leaves[index], index, size, proof[::-1] + proof[:1], tree.root)


@pytest.mark.parametrize("index", [-1, 3, 4])
def test_a_place_outside_the_tree(index: int) -> None:
    tree = MerkleTree([leaf_hash(b"a"), leaf_hash(b"b"), leaf_hash(b"c")])
    with pytest.raises(IndexError):
        tree.proof(index)
    assert not verify_inclusion(leaf_hash(b"a"), index, 3, [], tree.root)
