"""Calendars that programs subscribe to by a private address: a member's, a machine's, a lab's."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, or_, select, update
from sqlalchemy.orm import Session

from fablab.bookings import ics
from fablab.bookings.models import Booking, BookingChange, Participant
from fablab.bookings.models_calendars import CalendarKey
from fablab.bookings.models_claims import Outage
from fablab.bookings.rules_people import may_see_whose
from fablab.bookings.wording import refusal
from fablab.errors import not_found, refused
from fablab.machines.models import Lab, Machine
from fablab.members import audit
from fablab.members.models import Member
from fablab.members.queries import actor_from, with_roles
from fablab.members.rules import Actor
from fablab.signin.rules import digest

PREFIX = "cal_"  # lets scanners recognise a leaked key
KEYS_MOST = 20
# How far back a feed reaches; ahead it has no end.
PAST = timedelta(days=60)
ENTRIES_MOST = 10_000
# How exactly the last use of a key is remembered; every reading would be a write otherwise.
USE_GRAIN = timedelta(hours=1)
_OWN_STATES = ("requested", "confirmed", "started", "completed")
_TAKEN_STATES = ("confirmed", "started", "completed")
_TAKEN = {"fr": "réservé", "ar": "محجوز", "en": "booked"}
_BROKEN = {"fr": "hors service", "ar": "خارج الخدمة", "en": "out of service"}
_MINE = {"fr": "Mes réservations", "ar": "حجوزاتي", "en": "My bookings"}


@dataclass(frozen=True)
class KeyView:
    """A feed somebody has an address of, without the secret in it: their own, a machine's or a lab's."""

    id: int
    machine: str | None
    machine_name: str | None
    lab: str | None
    lab_names: dict[str, str] | None
    created_at: datetime
    used_at: datetime | None

    @property
    def kind(self) -> str:
        """me, machine or lab."""
        return "machine" if self.machine else "lab" if self.lab else "me"


@dataclass(frozen=True)
class Opened:
    """Whose feed a key opens, and of what."""

    key_id: int
    actor: Actor
    language: str
    machine_id: int | None
    lab_id: int | None
    used_at: datetime | None


def make_key(
    session: Session, actor: Actor, now: datetime, *, machine_id: int | None = None, lab_id: int | None = None
) -> tuple[KeyView, str]:
    """A key to the actor's own feed, or to a machine's or a lab's as the actor may see it.

    Returns it and its secret, which is kept nowhere. Raises REFUSED `too_many_keys`.
    """
    # Of two at once the second counts after the first.
    session.execute(select(Member.id).where(Member.id == actor.member_id).with_for_update())
    if len(keys_of(session, actor.member_id)) >= KEYS_MOST:
        raise refused(refusal("too_many_keys", "key", most=KEYS_MOST))
    plain = PREFIX + secrets.token_urlsafe(32)
    key = CalendarKey(
        member_id=actor.member_id,
        machine_id=machine_id,
        lab_id=lab_id,
        key_hash=digest(plain).hex(),
        created_at=now,
    )
    session.add(key)
    session.flush()
    audit.record(session, actor, "calendar_key.make", f"calendar key {key.id}", now, lab_id=lab_id)
    [made] = keys_of(session, actor.member_id, key_id=key.id)
    return made, plain


def revoke_key(session: Session, actor: Actor, key_id: int, now: datetime) -> None:
    """End one of the actor's own keys: whoever reads the feed finds nothing from now on. Raises NOT_FOUND."""
    gone = session.scalar(
        delete(CalendarKey)
        .where(CalendarKey.id == key_id, CalendarKey.member_id == actor.member_id)
        .returning(CalendarKey.id)
    )
    if gone is None:
        raise not_found("calendar address")
    audit.record(session, actor, "calendar_key.revoke", f"calendar key {key_id}", now)


def keys_of(session: Session, member_id: int, *, key_id: int | None = None) -> list[KeyView]:
    """The member's keys, the oldest first."""
    query = (
        select(
            CalendarKey.id,
            Machine.slug,
            Machine.name,
            Lab.slug,
            Lab.name_fr,
            Lab.name_ar,
            Lab.name_en,
            CalendarKey.created_at,
            CalendarKey.used_at,
        )
        .outerjoin(Machine, Machine.id == CalendarKey.machine_id)
        .outerjoin(Lab, Lab.id == CalendarKey.lab_id)
        .where(CalendarKey.member_id == member_id)
        .order_by(CalendarKey.id)
    )
    if key_id is not None:
        query = query.where(CalendarKey.id == key_id)
    found = []
    for id_, machine, machine_name, lab, fr, ar, en, created_at, used_at in session.execute(query):
        names = None if lab is None else {"fr": fr, "ar": ar, "en": en}
        found.append(KeyView(id_, machine, machine_name, lab, names, created_at, used_at))
    return found


def open_feed(session: Session, plain: str) -> Opened | None:
    """What a key opens; None for a wrong one, and for one of an account that is closed. One statement.

    The secret is looked up by its digest, so that how long it takes says nothing of it.
    """
    rows = (
        session.execute(
            with_roles(
                CalendarKey.id.label("key_id"),
                CalendarKey.machine_id,
                CalendarKey.lab_id.label("of_lab_id"),
                CalendarKey.used_at,
                Member.language,
            )
            .join(CalendarKey, CalendarKey.member_id == Member.id)
            .where(CalendarKey.key_hash == digest(plain).hex(), Member.active)
        )
        .mappings()
        .all()
    )
    actor = actor_from(rows, read_only=True)
    if actor is None:
        return None
    row = rows[0]
    return Opened(row["key_id"], actor, row["language"], row["machine_id"], row["of_lab_id"], row["used_at"])


