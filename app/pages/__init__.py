"""The candidates' pages, and what the portal that serves them lists as open."""

from typing import Final

from app import sessions
from app.accounts import device_hash
from app.pages import account, archive, card, interrupted, preferences, public, roots
from app.sessions import Visitor
from app.web.portal import Portal, Services, device_token

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
        "account.activate",
        "account.activate_codes",
        "account.sign_in",
        "account.sign_in_with_card",
        "account.reset",
        "account.sign_out",
        "account.signed_out",
        "archive.verify",
        "archive.receipt_key",
        "roots.page",
        "roots.plain",
    }
)


def _visitor(here: Services, session_id: str) -> Visitor | None:
    with here.database.reading() as connection:
        found = sessions.load(
            connection,
            sessions.hash_of(session_id),
            device_hash(device_token()),
            here.settings.idle_seconds,
        )
        if found is not None:
            sessions.touch(connection, found)
        return found


CANDIDATES: Final = Portal(
    name="candidates",
    session_cookie="__Host-sid",
    form_cookie="__Host-form",
    blueprints=(public.pages, account.pages, card.pages, preferences.pages, archive.pages, roots.pages),
    open_pages=OPEN,
    sign_in_page="account.sign_in",
    load_visitor=_visitor,
    interrupted=interrupted.page,
)
