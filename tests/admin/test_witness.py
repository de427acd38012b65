"""The witness by itself: what it cosigns, what it refuses and keeps, over HTTP, with no database near."""

import ast
import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from admin import ledger, witness
from admin.cosigning import cosignature
from admin.ledger import Head
from admin.witness import Witness
from app.merkle import Frontier, MerkleTree, leaf_hash
from app.seals import Log
from config.keys import SealKeys
from tests.admin.witnessing import Office, office

KEYS = SealKeys({1: Ed25519PrivateKey.generate()}, {})
STRANGER = SealKeys({1: Ed25519PrivateKey.generate()}, {})


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path / "witness", KEYS.private) as made:
        yield made


def tree(size: int, what: str = "") -> MerkleTree:
    return MerkleTree(leaf_hash(f"{what if at > 2 else ''}{at}".encode()) for at in range(size))


def note(size: int, what: str = "", log: Log = "filings", keys: SealKeys = KEYS) -> str:
    """A checkpoint as the sealer signs it; with `what`, of another history from the fourth leaf on."""
    grown = Frontier()
    for leaf in tree(size, what).level(0):
        grown.append(leaf)
    return ledger.note(Head(log, size - 1, 0, b"", None, b""), grown, datetime(2017, 6, 26, tzinfo=UTC), keys)


def proof(old: int, size: int, what: str = "") -> list[str]:
    return [base64.b64encode(step).decode() for step in tree(size, what).consistency(old)]


def test_it_stands_on_the_standard_library_and_cryptography_alone() -> None:
    parsed = ast.parse(Path(witness.__file__).read_text(encoding="utf-8"))
    names = {
        name.split(".")[0]
        for found in ast.walk(parsed)
        if isinstance(found, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in found.names] if isinstance(found, ast.Import) else [found.module or ""])
    }
    assert names - set(sys.stdlib_module_names) == {"cryptography"}


def test_what_has_only_grown_is_cosigned(one: Office) -> None:
    for old, size in ((0, 3), (3, 4), (4, 4), (4, 11)):
        status, words = one.add(old, note(size), *proof(old, size))
        assert status == 200, (old, size, words)
        assert cosignature(one.asked, note(size), words)
        assert not cosignature(one.asked, note(size + 1), words)
    assert one.add(0, note(2, log="audit"))[0] == 200  # a log of its own
    _, newest = one.ask("GET", "/checkpoints")
    assert newest.startswith(note(11))
    assert note(2, log="audit") in newest
    assert one.ask("GET", "/")[1].splitlines()[0] == one.key


def test_a_cosignature_is_that_of_c2sp(one: Office) -> None:
    """Made by hand from the text of tlog-cosignature."""
    _, line = one.add(0, note(3))
    dash, name, value = line.rstrip("\n").split(" ")
    found = base64.b64decode(value)
    assert (dash, name, len(found)) == ("—", one.name, 76)
    public = base64.b64decode(one.key.split("+", 2)[2])[1:]
    assert found[:4] == sha256(name.encode() + b"\n\x04" + public).digest()[:4]
    time = int.from_bytes(found[4:12], "big")
    message = f"cosignature/v1\ntime {time}\n{note(3).split(chr(10) * 2)[0]}\n"
    assert witness.signed(public, found[12:], message.encode())


def test_an_old_size_that_is_not_the_newest_is_told_the_newest(one: Office) -> None:
    one.add(0, note(5))
    for old, size in ((0, 9), (3, 9), (0, 5), (4, 4)):
        assert one.add(old, note(size), *proof(old, size)) == (409, "5\n")
    assert one.evidence == []
    assert one.add(9, note(5))[0] == 400


def test_a_fork_is_refused_and_both_notes_are_kept(one: Office) -> None:
    one.add(0, note(5))
    assert one.add(5, note(5, "other")) == (409, "5\n")
    assert one.add(5, note(9, "other"), *proof(5, 9, "other"))[0] == 422
    assert one.add(0, note(5, "other")) == (409, "5\n")  # kept once
    found = [json.loads(path.read_text(encoding="utf-8")) for path in one.evidence]
    assert [(said["found"], said["kept"], said["offered"]) for said in found] == [
        ("another root of the same size", note(5), note(5, "other")),
        ("no proof that it has only grown", note(5), note(9, "other")),
    ]
    assert one.add(5, note(9), *proof(5, 9))[0] == 200  # what contradicts is refused, not what goes on


