"""The sealer and what it has sealed: run as its own user, with keys that no portal can read (L-12)."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import click

from admin import admission, bundles, closing, cosigning, ledger, sealing, witness
from admin.commands.loading import owner
from admin.entrance import Desk
from admin.vouching import vouched
from app import seals
from app.db import Database
from app.seals import LOGS, Log
from app.tallies import STATES
from app.web.formats import ZONE
from config.keys import SealKeys
from config.settings import Settings

ROLE = "zhiyuan_sealer"


@contextmanager
def sealer(role: str = ROLE) -> Iterator[tuple[Settings, Database]]:
    """Settings and a database in which one can append to the logs and seals, and change nothing."""
    settings = Settings.from_environment()
    database = Database(settings.database_url, role=role)
    try:
        yield settings, database
    finally:
        database.dispose()


def _keys(settings: Settings) -> SealKeys:
    return settings.seal_keys()


@click.group("seal")
def seal() -> None:
    """Seal closed batches, and keep the logs that seals rest on."""


@seal.command("watch")
@click.option("--once", is_flag=True, help="One round over everything, then end.")
def watch(once: bool) -> None:  # noqa: FBT001 -- click
    """Give every filing and audit entry its place in the logs and sign checkpoints, until SIGTERM.

    Filing does not wait for this: broken off for an hour, it catches up without a gap. A second one waits.
    The witnesses that WITNESSES names are asked to cosign; nothing waits for them.
    """
    with sealer() as (settings, database):
        keys = _keys(settings)
        if once:
            while ledger.round_of(database, keys, sweep=True):
                pass
            _cosigned(database, settings)
            return
        stopped = threading.Event()
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, lambda *_: stopped.set())
        # connections of their own, so that the logs do not wait for one either
        with sealer() as (_, beside):
            cosigning.start(beside, settings.witnesses, stopped)
            ledger.watch(database, keys, stopped)


def _cosigned(database: Database, settings: Settings) -> None:
    asked = [cosigning.Asked.read(one) for one in settings.witnesses]
    with database.transaction() as session:
        cosigning.enter(session, asked)
    for one in asked:
        try:
            cosigning.round_of(database, one)
        except cosigning.Away as error:
            click.echo(f"{one.name} is away: {error}", err=True)


@seal.command("witnesses")
def witnesses() -> None:
    """Print the keys that a witness must know, and how far each witness has cosigned."""
    with sealer() as (_, database), database.reading() as connection:
        published = seals.published(connection)
    for one in published.keys:
        key = witness.written_key(f"zhiyuan-seal-{one['version']}", witness.SIGNS, one["public"])
        click.echo(f"--origin-key {key}")
    for row in published.witnesses:
        key = witness.written_key(row["name"], witness.COSIGNS, row["public"])
        seen = f"checkpoint {row['number']}, {row['at'].astimezone(ZONE):%Y-%m-%d %H:%M:%S}" if row["at"] else "nothing"
        click.echo(f"{key}  {row['log']}: {seen}")


@seal.command("batch")
@click.argument("code")
def batch(code: str) -> None:
    """Seal a batch that is closed, and print its root. Run again it prints the seal there is.

    Cannot be undone. Where the end is moved later or the batch opened again to a candidate afterwards, seal it again.
    """
    with sealer() as (settings, database):
        _say(sealing.seal(database, _keys(settings), code, timedelta(seconds=settings.grace_seconds)))


@seal.command("due")
def due() -> None:
    """Seal every batch that has closed and has no seal of this close: what the timer runs, every minute.

    A batch that cannot be sealed yet keeps no other waiting; it is named, and the status is 1.
    """
    refused = []
    with sealer() as (settings, database):
        for made in sealing.seal_due(database, _keys(settings), timedelta(seconds=settings.grace_seconds)):
            if isinstance(made, sealing.CannotSeal):
                refused.append(str(made))
            else:
                _say(made)
    if refused:
        raise click.ClickException("\n".join(refused))


def _say(made: sealing.Sealed) -> None:
    click.echo(
        f"batch {made.batch_code}: seal {made.number}{'' if made.fresh else ', as before'}, {made.size} candidates"
    )
    click.echo(f"root {made.root.hex()}")


@seal.command("bundle")
@click.argument("code")
@click.argument("out", type=click.Path(exists=False, path_type=Path))
@click.option("--whole", is_flag=True, help="With every record, for auditors. Personal data: never publish it.")
def bundle(code: str, out: Path, whole: bool) -> None:  # noqa: FBT001 -- click
    """Write what admin/verify.py checks into the new directory OUT."""
    with sealer() as (_, database), database.transaction() as session:
        try:
            names = bundles.write(session, code, out, whole=whole)
        except FileExistsError as error:
            raise click.ClickException(f"{out} exists; name a new directory") from error
    click.echo(f"{out}: {', '.join(names)}")


@seal.command("consistency")
@click.argument("log", type=click.Choice(LOGS))
@click.argument("first", type=int)
@click.argument("second", type=int)
def consistency(log: Log, first: int, second: int) -> None:
    """Print the proof that the log of FIRST leaves is the beginning of that of SECOND (RFC 9162), for a witness."""
    with sealer() as (_, database), database.transaction() as session:
        tree, proof = ledger.consistency(session, log, first, second)
    said = {"log": log, "first": first, "second": second, "root": tree.root.hex()}
    click.echo(json.dumps(said | {"proof": [step.hex() for step in proof]}, indent=1))


@seal.command("report")
@click.argument("code")
def report(code: str) -> None:
    """Print how many filed, waived or did not, by office, and the seal of the batch."""
    with owner() as (_, database), database.reading() as connection:
        found = closing.report(connection, code)
    click.echo(f"{found.name} ({code}), closes {found.closes_at.astimezone(ZONE):%Y-%m-%d %H:%M:%S}")
    click.echo(f"seal {found.seal['number']}, root {found.seal['root'].hex()}" if found.seal else "not sealed")
    click.echo("  ".join(("office".ljust(8), *STATES)))
    for row in found.rows:
        counts = "  ".join(f"{row[state]:>{len(state)}}" for state in STATES)
        click.echo(f"{row['code']:<8}  {counts}  {row['name']}")


@seal.command("export")
@click.argument("code")
@click.option("--recipient", required=True, metavar="AGE1…", help="Public key of whoever places the candidates.")
@click.option("--officer", "logins", multiple=True, required=True, help="Login; twice, two people of the province.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="New file.")
def export(code: str, recipient: str, logins: tuple[str, ...], out: Path) -> None:
    """Hand the list of a sealed batch to admission: T_ZYK of both generations and csv, encrypted.

    Both officers must be present: each types password and the digits of the authenticator. One of them is an
    approver. At most once an hour; every export is in the audit with both names.
    """
    if len(logins) != 2:
        raise click.UsageError("give --officer twice: two people are needed")
    with owner() as (settings, database):
        desk = Desk(database, settings.keys())
        by = (vouched(desk, logins[0]), vouched(desk, logins[1]))
        try:
            made = admission.export_standing(database, code, recipient, by, out)
        except FileExistsError as error:
            raise click.ClickException(f"{out} exists; name a new file") from error
    click.echo(f"{out}: {made.candidates} candidates, {made.rows} rows, sha256 {made.digest}")
    if made.marked:
        click.echo(f"{made.marked} texts do not fit into GBK; see marked.csv inside", err=True)


commands: list[click.Command] = [seal]
