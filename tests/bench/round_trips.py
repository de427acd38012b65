"""Round trips to PostgreSQL, counted on the wire in a process that has been running for a while."""

from pathlib import Path
from urllib.parse import quote, urlencode

from flask import Flask
from sqlalchemy.engine import make_url

from tests.bench.figures import Figure, note
from tests.bench.stage import CONFIRM, PAGES, Stage, province
from tests.bench.wire import Wire
from tests.fixtures import SITE, over_wsgi
from tests.makers import Member

#: the driver prepares a statement, at the cost of a round trip, when it has seen it five times
WARM_UP = 8
COUNTED = 3


def round_trips() -> list[Figure]:
    """The most that one confirmation takes, and the most that one page takes."""
    with province() as stage:
        wire = _wire(stage)
        app = stage.build(str(make_url(stage.world.url).set(query={"host": str(stage.directory / "wire")})))
        confirming = _confirming(stage, app, wire)
        pages = _pages(stage, app, wire)
        wire.close()
    return [
        Figure("confirm_round_trips", confirming, 8, less=True),
        Figure("page_round_trips", pages, 3, less=True),
    ]


def _wire(stage: Stage) -> Wire:
    (server,) = make_url(stage.world.url).normalized_query["host"]
    return Wire(Path(server), stage.directory / "wire")


def _confirming(stage: Stage, app: Flask, wire: Wire) -> int:
    crowd = stage.crowd(WARM_UP + COUNTED)
    counts = []
    for member, asked in zip(crowd, stage.drafted(crowd), strict=True):
        body = urlencode(stage.confirmation(member, asked))
        counts.append(_turns(stage, app, wire, "POST", CONFIRM, member, body))
    return max(counts[WARM_UP:])


def _pages(stage: Stage, app: Flask, wire: Wire) -> int:
    (member,) = crowd = stage.crowd(1)
    stage.filed(crowd)
    found = {"start": [_turns(stage, app, wire, "GET", "/", None) for _ in range(WARM_UP + COUNTED)]}
    for name, path in PAGES.items():
        found[name] = [_turns(stage, app, wire, "GET", path, member) for _ in range(WARM_UP + COUNTED)]
    counts = {name: max(turns[WARM_UP:]) for name, turns in found.items()}
    note("round trips: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    return max(counts.values())


def _turns(stage: Stage, app: Flask, wire: Wire, method: str, path: str, member: Member | None, body: str = "") -> int:
    """Round trips of one request; raises `RuntimeError` unless it went well."""
    cookies = stage.cookies(member) if member else stage.form_cookie
    headers = {
        "Cookie": "; ".join(f"{name}={quote(value)}" for name, value in cookies.items()),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    before = wire.turns
    wire.asked.clear()
    status, _, page = over_wsgi(app)(method, SITE + path, headers, body.encode() or None)
    if status != (303 if method == "POST" else 200):
        raise RuntimeError(f"{method} {path}: {status}\n{page.decode()[:2000]}")
    return wire.turns - before
