"""The `fablab` command. Every import that costs memory or time waits until its command runs."""

from __future__ import annotations

import click

from fablab import __version__
from fablab.commands.backup import backup, restore
from fablab.commands.bridges import bridge, broker
from fablab.commands.doctor import doctor
from fablab.commands.door import Commands
from fablab.commands.figures import rollup, sample
from fablab.commands.people import member, token
from fablab.commands.serve import scheduler, web


@click.group(cls=Commands)
@click.version_option(__version__)
def main() -> None:
    """Booking of machines and telemetry from machines, in one system."""


for command in (
    web,
    scheduler,
    sample,
    member,
    token,
    bridge,
    broker,
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


@main.group()
def db() -> None:
    """Look after the database."""


@db.command("upgrade")
@click.option("--to", "revision", default="head", help="Revision to go to.")
def db_upgrade(revision: str) -> None:
    """Bring the tables up to date."""
    from flask_migrate import upgrade

    from fablab.app import create_app

    with create_app().app_context():
        upgrade(revision=revision)


@db.command("downgrade")
@click.option("--to", "revision", required=True, help="Revision to go back to, or `base`.")
def db_downgrade(revision: str) -> None:
    """Take the tables back to an earlier revision."""
    from flask_migrate import downgrade

    from fablab.app import create_app

    with create_app().app_context():
        downgrade(revision=revision)


@db.command("check")
def db_check() -> None:
    """Fail when the models and the migrated tables differ."""
    from flask_migrate import check

    from fablab.app import create_app

    with create_app().app_context():
        check()


@db.command("revision")
@click.argument("message")
def db_revision(message: str) -> None:
    """Write a new migration from the difference between models and tables."""
    from flask_migrate import migrate

    from fablab.app import create_app

    with create_app().app_context():
        migrate(message=message)
