"""Mails and webhook deliveries made of what was noted about bookings: who reads what.

The member whose booking it is reads everything; whoever comes along and has an account reads when and where,
and that it falls out; the lab's managers read what there is to decide.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.orm import Session

from fablab.bookings import ics
from fablab.bookings.letters import TOLD
from fablab.bookings.models import Booking, BookingChange, Participant
from fablab.bookings.models_notices import Notice
from fablab.bookings.telling_words import (
    APPROVER,
    BEFORE,
    LEADER,
    PARTICIPANT,
    Known,
    Place,
    Sender,
    entry,
    words,
)
from fablab.machines.models import Lab, Machine
from fablab.mail import texts
from fablab.mail.service import Letter, Recipient, queue_all
from fablab.members.models import Member, Role
from fablab.webhooks.service import announce_all

# Acts taken up in one run; the next goes on with the rest.
BATCHES = 200


@dataclass(frozen=True)
class Story:
    """The mail that one reader of an act gets, and what becomes of their calendar's entry (None: nothing)."""

    template: str
    status: str | None


STORIES: Mapping[tuple[str, str], Story] = {
    ("requested", LEADER): Story("booking_requested", "TENTATIVE"),
    ("requested", APPROVER): Story("booking_to_decide", None),
    ("confirmed", LEADER): Story("booking_confirmed", "CONFIRMED"),
    ("confirmed", PARTICIPANT): Story("booking_confirmed", "CONFIRMED"),
    ("moved", LEADER): Story("booking_moved", "CONFIRMED"),
    ("moved", PARTICIPANT): Story("booking_moved", "CONFIRMED"),
    ("cancelled", LEADER): Story("booking_cancelled", "CANCELLED"),
    ("cancelled", PARTICIPANT): Story("booking_cancelled", "CANCELLED"),
    ("rejected", LEADER): Story("booking_rejected", "CANCELLED"),
    ("request_expired", LEADER): Story("booking_request_expired", "CANCELLED"),
    ("missed", LEADER): Story("booking_missed", None),
    ("reminder", LEADER): Story("booking_reminder", None),
    ("reminder", PARTICIPANT): Story("booking_reminder", None),
    ("touched_by_outage", LEADER): Story("booking_outage", None),
    ("transferred", LEADER): Story("booking_received", "CONFIRMED"),
    ("transferred", BEFORE): Story("booking_handed_over", "CANCELLED"),
}


def tell_due(session: Session, now: datetime, sender: Sender) -> int:
    """Write the mails and deliveries of what was noted, oldest first; returns of how many bookings.

    A constant number of statements, whatever the number of bookings and readers. Two at once are harmless:
    each notice is deleted by whoever tells of it.
    """
    notices = _take(session)
    if notices:
        known = _know(session, notices)
        queue_all(session, list(_letters(notices, known, sender)), now)
        announce_all(session, list(_events(notices, known)), now)
    return len(notices)


def _take(session: Session) -> list[Any]:
    first = func.min(Notice.id).label("first")
    due = select(Notice.batch).group_by(Notice.batch).order_by(first).limit(BATCHES)
    gone = session.execute(
        delete(Notice)
        .where(Notice.batch.in_(due.scalar_subquery()))
        .returning(
            Notice.id,
            Notice.batch,
            Notice.booking_id,
            Notice.what,
            Notice.at,
            Notice.actor_id,
            Notice.reason,
            Notice.version,
            Notice.machine_id,
            Notice.member_id,
            Notice.starts_at,
            Notice.ends_at,
            Notice.from_member_id,
            Notice.offers,
        ),
        execution_options={"synchronize_session": False},
    )
    return sorted(gone, key=lambda row: row.id)


def _know(session: Session, notices: Sequence[Any]) -> Known:
    ids = {each.booking_id for each in notices}
    bookings = {
        row.id: row
        for row in session.execute(
            select(
                Booking.id,
                Booking.state,
                Booking.purpose,
                Booking.decide_by,
                Booking.series_id,
                Booking.bundle_id,
            ).where(Booking.id.in_(ids))
        )
    }
    moved = {(each.booking_id, each.at) for each in notices if each.what == "moved"}
    before = {}
    if moved:
        changes = select(
            BookingChange.booking_id,
            BookingChange.at,
            BookingChange.from_starts_at,
            BookingChange.from_ends_at,
            BookingChange.from_machine_id,
        ).where(
            tuple_(BookingChange.booking_id, BookingChange.at).in_(moved),
            BookingChange.from_starts_at.is_not(None),
        )
        before = {(row.booking_id, row.at): row for row in session.execute(changes)}
    guests: dict[int, list[int]] = defaultdict(list)
    for row in session.execute(
        select(Participant.booking_id, Participant.member_id).where(
            Participant.booking_id.in_(ids), Participant.member_id.is_not(None)
        )
    ):
        guests[row.booking_id].append(row.member_id)
    machine_ids = {each.machine_id for each in notices} | {row.from_machine_id for row in before.values()}
    slugs = {offer["machine"] for each in notices for offer in each.offers or ()}
    places, offered = _places(session, machine_ids - {None}, slugs)
    managers: dict[int, list[int]] = defaultdict(list)
    asked = {places[each.machine_id].lab_id for each in notices if each.what == "requested"}
    if asked:
        staff = select(Role.lab_id, Role.member_id).where(Role.role == "manager", Role.lab_id.in_(asked))
        for lab_id, member_id in session.execute(staff):
            managers[lab_id or 0].append(member_id)
    people_ids = {
        *(each.member_id for each in notices),
        *(each.actor_id for each in notices),
        *(each.from_member_id for each in notices),
        *(guest for listed in guests.values() for guest in listed),
        *(member_id for listed in managers.values() for member_id in listed),
    } - {None}
    people = session.execute(
        select(Member.id, Member.email, Member.name, Member.language, Member.active, Member.erased_at).where(
            Member.id.in_(people_ids)
        )
    )
    return Known(places, bookings, before, guests, managers, {row.id: row for row in people}, offered)


