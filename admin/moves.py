"""Moves: a candidate leaves one registration point for another, and counts there from then on."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from admin import chase
from app import audit, candidates, tallies
from app.db import together
from app.errors import BadInput, NotFound
from app.evidence import masked

_FOUND = text("SELECT id, point_id FROM candidates WHERE candidate_no = :number FOR NO KEY UPDATE")
_TARGET = text("SELECT id FROM offices WHERE code = :code AND level = 'point'")
_ACCOUNT_HELD = text("SELECT 1 FROM accounts WHERE candidate_id = :candidate FOR UPDATE")
_CARD_HELD = text("SELECT 1 FROM cards WHERE holder_id = :candidate AND state IN ('handed', 'bound') FOR UPDATE")


def move(session: Session, candidate_no: str, point_code: str, class_no: str, reason: str) -> None:
    """Register a candidate at another point: the counts of both, the log of calls and the audit in one deed.

    Raises `NotFound` for a number or point there is not, `BadInput` when they are registered there already.
    """
    found = session.execute(_FOUND, {"number": candidate_no}).one_or_none()
    if found is None:
        raise NotFound("there is no candidate with this number")
    point_id = session.execute(_TARGET, {"code": point_code}).scalar()
    if point_id is None:
        raise NotFound(f"there is no registration point {point_code}")
    if found.point_id == point_id:
        raise BadInput("the candidate is registered at this point already", place="point")
    # who has no account is held by the card: an activation locks it first, and afterwards there is an account
    for held in (_ACCOUNT_HELD, _CARD_HELD, _ACCOUNT_HELD):
        session.execute(held, {"candidate": found.id})
    tallies.hold(session, found.point_id, point_id)
    together(session, tallies.left(found.id))
    together(
        session,
        *candidates.moved(found.id, masked(candidate_no), point_id, class_no),
        chase.moved(found.id, point_id),
        audit.entry(
            "candidate.moved",
            actor="command",
            candidate_id=found.id,
            before=found.point_id,
            after=point_id,
            class_no=class_no,
            reason=reason,
        ),
    )
    together(session, tallies.joined(found.id))
