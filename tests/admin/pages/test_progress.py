"""The progress pages: tables of each level, names of a point, exports."""

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import Connection

from admin import snapshots
from admin.browser import Browser, Page
from admin.categories import Category, Counts, Part, Row, Stage
from admin.completeness import CATEGORIES, windows
from admin.scope import Place
from tests.admin.colleagues import PASSWORD, Offices
from tests.filing import file
from tests.fixtures import SITE
from tests.makers import World


@pytest.fixture
def busy(world: World) -> World:
    """A school with three candidates, one of them with a draft whose content nobody here may see."""
    batch = world.batch("1", closes=timedelta(hours=30))
    world.batch("2", name="本科二批", opens=timedelta(hours=40), closes=timedelta(hours=50))
    world.candidate(name="=HYPERLINK(1)", class_no="301")
    person = world.candidate(name="李娜", class_no="302")
    world.activate(person)
    world.do(
        "INSERT INTO drafts (candidate_id, batch_id, content, version, updated_at)"
        ' VALUES (:id, :batch, \'{"columns": {"GEN1": "湘江大学4301"}}\', 1, clock_timestamp())',
        id=person.id,
        batch=batch,
    )
    world.candidate(name="王伟", class_no="302")
    world._count_again()
    return world


def rows_of(page: Page) -> list[list[Any]]:
    assert page.header("Content-Type").startswith("application/vnd.openxmlformats")
    return CalamineWorkbook.from_filelike(io.BytesIO(page.body)).get_sheet_by_index(0).to_python()


def test_from_the_province_down_to_a_class(officer_browser: Callable[..., Browser], busy: World) -> None:
    browser = officer_browser(busy.province)
    assert browser.get("/").heading == "Progress: 湖南省"
    assert "0 of 3 have filed or waived, 3 have not." in browser.page.words
    for name in ("长沙市", "芙蓉区", "长沙市第一中学"):
        assert browser.click(name).heading == f"Progress: {name}"
    assert "Class 302: 2 Name Candidate no. State 李娜 17********" in browser.page.words
    page = browser.click("302")
    assert page.heading == "Progress: 长沙市第一中学, class 302"
    assert "王伟" in page.text
    assert "HYPERLINK" not in page.text
    for name in ("长沙市第一中学", "芙蓉区", "长沙市", "湖南省"):
        assert browser.click(name).heading == f"Progress: {name}"


def test_whether_and_never_what(officer_browser: Callable[..., Browser], busy: World) -> None:
    browser = officer_browser(busy.point)
    for address in ("", "?state=draft_only", "?class=302", "?batch=2"):
        assert "湘江大学" not in browser.get(f"/progress/{busy.point}{address}").text
    person = busy.rows("SELECT candidate_no FROM candidates")
    assert all(row["candidate_no"] not in browser.page.text for row in person)


def test_a_state_is_chosen(officer_browser: Callable[..., Browser], busy: World) -> None:
    browser = officer_browser(busy.point)
    form = browser.get("/progress").form(action="#names")
    fields = dict(form.fields) | {"state": "draft_only"}
    page = browser.send("GET", f"/progress/{busy.point}", list(fields.items()))
    assert "Names: Draft only" in page.words
    assert ("李娜" in page.text, "王伟" in page.text) == (True, False)


def test_a_batch_is_chosen_and_kept_on_the_way_down(officer_browser: Callable[..., Browser], busy: World) -> None:
    browser = officer_browser(busy.county)
    page = browser.get("/progress")
    assert "closes" in page.words
    page = browser.submit(page.form(action="/progress", has="batch"), {"batch": "2"})
    assert "opens" in page.words
    page = browser.click("长沙市第一中学")
    assert "batch=2" in page.url
    assert "Nothing filed 王伟" in page.words  # whose neighbour has a draft in the other batch only


