"""`fablab member export` and `fablab member erase`: for whoever asked and cannot do it any more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fablab.clock import utc_now
from fablab.commands.door import sessions
from fablab.errors import not_found

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@click.command("export")
@click.argument("email")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export_member(email: str, file: Path) -> None:
    """Write everything held about a member to FILE, a ZIP only you may read. Audited."""
    from fablab import db
    from fablab.data_rights.service import begin_export, export

    now = utc_now()
    with sessions() as make:
        with db.transaction(make) as session:
            whom = begin_export(session, None, _id_of(session, email), now)
        try:
            made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise click.ClickException(f"{file}: {error.strerror}") from error
        with os.fdopen(made, "wb") as out, db.transaction(make) as session:
            export(session, whom, now, out)
    click.echo(f"{file}: everything about {email}")


@click.command("erase")
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do it; without, nothing is changed.")
def erase_member(email: str, yes: bool) -> None:
    """Erase a member: everything personal goes and cannot come back; figures stay. Audited."""
    from fablab import db
    from fablab.data_rights.service import erase
    from fablab.settings import load_settings

    if not yes:
        raise click.ClickException("this cannot be undone; say --yes to do it")
    settings = load_settings()
    with sessions() as make, db.transaction(make) as session:
        member_id, base_url = _id_of(session, email), settings.web.base_url
        done = erase(session, None, member_id, utc_now(), base_url, goodbye=settings.mail.go_out)
    click.echo(
        f"member {done.member_id} is erased; {done.bookings_cancelled} bookings to come were given back"
    )


def _id_of(session: Session, email: str) -> int:
    from fablab.members.queries import member_by_email

    found = member_by_email(session, email)
    if found is None:
        raise not_found("member")
    return found.id
