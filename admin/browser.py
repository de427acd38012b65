"""A browser without script: follows redirects, keeps cookies, fills in the forms it is shown.

`make smoke` walks the service with it over HTTP, and the tests over WSGI; both see what a candidate without
JavaScript sees. It treats localhost as secure, as real browsers do.
"""

import http.client
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

Fields = list[tuple[str, str]]
Answer = tuple[int, list[tuple[str, str]], bytes]
Transport = Callable[[str, str, Mapping[str, str], bytes | None], Answer]

MOST_REDIRECTS: Final = 5


class WalkError(Exception):
    """The page does not offer what the walk wants to do; the message names page and wish."""


@dataclass
class Form:
    """A form of a page, as it stands."""

    action: str
    method: str
    id: str
    fields: Fields = field(default_factory=list)
    #: submit buttons: name, value, label
    buttons: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def names(self) -> set[str]:
        """The names of its fields."""
        return {name for name, _ in self.fields}


@dataclass
class Page:
    """What came back."""

    url: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    forms: list[Form]
    links: list[tuple[str, str]]
    title: str
    heading: str

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def words(self) -> str:
        """What a reader sees, without markup, blanks folded."""
        bare = re.sub(r"<(script|style|template)\b.*?</\1>", " ", self.text, flags=re.DOTALL)
        return " ".join(re.sub(r"<[^>]+>", " ", bare).split())

    def header(self, name: str) -> str:
        """One header, or ''."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def form(self, *, action: str = "", has: str = "") -> Form:
        """The first form whose action contains `action` and which has a field or button named `has`."""
        for form in self.forms:
            named = form.names | {name for name, _, _ in form.buttons}
            if action in form.action and (not has or has in named):
                return form
        raise WalkError(f"{self.url} ({self.status}): no form with action {action!r} and field {has!r}")


class Browser:
    """One browser with its own cookies."""

    def __init__(self, transport: Transport, base: str = "http://localhost") -> None:
        """`base` is scheme and host of the site."""
        self._transport = transport
        self.base = base
        self.cookies: dict[str, str] = {}
        self.page = Page(base, 0, [], b"", [], [], "", "")

    def get(self, url: str) -> Page:
        """Open an address."""
        return self._go("GET", urljoin(self.page.url or self.base, url), None)

    def click(self, text: str) -> Page:
        """Follow the first link whose text contains `text`."""
        for label, href in self.page.links:
            if text in label:
                return self.get(href)
        raise WalkError(f"{self.page.url}: no link {text!r}")

    def submit(self, form: Form, values: Mapping[str, str] | None = None, *, button: str = "", value: str = "") -> Page:
        """Send a form as it stands, with `values` typed over it, by the button of that name (or value)."""
        filled = [(name, (values or {}).get(name, old)) for name, old in form.fields]
        filled += [(name, new) for name, new in (values or {}).items() if name not in form.names]
        pressed = [one for one in form.buttons if one[0] and (not button or one[0] == button)]
        pressed = [one for one in pressed if not value or one[1] == value]
        if pressed and (button or value):
            filled.append(pressed[0][:2])
        elif button:
            filled.append((button, value))
        return self.send(form.method, urljoin(self.page.url, form.action), filled)

    def send(self, method: str, url: str, fields: Fields) -> Page:
        """Send fields to an address."""
        if method.upper() == "GET":
            return self._go("GET", f"{url.split('?', maxsplit=1)[0]}?{urlencode(fields)}", None)
        return self._go("POST", urljoin(self.base, url), urlencode(fields).encode())

    def _go(self, method: str, url: str, body: bytes | None) -> Page:
        for _ in range(MOST_REDIRECTS):
            status, headers, content = self._transport(method, url, self._headers(body), body)
            self._keep_cookies(headers)
            location = next((value for key, value in headers if key.lower() == "location"), None)
            if status in {301, 302, 303, 307, 308} and location:
                url = urljoin(url, location)
                if status not in {307, 308}:
                    method, body = "GET", None
                continue
            self.page = _read(url, status, headers, content)
            return self.page
        raise WalkError(f"{url}: redirected too often")

    def _headers(self, body: bytes | None) -> dict[str, str]:
        headers = {"Accept": "text/html", "User-Agent": "zhiyuan-walk"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers["Origin"] = self.base
        return headers

    def _keep_cookies(self, headers: Iterable[tuple[str, str]]) -> None:
        for key, value in headers:
            if key.lower() != "set-cookie":
                continue
            for name, morsel in SimpleCookie(value).items():
                if morsel["max-age"] == "0" or morsel["expires"].startswith("Thu, 01 Jan 1970"):
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value


def over_http(timeout: float = 20) -> Transport:
    """Transport to a real server."""

    def send(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
        try:
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, path or "/", body=body, headers=dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    return send


class _Reader(HTMLParser):
    """Collects forms, links, title and heading."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self.by_id: dict[str, Form] = {}
        self._open: Form | None = None
        self._select: str | None = None
        self._chosen: str | None = None
        self._first: str | None = None
        self._text: list[str] | None = None
        self._pending: tuple[str, ...] = ()
        self.title = ""
        self.heading = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(values.get("action", ""), values.get("method", "get"), values.get("id", ""))
            self.forms.append(self._open)
        elif tag == "input":
            self._input(values)
        elif tag == "select" and "disabled" not in values:
            self._select, self._chosen, self._first = values.get("name"), None, None
        elif tag == "option" and self._select is not None:
            if self._first is None:
                self._first = values.get("value", "")
            if "selected" in values:
                self._chosen = values.get("value", "")
        elif tag in {"button", "a", "title", "h1", "textarea"}:
            self._text = []
            form = values.get("form", "")
            self._pending = (
                tag,
                values.get("name", ""),
                values.get("value", ""),
                values.get("href", ""),
                form,
            )

    def _input(self, values: dict[str, str]) -> None:
        form = self._form(values.get("form", ""))
        name, kind = values.get("name", ""), values.get("type", "text")
        if form is None or not name or "disabled" in values:
            return
        if kind == "submit":
            form.buttons.append((name, values.get("value", ""), values.get("value", "")))
        elif kind not in {"checkbox", "radio"} or "checked" in values:
            form.fields.append((name, values.get("value", "on" if kind == "checkbox" else "")))

    def _form(self, named: str) -> Form | None:
        if named:
            return next((form for form in self.forms if form.id == named), None)
        return self._open

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            if self._open is not None and self._select:
                self._open.fields.append(
                    (self._select, (self._chosen if self._chosen is not None else self._first) or "")
                )
            self._select = None
        elif self._text is not None and self._pending and tag == self._pending[0]:
            raw = "".join(self._text)
            # in a textarea lines are lines; the break after its tag is not part of it
            self._finish(raw.removeprefix("\r").removeprefix("\n") if tag == "textarea" else " ".join(raw.split()))

    def _finish(self, words: str) -> None:
        tag, name, value, href, named = self._pending
        form = self._form(named)
        if tag == "button" and form is not None:
            form.buttons.append((name, value, words))
        elif tag == "textarea" and form is not None and name:
            form.fields.append((name, words))
        elif tag == "a" and href:
            self.links.append((words, href))
        elif tag == "title":
            self.title = words
        elif tag == "h1":
            self.heading = words
        self._text, self._pending = None, ()


def _read(url: str, status: int, headers: list[tuple[str, str]], body: bytes) -> Page:
    reader = _Reader()
    kind = next((value for key, value in headers if key.lower() == "content-type"), "")
    if kind.startswith("text/html"):
        reader.feed(body.decode("utf-8", "replace"))
    return Page(url, status, headers, body, reader.forms, reader.links, reader.title, reader.heading)
