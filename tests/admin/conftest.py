"""The offices' portal: its application, officers of every kind, and browsers they have signed in with."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from admin.browser import Browser
from admin.officers import Role
from admin.pages import OFFICES
from app.db import Database
from app.web.portal import Portal
from tests.admin.colleagues import Offices, in_english
from tests.admin.keepers import Keepers
from tests.admin.pages.scene import Scene, played
from tests.admin.windows import Office
from tests.fixtures import SITE, over_wsgi
from tests.makers import World


@pytest.fixture
def offices(world: World) -> Offices:
    """Makes officers."""
    return Offices(world)


@pytest.fixture
def scene(world: World, keepers: Keepers, offices: Offices) -> Scene:
    """A small tree of offices with something of everything at its points."""
    return played(world, keepers, offices)


@pytest.fixture
def offices_app(portal_app: Callable[[Portal], Flask]) -> Flask:
    """The management edition over this test's province."""
    return portal_app(OFFICES)


@pytest.fixture
def new_stranger(offices_app: Flask) -> Callable[[], Browser]:
    """A function that opens a browser at the management edition in which nobody has signed in; it reads English."""
    return lambda: in_english(Browser(over_wsgi(offices_app), SITE))


@pytest.fixture
def stranger(new_stranger: Callable[[], Browser]) -> Browser:
    """Such a browser."""
    return new_stranger()


@pytest.fixture
def officer_browser(offices_app: Flask, offices: Offices) -> Callable[..., Browser]:
    """A function that opens a browser in which an officer of an office and role has signed in."""

    def open_for(office_id: int | None = None, role: Role = "operator", **more: Any) -> Browser:
        browser = in_english(Browser(over_wsgi(offices_app), SITE))
        browser.cookies["__Host-oid"] = offices.open_session(offices.appoint(office_id, role, **more))
        return browser

    return open_for


@pytest.fixture
def offices_role(world: World) -> Iterator[Database]:
    """The database as the offices' portal has it."""
    made = Database(world.url, role="zhiyuan_offices")
    yield made
    made.dispose()


@pytest.fixture
def keepers(world: World, offices: Offices, offices_role: Database) -> Keepers:
    """Everybody who keeps cards, with the rights of the offices' portal."""
    return Keepers(world, offices, offices_role)


@pytest.fixture
def office(world: World, keepers: Keepers) -> Office:
    """Two officers of the province over a candidate and batch 1, which is open."""
    world.candidate()
    return Office(world, keepers, world.batch("1"))