def test_columns_sort_one_way_and_the_other(officer_browser: Callable[..., Browser], busy: World) -> None:
    browser = officer_browser(busy.point)
    page = browser.get("/progress")
    assert 'aria-sort="ascending"' in page.text
    page = browser.click("Never signed in")
    assert ("sort=never_signed_in" in page.url, 'aria-sort="descending"' in page.text) == (True, True)
    page = browser.click("Never signed in")
    assert "sort=-never_signed_in" in page.url
    assert "&#39;" not in page.heading


@pytest.mark.parametrize(
    "question", ["batch=9", "sort=name", "sort=--share", "state=content", "batch=1&state=%27", "sort=%00"]
)
def test_what_there_is_not_is_not_found(officer_browser: Callable[..., Browser], busy: World, question: str) -> None:
    assert officer_browser(busy.point).get(f"/progress/{busy.point}?{question}").status == 404


def test_a_class_that_is_not_there_is_empty(officer_browser: Callable[..., Browser], busy: World) -> None:
    page = officer_browser(busy.point).get(f"/progress/{busy.point}?class=%3Cscript%3E")
    assert page.status == 200
    assert "<script>&" not in page.text
    assert "Nobody here files in this batch." in page.words


def test_a_province_without_batches(officer_browser: Callable[..., Browser]) -> None:
    page = officer_browser().get("/progress")
    assert (page.status, "There are no batches yet" in page.words) == (200, True)


def test_a_table_as_a_file(officer_browser: Callable[..., Browser], busy: World) -> None:
    browser = officer_browser(busy.province)
    page = browser.get("/progress")
    page = browser.submit(page.form(action="/export"), button="table")
    rows = rows_of(page)
    assert rows[1][:2] == ["Office", "湖南省"]
    assert rows[6] == ["Prefecture", "Eligible", "Never signed in", "Card not bound", "Nothing filed", "Draft only",
                       "Filed", "Waived", "Not eligible", "Filed or waived"]  # fmt: skip
    assert rows[7] == ["长沙市", 3, 2, 0, 0, 1, 0, 0, 0, 0]
    assert rows[8][:2] == ["Total", 3]
    assert "filename*=UTF-8''" in page.header("Content-Disposition")
    entry = busy.rows("SELECT act, actor, detail FROM audit ORDER BY id DESC LIMIT 1")[0]
    assert (entry["act"], entry["actor"]) == ("progress.counts_exported", "officer")
    assert entry["detail"]["batch"] == "1"


def test_names_leave_only_after_a_fresh_proof(
    officer_browser: Callable[..., Browser], offices: Offices, busy: World
) -> None:
    browser = officer_browser()
    who = offices.appoint(busy.point)
    browser.cookies["__Host-oid"] = offices.open_session(who)
    page = browser.get("/progress")
    form = page.form(action="/export", has="table")
    busy.do("UPDATE officer_sessions SET proved_at = proved_at - interval '6 minutes'")
    assert browser.submit(form, button="table", value="counts").status == 200
    browser.get("/progress")
    assert browser.submit(form, {"table": "names"}).status == 403
    browser.get("/progress")
    page = browser.click("Download these names")
    assert page.url.startswith(f"{SITE}/prove?next=")
    values = {"password": PASSWORD, "digits": offices.digits(who)}
    page = browser.submit(page.form(has="digits"), values)
    assert page.heading == "Progress: 长沙市第一中学"
    names = next(form for form in page.forms if ("table", "names", "Download these names (xlsx)") in form.buttons)
    rows = rows_of(browser.submit(names, button="table"))
    assert [[row[0], row[1], row[3]] for row in rows[7:]] == [
        ["301", "=HYPERLINK(1)", "Never signed in"],
        ["302", "李娜", "Draft only"],
        ["302", "王伟", "Never signed in"],
    ]
    assert all(str(row[2]).startswith("17********") for row in rows[7:])
    assert busy.value("SELECT act FROM audit ORDER BY id DESC LIMIT 1") == "progress.names_exported"


def test_the_system_administrator_sees_counts_and_no_names(
    officer_browser: Callable[..., Browser], busy: World
) -> None:
    browser = officer_browser(busy.point, "system_admin")
    page = browser.get("/progress")
    assert ("302" in page.text, "李娜" in page.text) == (True, False)
    form = page.form(action="/export", has="table")
    assert browser.submit(form, {"table": "names"}).status == 403


