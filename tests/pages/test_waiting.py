"""On the last day a draft that is not in force is spoken of on every page, and who looked is on a page of its own."""

from datetime import timedelta

from admin.browser import Browser
from app import drafts
from tests.filing import file
from tests.makers import Person, World, content
from tests.pages.walks import in_english

SAID = "本科一批: your draft is not in force."


def draft(world: World, person: Person, batch: int, seen: int, *institutions: str) -> int:
    with world.database.transaction() as session:
        return drafts.save(session, person.id, batch, content(*institutions), seen)


def test_a_draft_waits_on_every_page_of_the_last_day_until_it_is_confirmed(
    world: World, signed_in: tuple[Browser, Person]
) -> None:
    browser, person = in_english(signed_in[0]), signed_in[1]
    batch = world.batch("1", closes=timedelta(hours=23))
    assert SAID not in browser.get("/account").words
    version = draft(world, person, batch, 0, "4301")
    for path in ("/account", "/card", "/account/looks", "/filings", "/nowhere"):
        assert SAID in browser.get(path).words, path
    for path in ("/preferences", "/preferences/1/edit"):  # which say so in their own words
        assert SAID not in browser.get(path).words, path
    file(world, person, browser.cookies["__Host-sid"], "1", "4301")
    assert SAID not in browser.get("/account").words
    draft(world, person, batch, version, "4301", "4302")
    assert SAID in browser.get("/account").words
    world.move_end(batch, 25 * 3600)
    assert SAID not in browser.get("/account").words
    world.move_end(batch, -1)
    assert SAID not in browser.get("/account").words


def test_whoever_looked_at_my_record_is_told_to_nobody_else(world: World, signed_in: tuple[Browser, Person]) -> None:
    browser, person = in_english(signed_in[0]), signed_in[1]
    other = world.candidate()
    world.do("""
        INSERT INTO officers (login, name, office_id, role, password, totp_sealed, appointed_until, created_at)
        SELECT 'officer1', '周敏', id, 'auditor', '', '', now(), now() FROM offices WHERE level = 'county'
    """)
    for who, act in ((person, "candidate.looked_up"), (person, "something.new"), (other, "phone.revealed")):
        world.do(
            "INSERT INTO audit (actor, officer_id, candidate_id, act, detail)"
            " SELECT 'officer', id, :who, :act, '{\"reason\": \"at the counter\"}' FROM officers",
            who=who.id,
            act=act,
        )
    page = browser.get("/account/looks")
    for words in ("芙蓉区, Auditor Opened your record at the counter", "Worked on your record at the counter"):
        assert words in page.words
    assert "Looked at your phone number" not in page.words
    assert "周敏" not in page.text
