"""What signed-in candidates do to their own sessions and devices. Each is one deed, with its audit entry."""

from sqlalchemy.orm import Session

from app import accounts, audit, sessions
from app.db import Write, together
from app.entrance import Where
from app.sessions import Visitor


def sign_out(session: Session, visitor: Visitor, where: Where) -> None:
    """End this session."""
    together(session, sessions.ended(visitor.session_hash), _entry("session.ended", visitor, where))


def end_other_sessions(session: Session, visitor: Visitor, where: Where) -> None:
    """End every session of the candidate but this one."""
    ended = sessions.all_ended(visitor.candidate_id, but=visitor.session_hash)
    together(session, ended, _entry("session.others_ended", visitor, where))


def forget_device(session: Session, visitor: Visitor, token_hash: bytes, where: Where) -> None:
    """Make a device unknown again: a change of a filed list from there takes two codes (C-13)."""
    forgotten = accounts.device_forgotten(visitor.candidate_id, token_hash)
    together(session, forgotten, _entry("device.forgotten", visitor, where))


def _entry(act: str, visitor: Visitor, where: Where) -> Write:
    return audit.entry(
        act,
        actor="candidate",
        candidate_id=visitor.candidate_id,
        ip=where.ip,
        request_id=where.request_id,
        device=where.label,
    )
