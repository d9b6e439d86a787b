"""Outages: what they take, what they leave, whom they touch, and what becomes of time given back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from fablab.bookings.facts import BookingRequest, Policy
from fablab.bookings.models_claims import Outage
from fablab.bookings.outage_claims import FOREVER
from fablab.bookings.outages import OutageWish, Told, begin_outage, change_outage, outages
from fablab.bookings.service import cancel_booking, create_booking
from fablab.clock import utc_now
from fablab.errors import Code, DomainError
from fablab.machines.models import Machine, Unit
from fablab.machines.queries import machine_by_slug
from fablab.members.models import Audit
from fablab.utilisation.models import MachineHour
from fablab.utilisation.service import roll_up
from tests.fixtures_cast import Cast, tomorrow
from tests.support.claims import add_needed, taken

PRUSA, OTHER, LASER = "tanger-prusa-1", "tanger-prusa-2", "tanger-laser-1"


def book(
    session: Session, cast: Cast, policy: Policy, who: str = "amina", hour: int = 10, machine: str = PRUSA
) -> int:
    request = BookingRequest(machine, tomorrow(hour), tomorrow(hour + 2))
    return create_booking(session, cast.actors[who], request, utc_now(), policy).id


def begin(
    session: Session,
    cast: Cast,
    policy: Policy,
    starts_at: datetime,
    ends_at: datetime | None,
    who: str = "salma",
    machine: str = PRUSA,
    now: datetime | None = None,
) -> Told:
    there = machine_by_slug(session, machine)
    assert there is not None
    wish = OutageWish(starts_at, ends_at, "fault", "the nozzle is blocked")
    return begin_outage(session, cast.actors[who], there, wish, now or utc_now(), policy)


def change(
    session: Session, cast: Cast, policy: Policy, outage_id: int, now: datetime | None = None, **more: Any
) -> Told:
    who, machine = more.pop("who", "salma"), machine_by_slug(session, more.pop("machine", PRUSA))
    assert machine is not None
    return change_outage(session, cast.actors[who], machine, outage_id, more, now or utc_now(), policy)


def test_only_the_labs_managers_take_a_machine_out_of_service(
    session: Session, cast: Cast, policy: Policy
) -> None:
    told = begin(session, cast, policy, tomorrow(8), None)
    for who in ("amina", "karim", "nadia", "trainer"):
        with pytest.raises(DomainError) as error:
            begin(session, cast, policy, tomorrow(8), None, who=who)
        assert error.value.code is Code.NOT_ALLOWED, who
        with pytest.raises(DomainError) as error:
            change(session, cast, policy, told.outage.id, who=who, note="fine")
        assert error.value.code is Code.NOT_ALLOWED, who
    with pytest.raises(DomainError) as error:
        change(session, cast, policy, told.outage.id, machine=OTHER, note="fine")
    assert error.value.code is Code.NOT_FOUND


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "code", "field"),
    [
        (tomorrow(10), tomorrow(10), "outage_span", "ends_at"),
        (tomorrow(10) - timedelta(days=800), None, "outage_too_far", "starts_at"),
        (tomorrow(10), tomorrow(10) + timedelta(days=3000), "outage_too_far", "ends_at"),
    ],
)
def test_a_span_that_is_none_is_refused(
    session: Session,
    cast: Cast,
    policy: Policy,
    starts_at: datetime,
    ends_at: datetime,
    code: str,
    field: str,
) -> None:
    with pytest.raises(DomainError) as error:
        begin(session, cast, policy, starts_at, ends_at)
    assert [(each.code, each.field) for each in error.value.refusals] == [(code, field)]
    assert session.scalars(select(Outage)).all() == []


def test_it_takes_what_nobody_has_booked_on_every_unit(session: Session, cast: Cast, policy: Policy) -> None:
    session.add(Unit(machine_id=cast.machines[PRUSA], number=2))
    session.flush()
    book(session, cast, policy)
    begin(session, cast, policy, tomorrow(8), tomorrow(14))
    assert sorted(taken(session, PRUSA)) == [
        ("booking", tomorrow(10), tomorrow(12)),
        ("outage", tomorrow(8), tomorrow(10)),
        ("outage", tomorrow(8), tomorrow(14)),
        ("outage", tomorrow(12), tomorrow(14)),
    ]
    with pytest.raises(DomainError) as error:
        book(session, cast, policy, "youssef", hour=12)
    assert error.value.code is Code.CLASH


def test_it_says_whom_it_touches_and_what_is_free_instead(
    session: Session, cast: Cast, policy: Policy
) -> None:
    first, second = book(session, cast, policy), book(session, cast, policy, "youssef", hour=16)
    book(session, cast, policy, hour=20)
    told = begin(session, cast, policy, tomorrow(11), tomorrow(17))
    assert [each.booking_id for each in told.touched] == [first, second]
    instead = told.touched[0].alternatives
    assert (instead[0].machine, instead[0].starts_at) == (PRUSA, tomorrow(18))
    assert (instead[1].machine, instead[1].starts_at) == (OTHER, tomorrow(10))
    act = session.scalars(select(Audit).where(Audit.action == "outage.begin")).one()
    assert (act.subject, act.detail) == (f"outage {told.outage.id}", "fault")


def test_bookings_of_machines_that_need_it_are_touched_too(
    session: Session, cast: Cast, policy: Policy
) -> None:
    add_needed(session, "tanger-extractor", [LASER])
    made = book(session, cast, policy, machine=LASER)
    told = begin(session, cast, policy, tomorrow(8), None, machine="tanger-extractor")
    assert [(each.booking_id, each.machine_slug) for each in told.touched] == [(made, LASER)]
    with pytest.raises(DomainError) as error:
        book(session, cast, policy, "youssef", hour=13, machine=LASER)
    assert "tanger-extractor" in error.value.message


def test_a_cancelled_booking_becomes_part_of_it(session: Session, cast: Cast, policy: Policy) -> None:
    made = book(session, cast, policy)
    begin(session, cast, policy, tomorrow(8), tomorrow(11))
    cancel_booking(session, cast.actors["amina"], made, utc_now(), policy)
    assert taken(session, PRUSA) == [
        ("outage", tomorrow(8), tomorrow(10)),
        ("outage", tomorrow(10), tomorrow(11)),
    ]
    assert book(session, cast, policy, "youssef", hour=11)


def test_one_without_an_end_lasts_until_it_is_ended(session: Session, cast: Cast, policy: Policy) -> None:
    told = begin(session, cast, policy, tomorrow(8), None)
    assert taken(session, PRUSA) == [("outage", tomorrow(8), FOREVER)]
    assert told.outage.ends_at is None
    ended = change(session, cast, policy, told.outage.id, tomorrow(9, 30), ends_at=tomorrow(9, 30))
    assert ended.outage.ends_at == tomorrow(9, 30)
    assert taken(session, PRUSA) == [("outage", tomorrow(8), tomorrow(9, 30))]
    assert book(session, cast, policy)
    acts = session.scalars(select(Audit.action).where(Audit.action.startswith("outage")).order_by(Audit.id))
    assert acts.all() == ["outage.begin", "outage.end"]
    with pytest.raises(DomainError) as error:
        change(session, cast, policy, told.outage.id, tomorrow(9, 40), starts_at=tomorrow(7))
    assert error.value.refusals[0].code == "outage_over"


def test_of_two_at_once_each_goes_on_when_the_other_ends(
    session: Session, cast: Cast, policy: Policy
) -> None:
    first = begin(session, cast, policy, tomorrow(8), tomorrow(14)).outage
    begin(session, cast, policy, tomorrow(10), tomorrow(16))
    change(session, cast, policy, first.id, ends_at=tomorrow(11))
    assert taken(session, PRUSA) == [
        ("outage", tomorrow(8), tomorrow(11)),
        ("outage", tomorrow(11), tomorrow(14)),
        ("outage", tomorrow(14), tomorrow(16)),
    ]


def test_it_can_begin_later_and_say_something_else(session: Session, cast: Cast, policy: Policy) -> None:
    told = begin(session, cast, policy, tomorrow(8), None)
    changed = change(
        session, cast, policy, told.outage.id, starts_at=tomorrow(12), category="upgrade", note="a new bed"
    )
    assert (changed.outage.category, changed.outage.note) == ("upgrade", "a new bed")
    assert taken(session, PRUSA) == [("outage", tomorrow(12), FOREVER)]
    found = outages(session, cast.machines[PRUSA], since=tomorrow(20), until=tomorrow(21))
    assert [each.id for each in found] == [told.outage.id]
    assert outages(session, cast.machines[PRUSA], until=tomorrow(12)) == []


def test_statistics_count_it_as_far_as_it_lasted(session: Session, cast: Cast, policy: Policy) -> None:
    day = tomorrow(0)
    told = begin(session, cast, policy, tomorrow(8), None)
    machine = cast.machines[PRUSA]

    def outage_s() -> int:
        roll_up(session, [machine], day, day + timedelta(days=1))
        session.expire_all()
        return sum(session.scalars(select(MachineHour.outage_s).where(MachineHour.machine_id == machine)))

    assert outage_s() == 16 * 3600
    change(session, cast, policy, told.outage.id, tomorrow(10), ends_at=tomorrow(10))
    assert outage_s() == 2 * 3600


def test_it_takes_the_same_statements_whoever_it_touches(
    session: Session, cast: Cast, policy: Policy
) -> None:
    counts = []
    for hours in ((0,), (4, 6, 8, 10, 12)):
        for hour in hours:
            book(session, cast, policy, hour=hour)
        statements: list[str] = []

        def note(*args: object, told: list[str] = statements) -> None:
            told.append(str(args[2]))

        event.listen(session.get_bind(), "before_cursor_execute", note)
        begin(session, cast, policy, tomorrow(min(hours)), tomorrow(max(hours) + 2))
        event.remove(session.get_bind(), "before_cursor_execute", note)
        counts.append(len(statements))
    assert counts[1] <= counts[0], counts


def test_an_inactive_machine_has_outages_too(session: Session, cast: Cast, policy: Policy) -> None:
    session.get_one(Machine, cast.machines[PRUSA]).active = False
    session.flush()
    book(session, cast, policy, machine=OTHER)
    assert begin(session, cast, policy, tomorrow(8), None).touched == ()
