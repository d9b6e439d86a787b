"""Any order of booking, cancelling, starting and closing leaves claims that fit the bookings exactly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings.rules import HOLDING_STATES, BookingRequest, Policy
from fablab.bookings.service import cancel_booking, close_past_bookings, create_booking, mark_started
from fablab.errors import Code, DomainError
from tests.fixtures_cast import Cast, tomorrow
from tests.support.claims import claim_outage

WHO = st.sampled_from(["amina", "youssef", "salma", "karim"])
MACHINE = st.sampled_from(["tanger-prusa-1", "tanger-prusa-2"])
OVERLAPS = """
    SELECT count(*) FROM occupancy a JOIN occupancy b
    ON a.unit_id = b.unit_id AND a.id < b.id AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at
"""
MISMATCHES = """
    SELECT count(*) FROM (SELECT id FROM booking WHERE state = ANY(:holding)) held
    FULL JOIN occupancy ON occupancy.booking_id = held.id WHERE occupancy.id IS NULL OR held.id IS NULL
"""
LAST_CHANGES = """
    SELECT count(*) FROM booking WHERE state IS DISTINCT FROM
    (SELECT to_state FROM booking_change WHERE booking_id = booking.id ORDER BY id DESC LIMIT 1)
"""


def test_claims_fit_bookings_whatever_happens(
    sessions: sessionmaker[Session], cast: Cast, policy: Policy
) -> None:
    @contextmanager
    def trial() -> Iterator[Session]:
        """One session whose work is thrown away at the end of the trial."""
        with sessions() as session:
            yield session
            session.rollback()

    class Bookings(RuleBasedStateMachine):
        made = Bundle("made")

        def __init__(self) -> None:
            super().__init__()
            self.now: datetime = tomorrow(0)
            self.taken: dict[int, tuple[str, int, int]] = {}
            self._trial = trial()
            self.session = self._trial.__enter__()

        def teardown(self) -> None:
            self._trial.__exit__(None, None, None)

        @rule(target=made, who=WHO, machine=MACHINE, start=st.integers(0, 23), length=st.integers(1, 6))
        def book(self, who: str, machine: str, start: int, length: int) -> int:
            starts = self.now + timedelta(hours=start)
            ends = starts + timedelta(hours=length)
            request = BookingRequest(machine, starts, ends)
            first, last = int(starts.timestamp()), int(ends.timestamp())
            clash = any(name == machine and a < last and first < b for name, a, b in self.taken.values())
            try:
                with self.session.begin_nested():
                    view = create_booking(self.session, cast.actors[who], request, self.now, policy)
            except DomainError as refused:
                if refused.code is not Code.CLASH or not clash:
                    raise AssertionError(f"refused without a reason: {refused.message}") from refused
                return 0
            assert not clash, "booked over another one"
            self.taken[view.id] = (machine, first, last)
            return view.id

        @rule(booking=consumes(made), who=WHO)
        def cancel(self, booking: int, who: str) -> None:
            try:
                with self.session.begin_nested():
                    cancel_booking(self.session, cast.actors[who], booking, self.now)
            except DomainError:
                return
            del self.taken[booking]

        @rule(booking=made)
        def start(self, booking: int) -> None:
            mark_started(self.session, booking, self.now)

        @rule(hours=st.integers(1, 5))
        def time_passes(self, hours: int) -> None:
            self.now += timedelta(hours=hours)
            close_past_bookings(self.session, self.now)
            assert close_past_bookings(self.session, self.now) == 0

        @invariant()
        def nothing_overlaps_and_claims_are_bookings(self) -> None:
            assert self.session.scalar(text(OVERLAPS)) == 0
            assert self.session.scalar(text(MISMATCHES), {"holding": list(HOLDING_STATES)}) == 0
            assert self.session.scalar(text(LAST_CHANGES)) == 0

    run_state_machine_as_test(
        Bookings,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_table_itself_refuses_an_overlap(session: Session, cast: Cast) -> None:
    """Even a program that forgets every rule cannot store one."""
    unit = cast.units["tanger-prusa-1"]
    claim_outage(session, unit, tomorrow(10), tomorrow(12))
    claim_outage(session, unit, tomorrow(12), tomorrow(13))
    with pytest.raises(Exception, match="one_claim_per_unit_and_instant"):
        claim_outage(session, unit, tomorrow(11), tomorrow(14))
