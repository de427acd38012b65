"""One real PostgreSQL and one real Redis for a whole run, and databases cloned from a migrated template.

The first test that asks for a server starts both (a run of pure tests starts none); the workers of
pytest-xdist share them; the process that began the run stops them. With DATABASE_URL (a login that may
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
from pathlib import Path

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

hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_configure(config: pytest.Config) -> None:
    """Name the run's directory before the workers start."""
    if not hasattr(config, "workerinput"):
        run = Path(tempfile.mkdtemp(prefix="zhiyuan-test-"))
        run.chmod(0o711)  # as root, PostgreSQL's account passes through it
        os.environ[RUN] = str(run)


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
                _drop(found["DATABASE_URL"], found["template"])
        shutil.rmtree(run)


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
    _create(url, name, "template0")
    command.upgrade(alembic_config(_named(url, name)), "head")


def _named(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _execute(url: str, statement: sql.Composed) -> None:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(statement)


def _create(url: str, name: str, template: str) -> None:
    # Copying files is quickest where a checkpoint costs nothing, that is with fsync off.
    statement = "CREATE DATABASE {} TEMPLATE {} ENCODING 'UTF8' STRATEGY file_copy"
    _execute(url, sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(template)))


def _drop(url: str, name: str) -> None:
    _execute(url, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def new_database(servers: dict[str, str], worker_id: str) -> Iterator[Callable[[], str]]:
    """A function that makes a fresh migrated database and returns its URL; all are dropped at the end."""
    made: list[str] = []
    numbers = itertools.count(1)

    def make() -> str:
        name = f"zhiyuan_test_{servers['template'][-8:]}_{worker_id}_{next(numbers)}"
        _create(servers["DATABASE_URL"], name, servers["template"])
        made.append(name)
        return _named(servers["DATABASE_URL"], name)

    yield make
    if servers["external"]:
        for name in made:
            _drop(servers["DATABASE_URL"], name)


@pytest.fixture
def database_url(new_database: Callable[[], str]) -> str:
    """A migrated empty database of this test's own, to commit to and to break."""
    return new_database()


@pytest.fixture(scope="module")
def module_database_url(new_database: Callable[[], str]) -> str:
    """A migrated database the tests of one module share: what one commits, the next finds."""
    return new_database()


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
    directory = Path(tempfile.mkdtemp(prefix="zhiyuan-own-"))
    directory.chmod(0o711)
    yield directory
    embedded.Redis(directory).stop()
    embedded.Postgres(directory).stop()
    shutil.rmtree(directory)
