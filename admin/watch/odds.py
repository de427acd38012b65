"""Odds: lots and schools where something happens more often than chance would have it (D-14, T4, T6).

What is counted is people, not tries, for one person's tries are no independent events. Expected is the share
the rest of the province shows, and never less than what is usual; how unlikely the count is follows from Poisson.
"""

import math
from collections.abc import Iterator
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from admin.alerts import Finding
from config.settings import Watch

DAYS: Final = 7


def at_least(count: int, expected: float) -> float:
    """The probability that a Poisson variable of mean `expected` is `count` or more.

    The terms are summed from the small end of whichever tail is the shorter, so that 1e-30 is 1e-30.
    """
    if count <= 0:
        return 1.0
    if expected <= 0:
        return 0.0
    if count <= expected:
        return 1.0 - math.fsum(_term(each, expected) for each in range(count))
    terms, at = [_term(count, expected)], count
    while terms[-1] > terms[0] * 1e-17:
        at += 1
        terms.append(terms[-1] * expected / at)
    return math.fsum(reversed(terms))


def _term(count: int, expected: float) -> float:
    return math.exp(count * math.log(expected) - expected - math.lgamma(count + 1))


def _share(count: int, of: int, usual: float) -> float:
    return max(usual, count / of) if of > 0 else usual


# A serial begins with its lot. Where the card was replaced since the wrong code, the hand-over names the one before.
_LOTS = text("""
    WITH wrong AS (
        SELECT left(coalesce((
            SELECT h.detail ->> 'replaced' FROM audit h
            WHERE h.candidate_id = e.candidate_id AND h.act = 'card.handed' AND h.at > e.at ORDER BY h.at LIMIT 1
        ), b.serial), 4) AS lot, e.candidate_id, e.at
        FROM audit e LEFT JOIN bindings b ON b.candidate_id = e.candidate_id
        WHERE e.act = 'code.wrong' AND e.at > statement_timestamp() - interval '24 hours'
    ), lots AS (
        SELECT lot, count(DISTINCT candidate_id) AS wrong, count(*) AS tries, max(at) AS latest
        FROM wrong WHERE lot IS NOT NULL GROUP BY lot
    ), answered AS (
        SELECT left(serial, 4) AS lot, candidate_id FROM filings
        WHERE filed_at > statement_timestamp() - interval '24 hours'
        UNION SELECT lot, candidate_id FROM wrong
    ), people AS (
        SELECT lot, count(*) AS people FROM answered WHERE lot IS NOT NULL GROUP BY lot
    )
    SELECT lot, people, coalesce(wrong, 0) AS wrong, tries, latest, sum(people) OVER () AS all_people,
           sum(coalesce(wrong, 0)) OVER () AS all_wrong, o.id AS province
    FROM people LEFT JOIN lots USING (lot), offices o WHERE o.parent_id IS NULL
""")


def lots(session: Session, limits: Watch) -> Iterator[Finding]:
    """Lots of which too many cards were answered wrong in a day."""
    for row in session.execute(_LOTS).mappings():
        others = int(row["all_wrong"] - row["wrong"]), int(row["all_people"] - row["people"])
        expected = row["people"] * _share(*others, limits.usual_wrong)
        chance = at_least(row["wrong"], expected)
        if chance < limits.chance:
            facts = {"people": row["people"], "tries": row["tries"], "expected": round(expected, 2), "chance": chance}
            yield Finding("lot_wrong_codes", row["province"], row["lot"], row["wrong"], row["latest"], facts)


_REPLACED = text(f"""
    WITH replaced AS (
        SELECT c.point_id, count(DISTINCT c.id) AS count, max(e.at) AS latest,
               array_agg(DISTINCT c.id) AS concerned
        FROM audit e JOIN candidates c ON c.id = e.candidate_id
        WHERE e.act = 'card.handed' AND e.detail ->> 'replaced' IS NOT NULL
          AND e.at > statement_timestamp() - interval '{DAYS} days'
        GROUP BY c.point_id
    )
    SELECT r.*, o.name, (SELECT count(*) FROM candidates c WHERE c.point_id = r.point_id) AS people,
           sum(r.count) OVER () AS all_replaced, (SELECT count(*) FROM candidates) AS everybody
    FROM replaced r JOIN offices o ON o.id = r.point_id
""")  # noqa: S608 -- constant


def replacements(session: Session, limits: Watch) -> Iterator[Finding]:
    """Schools where too many candidates were given another card in a week."""
    for row in session.execute(_REPLACED).mappings():
        others = int(row["all_replaced"] - row["count"]), row["everybody"] - row["people"]
        expected = row["people"] * _share(*others, limits.usual_replaced)
        chance = at_least(row["count"], expected)
        if chance < limits.chance:
            yield Finding(
                "replacements",
                row["point_id"],
                row["name"],
                row["count"],
                row["latest"],
                {"people": row["people"], "days": DAYS, "expected": round(expected, 2), "chance": chance},
                row["concerned"],
                mark=str(row["point_id"]),
            )
