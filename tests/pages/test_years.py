"""Both calendars we ship, on the pages: every batch can be edited, searched, printed, and a full list filed."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import pytest
from sqlalchemy import text

from admin.browser import Browser
from admin.commands.loading import calendar_of
from admin.intake import loading
from app.columns import BatchSpec, Calendar, ColumnSpec
from tests.makers import Member, World
from tests.pages.lists import confirm, in_english, press

OFFERS = 46
MAJORS = ("01", "02", "03", "04", "05", "06")
#: the batch with the most slots, and its column
WIDEST = {2017: ("1", "GEN1", "5"), 2024: ("20", "GEN", "PHY")}


@dataclass
class Year:
    """One year's calendar and a small catalogue for it, and one candidate of each subject class."""

    world: World
    calendar: Calendar
    members: dict[str, Member]


@pytest.fixture(params=[2017, 2024])
def year(request: pytest.FixtureRequest, world: World) -> Year:
    number: Literal[2017, 2024] = request.param
    calendar = calendar_of(number)
    loading.load_calendar(world.database, calendar.opened("W2", datetime.now(UTC)))
    world.do("INSERT INTO catalogues (version, source, digest, plans) VALUES (1, 'pages', '', 0)")
    world.do("UPDATE batches SET catalogue_version = 1, revision = revision + 1")
    for spec in calendar.batches:
        for column in spec.columns:
            for subject_class in spec.subject_classes:
                offer(world, spec, column, subject_class)
    classes = list(calendar.subject_classes)
    members = dict(zip(classes, world.crowd(len(classes), codes=40), strict=True))
    for subject_class, member in members.items():
        world.do(
            "UPDATE candidates SET subject_class = :class, score = 700 WHERE id = :id",
            **{"class": subject_class, "id": member.person.id},
        )
    world._count_again()
    return Year(world, calendar, members)


def offer(world: World, spec: BatchSpec, column: ColumnSpec, subject_class: str) -> None:
    """Offers for one column: as many as the widest list takes where that is tested, else two."""
    widest = (spec.code, column.code, subject_class) in WIDEST.values()
    values = [
        {
            "batch": spec.code,
            "class": subject_class,
            "column": column.code,
            "institution": f"{4000 + at}",
            "group": "101" if column.unit == "GROUP" else "",
            "major": major,
        }
        for at in range(OFFERS if widest else 2)
        for major in (MAJORS if widest else MAJORS[:1])
    ]
    with world.database.transaction() as session:
        session.execute(
            text("""
                INSERT INTO plans (version, batch_code, subject_class, column_code, institution_code, group_code,
                    major_code, institution_name, group_name, major_name, place, province_name, ownership, nature, tags,
                    tuition, years, quota, subject_first, subject_second, restricted, languages, sex, remark, initials,
                    major_initials)
                VALUES (1, :batch, :class, :column, :institution, :group, :major, '湖南信息职业技术学院', '',
                    '人工智能工程技术', '长沙市', '湖南省', '公办', '', '{}', 5000, 4, 10, '', '', '{}', '{}', '', '',
                    'HNXX', 'RGZN')
            """),
            values,
        )


@pytest.fixture
def browsers(year: Year, new_browser: Callable[[], Browser]) -> dict[str, Browser]:
    made = {}
    for subject_class, member in year.members.items():
        browser = new_browser()
        browser.cookies["__Host-sid"] = member.session_id
        made[subject_class] = in_english(browser)
    return made


def test_every_batch_of_a_class_has_its_pages(year: Year, browsers: dict[str, Browser]) -> None:
    seen = set()
    for subject_class, browser in browsers.items():
        listed = browser.get("/preferences")
        for spec in year.calendar.batches:
            mine = subject_class in spec.subject_classes
            assert any(href == f"/preferences/{spec.code}/edit" for _label, href in listed.links) == mine
            for page in ("edit", "catalogue", "check", "copy"):
                found = browser.get(f"/preferences/{spec.code}/{page}")
                assert found.status == (200 if mine else 403), (spec.code, page)
            if mine and spec.code not in seen:
                seen.add(spec.code)
                assert browser.get(f"/preferences/{spec.code}/draft-form.pdf").body.startswith(b"%PDF-")
    assert seen == {spec.code for spec in year.calendar.batches}


def test_the_longest_list_of_the_year_is_typed_and_filed(year: Year, browsers: dict[str, Browser]) -> None:
    batch, code, subject_class = WIDEST[year.calendar.year]
    browser, person = browsers[subject_class], year.members[subject_class].person
    column = year.calendar.batch(batch).column(code)
    assert column is not None
    page = browser.get(f"/preferences/{batch}/edit")
    for at in range(column.slots):
        typed = {
            f"{code}-{at}-code": f"{4000 + at}-101" if column.unit == "GROUP" else f"{4000 + at}",
            f"{code}-{at}-majors": " ".join(MAJORS),
            f"{code}-{at}-adjust": "yes",
        }
        page = press(browser, page, typed)
        assert page.status == 200
    assert len(page.body) < 256 * 1024
    page = confirm(browser, press(browser, page, {}, "check"), person)
    assert page.url.endswith(f"/filings/{batch}/1")
    assert len(re.findall(r"data-slot\s", page.text)) == column.slots
    assert browser.get(f"/filings/{batch}/1.pdf").body.startswith(b"%PDF-")
    held = year.world.value("SELECT content FROM filings")["columns"][code]["slots"]
    assert [len(slot["majors"]) for slot in held] == [6] * column.slots


def test_columns_that_are_not_open_to_a_candidate_say_why_and_have_no_fields(
    year: Year, browsers: dict[str, Browser]
) -> None:
    if year.calendar.year == 2024:
        browser, batch, closed = browsers["PHY"], "20", []
    else:
        browser, batch, closed = browsers["5"], "1", ["UNI", "ETH1", "PRE1"]
    names = browser.get(f"/preferences/{batch}/edit").form(has="version").names
    for column in year.calendar.batch(batch).columns:
        assert any(name.startswith(f"{column.code}-") for name in names) == (column.code not in closed)
