"""Members as actors, for tests that call verbs without a door."""

from __future__ import annotations

from sqlalchemy.orm import Session

from fablab.members.models import Member
from fablab.members.queries import actor_from, with_roles
from fablab.members.rules import Actor


def actor_of(session: Session, member_id: int) -> Actor | None:
    """The active member with all roles, or None."""
    return actor_from(session.execute(with_roles().where(Member.id == member_id, Member.active)).mappings())
