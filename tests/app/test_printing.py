"""Papers: one A4 page where it can be, type embedded, a QR code that reads, the same bytes for the same values."""

import io
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import zxingcpp
from PIL import Image

from app.printing import Paper, PaperColumn, PaperMajor, PaperRow, draft_form, qr_svg, receipt, typeset

TOKEN = "eyJiYXRjaCI6IjEiLCJjYW5kaWRhdGUiOiIxNyoqKioqKioqMDAwMSJ9" * 7
WORDS = {
    "service": "湖南省普通高校招生志愿填报",
    "footer": "咨询热线 0731-12345678",
    "number": "序号",
    "code": "代号",
    "institution": "院校",
    "majors": "专业",
    "adjust": "专业服从",
    "qr": "扫码核验",
    "notice": "请妥善保存。任何人都不需要您的密码和口令。",
    "empty": "考生声明放弃填报本批次志愿。",
    "invalid": "草表 · 未提交 · 无效",
    "mark": "草表",
    "major": "专业",
    "yes": "是",
    "no": "否",
}
MAJORS = [PaperMajor(f"{at:02}", name) for at, name in enumerate(("临床医学（5+3 一体化）", "法学", "土木工程") * 2, 1)]


def column(filled: int, slots: int, name: str = "普通志愿") -> PaperColumn:
    rows = [
        PaperRow(at, f"{4000 + at}-101", "湖南信息职业技术学院", "长沙", MAJORS, "服从") for at in range(1, filled + 1)
    ]
    return PaperColumn(name, rows, slots, 6, asks_adjust=True, boxes=["院校服从：服从"])


def paper(*columns: PaperColumn, token: str = TOKEN) -> Paper:
    return Paper(
        title="志愿填报回执",
        facts=[("考生", "欧阳䶮𠮷·买买提  17********0001"), ("摘要", "9c1e 77a0 52d4 be13 0f6a")],
        columns=columns,
        words=WORDS,
        stamp=datetime(2017, 6, 28, 6, 2, 11, tzinfo=UTC),
        token=token,
    )


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))


def said(picture: bytes) -> list[str]:
    return [found.text for found in zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))]


LISTS = {
    "a waiver": (),
    "ten institutions": (column(10, 10),),
    "eight columns": tuple(column(10 if at == 4 else 1, 10, f"第 {at} 栏") for at in range(8)),
    "forty-five groups of six majors": (column(45, 45),),
}


@pytest.mark.parametrize("columns", LISTS.values(), ids=LISTS)
def test_a_receipt_is_one_a4_page_however_long_the_list(columns: tuple[PaperColumn, ...]) -> None:
    pdf = receipt(paper(*columns))
    assert pdf.startswith(b"%PDF-")
    assert pages(pdf) == 1
    assert re.search(rb"/MediaBox\s*\[0 0 595\.\d+ 841\.\d+\]", pdf)


@pytest.mark.parametrize("columns", LISTS.values(), ids=LISTS)
def test_the_qr_code_on_the_paper_reads_back_as_the_receipt(columns: tuple[PaperColumn, ...]) -> None:
    assert said(typeset("receipt", paper(*columns), "png")) == [TOKEN]


def test_the_qr_code_of_the_page_reads_back_as_the_receipt() -> None:
    squares = re.findall(rb'<path[^>]* d="([^"]+)"', qr_svg(TOKEN))
    assert squares
    assert said(typeset("receipt", paper(), "png")) == [TOKEN]


def test_the_chinese_type_is_embedded_and_no_other_is_used() -> None:
    for pdf in (receipt(paper(column(3, 10))), draft_form(paper(column(3, 10), token=""))):
        fonts = set(re.findall(rb"/BaseFont\s*/(?:[A-Z]{6}\+)?([\w-]+)", pdf))
        assert fonts
        assert all(font.startswith(b"NotoSansCJKsc") for font in fonts), fonts
        assert b"/FontFile3" in pdf


def test_the_same_values_make_the_same_bytes() -> None:
    first = receipt(paper(column(3, 10)))
    assert receipt(paper(column(3, 10))) == first
    assert receipt(replace(paper(column(3, 10)), stamp=datetime(2017, 6, 29, tzinfo=UTC))) != first


def test_a_receipt_is_black_on_white() -> None:
    picture = Image.open(io.BytesIO(typeset("receipt", paper(column(10, 10)), "png"))).convert("RGB")
    colours = picture.getcolors(1 << 20) or []
    assert colours
    assert all(max(colour) - min(colour) <= 2 for _count, colour in colours if isinstance(colour, tuple))


def test_a_draft_form_has_a_row_for_every_slot_and_says_that_it_is_not_valid() -> None:
    empty, filled = (draft_form(paper(column(count, 45), token="")) for count in (0, 45))
    assert pages(empty) == pages(filled) == 2
    assert said(typeset("draft-form", paper(column(45, 45), token=""), "png")) == []


def test_a_waiver_s_receipt_says_so_in_the_place_of_a_list() -> None:
    assert receipt(paper()) != receipt(replace(paper(), words=WORDS | {"empty": "别的"}))
