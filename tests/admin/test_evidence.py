"""Whoever can write every table still cannot change a filing unseen."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from admin import evidence_check
from admin.evidence_check import Finding, Keys
from app import evidence, filings, tallies
from cards.errors import KeyUnusable
from tests.filing import file
from tests.makers import World, content

#: altered alone they change nothing of what was filed, and nothing else tells what they were
OUTSIDE = {"challenge", "device"}


@pytest.fixture
def province(world: World) -> World:
    """Two candidates, two batches; one of the candidates filed three times, once with two codes."""
    world.batch("1")
    world.batch("2", name="本科二批")
    first, second = world.candidate(), world.candidate()
    one, two = world.activate(first), world.activate(second)
    file(world, first, one, "1", "4301", "4302")
    file(world, first, one, "1", "4303")
    world.do("UPDATE accounts SET two_codes_reason = 'lost' WHERE candidate_id = :id", id=first.id)
    file(world, first, one, "1", "4304", "4301")
    file(world, first, one, "2")
    file(world, second, two, "1", "4305")
    return world


@pytest.fixture
def tamper(province: World) -> Callable[..., None]:
    """A function that runs a statement as somebody who is stopped by no trigger and no reference."""

    def run(*statements: str, **params: object) -> None:
        with province.database.transaction() as session:
            session.connection().exec_driver_sql("SET LOCAL session_replication_role = replica")
            for statement in statements:
                session.connection().exec_driver_sql(statement, params)

    return run


def findings(world: World) -> list[Finding]:
    keys = Keys(world.keys.card_key, world.keys.receipt_public_keys())
    with world.database.transaction() as session:
        return list(evidence_check.check(session, keys, lambda _: None))


def said(world: World) -> str:
    return "\n".join(map(str, findings(world)))


def test_what_was_filed_properly_has_no_findings(province: World) -> None:
    checked: list[int] = []
    keys = Keys(province.keys.card_key, province.keys.receipt_public_keys())
    with province.database.transaction() as session:
        assert evidence_check.count(session) == 5
    with province.database.transaction() as session:
        assert not list(evidence_check.check(session, keys, checked.append))
    assert checked == [3, 1, 1]


ALTERED: dict[str, str] = {
    "id": "id = id - 1000",
    "candidate_id": "candidate_id = (SELECT max(candidate_id) FROM accounts), number = 7",
    "batch_id": "batch_id = (SELECT max(id) FROM batches), number = 7",
    "candidate_no": "candidate_no = '17430102159999'",
    "number": "number = 9",
    "kind": "kind = 'waiver'",
    "content": "content = jsonb_set(content, '{columns,GEN1,slots,0,institution}', '\"4311\"')",
    "catalogue_version": "catalogue_version = 2",
    "filed_at": "filed_at = filed_at - interval '1 microsecond'",
    "nonce": "nonce = overlay(nonce placing '\\x00'::bytea from 3)",
    "previous": "previous = overlay(previous placing '\\x0000'::bytea from 3)",
    "digest": "digest = overlay(digest placing '\\x0000'::bytea from 3)",
    "serial": "serial = (SELECT max(serial) FROM cards WHERE serial <> filings.serial)",
    "code_index": "code_index = (SELECT generate_series(1, 40) EXCEPT SELECT code_index FROM filings LIMIT 1)",
    "opening": "opening = overlay(opening placing '\\x0000'::bytea from 3)",
    "second_index": "second_index = mod(second_index, 40) + 1",
    "second_opening": "second_opening = overlay(second_opening placing '\\x0000'::bytea from 3)",
    "challenge": "challenge = overlay(challenge placing '\\x0000'::bytea from 3)",
    "receipt": "receipt = overlay(receipt placing 'A' from 20)",
    "device": "device = 'another'",
    "device_hash": "device_hash = overlay(device_hash placing '\\x0000'::bytea from 3)",
    "ip": "ip = '192.0.2.1'",
}


def test_every_column_is_altered_below() -> None:
    assert set(ALTERED) == set(filings.Filing.__table__.columns.keys())


@pytest.mark.parametrize("column", sorted(ALTERED.keys() - OUTSIDE))
def test_an_altered_column_is_found(province: World, tamper: Callable[..., None], column: str) -> None:
    tamper(f"UPDATE filings SET {ALTERED[column]} WHERE number = 3")  # noqa: S608 -- from the table above
    found = [one for one in findings(province) if one.number]
    assert found, column
    assert all(one.candidate.count("*") == 8 for one in found)


@pytest.mark.parametrize("column", sorted(OUTSIDE))
def test_a_column_outside_the_digest_is_found_where_the_audit_has_it(
    province: World, tamper: Callable[..., None], column: str
) -> None:
    tamper(
        "UPDATE audit a SET detail = detail || jsonb_build_object('challenge', encode(f.challenge, 'hex'),"
        " 'device', f.device) FROM filings f JOIN batches b ON b.id = f.batch_id"
        " WHERE a.candidate_id = f.candidate_id AND a.detail->>'batch' = b.code"
        " AND a.detail->>'number' = f.number::text"
    )
    assert not findings(province)
    tamper(f"UPDATE filings SET {ALTERED[column]} WHERE number = 3")  # noqa: S608 -- from the table above
    assert [one.text for one in findings(province)] == [f"the audit has another {column}"]


def test_a_receipt_of_another_filing_is_found(province: World, tamper: Callable[..., None]) -> None:
    tamper("UPDATE filings SET receipt = (SELECT min(receipt) FROM filings WHERE number = 2) WHERE number = 3")
    assert "its receipt says something else" in said(province)


@pytest.mark.parametrize(
    "unreadable",
    [
        "filed_at = 'infinity'",
        'content = \'{"columns": {"GEN1": 1e400}}\'',
        "batch_id = 999",
    ],
)
def test_a_row_that_cannot_be_read_any_more_is_found(
    province: World, tamper: Callable[..., None], unreadable: str
) -> None:
    tamper(f"UPDATE filings SET {unreadable} WHERE number = 3")  # noqa: S608 -- from the list above
    assert "cannot be read as a filing any more" in said(province)


def test_a_filing_removed_from_the_middle_is_found(province: World, tamper: Callable[..., None]) -> None:
    tamper("DELETE FROM filings WHERE number = 2")
    text = said(province)
    assert "batch 1, number 2: Filing 2 is missing." in text
    assert "the audit tells of a filing that is not there" in text


def test_a_filing_removed_from_the_end_is_found(province: World, tamper: Callable[..., None]) -> None:
    tamper("DELETE FROM filings WHERE number = 3")
    text = said(province)
    assert "a code of the card was spent on a filing that is not there" in text
    assert "number 3: the audit tells of a filing that is not there" in text
    assert "number 3: the candidate was sent a message about a filing" in text


def test_the_only_filing_removed_with_every_trace_but_the_tally_is_found(
    province: World, tamper: Callable[..., None]
) -> None:
    tamper(
        "DELETE FROM audit a USING filings f, batches b WHERE f.kind = 'waiver' AND a.act = 'filing.confirmed'"
        " AND a.candidate_id = f.candidate_id AND b.id = f.batch_id AND a.detail->>'batch' = b.code",
        "DELETE FROM notices WHERE kind = 'waived'",
        "DELETE FROM card_uses u USING filings f WHERE f.kind = 'waiver' AND u.serial = f.serial"
        " AND u.code_index IN (f.code_index, f.second_index)",
        "DELETE FROM filings WHERE kind = 'waiver'",
    )
    assert "长沙市第一中学" in said(province)
    assert "is not that of a recount" in said(province)


def test_filings_put_in_another_order_are_found(province: World, tamper: Callable[..., None]) -> None:
    tamper(
        "UPDATE filings SET number = number + 1000 WHERE number IN (2, 3)",
        "UPDATE filings SET number = 1005 - number WHERE number > 1000",
    )
    text = said(province)
    assert "number 2: Filing 2 was altered" in text
    assert "number 3: Filing 3 was altered" in text


def _rewritten(world: World, tamper: Callable[..., None], key: Ed25519PrivateKey, change: dict[str, Any]) -> None:
    """Alter the filing number 3 of the first candidate so that digest, chain and receipt fit again."""
    row = world.rows(
        f"SELECT {filings.RECORD_FIELDS} FROM filings f JOIN candidates c ON c.id = f.candidate_id"  # noqa: S608
        " JOIN batches b ON b.id = f.batch_id WHERE f.number = 3"
    )[0]
    record = replace(filings.record(row), **change)
    tamper(
        "UPDATE filings SET content = %(content)s::jsonb, digest = %(digest)s, receipt = %(receipt)s,"
        " opening = %(opening)s WHERE number = 3",
        content=json.dumps(record.content),
        digest=evidence.filing_digest(record),
        receipt=evidence.sign_receipt(record, key, "1"),
        opening=record.openings[0],
    )


def test_a_history_made_anew_without_any_key_is_found(province: World, tamper: Callable[..., None]) -> None:
    _rewritten(province, tamper, Ed25519PrivateKey.generate(), {"content": content("4311")})
    assert "its receipt proves nothing" in said(province)


def test_a_history_made_anew_with_the_receipt_key_is_found_by_audit_and_messages(
    province: World, tamper: Callable[..., None]
) -> None:
    _rewritten(province, tamper, province.keys.receipt_key[1], {"content": content("4311")})
    assert [one.text for one in findings(province)] == [
        "the audit has another digest",
        "the candidate was sent a message about a filing with another digest, or one that is not there",
    ]


def test_a_history_made_anew_without_the_card_key_is_found(province: World, tamper: Callable[..., None]) -> None:
    row = province.rows("SELECT code_index, second_opening FROM filings WHERE number = 3")[0]
    index = row["code_index"]
    made_up = {"openings": (b"no real code was here.".ljust(32), bytes(row["second_opening"]))}
    _rewritten(province, tamper, province.keys.receipt_key[1], made_up)
    tamper("DELETE FROM notices")
    found = [one.text for one in findings(province)]
    assert f"no real code {index} of the card was given: whoever made this row did not hold the card" in found


def test_a_code_used_for_two_filings_is_found(province: World, tamper: Callable[..., None]) -> None:
    tamper(
        "UPDATE filings f SET second_index = e.code_index, second_opening = e.opening FROM filings e"
        " WHERE f.number = 2 AND e.number = 3"
    )
    assert "one code of the card is given as proof of two filings" in said(province)


def test_a_card_altered_afterwards_is_found(province: World, tamper: Callable[..., None]) -> None:
    tamper("UPDATE cards SET lot = '0009'")
    assert "no real code" in said(province)


def test_a_card_of_somebody_else_is_found(province: World, tamper: Callable[..., None]) -> None:
    tamper("UPDATE cards SET holder_id = NULL, state = 'void'")
    assert "the card was not handed to this candidate" in said(province)


def test_a_key_that_is_missing_stops_the_check(province: World) -> None:
    with province.database.transaction() as session, pytest.raises(KeyUnusable):
        list(evidence_check.check(session, Keys({}, {}), lambda _: None))


def test_a_candidate_with_a_replaced_card_and_a_moved_end_has_no_findings(province: World) -> None:
    person = province.candidate()
    session_id = province.activate(person)
    file(province, person, session_id, "1", "4301")
    province.hand_out(person)
    assert province.door.bind_card(
        person.id,
        person.serial,
        [person.code(index) for index in province.door.pair_asked(person.serial)],
        province.where(),
    )
    file(province, person, session_id, "1", "4302")
    province.move_end(1, timedelta(seconds=-1).total_seconds())
    with province.database.transaction() as session:
        assert tallies.recount(session) == 0
    assert not findings(province)