def test_only_tables_there_are_are_exported(officer_browser: Callable[..., Browser], busy: World) -> None:
    for office_id, table in ((busy.point, "content"), (busy.county, "names")):
        browser = officer_browser(office_id)
        form = browser.get("/progress").form(action="/export", has="table")
        assert browser.submit(form, {"table": table}).status == 404


def test_differences_the_curve_and_who_dropped_out(officer_browser: Callable[..., Browser], world: World) -> None:
    world.batch("1", closes=timedelta(hours=5))
    people = [world.candidate(name=name, class_no="301") for name in ("刘洋", "张敏", "陈静")]
    sessions = [world.activate(person) for person in people]
    file(world, people[0], sessions[0], "1", "4301")
    with world.database.transaction() as session:
        snapshots.take(session)
    file(world, people[0], sessions[0], "1")  # gives up what he had filed
    file(world, people[1], sessions[1], "1", "4302")
    # an hour and more passes; nobody but a test that switches the guard off moves a filing
    world.do("ALTER TABLE filings DISABLE TRIGGER append_only")
    world.do("UPDATE filings SET filed_at = filed_at - interval '2 hours' WHERE number = 1 AND candidate_id = :id",
             id=people[0].id)  # fmt: skip
    world.do("UPDATE tally_snapshots SET taken_at = taken_at - interval '45 minutes'")
    browser = officer_browser(world.county)
    page = browser.get("/progress")
    assert "+1 more" in page.words
    assert "Filed or waived, 芙蓉区" in page.text
    assert page.text.count("<polyline") == 1
    page = browser.click("Since ")
    assert ("sort=hour" in page.url, page.status) == (True, 200)
    rows = rows_of(browser.submit(page.form(action="/export"), button="table"))
    assert [row[-2:] for row in rows[7:]] == [[1, 1], [1, 1]]
    browser = officer_browser(world.province)
    browser.get("/progress")
    for name in ("长沙市", "芙蓉区"):
        page = browser.click(f"1 {name}")
        assert ("sort=dropped" in page.url, "刘洋" in page.text) == (True, False)
    page = browser.click("1 长沙市第一中学")
    assert page.url.startswith(f"{SITE}/progress/{world.point}?")
    assert 'id="dropped"' in page.text
    assert "刘洋 17********" in page.words
    assert "301 gave the batch up" in page.words
    page = browser.get(f"/progress/{world.point}?class=302")
    assert "Everybody who had filed then still has." in page.words


def test_a_category_joins_without_a_page_of_its_own(
    officer_browser: Callable[..., Browser], busy: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = (Stage("due", "To be examined", "missing"), Stage("done", "Examined", "settled", good=True))

    def parts(connection: Connection, place: Place) -> list[Part]:
        counts = Counts(stages, (1, 3))
        row = Row("1", "1", place.name, counts)
        return [replace(part, name="体检", rows=(row,), total=counts) for part in windows(connection)[:1]]

    summary = "%(settled)s of %(eligible)s are examined, %(missing)s are not."
    exam = Category(
        "physical", "Physical examination", stages, "Examined so far", summary, windows, parts, lambda *_: []
    )
    monkeypatch.setitem(CATEGORIES, exam.code, exam)
    browser = officer_browser(busy.county)
    page = browser.get(f"/progress/{busy.county}?of=physical")
    assert "3 of 4 are examined, 1 are not." in page.words
    assert "To be examined Examined Examined so far" in page.words
    assert "<polyline" not in page.text
    assert "of=physical" in browser.click("Examined").url
    assert rows_of(browser.submit(browser.page.form(action="/export"), button="table"))[7][1:4] == [4, 1, 3]
    assert "Never signed in" in browser.get(f"/progress/{busy.county}?of=preferences").words
    assert browser.get(f"/progress/{busy.county}?of=scores").status == 404
