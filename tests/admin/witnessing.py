"""A witness that answers on a real port, with a directory of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from wsgiref.simple_server import make_server

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from admin import witness
from admin.cosigning import Asked, round_of
from admin.witness import Handler, Server, Witness, application
from app.db import Database
from config.keys import SealKeys
from tests.makers import World


@dataclass
class Office:
    """A prefecture with a witness; started, killed and started again."""

    directory: Path
    origin_keys: dict[str, bytes]
    name: str
    key: str = ""
    port: int = 0
    witness: Witness | None = None
    _server: Server | None = field(default=None, repr=False)

    def init(self) -> "Office":
        self.key = witness.init(self.directory, self.name)
        return self

    def start(self) -> "Office":
        self.witness = Witness(self.directory, self.origin_keys)
        server = make_server("127.0.0.1", self.port, application(self.witness), Server, Handler)
        assert isinstance(server, Server)
        self._server, self.port = server, server.server_port
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server and self.witness:
            self._server.shutdown()
            self._server.server_close()
            self.witness.close()
            self._server = None

    def ask(self, method: str, path: str, body: str = "") -> tuple[int, str]:
        line = HTTPConnection("127.0.0.1", self.port, timeout=10)
        line.request(method, path, body.encode())
        answer = line.getresponse()
        words = answer.read().decode()
        line.close()
        return answer.status, words

    def add(self, old: int, note: str, *proof: str) -> tuple[int, str]:
        """Offer a checkpoint."""
        return self.ask("POST", "/add-checkpoint", "".join(f"{line}\n" for line in (f"old {old}", *proof, "")) + note)

    @property
    def setting(self) -> str:
        """What WITNESSES names it by."""
        return f"{self.key}@http://127.0.0.1:{self.port}"

    @property
    def asked(self) -> Asked:
        return Asked.read(self.setting)

    @property
    def evidence(self) -> list[Path]:
        return sorted((self.directory / "evidence").glob("*.json"))


@contextmanager
def office(
    directory: Path, keys: dict[int, Ed25519PrivateKey], name: str = "changsha.example/witness"
) -> Iterator[Office]:
    """A witness that trusts these keys of a sealer, and answers."""
    trusted = {f"zhiyuan-seal-{version}": key.public_key().public_bytes_raw() for version, key in keys.items()}
    one = Office(directory, trusted, name).init().start()
    try:
        yield one
    finally:
        one.stop()


def seal_keys(world: World) -> SealKeys:
    assert world.keys.receipt_key
    return SealKeys.load(world.keys_directory)


def cosign(database: Database, one: Office) -> None:
    """One round of the sealer with this witness."""
    round_of(database, one.asked)
