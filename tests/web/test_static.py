"""What the browser is sent: vendored as published, nothing from elsewhere, small, and fit for old Chromium."""

import gzip
import hashlib
import re
from pathlib import Path

import pytest

from config.vendor import VendorError, build, split_images

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "app" / "static"
SHEETS = (STATIC / "vendor" / "bootstrap" / "bootstrap.min.css", STATIC / "zhiyuan.css")
SCRIPTS = tuple(sorted((STATIC / "js").glob("*.js")))
TEMPLATES = tuple(sorted([*(ROOT / "app").rglob("*.html"), *(ROOT / "admin").rglob("*.html")]))
COMMENTS = re.compile(r"/\*.*?\*/|//.*?$|\{#.*?#\}|<!--.*?-->", re.DOTALL | re.MULTILINE)


def _code(path: Path) -> str:
    """A source without its comments; `//` of an address is no comment."""
    return COMMENTS.sub("", path.read_text(encoding="utf-8").replace("://", ":ADDRESS:"))


def _gzipped(path: Path) -> int:
    return len(gzip.compress(path.read_bytes(), 9))


def test_vendored_files_are_the_listed_ones() -> None:
    listing = (STATIC / "VENDORED.md").read_text(encoding="utf-8")
    listed = {name: digest for digest, name in re.findall(r"^\| `([0-9a-f]{64})` \| (\S+) \|$", listing, re.MULTILINE)}
    found = {
        path.relative_to(STATIC).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (STATIC / "vendor").rglob("*")
        if path.is_file()
    }
    assert found == listed


def test_every_image_of_the_style_sheets_exists() -> None:
    for sheet in SHEETS:
        for address in re.findall(r"url\(([^)]*)\)", sheet.read_text(encoding="utf-8")):
            assert (sheet.parent / address.strip("\"'")).is_file(), address


def test_data_images_become_files() -> None:
    address = """url("data:image/svg+xml,%3csvg fill='%23fff'/%3e")"""
    split, images = split_images(f"a{{background:{address}}}b{{background:{address}}}")
    (name,) = images
    assert images[name] == b"<svg fill='#fff'/>"
    assert split == f"a{{background:url(img/{name})}}b{{background:url(img/{name})}}"


def test_another_kind_of_data_address_is_refused() -> None:
    with pytest.raises(VendorError):
        split_images("a{background:url(data:image/png;base64,AAAA)}")


def test_another_package_is_refused(tmp_path: Path) -> None:
    package = tmp_path / "bootstrap-5.3.9.tgz"
    package.write_bytes(b"not the package")
    with pytest.raises(VendorError):
        build(package)


@pytest.mark.parametrize("path", [*SHEETS, *SCRIPTS, *TEMPLATES], ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere(path: Path) -> None:
    code = _code(path)
    assert not re.search(r"""["'(=]\s*data:""", code)
    assert "ADDRESS" not in code
    assert not re.search(r"""(src|href|action)=["']//""", code)
    assert "@import" not in code
    assert "eval(" not in code
    assert "innerHTML" not in code


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_obey_the_content_security_policy(path: Path) -> None:
    code = _code(path)
    assert not re.search(r"\sstyle\s*=", code)
    assert not re.search(r"<[^>]*\son[a-z]+\s*=", code)
    assert "<style" not in code
    assert "javascript:" not in code
    assert all(" src=" in tag for tag in re.findall(r"<script[^>]*>", code))


def test_first_page_is_small() -> None:
    """Everything a browser could be sent on its first pages, all scripts counted (U-10)."""
    size = sum(_gzipped(path) for path in (*SHEETS, *SCRIPTS))
    assert size <= 55_000, size


def test_own_style_sheet_and_each_script_stay_small() -> None:
    assert _gzipped(SHEETS[1]) <= 12_000
    for script in SCRIPTS:
        assert _gzipped(script) <= 3_000, script.name


#: newer than Chromium 61 (September 2017); in CSS only what would take a whole rule with it
TOO_NEW_SCRIPT = re.compile(
    r"\?\.|\?\?|\|\|=|&&=|\d_\d|\bcatch \{|\bstatic \{|this\.#|\.\.\.\w+ \}|\bimport\(|\bfor await\b"
    r"|\.(replaceAll|flat|flatMap|at|toggleAttribute|finally|fromEntries|requestSubmit|replaceChildren)\("
    r"|\b(AbortController|globalThis|queueMicrotask|structuredClone)\b"
)
TOO_NEW_SHEET = re.compile(r":is\(|:where\(|:has\(|\binset:|\b(clamp|min|max)\(|color-mix|@layer|@container|&[:.\s]")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_run_in_chromium_61(script: Path) -> None:
    code = _code(script)
    assert not TOO_NEW_SCRIPT.search(code)


def test_style_sheet_is_read_by_chromium_61() -> None:
    code = _code(SHEETS[1])
    assert not TOO_NEW_SHEET.search(code)
    for rule in re.findall(r"[^{}]*\{[^{}]*\}", code):
        if "display: flex" in rule:
            assert not re.search(r"(?<!-)\bgap:", rule), rule
        if ":focus-visible" in rule:
            # unknown there: the rule is dropped, so it may hold nothing an old browser needs
            assert rule.count("outline") <= 2, rule


def test_no_italics() -> None:
    assert "italic" not in _code(SHEETS[1]).replace(".fst-italic", "")
