"""Cards and their binding: which card is a candidate's, which code is asked, and what an answer does.

The index asked is drawn at random among the unused ones and stays the candidate's until it is answered
right or the card is replaced, whatever the session, device or batch (C-04). A wrong code costs a try, not
the code; after five the question is for two codes, and no state refuses the holder of the card (C-09).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import CheckConstraint, Connection, ForeignKey, Index, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import audit, tallies
from app.db import Base, Document, Moment, Octets, Question, Words, Write, together
from app.errors import NoCard, NotFound, TooSoon
from cards import codes
from cards.challenges import draw_index
from cards.codes import Algorithm, SealedCard
from cards.errors import CardExhausted

SINGLE_TRIES: Final = 5
FEW_LEFT: Final = 5
#: in two-code mode a session may answer once in so long: from a known device, from any other (C-10)
PACE_KNOWN: Final = timedelta(seconds=5)
PACE_UNKNOWN: Final = timedelta(seconds=30)

Purpose = Literal["binding", "filing", "reset", "sign_in", "phone"]


class Lot(Base):
    """One production of cards. `root` is that of the cards as they were made, before any wrapping (C-19)."""

    __tablename__ = "lots"
    __table_args__ = (
        CheckConstraint("coalesce(length(root), 32) = 32 AND coalesce(length(manifest), 32) = 32", name="digests"),
    )

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    codes_per_card: Mapped[int] = mapped_column(SmallInteger)
    cards: Mapped[int]
    algorithm: Mapped[Words]
    made_at: Mapped[Moment]
    key_version: Mapped[int | None] = mapped_column(SmallInteger)
    layout: Mapped[Words | None]
    root: Mapped[Octets | None]
    #: SHA-256 of the manifest; None for a lot made on a machine for development
    manifest: Mapped[Octets | None]
    #: since when every confirmation with a card of this lot needs two codes (C-18)
    quarantined_at: Mapped[Moment | None]


class Card(Base):
    """One card as the service knows it: verifiers, never codes.

    A honey card is never handed to anybody: whoever tries one has it from the print file (C-17).
    """

    __tablename__ = "cards"
    __table_args__ = (
        CheckConstraint("state IN ('stock', 'handed', 'bound', 'replaced', 'void', 'honey')", name="state"),
        CheckConstraint("state <> 'honey' OR holder_id IS NULL", name="honey"),
        CheckConstraint("(state IN ('handed', 'bound')) <= (holder_id IS NOT NULL)", name="holder"),
        CheckConstraint("length(salt) = 16 AND mod(length(verifiers), 16) = 0", name="sealed"),
        Index(
            "uq_cards_holder_id_live",
            "holder_id",
            unique=True,
            postgresql_where=text("state IN ('handed', 'bound')"),
        ),
        Index("ix_cards_lot_state", "lot", "state"),
    )

    serial: Mapped[str] = mapped_column(Text, primary_key=True)
    lot: Mapped[str] = mapped_column(ForeignKey("lots.code"))
    #: versions of the keys, in the order they were applied (`cards.codes.SealedCard.key_chain`)
    key_chain: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    algorithm: Mapped[Words]
    salt: Mapped[Octets]
    verifiers: Mapped[Octets]
    state: Mapped[Words] = mapped_column(server_default="stock")
    holder_id: Mapped[int | None] = mapped_column(ForeignKey("candidates.id"))
    handed_at: Mapped[Moment | None]
    bound_at: Mapped[Moment | None]
    ended_at: Mapped[Moment | None]


class CardUse(Base):
    """A code that was given. The primary key is why none is ever accepted twice (C-03)."""

    __tablename__ = "card_uses"

    serial: Mapped[str] = mapped_column(ForeignKey("cards.serial"), primary_key=True)
    code_index: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id"))
    purpose: Mapped[Words]
    used_at: Mapped[Moment]


class Binding(Base):
    """The candidate's live card, and the question that stands."""

    __tablename__ = "bindings"
    candidate_id: Mapped[int] = mapped_column(ForeignKey("accounts.candidate_id"), primary_key=True)
    serial: Mapped[str] = mapped_column(ForeignKey("cards.serial"), unique=True)
    bound_at: Mapped[Moment]
    #: the index asked, and the second one for when two are needed; NULL when the card has none left
    asked: Mapped[int | None] = mapped_column(SmallInteger)
    asked_second: Mapped[int | None] = mapped_column(SmallInteger)
    wrong_tries: Mapped[int] = mapped_column(server_default="0")
    #: the last answer compared in two-code mode, by session
    paced: Mapped[Document] = mapped_column(server_default="{}")


