"""What comes over the line until a page is there: gzip -9 of the page and of all it loads that is not kept yet."""

import gzip
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import quote, urljoin

from flask import Flask

from tests.bench.figures import Figure, note
from tests.bench.stage import PAGES, province
from tests.fixtures import SITE, over_wsgi

KB = 1000


def sizes() -> list[Figure]:
    """A first visit's start page, and the biggest of the pages after it, in the order they are come to."""
    with province() as stage:
        (member,) = crowd = stage.crowd(1)
        stage.filed(crowd)
        stranger = _Browser(stage.app, {})
        first, requests = stranger.load("/")
        later = {path: stranger.load(path)[0] for path in ("/sign-in", "/activate", "/help", "/privacy")}
        own = _Browser(stage.app, stage.cookies(member), stranger.kept)
        later |= {name: own.load(path)[0] for name, path in PAGES.items()}
    note("KB: " + ", ".join(f"{name} {size / KB:.1f}" for name, size in later.items()))
    return [
        Figure("first_page_kb", first / KB, 60.0, less=True),
        Figure("first_page_requests", requests, 6, less=True),
        Figure("later_page_kb", max(later.values()) / KB, 20.0, less=True),
    ]


@dataclass
class _Browser:
    """Loads pages with all they name, and keeps what may be kept."""

    app: Flask
    cookies: dict[str, str]
    kept: set[str] = field(default_factory=set)

    def load(self, path: str) -> tuple[int, int]:
        """Bytes and requests of one page."""
        page = self._get(path)
        references = _References()
        references.feed(page.decode())
        wanted = {urljoin(path, reference) for reference in references.found} - self.kept
        self.kept |= wanted
        return sum(_packed(each) for each in (page, *map(self._get, wanted))), 1 + len(wanted)

    def _get(self, path: str) -> bytes:
        cookie = "; ".join(f"{name}={quote(value)}" for name, value in self.cookies.items())
        status, _, body = over_wsgi(self.app)("GET", SITE + path, {"Cookie": cookie}, None)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status}")
        return body


class _References(HTMLParser):
    """What a browser loads along with a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "link" and (values.get("rel") or "") in {"stylesheet", "icon", "preload"}:
            self.found.append(values.get("href") or "")
        elif tag in {"script", "img", "iframe", "source"} and values.get("src"):
            self.found.append(values["src"] or "")


def _packed(data: bytes) -> int:
    return len(gzip.compress(data, 9))
