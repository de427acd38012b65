"""Where the typesetter finds Chinese type: a free font out of a Python wheel, so it comes with the rest.

Noto Sans CJK (SIL Open Font License 1.1), one weight; 44 810 characters, rare ones of names among them.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

FAMILY = "Noto Sans CJK SC"
PACKAGE = "noto_cjk_sans_otc"
FILE = "NotoSansCJK-Regular.ttc"


class FontsError(RuntimeError):
    """The font is missing; the message says how to get it."""


def font_paths() -> list[Path]:
    """The directories to give to typst as `font_paths`, with `ignore_system_fonts=True`; raises FontsError.

    Without the machine's own fonts a document comes out the same everywhere, which its digest needs.
    """
    found = importlib.util.find_spec(PACKAGE)
    places = [Path(place) for place in (found.submodule_search_locations or ())] if found else []
    if not any((place / FILE).is_file() for place in places):
        raise FontsError(f"The font {FAMILY} is missing (Python package noto-cjk-sans-otc). Run `make venv`.")
    return places
