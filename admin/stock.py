"""Stock: in which office each card lies, by spans, and the balance that must come out at every office (D-09).

A card is in one place: in stock at an office, or in a box on the way from it. The table's own constraint forbids
two. What became of a single card stands with the card (`app.bindings`): handed out, void, held back. Nothing is
added up and kept: the balance is counted from the places, the cards and what arrived in which box.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Final

from sqlalchemy import CheckConstraint, Connection, ForeignKey, text
from sqlalchemy.dialects.postgresql import INT8RANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, Session, mapped_column

from admin.scope import BELOW, Place
from admin.spans import Span, ends, joined, number_of, shown, without
from app.db import Base, Id
from app.errors import BadInput

#: states of a card that was given to somebody
ISSUED: Final = ("handed", "bound", "replaced")


class Lying(Base):
    """Cards side by side in one place."""

    __tablename__ = "places"
    __table_args__ = (
        CheckConstraint("NOT isempty(span)", name="span"),
        ExcludeConstraint(("span", "&&"), name="ex_places_span", using="gist"),
    )

    id: Mapped[Id]
    #: numbers as in `admin.spans`
    span: Mapped[Range[int]] = mapped_column(INT8RANGE)
    office_id: Mapped[int] = mapped_column(ForeignKey("offices.id"), index=True)
    #: on the way in this box, whose giver the office is; NULL: in stock
    box_id: Mapped[int | None] = mapped_column(ForeignKey("boxes.id"), index=True)


#: that the card `k` lies in the span `s`, in the order of its key: serials of one length sort as their numbers do
IN_SPAN: Final = """
    k.serial >= lpad(CAST(lower(s.span) AS text), 11, '0') AND k.serial < lpad(CAST(upper(s.span) AS text), 11, '0')
"""

# --- moving spans --------------------------------------------------------------------------------------

_OVERLAPPING = text("""
    SELECT s.id, lower(s.span) AS first, upper(s.span) - 1 AS last, s.office_id, s.box_id FROM places s
    WHERE EXISTS (SELECT FROM unnest(CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[])) w(first, last)
                  WHERE s.span && int8range(w.first, w.last, '[]'))
    ORDER BY lower(s.span) FOR UPDATE
""")
_REMOVE = text("DELETE FROM places WHERE id = ANY (:ids)")
_PUT = text("""
    INSERT INTO places (span, office_id, box_id)
    SELECT int8range(w.first, w.last, '[]'), :office, :box
    FROM unnest(CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[])) w(first, last)
""")


def take_out(session: Session, office_id: int, spans: Sequence[Span]) -> None:
    """Take spans out of an office's stock, to be put elsewhere in the same transaction.

    Raises `BadInput` naming the first card that is not in the office's stock.
    """
    here = [row for row in session.execute(_OVERLAPPING, ends(spans)) if row.office_id == office_id and not row.box_id]
    lying = [Span(row.first, row.last) for row in here]
    absent = without(spans, lying)
    if absent:
        raise BadInput(f"{shown(absent[0].first)} is not in stock here", place=absent[0].words)
    session.execute(_REMOVE, {"ids": [row.id for row in here]})
    put(session, office_id, without(lying, spans))


def put(session: Session, office_id: int, spans: Sequence[Span], box_id: int | None = None) -> None:
    """Let spans that lie nowhere lie at an office, or in a box on the way from it."""
    if spans:
        session.execute(_PUT, {"office": office_id, "box": box_id, **ends(spans)})


_HERE = text("""
    SELECT k.state FROM places s JOIN cards k ON k.serial = :serial
    WHERE s.span @> CAST(:number AS bigint) AND s.office_id = :office AND s.box_id IS NULL
    FOR SHARE OF s FOR UPDATE OF k
""")


def may_be_given(session: Session, office_id: int, serial: str) -> bool:
    """Whether this card can be given to somebody from the office's stock; it is held until the transaction ends."""
    found = session.execute(_HERE, {"serial": serial, "number": number_of(serial), "office": office_id})
    return found.scalar() == "stock"


