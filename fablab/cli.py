"""The `fablab` command. Every import that costs memory or time waits until its command runs."""

from __future__ import annotations

import click

from fablab import __version__
from fablab.commands.backup import backup, restore
from fablab.commands.bridges import bridge, broker
from fablab.commands.data_rights import erase_member, export_member
from fablab.commands.database import db
from fablab.commands.doctor import doctor
from fablab.commands.door import Commands
from fablab.commands.figures import rollup, sample
from fablab.commands.imports import import_columns, import_file
from fablab.commands.people import member, token
from fablab.commands.serve import scheduler, web


@click.group(cls=Commands)
@click.version_option(__version__)
def main() -> None:
    """Booking of machines and telemetry from machines, in one system."""


member.add_command(export_member)
member.add_command(erase_member)
for command in (
    web,
    scheduler,
    db,
    sample,
    member,
    token,
    bridge,
    broker,
    import_file,
    import_columns,
    rollup,
    backup,
    restore,
    doctor,
):
    main.add_command(command)


@main.command()
def run() -> None:
    """Start everything here: database, broker, services, pages and the sample network."""
    from fablab.embedded.run import run as run_everything

    raise SystemExit(run_everything())


@main.command()
def ingest() -> None:
    """Take bridges' messages into the database; a second one stands by and takes over."""
    from fablab.commands.ingest import run_ingest

    run_ingest()
