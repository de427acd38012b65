"""A closed batch opened again to one candidate: who decides, who may then file, and what is said of it ever after."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from admin import confirmations, evidence_check, ledger, proposals, scope, sealing, verify
from admin.evidence_check import Keys
from admin.proposals import Mistyped, Obstacle
from admin.rehearsal import FREE
from admin.sealing import CannotSeal
from app import batches, drafts, filings, preferences, seals, tallies
from app.db import Database
from app.errors import Closed, NotAllowed, NotFound
from app.notices import wording
from config.keys import SealKeys
from tests.admin.keepers import Keepers
from tests.admin.reopening import DOCUMENT, propose, reopen
from tests.admin.sealing import bundle, tamper
from tests.filing import file
from tests.makers import Person, World, content


def windows(change: str) -> str:
    """The statement that moves all windows at once, past the rules of who moves them."""
    return f"{FREE} UPDATE batches SET {change} FROM free"  # noqa: S608 -- constants


@pytest.fixture
def candidate(world: World) -> tuple[Person, str]:
    """Somebody who has filed in a batch that has closed since, and their session."""
    world.batch("1")
    world.batch("2", name="本科二批")
    person = world.candidate()
    session_id = world.activate(person)
    file(world, person, session_id, "1", "4301")
    world.do(windows("closes_at = clock_timestamp()"))
    return person, session_id


@pytest.fixture
def sealer(world: World) -> Iterator[Database]:
    made = Database(world.url, role="zhiyuan_sealer")
    yield made
    made.dispose()


def keys_of(world: World) -> SealKeys:
    assert world.keys.receipt_key
    return SealKeys.load(world.keys_directory)


def over(world: World) -> None:
    """The hour named has come, in the table and in the audit."""
    tamper(
        world,
        "UPDATE reopenings SET until = clock_timestamp()",
        "UPDATE audit SET detail = jsonb_set(detail, '{until}',"
        " to_jsonb(to_char(r.until AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')))"
        " FROM reopenings r WHERE act = 'candidate.reopened'",
    )


# --- who may file -------------------------------------------------------------------------------------


def test_only_the_one_only_there_and_only_until_then(
    world: World, keepers: Keepers, candidate: tuple[Person, str]
) -> None:
    other = world.candidate()
    others = world.activate(other)
    with pytest.raises(Closed):
        file(world, *candidate, "1", "4302")
    reopen(keepers, candidate[0])
    for who, batch in ((candidate, "2"), ((other, others), "1")):
        with pytest.raises(Closed):
            file(world, *who, batch, "4302")
    assert file(world, *candidate, "1", "4302").number == 2
    assert file(world, *candidate, "1").number == 3  # a waiver
    over(world)
    with pytest.raises(Closed):
        file(world, *candidate, "1", "4303")
    with world.database.reading() as connection:
        history = filings.history(connection, candidate[0].id)
    assert [row["amends"] for row in history] == [True, True, False]
    with world.database.transaction() as session:
        assert tallies.recount(session) == 0


def test_there_is_no_grace_after_it_and_a_paused_batch_has_not_closed(
    world: World, keepers: Keepers, candidate: tuple[Person, str]
) -> None:
    reopen(keepers, candidate[0])
    visitor = world.visitor(candidate[1])
    with world.database.reading() as connection:
        window = preferences.sheet(connection, visitor, "1").batch.window
    last, hour = window.ends_at - timedelta(microseconds=1), timedelta(hours=1)
    window.require_open(last, grace=hour)
    with pytest.raises(Closed):
        window.require_open(window.ends_at, grace=hour)
    world.do(windows("suspended_at = closes_at - interval '1 second'"))
    with pytest.raises(Obstacle):
        propose(keepers, candidate[0], "2")


def test_a_draft_there_waits_until_the_hour_named(
    world: World, keepers: Keepers, candidate: tuple[Person, str]
) -> None:
    person, session_id = candidate
    reopen(keepers, person)
    assert world.visitor(session_id).waiting is None
    with world.database.transaction() as session:
        sheet = preferences.sheet(session, world.visitor(session_id), "1")
        drafts.save(session, person.id, sheet.batch.id, content("4301", "4302"), sheet.draft_version)
    waiting = world.visitor(session_id).waiting
    assert waiting is not None
    assert (waiting.batch_code, waiting.closes_at) == ("1", world.value("SELECT until FROM reopenings"))
    over(world)
    assert world.visitor(session_id).waiting is None


def test_the_candidate_is_told_and_the_audit_knows_everything(
    world: World, keepers: Keepers, candidate: tuple[Person, str]
) -> None:
    reopen(keepers, candidate[0])
    said = world.rows("SELECT * FROM notices ORDER BY id DESC LIMIT 1")[0]
    words = wording(said["kind"], said["params"], said["created_at"], "0731", str)
    assert DOCUMENT in words
    assert "a code of your card" in words
    entry, decided = world.rows("SELECT * FROM audit ORDER BY id DESC LIMIT 2")[::-1]
    assert (entry["act"], decided["act"]) == ("candidate.reopened", "proposal.approved")
    assert (entry["candidate_id"], entry["officer_id"]) == (candidate[0].id, keepers.second.officer_id)
    assert entry["detail"]["proposed_by"] == keepers.at(world.province).officer_id
    assert entry["detail"]["document"] == DOCUMENT
    assert world.value("SELECT content FROM filings") is not None  # and nobody touched what was filed
    assert world.value("SELECT count(*) FROM filings") == 1


# --- who decides --------------------------------------------------------------------------------------


def test_it_takes_two_officers_of_the_province_and_the_candidates_number(
    world: World, keepers: Keepers, candidate: tuple[Person, str]
) -> None:
    person = candidate[0]
    with pytest.raises(NotFound):
        propose(keepers, person, who=keepers.at(world.county, "approver"))
    act = propose(keepers, person, who=keepers.second)
    with pytest.raises(NotAllowed):
        keepers.approve(keepers.second, act)
    keepers.act(keepers.second, proposals.withdraw, keepers.second, act, world.where())
    act = propose(keepers, person)
    for role in ("operator", "auditor", "system_admin"):
        with pytest.raises(NotAllowed):
            keepers.approve(keepers.at(world.province, role), act)
    with pytest.raises(NotFound):
        keepers.approve(keepers.at(world.prefecture, "approver"), act)
    assert keepers.approve(keepers.second, act, world.candidate().candidate_no) == Mistyped()
    world.do("UPDATE officers SET appointed_until = clock_timestamp() WHERE id = :id", id=keepers.second.officer_id)
    with pytest.raises(NotAllowed):
        keepers.approve(keepers.second, act)
    assert world.value("SELECT count(*) FROM reopenings") == 0


def test_only_what_has_closed_and_for_three_days_at_most(
    world: World, keepers: Keepers, candidate: tuple[Person, str]
) -> None:
    world.batch("3", name="专科批")  # open
    for hours, batch in ((-1, "1"), (0, "1"), (73, "1"), (1, "3"), (1, "9")):
        with pytest.raises(Obstacle):
            propose(keepers, candidate[0], batch, hours=hours)


def test_what_has_changed_before_the_second_officer_decides_is_seen(
    world: World, keepers: Keepers, candidate: tuple[Person, str]
) -> None:
    act = propose(keepers, candidate[0])
    world.do("UPDATE batches SET closes_at = clock_timestamp() + interval '1 hour' WHERE code = '1'")
    with pytest.raises(Obstacle):
        keepers.approve(keepers.second, act)
    world.do(windows("closes_at = clock_timestamp()"))
    keepers.approve(keepers.second, act)
    with pytest.raises(Obstacle):  # it is open to them
        propose(keepers, candidate[0])
    act = propose(keepers, candidate[0], "2")
    world.do(
        "UPDATE proposals SET params = jsonb_set(params, '{until}', to_jsonb(clock_timestamp())) WHERE id = :id", id=act
    )
    with pytest.raises(Obstacle):
        keepers.approve(keepers.second, act)


def test_the_offices_append_from_the_province_alone_and_change_nothing(
    world: World, keepers: Keepers, candidate: tuple[Person, str], offices_role: Database
) -> None:
    reopen(keepers, candidate[0])
    again = (
        "INSERT INTO reopenings SELECT (SELECT max(id) FROM proposals), candidate_id, batch_id, until, document,"
        " document_sha256, reason, created_at FROM reopenings"
    )
    county = keepers.at(world.county)
    propose(keepers, candidate[0], "2")
    for who, statement, why in (
        (county, again, "row-level security"),
        (keepers.second, "UPDATE reopenings SET until = until", "permission denied"),
        (keepers.second, "DELETE FROM reopenings", "permission denied"),
    ):
        with pytest.raises(Exception, match=why), scope.transaction(offices_role, who) as session:
            session.execute(text(statement))
    for statement in ("UPDATE reopenings SET until = until", "DELETE FROM reopenings", "TRUNCATE reopenings"):
        with pytest.raises(Exception, match="append-only"):
            world.do(statement)
    with scope.transaction(offices_role, keepers.at(world.new_county("430103", "天心区"))) as session:
        assert session.execute(text("SELECT count(*) FROM reopenings")).scalar() == 0


# --- the seal -----------------------------------------------------------------------------------------


def test_nothing_is_sealed_while_somebody_may_still_file(
    world: World, keepers: Keepers, candidate: tuple[Person, str], sealer: Database
) -> None:
    keys = keys_of(world)
    act = propose(keepers, candidate[0])
    with pytest.raises(CannotSeal, match="about to open"):
        sealing.seal(sealer, keys, "1")
    sealing.seal(sealer, keys, "2")  # another one waits for nothing
    keepers.approve(keepers.second, act)
    with pytest.raises(CannotSeal, match="open again to a candidate"):
        sealing.seal(sealer, keys, "1")
    over(world)
    assert sealing.seal(sealer, keys, "1").fresh


def test_a_batch_opened_again_after_its_seal_is_sealed_once_more(
    world: World, keepers: Keepers, candidate: tuple[Person, str], sealer: Database, tmp_path: Path
) -> None:
    keys = keys_of(world)
    first = sealing.seal(sealer, keys, "1")
    reopen(keepers, candidate[0])
    assert file(world, *candidate, "1", "4302").number == 2
    over(world)
    assert in_the_house(world) == ""  # the first seal is not of this close
    with world.database.reading() as connection:
        assert seals.of_batch(connection, "1") is None
        assert not confirmations.of(connection, first.number).current
    second = sealing.seal(sealer, keys, "1")
    assert (second.fresh, second.number, second.size) == (True, first.number + 1, first.size)
    assert second.root != first.root
    assert not sealing.seal(sealer, keys, "1").fresh
    assert in_the_house(world) == ""
    wrong, said = checked(world, tmp_path / "bundle")
    assert (wrong, "1 reopenings, 1 amendments" in said) == ("", True)


def test_once_the_list_is_handed_over_nothing_is_opened_again_whoever_writes(
    world: World, keepers: Keepers, candidate: tuple[Person, str]
) -> None:
    sealing.seal(world.database, keys_of(world), "1")
    act = propose(keepers, candidate[0])
    with world.database.transaction() as session:
        batches.hand_over(session, batches.id_of(session, "1"))
    with pytest.raises(Obstacle):
        keepers.approve(keepers.second, act)
    with pytest.raises(Obstacle):
        propose(keepers, candidate[0])
    with pytest.raises(IntegrityError, match="handed over"):
        world.do(
            "INSERT INTO reopenings (proposal_id, candidate_id, batch_id, until, document, document_sha256, reason,"
            " created_at) SELECT :act, :candidate, id, clock_timestamp() + interval '1 hour', '1', sha256(''), 'x',"
            " clock_timestamp() FROM batches WHERE code = '1'",
            act=act,
            candidate=candidate[0].id,
        )


def test_what_is_decided_while_the_seal_is_made_ends_the_seal_in_nothing(
    world: World,
    keepers: Keepers,
    candidate: tuple[Person, str],
    sealer: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys, real = keys_of(world), ledger.catch_up

    def catch_up(*arguments: object) -> None:
        real(*arguments)  # type: ignore[arg-type]
        reopen(keepers, candidate[0])

    monkeypatch.setattr(ledger, "catch_up", catch_up)
    with pytest.raises(CannotSeal, match="meanwhile"):
        sealing.seal(sealer, keys, "1")
    assert world.value("SELECT count(*) FROM seals") == 0
    assert file(world, *candidate, "1", "4302").number == 2


# --- the verifier -------------------------------------------------------------------------------------


def checked(world: World, place: Path, *, whole: bool = True) -> tuple[str, str]:
    """What the independent verifier finds wrong, and what it says besides."""
    found, said = verify.verify(bundle(world, place, whole=whole), [], [], [])
    return "\n".join(found), "\n".join(said)


def in_the_house(world: World) -> str:
    judged = Keys(world.keys.card_key, world.keys.receipt_public_keys())
    with world.database.transaction() as session:
        return "\n".join(map(str, evidence_check.check(session, judged, lambda _: None)))


def test_an_amendment_is_named_apart_and_is_no_finding(
    world: World, keepers: Keepers, candidate: tuple[Person, str], sealer: Database, tmp_path: Path
) -> None:
    reopen(keepers, candidate[0], hours=1)
    file(world, *candidate, "1", "4302")
    over(world)
    sealing.seal(sealer, keys_of(world), "1")
    wrong, said = checked(world, tmp_path / "whole")
    assert wrong == ""
    assert "1 reopenings, 1 amendments" in said
    assert f"amendment: version 2 of {candidate[0].candidate_no[:2]}" in said
    assert DOCUMENT in said
    assert in_the_house(world) == ""
    wrong, said = checked(world, tmp_path / "public", whole=False)
    assert wrong == ""
    assert "1 reopenings, 1 amendments" in said
    assert DOCUMENT not in (tmp_path / "public" / "seals.jsonl").read_text(encoding="utf-8")


FORGED = {
    "nobody allowed it": "DELETE FROM audit WHERE act = 'candidate.reopened'",
    "it was another candidate": "UPDATE audit SET candidate_id = 1 WHERE act = 'candidate.reopened'",
    "it was allowed afterwards": "UPDATE audit SET at = clock_timestamp() WHERE act = 'candidate.reopened'",
    "it had ended": "UPDATE audit SET detail = jsonb_set(detail, '{until}', detail -> 'at') FROM (SELECT 1) x"
    " WHERE act = 'candidate.reopened'",
}


@pytest.mark.parametrize("how", FORGED)
def test_a_filing_after_the_close_that_was_not_allowed_is_found(
    world: World, keepers: Keepers, candidate: tuple[Person, str], sealer: Database, tmp_path: Path, how: str
) -> None:
    # the end lies far enough back that no grace explains it
    world.do(windows("opens_at = opens_at - interval '1 day', closes_at = closes_at - interval '1 hour'"))
    reopen(keepers, candidate[0])
    file(world, *candidate, "1", "4302")
    over(world)
    early = "to_jsonb(to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'))"
    tamper(world, FORGED[how].replace("detail -> 'at'", early))
    sealing.seal(sealer, keys_of(world), "1")
    assert "it was filed while the batch was not open" in checked(world, tmp_path / "bundle")[0]
    assert "filed after the close, and the audit knows of no leave" in in_the_house(world)


def test_a_reopening_by_one_officer_alone_is_found(
    world: World, keepers: Keepers, candidate: tuple[Person, str], sealer: Database, tmp_path: Path
) -> None:
    reopen(keepers, candidate[0])
    over(world)
    tamper(world, "UPDATE audit SET officer_id = CAST(detail ->> 'proposed_by' AS bigint)"
                  " WHERE act = 'candidate.reopened'")  # fmt: skip
    sealing.seal(sealer, keys_of(world), "1")
    assert "was not decided by two officers" in checked(world, tmp_path / "bundle")[0]
