"""The card as it is printed: sheets of several cards, front and back, typeset by typst in memory (D-07).

The front carries what everybody may see: serial, barcode, QR code, what to do and what never to do. The back
carries the codes, each under a field of its own that the film covers, with its number beside the film. Backs lie
mirrored, so that they meet their fronts when the sheet is turned over its long edge.

Codes are set in DejaVu Sans Mono, which dots the zero and gives the one a foot: no digit is taken for another.
"""

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal, cast

import segno
import typst
import zxingcpp
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cards import codes, serials
from cards.codes import Randomness
from cards.errors import LotRefused

DOCUMENT: Final = Path(__file__).parent / "documents" / "card.typ"
SPECIMEN_LOT: Final = "0000"
_CHINESE: Final = "Noto Sans CJK SC"
_CHINESE_PACKAGE: Final = "noto_cjk_sans_otc"


class Imprint(BaseModel):
    """What the candidate must be able to read on the card: whose it is, whom to call, the one true address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    province: str = Field(min_length=2, max_length=12)
    hotline: str = Field(pattern=r"^[0-9][0-9 -]{4,18}[0-9]$")
    url: str = Field(pattern=r"^https://[a-z0-9][a-z0-9.-]{3,38}[a-z0-9]$")


def imprint(**said: str) -> Imprint:
    """Make an imprint of what was typed; raises `LotRefused` naming what cannot be printed."""
    try:
        return Imprint(**said)
    except ValidationError as error:
        wrong = ", ".join(str(one["loc"][0]) for one in error.errors())
        raise LotRefused(f"Not as it can be printed on a card: {wrong}. An address is https:// and a host.") from error


@dataclass(frozen=True, slots=True)
class Layout:
    """How cards lie on an A4 sheet; `width` and `height` of a card in millimetres, `gap` between two."""

    columns: int
    rows: int
    width: float
    height: float
    gap: float
    most_codes: int

    @property
    def on_a_sheet(self) -> int:
        """How many cards a sheet carries."""
        return self.columns * self.rows


#: by name, which a request for a lot gives
LAYOUTS: Final = {"a4-8": Layout(columns=2, rows=4, width=92, height=66, gap=4, most_codes=60)}


@dataclass(frozen=True, slots=True)
class Face:
    """What stands on one card."""

    serial: str
    codes: tuple[str, ...] = field(repr=False)


def sheets(
    cards: Sequence[Face],
    layout: Layout,
    imprint: Imprint,
    *,
    specimen: bool = False,
    form: Literal["pdf", "png"] = "pdf",
) -> list[bytes]:
    """Typeset cards, in their order, on as many sheets as it takes: a front page and a back page each.

    "pdf" is one file; "png" one picture a page, for looking at.
    """
    values: dict[str, Any] = {
        "cards": [_values(card) for card in cards],
        "columns": layout.columns,
        "rows": layout.rows,
        "width": layout.width,
        "height": layout.height,
        "gap": layout.gap,
        "imprint": imprint.model_dump(),
        "specimen": specimen,
    }
    made = _typesetter().compile(
        DOCUMENT.read_bytes(),
        format=form,
        ppi=300.0 if form == "png" else None,
        sys_inputs={"data": json.dumps(values, ensure_ascii=False)},
        pdf_tags=False,
    )
    return cast("list[bytes]", made if isinstance(made, list) else [made])


def specimens(count: int, codes_per_card: int, source: Randomness) -> list[Face]:
    """Cards to look at: a lot that is never made, and codes that open nothing."""
    return [
        Face(serials.make(SPECIMEN_LOT, number), codes.draw(codes_per_card, source)) for number in range(1, count + 1)
    ]


def _values(card: Face) -> dict[str, Any]:
    return {
        "serial": serials.grouped(card.serial),
        "barcode": barcode(card.serial),
        "qr": qr(card.serial),
        "codes": [codes.grouped(code) for code in card.codes],
    }


def barcode(serial: str) -> str:
    """Draw a serial in Code 128, as SVG."""
    drawn: str = zxingcpp.write_barcode_to_svg(zxingcpp.create_barcode(serial, zxingcpp.BarcodeFormat.Code128), scale=1)
    return drawn


def qr(serial: str) -> str:
    """Draw a serial as a QR code, as SVG."""
    out = BytesIO()
    segno.make(serial, error="m", micro=False).save(out, kind="svg", border=2, xmldecl=False, svgclass=None)
    return out.getvalue().decode()


@lru_cache(maxsize=1)
def _typesetter() -> typst.Compiler:
    """One for the process: it keeps the type it has read. The digits' face is built into typst."""
    found = importlib.util.find_spec(_CHINESE_PACKAGE)
    places = list(found.submodule_search_locations or ()) if found else []
    if not places:
        raise LotRefused(f"The font {_CHINESE} is missing. Install the Python package noto-cjk-sans-otc.")
    return typst.Compiler(font_paths=places, ignore_system_fonts=True)
