"""/live and /ready: each part by name, for our own networks only; every part that is gone is seen."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from admin.pages import OFFICES
from app import create_app
from app.pages import CANDIDATES
from app.web.portal import Portal
from config import embedded
from config.settings import Settings
from tests.fixtures import over_wsgi
from tests.makers import World

Asked = Callable[..., tuple[int, str]]


@pytest.fixture(params=[CANDIDATES, OFFICES], ids=lambda portal: portal.name)
def app(request: pytest.FixtureRequest, portal_app: Callable[[Portal], Flask]) -> Flask:
    return portal_app(request.param)


def ask(app: Flask, path: str = "/ready", **headers: str) -> tuple[int, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    status, _, body = over_wsgi(app)("GET", path, named, None)
    return status, body.decode()


def test_all_is_well(app: Flask, world: World) -> None:
    before = world.value("SELECT sum(extract(epoch FROM at)) FROM probes")
    status, text = ask(app)
    assert status == 200
    assert text.replace("sealer: ok\n", "") == "database: ok\nclock: ok\nsigner: ok\n"
    assert ("sealer: ok" in text) is (app.extensions["zhiyuan"].portal.name == "candidates")
    assert world.value("SELECT sum(extract(epoch FROM at)) FROM probes") > before
    assert ask(app, "/live") == (200, "live\n")


def test_a_clock_in_doubt(app: Flask, world: World) -> None:
    world.do("UPDATE clock_marks SET seen_at = clock_timestamp() + interval '1 minute'")
    status, text = ask(app)
    assert (status, text.splitlines()[1]) == (503, "clock: in doubt, filing is suspended")


def test_a_database_that_only_reads(app: Flask, world: World) -> None:
    name = world.value("SELECT current_database()")
    world.do(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    app.extensions["zhiyuan"].database.dispose()
    status, text = ask(app)
    assert status == 503
    assert text.startswith("database: ")
    assert "database: ok" not in text
    assert "signer: ok" in text


def test_a_signer_whose_key_is_gone_or_another(app: Flask, world: World) -> None:
    key = world.settings.keys_directory / "receipt_key.1"
    kept = key.read_bytes()
    key.rename(key.with_name("receipt_key.2"))
    assert "signer: signs with key 1, the newest is 2: reload the service" in ask(app)[1]
    key.with_name("receipt_key.2").unlink()
    status, text = ask(app)
    assert (status, "signer: receipt_key.1 is missing" in text) == (503, True)
    key.write_bytes(kept)
    assert ask(app)[0] == 200


def test_a_database_that_is_gone(server_directory: Path, world: World) -> None:
    with embedded.Postgres(server_directory, durable=False) as server:
        url = server.url
    settings = Settings(database_url=url, redis_url=world.redis_url, keys_directory=world.settings.keys_directory)
    status, text = ask(create_app(settings, CANDIDATES))
    assert (status, text.splitlines()[1:]) == (503, ["signer: ok"])
    assert text.startswith("database: the database did not answer")


def test_outside_there_is_no_such_page(world: World) -> None:
    behind = world.settings.model_copy(update={"behind_proxy": True, "internal_networks": ("10.1.0.0/16",)})
    for portal, paths in ((CANDIDATES, ("/live", "/ready")), (OFFICES, ("/live", "/ready", "/metrics"))):
        app = create_app(behind, portal)
        for path in paths:
            assert ask(app, path)[0] == 200, path  # at the socket, past the proxy
            assert ask(app, path, X_Real_IP="10.1.2.3")[0] == 200, path
            for outside in ("203.0.113.7", "127.0.0.1", "2001:db8::1", "10.1.2.3, 203.0.113.7"):
                assert ask(app, path, X_Real_IP=outside)[0] == 404, (path, outside)
        app.extensions["zhiyuan"].database.dispose()
