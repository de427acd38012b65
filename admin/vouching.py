"""Officers who give both factors at a command's prompt, for a deed that takes two of them."""

import secrets

import click

from admin.entrance import Desk, Vouched
from app.entrance import Where


def vouched(desk: Desk, login: str) -> Vouched:
    """Ask for password and digits; raises `click.ClickException` where they do not fit together."""
    password = click.prompt(f"{login}, password", hide_input=True, err=True)
    digits = click.prompt(f"{login}, digits", hide_input=True, err=True)
    found = desk.vouch(login, password, digits.strip(), Where("", "command", secrets.token_hex(6), None))
    if not isinstance(found, Vouched):
        raise click.ClickException(f"{login}: password and digits do not fit together. Nothing was changed.")
    return found
