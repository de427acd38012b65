"""The watch: looks over what is recorded, again and again, and raises alerts (design 4, 6, 8).

One pass puts every rule's question and raises what it finds, each rule in a transaction of its own, so that a
rule that fails takes no other with it. Passes repeat without harm: a finding that stands is brought up to date,
not raised twice. What has passed by itself is closed by itself. From where on a rule speaks is a setting
(`config.settings.Watch`).

The clock is looked at between passes, too, once a second: a jump must not wait for a minute (O-03).
"""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from admin import alerts
from admin.alerts import Finding, Kind
from admin.evidence_check import Keys
from admin.watch import fanout, gauges, house, odds, touched
from app.db import Database, together
from app.errors import Unavailable
from app.notices import notice
from cards.errors import CardError
from config.settings import Watch

_log = logging.getLogger("zhiyuan.watch")
#: a question over a whole province may take longer than one of a page, and sorts more than fits in 4 MB
_PATIENCE: Final = text("SELECT set_config('statement_timeout', '30s', true), set_config('work_mem', '64MB', true)")
PAUSE_S: Final = 60.0
#: of so many passes one puts every rule
UNHURRIED: Final = 10
#: how long between two looks at the clock
BLINK_S: Final = 1.0

Ask = Callable[[Session, Watch], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One question, and what kinds of alerts it raises."""

    name: str
    ask: Ask
    #: the kind that closes by itself, when the state it tells of has passed
    passing: Kind | None = None
    #: put in every pass of `follow`; the others read a whole day of a province, and are put in every tenth
    urgent: bool = True


@dataclass(slots=True)
class Report:
    """What a pass has done."""

    found: int = 0
    fresh: list[Finding] = field(default_factory=list)
    passed: int = 0
    took: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


def rules(keys: Keys) -> tuple[Rule, ...]:
    """Every rule, the most urgent first."""
    return (
        Rule("clock", house.clock, passing="clock"),
        Rule("act_late", house.acts_late, passing="act_late"),
        Rule("honey_card", touched.honey),
        Rule("receipts", lambda session, _: house.receipts(session, keys)),
        Rule("sealer", house.sealer, passing="sealer"),
        Rule("seal_late", house.seals_late, passing="seal_late"),
        Rule("witness_late", house.witnesses_late, passing="witness_late"),
        Rule("witness_refused", house.witnesses_refused),
        Rule("volume", house.volumes, passing="volume"),
        Rule("wrong_codes", touched.guessed),
        Rule("refused", touched.refused),
        Rule("fan_out", fanout.many, urgent=False),
        Rule("filings_run", fanout.runs, urgent=False),
        Rule("lot_wrong_codes", odds.lots, urgent=False),
        Rule("replacements", odds.replacements, urgent=False),
        Rule("not_activated", touched.not_activated, passing="not_activated", urgent=False),
    )


def run(database: Database, keys: Keys, limits: Watch, *, urgent: bool = False) -> Report:
    """One pass, of every rule or of the urgent ones. Raises nothing for a rule that fails: the report tells."""
    report = Report()
    for rule in rules(keys):
        if urgent and not rule.urgent:
            continue
        started = time.perf_counter()
        try:
            with database.transaction() as session:
                _apply(session, rule, limits, report)
        except (Unavailable, SQLAlchemyError, CardError, OSError) as error:
            _log.error("rule failed", extra={"rule": rule.name, "cause": str(error)})
            report.failed.append(rule.name)
        report.took[rule.name] = time.perf_counter() - started
    with database.transaction() as session:
        _be_patient(session)
        gauges.note(session, report.took)
    return report


def _apply(session: Session, rule: Rule, limits: Watch, report: Report) -> None:
    _be_patient(session)
    found = [one for one in rule.ask(session, limits) if one.office_id]
    fresh = [one for one in found if alerts.raise_(session, one)]
    for one in fresh:
        if one.kind == "wrong_codes":  # the candidate learns of it, once more than after the fifth (C-10)
            together(session, notice("wrong_codes", one.concerned[0], f"burst|{one.latest:%Y-%m-%d}"))
    if rule.passing is not None:
        report.passed += alerts.settle(session, rule.passing, [one.key for one in found])
    report.found += len(found)
    report.fresh += fresh


def _be_patient(session: Session) -> None:
    session.execute(_PATIENCE)


def follow(
    database: Database, keys: Keys, limits: Watch, stopped: threading.Event, tell: Callable[[Report], object]
) -> None:
    """Pass after pass until `stopped` is set, with an eye on the clock between. A database that is away delays."""
    doubted = False
    for number in itertools.count():
        due = time.monotonic() + PAUSE_S
        try:
            tell(run(database, keys, limits, urgent=number % UNHURRIED > 0))
        except Unavailable as error:
            _log.error("pass failed", extra={"cause": str(error)})
        while time.monotonic() < due and not stopped.wait(BLINK_S):
            before, doubted = doubted, _in_doubt(database, otherwise=doubted)
            if doubted != before:  # a pass now, to say so
                break
        if stopped.is_set():
            return


def _in_doubt(database: Database, *, otherwise: bool) -> bool:
    try:
        with database.transaction() as session:
            return house.look(session).in_doubt
    except Unavailable:
        return otherwise
