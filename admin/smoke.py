"""`make smoke`: the shortest walk through a running service, from activation to the receipt and past the close.

Real servers, real gunicorn, a browser without script that fills in the forms it is shown. One line a step; the
first that fails ends the walk with what the page said.
"""

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text

from admin import appointments, evidence_check, rehearsal, totp
from admin.appointments import Password
from admin.browser import Browser, Fields, Page, WalkError, over_http
from admin.demo import post_to
from admin.evidence_check import Keys
from admin.glance import addresses, asked, receipt_token, require, right, typed
from admin.officers import Role
from admin.rehearsal import FREE, Player
from admin.stage import Process, Stage, erase, free_port, stage
from app import batches, catalogue, evidence, sessions
from app.evidence import Receipt
from app.web.formats import ZONE

CANDIDATES: Final = 300
OFFICE: Final = "430100"
CARDS: Final = 12
BATCH: Final = "1"
PASSWORD: Final = "岳麓山下 2017 smoke"  # noqa: S105 -- of a candidate who lives for a minute
OFFICER_PASSWORD: Final = "Smoke-walk-2017"  # noqa: S105
#: within so much a moved end holds on every worker (O-08): so many pages in a row show it
PROMISED: Final = timedelta(seconds=5)
OFTEN: Final = 12
_SHOWN: Final = 600


class SmokeError(Exception):
    """A step failed; what the page said is in the message."""


Tell = Callable[[str], object]


def run(tell: Tell) -> None:
    """Set up a small province in a temporary directory, walk, and leave nothing. Raises `SmokeError`."""
    started = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="zhiyuan-smoke-"))
    directory.chmod(0o711)  # as root, PostgreSQL's account passes through it
    try:
        with (
            stage(directory, durable=False, cool_off_minutes=0) as where,
            where.schedule(),
            where.portals({"candidates": free_port(), "offices": free_port()}) as portals,
            rehearsal.lot_in_the_making(where.keys, "0001", CARDS) as lot,
        ):
            rehearsal.load(where, CANDIDATES, lambda _: None)
            players = rehearsal.hand_out(where, OFFICE, lot())
            player = next(one for one in players if one.candidate_no[9] == "5")
            for portal in portals:
                portal.wait_until_ready()
            tell(f"a small province and both portals are up: {time.monotonic() - started:.1f} s")
            Walk(where, player, portals, tell).whole()
    finally:
        erase(directory)
        shutil.rmtree(directory, ignore_errors=True)
    tell(f"all of it works: {time.monotonic() - started:.1f} s")


