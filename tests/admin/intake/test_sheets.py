"""Workbooks: whatever is in the archive, the answer is rows or one clear refusal."""

import io
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import xlsxwriter

from admin.intake.archives import check_archive
from admin.intake.exchange import BadRow, BadTable, Row, open_table, write_table
from admin.intake.layouts import REGIONS, SCHOOLS, Column, Layout
from admin.intake.rows import UPLOAD, Limits

ROW = {"code": "430102", "name": "芙蓉区", "parent": "430100", "level": "county"}
HEADINGS = ("地区代码", "地区名称", "上级地区代码", "级别")


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    write_table(tmp_path / "r.xlsx", REGIONS, [ROW] * 3)
    return tmp_path / "r.xlsx"


def read(path: Path, limits: Limits = UPLOAD) -> list[Row | BadRow]:
    with open_table(path, REGIONS, limits=limits) as table:
        return list(table)


def refused(path: Path, limits: Limits = UPLOAD) -> str:
    with pytest.raises(BadTable) as caught:
        read(path, limits)
    assert "%(" not in str(caught.value)
    return str(caught.value)


def changed(path: Path, member: str, change: Callable[[bytes], bytes]) -> Path:
    """Rewrite one member of the archive."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    members[member] = change(members[member])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def added(path: Path, info: zipfile.ZipInfo, data: bytes = b"x") -> Path:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, data)
    return path


def workbook(path: Path, fill: Callable[[xlsxwriter.Workbook], None]) -> Path:
    with xlsxwriter.Workbook(path) as book:
        fill(book)
    return path


SHEET = "xl/worksheets/sheet1.xml"


def test_false_dimensions_cost_nothing(whole: Path) -> None:
    path = changed(whole, SHEET, lambda xml: re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:XFD1048576"', xml))
    assert len(read(path)) == 3


def test_a_cell_far_away_is_refused(whole: Path) -> None:
    far = b'<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c></row></sheetData>'
    refused(changed(whole, SHEET, lambda xml: xml.replace(b"</sheetData>", far)))


def test_a_bomb_is_refused_before_it_is_unpacked(whole: Path) -> None:
    path = changed(whole, SHEET, lambda xml: xml.replace(b"</sheetData>", b" " * 30_000_000 + b"</sheetData>"))
    assert "100" in refused(path)
    assert "MB" in refused(path, Limits(ratio=10**9, unpacked=2**22))


def test_a_bomb_that_lies_about_its_size_ends_cleanly(whole: Path) -> None:
    text = b'<row r="9"><c r="A9" t="inlineStr"><is><t>' + b"x" * 100_000_000 + b"</t></is></c></row></sheetData>"
    path = changed(whole, SHEET, lambda xml: xml.replace(b"</sheetData>", text))
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02", 0, data.rfind(SHEET.encode()))
    data[at + 24 : at + 28] = (5_000).to_bytes(4, "little")
    path.write_bytes(data)
    refused(path, Limits(memory=300 * 2**20))


def test_entities_are_not_expanded(whole: Path) -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY %c "%b">' % (letter + 1, b"&%c;" % letter * 10) for letter in range(ord("a"), ord("j"))
    )
    path = changed(
        whole,
        SHEET,
        lambda xml: xml.replace(b"<worksheet", bomb + b"]><worksheet", 1).replace(b"county", b"&j;"),
    )
    found = read_or_refusal(path)
    assert not isinstance(found, list) or all(len(str(row)) < 1_000 for row in found)


def read_or_refusal(path: Path) -> list[Row | BadRow] | str:
    try:
        return read(path)
    except BadTable as error:
        return str(error)


def test_a_slow_workbook_is_stopped(whole: Path) -> None:
    rows = b"".join(b"<row>" + b"<c><v>1</v></c>" * 4 + b"</row>" for _ in range(1_000)) * 600
    path = changed(whole, SHEET, lambda xml: xml.replace(b"</sheetData>", rows + b"</sheetData>"))
    assert "too long" in refused(path, Limits(ratio=10**9, cpu_seconds=1))


@pytest.mark.parametrize("name", ["../evil.xml", "/etc/evil", "a/../../b", "..\\evil", "C:evil", "inner.zip", "a.XLSX"])
def test_members_that_point_outside_or_nest_are_refused(whole: Path, name: str) -> None:
    refused(added(whole, zipfile.ZipInfo(name)))


def test_links_are_refused(whole: Path) -> None:
    link = zipfile.ZipInfo("xl/link")
    link.external_attr = 0o120777 << 16
    assert "link" in refused(added(whole, link, b"/etc/passwd"))


def test_too_many_members_are_refused(whole: Path) -> None:
    assert "5 members" in refused(whole, Limits(members=5))


def test_a_directory_that_understates_itself_is_refused(whole: Path) -> None:
    with zipfile.ZipFile(whole, "a") as archive:
        for number in range(400):
            archive.writestr(f"{number:0200}", b"")
    data = bytearray(whole.read_bytes())
    end = data.rfind(b"PK\x05\x06")
    data[end + 8 : end + 12] = b"\x05\0\x05\0"
    whole.write_bytes(data)
    assert "members" in refused(whole, Limits(members=50))


def test_a_protected_archive_is_refused(whole: Path) -> None:
    data = bytearray(whole.read_bytes())
    data[data.find(b"PK\x01\x02") + 8] |= 1
    whole.write_bytes(data)
    assert "password" in refused(whole)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(whole: Path) -> None:
    refused(added(whole, zipfile.ZipInfo(SHEET.upper())))


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.99])
def test_a_truncated_workbook_is_refused(whole: Path, keep: float) -> None:
    data = whole.read_bytes()
    whole.write_bytes(data[: int(len(data) * keep)])
    refused(whole)


@pytest.mark.parametrize(
    "data", [b"PK\x05\x06" + bytes(18), b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"code,name\n1,2\n"]
)
def test_what_is_no_workbook_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "r.xlsx").write_bytes(data)
    refused(tmp_path / "r.xlsx")


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "r.xlsx", "w") as archive:
        archive.writestr("photo.jpg", b"x")
    assert "cannot be read" in refused(tmp_path / "r.xlsx")


def test_content_on_two_sheets_is_refused_not_dropped(tmp_path: Path) -> None:
    def fill(book: xlsxwriter.Workbook) -> None:
        for name in ("甲", "乙"):
            book.add_worksheet(name).write_row(0, 0, HEADINGS)
        book.add_worksheet("空")

    assert "甲, 乙" in refused(workbook(tmp_path / "r.xlsx", fill))


def test_numbers_dates_and_errors(tmp_path: Path) -> None:
    layout = Layout(
        "x",
        (
            Column("no", "考生号", "KSH", 14, required=True),
            Column("born", "出生日期", "CSRQ", 8, "date"),
            Column("score", "总分", "CJ", 6, "number", 1),
            Column("name", "姓名", "XM", 20),
        ),
    )

    def fill(book: xlsxwriter.Workbook) -> None:
        sheet = book.add_worksheet()
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(2, 1, ("考生号", "出生日期", "总分", "姓名"))
        sheet.write_number(3, 1, 17430102150001)
        sheet.write_datetime(3, 2, date(1999, 3, 5), day)
        sheet.write_number(3, 3, 505.5)
        sheet.write_string(3, 4, "#N/A")
        sheet.write_number(4, 1, 430102199903051234)
        sheet.write_formula(4, 4, "=1/0", None, "#DIV/0!")
        sheet.write_number(5, 1, 7)
        sheet.write_number(5, 2, 19990305)

    workbook(tmp_path / "n.xlsx", fill)
    with pytest.raises(BadTable), open_table(tmp_path / "n.xlsx", layout) as table:
        list(table)
    with open_table(tmp_path / "n.xlsx", layout, left_out=("",)) as table:
        first, rounded, error, last = table
    assert first == Row("n.xlsx", 4, {"no": "17430102150001", "born": "1999-03-05", "score": "505.5", "name": "#N/A"})
    assert isinstance(rounded, BadRow)
    assert isinstance(error, BadRow)
    assert [(bad.row, bad.column) for bad in (rounded, error)] == [(5, "考生号"), (5, "姓名")]
    assert last == Row("n.xlsx", 6, {"no": "7", "born": "1999-03-05", "score": "", "name": ""})


def test_cells_for_people_are_text_and_marked_as_quoted(tmp_path: Path) -> None:
    row = {"code": "=1+1", "name": "+86", "county": "-1", "kind": "@x", "contact": "ok", "phone": "＝1"}
    write_table(tmp_path / "people.xlsx", SCHOOLS, [row])
    with zipfile.ZipFile(tmp_path / "people.xlsx") as archive:
        xml = archive.read(SHEET)
        assert b'quotePrefix="1"' in archive.read("xl/styles.xml")
    assert b"<f>" not in xml
    assert len(re.findall(rb's="2" t="inlineStr"', xml)) == 5
    with open_table(tmp_path / "people.xlsx", SCHOOLS) as table:
        assert [dict(found.values) for found in table if isinstance(found, Row)] == [row]


def test_the_child_can_do_nothing_but_read() -> None:
    program = """
import os, socket, sys
from admin.intake import sheetchild
sheetchild._confine(2**30, 5)
for name, act in {
    "open": lambda: open(os.devnull), "socket": socket.socket, "fork": os.fork, "memory": lambda: bytearray(2**31),
}.items():
    try:
        act()
    except (OSError, MemoryError):
        continue
    sys.exit(name)
sys.exit(f"uid {os.geteuid()}" if os.geteuid() == 0 else 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    # without root the limit on processes counts all of the user's, which is zero more all the same
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unfinished_reading_ends_the_child(whole: Path) -> None:
    with open_table(whole, REGIONS) as table:
        next(iter(table))
        child = table._source._child  # type: ignore[attr-defined]
    assert child.poll() is not None
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_a_harmless_archive_lists_its_members() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("photos/", b"")
        archive.writestr("photos/17430102150001.jpg", b"x" * 2_000_000)
    assert [info.filename for info in check_archive(stream, "photos.zip", UPLOAD)][1].endswith(".jpg")
