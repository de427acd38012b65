"""How a candidate gets in: activation, sign-in, a new card, a forgotten password.

Argon2id of a password is always computed outside a transaction. Refusals at this door read alike: nobody
learns which of the details was wrong, nor whether a number exists (A-02, A-08).
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from pypinyin import Style, lazy_pinyin
from sqlalchemy import text
from sqlalchemy.orm import Session

from app import accounts, audit, bindings, passwords, sessions, tallies
from app.accounts import Known
from app.db import Database, Write, together
from app.errors import NoCard, TooSoon
from app.notices import notice
from cards import codes
from cards.challenges import pair_for_binding
from cards.codes import SealedCard
from cards.errors import Malformed
from config.keys import KeyRing

NOTICE_VERSION: Final = "2026-11"


@dataclass(frozen=True, slots=True)
class Where:
    """Where a request comes from; goes into the audit and the session, decides nothing."""

    ip: str
    label: str
    request_id: str
    device_hash: bytes | None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session was opened; `session_id` is the cookie's value."""

    session_id: str
    candidate_id: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The details did not fit together. Which of them is not said."""


@dataclass(frozen=True, slots=True)
class Activation:
    """What is typed at activation."""

    candidate_no: str
    serial: str
    id_tail: str
    codes: Sequence[str]
    password: str


_PERSON = text("""
    SELECT c.id, c.candidate_no, c.name, c.birth_date, c.id_no_sealed, c.mobile_sealed, p.name AS school,
           k.serial, k.lot, k.key_chain, k.algorithm, k.salt, k.verifiers, a.candidate_id IS NOT NULL AS activated
    FROM candidates c
    JOIN offices p ON p.id = c.point_id
    LEFT JOIN accounts a ON a.candidate_id = c.id
    LEFT JOIN cards k ON k.holder_id = c.id AND k.state = 'handed' AND k.serial = :serial
    WHERE c.candidate_no = :candidate_no
