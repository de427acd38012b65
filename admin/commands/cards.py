"""Cards: bring in lots that were made offline, renew their key; for rehearsal, make a lot here and hand it out."""

import csv
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
from sqlalchemy import text

from admin import lots, wrapping
from admin.commands.loading import owner
from admin.lots import Handed
from cards import manifests, serials
from cards.codes import Algorithm
from cards.errors import CardError, MalformedSerial
from cards.keys import read_people
from cards.lots import FEWEST_CODES, MOST_CODES, LotRequest, Made
from cards.lots import make_lot as begin_lot

WARNING: Final = """\
FOR DEVELOPMENT AND REHEARSAL ONLY. This file holds every code in the clear: whoever reads it can file in the
place of every candidate who is given one of these cards. Never give such a card to a real candidate; real lots
are made offline and printed from an encrypted file. Delete this file as soon as you can."""


@click.group("cards")
def cards() -> None:
    """Bring in lots of code cards and look after them. Lots are made offline, with `python -m cards`."""


@cards.command("make-lot")
@click.option("--lot", required=True, metavar="NNNN", help="Four digits that no other lot has, such as 0001.")
@click.option("--count", required=True, type=click.IntRange(1, 1_000_000), help="How many cards.")
@click.option("--codes", default=40, show_default=True, type=click.IntRange(FEWEST_CODES, MOST_CODES))
@click.option("--honey", default=0, show_default=True, type=click.IntRange(0), help="Cards that nobody will get.")
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="New csv file for serials and codes."
)
def make_lot(lot: str, count: int, codes: int, honey: int, out: Path) -> None:
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

                lots.bring_in(database, request, begin_lot(request, keys.card_key), keep, honey)
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


_manifest = click.argument("manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_trusted = click.option(
    "--trusted",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="List with the offline machine's signer in it: the line of its .pub file.",
)


@cards.command("bring-in")
@_manifest
@_trusted
@click.option(
    "--honey",
    default=lots.FEWEST_HONEY,
    show_default=True,
    type=click.IntRange(0),
    help=f"Cards drawn at random that nobody will get. Fewer only for a lot below {lots.SMALL_LOT} cards.",
)
def bring_in(manifest: Path, trusted: Path, honey: int) -> None:
    """Bring in the verifiers of a lot that was made offline; its verifier file lies beside the MANIFEST.

    The whole lot or nothing of it. A lot is never taken back; cards of one that must not be used are simply not
    handed out. Then pull the honey cards from the boxes: `python -m admin cards honey LOT` lists them.
    """
    with owner() as (settings, database), _plainly("Nothing was changed."):
        opened = manifests.open_manifest(manifest, read_people(trusted))
        order = opened.manifest.order
        with _bar(order.count, f"lot {order.lot}") as bar:
            count = lots.bring_in_made(database, opened, settings.keys().card_key, bar.update, honey)
    click.echo(f"{count} cards of lot {order.lot} are here, {honey} of them honey; root {opened.manifest.root}")


@cards.command("check-lot")
@_manifest
@_trusted
def check_lot(manifest: Path, trusted: Path) -> None:
    """Compare every card of a lot with the verifier file beside the MANIFEST, whose root was published.

    Changes nothing. Lists the serials whose row was altered since, with status 1: then stop handing out cards of
    this lot, keep a copy of the database as it is, and look who had access.
    """
    with owner() as (settings, database), _plainly():
        opened = manifests.open_manifest(manifest, read_people(trusted))
        opened.require_verifier_file()
        count = opened.manifest.order.count
        with database.transaction() as session, _bar(count, manifest.name) as bar:
            found = list(lots.differing(session, opened, settings.keys().card_key, bar.update))
    for serial in found:
        click.echo(serials.grouped(serial))
    if found:
        raise click.ClickException(f"{len(found)} of {count} cards are not as they were made")
    click.echo(f"all {count} cards are as they were made")


@cards.command("honey")
@click.argument("lot")
def honey(lot: str) -> None:
    """List the honey cards of a LOT, to be pulled from the boxes by two people and destroyed, with minutes.

    Nobody ever gets one. Whoever tries a code of one has read the print file: the audit then tells of
    card.honey_touched. Show the list to nobody else.
    """
    with owner() as (_, database), database.reading() as connection:
        found = lots.honey_of(connection, lot)
    for serial in found:
        click.echo(serials.grouped(serial))
    click.echo(f"{len(found)} honey cards in lot {lot}", err=True)


@cards.command("rotate-key")
@click.option("--to", "version", type=click.IntRange(1), help="N of card_key.N; the newest when not given.")
@click.option("--yes", is_flag=True, help="Do not ask whether both portals know the key.")
def rotate_key(version: int | None, yes: bool) -> None:  # noqa: FBT001 -- click
    """Put every verifier under one more key, card_key.N, while the service runs. For when a card key may have leaked.

    First make the key (`python -m cards make-key cards`), give it to both portals (a line LoadCredential=card_key.N)
    and restart them; a portal that does not know the key can judge no card that is wrapped. Broken off, begin again:
    it goes on where it was. There is no way back, and the old keys must be kept: all of the chain are needed.
    """
    with owner() as (settings, database), _plainly():
        keys = settings.keys().card_key
        version = version or max(keys)
        with database.reading() as connection:
            count = wrapping.left(connection, version)
        if count and not yes:
            click.confirm(f"{count} cards. Were both portals restarted with card_key.{version}?", abort=True, err=True)
        with _bar(count, f"card_key.{version}") as bar:
            done = wrapping.wrap_all(database, keys, version, bar.update)
    click.echo(f"{done} cards wrapped; every card is under card_key.{version}. Keep the older keys")


@contextmanager
def _plainly(besides: str = "") -> Iterator[None]:
    """Say what was wrong with a lot's files or keys, and what it means for the service."""
    try:
        yield
    except CardError as error:
        raise click.ClickException(f"{str(error).rstrip('.')}. {besides}".rstrip()) from error


def _bar(count: int, label: str) -> "click._termui_impl.ProgressBar[int]":
    steps = max(1, count // 1000)
    return click.progressbar(
        length=count, label=label, show_pos=True, width=24, file=sys.stderr, update_min_steps=steps
    )


commands: list[click.Command] = [cards]