def test_a_fork_behind_the_newest_is_kept_too(one: Office) -> None:
    one.add(0, note(5))
    one.add(5, note(9), *proof(5, 9))
    assert one.add(0, note(5, "other")) == (409, "9\n")
    assert json.loads(one.evidence[0].read_text(encoding="utf-8"))["kept"] == note(5)


def test_who_is_not_trusted_and_what_is_no_checkpoint_is_sent_away(one: Office) -> None:
    assert one.add(0, note(5, keys=STRANGER))[0] == 403
    assert one.add(0, note(5).replace("zhiyuan/filings", "zhiyuan/others"))[0] == 404
    assert one.add(0, note(5).replace("number 5", "number 6"))[0] == 403
    assert one.add(0, "nothing\n")[0] == 400
    assert one.add(0, note(5), "not base 64")[0] == 400
    assert one.ask("POST", "/add-checkpoint", "x" * 20_000)[0] == 413
    assert one.ask("GET", "/key")[0] == 404
    assert one.ask("GET", "/checkpoints") == (200, "")
    assert one.evidence == []


def test_a_restart_keeps_its_place_and_a_line_broken_off_was_never_answered(one: Office) -> None:
    one.add(0, note(5))
    one.stop()
    with (one.directory / "filings.notes").open("a", encoding="utf-8") as file:
        file.write('{"cosignature": "— broken')
    one.start()
    assert one.add(0, note(9)) == (409, "5\n")
    assert one.add(5, note(9), *proof(5, 9))[0] == 200
    one.stop()
    one.start()
    assert one.add(0, note(9)) == (409, "9\n")


def test_the_file_alone_serves_and_a_killed_one_goes_on_where_it_was(tmp_path: Path) -> None:
    program = shutil.copy(witness.__file__, tmp_path / "witness.py")
    directory, name = tmp_path / "alone", "alone.example"
    one = Office(directory, {}, name)
    one.key = run(program, "init", str(directory), name).stdout.strip()
    trusted = witness.written_key("zhiyuan-seal-1", witness.SIGNS, KEYS.private[1].public_key().public_bytes_raw())
    for old, status in ((0, 200), (0, 409), (5, 200)):
        command = [sys.executable, "-I", program, "serve", str(directory), "--origin-key", trusted, "--port", "0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr
            one.port = int(process.stderr.readline().rsplit(" ", 1)[1])
            got, words = one.add(old, note(5))
            process.kill()
        assert got == status
        assert (words == "5\n") if status == 409 else cosignature(one.asked, note(5), words)


def run(program: Path | str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-I", program, *arguments], capture_output=True, text=True, check=True)


def test_only_one_runs_in_a_directory(one: Office) -> None:
    with pytest.raises(witness.Wrong, match="another witness runs"):
        Witness(one.directory, one.origin_keys)


def test_a_disk_that_is_full_gives_no_cosignature(one: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    one.add(0, note(5))
    before = (one.directory / "filings.notes").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert one.add(5, note(9), *proof(5, 9))[0] == 503
    monkeypatch.undo()
    assert (one.directory / "filings.notes").read_bytes() == before
    assert one.add(5, note(9), *proof(5, 9))[0] == 200


def test_a_slip_in_a_key_is_found_where_it_is_typed(one: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert witness.read_key(one.key, witness.COSIGNS)[0] == one.name
    for wrong in (one.key.replace("changsha", "changde"), one.key[:-3] + "AA=", "name", ""):
        with pytest.raises(witness.Wrong, match="letter by letter"):
            witness.read_key(wrong, witness.COSIGNS)
    assert witness.main(["serve", str(one.directory), "--origin-key", "zhiyuan-seal-1+00000000+AAAA"]) == 1
    assert "letter by letter" in capsys.readouterr().err
