"""The watch over cards, accounts and the clock."""

import signal
import sys
import threading

import click

from admin import watch
from admin.commands.loading import owner
from admin.entrance import Desk
from admin.evidence_check import Keys
from admin.vouching import vouched
from admin.watch import Report, settling
from app import clocks
from app.db import clock
from app.web.formats import ZONE


@click.group("watch")
def watching() -> None:
    """What the offices are alerted to: cards, accounts, the clock, receipts, the sealer, volumes."""


@watching.command("run")
@click.option(
    "--follow", is_flag=True, help="Stay until SIGTERM: the clock each second, urgent rules each minute, all every ten."
)
def run(follow: bool) -> None:  # noqa: FBT001 -- click
    """Look over what is recorded once, and raise or bring up to date the alerts of the offices.

    Reads as the owner. Repeating it does no harm: what stands is not raised twice. Prints what is new; status 1
    when a rule could not be asked. From where on something is an alert is set by WATCH_…, see config/settings.py.
    Let one machine do it: the clock is held against how long that machine has been running.
    """
    with owner() as (settings, database):
        ring = settings.keys()
        keys = Keys(ring.card_key, ring.receipt_public_keys())
        if not follow:
            report = watch.run(database, keys, settings.watch)
            _tell(report)
            sys.exit(1 if report.failed else 0)
        stopped = threading.Event()
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, lambda *_: stopped.set())
        watch.follow(database, keys, settings.watch, stopped, _tell)


def _tell(report: Report) -> None:
    for one in report.fresh:
        click.echo(f"new: {one.kind} {one.subject}, {one.count}")
    for name in report.failed:
        click.echo(f"could not be asked: {name}", err=True)
    slowest = max(report.took, key=report.took.__getitem__)
    click.echo(
        f"{report.found} alerts stand, {len(report.fresh)} of them new, {report.passed} have passed;"
        f" {sum(report.took.values()):.1f} s, most of it {slowest}"
    )


@watching.command("clock")
def show_clock() -> None:
    """Say what time the database's clock shows, and whether filing is suspended because of it."""
    with owner() as (_, database), database.reading() as connection:
        doubt, now = clocks.in_doubt(connection), clock(connection)
    click.echo(f"{now.astimezone(ZONE):%Y-%m-%d %H:%M:%S} ({ZONE.key})")
    click.echo("in doubt: filing is suspended" if doubt else "trusted")


@watching.command("clock-confirmed")
@click.option("--by", "logins", multiple=True, required=True, help="Login of an approver of the province; twice.")
def clock_confirmed(logins: tuple[str, ...]) -> None:
    """Two officers confirm that the database's clock shows the right time now; filing goes on at once.

    First compare it with a clock you trust: `watch clock` shows it. Each of the two types their own password and
    fresh digits. Not needed when the clock has come back by itself. Cannot be undone, and is remembered.
    """
    with owner() as (settings, database):
        desk = Desk(database, settings.keys())
        people = [vouched(desk, login) for login in logins]
        with database.transaction() as session:
            now = settling.settle(session, [one.officer_id for one in people])
    click.echo(f"the clock is taken for right from {now.astimezone(ZONE):%Y-%m-%d %H:%M:%S} on; filing goes on")


commands: list[click.Command] = [watching]
