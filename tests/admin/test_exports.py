"""What leaves as xlsx: numbers as numbers, and nothing anybody typed as a formula (I-08)."""

import io
import re
import zipfile
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from admin.exports import Sheet, xlsx

NASTY = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "https://example.org", "{=A1}", "007", "吴·阿依古丽", "𠮷"]


def read(content: bytes) -> list[list[Any]]:
    return CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()


def xml(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read("xl/worksheets/sheet1.xml").decode()


def sheet(*cells: str) -> Sheet:
    return Sheet(
        "=title", [("=fact", "+value")], ["=column", "n", "s"], [[cell, 5, 0.25] for cell in cells], ["-", 5, 1.0]
    )


def test_everything_typed_stays_text() -> None:
    content = xlsx(sheet(*NASTY))
    assert re.findall(r"<f[ >]|<hyperlink", xml(content)) == []
    rows = read(content)
    assert rows[0][0] == "=title"
    assert rows[1][:2] == ["=fact", "+value"]
    assert [str(row[0]).strip() for row in rows[4:-1]] == [cell.strip() for cell in NASTY]


@given(st.text(max_size=40))
def test_no_text_becomes_a_formula(text: str) -> None:
    page = xml(xlsx(sheet(text)))
    assert re.findall(r"<f[ >]|<hyperlink", page) == []


def test_numbers_are_numbers() -> None:
    assert read(xlsx(sheet("a")))[4][1:3] == [5.0, 0.25]
