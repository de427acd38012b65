"""Notices: messages to candidates, kept as rows in the transaction of the deed and sent afterwards.

The table is the queue: a notice cannot exist without its deed, nor the deed without its notice, and a
gateway that is down delays messages and nothing else (P-12). A message says that something happened, when,
and what to do if it was somebody else; never what was filed, and no link (P-13).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.accounts import MOBILE_COLUMN
from app.db import Base, Document, Id, Moment, Words, Write
from app.wording import N_

Kind = Literal[
    "activated",
    "new_device",
    "filed",
    "waived",
    "wrong_codes",
    "password_changed",
    "password_reset",
    "reset_approved",
    "card_handed",
    "card_bound",
    "card_lost",
    "phone_changed",
    "two_codes_ended",
    "draft_waits",
    "nothing_filed",
    "reopened",
    "opening_moved",
    "end_moved",
    "paused",
    "resumed",
    "batch_made",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
#: what reminds of a close to come (O-05)
REMINDERS: Final[tuple[Kind, ...]] = ("draft_waits", "nothing_filed")
#: what goes to thousands about the window of a batch (O-09); nobody did anything in the account
OF_WINDOWS: Final[tuple[Kind, ...]] = (*REMINDERS, "opening_moved", "end_moved", "paused", "resumed", "batch_made")
#: what such a message may say of the window of a batch `b`, in its `params` beside `batch` and `was`; a message that
#: says what is not true any more is not sent
WINDOW_SQL: Final = """
    jsonb_build_object('code', b.code, 'opens_at', b.opens_at, 'closes_at', b.closes_at,
                       'suspended_at', b.suspended_at)
"""
#: a message about one candidate is due before any that goes to thousands
AHEAD: Final = timedelta(days=1)
#: the column `app.candidates.Sealer` seals the number of a single message for
OWN_MOBILE_COLUMN: Final = "notice_mobile"


class Notice(Base):
    """One message, sent or still to be sent."""

    __tablename__ = "notices"
    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(repr(kind) for kind in KINDS)})", name="kind"),
        Index("ix_notices_candidate_id_created_at", "candidate_id", "created_at"),
        Index("ix_notices_due_at", "due_at", postgresql_where=text("sent_at IS NULL")),
    )

    id: Mapped[Id]
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id"))
    kind: Mapped[Words]
    #: what the text names: time, batch name, number; never the content of a list
    params: Mapped[Document]
    #: two notices with one key are one message
    dedupe: Mapped[Words] = mapped_column(unique=True)
    #: where this message goes and no other, until it was sent; NULL: to the number that stands when it is sent
    mobile_sealed: Mapped[bytes | None]
    created_at: Mapped[Moment]
    due_at: Mapped[Moment]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    sent_at: Mapped[Moment | None]
    trouble: Mapped[str | None] = mapped_column(Text)


def notice(
    kind: Kind, candidate_id: int, dedupe: str, *, mobile_sealed: bytes | None = None, **params: object
) -> Write:
    """The write that puts a message in the queue, once for each `dedupe`.

    It goes to the candidate's number, or to `mobile_sealed` (for `OWN_MOBILE_COLUMN`): the number before a new one.
    """
    return Write(
        """
        INSERT INTO notices (candidate_id, kind, params, dedupe, mobile_sealed, created_at, due_at)
        VALUES (:candidate, :kind, CAST(:params AS jsonb), :dedupe, :mobile, clock_timestamp(),
                clock_timestamp() - CAST(:ahead AS interval))
        ON CONFLICT (dedupe) DO NOTHING
        """,
        {
            "candidate": candidate_id,
            "kind": kind,
            "params": json.dumps(params, ensure_ascii=False, default=str),
            "dedupe": f"{kind}|{candidate_id}|{dedupe}",
            "mobile": mobile_sealed,
            "ahead": AHEAD,
        },
    )


# --- sending -----------------------------------------------------------------------------------------

FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(hours=1)
#: a message that could not be sent for so long warns of nothing any more; it is given up
LIFE: Final = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Due:
    """A message to be sent now. `key` names it for good: a gateway that keeps keys sends it once."""

    id: int
    candidate_id: int
    kind: Kind
    params: Mapping[str, Any]
    key: str
    created_at: datetime
    mobile_sealed: bytes | None
    #: what the number is sealed for
    mobile_column: str
    #: what it says of the window of a batch is not true any more
    overtaken: bool


# the number of this message alone, else the one the candidate has given, else the registration's
_TAKE = text(f"""
    UPDATE notices n SET due_at = clock_timestamp() + CAST(:lease AS interval)
    FROM (
        SELECT id FROM notices WHERE sent_at IS NULL AND due_at <= clock_timestamp()
        ORDER BY due_at, id LIMIT :most FOR UPDATE SKIP LOCKED
    ) due, candidates c LEFT JOIN accounts a ON a.candidate_id = c.id
    WHERE n.id = due.id AND c.id = n.candidate_id
    RETURNING n.id, n.candidate_id, n.kind, n.params, n.dedupe AS key, n.created_at,
              coalesce(n.mobile_sealed, a.mobile_sealed, c.mobile_sealed) AS mobile_sealed,
              CASE WHEN n.mobile_sealed IS NOT NULL THEN '{OWN_MOBILE_COLUMN}'
                   WHEN a.mobile_sealed IS NOT NULL THEN '{MOBILE_COLUMN}' ELSE 'mobile' END AS mobile_column,
              n.params ? 'code' AND NOT EXISTS (
                  SELECT FROM batches b WHERE {WINDOW_SQL} @> n.params - CAST('{{batch,was}}' AS text[])) AS overtaken
