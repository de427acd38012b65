"""Lots that were made offline come in whole or not at all; honey cards alarm; wrapping never stops a card."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import rfc8785
from click.testing import CliRunner, Result
from sqlalchemy.exc import IntegrityError

from admin import lots, wrapping
from admin.commands import group
from app.bindings import hand_out
from app.entrance import Activation, Refused
from app.errors import NotFound
from cards import keys as key_files
from cards import manifests, serials
from cards.files import digests_of
from cards.keys import make_card_key
from cards.manifests import signature_of
from cards.sheets import Face
from cards.signatures import Purpose, signature
from config.keys import KeyRing
from tests.cards.offline import LOT, Desk
from tests.makers import Person, World

CARDS = 40


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(tmp_path_factory.mktemp("desk"))
    desk.made(count=CARDS)
    return desk


@pytest.fixture
def desk(made: Desk, world: World, tmp_path: Path) -> Desk:
    """The offline machine's files, copied to a service that has its key."""
    assert world.keys.card_key
    shutil.copy(made.keys / "card_key.1", world.keys_directory / "card_key.1")
    world.__dict__.pop("keys")
    shutil.copytree(made.out, tmp_path / "out")
    copy = Desk.__new__(Desk)
    copy.__dict__.update(made.__dict__, out=tmp_path / "out")
    return copy


def run(world: World, *arguments: object) -> Result:
    environment = {
        "DATABASE_URL": world.url,
        "REDIS_URL": world.redis_url,
        "KEYS_DIRECTORY": str(world.keys_directory),
    }
    return CliRunner().invoke(group(), ["cards", *map(str, arguments)], env=environment)


def bring_in(world: World, desk: Desk, *more: object) -> Result:
    return run(world, "bring-in", desk.manifest, "--trusted", desk.trusted, *more)


def check(world: World, desk: Desk) -> Result:
    return run(world, "check-lot", desk.manifest, "--trusted", desk.trusted)


def signed_anew(desk: Desk, **changes: object) -> None:
    """Another manifest for the files as they lie there, signed by the machine itself."""
    signer = key_files.load_signer(desk.place / "signer", lambda _: "")
    digests = digests_of(desk.verifier_file)
    said = json.loads(desk.manifest.read_text()) | changes
    said["verifier_file"] |= {"digest": digests.own}
    for path, purpose, content in (
        (desk.verifier_file, Purpose.VERIFIER_FILE, digests.signed),
        (desk.manifest, Purpose.MANIFEST, rfc8785.dumps(said)),
    ):
        signature_of(path).write_bytes(signature(signer, purpose, content))
    desk.manifest.write_bytes(rfc8785.dumps(said))


def nothing_came_in(world: World) -> bool:
    return not world.value("SELECT (SELECT count(*) FROM lots) + (SELECT count(*) FROM cards)")


def handed(world: World, face: Face) -> Person:
    person = world.candidate(card=False)
    with world.database.transaction() as session:
        hand_out(session, face.serial, person.id)
    return replace(person, serial=face.serial, codes=face.codes)


def activated(world: World, person: Person) -> str:
    world.__dict__["door"] = replace(world.door, card_codes=10, keys=KeyRing.load(world.keys_directory))
    return world.activate(person)


# --- bringing in -------------------------------------------------------------------------------------


def test_a_lot_comes_in_and_its_cards_open_with_the_codes_that_were_printed(world: World, desk: Desk) -> None:
    result = bring_in(world, desk, "--honey", 0)
    assert result.exit_code == 0, result.output
    (row,) = world.rows("SELECT * FROM lots")
    opened = manifests.open_manifest(desk.manifest, desk.people)
    assert (row["code"], row["cards"], row["codes_per_card"], row["layout"]) == (LOT, CARDS, 10, "a4-8")
    assert (row["key_version"], row["algorithm"]) == (1, "sha256")
    assert (bytes(row["root"]).hex(), bytes(row["manifest"])) == (opened.manifest.root, opened.digest)
    assert world.value("SELECT detail ->> 'cards' FROM audit WHERE act = 'lot.brought_in'") == str(CARDS)
    assert activated(world, handed(world, desk.faces()[3]))
    assert "all 40 cards" in check(world, desk).output


