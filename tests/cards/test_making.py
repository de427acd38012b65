"""Making a lot: who may have one made, that it is made once and whole, and where its codes never are."""

import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from cards import codes, keys, manifests
from cards.codes import Algorithm
from cards.files import UNFINISHED
from cards.manifests import signature_of
from tests.cards.offline import LOT, Desk, run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def approved(desk: Desk) -> Desk:
    """A desk at which all is ready."""
    for result in (desk.ask(), desk.approve("one"), desk.approve("two")):
        assert result.exit_code == 0, result.output
    return desk


def nothing_was_made(desk: Desk) -> bool:
    return not list(desk.out.iterdir()) and not desk.register.read_text()


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_what_is_printed_opens_what_the_service_is_given(desk: Desk, algorithm: Algorithm) -> None:
    desk.made("--hash", algorithm)
    opened = manifests.open_manifest(desk.manifest, desk.people)
    key = {1: keys.read_card_key(desk.keys, 1)}
    sealed = list(manifests.cards_of(opened))
    faces = desk.faces()
    assert [card.serial for card in sealed] == [face.serial for face in faces]
    assert len(faces) == 40
    assert {card.algorithm for card in sealed} == {algorithm}
    for card, face in zip(sealed[::13], faces[::13], strict=True):
        assert None not in [codes.judge(card, at, code, key) for at, code in enumerate(face.codes, start=1)]
    assert run("verify", desk.manifest, "--trusted", desk.trusted).exit_code == 0


def test_the_manifest_says_who_what_and_for_whom(desk: Desk) -> None:
    desk.made()
    said = manifests.open_manifest(desk.manifest, desk.people).manifest
    assert said.order.requester.name == "Wang Fang"
    assert {one.name for one in said.approvers} == {"Li Na", "赵伟"}
    assert set(said.order.recipients) == {
        keys.read_recipient(desk.place / name) for name in ("works.age.pub", "escrow.age.pub")
    }
    assert (said.order.count, said.order.codes_per_card, said.order.key_version) == (40, 10, 1)
    assert said.verifier_file.size == desk.verifier_file.stat().st_size


def test_one_approval_is_not_enough(desk: Desk) -> None:
    desk.ask()
    desk.approve("one")
    result = run(*desk.making())
    assert (result.exit_code, "2 people must approve" in result.stderr) == (1, True)
    assert nothing_was_made(desk)


def test_who_asked_does_not_approve_and_nobody_approves_twice(desk: Desk) -> None:
    desk.ask()
    assert "Another person must" in desk.approve("asks").stderr
    keys.make_signer(desk.place / "twin", "wang  FANG", "")
    keys.make_signer(desk.place / "double", "Li Na", "")
    with desk.trusted.open("a") as list_of_people:
        list_of_people.writelines((desk.place / f"{name}.pub").read_text() for name in ("twin", "double"))
    assert "Another person must" in desk.approve("twin").stderr
    assert desk.approve("one").exit_code == desk.approve("double").exit_code == 0
    assert "approves twice" in run(*desk.making()).stderr
    assert nothing_was_made(desk)


def test_a_stranger_s_approval_does_not_count(approved: Desk) -> None:
    approved.approvals()[0].unlink()
    keys.make_signer(approved.place / "stranger", "Nobody", "")
    assert approved.approve("stranger").exit_code == 0
    assert "not on the list" in run(*approved.making()).stderr
    assert nothing_was_made(approved)


def test_an_approval_of_another_request_does_not_count(approved: Desk) -> None:
    approved.request.unlink()
    signature_of(approved.request).unlink()
    assert approved.ask(count=41).exit_code == 0
    assert "does not fit" in run(*approved.making()).stderr
    assert nothing_was_made(approved)


