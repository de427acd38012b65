"""The offline program, `python -m cards COMMAND`: it opens no database, no network and no page."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from typing_extensions import override

from cards.errors import AlgorithmUnavailable, CardError

#: the clock, which only the program itself reads
Clock = Callable[[], datetime]

existing = click.Path(exists=True, dir_okay=False, path_type=Path)
new_file = click.Path(dir_okay=False, path_type=Path)
directory = click.Path(exists=True, file_okay=False, path_type=Path)

yes = click.option("--yes", is_flag=True, help="Do not ask. For rehearsals.")


class Said(click.Group):
    """Says in plain words what could not be done, with status 1 and without a traceback."""

    @override
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AlgorithmUnavailable as error:
            raise click.ClickException(f"This machine's OpenSSL does not offer {error}. Nothing was begun.") from error
        except CardError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            raise click.ClickException(f"{error.filename or 'A file'}: {error.strerror}.") from error


def ask_passphrase(path: Path) -> str:
    """Ask whoever sits there for the passphrase of a file."""
    asked: str = click.prompt(f"Passphrase of {path.name}", hide_input=True, err=True)
    return asked


def new_passphrase(path: Path, *, bare: bool) -> str:
    """A passphrase for a new file, typed twice; none for a bare one."""
    if bare:
        return ""
    asked: str = click.prompt(f"Passphrase for {path.name}", hide_input=True, confirmation_prompt=True, err=True)
    return asked
