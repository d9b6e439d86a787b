"""Booking verbs below the web: starting, closing, cancelling, and what telemetry asks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from fablab.bookings.calendar import calendar
from fablab.bookings.models import Booking, BookingChange, Occupancy
from fablab.bookings.queries import booking, bookings, bookings_of, history, holding_candidates
from fablab.bookings.rules import BookingRequest, Policy
from fablab.bookings.service import (
    cancel_booking,
    close_past_bookings,
    create_booking,
    mark_started,
    preview_booking,
)
from fablab.clock import utc_now
from fablab.errors import Code, DomainError
from fablab.machines.models import Machine, Unit
from tests.fixtures_cast import Cast, tomorrow
from tests.support.claims import claim_outage


def book(
    session: Session, cast: Cast, policy: Policy, who: str = "amina", hour: int = 10, **more: str
) -> int:
    machine = more.pop("machine", "tanger-prusa-1")
    request = BookingRequest(machine, tomorrow(hour), tomorrow(hour + 2), **more)
    return create_booking(session, cast.actors[who], request, utc_now(), policy).id


def states(session: Session, booking_id: int) -> list[tuple[str, str]]:
    return [(change.made_by, change.to_state) for change in history(session, booking_id)]


def test_an_unknown_machine_is_refused(session: Session, cast: Cast, policy: Policy) -> None:
    with pytest.raises(DomainError) as refused:
        book(session, cast, policy, machine="tanger-prusa-9")
    assert (refused.value.code, refused.value.refusals[0].field) == (Code.NOT_FOUND, "machine")


def test_an_inactive_machine_is_refused(session: Session, cast: Cast, policy: Policy) -> None:
    session.get_one(Machine, cast.machines["tanger-prusa-1"]).active = False
    session.flush()
    with pytest.raises(DomainError) as refused:
        book(session, cast, policy)
    assert [each.code for each in refused.value.refusals] == ["machine_inactive"]


def test_who_only_reads_books_nothing(session: Session, cast: Cast, policy: Policy) -> None:
    request = BookingRequest("tanger-prusa-1", tomorrow(10), tomorrow(12))
    with pytest.raises(DomainError) as refused:
        create_booking(session, cast.actors["nadia"], request, utc_now(), policy)
    assert refused.value.code is Code.NOT_ALLOWED


def test_set_up_and_clean_up_are_claimed_too(session: Session, cast: Cast, policy: Policy) -> None:
    machine = session.get_one(Machine, cast.machines["tanger-prusa-1"])
    machine.setup_s, machine.cleanup_s = 600, 900
    session.flush()
    book(session, cast, policy, hour=10)
    claim = session.scalars(select(Occupancy)).one()
    assert claim.starts_at == tomorrow(10) - timedelta(minutes=10)
    assert claim.ends_at == tomorrow(12) + timedelta(minutes=15)
    with pytest.raises(DomainError) as refused:
        book(session, cast, policy, hour=12)
    assert refused.value.code is Code.CLASH
    assert refused.value.alternatives[0].starts_at == tomorrow(12) + timedelta(minutes=25)


def test_an_outage_takes_the_machine_like_a_booking(session: Session, cast: Cast, policy: Policy) -> None:
    claim_outage(session, cast.units["tanger-prusa-1"], tomorrow(11), tomorrow(12))
    with pytest.raises(DomainError) as refused:
        book(session, cast, policy)
    assert refused.value.code is Code.CLASH
    (row,) = calendar(session, [cast.machines["tanger-prusa-1"]], tomorrow(0), tomorrow(23), utc_now())
    assert (row.kind, row.booking_id, row.member_id) == ("outage", None, None)


def test_a_claim_lost_while_deciding_gives_the_same_refusal(
    session: Session, cast: Cast, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody commits between our look and our claim: here the look is made blind once."""
    from fablab.bookings import service

    book(session, cast, policy, who="youssef")
    seen = service.gather_facts

    def blind(*args, **more):  # type: ignore[no-untyped-def]
        gathered = seen(*args, **more)
        assert gathered is not None
        return replace(gathered, facts=replace(gathered.facts, claims=()))

    monkeypatch.setattr(service, "gather_facts", blind)
    with pytest.raises(DomainError) as refused:
        book(session, cast, policy)
    assert refused.value.code is Code.CLASH
    assert "is taken" in refused.value.message
    assert len(refused.value.alternatives) == policy.alternatives
    assert len(bookings(session)) == 1


