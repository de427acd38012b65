"""Officers for tests: appointed through the service's own deeds, with everything a test may need to type."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from admin import appointments, officers, totp
from admin.appointments import Password
from admin.browser import Browser, Page
from admin.entrance import Desk, Vouched
from admin.officers import Role, Visitor
from app import passwords, sessions
from app.db import clock, together
from tests.makers import World

PASSWORD = "Hengshan-Nanyue 72"


@dataclass
class Colleague:
    """An officer, with everything a test may need to type."""

    id: int
    login: str
    office_id: int
    role: Role
    totp_secret: str
    password: str = PASSWORD


@dataclass
class Offices:
    """Officers of a test's province."""

    world: World

    def appoint(self, office_id: int | None = None, role: Role = "operator", **more: Any) -> Colleague:
        """Somebody appointed for a month, with a password of their own."""
        office_id = office_id or self.world.province
        number = self.world.value("SELECT count(*) FROM officers") + 1
        given = appointments.appoint(
            self.world.database,
            self.world.keys,
            login=more.pop("login", f"officer{number}"),
            name=more.pop("name", "周敏"),
            office_code=self.world.value("SELECT code FROM offices WHERE id = :id", id=office_id),
            role=role,
            until=more.pop("until", datetime.now(UTC) + timedelta(days=30)),
            chosen=self._chosen(more.pop("password", PASSWORD)),
        )
        assert not more
        assert given.totp_secret is not None
        return Colleague(given.officer_id, given.login, office_id, role, given.totp_secret)

    def _chosen(self, password: str | None) -> Password | None:
        return Password(password, self.world.sealed(password, passwords.OFFICER)) if password else None

    def digits(self, who: Colleague, steps: int = 0) -> str:
        """What the officer's authenticator shows now, or so many steps from now."""
        with self.world.database.reading() as connection:
            now = clock(connection)
        return totp.shown_at(who.totp_secret, now + timedelta(seconds=totp.STEP_S * steps))

    def open_session(self, who: Colleague) -> str:
        """A session as signing in would open it, without the cost of the password; returns its id."""
        session_id, id_hash = sessions.new_id()
        with self.world.database.transaction() as session:
            together(session, officers.session_started(who.id, id_hash, "Test", "127.0.0.1"))
        return session_id

    def vouched(self, who: Colleague) -> Vouched:
        """The officer as a command has them that asked for both factors."""
        found = Desk(self.world.database, self.world.keys).vouch(
            who.login, who.password, self.digits(who), self.world.where()
        )
        assert isinstance(found, Vouched)
        return found

    def visitor(self, who: Colleague) -> Visitor:
        """The officer as a page of theirs sees them."""
        id_hash = sessions.hash_of(self.open_session(who))
        with self.world.database.reading() as connection:
            found = officers.load(connection, id_hash, 900)
        assert found is not None
        return found


def in_english(browser: Browser) -> Browser:
    """The same browser, its pages in the language the tests read."""
    form = browser.get("/sign-in").form(action="/language")
    browser.submit(form, button="language", value="en")
    return browser


def sign_in(browser: Browser, who: Colleague, shown: str, **typed: str) -> Page:
    """Fill in the form of the sign-in page."""
    browser.get("/sign-in")
    values = {"login": who.login, "password": who.password, "digits": shown} | typed
    return browser.submit(browser.page.form(action="/sign-in"), values)
