"""Telling people and programs of what became of bookings: verbs note it here, the clock writes the mails.

See `fablab.bookings.telling` for who is told what.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import DateTime, bindparam, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from fablab.bookings.models import REASON_MAX
from fablab.bookings.models_claims import Outage
from fablab.errors import Alternative
from fablab.machines.models import Lab, Machine
from fablab.mail import texts
from fablab.mail.service import Letter, Recipient, queue_all
from fablab.mail.words import format_span, format_when
from fablab.members.models import Member
from fablab.members.rules import Actor
from fablab.webhooks.service import announce

# Everything that may be told of a booking, and the event that webhooks hear of it (none: only people do).
TOLD: Mapping[str, str | None] = {
    "requested": "booking.requested",
    "confirmed": "booking.confirmed",
    "moved": "booking.moved",
    "cancelled": "booking.cancelled",
    "rejected": "booking.rejected",
    "request_expired": "booking.rejected",
    "started": "booking.started",
    "completed": "booking.completed",
    "missed": "booking.missed",
    "reminder": None,
    "touched_by_outage": None,
    "transferred": None,
}

# Booking, version and times as they are at this moment; the change before it says what they were.
_NOTE = text(
    """
    INSERT INTO booking_notice (batch, booking_id, what, at, actor_id, reason, version, machine_id, member_id,
                                starts_at, ends_at, from_member_id, offers)
    SELECT batch.id, booking.id, :what, :now, :actor, :reason, booking.version, booking.machine_id,
           booking.member_id, booking.starts_at, booking.ends_at, CAST(:from_member AS bigint),
           CAST(:offers AS jsonb) -> booking.id::text
    FROM (SELECT gen_random_uuid() AS id) AS batch, booking
    WHERE booking.id = ANY(:bookings)
    ORDER BY booking.starts_at, booking.id
    """
).bindparams(bindparam("now", type_=DateTime(timezone=True)), bindparam("offers", type_=JSONB))


def tell(
    session: Session,
    booking_ids: Collection[int],
    what: str,
    now: datetime,
    *,
    actor: Actor | None = None,
    reason: str = "",
    from_member_id: int | None = None,
    offers: Mapping[int, Sequence[Alternative]] | None = None,
) -> None:
    """Let everybody whom it concerns know, once the caller commits, what was just done to these bookings.

    ``what`` is one of TOLD. All bookings of one act come to a reader as one mail. ``actor`` is None for the
    clock and for machines; ``from_member_id`` is whose a handed over booking was; ``offers`` are free spans
    instead of a booking that an outage meets, by booking. One statement, whatever the number of bookings.
    """
    if what not in TOLD:
        raise ValueError(f"nobody is told {what!r} of a booking; there are {', '.join(TOLD)}")
    if booking_ids:
        offered = {str(each): [_offer(free) for free in found] for each, found in (offers or {}).items()}
        values = {
            "bookings": list(booking_ids),
            "what": what,
            "now": now,
            "actor": None if actor is None else actor.member_id,
            "reason": reason[:REASON_MAX],
            "from_member": from_member_id,
            "offers": offered,
        }
        session.execute(_NOTE, values)


def tell_outage(session: Session, outage_id: int, event: str, now: datetime) -> None:
    """Announce to webhooks that an outage ``began`` (or is planned), ``changed`` or ``ended``.

    A changed one is told as one that begins anew.
    """
    row = session.execute(
        select(
            Outage.id,
            Outage.lab_id,
            Outage.category,
            Outage.starts_at,
            Outage.ends_at,
            Machine.slug.label("machine"),
            Lab.slug.label("lab"),
            Lab.zone,
        )
        .join(Machine, Machine.id == Outage.machine_id)
        .join(Lab, Lab.id == Outage.lab_id)
        .where(Outage.id == outage_id)
    ).one_or_none()
    if row is None:
        return
    zone = ZoneInfo(row.zone)
    outage = {
        "id": row.id,
        "machine": row.machine,
        "lab": row.lab,
        "category": row.category,
        "starts_at": row.starts_at.astimezone(zone).isoformat(),
        "ends_at": None if row.ends_at is None else row.ends_at.astimezone(zone).isoformat(),
    }
    name = "outage.ended" if event == "ended" else "outage.began"
    announce(session, name, row.lab_id, {"lab": row.lab, "outage": outage}, now)


def send(
    session: Session,
    member_ids: Collection[int],
    template: str,
    now: datetime,
    *,
    machine_id: int | None = None,
    span: tuple[datetime, datetime] | None = None,
    until: datetime | None = None,
    link: str = "",
    **words: str,
) -> None:
    """Write one mail to members, each in their language, if they want this kind and their account is open.

    The template's gaps machine, lab, when (``span``) and until are filled in; ``link`` may be a path of ours;
    all other gaps are ``words``. Four statements at most.
    """
    people = session.execute(
        select(Member.id, Member.email, Member.name, Member.language).where(
            Member.id.in_(tuple(member_ids)), Member.active, Member.erased_at.is_(None)
        )
    ).all()
    if not people:
        return
    place = None
    if machine_id is not None:
        place = session.execute(
            select(Machine.name, Lab.name_fr, Lab.name_ar, Lab.name_en, Lab.zone)
            .join(Lab, Lab.id == Machine.lab_id)
            .where(Machine.id == machine_id)
        ).one()
    gaps = texts.template(template).gaps
    letters = []
    for person in people:
        filling = {**words, **({"link": link} if link else {})}
        if place is not None:
            language = person.language
            filling["machine"] = place.name
            filling["lab"] = getattr(place, f"name_{language}")
            if span is not None:
                filling["when"] = format_span(*span, place.zone, language)
            if until is not None:
                filling["until"] = format_when(until, place.zone, language)
        kept = {gap: value for gap, value in filling.items() if gap in gaps}
        to = Recipient(person.email, person.name, person.language, person.id)
        letters.append(Letter(template, to, kept))
    queue_all(session, letters, now)


def _offer(free: Alternative) -> dict[str, str]:
    return {
        "machine": free.machine,
        "lab": free.lab,
        "starts_at": free.starts_at.isoformat(),
        "ends_at": free.ends_at.isoformat(),
    }
