"""Making a lot on the offline machine, and checking what was made."""

import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

import click

from cards import keys, manifests, requests
from cards.commands import Clock, ask_passphrase, directory, existing, new_file
from cards.commands.asking import tell, trusted
from cards.errors import LotRefused
from cards.files import read
from cards.making import Making, Register
from cards.manifests import Opened, signature_of

_SWAPS: Final = Path("/proc/swaps")


@click.command("make-register")
@click.argument("file", type=new_file)
def make_register(file: Path) -> None:
    """Make the register of a machine that never made a lot before. Once; it is kept for good."""
    Register(file).begin()
    click.echo(f"{file} will say which requests are spent. Keep it with the machine, and never begin another")


@click.command("make")
@click.argument("file", type=existing)
@click.option("--approval", "approvals", multiple=True, type=existing, help="An .approval file; twice.")
@trusted
@click.option("--keys", "key_directory", required=True, type=directory, help="Where card_key.N is.")
@click.option("--signer", required=True, type=existing, help="Private key that signs what was made.")
@click.option(
    "--register", required=True, type=click.Path(dir_okay=False, path_type=Path), help="This machine's register."
)
@click.option("--out", required=True, type=directory, help="An empty directory with room for the lot.")
@click.option("--allow-swap", is_flag=True, help="Go on although this machine swaps: plain codes may reach its disk.")
@click.option("--workers", type=click.IntRange(1), help="How many cores; all of them when not given.")
@click.pass_obj
def make(  # noqa: PLR0913, PLR0917 -- click
    clock: Clock,
    file: Path,
    approvals: tuple[Path, ...],
    trusted: Path,
    key_directory: Path,
    signer: Path,
    register: Path,
    out: Path,
    allow_swap: bool,  # noqa: FBT001 -- click
    workers: int | None,
) -> None:
    """Make the lot that the request FILE asks for. On a machine without a network, with its swap off.

    Checks signatures, approvals, key, room and register first. From the first card on the request is spent: broken
    off, the lot is never completed, and another one must be asked for. About 25 cards of 40 codes a second and core.

    OUT/lot-NNNN then holds the print file (for the print works), the verifier file (for the service), the manifest
    (for everybody; publish its root before a card leaves the province), and a signature of each.
    """
    content = read(file)
    approved = requests.approved(
        content, read(signature_of(file)), [read(path) for path in approvals], keys.read_people(trusted)
    )
    _require_closed(allow_swap=allow_swap)
    order = approved.order
    key = keys.read_card_key(key_directory, order.key_version)
    making = Making(approved, content, key, keys.load_signer(signer, ask_passphrase), Register(register), out, workers)
    tell(order)
    click.echo(f"  {'approved by':<24} {', '.join(person.name for person in approved.approvers)}")
    with _broken_off(making), _bar(order.count, making.name) as bar:
        made = making.run(clock(), bar.update)
    click.echo(f"{made} is whole. Root to publish: {manifest_of(made).order.lot} {manifest_of(made).root}")


def manifest_of(made: Path) -> manifests.Manifest:
    """The manifest of a lot just made."""
    lot = made.name.removeprefix("lot-")
    return manifests.Manifest.model_validate_json(read(made / manifests.manifest_name(lot)))


def _bar(count: int, label: str) -> "click._termui_impl.ProgressBar[int]":
    return click.progressbar(
        length=count, label=label, show_pos=True, width=24, file=sys.stderr, update_min_steps=max(1, count // 1000)
    )


def _require_closed(*, allow_swap: bool) -> None:
    """Nothing of this process may reach a disk: no core file, and no swap."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    swaps = _SWAPS.read_text(encoding="ascii").splitlines()[1:] if _SWAPS.exists() else []
    if swaps and not allow_swap:
        raise LotRefused("This machine swaps, so codes could reach its disk. Say `swapoff -a`. Nothing was begun.")


@contextmanager
def _broken_off(making: Making) -> Iterator[None]:
    """Say what is left, and what to do, when a lot is broken off: by the disk, a key press or a signal."""

    def stop(_: int, __: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = {one: signal.signal(one, stop) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except BaseException as error:
        if not making.unfinished.exists():
            raise
        click.echo(err=True)
        reason = error.strerror if isinstance(error, OSError) else str(error) or "interrupted"
        raise click.ClickException(
            f"The lot was broken off: {reason}. Nothing of it may be used. Delete {making.unfinished}. The request is"
            f" spent: ask for a new lot, with another number than {making.approved.order.lot}."
        ) from None
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@click.command("verify")
@click.argument("manifest", type=existing)
@click.option("--trusted", required=True, type=existing, help="List with the signer in it: the line of its .pub file.")
@click.option("--without-print-file", is_flag=True, help="Only the verifier file, where the print file is not at hand.")
def verify(manifest: Path, trusted: Path, without_print_file: bool) -> None:  # noqa: FBT001 -- click
    """Check a manifest against the files beside it: signatures, digests, every serial, the root."""
    opened = manifests.open_manifest(manifest, keys.read_people(trusted))
    opened.require_verifier_file()
    if not without_print_file:
        opened.require_print_file()
    count = opened.manifest.order.count
    with _bar(count, manifest.name) as bar:
        for _ in manifests.cards_of(opened):
            bar.update(1)
    tell(opened.manifest.order)
    _tell_rest(opened)


def _tell_rest(opened: Opened) -> None:
    manifest = opened.manifest
    for name, value in (
        ("approved by", ", ".join(person.name for person in manifest.approvers)),
        ("made at", manifest.made_at),
        ("signed by", opened.signer.name),
        ("root", manifest.root),
    ):
        click.echo(f"  {name:<24} {value}")
    click.echo("everything fits")


commands: list[click.Command] = [make_register, make, verify]
