"""The pages anybody may open."""

import dataclasses
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from admin.browser import Browser
from admin.rehearsal import FREE
from app import batches
from app.db import Database
from app.entrance import NOTICE_VERSION
from app.pages.public import periods
from tests.makers import World
from tests.pages.walks import in_english


@pytest.fixture
def page(browser: Browser) -> Callable[[str], str]:
    """A function that opens a page in English and returns its words."""
    in_english(browser)
    return lambda path: browser.get(path).words


def test_the_start_page_offers_both_ways_in(browser: Browser) -> None:
    page = browser.get("/")
    targets = {href for _, href in page.links}
    assert {"/activate", "/sign-in", "/reset", "/help", "/privacy"} <= targets


def test_it_says_what_is_open_and_until_when(world: World, page: Callable[[str], str]) -> None:
    world.batch("1", name="本科一批", closes=timedelta(hours=2))
    world.batch("2", name="本科二批", closes=timedelta(hours=2))
    words = page("/")
    assert "Open now" in words
    assert "本科一批" in words
    assert "本科二批" in words


def test_it_says_what_opens_next_and_leaves_the_rest_to_later(world: World, page: Callable[[str], str]) -> None:
    world.batch("1", name="past", opens=timedelta(hours=-2), closes=timedelta(hours=-1))
    world.batch("2", name="next", opens=timedelta(hours=1), closes=timedelta(hours=3))
    world.batch("3", name="later", opens=timedelta(hours=5), closes=timedelta(hours=6))
    words = page("/")
    assert "Opens next next" in words
    assert "past" not in words.split()
    assert "later" not in words.split()


def test_a_paused_batch_is_said_to_be_paused(world: World, page: Callable[[str], str]) -> None:
    world.batch("1")
    world.do("UPDATE batches SET suspended_at = clock_timestamp() - interval '1 minute'")
    assert "Paused" in page("/")
    world.move_end(1, -1)  # it does not close, for its end will be moved
    assert "Paused" in page("/")


def test_an_end_that_was_moved_is_told(world: World, page: Callable[[str], str]) -> None:
    batch = world.batch("1")
    assert "moved from" not in page("/")
    later = world.value("SELECT closes_at + interval '2 hours' FROM batches")
    with world.database.transaction() as session:
        assert batches.move_end(session, batch, later)
    assert re.search(r"until \d+ \w+ \d\d:\d\d \( ?moved from \d+ \w+ \d\d:\d\d", page("/"))


def test_batches_that_open_and_close_together_stand_together(world: World, candidates_app: Flask) -> None:
    first = world.batch("1", name="a")
    second = world.batch("2", name="b")
    together = f"""
        {FREE} UPDATE batches two SET opens_at = one.opens_at, closes_at = one.closes_at
        FROM free, batches one WHERE one.id = :one AND two.id = :two
    """  # noqa: S608 -- constant
    world.do(together, one=first, two=second)
    with candidates_app.test_request_context("/"):
        found = periods()
    assert found is not None
    assert [(period.state, period.names) for period in found] == [("open", ("a", "b"))]


def test_without_dates_it_never_says_closed(world: World, page: Callable[[str], str]) -> None:
    world.batch("1", opens=timedelta(hours=-2), closes=timedelta(hours=-1))
    dates = page("/").split("Dates")[1].split("Two ways in")[0]
    assert "No dates are entered here at the moment" in dates
    assert "closed" not in dates.lower()


def test_when_the_database_is_away_the_start_page_stands_and_says_so(
    world: World, browser: Browser, candidates_app: Flask
) -> None:
    in_english(browser)
    here = candidates_app.extensions["zhiyuan"]
    away = Database("postgresql+psycopg://nobody@/nothing?host=/nonexistent")
    candidates_app.extensions["zhiyuan"] = dataclasses.replace(here, database=away)
    page = browser.get("/")
    candidates_app.extensions["zhiyuan"] = here
    assert page.status == 200
    assert "That does not mean that filing is over" in page.words


def test_the_privacy_notice_names_its_version_and_activation_records_it(
    world: World, page: Callable[[str], str]
) -> None:
    assert NOTICE_VERSION in page("/privacy")
    assert NOTICE_VERSION in page("/activate")
    person = world.candidate()
    world.activate(person)
    assert world.rows("SELECT notice_version FROM accounts") == [{"notice_version": NOTICE_VERSION}]


@pytest.mark.parametrize("path", ["/", "/help", "/privacy", "/activate", "/sign-in", "/reset", "/signed-out"])
def test_every_open_page_warns_of_fraud_names_the_hotline_and_needs_nothing_from_elsewhere(
    browser: Browser, path: str
) -> None:
    page = browser.get(path)
    assert page.status == 200
    assert "fraud-warning" in page.text
    assert "0731-12345678" in page.words
    assert not re.search(r'(src|href)="(https?:)?//', page.text)
    assert len(page.body) < 40_000


def test_language_and_appearance_are_chosen_by_a_form_and_lead_back(browser: Browser) -> None:
    page = browser.submit(browser.get("/privacy").form(action="language"), {"language": "en"})
    assert page.url == "https://localhost/privacy"
    assert 'lang="en"' in page.text
    page = browser.submit(page.form(action="appearance"), {"appearance": "large-font high-contrast"})
    assert 'class="large-font high-contrast"' in page.text
    page = browser.submit(page.form(action="appearance"), {"appearance": "no-such"})
    assert 'class="large-font high-contrast"' in page.text


def test_security_txt_names_a_contact_and_an_end(browser: Browser) -> None:
    text = browser.get("/.well-known/security.txt").text
    assert {line.split(":")[0] for line in text.splitlines()} == {
        "Contact",
        "Expires",
        "Preferred-Languages",
        "Canonical",
    }


def test_it_is_alive_and_ready(browser: Browser) -> None:
    assert [browser.get(path).status for path in ("/live", "/ready")] == [200, 200]
