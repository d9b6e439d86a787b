"""Who may do what: one function per act, decided from the actor alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Actor:
    """Who acts: a member with roles. ``managed_labs`` are the ids of the labs the member manages.

    ``read_only`` is true for a token of scope ``read``; the web's door turns away what it would write.
    ``address`` is where the request came from, for the audit; None outside the web.
    """

    member_id: int
    name: str
    managed_labs: frozenset[int] = frozenset()
    trained_labs: frozenset[int] = frozenset()
    maker: bool = False
    operator: bool = False
    admin: bool = False
    read_only: bool = False
    address: str | None = None


def may_see_lab_details(actor: Actor, lab_id: int) -> bool:
    """Names behind bookings, files behind jobs: the lab's manager, operators and admins."""
    return actor.admin or actor.operator or lab_id in actor.managed_labs


def may_manage_lab(actor: Actor, lab_id: int) -> bool:
    """Change what belongs to others in this lab: its manager and admins."""
    return actor.admin or lab_id in actor.managed_labs


def may_book(actor: Actor, lab_id: int) -> bool:
    """Everyone with an account, except operators, who only read (unless they are makers too)."""
    return not actor.operator or actor.maker or may_manage_lab(actor, lab_id)


def may_book_somewhere(actor: Actor) -> bool:
    """Whether there is any lab they may book in."""
    return not actor.operator or actor.maker or actor.admin or bool(actor.managed_labs)


def may_book_for_others(actor: Actor, lab_id: int) -> bool:
    """Book in another member's name: whoever manages the lab."""
    return may_manage_lab(actor, lab_id)


def may_see_booking(actor: Actor, member_id: int, lab_id: int) -> bool:
    """The member whose booking it is, and those who see the lab's details."""
    return actor.member_id == member_id or may_see_lab_details(actor, lab_id)


def may_see_work(actor: Actor, member_id: int | None, lab_id: int) -> bool:
    """File, booking and name behind a job: the member whose booking it ran in, and the lab's staff."""
    return actor.member_id == member_id or may_see_lab_details(actor, lab_id)


def may_look_for_work_of(actor: Actor, member_id: int, lab_ids: Collection[int]) -> bool:
    """Filter jobs by member, in these labs (none: in all of them).

    Finding nothing or something under a member's number already says who it was.
    """
    if actor.member_id == member_id or actor.admin or actor.operator:
        return True
    return bool(lab_ids) and all(may_see_lab_details(actor, each) for each in lab_ids)


def may_cancel_booking(actor: Actor, member_id: int, lab_id: int) -> bool:
    """The member whose booking it is, and whoever manages the lab."""
    return actor.member_id == member_id or may_manage_lab(actor, lab_id)


def may_read_utilisation_of(actor: Actor, lab_id: int | None) -> bool:
    """Statistics of one lab: its manager; of the network (None): operators and admins only."""
    if actor.admin or actor.operator:
        return True
    return lab_id is not None and lab_id in actor.managed_labs


def may_read_utilisation_somewhere(actor: Actor) -> bool:
    """Whether there is any lab whose statistics they may read."""
    return actor.operator or actor.admin or bool(actor.managed_labs)
