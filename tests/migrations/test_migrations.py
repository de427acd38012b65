"""Migrations: numbered without gaps, both ways, and what they make is what the models say."""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic import command
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import make_url

from tests.conftest import alembic_config
from tests.makers import World, content

VERSIONS = Path(__file__).parents[2] / "migrations" / "versions"
NUMBERS = sorted(path.name[:4] for path in VERSIONS.glob("[0-9]*.py"))


def test_numbers_have_no_gap_and_head_names_the_newest() -> None:
    assert [int(number) for number in NUMBERS] == list(range(1, len(NUMBERS) + 1))
    assert (VERSIONS.parent / "HEAD").read_text().strip() == NUMBERS[-1]


def test_each_migration_names_the_one_before() -> None:
    for number, before in zip(NUMBERS, [None, *NUMBERS], strict=False):
        source = next(VERSIONS.glob(f"{number}_*.py")).read_text(encoding="utf-8")
        assert re.search(rf'^revision.* = "{number}"$', source, re.MULTILINE)
        expected = f'"{before}"' if before else "None"
        assert re.search(rf"^down_revision.* = {expected}$", source, re.MULTILINE)


def test_no_migration_imports_the_application() -> None:
    for path in VERSIONS.glob("*.py"):
        assert not re.search(r"^(from|import) (app|admin|cards)\b", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_tables_are_what_the_models_say(database_url: str) -> None:
    command.check(alembic_config(database_url))


def test_all_the_way_down_leaves_nothing_and_up_again_is_the_same(database_url: str) -> None:
    before = _shape(database_url)

    command.downgrade(alembic_config(database_url), "base")

    assert set(_shape(database_url)) <= {"alembic_version"}
    command.upgrade(alembic_config(database_url), "head")
    assert _shape(database_url) == before


@pytest.mark.parametrize("number", NUMBERS[1:])
def test_a_step_down_and_up_keeps_every_row(world: World, number: str) -> None:
    world.batch("1")
    world.activate(world.candidate())
    counts = dict(_counts(world.url))

    command.downgrade(alembic_config(world.url), f"{int(number) - 1:04d}")
    command.upgrade(alembic_config(world.url), "head")

    after = dict(_counts(world.url))
    assert {table: after[table] for table in counts if counts[table]} == {t: n for t, n in counts.items() if n}


def test_filings_and_audit_refuse_every_change_even_from_their_owner(world: World) -> None:
    world.batch("1")
    world.activate(world.candidate())
    assert content("4301")
    plain = make_url(world.url).set(drivername="postgresql").render_as_string(hide_password=False)
    for statement in ("UPDATE audit SET act = 'x'", "DELETE FROM audit", "TRUNCATE audit", "TRUNCATE filings CASCADE"):
        with psycopg.connect(plain) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


def test_the_candidates_role_may_append_and_not_change(world: World) -> None:
    world.batch("1")
    world.activate(world.candidate())
    plain = make_url(world.url).set(drivername="postgresql").render_as_string(hide_password=False)
    for statement in (
        "UPDATE filings SET kind = 'waiver'",
        "DELETE FROM filings",
        "SELECT 1 FROM audit",
        "SELECT 1 FROM officers",
        "UPDATE cards SET verifiers = ''",
        "UPDATE batches SET closes_at = now()",
        "UPDATE candidates SET name = 'x'",
        "DELETE FROM card_uses",
    ):
        with psycopg.connect(plain) as connection:
            connection.execute("SET ROLE zhiyuan_candidates")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def _shape(url: str) -> dict[str, list[str]]:
    engine = create_engine(url)
    found = inspect(engine)
    shape = {
        table: sorted(f"{column['name']} {column['type']} {column['nullable']}" for column in found.get_columns(table))
        for table in found.get_table_names()
    }
    engine.dispose()
    return shape


def _counts(url: str) -> Iterator[tuple[str, int]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        for table in inspect(engine).get_table_names():
            yield table, connection.execute(text(f'SELECT count(*) FROM "{table}"')).scalar_one()  # noqa: S608 -- a name
    engine.dispose()
