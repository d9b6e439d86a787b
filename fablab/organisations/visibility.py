"""An organisation as the actor may see it: the door of every page and route about one."""

from __future__ import annotations

from sqlalchemy.orm import Session

from fablab.errors import not_allowed, not_found
from fablab.members.rules import Actor
from fablab.organisations.queries import OrganisationView, organisation_by_slug, standing
from fablab.organisations.rules import Standing, may_see_organisation, may_see_what_was_done


def visible(session: Session, actor: Actor, slug: str) -> tuple[OrganisationView, Standing]:
    """The organisation and what the actor is in it. For whoever may not see it, it does not exist."""
    found = organisation_by_slug(session, slug)
    if found is None:
        raise not_found("organisation")
    place = standing(session, found.id, actor.member_id)
    if not may_see_organisation(actor, place):
        raise not_found("organisation")
    return found, place


def visible_to_owners(session: Session, actor: Actor, slug: str) -> tuple[OrganisationView, Standing]:
    """The same, for what only owners, operators and admins see. Raises NOT_ALLOWED for other members."""
    found, place = visible(session, actor, slug)
    if not may_see_what_was_done(actor, place):
        raise not_allowed("Only the organisation's owners see this.")
    return found, place
