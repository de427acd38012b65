"""The pages of custody, as officers of each level use them without script: from the lot to the pupil's hand."""

import re
from collections.abc import Callable
from io import BytesIO

import pytest
from python_calamine import CalamineWorkbook

from admin.browser import Browser, Page
from admin.spans import Span, serial_of, shown
from tests.admin.colleagues import Offices
from tests.admin.keepers import Keepers
from tests.makers import Person, World


def submit(browser: Browser, page: Page, has: str, button: str = "", value: str = "", **typed: str) -> Page:
    return browser.submit(page.form(has=has), typed, button=button, value=value)


@pytest.fixture
def person(world: World) -> Person:
    return world.candidate(card=False)


def test_from_the_statement_to_the_pupils_hand(
    officer_browser: Callable[..., Browser], keepers: Keepers, world: World, person: Person
) -> None:
    keepers.lot("1701", 20)
    first, second = officer_browser(world.province), officer_browser(world.province, "approver")
    page = first.get("/lots")
    assert "statement missing" in page.words
    page = first.click("Enter the statement")
    typed = {"printed": "20", "delivered": "19", "spoiled": shown(17010000004), "reason": "no. 12 of 3 May"}
    assert submit(first, page, "printed", **(typed | {"delivered": "20"})).status == 422
    assert submit(first, page, "printed", **(typed | {"spoiled": "1701 0000 0010"})).status == 400
    page = submit(first, page, "printed", **typed)
    assert "A second officer decides" in page.words

    page = second.get("/acts")
    page = second.click("Take a lot in: 1701")
    assert "no. 12 of 3 May" in page.words
    assert submit(second, page, "word", word="1702").status == 422
    page = submit(second, page, "word", word=" 17 01 ")
    assert "Approved and done" in page.words
    assert second.get("/stock").words.count("19") >= 1

    giver = first
    for office in (world.prefecture, world.county, world.point):
        page = giver.get("/transfers/send")
        spans = f"{shown(17010000001)} – {shown(17010000006)}\n{shown(17010000011)}"
        page = submit(giver, page, "spans", receiver=str(office), spans=spans)
        number = page.url.rsplit("/", 1)[1]
        giver.get(f"{page.url}/protocol.pdf")
        assert giver.page.header("Content-Type") == "application/pdf"
        giver = officer_browser(office)
        page = giver.get("/stock")
        assert "Boxes wait to be counted" in page.words
        page = giver.get(f"/transfers/{number}/boxes/1")
        assert submit(giver, page, "counted", "act", "count", counted="6").status == 422  # one of them is spoiled
        page = submit(giver, page, "counted", "act", "count", counted="5")
        assert "Box 1 is in your stock" in page.words
        page = giver.get(f"/transfers/{number}/boxes/2")
        page = submit(giver, page, "scanned", "act", "scan", scanned=shown(17010000011).replace(" ", ""))
        assert "Box 2 is in your stock" in page.words
        assert "counted already" in giver.get(f"/transfers/{number}/boxes/2").words
    keepers.require_balance()

    page = giver.get("/stock")
    page = giver.click("Hand out cards")
    page = submit(giver, page, "serial", number=person.candidate_no)  # a scanner's Enter after the first field
    assert (page.status, person.name in page.words) == (200, True)
    assert re.search(r"<input[^>]*autofocus[^>]*id=.id_tail", page.text)
    page = submit(giver, page, "serial", id_tail=person.id_no[-6:])
    assert page.status == 200
    page = submit(giver, page, "serial", serial=serial_of(17010000001))
    assert f"has card {shown(17010000001)}" in page.words
    assert world.value("SELECT holder_id FROM cards WHERE serial = :s", s=serial_of(17010000001)) == person.id
    assert world.value("SELECT kind FROM notices ORDER BY id DESC LIMIT 1") == "card_handed"
    keepers.require_balance()


