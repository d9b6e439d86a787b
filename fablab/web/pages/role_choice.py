"""Roles as people read and choose them: "Trainer of Tanger" is "trainer:tanger" in a form."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from fablab.errors import Refusal, refused
from fablab.machines.queries import lab_by_slug, labs
from fablab.members.directory import Details, RoleHeld
from fablab.members.models import ROLES, ROLES_OF_ONE_LAB
from fablab.members.rules import Actor, may_grant_role, may_remove_role

ROLE_WORDS = {
    "maker": "Maker",
    "trainer": "Trainer",
    "manager": "Manager",
    "operator": "Network operator",
    "admin": "Administrator",
}


def roles_in_words(roles: tuple[RoleHeld, ...], names: dict[int, str]) -> list[str]:
    """ "Maker", "Trainer, Tanger"."""
    return [ROLE_WORDS[role] + (f", {names[lab_id]}" if lab_id else "") for role, lab_id in roles]


def roles_held(session: Session, actor: Actor, found: Details) -> list[dict[str, Any]]:
    """Each role in words, and what its removal is asked with, if the actor may."""
    by_id = {lab.id: lab for lab in labs(session)}
    held = []
    for role, lab_id in found.roles:
        lab = by_id[lab_id] if lab_id else None
        held.append(
            {
                "name": ROLE_WORDS[role],
                "lab": lab.names["en"] if lab else None,
                "value": f"{role}:{lab.slug}" if lab else role,
                "removable": may_remove_role(actor, role, lab_id),
            }
        )
    return held


def givable(session: Session, actor: Actor, found: Details) -> list[tuple[str, str]]:
    """What the actor may give and the member has not: (value, words)."""
    places = labs(session)
    offered: list[tuple[str, str]] = []
    for role in ROLES:
        labs_of_role = places if role in ROLES_OF_ONE_LAB else [None]
        for lab in labs_of_role:
            lab_id = lab.id if lab else None
            if (role, lab_id) in found.roles or not may_grant_role(actor, found.id, role, lab_id):
                continue
            value = f"{role}:{lab.slug}" if lab else role
            offered.append((value, ROLE_WORDS[role] + (f" of {lab.names['en']}" if lab else "")))
    return offered


def chosen_role(session: Session, chosen: str) -> tuple[str, int | None]:
    """Role and lab's id from "trainer:tanger"."""
    role, _, slug = chosen.partition(":")
    lab = lab_by_slug(session, slug[:60].replace("\0", "")) if slug else None
    if role not in ROLES or (slug and lab is None) or (role in ROLES_OF_ONE_LAB) != bool(slug):
        raise refused(Refusal("invalid", "role", "Please choose a role."))
    return role, lab.id if lab else None
