"""The sealer: places without a gap, whatever dies in between, and one seal for one close."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from admin import evidence_check, ledger, sealing
from admin.evidence_check import Keys
from admin.ledger import LedgerError
from admin.sealing import CannotSeal
from app.batches import move_end
from app.db import Database
from app.errors import NotFound, Unavailable
from config.keys import KeyRing, SealKeys
from tests.admin.sealing import forge, seal, tamper
from tests.filing import file
from tests.makers import World


@pytest.fixture
def province(world: World) -> World:
    """Two candidates with three filings."""
    world.batch("1")
    first, second = ((person, world.activate(person)) for person in (world.candidate(), world.candidate()))
    file(world, *first, "1", "4301")
    file(world, *second, "1")
    file(world, *first, "1", "4302")
    return world


@pytest.fixture
def keys(province: World) -> SealKeys:
    assert province.keys.receipt_key
    return SealKeys.load(province.keys_directory)


@pytest.fixture
def sealer(province: World) -> Iterator[Database]:
    """The database as the sealer's own role has it."""
    made = Database(province.url, role="zhiyuan_sealer")
    yield made
    made.dispose()


def places(world: World, log: str = "filings") -> list[int]:
    found = world.rows("SELECT place FROM leaves WHERE log = :log ORDER BY place", log=log)
    return [row["place"] for row in found]


# --- the logs -----------------------------------------------------------------------------------------


def test_everything_gets_a_place_once(province: World, sealer: Database, keys: SealKeys) -> None:
    for _ in range(2):
        ledger.round_of(sealer, keys, sweep=True)
    assert places(province) == [0, 1, 2]
    assert places(province, "audit") == [*range(province.value("SELECT count(*) FROM audit"))]
    in_order = [row["ref"] for row in province.rows("SELECT ref FROM leaves WHERE log = 'filings' ORDER BY place")]
    assert in_order == sorted(in_order)
    assert len(province.rows("SELECT 1 FROM checkpoints")) == 2


def test_a_filing_committed_late_takes_the_next_place(province: World, sealer: Database, keys: SealKeys) -> None:
    """Ids are given before the commit; places after it."""
    person = province.candidate()
    session_id = province.activate(person)
    with province.database.transaction() as session:
        session.execute(text("INSERT INTO audit (actor, act, detail) VALUES ('command', 'slow.act', '{}')"))
        file(province, person, session_id, "1", "4305")
        ledger.round_of(sealer, keys, sweep=True)
        before = len(places(province, "audit"))
    ledger.round_of(sealer, keys, sweep=False)
    assert places(province, "audit") == [*range(before + 1)]
    last = province.value("SELECT act FROM audit a JOIN leaves l ON l.ref = a.id AND log = 'audit' ORDER BY place DESC")
    assert last == "slow.act"


