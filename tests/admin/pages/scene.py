"""A small tree of offices with something of everything at its points, and the addresses of the pages about it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from flask import Flask
from werkzeug.routing import Rule

from admin import rooms
from admin.alerts import Finding, raise_
from admin.officers import Role
from admin.pages import OPEN
from admin.spans import Span, serial_of
from app.evidence import masked
from tests.admin.colleagues import Offices
from tests.admin.keepers import Keepers
from tests.makers import World


@dataclass
class Scene:
    """A county with two points, a second county, a second prefecture.

    At each point there is a candidate and a room; at each office an alert and an officer.
    """

    world: World
    offices: dict[str, int]
    candidates: dict[str, int]
    #: of points: a transfer to it whose box differs, an act that waits there, a room it asked for
    transfers: dict[str, int]
    acts: dict[str, int]
    rooms: dict[str, int]
    #: of offices
    alerts: dict[str, int]
    accounts: dict[str, int]
    #: of a batch that has closed; none so far
    seals: dict[str, int] = field(default_factory=dict)

    def address(self, rule: Rule, name: str) -> str:
        """The address of a page about that office or its alert, or about what that point has."""
        known = {
            "office": self.offices,
            "candidate": self.candidates,
            "transfer": self.transfers,
            "act": self.acts,
            "alert": self.alerts,
            "account": self.accounts,
            "room": self.rooms,
            "box": dict.fromkeys(self.offices, 1),
            "seal": self.seals,
        }
        address = re.sub(r"<int:(\w+)>", lambda named: str(known[named[1]].get(name, 0)), str(rule))
        address = re.sub(r"<any\(.*, (\w+)\):\w+>", r"\1", address)
        return address.replace("<string(length=4):lot>", "1701").replace("<string:batch>", "1")

    def marks(self, *names: str) -> list[str]:
        """What tells a candidate of these offices: the name, the end of the number, the serial of the card."""
        return [
            mark
            for name in names
            if name in self.candidates
            for row in self.world.rows(
                "SELECT c.name, c.candidate_no, b.serial FROM candidates c"
                " JOIN bindings b ON b.candidate_id = c.id WHERE c.id = :id",
                id=self.candidates[name],
            )
            for mark in (row["name"], row["candidate_no"], masked(row["candidate_no"]), row["serial"])
        ]

    def knows(self, rule: Rule, name: str) -> bool:
        """Whether there is what the page is about."""
        return not re.search(r"/0(/|$)", self.address(rule, name))


def keeper(rule: Rule, role: Role) -> Role:
    """Whose page it is: that of `role`, for accounts the system administrator's, for the audit the auditor's."""
    owners: dict[str, Role] = {"accounts": "system_admin", "auditing": "auditor"}
    return owners.get(rule.endpoint.partition(".")[0], role)


def above(rule: Rule) -> str:
    """The office from which a point's page is asked: alerts are shut to the point itself."""
    return "county" if rule.endpoint.startswith("alerts.") else "point"


def played(world: World, keepers: Keepers, offices: Offices) -> Scene:
    """Put everything in its place."""
    ids = {"province": world.province, "prefecture": world.prefecture, "county": world.county}
    ids |= {"point": world.point, "sibling point": world.new_point("长沙市第二中学")}
    ids["other county"] = world.new_county("430103", "天心区")
    ids["its point"] = world.new_point("天心中学", ids["other county"])
    ids["other prefecture"] = world._office("prefecture", world.province, "430200", "株洲市")
    world.batch("1")
    people = {name: world.candidate(point=ids[name], name=f"考生 {name}") for name in ids if "point" in name}
    for person in people.values():
        world.activate(person)
    moved: dict[str, int] = {}
    acts: dict[str, int] = {}
    span = keepers.take_in("1701", 60)
    for at, (name, person) in enumerate(people.items()):
        part = Span(span.first + 20 * at, span.first + 20 * at + 19)
        keepers.bring(ids[name], Span(part.first, part.first + 9))
        county = world.value("SELECT parent_id FROM offices WHERE id = :id", id=ids[name])
        keepers.bring(county, Span(part.first + 10, part.last))
        moved[name] = keepers.send(county, ids[name], Span(part.first + 10, part.first + 11))
        keepers.report(ids[name], moved[name], missing=[Span(part.first + 10, part.first + 10)])
        acts[name] = keepers.ask_replacement(keepers.at(ids[name]), person, serial_of(part.first))
    now = world.value("SELECT clock_timestamp()")
    with world.database.transaction() as session:
        for name, office in ids.items():
            raise_(session, Finding("filings_device", office, name, 6, now))
        for name in people:
            visitor = offices.visitor(offices.appoint(ids[name]))
            rooms.ask(session, visitor, name, "203.0.113.7", now + timedelta(days=3), world.where())
    return Scene(
        world,
        ids,
        {name: person.id for name, person in people.items()},
        moved,
        acts,
        {row["name"]: row["id"] for row in world.rows("SELECT id, name FROM rooms")},
        {row["subject"]: row["id"] for row in world.rows("SELECT id, subject FROM alerts")},
        {name: offices.appoint(office).id for name, office in ids.items()},
    )


def rules(app: Flask, *, shut: bool = True) -> Iterator[tuple[Rule, str]]:
    """Every address with each of its methods; only those behind the sign-in unless asked otherwise."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "static" or (shut and rule.endpoint in OPEN):
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, method