""")  # noqa: S608 -- constants


def take_due(session: Session, most: int, lease: timedelta) -> list[Due]:
    """Take up to `most` messages that are due; nobody else is given them before `lease` has passed.

    The lease is committed before anything is sent, so no row stays locked while a gateway thinks. A sender
    that dies leaves its messages to the next one when the lease is over.
    """
    taken = session.execute(_TAKE, {"most": most, "lease": lease}).mappings()
    return sorted((Due(**row) for row in taken), key=lambda due: due.id)


def sent(notice_id: int) -> Write:
    """The write after the gateway has said yes; a number of the message's own is kept no longer."""
    return Write(
        """
        UPDATE notices SET sent_at = clock_timestamp(), attempts = attempts + 1, trouble = NULL, mobile_sealed = NULL
        WHERE id = :id AND sent_at IS NULL
        """,
        {"id": notice_id},
    )


def not_sent(notice_id: int, trouble: str, *, final: bool = False) -> Write:
    """The write after a failure: noted, and tried again after a wait that doubles from half a minute to an hour.

    Given up (due at no time) when `final`, or when the message is too old to warn of anything. `trouble` says
    why in words for the operator, without the phone number.
    """
    return Write(
        """
        UPDATE notices SET attempts = attempts + 1, trouble = :trouble,
            due_at = CASE WHEN :final OR created_at < clock_timestamp() - CAST(:life AS interval)
                          THEN 'infinity'
                          ELSE clock_timestamp() + least(CAST(:longest AS interval),
                               CAST(:first AS interval) * power(2, least(attempts, 20))) END
        WHERE id = :id AND sent_at IS NULL
        """,
        {
            "id": notice_id,
            "trouble": trouble[:200],
            "final": final,
            "life": LIFE,
            "longest": LONGEST_WAIT,
            "first": FIRST_WAIT,
        },
    )


_STATES = text("""
    SELECT count(*) FILTER (WHERE sent_at IS NOT NULL) AS sent,
           count(*) FILTER (WHERE sent_at IS NULL AND isfinite(due_at)) AS waiting,
           count(*) FILTER (WHERE sent_at IS NULL AND NOT isfinite(due_at)) AS given_up
    FROM notices
""")


def counts(session: Session) -> dict[str, int]:
    """How many messages were sent, are waiting, and were given up."""
    return dict(session.execute(_STATES).mappings().one())


_IN_TROUBLE = text("""
    SELECT id, kind, attempts, trouble, CASE WHEN isfinite(due_at) THEN due_at END AS due_at
    FROM notices WHERE sent_at IS NULL AND trouble IS NOT NULL ORDER BY id
""")


def in_trouble(session: Session) -> list[dict[str, Any]]:
    """Messages that could not be sent yet, or were given up (no `due_at`), oldest first."""
    return [dict(row) for row in session.execute(_IN_TROUBLE).mappings()]


# --- texts -------------------------------------------------------------------------------------------

