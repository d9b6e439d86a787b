"""Amina's year, its arrangements: series, waiting, offers between members, and what staff wrote about her."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from sqlalchemy.orm import Session

from fablab.bookings.models import Approval, Booking
from fablab.bookings.models_calendars import CalendarKey
from fablab.bookings.models_claims import Handover, Outage, Waiting
from fablab.bookings.models_notices import Notice
from fablab.bookings.models_rules import RuleRow
from fablab.bookings.models_series import Series, Skip
from fablab.machines.models import Closure
from fablab.mail.models import Mail, NoticeChoice
from fablab.webhooks.models import Delivery, Webhook
from tests.fixtures_cast import ZONE, Cast
from tests.support.year_marks import DAY, EMAIL, HOUR, MARK, NAME, OTHERS, Year


def arrangements(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    """After the bookings."""
    _hers(session, year, cast, now)
    _between_members(session, year, cast, now)
    _of_staff(session, year, cast, now)
    session.flush()


def _hers(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    local = now.replace(tzinfo=None)
    for who, word in (("amina", MARK), ("youssef", OTHERS)):
        series = Series(
            machine_id=cast.machines["tanger-prusa-1"],
            member_id=cast.members[who],
            created_by_id=cast.members[who],
            rrule="FREQ=WEEKLY;COUNT=4",
            zone=ZONE,
            local_starts=local,
            local_ends=local + HOUR,
            purpose=f"{word} purpose",
            created_at=now - 20 * DAY,
        )
        session.add(series)
        session.flush()
        session.add(Skip(series_id=series.id, series_at=local + 7 * DAY, reason="machine_booked"))
        session.add(
            Waiting(
                member_id=cast.members[who],
                machine_id=cast.machines["tanger-laser-1"],
                duration_s=3600,
                after=now - 9 * DAY,
                before=now - 8 * DAY,
                state="expired",
                created_at=now - 10 * DAY,
            )
        )
        session.add(
            CalendarKey(member_id=cast.members[who], key_hash=f"{word}key".ljust(64, "0"), created_at=now)
        )
        session.add(NoticeChoice(member_id=cast.members[who], notice=f"{word} notice", by_mail=False))
    coming = session.get_one(Booking, year.to_come[0])
    session.add(
        Notice(
            batch=uuid4(),
            booking_id=coming.id,
            what="moved",
            at=now,
            actor_id=cast.members["salma"],
            reason=f"{MARK} reason",
            version=2,
            machine_id=coming.machine_id,
            member_id=year.member,
            starts_at=coming.starts_at,
            ends_at=coming.ends_at,
        )
    )
    session.add(Approval(booking_id=year.bookings[0], member_id=cast.members["salma"], at=now - 30 * DAY))


def _between_members(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    def offered(who: str, to_email: str, to: str | None, note: str) -> Handover:
        return Handover(
            booking_id=year.to_come[0],
            from_member_id=cast.members[who],
            to_email=to_email,
            to_member_id=None if to is None else cast.members[to],
            version=1,
            note=note,
            state="declined",
            created_at=now - 3 * DAY,
            expires_at=now - DAY,
        )

    session.add(offered("amina", f"{MARK}.friend@example.org", None, f"{MARK} take it"))
    # Written before the address was known to be hers.
    session.add(offered("youssef", EMAIL.upper(), None, f"{MARK} for you"))
    session.add(offered("salma", f"{OTHERS}@example.org", "youssef", f"{OTHERS} note"))


def _of_staff(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    local = now.replace(tzinfo=None)
    webhook = Webhook(
        lab_id=cast.labs["tanger"],
        created_by_id=cast.members["salma"],
        url=f"https://{OTHERS}.example.org/",
        events=["booking.confirmed"],
        secret="not a real one",
        created_at=now,
    )
    session.add(webhook)
    session.flush()
    for said, word in ((f"Broken by {NAME}", MARK), (f"Broken by {OTHERS} Person", OTHERS)):
        session.add(
            Outage(
                machine_id=cast.machines["tanger-laser-1"],
                lab_id=cast.labs["tanger"],
                starts_at=now - 40 * DAY,
                ends_at=now - 39 * DAY,
                category="fault",
                note=said,
                created_by_id=cast.members["salma"],
                created_at=now - 40 * DAY,
            )
        )
        session.add(
            RuleRow(
                name=f"max_ahead_{word}" if word == OTHERS else "max_ahead",
                value=3,
                lab_id=cast.labs["tanger"],
                note=f"Since {said}",
                changed_by_id=cast.members["salma"],
                changed_at=now,
            )
        )
        session.add(
            Closure(
                lab_id=cast.labs["tanger"],
                label=f"{said} has a birthday",
                local_starts=local - 40 * DAY,
                local_ends=local - 39 * DAY,
            )
        )
        about = cast.members["amina" if word == MARK else "youssef"]
        for payload in (
            {"booking": {"id": 1, "member": {"id": about}, "purpose": f"{word} purpose"}},
            {"booking": {"id": 2, "member": about, "purpose": f"{word} purpose"}},
            {"event": "outage", "note": said},
        ):
            session.add(
                Delivery(
                    webhook_id=webhook.id,
                    event=f"{word}.event",
                    payload=payload,
                    created_at=now,
                    due_at=now,
                    trouble=f"{word} answered 500",
                )
            )
    session.add(
        Mail(
            address="club@example.org",
            language="fr",
            template="welcome",
            calendar=f"ATTENDEE:mailto:{EMAIL}",
            created_at=now,
            due_at=now,
            given_up_at=now,
        )
    )