@dataclass(frozen=True, slots=True)
class Bound:
    """A candidate's binding with all that judging an answer takes."""

    candidate_id: int
    card: SealedCard
    used: frozenset[int]
    asked: int | None
    asked_second: int | None
    wrong_tries: int
    paced: Mapping[str, str]
    #: the card's whole lot is asked two codes (C-18)
    lot_quarantined: bool = False

    @property
    def left(self) -> int:
        """Codes not yet used."""
        return self.card.count - len(self.used)

    @property
    def tries_left(self) -> int:
        """Wrong answers until two codes are asked."""
        return max(0, SINGLE_TRIES - self.wrong_tries)


FIELDS: Final = """
    bn.serial, bn.asked, bn.asked_second, bn.wrong_tries, bn.paced,
    k.lot, k.key_chain, k.algorithm, k.salt, k.verifiers, l.quarantined_at IS NOT NULL AS lot_quarantined,
    ARRAY(SELECT u.code_index FROM card_uses u WHERE u.serial = bn.serial) AS used
"""
JOINS: Final = """
    LEFT JOIN bindings bn ON bn.candidate_id = a.candidate_id
    LEFT JOIN cards k ON k.serial = bn.serial
    LEFT JOIN lots l ON l.code = k.lot
"""


def from_row(candidate_id: int, row: Mapping[str, Any]) -> Bound:
    """Build a `Bound` from a row holding `FIELDS`; raises `NoCard` when nothing is bound."""
    if row["serial"] is None:
        raise NoCard
    return Bound(
        candidate_id=candidate_id,
        card=sealed(row),
        used=frozenset(row["used"]),
        asked=row["asked"],
        asked_second=row["asked_second"],
        wrong_tries=row["wrong_tries"],
        paced=row["paced"],
        lot_quarantined=row["lot_quarantined"],
    )


def sealed(row: Mapping[str, Any]) -> SealedCard:
    """The card of a row of `cards`."""
    first, *later = row["key_chain"]
    return SealedCard(
        serial=row["serial"],
        lot=row["lot"],
        key_version=first,
        algorithm=Algorithm(row["algorithm"]),
        salt=bytes(row["salt"]),
        verifiers=bytes(row["verifiers"]),
        wraps=tuple(later),
    )


_OF: Final = Question(f"SELECT {FIELDS} FROM accounts a {JOINS} WHERE a.candidate_id = :candidate")  # noqa: S608 -- constants


def of(connection: Connection | Session, candidate_id: int) -> Bound:
    """The candidate's binding; raises `NoCard`."""
    row = _OF.first(connection, {"candidate": candidate_id})
    if row is None:
        raise NoCard
    return from_row(candidate_id, row)


# --- judging -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Right:
    """Every code asked for was given; `given` holds index and opening of each, in the order asked."""

    given: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Wrong:
    """At least one code was wrong. Nothing but the counter changes."""

    tries: int
    #: the next answer needs two codes
    two_needed: bool


def judge(bound: Bound, answers: Sequence[str], keys: Mapping[int, bytes], *, two_needed: bool) -> Right | Wrong:
    """Compare the answers, already normalised, with what is asked.

    One answer where two are needed is a wrong try without being compared, so that the first code cannot be
    searched for alone. Raises `NoCard` when the card is exhausted.
    """
    indices = (bound.asked, bound.asked_second) if two_needed else (bound.asked,)
    if any(index is None for index in indices):
        raise NoCard
    wrong = Wrong(bound.wrong_tries + 1, two_needed=two_needed or bound.wrong_tries + 1 >= SINGLE_TRIES)
    if len(answers) < len(indices):
        return wrong
    given = [
        (index, codes.judge(bound.card, index, answer, keys))
        for index, answer in zip(indices, answers, strict=False)
        if index is not None
    ]
    if all(opening is not None for _, opening in given):
        return Right(tuple((index, opening) for index, opening in given if opening is not None))
    return wrong


