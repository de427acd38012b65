"""The close page: counts and root of a closed batch, for every level, never a name."""

from collections.abc import Callable

import pytest

from admin.browser import Browser
from tests.admin.keepers import Keepers
from tests.admin.reopening import reopen
from tests.admin.sealing import seal
from tests.filing import file
from tests.makers import World


@pytest.fixture
def closed(world: World) -> World:
    """Two of three have filed; the batch is closed."""
    world.batch("1")
    for choices in (("4301",), ()):
        person = world.candidate(name="李娜")
        file(world, person, world.activate(person), "1", *choices)
    world.candidate()
    world._count_again()
    return world


def test_an_open_batch_has_no_close(officer_browser: Callable[..., Browser], closed: World) -> None:
    page = officer_browser(closed.county).get("/close")
    assert page.heading == "Close: 芙蓉区"
    assert "No batch has closed yet" in page.words


def test_counts_and_root_for_each_level(officer_browser: Callable[..., Browser], closed: World) -> None:
    made = seal(closed)
    words = ""
    for office, name in ((closed.province, "湖南省"), (closed.county, "芙蓉区"), (closed.point, "长沙市第一中学")):
        page = officer_browser(office, "auditor").get("/close")
        assert page.heading == f"Close: {name}"
        assert "Eligible" in page.words
        assert made.root.hex() in page.text
        assert "李娜" not in page.text
        words = page.words
    assert " 3 1 0 0 0 1 1 0" in words


def reported(browser: Browser) -> str:
    """The table of the close page in words."""
    return browser.get("/close").words.partition("When it was sealed")[2].partition("Prepared by")[0]


def test_what_was_sealed_is_reported_ever_after(officer_browser: Callable[..., Browser], closed: World) -> None:
    seal(closed)
    sealed = {office: reported(officer_browser(office)) for office in (closed.province, closed.county, closed.point)}
    for _ in range(2):  # what becomes of people later does not change what was signed off
        closed.activate(closed.candidate())
    closed._count_again()
    for office, before in sealed.items():
        assert before == reported(officer_browser(office))
    assert " 3 1 0 0 0 1 1 0 " in sealed[closed.point]


def test_a_batch_that_waits_for_its_seal_says_so(
    officer_browser: Callable[..., Browser], closed: World, keepers: Keepers
) -> None:
    late = closed.candidate()
    session_id = closed.activate(late)
    closed.move_end(1, 0)
    page = officer_browser(closed.point).get(f"/close/{closed.point}?batch=1")
    assert "This batch is not sealed yet." in page.words
    assert "please tell the province" in page.words
    assert "As it is now" in page.words
    assert "after the close, by leave" not in page.words
    reopen(keepers, late)
    file(closed, late, session_id, "1", "4301")
    page = officer_browser(closed.province).get("/close")
    assert "look under Alerts" in page.words
    assert "1 filing was made after the close, by leave" in page.words
    assert officer_browser(closed.point).get(f"/close/{closed.point}?batch=9").status == 404


def test_both_portals_publish_the_roots(stranger: Browser, closed: World) -> None:
    assert seal(closed).root.hex() in stranger.get("/roots").text