@pytest.mark.parametrize(
    ("typed", "status", "words"),
    [
        ({"number": "17430102199999"}, 422, "No candidate of your registration point"),
        ({"id_tail": "000000"}, 422, "Compare the card again"),
        ({"serial": serial_of(17010000009)}, 422, "not in your stock"),  # the county's
        ({"serial": serial_of(17010000003)}, 422, "not in your stock"),  # held back
        ({"serial": "1701 0000 0010"}, 400, "This is no serial"),
        ({"number": "1743"}, 400, "14 digits"),
    ],
)
def test_why_a_card_is_not_handed_out(
    officer_browser: Callable[..., Browser],
    keepers: Keepers,
    world: World,
    person: Person,
    typed: dict[str, str],
    status: int,
    words: str,
) -> None:
    span = keepers.take_in(cards=10)
    keepers.bring(world.point, Span(span.first, span.first + 4))
    world.do("UPDATE cards SET state = 'void' WHERE serial = :serial", serial=serial_of(17010000003))
    browser = officer_browser(world.point)
    right = {"number": person.candidate_no, "id_tail": person.id_no[-6:], "serial": serial_of(span.first)}
    page = submit(browser, browser.get("/hand-over"), "serial", **(right | typed))
    assert page.status == status
    assert words in page.words
    assert world.value("SELECT count(*) FROM handovers") == 0
    remembered = world.value("SELECT count(*) FROM audit WHERE act = 'card.not_handed'")
    assert remembered == (1 if status == 422 else 0)


def test_a_second_card_within_five_seconds_waits(
    officer_browser: Callable[..., Browser], keepers: Keepers, world: World, person: Person
) -> None:
    span = keepers.take_in(cards=10)
    keepers.bring(world.point, span)
    other = world.candidate(card=False)
    browser = officer_browser(world.point)
    pages = [
        submit(
            browser,
            browser.get("/hand-over"),
            "serial",
            number=who.candidate_no,
            id_tail=who.id_no[-6:],
            serial=serial_of(span.first + at),
        )
        for at, who in enumerate((person, other))
    ]
    page = pages[-1]
    assert [one.status for one in pages] == [200, 429]
    assert "One card in five seconds" in page.words
    assert serial_of(span.first + 1) in page.text  # what was typed is kept


def test_differences_are_seen_reported_and_settled(
    officer_browser: Callable[..., Browser], keepers: Keepers, world: World
) -> None:
    span = keepers.take_in(cards=10)
    keepers.bring(world.county, span)
    transfer = keepers.send(world.county, world.point, Span(span.first, span.first + 2))
    point, county = officer_browser(world.point), officer_browser(world.county)
    page = point.get(f"/transfers/{transfer}/boxes/1")
    scanned = "\n".join(shown(span.first + at) for at in (0, 2, 5))
    page = submit(point, page, "scanned", "act", "scan", scanned=scanned)
    assert page.status == 422
    form = page.form(has="missing")
    assert dict(form.fields)["missing"].strip() == shown(span.first + 1)
    assert dict(form.fields)["extra"].strip() == shown(span.first + 5)
    page = point.submit(form, button="act", value="report")
    assert "Box 1 differs: reported" in page.words
    assert point.get(f"/transfers/{transfer}/boxes/1/settle").status == 404
    page = county.get(f"/transfers/{transfer}")
    page = county.get(f"/transfers/{transfer}/boxes/1/settle")
    page = submit(county, page, "reason", settling="void", reason="looked for in vain")
    act = page.url
    second = officer_browser(world.county, "approver")
    page = submit(second, second.get(act), "word", word=f"{transfer}-1")
    assert "Approved and done" in page.words
    assert second.get(f"{act}/protocol.pdf").header("Content-Type") == "application/pdf"
    keepers.require_balance()
    assert keepers.counts(world.point) == (2, 2, 0, 0, 0)


def test_a_replacement_takes_two_officers_and_is_in_force_at_once(
    officer_browser: Callable[..., Browser], keepers: Keepers, world: World
) -> None:
    world.batch("1")
    person = world.candidate()
    world.activate(person)
    span = keepers.take_in("1777", cards=5)
    keepers.bring(world.point, span)
    first, second = officer_browser(world.point), officer_browser(world.county)
    page = first.get(f"/counter/{person.id}")
    page = first.click("Replace the card")
    typed = {"cause": "lost", "reason": "lost on the bus", "id_tail": person.id_no[-6:], "seen": "y"}
    assert submit(first, page, "serial", serial=person.serial, **typed).status == 422  # not of the stock
    page = submit(first, page, "serial", serial=serial_of(span.first), **typed)
    act = page.url
    assert world.value("SELECT state FROM cards WHERE serial = :s", s=person.serial) == "bound"  # still
    own = [*page.form(has="mark").fields, ("word", serial_of(span.first))]
    assert first.send("POST", f"{act}/approve", own).status == 403
    page = submit(second, second.get(act), "word", word=shown(span.first))
    assert "Approved and done" in page.words
    assert world.value("SELECT state FROM cards WHERE serial = :s", s=person.serial) == "replaced"
    assert world.value("SELECT count(*) FROM bindings WHERE candidate_id = :id", id=person.id) == 0
    assert world.value("SELECT not_bound FROM tallies") == 1
    assert world.value("SELECT kind FROM notices ORDER BY id DESC LIMIT 1") == "card_handed"
    both = world.rows("SELECT officer_id, second_id FROM handovers")[0]
    assert len(set(both.values()) - {None}) == 2


