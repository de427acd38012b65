"""The whole walk in a real browser, as a candidate goes it: with script and without, on a desk and on a telephone."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import count
from typing import Any, Final

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from admin import appointments, totp
from admin.appointments import Password
from admin.stage import Process, Stage, free_port, stage
from app.db import clock
from config import embedded
from tests.browser import ARGUMENTS, executable
from tests.conftest import directory_for_servers
from tests.filing import file
from tests.makers import COLUMN, PASSWORD, Person, World
from tests.whole.walking import PHONE, WIDE, Paper, Walker, printed, printed_as

NEW: Final = "three quiet 河 bridges"
DIRECTED: Final[dict[str, Any]] = {
    "code": "DIR1",
    "name": "定向",
    "unit": "INSTITUTION",
    "mode": "SINGLE",
    "slots": 1,
    "majors_per_institution": 6,
    "major_adjust": True,
    "directed_adjust": True,
}
A4: Final = {(595, 842)}
SAVE: Final = ".button-row:has(button[value=check]) button[value=save]"
OFFICER: Final = "Hengshan-Nanyue 72"


@dataclass
class House:
    """A province with both portals under gunicorn, and one browser to open windows of."""

    here: Stage
    world: World
    candidates: Process
    chromium: Browser
    batches: Iterator[int] = field(default_factory=lambda: count(1))
    judged: set[tuple[str, str, int]] = field(default_factory=set)

    def batch(self, **spec: Any) -> tuple[str, int]:
        """A batch of one test's own, open now, with one institution that is easy to find; its code and id."""
        code = f"w{next(self.batches)}"
        made = self.world.batch(
            code, closes=timedelta(hours=30), columns=(COLUMN, DIRECTED), subject_classes=("5",), **spec
        )
        for major in ("01", "02"):
            self.world.plan(
                code, "GEN1", "5", "4399", major, institution_name="岳麓师范大学", initials="YLSFDX", place="株洲"
            )
        return code, made

    @contextmanager
    def walker(
        self, name: str, *, width: int = WIDE, script: bool = True, language: str = "zh", at: Process | None = None
    ) -> Iterator[Walker]:
        """Somebody at a browser of their own; at the end everything found wrong on the way is told at once."""
        context = self.chromium.new_context(
            viewport={"width": width, "height": 800}, java_script_enabled=script, reduced_motion="reduce"
        )
        walker = Walker(name, context, (at or self.candidates).url, width=width, script=script, judged=self.judged)
        try:
            if language == "en":
                walker.to_english()
            yield walker
        except Exception as error:
            error.add_note("\n".join(["On the way:", *walker.problems]))
            raise
        finally:
            context.close()
        if walker.problems:
            pytest.fail("\n".join(walker.problems), pytrace=False)

    def sign_in(self, walker: Walker, person: Person) -> None:
        """Sign in with number and password."""
        walker.go("/sign-in", "sign-in")
        walker.fill({"number": person.candidate_no, "password": person.password})
        walker.press("main .btn-primary", "overview")

    def filed(self, person: Person) -> int:
        """How many versions the candidate has confirmed."""
        made: int = self.world.value("SELECT count(*) FROM filings WHERE candidate_id = :id", id=person.id)
        return made

    def activated(self) -> tuple[Person, str]:
        """A fresh candidate with an account, and a session opened elsewhere."""
        person = self.world.candidate()
        return person, self.world.activate(person)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    directory = directory_for_servers("zhiyuan-walk-")
    found = executable()
    assert found is not None, "no Chromium runs here"
    try:
        with stage(directory, durable=False) as here, sync_playwright() as playwright:
            world = World(here.settings.database_url, here.settings.redis_url, here.directory / "keys")
            world.batch("0", name="本科提前批", order=10, opens=timedelta(days=-3), closes=timedelta(days=-1))
            world.batch("9", name="专科批", order=90, opens=timedelta(days=9), closes=timedelta(days=12))
            with here.portals({"candidates": free_port()}) as (portal,):
                portal.wait_until_ready()
                chromium = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
                yield House(here, world, portal, chromium)
                chromium.close()
            world.database.dispose()
    finally:
        embedded.Redis(directory).stop()
        embedded.Postgres(directory).stop()
        shutil.rmtree(directory, ignore_errors=True)


