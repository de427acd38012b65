"""Filing as deeds: what is asked, what puts a list in force, and what changes nothing at all."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from app import drafts, evidence, filings, preferences, tallies
from app.errors import (
    ChallengeStale,
    Closed,
    DraftMoved,
    KeyReused,
    NoCard,
    NotEligible,
    NotFound,
    NotYetOpen,
    Refusal,
    RulesBroken,
    Suspended,
    TooSoon,
)
from app.preferences import Answer, Asked, Changed, Filed, Origin, Sheet, WrongCode
from app.sessions import Visitor
from tests.makers import COLUMN, Person, World, content

DEVICE = b"d" * 32
ORIGIN = Origin(ip="127.0.0.1", device="Test", request_id="deeds", device_hash=DEVICE)


@dataclass
class Desk:
    """One candidate at one batch, on a device that is known."""

    world: World
    person: Person
    session_id: str
    batch_id: int

    def visitor(self, device: bytes | None = DEVICE) -> Visitor:
        return self.world.visitor(self.session_id, device)

    def sheet(self, device: bytes | None = DEVICE) -> Sheet:
        with self.world.database.reading() as connection:
            return preferences.sheet(connection, self.visitor(device), "1")

    def draft(self, *codes: str) -> int:
        with self.world.database.transaction() as session:
            return drafts.save(session, self.person.id, self.batch_id, content(*codes), self.sheet().draft_version)

    def ask(self, kind: preferences.Kind = "list", device: bytes | None = DEVICE) -> Asked:
        with self.world.database.transaction() as session:
            return preferences.ask(session, self.visitor(device), "1", kind, self.sheet().draft_version)

    def answer(self, asked: Asked, *codes: str) -> Answer:
        return Answer(asked.key, asked.digest, codes or [self.person.code(index) for index in asked.asked])

    def confirm(self, answer: Answer, device: bytes | None = DEVICE) -> Filed | WrongCode | Changed:
        with self.world.database.transaction() as session:
            return preferences.confirm(session, self.visitor(device), "1", answer, ORIGIN, self.world.keys)

    def file(self, *codes: str) -> int:
        self.draft(*codes)
        filed = self.confirm(self.answer(self.ask()))
        assert isinstance(filed, Filed)
        return filed.number

    def wrong(self, asked: Asked) -> str:
        """A code of the card that is not the one asked for."""
        return self.person.code(asked.asked[0] % 40 + 1)

    @property
    def tries(self) -> int:
        return int(self.world.value("SELECT wrong_tries FROM bindings"))

    @property
    def filings(self) -> int:
        return int(self.world.value("SELECT count(*) FROM filings"))


@pytest.fixture
def desk(world: World) -> Iterator[Desk]:
    batch = world.batch("1")
    person = world.candidate()
    yield Desk(world, person, world.activate(person, DEVICE), batch)
    with world.database.transaction() as session:
        assert tallies.recount(session) == 0, "a deed left the tallies wrong"


# --- check -------------------------------------------------------------------------------------------


def test_the_question_is_about_the_draft_without_gaps_and_asks_one_code(desk: Desk) -> None:
    desk.draft("4301", "4302")
    asked = desk.ask()
    assert asked.content == content("4301", "4302")
    assert len(asked.asked) == 1
    assert desk.sheet().challenge == replace(asked, issued_at=desk.sheet().challenge.issued_at)  # type: ignore[union-attr]


def test_asking_again_keeps_the_index_and_draws_a_new_key(desk: Desk) -> None:
    desk.draft("4301")
    asked = [desk.ask() for _ in range(5)]
    assert len({one.asked for one in asked}) == 1
    assert len({one.key for one in asked}) == 5


def test_a_list_with_errors_is_not_asked_about(desk: Desk) -> None:
    for codes in ((), ("9999",), ("4301", "4301")):
        desk.draft(*codes)
        with pytest.raises(RulesBroken):
            desk.ask()
    assert desk.sheet().challenge is None


def test_a_gap_is_an_error_where_the_calendar_says_so(world: World) -> None:
    batch = world.batch("1", gap_policy="error")
    person = world.candidate()
    desk = Desk(world, person, world.activate(person, DEVICE), batch)
    gapped = content("4301", "4302")
    gapped["columns"]["GEN1"]["slots"].insert(0, None)
    with world.database.transaction() as session:
        drafts.save(session, person.id, batch, gapped, 0)
    with pytest.raises(RulesBroken):
        desk.ask()
    desk.draft("4301", "4302")
    assert desk.ask().content == content("4301", "4302")


def test_a_page_older_than_the_draft_is_not_asked_about(desk: Desk) -> None:
    version = desk.draft("4301")
    desk.draft("4302")
    with pytest.raises(DraftMoved), desk.world.database.transaction() as session:
        preferences.ask(session, desk.visitor(), "1", "list", version)


@pytest.mark.parametrize(
    ("opens", "closes", "refusal"), [(1, 2, NotYetOpen), (-2, -1, Closed)], ids=["before the opening", "after the end"]
)
def test_outside_the_window_nothing_is_asked(world: World, opens: int, closes: int, refusal: type[Refusal]) -> None:
    batch = world.batch("1", opens=timedelta(hours=opens), closes=timedelta(hours=closes))
    person = world.candidate()
    desk = Desk(world, person, world.activate(person, DEVICE), batch)
    for kind in ("list", "waiver"):
        with pytest.raises(refusal):
            desk.ask(kind)


def test_without_a_card_nothing_is_asked(desk: Desk) -> None:
    desk.draft("4301")
    desk.world.hand_out(desk.person)  # the new card is not bound yet
    with pytest.raises(NoCard):
        desk.ask()


def test_keeping_and_asking_at_once_keeps_the_draft_though_it_cannot_be_asked_about(desk: Desk) -> None:
    visitor, batch = desk.visitor(), desk.sheet().batch
    with desk.world.database.transaction() as session:
        refused = preferences.save_and_ask(session, visitor, batch, content("9999"), 0)
    assert isinstance(refused, RulesBroken)
    assert desk.sheet().draft == content("9999")
    with desk.world.database.transaction() as session:
        asked = preferences.save_and_ask(session, visitor, batch, content("4301"), desk.sheet().draft_version)
    assert isinstance(asked, Asked)
    assert asked.content == content("4301")


def test_another_class_and_unknown_batches_have_no_sheet(desk: Desk) -> None:
    desk.world.batch("9", subject_classes=("1",))
    for code, refusal in (("9", NotEligible), ("no such", NotFound)):
        with pytest.raises(refusal), desk.world.database.reading() as connection:
            preferences.sheet(connection, desk.visitor(), code)


# --- confirm -----------------------------------------------------------------------------------------


def test_a_right_code_puts_exactly_the_list_in_force(desk: Desk) -> None:
    desk.draft("4301", "4302")
    asked = desk.ask()
    filed = desk.confirm(desk.answer(asked))
    assert filed == Filed(1, desk.world.value("SELECT receipt FROM filings"))
    found = desk.sheet()
    assert found.standing is not None
    assert (found.standing.content, found.standing.kind) == (content("4301", "4302"), "list")
    assert not found.draft_differs
    assert found.challenge is None
    assert desk.world.value("SELECT code_index FROM filings") == asked.asked[0]
    assert found.bound is not None
    assert asked.asked[0] in found.bound.used
    assert found.bound.asked not in found.bound.used


def test_the_receipt_is_signed_and_the_chain_holds(desk: Desk) -> None:
    for codes in (("4301",), ("4302",), ("4302", "4303")):
        desk.file(*codes)
    rows = desk.world.rows(
        f"SELECT {filings.RECORD_FIELDS}, f.receipt FROM filings f"  # noqa: S608 -- constants
        " JOIN candidates c ON c.id = f.candidate_id JOIN batches b ON b.id = f.batch_id ORDER BY number"
    )
    assert evidence.check_chain([(filings.record(row), bytes(row["digest"])) for row in rows]) == []
    for row in rows:
        said = evidence.verify_receipt(row["receipt"], desk.world.keys.receipt_public_keys())
        assert (said.number, said.digest) == (row["number"], bytes(row["digest"]))


def test_the_same_answer_once_more_gives_the_same_receipt_also_after_the_close(desk: Desk) -> None:
    desk.draft("4301")
    answer = desk.answer(desk.ask())
    first = desk.confirm(answer)
    assert isinstance(first, Filed)
    assert desk.confirm(answer) == replace(first, replay=True)
    desk.world.move_end(desk.batch_id, 0)
    assert desk.confirm(answer) == replace(first, replay=True)
    assert desk.filings == 1


def test_one_key_with_another_list_is_an_error(desk: Desk) -> None:
    desk.draft("4301")
    answer = desk.answer(desk.ask())
    forged = replace(answer, digest=b"x" * 32)
    with pytest.raises(KeyReused):
        desk.confirm(forged)
    desk.confirm(answer)
    with pytest.raises(KeyReused):
        desk.confirm(forged)
    assert (desk.filings, desk.tries) == (1, 0)


def test_a_draft_edited_between_check_and_confirm_is_not_filed(desk: Desk) -> None:
    desk.draft("4301")
    answer = desk.answer(desk.ask())
    desk.draft("4301", "4302")
    outcome = desk.confirm(answer)
    assert isinstance(outcome, Changed)
    assert [(each.kind, each.choice and each.choice.code) for each in outcome.differences] == [("added", "4302")]
    assert (desk.filings, desk.tries) == (0, 0)


def test_a_draft_thrown_away_between_check_and_confirm_is_not_filed(desk: Desk) -> None:
    version = desk.draft("4301")
    answer = desk.answer(desk.ask())
    with desk.world.database.transaction() as session:
        drafts.discard(session, desk.person.id, desk.batch_id, version)
    assert isinstance(desk.confirm(answer), Changed)


def test_a_question_over_ten_minutes_old_is_neither_compared_nor_counted(desk: Desk) -> None:
    desk.draft("4301")
    asked = desk.ask()
    desk.world.do("UPDATE challenges SET issued_at = issued_at - interval '10 minutes'")
    for codes in ((), (desk.wrong(asked),)):
        with pytest.raises(ChallengeStale):
            desk.confirm(desk.answer(asked, *codes))
    assert (desk.filings, desk.tries) == (0, 0)


def test_a_question_replaced_by_a_newer_one_is_neither_compared_nor_counted(desk: Desk) -> None:
    desk.draft("4301")
    old = desk.ask()
    desk.ask()
    with pytest.raises(ChallengeStale):
        desk.confirm(desk.answer(old, desk.wrong(old)))
    assert desk.tries == 0


def test_a_question_of_another_session_is_neither_compared_nor_counted(desk: Desk) -> None:
    desk.draft("4301")
    asked = desk.ask()
    desk.world.do("UPDATE challenges SET session_hash = decode(repeat('00', 32), 'hex')")
    with pytest.raises(ChallengeStale):
        desk.confirm(desk.answer(asked))
    assert (desk.filings, desk.tries) == (0, 0)


def test_a_corrected_catalogue_makes_the_question_stale(desk: Desk) -> None:
    desk.draft("4301")
    asked = desk.ask()
    desk.world.do("INSERT INTO catalogues (version, source, digest, plans) VALUES (2, 'corrected', '', 0)")
    desk.world.do("UPDATE batches SET catalogue_version = 2, revision = revision + 1")
    with pytest.raises(ChallengeStale):
        desk.confirm(desk.answer(asked))
    assert desk.tries == 0


@pytest.mark.parametrize("shut", ["closed", "suspended"])
def test_a_batch_shut_after_the_check_takes_nothing(desk: Desk, shut: str) -> None:
    desk.draft("4301")
    answer = desk.answer(desk.ask())
    if shut == "closed":
        desk.world.move_end(desk.batch_id, 0)
    else:
        desk.world.do("UPDATE batches SET suspended_at = clock_timestamp()")
    with pytest.raises(Closed if shut == "closed" else Suspended):
        desk.confirm(answer)
    assert (desk.filings, desk.tries) == (0, 0)


def test_nobody_files_more_often_than_a_person_could(desk: Desk) -> None:
    numbers = [desk.file("4301", f"43{number:02d}") for number in range(2, 12)]
    assert numbers == list(range(1, 11))
    desk.draft("4302")
    answer = desk.answer(desk.ask())
    with pytest.raises(TooSoon) as refused:
        desk.confirm(answer)
    assert 1 <= refused.value.seconds <= 60
    assert (desk.filings, desk.tries) == (10, 0)


def test_the_grace_after_the_end_is_for_locks_asked_for_in_time(desk: Desk) -> None:
    desk.draft("4301")
    answer = desk.answer(desk.ask())
    desk.world.move_end(desk.batch_id, -1)
    with desk.world.database.transaction() as session:
        filed = preferences.confirm(
            session, desk.visitor(), "1", answer, ORIGIN, desk.world.keys, grace=timedelta(seconds=60)
        )
    assert isinstance(filed, Filed)


# --- wrong codes -------------------------------------------------------------------------------------


def test_a_wrong_code_changes_nothing_but_the_counter(desk: Desk) -> None:
    desk.draft("4301")
    asked = desk.ask()
    assert desk.confirm(desk.answer(asked, desk.wrong(asked))) == WrongCode(tries_left=4, two_needed=False)
    assert (desk.filings, desk.tries) == (0, 1)
    assert desk.world.value("SELECT count(*) FROM card_uses WHERE purpose = 'filing'") == 0
    assert isinstance(desk.confirm(desk.answer(asked)), Filed)
    assert desk.tries == 0


def test_after_five_wrong_codes_two_are_asked_and_the_holder_of_the_card_still_files(desk: Desk) -> None:
    desk.draft("4301")
    asked = desk.ask()
    outcomes = [desk.confirm(desk.answer(asked, desk.wrong(asked))) for _ in range(5)]
    assert outcomes[-1] == WrongCode(tries_left=0, two_needed=True)
    assert desk.sheet().two_codes_reason == "tries"
    # one code where wrong ones have made it two is not compared, so that the first cannot be searched for alone
    assert desk.confirm(desk.answer(asked)) == WrongCode(tries_left=0, two_needed=True)
    assert (desk.filings, desk.tries) == (0, 6)
    two = desk.ask()
    assert two.asked[0] == asked.asked[0]
    assert len(two.asked) == 2
    assert isinstance(desk.confirm(desk.answer(two)), Filed)
    assert desk.world.value("SELECT second_index FROM filings") == two.asked[1]


def test_two_codes_are_answered_at_a_pace_that_only_this_session_feels(desk: Desk) -> None:
    desk.draft("4301")
    asked = desk.ask()
    for _ in range(5):
        desk.confirm(desk.answer(asked, desk.wrong(asked)))
    two = desk.ask()
    wrong = desk.answer(two, desk.wrong(two), desk.person.code(two.asked[1]))
    assert isinstance(desk.confirm(wrong), WrongCode)
    with pytest.raises(TooSoon) as soon:
        desk.confirm(desk.answer(two))
    assert 1 <= soon.value.seconds <= 5
    assert desk.tries == 6
    desk.world.do("UPDATE bindings SET paced = jsonb_build_object('another session', clock_timestamp())")
    assert isinstance(desk.confirm(desk.answer(two)), Filed)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE accounts SET two_codes_until = clock_timestamp() + interval '1 hour'", "recent"),
        ("UPDATE accounts SET two_codes_reason = 'lost'", "lost"),
        ("UPDATE accounts SET two_codes_reason = 'not_me'", "not_me"),
    ],
)
def test_two_codes_are_asked_for_the_account_s_own_reasons(desk: Desk, change: str, reason: str) -> None:
    desk.draft("4301")
    desk.world.do(change)
    assert desk.sheet().two_codes_reason == reason
    asked = desk.ask()
    assert len(asked.asked) == 2
    assert isinstance(desk.confirm(desk.answer(asked)), Filed)


def test_an_unknown_device_needs_two_codes_only_to_change_a_list_that_is_in_force(desk: Desk) -> None:
    desk.draft("4301")
    assert len(desk.ask(device=None).asked) == 1
    desk.file("4301")
    desk.draft("4302")
    assert desk.sheet(None).two_codes_reason == "device"
    assert len(desk.ask(device=None).asked) == 2
    assert len(desk.ask().asked) == 1


def test_one_code_from_a_page_made_before_two_were_due_is_no_attempt(desk: Desk) -> None:
    desk.draft("4301")
    asked = desk.ask()
    desk.world.do("UPDATE accounts SET two_codes_reason = 'lost'")
    with pytest.raises(ChallengeStale):
        desk.confirm(desk.answer(asked))
    assert (desk.filings, desk.tries) == (0, 0)


def test_a_card_with_one_code_left_cannot_answer_for_two(desk: Desk) -> None:
    desk.draft("4301")
    desk.world.do("UPDATE accounts SET two_codes_reason = 'lost'")
    desk.world.do("UPDATE bindings SET asked_second = NULL")
    with pytest.raises(NoCard):
        desk.ask()


# --- giving up, restoring, amending ------------------------------------------------------------------


def test_giving_up_a_batch_is_a_filing_of_its_own_and_can_be_taken_back(desk: Desk) -> None:
    desk.file("4301")
    filed = desk.confirm(desk.answer(desk.ask("waiver")))
    assert isinstance(filed, Filed)
    found = desk.sheet()
    assert found.standing is not None
    assert (found.standing.number, found.standing.kind, found.standing.content) == (2, "waiver", {"columns": {}})
    assert not found.draft_differs, "a draft left lying is no change that waits"
    assert desk.world.value("SELECT waived FROM tallies") == 1
    assert desk.file("4302") == 3


def test_an_earlier_version_becomes_a_draft_and_is_not_in_force(desk: Desk) -> None:
    desk.file("4301")
    desk.file("4302")
    with desk.world.database.transaction() as session:
        preferences.restore(session, desk.visitor(), "1", 1, desk.sheet().draft_version)
    found = desk.sheet()
    assert found.draft == content("4301")
    assert found.draft_differs
    assert found.standing is not None
    assert found.standing.content == content("4302")


def test_restoring_overwrites_no_draft_that_was_not_seen_and_no_waiver_or_unknown_version_is_restored(
    desk: Desk,
) -> None:
    desk.file("4301")
    seen = desk.sheet().draft_version
    desk.draft("4303")
    with pytest.raises(DraftMoved), desk.world.database.transaction() as session:
        preferences.restore(session, desk.visitor(), "1", 1, seen)
    desk.confirm(desk.answer(desk.ask("waiver")))
    for number in (2, 3, 0):
        with pytest.raises(NotFound), desk.world.database.transaction() as session:
            preferences.restore(session, desk.visitor(), "1", number, desk.sheet().draft_version)


def test_a_change_that_adds_works_on_whatever_stands_by_now(desk: Desk) -> None:
    def add(code: str) -> None:
        def appended(old: dict[str, Any]) -> dict[str, Any]:
            slots = old["columns"]["GEN1"]["slots"] if old["columns"] else []
            new = content(code)
            new["columns"]["GEN1"]["slots"] = [*slots, *new["columns"]["GEN1"]["slots"]]
            return new

        with desk.world.database.transaction() as session:
            preferences.amend(session, desk.visitor(), "1", appended)

    desk.file("4301")
    for code in ("4302", "4303"):
        add(code)
    assert desk.sheet().draft == content("4301", "4302", "4303")


# --- all batches -------------------------------------------------------------------------------------


def test_the_overview_tells_a_draft_from_what_is_in_force(desk: Desk) -> None:
    desk.world.batch("2", name="本科二批", columns=(COLUMN | {"code": "GEN2"},))
    desk.world.batch("X", name="别的科类", subject_classes=("1",))

    def lines() -> dict[str, tuple[int | None, bool]]:
        with desk.world.database.reading() as connection:
            return {
                line.batch.code: (line.number, line.draft_differs)
                for line in preferences.overview(connection, desk.visitor())
            }

    assert lines() == {"1": (None, False), "2": (None, False)}
    desk.draft("4301")
    assert lines()["1"] == (None, True)
    desk.file("4301")
    assert lines()["1"] == (1, False)
    desk.draft("4302")
    assert lines()["1"] == (1, True)
    desk.draft("4301")  # saved later than it was filed, and the same
    assert lines()["1"] == (1, False)


def test_other_batches_lists_are_offered_for_copying(desk: Desk) -> None:
    desk.world.batch("2", name="本科二批")
    desk.file("4301")
    with desk.world.database.reading() as connection:
        assert [each.content for each in preferences.sources(connection, desk.visitor(), but="2")] == [content("4301")]
        assert preferences.sources(connection, desk.visitor(), but="1") == []


def test_an_unknown_outcome_is_looked_up_by_the_question(desk: Desk) -> None:
    desk.draft("4301")
    asked = desk.ask()
    with desk.world.database.reading() as connection:
        assert preferences.answered(connection, desk.visitor(), asked.key) is None
    desk.confirm(desk.answer(asked))
    with desk.world.database.reading() as connection:
        assert preferences.answered(connection, desk.visitor(), asked.key) == ("1", 1)
