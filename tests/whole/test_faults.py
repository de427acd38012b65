"""kill -9 of workers and of PostgreSQL while candidates save: nothing acknowledged is lost, nothing is filed twice."""

import http.client
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from admin.browser import Browser, WalkError, over_http
from admin.stage import Process, Stage, free_port, stage
from app import drafts, evidence, filings, preferences, tallies
from tests.makers import PASSWORD, Member, Person, World, content
from tests.pages.walks import is_signed_in, sign_in

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Running:
    """A province with candidates about to confirm, and the portal they do it at."""

    here: Stage
    world: World
    portal: Process
    ready: list[Member]


@pytest.fixture
def running(server_directory: Path) -> Iterator[Running]:
    """Forty candidates on the check page of a durable database's portal."""
    with stage(server_directory, durable=True) as here:
        world = World(here.settings.database_url, here.settings.redis_url, here.directory / "keys")
        batch_id = world.batch("1")
        ready = world.crowd(40)
        for member in ready:
            visitor = world.visitor(member.session_id)
            with world.database.transaction() as session:
                version = drafts.save(session, member.person.id, batch_id, content("4301", "4302"), 0)
            with world.database.transaction() as session:
                preferences.ask(session, visitor, "1", "list", version)
        with here.portals({"candidates": free_port()}) as (portal,):
            portal.wait_until_ready()
            yield Running(here, world, portal, ready)
        world.database.dispose()


def workers(portal: Process) -> list[int]:
    """The process ids of gunicorn's workers."""
    master = portal.pid
    return [
        int(found)
        for task in Path(f"/proc/{master}/task").iterdir()
        for found in (task / "children").read_text().split()
    ]


def file_stubbornly(running: Running, member: Member) -> str:
    """Confirm as a candidate would whose page hangs: the same form again, until a receipt is shown."""
    browser = Browser(over_http(timeout=5), running.portal.url)
    browser.cookies["__Host-sid"] = member.session_id
    deadline = time.monotonic() + PATIENCE_S
    form = None
    while time.monotonic() < deadline:
        with suppress(OSError, http.client.HTTPException, WalkError):
            if form is None:
                page = browser.get(f"{running.portal.url}/preferences/1/check")
                if page.status != 200:
                    continue
                form = page.form(action="/confirm")
                form.action = f"{running.portal.url}/preferences/1/confirm"
            page = browser.submit(form, {"code": member.person.code(1)})
            if page.status == 200 and "/filings/1/" in page.url:
                return page.url
        time.sleep(0.05)
    raise AssertionError(f"no receipt in {PATIENCE_S} s; last page: {browser.page.status} {browser.page.title}")


def file_under_fire(running: Running, shoot: Callable[[], None]) -> list[str]:
    """Everybody files, eight at a time, while `shoot` is called again and again."""
    over = threading.Event()

    def keep_shooting() -> None:
        while not over.wait(0.4):
            shoot()

    gunner = threading.Thread(target=keep_shooting)
    gunner.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda member: file_stubbornly(running, member), running.ready))
    finally:
        over.set()
        gunner.join()


def assert_exactly_one_filing_each(running: Running) -> None:
    world = running.world
    assert world.value("SELECT count(*) FROM filings") == len(running.ready)
    assert world.value("SELECT count(DISTINCT candidate_id) FROM filings") == len(running.ready)
    assert world.value("SELECT count(*) FROM card_uses WHERE purpose = 'filing'") == len(running.ready)
    assert world.value("SELECT coalesce(sum(wrong_tries), 0) FROM bindings") == 0
    assert world.value("SELECT count(*) FROM audit WHERE act = 'filing.confirmed'") == len(running.ready)
    rows = world.rows(
        f"SELECT {filings.RECORD_FIELDS} FROM filings f"  # noqa: S608 -- constants
        " JOIN candidates c ON c.id = f.candidate_id JOIN batches b ON b.id = f.batch_id"
    )
    assert all(evidence.check_chain([(filings.record(row), bytes(row["digest"]))]) == [] for row in rows)
    with world.database.transaction() as session:
        assert tallies.recount(session) == 0


def test_workers_killed_while_saving_lose_nothing_and_file_nothing_twice(running: Running) -> None:
    shots = iter(range(8))

    def shoot() -> None:
        found = workers(running.portal)
        if len(found) == 2 and next(shots, None) is not None:  # the one before has been replaced
            with suppress(ProcessLookupError):
                os.kill(found[0], signal.SIGKILL)

    receipts = file_under_fire(running, shoot)

    assert len(receipts) == len(running.ready)
    assert_exactly_one_filing_each(running)


def test_postgresql_killed_while_saving_loses_nothing_and_files_nothing_twice(running: Running) -> None:
    server = running.here.postgres
    shots = iter(range(3))

    def shoot() -> None:
        if next(shots, None) is not None:
            server.kill()
            server.start()

    receipts = file_under_fire(running, shoot)

    assert len(receipts) == len(running.ready)
    running.world.database.dispose()
    assert_exactly_one_filing_each(running)


def test_redis_killed_or_frozen_stops_neither_signing_in_nor_filing(running: Running) -> None:
    server = running.here.redis
    people = [running.world.candidate() for _ in range(4)]
    for person in people:
        running.world.activate(person)

    def signs_in(person: Person) -> bool:
        browser = Browser(over_http(timeout=5), running.portal.url)
        sign_in(browser, person.candidate_no, PASSWORD)
        return is_signed_in(browser)

    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        assert all(map(signs_in, people[:2]))
        half = len(running.ready) // 2
        for member in running.ready[:half]:
            file_stubbornly(running, member)
    finally:
        os.kill(pid, signal.SIGCONT)
    server.kill()
    assert all(map(signs_in, people[2:]))
    for member in running.ready[half:]:
        file_stubbornly(running, member)

    assert_exactly_one_filing_each(running)
