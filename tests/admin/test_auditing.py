"""What an auditor reads of the audit: what concerns the own office and those below, by two layers that agree."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from admin import auditing, scope
from admin.auditing import Turn, Wanted
from admin.officers import Visitor
from admin.scope import BELOW
from app import audit
from app.db import Database, together
from app.errors import NotFound
from tests.admin.colleagues import Colleague, Offices
from tests.admin.keepers import Keepers
from tests.admin.windows import Office
from tests.makers import World

#: who reads whose entries; what names nobody is the province's
READS = {
    "province": {"province", "prefecture", "county", "point", "sibling point", "other county", "its point", "nobody"},
    "prefecture": {"prefecture", "county", "point", "sibling point", "other county", "its point"},
    "county": {"county", "point", "sibling point"},
    "point": {"point"},
}


@pytest.fixture
def auditors(world: World, offices: Offices) -> dict[str, Colleague]:
    """The auditor of each of several offices, who did something; at each point a candidate did, too."""
    found = {"province": world.province, "prefecture": world.prefecture, "county": world.county}
    found |= {"point": world.point, "sibling point": world.new_point("长沙市第二中学")}
    found["other county"] = world.new_county("430103", "天心区")
    found["its point"] = world.new_point("天心中学", found["other county"])
    appointed = {name: offices.appoint(office, "auditor") for name, office in found.items()}
    for name, office in found.items():
        probe(world, "officer", name, officer_id=appointed[name].id)
        if "point" in name:
            probe(world, "candidate", name, candidate_id=world.candidate(point=office, card=False).id)
    probe(world, "command", "nobody")
    probe(world, "visitor", "nobody")
    return appointed


def probe(world: World, actor: audit.Actor, name: str, **whom: int) -> None:
    with world.database.transaction() as session:
        together(session, audit.entry("probe.made", actor=actor, name=name, **whom))  # type: ignore[arg-type]


def seen(database: Database, visitor: Visitor, office: str = "") -> list[str]:
    """Whose probes a search finds, each by its actor."""
    with scope.transaction(database, visitor) as session:
        found, _ = auditing.gathered(session, visitor, Wanted(act="probe.made", office=office), 1_000)
    return sorted(f"{one.actor} {one.detail['name']}" for one in found.rows)


def expected(*names: str) -> list[str]:
    officers = [f"officer {name}" for name in names if name != "nobody"]
    candidates = [f"candidate {name}" for name in names if "point" in name]
    return sorted([*officers, *candidates, *(["command nobody", "visitor nobody"] if "nobody" in names else [])])


@contextmanager
def gate_removed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if somebody had forgotten every condition about the office in the questions."""
    with monkeypatch.context() as patch:
        patch.setattr(auditing, "_CONCERNS", "true")
        few = auditing._FEW.replace(BELOW, "true")
        assert few != auditing._FEW
        patch.setattr(auditing, "_FEW", few)
        yield


def test_each_level_reads_its_own_by_either_layer_alone(
    world: World,
    auditors: dict[str, Colleague],
    offices: Offices,
    offices_role: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for level, names in READS.items():
        visitor = offices.visitor(auditors[level])
        assert seen(offices_role, visitor) == expected(*names)
        # the owner is shown every row: the gate alone
        assert seen(world.database, visitor) == expected(*names)
        with gate_removed(monkeypatch):
            assert seen(offices_role, visitor) == expected(*names)
            leaking = level != "province"
            assert (seen(world.database, visitor) != expected(*names)) is leaking
    with offices_role.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM audit").scalar() == 0


def test_what_lies_beyond_the_office_is_neither_found_nor_named(
    world: World, auditors: dict[str, Colleague], offices: Offices, offices_role: Database
) -> None:
    codes = {row["id"]: row["code"] for row in world.rows("SELECT id, code FROM offices")}
    code_of = {name: codes[one.office_id] for name, one in auditors.items()}
    county = offices.visitor(auditors["county"])
    assert seen(offices_role, county, office=code_of["sibling point"]) == expected("sibling point")
    for code in (code_of["its point"], code_of["other county"], code_of["province"], "999999"):
        with pytest.raises(NotFound), scope.transaction(offices_role, county) as session:
            auditing.search(session, county, Wanted(office=code), Turn(), world.where())

    # somebody of the county did this for a candidate who has moved away since
    foreign = world.candidate(point=auditors["its point"].office_id, card=False)
    probe(world, "officer", "moved", officer_id=county.officer_id, candidate_id=foreign.id)
    with scope.transaction(offices_role, county) as session:
        asked = Wanted(officer=county.login, act="probe.made")
        newest = auditing.search(session, county, asked, Turn(), world.where()).rows[0]
        assert auditing.search(session, county, Wanted(number=foreign.candidate_no), Turn(), world.where()).rows == []
    assert (newest.candidate_id, newest.candidate_no, newest.candidate) == (foreign.id, None, None)
    entries = world.rows("SELECT DISTINCT candidate_id, officer_id FROM audit WHERE act = 'audit.searched'")
    assert entries == [{"candidate_id": None, "officer_id": county.officer_id}]


def test_a_batch_is_found_by_its_code_and_by_its_id(world: World, offices: Offices, offices_role: Database) -> None:
    world.batch("9", name="本科提前批")
    number = world.value("SELECT id FROM batches")
    visitor = offices.visitor(offices.appoint(world.province, "auditor"))
    # the id of one batch, as text, may be the code of another
    for batch in ("9", number, str(number), 9):
        with world.database.transaction() as session:
            together(session, audit.entry("probe.batch", actor="command", batch=batch))
    with scope.transaction(offices_role, visitor) as session:
        found, _ = auditing.gathered(session, visitor, Wanted(batch="9"), 10)
        assert {repr(one.detail["batch"]) for one in found.rows} == {"'9'", repr(number)}
        assert found.names.batches == {"9": "本科提前批", number: "本科提前批"}
        assert auditing.gathered(session, visitor, Wanted(batch="8"), 10)[0].rows == []


def test_a_search_for_a_batch_finds_who_proposed_mistyped_and_approved_what_was_done_to_it(
    world: World, keepers: Keepers, offices: Offices, offices_role: Database
) -> None:
    office = Office(world, keepers, world.batch())
    act = office.propose("batch.suspend")
    keepers.approve(office.second, act, "another word")
    keepers.approve(office.second, act)
    auditor = offices.visitor(offices.appoint(world.province, "auditor"))
    with scope.transaction(offices_role, auditor) as session:
        found, _ = auditing.gathered(session, auditor, Wanted(batch="1", actor="officer"), 10)
    first, second = office.first.officer_id, office.second.officer_id
    assert [(one.act, one.officer_id) for one in reversed(found.rows)] == [
        ("proposal.proposed", first),
        ("proposal.mistyped", second),
        ("batch.suspended", second),
        ("proposal.approved", second),
    ]
