"""Preferences: the list of batches, and which address leads to which page.

The pages themselves stand in `drafting` (edit, discard, restore, the paper form), `choosing` (the catalogue),
`copying` (from other batches) and `confirming` (check, confirm, give up).
"""

from dataclasses import dataclass
from typing import Final

from flask import Blueprint, render_template

from app import bindings, preferences
from app.errors import NoCard
from app.pages import choosing, confirming, copying, drafting
from app.pages.fetch import COSTLY, session_key, visitor
from app.preferences import Line
from app.web.limits import limiter
from app.web.portal import reading

pages = Blueprint("preferences", __name__, url_prefix="/preferences")


@dataclass(frozen=True, slots=True)
class Overview:
    """Every batch of the candidate, by what can be done in it now."""

    open: list[Line]
    later: list[Line]
    closed: list[Line]
    #: codes left on the card; None while none is bound
    codes_left: int | None

    @property
    def unconfirmed(self) -> list[Line]:
        """Open batches with a draft that is not in force."""
        return [line for line in self.open if line.draft_differs]


@pages.get("")
def overview() -> str:
    """All batches: what is in force, what is only a draft, until when."""
    with reading() as connection:
        lines = preferences.overview(connection, visitor())
        try:
            left = bindings.of(connection, visitor().candidate_id).left
        except NoCard:
            left = None
    found = Overview(
        open=sorted(
            (line for line in lines if line.batch.state in {"open", "suspended"}),
            key=lambda line: line.batch.window.ends_at,
        ),
        later=[line for line in lines if line.batch.state == "not_yet_open"],
        closed=[line for line in lines if line.batch.state == "closed"],
        codes_left=left,
    )
    return render_template("preferences/overview.html", found=found, few=bindings.FEW_LEFT)


_BATCH: Final = "/<batch>"


_costly = limiter.limit(COSTLY, key_func=session_key)

pages.get(f"{_BATCH}/edit")(drafting.edit)
pages.post(f"{_BATCH}/edit")(drafting.keep)
pages.post(f"{_BATCH}/discard")(drafting.discard)
pages.post(f"{_BATCH}/restore/<int:number>")(drafting.restore)
pages.get(f"{_BATCH}/copy")(copying.copy)
pages.post(f"{_BATCH}/copy")(copying.copy_into)
pages.get(f"{_BATCH}/draft-form.pdf")(_costly(drafting.draft_form))
pages.get(f"{_BATCH}/catalogue")(_costly(choosing.catalogue_page))
pages.post(f"{_BATCH}/catalogue")(choosing.add)
pages.get(f"{_BATCH}/check")(confirming.check)
pages.post(f"{_BATCH}/check")(confirming.begin)
pages.post(f"{_BATCH}/confirm")(confirming.confirm)
pages.get(f"{_BATCH}/withdraw")(confirming.withdraw)
pages.post(f"{_BATCH}/withdraw")(confirming.begin_waiver)
