"""The offices' pages in a real browser: axe, a phone's width, no script error, and paper."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import BytesIO

import pytest
import zxingcpp
from flask import Flask
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from admin import snapshots
from admin.alerts import Finding, raise_
from admin.officers import Role
from admin.spans import Span, serial_of
from app.tallies import STATES
from tests.admin.colleagues import PASSWORD, Colleague, Offices
from tests.admin.keepers import Keepers
from tests.admin.pages.scene import Scene, keeper, rules
from tests.admin.sealing import seal
from tests.browser import violations
from tests.makers import Person, World
from tests.web.shots import browser
from tests.web.style_guide import served

WIDE, PHONE = 1280, 320
#: what answers a GET with no page, besides files
NO_PAGES = {"public.live", "public.ready", "metrics.show"}
OVERFLOW = """() => [...document.querySelectorAll('body *')]
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1
    && getComputedStyle(e).clip === 'auto' && !e.closest('.skip-link, .table-scroll'))
  .map(e => [e.tagName, e.className, e.getBoundingClientRect().right])"""
SMALL_TARGETS = """() => [...document.querySelectorAll('main button, main .btn, main select, main input')]
  .filter(e => e.getClientRects().length)
  .map(e => e.matches('.form-check-input') ? e.closest('.choice') : e)
  .filter(e => e.getBoundingClientRect().height < 43.5).map(e => [e.tagName, e.className, e.textContent])"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture
def address(offices_app: Flask) -> Iterator[str]:
    with served(offices_app) as found:
        yield found


@pytest.fixture
def person(world: World) -> Person:
    """The one candidate of a school, with an account."""
    world.batch("1")
    world.batch("2", name="本科二批")
    found = world.candidate()
    world.activate(found)
    return found


@pytest.fixture
def who(offices: Offices, person: Person) -> Colleague:
    return offices.appoint(person.point_id)


@pytest.fixture
def open_page(
    chromium: Browser, address: str, offices: Offices, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Page]]:
    """A function that opens a window of a width, with an officer signed in, the school's unless another is named."""
    made: list[Page] = []
    problems: list[str] = []

    def note(text: str) -> None:
        if "status of 4" not in text:  # a refused form is no script error
            problems.append(text)

    def open_at(width: int = WIDE, *, signed_in: bool = True, who: Colleague | None = None) -> Page:
        context = chromium.new_context(base_url=address, viewport={"width": width, "height": 800})
        if signed_in:
            url = address.replace("http:", "https:")
            session_id = offices.open_session(who or request.getfixturevalue("who"))
            context.add_cookies([{"name": "__Host-oid", "value": session_id, "url": url, "secure": True}])
        made.append(context.new_page())
        made[-1].on("pageerror", lambda error: note(str(error)))
        made[-1].on("console", lambda message: note(message.text) if message.type == "error" else None)
        return made[-1]

    yield open_at
    for page in made:
        page.context.close()
    assert problems == []


def inspect(page: Page) -> None:
    """Look at the page as it is in a wide window and on a phone; the window is left as it was."""
    own = page.viewport_size
    assert own is not None
    for width in (WIDE, PHONE):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (page.url, width)
        assert page.evaluate(OVERFLOW) == [], (page.url, width)
        assert page.evaluate(SMALL_TARGETS) == [], (page.url, width)
    page.set_viewport_size(own)
    if own["width"] == WIDE:  # the same document is on a phone, with nothing more in it
        assert violations(page) == [], page.url


def go_on(page: Page) -> None:
    page.locator("main .btn-primary").click()


