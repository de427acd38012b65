"""Running the service: its schema, its messages, the demo and the smoke walk."""

import signal
import sys
import threading
from pathlib import Path

import click

from admin import demo as demo_stage
from admin import schema, sending
from admin import smoke as smoke_walk
from admin.demo import Wish
from admin.smoke import SmokeError
from admin.stage import StageError
from config.settings import Settings


@click.command("migrate")
@click.option("--database-url", envvar="DATABASE_URL", required=True, help="DATABASE_URL when not given.")
@click.option("--down", is_flag=True, help="Undo the newest migration, with the data only it has room for.")
@click.option("--yes", is_flag=True, help="With --down: do not ask.")
def migrate(database_url: str, down: bool, yes: bool) -> None:  # noqa: FBT001 -- click
    """Bring the database to the newest schema; nothing happens when it is there.

    Needs the owner's login. Two at once wait for each other. Each migration is a transaction: one that fails
    leaves the state before it. Take a copy of the database before --down: what it drops is gone.
    """
    before = schema.current(database_url)
    if down:
        if not before:
            raise click.ClickException("the database is empty; there is nothing to undo")
        if not yes:
            click.confirm(f"Undo migration {before} and drop what only it has room for?", abort=True, err=True)
        schema.downgrade(database_url)
    else:
        schema.upgrade(database_url)
    after = schema.current(database_url)
    click.echo(f"schema {before or 'empty'} -> {after or 'empty'}" if after != before else f"schema {after}, as before")


@click.command("send")
@click.option("--once", "how", flag_value="once", help="Send what is due and end.")
@click.option("--loop", "how", flag_value="loop", help="Stay and send whatever becomes due, until SIGTERM.")
@click.option("--failed", "how", flag_value="failed", help="Only list what is in trouble; send nothing.")
def send(how: str | None) -> None:
    """Send the messages to candidates that are due, through the gateway named by SENDER.

    A message that could not be sent is tried again after half a minute, then after growing waits up to an
    hour, for three days. Several may run at once: none sends what another has taken.
    """
    settings = Settings.from_environment()
    with sending.post_office(settings) as post:
        if how == "failed":
            _list_trouble(post)
        elif how == "once":
            _send_once(post)
        elif how == "loop":
            stopped = threading.Event()
            for one in (signal.SIGTERM, signal.SIGINT):
                signal.signal(one, lambda *_: stopped.set())
            post.until_stopped(stopped)
        else:
            raise click.UsageError("say --once, --loop or --failed")


def _send_once(post: sending.Post) -> None:
    done = trouble = 0
    while (step := post.round()) != (0, 0):
        done, trouble = done + step[0], trouble + step[1]
        click.echo(f"\r{done} sent, {trouble} not", nl=False, err=True)
    counts = post.counts()
    click.echo(
        f"{done} sent, {trouble} not sent now; {counts['waiting']} are waiting, {counts['given_up']} given up"
        + (" (see --failed)" if trouble or counts["given_up"] else "")
    )
    if trouble:
        sys.exit(1)


def _list_trouble(post: sending.Post) -> None:
    for row in post.in_trouble():
        when = f"again at {row['due_at']}" if row["due_at"] else "given up"
        click.echo(f"{row['id']}  {row['kind']}  {row['attempts']} attempts, {when}: {row['trouble']}")


@click.command("demo")
@click.option("--directory", type=click.Path(file_okay=False, path_type=Path), default=".demo", show_default=True)
@click.option("--fresh", is_flag=True, help="Throw away the province of the last time and make a new one.")
@click.option("--port", default=8000, show_default=True, help="Of the candidates' portal.")
@click.option("--offices-port", default=8001, show_default=True, help="Of the offices' portal.")
@click.option("--candidates", type=click.IntRange(1_000, 100_000), default=2_000, show_default=True)
def demo(directory: Path, fresh: bool, port: int, offices_port: int, candidates: int) -> None:  # noqa: FBT001 -- click
    """Start a sample province on this machine: servers, both portals, candidates with cards, officers.

    Needs nothing installed beforehand and reaches nothing outside. Listens on this machine only. Everything is
    in one directory, which is kept; the next start takes seconds. Remove it with --fresh.
    """
    try:
        demo_stage.run(Wish(directory, fresh, port, offices_port, candidates), click.echo)
    except StageError as error:
        raise click.ClickException(str(error)) from error


@click.command("smoke")
def smoke() -> None:
    """Walk through the whole service once, in a temporary directory, and say of each step how long it took.

    Starts servers and both portals on free ports of this machine, files twice as a candidate would, looks as an
    officer would, closes the batch, and removes everything. Status 1 at the first step that fails, with what the
    page said.
    """
    try:
        smoke_walk.run(click.echo)
    except (StageError, SmokeError) as error:
        raise click.ClickException(str(error)) from error


commands: list[click.Command] = [migrate, send, demo, smoke]
