"""Papers: PDF pages typeset by typst, black on white, with the Chinese type embedded.

Pure: values in, bytes out. The same values make the same bytes, for the time written into a file is given and
only the type that comes with us is used. The documents themselves are `app/documents/*.typ`; every word on them
is a value, so that they speak the reader's language.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal, cast

import segno
import typst

from config.fonts import FAMILY, font_paths

__all__ = [
    "Paper",
    "PaperColumn",
    "PaperMajor",
    "PaperRow",
    "Protocol",
    "Sheet",
    "SheetColumn",
    "draft_form",
    "protocol",
    "qr_svg",
    "receipt",
    "typeset",
]

DOCUMENTS: Final = Path(__file__).parent / "documents"
Form = Literal["pdf", "png"]


@dataclass(frozen=True, slots=True)
class PaperMajor:
    """One major."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One filled slot; `adjust` is the answer to adjustment of majors in a word, "" where it is not asked."""

    number: int
    code: str
    name: str
    place: str
    majors: Sequence[PaperMajor]
    adjust: str


@dataclass(frozen=True, slots=True)
class PaperColumn:
    """One column. `slots` and `majors` are how many the blank form offers; `boxes` what else it asks or says."""

    name: str
    rows: Sequence[PaperRow]
    slots: int
    majors: int
    asks_adjust: bool
    boxes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Paper:
    """What stands on a paper. `facts` are pairs of name and value under the title; `words` are its other texts.

    `stamp` is the time written into the file's own data; `language` that of the words.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    columns: Sequence[PaperColumn]
    words: Mapping[str, str]
    stamp: datetime
    language: str = "zh"
    #: what the QR code says; "" for none
    token: str = ""


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """A column of a sheet; a wide one shares what the others leave."""

    name: str
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table of a protocol; a roomy one has rows high enough to sign in."""

    title: str
    columns: Sequence[SheetColumn]
    rows: Sequence[Sequence[str]]
    roomy: bool = False


@dataclass(frozen=True, slots=True)
class Protocol:
    """What offices print, sign and keep. `words`: service, footer, notice, date; otherwise as `Paper`."""

    title: str
    facts: Sequence[tuple[str, str]]
    sheets: Sequence[Sheet]
    #: who signs at the end
    signers: Sequence[str]
    words: Mapping[str, str]
    stamp: datetime
    language: str = "zh"
    token: str = ""


def protocol(paper: Protocol) -> bytes:
    """Typeset a protocol: as many A4 pages as its tables need, lines to sign on at the end."""
    return typeset("protocol", paper)


def receipt(paper: Paper) -> bytes:
    """Typeset a receipt: list, digest and QR code on one A4 page as long as the type stays legible."""
    return typeset("receipt", paper)


def draft_form(paper: Paper) -> bytes:
    """Typeset the form on which a list is drafted by hand, marked on every page as not valid."""
    return typeset("draft-form", paper)


def typeset(document: str, paper: Paper | Protocol, form: Form = "pdf") -> bytes:
    """Typeset `documents/<document>.typ`; "png" draws the first page, for looking at."""
    values: dict[str, Any] = asdict(paper)
    del values["stamp"]
    if paper.token:
        values["qr"] = qr_svg(paper.token).decode()
    made = _typesetter().compile(
        _source(document),
        format=form,
        ppi=200.0 if form == "png" else None,
        sys_inputs={"data": json.dumps(values, ensure_ascii=False), "font": FAMILY},
        timestamp=paper.stamp.astimezone(UTC).replace(microsecond=0),
    )
    return cast("bytes", made[0] if isinstance(made, list) else made)


def qr_svg(text: str) -> bytes:
    """Draw a QR code that still reads with a seventh of it dirty (level M)."""
    out = BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="svg", border=4, xmldecl=False, svgclass=None)
    return out.getvalue()


@lru_cache(maxsize=1)
def _typesetter() -> typst.Compiler:
    """One for the process: it keeps the type it has read, which is most of the work."""
    return typst.Compiler(font_paths=[str(path) for path in font_paths()], ignore_system_fonts=True)


@lru_cache(maxsize=8)
def _source(document: str) -> bytes:
    return (DOCUMENTS / f"{document}.typ").read_bytes()
