"""The day ahead, for the managers of a lab: one mail in the morning, if there is anything to say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking
from fablab.bookings.models_claims import Outage
from fablab.bookings.models_notices import Digest
from fablab.machines.models import Lab, Machine
from fablab.machines.rules import start_of_day
from fablab.mail.service import Letter, Recipient, queue_all
from fablab.mail.words import format_day, format_when
from fablab.members.models import Member, Role

# When managers read it, by the clock on the lab's wall.
AT = time(7, 0)
LINES_MOST = 25
_STANDING = ("confirmed", "started")
_MORE = {"fr": "et {} autres", "ar": "و{} أخرى", "en": "and {} more"}
_OPEN_ENDED = {"fr": "sans fin connue", "ar": "دون نهاية معروفة", "en": "no end known"}
_TO = {"fr": "jusqu'à {}", "ar": "إلى غاية {}", "en": "until {}"}


def send_digests(session: Session, now: datetime) -> int:
    """Write the mails of labs where it is past seven and nobody has had today's; returns how many mails.

    A lab's day is taken by a conditional write, so that a second run, also at the same time, writes none. A
    run that comes late, because nobody looked at seven, still writes until the day is over. The number of
    statements does not grow with labs or bookings.
    """
    labs = _labs_that_wait(session, now)
    if not labs:
        return 0
    readers = _managers(session, labs)
    letters = []
    for lab_id, days in _days(session, labs, now).items():
        for person in readers.get(lab_id, ()):
            letters.append(_letter(person, labs[lab_id], days))
    return queue_all(session, letters, now)


def _labs_that_wait(session: Session, now: datetime) -> dict[int, Any]:
    """The labs whose today is taken by this run, by id, each row with its local ``day``."""
    rows = session.execute(
        select(Lab.id, Lab.slug, Lab.zone, Lab.name_fr, Lab.name_ar, Lab.name_en, Digest.day).outerjoin(
            Digest, Digest.lab_id == Lab.id
        )
    ).all()
    due = {}
    for row in rows:
        local = now.astimezone(ZoneInfo(row.zone))
        if local.time() >= AT and (row.day is None or row.day < local.date()):
            due[row.id] = (row, local.date())
    if not due:
        return {}
    said = insert(Digest).values([{"lab_id": lab_id, "day": day} for lab_id, (_, day) in sorted(due.items())])
    taken = session.scalars(
        said.on_conflict_do_update(
            index_elements=["lab_id"], set_={"day": said.excluded.day}, where=Digest.day < said.excluded.day
        ).returning(Digest.lab_id)
    ).all()
    return {lab_id: due[lab_id][0] for lab_id in sorted(taken)}


def _managers(session: Session, lab_ids: Collection[int]) -> Mapping[int, Sequence[Any]]:
    rows = session.execute(
        select(Role.lab_id, Member.id, Member.email, Member.name, Member.language)
        .join(Member, Member.id == Role.member_id)
        .where(Role.role == "manager", Role.lab_id.in_(lab_ids), Member.active, Member.erased_at.is_(None))
        .order_by(Member.id)
    )
    found: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.lab_id or 0].append(row)
    return found


class _Day:
    """What a lab's managers should know this morning."""

    def __init__(self, on: date) -> None:
        self.on = on
        self.bookings: list[Any] = []
        self.requests: list[Any] = []
        self.missed: list[Any] = []
        self.outages: list[Any] = []

    @property
    def silent(self) -> bool:
        return not (self.bookings or self.requests or self.missed or self.outages)


def _days(session: Session, labs: Mapping[int, Any], now: datetime) -> dict[int, _Day]:
    """By lab what there is to say; a lab where there is nothing is left out. Two statements."""
    days, spans = {}, {}
    for lab_id, lab in labs.items():
        zone = ZoneInfo(lab.zone)
        today = now.astimezone(zone).date()
        days[lab_id] = _Day(today)
        spans[lab_id] = tuple(start_of_day(today + timedelta(days=step), zone) for step in (-1, 0, 1))
    concerned = [
        and_(
            Booking.lab_id == lab_id,
            or_(
                and_(Booking.state.in_(_STANDING), Booking.starts_at < after, Booking.ends_at > begin),
                and_(Booking.state == "requested", Booking.ends_at > now),
                and_(Booking.state == "missed", Booking.starts_at < begin, Booking.ends_at > before),
            ),
        )
        for lab_id, (before, begin, after) in spans.items()
    ]
    rows = session.execute(
        select(
            Booking.lab_id,
            Booking.state,
            Booking.starts_at,
            Booking.ends_at,
            Machine.name.label("machine"),
            Member.name.label("member"),
        )
        .join(Machine, Machine.id == Booking.machine_id)
        .join(Member, Member.id == Booking.member_id)
        .where(or_(*concerned))
        .order_by(Booking.starts_at, Booking.id)
    )
    for row in rows:
        day = days[row.lab_id]
        kind = {"requested": day.requests, "missed": day.missed}.get(row.state, day.bookings)
        kind.append(row)
    broken = session.execute(
        select(
            Outage.lab_id, Outage.category, Outage.starts_at, Outage.ends_at, Machine.name.label("machine")
        )
        .join(Machine, Machine.id == Outage.machine_id)
        .where(
            or_(
                *(
                    and_(
                        Outage.lab_id == lab_id,
                        Outage.starts_at < after,
                        or_(Outage.ends_at.is_(None), Outage.ends_at > now),
                    )
                    for lab_id, (_, _, after) in spans.items()
                )
            )
        )
        .order_by(Outage.starts_at, Outage.id)
    )
    for outage in broken:
        days[outage.lab_id].outages.append(outage)
    return {lab_id: day for lab_id, day in days.items() if not day.silent}


def _letter(person: Any, lab: Any, day: _Day) -> Letter:
    language, zone = person.language, ZoneInfo(lab.zone)

    def hours(row: Any) -> str:
        starts, ends = row.starts_at.astimezone(zone), row.ends_at.astimezone(zone)
        return f"{starts:%H:%M}–{ends:%H:%M}"

    def lines(rows: Sequence[Any], line: Any) -> list[str]:
        shown = [line(row) for row in rows[:LINES_MOST]]
        more = [_MORE[language].format(len(rows) - LINES_MOST)] if len(rows) > LINES_MOST else []
        return shown + more

    def back(row: Any) -> str:
        if row.ends_at is None:
            return f"{row.machine}, {_OPEN_ENDED[language]}"
        return f"{row.machine}, {_TO[language].format(format_when(row.ends_at, lab.zone, language))}"

    filling = {
        "lab": getattr(lab, f"name_{language}"),
        "day": format_day(day.on, language),
        "booked": _count(day.bookings),
        "bookings": lines(day.bookings, lambda row: f"{hours(row)} {row.machine}, {row.member}"),
        "asked": _count(day.requests),
        "requests": lines(
            day.requests,
            lambda row: f"{row.machine}, {row.member}, {format_when(row.starts_at, lab.zone, language)}",
        ),
        "broken": _count(day.outages),
        "outages": lines(day.outages, back),
        "absent": _count(day.missed),
        "missed": lines(day.missed, lambda row: f"{hours(row)} {row.machine}, {row.member}"),
        "link": f"/labs/{lab.slug}",
    }
    return Letter("digest", Recipient(person.email, person.name, language, person.id), filling)


def _count(rows: Sequence[Any]) -> str:
    return str(len(rows)) if rows else ""
