"""The stage: durable PostgreSQL and Redis in a small directory, a province in it, gunicorn in front."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask, session
from flask_wtf.csrf import generate_csrf

from app import accounts, create_app, drafts, preferences
from app.pages import CANDIDATES
from app.preferences import Answer, Asked, Origin
from tests.bench import load, reference
from tests.bench.servers import ROOT, migrated, plain, servers
from tests.makers import Member, World, content

PATIENCE = 60.0
OURS = "wsgi:candidates()"
REFERENCE = "tests.bench.reference:application()"
#: of every candidate's browser
DEVICE = "the-device-token-of-a-browser"
INSTITUTIONS = tuple(f"43{number:02d}" for number in range(1, 11))
MAJORS = ("01", "02", "03", "04", "05", "06")
BATCH = "1"
CONFIRM = f"/preferences/{BATCH}/confirm"
#: what somebody signed in reads, by name
PAGES = {
    "overview": "/preferences",
    "edit": f"/preferences/{BATCH}/edit",
    "check": f"/preferences/{BATCH}/check",
    "receipt": f"/filings/{BATCH}/1",
    "history": "/filings",
    "catalogue": f"/preferences/{BATCH}/catalogue?q=%E6%B9%98%E6%B1%9F",
    "account": "/account",
}


@contextmanager
def province() -> Iterator["Stage"]:
    """Servers with an empty province and an open batch whose plan has six majors for each institution."""
    with servers() as (url, redis_url, directory), ExitStack() as stack:
        world = World(migrated(url, "bench"), redis_url, directory / "keys")
        stack.callback(world.database.dispose)
        world.batch(BATCH)
        for institution in INSTITUTIONS:
            for major in MAJORS[3:]:
                world.plan(BATCH, "GEN1", "5", institution, major)
        yield Stage(world, directory, stack)


@dataclass
class Stage:
    """A province, and everything a request to it is made of."""

    world: World
    directory: Path
    stack: ExitStack

    # --- servers --------------------------------------------------------------------------------

    @cached_property
    def ours(self) -> Path:
        """The socket of the candidate edition, under gunicorn as it is deployed."""
        environment = {
            "DATABASE_URL": self.world.url,
            "REDIS_URL": self.world.redis_url,
            "KEYS_DIRECTORY": str(self.world.keys_directory),
            "BEHIND_PROXY": "1",
            "LOG_LEVEL": "WARNING",
        }
        return self._served(OURS, environment)

    @cached_property
    def reference(self) -> Path:
        """The socket of the reference."""
        url = plain(self.world.url)
        with psycopg.connect(url) as connection:
            connection.execute(reference.SCHEMA.encode())
        return self._served(REFERENCE, {"REFERENCE_DATABASE": url})

    def _served(self, application: str, environment: Mapping[str, str]) -> Path:
        place = self.directory / f"{application.split(':', maxsplit=1)[0]}.sock"
        log = self.directory / f"{place.name}.log"
        process = self.stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", application],
                cwd=ROOT,
                env={**os.environ, **environment, "BIND": f"unix:{place}", "WORKERS": "2"},
                stderr=self.stack.enter_context(log.open("wb")),
            )
        )
        self.stack.callback(process.terminate)
        _wait_for(place, process, log)
        return place

    # --- people ---------------------------------------------------------------------------------

    def crowd(self, count: int) -> list[Member]:
        """Candidates signed in on a known device, each with a card of ten codes."""
        return self.world.crowd(count, device=self.device_hash)

    @cached_property
    def device_hash(self) -> bytes:
        return accounts.device_hash(DEVICE) or b""

    def drafted(self, crowd: list[Member]) -> list[Asked]:
        """Give everybody a draft of ten institutions with six majors and the question of the check page."""
        asked = []
        with self.world.database.transaction() as deed:
            batch_id = self.world.value("SELECT id FROM batches WHERE code = :code", code=BATCH)
            for member in crowd:
                visitor = self.world.visitor(member.session_id, self.device_hash)
                wanted = content(*INSTITUTIONS, majors=MAJORS)
                version = drafts.save(deed, member.person.id, batch_id, wanted, 0)
                asked.append(preferences.ask(deed, visitor, BATCH, "list", version))
        return asked

    def filed(self, crowd: list[Member]) -> None:
        """Let everybody confirm a draft, and ask again, as for a change."""
        asked = self.drafted(crowd)
        for member, question in zip(crowd, asked, strict=True):
            visitor = self.world.visitor(member.session_id, self.device_hash)
            answer = Answer(question.key, question.digest, [member.person.code(question.asked[0])])
            origin = Origin("10.1.2.3", "Chrome · Android", "bench", self.device_hash)
            with self.world.database.transaction() as deed:
                preferences.confirm(deed, visitor, BATCH, answer, origin, self.world.keys)
            with self.world.database.transaction() as deed:
                version = preferences.sheet(deed, visitor, BATCH).draft_version
                preferences.ask(deed, visitor, BATCH, "list", version)

    def fresh(self) -> None:
        """Nobody's session or question gets old while others are measured."""
        self.world.do("UPDATE sessions SET seen_at = clock_timestamp()")
        self.world.do("UPDATE challenges SET issued_at = clock_timestamp()")

    # --- requests -------------------------------------------------------------------------------

    @cached_property
    def app(self) -> Flask:
        """The application in this process: it makes the cookies that the one under gunicorn reads."""
        return self.build(self.world.url)

    def build(self, database_url: str) -> Flask:
        """The application in this process, over this way to the database."""
        app = create_app(self.world.settings.model_copy(update={"database_url": database_url}), CANDIDATES)
        self.stack.callback(app.extensions["zhiyuan"].database.dispose)
        return app

    @cached_property
    def _form(self) -> tuple[str, str]:
        interface: Any = self.app.session_interface
        with self.app.test_request_context():
            token = str(generate_csrf())
            cookie = interface.get_signing_serializer(self.app).dumps(dict(session))
        return cookie, token

    @property
    def csrf_token(self) -> str:
        """The token that fits `form_cookie`."""
        return self._form[1]

    @property
    def form_cookie(self) -> dict[str, str]:
        """The cookie of a browser that has seen a form."""
        return {CANDIDATES.form_cookie: self._form[0]}

    def cookies(self, member: Member) -> dict[str, str]:
        """Everything the browser of somebody signed in sends."""
        return {CANDIDATES.session_cookie: member.session_id, **self.form_cookie, "__Host-device": DEVICE}

    def confirmation(self, member: Member, asked: Asked) -> dict[str, str]:
        """The form that puts a checked draft in force."""
        return {
            "csrf_token": self.csrf_token,
            "mark": self.world.visitor(member.session_id, self.device_hash).form_mark,
            "key": asked.key.hex(),
            "digest": asked.digest.hex(),
            "code": member.person.code(asked.asked[0]),
        }


def _wait_for(place: Path, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until a server listens and answers."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(place))
                connection.sendall(load.get("/constant"))
                if connection.recv(16):
                    return
            except OSError:
                time.sleep(0.1)
    raise RuntimeError(f"the server did not start:\n{log.read_text(errors='replace')[-2000:]}")