TEXTS: Final[Mapping[Kind, str]] = {
    "activated": N_("your account was activated with your code card."),
    "new_device": N_(
        "your account was signed in to with the right password in a browser in which no code of your card had been"
        " right yet (%(device)s)."
    ),
    "filed": N_("your list for %(batch)s was filed as number %(number)s, digest %(digest)s."),
    "waived": N_(
        "your waiver for %(batch)s was filed as number %(number)s, digest %(digest)s. Until the batch closes"
        " you can still file a list."
    ),
    "wrong_codes": N_(
        "wrong card codes were entered five times in your account. Nothing was filed and nothing is locked;"
        " two codes are asked now."
    ),
    "password_changed": N_("the password of your account was changed and other browsers were signed out."),
    "password_reset": N_(
        "the password of your account was set anew with two codes of your card. For 24 hours each confirmation"
        " needs two codes."
    ),
    "reset_approved": N_(
        "your registration point approved that you may set a new password. It takes two codes of your card too."
    ),
    "card_handed": N_("a code card was handed out in your name. Codes of an earlier card no longer work."),
    "card_bound": N_("a new code card was bound to your account."),
    "card_lost": N_(
        "it was reported that your card is lost or that somebody else was in your account. Each confirmation"
        " needs two codes now."
    ),
    "phone_changed": N_(
        "the phone number for these messages was changed. For 24 hours each confirmation needs two codes."
    ),
    "two_codes_ended": N_(
        "after a visit in person to an office, it no longer asks two codes for each confirmation in your account."
    ),
    "draft_waits": N_(
        "your draft for %(batch)s is not in force. It counts only if you confirm it with a code of your card before"
        " the batch closes at %(closes_at)s."
    ),
    "nothing_filed": N_(
        "you have filed nothing for %(batch)s. The batch closes at %(closes_at)s; after that nothing can be filed in"
        " it."
    ),
    "reopened": N_(
        "the province has opened %(batch)s again for you alone (decision %(document)s). Until %(until)s you can change"
        " your list and confirm it with a code of your card, as always."
    ),
    "opening_moved": N_("%(batch)s opens at %(opens_at)s now, not at %(was)s."),
    "end_moved": N_("%(batch)s closes at %(closes_at)s now, not at %(was)s. What you have filed stays in force."),
    "paused": N_(
        "filing in %(batch)s is paused. It does not close before filing goes on, and its end will be moved by at least"
        " as long; you will be told. What you have filed stays in force and your draft is kept."
    ),
    "resumed": N_("filing in %(batch)s goes on. It closes at %(closes_at)s now, not at %(was)s."),
    "batch_made": N_(
        "a further batch, %(batch)s, can be filed in from %(opens_at)s until %(closes_at)s. Whether you may file in it"
        " is said there once you have signed in."
    ),
}
_FRAME: Final = N_(
    "[Preference filing] %(when)s: %(text)s If this was not you, tell your registration point at once, or call"
    " %(hotline)s."
)
_REMINDER: Final = N_(
    "[Preference filing] Reminder: %(text)s Questions: your registration point, or %(hotline)s. Nobody needs your"
    " password or your codes."
)
_NEWS: Final = N_(
    "[Preference filing] Notice: %(text)s Questions: your registration point, or %(hotline)s. Nobody needs your"
    " password or your codes."
)
#: what every message and paper of a rehearsal says
REHEARSAL: Final = N_("[Rehearsal, counts for nothing]")
#: values of `params` that are moments
_MOMENTS: Final = ("opens_at", "closes_at", "until", "was")
_WHEN: Final = N_("%(month)s-%(day)s %(clock)s")
_ZONE: Final = ZoneInfo("Asia/Shanghai")


def wording(kind: Kind, params: Mapping[str, Any], at: datetime, hotline: str, gettext: Callable[[str], str]) -> str:
    """The text of a message in the language `gettext` speaks. Raises `KeyError` when `params` lacks a value."""
    moments = {name: params[name] for name in _MOMENTS if params.get(name)}
    told = {name: _when(datetime.fromisoformat(moment), gettext) for name, moment in moments.items()}
    text = gettext(TEXTS[kind]) % {**params, **told}
    frame = _REMINDER if kind in REMINDERS else _NEWS if kind in OF_WINDOWS else _FRAME
    return gettext(frame) % {"when": _when(at, gettext), "text": text, "hotline": hotline}


def too_late(due: Due, now: datetime) -> bool:
    """Whether a message is worth nothing any more: the moment it tells of has passed, or was moved."""
    moment = due.params.get("closes_at") or due.params.get("opens_at")
    return due.overtaken or (moment is not None and now >= datetime.fromisoformat(moment))


def _when(at: datetime, gettext: Callable[[str], str]) -> str:
    local = at.astimezone(_ZONE)
    return gettext(_WHEN) % {"month": local.month, "day": local.day, "clock": f"{local:%H:%M}"}
