"""Fixtures over `tests.makers`: a province per test, and both portals as browsers without script."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import psycopg
import pytest
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import event
from werkzeug.test import Client

from admin.browser import Answer, Browser, Transport
from app import create_app
from app.db import Database
from app.pages import CANDIDATES
from app.web.portal import Portal
from tests.makers import Person, World

SITE = "https://localhost"


@pytest.fixture
def world(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[World]:
    """An empty province of this test's own."""
    made = World(database_url, redis_url, tmp_path / "keys")
    yield made
    made.database.dispose()


def statements_of(database: Database) -> list[str]:
    """A list to which every statement goes that `database` sends from now on, its layers bypassed or not."""
    sent: list[str] = []

    class Noting(psycopg.Cursor[Any]):
        def execute(self, query: Any, *arguments: Any, **options: Any) -> Self:
            sent.append(str(query))
            return super().execute(query, *arguments, **options)

    def note(connection: psycopg.Connection[Any], _record: object) -> None:
        connection.cursor_factory = Noting

    database.dispose()
    for engine in (database.engine, database.reader):
        event.listen(engine, "connect", note)
    event.listen(database.engine, "commit", lambda _connection: sent.extend(["BEGIN", "COMMIT"]))
    return sent


def over_wsgi(app: Flask) -> Transport:
    """A transport that calls the application directly."""
    client = Client(app, use_cookies=False)

    def send(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        answer = client.open(
            url.removeprefix(SITE) or "/", base_url=SITE, method=method, headers=dict(headers), data=body
        )
        return answer.status_code, list(answer.headers.items()), answer.get_data()

    return send


class _Compiled(BytecodeCache):
    """Templates compiled once for all applications of a process, which would each compile the same."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key, bucket.checksum] = bucket.code


_COMPILED = _Compiled()


@pytest.fixture
def portal_app(world: World) -> Iterator[Callable[[Portal], Flask]]:
    """A function that builds the application of a portal over this test's province."""
    made: list[Flask] = []

    def build(portal: Portal) -> Flask:
        app = create_app(world.settings, portal)
        app.jinja_env.bytecode_cache = _COMPILED
        made.append(app)
        return app

    yield build
    for app in made:
        app.extensions["zhiyuan"].database.dispose()


@pytest.fixture
def candidates_app(portal_app: Callable[[Portal], Flask]) -> Flask:
    """The candidate edition over this test's province."""
    return portal_app(CANDIDATES)


@pytest.fixture
def new_browser(candidates_app: Flask) -> Callable[[], Browser]:
    """A function that opens another browser at the candidate edition."""
    return lambda: Browser(over_wsgi(candidates_app), SITE)


@pytest.fixture
def browser(new_browser: Callable[[], Browser]) -> Browser:
    """A browser at the candidate edition."""
    return new_browser()


@pytest.fixture
def signed_in(world: World, browser: Browser) -> tuple[Browser, Person]:
    """A browser in which an activated candidate has signed in."""
    person = world.candidate()
    browser.cookies["__Host-sid"] = world.activate(person)
    return browser, person
