"""Several machines in one booking: all of them or none, moved and cancelled together; presets of a lab."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from fablab.bookings.bundles import Together, book_together, preview_together
from fablab.bookings.facts import BookingRequest, Policy
from fablab.bookings.models import Booking, Occupancy
from fablab.bookings.models_rules import RuleRow, RulesVersion
from fablab.bookings.moving import Change, move_booking
from fablab.bookings.preset_queries import Step, presets
from fablab.bookings.presets import add_preset, change_preset, remove_preset
from fablab.bookings.service import cancel_booking, create_booking
from fablab.errors import Code, DomainError
from fablab.machines.models import Machine, Unit
from fablab.machines.queries import lab_by_slug
from fablab.members.models import Audit
from fablab.members.rules import Actor
from tests.fixtures_cast import Cast, tomorrow

HOUR = 3600
LASER, PRINTER, OTHER = "tanger-laser-1", "tanger-prusa-1", "tanger-prusa-2"


@pytest.fixture
def amina(cast: Cast) -> Actor:
    return cast.actors["amina"]


@pytest.fixture
def now() -> datetime:
    return tomorrow(9) - timedelta(days=1)


def cut_then_print(
    *also: Step, starts: datetime | None = None, machine: str = LASER, **more: object
) -> Together:
    """An hour on the laser from ten o'clock, and these after it."""
    starts = starts or tomorrow(10)
    first = BookingRequest(machine, starts, starts + timedelta(hours=1))
    return Together(replace(first, **more), also)  # type: ignore[arg-type]


def refusals(caught: pytest.ExceptionInfo[DomainError]) -> dict[str, str]:
    return {each.field: each.code for each in caught.value.refusals}


def book(
    session: Session, actor: Actor, now: datetime, policy: Policy, machine: str, starts: datetime
) -> int:
    request = BookingRequest(machine, starts, starts + timedelta(hours=1))
    return create_booking(session, actor, request, now, policy).id


