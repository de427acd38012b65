"""The two codes asked at the door: which they are, and what giving them does.

At activation they follow from the serial named (C-04 does not apply yet: nothing is bound). Past a wait, and for
a new password, they are the pair that stands for the bound card; a card handed over and not yet bound is asked a
pair that follows from the candidate's number, and giving it binds the card. A number that nobody has, or that has
no card, is asked that same kind of pair and judged against a decoy, so that it looks and takes alike (A-08).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from app import accounts, bindings, tallies
from app.db import Database, Write
from app.errors import ChallengeStale, NoCard
from app.notices import notice
from cards import codes
from cards.challenges import pair_for_binding
from cards.codes import SealedCard
from cards.errors import Malformed
from config.keys import KeyRing

Pair = tuple[int, int]

_STANDING = text("""
    SELECT bn.asked, bn.asked_second FROM bindings bn JOIN candidates c ON c.id = bn.candidate_id
    WHERE c.candidate_no = :candidate_no AND bn.asked IS NOT NULL AND bn.asked_second IS NOT NULL
""")
_WAITING = text("SELECT serial FROM cards WHERE holder_id = :candidate AND state = 'handed'")


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a pair was asked of, and what was answered."""

    candidate_id: int | None
    candidate_no: str
    given: Sequence[str]
    #: the pair the page showed; None: whichever stands
    shown: Pair | None


@dataclass(frozen=True, slots=True)
class Pairs:
    """Draws and judges pairs. `count` is that of the shortest card in circulation, so that all serials look alike."""

    keys: KeyRing
    count: int

    def of_serial(self, serial: str) -> Pair:
        """The pair asked of whoever names this serial; the same each time, real card or not."""
        return pair_for_binding(self.keys.binding_key, serial, self.count)

    def of_candidate(self, database: Database, candidate_no: str) -> Pair:
        """The pair asked past a wait or for a new password."""
        with database.reading() as connection:
            row = connection.execute(_STANDING, {"candidate_no": candidate_no}).first()
        return (row.asked, row.asked_second) if row is not None else self._unbound(candidate_no)

    def decoy(self, serial: str) -> SealedCard:
        """A card no code opens, to be judged where there is none."""
        return codes.decoy(serial, count=self.count, key_version=max(self.keys.card_key))

    def right(self, card: SealedCard, pair: Pair, given: Sequence[str]) -> bool:
        """Whether both codes are right. Both are looked at, whatever the first one is."""
        try:
            asked = zip(pair, given, strict=True)
            openings = [codes.judge(card, index, code, self.keys.card_key) for index, code in asked]
        except (Malformed, ValueError):
            return False
        return all(opening is not None for opening in openings)

    def spent(self, session: Session, asked: Asked, purpose: bindings.Purpose) -> list[Write] | None:
        """Lock the candidate and judge the pair that stands: the writes that spend it, or None when it is wrong.

        Raises `ChallengeStale`, the codes not looked at, when the page showed another pair. The id 0 is nobody's.
        """
        candidate_id = asked.candidate_id or 0
        accounts.lock(session, candidate_id)
        try:
            bound = bindings.of(session, candidate_id)
            if asked.shown is not None and asked.shown != (bound.asked, bound.asked_second):
                raise ChallengeStale
            judged = bindings.judge(bound, asked.given, self.keys.card_key, two_needed=True)
        except NoCard:
            return self._without_binding(session, candidate_id, asked)
        return bindings.spend(bound, judged, purpose) if isinstance(judged, bindings.Right) else None

    def _without_binding(self, session: Session, candidate_id: int, asked: Asked) -> list[Write] | None:
        serial = session.execute(_WAITING, {"candidate": candidate_id}).scalar()
        card = bindings.handed(session, serial or "", candidate_id)
        pair = self._unbound(asked.candidate_no)
        if asked.shown is not None and asked.shown != pair:
            raise ChallengeStale
        right = self.right(card or self.decoy(asked.candidate_no), pair, asked.given)
        return bound(candidate_id, card, pair) if card is not None and right else None

    def _unbound(self, candidate_no: str) -> Pair:
        return self.of_serial("sign-in|" + candidate_no)


def bound(candidate_id: int, card: SealedCard, pair: Pair) -> list[Write]:
    """The writes that bind a replacement card after its pair was given; the two codes of a lost card end (C-16)."""
    return [
        *bindings.bind(candidate_id, card, pair),
        tallies.candidate_moved(candidate_id, bound=True),
        accounts.card_replaced(candidate_id),
        notice("card_bound", candidate_id, card.serial),
    ]
