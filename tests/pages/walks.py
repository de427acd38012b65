"""How a candidate walks through the door, for the tests of its pages; and one province for all tests of a module.

A test takes candidates of its own from it, so that it need not make a database and an application of its own:

    from tests.pages.walks import shared_app, shared_world  # noqa: F401 -- fixtures
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from admin.browser import Browser, Page
from app import create_app
from app.pages import CANDIDATES
from tests.makers import Person, World

NEW = "a quiet river 7 bridges"
#: rows that a refusal may add to: the audit says it, the wait counts it
COUNTED = frozenset({"audit", "waits"})


@pytest.fixture(scope="module", name="world")
def shared_world(
    module_database_url: str, servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """One province for the tests of a module."""
    made = World(module_database_url, servers["REDIS_URL"], tmp_path_factory.mktemp("keys") / "keys")
    yield made
    made.database.dispose()


@pytest.fixture(scope="module", name="candidates_app")
def shared_app(world: World) -> Iterator[Flask]:
    """One candidate edition for the tests of a module."""
    app = create_app(world.settings, CANDIDATES)
    yield app
    app.extensions["zhiyuan"].database.dispose()


def first_page(browser: Browser, **typed: str) -> Page:
    """Fill in the first page of activation; `typed` may lack fields."""
    page = browser.get("/activate")
    return browser.submit(page.form(has="serial"), {**typed, "agree": "y"})


def person_page(browser: Browser, person: Person, **over: str) -> Page:
    """The same as this person, with other values in the place of some."""
    typed = {"number": person.candidate_no, "serial": person.serial, "tail": person.id_no[-6:]}
    return first_page(browser, **(typed | over))


def codes_asked(page: Page) -> tuple[int, int]:
    """The numbers of the two codes a page asks for."""
    first, second = re.findall(r'<span class="code-index">(\d+)</span>', page.text)
    return int(first), int(second)


def two(page: Page, person: Person) -> dict[str, str]:
    """The right answers to a page that asks two codes."""
    first, second = codes_asked(page)
    return {"code_first": person.code(first), "code_second": person.code(second)}


def chosen(password: str = NEW) -> dict[str, str]:
    """A new password, typed twice."""
    return {"password": password, "again": password}


def activate(browser: Browser, person: Person, **over: str) -> Page:
    """Activate, both pages."""
    page = person_page(browser, person)
    return browser.submit(page.form(has="code_first"), two(page, person) | chosen(person.password) | over)


def sign_in(browser: Browser, number: str, password: str, query: str = "") -> Page:
    """Sign in with number and password."""
    page = browser.get(f"/sign-in{query}")
    return browser.submit(page.form(has="password"), {"number": number, "password": password})


def card_page(browser: Browser, number: str, way: str = "/sign-in/card") -> Page:
    """The second page of signing in with the card, or of a new password."""
    page = browser.get(f"{way}?again=1")
    return browser.submit(page.form(has="number"), {"number": number})


def errors(page: Page) -> str:
    """What the box above the page says."""
    found = re.search(r'<div class="error-summary".*?</div>', page.text, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split()) if found else ""


def same_but_numbers(page: Page) -> str:
    """A page's words without any figure: what two refusals must have in common."""
    return re.sub(r"\d+", "#", page.words)


def dump(world: World) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table but the two that count refusals."""
    tables = world.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    names = {row["tablename"] for row in tables} - COUNTED - {"alembic_version"}
    return {name: world.rows(f"SELECT * FROM {name} ORDER BY 1, 2") for name in sorted(names)}  # noqa: S608 -- of the catalogue


def wrong_fields(page: Page) -> set[str]:
    """The fields with something to correct beside them."""
    return set(re.findall(r'id="(\w+)-error"', page.text))


def is_signed_in(browser: Browser) -> bool:
    """Whether this browser's session cookie is worth anything."""
    page = browser.get("/account")
    return (urlsplit(page.url).path, page.status) == ("/account", 200)


def in_english(browser: Browser) -> Browser:
    """The same browser, its pages in English."""
    browser.submit(browser.get("/help").form(action="language"), {"language": "en"})
    return browser
