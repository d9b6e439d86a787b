"""Who may do what with organisations and projects, and what their words mean. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta

from fablab.errors import Refusal
from fablab.members.rules import Actor, may_book_somewhere

# Every code the domain's verbs can refuse with, and what it means.
REFUSAL_CODES = {
    "address_not_confirmed": "Invitations are for who has confirmed the address.",
    "already_invited": "The address was invited a short while ago.",
    "already_member": "The member belongs to the organisation already.",
    "last_owner": "The organisation would be left without an owner.",
    "operator": "A network operator only looks, and belongs to no organisation.",
    "organisation_closed": "The organisation is closed.",
    "other_address": "The invitation was sent to another address.",
    "project_closed": "The project is closed.",
    "too_many": "The member owns, or the organisation invites, as many as one may.",
}
PERIODS = ("week", "month")
INVITATION_LASTS = timedelta(days=7)
# Until then the earlier one is waited for.
AGAIN_AFTER = timedelta(days=1)
# Every invitation is a mail in the network's name to whatever address somebody typed.
INVITATIONS_A_DAY = 200
# Open organisations one member may own: more looks like a machine at work.
OWNED_MOST = 20
NAME_MAX = 120


@dataclass(frozen=True)
class Standing:
    """What the actor is in an organisation."""

    member: bool = False
    owner: bool = False


OUTSIDE = Standing()


def may_found(actor: Actor) -> bool:
    """Whoever books somewhere. Operators only read (unless they are makers too)."""
    return may_book_somewhere(actor)


def may_see_organisation(actor: Actor, standing: Standing) -> bool:
    """Its name and its members' names: who belongs to it, operators and admins."""
    return standing.member or may_see_every_organisation(actor)


def may_see_every_organisation(actor: Actor) -> bool:
    """The network's list of organisations: operators and admins."""
    return actor.operator or actor.admin


def may_see_what_was_done(actor: Actor, standing: Standing) -> bool:
    """Bookings made in its name, consumption and invitations: its owners, operators and admins."""
    return standing.owner or may_see_every_organisation(actor)


def may_join(actor: Actor) -> bool:
    """Accept an invitation: who may found organisations may belong to them."""
    return may_found(actor)


def may_invite(actor: Actor, standing: Standing) -> bool:
    """Invite and withdraw invitations: its owners; admins, when no owner is left to help."""
    return _acts_as_owner(actor, standing)


def may_remove(actor: Actor, standing: Standing, member_id: int) -> bool:
    """Remove a member: owners and admins; anybody may leave."""
    return _acts_as_owner(actor, standing) or (standing.member and actor.member_id == member_id)


def may_appoint_owners(actor: Actor, standing: Standing) -> bool:
    """Make a member an owner, or an owner a member: owners and admins."""
    return _acts_as_owner(actor, standing)


def may_rename(actor: Actor, standing: Standing) -> bool:
    """Give it another name: owners and admins."""
    return _acts_as_owner(actor, standing)


def may_close(actor: Actor, standing: Standing) -> bool:
    """Close it: owners and admins."""
    return _acts_as_owner(actor, standing)


def may_set_terms(actor: Actor) -> bool:
    """Kind, tariff category, quotas, and opening it again: admins. Nobody decides what they are charged."""
    return actor.admin


def may_have_projects(actor: Actor) -> bool:
    """Projects are what bookings are for: who founds organisations may have projects."""
    return may_found(actor)


def may_see_project(actor: Actor, member_id: int, standing: Standing) -> bool:
    """Who made it, the members of its organisation, operators and admins."""
    return actor.member_id == member_id or standing.member or may_see_every_organisation(actor)


def may_change_project(actor: Actor, member_id: int, standing: Standing, of_organisation: bool) -> bool:
    """One's own; an organisation's: who made it, while they belong to it, and its owners; admins."""
    if not may_have_projects(actor):
        return False
    if of_organisation:
        return _acts_as_owner(actor, standing) or (standing.member and actor.member_id == member_id)
    return actor.admin or actor.member_id == member_id


def _acts_as_owner(actor: Actor, standing: Standing) -> bool:
    """An owner who became an operator since only looks."""
    return actor.admin or (standing.owner and may_found(actor))


def name_refusals(name: str, field: str = "name") -> list[Refusal]:
    """What is wrong with the name of an organisation or a project."""
    if not 1 <= len(name) <= NAME_MAX or not name.isprintable():
        return [Refusal("invalid", field, f"A name of 1 to {NAME_MAX} characters is needed.")]
    return []


def slug_of(name: str) -> str:
    """A slug from a name: its Latin letters and digits, or "organisation" where it has none.

    Never "new": at that address one is founded.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50].strip("-")
    return "organisation" if slug in ("", "new") else slug
