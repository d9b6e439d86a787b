"""A member with a year behind her: Amina, with a mark in every field that can hold something about her."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from fablab.certifications.models import Certification, CertificationChange, Enrolment, Training
from fablab.members.models import Member
from fablab.members.search import sought
from fablab.settings import Settings
from tests.fixtures_cast import Cast
from tests.support.year_account import account, belonging, mentions
from tests.support.year_arrangements import arrangements
from tests.support.year_marks import DAY, DAYS, EMAIL, HOUR, MARK, NAME, OTHERS, Year
from tests.support.year_work import at_the_machines, bookings


def live_a_year(session: Session, cast: Cast, settings: Settings, now: datetime) -> Year:
    """Write it all; the caller commits."""
    year = Year(cast.members["amina"])
    session.execute(
        update(Member)
        .where(Member.id == year.member)
        .values(
            name=NAME,
            email=EMAIL,
            sought=sought(NAME, EMAIL),
            birth_on=date(2009, 7, 7),
            email_verified_at=now - DAYS * DAY,
            language="en",
            category=f"{MARK} category",
        )
    )
    account(session, year, cast, now)
    belonging(session, year, cast, now)
    _learning(session, year, cast, now)
    bookings(session, year, cast, now)
    arrangements(session, year, cast, now)
    at_the_machines(session, year, cast, settings, now)
    mentions(session, year, cast, now)
    return year


def _learning(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    laser = cast.machines["tanger-laser-1"]

    def training(title: str, starts_at: datetime, trainer: str, closed: bool) -> Training:
        row = Training(
            lab_id=cast.labs["tanger"],
            machine_id=laser,
            level=1,
            title=title,
            starts_at=starts_at,
            ends_at=starts_at + 2 * HOUR,
            places=1,
            trainer_id=cast.members[trainer],
            created_at=now - 100 * DAY,
            closed_at=starts_at + 3 * HOUR if closed else None,
        )
        session.add(row)
        session.flush()
        return row

    past = training("Laser, first steps", now - 50 * DAY, "salma", True)
    led = training("Laser, given by Amina", now - 30 * DAY, "amina", True)
    coming = training("Laser, next month", now + 20 * DAY, "salma", False)
    year.training_to_come = coming.id
    for which, who, state in (
        (past, "amina", "attended"),
        (led, "youssef", "attended"),
        (coming, "amina", "enrolled"),
        (coming, "youssef", "waiting"),
    ):
        session.add(
            Enrolment(
                training_id=which.id,
                member_id=cast.members[who],
                state=state,
                enrolled_at=now - 60 * DAY,
                changed_at=now - 60 * DAY,
            )
        )
    year.certificate = f"{MARK}certificate"
    for who, code, by, why in (
        ("amina", year.certificate, "salma", f"{MARK} reason"),
        ("youssef", f"{OTHERS}certificate", "amina", f"{OTHERS} reason"),
    ):
        row = Certification(
            member_id=cast.members[who],
            machine_id=laser,
            lab_id=cast.labs["tanger"],
            level=1,
            granted_at=now - 50 * DAY,
            renewed_at=now - 50 * DAY,
            code=code,
        )
        session.add(row)
        session.flush()
        session.add(
            CertificationChange(
                certification_id=row.id,
                at=now - 50 * DAY,
                member_id=cast.members[by],
                change="granted",
                level=1,
                reason=why,
            )
        )
    session.flush()
