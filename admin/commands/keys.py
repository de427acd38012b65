"""The secrets of a deployment."""

from pathlib import Path

import click

from config import keys as key_files


@click.command("keys")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="KEYS_DIRECTORY",
    required=True,
    help="Where the keys are kept; KEYS_DIRECTORY when not given.",
)
def make_keys(directory: Path) -> None:
    """Make every secret that is missing, each a file only its owner can read.

    What is there is never touched, so this can be run again. Keep a copy of the directory in a safe, apart
    from the copies of the database: without the keys no password, no card and no phone number can be read
    again, and nothing can bring them back. To begin with new secrets on an empty service, empty the directory.
    """
    made = key_files.make(directory)
    for name in made:
        click.echo(f"made {name}")
    click.echo(f"{len(made)} made; the keys of {directory} are complete")


commands: list[click.Command] = [make_keys]
