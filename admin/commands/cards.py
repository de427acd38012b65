"""Cards, for development and rehearsal: make a lot here and hand it out. Production makes lots offline."""

import csv
import os
from pathlib import Path
from typing import Final

import click
from sqlalchemy import text

from admin import lots
from admin.commands.loading import owner
from admin.lots import Handed
from cards import serials
from cards.codes import Algorithm
from cards.errors import MalformedSerial
from cards.lots import FEWEST_CODES, MOST_CODES, LotRequest, Made
from cards.lots import make_lot as begin_lot

WARNING: Final = """\
FOR DEVELOPMENT AND REHEARSAL ONLY. This file holds every code in the clear: whoever reads it can file in the
place of every candidate who is given one of these cards. Never give such a card to a real candidate; real lots
are made offline and printed from an encrypted file. Delete this file as soon as you can."""


@click.group("cards")
def cards() -> None:
    """Make code cards for development, and hand them out."""


@cards.command("make-lot")
@click.option("--lot", required=True, metavar="NNNN", help="Four digits that no other lot has, such as 0001.")
@click.option("--count", required=True, type=click.IntRange(1, 1_000_000), help="How many cards.")
@click.option("--codes", default=40, show_default=True, type=click.IntRange(FEWEST_CODES, MOST_CODES))
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="New csv file for serials and codes."
)
def make_lot(lot: str, count: int, codes: int, out: Path) -> None:
    """Make a lot, bring its verifiers into the service, and write serials and codes to a csv file.

    For development and rehearsal: the codes leave this machine's memory in the clear. About 25 cards a second
    and core. Broken off, it leaves no lot behind and no file. A lot is never taken back; cards of one that must
    not be used are simply not handed out.
    """
    if not serials.is_lot(lot):
        raise click.BadParameter("a lot is four digits, such as 0001", param_hint="--lot")
    with owner() as (settings, database):
        keys = settings.keys()
        request = LotRequest(lot, count, codes, Algorithm.SHA256, max(keys.card_key))
        try:
            handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise click.ClickException(f"{out} exists; name a new file, or delete that one first") from error
        try:
            with (
                os.fdopen(handle, "w", newline="", encoding="ascii") as file,
                click.progressbar(length=count, label=f"lot {lot}", show_pos=True, width=24) as bar,
            ):
                sheet = csv.writer(file)
                sheet.writerow(("serial", *(f"code {index}" for index in range(1, codes + 1))))

                def keep(made: Made) -> None:
                    sheet.writerow((made.serial, *made.codes))
                    bar.update(1)

                lots.bring_in(database, request, begin_lot(request, keys.card_key), keep)
        except BaseException:
            out.unlink()
            raise
    click.echo(f"{count} cards are in stock: {serials.make(lot, 1)} to {serials.make(lot, count)}")
    click.secho(f"{out}: {WARNING}", fg="red", bold=True, err=True)


@cards.command("hand-out")
@click.option("--point", metavar="CODE", help="Everybody of this registration point who has no card.")
@click.option("--lot", metavar="NNNN", help="With --point: the lot to take the next cards from.")
@click.option("--candidate", metavar="NUMBER", help="One candidate, with --serial.")
@click.option("--serial", metavar="SERIAL", help="With --candidate: the card.")
@click.option("--replace", is_flag=True, help="With --candidate: the card they hold stops working at once.")
def hand_out(point: str | None, lot: str | None, candidate: str | None, serial: str | None, replace: bool) -> None:  # noqa: FBT001 -- click
    """Record that cards from stock were handed to candidates, and list who got which.

    Either --point and --lot, or --candidate and --serial. A card handed to the wrong person is put right by
    handing both people a new card with --replace.
    """
    with owner() as (_, database), database.transaction() as session:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        if point and lot and not (candidate or serial):
            handed = lots.hand_out_at(session, point, lot)
        elif candidate and serial and not (point or lot):
            handed = [lots.hand_out_to(session, candidate, _serial(serial), replace=replace)]
        else:
            raise click.UsageError("give --point and --lot, or --candidate and --serial")
    _tell(handed)


def _serial(typed: str) -> str:
    try:
        return serials.parse(typed).text
    except MalformedSerial as error:
        raise click.BadParameter(
            "a serial is twelve digits, the last one a check digit; read it again", param_hint="--serial"
        ) from error


def _tell(handed: list[Handed]) -> None:
    for one in handed:
        click.echo(f"{one.candidate_no}  {one.name}  {serials.grouped(one.serial)}")
    click.echo(f"{len(handed)} cards handed out")


commands: list[click.Command] = [cards]
