"""Custody in the demo: a lot comes down from the print works to a point, each step by the officers of the stage."""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import text

from admin import differences, lots, officers, proposals, receiving, scope, statements, transfers
from admin.deeds import KINDS
from admin.officers import Visitor
from admin.rehearsal import Lot
from admin.spans import Span, of_lot
from admin.stage import Stage, StageError
from admin.statements import Stated
from app import sessions
from app.db import together
from app.entrance import Where

_HERE: Final = Where("127.0.0.1", "Rehearsal", "rehearsal", None)
_LIFE: Final = timedelta(minutes=30)
_OFFICER: Final = text("SELECT id FROM officers WHERE login = :login")


def bring_down(where: Stage, lot: Lot) -> Span:
    """Bring a lot in and let half of it come down to the point; a fifth stays on the way to the county.

    Returns the cards in the point's stock. The officers are those of `admin.demo`.
    """
    lots.bring_in(where.database, lot.request, lot.cards)
    province, second, prefecture, county, point = (
        _visitor(where, login) for login in ("province", "province2", "prefecture", "county", "point")
    )
    count = len(lot.cards)
    stated = Stated(count, count, (), "print works, statement no. 1")
    act = _do(where, province, statements.propose, province, lot.request.lot, stated, _LIFE, _HERE)
    _do(where, second, proposals.approve, second, KINDS, act, lot.request.lot, _HERE)
    whole = of_lot(lot.request.lot, count)
    first, later = Span(whole.first, whole.first + count // 2 - 1), Span(whole.first + count // 2, whole.last)
    later = Span(later.first, later.first + count // 5 - 1)
    for giver, receiver in ((province, prefecture), (prefecture, county), (county, point)):
        _move(where, giver, receiver, first)
    _move(where, province, prefecture, later)
    _do(where, prefecture, transfers.send, prefecture, county.office_id, [later], "", _HERE)
    return first


def _move(where: Stage, giver: Visitor, receiver: Visitor, span: Span) -> None:
    transfer = _do(where, giver, transfers.send, giver, receiver.office_id, [span], "", _HERE)
    with scope.reading(where.database, receiver) as connection:
        sent = transfers.of(connection, receiver, transfer)
    box = differences.box_of(sent, 1)
    _do(where, receiver, receiving.confirm, receiver, sent, box, box.cards, _HERE)


def _do(where: Stage, who: Visitor, deed: Any, *arguments: Any) -> Any:
    with scope.transaction(where.database, who) as session:
        return deed(session, *arguments)


def _visitor(where: Stage, login: str) -> Visitor:
    """The officer as a page of theirs would see them; nobody stays signed in."""
    _, id_hash = sessions.new_id()
    with where.database.transaction() as session:
        officer_id = session.execute(_OFFICER, {"login": login}).scalar_one()
        together(session, officers.session_started(officer_id, id_hash, "Rehearsal", None))
    with where.database.reading() as connection:
        found = officers.load(connection, id_hash, where.settings.idle_seconds)
    with where.database.transaction() as session:
        together(session, officers.session_ended(id_hash))
    if found is None:
        raise StageError(f"{login} could not be signed in")
    return found
