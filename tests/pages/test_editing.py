"""The edit form: read strictly, understood leniently, nothing typed is lost."""

from collections.abc import Mapping

import pytest

from admin.browser import Browser
from app.catalogue import Entry, Slice
from app.offers import Major, Offer
from app.pages.editing import Act, Typed, TypedColumn, TypedRow, Understood, as_typed, understand
from app.specs import BatchSpec, ColumnSpec
from tests.makers import Person, World
from tests.pages.lists import draft, edit, press, rows, slots

MAJORS = {code: Major(code, f"专业{code}") for code in ("01", "02", "03")}


def spec(unit: str = "INSTITUTION", mode: str = "PARALLEL", count: int = 10) -> BatchSpec:
    column = ColumnSpec.model_validate(
        {
            "code": "GEN",
            "name": "普通志愿",
            "unit": unit,
            "mode": mode,
            "slots": count,
            "majors_per_institution": 6,
            "major_adjust": True,
            "institution_adjust": True,
        }
    )
    return BatchSpec(
        year=2024,
        code="1",
        name="本科批",
        order=1,
        unit=column.unit,
        subject_classes=("5",),
        columns=(column,),
        window="W",
    )


def whole(*offers: tuple[str, str | None]) -> Slice:
    entries = tuple(
        Entry("GEN", Offer(code, f"大学{code}", MAJORS, group), "公办", "湖南", "", {}, "") for code, group in offers
    )
    return Slice(entries, {("GEN", each.offer.institution, each.offer.group): each for each in entries})


def meant(
    *given: TypedRow, act: Act | None = None, of: BatchSpec | None = None, offers: Slice | None = None
) -> Understood:
    typed = Typed(1, act or Act(), {"GEN": TypedColumn(given)})
    return understand(typed, of or spec(), offers or whole())


def codes(found: Understood) -> list[str]:
    column = found.content["columns"].get("GEN", {"slots": []})
    return [slot["institution"] + (f"-{slot['group']}" if slot["group"] else "") for slot in column["slots"]]


def standing(*codes_: str, wishes: Mapping[int, str] | None = None) -> list[TypedRow]:
    """Rows of the draft, with other numbers wished for some."""
    return [
        TypedRow(at, position=(wishes or {}).get(at, str(at + 1)), code=code, majors=("01",), adjust="yes")
        for at, code in enumerate(codes_)
    ]


# --- codes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["4301", "４３０１", " 4301 ", "\u30004301"])
def test_an_institution_is_read_however_it_is_typed(text: str) -> None:
    assert codes(meant(TypedRow(0, code=text, majors=("01",)))) == ["4301"]


@pytest.mark.parametrize(
    "text", ["4301-101", "４３０１－１０１", "4301—101", "4301 101", "4301/101", "4301.101", "4301–101"]
)
def test_a_group_is_read_with_any_mark_between(text: str) -> None:
    assert codes(meant(TypedRow(0, code=text), of=spec("GROUP"))) == ["4301-101"]


def test_a_group_typed_without_a_mark_is_found_in_the_plan() -> None:
    offers = whole(("4301", "101"), ("4301", "102"))
    assert codes(meant(TypedRow(0, code="4301102"), of=spec("GROUP"), offers=offers)) == ["4301-102"]


def test_a_missing_group_is_named_with_those_there_are() -> None:
    offers = whole(("4301", "101"), ("4301", "102"))
    found = meant(TypedRow(0, code="4301"), of=spec("GROUP"), offers=offers)
    assert "101, 102" in found.errors["GEN-0-code"]


def test_an_institution_without_groups_may_stand_in_a_mixed_column() -> None:
    assert codes(meant(TypedRow(0, code="4301"), of=spec("GROUP", "MIXED_FIRST"))) == ["4301"]


@pytest.mark.parametrize("text", ["湖南大学", "4301\x00", "43\x1f01", "123456789", "4301-101", "\u202e4301"])
def test_what_is_no_code_is_named_beside_its_field(text: str) -> None:
    found = meant(TypedRow(0, code=text))
    assert list(found.errors) == ["GEN-0-code"]


