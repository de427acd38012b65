"""A sealed batch for tests, and what somebody who stops at nothing does to the database."""

from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from admin import bundles, sealing
from admin.sealing import Sealed
from app import evidence, filings
from config.keys import SealKeys
from tests.makers import World


def seal(world: World, batch: str = "1") -> Sealed:
    """Close a batch now and seal it."""
    world.move_end(world.value("SELECT id FROM batches WHERE code = :code", code=batch), 0)
    return sealing.seal(world.database, SealKeys.load(world.keys_directory), batch, timedelta(0))


def bundle(world: World, directory: Path, batch: str = "1", *, whole: bool = True) -> Path:
    """Write the bundle of a sealed batch."""
    with world.database.transaction() as session:
        bundles.write(session, batch, directory, whole=whole)
    return directory


def tamper(world: World, *statements: str, **params: object) -> None:
    """Run statements as somebody who is stopped by no trigger and no reference."""
    with world.database.transaction() as session:
        session.connection().exec_driver_sql("SET LOCAL session_replication_role = replica")
        for statement in statements:
            session.connection().exec_driver_sql(statement, params)


def forge(world: World, receipts_key: Ed25519PrivateKey) -> int:
    """Put in another filing of somebody, right in everything but that no card was there; the index made up."""
    row = world.rows(
        f"SELECT {filings.RECORD_FIELDS}, f.id, f.candidate_id FROM filings f JOIN batches b ON b.id = f.batch_id"  # noqa: S608
        " WHERE b.code = '1' ORDER BY f.candidate_id, f.number DESC LIMIT 1"
    )[0]
    unused = world.value(
        "SELECT max(n) FROM generate_series(1, 40) n"
        " WHERE NOT EXISTS (SELECT 1 FROM card_uses u WHERE u.serial = :serial AND u.code_index = n)",
        serial=row["serial"],
    )
    row |= {"number": row["number"] + 1, "previous": row["digest"], "code_index": unused, "opening": b"o" * 32}
    record = filings.record(row)
    tamper(
        world,
        "INSERT INTO filings (candidate_id, batch_id, candidate_no, number, kind, content, catalogue_version, filed_at,"
        " nonce, previous, digest, serial, code_index, opening, challenge, receipt, device)"
        " SELECT candidate_id, batch_id, candidate_no, %(number)s, kind, content, catalogue_version, filed_at, nonce,"
        " digest, %(digest)s, serial, %(index)s, %(opening)s, 'forged', %(receipt)s, device FROM filings"
        " WHERE id = %(id)s",
        number=record.number,
        digest=evidence.filing_digest(record),
        index=unused,
        opening=record.openings[0],
        receipt=evidence.sign_receipt(record, receipts_key, "1"),
        id=row["id"],
    )
    return int(unused)
