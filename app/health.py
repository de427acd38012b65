"""Health: what a portal needs to do its work, each part asked by doing what the work does (X-13)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from app import clocks
from app.db import Database
from app.errors import Unavailable
from config.keys import KeyRing, KeysError
from config.settings import Portal, Settings, Watch

_PROBE: Final = b"zhiyuan probe"


@dataclass(frozen=True, slots=True)
class Part:
    """One part, and what is wrong with it; "" when nothing is."""

    name: str
    trouble: str


def parts(database: Database, settings: Settings, keys: KeyRing, portal: Portal) -> Iterator[Part]:
    """Every part in turn. The database's stand first: where it is away, nothing more is asked of it.

    The sealer is looked at where people file; the offices' role is shown no filing outside an officer's scope.
    """
    try:
        with database.transaction() as session:
            session.execute(_WRITE, {"portal": portal})
            in_doubt = clocks.in_doubt(session)
            lag = sealer_lag(session, settings.watch) if portal == "candidates" else None
    except Unavailable as error:
        yield Part("database", str(error))
    else:
        yield Part("database", "")
        yield Part("clock", "in doubt, filing is suspended" if in_doubt else "")
        if lag is not None:
            yield Part("sealer", f"{lag:.0f} s behind" if lag > settings.watch.sealer_seconds else "")
    yield Part("signer", signer(settings, keys))


_WRITE = text("UPDATE probes SET at = clock_timestamp() WHERE portal = :portal")


def signer(settings: Settings, keys: KeyRing) -> str:
    """What is wrong with the signing of receipts: the key in use signs, and is the one that lies in its file."""
    try:
        stored = settings.keys()
    except KeysError as error:
        return str(error)
    version = keys.receipt_version
    if stored.receipt_version != version:
        return f"signs with key {version}, the newest is {stored.receipt_version}: reload the service"
    try:
        stored.receipt_key[version].public_key().verify(keys.receipt_key[version].sign(_PROBE), _PROBE)
    except InvalidSignature:
        return f"key {version} in use is not the one in its file"
    return ""


_LAG: Final = text("""
    SELECT coalesce(extract(epoch FROM clock_timestamp() - min(filed_at)), 0)::float8 FROM filings
    WHERE filed_at > (SELECT coalesce(max(signed_at), '-infinity') FROM checkpoints WHERE log = 'filings')
""")


def sealer_lag(session: Session | Connection, watch: Watch) -> float:
    """For how many seconds the oldest filing in no checkpoint has been waiting; 0 where no sealer is to run."""
    return float(session.execute(_LAG).scalar_one()) if watch.sealer else 0.0
