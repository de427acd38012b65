"""What the service is built from: whether the locks are complete, and whether we may use what they name.

`python -m config.supply` prints what is wrong. It needs no network.
"""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {"requirements.lock": (), "requirements-dev.lock": ("dev",)}

#: What a library we run with may be under; LGPL because a wheel is a library one can exchange.
ALLOWED = re.compile(r"Apache|BSD|MIT|ISC|PSF|Python Software Foundation|OFL|LGPL|Mozilla Public License 2|MPL-2\.0")
#: No licence in their metadata; read in their own LICENSE file.
READ_BY_HAND = {"pyrage": "MIT", "axe-playwright-python": "MIT"}
#: Tools run beside the code, never with it: their licence does not reach it.
TOOLS = {"djlint"}

_PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s;\\]+)")
_FOREIGN = re.compile(r"://|--(extra-)?index-url|--find-links|/home/|/root/|/tmp/")


@dataclass
class Pin:
    """One package in a lock: its versions (one, or one per Python version) and its lines there."""

    versions: set[str] = field(default_factory=set)
    text: str = ""


def pins(lock: str) -> dict[str, Pin]:
    """What a lock file pins, by canonical name."""
    found: dict[str, Pin] = {}
    for block in re.split(r"^(?=\S)", lock, flags=re.MULTILINE):
        if match := _PIN.match(block):
            pin = found.setdefault(canonicalize_name(match[1]), Pin())
            pin.versions.add(match[2])
            pin.text += block
    return found


def lock_faults(lock_name: str, groups: tuple[str, ...]) -> list[str]:
    """What keeps a lock from being the lock of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = [*project["project"]["dependencies"]]
    lines += [line for group in groups for line in project["dependency-groups"][group]]
    wanted = [Requirement(line) for line in lines]
    text = (ROOT / lock_name).read_text()
    pinned = pins(text)
    faults = [f"{name} has no hash" for name, pin in pinned.items() if "--hash=sha256:" not in pin.text]
    for requirement in wanted:
        pin = pinned.get(canonicalize_name(requirement.name), Pin())
        if not pin.versions or not all(map(requirement.specifier.contains, pin.versions)):
            faults.append(f"{requirement} is not pinned in it")
    asked = {canonicalize_name(requirement.name) for requirement in wanted}
    faults += [
        f"{name} is pinned, and pyproject.toml does not ask for it"
        for name, pin in pinned.items()
        if "(pyproject.toml" in pin.text and name not in asked
    ]
    if _FOREIGN.search(text):
        faults.append("it names a place of one machine or one registry")
    return [f"{lock_name}: {fault} (make lock)" for fault in faults]


def drift() -> list[str]:
    """Packages the two locks pin at different versions."""
    run, dev = (pins((ROOT / name).read_text()) for name in LOCKS)
    return [
        f"{name}: the two locks disagree (make lock)"
        for name, pin in run.items()
        if name not in dev or not dev[name].versions <= pin.versions
    ]


def licence_faults() -> list[str]:
    """Installed packages of the locks under a licence that is not allowed."""
    command = [sys.executable, "-m", "piplicenses", "--from=mixed", "--format=json"]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    licences: dict[str, str] = {canonicalize_name(entry["Name"]): entry["License"] for entry in listed}
    locked = pins((ROOT / "requirements-dev.lock").read_text())
    faults = []
    for name in sorted(set(locked) & set(licences) - TOOLS):
        licence = READ_BY_HAND.get(name, licences[name])
        if not ALLOWED.search(licence) or re.search(r"(?<!L)GPL", licence):
            faults.append(f"{name} {importlib.metadata.version(name)}: licence {licence!r} is not on the list")
    return faults


def main() -> int:
    """Print every fault; 0 when there is none."""
    faults = [fault for name, groups in LOCKS.items() for fault in lock_faults(name, groups)]
    faults += drift() + licence_faults()
    print("\n".join(faults) or "locks and licences: nothing to report")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