def test_a_sealer_that_dies_in_the_middle_has_done_nothing(
    province: World, sealer: Database, keys: SealKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "LEAVES", 2)
    wrote = ledger._append
    for survived in range(3):
        left = [survived]

        def append(*arguments: object, left: list[int] = left) -> None:
            if not left[0]:
                raise SystemExit
            left[0] -= 1
            wrote(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(ledger, "_append", append)
        with pytest.raises(SystemExit):
            ledger.round_of(sealer, keys, sweep=True)
        whole = places(province)
        assert whole in ([], [0, 1, 2])
    monkeypatch.setattr(ledger, "_append", wrote)
    ledger.round_of(sealer, keys, sweep=True)
    assert places(province) == [0, 1, 2]
    assert places(province, "audit") == [*range(len(places(province, "audit")))]
    with province.database.transaction() as session:
        tree, proof = ledger.consistency(session, "filings", 2, 3)
        assert (tree.root, len(proof)) == (ledger.head(session, "filings").root, 1)


def test_two_sealers_and_candidates_at_once_leave_no_gap(province: World, keys: SealKeys) -> None:
    crowd = province.crowd(12)
    stopped = threading.Event()

    def go_round() -> None:
        own = Database(province.url, role="zhiyuan_sealer")
        ledger.watch(own, keys, stopped, pause=0.01)
        own.dispose()

    sealers = [threading.Thread(target=go_round) for _ in range(2)]
    for each in sealers:
        each.start()
    for member in crowd:
        file(province, member.person, member.session_id, "1", "4301")
    stopped.set()
    for each in sealers:
        each.join()
    own = Database(province.url, role="zhiyuan_sealer")
    ledger.round_of(own, keys, sweep=True)
    own.dispose()
    assert places(province) == [*range(15)]


def test_leaves_nobody_signed_stop_the_sealer(province: World, sealer: Database, keys: SealKeys) -> None:
    ledger.round_of(sealer, keys, sweep=True)
    tamper(province, "DELETE FROM leaves WHERE log = 'filings' AND place = 2")
    with pytest.raises(LedgerError, match="last checkpoint says 3"):
        ledger.round_of(sealer, keys, sweep=True)


def test_a_new_key_is_vouched_for_by_the_old_one(province: World, sealer: Database, keys: SealKeys) -> None:
    ledger.round_of(sealer, keys, sweep=True)
    second = Ed25519PrivateKey.generate()
    with pytest.raises(LedgerError, match="vouched for"):
        ledger.round_of(sealer, SealKeys({2: second}, keys.receipts), sweep=True)
    with pytest.raises(LedgerError, match="another key"):
        ledger.round_of(sealer, SealKeys({1: second}, keys.receipts), sweep=True)
    ledger.round_of(sealer, SealKeys({**keys.private, 2: second}, keys.receipts), sweep=True)
    row = province.rows("SELECT public, vouched FROM seal_keys WHERE version = 2")[0]
    first = keys.private[1].public_key()
    first.verify(row["vouched"], ledger.key_statement(2, row["public"], first.public_bytes_raw()))


# --- the seal -----------------------------------------------------------------------------------------


def test_a_batch_is_sealed_once_for_one_close(province: World, sealer: Database, keys: SealKeys) -> None:
    with pytest.raises(CannotSeal, match="not closed"):
        sealing.seal(sealer, keys, "1")
    with pytest.raises(NotFound):
        sealing.seal(sealer, keys, "9")
    made = seal(province)
    assert (made.number, made.size, made.fresh) == (1, 2, True)
    again = sealing.seal(sealer, keys, "1")
    assert (again.number, again.root, again.fresh) == (1, made.root, False)
    with pytest.raises(CannotSeal):
        sealing.seal(sealer, keys, "1", timedelta(hours=1))


def test_an_end_moved_after_the_seal_makes_another_seal(province: World, keys: SealKeys) -> None:
    first = seal(province)
    province.move_end(1, 3600)
    person = province.candidate()
    file(province, person, province.activate(person), "1", "4303")
    second = seal(province)
    assert (second.number, second.size) == (2, first.size + 1)


def test_an_end_moved_while_it_is_sealed_ends_in_nothing(
    province: World, keys: SealKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = sealing._read

    def read(*arguments: object) -> object:
        with province.database.transaction() as session:
            assert move_end(session, 1, province.value("SELECT clock_timestamp() + interval '1 day'"))
        return found(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(sealing, "_read", read)
    with pytest.raises(CannotSeal, match="was moved meanwhile"):
        seal(province)
    assert not province.rows("SELECT 1 FROM seals")
    assert not places(province)


def test_what_was_altered_is_not_sealed(province: World, keys: SealKeys) -> None:
    tamper(province, "UPDATE filings SET content = '{\"columns\": {}}' WHERE number = 2")
    with pytest.raises(CannotSeal, match=r"17\*+0001 were altered"):
        seal(province)


def test_a_filing_forged_without_a_card_is_sealed_and_found(province: World, keys: SealKeys) -> None:
    """Who holds database and receipts' key can append before the seal; a card they cannot have had (L-09)."""
    index = forge(province, province.keys.receipt_key[1])
    seal(province)
    words = f"no real code {index} of the card was given: whoever made this row did not hold the card"
    assert f"number 3: {words}" in said(province)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE filings SET digest = sha256(digest) WHERE number = 2", "the log has a filing with another digest"),
        ("DELETE FROM filings WHERE number = 2", "what stands is not what was sealed"),
        ("DELETE FROM filings WHERE kind = 'waiver'", "what stands is not what was sealed"),
        ("DELETE FROM sealed_filings WHERE position = 0", "what stands is not what was sealed"),
    ],
)
def test_the_check_in_the_house_holds_filings_against_log_and_seal(province: World, change: str, words: str) -> None:
    seal(province)
    assert not said(province)
    tamper(province, change)
    assert words in said(province)


def said(world: World) -> str:
    judged = Keys(world.keys.card_key, world.keys.receipt_public_keys())
    with world.database.transaction() as session:
        return "\n".join(map(str, evidence_check.check(session, judged, lambda _: None)))


# --- who may what -------------------------------------------------------------------------------------


def test_the_sealer_changes_nothing_and_the_portals_append_nothing(province: World) -> None:
    seal(province)
    forbidden: dict[str, tuple[str, ...]] = {
        "zhiyuan_sealer": (
            "UPDATE batches SET closes_at = now()",
            "INSERT INTO filings (kind) VALUES ('x')",
            "UPDATE seals SET size = 0",
            "DELETE FROM leaves",
            "SELECT 1 FROM candidates",
            "SELECT 1 FROM cards",
        ),
        "zhiyuan_candidates": ("INSERT INTO leaves VALUES ('filings', 9, 9, '')", "DELETE FROM checkpoints"),
        "zhiyuan_offices": ("SELECT 1 FROM sealed_filings", "SELECT 1 FROM leaves", "INSERT INTO seals DEFAULT VALUES"),
    }
    for role, statements in forbidden.items():
        database = Database(province.url, role=role)
        for statement in statements:
            with pytest.raises(ProgrammingError, match="permission denied"), database.transaction() as session:
                session.execute(text(statement))
        database.dispose()


def test_the_portals_work_where_the_sealers_key_is_out_of_reach(province: World) -> None:
    """And the sealer, where all other secrets are (L-12)."""
    (province.keys_directory / "seal_key.1").rename(province.keys_directory.parent / "seal_key.1")
    assert not [name for name in KeyRing.load(province.keys_directory).__slots__ if "seal" in name]
    alone = province.keys_directory.parent / "alone"
    alone.mkdir()
    for path in (province.keys_directory.parent / "seal_key.1", province.keys_directory / "receipt_public.1.pem"):
        path.rename(alone / path.name)
    assert SealKeys.load(alone).version == 1


def test_a_sealer_that_waits_for_another_says_so_and_goes_on(
    province: World, sealer: Database, keys: SealKeys, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[Callable[[], None]] = []
    stopped = threading.Event()
    real = ledger.round_of

    def round_of(*arguments: object, sweep: bool) -> int:
        calls.append(stopped.set)
        if len(calls) == 1:
            raise Unavailable("55P03")
        stopped.set()
        return real(sealer, keys, sweep=sweep)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "round_of", round_of)
        ledger.watch(sealer, keys, stopped, pause=0.01)
    assert "sealer waits" in caplog.text
    assert places(province) == [0, 1, 2]
