"""A stage for demo and smoke: embedded servers, keys and schema in one directory, and portals under gunicorn."""

import fcntl
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from admin import schema, window_acts
from app.candidates import Sealer
from app.db import Database
from app.entrance import Door
from config import embedded
from config import keys as key_files
from config.keys import KeyRing
from config.settings import Portal, Settings

ROOT: Final = Path(__file__).parents[1]
PATIENCE_S: Final = 45.0
_TAIL: Final = 2_000


class StageError(Exception):
    """The stage cannot be set up or has come down; the message says why and what to do."""


@dataclass(frozen=True)
class Stage:
    """What runs in one directory."""

    directory: Path
    settings: Settings
    keys: KeyRing
    database: Database
    postgres: embedded.Postgres
    redis: embedded.Redis

    @property
    def sealer(self) -> Sealer:
        """Opens and seals identity numbers and phones."""
        return Sealer(self.keys.column_key, self.keys.index_key)

    @property
    def door(self) -> Door:
        """The candidates' door, as the pages use it."""
        settings = self.settings
        return Door(self.database, self.keys, self.sealer, settings.session_seconds, settings.card_codes)

    def schedule(self) -> AbstractContextManager[None]:
        """Windows move as approved while the block lasts, as by `python -m admin schedule run --follow`."""
        return self.beside(lambda stopped: window_acts.follow(self.database, stopped, lambda _: None))

    @contextmanager
    def beside(self, *processes: Callable[[threading.Event], object]) -> Iterator[None]:
        """What goes on until an event is set goes on while the block lasts."""
        stopped = threading.Event()
        running = [threading.Thread(target=one, args=(stopped,)) for one in processes]
        for one in running:
            one.start()
        try:
            yield
        finally:
            stopped.set()
            for one in running:
                one.join()

    @contextmanager
    def portals(self, ports: Mapping[Portal, int], workers: int = 2) -> Iterator[list["Process"]]:
        """Portals on ports of 127.0.0.1, starting when the block begins (`wait_until_ready`), gone when it ends."""
        started: list[Process] = []
        try:
            started += [Process(self, name, port, workers) for name, port in ports.items()]
            yield started
        finally:
            for process in started:
                process.tell_to_stop()
            for process in started:
                process.wait_until_gone()


@contextmanager
def stage(directory: Path, *, durable: bool = True, cool_off_minutes: int = 5) -> Iterator[Stage]:
    """Start the servers in `directory`, make what is missing, and stop them at the end. Raises `EmbeddedError`."""
    with embedded.Postgres(directory, durable=durable) as postgres, embedded.Redis(directory) as redis:
        key_files.make(directory / "keys")
        schema.upgrade(postgres.url)
        settings = Settings(
            database_url=postgres.url,
            redis_url=redis.url,
            keys_directory=directory / "keys",
            cool_off_minutes=cool_off_minutes,
            log_level="WARNING",
        )
        database = Database(postgres.url, pool_size=6)
        try:
            yield Stage(directory, settings, settings.keys(), database, postgres, redis)
        finally:
            database.dispose()


def erase(directory: Path) -> None:
    """Remove everything a stage left in its directory. Raises `StageError` while somebody uses it."""
    for lock in directory.glob("*.lock"):
        with lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StageError(f"{directory} is in use by another process; stop that first") from None
    embedded.Redis(directory).stop()
    embedded.Postgres(directory).stop()
    # run by root below a home nobody else can enter, the cluster lies elsewhere and this is a link to it
    shutil.rmtree((directory / "postgres").resolve(), ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)


def require_free(port: int, option: str) -> None:
    """Raise `StageError` with the remedy when somebody listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StageError(
                f"Port {port} is in use, perhaps by an earlier start. See who it is with `ss -ltnp 'sport = :{port}'`"
                f" and stop it, or choose another port: {option} {port + 10}"
            ) from error


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """gunicorn with one portal."""

    def __init__(self, where: Stage, name: Portal, port: int, workers: int) -> None:
        self.name = name
        self.port = port
        self.log = where.directory / f"{name}.log"
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 -- our own program, with arguments made here
                [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", f"wsgi:{name}()"],
                cwd=ROOT,
                env=_environment(where.settings, port, workers),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C in a terminal reaches us, and we stop it in order
            )

    @property
    def url(self) -> str:
        """Where a browser finds it; browsers take localhost for secure, so the cookies work."""
        return f"http://localhost:{self.port}"

    @property
    def pid(self) -> int:
        """The master's process id; its children are the workers."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it is gone."""
        return self._process.poll() is not None

    def wait_until_ready(self) -> None:
        """Return when it answers and reaches its database; raises `StageError` with the end of its log."""
        deadline = time.monotonic() + PATIENCE_S
        while not self._ready():
            if self.ended or time.monotonic() > deadline:
                raise StageError(f"The {self.name} portal did not start. The end of {self.log}:\n{self.tail()}")
            time.sleep(0.05)

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with closing(connection), suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200
        return False

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-_TAIL:]

    def tell_to_stop(self) -> None:
        """Let it finish what it is doing."""
        with suppress(ProcessLookupError):
            self._process.terminate()

    def wait_until_gone(self) -> None:
        """Return when it is gone; what takes too long is ended."""
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _environment(settings: Settings, port: int, workers: int) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "KEYS_DIRECTORY": str(settings.keys_directory.resolve()),
        "COOL_OFF_MINUTES": str(settings.cool_off_minutes),
        "LOG_LEVEL": settings.log_level,
        "WORKERS": str(workers),
        "THREADS": "4",  # no nginx here: browsers keep idle connections open
        "BIND": f"127.0.0.1:{port}",
    }
