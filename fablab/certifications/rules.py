"""Who certifies whom, what a certification is worth on a day, and who has a place in a training. Pure."""

from __future__ import annotations

import calendar
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from fablab.errors import Refusal
from fablab.members.rules import Actor, is_staff, may_book_somewhere

BASIC, ALONE, TEACHES = LEVELS = (1, 2, 3)
STANDINGS = ("valid", "expired", "suspended", "revoked")
LONGEST_TRAINING = timedelta(days=14)
LONGEST_VALIDITY_MONTHS = 120

# Every code the domain's verbs can refuse with, and what it means.
REFUSAL_CODES = {
    "already_certified": "The member has a valid certification at this level or a higher one.",
    "own_certification": "Nobody certifies oneself.",
    "not_in_force": "The certification is revoked, or not in the state this needs.",
    "training_over": "The training was cancelled or closed, or has begun.",
    "not_begun": "Attendance is noted once the training has begun.",
    "not_enrolled": "Somebody on the list has no place in the training.",
    "places_taken": "More people are enrolled than there would be places.",
}


@dataclass(frozen=True)
class Policy:
    """How long a certification is good, all in months and days (section [certifications] of the settings).

    ``unused_months`` of 0 suspends nobody.
    """

    valid_months: int
    unused_months: int
    remind_days: int


class Dated(Protocol):
    """What of a certification decides what it is worth."""

    @property
    def expires_on(self) -> date | None: ...
    @property
    def suspended_at(self) -> datetime | None: ...
    @property
    def revoked_at(self) -> datetime | None: ...


def standing(certification: Dated, on: date) -> str:
    """valid, expired, suspended or revoked on a day of the lab's calendar; the last day counts as valid.

    What weighs more hides what weighs less: a revoked one is not called expired, and an expired one not
    suspended, because only renewing helps it.
    """
    if certification.revoked_at is not None:
        return "revoked"
    if certification.expires_on is not None and certification.expires_on < on:
        return "expired"
    if certification.suspended_at is not None:
        return "suspended"
    return "valid"


def add_months(on: date, months: int) -> date:
    """The same day so many months later (or earlier); the month's last day where it has no such day."""
    year, month = divmod(on.year * 12 + on.month - 1 + months, 12)
    return date(year, month + 1, min(on.day, calendar.monthrange(year, month + 1)[1]))


def unused_since(now: datetime, months: int) -> datetime:
    """Whoever has not used a machine since this instant has not for ``months``."""
    day = now.astimezone(UTC)
    return datetime.combine(add_months(day.date(), -months), day.timetz())


def certifies_somewhere(actor: Actor) -> bool:
    """Trainers and managers of any lab, and admins."""
    return actor.admin or bool(actor.managed_labs | actor.trained_labs)


def may_certify(actor: Actor, lab_id: int | None) -> bool:
    """Certify, and hold trainings, in a lab: its trainers and managers, and admins.

    None stands for what no single lab owns, a kind of machine: the trainer of any lab will do.
    """
    if lab_id is None:
        return certifies_somewhere(actor)
    return actor.admin or lab_id in actor.managed_labs or lab_id in actor.trained_labs


def may_certify_member(actor: Actor, lab_id: int | None, member_id: int) -> bool:
    """The same for one member: nobody certifies oneself."""
    return may_certify(actor, lab_id) and actor.member_id != member_id


def may_look_up_certifications(actor: Actor) -> bool:
    """Anybody's: staff of any lab, who are asked at the machine, and operators."""
    return is_staff(actor)


def may_see_certifications(actor: Actor, member_id: int) -> bool:
    """One's own, and anybody's for whoever looks them up."""
    return actor.member_id == member_id or may_look_up_certifications(actor)


def may_see_lab_certifications(actor: Actor, lab_id: int) -> bool:
    """All that a lab has granted: its trainers and managers, operators, admins."""
    return actor.operator or may_certify(actor, lab_id)


def may_enrol(actor: Actor) -> bool:
    """Take a place in a training: whoever books somewhere. Operators only read."""
    return may_book_somewhere(actor)


def may_see_enrolments(actor: Actor, lab_id: int) -> bool:
    """Who comes to a training: the lab's trainers and managers, operators, admins."""
    return actor.operator or may_certify(actor, lab_id)


def lab_of_grant(actor: Actor, machine_lab_id: int | None, wanted: int | None) -> int | None:
    """The lab a certification is granted by: the machine's; for a kind the one wanted, or one's only own.

    None when it has to be said.
    """
    if machine_lab_id is not None:
        return machine_lab_id
    own = actor.managed_labs | actor.trained_labs
    if wanted is not None:
        return wanted
    return next(iter(own)) if len(own) == 1 else None


def place(places: int, enrolled: int) -> str:
    """What somebody new gets: a place, or one in the line."""
    return "enrolled" if enrolled < places else "waiting"


def training_refusals(
    starts_at: datetime, ends_at: datetime, places: int, enrolled: int, now: datetime, *, moved: bool
) -> list[Refusal]:
    """What speaks against a training as it is to be. ``moved``: its time is new."""
    refusals = []
    if ends_at <= starts_at:
        refusals.append(Refusal("invalid", "ends_at", "It must end after it starts."))
    elif ends_at - starts_at > LONGEST_TRAINING:
        refusals.append(Refusal("invalid", "ends_at", f"It may last {LONGEST_TRAINING.days} days at most."))
    if moved and starts_at <= now:
        refusals.append(Refusal("invalid", "starts_at", "It must start in the future."))
    if places < enrolled:
        text = f"{enrolled} are enrolled already: offer at least as many places."
        refusals.append(Refusal("places_taken", "places", text))
    return refusals


def closing_refusals(
    starts_at: datetime, now: datetime, actor_id: int, attended: Collection[int], enrolled: Collection[int]
) -> list[Refusal]:
    """What speaks against closing a training with these people as present."""
    refusals = []
    if starts_at > now:
        refusals.append(Refusal("not_begun", "attended", "It has not begun: nobody can have attended yet."))
    if strangers := sorted(set(attended) - set(enrolled)):
        text = f"Not enrolled: {', '.join(map(str, strangers[:10]))}. Enrol them first."
        refusals.append(Refusal("not_enrolled", "attended", text))
    if actor_id in attended:
        text = "You are on the list yourself: another trainer must close this training."
        refusals.append(Refusal("own_certification", "attended", text))
    return refusals
