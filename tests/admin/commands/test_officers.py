"""`python -m admin officer …`: what it prints, and what it leaves in the database."""

import re
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from click.testing import CliRunner, Result

from admin.commands import group
from admin.entrance import Desk, Opened
from app.web.formats import ZONE
from tests.makers import World

SOON = (datetime.now(ZONE) + timedelta(days=30)).strftime("%Y-%m-%d")


def run(world: World, *arguments: str) -> Result:
    world.settings  # noqa: B018 -- makes the keys
    environment = {
        "DATABASE_URL": world.url,
        "REDIS_URL": world.redis_url,
        "KEYS_DIRECTORY": str(world.keys_directory),
    }
    return CliRunner(env=environment).invoke(group(), ["officer", *arguments])


def add(world: World, login: str = "zhou.min", **more: str) -> Result:
    assert world.point
    options = {"name": "周敏", "office": "430102", "role": "operator", "until": SOON} | more
    return run(world, "add", login, *(word for name, value in options.items() for word in (f"--{name}", value)))


def digits(result: Result) -> str:
    address = re.search(r"otpauth://\S+", result.output)
    assert address is not None
    generator = pyotp.parse_uri(address[0])
    assert isinstance(generator, pyotp.TOTP)
    return generator.at(datetime.now(UTC))


def test_what_is_printed_opens_the_door(world: World) -> None:
    result = add(world)
    assert result.exit_code == 0, result.output
    password = re.search(r"first sign-in: (\S+)", result.output)
    assert password is not None
    assert "█" in result.output or "▄" in result.output
    answer = Desk(world.database, world.keys).sign_in("zhou.min", password[1], digits(result), world.where())
    assert isinstance(answer, Opened)
    row = world.rows("SELECT * FROM officers")[0]
    assert row["password_changed_at"] is None
    assert row["appointed_until"].astimezone(ZONE).strftime("%H:%M") == "00:00"
    entry = world.rows("SELECT actor, act, officer_id FROM audit ORDER BY id LIMIT 1")[0]
    assert entry == {"actor": "command", "act": "officer.appointed", "officer_id": row["id"]}


def test_nothing_printed_is_kept(world: World) -> None:
    result = add(world)
    secret = re.search(r"secret=(\w+)", result.output)
    password = re.search(r"first sign-in: (\S+)", result.output)
    assert secret is not None
    assert password is not None
    everything = str(world.rows("SELECT * FROM officers")) + str(world.rows("SELECT * FROM audit"))
    assert secret[1] not in everything
    assert password[1] not in everything


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"login": "Zhou"}, "a login is"),
        ({"office": "999999"}, "no office has the code 999999"),
        ({"until": "2017-01-01"}, "choose a day"),
        ({"until": "2099-01-01"}, "choose a day"),
        ({"role": "candidate"}, "is not one of"),
    ],
)
def test_a_mistake_is_said_plainly(world: World, options: dict[str, str], words: str) -> None:
    result = add(world, **options)
    assert result.exit_code != 0
    assert words in result.output
    assert "Traceback" not in result.output
    assert world.value("SELECT count(*) FROM officers") == 0


def test_a_login_is_given_once(world: World) -> None:
    assert add(world).exit_code == 0
    result = add(world)
    assert result.exit_code == 1
    assert "is taken. Nothing was changed." in result.output


def test_the_list(world: World) -> None:
    add(world)
    add(world, "li.na", role="auditor", office="430000")
    run(world, "end", "zhou.min")
    lines = run(world, "list").output.splitlines()
    assert [line.split()[:3] for line in lines[:2]] == [
        ["li.na", "auditor", "430000"],
        ["zhou.min", "operator", "430102"],
    ]
    assert ("until" in lines[0], "ended" in lines[1], lines[2]) == (True, True, "2 accounts")


def test_a_lost_telephone_and_a_forgotten_password(world: World) -> None:
    first = add(world)
    second = run(world, "reset-totp", "zhou.min")
    third = run(world, "reset-password", "zhou.min")
    assert digits(first) != digits(second)
    password = re.search(r"first sign-in: (\S+)", third.output)
    assert password is not None
    assert "otpauth" not in third.output
    answer = Desk(world.database, world.keys).sign_in("zhou.min", password[1], digits(second), world.where())
    assert isinstance(answer, Opened)


def test_an_end_can_be_undone(world: World) -> None:
    add(world)
    assert run(world, "end", "zhou.min").exit_code == 0
    assert world.value("SELECT appointed_until <= clock_timestamp() FROM officers")
    assert run(world, "extend", "zhou.min", "--until", SOON).exit_code == 0
    assert world.value("SELECT appointed_until > clock_timestamp() FROM officers")
    result = run(world, "end", "nobody")
    assert (result.exit_code, "nobody has the login nobody" in result.output) == (1, True)
