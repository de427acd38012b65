"""Which Chromium the browser tests drive. `python -m tests.browser` prints it, or fails when none runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
#: A browser under test speaks to nobody but us: every service of its own is off.
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    *(("--no-sandbox",) if os.geteuid() == 0 else ()),
)


def executable() -> str | None:
    """The machine's Chromium, or playwright's own; None when neither runs. CHROMIUM names another."""
    named = os.environ.get("CHROMIUM")
    for name in (named,) if named else NAMES:
        found = shutil.which(name)
        if found and _runs(found):
            return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() and _runs(own) else None


def _runs(program: str) -> bool:
    command = [program, "--version", *(("--no-sandbox",) if os.geteuid() == 0 else ())]
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


if __name__ == "__main__":
    chromium = executable()
    print(chromium or "none")
    sys.exit(0 if chromium else 1)
