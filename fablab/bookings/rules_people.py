"""Who may come when: minors, groups, organisations and projects; and who may see a booking. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from fablab.bookings.facts import BookingFacts, BookingRequest, Person
from fablab.bookings.wording import refusal
from fablab.errors import Refusal
from fablab.machines.rules import Span, covers
from fablab.members.rules import Actor, may_manage_lab, may_see_lab_details


def people_refusals(request: BookingRequest, facts: BookingFacts) -> Iterator[Refusal]:
    """Everything that speaks against the people of a request, in the order they stand in it."""
    whom = "them" if request.for_member else "you"
    if facts.person is None:
        yield refusal("unknown_member", "for_member")
    elif facts.person.minor:
        yield from _minor(request, facts, facts.person, whom)
    if request.organisation is not None and not facts.belongs_to_organisation:
        yield refusal(
            "not_member_of_organisation", "organisation", case=whom, organisation=request.organisation
        )
    if not facts.project_known:
        yield refusal("unknown_project", "project")
    yield from _group(request, facts)


def _minor(request: BookingRequest, facts: BookingFacts, person: Person, whom: str) -> Iterator[Refusal]:
    """Under 18: with consent, while staff are there, and never as the one who leads."""
    if request.in_a_group:
        yield refusal("leader_is_minor", "participants", case=whom)
    if not person.consent:
        yield refusal("minor_without_consent", "for_member" if request.for_member else "member", case=whom)
    span = Span(request.starts_at, request.ends_at)
    if not request.in_a_group and not covers(facts.supervised, span):
        case, values = when_staff_are_there(facts, span)
        yield refusal("minor_unsupervised", "starts_at", case=f"{whom}_{case}", **values)


def when_staff_are_there(facts: BookingFacts, wanted: Span) -> tuple[str, dict[str, Any]]:
    """What to do about a time without staff: the case "that_day" with its supervised hours, or "no_day"."""
    zone = ZoneInfo(facts.zone)
    day = wanted.starts_at.astimezone(zone).date()
    local = [(span.starts_at.astimezone(zone), span.ends_at.astimezone(zone)) for span in facts.supervised]
    that_day = [f"{starts:%H:%M}\u2013{ends:%H:%M}" for starts, ends in local if starts.date() == day]
    return ("that_day", {"day": day, "hours": that_day}) if that_day else ("no_day", {"day": day})


def _group(request: BookingRequest, facts: BookingFacts) -> Iterator[Refusal]:
    """The list of participants and the head count, against one another and against the leader."""
    written = Counter(guest.written.casefold() for guest in request.participants)
    names = {guest.written.casefold(): guest.written for guest in request.participants}
    twice = [names[name] for name, count in written.items() if count > 1]
    if twice:
        yield refusal("participants_mismatch", "participants", case="twice", names=twice)
    if facts.person is not None:
        leader = {facts.person.email.casefold(), facts.person.name.casefold()} - {""}
        if leader & written.keys():
            yield refusal("participants_mismatch", "participants", case="leader")
    least = 1 + len(request.participants)
    if request.heads < least:
        yield refusal("participants_mismatch", "head_count", case="too_few", least=least)
    if facts.without_consent:
        yield refusal(
            "minor_without_consent", "participants", case="listed", names=list(facts.without_consent)
        )


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


def may_move(actor: Actor, part: Part | None, lab_id: int) -> bool:
    """Give it another time, machine or purpose: whose it is, and whoever manages the lab."""
    return may_cancel(actor, part, lab_id)


def may_override(actor: Actor, lab_id: int) -> bool:
    """Go over the lab's rules: whoever manages it."""
    return may_manage_lab(actor, lab_id)


def may_decide(actor: Actor, lab_id: int) -> bool:
    """Agree to a request, or reject it: whoever manages the lab."""
    return may_manage_lab(actor, lab_id)


def may_close_machines(actor: Actor, lab_id: int) -> bool:
    """Say that a machine is out of service: whoever manages the lab."""
    return may_manage_lab(actor, lab_id)
