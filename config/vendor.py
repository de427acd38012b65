"""Rebuild the vendored Bootstrap style sheet from the package as it was published (E-02).

    npm pack bootstrap@5.3.9
    python -m config.vendor bootstrap-5.3.9.tgz

Bootstrap draws its arrows and ticks with `data:` addresses inside the style sheet, which our content
security policy (`img-src 'self'`, S-09) refuses. Each of them becomes a file of its own and the address
is rewritten; nothing else is changed. The tarball is checked against the digest the npm registry
publishes, and `app/static/VENDORED.md` lists the digest of every file written.
"""

import base64
import hashlib
import re
import shutil
import sys
import tarfile
from pathlib import Path
from urllib.parse import unquote_to_bytes

VERSION = "5.3.9"
#: `dist.integrity` of the package in the npm registry
INTEGRITY = "sha512-20cU0rcfw8WdxtVbmfU+xT2EjvVTw9Ror/h1Qvd7DXCujRg8OO9mdBCsmTHdJFf3BuadmBNJtgIuUXsBqSkk/w=="

STATIC = Path(__file__).resolve().parent.parent / "app" / "static"
DATA_IMAGE = re.compile(r'url\("data:image/svg\+xml,(?P<svg>[^"]*)"\)')
SOURCE_MAP = re.compile(r"\s*/\*# sourceMappingURL=[^*]*\*/\s*")

PREFACE = """\
# Vendored files

Everything the browser loads comes from this service; nothing is fetched from elsewhere. These files are
built by `python -m config.vendor` from the package below and are never edited in place
(`tests/web/test_static.py` compares every digest).

| name | version | source | licence |
|---|---|---|---|
| Bootstrap, style sheet only | {version} | npm package `bootstrap`, `bootstrap.min.css` | MIT, see its `LICENSE` |

Package: `bootstrap-{version}.tgz`, `{integrity}`

Changed on the way: the `data:` images are written to `vendor/bootstrap/img/`, the reference to the
source map is dropped.

| SHA-256 | file |
|---|---|
"""


class VendorError(Exception):
    """The package is not the one that was reviewed; the message says how."""


def split_images(sheet: str) -> tuple[str, dict[str, bytes]]:
    """Take the `data:` images out of a style sheet.

    Returns the sheet with addresses relative to it, and the images by file name. Raises `VendorError`
    when a `data:` address of another kind is left over.
    """
    images: dict[str, bytes] = {}

    def as_file(found: re.Match[str]) -> str:
        image = unquote_to_bytes(found["svg"])
        name = f"{hashlib.sha256(image).hexdigest()[:12]}.svg"
        images[name] = image
        return f"url(img/{name})"

    split = DATA_IMAGE.sub(as_file, sheet)
    if "data:" in split:
        raise VendorError("a data: address is left in the style sheet: extend DATA_IMAGE")
    return split, images


def published_files(package: Path) -> tuple[str, bytes]:
    """The style sheet and the licence out of the npm tarball; raises `VendorError` on another tarball."""
    digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != INTEGRITY:
        raise VendorError(f"{package.name} is not bootstrap {VERSION}: sha512-{digest}")
    with tarfile.open(package) as tarball:
        sheet = tarball.extractfile("package/dist/css/bootstrap.min.css")
        licence = tarball.extractfile("package/LICENSE")
        if sheet is None or licence is None:
            raise VendorError(f"{package.name} lacks the style sheet or the licence")
        return sheet.read().decode(), licence.read()


def build(package: Path) -> dict[str, bytes]:
    """Every vendored file, by its path under `app/static`."""
    sheet, licence = published_files(package)
    sheet, images = split_images(SOURCE_MAP.sub("\n", sheet))
    folder = "vendor/bootstrap"
    return {
        f"{folder}/LICENSE": licence,
        f"{folder}/bootstrap.min.css": sheet.encode(),
        **{f"{folder}/img/{name}": image for name, image in sorted(images.items())},
    }


def listing(files: dict[str, bytes]) -> str:
    """The text of `VENDORED.md`."""
    rows = (f"| `{hashlib.sha256(content).hexdigest()}` | {name} |\n" for name, content in files.items())
    return PREFACE.format(version=VERSION, integrity=INTEGRITY) + "".join(rows)


def write(files: dict[str, bytes], static: Path) -> None:
    """Replace the vendored folder and its list."""
    shutil.rmtree(static / "vendor", ignore_errors=True)
    for name, content in files.items():
        target = static / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    (static / "VENDORED.md").write_text(listing(files), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        write(build(Path(sys.argv[1])), STATIC)
    except (VendorError, OSError, tarfile.TarError) as error:
        sys.exit(str(error))
