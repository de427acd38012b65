"""Pictures of the style guide at the widths that matter.

    python -m tests.web.shots FOLDER [PAGE …]

Every page in Chinese at 1280 and 320 px, the components also in English, in large text and high contrast,
and the receipt as a PDF. Tests of pages take theirs with `browser()` and `shoot()`.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.web.style_guide import PAGES, create_style_guide, served

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
WIDTHS = (1280, 320)
VARIANTS = {
    "": "",
    "-en": "&language=en",
    "-large": "&appearance=large-font+high-contrast",
    "-errors": "&errors=1&banner=1",
}


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium that talks to nobody but us."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield found
        finally:
            found.close()


def shoot(page: Page, target: Path) -> None:
    """The whole page as a PNG."""
    target.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=target, full_page=True)


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pages", nargs="*", default=PAGES)
    wanted = parser.parse_args()
    with served(create_style_guide()) as address, browser() as chromium:
        for width in WIDTHS:
            page = chromium.new_page(viewport={"width": width, "height": 800})
            for name in wanted.pages:
                for variant, query in VARIANTS.items():
                    if variant in {"", "-errors"} or name == "components":
                        answer = page.goto(f"{address}/show/{name}?shot=1{query}")
                        assert answer is not None
                        assert answer.ok, f"{name}{variant}: {answer.status}"
                        shoot(page, wanted.folder / f"{name}{variant}-{width}.png")
            page.close()
        page = chromium.new_page()
        page.goto(f"{address}/show/receipt")
        page.pdf(path=wanted.folder / "receipt.pdf", prefer_css_page_size=True)


if __name__ == "__main__":
    main()
