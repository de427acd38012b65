"""What the watch looks at, written down as the service would have written it, hours and addresses as a test needs."""

import hashlib
import itertools
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from admin import watch
from admin.evidence_check import Keys
from admin.watch import Report
from config.settings import Watch
from tests.makers import World

_numbers = itertools.count(1)


def device(name: str) -> bytes:
    """The token hash of a browser."""
    return hashlib.sha256(name.encode()).digest()


def keys(world: World) -> Keys:
    return Keys(world.keys.card_key, world.keys.receipt_public_keys())


def look(world: World, **limits: Any) -> Report:
    """One pass, in which every rule could be asked."""
    report = watch.run(world.database, keys(world), Watch(**limits))
    assert report.failed == []
    return report


def alerts(world: World, kind: str = "") -> list[dict[str, Any]]:
    """All alerts, or those of a kind. What `filed` writes proves nothing, which is found and left out here."""
    return world.rows(
        "SELECT a.*, o.name AS office FROM alerts a JOIN offices o ON o.id = a.office_id"
        " WHERE a.kind = :kind OR (:kind = '' AND a.kind <> 'receipts') ORDER BY a.id",
        kind=kind,
    )


def kinds(world: World) -> set[str]:
    return {one["kind"] for one in alerts(world)}


def people(world: World, count: int, point: int | None = None, class_no: str = "301", lot: str = "0900") -> list[int]:
    """Candidates with accounts and bound cards, without what a code costs."""
    first = 500_000 + next(_numbers) * 1_000
    values = {"first": first, "last": first + count - 1, "point": point or world.point, "class": class_no, "lot": lot}
    for statement in _PEOPLE:
        world.do(statement, **values)
    return list(range(first, first + count))


_PEOPLE = (
    """
    INSERT INTO lots (code, codes_per_card, cards, algorithm, made_at)
    SELECT CAST(:lot AS text), 1, 1, 'sha256', clock_timestamp() WHERE :first + :last + :point > 0
       AND :class <> '' ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO candidates (id, candidate_no, name, sex, birth_date, id_no_sealed, id_no_index, ethnicity,
        subject_class, second_subjects, language, point_id, class_no, hukou_county, qualifications, restrictions)
    OVERRIDING SYSTEM VALUE
    SELECT i, lpad(CAST(i AS text), 14, '17430102100000'), '考生' || i, '1', '1999-05-04', '', int8send(i), '01', '5',
        '{}', '1', :point, :class, '430102', '{}', '{}'
    FROM generate_series(CAST(:first AS bigint), :last) i WHERE :lot <> ''
    """,
    """
    INSERT INTO accounts (candidate_id, password, password_changed_at, activated_at, notice_version)
    SELECT i, '', clock_timestamp(), clock_timestamp(), '' FROM generate_series(CAST(:first AS bigint), :last) i
    WHERE :lot || :class <> '' AND :point > 0
    """,
    """
    INSERT INTO cards (serial, lot, key_chain, algorithm, salt, verifiers, state, holder_id, handed_at, bound_at)
    SELECT :lot || lpad(CAST(i AS text), 8, '0'), :lot, '{1}', 'sha256', decode(repeat('00', 16), 'hex'),
        decode(repeat('00', 16), 'hex'), 'bound', i, clock_timestamp() - interval '9 days', clock_timestamp()
    FROM generate_series(CAST(:first AS bigint), :last) i WHERE :class <> '' AND :point > 0
    """,
    """
    INSERT INTO bindings (candidate_id, serial, bound_at)
    SELECT i, :lot || lpad(CAST(i AS text), 8, '0'), clock_timestamp()
    FROM generate_series(CAST(:first AS bigint), :last) i WHERE :class <> '' AND :point > 0
    """,
)