def test_every_page_there_is_reads_well(
    open_page: Callable[..., Page], offices_app: Flask, offices: Offices, scene: Scene
) -> None:
    """From the URL map, so that none is forgotten; each as the lowest office sees it that may."""
    roles: tuple[Role, ...] = ("approver", "system_admin", "auditor")
    windows = {
        (name, role): open_page(who=offices.appoint(scene.offices[name], role))
        for name in ("point", "county", "province")
        for role in roles
    }
    scene.seals["point"] = closed_and_sealed(scene.world)
    for rule, method in rules(offices_app, shut=False):
        if method != "GET" or rule.endpoint in NO_PAGES or str(rule).endswith((".pdf", ".txt")):
            continue
        for name in ("point", "county", "province"):
            page = windows[name, keeper(rule, "approver")]
            answer = page.goto(scene.address(rule, "point"))
            assert answer is not None
            if answer.ok:
                inspect(page)
                break
        else:
            pytest.fail(f"nobody sees {rule.endpoint}")


def closed_and_sealed(world: World) -> int:
    """A batch of the past; the number of its seal."""
    world.batch("2", name="本科二批")
    return seal(world, "2").number


def test_two_officers_pause_a_batch_by_keyboard_alone(
    open_page: Callable[..., Page], world: World, offices: Offices, person: Person
) -> None:
    page = open_page(who=offices.appoint(world.province))
    page.goto("/schedule")
    for link in ('a[href="/schedule/1"]', 'a[href="/schedule/1/pause"]'):
        reach(page, link)
        page.keyboard.press("Enter")
    reach(page, "#reason")
    page.keyboard.type("机房断电，全省暂停")
    reach(page, "main form button")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/acts/[0-9]+$"))
    second = open_page(who=offices.appoint(world.province, "approver"))
    second.goto("/acts")
    reach(second, 'main a[href^="/acts/"]')
    second.keyboard.press("Enter")
    reach(second, "#word")
    second.keyboard.type("1")
    reach(second, 'form[action$="/approve"] button')
    second.keyboard.press("Enter")
    expect(second.locator(".notice-success")).to_be_visible()
    assert world.value("SELECT suspended_at IS NOT NULL FROM batches WHERE code = '1'")


def reach(page: Page, what: str) -> None:
    """Press Tab until the first of these has the focus, and the focus can be seen."""
    target = page.locator(what).first
    expect(target).to_be_visible()
    for _ in range(80):
        page.keyboard.press("Tab")
        if target.evaluate("e => e === document.activeElement"):
            assert target.evaluate("e => e.matches(':focus-visible')")
            return
    pytest.fail(f"{what} is not reached")


def test_every_page_reads_well(
    open_page: Callable[..., Page], world: World, offices: Offices, who: Colleague, person: Person
) -> None:
    page = open_page(signed_in=False)
    page.goto("/")
    inspect(page)
    go_on(page)
    expect(page.locator(".error-summary")).to_be_focused()
    inspect(page)

    page = open_page()
    page.goto(f"/progress/{person.point_id}?class=301&state=filed")
    inspect(page)
    page.goto("/counter")
    page.locator("#number").fill(person.candidate_no)
    go_on(page)
    inspect(page)
    go_on(page)
    inspect(page)
    go_on(page)
    expect(page.locator("main .field-error")).to_have_count(3)
    inspect(page)
    page.locator("#id_tail").fill(person.id_no[-6:])
    page.locator("#reason").fill("忘记密码")
    page.locator("#seen").check()
    world.do("UPDATE officer_sessions SET proved_at = proved_at - interval '6 minutes'")
    go_on(page)
    expect(page.locator("#digits")).to_be_visible()
    inspect(page)
    page.locator("#password").fill(PASSWORD)
    page.locator("#digits").fill(offices.digits(who))
    go_on(page)
    expect(page.locator("h1")).to_have_text("您填写的内容还在")
    inspect(page)
    go_on(page)
    expect(page.locator(".document-head")).to_be_visible()
    inspect(page)


