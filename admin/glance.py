"""What a walker reads off a page: the codes asked for, where to type a list, the receipt."""

import re
from collections.abc import Mapping
from typing import Any

from admin.browser import Browser, Form, Page, WalkError


def require(holds: bool, otherwise: str) -> None:  # noqa: FBT001 -- reads like assert
    """Raise `WalkError` with the words `otherwise` unless it holds."""
    if not holds:
        raise WalkError(otherwise)


def right(page: Page) -> Page:
    """The page, if it is one that was answered as wished."""
    require(page.status == 200, f"the answer is {page.status}")
    return page


def asked(page: Page) -> list[int]:
    """The numbers of the codes the page asks for, in the order of its fields."""
    labels = re.findall(r'<label[^>]*\bfor="code[^"]*"[^>]*>(.*?)</label>', page.text, re.DOTALL)
    numbers = [re.search(r"[0-9]+", re.sub(r"<[^>]+>", " ", label)) for label in labels]
    require(bool(numbers) and all(numbers), "the page asks for no code")
    return [int(number[0]) for number in numbers if number]


def typed(form: Form, column: str, content: Mapping[str, Any]) -> dict[str, str]:
    """What to type into the edit form for a list, over whatever stands there."""
    values: dict[str, str] = {}
    for index, slot in enumerate(content["columns"][column]["slots"]):
        start = f"{column}-{index}-"
        require(f"{start}code" in form.names, f"the form has no field {start}code")
        values[f"{start}code"] = slot["institution"]
        if f"{start}majors" in form.names:
            values[f"{start}majors"] = " ".join(slot["majors"])
        else:
            values |= {f"{start}major{number}": major for number, major in enumerate(slot["majors"], start=1)}
        values[f"{start}adjust"] = "yes"
    return values


def addresses(page: Page) -> list[str]:
    """Where its links and pictures lead."""
    return [href for _, href in page.links] + re.findall(r'\bsrc="([^"]+)"', page.text)


def receipt_token(browser: Browser) -> str:
    """The signed text of the receipt: on the page itself, else behind one of its links."""
    page = browser.page
    pattern = r"[A-Za-z0-9_-]{200,}\.[A-Za-z0-9_-]{80,}"
    found = re.search(pattern, page.text)
    for address in addresses(page) if found is None else ():
        if "receipt" in address:
            found = re.search(pattern, browser.get(address).text)
            browser.page = page
        if found is not None:
            break
    if found is None:
        raise WalkError("the receipt is not on its page")
    return found[0]
