"""Comma-separated text: encodings are told apart, a bad line costs itself and nothing else."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.intake.delimited import defused
from admin.intake.exchange import BadRow, BadTable, Row, open_table, write_table
from admin.intake.layouts import REGIONS, SCHOOLS
from admin.intake.rows import FORMULA_STARTS, Limits

HEAD = "地区代码,地区名称,上级地区代码,级别\r\n"
GOOD = "430102,芙蓉区,430100,county\r\n"


def read(path: Path, data: bytes) -> list[Row | BadRow]:
    path.write_bytes(data)
    with open_table(path, REGIONS) as table:
        return list(table)


def places(found: list[Row | BadRow]) -> list[tuple[str, int]]:
    return [("bad", row.row) if isinstance(row, BadRow) else ("row", row.number) for row in found]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_both_encodings_are_recognised(tmp_path: Path, codec: str) -> None:
    (row,) = read(tmp_path / "r.csv", (HEAD + GOOD).encode(codec))
    assert isinstance(row, Row)
    assert row["name"] == "芙蓉区"


def test_text_that_could_be_either_is_decided_by_its_headings(tmp_path: Path) -> None:
    # 一 in GBK is D2 BB, which is also a letter in UTF-8
    data = "code,name,parent,level\n430102,一,430100,county\n".encode("gbk")
    (row,) = read(tmp_path / "r.csv", data)
    assert isinstance(row, Row)
    assert row["name"] == "\u04bb"  # the headings fit both, so UTF-8 it is
    (row,) = read(tmp_path / "r.csv", (HEAD + "430102,一,430100,county\n").encode("gbk"))
    assert isinstance(row, Row)
    assert row["name"] == "一"


def test_a_line_in_another_encoding_is_one_bad_row(tmp_path: Path) -> None:
    data = (HEAD + GOOD).encode() + GOOD.encode("gbk") + b"\xff\xff\r\n" + GOOD.encode()
    assert places(read(tmp_path / "r.csv", data)) == [("row", 2), ("bad", 3), ("bad", 4), ("row", 5)]


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("43,a\0b,43,x\r\n", 1),
        ('43,"open,43,x\r\n', 1),
        ('43,"a"b,43,x\r\n', 1),
        ("43,a,43\r\n", 1),
        ("43,a,43,x,y\r\n", 1),
        ("43,a\rb,43,x\r\n", 1),
        ('43,"two\nlines",43,x\r\n', 1),
        ('43,"' + "x" * 5_000 + '",43,x\r\n', 1),
    ],
    ids=["nul", "open quote", "text after quote", "short", "long", "cr", "line break", "huge cell"],
)
def test_a_bad_line_costs_itself(tmp_path: Path, line: str, wrong: int) -> None:
    found = read(tmp_path / "r.csv", (HEAD + GOOD + line + GOOD + GOOD).encode())
    assert [kind for kind, _ in places(found)] == ["row", *["bad"] * wrong, "row", "row"]
    assert [row["name"] for row in found if isinstance(row, Row)] == ["芙蓉区"] * 3


def test_two_stray_quotes_do_not_swallow_what_is_between(tmp_path: Path) -> None:
    stray = '43,"a,43,x\r\n'
    found = read(tmp_path / "r.csv", (HEAD + stray + GOOD + stray + GOOD).encode())
    assert places(found) == [("bad", 2), ("row", 3), ("bad", 4), ("row", 5)]


def test_bare_quotes_inside_a_cell_are_kept(tmp_path: Path) -> None:
    (row,) = read(tmp_path / "r.csv", (HEAD + '43,a"b"c,43,x\r\n').encode())
    assert isinstance(row, Row)
    assert row["name"] == 'a"b"c'


def test_empty_lines_and_empty_cells_at_the_end_do_not_count(tmp_path: Path) -> None:
    data = HEAD.strip() + ",,\r\n\r\n" + GOOD.strip() + ",,\r\n,,,,,\r\n" + GOOD.strip()
    assert places(read(tmp_path / "r.csv", data.encode())) == [("row", 3), ("row", 5)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        (HEAD + GOOD).encode("utf-16"),
        b"PK\x03\x04" + bytes(40),
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"%PDF-1.7",
        b"\x80\xff\n",
        b"x" * 2_000_000,
    ],
    ids=["empty", "utf-16", "zip", "xls", "pdf", "no text", "no line"],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadTable) as caught:
        read(tmp_path / "r.csv", data)
    assert "%" not in str(caught.value)
    assert caught.value.place == "r.csv"


def test_limits_hold(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes((HEAD + GOOD * 3).encode())
    with open_table(path, REGIONS, limits=Limits(rows=2)) as table, pytest.raises(BadTable, match="2 rows"):
        list(table)
    with pytest.raises(BadTable), open_table(path, REGIONS, limits=Limits(size=50)):
        pass


@given(st.text(max_size=12))
def test_no_cell_for_people_is_a_formula(value: str) -> None:
    assert not defused(value).startswith(FORMULA_STARTS)
    assert defused(value).endswith(value)


def test_formulas_are_guarded_unless_the_table_is_raw(tmp_path: Path) -> None:
    row = {"code": "=1+1", "name": "+86", "county": "-1", "kind": "@x", "contact": "\t=1", "phone": "＝1"}
    write_table(tmp_path / "people.csv", SCHOOLS, [row])
    cells = (tmp_path / "people.csv").read_text(encoding="utf-8-sig").splitlines()[1].split(",")
    assert cells == ["'" + value for value in row.values()]
    write_table(tmp_path / "raw.csv", SCHOOLS, [row], raw=True)
    assert "'" not in (tmp_path / "raw.csv").read_text(encoding="utf-8-sig")