# --- the whole walk ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "script", "language"),
    [(WIDE, True, "zh"), (PHONE, True, "zh"), (WIDE, False, "zh"), (PHONE, False, "en")],
)
def test_a_candidate_goes_the_whole_way(house: House, width: int, script: bool, language: str) -> None:
    code, batch_id = house.batch()
    person = house.world.candidate()
    with house.walker("walk", width=width, script=script, language=language) as walker:
        activate(walker, person)
        put_together(walker, code)
        confirm(house, walker, person)
        revise(house, walker, person, code)
        look_back(walker, code)
        withdraw(house, walker, person, code)
        after_the_close(house, walker, person, code, batch_id)
        sign_out(walker, person, code)


def activate(walker: Walker, person: Person) -> None:
    """From the start page to an account of one's own."""
    walker.go("/", "start")
    walker.press('main a[href="/activate"]', "activate")
    walker.fill({"number": person.candidate_no[:-1], "serial": person.serial, "tail": person.id_no[-6:]})
    walker.press("main .btn-primary", "activate:slip")
    expect(walker.page.locator(".error-summary")).to_be_focused()
    walker.fill({"number": person.candidate_no})
    walker.page.locator("#agree").check()
    walker.press("main .btn-primary", "activate-codes")
    assert len(walker.codes_asked()) == 2
    walker.type_codes(person)
    walker.fill({"password": NEW, "again": NEW})
    walker.press("main .btn-primary", "overview")
    assert walker.path == "/preferences"
    person.password = NEW


def put_together(walker: Walker, code: str) -> None:
    """Codes typed, one institution searched, one moved, every question answered."""
    walker.press(f'a[href="/preferences/{code}/edit"]', "edit")
    walker.fill({"GEN1-0-code": "4301", "GEN1-0-majors": "01 02", "GEN1-1-code": "４３０２", "GEN1-1-majors": "03"})
    walker.page.locator("#GEN1-0-adjust-yes").check()
    walker.press(".button-row button[value=check]", "edit:unanswered")
    expect(walker.page.locator(".error-summary")).to_be_focused()
    assert order(walker) == ["4301", "4302"]
    walker.page.locator("#GEN1-1-adjust-no").check()
    walker.press('button[value="search GEN1"]', "catalogue")
    walker.fill({"q": "ylsf"})
    walker.press("form[role=search] .btn", "catalogue:found")
    result = walker.page.locator(".task-list > li")
    expect(result).to_have_count(1)
    result.locator("input[name=major-02]").check()
    result.locator("input[name=adjust][value=yes]").check()
    walker.press(".task-list .btn-primary", "catalogue:added")
    walker.press(".back-link", "edit:filled")
    assert order(walker) == ["4301", "4302", "4399"]
    move(walker, 'button[value="up GEN1 2"]', "edit:moved")
    assert order(walker) == ["4301", "4399", "4302"]
    walker.press(".button-row button[value=check]", "check")
    assert order(walker) == ["4301", "4399", "4302"]


def move(walker: Walker, button: str, name: str) -> None:
    """A row moves in the page where there is script, and with an answer where there is none."""
    if walker.script:
        walker.page.locator(button).click()
        expect(walker.page.locator("[data-unsaved]")).to_be_visible()
        walker.look(name)
    else:
        walker.press(button, name)


def order(walker: Walker) -> list[str]:
    """The codes of the list on the page."""
    return walker.page.locator("#GEN1-slots > .slot .slot-title .code-digits").all_inner_texts()


