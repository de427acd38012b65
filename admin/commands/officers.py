"""Commands for the accounts of officers. What an officer is given is printed once and kept nowhere."""

from datetime import UTC, datetime, timedelta

import click
import segno

from admin import appointments
from admin.appointments import LONGEST, Credentials
from admin.commands.loading import owner
from admin.officers import ROLES, Role
from app.web.formats import ZONE

_until = click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    required=True,
    help=f"Last day of the appointment, at most {LONGEST.days} days from now.",
)


@click.group("officer")
def officers() -> None:
    """Accounts of officers: one for each person, each with an end."""


@officers.command("add")
@click.argument("login")
@click.option("--name", required=True, help="The person's name.")
@click.option("--office", "office_code", required=True, help="Code of the office: six digits, of a point ten.")
@click.option("--role", type=click.Choice(ROLES), required=True)
@_until
def add(login: str, name: str, office_code: str, role: Role, until: datetime) -> None:
    """Appoint an officer and print what they sign in with.

    Do this with the officer beside you: the authenticator reads the square, and the first password must be
    changed at the first sign-in. Neither can be shown again. `officer end` undoes it.
    """
    end = _end_of(until)
    with owner() as (settings, database):
        given = appointments.appoint(
            database,
            settings.keys(),
            login=login,
            name=name,
            office_code=office_code,
            role=role,
            until=end,
        )
    click.echo(f"appointed {given.login} as {role} until the end of {until:%Y-%m-%d}")
    _show(given)


@officers.command("list")
def everybody() -> None:
    """Who has an account, where, as what, until when, and who is signed in."""
    with owner() as (_, database), database.reading() as connection:
        found = appointments.everybody(connection)
    for one in found:
        until = one["appointed_until"].astimezone(ZONE)
        state = "until" if one["appointed"] else "ended"
        here = ", signed in" if one["seen_at"] is not None else ""
        click.echo(
            f"{one['login']:<20} {one['role']:<12} {one['office_code']:<10} {one['office_name']} {one['name']},"
            f" {state} {until:%Y-%m-%d %H:%M}{here}"
        )
    click.echo(f"{len(found)} accounts")


@officers.command("reset-totp")
@click.argument("login")
def reset_totp(login: str) -> None:
    """Give an officer a new second factor, because the telephone is lost or new.

    The old one stops at once, and so does the session. It cannot be brought back; run it again for another.
    """
    with owner() as (settings, database):
        given = appointments.reset_totp(database, settings.keys(), login)
    click.echo(f"{given.login} has a new second factor")
    _show(given)


@officers.command("reset-password")
@click.argument("login")
def reset_password(login: str) -> None:
    """Give an officer a new first password, which must be changed at the next sign-in.

    The old one stops at once, and so does the session. It cannot be brought back; run it again for another.
    """
    with owner() as (settings, database):
        given = appointments.reset_password(database, settings.keys(), login)
    _show(given)


@officers.command("end")
@click.argument("login")
def end(login: str) -> None:
    """End an appointment now, with the session. `officer extend` undoes it."""
    with owner() as (_, database):
        appointments.end(database, login)
    click.echo(f"the appointment of {login} has ended")


@officers.command("extend")
@click.argument("login")
@_until
def extend(login: str, until: datetime) -> None:
    """Appoint an officer for longer, or again, with the password and second factor they have."""
    moment = _end_of(until)
    with owner() as (_, database):
        appointments.extend(database, login, moment)
    click.echo(f"{login} is appointed until the end of {until:%Y-%m-%d}")


def _end_of(day: datetime) -> datetime:
    found = (day + timedelta(days=1)).replace(tzinfo=ZONE)
    now = datetime.now(UTC)
    if not now < found <= now + LONGEST:
        raise click.BadParameter(f"choose a day from today on and within {LONGEST.days} days", param_hint="--until")
    return found


def _show(given: Credentials) -> None:
    if given.totp_address is not None:
        click.echo(f"second factor: {given.totp_address}")
        segno.make(given.totp_address, micro=False).terminal(compact=True)
    if given.password is not None:
        click.echo(f"first password, to be changed at the first sign-in: {given.password}")
    click.echo("This is shown once.")


commands: list[click.Command] = [officers]