def test_a_lot_comes_in_once(world: World, desk: Desk) -> None:
    assert bring_in(world, desk).exit_code == 0
    again = bring_in(world, desk)
    assert (again.exit_code, f"there is a lot {LOT} already" in again.stderr) == (1, True)
    assert world.value("SELECT count(*) FROM cards") == CARDS


def test_a_signer_who_is_not_trusted_brings_nothing_in(world: World, desk: Desk, tmp_path: Path) -> None:
    key_files.make_signer(tmp_path / "other", "Offline machine", "")
    result = run(world, "bring-in", desk.manifest, "--trusted", tmp_path / "other.pub")
    assert (result.exit_code, "not on the list" in result.stderr) == (1, True)
    assert nothing_came_in(world)


def test_another_key_of_the_same_number_is_noticed(world: World, desk: Desk) -> None:
    path = world.keys_directory / "card_key.1"
    path.write_text("ab" * 32)
    result = bring_in(world, desk)
    assert (result.exit_code, "needs card_key.1" in result.stderr) == (1, True)
    path.unlink()
    make_card_key(world.keys_directory)
    (world.keys_directory / "card_key.1").rename(world.keys_directory / "card_key.2")
    assert "needs card_key.1" in bring_in(world, desk).stderr
    assert nothing_came_in(world)


@pytest.mark.parametrize("place", [-1, 1_000])
def test_a_flipped_bit_brings_nothing_in_even_when_its_maker_signs_it(world: World, desk: Desk, place: int) -> None:
    content = bytearray(desk.verifier_file.read_bytes())
    content[place] ^= 1
    desk.verifier_file.write_bytes(content)
    assert "not the file of this manifest" in bring_in(world, desk).stderr
    signed_anew(desk)
    result = bring_in(world, desk)
    assert (result.exit_code, "root over the cards" in result.stderr) == (1, True)
    assert "Nothing was changed" in result.stderr
    assert nothing_came_in(world)


def test_a_file_with_a_card_too_few_twice_or_in_excess_brings_nothing_in(world: World, desk: Desk) -> None:
    content = desk.verifier_file.read_bytes()
    start = content.index(b"\n") + 1
    length = (len(content) - start) // CARDS
    first = content[start : start + length]
    for changed in (
        content[:-length],
        content[:-7],
        content + first,
        content[: start + length] + first + content[start + 2 * length :],
    ):
        desk.verifier_file.write_bytes(changed)
        signed_anew(desk)
        result = bring_in(world, desk)
        assert result.exit_code == 1
        assert "verifier file" in result.stderr
        assert "Traceback" not in result.output
    assert nothing_came_in(world)


def test_a_row_replaced_behind_the_service_s_back_is_found_wrapped_or_not(world: World, desk: Desk) -> None:
    bring_in(world, desk)
    one, other = (face.serial for face in desk.faces()[:2])
    take = "UPDATE cards SET verifiers = (SELECT verifiers FROM cards WHERE serial = :other) WHERE serial = :one"
    world.do(take, one=one, other=other)
    make_card_key(world.keys_directory)
    for _ in range(2):
        result = check(world, desk)
        assert (result.exit_code, result.stdout.splitlines()[0]) == (1, serials.grouped(one))
        assert "1 of 40" in result.stderr
        assert run(world, "rotate-key", "--yes").exit_code == 0


# --- honey -------------------------------------------------------------------------------------------


def test_honey_cards_are_drawn_listed_and_never_handed_out(world: World, desk: Desk) -> None:
    assert bring_in(world, desk, "--honey", 25).exit_code == 0
    listed = [line.replace(" ", "") for line in run(world, "honey", LOT).stdout.splitlines()]
    assert len(set(listed)) == 25
    assert listed == sorted(listed)
    assert world.value("SELECT count(*) FROM cards WHERE state = 'stock'") == CARDS - 25
    person = world.candidate(card=False)
    with pytest.raises(NotFound), world.database.transaction() as session:
        hand_out(session, listed[0], person.id)
    with pytest.raises((IntegrityError, psycopg.errors.CheckViolation)):
        world.do("UPDATE cards SET holder_id = :who WHERE serial = :serial", who=person.id, serial=listed[0])
    assert run(world, "honey", "9999").exit_code == 1


