"""The database's schema, brought to a state by the numbered migrations."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, pool, text

_INI: Final = Path(__file__).parents[1] / "migrations" / "alembic.ini"


def _config(url: str) -> Config:
    config = Config(_INI)
    config.attributes["url"] = url
    return config


def upgrade(url: str) -> None:
    """Bring the database to the newest state; nothing happens when it is there."""
    command.upgrade(_config(url), "head")


def downgrade(url: str) -> None:
    """Undo the newest migration, with the data that only it has room for."""
    command.downgrade(_config(url), "-1")


def newest() -> str:
    """The number of the newest migration."""
    return str(ScriptDirectory(str(_INI.parent)).get_current_head())


def current(url: str) -> str:
    """The number of the database's state; '' for an empty one."""
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return ""
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""
