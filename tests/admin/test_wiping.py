"""A rehearsal is marked before it is filled, says so wherever it is seen, and is wiped by two officers (U-23)."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from admin import schema, wiping
from admin.browser import Browser
from admin.entrance import Vouched
from admin.pages import OFFICES
from admin.sending import Post, ToLog
from admin.wiping import WrongDatabase
from app.errors import NotAllowed
from app.pages import CANDIDATES
from app.web.portal import Portal
from tests.admin.colleagues import Offices
from tests.fixtures import SITE, over_wsgi
from tests.makers import World


@pytest.fixture
def by(offices: Offices) -> tuple[Vouched, Vouched]:
    return offices.vouched(offices.appoint(role="operator")), offices.vouched(offices.appoint(role="approver"))


def test_a_rehearsal_says_so_on_every_page_and_in_every_message(
    world: World, portal_app: Callable[[Portal], Flask], tmp_path: Path
) -> None:
    assert "模拟演练" not in Browser(over_wsgi(portal_app(CANDIDATES)), SITE).get("/sign-in").text

    wiping.mark(world.database)
    world.activate(world.candidate())

    for portal in (CANDIDATES, OFFICES):
        assert "模拟演练" in Browser(over_wsgi(portal_app(portal)), SITE).get("/sign-in").text
    outbox = tmp_path / "outbox"
    Post(world.database, world.sealer, ToLog(outbox), "0731-12345678").round()
    messages = outbox.read_text()
    assert messages.count("【模拟演练，不作数】") == messages.count("志愿填报") > 0


def test_where_candidates_are_registered_no_rehearsal_begins(world: World) -> None:
    world.candidate()

    with pytest.raises(WrongDatabase):
        wiping.mark(world.database)


def test_nothing_but_a_rehearsal_is_wiped_and_not_by_one(world: World, by: tuple[Vouched, Vouched]) -> None:
    with pytest.raises(WrongDatabase):
        wiping.wipe(world.database, world.url, by)
    wiping.mark(world.database)
    world.database.__dict__.pop("is_rehearsal")  # a process of its own would ask
    for one in by:
        with pytest.raises(NotAllowed):
            wiping.wipe(world.database, world.url, (one, one))

    assert world.value("SELECT count(*) FROM officers") == 2


def test_a_wiped_rehearsal_is_empty_works_and_is_still_one(world: World, by: tuple[Vouched, Vouched]) -> None:
    wiping.mark(world.database)
    world.activate(world.candidate())

    wiping.wipe(world.database, world.url, by)

    assert world.value("SELECT count(*) FROM candidates") + world.value("SELECT count(*) FROM officers") == 0
    assert world.rows("SELECT act FROM audit ORDER BY id") == [{"act": "rehearsal.wiped"}]
    assert world.value("SELECT current_setting('zhiyuan.rehearsal')") == "on"
    assert schema.current(world.url) == schema.newest()
