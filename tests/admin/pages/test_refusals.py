"""What an officer must not have is refused and kept with who asked for it; the answer never waits for that."""

import logging
from collections.abc import Callable
from datetime import timedelta

import pytest

from admin import refusals
from admin.browser import Browser
from admin.pages import OFFICES
from app import create_app
from tests.admin.watch.acts import look, noted
from tests.fixtures import SITE, over_wsgi
from tests.makers import World


def kept(world: World) -> list[dict[str, str]]:
    """What was kept in the last hour, in its order."""
    return world.rows(
        "SELECT detail ->> 'endpoint' AS page, detail -> 'asked' ->> 'candidate' AS candidate, ip, request_id"
        " FROM audit WHERE act = 'officer.refused' AND at > clock_timestamp() - interval '1 hour' ORDER BY id"
    )


def test_the_auditor_finds_who_asked_for_what_whence(
    world: World, officer_browser: Callable[..., Browser], caplog: pytest.LogCaptureFixture
) -> None:
    foreign = world.candidate(point=world.new_point("天心中学", world.new_county("430103", "天心区")))
    clerk = officer_browser(world.county, login="wangfang", name="王芳")
    with caplog.at_level(logging.INFO, "zhiyuan.refusals"):
        assert clerk.get(f"/chase/person/{foreign.id}").status == 404
        assert clerk.get("/accounts").status == 403
    lines = [vars(record) for record in caplog.records]
    path = world.value("SELECT path FROM offices WHERE id = :id", id=world.county)
    assert [(line["status"], line["cause"]) for line in lines] == [
        (404, f"candidate {foreign.id} is not within {path}"),
        (403, "operator may not see_accounts"),
    ]
    assert [one["request_id"] for one in kept(world)] == [line["request_id"] for line in lines]

    auditor = officer_browser(world.prefecture, "auditor")
    page = auditor.submit(auditor.get("/audit").form(has="since"), {"act": "officer.refused"})
    words = "Request of an officer refused 王芳 (wangfang), 芙蓉区"
    asked = f"Asked for Candidate, internal no. {foreign.id} Status of the answer 404 Page chase.person"
    assert f"{words} {asked}" in page.words
    assert f"{words} Status of the answer 403 Page accounts.overview" in page.words


def test_whoever_tries_number_after_number_does_not_bury_the_audit(
    world: World, officer_browser: Callable[..., Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "MOST_AN_HOUR", 3)
    clerk, colleague = officer_browser(world.county), officer_browser(world.county)
    who = world.value("SELECT min(id) FROM officers")
    noted(world, "officer.refused", None, officer=who, ago=timedelta(minutes=61), times=3)
    assert {clerk.get(f"/chase/person/{number}").status for number in range(9_001, 9_007)} == {404}
    assert [one["candidate"] for one in kept(world)] == ["9001", "9002", "9003"]
    assert [one.kind for one in look(world, refusals=2).fresh] == ["refusals"]
    assert colleague.get("/chase/person/9009").status == 404
    assert [one["candidate"] for one in kept(world)] == ["9001", "9002", "9003", "9009"]


def test_a_mistyped_address_and_a_stranger_leave_nothing(
    world: World, officer_browser: Callable[..., Browser], stranger: Browser
) -> None:
    clerk = officer_browser(world.county)
    assert [clerk.get(path).status for path in ("/chase/persons/1", "/chase/person/x", "/alerts?page=0")] == [404] * 3
    assert clerk.send("POST", "/sign-out", []).status == 400
    stranger.get("/chase/person/1")
    assert kept(world) == []


def test_an_answer_does_not_depend_on_whether_it_can_be_kept(
    world: World, officer_browser: Callable[..., Browser], caplog: pytest.LogCaptureFixture
) -> None:
    clerk = officer_browser(world.county)
    world.do("REVOKE INSERT ON audit FROM zhiyuan_offices")
    page = clerk.get("/chase/person/9001")
    assert (page.status, page.heading) == (404, "This page does not exist")
    assert "a refusal was not kept" in caplog.messages


def test_a_refusal_is_answered_while_the_database_is_away(world: World) -> None:
    away = world.settings.model_copy(update={"database_url": "postgresql+psycopg://nobody@127.0.0.1:1/none"})
    app = create_app(away, OFFICES)
    headers = {"Cookie": "__Host-oid=x", "Sec-Fetch-Site": "cross-site"}
    status, _, body = over_wsgi(app)("POST", f"{SITE}/sign-out", headers, b"")
    app.extensions["zhiyuan"].database.dispose()
    assert status == 403
    assert "<h1>不能进行此操作</h1>" in body.decode()
