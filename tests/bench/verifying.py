"""Sealing a batch and verifying its whole bundle, with every record."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from admin import bundles, sealing, verify
from app import evidence
from app.db import Database
from app.evidence import FilingRecord
from config.keys import SealKeys
from tests.bench.figures import Figure, note
from tests.bench.servers import migrated, servers
from tests.makers import World, content

CANDIDATES = 7_000
VERSIONS = 3
INSTITUTIONS = ("4301", "4302", "4303", "4304", "4305")
MAJORS = ("01", "02", "03")

_CANDIDATES = """
    INSERT INTO candidates (id, candidate_no, name, sex, birth_date, id_no_sealed, id_no_index, ethnicity,
        subject_class, second_subjects, language, point_id, class_no, hukou_county, qualifications, restrictions)
    OVERRIDING SYSTEM VALUE
    SELECT n, '1743010215' || lpad(n::text, 4, '0'), '考生', '1', '1999-05-04', '', int8send(n), '01', '5', '{}', '1',
           :point, '301', '430102', '{}', '{}'
    FROM generate_series(1, CAST(:many AS bigint)) n
"""
_FILINGS = """
    INSERT INTO filings (candidate_id, batch_id, candidate_no, number, kind, content, catalogue_version, filed_at,
        nonce, previous, digest, serial, code_index, opening, challenge, receipt, device)
    VALUES (:candidate, 1, :candidate_no, :number, 'list', CAST(:content AS jsonb), 1, :filed_at, :nonce, :previous,
        :digest, :serial, :index, :opening, :digest, :receipt, 'Bench')
"""
_AUDIT = """
    INSERT INTO audit (actor, candidate_id, act, detail) SELECT 'candidate', candidate_id, 'filing.confirmed',
        jsonb_build_object('batch', '1', 'number', number, 'digest', encode(digest, 'hex'))
    FROM filings ORDER BY id
"""


def verify_rate() -> list[Figure]:
    """Rows a second the verifier takes, of a bundle with three versions of everybody; and how long the seal took."""
    with servers() as (url, redis_url, directory):
        world = World(migrated(url, "sealed"), redis_url, directory / "keys")
        _fill(world)
        keys = SealKeys.load(world.keys_directory)
        started = time.perf_counter()
        sealing.seal(Database(world.url), keys, "1")
        seal_seconds = time.perf_counter() - started
        with world.database.transaction() as session:
            bundles.write(session, "1", directory / "bundle", whole=True)
        started = time.perf_counter()
        subprocess.run([sys.executable, verify.__file__, str(directory / "bundle")], check=True)
        rate = CANDIDATES * VERSIONS / (time.perf_counter() - started)
        world.database.dispose()
    note(f"500 000 candidates with three versions: {1_500_000 / rate / 60:.1f} minutes to verify")
    return [
        Figure("verify_rows_per_second", rate, 2_500.0),
        Figure("seal_seconds", seal_seconds, 900 * CANDIDATES / 500_000, less=True),
    ]


def _fill(world: World) -> None:
    batch = world.batch("1", opens=timedelta(hours=-2), closes=timedelta(seconds=-1))
    assert batch == 1
    rows = list(_rows(world, datetime.now(UTC) - timedelta(hours=1)))
    with world.database.transaction() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("SET LOCAL statement_timeout = 0"))
        session.execute(text(_CANDIDATES), {"point": world.point, "many": CANDIDATES})
        session.execute(text(_FILINGS), rows)
        session.execute(text(_AUDIT))


def _rows(world: World, moment: datetime) -> Iterator[dict[str, Any]]:
    key, listed = world.keys.receipt_key[1], content(*INSTITUTIONS, majors=MAJORS)
    for candidate in range(1, CANDIDATES + 1):
        previous = None
        for number in range(1, VERSIONS + 1):
            record = FilingRecord(
                candidate_no=f"1743010215{candidate:04d}",
                batch="1",
                number=number,
                kind="list",
                content=listed,
                catalogue_version=1,
                filed_at=moment,
                nonce=candidate.to_bytes(16, "big"),
                previous=previous,
                serial=f"{candidate:012d}",
                indices=(number,),
                openings=(bytes(32),),
            )
            digest = evidence.filing_digest(record)
            yield {
                "candidate": candidate,
                "candidate_no": record.candidate_no,
                "number": number,
                "content": json.dumps(listed),
                "filed_at": moment,
                "nonce": record.nonce,
                "previous": previous,
                "digest": digest,
                "serial": record.serial,
                "index": number,
                "opening": bytes(32),
                "receipt": evidence.sign_receipt(record, key, "1", digest=digest),
            }
            previous = digest
