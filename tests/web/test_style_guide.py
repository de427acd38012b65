"""The frame, the macros and the scripts in a real browser: axe, 320 px, no script, old promises kept."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.browser import violations
from tests.web.shots import browser
from tests.web.style_guide import PAGES, create_style_guide, served

VARIANTS = ("", "errors=1&banner=1", "appearance=large-font+high-contrast", "language=en")

#: what does not fit into the window: (tag, class, right edge)
OVERFLOW = """() => [...document.querySelectorAll('body *')]
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1
    && getComputedStyle(e).clip === 'auto' && !e.closest('.skip-link, .table-scroll'))
  .map(e => [e.tagName, e.className, e.getBoundingClientRect().right])"""
#: controls smaller than a fingertip; links inside running text are excepted (SC 2.5.8)
SMALL_TARGETS = """() => [...document.querySelectorAll(
    'button, .btn, select, summary, input:not([type=hidden]), nav a, .task-link')]
  .filter(e => e.getClientRects().length && !e.closest('.visually-hidden') && !e.classList.contains('visually-hidden'))
  .map(e => [e, e.matches('.form-check-input') ? e.closest('.choice') : e])
  .filter(([e, box]) => box.getBoundingClientRect().height < (e.matches('.task-link') ? 40 : 43.5))
  .map(([e]) => [e.tagName, e.className, e.textContent, e.getBoundingClientRect().height])"""
SMALL_TEXT = """() => [...document.querySelectorAll('body *')]
  .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && e.getClientRects().length)
  .filter(e => parseFloat(getComputedStyle(e).fontSize) < 16).map(e => [e.tagName, e.className])"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(create_style_guide()) as found:
        yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert problems == []  # no script error, no violation of the content security policy


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(page: Page, address: str, name: str) -> None:
    for variant in VARIANTS if name == "components" else VARIANTS[:1]:
        answer = page.goto(f"{address}/show/{name}?{variant}")
        assert answer is not None
        assert answer.ok
        for width in (320, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            assert violations(page, colours=width == 1280) == [], (variant, width)


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_shows_it_all(page: Page, address: str, name: str) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    for variant in VARIANTS:
        answer = page.goto(f"{address}/show/{name}?{variant}")
        assert answer is not None
        assert answer.ok
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, variant
        assert page.evaluate(OVERFLOW) == [], variant
        assert page.evaluate(SMALL_TARGETS) == [], variant
        assert page.evaluate(SMALL_TEXT) == [], variant
        assert "</" not in page.inner_text("body"), variant  # nothing escaped twice


def test_the_first_page_is_few_requests_and_small(page: Page, address: str) -> None:
    sizes: list[int] = []
    page.on("response", lambda answer: sizes.append(len(answer.body())))
    page.goto(f"{address}/show/sign-in", wait_until="networkidle")
    assert len(sizes) <= 6


def test_everything_is_said_without_script(chromium: Browser, address: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/show/edit?language=en&closes=5400")
    expect(page.locator("[data-countdown]")).to_have_text("1 h 30 min 0 s")
    expect(page.locator(".slot-handle")).to_have_count(0)
    expect(page.locator("[data-unsaved]")).to_be_hidden()
    expect(page.locator("#timeout-dialog")).to_be_hidden()
    expect(page.get_by_role("button", name="Move 湖南大学")).to_have_count(0)
    assert page.locator('button[value="to GEN1 1"]').is_visible()
    context.close()


def test_skip_link_and_focus_ring(page: Page, address: str) -> None:
    page.goto(f"{address}/show/edit")
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_errors_take_the_focus_and_name_the_title(page: Page, address: str) -> None:
    page.goto(f"{address}/show/sign-in?errors=1&language=en")
    assert page.title().startswith("Error: ")
    expect(page.locator(".error-summary")).to_be_focused()
    page.locator(".error-summary a").first.click()
    expect(page.locator("#number")).to_be_focused()
    described = page.locator("#number").get_attribute("aria-describedby")
    assert described == "number-hint number-error"


def test_large_text_and_language_are_plain_forms(chromium: Browser, address: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/show/tasks")
    page.locator(".page-tool").nth(0).click()
    expect(page.locator("html")).to_have_class("large-font")
    page.locator(".page-tool").nth(1).click()
    expect(page.locator("html")).to_have_class("large-font high-contrast")
    page.locator(".page-tool").nth(0).click()
    expect(page.locator("html")).to_have_class("high-contrast")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    context.close()


def test_countdown_ends_and_says_so_once(page: Page, address: str) -> None:
    page.goto(f"{address}/show/edit?closes=62&language=en")
    time = page.locator("[data-countdown]")
    expect(time).to_have_class(re.compile("is-near"))
    expect(page.locator("[data-countdown] + [role=status]")).to_have_text(re.compile("left"), timeout=5000)
    page.goto(f"{address}/show/edit?closes=2&language=en")
    expect(time).to_have_text("over; load this page again", timeout=5000)


def _order(page: Page) -> list[str]:
    return [str(name)[:4] for name in page.locator("[data-slot]").evaluate_all("rows => rows.map(r => r.dataset.name)")]


def _positions(page: Page) -> dict[str, str]:
    found: dict[str, str] = page.locator("input[data-position]").evaluate_all(
        "all => Object.fromEntries(all.map(i => [i.name, i.value]))"
    )
    return found


def test_rows_move_by_buttons_and_by_number(page: Page, address: str) -> None:
    page.goto(f"{address}/show/edit?language=en")
    expect(page.locator("[data-unsaved]")).to_be_hidden()
    down = page.get_by_role("button", name="Down Hunan University")
    down.press("Enter")
    assert _order(page) == ["2459", "4143", "2489"]
    expect(down).to_be_focused()
    expect(page.locator("form > [role=status]")).to_have_text(re.compile(r"4143 Hunan University is now no. 2 of 3"))
    expect(page.locator("[data-unsaved]")).to_be_visible()
    page.get_by_label("To place no. Xiangtan University").fill("1")
    page.keyboard.press("Enter")
    assert _order(page) == ["2489", "2459", "4143"]
    assert _positions(page) == {"GEN1-0-position": "3", "GEN1-1-position": "2", "GEN1-2-position": "1"}
    expect(page.get_by_role("button", name="Up Xiangtan University")).to_have_attribute("aria-disabled", "true")
    page.get_by_role("button", name="Up Xiangtan University").press("Enter")
    assert _order(page) == ["2489", "2459", "4143"]


def test_rows_can_be_dragged_and_escape_puts_them_back(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 1800})
    page.goto(f"{address}/show/edit")
    handles = page.locator(".slot-handle")
    start, goal = handles.nth(0).bounding_box(), page.locator("[data-slot]").nth(2).bounding_box()
    assert start is not None
    assert goal is not None
    page.mouse.move(start["x"] + 10, start["y"] + 10)
    page.mouse.down()
    page.mouse.move(goal["x"] + 20, goal["y"] + goal["height"] - 5, steps=12)
    assert _order(page) == ["2459", "2489", "4143"]
    page.keyboard.press("Escape")
    page.mouse.up()
    assert _order(page) == ["4143", "2459", "2489"]
    page.mouse.move(start["x"] + 10, start["y"] + 10)
    page.mouse.down()
    page.mouse.move(goal["x"] + 20, goal["y"] + goal["height"] - 5, steps=12)
    page.mouse.up()
    assert _order(page) == ["2459", "2489", "4143"]
    assert _positions(page)["GEN1-0-position"] == "3"


def test_leaving_with_unsaved_rows_asks_first(page: Page, address: str) -> None:
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", answer)
    page.goto(f"{address}/show/edit")
    page.locator('button[data-move="down"]').first.click()
    page.goto(f"{address}/show/tasks")
    assert asked == ["beforeunload"]
    page.goto(f"{address}/show/edit")
    page.locator('button[data-move="down"]').first.click()
    page.locator('.button-row button[value="save"]').click()
    assert asked == ["beforeunload"]


def test_session_is_extended_from_the_dialogue(page: Page, address: str) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.goto(f"{address}/show/tasks?idle=181&language=en")
    dialog = page.locator("#timeout-dialog")
    expect(dialog).to_be_visible(timeout=5000)
    expect(dialog.locator("[data-time-left]")).to_have_text("You will be signed out in 3 min.")
    expect(dialog.locator("[data-stay]")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(dialog.locator("[data-stay]")).to_be_focused()
    assert violations(page) == []
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    assert sent == [f"{address}/session/extend"]


def test_session_that_ended_leaves_the_page(page: Page, address: str) -> None:
    left = re.compile(r"/sign-in\?next=%2Fshow%2Ftasks%3Fidle%3D1$")
    page.route(left, lambda route: route.fulfill(body="signed out", content_type="text/html"))
    page.goto(f"{address}/show/tasks?idle=1")
    page.wait_for_url(left, timeout=5000)


def test_a_changed_list_is_sent_when_the_session_ends(page: Page, address: str) -> None:
    page.route(
        lambda _: True,
        lambda route: (
            route.fulfill(body="kept", content_type="text/html")
            if route.request.method == "POST"
            else route.continue_()
        ),
    )
    page.goto(f"{address}/show/edit")
    page.locator('button[data-move="down"]').first.click()
    with page.expect_request(lambda request: request.method == "POST") as sent:
        page.evaluate("window.dispatchEvent(new CustomEvent('session-ended', { cancelable: true }))")
    assert "-position=" in (sent.value.post_data or "")


def test_password_is_shown_on_request_and_hidden_when_sent(page: Page, address: str) -> None:
    page.goto(f"{address}/show/sign-in?language=en")
    page.locator("#password").fill("secret")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#password")).to_have_attribute("type", "text")
    page.get_by_role("button", name="Hide").click()
    expect(page.locator("#password")).to_have_attribute("type", "password")


def test_code_is_shown_as_printed(page: Page, address: str) -> None:
    page.goto(f"{address}/show/confirm")
    page.locator("#code").press_sequentially("12345678")
    expect(page.locator("#code")).to_have_value("1234 5678")
    page.locator("#code").fill("")
    page.locator("#code").press_sequentially("１２３４５６７８")
    expect(page.locator("#code")).to_have_value("１２３４５６７８")


def test_second_click_sends_nothing(page: Page, address: str) -> None:
    page.goto(f"{address}/show/confirm")
    sent = page.evaluate("""() => {
      const form = document.querySelector('#code').form;
      let count = 0;
      window.addEventListener('submit', event => { count += event.defaultPrevented ? 0 : 1; event.preventDefault(); });
      const button = form.querySelector('.button-row button');
      button.click(); button.click();
      return count;
    }""")
    assert sent == 1


def test_paper_has_a_header_on_each_sheet(page: Page, address: str) -> None:
    page.goto(f"{address}/show/receipt")
    page.emulate_media(media="print")
    expect(page.locator(".service-header")).to_be_hidden()
    expect(page.locator(".print-header")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.print-header')).display") == "table-header-group"
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