def require_pace(bound: Bound, session: str, now: datetime, *, device_known: bool) -> None:
    """Raise `TooSoon` when this session answered a two-code question a moment ago (C-10).

    Each session has its own pace: another one's attempts never make the holder wait.
    """
    last = bound.paced.get(session)
    pace = PACE_KNOWN if device_known else PACE_UNKNOWN
    if last is None:
        return
    wait = datetime.fromisoformat(last) + pace - now
    if wait > timedelta(0):
        raise TooSoon(max(1, round(wait.total_seconds())))


def book_wrong(candidate_id: int, session: str, *, paced: bool) -> Write:
    """The write that counts one wrong try, and in two-code mode when this session made it (C-11)."""
    return Write(
        """
        UPDATE bindings SET wrong_tries = wrong_tries + 1,
            paced = CASE WHEN :paced THEN paced || jsonb_build_object(CAST(:session AS text), clock_timestamp())
                         ELSE paced END
        WHERE candidate_id = :candidate
        """,
        {"candidate": candidate_id, "session": session, "paced": paced},
    )


def spend(bound: Bound, right: Right, purpose: Purpose) -> list[Write]:
    """The writes after a right answer: the codes are used, the tries forgiven, the next question drawn."""
    indices = [index for index, _ in right.given]
    used = bound.used | set(indices)
    asked, second = bound.asked, bound.asked_second
    if asked in indices:
        asked, second = (second if second not in indices else None), None
    if asked is None:
        asked = _draw(bound.card.count, used)
    if second is None or second in used or second == asked:
        second = _draw(bound.card.count, used, exclude=() if asked is None else (asked,))
    return [
        Write(
            """
            INSERT INTO card_uses (serial, code_index, candidate_id, purpose, used_at)
            SELECT :serial, i, :candidate, :purpose, clock_timestamp() FROM unnest(CAST(:indices AS smallint[])) i
            """,
            {
                "serial": bound.card.serial,
                "candidate": bound.candidate_id,
                "purpose": purpose,
                "indices": indices,
            },
        ),
        Write(
            """
            UPDATE bindings SET asked = :asked, asked_second = :second, wrong_tries = 0, paced = '{}'
            WHERE candidate_id = :candidate
            """,
            {"candidate": bound.candidate_id, "asked": asked, "second": second},
        ),
    ]


def _draw(count: int, used: Iterable[int], exclude: tuple[int, ...] = ()) -> int | None:
    try:
        return draw_index(count, frozenset(used), exclude)
    except CardExhausted:
        return None


# --- a card's life, as far as the service itself goes ------------------------------------------------

_HANDED = text("""
    SELECT serial, lot, key_chain, algorithm, salt, verifiers FROM cards
    WHERE serial = :serial AND holder_id = :candidate AND state = 'handed' FOR UPDATE
""")


def handed(session: Session, serial: str, candidate_id: int) -> SealedCard | None:
    """The card with this serial if it was handed to exactly this candidate and is not yet bound; holds it."""
    row = session.execute(_HANDED, {"serial": serial, "candidate": candidate_id}).mappings().first()
    return sealed(dict(row)) if row is not None else None


