"""The one command line, `python -m admin COMMAND`: every module of this package brings its `commands`."""

import importlib
import pkgutil
from typing import Any

import click
from sqlalchemy.exc import OperationalError
from typing_extensions import override

from app.errors import Refusal, Unavailable
from config.binaries import EmbeddedError
from config.keys import KeysError
from config.settings import SettingsError


class _Said(click.Group):
    """Says in plain words what a command could not do, with status 1 and without a traceback."""

    @override
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (SettingsError, KeysError, EmbeddedError) as error:
            raise click.ClickException(str(error)) from error
        except (Unavailable, OperationalError) as error:
            raise click.ClickException(
                "The database did not answer, so nothing was saved. Check DATABASE_URL and that PostgreSQL runs, then"
                " try again."
            ) from error
        except Refusal as error:
            raise click.ClickException(f"{str(error).rstrip('.')}. Nothing was changed.") from error


def group() -> click.Group:
    """All commands under one name."""
    gathered = _Said(
        name="admin",
        help="Commands for those who run the service. Each says with --help what it does and how to undo it.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    for found in pkgutil.iter_modules(__path__):
        for command in importlib.import_module(f"{__name__}.{found.name}").commands:
            gathered.add_command(command)
    return gathered


def main() -> None:
    """Run the command named on the command line."""
    group()(prog_name="python -m admin")
