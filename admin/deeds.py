"""Deeds of officers, as the audit has them."""

from typing import Any

from admin.officers import Visitor
from app import audit
from app.db import Write
from app.entrance import Where


def entry(act: str, visitor: Visitor, where: Where, **detail: Any) -> Write:
    """The audit entry of what an officer does, for the office they do it from."""
    return audit.entry(
        act,
        actor="officer",
        officer_id=visitor.officer_id,
        ip=where.ip,
        request_id=where.request_id,
        office=visitor.office_id,
        **detail,
    )