def bind(candidate_id: int, card: SealedCard, spent: tuple[int, int]) -> list[Write]:
    """The writes that bind a card after the codes `spent` were given; the first question is drawn."""
    used = frozenset(spent)
    asked = _draw(card.count, used)
    second = _draw(card.count, used, exclude=() if asked is None else (asked,))
    return [
        Write(
            "UPDATE cards SET state = 'bound', bound_at = clock_timestamp() WHERE serial = :serial",
            {"serial": card.serial},
        ),
        Write(
            """
            INSERT INTO bindings (candidate_id, serial, bound_at, asked, asked_second)
            VALUES (:candidate, :serial, clock_timestamp(), :asked, :second)
            """,
            {"candidate": candidate_id, "serial": card.serial, "asked": asked, "second": second},
        ),
        Write(
            """
            INSERT INTO card_uses (serial, code_index, candidate_id, purpose, used_at)
            SELECT :serial, i, :candidate, 'binding', clock_timestamp() FROM unnest(CAST(:spent AS smallint[])) i
            """,
            {"serial": card.serial, "candidate": candidate_id, "spent": list(spent)},
        ),
    ]


def hand_out(session: Session, serial: str, candidate_id: int, *, actor: audit.Actor = "command", **who: Any) -> None:
    """Record that a card from stock was handed to this candidate, in person (A-03); `who` goes into the audit.

    A card the candidate still holds dies in the same transaction: its codes stop, its question goes, and
    the new card must be bound before anything is filed (C-16). Raises `NotFound` unless the card is in stock.
    """
    session.execute(text("SELECT 1 FROM accounts WHERE candidate_id = :c FOR UPDATE"), {"c": candidate_id})
    # a statement of its own: the offices' role can end a binding only when its card has ended
    old = session.execute(
        text("""
            UPDATE cards SET state = 'replaced', ended_at = clock_timestamp()
            WHERE holder_id = :c AND state IN ('handed', 'bound') RETURNING serial
        """),
        {"c": candidate_id},
    ).scalar()
    if old is not None:
        together(
            session,
            Write("DELETE FROM bindings WHERE candidate_id = :candidate", {"candidate": candidate_id}),
            Write("DELETE FROM challenges WHERE candidate_id = :candidate", {"candidate": candidate_id}),
            *_unbound(session, candidate_id),
        )
    given = session.execute(
        text("""
            UPDATE cards SET state = 'handed', holder_id = :candidate, handed_at = clock_timestamp()
            WHERE serial = :serial AND state = 'stock' RETURNING serial
        """),
        {"serial": serial, "candidate": candidate_id},
    ).scalar()
    if given is None:
        raise NotFound(f"card {serial} is not in stock")
    together(
        session,
        audit.entry("card.handed", actor=actor, candidate_id=candidate_id, serial=serial, replaced=old, **who),
    )


def _unbound(session: Session, candidate_id: int) -> list[Write]:
    bound = session.execute(
        text("SELECT 1 FROM bindings WHERE candidate_id = :candidate"), {"candidate": candidate_id}
    ).first()
    return [tallies.candidate_moved(candidate_id, bound=False)] if bound else []


def honey_touched(serial: str, **circumstances: Any) -> Write:
    """The write that records that a code of this card was tried, if it is one that nobody has (C-17)."""
    touched = audit.entry("card.honey_touched", serial=serial, **circumstances)
    return audit.only_if("EXISTS (SELECT FROM cards WHERE serial = :honey AND state = 'honey')", touched, honey=serial)


# binary, so that verifiers travel as they are
_COPY: Final = "COPY cards (serial, lot, key_chain, algorithm, salt, verifiers, state) FROM STDIN (FORMAT BINARY)"


def bring_in(session: Session, lot: Lot, made: Iterable[SealedCard], honey: Collection[str] = ()) -> int:
    """Store a lot's verifiers by one COPY, the cards in `honey` as never to be handed out; returns how many cards."""
    session.add(lot)
    session.flush()
    connection = session.connection().connection.driver_connection
    if connection is None:
        raise NotFound("no connection")
    count = 0
    with (
        connection.cursor() as cursor,
        cursor.copy(_COPY) as copy,
    ):
        copy.set_types(("text", "text", "int2[]", "text", "bytea", "bytea", "text"))
        for card in made:
            state = "honey" if card.serial in honey else "stock"
            chain = list(card.key_chain)
            copy.write_row((card.serial, card.lot, chain, str(card.algorithm), card.salt, card.verifiers, state))
            count += 1
    return count
