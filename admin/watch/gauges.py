"""Figures for monitoring: what the database knows, written down by the watch and read out as Prometheus text.

Counters of one process would be wrong under several workers, and counting at each request would let whoever
asks often slow the service down. So the watch counts, once a pass, as the owner; the offices' portal, which may
see no session and no message, reads a dozen rows.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from sqlalchemy import Connection, Double, Text, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from admin import cosigning, schedule
from app.db import Base
from app.tallies import STATES


class Gauge(Base):
    """One figure, as it was at the last pass."""

    __tablename__ = "gauges"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    #: the label's value; "" where the figure has none
    label: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[float] = mapped_column(Double)


#: name: what it is, the name of its label
KNOWN: Final[dict[str, tuple[str, str]]] = {
    "zhiyuan_build": ("Which build answers: its newest migration.", "schema"),
    "zhiyuan_clock_in_doubt": ("1 while filing is suspended because of the clock, now.", ""),
    "zhiyuan_filings": ("Filings appended, waivers too.", "batch"),
    "zhiyuan_candidates": ("Candidates by where they stand, all batches together.", "state"),
    "zhiyuan_notices_waiting": ("Messages not yet sent.", ""),
    "zhiyuan_notices_oldest_seconds": ("Age of the oldest message not yet sent.", ""),
    "zhiyuan_wrong_codes_day": ("Wrong codes in the last 24 hours.", ""),
    "zhiyuan_sessions": ("Sessions of candidates in use in the last 15 minutes.", ""),
    "zhiyuan_alerts": ("Alerts not closed.", "kind"),
    "zhiyuan_witness_late_seconds": ("For how long a witness has owed a cosignature.", "witness"),
    "zhiyuan_act_late_seconds": ("For how long an approved act upon a batch has been due and not done.", ""),
    "zhiyuan_watch_seconds": ("What a rule of the watch took.", "rule"),
    "zhiyuan_watch_at_seconds": ("When the watch last finished, since 1970.", ""),
}

_QUESTIONS: Final = (
    """
    SELECT 'zhiyuan_filings', b.code, count(f.candidate_id) FROM batches b LEFT JOIN filings f ON f.batch_id = b.id
    GROUP BY b.code
    """,
    *(f"SELECT 'zhiyuan_candidates', '{state}', coalesce(sum({state}), 0) FROM tallies" for state in STATES),  # noqa: S608 -- constants
    "SELECT 'zhiyuan_notices_waiting', '', count(*) FROM notices WHERE sent_at IS NULL AND due_at < 'infinity'",
    """
    SELECT 'zhiyuan_notices_oldest_seconds', '', coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)
    FROM notices WHERE sent_at IS NULL AND due_at < 'infinity'
    """,
    """
    SELECT 'zhiyuan_wrong_codes_day', '', count(*) FROM audit
    WHERE act = 'code.wrong' AND at > statement_timestamp() - interval '24 hours'
    """,
    """
    SELECT 'zhiyuan_sessions', '', count(*) FROM sessions
    WHERE started_at > statement_timestamp() - interval '24 hours' AND ended_at IS NULL
      AND expires_at > clock_timestamp() AND seen_at > clock_timestamp() - interval '15 minutes'
    """,
    "SELECT 'zhiyuan_alerts', kind, count(*) FROM alerts WHERE state <> 'closed' GROUP BY kind",
    f"SELECT 'zhiyuan_witness_late_seconds', late.name, late.seconds FROM ({cosigning.LATE}) late",  # noqa: S608 -- constant
    f"SELECT 'zhiyuan_act_late_seconds', '', coalesce(max(late.seconds), 0) FROM ({schedule.OVERDUE}) late",  # noqa: S608 -- constant
    "SELECT 'zhiyuan_watch_at_seconds', '', extract(epoch FROM clock_timestamp())",
)
_CLEAR = text("DELETE FROM gauges WHERE name <> 'zhiyuan_watch_seconds' OR label = ANY (CAST(:rules AS text[]))")
_FIGURES: Final = " UNION ALL ".join(f"({one})" for one in _QUESTIONS)
_COUNT = text(f"INSERT INTO gauges (name, label, value) {_FIGURES}")
_TOOK = text("INSERT INTO gauges (name, label, value) VALUES ('zhiyuan_watch_seconds', :rule, :seconds)")
_READ = text("SELECT name, label, value FROM gauges ORDER BY name, label")


def note(session: Session, took: dict[str, float]) -> None:
    """Write the figures anew; `took` is what each rule of this pass took, in seconds."""
    session.execute(_CLEAR, {"rules": list(took)})
    session.execute(_COUNT)
    if took:
        session.execute(_TOOK, [{"rule": rule, "seconds": seconds} for rule, seconds in took.items()])


def read(connection: Connection) -> Iterator[tuple[str, str, float]]:
    """Every figure: its name, its label, its value."""
    for row in connection.execute(_READ):
        yield row.name, row.label, row.value


def exposition(figures: Iterable[tuple[str, str, float]]) -> str:
    """The figures in the text format Prometheus reads, version 0.0.4. They must come name by name."""
    lines: list[str] = []
    before = ""
    for name, label, value in figures:
        words, key = KNOWN[name]
        if name != before:
            lines += [f"# HELP {name} {words}", f"# TYPE {name} gauge"]
        before = name
        labels = f'{{{key}="{_escaped(label)}"}}' if key else ""
        lines.append(f"{name}{labels} {value:.15g}")
    return "\n".join(lines) + "\n"


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
