"""The list for admission: what stood at the close, handed to those who place the candidates (I6, I-08, I-10).

Only after the seal, only what was sealed; from the first time on the batch stays as it is, whoever decides what
(`batches.hand_over`). Only by two officers of the province who each give both factors for this one deed, only
encrypted to a named recipient (age), at most once an hour. The file, once opened, is a tar of

    standing.csv       the list as the seal has its digest (`admin.sealed_list`)
    T_ZYK_2017.dbf     the same choices as the national table, in the names of both generations;
    T_ZYK_2012.dbf     what GBK lacks is written "??"
    T_ZYK.csv          the same rows in Unicode, nothing replaced
    marked.csv         where in the DBF tables something was replaced: row, column, text
    manifest.json      the seal, who handed it out, to whom, when, and the digest of each file

Until it is encrypted it lies in a private directory below TMPDIR: point that at a file system in memory.
"""

import csv
import json
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import file_digest
from hashlib import sha256 as new_digest
from pathlib import Path
from typing import Any, Final

import pyrage
from sqlalchemy import text
from sqlalchemy.orm import Session

from admin import schedule, sealed_list, sealing
from admin.entrance import Two, require_two
from admin.intake.exchange import Written, write_table
from admin.intake.layouts import CHOICES
from admin.sealing import STANDING
from app import audit, batches, seals
from app.batches import Opened
from app.db import Database, Write, clock, together
from app.errors import BadInput, NotFound, OutOfDate, TooSoon

EVERY_S: Final = 3600
_ADVISORY_LOCK: Final = 7_302_021

_ROWS = text(f"""
    SELECT z.*, c.name, c.subject_class FROM ({STANDING}) z JOIN candidates c ON c.id = z.candidate_id
    ORDER BY z.pseudonym
""")  # noqa: S608 -- constants
_LAST = text("""
    SELECT ceil(extract(epoch FROM max(at) + CAST(:every AS interval) - clock_timestamp()))::int FROM audit
    WHERE act = 'standing.export_begun' AND at > clock_timestamp() - CAST(:every AS interval)
""")


@dataclass(frozen=True, slots=True)
class Exported:
    """A file handed out. `digest`: SHA-256 of it, as the audit has it; `marked`: texts that GBK cannot hold."""

    digest: str
    candidates: int
    rows: int
    marked: int


def export_standing(database: Database, batch_code: str, recipient: str, by: Two, out: Path) -> Exported:
    """Write the list of a sealed batch for `recipient` (age1…) to the new file `out`.

    From then on the end of the batch does not move, and it is opened again to nobody.
    Raises `NotAllowed` unless two different officers of the province vouch for it, one of them an approver;
    `BadInput` for a recipient that is none, `NotFound` without a seal, `TooSoon` within the hour, `OutOfDate` when
    the filings are not those that were sealed, `FileExistsError`.
    """
    require_two(by, "export_standing")
    key = _recipient(recipient)
    with out.open("xb") as target:
        out.chmod(0o600)
        try:
            # noted for good before anything is read, and not before there is a place to write to
            with database.transaction() as session:
                seal = _begin(session, batch_code, recipient, by)
            with database.transaction() as session, tempfile.TemporaryDirectory(prefix="zhiyuan-") as name:
                packed, found = _pack(session, seal, recipient, by, Path(name))
                with packed.open("rb") as source:
                    pyrage.encrypt_io(source, target, [key])
                target.flush()
                exported = Exported(_digest(out), *found)
                together(session, _entry("standing.exported", seal, recipient, by, sha256=exported.digest))
        except BaseException:
            out.unlink()
            raise
    return exported


def _recipient(given: str) -> Any:
    try:
        return pyrage.x25519.Recipient.from_str(given)
    except pyrage.RecipientError as error:
        raise BadInput("the recipient is no age key; it begins with age1", place="recipient") from error