def test_a_booking_takes_two_statements(session: Session, cast: Cast, policy: Policy) -> None:
    """The machine, and the one that claims, stores and tells live viewers and readers."""
    book(session, cast, policy, hour=6)
    statements: list[str] = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *args: statements.append(args[2]))
    book(session, cast, policy)
    assert len(statements) == 2, statements


def test_alternatives_take_two_statements_however_many_machines(
    session: Session, cast: Cast, policy: Policy
) -> None:
    first = session.get_one(Machine, cast.machines["tanger-prusa-1"])
    for number in range(20):
        session.add(
            Machine(
                slug=f"tanger-extra-{number}",
                name="Extra",
                lab_id=first.lab_id,
                kind_id=first.kind_id,
                capabilities={},
                unattended=True,
                units=[Unit()],
            )
        )
    session.flush()
    book(session, cast, policy)
    request = BookingRequest("tanger-prusa-1", tomorrow(10), tomorrow(12))
    # Hours of labs are read once and then known.
    preview_booking(session, cast.actors["youssef"], request, utc_now(), policy)
    statements: list[str] = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *args: statements.append(args[2]))
    seen = preview_booking(session, cast.actors["youssef"], request, utc_now(), policy)
    assert len(seen.alternatives) == policy.alternatives
    assert len(statements) == 4


def test_alternatives_keep_to_opening_hours(session: Session, cast: Cast, policy: Policy) -> None:
    request = BookingRequest("tanger-laser-1", tomorrow(15), tomorrow(18))
    create_booking(session, cast.actors["amina"], request, utc_now(), policy)
    (free,) = preview_booking(session, cast.actors["youssef"], request, utc_now(), policy).alternatives
    assert free.starts_at.hour == 9
    assert free.starts_at.date() > request.starts_at.date()


def test_nothing_is_offered_that_would_be_refused(session: Session, cast: Cast, policy: Policy) -> None:
    now = utc_now().replace(microsecond=0)
    last = now + timedelta(days=policy.horizon_days)
    everywhere = session.scalars(select(Machine)).all()
    for machine in everywhere:
        for unit in machine.units:
            # From shortly before the horizon to shortly after it, everything is taken.
            claim_outage(session, unit.id, last - timedelta(hours=2), last + timedelta(hours=1))
    request = BookingRequest("tanger-prusa-1", last - timedelta(hours=1), last + timedelta(hours=1))
    seen = preview_booking(session, cast.actors["amina"], request, now, policy)
    assert [each.code for each in seen.refusals] == ["machine_booked"]
    assert seen.alternatives == ()


def test_what_is_too_short_here_is_too_short_elsewhere(session: Session, cast: Cast, policy: Policy) -> None:
    book(session, cast, policy)
    request = BookingRequest("tanger-prusa-1", tomorrow(10), tomorrow(10) + timedelta(seconds=60))
    seen = preview_booking(session, cast.actors["youssef"], request, utc_now(), policy)
    assert {each.code for each in seen.refusals} == {"too_short", "machine_booked"}
    assert seen.alternatives == ()


def test_use_starts_a_booking_once(session: Session, cast: Cast, policy: Policy) -> None:
    made = book(session, cast, policy)
    assert mark_started(session, made, utc_now(), "job began") is True
    assert mark_started(session, made, utc_now(), "job began") is False
    assert states(session, made) == [("member", "confirmed"), ("machine", "started")]


