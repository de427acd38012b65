"""What demo and smoke stand on, as far as it is quick; `make smoke` and `make demo` run the whole."""

import fcntl
import os
import signal
import socket
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from admin import demo, rehearsal
from admin.cast import Cast, SignIn
from admin.commands import group
from admin.demo import Wish
from admin.rehearsal import Player
from admin.stage import Stage, StageError, erase, free_port, require_free
from cards import serials
from config import embedded
from tests.makers import World


def test_a_port_in_use_is_said_with_the_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StageError, match=f"Port {port} is in use.*--offices-port"):
            require_free(port, "--offices-port")
        result = CliRunner().invoke(group(), ["demo", "--port", str(port)])
    assert result.exit_code == 1
    assert f"--port {port + 10}" in result.stderr
    require_free(free_port(), "--port")


def wish(directory: Path, *, fresh: bool = False) -> Wish:
    return Wish(directory, fresh, free_port(), free_port(), 2_000)


def test_a_directory_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    for fresh in (False, True):
        with pytest.raises(StageError, match="holds other files"):
            demo._prepare(wish(tmp_path, fresh=fresh))
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_a_start_that_was_broken_off_begins_anew_and_a_whole_one_is_kept(tmp_path: Path) -> None:
    directory = tmp_path / "demo"
    demo._prepare(wish(directory))
    assert (directory / ".gitignore").read_text() == "*\n"
    (directory / "half").touch()
    demo._prepare(wish(directory))
    assert not (directory / "half").exists()
    (directory / "demo.json").write_text("{}")
    demo._prepare(wish(directory))
    assert (directory / "demo.json").exists()
    demo._prepare(wish(directory, fresh=True))
    assert not (directory / "demo.json").exists()
    erase(directory)
    assert not directory.exists()


def test_a_directory_in_use_is_not_erased(tmp_path: Path) -> None:
    directory = tmp_path / "demo"
    demo._prepare(wish(directory))
    with (directory / "redis.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StageError, match="is in use by another process"):
            demo._prepare(wish(directory, fresh=True))
    assert (directory / "demo.begun").exists()


def test_who_is_in_the_demo_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    player = Player(1, "17430102150001", "欧阳娜娜", "012345", "长沙市第一中学", serials.make("0001", 1), ("12345678",))
    cast = Cast([SignIn("point", "password", "SECRET", "长沙市第一中学", "operator")], [player])
    cast.save(tmp_path / "demo.json")
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600
    found = Cast.load(tmp_path / "demo.json")
    assert found.officers == cast.officers
    assert found.players[0].candidate_no == player.candidate_no
    assert found.players[0].code(1) == "12345678"


@pytest.mark.parametrize("one", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_demo_in_order_and_a_second_does_not_break_that_off(one: signal.Signals) -> None:
    before = signal.getsignal(one)
    order = []
    with demo._interruptible():
        try:
            os.kill(os.getpid(), one)
            signal.pause()
        finally:
            demo._deaf()
            os.kill(os.getpid(), one)
            order.append("stopped in order")
    assert order == ["stopped in order"]
    assert signal.getsignal(one) == before


@pytest.fixture
def where(world: World, tmp_path: Path) -> Stage:
    servers = embedded.Postgres(tmp_path), embedded.Redis(tmp_path)  # the run's own are used, these never start
    return Stage(tmp_path, world.settings, world.keys, world.database, *servers)


def test_players_act_through_the_real_deeds(world: World, where: Stage) -> None:
    world.batch("1")
    world.candidate(card=False)
    with rehearsal.lot_in_the_making(world.keys, "0009", 3) as lot:
        (player,) = rehearsal.hand_out(where, "430102", lot())
    session_id = rehearsal.activate(where, player, "correct horse 2017")
    assert rehearsal.file(where, player, session_id, "1", 5).number == 1
    assert world.value("SELECT jsonb_array_length(content #> '{columns,GEN1,slots}') FROM filings") == 5
    assert world.value("SELECT count(*) FROM cards WHERE lot = '0009' AND state = 'stock'") == 2


def test_windows_that_are_over_are_moved_as_a_whole(world: World, where: Stage) -> None:
    assert not rehearsal.open_again(where)
    ordinary = world.batch("1", closes=timedelta(hours=5))
    world.do("UPDATE batches SET spec = jsonb_set(spec, '{window}', '\"W2\"')")
    late = world.batch("2", opens=timedelta(days=3), closes=timedelta(days=4))
    assert not rehearsal.open_again(where)
    world.do(
        f"{rehearsal.FREE} UPDATE batches SET opens_at = opens_at - interval '9 days',"  # noqa: S608 -- constant
        " closes_at = closes_at - interval '8 days' FROM free WHERE id = :id",
        id=ordinary,
    )
    between = world.value("SELECT max(opens_at) - min(opens_at) FROM batches")
    assert rehearsal.open_again(where)
    assert world.value("SELECT clock_timestamp() BETWEEN opens_at AND closes_at FROM batches WHERE id = :i", i=ordinary)
    assert world.value("SELECT max(opens_at) - min(opens_at) FROM batches") == between
    assert world.value("SELECT opens_at > clock_timestamp() FROM batches WHERE id = :id", id=late)