def test_a_large_lot_does_not_come_in_without_honey(world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lots, "SMALL_LOT", CARDS)
    assert "needs 20 honey cards" in bring_in(world, desk, "--honey", 19).stderr
    assert "no 41 can be set aside" in bring_in(world, desk, "--honey", 41).stderr
    assert nothing_came_in(world)


def test_whoever_tries_a_honey_card_is_refused_like_everybody_and_noted(world: World, desk: Desk) -> None:
    bring_in(world, desk)
    honey = set(run(world, "honey", LOT).stdout.replace(" ", "").split())
    faces = {face.serial: face for face in desk.faces()}
    trap, harmless = (next(serial for serial in faces if (serial in honey) is wanted) for wanted in (True, False))
    world.__dict__["door"] = replace(world.door, card_codes=10)
    person = world.candidate()
    for serial in (trap, harmless, serials.make("9999", 1)):
        answers = [faces[trap].codes[at - 1] for at in world.door.pair_asked(serial)]
        asked = Activation(person.candidate_no, serial, person.id_no[-6:], answers, person.password)
        assert world.door.activate(asked, world.where()) == Refused()
        assert not world.door.bind_card(person.id, serial, answers, world.where())
    touched = world.rows("SELECT actor, candidate_id, ip, detail FROM audit WHERE act = 'card.honey_touched'")
    assert [(row["actor"], row["candidate_id"], row["detail"]["serial"]) for row in touched] == [
        ("visitor", person.id, trap),
        ("candidate", person.id, trap),
    ]
    assert {row["ip"] for row in touched} == {"127.0.0.1"}


def test_the_portal_s_own_role_may_note_it(world: World, desk: Desk) -> None:
    bring_in(world, desk)
    trap = run(world, "honey", LOT).stdout.splitlines()[0].replace(" ", "")
    asked = Activation("17430102150001", trap, "012345", ["00000000", "00000000"], "a quiet river 7 bridges")
    portal = type(world.database)(world.url, role="zhiyuan_candidates")
    assert replace(world.door, database=portal).activate(asked, world.where()) == Refused()
    portal.dispose()
    assert world.value("SELECT count(*) FROM audit WHERE act = 'card.honey_touched'") == 1


# --- wrapping ----------------------------------------------------------------------------------------


class BrokenOffError(Exception):
    pass


def test_wrapping_that_was_broken_off_goes_on_and_every_card_opens_throughout(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrapping, "AT_A_TIME", 15)
    bring_in(world, desk, "--honey", 0)
    people = [handed(world, face) for face in desk.faces()[::13]]
    make_card_key(world.keys_directory)
    ring = KeyRing.load(world.keys_directory).card_key

    def stop(_: int) -> None:
        raise BrokenOffError

    with pytest.raises(BrokenOffError):
        wrapping.wrap_all(world.database, ring, 2, stop)
    assert _chains(world) == {(1,): CARDS - 15, (1, 2): 15}
    assert activated(world, people[0])
    assert activated(world, people[3])
    assert f"{CARDS - 15} cards wrapped" in run(world, "rotate-key", "--yes").stdout
    assert _chains(world) == {(1, 2): CARDS}
    assert activated(world, people[1])
    assert "0 cards wrapped" in run(world, "rotate-key").stdout
    make_card_key(world.keys_directory)
    assert run(world, "rotate-key", "--to", 3, "--yes").exit_code == 0
    assert activated(world, people[2])
    assert "all 40 cards" in check(world, desk).output


def test_a_key_that_is_not_there_wraps_nothing(world: World, desk: Desk) -> None:
    bring_in(world, desk)
    result = run(world, "rotate-key", "--to", 7, "--yes")
    assert (result.exit_code, "card key version 7 is missing" in result.stderr) == (1, True)
    assert _chains(world) == {(1,): CARDS}


def _chains(world: World) -> dict[tuple[int, ...], int]:
    rows = world.rows("SELECT key_chain, count(*) AS n FROM cards WHERE lot = :lot GROUP BY key_chain", lot=LOT)
    return {tuple(row["key_chain"]): row["n"] for row in rows}