def test_a_request_edited_after_it_was_signed_is_not_made(approved: Desk) -> None:
    content = approved.request.read_text()
    approved.request.write_text(content.replace('"count":40', '"count":90'))
    assert "does not fit" in run(*approved.making()).stderr
    approved.request.write_text(content.replace('"count":40', '"count": 40'))
    assert "does not fit" in run(*approved.making()).stderr
    assert nothing_was_made(approved)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--lot", "17"), "a lot is 4 digits"),
        (("--codes", "9"), "codes"),
        (("--url", "http://zy.example.cn"), "url"),
        (("--hotline", "call us"), "hotline"),
    ],
)
def test_a_lot_that_could_not_be_printed_cannot_be_asked_for(desk: Desk, more: tuple[str, str], said: str) -> None:
    result = desk.ask(*more)
    assert result.exit_code != 0
    assert said in result.stderr
    assert not desk.request.exists()


def test_the_print_works_alone_is_not_two_recipients(desk: Desk) -> None:
    same = desk.place / "works.age.pub"
    (desk.place / "escrow.age.pub").write_text(same.read_text())
    assert "two different recipients" in desk.ask().stderr


def test_a_request_is_made_once_even_when_its_files_are_gone(approved: Desk) -> None:
    assert run(*approved.making()).exit_code == 0
    for path in sorted(approved.lot.iterdir()):
        path.unlink()
    approved.lot.rmdir()
    again = run(*approved.making())
    assert (again.exit_code, "is spent" in again.stderr) == (1, True)
    assert not list(approved.out.iterdir())
    approved.register.unlink()
    assert "register" in run(*approved.making()).stderr


def test_too_little_room_is_said_before_the_request_is_spent(approved: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=11_000))
    assert "needs about 1 MiB" in run(*approved.making()).stderr
    assert nothing_was_made(approved)


def test_a_directory_with_something_in_it_gets_no_lot(approved: Desk) -> None:
    (approved.out / "thesis.txt").write_text("mine")
    assert "must be an empty directory" in run(*approved.making()).stderr
    assert not approved.register.read_text()


# --- in a process of its own --------------------------------------------------------------------------


def started(desk: Desk, most_bytes: int = resource.RLIM_INFINITY) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "cards", *map(str, desk.making())],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes)),  # noqa: PLW1509
    )


def broken_off(desk: Desk) -> bool:
    """Whether nothing looks like a lot, and the request is spent."""
    left = [path.name for path in desk.out.iterdir()]
    return left == [f"{UNFINISHED}lot-{LOT}"] and "begun" in desk.register.read_text()


def test_a_full_disk_leaves_no_lot_and_says_what_to_do(approved: Desk) -> None:
    process = started(approved, most_bytes=6_000)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "File too large" in said
    assert f"Delete {approved.out / UNFINISHED}lot-{LOT}" in said
    assert "ask for a new lot" in said
    assert "Traceback" not in said
    assert broken_off(approved)


@pytest.mark.parametrize("one", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_broken_off_by_a_signal_nothing_looks_like_a_lot(desk: Desk, one: signal.Signals) -> None:
    for result in (desk.ask(count=20_000), desk.approve("one"), desk.approve("two")):
        assert result.exit_code == 0
    process = started(desk)
    deadline = time.monotonic() + 60
    while not list(desk.out.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    process.send_signal(one)
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    assert broken_off(desk)
    if one is not signal.SIGKILL:
        assert "interrupted" in said
        assert "Traceback" not in said


def test_no_code_is_anywhere_but_in_the_encrypted_file(approved: Desk) -> None:
    process = started(approved)
    said = "".join(process.communicate(timeout=60))
    assert process.returncode == 0, said
    printed = [code for face in approved.faces() for code in face.codes]
    wanted = [form.encode() for code in printed for form in (code, codes.grouped(code))]
    files = [path for path in approved.place.rglob("*") if path.is_file()]
    assert len(printed) == 400
    assert len(files) > 15
    found = [path.name for path in files if any(one in path.read_bytes() for one in wanted)]
    assert found == []
    assert not any(one.decode() in said for one in wanted)