def _places(
    session: Session, machine_ids: Iterable[int], slugs: Iterable[str]
) -> tuple[dict[int, Place], dict[str, str]]:
    """The machines by id, and the names of those offered instead by slug. One statement."""
    rows = session.execute(
        select(
            Machine.id,
            Machine.name,
            Machine.slug,
            Machine.lab_id,
            Lab.slug.label("lab"),
            Lab.name_fr,
            Lab.name_ar,
            Lab.name_en,
            Lab.zone,
            Lab.address,
            Lab.latitude,
            Lab.longitude,
        )
        .join(Lab, Lab.id == Machine.lab_id)
        .where(Machine.id.in_(tuple(machine_ids)) | Machine.slug.in_(tuple(slugs)))
    ).all()
    places = {}
    for row in rows:
        known = row.latitude is not None and row.longitude is not None
        places[row.id] = Place(
            row.name,
            row.slug,
            row.lab_id,
            row.lab,
            {"fr": row.name_fr, "ar": row.name_ar, "en": row.name_en},
            row.zone,
            row.address,
            (row.latitude, row.longitude) if known else None,
        )
    return places, {row.slug: row.name for row in rows}


def _letters(notices: Sequence[Any], known: Known, sender: Sender) -> Iterable[Letter]:
    """One mail for each reader of each act, in the order in which the acts came."""
    for_reader: dict[tuple[Any, int, str], list[Any]] = defaultdict(list)
    for each in notices:
        for member_id, part in _readers(each, known):
            for_reader[each.batch, member_id, part].append(each)
    for (_, member_id, part), told in for_reader.items():
        person = known.people.get(member_id)
        if person is not None and person.active and person.erased_at is None:
            # Where each stands by itself, each is a mail: what to do about one says nothing of another.
            single = told[0].what in ("missed", "reminder", "touched_by_outage")
            for some in [[each] for each in told] if single else [told]:
                yield _letter(person, part, some, known, sender)


def _readers(notice: Any, known: Known) -> Iterable[tuple[int, str]]:
    readers = [(notice.member_id, LEADER)]
    if notice.from_member_id is not None and notice.from_member_id != notice.member_id:
        readers.append((notice.from_member_id, BEFORE))
    readers += [(guest, PARTICIPANT) for guest in known.guests.get(notice.booking_id, ())]
    if notice.what == "requested":
        lab_id = known.places[notice.machine_id].lab_id
        # Who asks is not asked.
        readers += [(each, APPROVER) for each in known.managers.get(lab_id, ()) if each != notice.actor_id]
    seen = set()
    for member_id, part in readers:
        if (notice.what, part) in STORIES and (member_id, part == APPROVER) not in seen:
            seen.add((member_id, part == APPROVER))
            yield member_id, part


def _letter(person: Any, part: str, told: Sequence[Any], known: Known, sender: Sender) -> Letter:
    story = STORIES[told[0].what, part]
    has = texts.template(story.template)
    said = words(person, part, told, known)
    filling = {gap: said[gap] for gap in has.gaps}
    to = Recipient(person.email, person.name, person.language, person.id)
    calendar = None
    if story.status is not None:
        entries = [entry(each, story.status, person, part, known, sender) for each in told]
        calendar = ics.message(entries, sender.organizer, ics.Person(person.name, person.email))
    return Letter(story.template, to, filling, calendar)


def _events(notices: Sequence[Any], known: Known) -> Iterable[tuple[str, int, dict[str, Any]]]:
    """What webhooks hear: machine, lab and times, and nobody's name."""
    for each in notices:
        event = TOLD[each.what]
        if event is None:
            continue
        place, booking = known.places[each.machine_id], known.bookings.get(each.booking_id)
        zone = ZoneInfo(place.zone)
        told: dict[str, Any] = {
            "id": each.booking_id,
            "version": each.version,
            "machine": place.machine_slug,
            "lab": place.lab_slug,
            "starts_at": each.starts_at.astimezone(zone).isoformat(),
            "ends_at": each.ends_at.astimezone(zone).isoformat(),
            "series": None if booking is None else booking.series_id,
            "bundle": None if booking is None else booking.bundle_id,
        }
        before = known.before.get((each.booking_id, each.at))
        if each.what == "moved" and before is not None:
            told["from"] = {
                "machine": known.places[before.from_machine_id or each.machine_id].machine_slug,
                "starts_at": before.from_starts_at.astimezone(zone).isoformat(),
                "ends_at": (before.from_ends_at or each.ends_at).astimezone(zone).isoformat(),
            }
        yield (
            event,
            place.lab_id,
            {"lab": place.lab_slug, "at": each.at.astimezone(zone).isoformat(), "booking": told},
        )
