"""The auditor's search: found, in words, page by page, exported; each look is an entry itself."""

import hashlib
import io
import re
import zipfile
from collections.abc import Callable
from datetime import datetime
from itertools import chain

import pytest
from python_calamine import CalamineWorkbook

from admin.browser import Browser, Page
from admin.pages import auditing
from app import audit
from app.db import together
from app.evidence import masked
from app.pages import watchers
from app.web.formats import ZONE
from tests.admin.colleagues import Offices
from tests.makers import Person, World


@pytest.fixture
def person(world: World) -> Person:
    """A candidate with an account, in a province with one batch."""
    world.batch("1")
    found = world.candidate(name="李娜")
    world.activate(found)
    return found


@pytest.fixture
def auditor(world: World, person: Person, officer_browser: Callable[..., Browser]) -> Browser:
    """The province's auditor."""
    return officer_browser(world.province, "auditor", login="liang", name="梁静")


def note(world: World, act: str, **more: object) -> None:
    with world.database.transaction() as session:
        together(session, audit.entry(act, **({"actor": "command"} | more)))  # type: ignore[arg-type]


def search(browser: Browser, **asked: str) -> Page:
    return browser.submit(browser.get("/audit").form(has="since"), asked)


def rows(page: Page) -> int:
    return page.text.count('<tr role="row">') - 1


def last(world: World, act: str) -> dict[str, object]:
    return world.rows("SELECT * FROM audit WHERE act = :act ORDER BY id DESC LIMIT 1", act=act)[0]


def test_nothing_is_shown_before_a_search_and_each_one_is_remembered(
    world: World, auditor: Browser, person: Person
) -> None:
    page = auditor.get("/audit")
    assert "Nothing is shown before you search" in page.words
    assert world.value("SELECT count(*) FROM audit WHERE act LIKE 'audit.%'") == 0

    page = search(auditor, act="account.activated", since="2017-06-01T08:00")

    assert f"Account activated, card bound The candidate 李娜 {masked(person.candidate_no)}" in page.words
    entry = last(world, "audit.searched")
    assert entry["actor"] == "officer"
    assert entry["detail"] == {
        "office": world.province,
        "only": "account.activated",
        "since": str(datetime(2017, 6, 1, 8, tzinfo=ZONE)),
    }
    page = search(auditor, officer="liang")
    assert (
        "Audit searched 梁静 (liang), 湖南省 Act Account activated, card bound Since Thursday 1 June 2017, 08:00:00"
        in page.words
    )
    for time in ("0001-01-01T00:00", "9999-12-31T23:59"):
        assert search(auditor, since=time).status == 200
    assert "0001-01-01" in search(auditor, act="audit.searched").words


def test_a_candidate_is_found_by_the_whole_number_and_can_read_that_somebody_looked(
    world: World, auditor: Browser, person: Person
) -> None:
    other = world.candidate(name="王芳")
    world.activate(other)
    page = search(auditor, number=person.candidate_no)
    assert "李娜" in page.words
    assert "王芳" not in page.words
    assert person.candidate_no not in page.words
    assert person.candidate_no not in str(world.rows("SELECT * FROM audit"))
    looks = world.rows("SELECT act, office FROM officer_looks WHERE candidate_id = :id", id=person.id)
    assert looks == [{"act": "audit.searched", "office": "湖南省"}]
    assert "audit.searched" in watchers.ACTS

    assert search(auditor, number=person.candidate_no[:-1]).status == 400
    assert "Nothing was recorded that fits." in search(auditor, number="9" * 14).words
    assert search(auditor, number=other.candidate_no, office="430103").status == 422


def test_a_row_says_who_and_about_whom(world: World, auditor: Browser, offices: Offices, person: Person) -> None:
    who = offices.appoint(world.county, "operator", login="wangfang", name="王芳")
    page = search(auditor, act="officer.appointed", officer="王芳")
    assert "Officer appointed Command on the server 王芳 (wangfang) Role Operator" in page.words

    note(world, "officer.sign_in_refused", actor="officer", officer_id=who.id, device="Chrome · Windows")
    page = search(auditor, act="officer.sign_in_refused")
    assert "Somebody who has not signed in 王芳 (wangfang) Device Chrome · Windows" in page.words

    known = {"actor": "officer", "officer_id": who.id, "candidate_id": person.id, "office": world.county}
    note(world, "candidate.called", **known, batch=world.value("SELECT id FROM batches"), outcome="no_answer")
    page = search(auditor, act="candidate.called", actor="officer", batch="1")
    words = f"王芳 (wangfang), 芙蓉区 李娜 {masked(person.candidate_no)} Batch 本科一批 Outcome No answer"
    assert words in page.words

    outcome = [["Takes effect", "@2017-06-27T10:00:00+00:00"]]
    note(world, "proposal.approved", actor="officer", officer_id=who.id, kind="batch.end", outcome=outcome)
    page = search(auditor, act="proposal.approved")
    assert "Kind Move the end of a batch Outcome Takes effect Tuesday 27 June 2017, 18:00:00" in page.words

    note(world, "something.unforeseen", strange=["a", "b"], challenge="5ec2e7")
    page = search(auditor, actor="command")
    assert "something.unforeseen Command on the server strange a, b" in page.words
    assert "5ec2e7" not in page.words


