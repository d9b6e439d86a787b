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

# As in fablab.members.models, which only a command that uses the database loads.
ROLES = ("maker", "trainer", "manager", "operator", "admin")


@click.group()
def member() -> None:
    """Look after members."""


@member.command("add")
@click.argument("email")
@click.option("--name", required=True, help="The member's name, as others see it.")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default="maker",
    show_default=True,
)
@click.option("--lab", help="The lab of a trainer or manager.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of the input.")
def add_member(email: str, name: str, role: str, lab: str | None, password_stdin: bool) -> None:
    """Add a member, or a role to the member who has that address.

    Without --password-stdin the password is asked for on a terminal; an empty one leaves it as it is.
    """
    from fablab.members import roles, service
    from fablab.members.queries import member_by_email
    from fablab.signin.passwords import set_password

    password = _password(password_stdin)
    with transaction() as session:
        lab_id = None if lab is None else _lab_id(session, lab)
        known = member_by_email(session, email)
        if known is None:
            member_id = service.add_member(session, email, name, role, utc_now(), lab_id=lab_id)
            done = "is added as"
        else:
            member_id = known.id
            given = roles.grant_role(session, None, member_id, role, lab_id, utc_now())
            done = "has an account already, and is now" if given else "has an account already, and is"
        if password is not None:
            set_password(session, None, member_id, password, utc_now())
    where = f" of {lab}" if lab else ""
    click.echo(f"{email} {done} {role}{where} (member {member_id})")
    if known is None and password is None:
        click.echo('no password is set: they choose one by way of "Forgot your password?"', err=True)


@member.command("list")
@click.argument("words", nargs=-1)
@click.option(
    "--limit", type=click.IntRange(1, 10000), default=50, show_default=True, help="At most so many."
)
def list_members(words: tuple[str, ...], limit: int) -> None:
    """List members by name: all, or those whose names and addresses begin with the WORDS."""
    from fablab.machines.queries import labs
    from fablab.members.directory import find_members

    with transaction() as session:
        found = find_members(session, " ".join(words), limit=limit + 1)
        slugs = {lab.id: lab.slug for lab in labs(session)}
    for each in found[:limit]:
        roles = ", ".join(role + (f":{slugs[lab_id]}" if lab_id else "") for role, lab_id in each.roles)
        click.echo("\t".join([str(each.id), each.email, each.name, roles, "" if each.active else "shut"]))
    if len(found) > limit:
        click.echo(f"there are more than {limit}; give more words, or --limit", err=True)


@member.group("role")
def member_role() -> None:
    """Give roles and take them away."""


@member_role.command("add")
@click.argument("email")
@click.argument("role", type=click.Choice(ROLES))
@click.option("--lab", help="The lab of a trainer or manager.")
def add_role(email: str, role: str, lab: str | None) -> None:
    """Give a member a role."""
    from fablab.members.roles import grant_role

    with transaction() as session:
        lab_id = None if lab is None else _lab_id(session, lab)
        given = grant_role(session, None, _member_id(session, email), role, lab_id, utc_now())
    click.echo(f"{email} is {role}{f' of {lab}' if lab else ''}{'' if given else ' already'}")


@member_role.command("remove")
@click.argument("email")
@click.argument("role", type=click.Choice(ROLES))
@click.option("--lab", help="The lab of a trainer or manager.")
def remove_role(email: str, role: str, lab: str | None) -> None:
    """Take a role away from a member. The last admin's stays."""
    from fablab.members import roles

    with transaction() as session:
        lab_id = None if lab is None else _lab_id(session, lab)
        roles.remove_role(session, None, _member_id(session, email), role, lab_id, utc_now())
    click.echo(f"{email} is {role}{f' of {lab}' if lab else ''} no more")


@member.command("deactivate")
@click.argument("email")
def deactivate_member(email: str) -> None:
    """Shut an account: every session and token ends at once."""
    from fablab.signin.accounts import deactivate

    with transaction() as session:
        deactivate(session, None, _member_id(session, email), utc_now())
    click.echo(f"the account of {email} is shut")


@member.command("reactivate")
@click.argument("email")
def reactivate_member(email: str) -> None:
    """Open a shut account again."""
    from fablab.signin.accounts import reactivate

    with transaction() as session:
        reactivate(session, None, _member_id(session, email), utc_now())
    click.echo(f"the account of {email} is open again")


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
    from fablab.members.queries import member_by_email
    from fablab.signin import tokens

    with transaction() as session:
        found = member_by_email(session, email)
        if found is None or not found.active:
            raise not_found("member")
        view, plain = tokens.add_token(session, found.id, name, scope, utc_now(), days=days)
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


def _member_id(session: Session, email: str) -> int:
    from fablab.members.queries import member_by_email

    found = member_by_email(session, email)
    if found is None:
        raise not_found(f"member {email}")
    return found.id
