"""Many at once, with real commits: what a computer room, a double click and the last second do."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from admin.rehearsal import FREE
from app import batches, bindings, drafts, preferences, tallies
from app.db import Database
from app.errors import ChallengeStale, Closed, DraftMoved, NoCard, Unavailable
from app.preferences import Answer, Asked, Filed, Origin, WrongCode
from app.sessions import Visitor
from tests.makers import Member, Person, World, content

DEVICE = b"d" * 32
ORIGIN = Origin(ip="127.0.0.1", device="Test", request_id="race", device_hash=DEVICE)
Outcome = object


@pytest.fixture
def many(world: World) -> Iterator[Database]:
    """A database with connections enough to be asked forty things at once."""
    database = Database(world.url, pool_size=24)
    yield database
    database.dispose()


def checked(world: World, person: Person, session_id: str, *institutions: str) -> tuple[Visitor, Asked]:
    """A candidate who has drafted a list and been shown the check page."""
    visitor = world.visitor(session_id)
    with world.database.transaction() as session:
        batch_id = preferences.sheet(session, visitor, "1").batch.id
        version = drafts.save(session, person.id, batch_id, content(*institutions), 0)
    with world.database.transaction() as session:
        return visitor, preferences.ask(session, visitor, "1", "list", version)


def confirm(world: World, database: Database, visitor: Visitor, asked: Asked, code: str) -> Outcome:
    """One post of the confirm form: its outcome, or the refusal raised."""
    answer = Answer(asked.key, asked.digest, [code])
    for _ in range(20):
        try:
            with database.transaction() as session:
                return preferences.confirm(session, visitor, "1", answer, ORIGIN, world.keys)
        except Unavailable:  # no connection was free in time; the browser tries again
            time.sleep(0.05)
        except (ChallengeStale, Closed, NoCard) as refusal:
            return refusal
    raise AssertionError("the database never answered")


def at_once(count: int, deed: Callable[[int], Outcome]) -> list[Outcome]:
    """Run a deed many times at once; the outcomes."""
    with ThreadPoolExecutor(min(count, 40)) as pool:
        return list(pool.map(deed, range(count)))


def wrong_code(person: Person, index: int) -> str:
    """A well-formed code of the card that is not the one asked."""
    return person.code(index % len(person.codes) + 1)


def test_forty_posts_of_one_code_make_one_filing_and_forty_equal_answers(world: World, many: Database) -> None:
    world.batch("1")
    (member,) = world.crowd(1)
    visitor, asked = checked(world, member.person, member.session_id, "4301", "4302")
    code = member.person.code(asked.asked[0])

    outcomes = at_once(40, lambda _: confirm(world, many, visitor, asked, code))

    filed = [one for one in outcomes if isinstance(one, Filed)]
    assert len(filed) == 40
    assert len({one.receipt for one in filed}) == 1
    assert sum(not one.replay for one in filed) == 1
    assert world.value("SELECT count(*) FROM filings") == 1
    assert world.value("SELECT wrong_tries FROM bindings") == 0
    assert world.value("SELECT count(*) FROM audit WHERE act = 'code.wrong'") == 0


def test_twenty_replays_of_one_key_give_one_receipt_also_after_the_close(world: World, many: Database) -> None:
    batch_id = world.batch("1")
    (member,) = world.crowd(1)
    visitor, asked = checked(world, member.person, member.session_id, "4301")
    code = member.person.code(asked.asked[0])
    first = confirm(world, many, visitor, asked, code)
    assert isinstance(first, Filed)
    world.move_end(batch_id, -1)

    replays = at_once(20, lambda _: confirm(world, many, visitor, asked, code))

    assert {one.receipt for one in replays if isinstance(one, Filed)} == {first.receipt}
    assert all(isinstance(one, Filed) and one.replay for one in replays)
    assert world.value("SELECT count(*) FROM filings") == 1


def test_fifty_wrong_codes_at_once_are_counted_exactly(world: World, many: Database) -> None:
    world.batch("1")
    (member,) = world.crowd(1)
    visitor, asked = checked(world, member.person, member.session_id, "4301")
    wrong = wrong_code(member.person, asked.asked[0])

    outcomes = at_once(50, lambda _: confirm(world, many, visitor, asked, wrong))

    assert {type(one) for one in outcomes} == {WrongCode}
    assert world.value("SELECT wrong_tries FROM bindings") == 50
    assert world.value("SELECT count(*) FROM audit WHERE act = 'code.wrong'") == 50
    assert world.value("SELECT count(*) FROM filings") == 0


def test_two_hundred_saves_around_a_close_are_each_wholly_before_or_after(world: World, many: Database) -> None:
    batch_id = world.batch("1")
    crowd = world.crowd(200)
    ready = [(one, *checked(world, one.person, one.session_id, "4301")) for one in crowd]
    world.move_end(batch_id, 0.35)

    def save(at: int) -> Outcome:
        member, visitor, asked = ready[at]
        return confirm(world, many, visitor, asked, member.person.code(asked.asked[0]))

    outcomes = at_once(200, save)

    acknowledged = {ready[at][0].person.id for at, one in enumerate(outcomes) if isinstance(one, Filed)}
    rows = world.rows(
        "SELECT f.candidate_id, f.filed_at, b.closes_at FROM filings f JOIN batches b ON b.id = f.batch_id"
    )
    assert {row["candidate_id"] for row in rows} == acknowledged
    assert all(row["filed_at"] < row["closes_at"] for row in rows)
    kinds = Counter(type(one).__name__ for one in outcomes)
    assert set(kinds) <= {"Filed", "Closed"}
    with world.database.transaction() as session:
        assert tallies.recount(session) == 0


def test_a_close_waits_for_saves_that_hold_the_batch_and_stops_those_behind_it(world: World, many: Database) -> None:
    """The end is moved under way, by the province, not only reached by the clock."""
    batch_id = world.batch("1")
    crowd = world.crowd(60)
    ready = [(one, *checked(world, one.person, one.session_id, "4301")) for one in crowd]

    def act(at: int) -> Any:
        if at == 30:
            with many.transaction() as session:  # as every act on a window does: hold the batch, then look at the clock
                batches.hold(session, batch_id)
                session.execute(
                    text(f"{FREE} UPDATE batches SET closes_at = clock_timestamp() FROM free WHERE id = :id"),  # noqa: S608
                    {"id": batch_id},
                )
            return None
        member, visitor, asked = ready[at]
        return confirm(world, many, visitor, asked, member.person.code(asked.asked[0]))

    outcomes = at_once(60, act)

    closes_at = world.value("SELECT closes_at FROM batches")
    assert all(row["filed_at"] < closes_at for row in world.rows("SELECT filed_at FROM filings"))
    assert world.value("SELECT count(*) FROM filings") == sum(isinstance(one, Filed) for one in outcomes)


def test_of_an_old_card_and_its_replacement_at_the_same_moment_exactly_one_wins(world: World, many: Database) -> None:
    world.batch("1")
    for member in world.crowd(8):
        visitor, asked = checked(world, member.person, member.session_id, "4301")
        code = member.person.code(asked.asked[0])
        spare = world.spare_card().serial

        def replace(serial: str = spare, who: Member = member) -> str:
            with many.transaction() as session:
                bindings.hand_out(session, serial, who.person.id)
            return "replaced"

        with ThreadPoolExecutor(2) as pool:
            filing = pool.submit(confirm, world, many, visitor, asked, code)
            replacing = pool.submit(replace)
            outcome = filing.result()
            assert replacing.result() == "replaced"

        uses = world.value("SELECT count(*) FROM card_uses WHERE candidate_id = :id", id=member.person.id)
        filings = world.value("SELECT count(*) FROM filings WHERE candidate_id = :id", id=member.person.id)
        assert uses == filings == int(isinstance(outcome, Filed))
        assert isinstance(outcome, (Filed, ChallengeStale, NoCard))
        assert world.value("SELECT state FROM cards WHERE serial = :s", s=member.person.serial) == "replaced"


def test_two_tabs_saving_one_draft_never_overwrite_each_other(world: World, many: Database) -> None:
    batch_id = world.batch("1")
    (member,) = world.crowd(1)
    version = 0

    def save(at: int) -> Outcome:
        try:
            with many.transaction() as session:
                return drafts.save(session, member.person.id, batch_id, content(f"43{at + 1:02d}"), version)
        except DraftMoved as refusal:
            return refusal

    outcomes = at_once(8, save)

    assert sum(isinstance(one, int) for one in outcomes) == 1
    assert sum(isinstance(one, DraftMoved) for one in outcomes) == 7


def test_an_extension_reaches_the_next_save_at_once(world: World, many: Database) -> None:
    batch_id = world.batch("1", closes=timedelta(milliseconds=900))
    (member,) = world.crowd(1)
    visitor, asked = checked(world, member.person, member.session_id, "4301")
    time.sleep(1)
    code = member.person.code(asked.asked[0])
    assert isinstance(confirm(world, many, visitor, asked, code), Closed)

    world.move_end(batch_id, 60)

    assert isinstance(confirm(world, many, visitor, asked, code), Filed)


def test_no_stream_of_saves_keeps_an_extension_or_a_pause_waiting(world: World, many: Database) -> None:
    """Sixteen at a time hold the batch, and there is never an instant at which nobody does."""
    batch_id = world.batch("1")
    crowd = world.crowd(16)
    over = threading.Event()

    def keep_saving(member: Member) -> int:
        visitor, saves = world.visitor(member.session_id), 0
        while not over.is_set():
            with many.transaction() as session:
                preferences.hold(session, visitor, "1")
                time.sleep(0.02)  # a save in the middle of what it does
            saves += 1
        return saves

    def waited(deed: Callable[[Session], bool]) -> float:
        started = time.monotonic()
        with many.transaction() as session:
            assert deed(session)
        return time.monotonic() - started

    later = world.value("SELECT closes_at + interval '1 hour' FROM batches")
    with ThreadPoolExecutor(16) as pool:
        saving = [pool.submit(keep_saving, member) for member in crowd]
        time.sleep(0.3)
        try:
            waits = [
                waited(lambda session: batches.move_end(session, batch_id, later)),
                waited(lambda session: batches.suspend(session, batch_id)),
            ]
        finally:
            over.set()
        assert sum(one.result() for one in saving) > 100
    assert max(waits) < 2
