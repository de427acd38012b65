"""The pages of preferences, as a candidate without script meets them."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from admin.browser import Browser, Page
from app import batches
from tests.fixtures import statements_of
from tests.makers import COLUMN, Person, World, content
from tests.pages.lists import asked, confirm, count, draft, edit, file, in_english, press, right, rows, slots, tries

Way = tuple[Browser, Person]


@pytest.fixture
def way(world: World, signed_in: Way) -> Way:
    """A signed-in candidate and one open batch, with pages in English."""
    world.batch("1")
    return in_english(signed_in[0]), signed_in[1]


def other_tab(browser: Browser, new_browser: Callable[[], Browser]) -> Browser:
    """Another window of the same browser."""
    tab = new_browser()
    tab.cookies = browser.cookies
    return tab


# --- the walk ----------------------------------------------------------------------------------------


def test_from_the_task_list_to_the_receipt_by_links_and_buttons_alone(way: Way, world: World) -> None:
    browser, person = way
    page = browser.get("/preferences")
    assert "Nothing is in force in this batch" in page.words
    page = browser.click("本科一批")
    page = press(browser, page, rows("4301", "4302"))
    assert "Draft saved" in page.words
    assert "4301 湘江大学4301" in page.words
    page = press(browser, page, {}, "down GEN1 0")
    page = press(browser, page, {}, "check")
    assert page.url.endswith("/preferences/1/check")
    assert "This list is not in force yet" in page.words
    page = confirm(browser, page, person)
    assert page.status == 200
    assert page.url.endswith("/filings/1/1")
    assert "Your list is in force" in page.words
    assert world.value("SELECT content FROM filings") == content("4302", "4301")
    assert "In force: version 1" in browser.get("/preferences").words


def test_the_codes_ask_nothing_but_what_the_card_has(way: Way) -> None:
    browser, person = way
    page = edit(browser, rows("4301"), "check")
    assert len(asked(page)) == 1
    assert 'autocomplete="off"' in page.text
    assert person.serial[:4] in page.words


def test_every_button_keeps_what_was_typed_first(way: Way, world: World) -> None:
    browser, _ = way
    for number, act in enumerate(("save", "search GEN1", "edit GEN1 0", "up GEN1 0", "check"), 1):
        edit(browser, rows(f"43{number:02d}", first=number - 1), act)
        assert draft(world)[-1] == f"43{number:02d}", act


def test_a_list_with_errors_stays_on_the_edit_page_with_the_same_words_at_top_and_row(way: Way, world: World) -> None:
    browser, _ = way
    page = edit(browser, rows("4301", "9999", adjust=""), "check")
    assert page.url.split("?")[0].endswith("/edit")
    assert page.title.startswith("Error: ")
    said = "9999 is not offered to you in 非定向 this year."
    assert page.words.count(said) == 2
    assert 'href="#GEN1-1"' in page.text
    assert page.words.count("say yes or no to adjustment of majors") == 4
    assert world.value("SELECT count(*) FROM challenges") == 0


def test_an_answer_left_open_is_asked_for_at_its_row(way: Way, world: World) -> None:
    browser, _ = way
    page = edit(browser, rows("4301", adjust=""))
    press(browser, page, {"GEN1-0-adjust": "no"})
    assert slots(world)[0]["major_adjust"] is False


def test_forty_five_slots_are_typed_filed_and_shown(world: World, signed_in: Way) -> None:
    many = tuple(f"{5001 + at}" for at in range(45))
    world.batch("1", columns=(COLUMN | {"slots": 45},))
    for code in many:
        for major in ("01", "02", "03", "04", "05", "06"):
            world.plan("1", "GEN1", "5", code, major)
    browser, person = signed_in
    page = browser.get("/preferences/1/edit")
    for start in range(0, 45, 3):
        page = press(browser, page, rows(*many[start : start + 3], majors="01 02 03 04 05 06", first=start))
    assert draft(world) == list(many)
    assert len(page.body) < 256 * 1024
    page = press(browser, page, {"GEN1-44-position": "1"}, "to GEN1 44")
    assert draft(world)[:2] == [many[44], many[0]]
    page = confirm(browser, press(browser, page, {}, "check"), person)
    assert count(world) == 1
    assert page.text.count("data-slot") >= 45


# --- two windows -------------------------------------------------------------------------------------


def test_a_second_window_overwrites_nothing_and_shows_both_lists(
    way: Way, world: World, new_browser: Callable[[], Browser]
) -> None:
    browser, _ = way
    tab = other_tab(browser, new_browser)
    stale = tab.get("/preferences/1/edit")
    edit(browser, rows("4301"))
    page = press(tab, stale, rows("4302", "4303"))
    assert page.status == 409
    assert draft(world) == ["4301"]
    assert "4301 湘江大学4301" in page.words
    assert "4303 湘江大学4303" in page.words
    page = press(tab, page, {})
    assert page.status == 200
    assert draft(world) == ["4302", "4303"]


def test_two_windows_that_say_the_same_do_not_quarrel(
    way: Way, world: World, new_browser: Callable[[], Browser]
) -> None:
    browser, _ = way
    tab = other_tab(browser, new_browser)
    stale = tab.get("/preferences/1/edit")
    edit(browser, rows("4301"))
    assert press(tab, stale, rows("4301")).status == 200


def test_a_draft_edited_between_check_and_confirm_is_shown_and_not_filed(
    way: Way, world: World, new_browser: Callable[[], Browser]
) -> None:
    browser, person = way
    page = edit(browser, rows("4301"), "check")
    edit(other_tab(browser, new_browser), rows("4302", first=1))
    page = confirm(browser, page, person)
    assert page.status == 409
    assert (count(world), tries(world)) == (0, 0)
    assert "no. 2, 4302 湘江大学4302" in page.words
    page = browser.submit(page.form(action="/preferences/1/check"))
    assert confirm(browser, page, person).url.endswith("/filings/1/1")
    assert world.value("SELECT content FROM filings") == content("4301", "4302")


def test_the_check_page_says_so_when_the_draft_has_moved_on(way: Way) -> None:
    browser, _ = way
    edit(browser, rows("4301"), "check")
    edit(browser, rows("4302", first=1))
    page = browser.get("/preferences/1/check")
    assert asked(page) == []
    assert "The draft is not the list that was to be confirmed here." in page.words


def test_a_question_is_not_shown_to_another_session(way: Way, world: World, new_browser: Callable[[], Browser]) -> None:
    browser, _ = way
    edit(browser, rows("4301"), "check")
    world.do("UPDATE challenges SET session_hash = decode(repeat('00', 32), 'hex')")
    page = browser.get("/preferences/1/check")
    assert asked(page) == []
    assert world.value("SELECT encode(key, 'hex') FROM challenges") not in page.text


# --- codes -------------------------------------------------------------------------------------------


def test_the_same_answer_once_more_shows_the_same_receipt_also_after_the_close(way: Way, world: World) -> None:
    browser, person = way
    page = edit(browser, rows("4301"), "check")
    form, answer = page.form(action="/confirm"), right(page, person)
    first = browser.submit(form, answer)
    world.move_end(1, 0)
    browser.get("/preferences/1/edit")
    again = browser.submit(form, answer)
    assert (again.status, again.url) == (200, first.url)
    assert count(world) == 1


def test_a_double_click_leaves_the_browser_known(way: Way, world: World) -> None:
    browser, person = way
    page = edit(browser, rows("4301"), "check")
    form, answer = page.form(action="/confirm"), right(page, person)
    browser.submit(form, answer)
    first = browser.cookies.pop("__Host-device")  # the first answer never reached the screen
    browser.get("/preferences/1/edit")
    browser.submit(form, answer)
    assert browser.cookies["__Host-device"] == first
    assert len(asked(edit(browser, rows("4302", first=1), "check"))) == 1


def test_a_wrong_code_costs_a_try_and_the_right_one_still_files(way: Way, world: World) -> None:
    browser, person = way
    page = edit(browser, rows("4301"), "check")
    page = confirm(browser, page, person, code=person.code(asked(page)[0] % 40 + 1))
    assert page.status == 422
    assert "After 4 more wrong answers two codes are asked." in page.words
    assert "locked" not in page.words
    assert (count(world), tries(world)) == (0, 1)
    assert confirm(browser, page, person).url.endswith("/filings/1/1")


@pytest.mark.parametrize("typed", ["", "1234 567", "1234-5679", "12345678901", "abcd efgh", "１２３４ ５６７９"])
def test_a_slip_of_the_fingers_is_told_at_the_field_and_not_counted(way: Way, world: World, typed: str) -> None:
    browser, person = way
    page = edit(browser, rows("4301"), "check")
    page = confirm(browser, page, person, code=typed)
    assert page.status == 422
    assert 'id="code-error"' in page.text
    assert tries(world) == 0
    assert not typed or f'value="{typed}"' not in page.text


def test_full_width_digits_blanks_and_dashes_are_the_same_code(way: Way) -> None:
    browser, person = way
    page = edit(browser, rows("4301"), "check")
    code = person.code(asked(page)[0]).translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    page = confirm(browser, page, person, code=f" {code[:4]}－{code[4:]}\u3000")
    assert page.url.endswith("/filings/1/1")


def test_after_five_wrong_codes_two_are_asked_with_the_reason_and_the_holder_files(way: Way, world: World) -> None:
    browser, person = way
    page = edit(browser, rows("4301"), "check")
    wrong = person.code(asked(page)[0] % 40 + 1)
    for _ in range(5):
        page = confirm(browser, page, person, code=wrong)
    assert tries(world) == 5
    assert len(asked(page)) == 2
    assert "Several wrong codes were typed" in page.words
    page = confirm(browser, page, person)
    assert page.url.endswith("/filings/1/1")
    assert tries(world) == 0


def test_too_quick_an_answer_in_two_code_mode_waits_and_is_not_counted(way: Way, world: World) -> None:
    browser, person = way
    page = edit(browser, rows("4301"), "check")
    world.do("UPDATE bindings SET wrong_tries = 5")
    page = browser.get("/preferences/1/check")
    page = confirm(browser, page, person, code=person.code(asked(page)[1]))
    assert (page.status, tries(world)) == (422, 6)
    page = confirm(browser, page, person)
    assert page.status == 429
    assert int(page.header("Retry-After")) in range(1, 31)
    assert "Nothing is locked" in page.words
    assert (count(world), tries(world)) == (0, 6)


def test_an_unknown_device_needs_two_codes_to_change_a_list_in_force(
    way: Way, world: World, new_browser: Callable[[], Browser]
) -> None:
    browser, person = way
    file(browser, person, "4301")
    stranger = new_browser()
    stranger.cookies = {name: value for name, value in browser.cookies.items() if name != "__Host-device"}
    page = edit(stranger, rows("4302", first=1), "check")
    assert len(asked(page)) == 2
    assert "You have not confirmed anything with this browser yet" in page.words
    assert confirm(stranger, page, person).url.endswith("/filings/1/2")
    assert len(asked(edit(stranger, rows("4303", first=2), "check"))) == 1


def test_an_old_question_is_not_compared_and_leads_to_a_fresh_one(way: Way, world: World) -> None:
    browser, person = way
    page = edit(browser, rows("4301"), "check")
    world.do("UPDATE challenges SET issued_at = issued_at - interval '11 minutes'")
    right_one = asked(page)[0]
    for number in (right_one % 40 + 1, right_one):
        browser.get("/preferences/1/edit")
        old = confirm(browser, page, person, code=person.code(number))
        assert old.status == 409
        assert "is not used up" in old.words
    assert (count(world), tries(world)) == (0, 0)
    page = browser.submit(browser.page.form(action="/preferences/1/check"))
    assert confirm(browser, page, person).url.endswith("/filings/1/1")


def test_looking_at_the_check_page_asks_nothing_new(way: Way, world: World) -> None:
    browser, _ = way
    edit(browser, rows("4301"))
    assert asked(browser.get("/preferences/1/check")) == []
    assert world.value("SELECT count(*) FROM challenges") == 0
    edit(browser, {}, "check")
    key = world.value("SELECT key FROM challenges")
    for _ in range(3):
        browser.get("/preferences/1/check")
    assert world.value("SELECT key FROM challenges") == key


@pytest.mark.parametrize(
    "extra", [("code", "11111111"), ("batch", "2"), ("key", "00"), ("content", "{}"), ("number", "1")], ids=str
)
def test_a_confirmation_with_a_field_too_many_is_not_looked_at(way: Way, world: World, extra: tuple[str, str]) -> None:
    browser, person = way
    page = edit(browser, rows("4301"), "check")
    fields = [(name, value) for name, value in page.form(action="/confirm").fields if name != "code"]
    answer = browser.send("POST", "/preferences/1/confirm", [*fields, *right(page, person).items(), extra])
    assert answer.status == 400
    assert (count(world), tries(world)) == (0, 0)


def test_one_question_with_another_digest_files_nothing(way: Way, world: World) -> None:
    browser, person = way
    page = edit(browser, rows("4301"), "check")
    assert confirm(browser, page, person, digest="00" * 32).status == 422
    assert confirm(browser, page, person, digest="zz").status == 400
    assert (count(world), tries(world)) == (0, 0)


def test_confirming_without_a_check_files_nothing(way: Way, world: World) -> None:
    browser, person = way
    form = edit(browser, rows("4301")).form(has="version")
    given = [field for field in form.fields if field[0] in {"csrf_token", "mark"}]
    made_up = [("key", "00" * 16), ("digest", "00" * 32), ("code", person.code(1))]
    page = browser.send("POST", "/preferences/1/confirm", [*given, *made_up])
    assert page.status == 409
    assert (count(world), tries(world)) == (0, 0)


# --- the service fails at the worst moment -----------------------------------------------------------


def test_an_outcome_that_is_unknown_ends_at_the_receipt_when_it_was_filed(way: Way, world: World) -> None:
    browser, person = way
    page = edit(browser, rows("4301"), "check")
    form, answer = page.form(action="/confirm"), right(page, person)
    browser.submit(form, answer)
    browser.get("/preferences/1/edit")
    with world.database.transaction() as session:
        session.execute(text("SELECT 1 FROM accounts FOR UPDATE"))  # whoever asks again runs into the lock timeout
        page = browser.submit(form, answer)
    assert (page.status, page.url.endswith("/filings/1/1")) == (200, True)


def test_an_outcome_that_is_unknown_is_said_to_be_so_when_nothing_was_filed(way: Way, world: World) -> None:
    browser, person = way
    page = edit(browser, rows("4301"), "check")
    with world.database.transaction() as session:
        session.execute(text("SELECT 1 FROM accounts FOR UPDATE"))
        answer = confirm(browser, page, person)
    assert answer.status == 503
    assert "filed wholly or not at all" in answer.words
    assert any("/filings" in href for _text, href in answer.links)
    assert (count(world), tries(world)) == (0, 0)
    assert confirm(browser, page, person).url.endswith("/filings/1/1")


# --- closed, not yet open, not mine ------------------------------------------------------------------


def test_after_the_end_the_check_shows_what_stands_not_the_draft(way: Way, world: World) -> None:
    browser, person = way
    file(browser, person, "4301")
    edit(browser, rows("4302"), "check")
    world.move_end(1, 0)
    page = browser.get("/preferences/1/check")
    assert "This batch is closed" in page.words
    assert "4301" in page.words
    assert "4302" not in page.words


def test_after_the_close_the_same_place_shows_what_stands_and_takes_nothing(way: Way, world: World) -> None:
    browser, person = way
    file(browser, person, "4301")
    page = edit(browser, rows("4302", first=1))
    world.move_end(1, 0)
    late = press(browser, page, {}, "check")
    assert late.status == 409
    page = browser.get("/preferences/1/edit")
    assert "This batch is closed" in page.words
    assert "Version 1 is in force." in page.words
    assert "A draft was left that was never confirmed. It does not count." in page.words
    assert "4302" not in page.words
    assert not any(has in form.names for form in page.forms for has in ("version", "key"))
    assert asked(browser.get("/preferences/1/check")) == []
    assert count(world) == 1


def test_a_code_given_after_the_close_is_not_looked_at(way: Way, world: World) -> None:
    browser, person = way
    page = edit(browser, rows("4301"), "check")
    world.move_end(1, 0)
    page = confirm(browser, page, person)
    assert page.status == 409
    assert "Nothing was filed" in page.words
    assert (count(world), tries(world)) == (0, 0)


def test_before_the_opening_a_draft_is_kept_and_nothing_is_asked(world: World, signed_in: Way) -> None:
    world.batch("1", opens=timedelta(hours=1), closes=timedelta(hours=2))
    browser = in_english(signed_in[0])
    page = edit(browser, rows("4301"))
    assert draft(world) == ["4301"]
    assert "This batch is not open yet." in page.words
    assert "check" not in [value for _name, value, _label in page.form(has="version").buttons]
    assert press(browser, page, {}, "check").status == 409
    assert "It opens" in browser.get("/preferences/1/edit").words


def test_a_suspended_batch_keeps_drafts_and_asks_nothing(way: Way, world: World) -> None:
    browser, _ = way
    world.do("UPDATE batches SET suspended_at = clock_timestamp() - interval '1 minute'")
    page = edit(browser, rows("4301"))
    assert "The province has paused filing in this batch." in page.words
    assert "moved by at least as long as the pause lasts" in page.words
    words = browser.get("/preferences").words
    assert "check and confirm them once it goes on" in words
    assert "with a code of your card before" not in words
    world.move_end(1, -1)
    page = browser.get("/preferences/1/edit")
    assert "Paused; the end will be moved" in page.words
    assert "Closed" not in page.words
    assert draft(world) == ["4301"]
    assert press(browser, page, {"GEN1-0-code": "4302"}, "check").status == 409
    assert draft(world) == ["4302"]


def test_an_end_that_was_moved_is_told_from_the_row(way: Way, world: World) -> None:
    browser, _ = way
    addresses = ("/preferences", "/preferences/1/edit")
    assert not any("was moved" in browser.get(address).words for address in addresses)
    with world.database.transaction() as session:
        assert batches.move_end(session, 1, world.value("SELECT closes_at + interval '3 hours' FROM batches"))
    told = re.compile(r"The end was moved from \d+ \w+ \d\d:\d\d to \d+ \w+ \d\d:\d\d")
    assert all(told.search(browser.get(address).words) for address in addresses)
    world.move_end(1, -1)
    assert not any("was moved" in browser.get(address).words for address in addresses)


PAGES = ("edit", "catalogue", "check", "copy", "withdraw", "draft-form.pdf")


@pytest.mark.parametrize("page", PAGES)
def test_batches_of_another_class_and_unknown_ones_show_nothing(way: Way, world: World, page: str) -> None:
    browser, _ = way
    world.batch("9", subject_classes=("1",))
    assert browser.get(f"/preferences/9/{page}").status == 403
    for unknown in ("nope", "1%00", "1'--", "一", "%E2%80%AE1", "1" * 200):
        assert browser.get(f"/preferences/{unknown}/{page}").status == 404


def test_a_form_of_another_candidate_is_refused(way: Way, world: World) -> None:
    browser, _ = way
    edit(browser, rows("4301"), "check")
    forms = [
        ("/preferences/1/edit", "version"),
        ("/preferences/1/check", "key"),
        ("/preferences/1/edit", ""),
        ("/preferences/1/withdraw", ""),
        ("/preferences/1/catalogue", "entry"),
    ]
    stale = [browser.get(address).form(action="/preferences/1/", has=has) for address, has in forms]
    before = world.value("SELECT version FROM drafts")
    browser.cookies["__Host-sid"] = world.activate(world.candidate())
    for form in stale:
        assert browser.submit(form, button="act", value="save").status in {400, 409}, form.action
    assert (world.value("SELECT version FROM drafts"), count(world)) == (before, 0)


def test_no_card_and_few_codes_are_told_on_the_first_page(way: Way, world: World) -> None:
    browser, person = way
    world.do(
        "INSERT INTO card_uses SELECT :serial, i, :id, 'filing', now() FROM generate_series(1, 40) i"
        " WHERE i NOT IN (SELECT code_index FROM card_uses WHERE serial = :serial) LIMIT 33",
        serial=person.serial,
        id=person.id,
    )
    assert "Only 5 codes are left on your card." in browser.get("/preferences").words
    world.hand_out(person)
    assert "No password card is bound to your account." in browser.get("/preferences").words
    page = edit(browser, rows("4301"))
    assert draft(world) == ["4301"]
    assert press(browser, page, {}, "check").status == 409


# --- giving up, throwing away, bringing back ---------------------------------------------------------


def test_giving_up_a_batch_stops_the_reader_once_and_takes_a_code(way: Way, world: World) -> None:
    browser, person = way
    file(browser, person, "4301")
    browser.get("/preferences/1/edit")
    page = browser.click("File nothing in this batch")
    assert "No institution can admit you in this batch." in page.words
    assert world.value("SELECT count(*) FROM challenges") == 0
    page = browser.submit(page.form(action="/withdraw"))
    assert "no. 1, 4301 湘江大学4301" in page.words
    page = confirm(browser, page, person)
    assert "You have given up this batch" in page.words
    assert world.value("SELECT kind FROM filings WHERE number = 2") == "waiver"
    assert "Given up with version 2" in browser.get("/preferences").words


def test_a_draft_thrown_away_shows_what_is_in_force_again(way: Way, world: World) -> None:
    browser, person = way
    file(browser, person, "4301")
    page = edit(browser, rows("4302", first=1))
    assert "4302 湘江大学4302" in page.words
    page = browser.submit(page.form(action="/discard"))
    assert "4302 湘江大学4302" not in page.words
    assert world.value("SELECT count(*) FROM drafts") == 0


def test_an_earlier_version_comes_back_as_a_draft_that_needs_a_code(way: Way, world: World) -> None:
    browser, person = way
    file(browser, person, "4301")
    confirm(browser, edit(browser, rows("4302", first=1), "check"), person)
    page = browser.get("/filings/1/1")
    page = browser.submit(page.form(action="/restore/1"))
    assert "Version 1 is your draft again" in page.words
    assert draft(world) == ["4301"]
    assert count(world) == 2


def test_confirming_the_same_list_again_is_advised_against(way: Way) -> None:
    browser, person = way
    file(browser, person, "4301")
    page = edit(browser, {}, "check")
    assert "You need not confirm again" in page.words


def test_what_changes_against_the_list_in_force_is_said_in_words(way: Way) -> None:
    browser, person = way
    file(browser, person, "4301", "4302", "4303")
    page = edit(browser, {"GEN1-2-position": "1"}, "to GEN1 2")
    page = press(browser, page, {"GEN1-1-majors": "02 01"}, "remove GEN1 2")
    page = press(browser, page, rows("4304", first=2), "check")
    for words in (
        "Removed",
        "no. 2, 4302 湘江大学4302",
        "4303 湘江大学4303",
        "majors 01 02 become 02 01",
        "no. 3, 4304 湘江大学4304",
        "Moved, was no. 3",
        "Majors changed, were 01 02",
    ):
        assert words in page.words, words


# --- catalogue and copying ---------------------------------------------------------------------------


def test_an_institution_is_found_by_code_name_place_major_and_pinyin(way: Way) -> None:
    browser, _ = way
    for words, found in {
        "4305": 1,
        "湘江大学4305": 1,
        "长沙 法学": 12,
        "xjdx": 12,
        "４３０５": 1,
        "no such": 0,
    }.items():
        page = browser.submit(browser.get("/preferences/1/catalogue").form(has="q"), {"q": words})
        assert page.text.count('<li class="task') == found, words


def test_what_is_found_is_added_with_the_majors_ticked_and_the_search_stays(way: Way, world: World) -> None:
    browser, _ = way
    page = browser.get("/preferences/1/catalogue?q=4305")
    form = page.form(has="entry")
    page = browser.submit(form, {"major-03": "yes", "major-01": "yes", "adjust": "no"})
    assert slots(world) == [{"institution": "4305", "group": None, "majors": ["01", "03"], "major_adjust": False}]
    assert "q=4305" in page.url
    assert "no. 1 of your draft" in page.words
    assert not any("entry" in each.names for each in page.forms if "Add to the draft" in str(each.buttons))
    browser.submit(form, {"major-02": "yes"})  # the button pressed twice adds nothing
    assert len(slots(world)) == 1


def test_what_another_window_saved_meanwhile_is_kept_when_adding(way: Way, world: World) -> None:
    browser, _ = way
    form = browser.get("/preferences/1/catalogue?q=4305").form(has="entry")
    edit(browser, rows("4301"))
    browser.submit(form, {"adjust": "yes"})
    assert draft(world) == ["4301", "4305"]


def test_a_full_column_takes_no_more_and_says_so(world: World, signed_in: Way) -> None:
    world.batch("1", columns=(COLUMN | {"slots": 1, "mode": "SINGLE"},))
    browser = in_english(signed_in[0])
    form = browser.get("/preferences/1/catalogue?q=4305").form(has="entry")
    edit(browser, rows("4301"))
    assert "This column is full." in browser.submit(form, {"adjust": "yes"}).words
    assert draft(world) == ["4301"]


def test_a_name_typed_in_place_of_a_code_is_searched_for(way: Way, world: World) -> None:
    browser, _ = way
    page = edit(browser, rows("4301") | {"GEN1-1-code": "湘江大学4307"}, "search GEN1")
    assert page.text.count('<li class="task') == 1
    assert draft(world) == ["4301"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("q=%00%1b[31m", 200),
        ("q=" + "长" * 300, 200),
        ("page=99", 200),
        ("page=x", 400),
        ("page=-1", 400),
        ("tuition=1e9", 400),
        ("column=NOPE", 404),
        ("q=a&q=b", 400),
        ("sql=1", 400),
        ("q=<script>alert(1)</script>", 200),
    ],
)
def test_odd_searches_are_answered_with_a_page(way: Way, query: str, status: int) -> None:
    page = way[0].get(f"/preferences/1/catalogue?{query}")
    assert page.status == status
    assert "<script>alert" not in page.text


def test_searching_narrows_by_place_ownership_and_tuition(way: Way, world: World) -> None:
    browser, _ = way
    world.batch("2", name="本科二批")
    world.plan("2", "GEN1", "5", "7001", "01", province_name="广东", ownership="民办", tuition=28_000)
    for query, found in {"place=广东": 1, "place=湖南": 12, "ownership=民办": 1, "tuition=5000": 12}.items():
        page = browser.get(f"/preferences/2/catalogue?{query}")
        assert page.text.count('<li class="task') == found, query


def test_a_list_of_another_batch_is_copied_as_far_as_this_one_offers_it(way: Way, world: World) -> None:
    browser, person = way
    world.batch("2", name="本科二批")
    for major in ("01", "02"):
        world.plan("1", "GEN1", "5", "8888", major)
    file(browser, person, "4301", "8888", "4302")
    page = browser.get("/preferences/2/copy")
    page = browser.submit(page.form(has="source"))
    assert "2 institutions were copied" in page.words
    assert "Not copied" in page.words
    assert "8888" in page.words
    assert draft_of(world, "2") == ["4301", "4302"]
    page = browser.submit(browser.get("/preferences/2/copy").form(has="source"))
    assert draft_of(world, "2") == ["4301", "4302"]


def draft_of(world: World, batch: str) -> list[str]:
    kept = world.value(
        "SELECT d.content FROM drafts d JOIN batches b ON b.id = d.batch_id WHERE b.code = :batch", batch=batch
    )
    return [slot["institution"] for slot in kept["columns"]["GEN1"]["slots"]]


def test_copying_from_what_is_not_offered_is_refused(way: Way, world: World) -> None:
    browser, person = way
    world.batch("2", name="本科二批")
    file(browser, person, "4301")
    form = browser.get("/preferences/2/copy").form(has="source")
    for values in ({"source": "9 GEN1"}, {"source": "2 GEN1"}, {"column": "NOPE"}):
        assert browser.submit(form, values).status == 400


# --- on paper ----------------------------------------------------------------------------------------


def test_the_draft_form_is_printed_empty_and_filled(way: Way) -> None:
    browser, _ = way
    edit(browser, rows("4301"))
    empty, filled = (browser.get(f"/preferences/1/draft-form.pdf{query}") for query in ("", "?filled=1"))
    for page in (empty, filled):
        assert page.header("Content-Type") == "application/pdf"
        assert page.body.startswith(b"%PDF-")
    assert empty.body != filled.body


# --- cost --------------------------------------------------------------------------------------------


@pytest.fixture
def trips(candidates_app: Flask) -> list[str]:
    """Round trips to the database since the list was last cleared."""
    return statements_of(candidates_app.extensions["zhiyuan"].database)


def test_pages_take_three_round_trips_and_a_confirmation_eight(way: Way, trips: list[str], world: World) -> None:
    browser, person = way

    def cost(page: Callable[[], Page]) -> int:
        trips.clear()
        page()
        return len(trips)

    edit(browser, rows("4301"))
    browser.get("/preferences/1/catalogue")  # the catalogue is read once a process
    views = {path: cost(lambda path=path: browser.get(path)) for path in ("/preferences", "/preferences/1/edit")}  # type: ignore[misc]
    views["catalogue"] = cost(lambda: browser.get("/preferences/1/catalogue?q=4301"))
    asking = edit(browser, {}, "check")
    views["check"] = cost(lambda: browser.get("/preferences/1/check"))
    assert max(views.values()) <= 3, views
    wrong = person.code(asked(asking)[0] % 40 + 1)
    assert cost(lambda: confirm(browser, asking, person, code=wrong)) <= 8
    asking = browser.get("/preferences/1/check")
    fields = [*asking.form(action="/confirm").fields, *right(asking, person).items()]
    fields = [field for field in fields if field != ("code", "")]
    assert cost(lambda: browser.send("POST", "/preferences/1/confirm", fields)) <= 8 + 3  # with the receipt behind it
    assert count(world) == 1
