"""The first step of every page about preferences: who asks, what stands in the batch, what may be chosen there."""

import re
from typing import Final, cast

from app import catalogue, preferences
from app.catalogue import Slice
from app.errors import NotFound
from app.preferences import Sheet
from app.sessions import Visitor
from app.web.guard import signed_in
from app.web.portal import reading

#: costly pages (searches, documents) one session is given; by session, for a whole school may share an address (R-02)
COSTLY: Final = "120 per minute"
_BATCH: Final = re.compile(r"[0-9A-Za-z_-]{1,60}")


def visitor() -> Visitor:
    """The signed-in candidate."""
    return cast("Visitor", signed_in())


def session_key() -> str:
    """What a limit by session counts: nobody else can use it up."""
    return visitor().session_hash.hex()


def batch_code(text: str) -> str:
    """A batch's code out of an address; raises `NotFound` for what cannot be one."""
    if not _BATCH.fullmatch(text):
        raise NotFound("no such batch")
    return text


def sheet(batch: str) -> Sheet:
    """What stands in a batch; raises `NotFound`, `NotEligible`."""
    with reading() as connection:
        return preferences.sheet(connection, visitor(), batch_code(batch))


def sheet_and_catalogue(batch: str) -> tuple[Sheet, Slice]:
    """The same with what may be chosen there."""
    with reading() as connection:
        found = preferences.sheet(connection, visitor(), batch_code(batch))
        return found, catalogue.of(connection, found.batch, visitor().facts.subject_class)
