"""The door under load and in a race: what two requests at once may and may not do."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from app import accounts, passwords
from app.db import together
from app.entrance import Activation, Refused, SignedIn, Weak, Where, new_ticket, ticket_hash
from app.errors import ChallengeStale, TooSoon
from tests.makers import PASSWORD, Person, World
from tests.pages.walks import shared_world  # noqa: F401 -- a fixture

NEW = "a quiet river 7 bridges"
DEVICE = accounts.device_hash("a token of this browser's own")


@pytest.fixture
def person(world: World) -> Person:
    made = world.candidate()
    world.activate(made)
    return made


def asked(world: World, person: Person, **over: Any) -> Activation:
    pair = world.door.pair_asked(person.serial)
    made = Activation(
        person.candidate_no, person.serial, person.id_no[-6:], [person.code(index) for index in pair], person.password
    )
    return replace(made, **over)


def given(world: World, person: Person) -> list[str]:
    return [person.code(index) for index in world.door.pair_for_sign_in(person.candidate_no)]


def at_once(deed: Callable[[], object], times: int = 6) -> list[object]:
    """What the same deed answers when it is asked for several times at the same moment."""

    def answer() -> object:
        try:
            return deed()
        except (ChallengeStale, TooSoon) as refusal:
            return refusal

    with ThreadPoolExecutor(times) as pool:
        return [each.result() for each in [pool.submit(answer) for _ in range(times)]]


def of(kind: type, answers: list[object]) -> int:
    return sum(isinstance(each, kind) for each in answers)


def test_activated_at_once_by_many_the_account_is_made_once(world: World) -> None:
    person = world.candidate()
    answers = at_once(lambda: world.door.activate(asked(world, person), world.where()))
    assert (of(SignedIn, answers), of(Refused, answers)) == (1, 5)
    assert world.value("SELECT count(*) FROM sessions WHERE candidate_id = :id", id=person.id) == 1


def test_two_codes_sign_in_once(world: World, person: Person) -> None:
    codes = given(world, person)
    number = person.candidate_no
    answers = at_once(lambda: world.door.sign_in_with_card(number, PASSWORD, codes, world.where()))
    assert (of(SignedIn, answers), of(Refused, answers)) == (1, 5)
    assert world.value("SELECT count(*) FROM card_uses WHERE candidate_id = :id", id=person.id) == 4


def test_a_ticket_resets_once(world: World, person: Person) -> None:
    ticket, secret = new_ticket()
    with world.database.transaction() as session:
        together(session, accounts.reset_approved(person.id, secret, 1))
    codes, number = given(world, person), person.candidate_no
    answers = at_once(lambda: world.door.reset(number, ticket, codes, NEW, world.where()))
    assert (of(SignedIn, answers), of(Refused, answers)) == (1, 5)
    assert world.value("SELECT count(*) FROM sessions WHERE candidate_id = :id AND ended_at IS NULL", id=person.id) == 1


def test_a_sign_in_begun_with_the_old_password_does_not_outlive_its_change(world: World, person: Person) -> None:
    """It has checked the old password when the new one is set, and must not open a session afterwards."""
    stored = passwords.seal(NEW, world.keys.password_pepper, passwords.CANDIDATE)
    with ThreadPoolExecutor(1) as pool:
        with world.database.transaction() as session:
            accounts.lock(session, person.id)
            begun = pool.submit(world.door.sign_in, person.candidate_no, PASSWORD, world.where())
            while not world.value("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                assert not begun.done()
            together(session, accounts.password_changed(person.id, stored, after_reset=True))
        assert begun.result() == Refused()


def test_wrong_passwords_are_counted_exactly_whoever_comes_at_once(world: World, person: Person) -> None:
    at_once(lambda: world.door.sign_in(person.candidate_no, "wrong one 77", world.where()), 4)
    bucket = accounts.bucket(world.keys.session_key, person.candidate_no, None)
    assert world.value("SELECT failures FROM waits WHERE bucket = :bucket", bucket=bucket) == 4


def test_waits_double_up_to_a_quarter_of_an_hour_and_no_further(world: World) -> None:
    bucket = accounts.bucket(world.keys.session_key, "17430102151234", None)
    waits = []
    for _ in range(14):
        with world.database.transaction() as session:
            together(session, accounts.failed(bucket))
        waits.append(world.value("SELECT extract(epoch FROM until - failed_at) FROM waits WHERE bucket = :b", b=bucket))
    assert [round(each) for each in waits] == [0] * 5 + [30, 60, 120, 240, 480, 900, 900, 900, 900]


def test_a_day_later_the_tries_are_free_again(world: World) -> None:
    bucket = accounts.bucket(world.keys.session_key, "17430102151235", None)
    world.do("INSERT INTO waits VALUES (:b, 50, now() - interval '25 hours', now() - interval '24 hours')", b=bucket)
    with world.database.transaction() as session:
        together(session, accounts.failed(bucket))
    assert world.rows("SELECT failures, until <= clock_timestamp() AS free FROM waits WHERE bucket = :b", b=bucket) == [
        {"failures": 1, "free": True}
    ]


def test_the_same_two_codes_are_asked_of_a_serial_and_a_number_every_time_known_or_not(world: World) -> None:
    door, person = world.door, world.candidate()
    for serial in (person.serial, "999900000017"):
        assert len({door.pair_asked(serial) for _ in range(5)}) == 1
    for number in (person.candidate_no, "17430102159876"):
        assert len({door.pair_for_sign_in(number) for _ in range(5)}) == 1
    world.activate(person)
    pairs = {door.pair_for_sign_in(person.candidate_no) for _ in range(5)}
    assert len(pairs) == 1
    assert all(1 <= index <= 40 for pair in pairs for index in pair)


def test_another_pair_is_noticed_before_a_code_is_looked_at(world: World, person: Person) -> None:
    first, second = world.door.pair_for_sign_in(person.candidate_no)
    with pytest.raises(ChallengeStale):
        world.door.sign_in_with_card(
            person.candidate_no, PASSWORD, given(world, person), world.where(), (second, first)
        )
    assert world.value("SELECT wrong_tries FROM bindings WHERE candidate_id = :id", id=person.id) == 0


def test_a_known_device_has_a_wait_of_its_own(world: World) -> None:
    person = world.candidate()
    world.activate(person, DEVICE)
    for _ in range(6):
        world.door.sign_in(person.candidate_no, "wrong one 77", world.where())
    with pytest.raises(TooSoon) as wait:
        world.door.sign_in(person.candidate_no, PASSWORD, world.where())
    assert 0 < wait.value.seconds <= 30
    assert isinstance(world.door.sign_in(person.candidate_no, PASSWORD, world.where(DEVICE)), SignedIn)


def test_a_password_is_sealed_anew_when_the_pepper_has_changed(world: World, person: Person) -> None:
    door = replace(world.door, keys=replace(world.keys, password_pepper={**world.keys.password_pepper, 2: b"p" * 32}))
    stored = "SELECT password FROM accounts WHERE candidate_id = :id"
    assert world.value(stored, id=person.id).endswith("$1")
    assert isinstance(door.sign_in(person.candidate_no, PASSWORD, world.where()), SignedIn)
    assert world.value(stored, id=person.id).endswith("$2")
    assert isinstance(door.sign_in(person.candidate_no, PASSWORD, world.where()), SignedIn)


def test_a_weak_password_is_refused_at_every_door_and_uses_nothing_up(world: World, person: Person) -> None:
    fresh = world.candidate()
    assert isinstance(world.door.activate(asked(world, fresh, password="password"), world.where()), Weak)
    assert isinstance(world.door.activate(asked(world, fresh, password="ouyangnana99"), world.where()), Weak)
    changed = world.door.change_password(
        person.id, person.candidate_no, PASSWORD, "ouyangnana99", keep=b"", where=world.where()
    )
    assert changed == Weak("personal")
    assert world.rows("SELECT 1 FROM card_uses WHERE candidate_id = :id", id=fresh.id) == []


def test_who_has_not_shown_to_be_the_candidate_is_a_visitor_in_the_audit(world: World, person: Person) -> None:
    world.door.sign_in(person.candidate_no, "wrong one 77", world.where())
    world.door.sign_in(person.candidate_no, PASSWORD, world.where())
    found = world.rows("SELECT act, actor FROM audit WHERE candidate_id = :id ORDER BY id", id=person.id)
    assert {"act": "password.wrong", "actor": "visitor"} in found
    assert {"act": "session.started", "actor": "candidate"} in found


def test_no_secret_stands_in_any_table(world: World, person: Person) -> None:
    session = world.door.sign_in(person.candidate_no, PASSWORD, Where("192.0.2.7", "Test", "canary", None))
    assert isinstance(session, SignedIn)
    world.door.sign_in_with_card(person.candidate_no, PASSWORD, given(world, person), world.where())
    tables = world.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    secrets = {session.session_id, PASSWORD, *person.codes}
    for table in tables:
        rows = world.value(f"SELECT coalesce(string_agg(t::text, ' '), '') FROM {table['tablename']} t")  # noqa: S608
        assert not any(secret in rows for secret in secrets), table


def test_a_ticket_has_eighty_bits_and_is_known_by_its_hash_alone() -> None:
    tickets = {new_ticket()[0] for _ in range(200)}
    assert len(tickets) == 200
    ticket, secret = new_ticket()
    assert ticket_hash(f" {ticket.lower()} ".replace("-", " ")) == secret
    assert len(ticket.replace("-", "")) == 16
