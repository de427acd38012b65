"""A person at a browser: goes from page to page, and looks at each as carefully as we can make a machine look.

    walker = Walker("walk", context, portal.url, width=320)
    walker.go("/sign-in", "sign-in")                    # open an address, look at the page
    walker.press("main .btn-primary", "overview")       # press, wait for the answer, look at it

Every look asks: language, one h1, a title of its own, nothing wider than the window, nothing too small to hit, no
text half made, no serious finding of axe (WCAG 2.2 AA); and that nothing went wrong meanwhile: no script error, no
violation of the content security policy, no failed file, no request to anybody but us. With WALK_SHOTS naming a
folder, a picture of every page is left there for people to look at.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response

from tests.browser import violations
from tests.makers import Person

WIDE: Final = 1280
PHONE: Final = 320
LANG: Final = {"zh": "zh-Hans", "en": "en"}
_GRAVE: Final = {"serious", "critical"}
_SHOTS: Final = os.environ.get("WALK_SHOTS")

#: every page of ours says so itself when its policy is broken, before any report is sent
_TELL: Final = """document.addEventListener('securitypolicyviolation', event =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));"""

#: What a page looks like. A link within a sentence may be as small as its letters (SC 2.5.8); of a box to tick, its
#: label is part. Main buttons are for thumbs: on a phone as high as U-08 says.
_SEE: Final = """() => {
  const cut = 'rect(0px, 0px, 0px, 0px)';
  const clipped = e => e !== null && (getComputedStyle(e).clip === cut || clipped(e.parentElement));
  const seen = e => e.getClientRects().length > 0 && getComputedStyle(e).visibility === 'visible'
    && !e.closest('.visually-hidden, .skip-link') && !clipped(e);
  const text = e => (e.textContent || '').trim().replace(/\\s+/g, ' ').slice(0, 60);
  const block = e => { while (getComputedStyle(e).display === 'inline') { e = e.parentElement; } return e; };
  const inSentence = e => getComputedStyle(e).display === 'inline' && e.tagName === 'A'
    && block(e).textContent.trim().length > e.textContent.trim().length;
  const part = e => e.matches('.form-check-input') ? e.closest('.choice') || e : e;
  const width = document.documentElement.clientWidth;
  const small = (e, least) => {
    const box = part(e).getBoundingClientRect();
    return box.height < least - 0.5 || box.width < Math.min(least, 24) - 0.5;
  };
  const targets = [...document.querySelectorAll('a[href], button, input, select, textarea, summary')]
    .filter(e => e.type !== 'hidden' && seen(e) && !inSentence(e));
  const named = e => `${e.tagName} ${e.className || e.id} "${text(e)}" ` +
    `${Math.round(e.getBoundingClientRect().width)}x${Math.round(e.getBoundingClientRect().height)}`;
  const main = document.querySelector('main');
  return {
    lang: document.documentElement.lang,
    title: document.title,
    h1: [...document.querySelectorAll('h1')].map(text),
    width: [document.documentElement.scrollWidth, width],
    wide: [...document.querySelectorAll('body *')].filter(seen)
      .filter(e => e.getBoundingClientRect().right > width + 1 && !e.closest('.table-scroll, .print-header'))
      .map(named),
    small: targets.filter(e => small(e, 24)).map(named),
    narrow: width > 400 ? [] : [...document.querySelectorAll('.btn')].filter(seen)
      .filter(e => small(e, 44)).map(named),
    words: document.body.innerText,
    main: main ? main.innerText : '',
  };
}"""
#: what no reader should ever meet: a placeholder, a tag in the text, a value of Python
_HALF_MADE: Final = re.compile(r"%\(|\{\w*\}|</|&\w+;|\bNone\b(?! of)|\bUndefined\b|Markup\(|\bnull\b|\bNaN\b")
_FOCUS: Final = """() => {
  const e = document.activeElement;
  const style = getComputedStyle(e);
  const box = e.getBoundingClientRect();
  return {
    outline: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
    inWindow: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    name: `${e.tagName} ${e.id} ${e.value || ''} ${(e.textContent || '').trim().slice(0, 40)}`,
  };
}"""


@dataclass
class Walker:
    """One person at one browser; `name` is that of the pictures' folder."""

    name: str
    context: BrowserContext
    base: str
    width: int = WIDE
    language: str = "zh"
    script: bool = True
    page: Page = field(init=False)
    #: everything found wrong, each time with the page
    problems: list[str] = field(default_factory=list)
    noted: set[tuple[str, str]] = field(default_factory=set)
    #: page by its title
    titles: dict[str, str] = field(default_factory=dict)
    pictures: int = 0
    #: pages axe has judged, by portal, name and width: it cares neither for language nor for a second look
    judged: set[tuple[str, str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.context.add_init_script(_TELL)
        self.context.on("request", self._asked)
        self.context.on("response", self._answered)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.problems.append(f"script: {error.error}"))
        self.page = self.context.new_page()

    # --- what goes wrong behind the page ----------------------------------------------------------

    def _asked(self, request: Request) -> None:
        if not request.url.startswith(f"{self.base}/"):
            self.problems.append(f"a request to somebody else: {request.url}")
        if request.url.endswith("/csp-report"):
            self.problems.append(f"a report of a broken policy: {request.post_data}")

    def _answered(self, response: Response) -> None:
        refused = response.status >= (500 if response.request.is_navigation_request() else 400)
        if refused:
            self.problems.append(f"{response.status}: {response.url}")

    def _said(self, message: ConsoleMessage) -> None:
        # a page that refuses, which is what it should do, is told of by the console too; `_answered` knows better
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.problems.append(f"console: {message.text}")

    # --- going ------------------------------------------------------------------------------------

    def go(self, path: str, name: str) -> None:
        """Open an address and look."""
        self.page.goto(f"{self.base}{path}")
        self.look(name)

    def to_english(self) -> None:
        """Choose English, by the button on every page."""
        self.page.goto(f"{self.base}/help")
        with self.page.expect_navigation():
            self.page.locator("button[name=language]").click()
        self.language = "en"

    def press(self, selector: str, name: str) -> None:
        """Press what is there, once, wait for the page that follows, and look."""
        with self.page.expect_navigation():
            self.page.locator(selector).click()
        self.look(name)

    def fill(self, values: Mapping[str, str]) -> None:
        """Type into the fields with these ids."""
        for id, value in values.items():
            self.page.locator(f'[id="{id}"]').fill(value)

    def new_tab(self) -> Page:
        """Open another tab of the same browser and turn to it; returns the tab left behind."""
        left, self.page = self.page, self.context.new_page()
        return left

    # --- looking ----------------------------------------------------------------------------------

    def look(self, name: str, *widths: int) -> None:
        """Look at the page, at other `widths` if they are given.

        `name` tells it apart from all others; "edit:moved" is the page "edit" in another state.
        """
        for width in widths or (self.width,):
            if widths:
                self.page.set_viewport_size({"width": width, "height": 800})
            self.picture(name, width)
            seen = self.page.evaluate(_SEE)
            found = faults_of(seen, self.language)
            found += self._title(name.partition(":")[0], seen["title"])
            # axe is a script itself; what a page says in another state does not depend on the width
            case = (self.base, name if width == WIDE else name.partition(":")[0], width)
            if self.script and case not in self.judged:
                self.judged.add(case)
                found += grave(self.page, colours=width == WIDE)
            self._note(name, width, found)
        if widths:
            self.page.set_viewport_size({"width": self.width, "height": 800})

    def _note(self, name: str, width: int, found: list[str]) -> None:
        """Each fault is told once of each page, however often it is come by."""
        page = name.partition(":")[0]
        new = [each for each in found if (page, each) not in self.noted]
        self.noted.update((page, each) for each in found)
        self.problems += [f"{name} at {width} ({self.path}): {each}" for each in new]

    def _title(self, name: str, title: str) -> list[str]:
        first = self.titles.setdefault(title, name)
        return [] if first == name else [f"the title is that of {first}: {title}"]

    def picture(self, name: str, width: int) -> None:
        if _SHOTS:
            self.pictures += 1
            folder = Path(_SHOTS) / f"{self.name}-{self.language}-{width}{'' if self.script else '-noscript'}"
            folder.mkdir(parents=True, exist_ok=True)
            file = f"{self.pictures:02}-{name.replace(':', '-')}.png"
            self.page.screenshot(path=folder / file, full_page=True)

    @property
    def words(self) -> str:
        """What the page's main part says."""
        return self.page.locator("main").inner_text()

    @property
    def path(self) -> str:
        """Where the browser is."""
        return self.page.url.removeprefix(self.base)

    # --- by keyboard alone ------------------------------------------------------------------------

    def tab_to(self, selector: str, most: int = 150) -> None:
        """Press Tab until the focus is there; wherever it comes by, it can be seen."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            self.see_focus()
            if self.page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
                return
        raise AssertionError(f"the focus never came to {selector} on {self.path}")

    def see_focus(self) -> None:
        """The focus has an outline, and is in the window."""
        found = self.page.evaluate(_FOCUS)
        assert found["outline"] >= 2, found
        assert found["inWindow"], found

    def strike(self, key: str) -> None:
        """Press a key that leads to another page."""
        with self.page.expect_navigation():
            self.page.keyboard.press(key)

    # --- the card ---------------------------------------------------------------------------------

    def codes_asked(self) -> list[int]:
        """The numbers of the codes the page asks for."""
        return [int(number) for number in self.page.locator(".code-index").all_inner_texts()]

    def type_codes(self, person: Person, shift: int = 0) -> None:
        """Type the codes asked, or with `shift` others of the card."""
        numbers = self.codes_asked()
        fields = self.page.locator(".code-field input")
        assert fields.count() == len(numbers)
        for at, number in enumerate(numbers):
            fields.nth(at).fill(person.code((number - 1 + shift) % len(person.codes) + 1))


def faults_of(seen: dict[str, Any], language: str) -> list[str]:
    """What is wrong with a page that can be told by looking."""
    found = []
    if seen["lang"] != LANG[language]:
        found.append(f"language {seen['lang']}")
    if len(seen["h1"]) != 1 or not seen["h1"][0]:
        found.append(f"headings of the first level: {seen['h1']}")
    if seen["width"][0] > seen["width"][1]:
        found.append(f"{seen['width'][0]} wide in a window of {seen['width'][1]}: {seen['wide'][:5]}")
    found += [f"too small to hit: {each}" for each in seen["small"]]
    found += [f"too small for a thumb: {each}" for each in seen["narrow"]]
    found += [f"half made: {each}" for each in _HALF_MADE.findall(seen["words"] + seen["title"])]
    return found


def grave(page: Page, *, colours: bool = True) -> list[str]:
    """What axe finds that keeps people out: serious and critical."""
    return [
        f"{each['id']} ({each['impact']}): {each['help']}; {[node['html'][:200] for node in each['nodes'][:4]]}"
        for each in violations(page, colours=colours)
        if each["impact"] in _GRAVE
    ]


@dataclass(frozen=True)
class Paper:
    """A PDF, as far as its plain parts tell."""

    body: bytes

    @cached_property
    def pages(self) -> int:
        """How many pages it has."""
        return len(re.findall(rb"/Type\s*/Page\b", self.body))

    @cached_property
    def sizes(self) -> set[tuple[int, int]]:
        """Their sizes in points, rounded."""
        boxes = re.findall(rb"/MediaBox\s*\[\s*([\d.]+)\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)", self.body)
        return {(round(float(right) - float(left)), round(float(top) - float(low))) for left, low, right, top in boxes}


def printed(walker: Walker, name: str) -> Paper:
    """The page as the browser prints it; with pictures asked for, the PDF is kept beside them."""
    made = Paper(walker.page.pdf(prefer_css_page_size=True))
    if _SHOTS:
        Path(_SHOTS).mkdir(parents=True, exist_ok=True)
        (Path(_SHOTS) / f"{name}.pdf").write_bytes(made.body)
    return made


@contextmanager
def printed_as(page: Page) -> Iterator[None]:
    """The page as paper shows it."""
    page.emulate_media(media="print")
    try:
        yield
    finally:
        page.emulate_media(media="null")