""")


@dataclass(frozen=True, slots=True)
class Door:
    """The door of the candidate edition: a database, the keys, how long a session lives."""

    database: Database
    keys: KeyRing
    sealer: Any
    session_seconds: int
    #: codes of the shortest card in circulation: pairs are drawn below it, so that every serial looks alike
    card_codes: int

    def pair_asked(self, serial: str) -> tuple[int, int]:
        """The two codes asked of whoever names this serial; the same each time, real card or not."""
        return pair_for_binding(self.keys.binding_key, serial, self.card_codes)

    # --- activation ---------------------------------------------------------------------------------

    def personal(self, candidate_no: str, serial: str = "") -> list[str]:
        """What others know about this candidate and must not be a password (A-05)."""
        with self.database.reading() as connection:
            row = (
                connection.execute(_PERSON, {"candidate_no": candidate_no, "serial": serial})
                .mappings()
                .first()
            )
        return [candidate_no, serial] + (self._personal(dict(row)) if row is not None else [])

    def activate(self, asked: Activation, where: Where) -> SignedIn | Refused:
        """Bind the card and make the account, if everything fits together; else say only that it does not.

        The codes are judged whatever else is wrong, against a decoy where there is no such card, so that a
        refusal takes equally long. Two codes are 10^14 possibilities: no counter is needed against guessing,
        and so nobody can use one to keep the owner out.
        """
        with self.database.reading() as connection:
            row = (
                connection.execute(_PERSON, {"candidate_no": asked.candidate_no, "serial": asked.serial})
                .mappings()
                .first()
            )
        person = dict(row) if row is not None else None
        pair = self.pair_asked(asked.serial)
        card = self._card(person, asked.serial)
        right = self._pair_right(card, pair, asked.codes)
        fits = (
            right
            and person is not None
            and not person["activated"]
            and self._tail_fits(person, asked.id_tail)
        )
        stored = passwords.seal(asked.password, self.keys.password_pepper, passwords.CANDIDATE)
        if not fits or person is None:
            self._remember_refusal("activation.refused", person, where)
            return Refused()
        return self._activated(person["id"], card, pair, stored, where)

    def _activated(
        self, candidate_id: int, card: SealedCard, pair: tuple[int, int], stored: str, where: Where
    ) -> SignedIn | Refused:
        session_id, id_hash = sessions.new_id()
        with self.database.transaction() as session:
            if bindings.handed(session, card.serial, candidate_id) is None:
                return Refused()
            together(
                session,
                accounts.opened(candidate_id, stored, NOTICE_VERSION),
                *bindings.bind(candidate_id, card, pair),
                tallies.candidate_moved(candidate_id, bound=True),
                *self._session(id_hash, candidate_id, where),
                *self._device(candidate_id, where),
                notice("activated", candidate_id, card.serial),
                _entry("account.activated", candidate_id, where, serial=card.serial),
            )
        return SignedIn(session_id, candidate_id)

    # --- sign-in ------------------------------------------------------------------------------------

    def sign_in(self, candidate_no: str, password: str, where: Where) -> SignedIn | Refused:
        """Open a session for the right password.

        A wrong one is booked against strangers together, or against this known device alone (R-04). Raises
        `TooSoon` while the wait of that bucket runs; numbers nobody has wait just the same.
        """
        known = self._look_up(candidate_no, where)
        if known.wait_seconds:
            raise TooSoon(known.wait_seconds)
        if not self._password_right(known, password):
            return self._sign_in_refused(candidate_no, known, where)
        with self.database.transaction() as session:
            return self._open(session, candidate_no, known, password, where)

    def pair_for_sign_in(self, candidate_no: str) -> tuple[int, int]:
        """The two codes asked for signing in past a wait; for a number without a card, a pair just like one."""
        with self.database.reading() as connection:
            row = connection.execute(
                text("""
                    SELECT bn.asked, bn.asked_second FROM bindings bn JOIN candidates c ON c.id = bn.candidate_id
                    WHERE c.candidate_no = :no AND bn.asked IS NOT NULL AND bn.asked_second IS NOT NULL
                """),
                {"no": candidate_no},
            ).first()
        if row is not None:
            return row.asked, row.asked_second
        return self.pair_asked("sign-in|" + candidate_no)

    def sign_in_with_card(
        self, candidate_no: str, password: str, given: Sequence[str], where: Where
    ) -> SignedIn | Refused:
        """Open a session for the right password and two right codes, past every wait (R-05)."""
        known = self._look_up(candidate_no, where)
        right = self._password_right(known, password)
        with self.database.transaction() as session:
            judged = self._judged(session, known.candidate_id, candidate_no, given)
            if judged is not None and right:
                return self._open(
                    session, candidate_no, known, password, where, *bindings.spend(*judged, "sign_in")
                )
        return self._sign_in_refused(candidate_no, known, where)

    # --- forgotten password -------------------------------------------------------------------------

    def reset(
        self, candidate_no: str, ticket: str, given: Sequence[str], password: str, where: Where
    ) -> SignedIn | Refused:
        """Set a new password for the counter's ticket and two right codes; neither alone does anything (A-09).

        Every session ends, a message goes out, and for a day each confirmation needs two codes.
        """
        known = self._look_up(candidate_no, where)
        stored = passwords.seal(password, self.keys.password_pepper, passwords.CANDIDATE)
        candidate_id = known.candidate_id
        session_id, id_hash = sessions.new_id()
        with self.database.transaction() as session:
            judged = self._judged(session, candidate_id, candidate_no, given)
            ticket_right = accounts.ticket_matches(session, candidate_id or 0, ticket_hash(ticket))
            if candidate_id is None or judged is None or not ticket_right:
                together(session, _entry("password.reset_refused", candidate_id, where))
                return Refused()
            together(
                session,
                accounts.password_changed(candidate_id, stored, after_reset=True),
                accounts.reset_used(candidate_id),
                *bindings.spend(*judged, "reset"),
                sessions.all_ended(candidate_id),
                accounts.forgiven(accounts.bucket(self.keys.session_key, candidate_no, None)),
                notice("password_reset", candidate_id, where.request_id),
                _entry("password.reset", candidate_id, where),
            )
            together(session, *self._session(id_hash, candidate_id, where, make_room=False))
        return SignedIn(session_id, candidate_id)

    # --- from inside --------------------------------------------------------------------------------

    def change_password(
        self, candidate_id: int, candidate_no: str, old: str, new: str, *, keep: bytes, where: Where
    ) -> bool:
        """Set a new password for the right old one; every other session ends. False: the old one is wrong."""
        known = self._look_up(candidate_no, where)
        if known.wait_seconds:
            raise TooSoon(known.wait_seconds)
        if not self._password_right(known, old):
            self._sign_in_refused(candidate_no, known, where)
            return False
        stored = passwords.seal(new, self.keys.password_pepper, passwords.CANDIDATE)
        with self.database.transaction() as session:
            accounts.lock(session, candidate_id)
            together(
                session,
                accounts.password_changed(candidate_id, stored, after_reset=False),
                sessions.all_ended(candidate_id, but=keep),
                notice("password_changed", candidate_id, where.request_id),
                _entry("password.changed", candidate_id, where),
            )
        return True

    def bind_card(self, candidate_id: int, serial: str, given: Sequence[str], where: Where) -> bool:
        """Bind a replacement card handed to this candidate, for its two codes. False: they do not fit."""
        pair = self.pair_asked(serial)
        with self.database.transaction() as session:
            accounts.lock(session, candidate_id)
            card = bindings.handed(session, serial, candidate_id)
            right = self._pair_right(card or self._card(None, serial), pair, given)
            if card is None or not right:
                together(session, _entry("card.bind_refused", candidate_id, where))
                return False
            together(
                session,
                *bindings.bind(candidate_id, card, pair),
                tallies.candidate_moved(candidate_id, bound=True),
                notice("card_bound", candidate_id, serial),
                _entry("card.bound", candidate_id, where, serial=serial),
            )
        return True

    def report(self, candidate_id: int, reason: str, where: Where) -> None:
        """The card is lost, or somebody else was here: two codes from now on, and a message. Never a block (C-15)."""
        with self.database.transaction() as session:
            accounts.lock(session, candidate_id)
            together(
                session,
                accounts.two_codes_asked(candidate_id, reason),
                notice("card_lost", candidate_id, where.request_id),
                _entry(f"card.{reason}", candidate_id, where),
            )

    # --- parts --------------------------------------------------------------------------------------

    def _look_up(self, candidate_no: str, where: Where) -> Known:
        with self.database.reading() as connection:
            return accounts.look_up(connection, self.keys.session_key, candidate_no, where.device_hash)

    def _password_right(self, known: Known, password: str) -> bool:
        if known.password is None:
            return passwords.matches_nobody(password, passwords.CANDIDATE)
        return passwords.matches(password, known.password, self.keys.password_pepper)

    def _bucket(self, candidate_no: str, known: Known, where: Where) -> bytes:
        own = where.device_hash if known.device_known else None
        return accounts.bucket(self.keys.session_key, candidate_no, own)

    def _sign_in_refused(self, candidate_no: str, known: Known, where: Where) -> Refused:
        with self.database.transaction() as session:
            together(
                session,
                accounts.failed(self._bucket(candidate_no, known, where)),
                _entry("password.wrong", known.candidate_id, where),
            )
        return Refused()

    def _open(  # noqa: PLR0913 -- what a sign-in knows
        self, session: Session, candidate_no: str, known: Known, password: str, where: Where, *writes: Write
    ) -> SignedIn:
        candidate_id, stored = known.candidate_id, known.password
        if candidate_id is None or stored is None:
            raise NoCard
        resealed = None
        if passwords.needs_resealing(stored, self.keys.password_pepper, passwords.CANDIDATE):
            resealed = passwords.seal(password, self.keys.password_pepper, passwords.CANDIDATE)
        session_id, id_hash = sessions.new_id()
        told = (
            []
            if known.device_known
            else [notice("new_device", candidate_id, where.request_id, device=where.label)]
        )
        together(
            session,
            *writes,
            accounts.signed_in(candidate_id, resealed),
            accounts.forgiven(self._bucket(candidate_no, known, where)),
            *self._session(id_hash, candidate_id, where),
            *told,
            _entry("session.started", candidate_id, where),
        )
        return SignedIn(session_id, candidate_id)

    def _judged(
        self, session: Session, candidate_id: int | None, candidate_no: str, given: Sequence[str]
    ) -> tuple[bindings.Bound, bindings.Right] | None:
        """Lock the candidate and judge the standing pair; a decoy where there is none, at the same cost."""
        try:
            if candidate_id is None:
                raise NoCard
            accounts.lock(session, candidate_id)
            bound = bindings.of(session, candidate_id)
            judged = bindings.judge(bound, given, self.keys.card_key, two_needed=True)
        except NoCard:
            self._pair_right(self._card(None, candidate_no), (1, 2), given)
            return None
        return (bound, judged) if isinstance(judged, bindings.Right) else None

    def _pair_right(self, card: SealedCard, pair: tuple[int, int], given: Sequence[str]) -> bool:
        try:
            openings = [
                codes.judge(card, index, code, self.keys.card_key)
                for index, code in zip(pair, given, strict=True)
            ]
        except (Malformed, ValueError):
            return False
        return all(opening is not None for opening in openings)

    def _card(self, person: dict[str, Any] | None, serial: str) -> SealedCard:
        if person is not None and person["serial"] is not None:
            return bindings.sealed(person)
        return codes.decoy(serial, count=self.card_codes, key_version=max(self.keys.card_key))

    def _tail_fits(self, person: dict[str, Any], tail: str) -> bool:
        id_no = self.sealer.open(bytes(person["id_no_sealed"]), column="id_no", row=person["id"])
        return hmac.compare_digest(id_no[-6:].upper().encode(), tail.upper().encode())

    def _personal(self, row: dict[str, Any]) -> list[str]:
        id_no = self.sealer.open(bytes(row["id_no_sealed"]), column="id_no", row=row["id"])
        mobile = (
            self.sealer.open(bytes(row["mobile_sealed"]), column="mobile", row=row["id"])
            if row["mobile_sealed"]
            else ""
        )
        return personal_data(row["name"], id_no, mobile, row["school"], row["birth_date"])

    def _session(
        self, id_hash: bytes, candidate_id: int, where: Where, *, make_room: bool = True
    ) -> list[Write]:
        opened = sessions.started(
            id_hash,
            candidate_id,
            device=where.device_hash,
            label=where.label,
            ip=where.ip,
            life_seconds=self.session_seconds,
        )
        return [sessions.made_room(candidate_id), opened] if make_room else [opened]

    @staticmethod
    def _device(candidate_id: int, where: Where) -> list[Write]:
        return (
            [accounts.device_known(candidate_id, where.device_hash, where.label)] if where.device_hash else []
        )

    def _remember_refusal(self, act: str, person: dict[str, Any] | None, where: Where) -> None:
        with self.database.transaction() as session:
            together(session, _entry(act, person["id"] if person else None, where))


def personal_data(name: str, id_no: str, mobile: str, school: str, birth: date) -> list[str]:
    """Everything about a candidate that a classmate can know and might try as a password."""
    syllables = lazy_pinyin(name, style=Style.NORMAL)
    initials = "".join(syllable[:1] for syllable in syllables)
    birthday = birth.strftime("%Y%m%d")
    forms = passwords.birthday_forms(birthday)
    pinyin = ["".join(syllables), "".join([*syllables[1:], *syllables[:1]])]
    return [
        name,
        *pinyin,
        *(word + form for word in (initials, *pinyin) for form in forms),
        id_no,
        id_no[-8:],
        id_no[-6:],
        id_no[:6],
        mobile,
        mobile[-8:],
        school,
        *forms,
    ]


def new_ticket() -> tuple[str, bytes]:
    """A ticket for the counter to print (80 bits, four groups of four), and its hash for the table (A-10)."""
    alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    drawn = "".join(secrets.choice(alphabet) for _ in range(16))
    return "-".join(drawn[at : at + 4] for at in range(0, 16, 4)), ticket_hash(drawn)


def ticket_hash(ticket: str) -> bytes:
    """What is stored of a ticket, however it is typed."""
    return hashlib.sha256("".join(ticket.upper().split()).replace("-", "").encode()).digest()


def _entry(act: str, candidate_id: int | None, where: Where, **detail: object) -> Write:
    return audit.entry(
        act,
        actor="candidate" if candidate_id is not None else "visitor",
        candidate_id=candidate_id,
        ip=where.ip,
        request_id=where.request_id,
        device=where.label,
        **detail,
    )
