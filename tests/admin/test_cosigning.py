"""The sealer and its witnesses: what is offered, what is kept, and what happens when one is away or says no."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from admin import cosigning, ledger, verify, witness
from admin.cosigning import Away
from admin.ledger import LedgerError
from app import seals
from app.db import Database
from config.keys import SealKeys
from config.settings import SettingsError
from tests.admin.sealing import bundle, seal, tamper
from tests.admin.watch.acts import alerts, look
from tests.admin.witnessing import Office, cosign, office, seal_keys
from tests.filing import file
from tests.makers import World


@pytest.fixture
def province(world: World) -> World:
    """A candidate has filed."""
    world.batch("1")
    another_files(world)
    return world


def another_files(world: World) -> None:
    person = world.candidate()
    file(world, person, world.activate(person), "1", "4301")


@pytest.fixture
def keys(province: World) -> SealKeys:
    return seal_keys(province)


@pytest.fixture
def sealer(province: World, keys: SealKeys) -> Iterator[Database]:
    """The database as the sealer's own role has it, with both logs begun."""
    made = Database(province.url, role="zhiyuan_sealer")
    ledger.round_of(made, keys, sweep=True)
    yield made
    made.dispose()


@pytest.fixture
def changsha(sealer: Database, keys: SealKeys, tmp_path: Path) -> Iterator[Office]:
    """A witness that the sealer knows."""
    with office(tmp_path / "changsha", keys.private) as one:
        with sealer.transaction() as session:
            cosigning.enter(session, [one.asked])
        yield one


def grow(world: World, sealer: Database, keys: SealKeys) -> None:
    """One entry of the audit more, under a checkpoint."""
    world.do("INSERT INTO audit (actor, act, detail) VALUES ('command', 'test.act', '{}')")
    ledger.round_of(sealer, keys, sweep=True)


def cosigned(world: World, log: str = "audit") -> list[int]:
    return [
        row["number"] for row in world.rows("SELECT number FROM cosignatures WHERE log = :log ORDER BY number", log=log)
    ]


def refused(world: World) -> list[tuple[str, int, str]]:
    return [
        (row["log"], row["status"], row["answer"]) for row in world.rows("SELECT * FROM witness_refusals ORDER BY id")
    ]


def later(world: World, minutes: int) -> None:
    """What was signed and named has been so for longer."""
    ago = "make_interval(mins => %(minutes)s)"
    tamper(world, f"UPDATE checkpoints SET signed_at = signed_at - {ago}", minutes=minutes)  # noqa: S608
    tamper(world, f"UPDATE witnesses SET named_at = named_at - {ago}", minutes=minutes)  # noqa: S608


def test_each_round_cosigns_the_newest_and_it_is_published(
    province: World, sealer: Database, keys: SealKeys, changsha: Office
) -> None:
    cosign(sealer, changsha)
    assert (cosigned(province), cosigned(province, "filings")) == ([1], [1])
    for _ in range(2):
        grow(province, sealer, keys)
    cosign(sealer, changsha)
    cosign(sealer, changsha)
    assert cosigned(province) == [1, 3]  # what lies between is under the proof
    with sealer.reading() as connection:
        published = seals.published(connection)
    assert published.plain.count(f"— {changsha.name} ") == 2
    assert {row["number"] for row in published.witnesses} == {1, 3}
    grow(province, sealer, keys)
    with sealer.reading() as connection:
        assert seals.published(connection).plain.count("zhiyuan/audit\n") == 2  # the newest, and the cosigned one


def test_the_proof_costs_what_the_log_has_grown(province: World, sealer: Database, keys: SealKeys) -> None:
    with sealer.transaction() as session:
        first = cosigning.offer(session, "nobody", "audit")
    grow(province, sealer, keys)
    assert first is not None
    with sealer.transaction() as session:
        made = cosigning.offer(session, "nobody", "audit", first.size)
        _, whole = ledger.consistency(session, "audit", first.size, first.size + 1)
    assert made is not None
    assert (first.old, first.proof, made.old, made.proof) == (0, [], first.size, whole)


