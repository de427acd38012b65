"""Check and confirm: the exact list, what changed, and the codes of the card that put it in force."""

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app import preferences
from app.accounts import device_hash
from app.catalogue import Slice
from app.choices import from_content
from app.differences import Difference, differences
from app.errors import ChallengeStale, NoCard, Refusal, RulesBroken, TooSoon, Unavailable, WindowShut
from app.findings import Finding
from app.pages import fetch, listing
from app.pages.doorway import remember_device
from app.pages.entries import CODE_TROUBLE
from app.pages.fetch import batch_code, visitor
from app.pages.sent import octets, sent, whole_number
from app.pages.words import _, ngettext
from app.preferences import Answer, Asked, Changed, Filed, Origin, Sheet, WrongCode
from app.rules import judge
from app.web.portal import (
    client_ip,
    device_label,
    device_token,
    reading,
    request_id,
    services,
    transaction,
)
from cards.codes import normalise
from cards.errors import MalformedCode, Slip


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the page is shown again instead of a receipt."""

    #: of the refusal, or "wrong", "slip", "changed"
    reason: str
    status: int
    #: by name of field
    errors: Mapping[str, str]
    changed: Sequence[Difference] = ()
    #: what the rules say
    findings: Sequence[str] = ()
    seconds: int | None = None


# --- check -------------------------------------------------------------------------------------------


def begin(batch: str) -> BaseResponse:
    """POST /preferences/<batch>/check: ask for a code about the draft as it stands."""
    version = whole_number(sent("version")["version"], "version")
    try:
        with transaction() as session:
            preferences.ask(session, visitor(), batch_code(batch), "list", version)
    except RulesBroken:
        return redirect(url_for("preferences.edit", batch=batch, checked=1), 303)
    return redirect(url_for("preferences.check", batch=batch), 303)


def check(batch: str) -> Response:
    """GET /preferences/<batch>/check: the list as it would be filed, and the question."""
    found, whole = fetch.sheet_and_catalogue(batch)
    return _page(found, whole)


def withdraw(batch: str) -> str:
    """GET /preferences/<batch>/withdraw: what giving up a batch means, before the question is asked."""
    found, whole = fetch.sheet_and_catalogue(batch)
    shown = listing.columns(found.batch.spec, found.in_force, whole)
    return render_template("preferences/withdraw.html", found=found, columns=shown)


def begin_waiver(batch: str) -> BaseResponse:
    """POST /preferences/<batch>/withdraw: ask for a code about giving the batch up."""
    sent()
    with transaction() as session:
        preferences.ask(session, visitor(), batch_code(batch), "waiver", 0)
    return redirect(url_for("preferences.check", batch=batch), 303)


def _page(found: Sheet, whole: Slice, trouble: Trouble | None = None) -> Response:
    asked = found.challenge
    obstacle = _obstacle(found)
    # what the question is about; where it is not asked any more, the draft as it is now
    questioned = asked is not None and obstacle not in {"elsewhere", "changed"}
    content = asked.content if asked is not None and questioned else preferences.compacted(found.content)
    if obstacle == "closed":
        content = found.in_force  # what was not confirmed by then is nothing to look at any more
    changed = differences(found.in_force, content)
    moved = trouble.changed if trouble else ()
    if obstacle == "changed" and asked is not None:
        moved = differences(asked.content, preferences.compacted(found.content))
    verdict = None
    if obstacle != "closed" and (asked is None or asked.kind == "list"):
        verdict = judge(found.batch.spec, from_content(content), visitor().facts, whole)
    answer = make_response(
        render_template(
            "preferences/check.html",
            found=found,
            asked=asked if not obstacle else None,
            waiver=asked is not None and asked.kind == "waiver" and obstacle not in {"elsewhere", "closed"},
            obstacle=obstacle,
            trouble=trouble,
            fields=_fields(found),
            columns=listing.columns(found.batch.spec, content, whole, verdict, changed if found.standing else ()),
            common=[] if verdict is None else [each.text(_) for each in verdict.warnings if each.column is None],
            changes=listing.changes(found.batch.spec, changed, whole),
            moved=listing.changes(found.batch.spec, moved, whole),
            same=found.standing is not None and not changed and not (asked is not None and asked.kind == "waiver"),
            errors=_summary(trouble),
        ),
        trouble.status if trouble else 200,
    )
    if trouble and trouble.seconds is not None:
        answer.headers["Retry-After"] = str(trouble.seconds)
    return answer


def _summary(trouble: Trouble | None) -> list[tuple[str, str]]:
    return [(text, f"#{name}") for name, text in trouble.errors.items()] if trouble else []


def _fields(found: Sheet) -> list[tuple[str, int]]:
    """Names of the fields and the number of the code each asks for."""
    bound = found.bound
    if bound is None or bound.asked is None:
        return []
    if not found.two_codes_due:
        return [("code", bound.asked)]
    return [("code", bound.asked), ("code2", bound.asked_second)] if bound.asked_second is not None else []


def _obstacle(found: Sheet) -> str:
    """Why no code can be asked for on this page; "" when it can."""
    if found.batch.state != "open":
        return found.batch.state
    if not _fields(found):
        return "no_card"
    return "not_asked" if found.challenge is None else _out_of_date(found, found.challenge)


def _out_of_date(found: Sheet, asked: Asked) -> str:
    if asked.session_hash != visitor().session_hash:
        return "elsewhere"
    if (
        found.bound is None
        or asked.stale_at(found.now)
        or not asked.asks(found.bound)
        or asked.digest != _digest(found, asked)
    ):
        return "stale"
    if asked.kind == "list" and differences(asked.content, preferences.compacted(found.content)):
        return "changed"
    return ""


def _digest(found: Sheet, asked: Asked) -> bytes:
    """The digest the list has against the catalogue of now: another one when the catalogue was corrected."""
    version = found.batch.catalogue_version
    return preferences.list_digest(visitor(), found.batch.code, asked.kind, asked.content, version)


# --- confirm -----------------------------------------------------------------------------------------


def confirm(batch: str) -> BaseResponse:
    """POST /preferences/<batch>/confirm: the codes put the list in force, or the page says why not."""
    given = sent("key", "digest", "code", "code2")
    key, digest = octets(given["key"], "key"), octets(given["digest"], "digest")
    names = ("code", "code2") if "code2" in request.form else ("code",)
    codes, slips = _codes({name: given[name] for name in names})
    if slips:
        found, whole = fetch.sheet_and_catalogue(batch)
        return _page(found, whole, _slipped(found, slips))
    token = device_token() or _new_device(key)
    origin = Origin(client_ip(), device_label(), request_id(), device_hash(token) or b"")
    try:
        with transaction() as session:
            outcome = preferences.confirm(
                session,
                visitor(),
                batch_code(batch),
                Answer(key, digest, codes),
                origin,
                services().keys,
                timedelta(seconds=services().settings.grace_seconds),
            )
    except Unavailable:
        return _unknown(batch, key, token)
    except (ChallengeStale, NoCard, RulesBroken, TooSoon, WindowShut) as refusal:
        return _page(*fetch.sheet_and_catalogue(batch), _refused(refusal))
    if isinstance(outcome, Filed):
        return _receipt(batch, outcome.number, token)
    found, whole = fetch.sheet_and_catalogue(batch)
    return _page(found, whole, _not_filed(outcome, found))


def _codes(given: Mapping[str, str]) -> tuple[list[str], dict[str, Slip]]:
    """The codes as the card has them; slips of the fingers by field, which are no attempts (C-08)."""
    codes: list[str] = []
    slips: dict[str, Slip] = {}
    for name, text in given.items():
        try:
            codes.append(normalise(text))
        except MalformedCode as slip:
            slips[name] = slip.reason
    return codes, slips


def _slipped(found: Sheet, slips: Mapping[str, Slip]) -> Trouble:
    numbers = dict(_fields(found))
    return Trouble(
        "slip",
        422,
        {name: _(CODE_TROUBLE[slip], number=numbers.get(name, "")) for name, slip in slips.items()},
    )


def _new_device(key: bytes) -> str:
    """A token for this browser. A double click gets the same, so that the device known is the one it holds."""
    drawn = hmac.digest(services().keys.secret_key, b"device|" + visitor().session_hash + key, "sha256")
    return base64.urlsafe_b64encode(drawn).rstrip(b"=").decode()


def _receipt(batch: str, number: int, token: str) -> BaseResponse:
    answer = make_response(redirect(url_for("archive.receipt", batch=batch, number=number), 303))
    remember_device(answer, token)
    return answer


def _unknown(batch: str, key: bytes, token: str) -> BaseResponse:
    """The commit's outcome is unknown: it is looked up by the challenge, never tried again (F-09)."""
    for _attempt in range(2):  # a connection of the pool may be older than the database's restart
        try:
            with reading() as connection:
                filed = preferences.answered(connection, visitor(), key)
        except Unavailable:
            continue
        if filed is not None:
            return _receipt(filed[0], filed[1], token)
        break
    answer = make_response(render_template("preferences/unknown.html", batch=batch, request_id=request_id()), 503)
    answer.headers["Retry-After"] = "10"
    return answer


def _refused(refusal: Refusal) -> Trouble:
    seconds = refusal.seconds if isinstance(refusal, TooSoon) else None
    broken = refusal.findings if isinstance(refusal, RulesBroken) else ()
    findings = [each.text(_) for each in broken if isinstance(each, Finding)]
    return Trouble(refusal.reason, refusal.status, {}, findings=findings, seconds=seconds)


def _not_filed(outcome: WrongCode | Changed, found: Sheet) -> Trouble:
    if isinstance(outcome, Changed):
        return Trouble("changed", 409, {}, outcome.differences)
    if outcome.tries_left:
        text = ngettext(
            "This is not the code asked for. It was not used up. After %(num)d more wrong answer two codes are asked.",
            "This is not the code asked for. It was not used up. After %(num)d more wrong answers two codes are asked.",
            outcome.tries_left,
        )
    else:
        text = _("This is not what was asked for, and nothing was used up. Please type both codes asked for below.")
    return Trouble("wrong", 422, {name: text for name, _number in _fields(found)[:1]})
