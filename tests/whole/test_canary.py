"""A used and an unused code, a password and a session id appear in no log, no URL, no dump of the database."""

from pathlib import Path

import redis

from admin.browser import Browser, over_http
from admin.stage import free_port, stage
from app import drafts, preferences
from tests.makers import PASSWORD, World, content


def test_no_secret_is_written_anywhere_it_could_be_read(server_directory: Path) -> None:
    asked: list[str] = []
    send = over_http()

    def noted(method: str, url: str, headers: object, body: bytes | None) -> object:
        asked.append(url)
        return send(method, url, headers, body)  # type: ignore[arg-type]

    with stage(server_directory, durable=False) as here:
        world = World(here.settings.database_url, here.settings.redis_url, here.directory / "keys")
        batch_id = world.batch("1")
        person = world.candidate()
        world.activate(person)
        with here.portals({"candidates": free_port()}) as (portal,):
            portal.wait_until_ready()
            browser = Browser(noted, portal.url)  # type: ignore[arg-type]
            _sign_in(browser, person.candidate_no, "a wrong password 1")
            _sign_in(browser, person.candidate_no, PASSWORD)
            session_id = browser.cookies["__Host-sid"]
            visitor = world.visitor(session_id, None)
            with world.database.transaction() as session:
                version = drafts.save(session, person.id, batch_id, content("4301"), 0)
            with world.database.transaction() as session:
                asked_for = preferences.ask(session, visitor, "1", "list", version).asked[0]
            wrong = person.code(asked_for % 40 + 1)
            used = person.code(asked_for)
            for code in (wrong, used):
                page = browser.get("/preferences/1/check")
                browser.submit(page.form(action="/confirm"), {"code": code})
            assert "/filings/1/1" in browser.page.url
            browser.get("/account")
            browser.get("/no-such-page?code=1")
            token = browser.get("/account/password").form(has="password").fields
            for refused in ([("code", used)], [*token, ("code", used), ("code", wrong)]):
                assert browser.send("POST", "/preferences/1/confirm", refused).status == 400
            assert browser.send("POST", "/account/password", [*token, ("password", PASSWORD)] * 2).status == 400

        secrets = [
            used,
            wrong,
            PASSWORD,
            "a wrong password 1",
            session_id,
            browser.cookies["__Host-device"],
            person.id_no,
        ]
        places = {
            "the portal's log": portal.log.read_text(errors="replace"),
            "an address": "\n".join(asked),
            "the database": _dump(world),
            "Redis": _redis(here.settings.redis_url),
            "PostgreSQL's log": "".join(
                path.read_text(errors="replace") for path in here.directory.rglob("*.log") if path.is_file()
            ),
        }
        world.database.dispose()

    found = [(place, secrets.index(one)) for place, said in places.items() for one in secrets if one in said]
    assert found == []
    assert len(places["the database"]) > 1000


def _sign_in(browser: Browser, candidate_no: str, password: str) -> None:
    page = browser.get(f"{browser.base}/sign-in")
    form = page.form(has="password")
    browser.submit(form, {"number": candidate_no, "password": password})


def _dump(world: World) -> str:
    tables = world.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    said = []
    for table in tables:
        rows = world.rows(f'SELECT t::text AS row FROM "{table["tablename"]}" t')  # noqa: S608 -- a table's name
        said += [row["row"] for row in rows]
    return "\n".join(said)


def _redis(url: str) -> str:
    with redis.Redis.from_url(url) as client:
        return repr([(key, client.dump(key)) for key in client.scan_iter()])
