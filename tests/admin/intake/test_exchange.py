"""What is written is read again, in every format and both generations; what cannot be read says where."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admin.intake.dbf import Marked
from admin.intake.exchange import BadRow, BadTable, Row, open_table, write_table
from admin.intake.layouts import CANDIDATES, PLANS, REGIONS, SCHOOLS, Column, Layout, plain

LAYOUT = Layout(
    "试验",
    (
        Column("name", "姓名", "XM", 64, required=True),
        Column("born", "出生日期", "CSRQ", 8, "date", dbf_2012="CSNY"),
        Column("score", "总分", "CJ", 8, "number", 2),
        Column("remark", "备注", "BZ", 254, lines=True),
    ),
)

visible = st.characters(exclude_categories=("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"), exclude_characters="\ufffd")
rows = st.lists(
    st.fixed_dictionaries({
        "name": st.text(visible, min_size=1, max_size=16).map(str.strip).filter(bool),
        "born": st.dates(date(1900, 1, 1), date(2099, 12, 31)).map(str) | st.just(""),
        "score": st.decimals(0, 750, places=1).map(lambda number: f"{number.normalize():f}") | st.just(""),
        "remark": st.text(visible, max_size=60).map(str.strip),
    }),
    max_size=8,
)  # fmt: skip


def read(path: Path, layout: Layout = LAYOUT) -> list[dict[str, str]]:
    with open_table(path, layout) as table:
        found = list(table)
    assert all(isinstance(row, Row) for row in found), found
    return [dict(row.values) for row in found if isinstance(row, Row)]


def bad(path: Path, layout: Layout = LAYOUT) -> list[tuple[int, str]]:
    with open_table(path, layout) as table:
        return [(row.row, row.column) for row in table if isinstance(row, BadRow)]


@given(rows)
@settings(max_examples=60, deadline=None)
def test_csv_gives_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, written: list[dict[str, str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.csv"
    write_table(path, LAYOUT, written, raw=True)
    assert read(path) == written


@given(rows, st.sampled_from((2012, 2017)))
@settings(max_examples=60, deadline=None)
def test_dbf_gives_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, written: list[dict[str, str]], generation: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.dbf"
    write_table(path, LAYOUT, written, generation=generation, rare="keep")  # type: ignore[arg-type]
    assert read(path) == written


@given(rows)
@settings(max_examples=8, deadline=None)
def test_xlsx_gives_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, written: list[dict[str, str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.xlsx"
    write_table(path, LAYOUT, written, raw=True)
    assert read(path) == written


@pytest.mark.parametrize("ending", ["csv", "xlsx", "dbf"])
def test_awkward_names_survive(tmp_path: Path, ending: str) -> None:
    names = [
        "阿依古丽·买买提",
        "㛃㸌",
        "𬭎𫍯",
        "a,b",
        '"quoted"',
        "_x0041_",
        "=1+1",
        "'='",
        "1e5",
        "007",
        "TRUE",
        "#N/A",
    ]
    written = [{"name": name, "born": "", "score": "", "remark": ""} for name in names]
    write_table(tmp_path / f"names.{ending}", LAYOUT, written, raw=True, rare="keep")
    assert read(tmp_path / f"names.{ending}") == written


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_line_breaks_survive_where_they_are_allowed(tmp_path: Path, ending: str) -> None:
    written = [{"name": "甲", "remark": 'one\n"two",\nthree'}, {"name": "乙", "remark": ""}]
    path = tmp_path / f"lines.{ending}"
    write_table(path, LAYOUT, written, fields=("name", "remark"), raw=True)
    assert read(path) == written
    write_table(path, LAYOUT, [{"name": "one\ntwo"}], fields=("name",), raw=True)
    assert bad(path) == [(2, "姓名")]


def test_rare_characters_are_marked_twice_and_listed(tmp_path: Path) -> None:
    row = {"name": "刘㛃𬭎", "born": "", "score": "", "remark": "·"}
    written = write_table(tmp_path / "marked.dbf", LAYOUT, [row])
    assert written.marked == (Marked(1, "name", "刘㛃𬭎"),)
    assert read(tmp_path / "marked.dbf") == [row | {"name": "刘????"}]


def test_generations_differ_in_names_only(tmp_path: Path) -> None:
    row = {"name": "甲", "born": "1999-03-05", "score": "505", "remark": ""}
    for generation, heading in ((2012, b"CSNY"), (2017, b"CSRQ")):
        path = tmp_path / f"{generation}.dbf"
        write_table(path, LAYOUT, [row], generation=generation)  # type: ignore[arg-type]
        assert heading in path.read_bytes()[:200]
        assert read(path) == [row]


def test_every_bad_place_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(
        "姓名,出生日期,总分\n甲,19990230,1.5.2\n乙\u200b,1999-3-5,12\n丙,1999-03-05,0012.50\n\ue000,,\n",
        encoding="utf-8",
    )
    with open_table(path, LAYOUT, name="县 A.csv") as table:
        found = list(table)
    assert [(row.row, row.column) for row in found if isinstance(row, BadRow)] == [
        (2, "出生日期"),
        (2, "总分"),
        (3, "姓名"),
        (5, "姓名"),
    ]
    assert found[3] == Row("县 A.csv", 4, {"name": "丙", "born": "1999-03-05", "score": "12.5"})
    assert "19990230" in str(found[0])
    assert "U+200B" in str(found[2])


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("19990305", "1999-03-05"),
        ("1999-3-5", "1999-03-05"),
        ("1999/03/05", "1999-03-05"),
        ("1999年3月5日", "1999-03-05"),
    ],
)
def test_dates_are_taken_as_people_write_them(tmp_path: Path, typed: str, meant: str) -> None:
    (tmp_path / "d.csv").write_text(f"姓名,出生日期\n甲,{typed}\n", encoding="utf-8")
    assert read(tmp_path / "d.csv")[0]["born"] == meant


@pytest.mark.parametrize(
    "typed", ["1999035", "1999-0305", "99-03-05", "1999-03-05T00:00", "1999-03/05", "1999-03-", "1999年0305", "０"]
)
def test_other_dates_are_not_guessed(tmp_path: Path, typed: str) -> None:
    (tmp_path / "d.csv").write_text(f"姓名,出生日期\n甲,{typed}\n", encoding="utf-8")
    assert bad(tmp_path / "d.csv") == [(2, "出生日期")]


def test_one_refusal_names_all_that_is_wrong_with_the_headings(tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("总分,总分,分数,出生日期\n1,2,3,4\n", encoding="utf-8")
    with pytest.raises(BadTable) as caught, open_table(tmp_path / "h.csv", LAYOUT):
        pass
    params = caught.value.params
    assert (params["missing"], params["unknown"], params["twice"]) == ("姓名", "分数", "总分")
    assert params["expected"] == "姓名、出生日期、总分、备注"
    assert "分数" in str(caught.value)


def test_columns_can_be_left_out_by_name(tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("姓名,分数\n甲,\u200b\n", encoding="utf-8")
    with open_table(tmp_path / "h.csv", LAYOUT, left_out=("分数",)) as table:
        assert table.fields == ("name",)
        assert list(table) == [Row("h.csv", 2, {"name": "甲"})]


@pytest.mark.parametrize("heading", ["KSH", "考生号", "candidate_no", " 考 生 号 ", "ｋｓｈ"])
def test_a_column_is_known_by_every_spelling(heading: str) -> None:
    assert CANDIDATES.by_spelling[plain(heading)].field == "candidate_no"


def test_both_generations_are_known() -> None:
    pairs = (("ZXDM", "BYXXDM"), ("ZXMC", "BYXXMC"), ("SFZH", "ZJHM"), ("JTDZ", "TXDZ"), ("CSNY", "CSRQ"))
    for old, new in pairs:
        assert CANDIDATES.by_spelling[plain(old)] is CANDIDATES.by_spelling[plain(new)]


@pytest.mark.parametrize("layout", [CANDIDATES, PLANS, REGIONS, SCHOOLS], ids=lambda layout: layout.name)
def test_layouts_fit_dbf_and_have_no_ambiguous_heading(layout: Layout) -> None:
    spelled = [plain(spelling) for column in layout.columns for spelling in set(map(plain, column.spellings))]
    assert len(spelled) == len(set(spelled))
    for column in layout.columns:
        assert 1 <= len(column.dbf_name(2012)) <= 10
        assert 1 <= len(column.dbf_name(2017)) <= 10
        assert 1 <= column.width <= 254


@pytest.mark.parametrize("ending", ["csv", "xlsx", "dbf"])
def test_a_failed_writing_leaves_no_file(tmp_path: Path, ending: str) -> None:
    with pytest.raises(KeyError):
        write_table(tmp_path / f"half.{ending}", LAYOUT, [{"name": "甲"}])
    assert list(tmp_path.iterdir()) == []


def test_unknown_endings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x", encoding="utf-8")
    with pytest.raises(BadTable), open_table(tmp_path / "a.txt", LAYOUT):
        pass
    with pytest.raises(ValueError, match=r"\.txt"):
        write_table(tmp_path / "b.txt", LAYOUT, [])


def test_a_value_too_wide_is_not_cut(tmp_path: Path) -> None:
    row = {"name": "长" * 33, "born": "", "score": "", "remark": ""}
    with pytest.raises(ValueError, match="row 1"):
        write_table(tmp_path / "wide.dbf", LAYOUT, [row])
