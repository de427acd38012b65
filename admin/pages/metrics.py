"""Figures for Prometheus, for our own networks only; for everybody else there is no such page."""

from collections.abc import Iterator
from typing import Final

from flask import Blueprint, Response

from admin import schema
from admin.watch import gauges
from app import clocks
from app.web.portal import reading, require_internal

pages = Blueprint("metrics", __name__)
#: the newest migration this code knows: what tells one build from another to whoever watches
_SCHEMA: Final = schema.newest()
_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@pages.get("/metrics")
def show() -> Response:
    """What the watch has counted, the clock, and which build this is."""
    require_internal()
    with reading() as connection:
        figures = list(gauges.read(connection))
        in_doubt = clocks.in_doubt(connection)
    return Response(gauges.exposition([*_own(in_doubt=in_doubt), *figures]), content_type=_TYPE)


def _own(*, in_doubt: bool) -> Iterator[tuple[str, str, float]]:
    yield "zhiyuan_build", _SCHEMA, 1.0
    yield "zhiyuan_clock_in_doubt", "", float(in_doubt)
