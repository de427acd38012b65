"""The card as it is printed: what a scanner reads on it, and what a candidate does."""

import secrets
from io import BytesIO
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from cards import serials, sheets
from cards.sheets import LAYOUTS, Face, Imprint, specimens
from tests.cards.offline import run

LAYOUT = LAYOUTS["a4-8"]
IMPRINT = Imprint(province="湖南省", hotline="0731-12345678", url="https://zy.example.cn")


def pictures(faces: list[Face]) -> list[Image.Image]:
    return [Image.open(BytesIO(page)).convert("L") for page in sheets.sheets(faces, LAYOUT, IMPRINT, form="png")]


def test_barcode_and_qr_code_of_every_card_read_back() -> None:
    front, back = pictures(specimens(8, 40, secrets))
    read = {(found.text, str(found.format)) for found in zxingcpp.read_barcodes(front)}
    numbers = [serials.make("0000", number) for number in range(1, 9)]
    assert read == {(serial, kind) for serial in numbers for kind in ("Code 128", "QR Code")}
    assert not zxingcpp.read_barcodes(back)


def test_a_back_lies_behind_its_front() -> None:
    (one,) = specimens(1, 10, secrets)
    front, back = pictures([one])
    middle = front.width // 2
    # ink outside of the crop marks: the only card is left on the front and right on the back
    inked = [
        [page.crop((left, 300, left + middle - 200, 700)).histogram()[:100] != [0] * 100 for left in (150, middle + 50)]
        for page in (front, back)
    ]
    assert inked == [[True, False], [False, True]]


@pytest.mark.parametrize("count", [10, 31, 60])
def test_every_number_of_codes_fits_on_one_sheet(count: int) -> None:
    pages = sheets.sheets(specimens(9, count, secrets), LAYOUT, IMPRINT, form="png")
    assert len(pages) == 4


def test_a_specimen_is_made_in_one_command_and_says_what_it_is(tmp_path: Path) -> None:
    printed = ("--province", "湖南省", "--hotline", "0731-12345678", "--url", "https://zy.example.cn")
    assert run("sheet", tmp_path / "s.pdf", *printed).exit_code == 0
    assert (tmp_path / "s.pdf").read_bytes().startswith(b"%PDF")
    marked, plain = (
        sheets.sheets(specimens(1, 10, secrets), LAYOUT, IMPRINT, form="png", specimen=specimen)[0]
        for specimen in (True, False)
    )
    assert marked != plain
    refused = run(
        "sheet", tmp_path / "t.pdf", "--province", "湖南省", "--hotline", "?", "--url", "https://zy.example.cn"
    )
    assert (refused.exit_code, "hotline" in refused.stderr) == (1, True)


def test_a_card_does_not_show_its_codes_in_a_log() -> None:
    (one,) = specimens(1, 10, secrets)
    assert not any(code in repr(one) for code in one.codes)


def test_the_card_says_what_it_must() -> None:
    words = "".join(sheets.DOCUMENT.read_text(encoding="utf-8").split())
    for said in (
        "任何人都无权索要卡上的口令",
        "只在下面的官方网址上",
        "屏幕上显示的正是您自己的志愿表",
        "服务热线",
        "刮开区",
    ):
        assert said in words
