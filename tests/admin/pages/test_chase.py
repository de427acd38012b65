"""The chase pages: the list, the log, a number for a reason, sheets without secrets, files."""

import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from admin.browser import Browser
from app import drafts
from tests.admin.colleagues import in_english
from tests.makers import Person, World, content


@pytest.fixture
def school(world: World) -> World:
    """Two candidates to call; the draft of one names an institution that nobody here may see."""
    batch = world.batch("1", closes=timedelta(hours=10))
    drafter = world.candidate(name="李娜", class_no="302")
    world.activate(drafter)
    with world.database.transaction() as session:
        drafts.save(session, drafter.id, batch, content("4307"), 0)
    world.candidate(name="=HYPERLINK(1)", class_no="301")
    return world


def of(world: World, name: str) -> Person:
    return next(person for person in world.people.values() if person.name == name)


def phones(world: World) -> list[str]:
    return [
        world.sealer.open(bytes(row["mobile_sealed"]), column="mobile", row=row["id"])
        for row in world.rows("SELECT id, mobile_sealed FROM candidates")
    ]


def secrets_of(world: World) -> list[str]:
    """What no list, sheet or file may show."""
    found = [secret for person in world.people.values() for secret in (person.id_no, person.candidate_no)]
    return [*found, *phones(world), "湘江大学", "4307"]


def test_from_the_county_to_a_call(officer_browser: Callable[..., Browser], school: World) -> None:
    browser = officer_browser(school.county)
    browser.get("/progress")
    page = browser.click("Chase")
    assert "1 of 1 registration points with somebody missing have called nobody in the last 24 hours." in page.words
    page = browser.click("长沙市第一中学")
    assert (
        "2 candidates have nothing in force. 2 were never called, 0 are to be called again now." in browser.page.words
    )
    page = browser.click("李娜")
    assert "Draft only" in page.words
    page = browser.submit(page.form(action="/call"))
    assert (page.status, "Choose what came of the call." in page.words) == (400, True)
    values = {"outcome": "will_file", "again": "hour", "note": "mother  answered"}
    page = browser.submit(page.form(action="/call"), values)
    assert "The call is noted." in page.words
    assert "Reached: will file mother answered" in page.words
    browser.get(f"/chase/{school.point}")
    assert "1 were never called" in browser.page.words
    page = browser.get(f"/chase/{school.county}")
    assert "0 of 1 registration points with somebody missing have called nobody" in page.words


def test_a_number_is_shown_once_for_a_reason_and_the_candidate_can_read_it(
    officer_browser: Callable[..., Browser], school: World, new_browser: Callable[[], Browser]
) -> None:
    person = of(school, "李娜")
    number = phones(school)[0]
    browser = officer_browser(school.point)
    page = browser.get(f"/chase/person/{person.id}")
    assert (number in page.text, "138****" in page.text) == (False, True)
    page = browser.submit(page.form(action="/phone"), {"reason": "x"})
    assert (page.status, number in page.text) == (400, False)
    page = browser.submit(page.form(action="/phone"), {"reason": "remind of the draft"})
    assert (page.status, number in page.text, "49 more today" in page.words) == (200, True, True)
    assert number not in browser.get(f"/chase/person/{person.id}").text

    candidate = in_english(new_browser())
    candidate.cookies["__Host-sid"] = school.door.sign_in(
        person.candidate_no, person.password, school.where()
    ).session_id  # type: ignore[union-attr]
    candidate.get("/account")
    page = candidate.click("Which officers looked")
    assert re.search(r"长沙市第一中学, Operator Looked at your phone number in full remind of the draft", page.words), (
        page.words
    )
    assert "周敏" not in page.text


