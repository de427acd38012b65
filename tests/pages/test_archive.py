"""The archive: every version stays readable, its receipt proves it, and only its candidate sees it."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import typst
import zxingcpp
from PIL import Image

from admin.browser import Browser
from app import evidence
from tests.makers import Person, World, content
from tests.pages.lists import confirm, edit, file, in_english, rows

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


def token(world: World, number: int) -> str:
    return str(world.value("SELECT receipt FROM filings WHERE number = :number", number=number))


# --- my archive --------------------------------------------------------------------------------------


def test_every_version_is_listed_with_time_device_and_digest(filed: Way, world: World) -> None:
    browser, _ = filed
    page = browser.get("/filings")
    for row in world.rows("SELECT number, digest FROM filings"):
        assert f"Version {row['number']}" in page.words
        assert evidence.shown(bytes(row["digest"])) in page.words
    assert page.words.count("Browser") == 2
    assert page.words.count("In force") == 1


def test_a_batch_in_which_nothing_was_confirmed_is_listed_too(filed: Way, world: World) -> None:
    world.batch("2", name="本科二批")
    assert "本科二批" in filed[0].get("/filings").words


def test_another_device_reads_the_same(filed: Way, new_browser: Callable[[], Browser]) -> None:
    browser, _ = filed
    other = new_browser()
    other.cookies = {name: value for name, value in browser.cookies.items() if name != "__Host-device"}
    for path in ("/filings", "/filings/1/1", "/filings/1/2"):
        here, there = (re.sub(r"\d\d:\d\d:\d\d", "", each.get(path).words) for each in (browser, other))
        assert here == there


def test_a_receipt_says_what_was_filed_and_that_it_is_in_force(filed: Way, world: World) -> None:
    page = filed[0].get("/filings/1/2")
    assert "Your list is in force" in page.words
    assert "4302 湘江大学4302" in page.words
    assert "4301 湘江大学4301" not in page.words
    digest = bytes(world.value("SELECT digest FROM filings WHERE number = 2"))
    assert evidence.shown(digest) in page.words
    assert "Only you yourself type the codes of your card." in page.words
    assert "Using a computer that others use too?" in page.words
    assert sum(form.action == "/sign-out" for form in page.forms) >= 2


def test_an_older_receipt_says_that_it_is_no_longer_in_force(filed: Way) -> None:
    page = filed[0].get("/filings/1/1")
    assert "Version 1 is no longer in force." in page.words
    assert "Your list is in force" not in page.words


def test_a_receipt_says_so_when_a_draft_has_changed_since(filed: Way) -> None:
    browser, _ = filed
    edit(browser, rows("4305", first=1))
    assert "Your draft has changes since then that are not in force." in browser.get("/filings/1/2").words


def test_what_a_version_changed_is_said_in_words(filed: Way) -> None:
    browser, _ = filed
    page = browser.get("/filings/1/2/changes")
    assert "no. 1, 4301 湘江大学4301" in page.words
    assert browser.get("/filings/1/1/changes").status == 404


def test_a_filing_keeps_the_names_of_the_catalogue_it_was_checked_against(filed: Way, world: World) -> None:
    world.do("INSERT INTO catalogues (version, source, digest, plans) VALUES (2, 'corrected', '', 0)")
    world.plan("1", "GEN1", "5", "4302", "01", version=2, institution_name="改名大学")
    world.do("UPDATE batches SET catalogue_version = 2, revision = revision + 1")
    assert "湘江大学4302" in filed[0].get("/filings/1/2").words


@pytest.mark.parametrize("path", ["0", "3", "99999999999999999999", "-1", "x", "1/qr.png"])
def test_numbers_there_are_none_of_are_not_found(filed: Way, path: str) -> None:
    assert filed[0].get(f"/filings/1/{path}").status == 404


def test_another_candidate_finds_none_of_it(filed: Way, world: World) -> None:
    browser, _ = filed
    browser.cookies["__Host-sid"] = world.activate(world.candidate())
    for path in ("/filings/1/1", "/filings/1/1.pdf", "/filings/1/1/qr.svg", "/filings/1/2/changes"):
        assert browser.get(path).status == 404, path
    assert "Version 1" not in browser.get("/filings").words


# --- on paper ----------------------------------------------------------------------------------------


def test_the_qr_code_is_an_image_of_its_own_and_no_page_carries_one_inside(filed: Way, world: World) -> None:
    browser, _ = filed
    page = browser.get("/filings/1/2")
    assert 'src="/filings/1/2/qr.svg"' in page.text
    assert "data:" not in page.text
    image = browser.get("/filings/1/2/qr.svg")
    assert image.header("Content-Type").startswith("image/svg+xml")
    assert image.body.startswith(b"<svg")


def test_the_qr_codes_of_page_and_paper_read_back_as_the_receipt(filed: Way, world: World, tmp_path: Path) -> None:
    browser, _ = filed
    for kind, address in {"svg": "/filings/1/2/qr.svg", "pdf": "/filings/1/2.pdf"}.items():
        (tmp_path / f"qr.{kind}").write_bytes(browser.get(address).body)
        page = f'#set page(width: auto, height: auto, margin: 0mm)\n#image("qr.{kind}", width: 210mm)'
        (tmp_path / f"{kind}.typ").write_text(page)
        picture = typst.compile(str(tmp_path / f"{kind}.typ"), format="png", ppi=220.0)
        assert isinstance(picture, bytes)
        found = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))
        assert [each.text for each in found] == [token(world, 2)]


def test_the_printed_receipt_is_a_pdf_that_stays_the_same(filed: Way) -> None:
    browser, _ = filed
    first, again = (browser.get("/filings/1/2.pdf") for _ in range(2))
    assert first.header("Content-Type") == "application/pdf"
    assert "receipt-1-2.pdf" in first.header("Content-Disposition")
    assert first.body.startswith(b"%PDF-")
    assert b"NotoSansCJKsc" in first.body
    assert first.body == again.body


def test_a_waiver_has_a_receipt_and_no_list(filed: Way, world: World) -> None:
    browser, person = filed
    page = browser.get("/preferences/1/withdraw")
    page = confirm(browser, browser.submit(page.form(action="/withdraw")), person)
    assert "You have given up this batch" in page.words
    assert "4302" not in page.words
    assert browser.get("/filings/1/3.pdf").body.startswith(b"%PDF-")
    assert world.value("SELECT content FROM filings WHERE number = 1") == content("4301", "4302")


# --- verify ------------------------------------------------------------------------------------------


def verified(browser: Browser, text: str) -> str:
    form = in_english(browser).get("/verify").form(has="receipt")
    page = browser.submit(form, {"receipt": text})
    assert page.status == (200 if "genuine" in page.words else 422)
    return page.words


def test_anybody_can_verify_a_receipt(filed: Way, world: World, new_browser: Callable[[], Browser]) -> None:
    words = verified(new_browser(), token(world, 1))
    assert "This receipt is genuine and unchanged." in words
    assert "17********" in words
    assert "本科一批" in words
    assert "4301" not in words


def test_a_receipt_broken_over_lines_verifies(filed: Way, world: World, new_browser: Callable[[], Browser]) -> None:
    text = token(world, 1)
    assert "genuine" in verified(new_browser(), f"  {text[:40]}\r\n{text[40:90]} \n\t{text[90:]}\n")


def test_a_receipt_changed_in_one_place_does_not_verify(
    filed: Way, world: World, new_browser: Callable[[], Browser]
) -> None:
    text, stranger = token(world, 1), new_browser()
    payload, signature = text.split(".")
    for broken in (
        "",
        "x",
        text[:-8],
        payload,
        f"{payload}.{token(world, 2).split('.')[1]}",
        f"{payload[:-4]}AAAA.{signature}",
        "\x00" + text,
        "." * 300,
        "9" * 5000,
    ):
        assert "genuine" not in verified(stranger, broken), broken[:40]


def test_the_public_keys_verify_without_us(filed: Way, world: World) -> None:
    page = filed[0].get("/receipt-key.pem")
    assert page.text.count("BEGIN PUBLIC KEY") == len(world.keys.receipt_key)
    assert "PRIVATE" not in page.text