def test_what_is_running_cannot_be_cancelled(session: Session, cast: Cast, policy: Policy) -> None:
    made = book(session, cast, policy)
    mark_started(session, made, utc_now())
    with pytest.raises(DomainError) as refused:
        cancel_booking(session, cast.actors["amina"], made, utc_now(), policy)
    assert refused.value.refusals[0].code == "already_over"


def test_the_clock_closes_what_is_over_and_a_second_run_changes_nothing(
    session: Session, cast: Cast, policy: Policy
) -> None:
    used = book(session, cast, policy, hour=8)
    unused = book(session, cast, policy, hour=12)
    later = book(session, cast, policy, hour=16)
    mark_started(session, used, tomorrow(8))
    assert close_past_bookings(session, tomorrow(15)) == 2
    assert close_past_bookings(session, tomorrow(15)) == 0
    found = {each.id: each.state for each in bookings_of(session, cast.members["amina"])}
    assert found == {used: "completed", unused: "missed", later: "confirmed"}
    assert states(session, unused)[-1] == ("clock", "missed")


def test_the_clock_closes_many_with_the_statements_of_one(
    session: Session, cast: Cast, policy: Policy
) -> None:
    for hour in (8, 10, 12, 14):
        book(session, cast, policy, hour=hour)
    sent: list[str] = []

    def note(_connection, _cursor, statement, *_rest):  # type: ignore[no-untyped-def]
        sent.append(statement)

    event.listen(session.get_bind(), "before_cursor_execute", note)
    assert close_past_bookings(session, tomorrow(10)) == 1
    one = len(sent)
    assert close_past_bookings(session, tomorrow(18)) == 3
    event.remove(session.get_bind(), "before_cursor_execute", note)
    assert len(sent) == 2 * one


def test_late_news_of_use_completes_a_missed_booking(session: Session, cast: Cast, policy: Policy) -> None:
    made = book(session, cast, policy)
    close_past_bookings(session, tomorrow(13))
    assert mark_started(session, made, tomorrow(13), "the line was down") is True
    found = booking(session, made)
    assert found is not None
    assert found.state == "completed"


def test_a_job_finds_the_bookings_of_its_time(session: Session, cast: Cast, policy: Policy) -> None:
    first, second = book(session, cast, policy, hour=8), book(session, cast, policy, hour=10)
    cancelled = book(session, cast, policy, hour=12)
    cancel_booking(session, cast.actors["amina"], cancelled, utc_now(), policy)
    machine = cast.machines["tanger-prusa-1"]

    def found(at: int, until: int) -> list[int]:
        return [each.id for each in holding_candidates(session, machine, tomorrow(at), tomorrow(until))]

    assert found(9, 11) == [first, second]
    assert found(10, 11) == [second]
    assert found(12, 14) == []


def test_cancelling_leaves_every_change_and_no_claim(session: Session, cast: Cast, policy: Policy) -> None:
    made = book(session, cast, policy)
    cancel_booking(session, cast.actors["salma"], made, utc_now(), policy, "broken nozzle")
    assert session.scalars(select(Occupancy)).all() == []
    assert session.get_one(Booking, made).state == "cancelled"
    last = session.scalars(select(BookingChange).order_by(BookingChange.id.desc())).first()
    assert last is not None
    assert (last.member_id, last.reason) == (cast.members["salma"], "broken nozzle")


def test_nobody_cancels_what_is_not_theirs(session: Session, cast: Cast, policy: Policy) -> None:
    made = book(session, cast, policy)
    for who, code in {"youssef": Code.NOT_FOUND, "karim": Code.NOT_FOUND, "nadia": Code.NOT_ALLOWED}.items():
        with pytest.raises(DomainError) as refused:
            cancel_booking(session, cast.actors[who], made, utc_now(), policy)
        assert refused.value.code is code, who
