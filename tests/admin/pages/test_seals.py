"""Two officers put their names to a seal, each from a copy of their own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError, ProgrammingError

from admin import confirmations, proposals, verify
from admin.browser import Browser, Page
from admin.deeds import KINDS
from admin.sealing import Sealed
from app.db import Database
from app.errors import NotAllowed, NotFound
from tests.admin.keepers import LIFE, Keepers
from tests.admin.sealing import bundle, seal
from tests.filing import file
from tests.makers import World

REASON = "verifier on the laptop, key from paper"


@pytest.fixture
def sealed(world: World) -> Sealed:
    world.batch("1")
    world.batch("2", name="本科二批")
    person = world.candidate()
    session_id = world.activate(person)
    file(world, person, session_id, "1", "4301")
    file(world, person, session_id, "2", "4301")
    return seal(world)


def word(sealed: Sealed) -> str:
    return sealed.root.hex()[:8]


def submit(browser: Browser, page: Page, has: str, **typed: str) -> Page:
    return browser.submit(page.form(has=has), typed)


def test_two_officers_confirm_what_they_have_compared(
    officer_browser: Callable[..., Browser], world: World, sealed: Sealed, stranger: Browser
) -> None:
    first, second = officer_browser(world.province), officer_browser(world.province, "approver")
    page = first.get("/close")
    assert "Two officers have not confirmed this seal yet." in page.words
    page = first.click("Confirm the seal")
    assert word(sealed) not in page.text  # it is taken from a copy
    other = "0" * 8 if word(sealed) != "0" * 8 else "1" * 8
    assert "begins with other digits" in submit(first, page, "digits", digits=other, reason=REASON).words
    assert "eight digits, 0 to 9" in submit(first, page, "digits", digits="xyz", reason=REASON).words
    page = submit(first, page, "digits", digits=f"{word(sealed)[:4]} {word(sealed)[4:].upper()}", reason=REASON)
    act = page.url
    own = [*page.form(has="mark").fields, ("word", word(sealed))]
    assert first.send("POST", f"{act}/approve", own).status == 403
    assert "not yet" in stranger.get("/roots").words
    for address in ("/acts", act):
        assert word(sealed) not in second.get(address).text
    page = submit(second, second.get(act), "word", word=other)
    assert "This is another word" in page.words
    page = submit(second, page, "word", word=word(sealed))
    assert "Approved and done" in page.words
    assert sealed.root.hex() in page.text
    assert "周敏, 周敏" in first.get("/close").words
    assert "Two officers have confirmed this seal" in first.get("/seals/1/confirm").words
    page = stranger.get("/roots")
    assert "not yet" not in page.words
    assert "周敏" not in page.text


def test_it_takes_two_of_the_province_and_a_fresh_proof(
    officer_browser: Callable[..., Browser], world: World, sealed: Sealed
) -> None:
    page = officer_browser(world.county, "approver").get("/close")
    assert "Confirm the seal" not in page.words
    assert officer_browser(world.county, "approver").get("/seals/1/confirm").status == 404
    assert officer_browser(world.province, "auditor").get("/seals/1/confirm").status == 403
    browser = officer_browser(world.province)
    page = browser.get("/seals/1/confirm")
    world.do("UPDATE officer_sessions SET proved_at = proved_at - interval '6 minutes'")
    assert submit(browser, page, "digits", digits=word(sealed), reason=REASON).status == 403
    assert browser.get("/seals/1/confirm").heading == "Confirm that it is you"
    assert browser.get("/seals/9/confirm").status == 404


def confirm(keepers: Keepers, sealed: Sealed) -> None:
    one = keepers.at(keepers.world.province)
    where = keepers.world.where()
    act = keepers.act(one, confirmations.propose, one, sealed.number, word(sealed), REASON, LIFE, where)
    keepers.approve(keepers.second, act, word(sealed))


def test_a_seal_is_confirmed_once_and_nobody_unmakes_it(keepers: Keepers, world: World, sealed: Sealed) -> None:
    confirm(keepers, sealed)
    with pytest.raises(Exception, match="confirmed already"):
        confirm(keepers, sealed)
    with pytest.raises(NotFound):
        confirmations.propose(None, keepers.at(world.county), 1, "", "", LIFE, world.where())  # type: ignore[arg-type]
    with pytest.raises(IntegrityError, match="two_people"):
        world.do(
            "INSERT INTO seal_confirmations (seal, proposed_by, approved_by) SELECT 1, id, id FROM officers LIMIT 1"
        )
    for change in ("UPDATE seal_confirmations SET at = now()", "DELETE FROM seal_confirmations"):
        with pytest.raises(Exception, match="append"):
            world.do(change)
    for role in ("zhiyuan_candidates", "zhiyuan_sealer"):
        database = Database(world.url, role=role)
        with database.reading() as connection, pytest.raises(ProgrammingError, match="permission denied"):
            connection.exec_driver_sql("SELECT approved_by FROM seal_confirmations")
        database.dispose()


def test_the_next_seal_covers_who_confirmed_and_the_verifier_tells(
    keepers: Keepers, world: World, sealed: Sealed, tmp_path: Path
) -> None:
    confirm(keepers, sealed)
    seal(world, "2")
    found, said = verify.verify(bundle(world, tmp_path / "sound", "2"), [], [], [])
    assert found == []
    assert "seals that two officers have confirmed, as of this one: 1" in "\n".join(said)


def test_confirmations_that_were_made_up_before_the_seal_are_found(
    keepers: Keepers, world: World, sealed: Sealed, tmp_path: Path
) -> None:
    confirm(keepers, sealed)
    for change in ('\'{"root": "00"}\'', "'{\"seal\": 7}'", "jsonb_build_object('proposed_by', officer_id)"):
        world.do(
            "INSERT INTO audit (actor, officer_id, act, detail)"  # noqa: S608 -- from above
            f" SELECT actor, officer_id, act, detail || {change} FROM audit WHERE act = 'seal.confirmed'"
            " ORDER BY id LIMIT 1"
        )
    seal(world, "2")
    found = verify.verify(bundle(world, tmp_path / "made", "2"), [], [], [])[0]
    assert found == [
        "the audit tells of two officers who confirmed another seal 1",
        "the audit tells of two officers who confirmed another seal 7",
        "the audit tells of two officers who confirmed another seal 1",
        "the audit tells that seal 1 was confirmed by one officer alone",
    ]


def test_an_approver_elsewhere_approves_nothing(keepers: Keepers, world: World, sealed: Sealed) -> None:
    one = keepers.at(world.province)
    act = keepers.act(one, confirmations.propose, one, 1, word(sealed), REASON, LIFE, world.where())
    county = keepers.at(world.county, "approver")
    with pytest.raises(NotFound):
        keepers.act(county, proposals.approve, county, KINDS, act, word(sealed), world.where())
    with pytest.raises(NotAllowed):
        keepers.act(one, proposals.approve, one, KINDS, act, word(sealed), world.where())
    assert world.value("SELECT count(*) FROM seal_confirmations") == 0
