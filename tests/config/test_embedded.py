"""The embedded servers are real ones, survive a crash, and run for root as for anybody."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest
import redis as redis_client
from psycopg import sql

from config import binaries, embedded

ROOT = Path(__file__).parent.parent.parent


def _ask(url: str, query: str) -> str:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        cursor = connection.execute(sql.SQL(query))
        found = cursor.fetchone() if cursor.description else None
        return str(found[0]) if found else ""


def _running(server: embedded.Postgres | embedded.Redis) -> bool:
    return server.pid is not None


def test_postgres_has_the_settings_a_deployment_has(server_directory: Path) -> None:
    with embedded.postgres(server_directory) as url:
        assert _ask(url, "SELECT current_database()") == "zhiyuan"
        assert _ask(url, "SHOW server_encoding") == "UTF8"
        assert _ask(url, "SHOW timezone") == "UTC"
        assert _ask(url, "SHOW max_connections") == "60"
        assert _ask(url, "SHOW listen_addresses") == ""
        assert _ask(url, "SHOW fsync") == "on"
        assert _ask(url, "SELECT lower('ÄÉ')") == "äé"
        assert int(_ask(url, "SHOW server_version_num")) >= 150_000


def test_fsync_can_be_left_out(server_directory: Path) -> None:
    with embedded.postgres(server_directory, durable=False) as url:
        assert _ask(url, "SHOW fsync") == "off"


def test_committed_rows_survive_a_kill_and_a_stop(server_directory: Path) -> None:
    server = embedded.Postgres(server_directory)
    with server:
        _ask(server.url, "CREATE TABLE kept (number int)")
        _ask(server.url, "INSERT INTO kept VALUES (1)")
        first = server.pid
        server.kill()
        assert not _running(server)
        server.start()
        assert server.pid not in {None, first}
        assert _ask(server.url, "SELECT count(*) FROM kept") == "1"
    assert not _running(server)
    with embedded.postgres(server_directory) as url:
        assert _ask(url, "SELECT count(*) FROM kept") == "1"


def test_a_server_left_by_a_killed_starter_is_taken_over(server_directory: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "config.embedded", "start", str(server_directory), "--hasty"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    server = embedded.Postgres(server_directory)
    before = server.pid
    assert before is not None
    with server:
        assert server.pid == before
    assert not _running(server)


def test_two_starters_cannot_share_a_directory(server_directory: Path) -> None:
    with embedded.redis(server_directory), pytest.raises(binaries.EmbeddedError, match="in use"):
        embedded.Redis(server_directory).start()


def test_redis_answers_and_comes_back_empty(server_directory: Path) -> None:
    server = embedded.Redis(server_directory)
    with server, redis_client.Redis.from_url(server.url) as client:
        client.set("limit", "1")
        server.kill()
        assert not _running(server)
        server.start()
        assert client.get("limit") is None


def test_a_frozen_redis_can_be_stopped(server_directory: Path) -> None:
    with embedded.Redis(server_directory) as server:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGSTOP)


def test_a_path_too_long_for_a_socket_gets_a_short_one(server_directory: Path) -> None:
    deep = server_directory / ("long" * 30)
    with embedded.postgres(deep, durable=False) as url, embedded.redis(deep) as redis_url:
        assert _ask(url, "SELECT 1") == "1"
        with redis_client.Redis.from_url(redis_url) as client:
            assert client.ping()


def test_a_failed_start_says_why_and_leaves_nothing(server_directory: Path) -> None:
    with embedded.postgres(server_directory, durable=False):
        pass
    (server_directory / "postgres" / "data" / "global" / "pg_control").write_bytes(b"")
    server = embedded.Postgres(server_directory, durable=False)
    with pytest.raises(binaries.EmbeddedError, match=r"did not start[\s\S]*pg_control"):
        server.start()
    assert not _running(server)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has somewhere else to go")
def test_as_root_a_closed_directory_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = Path(tempfile.mkdtemp(prefix="zhiyuan-closed-"))  # 0700: nobody cannot pass
    elsewhere = Path(tempfile.mkdtemp(prefix="zhiyuan-lib-"))
    elsewhere.chmod(0o711)
    monkeypatch.setattr(binaries, "ROOT_HOME", elsewhere / "zhiyuan")
    try:
        with embedded.postgres(closed, durable=False) as url:
            assert _ask(url, "SELECT 1") == "1"
        with embedded.postgres(closed, durable=False) as again:
            assert again == url
    finally:
        shutil.rmtree(closed)
        shutil.rmtree(elsewhere)
