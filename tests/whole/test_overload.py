"""The last minute, overloaded: every worker is busy with saves, and the province moves the end all the same (O-08)."""

import http.client
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from admin import proposals, scope, window_acts
from admin.browser import Browser, Form, over_http
from admin.deeds import KINDS
from admin.stage import free_port, stage
from admin.window_acts import Asked
from app import drafts, preferences
from tests.admin.colleagues import Offices
from tests.makers import Member, World, content

SAVERS = 12
PROMISED = timedelta(seconds=5)
#: pages asked for once the act is done; each is a connection of its own, so every worker is asked
OFTEN = 12


def checked(world: World, batch_id: int, member: Member) -> None:
    visitor = world.visitor(member.session_id)
    with world.database.transaction() as session:
        version = drafts.save(session, member.person.id, batch_id, content("4301", "4302"), 0)
    with world.database.transaction() as session:
        preferences.ask(session, visitor, "1", "list", version)


def move_end(world: World) -> None:
    """Two officers of the province decide; nobody waits here to think."""
    offices = Offices(world)
    first, second = (offices.visitor(offices.appoint(world.province, role)) for role in ("operator", "approver"))
    asked = Asked("batch.end", world.value("SELECT clock_timestamp() + interval '1 hour'"), "overload")
    life = timedelta(minutes=30)
    with scope.transaction(world.database, first) as session:
        act = window_acts.propose(session, first, "1", asked, timedelta(), life, world.where())
    with scope.transaction(world.database, second) as session:
        proposals.approve(session, second, KINDS, act, "1", world.where())


@dataclass(frozen=True)
class Saver:
    """A candidate on the check page."""

    browser: Browser
    form: Form
    code: str

    def save(self, over: threading.Event) -> int:
        """Confirm again and again as a browser does that hangs: each time all is locked that a save locks."""
        sent = 0
        while not over.is_set():
            with suppress(OSError, http.client.HTTPException):
                sent += self.browser.submit(self.form, {"code": self.code}).status == 200
        return sent


def on_the_check_page(url: str, member: Member) -> Saver:
    browser = Browser(over_http(), url)
    browser.cookies["__Host-sid"] = member.session_id
    form = browser.get(f"{url}/preferences/1/check").form(action="/confirm")
    form.action = f"{url}/preferences/1/confirm"
    return Saver(browser, form, member.person.code(1))


def test_a_moved_end_holds_on_every_worker_within_five_seconds(server_directory: Path) -> None:
    with ExitStack() as up:
        here = up.enter_context(stage(server_directory, durable=False))
        world = World(here.settings.database_url, here.settings.redis_url, here.directory / "keys")
        up.callback(world.database.dispose)
        batch_id = world.batch("1")
        crowd = world.crowd(SAVERS + 1)
        for member in crowd[:SAVERS]:
            checked(world, batch_id, member)
        up.enter_context(here.schedule())
        (portal,) = up.enter_context(here.portals({"candidates": free_port()}, workers=2))
        portal.wait_until_ready()
        over = threading.Event()
        with ThreadPoolExecutor(SAVERS) as pool:
            savers = list(pool.map(lambda member: on_the_check_page(portal.url, member), crowd[:SAVERS]))
            saving = [pool.submit(one.save, over) for one in savers]
            try:
                time.sleep(2)
                world.move_end(batch_id, -1)
                reader = Browser(over_http(), portal.url)
                reader.cookies["__Host-sid"] = crowd[-1].session_id
                assert "已截止" in reader.get(f"{portal.url}/preferences/1/edit").words
                move_end(world)
                patience = time.monotonic() + 60
                while world.value("SELECT outcome FROM batch_acts") != "done":
                    assert time.monotonic() < patience
                    time.sleep(0.1)
                took = world.value("SELECT settled_at - effective_at FROM batch_acts")
                pages = [reader.get(f"{portal.url}/preferences/1/edit").words for _ in range(OFTEN)]
            finally:
                over.set()
            assert sum(one.result() for one in saving) > SAVERS
    assert took < PROMISED
    assert all("截止时间已由" in words for words in pages)
