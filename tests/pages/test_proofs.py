"""The proof of a version: where it stands in log and seal, for its candidate; and the roots, for everybody."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from admin import ledger, verify
from admin.browser import Browser
from app.pages.roots import KEPT_S
from config.keys import SealKeys
from tests.admin.sealing import bundle, seal
from tests.makers import Person, World
from tests.pages.lists import confirm, edit, file, in_english

Way = tuple[Browser, Person]


@pytest.fixture
def filed(world: World, signed_in: Way) -> Way:
    """A candidate with two versions in one batch, pages in English."""
    world.batch("1")
    browser, person = in_english(signed_in[0]), signed_in[1]
    file(browser, person, "4301", "4302")
    edit(browser, {}, "remove GEN1 0")
    confirm(browser, edit(browser, {}, "check"), person)
    return browser, person


def test_before_the_sealer_has_come_by_the_page_says_when(filed: Way) -> None:
    browser, _ = filed
    assert "Within two minutes this version gets its place" in browser.get("/filings/1/2").words
    page = browser.click("Its proof, and how to check it")
    assert "will be in a checkpoint within two minutes" in page.words
    assert "Root" not in page.words


def test_under_a_checkpoint_the_page_names_it(filed: Way, world: World) -> None:
    ledger.round_of(world.database, SealKeys.load(world.keys_directory), sweep=True)
    browser, _ = filed
    place = "has place 1 in the log of all filings, under the signed checkpoint no. 1"
    assert place in browser.get("/filings/1/2").words
    assert "This version is in the log." in browser.get("/filings/1/2/proof").words


def test_after_the_seal_the_proof_is_shown_and_holds(filed: Way, world: World, tmp_path: Path) -> None:
    other = world.candidate()
    world.activate(other)
    made = seal(world)
    browser, _ = filed
    assert "it is part of seal no. 1" in browser.get("/filings/1/2").words
    page = browser.click("Its proof, and how to check it")
    assert "It is number 1 of 1 in seal no. 1." in page.words
    assert made.root.hex() in page.text
    answer = browser.get("/filings/1/2/proof.json")
    assert answer.header("Content-Disposition") == 'attachment; filename="proof-1-2.json"'
    proof = tmp_path / "proof.json"
    proof.write_bytes(answer.body)
    assert json.loads(answer.text)["record"]["content"]["columns"]["GEN1"]["slots"][0]["institution"] == "4302"
    findings, said = verify.verify(bundle(world, tmp_path / "bundle", whole=False), [proof], [], [])
    assert findings == []
    assert "stands, as number 1 of 1" in "\n".join(said)


def test_a_version_that_was_replaced_is_not_said_to_be_sealed(filed: Way, world: World) -> None:
    seal(world)
    page = filed[0].get("/filings/1/1/proof")
    assert "This version is sealed" not in page.words
    assert "This version is in the log." in page.words
    assert "seal" not in json.loads(filed[0].get("/filings/1/1/proof.json").text)


def test_a_proof_is_its_candidates_alone(filed: Way, world: World) -> None:
    browser, _ = filed
    browser.cookies["__Host-sid"] = world.activate(world.candidate())
    for path in ("/filings/1/1/proof", "/filings/1/1/proof.json", "/filings/9/1/proof"):
        assert browser.get(path).status == 404


def test_anybody_reads_and_keeps_the_roots(filed: Way, world: World, new_browser: Callable[[], Browser]) -> None:
    stranger = in_english(new_browser())
    assert "No batch has been sealed yet." in stranger.get("/roots").words
    made = seal(world)
    assert made.root.hex() in stranger.get("/roots").text
    text = new_browser().get("/roots.txt")
    assert text.header("Cache-Control") == f"public, max-age={KEPT_S}"
    assert not any(name.lower() == "set-cookie" for name, _ in text.headers)
    assert made.root.hex() in text.text
    assert filed[1].candidate_no not in text.text