def test_alerts_and_rooms_read_well(
    open_page: Callable[..., Page], world: World, offices: Offices, person: Person
) -> None:
    now = world.value("SELECT clock_timestamp()")
    facts = {"first": now, "hours": 24, "most": 5, "chance": 1e-9, "networks": ["2001:db8:1:2::/64"] * 3}
    with world.database.transaction() as session:
        raise_(session, Finding("filings_device", person.point_id, "79f076abdd19a752", 6, now, facts, (person.id,)))
    alert = world.value("SELECT id FROM alerts")
    page = open_page()
    page.goto("/rooms")
    inspect(page)
    page.locator("#name").fill("实验楼三层机房")
    page.locator("#network").fill("203.0.113.0/28")
    page.locator("#until").fill(str((now + timedelta(days=2)).date()))
    go_on(page)
    page = open_page(who=offices.appoint(world.county, "approver"))
    for place in ("/alerts", f"/alerts/{alert}", "/rooms"):
        page.goto(place)
        inspect(page)
    page.get_by_role("button").filter(has_text="实验楼三层机房").first.click()
    expect(page.locator(".notice-success")).to_be_visible()
    inspect(page)


def test_accounts_read_well(open_page: Callable[..., Page], world: World, offices: Offices) -> None:
    now = world.value("SELECT clock_timestamp()")
    offices.appoint(world.point, name="陈静", until=now + timedelta(days=5))
    page = open_page(who=offices.appoint(world.county, "system_admin"))
    page.goto("/accounts/new")
    page.locator("#office").select_option(str(world.point))
    page.locator("#name").fill("陈静")
    page.locator("#role-0").check()
    page.locator("#login").fill("chen.jing")
    page.locator("#until").fill(str((now + timedelta(days=2)).date()))
    page.locator("#reason").fill("湘招任〔2017〕12 号")
    go_on(page)
    expect(page.locator("main .field-error")).to_have_count(1)
    inspect(page)
    page.locator("#another").check()
    go_on(page)
    inspect(page)
    square = Image.open(BytesIO(page.locator(".qr-once").screenshot()))
    assert [found.text.startswith("otpauth://") for found in zxingcpp.read_barcodes(square)] == [True]
    page.emulate_media(media="print")
    expect(page.locator(".notice-warning")).to_be_hidden()
    assert page.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") == 1


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_the_audit_reads_well(open_page: Callable[..., Page], offices: Offices, person: Person, width: int) -> None:
    page = open_page(width, who=offices.appoint(person.point_id, "auditor"))
    page.goto("/audit")
    inspect(page)
    go_on(page)
    expect(page.locator("#found tbody tr").first).to_be_in_viewport()
    inspect(page)
    page.locator("#number").fill("17")
    go_on(page)
    expect(page.locator(".error-summary")).to_be_focused()
    inspect(page)


def counted_before(world: World) -> None:
    """A whole province in every state, counted yesterday and an hour ago: the widest table there is."""
    world.do(f"UPDATE tallies SET {', '.join(f'{state} = 129457' for state in STATES)}")  # noqa: S608 -- constants
    for hours in (24, 1):
        with world.database.transaction() as session:
            snapshots.take(session)
        world.do(
            "UPDATE tally_snapshots SET taken_at = taken_at - make_interval(hours => :hours)"
            " WHERE taken_at > clock_timestamp() - interval '1 hour'",
            hours=hours,
        )


def test_what_the_province_alone_does_reads_well(
    open_page: Callable[..., Page], world: World, offices: Offices, person: Person
) -> None:
    world.move_end(world.value("SELECT id FROM batches WHERE code = '2'"), 0)
    page = open_page(who=offices.appoint(world.province))
    for place in ("/schedule/1/end", f"/counter/{person.id}/reopen"):
        page.goto(place)
        inspect(page)
    counted_before(world)
    page.goto("/progress?batch=1")
    expect(page.locator(".data-table").first.locator("thead th")).to_have_count(13)
    inspect(page)
    page.goto("/schedule/1/end")
    page.locator("#at").fill("2099-06-27T18:00")
    page.locator("#reason").fill("the line to the centre was cut")
    page.locator("main form .button-row button").click()
    expect(page).to_have_url(re.compile("/acts/"))
    inspect(page)
    second = open_page(who=offices.appoint(world.province, "approver"))
    second.goto(page.url)
    second.locator("details summary").click()
    inspect(second)
    second.locator("#word").fill("1")
    second.locator("main form .button-row button").click()
    page.goto("/schedule/1")
    page.locator("details summary").click()
    inspect(page)