def filed(
    world: World,
    candidates: Iterable[int],
    batch: int,
    *,
    on: str = "",
    ip: str = "",
    every: timedelta = timedelta(minutes=5),
) -> None:
    """A filing of each, one after the other, the last one now. Without a device or an address: one of each's own."""
    ids = list(candidates)
    for at, candidate in enumerate(ids):
        values = {
            "id": candidate,
            "batch": batch,
            "ago": every * (len(ids) - 1 - at),
            "device": device(on or f"own {candidate}"),
            "ip": ip or f"10.{candidate // 65_536}.{candidate // 256 % 256}.{candidate % 256}",
            "digest": device(f"{candidate} {batch} {next(_numbers)}"),
        }
        for statement in _FILED:
            world.do(statement, **values)


_FILED = (
    """
    INSERT INTO card_uses (serial, code_index, candidate_id, purpose, used_at)
    SELECT b.serial, :batch, :id, 'filing', clock_timestamp() FROM bindings b
    WHERE b.candidate_id = :id AND :device <> :digest AND :ip <> '' AND CAST(:ago AS interval) >= interval '0'
    """,
    """
    INSERT INTO filings (candidate_id, batch_id, candidate_no, number, kind, content, catalogue_version, filed_at,
        nonce, digest, serial, code_index, opening, challenge, receipt, device, device_hash, ip)
    SELECT :id, :batch, c.candidate_no, 1, 'waiver', '{}', 1, clock_timestamp() - CAST(:ago AS interval), '', :digest,
        b.serial, :batch, '', :digest, '', 'Test', :device, :ip
    FROM candidates c JOIN bindings b ON b.candidate_id = c.id WHERE c.id = :id
    """,
)


def noted(world: World, act: str, candidate: int | None, *, ip: str = "10.0.0.9", **more: Any) -> None:
    """An entry of the audit, `times` times, an officer's where one is named."""
    world.do(
        """
        INSERT INTO audit (at, actor, officer_id, candidate_id, act, ip, detail)
        SELECT clock_timestamp() - CAST(:ago AS interval), 'candidate', :officer, :candidate, :act, :ip,
            jsonb_strip_nulls(jsonb_build_object('serial', CAST(:serial AS text), 'replaced', CAST(:replaced AS text)))
        FROM generate_series(1, :times)
        """,
        act=act,
        candidate=candidate,
        ip=ip,
        ago=more.pop("ago", timedelta(0)),
        officer=more.pop("officer", None),
        serial=more.pop("serial", None),
        replaced=more.pop("replaced", None),
        times=more.pop("times", 1),
    )
    assert not more


def activated(world: World, candidate: int, *, on: str, ip: str, officer: int | None = None) -> None:
    """An activation as the door leaves it: a session and an entry; with an officer, the hand-over before it."""
    serial = world.value("SELECT serial FROM bindings WHERE candidate_id = :id", id=candidate)
    if officer:
        noted(world, "card.handed", candidate, officer=officer, serial=serial, ago=timedelta(days=3))
    signed_in(world, candidate, on=on, ip=ip)
    noted(world, "account.activated", candidate, ip=ip, serial=serial)


def signed_in(world: World, candidate: int, *, on: str, ip: str) -> None:
    world.do(
        """
        INSERT INTO sessions (id_hash, candidate_id, device_hash, label, ip, started_at, seen_at, expires_at)
        VALUES (:hash, :candidate, :device, 'Test', :ip, clock_timestamp(), clock_timestamp(), clock_timestamp())
        """,
        hash=device(f"session {next(_numbers)}"),
        candidate=candidate,
        device=device(on),
        ip=ip,
    )


def room(world: World, asked_by: int, decided_by: int, network: str, *, state: str = "approved", days: int = 3) -> None:
    """A room of the school."""
    world.do(
        """
        INSERT INTO rooms (office_id, name, network, valid_until, state, asked_by, asked_at, decided_by, decided_at)
        VALUES (:office, '机房', CAST(:network AS cidr), clock_timestamp() + :days * interval '1 day', :state, :asked,
                clock_timestamp(), :decided, clock_timestamp())
        """,
        office=world.point,
        network=network,
        days=days,
        state=state,
        asked=asked_by,
        decided=decided_by,
    )
