"""Rehearsals: a database marked as one before it is filled, and wiped by two officers afterwards."""

import click

from admin import wiping
from admin.commands.loading import owner
from admin.entrance import Desk
from admin.vouching import vouched


@click.group("rehearsal")
def rehearsal() -> None:
    """A rehearsal (模拟) before the season: in a database and with keys and cards of its own."""


@rehearsal.command("begin")
def begin() -> None:
    """Mark this empty database as a rehearsal, for good.

    Do this before anything is loaded and before a portal is started. From then on every page, paper and message says
    that nothing filed here counts. A database that holds candidates is refused.
    """
    with owner() as (_, database):
        wiping.mark(database)
    click.echo("This database is a rehearsal. Load it, make cards for it alone, and start the portals.")


@rehearsal.command("wipe")
@click.option("--officer", "logins", multiple=True, required=True, help="Login; twice, two people of the province.")
def wipe(logins: tuple[str, ...]) -> None:
    """Delete everything in a rehearsal, accounts of officers included. There is no way back.

    Stop the portals first. Both officers must be present: each types password and the digits of the authenticator.
    One of them is an approver. Refused in a database that is not marked as a rehearsal.
    """
    if len(logins) != 2:
        raise click.UsageError("give --officer twice: two people are needed")
    with owner() as (settings, database):
        desk = Desk(database, settings.keys())
        by = (vouched(desk, logins[0]), vouched(desk, logins[1]))
        wiping.wipe(database, settings.database_url, by)
    click.echo("Wiped: the tables are empty, and the database is still a rehearsal. Destroy its cards and its keys.")


commands: list[click.Command] = [rehearsal]
