"""How a candidate works on a list and puts it in force, for the tests of those pages."""

import re
from typing import Any

from admin.browser import Browser, Page
from tests.makers import Person, World


def in_english(browser: Browser) -> Browser:
    """The same browser, its pages in the language of the sources."""
    browser.submit(browser.get("/verify").form(action="/language"), button="language", value="en")
    return browser


def edit(browser: Browser, values: dict[str, str], act: str = "save", batch: str = "1") -> Page:
    """Open the edit page, type over its fields, press a button."""
    page = browser.get(f"/preferences/{batch}/edit")
    return press(browser, page, values, act)


def press(browser: Browser, page: Page, values: dict[str, str], act: str = "save") -> Page:
    """Type over the fields of the edit page shown, press a button."""
    return browser.submit(page.form(has="version"), values, button="act", value=act)


def rows(
    *codes: str, column: str = "GEN1", majors: str = "01 02", adjust: str = "yes", first: int = 0
) -> dict[str, str]:
    """Rows typed below each other, from row `first` on."""
    typed: dict[str, str] = {}
    for at, code in enumerate(codes, first):
        start = f"{column}-{at}-"
        typed |= {f"{start}code": code, f"{start}majors": majors, f"{start}adjust": adjust}
    return typed


def asked(page: Page) -> list[int]:
    """The numbers of the codes a page asks for."""
    return [int(number) for number in re.findall(r'<span class="code-index">(\d+)</span>', page.text)]


def right(page: Page, person: Person) -> dict[str, str]:
    """What the card says to a page that asks."""
    return dict(zip(("code", "code2"), [person.code(number) for number in asked(page)], strict=False))


def confirm(browser: Browser, page: Page, person: Person, **over: str) -> Page:
    """Answer the page's question with the card, or with something else."""
    return browser.submit(page.form(action="/confirm"), right(page, person) | over)


def file(browser: Browser, person: Person, *codes: str, batch: str = "1", column: str = "GEN1") -> Page:
    """From nothing to the receipt; what stood in the rows before is typed over."""
    page = edit(browser, rows(*codes, column=column), "check", batch)
    return confirm(browser, page, person)


def draft(world: World, column: str = "GEN1") -> list[str]:
    """The codes kept in a column of the one draft there is."""
    return [slot["institution"] for slot in slots(world, column)]


def slots(world: World, column: str = "GEN1") -> list[dict[str, Any]]:
    """The slots kept in a column of the one draft there is."""
    content = world.value("SELECT content FROM drafts")
    found: list[dict[str, Any]] = (content or {"columns": {}})["columns"].get(column, {"slots": []})["slots"]
    return found


def tries(world: World) -> int:
    """Wrong answers booked."""
    return int(world.value("SELECT coalesce(sum(wrong_tries), 0) FROM bindings"))


def count(world: World) -> int:
    """Filings there are."""
    return int(world.value("SELECT count(*) FROM filings"))