def test_one_after_the_other_share_the_first_ones_number(
    session: Session, cast: Cast, amina: Actor, now: datetime, policy: Policy
) -> None:
    wanted = cut_then_print(Step(HOUR, HOUR // 2, machine=PRINTER))
    first, second = book_together(session, amina, wanted, now, policy)
    assert (first.machine_slug, second.machine_slug) == (LASER, PRINTER)
    assert (second.starts_at, second.ends_at) == (first.ends_at, first.ends_at + timedelta(minutes=30))
    assert first.bundle_id == second.bundle_id == first.id
    assert session.scalar(text("SELECT count(*) FROM occupancy")) == 2


def test_a_kind_takes_the_first_machine_that_is_free(
    session: Session, cast: Cast, amina: Actor, now: datetime, policy: Policy
) -> None:
    book(session, cast.actors["youssef"], now, policy, PRINTER, tomorrow(11))
    two = (Step(HOUR, HOUR, kind="3d-printer"), Step(2 * HOUR, HOUR, kind="3d-printer"))
    made = book_together(session, amina, cut_then_print(*two), now, policy)
    assert [each.machine_slug for each in made] == [LASER, OTHER, PRINTER]


def test_two_of_a_kind_at_once_are_two_machines(
    session: Session, cast: Cast, amina: Actor, now: datetime, policy: Policy
) -> None:
    both = (Step(0, HOUR, kind="3d-printer"), Step(0, HOUR, kind="3d-printer"))
    made = book_together(session, amina, cut_then_print(*both), now, policy)
    assert [each.machine_slug for each in made] == [LASER, PRINTER, OTHER]
    third = cut_then_print(Step(0, HOUR, kind="3d-printer"), starts=tomorrow(10), machine=PRINTER)
    with pytest.raises(DomainError) as caught:
        book_together(session, amina, third, now, policy)
    assert refusals(caught) == {"starts_at": "machine_booked", "also.0.starts_at": "machine_booked"}


def test_one_that_is_taken_refuses_all_and_says_which(
    session: Session, cast: Cast, amina: Actor, now: datetime, policy: Policy
) -> None:
    book(session, cast.actors["youssef"], now, policy, PRINTER, tomorrow(11))
    with pytest.raises(DomainError) as caught:
        book_together(session, amina, cut_then_print(Step(HOUR, HOUR, machine=PRINTER)), now, policy)
    assert caught.value.code is Code.CLASH
    assert refusals(caught) == {"also.0.starts_at": "machine_booked"}
    assert session.scalar(text("SELECT count(*) FROM booking")) == 1


def test_each_machine_keeps_its_own_limits(
    session: Session, cast: Cast, amina: Actor, now: datetime, policy: Policy
) -> None:
    """The laser allows half an hour, the printer a day: an hour on both is too long for the laser alone."""
    _rule(session, now, "max_s", HOUR // 2, machine_id=cast.machines[LASER])
    with pytest.raises(DomainError) as caught:
        book_together(session, amina, cut_then_print(Step(HOUR, 5 * HOUR, machine=PRINTER)), now, policy)
    assert refusals(caught) == {"ends_at": "too_long"}
    late = cut_then_print(Step(9 * HOUR, HOUR, machine=LASER), machine=PRINTER)
    with pytest.raises(DomainError) as caught:
        book_together(session, amina, late, now, policy)
    assert refusals(caught) == {"also.0.ends_at": "too_long", "also.0.starts_at": "outside_hours"}


def test_all_refusals_come_at_once(
    session: Session, cast: Cast, amina: Actor, now: datetime, policy: Policy
) -> None:
    wanted = cut_then_print(
        Step(0, HOUR, machine="rabat-prusa-1"),
        Step(0, HOUR, kind="loom"),
        Step(0, 60, machine=PRINTER),
        starts=tomorrow(22),
    )
    with pytest.raises(DomainError) as caught:
        book_together(session, amina, wanted, now, policy)
    assert caught.value.code is Code.REFUSED
    assert refusals(caught) == {
        "starts_at": "outside_hours",
        "also.0.machine": "not_in_lab",
        "also.1.kind": "not_in_lab",
        "also.2.ends_at": "too_short",
    }
    judged = preview_together(session, amina, wanted, now, policy)
    assert [each.state for each in judged] == [None] * 4
    assert [refusal for each in judged for refusal in each.refusals] == list(caught.value.refusals)


def test_together_they_count_as_one_booking_ahead(
    session: Session, cast: Cast, amina: Actor, now: datetime, policy: Policy
) -> None:
    one = replace(policy, max_ahead=1)
    wanted = cut_then_print(Step(HOUR, HOUR, machine=PRINTER), Step(HOUR, HOUR, machine=OTHER))
    made = book_together(session, amina, wanted, now, one)
    move_booking(session, amina, made[0].id, Change(starts_at=tomorrow(11), ends_at=tomorrow(12)), now, one)
    with pytest.raises(DomainError) as caught:
        book_together(session, amina, cut_then_print(starts=tomorrow(15)), now, one)
    assert refusals(caught) == {"starts_at": "too_many_ahead"}


def test_what_is_moved_takes_the_others_along(
    session: Session, cast: Cast, amina: Actor, now: datetime, policy: Policy
) -> None:
    made = book_together(session, amina, cut_then_print(Step(HOUR, HOUR, machine=PRINTER)), now, policy)
    change = Change(starts_at=tomorrow(12), ends_at=tomorrow(13))
    move_booking(session, amina, made[1].id, change, now, policy)
    rows = session.execute(
        select(Booking.id, Booking.starts_at, Booking.bundle_id).order_by(Booking.id)
    ).all()
    assert [tuple(row) for row in rows] == [
        (made[0].id, tomorrow(11), made[0].id),
        (made[1].id, tomorrow(12), made[0].id),
    ]


def test_where_one_of_them_cannot_go_none_goes(
    session: Session, cast: Cast, amina: Actor, now: datetime, policy: Policy
) -> None:
    made = book_together(session, amina, cut_then_print(Step(HOUR, HOUR, machine=PRINTER)), now, policy)
    book(session, cast.actors["youssef"], now, policy, PRINTER, tomorrow(13))
    session.commit()
    change = Change(starts_at=tomorrow(12), ends_at=tomorrow(13))
    with pytest.raises(DomainError) as caught:
        move_booking(session, amina, made[0].id, change, now, policy)
    assert caught.value.code is Code.CLASH
    session.rollback()
    assert session.get_one(Booking, made[0].id).starts_at == tomorrow(10)


def test_cancelling_one_gives_back_all(
    session: Session, cast: Cast, amina: Actor, now: datetime, policy: Policy
) -> None:
    made = book_together(session, amina, cut_then_print(Step(HOUR, HOUR, machine=PRINTER)), now, policy)
    cancel_booking(session, amina, made[1].id, now, policy)
    assert set(session.scalars(select(Booking.state))) == {"cancelled"}
    assert session.scalars(select(Occupancy)).all() == []


def test_one_that_waits_for_approval_lets_the_others_stand(
    session: Session, cast: Cast, amina: Actor, now: datetime, policy: Policy
) -> None:
    _rule(session, now, "approvals", 1, machine_id=cast.machines[LASER])
    made = book_together(session, amina, cut_then_print(Step(HOUR, HOUR, machine=PRINTER)), now, policy)
    assert [each.state for each in made] == ["requested", "confirmed"]


def test_a_machine_with_two_places_takes_two_steps_at_once(
    session: Session, cast: Cast, amina: Actor, now: datetime, policy: Policy
) -> None:
    session.add(Unit(machine_id=cast.machines[PRINTER], number=2))
    session.flush()
    twice = cut_then_print(Step(0, HOUR, machine=PRINTER), Step(0, HOUR, machine=PRINTER))
    book_together(session, amina, twice, now, policy)
    units = session.scalars(select(Occupancy.unit_id))
    assert len(set(units)) == 3


def test_a_preset_books_its_steps(
    session: Session, cast: Cast, amina: Actor, now: datetime, policy: Policy
) -> None:
    salma = cast.actors["salma"]
    lab = lab_by_slug(session, "tanger")
    assert lab is not None
    steps = [Step(0, HOUR, machine=LASER), Step(HOUR, HOUR // 2, kind="3d-printer")]
    made = add_preset(session, salma, lab, "Cut and print", steps, now)
    assert presets(session, lab.id) == [made]
    assert list(made.steps) == steps
    starts = tomorrow(10)
    wanted = Together(BookingRequest("", starts, starts, "a lamp"), preset=made.id)
    first, second = book_together(session, amina, wanted, now, policy)
    assert (first.machine_slug, second.machine_slug) == (LASER, PRINTER)
    assert (first.ends_at, second.ends_at) == (tomorrow(11), tomorrow(11, 30))
    assert {first.purpose, second.purpose} == {"a lamp"}
    with pytest.raises(DomainError) as caught:
        book_together(session, amina, wanted, now, policy)
    assert refusals(caught) == {"preset.0.starts_at": "machine_booked"}
    with pytest.raises(DomainError) as caught:
        book_together(session, amina, replace(wanted, preset=made.id + 1), now, policy)
    assert refusals(caught) == {"preset": "unknown_preset"}


def test_managers_keep_their_labs_presets(session: Session, cast: Cast, amina: Actor, now: datetime) -> None:
    lab = lab_by_slug(session, "tanger")
    assert lab is not None
    steps = [Step(0, HOUR, machine=LASER)]
    for name in ("amina", "karim", "nadia"):
        with pytest.raises(DomainError) as caught:
            add_preset(session, cast.actors[name], lab, "Mine", steps, now)
        assert caught.value.code is Code.NOT_ALLOWED
    salma = cast.actors["salma"]
    made = add_preset(session, salma, lab, "Cut", steps, now)
    add_preset(session, salma, lab, "Print", [Step(0, HOUR, kind="3d-printer")], now)
    for name, refused in (("Cut", "preset_exists"), ("Other", "not_in_lab")):
        with pytest.raises(DomainError) as caught:
            add_preset(
                session,
                salma,
                lab,
                name,
                [Step(0, HOUR, machine="rabat-prusa-1")] if name == "Other" else steps,
                now,
            )
        assert [each.code for each in caught.value.refusals] == [refused]
    with pytest.raises(DomainError) as caught:
        change_preset(session, salma, made.id, now, name="Print")
    assert refusals(caught) == {"name": "preset_exists"}
    with pytest.raises(DomainError) as caught:
        change_preset(session, salma, made.id, now, steps=[Step(60, HOUR, machine=LASER)])
    assert refusals(caught) == {"steps.0.offset_s": "preset_begins_late"}
    changed = change_preset(
        session, salma, made.id, now, name="Cut long", steps=[Step(0, 2 * HOUR, machine=LASER)]
    )
    assert (changed.name, changed.steps[0].duration_s) == ("Cut long", 2 * HOUR)
    remove_preset(session, salma, made.id, now)
    assert [each.name for each in presets(session, lab.id)] == ["Print"]
    acts = session.scalars(select(Audit.action).where(Audit.action.startswith("preset.")).order_by(Audit.id))
    assert list(acts) == ["preset.add", "preset.add", "preset.change", "preset.remove"]


def test_a_machine_that_is_only_needed_is_in_no_bundle(
    session: Session, cast: Cast, amina: Actor, now: datetime, policy: Policy
) -> None:
    for slug in (PRINTER, OTHER):
        session.get_one(Machine, cast.machines[slug]).bookable = False
    session.flush()
    with pytest.raises(DomainError) as caught:
        book_together(session, amina, cut_then_print(Step(0, HOUR, kind="3d-printer")), now, policy)
    assert refusals(caught) == {"also.0.kind": "not_in_lab"}


def _rule(session: Session, now: datetime, name: str, value: object, **place: int) -> None:
    session.add(RuleRow(name=name, value=value, changed_at=now, **place))
    version = session.get(RulesVersion, 1)
    if version is None:
        session.add(RulesVersion(id=1))
    else:
        session.execute(text("UPDATE rules_version SET version = gen_random_uuid()"))
    session.flush()
