"""Which Chromium the browser tests drive, and what axe says of a page in it.

`python -m tests.browser` prints the Chromium, or fails when none runs.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, sync_playwright

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

_AXE: Final = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
_AXE_BUT_COLOURS: Final = _AXE | {"rules": {"color-contrast": {"enabled": False}}}


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


def violations(page: Page, *, colours: bool = True) -> list[dict[str, Any]]:
    """What axe finds on the page (WCAG 2.2 AA, best practice).

    Colours are the same at every width, and looking at them is two thirds of the work.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    options = _AXE if colours else _AXE_BUT_COLOURS
    found: list[dict[str, Any]] = page.evaluate("options => axe.run(options).then(r => r.violations)", options)
    return found


if __name__ == "__main__":
    chromium = executable()
    print(chromium or "none")
    sys.exit(0 if chromium else 1)
