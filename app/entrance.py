"""How a candidate gets in: activation, sign-in, a new card, a forgotten password; and what takes a factor again.

Argon2id of a password is always computed outside a transaction. Refusals at this door read alike: nobody
learns which of the details was wrong, nor whether a number exists (A-02, A-08). What is known of a candidate
is held against a new password only after everything else was right, or a refusal would tell it.

Waits: strangers share one an account, a known device has its own. A third is for whoever gives right codes of
the card with something else wrong: a stolen card must not be a way to try passwords past every other wait,
and nobody without the card can start it.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from app import accounts, audit, bindings, passwords, phones, sessions, tallies
from app.accounts import CARD_HOLDER, MOBILE_COLUMN, Known
from app.db import Database, Write, together
from app.errors import TooSoon
from app.notices import notice
from app.pairs import Asked, Pair, Pairs, bound
from app.phones import NewPhone
from app.sessions import Visitor
from cards.codes import SealedCard
from config.keys import KeyRing

NOTICE_VERSION: Final = "2026-11"


@dataclass(frozen=True, slots=True)
class Where:
    """Where a request comes from; goes into the audit and the session, decides nothing."""

    ip: str
    label: str
    request_id: str
    device_hash: bytes | None
    #: the session this browser is in until now; it ends when another one begins (S-02)
    leaving: bytes = b""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session was opened; `session_id` is the cookie's value."""

    session_id: str
    candidate_id: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The details did not fit together. Which of them is not said."""


@dataclass(frozen=True, slots=True)
class Weak:
    """Everything fits, but the new password is too easy to guess. Nothing was changed, no code was used."""

    reason: passwords.Weakness


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
           a.mobile_sealed AS account_mobile_sealed,
           k.serial, k.lot, k.key_chain, k.algorithm, k.salt, k.verifiers, a.candidate_id IS NOT NULL AS activated,
           own.serial AS own_serial
    FROM candidates c
    JOIN offices p ON p.id = c.point_id
    LEFT JOIN accounts a ON a.candidate_id = c.id
    LEFT JOIN cards k ON k.holder_id = c.id AND k.state = 'handed' AND k.serial = :serial
    LEFT JOIN cards own ON own.holder_id = c.id AND own.state IN ('handed', 'bound')
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
    #: how long a session lives without a request
    idle_seconds: int = 900

    @property
    def _pairs(self) -> Pairs:
        return Pairs(self.keys, self.card_codes)

    def pair_asked(self, serial: str) -> Pair:
        """The two codes asked of whoever names this serial; the same each time, real card or not."""
        return self._pairs.of_serial(serial)

    # --- activation ---------------------------------------------------------------------------------

    def activate(self, asked: Activation, where: Where) -> SignedIn | Weak | Refused:
        """Bind the card and make the account, if everything fits together; else say only that it does not.

        The codes are judged whatever else is wrong, against a decoy where there is no such card, so that a
        refusal takes equally long. Two codes are 10^14 possibilities: no counter is needed against guessing
        them, and so nobody can use one to keep the owner out. Raises `TooSoon` for right codes with a wrong
        identity number, from the sixth time on.
        """
        numbers = [*passwords.number_parts(asked.candidate_no), *passwords.number_parts(asked.serial)]
        if weak := _weak(asked.password, [*numbers, asked.id_tail]):
            return weak
        person = self._person(asked.candidate_no, asked.serial)
        there = person is not None and person["serial"] is not None
        card = bindings.sealed(person) if person and there else self._pairs.decoy(asked.serial)
        right = self._pairs.right(card, self.pair_asked(asked.serial), asked.codes)
        stored = passwords.seal(asked.password, self.keys.password_pepper, passwords.CANDIDATE)
        with self.database.transaction() as session:
            held = None
            if right and person is not None and not person["activated"]:
                held = bindings.handed(session, card.serial, person["id"])
            if held is None or person is None:
                candidate_id = person["id"] if person else None
                refusal = _refusal("activation.refused", candidate_id, where)
                together(session, refusal, _honey(asked.serial, candidate_id, where, actor="visitor"))
                return Refused()
            return self._activate(session, person, asked, held, stored, where)

    def _activate(  # noqa: PLR0913, PLR0917 -- what an activation knows
        self,
        session: Session,
        person: dict[str, Any],
        asked: Activation,
        card: SealedCard,
        stored: str,
        where: Where,
    ) -> SignedIn | Weak | Refused:
        """The part behind the codes: whoever comes here holds the card, which is locked."""
        candidate_id = person["id"]
        wait = accounts.bucket(self.keys.session_key, asked.candidate_no, CARD_HOLDER)
        if seconds := accounts.wait_seconds(session, wait):
            raise TooSoon(seconds)
        if not self._tail_fits(person, asked.id_tail):
            together(session, accounts.failed(wait), _refusal("activation.refused", candidate_id, where))
            return Refused()
        if weak := _weak(asked.password, self._known_of(person)):
            return weak
        session_id, id_hash = sessions.new_id()
        together(
            session,
            accounts.opened(candidate_id, stored, NOTICE_VERSION),
            *bindings.bind(candidate_id, card, self.pair_asked(card.serial)),
            tallies.candidate_moved(candidate_id, bound=True),
            accounts.forgiven(wait),
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
        right = self._password_right(known, password)
        resealed = self._resealed(known, password) if right else None
        with self.database.transaction() as session:
            if known.candidate_id is not None and right and accounts.hold(session, known):
                writes = self._opening(known.candidate_id, candidate_no, known, resealed, where)
                return self._open(session, known.candidate_id, where, *writes)
            together(session, *self._wrong_password(candidate_no, known, where))
        return Refused()

    def pair_for_sign_in(self, candidate_no: str) -> Pair:
        """The two codes asked past a wait or for a new password; a number nobody has is asked a pair just like one."""
        return self._pairs.of_candidate(self.database, candidate_no)

    def sign_in_with_card(
        self,
        candidate_no: str,
        password: str,
        given: Sequence[str],
        where: Where,
        pair: Pair | None = None,
    ) -> SignedIn | Refused:
        """Open a session for the right password and two right codes, past the waits of R-04 (R-05).

        `pair` is what the page asked. Raises `ChallengeStale`, without looking at the codes, when another pair
        is asked by now; `TooSoon` for right codes with a wrong password, from the sixth time on.
        """
        known = self._look_up(candidate_no, where)
        right = self._password_right(known, password)
        resealed = self._resealed(known, password) if right else None
        wait = accounts.bucket(self.keys.session_key, candidate_no, CARD_HOLDER)
        with self.database.transaction() as session:
            spend = self._pairs.spent(session, Asked(known.candidate_id, candidate_no, given, pair), "sign_in")
            if spend is None or known.candidate_id is None:
                together(session, *self._wrong_password(candidate_no, known, where))
                return Refused()
            if seconds := accounts.wait_seconds(session, wait):
                raise TooSoon(seconds)
            if not (right and accounts.hold(session, known)):
                together(session, accounts.failed(wait), _refusal("password.wrong", known.candidate_id, where))
                return Refused()
            together(session, *spend, *self._device(known.candidate_id, where), accounts.forgiven(wait))
            writes = self._opening(known.candidate_id, candidate_no, known, resealed, where)
            return self._open(session, known.candidate_id, where, *writes)

    # --- forgotten password -------------------------------------------------------------------------

    def reset(  # noqa: PLR0913, PLR0917 -- what a reset is made of
        self,
        candidate_no: str,
        ticket: str,
        given: Sequence[str],
        password: str,
        where: Where,
        pair: Pair | None = None,
    ) -> SignedIn | Weak | Refused:
        """Set a new password for the counter's ticket and two right codes; neither alone does anything (A-09).

        Every session ends, a message goes out, and for a day each confirmation needs two codes. `pair` as in
        `sign_in_with_card`.
        """
        if weak := _weak(password, passwords.number_parts(candidate_no)):
            return weak
        person = self._person(candidate_no)
        candidate_id = person["id"] if person is not None and person["activated"] else None
        stored = passwords.seal(password, self.keys.password_pepper, passwords.CANDIDATE)
        with self.database.transaction() as session:
            spend = self._pairs.spent(session, Asked(candidate_id, candidate_no, given, pair), "reset")
            ticket_right = accounts.ticket_matches(session, candidate_id or 0, ticket_hash(ticket))
            if candidate_id is None or person is None or spend is None or not ticket_right:
                together(session, _refusal("password.reset_refused", candidate_id, where))
                return Refused()
            if weak := _weak(password, self._known_of(person)):
                return weak
            together(session, *spend)
            return self._reset(session, candidate_id, candidate_no, stored, where)

    def _reset(self, session: Session, candidate_id: int, candidate_no: str, stored: str, where: Where) -> SignedIn:
        session_id, id_hash = sessions.new_id()
        key = self.keys.session_key
        together(
            session,
            accounts.password_changed(candidate_id, stored, after_reset=True),
            accounts.reset_used(candidate_id),
            sessions.all_ended(candidate_id),
            accounts.forgiven(accounts.bucket(key, candidate_no, None)),
            accounts.forgiven(accounts.bucket(key, candidate_no, CARD_HOLDER)),
            *self._device(candidate_id, where),
            notice("password_reset", candidate_id, where.request_id),
            _entry("password.reset", candidate_id, where),
        )
        together(session, *self._session(id_hash, candidate_id, where))
        return SignedIn(session_id, candidate_id)

    # --- from inside --------------------------------------------------------------------------------

    def change_password(  # noqa: PLR0913 -- who, from what to what
        self, candidate_id: int, candidate_no: str, old: str, new: str, *, keep: bytes, where: Where
    ) -> Weak | Refused | None:
        """Set a new password for the right old one; every session but `keep` ends. None: it is done.

        A wrong old password is booked against this session alone; raises `TooSoon` while its wait runs.
        """
        known = self._look_up(candidate_no, where)
        person = self._person(candidate_no)
        right = self._password_right(known, old)
        weak = _weak(new, self._known_of(person) if person else ())
        stored = passwords.seal(new, self.keys.password_pepper, passwords.CANDIDATE)
        wait = accounts.bucket(self.keys.session_key, candidate_no, keep)
        with self.database.transaction() as session:
            accounts.lock(session, candidate_id)
            if seconds := accounts.wait_seconds(session, wait):
                raise TooSoon(seconds)
            if not (right and accounts.hold(session, known)):
                together(session, accounts.failed(wait), _entry("password.wrong", candidate_id, where))
                return Refused()
            if weak:
                return weak
            together(
                session,
                accounts.password_changed(candidate_id, stored, after_reset=False),
                accounts.forgiven(wait),
                sessions.all_ended(candidate_id, but=keep),
                notice("password_changed", candidate_id, where.request_id),
                _entry("password.changed", candidate_id, where),
            )
        return None

    def change_phone(self, visitor: Visitor, given: NewPhone, where: Where) -> bindings.Wrong | Refused | None:
        """Set a new phone number for the password and the codes the card asks (A-15). None: it is done.

        The codes are looked at only behind the right password. A wrong password is booked against this session
        alone, a wrong code counts as everywhere. Raises `TooSoon`, and as `phones.judge` does.
        """
        known = self._look_up(visitor.candidate_no, where)
        right = self._password_right(known, given.password)
        candidate_id = visitor.candidate_id
        wait = accounts.bucket(self.keys.session_key, visitor.candidate_no, visitor.session_hash)
        with self.database.transaction() as session:
            accounts.lock(session, candidate_id)
            if seconds := accounts.wait_seconds(session, wait):
                raise TooSoon(seconds)
            if not (right and accounts.hold(session, known)):
                together(session, accounts.failed(wait), _entry("password.wrong", candidate_id, where))
                return Refused()
            found = phones.of(session, self.sealer, candidate_id)
            judged = phones.judge(found, visitor, given, self.keys.card_key)
            if isinstance(judged, bindings.Wrong):
                booked = phones.refused(found, visitor, given, judged, where.request_id)
                entry = _entry("code.wrong", candidate_id, where, purpose="phone", tries=judged.tries)
                together(session, *booked, entry)
                return judged
            together(
                session,
                *phones.changed(found, given, judged, self.sealer, where.request_id),
                accounts.forgiven(wait),
                *self._device(candidate_id, where),
                _entry("phone.changed", candidate_id, where),
            )
        return None

    def bind_card(self, candidate_id: int, serial: str, given: Sequence[str], where: Where) -> bool:
        """Bind a replacement card handed to this candidate, for its two codes. False: they do not fit."""
        pair = self.pair_asked(serial)
        with self.database.transaction() as session:
            accounts.lock(session, candidate_id)
            card = bindings.handed(session, serial, candidate_id)
            right = self._pairs.right(card or self._pairs.decoy(serial), pair, given)
            if card is None or not right:
                refusal = _entry("card.bind_refused", candidate_id, where)
                together(session, refusal, _honey(serial, candidate_id, where, actor="candidate"))
                return False
            together(
                session,
                *bound(candidate_id, card, pair),
                *self._device(candidate_id, where),
                _entry("card.bound", candidate_id, where, serial=serial),
            )
        return True

    def report(self, candidate_id: int, reason: str, where: Where, *, keep: bytes | None = None) -> None:
        """The card is lost, or somebody else was here: two codes from now on, and a message. Never a block (C-15).

        With `keep`, every session but that one ends too.
        """
        others = [sessions.all_ended(candidate_id, but=keep)] if keep is not None else []
        with self.database.transaction() as session:
            accounts.lock(session, candidate_id)
            together(
                session,
                accounts.two_codes_asked(candidate_id, reason),
                *others,
                notice("card_lost", candidate_id, where.request_id, reason=reason),
                _entry(f"card.{reason}", candidate_id, where),
            )

    # --- parts --------------------------------------------------------------------------------------

    def _look_up(self, candidate_no: str, where: Where) -> Known:
        with self.database.reading() as connection:
            return accounts.look_up(connection, self.keys.session_key, candidate_no, where.device_hash, where.leaving)

    def _password_right(self, known: Known, password: str) -> bool:
        if known.password is None:
            return passwords.matches_nobody(password, passwords.CANDIDATE)
        return passwords.matches(password, known.password, self.keys.password_pepper)

    def _bucket(self, candidate_no: str, known: Known, where: Where) -> bytes:
        own = where.device_hash if known.device_known else None
        return accounts.bucket(self.keys.session_key, candidate_no, own)

    def _wrong_password(self, candidate_no: str, known: Known, where: Where) -> list[Write]:
        bucket = self._bucket(candidate_no, known, where)
        return [accounts.failed(bucket), _refusal("password.wrong", known.candidate_id, where)]

    def _resealed(self, known: Known, password: str) -> str | None:
        """The right password sealed anew, when its cost or pepper has changed since."""
        stored, peppers = known.password, self.keys.password_pepper
        if stored is None or not passwords.needs_resealing(stored, peppers, passwords.CANDIDATE):
            return None
        return passwords.seal(password, peppers, passwords.CANDIDATE)

    def _opening(
        self, candidate_id: int, candidate_no: str, known: Known, resealed: str | None, where: Where
    ) -> list[Write]:
        """What a right password does besides opening the session.

        A browser nobody has vouched for with a code is told of (P-12), but not again where a session has merely lapsed.
        """
        writes = [
            accounts.signed_in(candidate_id, resealed),
            accounts.forgiven(self._bucket(candidate_no, known, where)),
        ]
        if not (known.device_known or known.session_here):
            writes.append(notice("new_device", candidate_id, where.request_id, device=where.label))
        return writes

    def _open(self, session: Session, candidate_id: int, where: Where, *writes: Write) -> SignedIn:
        session_id, id_hash = sessions.new_id()
        opened = self._session(id_hash, candidate_id, where)
        together(session, *writes, *opened, _entry("session.started", candidate_id, where))
        return SignedIn(session_id, candidate_id)

    def _person(self, candidate_no: str, serial: str = "") -> dict[str, Any] | None:
        asked = {"candidate_no": candidate_no, "serial": serial}
        with self.database.reading() as connection:
            row = connection.execute(_PERSON, asked).mappings().first()
        return dict(row) if row is not None else None

    def _tail_fits(self, person: dict[str, Any], tail: str) -> bool:
        id_no = self.sealer.open(bytes(person["id_no_sealed"]), column="id_no", row=person["id"])
        return hmac.compare_digest(id_no[-6:].upper().encode(), tail.upper().encode())

    def _known_of(self, person: dict[str, Any]) -> list[str]:
        """What others know about a candidate and must not be a password (A-05)."""

        def opened(column: str) -> str:
            sealed = person[f"{column}_sealed"]
            return self.sealer.open(bytes(sealed), column=column, row=person["id"]) if sealed else ""

        known = passwords.personal_data(
            person["name"], opened("id_no"), opened("mobile"), person["school"], person["birth_date"]
        )
        numbers = (person["candidate_no"], person["own_serial"] or "", opened(MOBILE_COLUMN))
        return [*known, *(part for number in numbers for part in passwords.number_parts(number))]

    def _session(self, id_hash: bytes, candidate_id: int, where: Where) -> list[Write]:
        return [
            sessions.made_room(candidate_id, self.idle_seconds, where.leaving),
            sessions.started(
                id_hash,
                candidate_id,
                device=where.device_hash,
                label=where.label,
                ip=where.ip,
                life_seconds=self.session_seconds,
            ),
        ]

    @staticmethod
    def _device(candidate_id: int, where: Where) -> list[Write]:
        """The write that makes this browser known, after a right code was given in it (R-06)."""
        return [accounts.device_known(candidate_id, where.device_hash, where.label)] if where.device_hash else []


def _weak(password: str, known: Sequence[str]) -> Weak | None:
    reason = passwords.weakness(password, known)
    return Weak(reason) if reason else None


def new_ticket() -> tuple[str, bytes]:
    """A ticket for the counter to print (80 bits, four groups of four), and its hash for the table (A-10)."""
    alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    drawn = "".join(secrets.choice(alphabet) for _ in range(16))
    return "-".join(drawn[at : at + 4] for at in range(0, 16, 4)), ticket_hash(drawn)


def ticket_hash(ticket: str) -> bytes:
    """What is stored of a ticket, however it is typed."""
    return hashlib.sha256("".join(ticket.upper().split()).replace("-", "").encode()).digest()


def _honey(serial: str, candidate_id: int | None, where: Where, *, actor: audit.Actor) -> Write:
    return bindings.honey_touched(
        serial, actor=actor, candidate_id=candidate_id, ip=where.ip, device=where.label, request_id=where.request_id
    )


def _refusal(act: str, candidate_id: int | None, where: Where) -> Write:
    """An entry about somebody who did not show to be the candidate."""
    return _entry(act, candidate_id, where, actor="visitor")


def _entry(
    act: str, candidate_id: int | None, where: Where, *, actor: audit.Actor = "candidate", **detail: Any
) -> Write:
    return audit.entry(
        act,
        actor=actor,
        candidate_id=candidate_id,
        ip=where.ip,
        request_id=where.request_id,
        device=where.label,
        **detail,
    )
