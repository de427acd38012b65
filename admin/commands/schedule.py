"""The schedule's process: what was approved about windows, done when its time has come."""

import signal
import threading

import click

from admin import announcements, window_acts
from admin.announcements import Announced
from admin.commands.loading import owner
from admin.window_acts import Settled


@click.group("schedule")
def schedule() -> None:
    """Windows of batches, as two officers of the province have approved."""


@schedule.command("run")
@click.option("--follow", is_flag=True, help="Stay until SIGTERM, and look once a second.")
def run(follow: bool) -> None:  # noqa: FBT001 -- click
    """Do the approved acts upon batches whose waiting time is over, and queue what candidates are told of them.

    Batches that two officers have made are among them.

    Acts as the owner, each act in a transaction of its own, with everything looked at again; what cannot be done any
    more is recorded as overtaken. Several may run at once: run it in two places, so that a window moves in time
    though one of them is down. While the clock is in doubt nothing is done.
    """
    with owner() as (_, database):
        if not follow:
            for one in window_acts.settle(database):
                _tell(one)
            while announced := announcements.announce(database):
                _tell(announced)
            return
        stopped = threading.Event()
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda *_: stopped.set())
        window_acts.follow(database, stopped, _tell)


def _tell(one: Settled | Announced) -> None:
    if isinstance(one, Announced):
        if one.everybody:
            click.echo(f"{one.code}: {one.kind} announced, {one.messages} messages queued")
        return
    click.echo(f"{one.code}: {one.kind} {one.outcome}{f' ({one.why})' if one.why else ''}")


commands: list[click.Command] = [schedule]
