"""At the print works: what is opened is what was made, or nothing is."""

import shutil
from pathlib import Path

import pyrage
import pytest

from cards import keys
from cards.errors import LotRefused, NotGenuine
from cards.files import UNFINISHED, digests_of
from cards.manifests import signature_of
from cards.signatures import Purpose, signature
from tests.cards.offline import Desk, run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(tmp_path_factory.mktemp("desk"))
    desk.made(count=700)
    return desk


@pytest.fixture
def desk(made: Desk, tmp_path: Path) -> Desk:
    """The desk, with copies of the lot's files to spoil."""
    shutil.copytree(made.lot, tmp_path / "copy")
    copy = Desk.__new__(Desk)
    copy.__dict__.update(made.__dict__, out=tmp_path)
    (tmp_path / "copy").rename(copy.lot)
    return copy


def signed_anew(desk: Desk, content: bytes) -> None:
    """Put another file in the place of the print file, signed by somebody who may sign."""
    desk.print_file.write_bytes(content)
    signer = keys.load_signer(desk.place / "signer", lambda _: "")
    digest = digests_of(desk.print_file).signed
    signature_of(desk.print_file).write_bytes(signature(signer, Purpose.PRINT_FILE, digest))


def test_a_flipped_bit_is_found_before_anything_is_decrypted(desk: Desk) -> None:
    content = bytearray(desk.print_file.read_bytes())
    content[len(content) // 2] ^= 1
    desk.print_file.write_bytes(content)
    with pytest.raises(NotGenuine, match="does not fit"):
        desk.faces()


def test_a_file_cut_short_is_found(desk: Desk) -> None:
    content = desk.print_file.read_bytes()
    for end in (100, 70_000, len(content) - 1):
        desk.print_file.write_bytes(content[:end])
        with pytest.raises(NotGenuine, match="does not fit"):
            desk.faces()
        signed_anew(desk, content[:end])
        with pytest.raises(NotGenuine, match=r"does not decrypt|encrypted for others"):
            desk.faces()


def test_a_file_of_somebody_else_for_the_same_recipients_is_found(desk: Desk) -> None:
    foreign = pyrage.encrypt(b"zhiyuan print file 1 {}\n", [desk.identity.to_public()])
    desk.print_file.write_bytes(foreign)
    with pytest.raises(NotGenuine, match="does not fit"):
        desk.faces()
    signed_anew(desk, foreign)
    with pytest.raises(NotGenuine, match="no print file"):
        desk.faces()


def test_a_signature_for_something_else_is_none_for_a_print_file(desk: Desk) -> None:
    shutil.copy(signature_of(desk.manifest), signature_of(desk.print_file))
    with pytest.raises(NotGenuine, match="does not fit"):
        desk.faces()


def test_the_sheets_are_there_when_the_last_card_is_checked(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.made(count=20)
    out = tmp_path / "prints"
    out.mkdir()
    command = ("open-print-file", desk.print_file, "--trusted", desk.trusted, "--identity", tmp_path / "works.age")
    result = run(*command, "--out", out, "--sheets", 1)
    assert result.exit_code == 0, result.output
    serials = [face.serial for face in desk.faces()]
    names = [f"{serials[first]}-{serials[last]}.pdf" for first, last in ((0, 7), (8, 15), (16, 19))]
    assert sorted(path.name for path in out.rglob("*.pdf")) == names
    assert [path.name for path in out.iterdir()] == [desk.print_file.stem]


def test_another_s_identity_opens_nothing(desk: Desk, tmp_path: Path) -> None:
    keys.make_identity(tmp_path / "other.age", "")
    command = ("open-print-file", desk.print_file, "--trusted", desk.trusted, "--out")
    out = tmp_path / "prints"
    out.mkdir()
    result = run(*command, out, "--identity", tmp_path / "other.age")
    assert (result.exit_code, "encrypted for others" in result.stderr) == (1, True)
    assert "Print nothing" in result.stderr
    assert all(path.name.startswith(UNFINISHED) for path in out.iterdir())
    assert not list(out.rglob("*.pdf"))


def test_a_code_that_cannot_be_one_stops_the_printing_and_is_not_quoted(desk: Desk) -> None:
    plain = pyrage.decrypt(desk.print_file.read_bytes(), [desk.identity]).splitlines(keepends=True)
    first = plain[1].split()[1]
    damaged = first[:-1] + str((int(first[-1:]) + 1) % 10).encode()
    lines = [plain[0], plain[1].replace(first, damaged), *plain[2:]]
    for changed in (lines, plain[:-2], [*plain, b"end 700\n"], [plain[0], plain[2], plain[1], *plain[3:]]):
        signed_anew(desk, pyrage.encrypt(b"".join(changed), [desk.identity.to_public()]))
        with pytest.raises(NotGenuine) as refused:
            desk.faces()
        assert damaged.decode() not in repr(refused.getrepr(chain=True, showlocals=False))


def test_keys_under_a_passphrase_open_with_it_alone(tmp_path: Path) -> None:
    for kind, name in (("person", "p"), ("printer", "a")):
        more = ("--name", "Li Na") if kind == "person" else ()
        assert run("make-key", kind, tmp_path / name, *more, typed="river\nriver\n").exit_code == 0
    assert keys.load_signer(tmp_path / "p", lambda _: "river").person.name == "Li Na"
    assert keys.load_identity(tmp_path / "a", lambda _: "river")
    for load, name in ((keys.load_signer, "p"), (keys.load_identity, "a")):
        with pytest.raises(LotRefused, match="passphrase is wrong"):
            load(tmp_path / name, lambda _: "lake")


def test_a_bare_key_that_others_may_read_is_not_used(desk: Desk, tmp_path: Path) -> None:
    shutil.copy(desk.place / "works.age", tmp_path / "works.age")
    (tmp_path / "works.age").chmod(0o644)
    with pytest.raises(LotRefused, match="chmod 600"):
        keys.load_identity(tmp_path / "works.age", lambda _: "")


def test_a_manifest_does_not_fit_other_files(desk: Desk) -> None:
    for path in (desk.verifier_file, desk.print_file, desk.manifest):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert run("verify", desk.manifest, "--trusted", desk.trusted).exit_code == 1
        path.write_bytes(content)
    assert run("verify", desk.manifest, "--trusted", desk.trusted).exit_code == 0
