"""Cosigning: the sealer offers each checkpoint to the witnesses, and keeps what they answer (L-07).

A thread for each witness, beside the rounds of the sealer: neither filing, nor the logs, nor another witness waits
for one that is away. What is offered is the newest checkpoint, but never past one that a seal names, so that a
bundle ends with a checkpoint that can be cosigned; with it goes the proof that the log has only grown since the
last one this witness cosigned (C2SP tlog-witness). A witness that is away is asked again, and missed by the watch.
One that refuses is an alert at once; its answer is kept, and it is asked again, for it may be right.
"""

import base64
import http.client
import logging
import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit

from sqlalchemy import text
from sqlalchemy.orm import Session

from admin import witness
from admin.ledger import PAUSE_S, LedgerError
from app import audit
from app.db import Database, together
from app.errors import Unavailable
from app.merkle import growth
from app.seals import LOGS, Log
from config.settings import SettingsError

_log = logging.getLogger("zhiyuan.sealer")

TIMEOUT_S: Final = 5.0
#: no answer that means something is longer
_MOST_BYTES: Final = 4096
#: answers that say no; the others, and silence, say that the witness is away
_NO: Final = frozenset({200, 400, 403, 404, 409, 422})


@dataclass(frozen=True, slots=True)
class Asked:
    """A witness, and where it answers."""

    name: str
    public: bytes
    secure: bool
    host: str
    port: int | None
    path: str

    @classmethod
    def read(cls, written: str) -> Self:
        """From `KEY@URL`; raises `SettingsError`."""
        key, _, address = written.partition("@")
        try:
            name, public = witness.read_key(key, witness.COSIGNS)
            url = urlsplit(address)
            port = url.port
        except (witness.Wrong, ValueError) as error:
            raise SettingsError(f"WITNESSES: {error}") from error
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise SettingsError(f"WITNESSES: {name} needs an address, KEY@https://…")
        return cls(name, public, url.scheme == "https", url.hostname, port, url.path.rstrip("/"))


@dataclass(frozen=True, slots=True)
class Offer:
    """A checkpoint for one witness."""

    log: Log
    number: int
    size: int
    note: str
    #: the size it goes on from, and the proof that it does
    old: int
    proof: list[bytes]

    @property
    def body(self) -> bytes:
        """The request."""
        steps = "".join(f"{base64.b64encode(step).decode()}\n" for step in self.proof)
        return f"old {self.old}\n{steps}\n{self.note}".encode()


@dataclass(frozen=True, slots=True)
class Answered:
    """What a witness said."""

    status: int
    words: str

    @property
    def known(self) -> int | None:
        """The size a witness says it has cosigned."""
        found = self.words.strip()
        return int(found) if self.status == http.HTTPStatus.CONFLICT and found.isdecimal() and len(found) < 16 else None


class Away(Exception):
    """The witness could not be reached, or cannot answer now."""


# --- who cosigns --------------------------------------------------------------------------------------

_DROP = text("""
    UPDATE witnesses SET dropped_at = clock_timestamp()
    WHERE dropped_at IS NULL AND name <> ALL (CAST(:names AS text[])) RETURNING name
""")
_NAME = text("""
    INSERT INTO witnesses (name, public) VALUES (:name, :public)
    ON CONFLICT (name) DO UPDATE SET dropped_at = NULL, named_at = excluded.named_at
    WHERE witnesses.dropped_at IS NOT NULL RETURNING name
""")


def enter(session: Session, witnesses: Iterable[Asked]) -> None:
    """Publish who cosigns from now on; who comes and who goes is in the audit.

    Raises `LedgerError` where a name stood for another key, or a key for another name.
    """
    wanted = {one.name: one.public for one in witnesses}
    known = {row.name: bytes(row.public) for row in session.execute(text("SELECT name, public FROM witnesses"))}
    for name, public in wanted.items():
        if known.setdefault(name, public) != public or list(known.values()).count(public) > 1:
            raise LedgerError(f"the witness {name} had another key or name; a new key takes a new name")
        if session.execute(_NAME, {"name": name, "public": public}).first():
            together(session, audit.entry("witness.named", actor="command", witness=name, public=public.hex()))
    for name in session.execute(_DROP, {"names": list(wanted)}).scalars().all():
        together(session, audit.entry("witness.dropped", actor="command", witness=name))


# --- what is offered ----------------------------------------------------------------------------------

