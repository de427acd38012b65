"""Lots for development: made, written down for their maker alone, handed out."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from admin.commands import group
from cards import serials
from tests.makers import Person, World


def run(world: World, *arguments: str) -> Result:
    environment = {
        "DATABASE_URL": world.url,
        "REDIS_URL": world.redis_url,
        "KEYS_DIRECTORY": str(world.keys_directory),
    }
    return CliRunner().invoke(group(), ["cards", *arguments], env=environment)


def make(world: World, out: Path, count: int = 3, lot: str = "0007") -> list[dict[str, str]]:
    result = run(world, "make-lot", "--lot", lot, "--count", str(count), "--codes", "10", "--out", str(out))
    assert result.exit_code == 0, result.output
    assert "DEVELOPMENT" in result.stderr
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def person(world: World) -> Person:
    assert world.keys.card_key
    return world.candidate(card=False)


def test_a_lot_is_in_stock_and_its_file_for_its_maker_alone(world: World, person: Person, tmp_path: Path) -> None:
    out = tmp_path / "lot.csv"
    rows = make(world, out)
    assert [row["serial"] for row in rows] == [serials.make("0007", number) for number in (1, 2, 3)]
    assert len(rows[0]) == 11
    assert out.stat().st_mode & 0o777 == 0o600
    assert world.value("SELECT count(*) FROM cards WHERE lot = '0007' AND state = 'stock'") == 3


def test_a_card_made_and_handed_out_activates(world: World, person: Person, tmp_path: Path) -> None:
    row = make(world, tmp_path / "lot.csv")[1]
    result = run(
        world, "hand-out", "--candidate", person.candidate_no, "--serial", f" {serials.grouped(row['serial'])} "
    )
    assert result.exit_code == 0, result.output
    person.serial, person.codes = row["serial"], tuple(row[f"code {index}"] for index in range(1, 11))
    world.__dict__["door"] = type(world.door)(world.database, world.keys, world.sealer, 14_400, card_codes=10)
    assert world.activate(person)


def test_a_lot_is_made_once_and_leaves_no_file_behind(world: World, person: Person, tmp_path: Path) -> None:
    make(world, tmp_path / "lot.csv", 1)
    again = tmp_path / "again.csv"
    result = run(world, "make-lot", "--lot", "0007", "--count", "1", "--out", str(again))
    assert result.exit_code == 1
    assert "there is a lot 0007 already" in result.stderr
    assert not again.exists()


def test_a_file_that_exists_is_never_written_over(world: World, person: Person, tmp_path: Path) -> None:
    out = tmp_path / "lot.csv"
    out.write_text("mine")
    result = run(world, "make-lot", "--lot", "0007", "--count", "1", "--out", str(out))
    assert result.exit_code == 1
    assert out.read_text() == "mine"
    assert not world.value("SELECT count(*) FROM lots")


def test_everybody_of_a_point_without_a_card_is_given_one(world: World, person: Person, tmp_path: Path) -> None:
    other, elsewhere = world.candidate(), world.candidate(point=world.new_point("长沙市第二中学"), card=False)
    make(world, tmp_path / "lot.csv")
    code = world.value("SELECT code FROM offices WHERE id = :id", id=world.point)
    result = run(world, "hand-out", "--point", code, "--lot", "0007")
    assert result.exit_code == 0, result.output
    assert person.candidate_no in result.output
    assert "1 cards handed out" in result.output
    holders = world.rows("SELECT holder_id FROM cards WHERE lot = '0007' AND state = 'handed'")
    assert [row["holder_id"] for row in holders] == [person.id]
    assert other.candidate_no not in result.output
    assert elsewhere.candidate_no not in result.output


def test_too_few_cards_are_handed_to_nobody(world: World, person: Person, tmp_path: Path) -> None:
    world.candidate(card=False)
    make(world, tmp_path / "lot.csv", 1)
    code = world.value("SELECT code FROM offices WHERE id = :id", id=world.point)
    result = run(world, "hand-out", "--point", code, "--lot", "0007")
    assert result.exit_code == 1
    assert "has 1 cards in stock, 2 are needed" in result.stderr
    assert not world.value("SELECT count(*) FROM cards WHERE state = 'handed'")


def test_a_live_card_dies_only_when_that_is_said(world: World, tmp_path: Path) -> None:
    holder = world.candidate()
    serial = make(world, tmp_path / "lot.csv")[0]["serial"]
    arguments = ("hand-out", "--candidate", holder.candidate_no, "--serial", serial)
    refused = run(world, *arguments)
    assert refused.exit_code == 1
    assert "--replace" in refused.stderr
    assert run(world, *arguments, "--replace").exit_code == 0
    assert world.value("SELECT state FROM cards WHERE serial = :s", s=holder.serial) == "replaced"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--point", "430102"), "give --point and --lot"),
        (("--point", "9999999999", "--lot", "0007"), "no registration point 9999999999"),
        (("--candidate", "17430102150099", "--serial", "000700000016"), "a serial is twelve digits"),
        (("--candidate", "17430102150099", "--serial", serials.make("0007", 1)), "no candidate 17430102150099"),
    ],
)
def test_what_does_not_fit_is_refused_in_plain_words(
    world: World, person: Person, arguments: tuple[str, ...], words: str
) -> None:
    result = run(world, "hand-out", *arguments)
    assert result.exit_code != 0
    assert words in result.stderr
    assert "Traceback" not in result.output