def test_beyond_the_days_number_the_page_says_what_to_do(
    officer_browser: Callable[..., Browser], school: World, offices_app: Any
) -> None:
    services = offices_app.extensions["zhiyuan"]
    most = services.settings.reveals_per_day
    assert most == 50
    person = of(school, "李娜")
    browser = officer_browser(school.point)
    school.do(
        "INSERT INTO audit (actor, officer_id, act, detail) SELECT 'officer', o.id, 'phone.revealed', '{}'"
        " FROM officers o, generate_series(1, 50)"
    )
    page = browser.get(f"/chase/person/{person.id}")
    page = browser.submit(page.form(action="/phone"), {"reason": "remind of the draft"})
    assert (page.status, phones(school)[0] in page.text) == (429, False)
    assert "Ask a colleague, or go on tomorrow." in page.words


def test_lists_and_sheets_hold_no_secret(officer_browser: Callable[..., Browser], school: World) -> None:
    browser = officer_browser(school.point)
    page = browser.page
    for address in (f"/chase/{school.point}", f"/chase/{school.point}/sheet", f"/chase/{school.point}/sheet?class=302"):
        page = browser.get(address)
        assert (page.status, "李娜" in page.text) == (200, True)
        assert [secret for secret in secrets_of(school) if secret in page.text] == []
    assert "HYPERLINK" not in page.text  # another class
    assert "Class 302: not yet filed" in page.words
    assert "1 candidate Name Candidate no. State Phone What they said 李娜 17********" in page.words
    school.do("UPDATE batches SET suspended_at = clock_timestamp()")
    assert "Closes paused, the end will be moved" in browser.get(address).words
    assert "nobody can file in this batch now" in browser.get(f"/chase/{school.point}").words


def test_the_list_as_a_file_needs_a_fresh_proof_and_holds_no_secret(
    officer_browser: Callable[..., Browser], school: World
) -> None:
    browser = officer_browser(school.point)
    form = browser.get(f"/chase/{school.point}").form(action="/export")
    page = browser.submit(form)
    rows = CalamineWorkbook.from_filelike(io.BytesIO(page.body)).get_sheet_by_index(0).to_python()
    assert rows[6] == ["Class", "Name", "Candidate no.", "State", "Phone", "Last call", "Next call"]
    assert {row[1] for row in rows[7:]} == {"李娜", "=HYPERLINK(1)"}
    assert [secret for secret in secrets_of(school) if secret in str(rows)] == []
    assert school.value("SELECT count(*) FROM audit WHERE act = 'chase.exported'") == 1
    school.do("UPDATE officer_sessions SET proved_at = proved_at - interval '6 minutes'")
    assert browser.submit(form).status == 403


def test_the_points_as_a_file(officer_browser: Callable[..., Browser], school: World) -> None:
    browser = officer_browser(school.province)
    page = browser.submit(browser.get(f"/chase/{school.province}").form(action="/export"))
    rows = CalamineWorkbook.from_filelike(io.BytesIO(page.body)).get_sheet_by_index(0).to_python()
    assert rows[7] == ["长沙市第一中学", "芙蓉区", 2, 0, "nobody called"]


@pytest.mark.parametrize("question", ["state=filed", "state=content", "hours=5", "page=x", "batch=9"])
def test_what_there_is_not_is_not_found(officer_browser: Callable[..., Browser], school: World, question: str) -> None:
    assert officer_browser(school.point).get(f"/chase/{school.point}?{question}").status == 404


def test_a_long_list_goes_on_over_pages(officer_browser: Callable[..., Browser], school: World) -> None:
    school.do("""
        INSERT INTO candidates (candidate_no, name, sex, birth_date, id_no_sealed, id_no_index, ethnicity,
            subject_class, second_subjects, language, point_id, class_no, hukou_county, qualifications, restrictions)
        SELECT '174301021999' || lpad(n::text, 2, '0'), 'N' || n, '1', '1999-01-01', '', n::text::bytea, '01', '5',
               '{}', '1', :point, '303', '430102', '{}', '{}' FROM generate_series(0, 99) n
    """, point=school.point)  # fmt: skip
    browser = officer_browser(school.point)
    first = browser.get(f"/chase/{school.point}")
    assert "102 candidates have nothing in force." in first.words
    second = browser.click("Next")
    assert "page=2" in second.url
    assert len(re.findall("/chase/person/", second.text)) == 2