_COSIGNED = text("""
    SELECT c.size FROM cosignatures s JOIN checkpoints c ON c.log = s.log AND c.number = s.number
    WHERE s.witness = :witness AND s.log = :log ORDER BY s.number DESC LIMIT 1
""")
_NEXT = text("""
    SELECT c.number, c.size, c.note FROM checkpoints c
    WHERE c.log = :log AND c.size >= :least AND c.number = least(
        (SELECT max(number) FROM checkpoints WHERE log = :log),
        (SELECT min(z.number) FROM checkpoints z
         JOIN seals s ON (CAST(s.statement AS json) -> 'logs' -> :log ->> 'checkpoint')::bigint = z.number
         WHERE z.log = :log AND z.size >= :least))
""")
_FRONTIER = text("SELECT frontier FROM checkpoints WHERE log = :log AND size = :size")
_GROWN = text("SELECT hash FROM leaves WHERE log = :log AND place >= :old AND place < :size ORDER BY place")


def offer(session: Session, name: str, log: Log, known: int | None = None) -> Offer | None:
    """What a witness is asked to cosign next, if there is something.

    `known` is the size it says it has cosigned, where that is another than is known here. Raises `LedgerError`
    where no checkpoint of that size was ever signed here, or none as large.
    """
    asked: dict[str, Any] = {"witness": name, "log": log}
    ours = session.execute(_COSIGNED, asked).scalar() or 0
    old = ours if known is None else known
    # a cosignature that was lost on its way is asked for again
    found = session.execute(_NEXT, asked | {"least": old if old > ours else old + 1}).first()
    if found is None and known is None:
        return None
    kept = session.execute(_FRONTIER, {"log": log, "size": old}).scalar() if old else b""
    if found is None or kept is None:
        raise LedgerError(f"the witness has cosigned {old} leaves, of which nothing is known here")
    leaves: list[bytes] = []
    if old:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        grown = session.execute(_GROWN, {"log": log, "old": old, "size": found.size})
        leaves = [bytes(leaf) for leaf in grown.scalars()]
    return Offer(log, found.number, found.size, found.note, old, growth(old, bytes(kept), leaves))


# --- a round ------------------------------------------------------------------------------------------


def ask(one: Asked, body: bytes) -> Answered:
    """Offer it. Redirects are not followed. Raises `Away`."""
    line: http.client.HTTPConnection
    if one.secure:
        trust = ssl.create_default_context()
        line = http.client.HTTPSConnection(one.host, one.port, timeout=TIMEOUT_S, context=trust)
    else:  # what is said is signed both ways
        line = http.client.HTTPConnection(one.host, one.port, timeout=TIMEOUT_S)
    try:
        line.request("POST", f"{one.path}/add-checkpoint", body, {"Content-Type": "text/plain; charset=utf-8"})
        answer = line.getresponse()
        words = answer.read(_MOST_BYTES).decode(errors="replace")
    except (http.client.HTTPException, OSError) as error:
        raise Away(f"{type(error).__name__}: {error}") from error
    finally:
        line.close()
    if answer.status not in _NO:
        raise Away(f"it answered {answer.status}")
    return Answered(answer.status, words)


def cosignature(one: Asked, note: str, answer: str) -> bytes | None:
    """The witness's valid signature of a note in its answer, if there is one; those of others do not matter."""
    body = note[: note.index("\n\n") + 1].encode()
    for line in answer.splitlines():
        value = witness.decoded(line.removeprefix(f"— {one.name} "))
        said = f"cosignature/v1\ntime {int.from_bytes(value[4:12])}\n".encode() + body
        named = value[:4] == witness.key_id(one.name, witness.COSIGNS, one.public)
        if named and len(value) == 76 and witness.signed(one.public, value[12:], said):
            return value
    return None


def round_of(database: Database, one: Asked) -> None:
    """Everything there is to cosign, of both logs. Raises `Away`, `Unavailable`."""
    for log in LOGS:
        while _advance(database, one, log):
            pass


def _advance(database: Database, one: Asked, log: Log) -> bool:
    """Offer one checkpoint; whether there is a cosignature more."""
    with database.transaction() as session:
        made = offer(session, one.name, log)
    if made is None:
        return False
    answer = ask(one, made.body)
    if answer.known is not None and answer.known != made.old:
        try:
            with database.transaction() as session:
                again = offer(session, one.name, log, answer.known)
        except LedgerError as error:
            answer = Answered(answer.status, str(error))
        else:
            made = again or made
            answer = ask(one, made.body)
    with database.transaction() as session:
        return _keep(session, one, made, answer)


