"""Moving, lengthening and shortening bookings: decided anew, atomic, and by whom it is for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from fablab.bookings.facts import BookingRequest, Policy
from fablab.bookings.models import Booking
from fablab.bookings.moving import Change, extend_booking, move_booking
from fablab.bookings.queries import booking, history
from fablab.bookings.service import cancel_booking, create_booking, mark_started
from fablab.clock import utc_now
from fablab.errors import Code, DomainError
from fablab.machines.models import Machine
from fablab.members.models import Audit
from tests.fixtures_cast import Cast, tomorrow
from tests.support.claims import add_needed, taken

PRUSA, OTHER, LASER = "tanger-prusa-1", "tanger-prusa-2", "tanger-laser-1"


def book(
    session: Session, cast: Cast, policy: Policy, who: str = "amina", hour: int = 10, machine: str = PRUSA
) -> int:
    request = BookingRequest(machine, tomorrow(hour), tomorrow(hour + 2), "a lamp")
    return create_booking(session, cast.actors[who], request, utc_now(), policy).id


def move(
    session: Session,
    cast: Cast,
    policy: Policy,
    booking_id: int,
    who: str = "amina",
    now: datetime | None = None,
    **more: object,
) -> Booking:
    change = Change(**{key: more.pop(key) for key in list(more) if key in Change.__annotations__})  # type: ignore[arg-type]
    move_booking(session, cast.actors[who], booking_id, change, now or utc_now(), policy, **more)  # type: ignore[arg-type]
    session.expire_all()
    return session.get_one(Booking, booking_id)


def refused(session: Session, cast: Cast, policy: Policy, booking_id: int, **more: object) -> DomainError:
    before = taken(session, PRUSA) + taken(session, OTHER)
    version = session.get_one(Booking, booking_id).version
    with pytest.raises(DomainError) as error, session.begin_nested():
        move(session, cast, policy, booking_id, **more)  # type: ignore[arg-type]
    session.expire_all()
    assert taken(session, PRUSA) + taken(session, OTHER) == before
    assert session.get_one(Booking, booking_id).version == version
    return error.value


def codes(error: DomainError) -> list[str]:
    return [each.code for each in error.refusals]


def test_where_somebody_else_is_it_stays_where_it_was(session: Session, cast: Cast, policy: Policy) -> None:
    made = book(session, cast, policy)
    book(session, cast, policy, "youssef", hour=13)
    error = refused(session, cast, policy, made, starts_at=tomorrow(12), ends_at=tomorrow(14))
    assert (error.code, codes(error)) == (Code.CLASH, ["machine_booked"])
    # Its own time counts as free, as it would be given back.
    first = error.alternatives[0]
    assert (first.machine, first.starts_at) == (PRUSA, tomorrow(15))


def test_every_rule_decides_anew(session: Session, cast: Cast, policy: Policy) -> None:
    made = book(session, cast, policy)
    tight = replace(policy, max_s=3 * 3600, grid_s=1800)
    error = refused(session, cast, tight, made, starts_at=tomorrow(12, 10), ends_at=tomorrow(16))
    assert codes(error) == ["too_long", "off_grid"]


def test_what_has_begun_keeps_start_and_machine(session: Session, cast: Cast, policy: Policy) -> None:
    made = book(session, cast, policy)
    now = tomorrow(10, 30)
    mark_started(session, made, now)
    assert codes(refused(session, cast, policy, made, now=now, machine=OTHER)) == ["not_movable"]
    assert codes(refused(session, cast, policy, made, now=now, starts_at=tomorrow(11))) == ["not_movable"]
    assert codes(refused(session, cast, policy, made, now=now, ends_at=tomorrow(10, 20))) == ["not_movable"]
    moved = move(session, cast, policy, made, now=now, ends_at=tomorrow(11))
    assert (moved.state, moved.ends_at) == ("started", tomorrow(11))
    assert taken(session, PRUSA) == [("booking", tomorrow(10), tomorrow(11))]


def test_what_is_over_or_cancelled_is_not_moved(session: Session, cast: Cast, policy: Policy) -> None:
    made, gone = book(session, cast, policy), book(session, cast, policy, hour=14)
    cancel_booking(session, cast.actors["amina"], gone, utc_now(), policy)
    assert codes(refused(session, cast, policy, gone, starts_at=tomorrow(15))) == ["not_movable"]
    late = tomorrow(12, 5)
    assert codes(refused(session, cast, policy, made, now=late, ends_at=tomorrow(14))) == ["not_movable"]


def test_who_has_nothing_to_do_with_it_moves_nothing(session: Session, cast: Cast, policy: Policy) -> None:
    made = book(session, cast, policy)
    for who, code in {"youssef": Code.NOT_FOUND, "karim": Code.NOT_FOUND, "nadia": Code.NOT_ALLOWED}.items():
        error = refused(session, cast, policy, made, who=who, starts_at=tomorrow(11), ends_at=tomorrow(13))
        assert error.code is code, who


def test_a_manager_moves_it_in_the_own_lab_only(session: Session, cast: Cast, policy: Policy) -> None:
    made = book(session, cast, policy)
    moved = move(session, cast, policy, made, "salma", starts_at=tomorrow(14), ends_at=tomorrow(16))
    assert moved.member_id == cast.members["amina"]
    act = session.scalars(select(Audit).where(Audit.action == "booking.move")).one()
    assert (act.actor_id, act.on_member_id) == (cast.members["salma"], cast.members["amina"])
    error = refused(session, cast, policy, made, who="salma", machine="rabat-prusa-1")
    assert (error.code, error.refusals[0].field) == (Code.NOT_ALLOWED, "machine")


def test_whoever_saw_an_older_version_is_refused(session: Session, cast: Cast, policy: Policy) -> None:
    made = book(session, cast, policy)
    move(session, cast, policy, made, ends_at=tomorrow(13), seen=frozenset({1}))
    error = refused(session, cast, policy, made, ends_at=tomorrow(14), seen=frozenset({1}))
    assert (error.code, codes(error)) == (Code.STALE, ["stale"])
    assert move(session, cast, policy, made, ends_at=tomorrow(14), seen=frozenset({1, 2})).version == 3


def test_it_moves_over_its_own_time_to_another_machine_and_back(
    session: Session, cast: Cast, policy: Policy
) -> None:
    session.get_one(Machine, cast.machines[PRUSA]).setup_s = 600
    session.flush()
    made = book(session, cast, policy)
    moved = move(session, cast, policy, made, starts_at=tomorrow(11), ends_at=tomorrow(13))
    assert (moved.local_starts.hour, moved.local_ends.hour, moved.version) == (11, 13, 2)
    assert taken(session, PRUSA) == [("booking", tomorrow(10, 50), tomorrow(13))]
    moved = move(session, cast, policy, made, machine=OTHER, purpose="two lamps")
    assert (moved.machine_id, moved.purpose) == (cast.machines[OTHER], "two lamps")
    assert taken(session, PRUSA) == []
    assert taken(session, OTHER) == [("booking", tomorrow(11), tomorrow(13))]


def test_history_tells_from_where_to_where(session: Session, cast: Cast, policy: Policy) -> None:
    made = book(session, cast, policy)
    move(session, cast, policy, made, machine=OTHER, ends_at=tomorrow(13), reason="the other is free longer")
    first, last = history(session, made)
    assert (first.to_starts_at, first.to_ends_at, first.to_machine) == (tomorrow(10), tomorrow(12), PRUSA)
    assert (last.from_starts_at, last.to_starts_at) == (None, None)
    assert (last.from_ends_at, last.to_ends_at) == (tomorrow(12), tomorrow(13))
    assert (last.from_machine, last.to_machine) == (PRUSA, OTHER)
    assert (last.from_state, last.to_state, last.reason) == (
        "confirmed",
        "confirmed",
        "the other is free longer",
    )


def test_a_new_purpose_asks_no_rule(session: Session, cast: Cast, policy: Policy) -> None:
    made = book(session, cast, policy)
    never = replace(policy, max_s=600)
    assert move(session, cast, never, made, purpose="a chair").purpose == "a chair"
    assert taken(session, PRUSA) == [("booking", tomorrow(10), tomorrow(12))]


def test_an_extension_ends_later_than_before(session: Session, cast: Cast, policy: Policy) -> None:
    made = book(session, cast, policy)
    amina, now = cast.actors["amina"], utc_now()
    with pytest.raises(DomainError) as error:
        extend_booking(session, amina, made, tomorrow(12), now, policy)
    assert error.value.refusals[0].field == "ends_at"
    book(session, cast, policy, "youssef", hour=13)
    assert extend_booking(session, amina, made, tomorrow(13), now, policy).ends_at == tomorrow(13)
    with pytest.raises(DomainError) as error, session.begin_nested():
        extend_booking(session, amina, made, tomorrow(14), now, policy)
    assert error.value.code is Code.CLASH


def test_whoever_is_late_gives_no_time_back(session: Session, cast: Cast, policy: Policy) -> None:
    """Moving it away is like cancelling it; making it longer is not."""
    strict = replace(policy, cancel_before_s=2 * 86400)
    made = book(session, cast, strict)
    away = {"starts_at": tomorrow(14), "ends_at": tomorrow(16)}
    assert codes(refused(session, cast, strict, made, **away)) == ["too_late_to_cancel"]
    assert move(session, cast, strict, made, ends_at=tomorrow(13)).ends_at == tomorrow(13)
    assert move(session, cast, strict, made, "salma", **away).starts_at == tomorrow(14)


def test_it_is_counted_once_among_those_ahead(session: Session, cast: Cast, policy: Policy) -> None:
    one = replace(policy, max_ahead=1, quota_day_s=2 * 3600)
    made = book(session, cast, one)
    with pytest.raises(DomainError) as error:
        book(session, cast, one, hour=14)
    assert codes(error.value) == ["too_many_ahead", "quota_used"]
    assert move(session, cast, one, made, starts_at=tomorrow(14), ends_at=tomorrow(16)).state == "confirmed"


def test_staff_go_over_rules_and_it_is_written_down(session: Session, cast: Cast, policy: Policy) -> None:
    made = book(session, cast, policy)
    book(session, cast, policy, "youssef", hour=15)
    short = replace(policy, max_s=7200)
    longer = {"ends_at": tomorrow(14), "override": True}
    assert refused(session, cast, short, made, **longer).code is Code.NOT_ALLOWED
    move(session, cast, short, made, "salma", **longer)
    assert history(session, made)[-1].broke == ("too_long",)
    act = session.scalars(select(Audit).where(Audit.action == "booking.override")).one()
    assert act.detail == "too_long"
    error = refused(session, cast, short, made, who="salma", ends_at=tomorrow(16), override=True)
    assert codes(error) == ["machine_booked"]


def test_what_it_needs_moves_with_it(session: Session, cast: Cast, policy: Policy) -> None:
    add_needed(session, "tanger-extractor", [LASER, OTHER])
    made = book(session, cast, policy, machine=LASER)
    book(session, cast, policy, "youssef", hour=14, machine=OTHER)
    error = refused(session, cast, policy, made, starts_at=tomorrow(13), ends_at=tomorrow(15))
    assert "tanger-extractor" in error.message
    move(session, cast, policy, made, starts_at=tomorrow(12), ends_at=tomorrow(14))
    assert taken(session, "tanger-extractor") == [
        ("booking", tomorrow(12), tomorrow(14)),
        ("booking", tomorrow(14), tomorrow(16)),
    ]
    move(session, cast, policy, made, machine=PRUSA)
    assert len(taken(session, "tanger-extractor")) == 1


def test_a_move_takes_the_same_statements_every_time(session: Session, cast: Cast, policy: Policy) -> None:
    made = book(session, cast, policy)
    move(session, cast, policy, made, starts_at=tomorrow(11), ends_at=tomorrow(13))
    counts = []
    for hour in (12, 15):
        statements: list[str] = []

        def note(*args: object, told: list[str] = statements) -> None:
            told.append(str(args[2]))

        event.listen(session.get_bind(), "before_cursor_execute", note)
        change = Change(starts_at=tomorrow(hour), ends_at=tomorrow(hour) + timedelta(hours=2))
        move_booking(session, cast.actors["amina"], made, change, utc_now(), policy)
        event.remove(session.get_bind(), "before_cursor_execute", note)
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 20, counts
    found = booking(session, made)
    assert found is not None
    assert found.version == 4
