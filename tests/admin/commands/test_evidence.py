"""Receipts are checked with public keys alone; chains with everything there is."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from admin.commands import group
from app import evidence
from app.evidence import FilingRecord
from config import keys as key_files
from config.keys import KeyRing
from tests.filing import file
from tests.makers import World, content

RECORD = FilingRecord(
    candidate_no="17430102150001",
    batch="1",
    number=2,
    kind="list",
    content=content("4301"),
    catalogue_version=1,
    filed_at=datetime(2017, 6, 28, 6, 2, 11, tzinfo=UTC),
    nonce=b"n" * 16,
    previous=b"p" * 32,
    serial="000100000018",
    indices=(7,),
    openings=(b"o" * 32,),
)


@pytest.fixture
def public(tmp_path: Path) -> Path:
    """A directory with nothing but the public key, as an office hands it on."""
    key_files.make(tmp_path / "keys")
    directory = tmp_path / "public"
    directory.mkdir()
    (directory / "receipt_public.1.pem").write_bytes((tmp_path / "keys" / "receipt_public.1.pem").read_bytes())
    return directory


@pytest.fixture
def receipt(public: Path) -> str:
    ring = KeyRing.load(public.parent / "keys")
    return evidence.sign_receipt(RECORD, ring.receipt_key[1], "1")


def verify(public: Path, text: str) -> Result:
    return CliRunner().invoke(group(), ["verify-receipt", "-", "--keys", str(public)], input=text)


@pytest.mark.parametrize(
    "around", ["{}", "  {}\n", "https://zhiyuan.example/verify?receipt={}", "Receipt:\n{}\nThank you."]
)
def test_a_genuine_receipt_says_what_was_filed(public: Path, receipt: str, around: str) -> None:
    result = verify(public, around.format(receipt))
    assert result.exit_code == 0, result.output
    assert "genuine" in result.stdout
    assert "17********0001" in result.stdout
    assert "2017-06-28 14:02:11" in result.stdout
    assert evidence.shown(evidence.filing_digest(RECORD)) in result.stdout


def test_a_receipt_broken_into_lines_is_read(public: Path, receipt: str, tmp_path: Path) -> None:
    path = tmp_path / "receipt.txt"
    path.write_text("\n".join(receipt[at : at + 60] for at in range(0, len(receipt), 60)))
    result = CliRunner().invoke(group(), ["verify-receipt", str(path), "--keys", str(public)])
    assert result.exit_code == 0, result.output


def test_what_is_no_genuine_receipt_is_refused(public: Path, receipt: str) -> None:
    payload, signature = receipt.split(".")
    other = evidence.canonical(replace(RECORD, number=3).to_json()).hex()
    for text in ("", "no receipt", receipt[:-2], f"{payload}.{signature[:-6]}AAAAAA", f"{other}.{signature}"):
        result = verify(public, text)
        assert result.exit_code == 1, text
        assert "Traceback" not in result.output


def test_a_directory_without_public_keys_is_named(tmp_path: Path) -> None:
    result = verify(tmp_path, "x")
    assert result.exit_code == 1
    assert "receipt_public.N.pem" in result.stderr


def chains(world: World) -> Result:
    environment = {
        "DATABASE_URL": world.url,
        "REDIS_URL": world.redis_url,
        "KEYS_DIRECTORY": str(world.keys_directory),
    }
    return CliRunner().invoke(group(), ["verify-chains"], env=environment)


@pytest.fixture
def filed(world: World) -> World:
    world.batch("1")
    person = world.candidate()
    file(world, person, world.activate(person), "1", "4301")
    return world


def test_good_chains_end_well(filed: World) -> None:
    result = chains(filed)
    assert result.exit_code == 0, result.output
    assert "1 filings checked, nothing is wrong" in result.stdout


def test_each_fault_is_a_line_and_the_status_says_so(filed: World) -> None:
    with filed.database.transaction() as session:
        session.connection().exec_driver_sql("SET LOCAL session_replication_role = replica")
        session.connection().exec_driver_sql("UPDATE filings SET kind = 'waiver'")
    result = chains(filed)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    altered = "batch 1, number 1: Filing 1 was altered: it no longer has the digest stored with it."
    assert any(line.endswith(altered) for line in lines)
    assert all(line.startswith("17********") or "tally" in line for line in lines)
    assert "things are wrong" in result.stderr


def test_a_lost_card_key_stops_the_check_with_the_remedy(filed: World) -> None:
    (filed.keys_directory / "card_key.1").rename(filed.keys_directory / "card_key.2")
    result = chains(filed)
    assert result.exit_code == 1
    assert "put every card key that was ever used" in result.stderr