def confirm(house: House, walker: Walker, person: Person) -> None:
    """A wrong code, then the right one; the receipt can be scanned, kept and verified."""
    walker.type_codes(person, shift=1)
    walker.press('form[action$="/confirm"] .btn-primary', "check:wrong")
    expect(walker.page.locator(".error-summary")).to_be_focused()
    assert "4" in walker.page.locator("#code-error").inner_text()  # tries left
    assert house.filed(person) == 0
    walker.type_codes(person)
    walker.press('form[action$="/confirm"] .btn-primary', "receipt")
    assert house.filed(person) == 1
    assert order(walker) == ["4301", "4399", "4302"]
    receipt = house.world.value("SELECT receipt FROM filings WHERE candidate_id = :id", id=person.id)
    assert scanned(walker) == receipt
    with walker.page.expect_download() as kept:
        walker.page.evaluate(  # as "save link as" does, whether this browser shows PDF itself or not
            "link => { link.download = 'receipt.pdf'; link.click(); }",
            walker.page.locator('main a[href$=".pdf"]').element_handle(),
        )
    assert Paper(kept.value.path().read_bytes()).body.startswith(b"%PDF")
    walker.page.locator("details summary").last.click()
    walker.look("receipt:text")
    walker.press('main a[href="/verify"]', "verify")
    walker.fill({"receipt": receipt})
    walker.press("main .btn-primary", "verify:genuine")
    expect(walker.page.locator(".notice-success")).to_be_visible()


def scanned(walker: Walker) -> str:
    """What the QR code of the receipt says to a telephone held before the screen."""
    image = walker.page.locator("img.qr")
    assert image.evaluate("image => image.complete && image.naturalWidth > 0")
    found = zxingcpp.read_barcodes(Image.open(BytesIO(image.screenshot())))
    return found[0].text if found else ""


def revise(house: House, walker: Walker, person: Person, code: str) -> None:
    """One taken out, one moved by its number; the check marks both."""
    walker.go(f"/preferences/{code}/edit", "edit:filled")
    walker.press('button[value="remove GEN1 1"]', "edit:filled")
    assert order(walker) == ["4301", "4302"]
    walker.fill({"GEN1-1-position": "1"})
    move(walker, 'button[value="to GEN1 1"]', "edit:moved")
    assert order(walker) == ["4302", "4301"]
    walker.press(".button-row button[value=check]", "check:changes")
    assert walker.page.locator(".diff-removed").count() == 1
    assert walker.page.locator(".diff-moved").count() >= 1
    assert "4399" in walker.page.locator(".diff-removed").inner_text()
    walker.type_codes(person)
    walker.press('form[action$="/confirm"] .btn-primary', "receipt")
    assert house.filed(person) == 2


def look_back(walker: Walker, code: str) -> None:
    """The archive shows both versions, and what the second changed."""
    walker.go("/filings", "archive")
    versions = walker.page.locator(f'main a[href^="/filings/{code}/"]:not([href$="changes"])')
    assert versions.evaluate_all("links => links.map(a => a.getAttribute('href'))") == [
        f"/filings/{code}/2",
        f"/filings/{code}/1",
    ]
    walker.press(f'a[href="/filings/{code}/2/changes"]', "changes")
    assert walker.page.locator(".diff-removed").count() == 1
    walker.go(f"/filings/{code}/1", "receipt")


def withdraw(house: House, walker: Walker, person: Person, code: str) -> None:
    """The batch is given up: the page that interrupts, then a code."""
    walker.go(f"/preferences/{code}/edit", "edit:filled")
    walker.press(f'a[href="/preferences/{code}/withdraw"]', "withdraw")
    assert house.filed(person) == 2
    walker.press(".btn-danger", "check:waiver")
    walker.type_codes(person)
    walker.press('form[action$="/confirm"] .btn-danger', "receipt:waiver")
    assert house.filed(person) == 3


