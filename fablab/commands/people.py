"""`fablab member` and `fablab token`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from fablab.clock import utc_now
from fablab.commands.door import transaction
from fablab.errors import not_found

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@click.group()
def member() -> None:
    """Look after members."""


@member.command("add")
@click.argument("email")
@click.option("--name", required=True, help="The member's name, as others see it.")
@click.option(
    "--role",
    type=click.Choice(["maker", "trainer", "manager", "operator", "admin"]),
    default="maker",
    show_default=True,
)
@click.option("--lab", help="The lab of a trainer or manager.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of the input.")
def add_member(email: str, name: str, role: str, lab: str | None, password_stdin: bool) -> None:
    """Add a member, or a role to the member who has that address.

    Without --password-stdin the password is asked for on a terminal; an empty one leaves it as it is.
    """
    from fablab.members import service
    from fablab.signin.passwords import set_password

    password = _password(password_stdin)
    with transaction() as session:
        lab_id = None if lab is None else _lab_id(session, lab)
        member_id = service.add_member(session, email, name, role, utc_now(), lab_id=lab_id)
        if password is not None:
            set_password(session, None, member_id, password, utc_now())
    where = f" of {lab}" if lab else ""
    click.echo(f"{email} is {role}{where} (member {member_id}){'' if password else ', without a password'}")


@click.group()
def token() -> None:
    """Look after access tokens."""


@token.command("add")
@click.argument("email")
@click.option("--name", default="command line", show_default=True, help="What the token is for.")
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="Valid so long.")
@click.option("--scope", type=click.Choice(["read", "write"]), default="write", show_default=True)
def add_token(email: str, name: str, days: int, scope: str) -> None:
    """Print a new access token of a member. It is shown this once only."""
    from fablab.members import service
    from fablab.members.queries import member_by_email

    with transaction() as session:
        found = member_by_email(session, email)
        if found is None or not found.active:
            raise not_found("member")
        view, plain = service.add_token(session, found.id, name, scope, utc_now(), days=days)
    click.echo(plain)
    click.echo(f"valid until {view.expires_at:%Y-%m-%d}, scope {scope}; keep it now", err=True)


def _password(from_input: bool) -> str | None:
    if from_input:
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise click.ClickException("--password-stdin: the input has no password in its first line")
        return password
    if not sys.stdin.isatty():
        return None
    return (
        click.prompt("Password", hide_input=True, confirmation_prompt=True, default="", show_default=False)
        or None
    )


def _lab_id(session: Session, slug: str) -> int:
    from fablab.machines.queries import lab_by_slug

    lab = lab_by_slug(session, slug)
    if lab is None:
        raise not_found(f"lab {slug}")
    return lab.id
