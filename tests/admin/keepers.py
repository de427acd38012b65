"""Custody for tests: lots without codes, officers at every office, and what they do through the offices' role."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from admin import (
    differences,
    handing,
    proposals,
    receiving,
    replacements,
    scope,
    statements,
    stock,
    transfers,
    withdrawals,
)
from admin.deeds import KINDS
from admin.differences import Settling
from admin.handing import Presented
from admin.officers import Role, Visitor
from admin.receiving import Difference
from admin.spans import Span, of_lot, serial_of
from admin.statements import Stated
from admin.withdrawals import Mode
from app.db import Database
from tests.admin.colleagues import Colleague, Offices
from tests.makers import Person, World

LIFE = timedelta(minutes=30)


@dataclass
class Keepers:
    """Everybody who keeps cards in a test's province; deeds run with the rights of the offices' portal."""

    world: World
    offices: Offices
    role: Database
    _known: dict[tuple[int, Role], Visitor] = field(default_factory=dict)

    def at(self, office_id: int, role: Role = "operator") -> Visitor:
        """The officer of an office and role, with a fresh proof."""
        key = (office_id, role)
        if key not in self._known:
            number = self.world.value("SELECT count(*) + 1 FROM officers")
            self.world.do(
                "INSERT INTO officers (login, name, office_id, role, password, password_changed_at, totp_sealed,"
                " appointed_until, created_at) VALUES (:login, '周敏', :office, :role, '', clock_timestamp(), '',"
                " clock_timestamp() + interval '30 days', clock_timestamp())",
                login=f"keeper{number}",
                office=office_id,
                role=role,
            )
            officer_id = self.world.value("SELECT max(id) FROM officers")
            self._known[key] = self.offices.visitor(Colleague(officer_id, f"keeper{number}", office_id, role, ""))
        return replace(self._known[key])

    def lot(self, code: str = "1701", cards: int = 20) -> Span:
        """A lot brought in, without codes: custody never looks at one."""
        span = of_lot(code, cards)
        self.world.do(
            "INSERT INTO lots (code, codes_per_card, cards, algorithm, made_at)"
            " VALUES (:code, 40, :cards, 'sha256', clock_timestamp())",
            code=code,
            cards=cards,
        )
        self.world.do(
            "INSERT INTO cards (serial, lot, key_chain, algorithm, salt, verifiers)"
            " SELECT serial, :code, '{1}', 'sha256', decode(repeat('00', 16), 'hex'), decode(repeat('00', 640), 'hex')"
            " FROM unnest(CAST(:serials AS text[])) serial",
            code=code,
            serials=[serial_of(number) for number in range(span.first, span.last + 1)],
        )
        return span

    def act(self, who: Visitor, deed: Any, *arguments: Any) -> Any:
        """One deed of an officer, as a page would do it."""
        with scope.transaction(self.role, who) as session:
            return deed(session, *arguments)

    def approve(self, who: Visitor, act: int, word: str | None = None) -> Any:
        typed = word if word is not None else self.world.value("SELECT word FROM proposals WHERE id = :id", id=act)
        return self.act(who, proposals.approve, who, KINDS, act, typed, self.world.where())

    # --- what the province does ------------------------------------------------------------------

    def take_in(self, code: str = "1701", cards: int = 20, spoiled: Sequence[Span] = ()) -> Span:
        """A lot brought in and, by two officers, in the province's stock."""
        span = self.lot(code, cards)
        gone = sum(one.count for one in spoiled)
        stated = Stated(cards, cards - gone, spoiled, "statement of the print works")
        one = self.at(self.world.province)
        self.approve(self.second, self.act(one, statements.propose, one, code, stated, LIFE, self.world.where()))
        return span

    @property
    def second(self) -> Visitor:
        """The province's approver."""
        return self.at(self.world.province, "approver")

    def quarantine(self, code: str, mode: Mode) -> None:
        one = self.at(self.world.province)
        where = self.world.where()
        act = self.act(one, withdrawals.propose_quarantine, one, code, mode, "copies are for sale", LIFE, where)
        self.approve(self.second, act)

    # --- between two offices ---------------------------------------------------------------------

    def send(self, giver: int, receiver: int, *spans: Span) -> int:
        one = self.at(giver)
        return int(self.act(one, transfers.send, one, receiver, spans, "", self.world.where()))

    def sent(self, who: Visitor, transfer: int) -> transfers.Sent:
        with scope.reading(self.role, who) as connection:
            return transfers.of(connection, who, transfer)

    def confirm(self, office: int, transfer: int, number: int = 1, counted: int | None = None) -> Any:
        one = self.at(office)
        sent = self.sent(one, transfer)
        box = differences.box_of(sent, number)
        counted = box.cards if counted is None else counted
        return self.act(one, receiving.confirm, one, sent, box, counted, self.world.where())

    def report(
        self, office: int, transfer: int, *, missing: Sequence[Span] = (), extra: Sequence[Span] = (), number: int = 1
    ) -> None:
        one = self.at(office)
        sent = self.sent(one, transfer)
        box = differences.box_of(sent, number)
        found = Difference(tuple(missing), tuple(extra))
        self.act(one, receiving.report, one, sent, box, found, self.world.where())

    def settle(self, office: int, transfer: int, settling: Settling, number: int = 1) -> None:
        one, second = self.at(office), self.at(office, "approver")
        sent = self.sent(one, transfer)
        box = differences.box_of(sent, number)
        where = self.world.where()
        act = self.act(one, differences.propose, one, sent, box, settling, "counted again", LIFE, where)
        self.approve(second, act)

    def bring(self, office: int, *spans: Span) -> None:
        """Send spans from the province down to an office, each step confirmed."""
        path = self.world.value("SELECT path FROM offices WHERE id = :id", id=office)
        line = [int(each) for each in path.strip("/").split("/")]
        for giver, receiver in itertools.pairwise(line):
            transfer = self.send(giver, receiver, *spans)
            for number in range(1, len(spans) + 1):
                self.confirm(receiver, transfer, number)

    # --- with a candidate ------------------------------------------------------------------------

    def hand_over(self, point: int, person: Person, serial: str, tail: str = "", *, rested: bool = True) -> Any:
        """Hand a card over; `rested` lets five seconds pass first."""
        one = self.at(point)
        if rested:
            self.rest(one)
        given = Presented(person.candidate_no, tail or person.id_no[-6:], serial)
        return self.act(one, handing.hand_over, self.world.sealer, one, given, self.world.where())

    def rest(self, who: Visitor) -> None:
        """Let an officer's pace be over, as the owner can: the register itself is never changed."""
        self.world.do("ALTER TABLE handovers DISABLE TRIGGER append_only")
        self.world.do(
            "UPDATE handovers SET handed_at = handed_at - interval '6 seconds',"
            " pace = tstzrange(lower(pace) - interval '6 seconds', upper(pace) - interval '6 seconds')"
            " WHERE officer_id = :id",
            id=who.officer_id,
        )
        self.world.do("ALTER TABLE handovers ENABLE TRIGGER append_only")

    def ask_replacement(self, who: Visitor, person: Person, serial: str, limit: int = 20) -> Any:
        asked = replacements.Asked("Lost", "lost on the bus", person.id_no[-6:], serial)
        where = self.world.where()
        return self.act(
            who, replacements.propose_replacement, self.world.sealer, who, person.id, asked, limit, LIFE, where
        )

    def destroy(self, office: int) -> None:
        one = self.at(office)
        act = self.act(one, withdrawals.propose_destruction, one, "end of the season", LIFE, self.world.where())
        self.approve(self.at(office, "approver"), act)

    # --- what must hold --------------------------------------------------------------------------

    def counts(self, office: int) -> tuple[int, int, int, int, int]:
        """Received, in stock, on the way, issued, void of an office by itself."""
        with self.world.database.reading() as connection:
            found = next(line.counts for line in stock.balance(connection) if line.office_id == office)
        return found.received, found.stock, found.way, found.issued, found.void

    def require_balance(self) -> None:
        with self.world.database.reading() as connection:
            lines = stock.balance(connection)
        assert [line for line in lines if line.counts.difference] == []
        taken_in = self.world.value("SELECT coalesce(sum(printed), 0) FROM statements")
        assert sum(line.counts.received for line in lines) == taken_in