def _begin(session: Session, batch_code: str, recipient: str, by: Two) -> Mapping[Any, Any]:
    """The seal to export, its export noted before anything is read."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    close = sealing.closed(session, batch_code)
    seal = seals.of_batch(session, batch_code)
    if seal is None:
        raise NotFound(f"batch {batch_code} is not sealed")
    if any(act.outcome is None for act in schedule.acts(session, close.id)):
        raise OutOfDate(f"an act upon batch {batch_code} waits: cancel it under Schedule, or let it be done")
    wait = session.execute(_LAST, {"every": f"{EVERY_S} seconds"}).scalar()
    if wait is not None:
        raise TooSoon(wait)
    batches.hand_over(session, close.id)
    together(session, _entry("standing.export_begun", seal, recipient, by))
    return seal


def _entry(act: str, seal: Mapping[Any, Any], recipient: str, by: Two, sha256: str = "") -> Write:
    """`sha256`: of the file, once there is one."""
    return audit.entry(
        act,
        actor="officer",
        officer_id=by[0].officer_id,
        batch=seal["batch_code"],
        seal=seal["number"],
        recipient=recipient,
        officers=[one.officer_id for one in by],
        sha256=sha256,
    )


# --- the files ----------------------------------------------------------------------------------------


def _pack(
    session: Session, seal: Mapping[Any, Any], recipient: str, by: Two, directory: Path
) -> tuple[Path, tuple[int, int, int]]:
    session.execute(text("SET LOCAL statement_timeout = 0"))
    session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    batch = batches.one(session, seal["batch_code"])
    candidates = _list(session, seal, batch, directory / "standing.csv")
    written = _tables(partial(_choices, session, batch), directory)
    with (directory / "marked.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows((("row", "column", "text"), *written.marked))
    files = sorted(directory.iterdir())
    manifest = _manifest(seal, recipient, by, clock(session)) | {"files": {path.name: _digest(path) for path in files}}
    (directory / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=1), encoding="utf-8")
    packed = directory / "packed.tar"
    with tarfile.open(packed, "w") as tar:
        for path in (directory / "manifest.json", *files):
            tar.add(path, path.name)
    return packed, (candidates, written.rows, len(written.marked))


def _list(session: Session, seal: Mapping[Any, Any], batch: Opened, path: Path) -> int:
    """Write the sealed list; nothing leaves the house that is not what was sealed (I6)."""
    digest, many = new_digest(sealed_list.HEADING.encode()), 0
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(sealed_list.HEADING)
        for row in sealing.standing(session, batch.id):
            many += 1
            lines = sealed_list.written(sealing.sealed_list_of(row))
            file.write(lines)
            digest.update(lines.encode())
    if digest.hexdigest() != json.loads(seal["statement"])["export"] or many != seal["size"]:
        raise OutOfDate(f"the filings of batch {batch.code} are not those that were sealed; hand out nothing, verify")
    return many


def _tables(rows: Any, directory: Path) -> Written:
    write_table(directory / "T_ZYK.csv", CHOICES, rows(), raw=True)
    write_table(directory / "T_ZYK_2012.dbf", CHOICES, rows(), generation=2012)
    return write_table(directory / "T_ZYK_2017.dbf", CHOICES, rows(), generation=2017)


def _choices(session: Session, batch: Opened) -> Iterator[dict[str, str]]:
    with session.execute(_ROWS, {"batch": batch.id}, execution_options={"yield_per": sealing.AT_A_TIME}) as found:
        for row in found.mappings():
            for line in _chosen(sealing.sealed_list_of(dict(row))):
                column = batch.spec.column(line["column"])
                yield {
                    "candidate_no": line["candidate_no"],
                    "name": row["name"],
                    "subject_class": row["subject_class"],
                    "batch_code": line["batch"],
                    "round": str(batch.spec.round),
                    "column_code": line["column"],
                    "plan_nature": column.plan_nature if column else "",
                    "slot_no": line["slot"],
                    "institution_code": line["institution"],
                    "group_code": line["group"],
                    "major_no": line["major_no"],
                    "major_code": line["major"],
                    "major_adjust": line["major_adjust"],
                    "institution_adjust": line["institution_adjust"],
                    "directed_adjust": line["directed_adjust"],
                }


def _chosen(lines: Iterable[sealed_list.Line]) -> Iterator[dict[str, str]]:
    """Lines that choose something: a waiver has no row in the national table."""
    named = (dict(zip(sealed_list.FIELDS, line, strict=True)) for line in lines)
    return (line for line in named if line["institution"])


def _manifest(seal: Mapping[Any, Any], recipient: str, by: Two, moment: datetime) -> dict[str, Any]:
    return {
        "use": "zhiyuan export 1",
        "statement": json.loads(seal["statement"]),
        "signature": seal["signature"].hex(),
        "at": moment.isoformat(timespec="seconds"),
        "recipient": recipient,
        "by": [{"login": one.login, "name": one.name, "office": one.office_name, "role": one.role} for one in by],
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
