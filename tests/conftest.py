"""One real PostgreSQL and one real Redis for a whole run, and databases cloned from a migrated template.

The first test that asks for a server starts both (a run of pure tests starts none); the workers of
pytest-xdist share them; the process that began the run stops them. Their files are in memory where there is
room. With DATABASE_URL (a login that may
create databases) and REDIS_URL set, those servers are used instead: only PostgreSQL databases named
`zhiyuan_test_…` are made and dropped, and of Redis' numbered ones 1 to 15 are emptied.
"""

import fcntl
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
import redis
from alembic import command
from alembic.config import Config
from psycopg import sql
from sqlalchemy.engine import make_url

from config import embedded

pytest_plugins = ("tests.fixtures",)

ROOT = Path(__file__).parent.parent
RUN = "ZHIYUAN_TEST_RUN"  # the run's directory, inherited by the workers
TEMPLATE = "zhiyuan_test_template"
MEMORY = Path("/dev/shm")  # noqa: S108 -- only directories of a new name are made in it
ROOM = 1 << 30  # a run takes a third of it

NewDatabase = Callable[[], AbstractContextManager[str]]

hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_configure(config: pytest.Config) -> None:
    """Name the run's directory before the workers start."""
    if not hasattr(config, "workerinput"):
        os.environ[RUN] = str(directory_for_servers("zhiyuan-test-"))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what the run started, and remove its files."""
    if not hasattr(config, "workerinput"):
        run = Path(os.environ.pop(RUN))
        embedded.Redis(run).stop()
        embedded.Postgres(run).stop()
        ready = run / "ready"
        if ready.exists():
            found = json.loads(ready.read_text())
            if found["external"]:
                with _owner(found["DATABASE_URL"]) as owner:
                    _drop(owner, found["template"])
        shutil.rmtree(run)


def directory_for_servers(prefix: str) -> Path:
    """A new directory, in memory where there is room: on a disk a database takes ten times as long to be made."""
    room = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir=MEMORY if room else None))
    directory.chmod(0o711)  # as root, PostgreSQL's account passes through it
    return directory


def alembic_config(url: str) -> Config:
    """The migrations, for the database at `url`: `command.upgrade(alembic_config(url), "head")`."""
    config = Config(ROOT / "migrations" / "alembic.ini")
    config.attributes["url"] = url
    return config


@pytest.fixture(scope="session")
def servers() -> dict[str, str]:
    """DATABASE_URL and REDIS_URL of this run's servers, and the name of the migrated `template`."""
    run = Path(os.environ[RUN])
    ready = run / "ready"
    with (run / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            found = {**_urls(run), "template": f"{TEMPLATE}_{run.name[-8:]}"}
            _make_template(found["DATABASE_URL"], found["template"])
            ready.write_text(json.dumps(found))
    urls: dict[str, str] = json.loads(ready.read_text())
    return urls


def _urls(run: Path) -> dict[str, str]:
    names = ("DATABASE_URL", "REDIS_URL")
    given = {name: os.environ[name] for name in names if os.environ.get(name)}
    external = "yes" if "DATABASE_URL" in given else ""
    if len(given) == len(names):
        return {**given, "external": external}
    # In a process of its own, which ends and leaves them running: no worker is their parent.
    arguments = [sys.executable, "-m", "config.embedded", "start", str(run), "--hasty"]
    printed = subprocess.run(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    started = dict(line.split("=", 1) for line in printed.splitlines())
    return {**started, **given, "external": external}


def _make_template(url: str, name: str) -> None:
    with _owner(url) as owner:
        _create(owner, name, "template0")
    command.upgrade(alembic_config(_named(url, name)), "head")


def _named(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _owner(url: str) -> psycopg.Connection[Any]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)


def _create(owner: psycopg.Connection[Any], name: str, template: str) -> None:
    # Copying files is quickest where a checkpoint costs nothing, that is with fsync off.
    statement = "CREATE DATABASE {} TEMPLATE {} ENCODING 'UTF8' STRATEGY file_copy"
    owner.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(template)))


def _drop(owner: psycopg.Connection[Any], name: str) -> None:
    owner.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def new_database(servers: dict[str, str], worker_id: str) -> Iterator[NewDatabase]:
    """Makes a fresh migrated database, gives its URL, and drops it when its user is done."""
    numbers = itertools.count(1)
    with _owner(servers["DATABASE_URL"]) as owner:

        @contextmanager
        def make() -> Iterator[str]:
            name = f"zhiyuan_test_{servers['template'][-8:]}_{worker_id}_{next(numbers)}"
            _create(owner, name, servers["template"])
            try:
                yield _named(servers["DATABASE_URL"], name)
            finally:
                _drop(owner, name)

        yield make


@pytest.fixture
def database_url(new_database: NewDatabase) -> Iterator[str]:
    """A migrated empty database of this test's own, to commit to and to break."""
    with new_database() as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(new_database: NewDatabase) -> Iterator[str]:
    """A migrated database the tests of one module share: what one commits, the next finds."""
    with new_database() as url:
        yield url


@pytest.fixture
def redis_url(servers: dict[str, str], worker_id: str) -> str:
    """An empty Redis: each worker has a numbered database of its own, emptied before each test."""
    number = 1 + int("".join(filter(str.isdigit, worker_id)) or 0) % 15
    base = servers["REDIS_URL"]
    url = f"{base}?db={number}" if base.startswith("unix:") else f"{base.rstrip('/')}/{number}"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def server_directory() -> Iterator[Path]:
    """A directory for servers of a test's own, to kill and freeze; their account can pass into it."""
    directory = directory_for_servers("zhiyuan-own-")
    yield directory
    embedded.Redis(directory).stop()
    embedded.Postgres(directory).stop()
    shutil.rmtree(directory)
