"""A year at the machines: bookings, jobs, and what a bridge told of one of them."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from fablab.bookings.models import Booking, BookingChange, Occupancy, Participant
from fablab.settings import Settings
from fablab.telemetry.partitions import make_partitions
from fablab.telemetry.service import apply_batch
from fablab.usage.models import Job, UsageSession
from tests.fixtures_cast import ZONE, Cast
from tests.support.bridges import Outbox, add_bridge, incoming, job_status
from tests.support.year_marks import DAY, DAYS, EMAIL, FILE, HOUR, MARK, NAME, OTHERS, Year


def bookings(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    """A booking every second day with its job and its session; every tenth a group; three still to come."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for ago in range(DAYS, -8, -2):
        starts_at = today - ago * DAY + 10 * HOUR
        if now - 2 * DAY < starts_at <= now:
            continue
        over = starts_at < now
        state = ("completed", "completed", "missed", "cancelled")[ago % 4] if over else "confirmed"
        booking_id = _booking(session, year, cast, "amina", starts_at, state, now)
        (year.bookings if over else year.to_come).append(booking_id)
        if state == "completed":
            _work(session, cast, year.member, booking_id, starts_at)
    others = _booking(session, year, cast, "youssef", today - 9 * DAY + 15 * HOUR, "completed", now)
    ahead = _booking(session, year, cast, "salma", today + 9 * DAY + 15 * HOUR, "confirmed", now)
    for booking_id, member, name in (
        (others, year.member, f"{MARK} with you"),
        (ahead, None, EMAIL),
        (others, cast.members["salma"], f"{OTHERS} salma"),
    ):
        session.add(Participant(booking_id=booking_id, member_id=member, name=name))
    session.flush()


def at_the_machines(session: Session, year: Year, cast: Cast, settings: Settings, now: datetime) -> None:
    """An hour of work as a bridge tells of it, in a booking of yesterday; the newest word still names it."""
    starts_at = (now - DAY).replace(minute=0, second=0, microsecond=0)
    booking_id = _booking(session, year, cast, "amina", starts_at, "completed", now)
    year.bookings.append(booking_id)
    make_partitions(session, now, settings.telemetry)
    add_bridge(session, cast.labs["tanger"], "tanger", now - DAYS * DAY)
    outbox, job = Outbox("tanger", start=starts_at), uuid.uuid4()
    printer = "tanger-prusa-1"
    named = {"file": FILE, "owner": f"{MARK}-octoprint"}
    messages: list[tuple[str, Any]] = [
        outbox.presence(),
        outbox.job(printer, "job_started", job, 60, 60, **named),
        outbox.status(printer, "running", 61, job=job_status(job, **named)),
        outbox.hot(printer, 120),
        outbox.status(
            printer, "error", 1800, detail=f"Cannot read {FILE.upper()}", job=job_status(job, **named)
        ),
        outbox.job(printer, "job_ended", job, 1860, 60, 1860, "failed", reason=f"{MARK} jam", **named),
        (
            f"fablab/1/tanger/{printer}/event",
            json.dumps({"job": {"file": FILE.upper(), "owner": NAME}}).encode(),
        ),
        (f"fablab/1/tanger/{printer}/event", b'{"kw3": "others\' bad message"}'),
    ]
    apply_batch(session, [incoming(topic, word, now) for topic, word in messages], settings)
    session.flush()


def _booking(
    session: Session, year: Year, cast: Cast, who: str, starts_at: datetime, state: str, now: datetime
) -> int:
    machine = "tanger-prusa-1"
    zone = ZoneInfo(ZONE)
    mark = MARK if who == "amina" else OTHERS
    ends_at = starts_at + 2 * HOUR
    group = starts_at.day % 5 == 0
    row = Booking(
        machine_id=cast.machines[machine],
        lab_id=cast.labs["tanger"],
        member_id=cast.members[who],
        created_by_id=cast.members[who if not group else "salma"],
        starts_at=starts_at,
        ends_at=ends_at,
        zone=ZONE,
        local_starts=starts_at.astimezone(zone).replace(tzinfo=None),
        local_ends=ends_at.astimezone(zone).replace(tzinfo=None),
        state=state,
        purpose=f"{mark} purpose",
        created_at=starts_at - 3 * DAY,
        head_count=3 if group else 1,
    )
    session.add(row)
    session.flush()
    if group and who == "amina":
        session.add(Participant(booking_id=row.id, name=f"{MARK} pupil"))
        session.add(
            Participant(booking_id=row.id, member_id=cast.members["youssef"], name=f"{OTHERS} youssef")
        )
    session.add(
        BookingChange(
            booking_id=row.id,
            at=starts_at - 3 * DAY,
            made_by="member",
            member_id=cast.members[who],
            to_state="confirmed",
            reason=f"{mark} reason",
        )
    )
    if state != "cancelled":
        session.add(
            Occupancy(
                lab_id=cast.labs["tanger"],
                unit_id=cast.units[machine],
                starts_at=starts_at,
                ends_at=ends_at,
                kind="booking",
                booking_id=row.id,
            )
        )
    return row.id


def _work(session: Session, cast: Cast, member: int, booking_id: int, starts_at: datetime) -> None:
    where = {"machine_id": cast.machines["tanger-prusa-1"], "lab_id": cast.labs["tanger"]}
    job = Job(
        id=uuid.uuid4(),
        **where,
        file=FILE,
        started_at=starts_at,
        ended_at=starts_at + HOUR,
        outcome=("finished", "failed", "cancelled", "interrupted")[starts_at.day % 4],
        reason=f"{MARK} said the machine",
        print_time_s=3500,
        elapsed_s=3600,
        filament_mm=1200,
        owner=f"{MARK}-octoprint",
        booking_id=booking_id,
        member_id=member,
    )
    session.add(job)
    session.flush()
    session.add(
        UsageSession(
            **where,
            job_id=job.id,
            booking_id=booking_id,
            member_id=member,
            started_at=starts_at,
            ended_at=starts_at + 1.5 * HOUR,
            busy_s=3600,
            idle_s=1800,
            busy=False,
            counted_at=starts_at + 1.5 * HOUR,
            energy_wh=150.5,
            stop_reason="job_ended",
        )
    )
