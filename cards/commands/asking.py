"""Asking for a lot, and approving it."""

from pathlib import Path

import click

from cards import keys, requests
from cards.codes import Algorithm
from cards.commands import Clock, ask_passphrase, existing, new_file, yes
from cards.files import read, write_new
from cards.lots import FEWEST_CODES, MOST_CODES
from cards.manifests import signature_of
from cards.requests import Named, Order
from cards.sheets import LAYOUTS
from cards.signatures import Purpose, signature

trusted = click.option("--trusted", required=True, type=existing, help="List of people: the lines of their .pub files.")


@click.command("request")
@click.argument("file", type=new_file)
@click.option("--lot", required=True, metavar="NNNN", help="Four digits that no other lot has.")
@click.option("--count", required=True, type=click.IntRange(1), help="How many cards.")
@click.option(
    "--codes", default=40, show_default=True, type=click.IntRange(FEWEST_CODES, MOST_CODES), help="On a card."
)
@click.option("--layout", default="a4-8", show_default=True, type=click.Choice(list(LAYOUTS)))
@click.option("--hash", "algorithm", default="sha256", show_default=True, type=click.Choice([*map(str, Algorithm)]))
@click.option("--key-version", required=True, type=click.IntRange(1), help="N of the file card_key.N.")
@click.option(
    "--recipient", "recipients", required=True, multiple=True, type=existing,
    help="A .age.pub file. Twice or more: the print works, and an escrow that lies in a safe.",
)  # fmt: skip
@click.option("--province", required=True, help="Printed on the card, such as 湖南省.")
@click.option("--hotline", required=True, help="Printed on the card: whom to call.")
@click.option("--url", required=True, help="Printed on the card: the one true address, https://…")
@click.option("--key", "key_file", required=True, type=existing, help="The requester's private key.")
@click.pass_obj
def request(clock: Clock, /, file: Path, key_file: Path, recipients: tuple[Path, ...], **said: object) -> None:
    """Ask for a lot: write FILE, and FILE.sig with the requester's signature.

    Both go to two other people, who approve them, and then to the offline machine. Nothing is made yet; to take a
    request back, destroy it.
    """
    imprint = {name: said.pop(name) for name in ("province", "hotline", "url")}
    codes_per_card = said.pop("codes")
    signer = keys.load_signer(key_file, ask_passphrase)
    order = requests.ordered(
        **said,
        codes_per_card=codes_per_card,
        imprint=imprint,
        recipients=tuple(keys.read_recipient(path) for path in recipients),
        requester=Named(name=signer.person.name, key=signer.person.key),
        asked_at=clock().isoformat(timespec="seconds"),
    )
    write_new(file, order.canonical)
    write_new(signature_of(file), signature(signer, Purpose.REQUEST, order.canonical))
    tell(order)
    click.echo(f"{file} and {signature_of(file).name} go to two approvers")


@click.command("approve")
@click.argument("file", type=existing)
@click.option("--key", "key_file", required=True, type=existing, help="The approver's private key.")
@trusted
@yes
def approve(file: Path, key_file: Path, trusted: Path, yes: bool) -> None:  # noqa: FBT001 -- click
    """Approve the request FILE: shows it, asks, and writes the approver's signature over its exact bytes.

    Compare what is shown with what was decided, the recipients' lines above all: they can read every code. An
    approval cannot be taken back; destroy its file if it must not be used.
    """
    content = read(file)
    order = requests.asked_by(content, read(signature_of(file)), keys.read_people(trusted))
    signer = keys.load_signer(key_file, ask_passphrase)
    requests.require_other(signer.person, order)
    tell(order)
    if not yes:
        click.confirm(f"Does {signer.person.name} approve exactly this?", abort=True, err=True)
    path = file.with_name(f"{file.name}.{signer.person.key[:8]}.approval")
    write_new(path, signature(signer, Purpose.APPROVAL, content))
    click.echo(f"{path} goes to the offline machine")


def tell(order: Order) -> None:
    """Show a request."""
    for name, value in order.told:
        click.echo(f"  {name:<24} {value}")


commands: list[click.Command] = [request, approve]