def test_majors_without_an_institution_are_not_dropped_silently() -> None:
    assert list(meant(TypedRow(3, majors=("01",))).errors) == ["GEN-3-code"]


def test_an_answer_alone_says_nothing() -> None:
    found = meant(TypedRow(0, adjust="yes"))
    assert not found.errors
    assert codes(found) == []


# --- majors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["01 07", "０１　０７", "01,07", "01、07", "01，07;", "01-07"])
def test_majors_are_read_with_anything_between(text: str) -> None:
    found = meant(TypedRow(0, code="4301", majors=(text,)))
    assert found.content["columns"]["GEN"]["slots"][0]["majors"] == ["01", "07"]


def test_majors_chosen_one_by_one_close_up() -> None:
    found = meant(TypedRow(0, code="4301", majors=("03", "", "01", "", "", "")))
    assert found.content["columns"]["GEN"]["slots"][0]["majors"] == ["03", "01"]


@pytest.mark.parametrize("text", ["法学", "01 02 03 04 05 06 07", "01\x00"])
def test_majors_that_cannot_be_kept_are_named_beside_their_field(text: str) -> None:
    assert list(meant(TypedRow(0, code="4301", majors=(text,))).errors) == ["GEN-0-majors"]


# --- order -------------------------------------------------------------------------------------------


def order(*wishes: tuple[int, str], act: Act | None = None) -> str:
    given = standing("1111", "2222", "3333", "4444", wishes=dict(wishes))
    return "".join(code[0] for code in codes(meant(*given, act=act)))


def test_numbers_left_alone_keep_the_order() -> None:
    assert order() == "1234"


def test_one_number_typed_takes_the_row_there() -> None:
    assert order((0, "3")) == "2314"
    assert order((3, "1")) == "4123"
    assert order((3, "２")) == "1423"


def test_a_number_beyond_the_end_is_the_end_and_zero_is_the_beginning() -> None:
    assert order((0, "99")) == "2341"
    assert order((2, "0")) == "3124"


def test_two_numbers_swapped_swap_the_rows() -> None:
    assert order((0, "4"), (3, "1")) == "4231"


def test_the_numbers_a_script_sends_give_the_whole_order() -> None:
    assert order((0, "2"), (1, "4"), (2, "1"), (3, "3")) == "3142"


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (Act("up", "GEN", 2), "1324"),
        (Act("down", "GEN", 0), "2134"),
        (Act("up", "GEN", 0), "1234"),
        (Act("down", "GEN", 3), "1234"),
        (Act("remove", "GEN", 1), "134"),
        (Act("remove", "GEN", 9), "1234"),
        (Act("up", "OTHER", 2), "1234"),
    ],
)
def test_buttons_move_and_remove(act: Act, expected: str) -> None:
    assert order(act=act) == expected


def test_a_button_acts_on_the_order_wished() -> None:
    assert order((0, "4"), act=Act("up", "GEN", 0)) == "2314"


def test_where_the_row_ends_is_told() -> None:
    assert meant(*standing("1111", "2222", "3333"), act=Act("down", "GEN", 0)).row == 1


def test_rows_added_come_last_and_gaps_between_them_close() -> None:
    given = [*standing("1111"), TypedRow(1), TypedRow(2, code="2222"), TypedRow(3, code="3333")]
    assert codes(meant(*given)) == ["1111", "2222", "3333"]


def test_a_row_cleared_is_removed() -> None:
    given = standing("1111", "2222", "3333")
    cleared = TypedRow(1, position="2")
    assert codes(meant(given[0], cleared, given[2])) == ["1111", "3333"]


def test_a_number_that_is_none_is_named_beside_its_field() -> None:
    found = meant(*standing("1111", "2222", wishes={0: "x"}))
    assert list(found.errors) == ["GEN-0-position"]


def test_a_name_typed_before_searching_becomes_the_search() -> None:
    found = meant(*standing("1111"), TypedRow(1, code="湖南大学"), act=Act("search", "GEN"))
    assert (found.errors, found.words, codes(found)) == ({}, "湖南大学", ["1111"])


