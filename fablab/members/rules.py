"""Who may do what: one function per act, decided from the actor and plain facts about the thing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

# Every code the domain's verbs can refuse with, and what it means.
REFUSAL_CODES = {
    "address_taken": "Somebody has an account with this address already.",
    "last_admin": "Nobody else is an administrator.",
    "birth_date_needed": "A guardian's consent needs the member's birth date first.",
    "of_age": "From 18 on no guardian's consent is needed.",
    "words_changed": "The words of the consent are other ones by now.",
}
OF_AGE = 18
# Nobody older is known, and a birth date before is a slip of the pen.
FIRST_BIRTH_YEAR = 1900
# Where the date is ahead most: a date that is today anywhere is not in the future.
_FARTHEST_EAST = timedelta(hours=14)


@dataclass(frozen=True)
class Actor:
    """Who acts: a member with roles. ``managed_labs`` are the ids of the labs the member manages.

    ``read_only`` is true for a token of scope ``read``; the web's door turns away what it would write.
    ``address`` is where the request came from, for the audit; None outside the web. ``birth_on`` is known of
    who is, or was, under 18. ``category`` is a slug of the network's tariff categories, "" where nobody said.
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
    birth_on: date | None = None
    category: str = ""


def is_staff(actor: Actor) -> bool:
    """Who holds other people's data or machines: trainers and managers of any lab, operators, admins."""
    return actor.admin or actor.operator or bool(actor.managed_labs | actor.trained_labs)


def acting_lab(actor: Actor) -> int | None:
    """The lab somebody acts for where none is named: the only one they manage."""
    return next(iter(actor.managed_labs)) if len(actor.managed_labs) == 1 else None


def may_see_lab_details(actor: Actor, lab_id: int) -> bool:
    """Names behind bookings, files behind jobs: the lab's manager, operators and admins."""
    return actor.admin or actor.operator or lab_id in actor.managed_labs


def may_manage_lab(actor: Actor, lab_id: int) -> bool:
    """Change what belongs to others in this lab: its manager and admins."""
    return actor.admin or lab_id in actor.managed_labs


def may_manage_some_lab(actor: Actor) -> bool:
    """Whether there is any lab they manage."""
    return actor.admin or bool(actor.managed_labs)


def may_book(actor: Actor, lab_id: int) -> bool:
    """Makers everywhere, trainers and managers in their lab, admins. Operators only read."""
    return actor.maker or may_manage_lab(actor, lab_id) or lab_id in actor.trained_labs


def may_book_somewhere(actor: Actor) -> bool:
    """Whether there is any lab they may book in."""
    return actor.maker or actor.admin or bool(actor.managed_labs | actor.trained_labs)


def may_book_for_others(actor: Actor, lab_id: int) -> bool:
    """Book in another member's name: whoever manages the lab."""
    return may_manage_lab(actor, lab_id)


def may_look_for_work_of(actor: Actor, member_id: int, lab_ids: Collection[int]) -> bool:
    """Filter jobs by member, in these labs (none: in all of them).

    Finding nothing or something under a member's number already says who it was.
    """
    if actor.member_id == member_id or actor.admin or actor.operator:
        return True
    return bool(lab_ids) and all(may_see_lab_details(actor, each) for each in lab_ids)


def may_read_utilisation_of(actor: Actor, lab_id: int | None) -> bool:
    """Statistics of one lab: its manager; of the network (None): operators and admins only."""
    if actor.admin or actor.operator:
        return True
    return lab_id is not None and lab_id in actor.managed_labs


def may_read_utilisation_somewhere(actor: Actor) -> bool:
    """Whether there is any lab whose statistics they may read."""
    return actor.operator or actor.admin or bool(actor.managed_labs)


def may_look_up_members(actor: Actor) -> bool:
    """Find any member by name and address: staff of whatever kind. For makers there is no directory."""
    return is_staff(actor)


def may_see_member_details(actor: Actor) -> bool:
    """Birth date, consents, organisations and second factors of others: managers and admins."""
    return actor.admin or bool(actor.managed_labs)


def may_add_members(actor: Actor) -> bool:
    """Make an account for somebody: managers and admins."""
    return actor.admin or bool(actor.managed_labs)


def may_change_member(actor: Actor, member_id: int, roles: Collection[tuple[str, int | None]]) -> bool:
    """Name, language and birth date: admins for all; managers for whoever is no staff; each for oneself."""
    if actor.admin or actor.member_id == member_id:
        return True
    return bool(actor.managed_labs) and all(role == "maker" for role, _ in roles)


def may_change_birth_date(
    actor: Actor, member_id: int, known: date | None, wanted: date | None, on: date
) -> bool:
    """Oneself only as long as none is known: a minor does not come of age by typing.

    Managers may correct what is known of others; only admins take it away, or make a minor of age by it.
    """
    if actor.admin or known is None:
        return actor.admin or actor.member_id == member_id or bool(actor.managed_labs)
    comes_of_age = is_minor(known, on) and not is_minor(wanted, on)
    return (
        wanted is not None and not comes_of_age and bool(actor.managed_labs) and actor.member_id != member_id
    )


def may_grant_role(actor: Actor, member_id: int, role: str, lab_id: int | None) -> bool:
    """Admins any role, managers that of a trainer in their lab; nobody raises oneself."""
    if actor.member_id == member_id:
        return False
    return actor.admin or (role == "trainer" and lab_id in actor.managed_labs)


def may_remove_role(actor: Actor, role: str, lab_id: int | None) -> bool:
    """Admins any role, managers that of a trainer in their lab."""
    return actor.admin or (role == "trainer" and lab_id in actor.managed_labs)


def may_deactivate(actor: Actor, member_id: int) -> bool:
    """Shut somebody out, or let her in again: admins, but nobody oneself."""
    return actor.admin and actor.member_id != member_id


def may_record_consent(actor: Actor, member_id: int) -> bool:
    """Record a guardian's consent, or its withdrawal: managers and admins, for others."""
    return (actor.admin or bool(actor.managed_labs)) and actor.member_id != member_id


def age_on(birth_on: date, on: date) -> int:
    """Full years. Who was born on 29 February has a birthday on 1 March in other years."""
    return on.year - birth_on.year - ((on.month, on.day) < (birth_on.month, birth_on.day))


def is_minor(birth_on: date | None, on: date) -> bool:
    """Under 18. Without a birth date one is of age: it is asked of those under 18 only."""
    return birth_on is not None and age_on(birth_on, on) < OF_AGE


def not_yet(on: date, now: datetime) -> bool:
    """Whether a date lies in the future everywhere on earth. ``now`` is aware, in UTC."""
    return on > (now + _FARTHEST_EAST).date()


def birth_date_refusal(birth_on: date | None, now: datetime, *, under_18: bool = False) -> str | None:
    """What is wrong with a birth date, as a sentence; None when nothing is.

    ``under_18`` is what somebody said of the age: then the date is needed, and must agree.
    """
    if birth_on is None:
        return "Under 18 the birth date is needed." if under_18 else None
    if not_yet(birth_on, now):
        return "A birth date does not lie in the future."
    if birth_on.year < FIRST_BIRTH_YEAR:
        return f"A birth date lies after {FIRST_BIRTH_YEAR}."
    if under_18 and not is_minor(birth_on, now.date()):
        return "With this birth date one is 18 or older."
    return None


def may_read_audit(actor: Actor) -> bool:
    """Who did what to whom, in the whole network: admins."""
    return actor.admin