@dataclass
class Walk:
    """One candidate and one officer, from the start page to the refusal after the close."""

    where: Stage
    player: Player
    portals: list[Process]
    tell: Tell
    #: what the last confirmation sent, to send it once more
    sent: tuple[str, Fields] = ("", [])
    receipts: list[Receipt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.candidate = Browser(over_http(), self.portals[0].url)
        self.officer = Browser(over_http(), self.portals[1].url)
        self.province = Browser(over_http(), self.portals[1].url)

    def whole(self) -> None:
        """Every step in order."""
        steps: list[tuple[str, Browser, Callable[[], object]]] = [
            ("the start page leads to activation and sign-in", self.candidate, self.start),
            ("activation: number, card and identity number are read", self.candidate, self.activate),
            ("activation: two codes and a password bind the card and sign in", self.candidate, self.bind),
            ("signing out, and in with the password alone", self.candidate, self.sign_out_and_in),
            ("an officer signs in with both factors; nobody has filed", self.officer, self.officer_signs_in),
            ("a list is typed into the edit form and checked", self.candidate, lambda: self.edit(3)),
            ("a wrong code files nothing and costs a try", self.candidate, self.wrong_code),
            ("the right code files it; the receipt is number 1", self.candidate, lambda: self.confirm(1)),
            ("the receipt is verified offline with the public key", self.candidate, lambda: self.verify(1)),
            ("the receipt's QR code and its PDF are served", self.candidate, self.papers),
            ("the list is revised and filed again as number 2", self.candidate, self.revise),
            ("the archive tells of both filings", self.candidate, self.archive),
            ("the officer sees the count move, and no list", self.officer, self.officer_sees),
            ("after the close a right code is refused", self.candidate, self.closed),
            ("after the close the list is to be read only", self.candidate, self.read_only),
            ("the last confirmation sent again still gives its receipt", self.candidate, self.replay),
            ("two officers of the province move the end; every worker is open again", self.province, self.reopen),
            ("the messages go out, without the list", self.candidate, self.messages),
            ("every chain, receipt and code in the database holds", self.candidate, self.chains),
        ]
        for words, browser, step in steps:
            started = time.monotonic()
            with self._said(words, browser):
                step()
            self.tell(f"  ✓ {words} ({(time.monotonic() - started) * 1000:.0f} ms)")

    @contextmanager
    def _said(self, words: str, browser: Browser) -> Iterator[None]:
        """Turn whatever goes wrong in a step into words: the step, the reason, the page, the service's own words."""
        try:
            yield
        except Exception as error:
            page = browser.page
            self.tell(f"  ✗ {words}")
            logs = "".join(portal.tail() for portal in self.portals if page.status >= 500)
            raise SmokeError(
                f"{type(error).__name__}: {error}\nThe page {page.url} ({page.status}) is titled “{page.title}”"
                f" and says:\n{page.words[:_SHOWN]}\n{logs}"
            ) from error

    # --- getting in -----------------------------------------------------------------------------

    def start(self) -> None:
        """GET /."""
        page = right(self.candidate.get("/"))
        for target in ("/activate", "/sign-in"):
            require(any(href.startswith(target) for _, href in page.links), f"no link to {target}")

    def activate(self) -> None:
        """The first page of activation."""
        page = right(self.candidate.get("/activate"))
        who = {
            "number": self.player.candidate_no,
            "serial": self.player.serial,
            "tail": self.player.id_tail,
            "agree": "y",
        }
        page = right(self.candidate.submit(page.form(has="serial"), who))
        require(asked(page) == list(self.where.door.pair_asked(self.player.serial)), "other codes are asked")

    def bind(self) -> None:
        """The second page of activation."""
        page = self.candidate.page
        first, second = asked(page)
        given = {
            "code_first": self.player.code(first),
            "code_second": self.player.code(second),
            "password": PASSWORD,
            "again": PASSWORD,
        }
        page = right(self.candidate.submit(page.form(has="code_first"), given))
        require("__Host-sid" in self.candidate.cookies, "no session was opened")
        require("/preferences" in page.url, "activation does not lead to the batches")

    def sign_out_and_in(self) -> None:
        """Out and in again."""
        page = self.candidate.page
        page = right(self.candidate.submit(page.form(action="/sign-out")))
        require("__Host-sid" not in self.candidate.cookies, "the session is still there")
        page = right(self.candidate.get("/sign-in"))
        known = {"number": self.player.candidate_no, "password": PASSWORD}
        page = right(self.candidate.submit(page.form(has="password"), known))
        require("/preferences" in page.url, "signing in does not lead to the batches")

    # --- filing ---------------------------------------------------------------------------------

    def edit(self, size: int) -> None:
        """The edit form, then the check page."""
        page = right(self.candidate.get(f"/preferences/{BATCH}/edit"))
        column, content = self._list(size)
        form = page.form(has=f"{column}-0-code")
        page = right(self.candidate.submit(form, typed(form, column, content), button="act", value="check"))
        require(page.url.endswith(f"/preferences/{BATCH}/check"), "the check page does not follow")
        for slot in content["columns"][column]["slots"]:
            require(slot["institution"] in page.words, f"{slot['institution']} is not on the check page")

    def _list(self, size: int) -> tuple[str, dict[str, Any]]:
        with self.where.database.reading() as connection:
            id_hash = sessions.hash_of(self.candidate.cookies["__Host-sid"])
            visitor = sessions.load(connection, id_hash, None, self.where.settings.idle_seconds)
            batch = batches.one(connection, BATCH)
            if visitor is None:
                raise WalkError("the session is gone")
            whole = catalogue.of(connection, batch, visitor.facts.subject_class)
        content = rehearsal.a_list(visitor, batch, whole, size)
        return next(iter(content["columns"])), content

    def wrong_code(self) -> None:
        """A code of another number: its check digit is right, so it is a try and no slip."""
        page = self.candidate.page
        (number,) = asked(page)
        other = {"code": self.player.code(number % len(self.player.codes) + 1)}
        page = self.candidate.submit(page.form(action="/confirm"), other)
        require(page.status == 422, f"the answer is {page.status}, not 422")
        require(self._count("SELECT count(*) FROM filings") == 0, "something was filed")
        require(self._count("SELECT sum(wrong_tries) FROM bindings") == 1, "the try was not counted")

    def confirm(self, number: int) -> Page:
        """The code asked for."""
        page = self.candidate.page
        form = page.form(action="/confirm")
        codes = self._codes(page)
        self.sent = (form.action, [(name, codes.get(name, value)) for name, value in form.fields])
        page = right(self.candidate.submit(form, codes))
        require("/filings/" in page.url, "no receipt follows")
        require(self._count("SELECT max(number) FROM filings") == number, f"number {number} was not filed")
        return page

    def _codes(self, page: Page) -> dict[str, str]:
        """What the page asks for, off the card."""
        fields = ("code", "code2")
        return {name: self.player.code(number) for name, number in zip(fields, asked(page), strict=False)}

    def verify(self, number: int) -> None:
        """The receipt as it stands on its page, or in the text it links to."""
        token = receipt_token(self.candidate)
        receipt = evidence.verify_receipt(token, self.where.keys.receipt_public_keys())
        stored = self._value("SELECT digest FROM filings WHERE number = :number", number=number)
        require(receipt.number == number, f"the receipt says number {receipt.number}")
        require(receipt.digest == bytes(stored), "the receipt is not of the filing stored")
        self.receipts.append(receipt)

    def papers(self) -> None:
        """What hangs on the receipt page."""
        page = self.candidate.page
        wanted: Mapping[str, tuple[bytes, str]] = {".pdf": (b"%PDF-", "application/pdf"), "qr": (b"", "image/")}
        for mark, (begin, kind) in wanted.items():
            address = next((one for one in addresses(page) if mark in one.lower()), None)
            if address is None:
                raise WalkError(f"the receipt page has no address with {mark!r}")
            got = self.candidate.get(address)
            require(got.status == 200, f"{address}: {got.status}")
            require(got.body.startswith(begin) and got.header("Content-Type").startswith(kind), f"{address}: no {kind}")
            self.candidate.page = page

    def revise(self) -> None:
        """Edit, check, confirm once more."""
        self.edit(5)
        self.confirm(2)
        self.verify(2)
        require(self.receipts[1].digest != self.receipts[0].digest, "both receipts are of one filing")

    def archive(self) -> None:
        """Every filing, with what people compare."""
        page = right(self.candidate.get("/filings"))
        for receipt in self.receipts:
            shown = evidence.shown(receipt.digest)
            linked = any(f"/{receipt.number}" in href and f"/{BATCH}/" in href for _, href in page.links)
            require(linked or shown in page.words, f"filing {receipt.number} is not in the archive")

    # --- the offices ----------------------------------------------------------------------------

    def officer_signs_in(self) -> None:
        """An officer of the candidate's registration point."""
        point = self._value(
            "SELECT p.code FROM candidates c JOIN offices p ON p.id = c.point_id WHERE c.id = :id", id=self.player.id
        )
        self._sign_in(self.officer, "smoke", point, "operator")
        require(self._filed_shown() == 0, "somebody has filed already")

    def _sign_in(self, browser: Browser, login: str, office: str, role: Role) -> None:
        """Appoint an officer, and sign in as them."""
        made = appointments.appoint(
            self.where.database,
            self.where.keys,
            login=login,
            name="演练",
            office_code=office,
            role=role,
            until=datetime.now(UTC) + timedelta(days=1),
            chosen=Password.of(OFFICER_PASSWORD, self.where.keys),
        )
        page = right(browser.get("/sign-in"))
        # the words below are read in English
        page = right(browser.submit(page.form(action="/language"), {"language": "en"}))
        page = right(browser.get("/sign-in"))
        factors = {
            "login": made.login,
            "password": OFFICER_PASSWORD,
            "digits": totp.shown_at(made.totp_secret or "", datetime.now(UTC)),
        }
        page = right(browser.submit(page.form(has="digits"), factors))
        require("/progress/" in page.url, "signing in does not lead to the progress page")

    def officer_sees(self) -> None:
        """Whether, never what."""
        require(self._filed_shown() == 1, "the count has not moved")
        _, content = self._list(1)
        institution = next(iter(content["columns"].values()))["slots"][0]["institution"]
        require(institution not in self.officer.page.words, "the officer sees what was filed")

    def _filed_shown(self) -> int:
        page = right(self.officer.get(f"/progress?batch={BATCH}"))
        found = re.search(r"([0-9,]+) of [0-9,]+ have filed", page.words)
        if found is None:
            raise WalkError("the progress page does not say how many have filed")
        return int(found[1].replace(",", ""))

    # --- past the close -------------------------------------------------------------------------

    def closed(self) -> None:
        """The question was asked before the close, the answer comes after it."""
        sent = self.sent
        self.edit(2)
        with self.where.database.transaction() as session:
            session.execute(
                text(f"{FREE} UPDATE batches SET closes_at = clock_timestamp() FROM free WHERE code = :code"),  # noqa: S608
                {"code": BATCH},
            )
        page = self.candidate.page
        form = page.form(action="/confirm")
        codes = self._codes(page)
        page = self.candidate.submit(form, codes)
        require(page.status == 409, f"the answer is {page.status}, not 409")
        require(self._count("SELECT max(number) FROM filings") == 2, "something was filed")
        self.sent = sent

    def read_only(self) -> None:
        """No field to type into."""
        fields = self._fields()
        require(not fields, f"there are fields to type into: {fields[:3]}")

    def _fields(self) -> list[str]:
        page = right(self.candidate.get(f"/preferences/{BATCH}/edit"))
        return [name for form in page.forms for name in form.names if re.search(r"-[0-9]+-(code|majors?)", name)]

    def replay(self) -> None:
        """The same form once more, as from a browser that never got the answer."""
        action, fields = self.sent
        page = right(self.candidate.send("POST", action, fields))
        require(page.url.rstrip("/").endswith("/2"), "it does not lead to receipt number 2")
        self.verify(2)

    def reopen(self) -> None:
        """One proposes, the other types the batch's code again; within five seconds candidates can file."""
        province = self._value("SELECT code FROM offices WHERE level = 'province'")
        second = Browser(over_http(), self.portals[1].url)
        self._sign_in(self.province, "smoke.first", province, "operator")
        self._sign_in(second, "smoke.second", province, "approver")
        page = right(self.province.get(f"/schedule/{BATCH}/end"))
        later = (datetime.now(ZONE) + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M")
        page = right(self.province.submit(page.form(has="reason"), {"at": later, "reason": "smoke walk"}))
        right(second.submit(right(second.get(page.url)).form(action="/approve"), {"word": BATCH}))
        patience = time.monotonic() + 30
        while self._count("SELECT count(*) FROM batch_acts WHERE outcome = 'done'") == 0:
            require(time.monotonic() < patience, "the end has not moved")
            time.sleep(0.1)
        took = self._value("SELECT settled_at - effective_at FROM batch_acts")
        require(took < PROMISED, f"it took {took}")
        for _ in range(OFTEN):  # each is a connection of its own, so both workers are asked
            require(bool(self._fields()), "there is no field to type into: a worker does not know of it")

    # --- behind the pages -----------------------------------------------------------------------

    def messages(self) -> None:
        """Everything due, into a log."""
        log = self.where.directory / "messages.log"
        while post_to(self.where, log).round() != (0, 0):
            pass
        told = log.read_text(encoding="utf-8")
        _, content = self._list(1)
        institution = next(iter(content["columns"].values()))["slots"][0]["institution"]
        require(told.count('"kind": "filed"') == 2, "there are not two messages about filings")
        require(institution not in told and "://" not in told, "a message holds a list or a link")

    def chains(self) -> None:
        """What `python -m admin verify-chains` does."""
        keys = Keys(self.where.keys.card_key, self.where.keys.receipt_public_keys())
        with self.where.database.transaction() as session:
            found = [str(one) for one in evidence_check.check(session, keys, lambda _: None)]
        require(not found, "; ".join(found))

    def _value(self, question: str, **params: object) -> Any:
        with self.where.database.reading() as connection:
            return connection.execute(text(question), params).scalar()

    def _count(self, question: str) -> int:
        return int(self._value(question) or 0)
