"""A sealed batch for tests, and what somebody who stops at nothing does to the database."""

from datetime import timedelta
from pathlib import Path

from admin import bundles, sealing
from admin.sealing import Sealed
from config.keys import SealKeys
from tests.makers import World


def seal(world: World, batch: str = "1") -> Sealed:
    """Close a batch now and seal it."""
    world.do("UPDATE batches SET closes_at = clock_timestamp() WHERE code = :code", code=batch)
    return sealing.seal(world.database, SealKeys.load(world.keys_directory), batch, timedelta(0))


def bundle(world: World, directory: Path, batch: str = "1", *, whole: bool = True) -> Path:
    """Write the bundle of a sealed batch."""
    with world.database.transaction() as session:
        bundles.write(session, batch, directory, whole=whole)
    return directory


def tamper(world: World, *statements: str, **params: object) -> None:
    """Run statements as somebody who is stopped by no trigger and no reference."""
    with world.database.transaction() as session:
        session.connection().exec_driver_sql("SET LOCAL session_replication_role = replica")
        for statement in statements:
            session.connection().exec_driver_sql(statement, params)
