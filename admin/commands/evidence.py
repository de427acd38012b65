"""Checking evidence: one receipt offline, or every chain in the database."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from admin import evidence_check
from admin.commands.loading import owner
from admin.evidence_check import Keys
from app.evidence import Receipt, ReceiptError, shown
from app.evidence import verify_receipt as verify
from app.web.formats import ZONE
from cards.errors import CardError

#: a receipt inside a text or an address: two base64url words and a dot
_RECEIPT: Final = re.compile(r"[A-Za-z0-9_-]{40,}\.[A-Za-z0-9_-]{40,}")
_KEY_NAME: Final = re.compile(r"receipt_public\.([0-9]+)\.pem")


@click.command("verify-receipt")
@click.argument("file", type=click.File("r", encoding="utf-8", errors="replace"))
@click.option(
    "--keys",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="KEYS_DIRECTORY",
    required=True,
    help="Where the files receipt_public.N.pem are; KEYS_DIRECTORY when not given.",
)
def verify_receipt(file: TextIO, directory: Path) -> None:
    """Check a receipt offline and print what it says. FILE may be - for the keyboard or a pipe.

    Needs nothing but the public keys: no database, no network. The file may be the receipt alone, or a text or
    an address with the receipt in it (what a scanner reads from the QR code). Status 1 when it proves nothing.
    """
    text = file.read()
    public_keys = dict(_public_keys(directory))
    if not public_keys:
        raise click.ClickException(f"{directory} has no receipt_public.N.pem; ask the office for its public keys")
    trouble = "There is no receipt in this text. Check that nothing of it was cut off."
    # as it stands, and put together again where a mail program has broken the line
    for found in dict.fromkeys(_RECEIPT.findall(text) + _RECEIPT.findall("".join(text.split()))):
        try:
            _tell(verify(found, public_keys))
        except ReceiptError as error:
            trouble = str(error)
        else:
            return
    raise click.ClickException(trouble)


def _tell(receipt: Receipt) -> None:
    click.echo("This receipt is genuine. It says:")
    for name, value in (
        ("candidate", receipt.candidate),
        ("batch", receipt.batch),
        ("number", receipt.number),
        ("kind", receipt.kind),
        ("filed at", f"{receipt.filed_at.astimezone(ZONE):%Y-%m-%d %H:%M:%S} ({ZONE.key})"),
        ("digest", shown(receipt.digest)),
        ("signed with", f"key {receipt.key_id}"),
    ):
        click.echo(f"  {name:<12} {value}")


def _public_keys(directory: Path) -> Iterator[tuple[str, Ed25519PublicKey]]:
    for path in sorted(directory.iterdir()):
        named = _KEY_NAME.fullmatch(path.name)
        if named:
            key = load_pem_public_key(path.read_bytes())
            if not isinstance(key, Ed25519PublicKey):
                raise click.ClickException(f"{path.name} is no Ed25519 public key; ask the office for the right file")
            yield named[1], key


@click.command("verify-chains")
def verify_chains() -> None:
    """Check every filing in the database: digests, chains, receipts, codes, audit, messages, tallies.

    Reads only, in one snapshot, and may run while candidates file. Prints one line for each thing that is
    wrong, with the candidate number masked, and ends with status 1. Then: change nothing, keep a copy of the
    database as it is, and compare with the receipts of the candidates concerned and with the sealed batch.
    """
    with owner() as (settings, database):
        ring = settings.keys()
        keys = Keys(ring.card_key, ring.receipt_public_keys())
        with database.transaction() as session:
            total = evidence_check.count(session)
        wrong = 0
        with (
            database.transaction() as session,
            click.progressbar(length=total, label="filings", show_pos=True, width=24, file=sys.stderr) as bar,
        ):
            try:
                for finding in evidence_check.check(session, keys, bar.update):
                    wrong += 1
                    click.echo(str(finding))
            except CardError as error:
                raise click.ClickException(
                    f"{error}; put every card key that was ever used beside the others"
                ) from error
    if wrong:
        raise click.ClickException(f"{wrong} things are wrong, listed above")
    click.echo(f"{total} filings checked, nothing is wrong")


commands: list[click.Command] = [verify_receipt, verify_chains]
