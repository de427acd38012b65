"""At the print works: opening a print file, and looking at a specimen."""

import secrets
from pathlib import Path

import click

from cards import keys, printfile, sheets
from cards.commands import ask_passphrase, directory, existing, new_file
from cards.files import UNFINISHED, Output, whole_or_unfinished, write_new
from cards.lots import FEWEST_CODES, MOST_CODES
from cards.manifests import signature_of
from cards.printfile import Heading
from cards.sheets import LAYOUTS, Face


@click.command("open-print-file")
@click.argument("file", type=existing)
@click.option("--identity", required=True, type=existing, help="The print works' own age identity.")
@click.option("--trusted", required=True, type=existing, help="List with the signer in it, as the province gave it.")
@click.option("--out", required=True, type=directory, help="Where the sheets go: on a RAM disk, never on a network.")
@click.option("--sheets", "per_file", default=50, show_default=True, type=click.IntRange(1, 500), help="In each PDF.")
def open_print_file(file: Path, identity: Path, trusted: Path, out: Path, per_file: int) -> None:
    """Check the signature of a print file, decrypt it, and typeset the sheets to be printed.

    The PDF files hold every code in the clear. They stand in a directory that says UNFINISHED until the last card
    is checked; print nothing before. Delete them when the printing is done.
    """
    out_name = file.name.removesuffix(".age")
    opener = keys.load_identity(identity, ask_passphrase)
    try:
        with whole_or_unfinished(out, out_name) as place:
            sink = _Sheets(place, per_file)
            heading = printfile.decrypt(file, signature_of(file), keys.read_people(trusted), opener, sink.take)
            sink.typeset(heading)
    except BaseException:
        click.echo(f"Print nothing of this. Delete {out / f'{UNFINISHED}{out_name}'}", err=True)
        raise
    click.echo(f"{out / out_name}: {heading.count} cards of lot {heading.lot} on {sink.files} files, all checked")


class _Sheets:
    """Collects cards until a file's sheets are full."""

    def __init__(self, place: Path, per_file: int) -> None:
        self._place = place
        self._per_file = per_file
        self._waiting: list[Face] = []
        self.files = 0

    def take(self, heading: Heading, face: Face) -> None:
        """Take the next card."""
        self._waiting.append(face)
        if len(self._waiting) == self._per_file * LAYOUTS[heading.layout].on_a_sheet:
            self.typeset(heading)

    def typeset(self, heading: Heading) -> None:
        """Write what waits."""
        if not self._waiting:
            return
        name = f"{self._waiting[0].serial}-{self._waiting[-1].serial}.pdf"
        (content,) = sheets.sheets(self._waiting, LAYOUTS[heading.layout], heading.imprint)
        with Output(self._place / name) as file:
            file.write(content)
        self._waiting = []
        self.files += 1
        click.echo(f"  {name}", err=True)


@click.command("sheet")
@click.argument("file", type=new_file)
@click.option(
    "--codes", default=40, show_default=True, type=click.IntRange(FEWEST_CODES, MOST_CODES), help="On a card."
)
@click.option("--layout", default="a4-8", show_default=True, type=click.Choice(list(LAYOUTS)))
@click.option("--province", required=True)
@click.option("--hotline", required=True)
@click.option("--url", required=True)
def sheet(file: Path, codes: int, layout: str, **imprint: str) -> None:
    """Typeset one sheet of specimens, front and back, to look at before a lot is asked for.

    They are marked as void, of lot 0000, and open nothing.
    """
    chosen = LAYOUTS[layout]
    faces = sheets.specimens(chosen.on_a_sheet, codes, secrets)
    (content,) = sheets.sheets(faces, chosen, sheets.imprint(**imprint), specimen=True)
    write_new(file, content)
    click.echo(f"{file}: {chosen.on_a_sheet} specimens")


commands: list[click.Command] = [open_print_file, sheet]