def test_what_a_seal_names_is_never_passed_over(
    province: World, sealer: Database, keys: SealKeys, changsha: Office, tmp_path: Path
) -> None:
    seal(province)
    for _ in range(2):
        grow(province, sealer, keys)
    cosign(sealer, changsha)
    assert cosigned(province) == [2, 4]
    place = bundle(province, tmp_path / "bundle")
    assert verify.verify(place, [], [], [], [changsha.key])[0] == []


def test_a_cosignature_taken_away_or_made_up_is_found(
    province: World, sealer: Database, changsha: Office, tmp_path: Path
) -> None:
    seal(province)
    cosign(sealer, changsha)
    found, said = verify.verify(bundle(province, tmp_path / "sound"), [], [], [], [changsha.key])
    assert found == []
    assert f"{changsha.name} cosigned checkpoint 2 of the audit at" in "\n".join(said)
    wrong = changsha.key.replace("changsha", "changde")
    assert "letter by letter" in verify.verify(tmp_path / "sound", [], [], [], [wrong])[0][0]
    for name, change in (
        ("other", "UPDATE cosignatures SET signature = overlay(signature placing '\\x00'::bytea from 30)"),
        ("gone", "DELETE FROM cosignatures"),
    ):
        tamper(province, change)
        place = bundle(province, tmp_path / name)
        assert "where it ends, was not cosigned" in "\n".join(verify.verify(place, [], [], [], [changsha.key])[0])
        assert verify.verify(place, [], [], [])[0] == []  # so who checks must know who cosigns


def test_the_witness_copy_finds_a_history_made_anew(
    province: World, sealer: Database, keys: SealKeys, changsha: Office, tmp_path: Path
) -> None:
    """Everything is signed again, by the same key, without one filing: the bundle is sound, and two copies are not."""
    another_files(province)
    ledger.round_of(sealer, keys, sweep=True)
    cosign(sealer, changsha)
    copy = tmp_path / "checkpoints.txt"
    copy.write_text(changsha.ask("GET", "/checkpoints")[1], encoding="utf-8")
    sound = bundle_of(province, tmp_path / "before")
    assert verify.verify(sound, [], [copy], [])[0] == []
    anew(province, sealer, keys)
    made = bundle(province, tmp_path / "after")
    assert verify.verify(made, [], [], [])[0] == []
    assert verify.verify(made, [], [copy], [])[0] != []
    cosign(sealer, changsha)
    assert [row[:2] for row in refused(province)] == [("filings", 409), ("audit", 409)]
    look(province)
    found = alerts(province, "witness_refused")
    assert {(one["subject"], one["facts"]["log"]) for one in found} == {(changsha.name, log) for log in seals.LOGS}

    province.move_end(1, 3600)
    another_files(province)
    ledger.round_of(sealer, keys, sweep=True)
    cosign(sealer, changsha)  # as many filings as before, and others
    assert "filings-2-" in {path.name[:10] for path in changsha.evidence}
    assert len(refused(province)) == 2  # the same refusal is kept once


def bundle_of(world: World, directory: Path) -> Path:
    seal(world)
    return bundle(world, directory)


def anew(world: World, sealer: Database, keys: SealKeys) -> None:
    """What somebody does who owns database and keys: take a filing out and let everything be signed again."""
    tamper(
        world,
        *(
            f"DELETE FROM {table}"  # noqa: S608 -- a name from below
            for table in (
                "cosignatures",
                "sealed_filings",
                "sealed_tallies",
                "seal_tiles",
                "seals",
                "checkpoints",
                "leaves",
            )
        ),
        "DELETE FROM audit WHERE act = 'filing.confirmed' AND candidate_id = (SELECT max(candidate_id) FROM filings)",
        "DELETE FROM filings WHERE candidate_id = (SELECT max(candidate_id) FROM filings)",
    )
    ledger.round_of(sealer, keys, sweep=True)
    seal(world)


