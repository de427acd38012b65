"""Keys, schema and messages from the command line."""

import json
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from admin import schema
from admin.commands import group
from app.db import together
from app.notices import notice
from tests.makers import World


def run(*arguments: str, typed: str = "", **environment: str) -> Result:
    return CliRunner().invoke(group(), arguments, env=environment, input=typed)


def test_every_command_says_what_it_does() -> None:
    gathered = group()
    for name, command in gathered.commands.items():
        result = run(name, "--help")
        assert result.exit_code == 0
        assert command.help, name


def test_keys_are_made_once(tmp_path: Path) -> None:
    directory = str(tmp_path / "keys")
    first = run("keys", KEYS_DIRECTORY=directory)
    assert first.exit_code == 0
    assert "made card_key.1" in first.output
    content = (tmp_path / "keys" / "card_key.1").read_text()
    again = run("keys", "--directory", directory)
    assert "0 made" in again.output
    assert (tmp_path / "keys" / "card_key.1").read_text() == content


def test_migrate_goes_down_a_step_and_up_again(database_url: str) -> None:
    newest = schema.newest()
    as_before = run("migrate", DATABASE_URL=database_url)
    assert as_before.output == f"schema {newest}, as before\n"
    down = run("migrate", "--down", "--yes", DATABASE_URL=database_url)
    assert down.exit_code == 0, down.output
    assert schema.current(database_url) < newest
    assert run("migrate", DATABASE_URL=database_url).exit_code == 0
    assert schema.current(database_url) == newest


def test_migrate_down_asks_first(database_url: str) -> None:
    result = run("migrate", "--down", typed="n\n", DATABASE_URL=database_url)
    assert result.exit_code == 1
    assert schema.current(database_url) == schema.newest()


def test_an_empty_database_is_brought_up_from_nothing(database_url: str) -> None:
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    assert schema.current(database_url) == ""
    assert run("migrate", "--down", DATABASE_URL=database_url).exit_code == 1
    result = run("migrate", DATABASE_URL=database_url)
    assert result.output == f"schema empty -> {schema.newest()}\n"


def test_a_database_that_is_away_is_said_plainly(tmp_path: Path) -> None:
    result = run("verify-chains", DATABASE_URL="postgresql+psycopg://nobody@127.0.0.1:1/none", REDIS_URL="redis://x")
    assert result.exit_code == 1
    assert "KEYS_DIRECTORY" in result.stderr
    run("keys", KEYS_DIRECTORY=str(tmp_path))
    away = {"DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://x"}
    for command in (["verify-chains"], ["send", "--once"], ["migrate"]):
        result = run(*command, KEYS_DIRECTORY=str(tmp_path), **away)
        assert result.exit_code == 1
        assert "Check DATABASE_URL" in result.stderr
        assert "Traceback" not in result.output


@pytest.fixture
def environment(world: World, tmp_path: Path) -> dict[str, str]:
    person = world.candidate(card=False)
    with world.database.transaction() as session:
        together(session, notice("activated", person.id, "1"))
    return {
        "DATABASE_URL": world.url,
        "REDIS_URL": world.redis_url,
        "KEYS_DIRECTORY": str(world.keys_directory),
        "SENDER": f"log:{tmp_path / 'messages.log'}",
    }


def test_what_is_due_is_sent_once(environment: dict[str, str], tmp_path: Path) -> None:
    first = run("send", "--once", **environment)
    assert first.exit_code == 0
    assert first.stdout == "1 sent, 0 not sent now; 0 are waiting, 0 given up\n"
    assert run("send", "--once", **environment).stdout.startswith("0 sent")
    lines = (tmp_path / "messages.log").read_text().splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["activated"]


def test_trouble_is_listed_and_sets_the_status(environment: dict[str, str]) -> None:
    away = {**environment, "SENDER": "http://127.0.0.1:1/"}
    result = run("send", "--once", **away)
    assert result.exit_code == 1
    assert "0 sent, 1 not sent now; 1 are waiting" in result.stdout
    listed = run("send", "--failed", **away)
    assert "1 attempts" in listed.stdout
    assert "ConnectionRefusedError" in listed.stdout


def test_send_asks_how(environment: dict[str, str]) -> None:
    assert "say --once, --loop or --failed" in run("send", **environment).stderr
    assert "SENDER" in run("send", "--once", **{**environment, "SENDER": "pigeon"}).stderr
