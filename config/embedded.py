"""The servers of the embedded set-up: a real PostgreSQL and a real Redis, out of Python wheels.

For `make demo` and the tests, so that neither needs a server installed beforehand. A deployment sets
DATABASE_URL and REDIS_URL instead and never comes here.

Both servers listen on a unix socket only, which nobody but their owner can reach. PostgreSQL refuses to run
as root: started by root it runs as `nobody`, and where `nobody` cannot reach the directory or the wheel (a
checkout under /root, say) its files go to /var/lib/zhiyuan. Servers outlive a starter that was killed; the
next start on the same directory takes them over.

By hand: `python -m config.embedded start DIRECTORY` prints the two URLs, `... stop DIRECTORY` ends both.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self
from urllib.parse import quote

import psycopg

from config import binaries
from config.binaries import EmbeddedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DATABASE = "zhiyuan"
SUPERUSER = "postgres"
PATIENCE = 60.0  # seconds for a start or a stop: recovery after a crash on a slow disk takes a while
SOCKET_PATH_LIMIT = 107  # sun_path holds 108 bytes with its closing zero
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
}
# What a crash of the whole machine would lose; a killed process still loses nothing.
HASTY = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class _Server(ABC):
    """One server in one directory, a context manager too. `start` and `stop` may be called repeatedly."""

    name: str
    socket_name: str  # the longest name in the directory of its socket

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    @property
    def home(self) -> Path:
        """The server's own directory: its data, its log and (where the path is short enough) its socket."""
        return (self.directory / self.name).resolve()

    @property
    def socket_home(self) -> Path:
        """The directory of the server's socket."""
        return _short(self.home, self.socket_name)

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients connect; the same after every start on the same directory."""

    @property
    @abstractmethod
    def pid(self) -> int | None:
        """The running server's process, None when it is not running."""

    @abstractmethod
    def _prepare(self) -> None: ...

    @abstractmethod
    def _run(self) -> None: ...

    @abstractmethod
    def _finish(self) -> None: ...

    def start(self) -> str:
        """Starts the server unless it already runs; returns the URL once it answers. Raises EmbeddedError."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._take()
        try:
            self._prepare()
            if self.pid is None:
                self._reap()
                self._run()
            self._finish()
        except BaseException:
            if self._process is not None:
                self._process.kill()
            self._reap()
            self._release()
            raise
        return self.url

    def stop(self) -> None:
        """Stops the server in good order, whoever started it; nothing happens when it is not running."""
        self._end(signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
        if self.socket_home != self.home:
            with suppress(OSError):
                self.socket_home.rmdir()
        self._release()

    def kill(self) -> None:
        """Ends the server as a crash would (kill -9) and returns when it is gone; `start` recovers it."""
        self._end(signal.SIGKILL)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _end(self, *signals: signal.Signals) -> None:
        for number in signals:
            pid = self.pid
            if pid is None:
                break
            os.kill(pid, number)
            os.kill(pid, signal.SIGCONT)  # a test may have frozen it
            _wait(lambda: self.pid is None)
        self._reap()

    def _reap(self) -> None:
        """Until its parent asks, a dead child keeps its number, and PostgreSQL takes it for alive."""
        if self._process is not None:
            self._process.wait(PATIENCE)
        self._process = None

    def _take(self) -> None:
        """One starter per directory: the lock goes with its process, so a killed one leaves it free."""
        if self._lock is not None:
            return
        lock = (self.directory / f"{self.name}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise EmbeddedError(f"{self.directory} is in use by another process. Stop it, or name another.") from None
        self._lock = lock

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
        self._lock = None

    def _spawn(self, command: list[str], log: Path, account: dict[str, Any]) -> subprocess.Popen[bytes]:
        """In a session of its own: Ctrl-C in a terminal reaches the starter, and that stops it."""
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **account,
            )
        return self._process

    def _alive(self, pid_file: Path, word: str) -> int | None:
        """The process in `pid_file` if it lives and its command line has `word` (numbers are used again)."""
        if self._process is not None:
            self._process.poll()
        try:
            pid = int(pid_file.read_text().split(maxsplit=1)[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, IndexError, ValueError):
            return None
        return pid if word.encode() in command else None


class Postgres(_Server):
    """PostgreSQL in `directory`; `durable=False` gives up safety from a crash of the machine, for tests."""

    name = "postgres"
    socket_name = ".s.PGSQL.5432.lock"

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        super().__init__(directory)
        self.durable = durable
        self._account = binaries.account()

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of the superuser on the database `zhiyuan`, over the unix socket."""
        return f"postgresql+psycopg://{SUPERUSER}@/{DATABASE}?host={quote(str(self.socket_home), safe='')}"

    @property
    def pid(self) -> int | None:
        """The postmaster; the processes it started for its connections have other numbers."""
        return self._alive(self.home / "data" / "postmaster.pid", str(self.home))

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.home / "log"

    def _prepare(self) -> None:
        if not (self.directory / self.name).exists():
            self._make_home()
        if self.socket_home != self.home:
            _make_private(self.socket_home)
            self._give(self.socket_home)
        if not (self.home / "data" / "PG_VERSION").exists():
            self._initialise()
        settings = SETTINGS | ({} if self.durable else HASTY)
        settings["unix_socket_directories"] = str(self.socket_home)
        lines = [f"{key} = '{value.replace(chr(39), chr(39) * 2)}'\n" for key, value in settings.items()]
        (self.home / "data" / "postgresql.conf").write_text("".join(lines))

    def _make_home(self) -> None:
        home = self.directory / self.name
        home.unlink(missing_ok=True)  # a link whose target was erased
        if self._account and not binaries.reachable(self.directory):
            binaries.ROOT_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
            home.symlink_to(tempfile.mkdtemp(prefix="cluster-", dir=binaries.ROOT_HOME))
        else:
            home.mkdir(mode=0o700)
        self._give(home.resolve())

    def _give(self, path: Path) -> None:
        if self._account:
            os.chown(path, self._account["user"], self._account["group"])

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it there: a killed attempt leaves nothing half made."""
        fresh = self.home / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        command = [str(binaries.postgres_programs() / "initdb"), "-D", str(fresh), "-U", SUPERUSER]
        command += ["--auth=trust", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
        command += ["--builtin-locale=C.UTF-8", "--no-instructions", *([] if self.durable else ["--no-sync"])]
        environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
        done = subprocess.run(
            command, cwd="/", env=environment, capture_output=True, text=True, check=False, **self._account
        )
        if done.returncode:
            raise EmbeddedError(f"PostgreSQL could not make its files in {self.home}: {done.stderr.strip()}")
        fresh.rename(self.home / "data")

    def _run(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._attempt(deadline):
            # After a kill -9 the postmaster and its children need a moment to be gone.
            tail = self.log.read_text(errors="replace")[-1000:]
            passing = "pre-existing shared memory block" in tail or '"postmaster.pid" already exists' in tail
            if not passing or time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL did not start. The end of {self.log}:\n{tail}")
            time.sleep(0.2)

    def _attempt(self, deadline: float) -> bool:
        self.log.touch(mode=0o600)
        binary = str(binaries.postgres_programs() / "postgres")
        process = self._spawn([binary, "-D", str(self.home / "data")], self.log, self._account)
        pid_file = self.home / "data" / "postmaster.pid"
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(OSError):
                lines = pid_file.read_text().splitlines()
                if lines[:1] == [str(process.pid)] and lines[-1].strip() == "ready":
                    return True
            time.sleep(0.02)
        return False

    def _finish(self) -> None:
        place = {"host": str(self.socket_home), "user": SUPERUSER, "dbname": "postgres"}
        with psycopg.connect(**place, autocommit=True) as connection:  # type: ignore[arg-type]
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if known is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")


class Redis(_Server):
    """Redis in `directory`; it writes nothing to disk, for what it holds (limits, caches) may be lost."""

    name = "redis"
    socket_name = "redis.sock"

    @property
    def url(self) -> str:
        """The form of redis-py: `unix://PATH`."""
        return f"unix://{self.socket_home / self.socket_name}"

    @property
    def pid(self) -> int | None:
        """The server's only process."""
        return self._alive(self.home / "pid", str(self.socket_home / self.socket_name))

    def _prepare(self) -> None:
        self.home.mkdir(mode=0o700, exist_ok=True)
        if self.socket_home != self.home:
            _make_private(self.socket_home)

    def _run(self) -> None:
        log = self.home / "log"
        options = {
            "port": "0",
            "unixsocket": str(self.socket_home / self.socket_name),
            "unixsocketperm": "700",
            "dir": str(self.home),
            "pidfile": str(self.home / "pid"),
            "save": "",
            "appendonly": "no",
            "maxmemory": "64mb",
            "maxmemory-policy": "volatile-ttl",
        }
        command = [str(binaries.redis_program())]
        for key, value in options.items():
            command += [f"--{key}", value]
        process = self._spawn(command, log, {})
        if not _wait(lambda: process.poll() is not None or (self.pid is not None and self._answers())):
            raise EmbeddedError(f"Redis did not answer within {PATIENCE:.0f} s; its log is {log}")
        if process.poll() is not None:
            tail = log.read_text(errors="replace")[-1000:]
            raise EmbeddedError(f"Redis did not start. The end of {log}:\n{tail}")

    def _finish(self) -> None:
        pass

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
            connection.settimeout(1)
            connection.connect(str(self.socket_home / self.socket_name))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        return False