def test_a_witness_that_is_away_keeps_nobody_waiting_and_is_missed_after_ten_minutes(
    province: World, sealer: Database, keys: SealKeys, changsha: Office
) -> None:
    cosign(sealer, changsha)
    changsha.stop()
    later(province, 30)
    assert look(province).fresh == []  # nothing is owed
    grow(province, sealer, keys)
    with pytest.raises(Away):
        cosign(sealer, changsha)
    seal(province)  # nobody waits
    later(province, 9)
    look(province)
    assert alerts(province, "witness_late") == []
    later(province, 2)
    look(province)
    assert [(one["subject"], one["count"] > 600) for one in alerts(province, "witness_late")] == [(changsha.name, True)]
    assert province.value("SELECT value FROM gauges WHERE name = 'zhiyuan_witness_late_seconds'") > 600
    changsha.start()
    cosign(sealer, changsha)
    assert look(province).passed == 1


def test_a_bad_cosignature_is_not_kept(province: World, sealer: Database, changsha: Office) -> None:
    assert changsha.witness
    changsha.witness.key = Ed25519PrivateKey.generate()
    cosign(sealer, changsha)
    assert cosigned(province) == []
    assert [row[:2] for row in refused(province)] == [("filings", 200), ("audit", 200)]
    look(province)
    assert len(alerts(province, "witness_refused")) == 2


def test_an_answer_that_was_lost_is_asked_for_again(
    province: World, sealer: Database, keys: SealKeys, changsha: Office
) -> None:
    with sealer.transaction() as session:
        made = cosigning.offer(session, changsha.name, "audit")
    assert made is not None
    assert cosigning.ask(changsha.asked, made.body).status == 200  # and nothing was stored
    cosign(sealer, changsha)
    assert cosigned(province) == [1]
    assert refused(province) == []


def test_a_log_that_ends_before_what_was_cosigned_is_a_refusal(
    province: World, sealer: Database, keys: SealKeys, changsha: Office
) -> None:
    """The database was put back to an older copy."""
    grow(province, sealer, keys)
    cosign(sealer, changsha)
    tamper(province, "DELETE FROM cosignatures", "DELETE FROM checkpoints WHERE log = 'audit' AND number = 2")
    cosign(sealer, changsha)
    assert refused(province)[0][:2] == ("audit", 409)
    assert "of which nothing is known here" in refused(province)[0][2]


def test_a_new_key_takes_a_new_name_and_who_comes_and_goes_is_in_the_audit(
    province: World, sealer: Database, changsha: Office
) -> None:
    other = f"{witness.written_key(changsha.name, witness.COSIGNS, bytes(32))}@https://changsha.example"
    for wrong in (cosigning.Asked.read(other), replace(changsha.asked, name="changde.example/witness")):
        with pytest.raises(LedgerError, match="new name"), sealer.transaction() as session:
            cosigning.enter(session, [wrong])
    for wanted in ([], [changsha.asked]):
        with sealer.transaction() as session:
            cosigning.enter(session, wanted)
    acts = province.rows("SELECT act FROM audit WHERE act LIKE 'witness.%' ORDER BY id")
    assert [row["act"] for row in acts] == ["witness.named", "witness.dropped", "witness.named"]
    for mistyped in ("nobody@https://x.example", changsha.key, f"{changsha.key}@ftp://x.example"):
        with pytest.raises(SettingsError, match="WITNESSES"):
            cosigning.Asked.read(mistyped)


def test_beside_the_sealer_every_witness_has_a_thread_of_its_own(
    province: World, sealer: Database, changsha: Office, tmp_path: Path, keys: SealKeys
) -> None:
    stopped = threading.Event()
    with office(tmp_path / "yueyang", keys.private, name="yueyang.example/witness") as second:
        changsha.stop()
        thread = cosigning.start(sealer, [changsha.setting, second.setting], stopped)
        deadline = time.monotonic() + 20
        while len(province.rows("SELECT 1 FROM cosignatures")) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        stopped.set()
        thread.join(timeout=20)
    assert {row["witness"] for row in province.rows("SELECT witness FROM cosignatures")} == {second.name}
