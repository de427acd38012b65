"""`python -m admin stock balance`: the books come out, or the command says where they do not."""

from click.testing import CliRunner, Result

from admin.commands import group
from tests.admin.keepers import Keepers
from tests.makers import World


def run(world: World, *arguments: str) -> Result:
    environment = {"DATABASE_URL": world.url, "REDIS_URL": "unused", "KEYS_DIRECTORY": str(world.keys_directory)}
    return CliRunner().invoke(group(), ["stock", "balance", *arguments], env=environment)


def test_books_that_come_out(world: World, keepers: Keepers) -> None:
    span = keepers.take_in("1701", 6)
    keepers.bring(world.county, span)
    result = run(world, "--all")
    assert result.exit_code == 0, result.output
    assert "The books come out at all 3 offices: 6 cards." in result.output
    assert "芙蓉区" in result.output


def test_a_card_made_away_with_is_found(world: World, keepers: Keepers) -> None:
    keepers.bring(world.county, keepers.take_in("1701", 6))
    world.do("DELETE FROM cards WHERE serial = (SELECT max(serial) FROM cards)")
    result = run(world)
    assert result.exit_code == 1
    assert "芙蓉区" in result.output
    assert "1 offices do not come out" in result.output