def after_the_close(house: House, walker: Walker, person: Person, code: str, batch_id: int) -> None:
    """A version made the draft again waits for its code; the batch closes over it."""
    walker.go(f"/filings/{code}/2", "receipt:replaced")
    walker.page.locator("details summary").first.click()
    walker.press('form[action$="/restore/2"] button', "edit:filled")
    assert order(walker) == ["4302", "4301"]
    expect(walker.page.locator(".filing-state .is-draft")).to_be_visible()  # not in force: the waiver is
    walker.press(".button-row button[value=check]", "check:changes")
    walker.type_codes(person)
    house.world.move_end(batch_id, -1)

    old = walker.new_tab()
    walker.go("/preferences", "overview:closed")
    walker.press(f'a[href="/preferences/{code}/edit"]', "closed")
    assert walker.page.locator("main form").count() == 0
    expect(walker.page.locator(".notice-draft")).to_be_visible()  # never confirmed, does not count
    walker.page = old
    walker.press('form[action$="/confirm"] .btn-primary', "check:closed")
    assert walker.page.locator(".code-field").count() == 0
    said = walker.page.locator("main .notice-danger").last.inner_text()
    assert "3" in said  # the number of the version that stands
    assert house.filed(person) == 3


def sign_out(walker: Walker, person: Person, code: str) -> None:
    """Nothing of the candidate stays in the browser."""
    walker.go(f"/filings/{code}/2", "receipt:replaced")
    walker.press(".visitor-bar .btn", "signed-out")
    walker.page.go_back()
    walker.look("sign-in:back")
    assert walker.path.startswith("/sign-in")
    assert person.name not in walker.page.content()
    assert person.candidate_no[-4:] not in walker.page.content()
    assert [each["name"] for each in walker.context.cookies() if each["name"] == "__Host-sid"] == []


# --- the other pages ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "widths"), [("zh", (WIDE, PHONE)), ("en", (PHONE,))])
def test_the_other_pages(house: House, language: str, widths: tuple[int, ...]) -> None:
    code, _ = house.batch()
    person, session = house.activated()
    other = house.batch(name="本科二批")[0]
    file(house.world, person, session, other, "4301", "4302")
    with house.walker("others", language=language) as walker:
        for path, name in [
            ("/", "start"),
            ("/help", "help"),
            ("/privacy", "privacy"),
            ("/verify", "verify"),
            ("/reset", "reset"),
            ("/sign-in/card", "sign-in-card"),
            ("/sign-in", "sign-in"),
        ]:
            walker.page.goto(f"{walker.base}{path}")
            walker.look(name, *widths)
        walker.fill({"number": person.candidate_no, "password": "not the password"})
        walker.press("main .btn-primary", "sign-in:refused")
        walker.look("sign-in:refused", *widths)
        walker.fill({"password": person.password})
        walker.press("main .btn-primary", "overview")
        for path, name in [
            ("/account", "account"),
            ("/account/password", "password"),
            ("/card", "card"),
            ("/card/lost", "lost"),
            ("/card/bind", "bind"),
            (f"/preferences/{code}/copy", "copy"),
            ("/preferences/9/edit", "edit"),
            ("/preferences/0/edit", "closed"),
            (f"/preferences/{other}/withdraw", "withdraw"),
            (f"/preferences/{other}/edit?row=GEN1-0", "edit:row"),
            (f"/filings/{other}/1", "receipt"),
            ("/preferences/nowhere/edit", "not-found"),
        ]:
            walker.page.goto(f"{walker.base}{path}")
            walker.look(name, *widths)


# --- by keyboard alone -------------------------------------------------------------------------------


def test_a_list_is_filed_with_tab_enter_and_space(house: House) -> None:
    code, _ = house.batch()
    person, _ = house.activated()
    with house.walker("keyboard") as walker:
        keys = walker.page.keyboard

        walker.go("/", "start")
        walker.tab_to('main a[href="/sign-in"]')
        walker.strike("Enter")
        walker.tab_to("#number")
        keys.type(person.candidate_no)
        walker.tab_to("#password")
        keys.type("not the password")
        walker.strike("Enter")
        expect(walker.page.locator(".error-summary")).to_be_focused()
        walker.tab_to("#password")
        keys.type(PASSWORD)
        walker.strike("Enter")
        walker.tab_to(f'a[href="/preferences/{code}/edit"]')
        walker.strike("Enter")
        for row, institution in enumerate(("4301", "4302")):
            walker.tab_to(f"#GEN1-{row}-code")
            keys.type(institution)
            walker.tab_to(f"#GEN1-{row}-majors")
            keys.type("01 02")
            walker.tab_to(f"#GEN1-{row}-adjust-yes")
            keys.press("Space")
        walker.tab_to(SAVE)
        walker.strike("Enter")
        walker.tab_to('button[value="up GEN1 1"]')
        keys.press("Space")
        assert order(walker) == ["4302", "4301"]
        walker.see_focus()
        walker.tab_to(".button-row button[value=check]")
        walker.strike("Enter")
        assert order(walker) == ["4302", "4301"]
        asked = walker.codes_asked()[0]
        walker.tab_to("#code")
        keys.type(person.code(asked % 40 + 1))
        walker.strike("Enter")
        expect(walker.page.locator(".error-summary")).to_be_focused()
        walker.tab_to('.error-summary a[href="#code"]')
        keys.press("Enter")
        expect(walker.page.locator("#code")).to_be_focused()
        keys.type(person.code(asked))
        walker.strike("Enter")
        walker.look("receipt")
        assert house.filed(person) == 1