def note_use(session: Session, key_id: int, now: datetime) -> None:
    """Remember when a key was last used."""
    session.execute(update(CalendarKey).where(CalendarKey.id == key_id).values(used_at=now))


def feed_of(session: Session, opened: Opened, now: datetime, base_url: str, host: str) -> str:
    """The feed as iCalendar text: the same text as long as nothing in it has changed.

    The member's own: what they lead and where they come along. A machine's or a lab's: what takes its time,
    with names and purposes only where the member may see them. Two statements at most.
    """
    about = _About(opened, base_url, host)
    since = now - PAST
    if opened.machine_id is None and opened.lab_id is None:
        attended = select(Participant.booking_id).where(Participant.member_id == opened.actor.member_id)
        theirs = or_(Booking.member_id == opened.actor.member_id, Booking.id.in_(attended))
        entries = [about.own(row) for row in session.execute(_bookings(theirs, since, _OWN_STATES))]
        return ics.feed(_MINE[opened.language], entries)
    place = Booking.lab_id == opened.lab_id
    broken = Outage.lab_id == opened.lab_id
    name = Lab.name_fr, Lab.name_ar, Lab.name_en
    title = select(*name).where(Lab.id == opened.lab_id)
    if opened.machine_id is not None:
        place, broken = Booking.machine_id == opened.machine_id, Outage.machine_id == opened.machine_id
        title = select(Machine.name, Machine.name, Machine.name).where(Machine.id == opened.machine_id)
    entries = [about.taken(row) for row in session.execute(_bookings(place, since, _TAKEN_STATES))]
    entries += about.broken(session.execute(_outages(broken, since)).all(), now)
    titles = dict(zip(("fr", "ar", "en"), session.execute(title).one(), strict=True))
    return ics.feed(titles[opened.language], entries)


def _bookings(which: ColumnElement[bool], since: datetime, states: Sequence[str]) -> Select[*tuple[Any, ...]]:
    changed = (
        select(func.max(BookingChange.at))
        .where(BookingChange.booking_id == Booking.id)
        .correlate(Booking)
        .scalar_subquery()
    )
    return (
        select(
            Booking.id,
            Booking.version,
            Booking.state,
            Booking.starts_at,
            Booking.ends_at,
            Booking.purpose,
            Booking.member_id,
            Booking.lab_id,
            Member.name.label("member"),
            Machine.name.label("machine"),
            *_PLACE,
            func.coalesce(changed, Booking.created_at).label("changed_at"),
        )
        .join(Machine, Machine.id == Booking.machine_id)
        .join(Lab, Lab.id == Booking.lab_id)
        .join(Member, Member.id == Booking.member_id)
        .where(which, Booking.state.in_(states), Booking.ends_at > since)
        .order_by(Booking.starts_at, Booking.id)
        .limit(ENTRIES_MOST)
    )


def _outages(which: ColumnElement[bool], since: datetime) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Outage.id,
            Outage.starts_at,
            Outage.ends_at,
            Outage.created_at,
            Machine.name.label("machine"),
            *_PLACE,
        )
        .join(Machine, Machine.id == Outage.machine_id)
        .join(Lab, Lab.id == Outage.lab_id)
        .where(which, or_(Outage.ends_at.is_(None), Outage.ends_at > since))
        .order_by(Outage.starts_at, Outage.id)
        .limit(ENTRIES_MOST)
    )


_PLACE = (Lab.zone, Lab.name_fr, Lab.name_ar, Lab.name_en, Lab.address, Lab.latitude, Lab.longitude)


class _About:
    """Rows as entries of one reader's feed."""

    def __init__(self, opened: Opened, base_url: str, host: str) -> None:
        self._actor, self._language = opened.actor, opened.language
        self._base_url, self._host = base_url, host

    def own(self, row: Any) -> ics.Entry:
        leads = row.member_id == self._actor.member_id
        purpose = row.purpose if leads else ""
        status = "TENTATIVE" if row.state == "requested" else "CONFIRMED"
        return self._entry(row, f"{row.machine}, {self._lab(row)}", purpose, status, seen=True)

    def taken(self, row: Any) -> ics.Entry:
        seen = may_see_whose(self._actor, row.member_id, row.lab_id)
        whose = row.member if seen else _TAKEN[self._language]
        return self._entry(
            row, f"{row.machine}: {whose}", row.purpose if seen else "", "CONFIRMED", seen=seen
        )

    def broken(self, rows: Sequence[Any], now: datetime) -> Iterator[ics.Entry]:
        # Calendars know no open end: a week from today, moving on day by day.
        day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        for row in rows:
            ends_at = row.ends_at or max(row.starts_at, day) + timedelta(days=7)
            yield ics.Entry(
                uid=f"outage-{row.id}@{self._host}",
                sequence=0,
                stamped_at=row.created_at,
                starts_at=row.starts_at,
                ends_at=ends_at,
                zone=row.zone,
                summary=f"{row.machine}: {_BROKEN[self._language]}",
                location=self._where(row),
            )

    def _entry(self, row: Any, summary: str, purpose: str, status: str, *, seen: bool) -> ics.Entry:
        url = f"{self._base_url}/bookings/{row.id}" if seen else ""
        known = row.latitude is not None and row.longitude is not None
        return ics.Entry(
            uid=ics.booking_uid(row.id, self._host),
            sequence=row.version,
            stamped_at=row.changed_at,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            zone=row.zone,
            summary=summary,
            status=status,
            location=self._where(row),
            description="\n".join(each for each in (purpose, url) if each),
            url=url,
            position=(row.latitude, row.longitude) if known else None,
        )

    def _lab(self, row: Any) -> str:
        name: str = getattr(row, f"name_{self._language}")
        return name

    def _where(self, row: Any) -> str:
        return ", ".join(each for each in (self._lab(row), row.address) if each)
