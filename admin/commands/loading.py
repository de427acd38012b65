"""Commands that load what offices hand in, and that write a sample province to load."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final, Literal

import click
import yaml

from admin.intake import loading, sample
from admin.intake.loading import NotLoaded, Progress, Report, Year
from app.candidates import Sealer
from app.columns import CalendarError, load_calendar
from app.db import Database
from app.specs import Calendar
from config.settings import Settings

CONFIG: Final = Path(__file__).parents[2] / "config"
SHOWN: Final = 20

_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_accept = click.option(
    "--accept-good", is_flag=True, help="Load the good rows even if others are bad. Without it a bad row loads nothing."
)
_year = click.option("--year", type=click.Choice(["2017", "2024"]), default="2017", show_default=True)


def calendar_of(year: str | int, config: Path = CONFIG) -> Calendar:
    """The calendar this deployment ships for a year."""
    return load_calendar((config / f"calendars/{year}.yaml").read_text(encoding="utf-8"))


def year_of(year: str | int, config: Path = CONFIG) -> Year:
    """Calendar and code tables of a year, as the loaders check against."""
    codes = yaml.safe_load((config / "codes.yaml").read_text(encoding="utf-8"))
    return Year(calendar_of(year, config), codes)


@contextmanager
def owner() -> Iterator[tuple[Settings, Database]]:
    """Settings and a database of the owner's, for one command."""
    settings = Settings.from_environment()
    database = Database(settings.database_url)
    try:
        yield settings, database
    finally:
        database.dispose()


def shown(path: Path, load: Callable[[Progress], Report]) -> Report:
    """Run a load with a progress bar; a refused file ends the command with its report."""
    # how many rows there are is guessed from a csv file's size, and not at all from another's
    guessed = max(1, path.stat().st_size // 200) if path.suffix.lower() == ".csv" else None
    with click.progressbar(count(), length=guessed, label=path.name, show_pos=True, width=24) as bar:
        try:
            report = load(bar.update)
        except NotLoaded as error:
            report = error.report
    _tell(path, report)
    return report


def _tell(path: Path, report: Report) -> None:
    for bad in report.bad[:SHOWN]:
        place = f", {bad.column}" if bad.column else ""
        click.echo(f"  {bad.file}, row {bad.row}{place}: {bad.reason % dict(bad.params)}", err=True)
    if report.bad:
        listed = path.with_name(f"{path.stem}.bad.csv")
        with listed.open("w", newline="", encoding="utf-8-sig") as stream:
            writer = csv.writer(stream)
            writer.writerow(("file", "row", "column", "reason"))
            for bad in report.bad:
                writer.writerow((bad.file, bad.row, bad.column, bad.reason % dict(bad.params)))
        click.echo(f"{report.bad_rows} bad rows; every place is listed in {listed.name}", err=True)
    if report.bad and not report.loaded:
        raise click.ClickException("nothing was loaded; correct the file, or take the good rows with --accept-good")
    click.echo(f"{report.file}: {report.loaded} rows loaded")


@click.command("load-regions")
@_file
@_accept
def load_regions(file: Path, accept_good: bool) -> None:  # noqa: FBT001 -- click
    """Load province, prefectures and counties."""
    with owner() as (_, database):
        shown(file, lambda bar: loading.load_regions(database, file, accept_good=accept_good, progress=bar))


@click.command("load-schools")
@_file
@_accept
def load_schools(file: Path, accept_good: bool) -> None:  # noqa: FBT001 -- click
    """Load registration points (schools). Load the regions first."""
    with owner() as (_, database):
        shown(file, lambda bar: loading.load_schools(database, file, accept_good=accept_good, progress=bar))


@click.command("load-candidates")
@_file
@_year
@_accept
def load_candidates(file: Path, year: str, accept_good: bool) -> None:  # noqa: FBT001 -- click
    """Load candidates from csv, xlsx or DBF. Load the schools first."""
    with owner() as (settings, database):
        keys = settings.keys()
        sealer = Sealer(keys.column_key, keys.index_key)
        rules = year_of(year)
        shown(
            file,
            lambda bar: loading.load_candidates(database, sealer, rules, file, accept_good=accept_good, progress=bar),
        )


@click.command("load-plans")
@_file
@_accept
def load_plans(file: Path, accept_good: bool) -> None:  # noqa: FBT001 -- click
    """Load the plan catalogue as a new version. Load the calendar first."""
    with owner() as (_, database):
        shown(file, lambda bar: loading.load_plans(database, file, accept_good=accept_good, progress=bar))


@click.command("load-calendar")
@_file
@click.option("--open-now", metavar="WINDOW", help="Move all windows so that this one is open now. For rehearsals.")
def load_calendar_file(file: Path, open_now: str | None) -> None:
    """Load the batches and windows of a calendar. Refused once anybody has filed."""
    with owner() as (_, database):
        try:
            calendar = load_calendar(file.read_text(encoding="utf-8"))
        except (CalendarError, UnicodeDecodeError) as error:
            raise click.ClickException(f"{file.name}: {error}") from error
        if open_now and open_now not in calendar.windows:
            raise click.BadParameter(f"the calendar has no window {open_now}; it has {', '.join(calendar.windows)}")
        if open_now:
            calendar = calendar.opened(open_now, datetime.now(UTC))
        click.echo(f"{loading.load_calendar(database, calendar)} batches loaded")


@click.command("sample")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--candidates", type=click.IntRange(1_000, 1_000_000), default=1_000, show_default=True)
@_year
@click.option("--format", "form", type=click.Choice(["csv", "xlsx", "dbf"]), default="csv", show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
def write_sample(directory: Path, candidates: int, year: str, form: Literal["csv", "xlsx", "dbf"], seed: int) -> None:
    """Write a made-up province as the files an office would hand in."""
    which: Literal[2017, 2024] = 2017 if year == "2017" else 2024
    files = sample.generate(directory, candidates, which, seed, format=form)
    click.echo(f"written: {files}")


commands: list[click.Command] = [
    load_regions,
    load_schools,
    load_candidates,
    load_plans,
    load_calendar_file,
    write_sample,
]
