"""`fablab rollup` and `fablab sample`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from fablab.clock import utc_now
from fablab.commands.door import sessions, transaction

_DAY = click.DateTime(["%Y-%m-%d"])
# Local days begin up to 14 hours before and end up to 12 hours after those of UTC.
_EAST, _WEST = timedelta(hours=14), timedelta(hours=12)


@click.command()
@click.option("--from", "first", type=_DAY, required=True, help="First day, YYYY-MM-DD.")
@click.option("--to", "last", type=_DAY, required=True, help="Last day, counted too.")
def rollup(first: datetime, last: datetime) -> None:
    """Count the statistics of these days again; right ones stay as they are."""
    from fablab import db
    from fablab.utilisation.rules import chunks
    from fablab.utilisation.service import roll_up

    if last < first:
        raise click.ClickException("--to lies before --from")
    since = first.replace(tzinfo=UTC) - _EAST
    until = last.replace(tzinfo=UTC) + timedelta(days=1) + _WEST
    changed = 0
    with sessions() as make, click.progressbar(length=(until - since).days + 1, label="counting") as bar:
        for start, end in chunks(since, until, timedelta(days=1)):
            with db.transaction(make) as session:
                changed += roll_up(session, None, start, end)
            bar.update(1)
    click.echo(f"{changed} machine hours are new or were corrected")


@click.group()
def sample() -> None:
    """A network to try the product with."""


@sample.command("load")
@click.option("--history/--no-history", default=True, help="Two months of bookings, jobs and sessions.")
def load_sample(history: bool) -> None:
    """Load five labs with machines, people and two months of history into an empty database."""
    from fablab.sample.load import load
    from fablab.sample.people import LOGINS, PASSWORD

    with transaction() as session:
        new = load(session, utc_now(), click.echo, history=history)
    if not new:
        click.echo("The sample network is there already; nothing was changed.")
        return
    click.echo(f"Sign in as {', '.join(person.email for person in LOGINS)}; password {PASSWORD}")
