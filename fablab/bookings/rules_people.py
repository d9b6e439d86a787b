"""Who may come when: minors, groups, organisations and projects; and who may see a booking. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from zoneinfo import ZoneInfo

from fablab.bookings.facts import BookingFacts, BookingRequest, Person
from fablab.errors import Refusal
from fablab.machines.rules import Span, covers
from fablab.members.rules import Actor, may_manage_lab, may_see_lab_details


def people_refusals(request: BookingRequest, facts: BookingFacts) -> Iterator[Refusal]:
    """Everything that speaks against the people of a request, in the order they stand in it."""
    if facts.person is None:
        yield Refusal("unknown_member", "for_member", "There is no member with that address.")
    elif facts.person.minor:
        yield from _minor(request, facts, facts.person)
    if request.organisation is not None and not facts.belongs_to_organisation:
        whose = "they" if request.for_member else "you"
        yield Refusal(
            "not_member_of_organisation",
            "organisation",
            f"There is no organisation {request.organisation} that {whose} belong to. "
            "Leave it out, or ask one of its owners for an invitation.",
        )
    if not facts.project_known:
        yield Refusal(
            "unknown_project",
            "project",
            "There is no open project with that number to book for. Choose another one, or none.",
        )
    yield from _group(request, facts)


def _minor(request: BookingRequest, facts: BookingFacts, person: Person) -> Iterator[Refusal]:
    """Under 18: with consent, while staff are there, and never as the one who leads."""
    field = "for_member" if request.for_member else "member"
    are = "They are" if request.for_member else "You are"
    if request.in_a_group:
        yield Refusal(
            "leader_is_minor",
            "participants",
            f"{are} under 18. An adult books for a group; whoever is under 18 stands on the adult's list.",
        )
    if not person.consent:
        yield Refusal(
            "minor_without_consent",
            field,
            f"{are} under 18 and a parent's or guardian's consent is not on record. "
            "Bring it to the lab; staff will note it.",
        )
    span = Span(request.starts_at, request.ends_at)
    if not request.in_a_group and not covers(facts.supervised, span):
        yield Refusal(
            "minor_unsupervised", "starts_at", f"{are} under 18. {_when_staff_are_there(facts, span)}"
        )


def _when_staff_are_there(facts: BookingFacts, wanted: Span) -> str:
    """What to do about it: the supervised hours of that day in wall time."""
    zone = ZoneInfo(facts.zone)
    day = wanted.starts_at.astimezone(zone).date()
    local = [(span.starts_at.astimezone(zone), span.ends_at.astimezone(zone)) for span in facts.supervised]
    that_day = [f"{starts:%H:%M} to {ends:%H:%M}" for starts, ends in local if starts.date() == day]
    if not that_day:
        return (
            f"No staff are in the lab on {day}. Choose another day, or come with a group that an adult books."
        )
    return (
        f"Choose a time when staff are in the lab, on {day} {' and '.join(that_day)}, "
        "or come with a group that an adult books."
    )


def _group(request: BookingRequest, facts: BookingFacts) -> Iterator[Refusal]:
    """The list of participants and the head count, against one another and against the leader."""
    written = Counter(guest.written.casefold() for guest in request.participants)
    names = {guest.written.casefold(): guest.written for guest in request.participants}
    twice = [names[name] for name, count in written.items() if count > 1]
    if twice:
        yield _mismatch(
            f"{', '.join(twice)}: listed twice. Add something that tells them apart, or leave one out."
        )
    if facts.person is not None:
        leader = {facts.person.email.casefold(), facts.person.name.casefold()} - {""}
        if leader & written.keys():
            yield _mismatch("Who leads the group is counted already. Leave them out of the list.")
    least = 1 + len(request.participants)
    if request.heads < least:
        yield Refusal(
            "participants_mismatch",
            "head_count",
            f"With the one who leads, {least} people are named. Say at least {least}, or shorten the list.",
        )
    if facts.without_consent:
        yield Refusal(
            "minor_without_consent",
            "participants",
            f"{', '.join(facts.without_consent)}: under 18, and a parent's or guardian's consent is not on "
            "record. Leave them out, or bring the consent to the lab first.",
        )


def _mismatch(message: str) -> Refusal:
    return Refusal("participants_mismatch", "participants", message)


class Part(StrEnum):
    """What somebody has to do with a booking."""

    LEADER = "leader"  # it is theirs
    STAFF = "staff"  # they see the lab's details
    PARTICIPANT = "participant"  # they come along
    OWNER = "owner"  # it is made in the name of an organisation they own


def part_in(
    actor: Actor, member_id: int | None, lab_id: int, *, takes_part: bool = False, owns: bool = False
) -> Part | None:
    """The actor's part in a booking, the strongest first; None: it does not exist for them.

    ``member_id`` is None for work that nobody had booked.
    """
    if actor.member_id == member_id:
        return Part.LEADER
    if may_see_lab_details(actor, lab_id):
        return Part.STAFF
    if takes_part:
        return Part.PARTICIPANT
    return Part.OWNER if owns else None


def may_see_participants(part: Part | None) -> bool:
    """The names on the list, often children's: who leads them, and the lab's staff."""
    return part in (Part.LEADER, Part.STAFF)


def may_see_accounts(part: Part | None) -> bool:
    """Which names on the list have an account: the lab's staff, who may look members up anyway."""
    return part is Part.STAFF


def may_see_history(part: Part | None) -> bool:
    """Who changed it and why: whose it is, and the lab's staff."""
    return part in (Part.LEADER, Part.STAFF)


def may_see_its_work(part: Part | None) -> bool:
    """Which files the machine worked on in its time: whose they are, and the lab's staff."""
    return part in (Part.LEADER, Part.STAFF)


def may_see_whose(actor: Actor, member_id: int | None, lab_id: int) -> bool:
    """Whose a taken time or a piece of work is, and its file: its leader, and the lab's staff.

    Asked where many spans are shown at once: in calendars, the stream, tiles and lists of work. They may mean
    less than a booking by itself: who comes along, or owns the organisation, reads it there.
    """
    return may_see_its_work(part_in(actor, member_id, lab_id))


def may_cancel(actor: Actor, part: Part | None, lab_id: int) -> bool:
    """Whose it is, and whoever manages the lab."""
    return part is Part.LEADER or (part is Part.STAFF and may_manage_lab(actor, lab_id))
