"""What has been kept long enough goes, by the clock, a bounded number at a time; zero keeps for ever."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking, BookingChange, Participant
from fablab.bookings.models_claims import Handover, Waiting
from fablab.bookings.models_series import Series
from fablab.clock import utc_now
from fablab.data_rights import retention, tasks
from fablab.mail.models import Mail
from fablab.members.models import Audit, GuardianConsent, Member
from fablab.organisations.models import Invitation, Organisation
from fablab.settings import Retention, Settings
from fablab.signin.models import Token
from fablab.telemetry.models import DeadLetter, StatusChange
from fablab.telemetry.partitions import drop_partitions, make_partitions
from fablab.usage.models import Job
from fablab.web.models import Idempotency
from fablab.webhooks.models import Delivery, Webhook
from tests.fixtures_cast import ZONE, Cast

KEPT = 400
DAY = timedelta(days=1)
FOR_EVER = {each.name: 0 for each in dataclasses.fields(Retention)}


def booking(session: Session, cast: Cast, at: datetime) -> Booking:
    local = at.replace(tzinfo=None)
    row = Booking(
        machine_id=cast.machines["tanger-prusa-1"],
        lab_id=cast.labs["tanger"],
        member_id=cast.members["amina"],
        created_by_id=cast.members["amina"],
        starts_at=at - timedelta(hours=1),
        ends_at=at,
        zone=ZONE,
        local_starts=local - timedelta(hours=1),
        local_ends=local,
        state="completed",
        purpose="A vase",
        created_at=at - DAY,
    )
    session.add(row)
    session.flush()
    return row


def purpose(session: Session, cast: Cast, at: datetime) -> Any:
    booking(session, cast, at)
    return select(Booking.id).where(Booking.purpose != "")


def reason(session: Session, cast: Cast, at: datetime) -> Any:
    of = booking(session, cast, at)
    for made_by in ("member", "clock"):
        session.add(
            BookingChange(booking_id=of.id, at=at, made_by=made_by, to_state="cancelled", reason="I am ill")
        )
    return select(BookingChange.id).where(BookingChange.reason != "", BookingChange.made_by == "member")


def pupil(session: Session, cast: Cast, at: datetime) -> Any:
    session.add(Participant(booking_id=booking(session, cast, at).id, name="Ines"))
    return select(Participant.id).where(Participant.member_id.is_(None))


def companion(session: Session, cast: Cast, at: datetime) -> Any:
    of = booking(session, cast, at).id
    session.add(Participant(booking_id=of, member_id=cast.members["youssef"], name="youssef@example.org"))
    return select(Participant.id).where(Participant.name != "")


def job_file(session: Session, cast: Cast, at: datetime) -> Any:
    where = {"machine_id": cast.machines["tanger-prusa-1"], "lab_id": cast.labs["tanger"]}
    session.add(
        Job(id=uuid.uuid4(), **where, file="vase.gcode", started_at=at - DAY, ended_at=at, outcome="finished")
    )
    return select(Job.id).where(Job.file.is_not(None))


def status_change(session: Session, cast: Cast, at: datetime) -> Any:
    where = {"machine_id": cast.machines["tanger-prusa-1"], "lab_id": cast.labs["tanger"]}
    session.add(StatusChange(**where, at=at, to_state="idle"))
    return select(StatusChange.id)


def dead_letter(session: Session, cast: Cast, at: datetime) -> Any:
    session.add(DeadLetter(received_at=at, topic="t", payload=b"?", size=1, reason="unreadable"))
    return select(DeadLetter.id)


def invitation(session: Session, cast: Cast, at: datetime) -> Any:
    club = session.scalar(select(Organisation.id))
    if club is None:
        row = Organisation(slug="club", name="Club", kind="school_club", tariff_category="x", created_at=at)
        session.add(row)
        session.flush()
        club = row.id
    session.add(
        Invitation(
            organisation_id=club,
            email=f"{uuid.uuid4()}@example.org",
            digest=uuid.uuid4().bytes,
            invited_by_id=cast.members["salma"],
            created_at=at - 7 * DAY,
            expires_at=at,
        )
    )
    return select(Invitation.id)


def consent(session: Session, cast: Cast, at: datetime) -> Any:
    session.add(
        GuardianConsent(
            member_id=cast.members["youssef"],
            guardian_name="Parent",
            words="Yes",
            given_on=at.date(),
            recorded_at=at - DAY,
            withdrawn_at=at,
        )
    )
    return select(GuardianConsent.id)


def grown_up(session: Session, cast: Cast, at: datetime) -> Any:
    person = Member(
        email=f"{uuid.uuid4()}@example.org",
        name="Grown",
        created_at=at,
        birth_on=date(at.year - 18, at.month, min(at.day, 28)),
    )
    session.add(person)
    session.flush()
    session.add(
        GuardianConsent(
            member_id=person.id, guardian_name="Parent", words="Yes", given_on=at.date(), recorded_at=at
        )
    )
    return select(GuardianConsent.id)


def token(session: Session, cast: Cast, at: datetime) -> Any:
    session.add(
        Token(
            member_id=cast.members["amina"],
            name="old",
            digest=uuid.uuid4().bytes,
            scope="read",
            created_at=at - DAY,
            expires_at=at,
        )
    )
    return select(Token.id)


def mail(session: Session, cast: Cast, at: datetime) -> Any:
    session.add(
        Mail(address="a@b.c", language="fr", template="welcome", created_at=at, due_at=at, sent_at=at)
    )
    return select(Mail.id)


def repeated(session: Session, cast: Cast, at: datetime) -> Any:
    of = booking(session, cast, at)
    series = Series(
        machine_id=of.machine_id,
        member_id=of.member_id,
        created_by_id=of.member_id,
        rrule="FREQ=WEEKLY;COUNT=2",
        zone=ZONE,
        local_starts=of.local_starts,
        local_ends=of.local_ends,
        purpose="A vase a week",
        created_at=at - DAY,
    )
    session.add(series)
    session.flush()
    of.series_id = series.id
    return select(Series.id).where(Series.purpose != "")


def waited(session: Session, cast: Cast, at: datetime) -> Any:
    session.add(
        Waiting(
            member_id=cast.members["amina"],
            machine_id=cast.machines["tanger-prusa-1"],
            duration_s=60,
            after=at - DAY,
            before=at,
            state="expired",
            created_at=at - DAY,
        )
    )
    return select(Waiting.id)


def offered(session: Session, cast: Cast, at: datetime) -> Any:
    session.add(
        Handover(
            booking_id=booking(session, cast, at).id,
            from_member_id=cast.members["amina"],
            to_email="youssef@example.org",
            version=1,
            state="declined",
            created_at=at - DAY,
            expires_at=at,
        )
    )
    return select(Handover.id)


def delivery(session: Session, cast: Cast, at: datetime) -> Any:
    webhook = Webhook(url="https://example.org", events=[], secret="-", created_at=at)
    session.add(webhook)
    session.flush()
    session.add(Delivery(webhook_id=webhook.id, event="e", payload={}, created_at=at, due_at=at))
    return select(Delivery.id)


def answer(session: Session, cast: Cast, at: datetime) -> Any:
    session.add(
        Idempotency(member_id=cast.members["amina"], key=str(uuid.uuid4()), digest="0", created_at=at)
    )
    return select(Idempotency.key)


def act(session: Session, cast: Cast, at: datetime) -> Any:
    session.add(Audit(at=at, action="token.add", subject="token 1"))
    return select(Audit.id)


Made = Callable[[Session, Cast, datetime], Any]
RULES: list[tuple[str, Made]] = [
    ("booking_texts_days", purpose),
    ("booking_texts_days", reason),
    ("booking_texts_days", pupil),
    ("booking_texts_days", companion),
    ("job_files_days", job_file),
    ("status_changes_days", status_change),
    ("dead_letters_days", dead_letter),
    ("invitations_days", invitation),
    ("consents_days", consent),
    ("consents_days", grown_up),
    ("tokens_days", token),
    ("mails_days", mail),
    ("booking_texts_days", repeated),
    ("waits_days", waited),
    ("waits_days", offered),
    ("deliveries_days", delivery),
    ("answers_days", answer),
    ("audit_days", act),
]


@pytest.fixture
def now() -> datetime:
    return utc_now()


def kept(session: Session, which: Any) -> int:
    session.expire_all()
    return len(session.execute(which).all())


def test_every_rule_has_its_case() -> None:
    ruled = sorted(limit.setting for _, limit in retention.limits())
    assert {name for name, _ in RULES} == set(ruled)
    assert set(ruled) | {"readings_days"} == set(FOR_EVER)


@pytest.mark.parametrize(("setting", "make"), RULES, ids=lambda each: getattr(each, "__name__", each))
def test_the_old_goes_and_the_new_stays(
    session: Session, cast: Cast, now: datetime, setting: str, make: Made
) -> None:
    make(session, cast, now - (KEPT + 40) * DAY)
    which = make(session, cast, now - (KEPT - 40) * DAY)
    session.flush()
    before = kept(session, which)
    assert before >= 2
    retention.forget_old(session, now, Retention(**FOR_EVER))
    assert kept(session, which) == before, "0 keeps for ever"
    retention.forget_old(session, now, Retention(**{**FOR_EVER, setting: KEPT}))
    assert kept(session, which) == before - 1
    # The clock moves on; what was young is old now. Only the audit lets nobody move its clock.
    if setting != "audit_days":
        retention.forget_old(session, now + 90 * DAY, Retention(**{**FOR_EVER, setting: KEPT}))
        assert kept(session, which) == before - 2


def test_a_run_is_bounded_and_the_next_goes_on(session: Session, cast: Cast, now: datetime) -> None:
    for age in range(5):
        which = dead_letter(session, cast, now - (KEPT + age) * DAY)
        status_change(session, cast, now - (KEPT + 1 + age) * DAY)
    session.flush()
    rules = Retention(**{**FOR_EVER, "dead_letters_days": KEPT - 1, "status_changes_days": KEPT})
    for left in (3, 1, 0):
        retention.forget_old(session, now, rules, most=2)
        assert kept(session, which) == left
        assert kept(session, select(StatusChange.id)) == left


def test_a_booking_without_its_texts_still_counts(session: Session, cast: Cast, now: datetime) -> None:
    purpose(session, cast, now - KEPT * DAY)
    retention.forget_old(session, now, Retention(**{**FOR_EVER, "booking_texts_days": 30}))
    row = session.execute(select(Booking.state, Booking.purpose)).one()
    assert tuple(row) == ("completed", "")


def test_the_settings_as_they_come_are_carried_out(
    session: Session, cast: Cast, settings: Settings, now: datetime
) -> None:
    long_ago = now - 6 * 365 * DAY
    made = [make(session, cast, long_ago) for _, make in RULES]
    session.flush()
    assert tasks.forget_old(session, now, settings) >= len(RULES)
    assert [kept(session, which) for which in made] == [0] * len(made)


# ---- readings, by whole months


@pytest.fixture
def months(session: Session, settings: Settings, now: datetime) -> Callable[[], list[str]]:
    def there() -> list[str]:
        query = "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY 1"
        return [name for name in session.scalars(text(query)) if name.startswith("reading_2")]

    drop_partitions(session, now + 3650 * DAY)
    make_partitions(session, now, settings.telemetry)
    return there


def test_a_month_of_readings_goes_when_its_last_day_is_old_enough(
    session: Session, settings: Settings, now: datetime, months: Callable[[], list[str]]
) -> None:
    before = months()
    assert tasks.forget_readings(session, now, settings) == 0
    later = now + settings.retention.readings_days * DAY
    gone = tasks.forget_readings(session, later, settings)
    past = [name for name in before if name < f"reading_{now:%Y%m}"]
    assert gone == len(past) > 0
    assert months() == before[gone:]


def test_no_month_goes_that_bridges_may_still_fill(
    session: Session, settings: Settings, now: datetime, months: Callable[[], list[str]]
) -> None:
    short = dataclasses.replace(settings, retention=dataclasses.replace(settings.retention, readings_days=1))
    before = months()
    assert tasks.forget_readings(session, now, short) == 0
    assert months() == before
    never = dataclasses.replace(settings, retention=dataclasses.replace(settings.retention, readings_days=0))
    assert tasks.forget_readings(session, now + 3650 * DAY, never) == 0
