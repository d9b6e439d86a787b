"""What stands in a mail about bookings, and in the calendar entry that goes with it, for one reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fablab.bookings import ics
from fablab.mail.words import format_span, format_spans, format_when

# What somebody has to do with an act: it is theirs, they come along, it was theirs, they decide.
LEADER, PARTICIPANT, BEFORE, APPROVER = "leader", "participant", "before", "approver"
# Lines of a list of dates in a mail. The calendar that goes with it has them all.
DATES_MOST = 40
_MORE = {"fr": "et {} autres", "ar": "و{} أخرى", "en": "and {} more"}


@dataclass(frozen=True)
class Sender:
    """Who we are in a calendar, and where our pages are."""

    organizer: ics.Person
    base_url: str
    host: str


@dataclass(frozen=True)
class Place:
    machine: str
    machine_slug: str
    lab_id: int
    lab_slug: str
    lab_names: Mapping[str, str]
    zone: str
    address: str
    position: tuple[float, float] | None


@dataclass(frozen=True)
class Known:
    """What is read once for all acts of a run."""

    places: Mapping[int, Place]
    bookings: Mapping[int, Any]
    before: Mapping[tuple[int, datetime], Any]
    guests: Mapping[int, Sequence[int]]
    managers: Mapping[int, Sequence[int]]
    people: Mapping[int, Any]
    offered: Mapping[str, str]


def words(person: Any, part: str, told: Sequence[Any], known: Known) -> dict[str, Any]:
    """Everything that may fill a gap of these mails; what does not apply is empty."""
    first, language = told[0], person.language
    places = [known.places[each.machine_id] for each in told]
    zone = places[0].zone
    booking = known.bookings.get(first.booking_id)
    actor, leader = known.people.get(first.actor_id), known.people.get(first.member_id)
    before = known.before.get((first.booking_id, first.at)) if len(told) == 1 else None
    by = actor.name if actor is not None and actor.id not in (person.id, first.member_id) else ""
    decide_by = booking.decide_by if booking is not None else None
    return {
        "machine": _joined(dict.fromkeys(place.machine for place in places)),
        "lab": _joined(dict.fromkeys(place.lab_names[language] for place in places)),
        "when": format_spans([(each.starts_at, each.ends_at) for each in told], zone, language),
        "dates": _dates(told, known, language) if len(told) > 1 else [],
        "was": "" if before is None else _was(before, first, known, language),
        "by": by,
        "leader": leader.name if leader is not None and part == PARTICIPANT else "",
        "person": leader.name if leader is not None else "",
        "reason": first.reason,
        "purpose": booking.purpose if booking is not None else "",
        "until": "" if decide_by is None else format_when(decide_by, zone, language),
        "offers": _offers(first, known, language),
        "found": str(len(first.offers or ())) if first.offers else "",
        "link": f"/bookings/{first.booking_id}" if len(told) == 1 or part == APPROVER else "/bookings",
    }


def _was(before: Any, notice: Any, known: Known, language: str) -> str:
    """Time and machine before a move; the machine only where it is another one now."""
    machine_id = before.from_machine_id or notice.machine_id
    place = known.places[machine_id]
    span = format_span(before.from_starts_at, before.from_ends_at or notice.ends_at, place.zone, language)
    return span if machine_id == notice.machine_id else f"{place.machine}, {span}"


def _dates(told: Sequence[Any], known: Known, language: str) -> list[str]:
    several = len({each.machine_id for each in told}) > 1
    lines = []
    for each in told[:DATES_MOST]:
        place = known.places[each.machine_id]
        span = format_span(each.starts_at, each.ends_at, place.zone, language)
        lines.append(f"{place.machine}: {span}" if several else span)
    if len(told) > DATES_MOST:
        lines.append(_MORE[language].format(len(told) - DATES_MOST))
    return lines


def _offers(notice: Any, known: Known, language: str) -> list[str]:
    lines = []
    for offer in notice.offers or ():
        starts, ends = (datetime.fromisoformat(offer[name]) for name in ("starts_at", "ends_at"))
        place = known.places[notice.machine_id]
        span = format_span(starts, ends, place.zone, language)
        lines.append(f"{known.offered.get(offer['machine'], offer['machine'])}: {span}")
    return lines


def _joined(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:4]) + (f" +{len(listed) - 4}" if len(listed) > 4 else "")


def entry(notice: Any, status: str, person: Any, part: str, known: Known, sender: Sender) -> ics.Entry:
    place, booking = known.places[notice.machine_id], known.bookings.get(notice.booking_id)
    if notice.what == "moved" and booking is not None and booking.state == "requested":
        status = "TENTATIVE"
    url = f"{sender.base_url}/bookings/{notice.booking_id}"
    purpose = booking.purpose if booking is not None and part == LEADER else ""
    return ics.Entry(
        uid=ics.booking_uid(notice.booking_id, sender.host),
        sequence=notice.version,
        stamped_at=notice.at,
        starts_at=notice.starts_at,
        ends_at=notice.ends_at,
        zone=place.zone,
        summary=f"{place.machine}, {place.lab_names[person.language]}",
        status=status,
        location=", ".join(each for each in (place.lab_names[person.language], place.address) if each),
        description="\n".join(each for each in (purpose, url) if each),
        url=url,
        position=place.position,
    )