_KEEP = text("""
    INSERT INTO cosignatures (log, number, witness, signature) VALUES (:log, :number, :witness, :signature)
    ON CONFLICT DO NOTHING RETURNING number
""")
# the same refusal once, until it has cosigned again
_REFUSED = text("""
    INSERT INTO witness_refusals (witness, log, number, status, answer)
    SELECT :witness, :log, :number, :status, :answer WHERE NOT EXISTS (
        SELECT FROM witness_refusals r WHERE r.witness = :witness AND r.log = :log AND r.status = :status
            AND r.at > coalesce((SELECT at FROM cosignatures WHERE witness = :witness AND log = :log
                                 ORDER BY number DESC LIMIT 1), '-infinity'))
    RETURNING id
""")


def _keep(session: Session, one: Asked, made: Offer, answer: Answered) -> bool:
    signature = cosignature(one, made.note, answer.words) if answer.status == http.HTTPStatus.OK else None
    asked = {"witness": one.name, "log": made.log, "number": made.number}
    if signature is not None:
        return session.execute(_KEEP, asked | {"signature": signature}).first() is not None
    words = answer.words.replace("\0", "").strip()[:1000]
    if session.execute(_REFUSED, asked | {"status": answer.status, "answer": words}).first():
        said: dict[str, Any] = {"witness": one.name, "log": made.log, "checkpoint": made.number}
        said |= {"status": answer.status, "answer": words}
        together(session, audit.entry("witness.refused", actor="command", **said))
        _log.error("witness refuses", extra=said)
    return False


# --- beside the sealer --------------------------------------------------------------------------------


def start(database: Database, written: Iterable[str], stopped: threading.Event) -> threading.Thread:
    """Ask every witness in a thread of its own until `stopped`; returns the one that waits for them.

    Raises `SettingsError`.
    """
    witnesses = [Asked.read(one) for one in written]
    if not witnesses:
        _log.warning("nobody cosigns the checkpoints: WITNESSES names no witness")
    thread = threading.Thread(target=_begin, args=(database, witnesses, stopped), daemon=True)
    thread.start()
    return thread


def _begin(database: Database, witnesses: list[Asked], stopped: threading.Event) -> None:
    while not stopped.is_set():
        try:
            with database.transaction() as session:
                enter(session, witnesses)
            break
        except Unavailable as error:
            _log.warning("sealer waits: %s", error)
            stopped.wait(PAUSE_S)
        except LedgerError:
            _log.exception("no witness is asked")
            return
    threads = [threading.Thread(target=_follow, args=(database, one, stopped), daemon=True) for one in witnesses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _follow(database: Database, one: Asked, stopped: threading.Event) -> None:
    away = False
    while not stopped.is_set():
        before, away = away, False
        try:
            round_of(database, one)
        except (Away, Unavailable) as error:
            away = True
            if not before:
                _log.warning("witness is away", extra={"witness": one.name, "cause": str(error)})
        stopped.wait(PAUSE_S)


# --- what the watch asks ------------------------------------------------------------------------------

#: for how many seconds each witness has owed a cosignature
LATE: Final = """
    SELECT w.name, coalesce(max(extract(epoch FROM clock_timestamp() - owed.since)), 0)::float8 AS seconds
    FROM witnesses w CROSS JOIN (VALUES ('filings'), ('audit')) AS l (log)
    LEFT JOIN LATERAL (
        SELECT greatest(w.named_at, c.signed_at) AS since FROM checkpoints c
        WHERE c.log = l.log AND c.number > coalesce(
            (SELECT max(s.number) FROM cosignatures s WHERE s.witness = w.name AND s.log = l.log), 0)
        ORDER BY c.number LIMIT 1) owed ON true
    WHERE w.dropped_at IS NULL GROUP BY w.name
"""
_LATE = text(LATE)
_REFUSALS = text("""
    SELECT DISTINCT ON (witness, log) witness, log, number, status, answer, at,
           count(*) OVER (PARTITION BY witness, log) AS times
    FROM witness_refusals ORDER BY witness, log, id DESC
""")


def late(session: Session, seconds: int) -> list[Any]:
    """The witnesses that have owed a cosignature for longer: `name`, `seconds`."""
    return [row for row in session.execute(_LATE) if row.seconds > seconds]


def refusals(session: Session) -> list[Any]:
    """The last refusal of each witness and log, and how many there were."""
    return list(session.execute(_REFUSALS))