def test_pages_go_to_older_entries_and_back_without_losing_one(world: World, auditor: Browser) -> None:
    world.do(
        "INSERT INTO audit (at, actor, act, detail) SELECT TIMESTAMPTZ '2017-06-27 18:00+08' + g % 7 * interval '1 s',"
        " 'command', 'tallies.snapshot', jsonb_build_object('rows', g) FROM generate_series(1, 120) g"
    )

    def seen(page: Page) -> list[str]:
        return re.findall(r"Rows</dt><dd>(\d+)<", page.text)

    pages = [search(auditor, act="tallies.snapshot")]
    for turn in ("older", "older"):
        form = next(form for form in pages[-1].forms if ("turn", turn) in form.fields)
        pages.append(auditor.submit(form))
    assert [len(seen(page)) for page in pages] == [50, 50, 20]
    order = world.rows(
        "SELECT detail ->> 'rows' AS n FROM audit WHERE act = 'tallies.snapshot' ORDER BY at DESC, id DESC"
    )
    assert list(chain.from_iterable(map(seen, pages))) == [row["n"] for row in order]
    note(world, "tallies.snapshot", rows=121)
    back = next(form for form in pages[-1].forms if ("turn", "newer") in form.fields)
    assert seen(auditor.submit(back)) == seen(pages[1])
    assert world.value("SELECT count(*) FROM audit WHERE act = 'audit.searched'") == 4
    # what was recorded since belongs to the next search
    assert seen(auditor.page)[0] != "121" == seen(search(auditor, act="tallies.snapshot"))[0]
    for wrong in (("key", "yesterday 1"), ("key", "2017-06-27T10:00:04+00:00 x"), ("as_of", "2017-06-27")):
        assert (
            auditor.send("POST", "/audit", [*(one for one in back.fields if one[0] != wrong[0]), wrong]).status == 404
        )


def test_what_cannot_be_read_is_said_at_its_field(world: World, auditor: Browser) -> None:
    for field, typed, said in (
        ("since", "yesterday", "This is no date and time."),
        ("until", "2017-06-31T08:00", "This is no date and time."),
        ("until", "2017-06-01T08:00", "The end must be later than the begin."),
        ("number", "1743", "A candidate number has 14 digits."),
        ("office", "4301", "A code has six digits"),
    ):
        page = search(auditor, **({"since": "2017-06-02T08:00"} | {field: typed}))
        assert page.status == 400
        assert f'<a href="#{field}">{said}' in page.text
    assert world.value("SELECT count(*) FROM audit WHERE act = 'audit.searched'") == 0


def test_a_search_that_takes_too_long_asks_for_less(world: World, auditor: Browser) -> None:
    form = auditor.get("/audit").form(has="since")
    # a rule that takes its time stands in for ten million rows
    world.do("ALTER POLICY within_scope ON audit USING ((SELECT pg_sleep(4) IS NOT NULL))")
    page = auditor.submit(form, {})
    assert page.status == 422
    assert "Choose a shorter time" in page.words


def test_the_file_is_the_list_and_its_digest_is_in_the_audit(
    world: World, auditor: Browser, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(world, "candidate.moved", candidate_id=person.id, reason="=HYPERLINK(A1)", class_no="+1")
    page = search(auditor, number=person.candidate_no)
    shown = rows(page)
    file = auditor.submit(page.form(action="/audit/export"))

    table = CalamineWorkbook.from_filelike(io.BytesIO(file.body)).get_sheet_by_index(0).to_python()
    head = next(at for at, line in enumerate(table) if line[0] == "Time")
    assert len(table) - head - 1 == shown == 3
    assert table[head + 1][1:5] == [
        "Candidate registered at another point",
        "Command on the server",
        f"李娜 {masked(person.candidate_no)}",
        "Reason: =HYPERLINK(A1)\nClass: +1",
    ]
    assert person.candidate_no not in str(table)
    assert b"<f>" not in zipfile.ZipFile(io.BytesIO(file.body)).read("xl/worksheets/sheet1.xml")
    entry = last(world, "audit.exported")
    assert entry["candidate_id"] == person.id
    assert entry["detail"] == {
        "office": world.province,
        "number": masked(person.candidate_no),
        "entries": 3,
        "sha256": hashlib.sha256(file.body).hexdigest(),
    }

    monkeypatch.setattr(auditing, "MOST", 2)
    file = auditor.submit(search(auditor, number=person.candidate_no).form(action="/audit/export"))
    table = CalamineWorkbook.from_filelike(io.BytesIO(file.body)).get_sheet_by_index(0).to_python()
    assert "The newest 2 entries." in str(table)
    assert len(table) - head - 2 == 2


def test_a_file_leaves_after_a_fresh_proof_only(world: World, auditor: Browser, person: Person) -> None:
    form = search(auditor, number=person.candidate_no).form(action="/audit/export")
    world.do("UPDATE officer_sessions SET proved_at = proved_at - interval '6 minutes'")
    assert auditor.submit(form).status == 403
    assert world.value("SELECT count(*) FROM audit WHERE act = 'audit.exported'") == 0
    note(world, "filing.confirmed", actor="candidate", candidate_id=person.id, batch="1")
    page = search(auditor, number=person.candidate_no, batch="1")
    assert not any(one.action == "/audit/export" for one in page.forms)
    assert '/prove?next=/audit?batch%3D1"' in page.text
    assert ("batch", "1") in auditor.get("/audit?batch=1&number=1").form(has="since").fields
