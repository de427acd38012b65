"""Figures as Prometheus reads them: from the watch's last pass, and what is true now."""

import re
from pathlib import Path

from flask import Flask

from tests.admin.watch.acts import look, noted
from tests.filing import file
from tests.fixtures import over_wsgi
from tests.makers import World

HEAD = (Path(__file__).parents[3] / "migrations" / "HEAD").read_text(encoding="utf-8").strip()


def test_what_the_watch_has_counted(world: World, offices_app: Flask) -> None:
    world.batch("1")
    person = world.candidate()
    session_id = world.activate(person)
    world.candidate()
    file(world, person, session_id, "1", "4301")
    file(world, person, session_id, "1", "4302")
    noted(world, "code.wrong", person.id, times=3)
    look(world)
    look(world)
    world.do("UPDATE clock_marks SET seen_at = clock_timestamp() + interval '1 minute'")

    status, headers, body = over_wsgi(offices_app)("GET", "/metrics", {}, None)
    text = body.decode()
    assert (status, dict(headers)["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    for line in (
        f'zhiyuan_build{{schema="{HEAD}"}} 1',
        "zhiyuan_clock_in_doubt 1",
        'zhiyuan_filings{batch="1"} 2',
        'zhiyuan_candidates{state="filed"} 1',
        'zhiyuan_candidates{state="never_signed_in"} 1',
        "zhiyuan_notices_waiting 3",
        "zhiyuan_wrong_codes_day 3",
        "zhiyuan_sessions 1",
        'zhiyuan_alerts{kind="not_activated"} 1',
    ):
        assert line in text.splitlines()
    assert "NULL" not in text
    assert len(re.findall(r"^# TYPE zhiyuan_filings gauge$", text, re.MULTILINE)) == 1
    assert re.search(r'^zhiyuan_watch_seconds\{rule="fan_out"\} [0-9.e-]+$', text, re.MULTILINE)
    for line in text.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) .*|zhiyuan_[a-z_]+(\{[a-z]+=\"[^\"]*\"\})? [0-9.e+-]+", line), line
