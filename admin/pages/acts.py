"""What waits for a second officer: look, retype, approve or refuse (O-06, A-14)."""

from collections.abc import Sequence

from flask import Blueprint, flash, redirect, render_template, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from admin import proposals, schedule
from admin.deeds import KINDS
from admin.pages import protocols
from admin.pages.protocols import decision, outcome, said
from admin.pages.reach import officer, reading, transaction, where
from admin.proposals import AlreadyProposed, Mistyped, Obstacle, Proposed
from admin.schedule import Act
from app.web import refusals
from app.web.forms import plain, require_mark, single
from app.web.languages import gettext as _

pages = Blueprint("acts", __name__)


@pages.get("/acts")
def waiting() -> str:
    """Those that wait for this officer, those that wait for somebody else, and the latest."""
    officer().require("see_stock")
    with reading() as connection:
        found = proposals.recent(connection, officer())
        followed = _followed(connection, found)
    mine = [act for act in found if act.state == "open" and _may_decide(act)]
    others = [act for act in found if act.state == "open" and not _may_decide(act)]
    done = [act for act in found if act.state != "open"]
    decisions = {act.id: decision(act, followed.get(act.id)) for act in found}
    abouts = {act.id: _about(act) for act in found}
    return render_template(
        "acts/waiting.html", mine=mine, others=others, done=done, kinds=KINDS, decisions=decisions, abouts=abouts
    )


def _about(act: Proposed) -> str:
    """What an act is about, in a few words: one upon a batch names that in its first fact."""
    if act.kind.startswith("batch."):
        return _("%(name)s (%(code)s)", name=act.facts[0][1], code=act.word)
    return act.facts[0][1] if KINDS[act.kind].unseen else act.word


def _followed(connection: Connection, acts: Sequence[Proposed]) -> dict[int, Act]:
    """What has become of those that wait once they are approved."""
    return schedule.followed(connection, [act.id for act in acts if KINDS[act.kind].waits])


def _may_decide(act: Proposed) -> bool:
    return act.proposed_by != officer().officer_id and officer().may(KINDS[act.kind].approve)


@pages.app_errorhandler(AlreadyProposed)
def proposed_already(refusal: AlreadyProposed) -> Response:
    """Whoever proposes what waits already is led to it, whatever page they come from: it may wait for them."""
    if refusal.act is None:
        return refusals.page(refusal.reason, refusal.status)
    flash(
        _("This is proposed already, as you see here, and waits for a second officer. What you sent was not added."),
        "warning",
    )
    return redirect(url_for("acts.one", act=refusal.act), 303)


@pages.get("/acts/<int:act>")
def one(act: int) -> str:
    """One act: what would happen, and what can be done about it."""
    return _page(act)


def _page(act: int, wrong: str = "") -> str:
    with reading() as connection:
        found = proposals.of(connection, officer(), act)
        followed = _followed(connection, [found]).get(act)
    officer().require("see_stock")
    return render_template(
        "acts/one.html",
        act=found,
        kind=KINDS[found.kind],
        facts=said(found.facts, found.now if found.state == "open" else None),
        outcome=said(outcome(found, followed)),
        decision=decision(found, followed)[1],
        may_decide=_may_decide(found),
        wrong=wrong,
    )


@pages.get("/acts/<int:act>/protocol.pdf")
def protocol(act: int) -> Response:
    """The paper both officers sign."""
    with reading() as connection:
        found = proposals.of(connection, officer(), act)
        followed = _followed(connection, [found]).get(act)
    officer().require("see_stock")
    return protocols.of_act(found, followed)


@pages.post("/acts/<int:act>/approve")
def approve(act: int) -> Response | tuple[str, int]:
    """Approve, by retyping; the deed is done in the same transaction."""
    _require(act)
    try:
        with transaction() as session:
            answer = proposals.approve(session, officer(), KINDS, act, plain(single("word")), where())
    except Obstacle as obstacle:
        return _page(act, _(obstacle.words)), 409
    if isinstance(answer, Mistyped):
        return _page(act, _("This is another word. Nothing was done. Compare it and type it again.")), 422
    if KINDS[answer.kind].waits:
        flash(_("Approved. It takes effect after the waiting time; until then it can be cancelled."), "success")
    else:
        flash(_("Approved and done."), "success")
    return redirect(url_for(".one", act=act), 303)


@pages.post("/acts/<int:act>/refuse")
def refuse(act: int) -> Response:
    """Refuse: nothing is done."""
    _require(act)
    with transaction() as session:
        proposals.refuse(session, officer(), KINDS, act, where())
    return redirect(url_for(".one", act=act), 303)


@pages.post("/acts/<int:act>/withdraw")
def withdraw(act: int) -> Response:
    """Take back what one has proposed oneself."""
    _require(act)
    with transaction() as session:
        proposals.withdraw(session, officer(), act, where())
    return redirect(url_for(".one", act=act), 303)


def _require(act: int) -> None:
    """The gate first, then the form's mark."""
    with reading() as connection:
        proposals.of(connection, officer(), act)
    officer().require("see_stock")
    require_mark(single("mark"))