@contextmanager
def postgres(directory: Path, *, durable: bool = True) -> Iterator[str]:
    """PostgreSQL in `directory` for the length of a `with`; gives the SQLAlchemy URL of its superuser."""
    with Postgres(directory, durable=durable) as server:
        yield server.url


@contextmanager
def redis(directory: Path) -> Iterator[str]:
    """Redis in `directory` for the length of a `with`; gives its URL (redis-py's `unix://` form)."""
    with Redis(directory) as server:
        yield server.url


def _short(home: Path, name: str) -> Path:
    """`home`, or a short directory of our own when a socket called `name` would not fit under it."""
    if len(os.fsencode(home / name)) <= SOCKET_PATH_LIMIT:
        return home
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"zhiyuan-{os.geteuid()}-{digest}"


def _make_private(path: Path) -> None:
    """A directory under /tmp that is ours: whoever made that name before us would own the socket in it."""
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    owners = {os.geteuid(), binaries.account().get("user", os.geteuid())}
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners or found.st_mode & 0o077:
        raise EmbeddedError(f"{path} belongs to somebody else. Remove it, or name a shorter directory.")


def _wait(done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def main(arguments: list[str]) -> int:
    """`start DIRECTORY [--hasty]` leaves both running and prints their URLs; `stop DIRECTORY` ends them."""
    match arguments:
        case ["start", directory, *rest] if rest in ([], ["--hasty"]):
            servers = (Postgres(Path(directory), durable=not rest), Redis(Path(directory)))
            for variable, server in zip(("DATABASE_URL", "REDIS_URL"), servers, strict=True):
                print(f"{variable}={server.start()}")
        case ["stop", directory]:
            Redis(Path(directory)).stop()
            Postgres(Path(directory)).stop()
        case _:
            print("python -m config.embedded start DIRECTORY [--hasty] | stop DIRECTORY", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