def test_what_an_office_above_has_proposed_is_not_shown_to_who_proposes_it_again(
    officer_browser: Callable[..., Browser], keepers: Keepers, world: World
) -> None:
    person = world.candidate()
    world.activate(person)
    span = keepers.take_in("1777", cards=4)
    keepers.bring(world.point, Span(span.first, span.first + 1))
    keepers.bring(world.county, Span(span.first + 2, span.last))
    keepers.ask_replacement(keepers.at(world.county), person, serial_of(span.last))
    school = officer_browser(world.point)
    typed = {"cause": "lost", "reason": "lost on the bus", "id_tail": person.id_no[-6:], "seen": "y"}
    page = submit(school, school.get(f"/counter/{person.id}/replace"), "serial", serial=serial_of(span.first), **typed)
    assert (page.status, "This is proposed already" in page.title) == (409, True)
    assert serial_of(span.last) not in page.text


def test_the_register_and_its_exports_hold_no_secret(
    officer_browser: Callable[..., Browser], keepers: Keepers, world: World, person: Person
) -> None:
    span = keepers.take_in(cards=5)
    keepers.bring(world.point, span)
    keepers.hand_over(world.point, person, serial_of(span.first))
    browser = officer_browser(world.point)
    page = browser.get(f"/register/{world.point}")
    assert shown(span.first) in page.words
    assert person.candidate_no not in page.text
    form = page.form(action=f"/register/{world.point}/export")
    sheet = browser.submit(form, button="table", value="sheet")
    assert sheet.header("Content-Type") == "application/pdf"
    browser.get(f"/register/{world.point}")
    book = browser.submit(form, button="table", value="register")
    rows = CalamineWorkbook.from_filelike(BytesIO(book.body)).get_sheet_by_index(0).to_python()
    columns = next(row for row in rows if "Serial" in row)
    assert columns == ["Class", "Name", "Candidate no.", "Serial", "State", "Handed", "Officer", "Second officer"]
    assert person.candidate_no not in str(rows)
    world.do("UPDATE officer_sessions SET proved_at = proved_at - interval '6 minutes'")
    assert browser.submit(form, button="table", value="register").status == 403


def test_a_quarantine_is_proposed_approved_and_listed(
    officer_browser: Callable[..., Browser], keepers: Keepers, world: World
) -> None:
    person = world.candidate()
    world.activate(person)
    lot = person.serial[:4]
    first, second = officer_browser(world.province), officer_browser(world.province, "approver")
    page = first.get(f"/lots/{lot}/quarantine")
    act = submit(first, page, "reason", mode="two_codes", reason="copies are for sale").url
    assert "Approved and done" in submit(second, second.get(act), "word", word=lot).words
    page = second.get("/lots")
    assert "two codes" in page.words
    book = second.submit(page.form(action=f"/lots/{lot}/holders"))
    assert person.name in str(CalamineWorkbook.from_filelike(BytesIO(book.body)).get_sheet_by_index(0).to_python())
    assert officer_browser(world.prefecture, "approver").get("/lots").status == 403
    assert officer_browser(world.prefecture, "approver").get(f"/lots/{lot}/quarantine").status == 404
    assert (
        "put all cards of this lot under two codes" in officer_browser(world.point).get(f"/counter/{person.id}").words
    )


def test_what_is_left_is_destroyed_by_two(
    officer_browser: Callable[..., Browser], keepers: Keepers, offices: Offices, world: World
) -> None:
    span = keepers.take_in(cards=5)
    keepers.bring(world.county, span)
    first, second = officer_browser(world.county), officer_browser(world.prefecture, "approver")
    act = submit(first, first.get("/stock/destroy"), "reason", reason="end of the season").url
    page = second.get(act)
    assert f"{shown(span.first)} – {shown(span.last)}" in page.words
    submit(second, page, "word", word="5")
    assert keepers.counts(world.county) == (5, 0, 0, 0, 5)
    assert "Nothing is left" in first.get("/stock/destroy").words
