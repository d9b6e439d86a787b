"""Who sets the rules of bookings, and who reads them. Pure."""

from __future__ import annotations

from fablab.members.rules import Actor, is_staff, may_manage_lab, may_see_lab_details


def may_set_rule(actor: Actor, lab_id: int | None) -> bool:
    """In a lab, or for a kind or a machine in it, whoever manages it; beyond one lab (None) admins."""
    return actor.admin if lab_id is None else may_manage_lab(actor, lab_id)


def may_set_rules_somewhere(actor: Actor) -> bool:
    return actor.admin or bool(actor.managed_labs)


def may_read_rules(actor: Actor) -> bool:
    """The list of what is set where: staff of whatever kind. What holds for a machine everybody may ask."""
    return is_staff(actor)


def may_read_rule(actor: Actor, lab_id: int | None) -> bool:
    """One of a lab: its staff, operators and admins. What holds beyond one lab (None): all staff."""
    if lab_id is None or actor.admin or actor.operator:
        return may_read_rules(actor)
    return lab_id in actor.managed_labs | actor.trained_labs


def may_explain(actor: Actor, member_id: int, lab_id: int) -> bool:
    """What rules mean for a member, which tells what they have booked: oneself, and the lab's staff."""
    return actor.member_id == member_id or may_see_lab_details(actor, lab_id)