# --- on paper ----------------------------------------------------------------------------------------


def test_a_receipt_and_a_list_fill_one_sheet(house: House) -> None:
    code, batch_id = house.batch()
    person, session = house.activated()
    file(house.world, person, session, code, *(f"43{number:02}" for number in range(1, 11)))
    with house.walker("paper") as walker:
        house.sign_in(walker, person)

        walker.go(f"/filings/{code}/1", "receipt")
        with printed_as(walker.page):
            digest = bytes(house.world.value("SELECT digest FROM filings WHERE candidate_id = :id", id=person.id)).hex()
            shown = walker.page.locator("main").inner_text().replace(" ", "").lower()
            assert digest[:16] in shown
            expect(walker.page.locator(".print-header")).to_be_visible()
            expect(walker.page.locator("img.qr")).to_be_visible()
            expect(walker.page.locator("main .btn:visible, main form:visible, .service-header:visible")).to_have_count(
                0
            )
        receipt = printed(walker, "receipt")
        assert (receipt.pages, receipt.sizes) == (1, A4)

        walker.go(f"/preferences/{code}/edit", "edit:filled")
        assert printed(walker, "draft").sizes == A4
        house.world.move_end(batch_id, -1)
        walker.go(f"/preferences/{code}/edit", "closed:list")
        standing = printed(walker, "list")
        assert (standing.pages, standing.sizes) == (1, A4)
        for path in (f"/filings/{code}/1.pdf", f"/preferences/{code}/draft-form.pdf?filled=1"):
            answer = walker.context.request.get(f"{walker.base}{path}")
            assert answer.headers["content-type"] == "application/pdf"
            assert Paper(answer.body()).body.startswith(b"%PDF")


# --- two windows -------------------------------------------------------------------------------------


def test_what_another_tab_changed_is_shown_and_not_filed(house: House) -> None:
    code, _ = house.batch()
    person, _ = house.activated()
    with house.walker("tabs") as walker:
        house.sign_in(walker, person)
        walker.go(f"/preferences/{code}/edit", "edit")
        walker.fill({"GEN1-0-code": "4301", "GEN1-0-majors": "01"})
        walker.page.locator("#GEN1-0-adjust-yes").check()
        walker.press(".button-row button[value=check]", "check")
        walker.type_codes(person)

        first = walker.new_tab()
        walker.go(f"/preferences/{code}/edit", "edit")
        walker.fill({"GEN1-1-code": "4302", "GEN1-1-majors": "02"})
        walker.page.locator("#GEN1-1-adjust-yes").check()
        walker.press(SAVE, "edit:filled")
        second, walker.page = walker.page, first
        walker.press('form[action$="/confirm"] .btn-primary', "check:changed")
        walker.look("check:changed", WIDE, PHONE)
        assert "4302" in walker.page.locator(".diff-added").first.inner_text()
        assert order(walker) in ([], ["4301", "4302"])  # what is called the draft is the draft
        assert walker.page.locator(".code-field").count() == 0
        assert house.filed(person) == 0

        walker.press("main form[action$='/check'] .btn-primary", "check")
        walker.press(".back-link", "edit:filled")
        walker.page, first = second, walker.page
        walker.fill({"GEN1-2-code": "4303", "GEN1-2-majors": "02"})
        walker.press(SAVE, "edit:filled")
        walker.page = first
        walker.press('button[value="remove GEN1 0"]', "moved")
        walker.look("moved", WIDE, PHONE)
        assert house.filed(person) == 0


