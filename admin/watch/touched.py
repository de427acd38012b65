"""Cards: guessed at, touched although never handed out, handed out and not activated (C-10, C-17, D-11, T5, T10).

And officers who reach for more than they are shown (P-02, P-04).
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from admin.alerts import Finding, Kind
from app.evidence import masked
from config.settings import Watch

_GUESSED = text("""
    WITH guessed AS (
        SELECT candidate_id, count(*) AS count, min(at) AS first, max(at) AS latest,
               count(DISTINCT ip) AS addresses
        FROM audit WHERE act = 'code.wrong' AND at > statement_timestamp() - interval '24 hours'
        GROUP BY candidate_id HAVING count(*) > :most
    )
    SELECT g.*, c.candidate_no, c.point_id FROM guessed g JOIN candidates c ON c.id = g.candidate_id
""")


def guessed(session: Session, limits: Watch) -> Iterator[Finding]:
    """Accounts on which somebody tries code after code (C-10)."""
    for row in session.execute(_GUESSED, {"most": limits.wrong_codes}).mappings():
        yield Finding(
            "wrong_codes",
            row["point_id"],
            masked(row["candidate_no"]),
            row["count"],
            row["latest"],
            {"first": row["first"], "hours": 24, "most": limits.wrong_codes, "addresses": row["addresses"]},
            (row["candidate_id"],),
            mark=str(row["candidate_id"]),
        )


_HONEY = text("""
    SELECT e.detail ->> 'serial' AS serial, count(*) AS count, min(e.at) AS first, max(e.at) AS latest,
           array_agg(DISTINCT e.ip) FILTER (WHERE e.ip IS NOT NULL) AS networks,
           array_agg(DISTINCT e.candidate_id) FILTER (WHERE e.candidate_id IS NOT NULL) AS concerned,
           (SELECT id FROM offices WHERE parent_id IS NULL ORDER BY id LIMIT 1) AS province
    FROM audit e
    WHERE e.act = 'card.honey_touched' AND e.at > statement_timestamp() - interval '7 days'
      AND e.detail ->> 'serial' IS NOT NULL
    GROUP BY 1
""")


def honey(session: Session, _: Watch) -> Iterator[Finding]:
    """Cards that were made to be touched by nobody: whoever names one has seen a print file or a stolen box (C-17)."""
    for row in session.execute(_HONEY).mappings():
        facts = {"first": row["first"], "lot": row["serial"][:4], "networks": (row["networks"] or [])[:10]}
        yield Finding(
            "honey_card", row["province"], row["serial"], row["count"], row["latest"], facts, row["concerned"] or ()
        )


_WAITING = text("""
    WITH first AS (SELECT opens_at, closes_at FROM batches ORDER BY opens_at, closes_at LIMIT 1),
    waiting AS (
        SELECT c.point_id, array_agg(c.id) AS concerned
        FROM first, candidates c LEFT JOIN accounts a ON a.candidate_id = c.id
        WHERE a.candidate_id IS NULL
          AND statement_timestamp() >= first.opens_at - CAST(:before AS interval)
          AND statement_timestamp() < first.closes_at
          AND EXISTS (SELECT FROM cards k WHERE k.holder_id = c.id AND k.state IN ('handed', 'bound'))
        GROUP BY c.point_id
    )
    SELECT w.point_id, w.concerned, o.name, first.opens_at, clock_timestamp() AS now,
           (SELECT count(*) FROM candidates c WHERE c.point_id = w.point_id) AS people
    FROM waiting w JOIN offices o ON o.id = w.point_id, first
""")


def not_activated(session: Session, limits: Watch) -> Iterator[Finding]:
    """Schools with cards handed out and not activated, from some days before the first batch to its end (D-11)."""
    before = timedelta(days=limits.activation_days)
    for row in session.execute(_WAITING, {"before": before}).mappings():
        yield Finding(
            "not_activated",
            row["point_id"],
            row["name"],
            len(row["concerned"]),
            row["now"],
            {"people": row["people"], "opens": row["opens_at"]},
            row["concerned"],
            mark=str(row["point_id"]),
        )


def _refused(hours: int, *acts: str) -> TextClause:
    named = ", ".join(f"'{act}'" for act in acts)
    return text(f"""
        SELECT o.id AS officer_id, o.login, coalesce(p.parent_id, p.id) AS above, count(*) AS count,
               min(e.at) AS first, max(e.at) AS latest,
               array_agg(DISTINCT e.candidate_id) FILTER (WHERE e.candidate_id IS NOT NULL) AS concerned
        FROM audit e JOIN officers o ON o.id = e.officer_id JOIN offices p ON p.id = o.office_id
        WHERE e.act IN ({named}) AND e.at > statement_timestamp() - interval '{hours} hours'
        GROUP BY o.id, p.id HAVING count(*) > :most
    """)  # noqa: S608 -- constants


_BEYOND_THE_DAYS: Final = _refused(24, "phone.refused", "id_no.refused")
_AGAIN_AND_AGAIN: Final = _refused(1, "officer.refused")


def refused(session: Session, limits: Watch) -> Iterator[Finding]:
    """Officers who ask for more full numbers than a day allows, or again and again for what is not theirs.

    The office above is told, the province of its own.
    """
    asked: tuple[tuple[Kind, TextClause, int, int], ...] = (
        ("reveals", _BEYOND_THE_DAYS, 24, 0),
        ("refusals", _AGAIN_AND_AGAIN, 1, limits.refusals),
    )
    for kind, question, hours, most in asked:
        for row in session.execute(question, {"most": most}).mappings():
            facts = {"officer_id": row["officer_id"], "first": row["first"], "hours": hours, "most": most or None}
            yield Finding(
                kind,
                row["above"],
                row["login"],
                row["count"],
                row["latest"],
                facts,
                row["concerned"] or (),
                mark=str(row["officer_id"]),
            )
