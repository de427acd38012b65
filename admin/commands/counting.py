"""Commands of counting and chasing: the tallies' proof and snapshots, reminders, a move to another school."""

import click
from sqlalchemy import text

from admin import moves, reminders, snapshots
from admin.commands.loading import owner
from app import audit, tallies
from app.db import Write, together
from app.tallies import Wrong


@click.group("tallies")
def counted() -> None:
    """The counts of every point and batch."""


@counted.command("check")
@click.option("--repair", is_flag=True, help="Put right what is wrong, point by point, while candidates go on filing.")
def check(repair: bool) -> None:  # noqa: FBT001 -- click
    """Compare every tally with a count of the rows themselves; prints each that is wrong, and ends with status 1.

    Without --repair it only reads, in one snapshot, and nothing waits for it. With it, each repair is in the audit,
    and status 0 says that all is right now. A wrong tally is a mistake of ours: keep what was printed.
    """
    with owner() as (_, database):
        with database.transaction() as session:
            session.execute(text("SET LOCAL statement_timeout = 0"))
            found = tallies.wrong(session)
        for one in found:
            click.echo(str(one))
        for point_id in sorted({one.point_id for one in found}) if repair else ():
            with database.transaction() as session:
                right = [_repaired(one) for one in tallies.repair(session, point_id)]
                together(session, *right)
    if found and not repair:
        raise click.ClickException(f"{len(found)} tallies are wrong, listed above; --repair puts them right")
    click.echo(f"{len(found)} tallies repaired" if found else "every tally is what the rows say")


def _repaired(one: Wrong) -> Write:
    return audit.entry(
        "tallies.repaired",
        actor="command",
        point=one.office_code,
        batch=one.batch,
        kept=dict(one.kept),
        counted=dict(one.counted),
    )


@counted.command("snapshot")
def snapshot() -> None:
    """Keep what the tallies say now, for differences and the curve; let go of what is too old. Run it hourly.

    Run twice within twenty minutes, the second keeps nothing. Undo: none is needed; a missing hour is a gap in the
    curve and no more.
    """
    with owner() as (_, database), database.transaction() as session:
        taken, thinned = snapshots.take(session)
    click.echo(f"{taken} counts kept, {thinned} old ones let go")


@click.group("chase")
def chasing() -> None:
    """What goes out before a batch closes."""


@chasing.command("remind")
def remind() -> None:
    """Queue the reminders that have become due: a day, three hours, half an hour before each close. Run it often.

    Each step of each close is done once, however often this runs; `send` sends what is queued.
    """
    with owner() as (_, database), database.transaction() as session:
        done = reminders.remind(session)
    for one in done:
        click.echo(
            f"batch {one.batch}, {one.step} before the close: {one.drafts} drafts wait, {one.nothing} filed nothing"
        )
    click.echo(f"{sum(one.drafts + one.nothing for one in done)} messages queued")


@click.group("candidate")
def candidate() -> None:
    """What offices decide about one candidate's registration."""


@candidate.command("move")
@click.argument("number")
@click.option("--to", "point", required=True, help="Code of the registration point, ten digits.")
@click.option("--class", "class_no", required=True, help="Class there.")
@click.option("--reason", required=True, help="Why, with the number of the decision; it is kept in the audit.")
def move(number: str, point: str, class_no: str, reason: str) -> None:
    """Register a candidate at another point. Filings, card and account stay; the counts of both points move.

    Run it with the old point and class to undo it.
    """
    with owner() as (_, database), database.transaction() as session:
        moves.move(session, number, point, class_no, reason)
    click.echo(f"{number} is registered at {point}, class {class_no}")


commands: list[click.Command] = [counted, chasing, candidate]
