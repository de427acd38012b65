"""The card: what is left on it, binding a new one, reporting it lost."""

from flask import Blueprint, Response, flash, make_response, redirect, render_template, url_for
from werkzeug.wrappers import Response as BaseResponse

from app import accounts, bindings
from app.errors import NoCard
from app.pages import doorway
from app.pages.doorway import door, keep_step, remember_device, step, step_token, token_of_device, where
from app.pages.entries import BindCodesForm, BindForm
from app.pages.fetch import visitor
from app.pages.ways_in import first_page, shown
from app.pages.words import _
from app.web.forms import require_mark, single
from app.web.limits import limiter, sign_in_flood
from app.web.portal import reading

pages = Blueprint("card", __name__, url_prefix="/card")
pages.before_request(doorway.each_field_once)


@pages.get("")
def overview() -> str:
    """Which card is bound, how many codes are left, and what to do when they run out (C-14)."""
    with reading() as connection:
        try:
            bound = bindings.of(connection, visitor().candidate_id)
        except NoCard:
            bound = None
        why = accounts.why_two_codes(connection, visitor().candidate_id)
    if not why and bound is not None and bound.lot_quarantined:
        why = "lot"
    return render_template("card/overview.html", bound=bound, why=why, few=bindings.FEW_LEFT)


@pages.route("/bind", methods=["GET", "POST"])
@limiter.limit(sign_in_flood, methods=["POST"])
def bind() -> BaseResponse:
    """A card handed over at the counter becomes the candidate's: its serial first, then two of its codes."""
    read = step("bind")
    if first_page(read):
        return _serial_page()
    if read is None:
        flash(
            _("More than 15 minutes passed, so that page had expired. Nothing was changed. Please start again."),
            "warning",
        )
        return redirect(url_for(".bind"), 303)
    pair = door().pair_asked(read["serial"])
    form = BindCodesForm()
    form.ask(pair)
    if form.validate_on_submit():
        token = token_of_device()
        if door().bind_card(visitor().candidate_id, read["serial"], form.given, where(token)):
            return _bound(token)
        form.form_errors.append(
            _(
                "Serial and codes do not fit together, or this card was not handed to you. Nothing was changed and no"
                " code was used up. Compare them with the card. If it still does not work, take your identity card"
                " and the card to your registration point."
            )
        )
    return shown("card/bind_codes.html", form, pair=pair, read=read, step=step_token("bind"))


def _serial_page() -> BaseResponse:
    form = BindForm()
    if form.validate_on_submit():
        keep_step("bind", serial=form.serial.typed)
        return redirect(url_for(".bind"), 303)
    return shown("card/bind.html", form)


def _bound(token: str) -> Response:
    flash(_("The card is bound. From now on its codes are asked for."), "success")
    answer = make_response(redirect(url_for(".overview"), 303))
    remember_device(answer, token)
    return answer


@pages.get("/lost")
def lost() -> str:
    """What reporting the card lost does, before it is done."""
    return render_template("card/lost.html")


@pages.post("/lost")
def report_lost() -> BaseResponse:
    """Two codes from now on, and a message; never a block, for whoever reports need not be the owner (C-15)."""
    require_mark(single("mark"))
    door().report(visitor().candidate_id, "lost", where())
    flash(
        _(
            "Your report is noted. From now on each confirmation asks for two codes. Fetch a new card from your"
            " registration point, in person and with your identity card."
        ),
        "warning",
    )
    return redirect(url_for(".overview"), 303)