def test_a_list_comes_back_as_it_was_typed() -> None:
    of = spec("GROUP")
    given = [TypedRow(0, position="1", code="4301-101", majors=("01", "02"), adjust="no")]
    content = understand(
        Typed(1, Act(), {"GEN": TypedColumn(tuple(given), institution_adjust=True)}), of, whole()
    ).content
    assert as_typed(content, of) == {"GEN": TypedColumn(tuple(given), institution_adjust=True)}


# --- strictness, over the page -----------------------------------------------------------------------


@pytest.fixture
def at(world: World, signed_in: tuple[Browser, Person]) -> Browser:
    world.batch("1")
    return signed_in[0]


@pytest.mark.parametrize(
    "extra",
    [
        ("GEN1-0-code", "4302"),
        ("GEN1-10-code", "4302"),
        ("GEN1-0-major7", "01"),
        ("GEN9-0-code", "4302"),
        ("content", "{}"),
        ("candidate_id", "1"),
        ("act", "check"),
        ("GEN1-institution_adjust", "yes"),
        ("GEN1-0-major1", "01"),
    ],
    ids=str,
)
def test_a_field_there_is_none_of_or_one_sent_twice_changes_nothing(
    at: Browser, world: World, extra: tuple[str, str]
) -> None:
    form = at.get("/preferences/1/edit").form(has="version")
    typed = rows("4301")
    fields = [(name, typed.pop(name, value)) for name, value in form.fields] + [*typed.items()]
    page = at.send("POST", "/preferences/1/edit", [*fields, ("act", "save"), extra])
    assert page.status == 400
    assert world.value("SELECT count(*) FROM drafts") == 0


@pytest.mark.parametrize(
    "act", ["", "publish", "up", "up GEN1", "up GEN1 10", "up GEN1 -1", "up GEN9 0", "save GEN1 0"]
)
def test_a_button_there_is_none_of_changes_nothing(at: Browser, world: World, act: str) -> None:
    form = at.get("/preferences/1/edit").form(has="version")
    page = at.send("POST", "/preferences/1/edit", [*form.fields, ("GEN1-0-code", "4301"), ("act", act)])
    assert page.status == 400
    assert world.value("SELECT count(*) FROM drafts") == 0


def test_an_answer_that_is_neither_yes_nor_no_changes_nothing(at: Browser, world: World) -> None:
    page = edit(at, rows("4301", adjust="maybe"))
    assert page.status == 400
    assert world.value("SELECT count(*) FROM drafts") == 0


def test_everything_typed_is_still_there_when_one_code_cannot_be_kept(at: Browser, world: World) -> None:
    page = edit(at, rows("4301", "湖南大学", "4303", majors="03 01"))
    assert page.status == 422
    assert world.value("SELECT count(*) FROM drafts") == 0
    assert page.title.split("：")[0] in {"错误", "Error"}
    assert 'href="#GEN1-1-code"' in page.text
    fields = dict(page.form(has="version").fields)
    assert [fields[f"GEN1-{at}-code"] for at in range(3)] == ["4301", "湖南大学", "4303"]
    assert [fields[f"GEN1-{at}-majors"] for at in range(3)] == ["03 01"] * 3
    assert fields["GEN1-1-adjust"] == "yes"
    page = press(at, page, {"GEN1-1-code": "4302"})
    assert page.status == 200
    assert draft(world) == ["4301", "4302", "4303"]


def test_full_width_digits_are_kept_plain(at: Browser, world: World) -> None:
    edit(at, rows("４３０１", majors="０１　０３"))
    assert slots(world)[0] == {"institution": "4301", "group": None, "majors": ["01", "03"], "major_adjust": True}


def test_majors_are_chosen_by_name_when_a_row_is_opened(at: Browser, world: World) -> None:
    edit(at, rows("4301", majors="01"))
    page = edit(at, {}, "edit GEN1 0")
    fields = page.form(has="version").names
    assert {"GEN1-0-major1", "GEN1-0-major6"} <= fields
    assert "GEN1-0-majors" not in fields
    press(at, page, {"GEN1-0-major1": "03", "GEN1-0-major2": "01"})
    assert slots(world)[0]["majors"] == ["03", "01"]
