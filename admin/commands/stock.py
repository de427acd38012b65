"""Custody of the cards, for those who run the service: whether the books come out."""

import click

from admin import stock as books
from admin.commands.loading import owner


@click.group("stock")
def stock() -> None:
    """Look after the custody of the cards."""


@stock.command("balance")
@click.option("--all", "everything", is_flag=True, help="Every office that has had cards, not only the wrong ones.")
def balance(everything: bool) -> None:  # noqa: FBT001 -- click
    """Check that received = in stock + on the way + handed out + void at every office; status 1 if not.

    Reads only. Cards that were handed out by `cards hand-out` from a lot that was never taken in are in no
    office's books.
    """
    with owner() as (_, database), database.transaction() as session:
        lines = books.balance(session)
    wrong = [line for line in lines if line.counts.difference]
    shown = [line for line in lines if line.counts != books.Counts()] if everything else wrong
    if shown:
        click.echo(_row("received", "stock", "on the way", "handed", "void", "difference", "office"))
    for line in shown:
        counts = line.counts
        figures = (counts.received, counts.stock, counts.way, counts.issued, counts.void, counts.difference)
        click.echo(_row(*figures, line.name))
    if wrong:
        raise click.ClickException(
            f"{len(wrong)} offices do not come out. Let nothing be handed on there before the cause is found; the audit"
            " (acts transfer.…, card.…, proposal.…) says who did what."
        )
    total = sum((line.counts for line in lines), books.Counts())
    click.echo(f"The books come out at all {len(lines)} offices: {total.received} cards.")


def _row(*cells: object) -> str:
    *figures, name = cells
    return f"{' '.join(f'{figure:>10}' for figure in figures)}  {name}"


commands: list[click.Command] = [stock]
