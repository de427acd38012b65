"""Creations: a batch made on a page like one there is, most often a supplementary round at short notice (O-06).

What it is like gives its columns with their slots and conditions, its subject classes, its plans and the version of
the catalogue; code, name and window are new. A supplementary round follows what it is like, or what that follows, so
that plans and score lines are the right ones. Two officers of the province decide, and then it waits as acts upon a
window do. The offices' role in the database can write no batch: the owner's pass (`admin.window_acts`) makes it,
with everything looked at again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from admin import proposals, schedule
from admin.officers import Visitor
from admin.proposals import Facts, Kind, Obstacle, Proposed, Wish, at
from admin.schedule import PAST, UPSIDE_DOWN
from app import batches, catalogue, tallies
from app.batches import Opened, Window
from app.entrance import Where
from app.errors import NotFound
from app.specs import BatchSpec
from app.wording import N_

_TAKEN: Final = N_("There is a batch with this code already.")
_WAITS: Final = N_("A batch with this code is approved already and waits to be made.")
_EARLY: Final = N_("A supplementary round opens after the batch it follows has ended.")
_CHANGED: Final = N_("The batch it is to be like is not any more as it was when this was proposed.")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be made."""

    code: str
    name: str
    #: whether it follows what it is like, or what that follows
    supplementary: bool
    opens_at: datetime
    closes_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class _Plan:
    """A batch as it would be made now."""

    like: Opened
    #: what it is a supplementary round of
    parent: Opened | None
    spec: BatchSpec
    window: Window


def followed(like: Opened) -> str:
    """The code of the batch that a supplementary round made like `like` follows."""
    return like.spec.parent or like.code


# --- proposing and approving ---------------------------------------------------------------------------


def propose(  # noqa: PLR0913, PLR0917 -- a session, who, like which batch, what, how long each, and whence
    session: Session, visitor: Visitor, like: str, asked: Asked, cool_off: timedelta, life: timedelta, where: Where
) -> int:
    """Propose to make a batch like the one with the code `like`; returns the act's id.

    Raises `NotFound` for anybody but the province, `Obstacle`, its `place` a field of `Asked`, when it could not be
    made, and as `proposals.propose` does.
    """
    visitor.require_province()
    source = batches.one(session, like)
    params = {
        "batch": asked.code,
        "name": asked.name,
        "like": like,
        "seen": _seen(source),
        "supplementary": asked.supplementary,
        "opens_at": asked.opens_at.isoformat(),
        "closes_at": asked.closes_at.isoformat(),
        "minutes": int(cool_off.total_seconds()) // 60,
    }
    plan = _planned(session, params, cool_off)
    _require_alone(session, asked.code)
    facts = _facts(session, plan, params["minutes"])
    wish = Wish(visitor.office_id, asked.code, asked.code, params, facts, asked.reason)
    return proposals.propose(session, visitor, CREATE, wish, life, where)


_WAITING = text("""
    SELECT 1 FROM batch_acts a JOIN proposals q ON q.id = a.proposal_id
    WHERE a.kind = 'batch.create' AND a.outcome IS NULL AND q.subject = :code
""")
# what the batch would be for is worked out once, not for every candidate
_CONCERNED = text(f"""
    WITH b AS MATERIALIZED (
        SELECT CAST(:classes AS text[]) AS subject_classes,
               closed_to_admitted(CAST(:spec AS jsonb)) AS closed_to_admitted
    )
    SELECT count(*) FROM candidates c CROSS JOIN b WHERE {tallies.ELIGIBLE_SQL}
""")  # noqa: S608 -- constants


def _require_alone(session: Session, code: str) -> None:
    if session.execute(_WAITING, {"code": code}).first() is not None:
        raise Obstacle(_WAITS, "code")


def _facts(session: Session, plan: _Plan, minutes: Any) -> Facts:
    spec = plan.spec
    concerned = {"classes": list(spec.subject_classes), "spec": spec.model_dump_json()}
    return [
        (N_("Name of the batch"), spec.name),
        (N_("Batch code"), spec.code),
        (N_("Supplementary round of"), _called(plan.parent) if plan.parent else N_("none, a batch of its own")),
        (N_("Made like"), _called(plan.like)),
        (N_("Columns and slots"), " · ".join(f"{column.name} {column.slots}" for column in spec.columns)),
        (N_("Subject classes"), " · ".join(spec.subject_classes)),
        (N_("Candidates"), f"{session.execute(_CONCERNED, concerned).scalar_one():,}"),
        (N_("Majors to choose from"), f"{catalogue.size(session, plan.like):,}"),
        (N_("Opens"), at(plan.window.opens_at)),
        (N_("Ends"), at(plan.window.closes_at)),
        (N_("Minutes from the approval until it takes effect"), str(minutes)),
    ]


def _called(batch: Opened) -> str:
    return f"{batch.name} ({batch.code})"


def _begin(session: Session, visitor: Visitor, act: Proposed, _where: Where) -> Facts:
    visitor.require_province()
    plan = _planned(session, act.params, timedelta(minutes=act.params["minutes"]))
    _require_alone(session, act.params["batch"])
    return [(N_("Takes effect"), at(schedule.note(session, act, None, plan.window.opens_at)))]


CREATE: Final = Kind("batch.create", N_("Make a batch"), "propose", "approve", _begin, waits=True)


# --- making --------------------------------------------------------------------------------------------


def make(session: Session, params: Mapping[str, Any]) -> int:
    """Make a batch as two officers decided, and count everybody in it; returns its id.

    Raises `Obstacle` when facts have overtaken it.
    """
    plan = _planned(session, params, timedelta())
    parent_id = plan.parent.id if plan.parent else None
    batch_id = batches.add(session, plan.spec, plan.window, parent_id, plan.like.catalogue_version)
    tallies.begun(session, batch_id)
    return batch_id


_USED = text("SELECT 1 FROM batches WHERE code = :code")
_ROUND = text("SELECT coalesce(max(CAST(spec ->> 'round' AS integer)), 0) + 1 FROM batches WHERE parent_id = :parent")


def _planned(session: Session, params: Mapping[str, Any], wait: timedelta) -> _Plan:
    """The batch as it would be made `wait` from now; raises `Obstacle` when it could not."""
    try:
        like = batches.one(session, params["like"])
        parent = batches.one(session, followed(like)) if params["supplementary"] else None
    except NotFound:
        raise Obstacle(_CHANGED) from None
    window = Window(datetime.fromisoformat(params["opens_at"]), datetime.fromisoformat(params["closes_at"]))
    if params["seen"] != _seen(like):
        raise Obstacle(_CHANGED)
    if session.execute(_USED, {"code": params["batch"]}).first() is not None:
        raise Obstacle(_TAKEN, "code")
    if window.opens_at <= like.now + wait:
        raise Obstacle(PAST, "opens_at")
    if window.opens_at >= window.closes_at:
        raise Obstacle(UPSIDE_DOWN, "closes_at")
    if parent and parent.window.state_at(window.opens_at) != "closed":
        raise Obstacle(_EARLY, "opens_at")
    number = session.execute(_ROUND, {"parent": parent.id}).scalar_one() if parent else 0
    spec = like.spec.like(params["batch"], params["name"], parent.code if parent else None, number)
    return _Plan(like, parent, spec, window)


def _seen(like: Opened) -> list[int]:
    """What both officers decide about; `id` is another once the calendar has been loaded anew."""
    return [like.id, like.revision]
