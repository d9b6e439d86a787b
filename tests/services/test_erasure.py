"""Erasing a member with a year of history: nothing personal is left, and no figure changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking, BookingChange, Occupancy, Participant
from fablab.certifications.models import Certification, Enrolment, Training
from fablab.clock import utc_now
from fablab.data_rights import doings, people, retention
from fablab.data_rights.catalogue import CATALOGUE
from fablab.data_rights.declarations import Change, Delete, Nothing
from fablab.data_rights.service import erase
from fablab.errors import Code, DomainError
from fablab.mail.models import Mail
from fablab.members.models import Audit, Member, Role
from fablab.members.queries import member_by_email
from fablab.organisations.models import Membership, Organisation, Project
from fablab.settings import Settings
from fablab.signin.models import Token
from fablab.telemetry.models import DeadLetter, MachineStatus
from fablab.usage.models import Job
from fablab.utilisation.models import MachineHour
from fablab.utilisation.queries import utilisation
from fablab.utilisation.service import roll_up
from tests.fixtures_cast import Cast
from tests.support.actors import actor_of
from tests.support.year import live_a_year
from tests.support.year_marks import DAY, DAYS, EMAIL, MARK, NAME, OTHERS, Year, find

BASE = "http://localhost"


@pytest.fixture
def now() -> datetime:
    return utc_now().replace(microsecond=0)


@pytest.fixture
def year(session: Session, cast: Cast, settings: Settings, now: datetime) -> Year:
    lived = live_a_year(session, cast, settings, now)
    session.commit()
    return lived


def codes(refused: pytest.ExceptionInfo[DomainError]) -> list[str]:
    return [each.code for each in refused.value.refusals]


def rows(session: Session, table: Any) -> list[tuple[Any, ...]]:
    """Every row of a table as plain values, sorted."""
    return sorted((tuple(row) for row in session.execute(select(table.__table__))), key=repr)


# ---- when an account cannot go yet


def running(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    session.execute(
        update(Booking)
        .where(Booking.id == year.bookings[-1])
        .values(state="started", starts_at=now - timedelta(hours=1), ends_at=now + timedelta(hours=1))
    )


def working(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    session.execute(update(MachineStatus).values(state="running", seen_at=now))
    session.execute(
        text(
            "UPDATE job SET ended_at = NULL, outcome = NULL "
            "WHERE id::text = (SELECT job ->> 'id' FROM machine_status)"
        )
    )


def sole_owner(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    session.execute(
        update(Membership)
        .where(Membership.organisation_id == year.organisations["club"])
        .values(owner=Membership.member_id == year.member)
    )


def leads(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    session.execute(
        update(Training).where(Training.id == year.training_to_come).values(trainer_id=year.member)
    )


def last_admin(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    session.execute(delete(Role).where(Role.role == "admin"))
    session.add(Role(member_id=year.member, role="admin"))


@pytest.mark.parametrize(
    ("tie", "code", "names"),
    [
        (running, "booking_running", "Tanger Prusa 1"),
        (working, "machine_working", "Tanger Prusa 1"),
        (sole_owner, "sole_owner", f"{OTHERS} club"),
        (leads, "leads_training", "Laser, next month"),
        (last_admin, "last_admin", "administrator"),
    ],
)
def test_an_account_others_depend_on_stays(
    session: Session,
    year: Year,
    cast: Cast,
    now: datetime,
    tie: Callable[[Session, Year, Cast, datetime], None],
    code: str,
    names: str,
) -> None:
    tie(session, year, cast, now)
    session.commit()
    with pytest.raises(DomainError) as refused:
        erase(session, cast.actors["amina"], year.member, now, BASE)
    assert codes(refused) == [code]
    assert names in refused.value.refusals[0].message
    assert session.scalars(select(Member.name).where(Member.id == year.member)).one() == NAME


@pytest.mark.parametrize("who", ["youssef", "salma", "karim", "nadia", "admin"])
def test_nobody_erases_anybody_else(session: Session, cast: Cast, now: datetime, who: str) -> None:
    with pytest.raises(DomainError) as refused:
        erase(session, cast.actors[who], cast.members["amina"], now, BASE)
    assert refused.value.code is Code.NOT_FOUND


# ---- what is left


def test_nothing_personal_is_left(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    """Every column that can hold words is searched in every table; the goodbye alone has the address."""
    before = find(session, MARK)
    assert before >= WHERE_IT_STOOD, f"the year has no mark in {sorted(WHERE_IT_STOOD - before)}"
    erase(session, cast.actors["amina"], year.member, now, BASE)
    session.commit()
    assert find(session, MARK) == {("mail", "address"), ("mail", "filling")}
    goodbye = session.scalars(select(Mail).where(Mail.template == "data_erased")).one()
    assert (goodbye.address, goodbye.member_id, goodbye.language) == (EMAIL, None, "en")
    goodbye.sent_at = now
    session.flush()
    retention.forget_old(session, now, settings_that_keep())
    assert find(session, MARK) == set()


def test_what_is_others_stays(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    before = find(session, OTHERS)
    assert {("organisation", "name"), ("project", "name"), ("participant", "name")} <= before
    assert {("booking", "purpose"), ("status_change", "detail"), ("dead_letter", "payload")} <= before
    assert {("outage", "note"), ("rule", "note"), ("closure", "label"), ("handover", "note")} <= before
    assert {("webhook_delivery", "payload"), ("series", "purpose"), ("calendar_key", "key_hash")} <= before
    counted = session.scalar(
        select(func.count()).select_from(Participant).where(Participant.name.like("kw3%"))
    )
    erase(session, cast.actors["amina"], year.member, now, BASE)
    assert find(session, OTHERS) == before
    assert counted == session.scalar(
        select(func.count()).select_from(Participant).where(Participant.name.like("kw3%"))
    )


def test_the_row_that_stays_is_nobody_s(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    erase(session, cast.actors["amina"], year.member, now, BASE)
    row = session.scalars(select(Member).where(Member.id == year.member)).one()
    assert (row.name, row.email) == (f"Erased member {year.member}", f"erased-{year.member}@invalid")
    assert (row.active, row.password_hash, row.birth_on, row.sought) == (False, None, None, "")
    assert row.erased_at == now
    assert actor_of(session, year.member) is None
    assert member_by_email(session, EMAIL) is None
    assert not session.scalars(select(Token).where(Token.member_id == year.member)).all()


def test_figures_do_not_change(
    session: Session, year: Year, cast: Cast, settings: Settings, now: datetime
) -> None:
    since, until = now - (DAYS + 2) * DAY, now.replace(minute=0, second=0)
    for start in range(0, DAYS + 2, 30):
        roll_up(session, None, since + start * DAY, min(since + (start + 30) * DAY, until))
    hours = rows(session, MachineHour)
    told = [utilisation(session, since, until, by, "month") for by in ("network", "lab", "machine")]
    assert sum(row.jobs for row in told[0]) > 80
    assert sum(row.used_booked_s for row in told[0]) > 80 * 3600
    erase(session, cast.actors["amina"], year.member, now, BASE)
    assert rows(session, MachineHour) == hours
    changed = sum(
        roll_up(session, None, since + start * DAY, min(since + (start + 30) * DAY, until))
        for start in range(0, DAYS + 2, 30)
    )
    assert changed == 0, "counting the year again gives other figures"
    assert [utilisation(session, since, until, by, "month") for by in ("network", "lab", "machine")] == told


def test_what_was_to_come_is_given_back(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    assert len(year.to_come) >= 3
    done = erase(session, cast.actors["amina"], year.member, now, BASE)
    assert done.bookings_cancelled == len(year.to_come)
    states = session.scalars(select(Booking.state).where(Booking.id.in_(year.to_come)))
    assert set(states) == {"cancelled"}
    assert not session.scalars(select(Occupancy.id).where(Occupancy.booking_id.in_(year.to_come))).all()
    last = select(BookingChange.reason).where(
        BookingChange.booking_id.in_(year.to_come), BookingChange.to_state == "cancelled"
    )
    assert set(session.scalars(last)) == {"account erased"}
    places = select(Enrolment.member_id, Enrolment.state).where(
        Enrolment.training_id == year.training_to_come
    )
    found = {row.member_id: row.state for row in session.execute(places)}
    assert found[cast.members["youssef"]] == "enrolled", "who waited has the place now"
    assert found[year.member] == "cancelled"


def test_organisations_go_on_or_close(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    erase(session, cast.actors["amina"], year.member, now, BASE)
    assert not session.scalars(select(Membership).where(Membership.member_id == year.member)).all()
    found = {row.id: row for row in session.scalars(select(Organisation))}
    assert found[year.organisations["club"]].closed_at is None
    for left in ("alone", "single"):
        assert found[year.organisations[left]].closed_at == now
    names = set(session.scalars(select(Project.name).where(Project.member_id == year.member)))
    assert f"{OTHERS} project" in names
    assert all(name.startswith(("Project ", OTHERS)) for name in names)


def test_acts_stay_provable_without_where_from(
    session: Session, year: Year, cast: Cast, now: datetime
) -> None:
    before = rows(session, Audit)
    erase(session, cast.actors["amina"], year.member, now, BASE)
    kept = session.scalars(select(Audit).where(Audit.actor_id == year.member).order_by(Audit.id)).all()
    assert {each.address for each in kept} == {None}
    assert kept[-1].action == "data.erase"
    assert len(rows(session, Audit)) > len(before)


def test_a_certificate_is_unknown_afterwards(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    erase(session, cast.actors["amina"], year.member, now, BASE)
    codes = set(session.scalars(select(Certification.code)))
    assert codes == {f"{OTHERS}certificate"}


def test_erasing_again_changes_nothing(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    first = erase(session, cast.actors["amina"], year.member, now, BASE)
    acts = rows(session, Audit)
    again = erase(session, None, year.member, now + DAY, BASE)
    assert (again.at, again.bookings_cancelled) == (first.at, 0)
    assert rows(session, Audit) == acts
    assert session.scalar(select(func.count()).select_from(Mail).where(Mail.template == "data_erased")) == 1


def test_late_news_of_an_erased_member_s_work_goes_too(
    session: Session, year: Year, cast: Cast, now: datetime
) -> None:
    """A bridge was without a line for a day and tells of the job afterwards."""
    erase(session, cast.actors["amina"], year.member, now, BASE)
    job = session.scalars(select(Job).where(Job.member_id == year.member).limit(1)).one()
    job.file = f"{MARK}-late.gcode"
    session.flush()
    retention.forget_old(session, now, settings_that_keep())
    assert ("job", "file") not in find(session, MARK)


def test_a_dead_letter_keeps_that_it_came(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    count = session.scalar(select(func.count()).select_from(DeadLetter))
    erase(session, cast.actors["amina"], year.member, now, BASE)
    letters = session.scalars(select(DeadLetter)).all()
    assert len(letters) == count
    assert {each.payload for each in letters if each.reason == "erased with a member"} == {b""}
    assert any(OTHERS.encode() in each.payload for each in letters)


# ---- that the tests above would notice


@pytest.mark.parametrize("module", [doings, people])
def test_a_forgotten_rule_is_noticed(
    session: Session, year: Year, cast: Cast, now: datetime, monkeypatch: pytest.MonkeyPatch, module: Any
) -> None:
    """Without its rule, each table in turn would keep the mark: nothing goes by accident."""
    from fablab.data_rights import erasure

    left_out = doings.JOB if module is doings else people.PASSKEY
    for stage in ("BEFORE_VERBS", "AFTER_VERBS"):
        kept = tuple(each for each in getattr(erasure, stage) if each is not left_out)
        monkeypatch.setattr(erasure, stage, kept)
    erase(session, cast.actors["amina"], year.member, now, BASE)
    assert left_out.table in {table for table, _ in find(session, MARK)}


# Not words a person chose: one of a few of ours.
OF_OURS = {
    ("member", "language"), ("member", "password_hash"), ("role", "role"), ("token", "scope"),
    ("mail", "language"), ("mail_link", "purpose"), ("link_request", "purpose"),
    ("project", "filiere"), ("project", "programme"), ("certification_change", "change"),
    ("training", "title"), ("training", "notes"), ("waiting", "state"), ("handover", "state"),
}  # fmt: skip


def _where_it_stood() -> set[tuple[str, str]]:
    """Every column that an erasure is to clear, from the catalogue itself."""
    from sqlalchemy import LargeBinary, String
    from sqlalchemy.dialects.postgresql import JSONB

    from fablab.db import Base

    found = set()
    for declared in CATALOGUE:
        if isinstance(declared, Nothing):
            continue
        for column in Base.metadata.tables[declared.table].columns:
            if not isinstance(column.type, String | LargeBinary | JSONB):
                continue
            gone = any(
                isinstance(step, Delete) or (isinstance(step, Change) and column.name in step.values)
                for step in declared.erasure
            )
            if gone:
                found.add((declared.table, column.name))
    return found - OF_OURS


WHERE_IT_STOOD = _where_it_stood()


def settings_that_keep() -> Any:
    """Everything for ever, so that only what goes anyhow goes."""
    from dataclasses import fields

    from fablab.settings import Retention

    return Retention(**{each.name: 0 for each in fields(Retention)})
