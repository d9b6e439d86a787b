"""`fablab backup` and `fablab restore`: a consistent dump by PostgreSQL's own tools."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from fablab.embedded.reach import database_address
from fablab.settings import load_settings


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Write everything the database holds to FILE, consistent while the service runs."""
    partial = file.with_name(file.name + ".partial")
    with database_address(load_settings()) as address:
        _postgres_tool("pg_dump", "--format=custom", "--no-owner", f"--file={partial}", address=address)
    partial.chmod(0o600)
    partial.replace(file)
    click.echo(f"{file}: {file.stat().st_size / 1e6:.1f} MB. Restore it with `fablab restore {file}`.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Replace what the database holds now.")
def restore(file: Path, replace: bool) -> None:
    """Put back what `fablab backup` wrote to FILE; all of it, or nothing."""
    import psycopg

    with database_address(load_settings()) as address:
        plain = address.replace("postgresql+psycopg://", "postgresql://", 1)
        with psycopg.connect(plain, autocommit=True) as connection:
            holds = connection.execute("SELECT to_regclass('lab') IS NOT NULL").fetchone()
        if holds == (True,) and not replace:
            raise click.ClickException(
                "the database is not empty; add --replace to put the backup in its place"
            )
        with TemporaryDirectory(prefix="fablab-restore-") as folder:
            script = Path(folder) / "script.sql"
            _postgres_tool("pg_restore", "--no-owner", f"--file={script}", str(file))
            # Not `pg_restore --clean`, which cannot drop the keys of partitions one by one.
            _postgres_tool(
                *("psql", "--quiet", "--no-psqlrc", "--single-transaction", "--set=ON_ERROR_STOP=1"),
                *("--command=DROP SCHEMA public CASCADE; CREATE SCHEMA public", f"--file={script}"),
                address=address,
            )
    click.echo(f"Restored {file}. Bridges send again what it does not hold and they still have.")


def _postgres_tool(name: str, *options: str, address: str | None = None) -> None:
    """Run one of PostgreSQL's programs, on a database where it needs one; its complaint becomes ours.

    The password travels in the environment, where other users of the machine do not see it.
    """
    from sqlalchemy.engine import make_url

    command, environment = [_program(name), *options], dict(os.environ)
    if address is not None:
        url = make_url(address).set(drivername="postgresql")
        command.append(url.set(password=None).render_as_string(hide_password=False))
        if url.password:
            environment["PGPASSWORD"] = url.password
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise click.ClickException(f"{name}: {done.stderr.strip()}")


def _program(name: str) -> str:
    """The program of the embedded server's package, which is never older than ours; else the system's."""
    from fablab.embedded.postgres_files import PostgresFailed, binaries

    try:
        return str(binaries(Path("unused")) / name)
    except PostgresFailed:
        found = shutil.which(name)
        if found is None:
            raise click.ClickException(f"{name} is not installed (Debian: postgresql-client)") from None
        return found
