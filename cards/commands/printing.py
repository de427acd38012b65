"""At the print works: opening a print file, and looking at a specimen."""

import os
import secrets
import signal
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Self

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
@click.option("--sheets", "per_file", default=25, show_default=True, type=click.IntRange(1, 100), help="In each PDF.")
def open_print_file(file: Path, identity: Path, trusted: Path, out: Path, per_file: int) -> None:
    """Check the signature of a print file, decrypt it, and typeset the sheets to be printed.

    The PDF files hold every code in the clear. They stand in a directory that says UNFINISHED until the last card
    is checked; print nothing before. Delete them when the printing is done. About 7 sheets a second and core, and
    13 MiB of memory a sheet in each file.
    """
    name = file.name.removesuffix(".age")
    opener = keys.load_identity(identity, ask_passphrase)
    try:
        with whole_or_unfinished(out, name) as place, _Sheets(place, per_file) as sink:
            heading = printfile.decrypt(file, signature_of(file), keys.read_people(trusted), opener, sink.take)
            sink.finish(heading)
    except BaseException:
        click.echo(f"Print nothing of this. Delete {out / f'{UNFINISHED}{name}'}", err=True)
        raise
    click.echo(f"{out / name}: {heading.count} cards of lot {heading.lot} in {sink.files} files, all checked")


class _Sheets:
    """Collects cards until a file's sheets are full, and has them typeset on all cores.

    Each file by a process of its own: typst keeps what it has typeset while it does the next ten files, some
    13 MiB a sheet, and offers no way to let go of it sooner.
    """

    def __init__(self, place: Path, per_file: int) -> None:
        self._place = place
        self._per_file = per_file
        self._waiting: list[Face] = []
        self._begun: deque[Future[str]] = deque()
        self._workers = len(os.sched_getaffinity(0))
        self._pool = ProcessPoolExecutor(
            self._workers, mp_context=get_context("spawn"), initializer=_leave_interrupts, max_tasks_per_child=1
        )
        self.files = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def take(self, heading: Heading, face: Face) -> None:
        """Take the next card."""
        self._waiting.append(face)
        if len(self._waiting) == self._per_file * LAYOUTS[heading.layout].on_a_sheet:
            self._begin(heading)

    def finish(self, heading: Heading) -> None:
        """Typeset what waits; every file is on the disk when this returns."""
        if self._waiting:
            self._begin(heading)
        while self._begun:
            self._end()

    def _begin(self, heading: Heading) -> None:
        if len(self._begun) > self._workers:
            self._end()
        self._begun.append(self._pool.submit(_typeset, self._place, self._waiting, heading))
        self._waiting = []

    def _end(self) -> None:
        click.echo(f"  {self._begun.popleft().result()}", err=True)
        self.files += 1


def _leave_interrupts() -> None:
    """A key press is for the process that began this one; it says what to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _typeset(place: Path, faces: list[Face], heading: Heading) -> str:
    """Write the sheets of some cards; the file's name."""
    name = f"{faces[0].serial}-{faces[-1].serial}.pdf"
    (content,) = sheets.sheets(faces, LAYOUTS[heading.layout], heading.imprint)
    with Output(place / name) as file:
        file.write(content)
    return name


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
