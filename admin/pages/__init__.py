"""The offices' pages, and what the portal that serves them lists as open."""

from pathlib import Path
from typing import Final

from flask import request

from admin import officers, refusals
from admin.officers import Visitor
from admin.pages import (
    accounts,
    acts,
    alerts,
    auditing,
    chase,
    close,
    counter,
    creating,
    entrance,
    handing,
    lots,
    metrics,
    progress,
    public,
    reopening,
    replacing,
    rooms,
    schedule,
    seals,
    stock,
    transfers,
)
from admin.pages.reach import desk_of, transaction, where
from admin.refusals import Asked
from app.errors import NotAllowed, Refusal
from app.pages import roots
from app.sessions import hash_of
from app.web.portal import Portal, Services

OPEN: Final = frozenset(
    {
        "public.start",
        "public.help_page",
        "public.privacy",
        "public.language",
        "public.appearance",
        "public.security",
        "public.csp_report",
        "public.live",
        "public.ready",
        "metrics.show",
        "entrance.sign_in",
        "entrance.sign_out",
        "roots.page",
        "roots.plain",
    }
)


def _visitor(here: Services, session_id: str) -> Visitor | None:
    """The officer behind a session. One whose appointment is over is refused once, then unknown (A-13)."""
    with here.database.reading() as connection:
        found = officers.load(connection, hash_of(session_id), here.settings.idle_seconds)
        if found is not None and found.appointed:
            officers.touch(connection, found)
    if found is not None and not found.appointed:
        desk_of(here).dismiss(found, where())
        raise NotAllowed("the appointment is over")
    return found


def _refused(visitor: Visitor, error: Refusal) -> None:
    if refusals.is_kept(error):
        asked = Asked(request.endpoint or "", request.view_args or {})
        with transaction() as session:
            refusals.keep(session, visitor, asked, error, where())


OFFICES: Final = Portal(
    name="offices",
    session_cookie="__Host-oid",
    form_cookie="__Host-desk",
    blueprints=(
        public.pages,
        entrance.pages,
        progress.pages,
        chase.pages,
        counter.pages,
        replacing.pages,
        reopening.pages,
        stock.pages,
        transfers.pages,
        handing.pages,
        lots.pages,
        acts.pages,
        alerts.pages,
        auditing.pages,
        rooms.pages,
        schedule.pages,
        creating.pages,
        metrics.pages,
        close.pages,
        accounts.pages,
        seals.pages,
        roots.pages,
    ),
    open_pages=OPEN,
    sign_in_page="entrance.sign_in",
    load_visitor=_visitor,
    interrupted=entrance.interrupted,
    refused=_refused,
    template_folders=(str(Path(__file__).parents[1] / "templates"),),
)
