"""A durable PostgreSQL and a Redis of our own, and databases in it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import make_url

from config import embedded

ROOT = Path(__file__).parents[2]


def named(url: str, database: str) -> str:
    """The same server, another database."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def plain(url: str) -> str:
    """SQLAlchemy's URL as psycopg reads it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def migrated(url: str, database: str) -> str:
    """A fresh database with our tables; its URL."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database}".encode())
    config = Config(ROOT / "migrations" / "alembic.ini")
    config.attributes["url"] = named(url, database)
    command.upgrade(config, "head")
    return named(url, database)


@contextmanager
def servers() -> Iterator[tuple[str, str, Path]]:
    """URLs of a durable PostgreSQL and of a Redis, and the directory they are in."""
    directory = Path(tempfile.mkdtemp(prefix="zhiyuan-bench-"))
    directory.chmod(0o711)  # started by root, PostgreSQL runs as somebody else and must pass
    try:
        with embedded.postgres(directory) as database_url, embedded.redis(directory) as redis_url:
            yield database_url, redis_url, directory
    finally:
        shutil.rmtree(directory)