def test_the_slip_fits_one_sheet(open_page: Callable[..., Page], person: Person) -> None:
    page = open_page()
    page.goto(f"/counter/{person.id}/reset")
    page.locator("#id_tail").fill(person.id_no[-6:])
    page.locator("#reason").fill("忘记密码")
    page.locator("#seen").check()
    go_on(page)
    page.emulate_media(media="print")
    expect(page.locator(".sign-off")).to_be_visible()
    expect(page.locator(".panel")).to_be_visible()
    for hidden in (".notice-warning", ".service-header", ".page-nav", ".back-link"):
        expect(page.locator(hidden).first).to_be_hidden()
    assert page.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") == 1


def test_a_table_sorts_and_downloads_without_script(
    chromium: Browser, address: str, offices: Offices, who: Colleague
) -> None:
    context = chromium.new_context(base_url=address, java_script_enabled=False)
    url = address.replace("http:", "https:")
    context.add_cookies([{"name": "__Host-oid", "value": offices.open_session(who), "url": url, "secure": True}])
    page = context.new_page()
    page.goto("/progress")
    page.locator("thead a").nth(2).click()
    expect(page.locator("[aria-sort=descending]")).to_have_count(1)
    with page.expect_download() as caught:
        page.locator("button[name=table][value=counts]").click()
    assert caught.value.suggested_filename.endswith(".xlsx")
    context.close()


@pytest.fixture
def custody(keepers: Keepers, world: World, person: Person) -> list[str]:
    """A province with cards in every place; the addresses of its pages, by whose office they are."""
    span = keepers.take_in("1701", 4_000, spoiled=[Span(17010000005, 17010000007)])
    keepers.bring(world.county, Span(span.first, span.first + 1_999))
    keepers.bring(world.point, Span(span.first + 2_000, span.first + 2_099))
    keepers.hand_over(world.point, world.candidate(card=False), serial_of(span.first + 2_000))
    differs = keepers.send(world.county, world.point, Span(span.first, span.first + 99))
    keepers.report(world.point, differs, missing=[Span(span.first + 9, span.first + 9)])
    keepers.send(world.county, world.point, Span(span.first + 100, span.first + 199))
    one = keepers.at(world.point, "approver")
    keepers.ask_replacement(one, person, serial_of(span.first + 2_050))
    keepers.lot("1702", 3)
    return [f"/transfers/{differs}", f"/transfers/{differs}/boxes/1", f"/transfers/{differs + 1}/boxes/1"]


def test_every_page_of_custody_reads_well(
    open_page: Callable[..., Page], person: Person, custody: list[str], offices: Offices, world: World
) -> None:
    places = {
        world.point: custody,
        world.county: ["/stock", f"{custody[0]}/boxes/1/settle"],
        world.province: ["/lots", "/lots/1702/statement", f"/register/{world.county}"],
    }
    for office, addresses in places.items():
        page = open_page(who=offices.appoint(office, "approver"))
        for address in addresses:
            answer = page.goto(address)
            assert answer is not None
            assert answer.ok, address
            inspect(page)
    for has, address in (("#reason", "/stock/destroy"), ("#scanned", custody[2]), ("#serial", "/hand-over")):
        page = open_page()
        page.goto(address)
        page.locator(has).fill("1")
        page.locator(has).locator("xpath=ancestor::form").locator(".btn-primary, .btn-danger").first.click()
        expect(page.locator(".error-summary")).to_be_focused()
        inspect(page)
