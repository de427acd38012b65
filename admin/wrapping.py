"""Wrapping: every verifier is put under one more key, without anybody's code (section 7.3 of the requirements).

A few hundred cards a transaction, in the order of their serials, while candidates go on filing: a card's row holds
its verifiers and its chain of keys, and both change together. What is wrapped is known by its chain, so a run that
was broken off is simply begun again.
"""

from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from app import audit, bindings
from app.db import Database, together
from cards import codes

AT_A_TIME: Final = 500

_LEFT = text("SELECT count(*) FROM cards WHERE NOT (:version = ANY (key_chain))")
# Not for sharing, and not against whoever only points at the card: a code may be spent meanwhile.
_NEXT = text("""
    SELECT serial, lot, key_chain, algorithm, salt, verifiers FROM cards
    WHERE serial > :after AND NOT (:version = ANY (key_chain))
    ORDER BY serial LIMIT :most FOR NO KEY UPDATE
""")
_WRAPPED = text("""
    UPDATE cards SET verifiers = w.verifiers, key_chain = key_chain || CAST(:version AS smallint)
    FROM unnest(CAST(:serials AS text[]), CAST(:verifiers AS bytea[])) w (serial, verifiers)
    WHERE cards.serial = w.serial
""")


def left(connection: Connection, version: int) -> int:
    """How many cards are not yet under this version of the key."""
    return int(connection.execute(_LEFT, {"version": version}).scalar_one())


def wrap_all(database: Database, keys: Mapping[int, bytes], version: int, progress: Callable[[int], object]) -> int:
    """Wrap every card that is not yet under `version`; returns how many there were.

    Raises `cards.errors.KeyUnusable` when `keys` has no such version.
    """
    key = codes.usable_key(keys, version)
    done, after = 0, ""
    while True:
        with database.transaction() as session:
            count, after = _wrap_some(session, key, version, after)
            if not count:
                together(session, audit.entry("cards.wrapped", actor="command", key_version=version, cards=done))
                return done
        done += count
        progress(count)


def _wrap_some(session: Session, key: bytes, version: int, after: str) -> tuple[int, str]:
    """Wrap the next cards; how many, and the last serial."""
    session.execute(text("SET LOCAL statement_timeout = 0"))
    asked = {"after": after, "version": version, "most": AT_A_TIME}
    rows = session.execute(_NEXT, asked).mappings().all()
    if not rows:
        return 0, after
    wrapped = [codes.wrap(bindings.sealed(dict(row)), key=key, key_version=version) for row in rows]
    session.execute(
        _WRAPPED,
        {
            "version": version,
            "serials": [card.serial for card in wrapped],
            "verifiers": [card.verifiers for card in wrapped],
        },
    )
    return len(wrapped), wrapped[-1].serial