# --- counting ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counts:
    """Cards of an office, or of offices together."""

    #: what came in from outside, less what went out again for good
    received: int = 0
    stock: int = 0
    way: int = 0
    issued: int = 0
    #: void, spoiled, held back: never to be given to anybody
    void: int = 0

    @property
    def difference(self) -> int:
        """What does not come out; 0 at every office, always."""
        return self.received - self.stock - self.way - self.issued - self.void

    def __add__(self, other: "Counts") -> "Counts":
        """Both together."""
        return Counts(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


@dataclass(frozen=True, slots=True)
class Line:
    """One office and what lies there; in a table of offices, with all below it."""

    office_id: int
    name: str
    path: str
    counts: Counts


# What came in is booked with boxes and statements, where it is now with places and cards: two sources, one sum.
_BALANCE = text(f"""
    WITH moved AS (
        SELECT t.receiver_id, t.giver_id,
               (SELECT sum(upper(r) - lower(r)) FROM unnest(b.arrived) r) AS numbers
        FROM boxes b JOIN transfers t ON t.id = b.transfer_id WHERE b.arrived IS NOT NULL
    ), booked AS (
        SELECT office_id, sum(numbers) AS received FROM (
            SELECT receiver_id AS office_id, numbers FROM moved
            UNION ALL SELECT giver_id, -numbers FROM moved
            UNION ALL SELECT o.id, st.printed FROM statements st JOIN offices o ON o.parent_id IS NULL
        ) x GROUP BY office_id
    ), lying AS (
        SELECT s.office_id,
               sum(c.stock) FILTER (WHERE s.box_id IS NULL) AS stock,
               sum(c.issued) FILTER (WHERE s.box_id IS NULL) AS issued,
               sum(c.void) FILTER (WHERE s.box_id IS NULL) AS void,
               sum(c.stock + c.issued + c.void) FILTER (WHERE s.box_id IS NOT NULL) AS way
        FROM places s CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE k.state = 'stock') AS stock,
                   count(*) FILTER (WHERE k.state = ANY (:issued)) AS issued,
                   count(*) FILTER (WHERE k.state <> 'stock' AND k.state <> ALL (:issued)) AS void
            FROM cards k WHERE {IN_SPAN}
        ) c GROUP BY s.office_id
    )
    SELECT p.id, p.name, p.path, coalesce(b.received, 0) AS received, coalesce(l.stock, 0) AS stock,
           coalesce(l.way, 0) AS way, coalesce(l.issued, 0) AS issued, coalesce(l.void, 0) AS void
    FROM offices p LEFT JOIN booked b ON b.office_id = p.id LEFT JOIN lying l ON l.office_id = p.id
    WHERE {BELOW} ORDER BY p.path
""")  # noqa: S608 -- constants


def balance(connection: Connection | Session, path: str = "/") -> list[Line]:
    """Every office at or below a path, by itself. `difference` of each is 0, or something is wrong."""
    found = connection.execute(_BALANCE, {"issued": list(ISSUED), "within": path}).mappings()
    return [
        Line(row["id"], row["name"], row["path"], Counts(*(int(row[one.name]) for one in fields(Counts))))
        for row in found
    ]


def table(connection: Connection | Session, place: Place) -> tuple[Line, list[Line]]:
    """An office by itself, and each office directly below it together with all that is below that."""
    lines = balance(connection, place.path)
    depth = place.path.count("/") + 1
    own = next(line for line in lines if line.office_id == place.id)
    return own, [
        Line(
            one.office_id,
            one.name,
            one.path,
            sum((line.counts for line in lines if line.path.startswith(one.path)), Counts()),
        )
        for one in lines
        if one.path.count("/") == depth
    ]


@dataclass(frozen=True, slots=True)
class Held:
    """Cards side by side at an office."""

    span: Span
    #: cards that can be given away; others of the span were, or are void
    stock: int


_HELD = text(f"""
    SELECT lower(s.span) AS first, upper(s.span) - 1 AS last,
           (SELECT count(*) FROM cards k WHERE {IN_SPAN} AND k.state = 'stock') AS stock
    FROM places s WHERE s.office_id = :office AND s.box_id IS NULL ORDER BY lower(s.span)
""")  # noqa: S608 -- constants


def held(connection: Connection | Session, office_id: int) -> list[Held]:
    """The spans of an office's stock, as they came."""
    return [Held(Span(row.first, row.last), row.stock) for row in connection.execute(_HELD, {"office": office_id})]


# cards side by side have the same difference of number and rank
_ISLANDS = text(f"""
    SELECT min(number) AS first, max(number) AS last FROM (
        SELECT n.number, n.number - row_number() OVER (ORDER BY n.number) AS island
        FROM places s JOIN cards k ON {IN_SPAN},
             LATERAL (SELECT CAST(left(k.serial, 11) AS bigint) AS number) n
        WHERE s.office_id = :office AND s.box_id IS NULL AND k.state = 'stock'
    ) x GROUP BY island ORDER BY 1
""")  # noqa: S608 -- constants


def unissued(connection: Connection | Session, office_id: int) -> list[Span]:
    """The spans of an office's stock in which every card can be given away."""
    return [Span(row.first, row.last) for row in connection.execute(_ISLANDS, {"office": office_id})]


_COUNTED = text(f"""
    SELECT count(*) FILTER (WHERE k.state = 'stock') AS stock,
           min(k.serial) FILTER (WHERE k.state = ANY (:issued)) AS given
    FROM (SELECT int8range(w.first, w.last, '[]') AS span
          FROM unnest(CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[])) w(first, last)) s
    JOIN cards k ON {IN_SPAN}
""")  # noqa: S608 -- constants


def counted(session: Connection | Session, spans: Sequence[Span]) -> tuple[int, str | None]:
    """How many cards of some spans can be given away, and the serial of one that already was."""
    found = session.execute(_COUNTED, {"issued": list(ISSUED), **ends(spans)}).one()
    return found.stock, found.given


_VOID = text(f"""
    UPDATE cards k SET state = 'void', ended_at = clock_timestamp()
    FROM (SELECT int8range(w.first, w.last, '[]') AS span
          FROM unnest(CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[])) w(first, last)) s
    WHERE {IN_SPAN} AND k.state = 'stock'
""")  # noqa: S608 -- constants


def void(session: Session, spans: Iterable[Span]) -> int:
    """Make cards that nobody was given good for nothing; returns how many there were."""
    done = session.execute(_VOID, ends(joined(spans)))
    return int(getattr(done, "rowcount", 0))