def test_a_form_of_the_candidate_before_is_refused(house: House) -> None:
    code, _ = house.batch()
    before, _ = house.activated()
    after, _ = house.activated()
    with house.walker("two-candidates") as walker:
        house.sign_in(walker, before)
        walker.go(f"/preferences/{code}/edit", "edit")
        walker.fill({"GEN1-0-code": "4301", "GEN1-0-majors": "01"})

        old = walker.new_tab()
        walker.go("/preferences", "overview")
        walker.press(".visitor-bar .btn", "signed-out")
        house.sign_in(walker, after)
        walker.page = old
        walker.press(SAVE, "refused")
        walker.look("refused", WIDE, PHONE)
        assert (
            house.world.value("SELECT count(*) FROM drafts WHERE candidate_id IN (:a, :b)", a=before.id, b=after.id)
            == 0
        )


# --- the offices -------------------------------------------------------------------------------------


def test_an_officer_goes_from_the_province_to_the_names(house: House) -> None:
    world = house.world
    code, _ = house.batch(name="本科三批")
    far = world.new_point("浏阳市第三中学", world.new_county("430181", "浏阳市"))
    for name in ("欧阳娜娜", "艾力·买买提", "张㛃"):
        world.activate(world.candidate(point=far, name=name))
    secret = appointed(world)
    with (
        house.here.portals({"offices": free_port()}, workers=1) as (portal,),
        house.walker("offices", at=portal) as walker,
    ):
        both = (WIDE, PHONE)
        portal.wait_until_ready()

        walker.go("/", "sign-in")
        walker.fill({"login": "zhou.min", "password": OFFICER, "digits": "000000"})
        walker.press("main .btn-primary", "sign-in:refused")
        walker.look("sign-in:refused", *both)
        expect(walker.page.locator(".error-summary")).to_be_focused()
        with world.database.reading() as connection:
            digits = totp.shown_at(secret, clock(connection))
        walker.fill({"login": "zhou.min", "password": OFFICER, "digits": digits})
        walker.press("main .btn-primary", "province")
        walker.page.goto(f"{walker.base}/progress?batch={code}")
        walker.look("province", *both)
        for name, office in [("prefecture", "长沙市"), ("county", "浏阳市"), ("point", "浏阳市第三中学")]:
            walker.press(f'.data-table a:text-is("{office}")', name)
            walker.look(name, *both)
        assert "艾力·买买提" in walker.words
        assert "张㛃" in walker.words
        for path, name in [
            ("/counter", "counter"),
            ("/password", "password"),
            ("/prove", "prove"),
            ("/help", "help"),
            ("/privacy", "privacy"),
            ("/progress/999999", "not-found"),
        ]:
            walker.page.goto(f"{walker.base}{path}")
            walker.look(name, *both)
    must_be_clean(portal)


def appointed(world: World) -> str:
    """An operator of the province; returns the secret of the second factor."""
    given = appointments.appoint(
        world.database,
        world.keys,
        login="zhou.min",
        name="周敏",
        office_code=world.value("SELECT code FROM offices WHERE id = :id", id=world.province),
        role="operator",
        until=datetime.now(UTC) + timedelta(days=30),
        chosen=Password.of(OFFICER, world.keys),
    )
    assert given.totp_secret is not None
    return given.totp_secret


# --- at the end --------------------------------------------------------------------------------------


def test_nothing_went_wrong_behind_the_pages(house: House) -> None:
    must_be_clean(house.candidates)


def must_be_clean(portal: Process) -> None:
    """Neither a report of a broken policy nor a mistake of ours stands in a portal's log."""
    log = portal.log.read_text(errors="replace")
    assert '"csp"' not in log
    assert '"mistake"' not in log, log[log.index('"mistake"') :][:3000]
