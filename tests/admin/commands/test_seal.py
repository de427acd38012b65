"""The sealer's commands, in the order of a season's end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from admin import verify, witness
from admin.commands import group
from app.merkle import verify_consistency
from config import keys as key_files
from tests.admin.sealing import tamper
from tests.admin.witnessing import office, seal_keys
from tests.filing import file
from tests.makers import World


@pytest.fixture
def province(world: World) -> World:
    world.batch("1")
    for choices in (("4301",), ("4302",), ()):
        person = world.candidate()
        file(world, person, world.activate(person), "1", *choices)
    world._count_again()
    return world


def environment(world: World) -> dict[str, str]:
    return {"DATABASE_URL": world.url, "REDIS_URL": world.redis_url, "KEYS_DIRECTORY": str(world.keys_directory)}


def run(world: World, *arguments: str, **more: str) -> Result:
    return CliRunner().invoke(group(), ["seal", *arguments], env=environment(world) | more)


def test_from_the_logs_to_a_bundle_anybody_can_check(province: World, tmp_path: Path) -> None:
    assert run(province, "watch", "--once").exit_code == 0
    assert province.value("SELECT count(*) FROM leaves WHERE log = 'filings'") == 3
    early = run(province, "batch", "1")
    assert early.exit_code == 1
    assert "is not closed" in early.output
    assert "not sealed" in run(province, "report", "1").output
    province.move_end(1, 0)
    first, again = run(province, "batch", "1"), run(province, "batch", "1")
    assert "seal 1, 3 candidates" in first.output
    assert first.output.splitlines()[-1] == again.output.splitlines()[-1]
    report = run(province, "report", "1").output
    assert "seal 1, root" in report
    assert "芙蓉区" in report
    assert run(province, "bundle", "1", str(tmp_path / "public")).exit_code == 0
    assert run(province, "bundle", "1", str(tmp_path / "whole"), "--whole").exit_code == 0
    assert "exists" in run(province, "bundle", "1", str(tmp_path / "whole")).output
    assert run(province, "bundle", "2", str(tmp_path / "none")).exit_code == 1
    for name in ("public", "whole"):
        assert verify.verify(tmp_path / name, [], [], [])[0] == []


def test_what_has_closed_is_sealed_by_itself_and_one_that_cannot_be_keeps_no_other_waiting(province: World) -> None:
    province.batch("2", name="本科二批")
    assert run(province, "due").output == ""
    province.move_end(1, -2)
    assert run(province, "due").output.startswith("batch 1: seal 1, 3 candidates")
    assert run(province, "due").output == ""
    province.move_end(1, -1)  # another close
    province.move_end(2, -1)
    tamper(province, "UPDATE filings SET content = '{\"columns\": {}}' WHERE kind = 'list'")
    mixed = run(province, "due")
    assert "batch 2: seal 2, 0 candidates" in mixed.output
    assert (mixed.exit_code, "were altered" in mixed.output) == (1, True)


def test_a_witness_gets_a_proof_that_the_log_has_only_grown(province: World) -> None:
    run(province, "watch", "--once")
    before = province.rows("SELECT size, root FROM checkpoints WHERE log = 'filings'")[0]
    person = province.candidate()
    file(province, person, province.activate(person), "1", "4303")
    run(province, "watch", "--once")
    said = json.loads(run(province, "consistency", "filings", "3", "4").stdout)
    proof = [bytes.fromhex(step) for step in said["proof"]]
    assert verify_consistency(3, 4, before["root"], bytes.fromhex(said["root"]), proof)
    assert run(province, "consistency", "filings", "3", "9").exit_code == 1


def test_witnesses_cosign_what_the_sealer_signs(province: World, tmp_path: Path) -> None:
    with office(tmp_path / "witness", seal_keys(province).private) as one:
        assert run(province, "watch", "--once", WITNESSES=one.setting).exit_code == 0
        said = run(province, "witnesses").output.splitlines()
        trusted = dict([witness.read_key(said[0].removeprefix("--origin-key "), witness.SIGNS)])
        assert trusted == one.origin_keys
        assert [line.split(",")[0] for line in said[1:]] == [
            f"{one.key}  filings: checkpoint 1",
            f"{one.key}  audit: checkpoint 1",
        ]
        one.stop()
        away = run(province, "watch", "--once", WITNESSES=one.setting)
        assert (away.exit_code, "is away" in away.output) == (0, True)
    assert "no key of this kind" in run(province, "watch", "--once", WITNESSES="me@https://x.example").output
    run(province, "watch", "--once")
    assert len(run(province, "witnesses").output.splitlines()) == 1


def test_the_sealer_ends_when_it_is_told_to(province: World) -> None:
    key_files.make(province.keys_directory)
    told = {**os.environ, **environment(province)}
    process = subprocess.Popen([sys.executable, "-m", "admin", "seal", "watch"], env=told)
    deadline = time.monotonic() + 60
    while province.value("SELECT count(*) FROM checkpoints") < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    assert province.value("SELECT count(*) FROM leaves WHERE log = 'filings'") == 3


def test_a_witness_that_never_answers_keeps_nobody_waiting(province: World) -> None:
    assert run(province, "watch", "--once").exit_code == 0
    with socket.create_server(("127.0.0.1", 0)) as silent:
        key = witness.written_key("silent.example", witness.COSIGNS, bytes(32))
        asked = {"WITNESSES": f"{key}@http://127.0.0.1:{silent.getsockname()[1]}"}
        told = {**os.environ, **environment(province), **asked}
        with subprocess.Popen([sys.executable, "-m", "admin", "seal", "watch"], env=told) as process:
            silent.settimeout(60)
            with silent.accept()[0]:  # it was asked, and waits
                deadline = time.monotonic() + 60
                while province.value("SELECT count(*) FROM checkpoints") < 3 and time.monotonic() < deadline:
                    time.sleep(0.05)
                process.send_signal(signal.SIGTERM)
                assert process.wait(timeout=30) == 0
    assert province.value("SELECT count(*) FROM checkpoints") == 3  # who cosigns is in the audit, and sealed
