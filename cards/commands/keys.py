"""Keys of those who ask for, approve, make and print a lot."""

from pathlib import Path

import click

from cards import keys
from cards.commands import new_file, new_passphrase

_bare = click.option(
    "--bare", is_flag=True, help="No passphrase: the file alone is the key. Only on a medium that lies in a safe."
)


@click.group("make-key")
def make_key() -> None:
    """Make a key: of a person, of a print works or escrow, or the one behind the verifiers.

    A file that exists is never written over. There is no way to get a lost key back.
    """


@make_key.command("person")
@click.argument("file", type=new_file)
@click.option("--name", required=True, help="The person's full name; everybody who signs needs another one.")
@_bare
def person(file: Path, name: str, bare: bool) -> None:  # noqa: FBT001 -- click
    """Make the key with which a person asks, approves, or signs what was made.

    FILE is the private key and stays with the person. FILE.pub is one line; the lines of all people together are
    the list that `make` is given as --trusted.
    """
    made = keys.make_signer(file, name, new_passphrase(file, bare=bare))
    click.echo(f"{file} is for {made.name} alone; {keys.public_of(file)} is for everybody")


@make_key.command("printer")
@click.argument("file", type=new_file)
@_bare
def printer(file: Path, bare: bool) -> None:  # noqa: FBT001 -- click
    """Make an age identity: for a print works, or for the escrow that lies in a safe.

    FILE opens print files and stays where it was made. FILE.pub goes to whoever asks for lots.
    """
    click.echo(keys.make_identity(file, new_passphrase(file, bare=bare)))


@make_key.command("cards")
@click.option(
    "--directory", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where keys are kept."
)
def cards(directory: Path) -> None:
    """Make the next version of the key behind the verifiers, card_key.N.

    The service needs the same file in its own directory of keys before it can take the lot. Keep a copy in a safe,
    apart from the copies of the database: without it no card of its lots can be judged any more.
    """
    click.echo(f"made {keys.make_card_key(directory)}")


commands: list[click.Command] = [make_key]
