"""What a page of the offices reaches: the officer, the desk, and a connection that sees their office only."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from sqlalchemy import Connection
from sqlalchemy.orm import Session
from wtforms import Field

from admin import scope
from admin.entrance import Desk
from admin.officers import Visitor
from app.accounts import device_hash
from app.candidates import Sealer
from app.entrance import Where
from app.web.guard import signed_in
from app.web.portal import Services, client_ip, device_label, request_id, services


def officer() -> Visitor:
    """The signed-in officer; only for pages that are not open."""
    return cast("Visitor", signed_in())


def desk_of(here: Services) -> Desk:
    """The door of the management edition over these services."""
    return Desk(here.database, here.keys)


def desk() -> Desk:
    """The door of the management edition."""
    return desk_of(services())


def sealer() -> Sealer:
    """Opens what is sealed of a candidate."""
    keys = services().keys
    return Sealer(keys.column_key, keys.index_key)


def where(token: str | None = None) -> Where:
    """Where this request comes from; for the audit. `token`: what this browser will be known by after the answer."""
    return Where(ip=client_ip(), label=device_label(), request_id=request_id(), device_hash=device_hash(token))


def typed(field: Field) -> str:
    """What was typed into a field of a form; "" for nothing."""
    return str(field.data or "")


@contextmanager
def reading() -> Iterator[Connection]:
    """Questions of this officer; see `admin.scope.reading`."""
    with scope.reading(services().database, officer()) as connection:
        yield connection


@contextmanager
def transaction() -> Iterator[Session]:
    """One deed of this officer; see `admin.scope.transaction`."""
    with scope.transaction(services().database, officer()) as session:
        yield session
