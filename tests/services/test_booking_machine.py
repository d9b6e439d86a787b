"""Any order of booking, moving, deciding, cancelling and outages leaves claims that fit them exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings.deciding import approve, expire_requests, reject
from fablab.bookings.facts import BookingRequest, Policy
from fablab.bookings.models import Booking
from fablab.bookings.moving import Change, extend_booking, move_booking
from fablab.bookings.outages import OutageWish, begin_outage, change_outage
from fablab.bookings.service import cancel_booking, close_past_bookings, create_booking, mark_started
from fablab.errors import DomainError
from fablab.machines.queries import machine_by_slug
from tests.fixtures_cast import Cast, tomorrow
from tests.support.at_once import ELSEWHERE, MISMATCHES, OVERLAPS
from tests.support.claims import add_needed, claim_outage

PRUSA, OTHER, EXTRACTOR = "tanger-prusa-1", "tanger-prusa-2", "tanger-extractor"
WHO = st.sampled_from(["amina", "youssef", "salma", "karim"])
MACHINE = st.sampled_from([PRUSA, OTHER])
HOUR = st.integers(0, 23)
# What each books claims: the first machine runs only with the extractor.
CLAIMS = {PRUSA: {PRUSA, EXTRACTOR}, OTHER: {OTHER}}
LAST_CHANGES = """
    SELECT count(*) FROM booking WHERE state IS DISTINCT FROM
    (SELECT to_state FROM booking_change WHERE booking_id = booking.id ORDER BY id DESC LIMIT 1)
"""
# Every version is a change, and every change a version.
VERSIONS = """
    SELECT count(*) FROM booking
    WHERE version <> (SELECT count(*) FROM booking_change WHERE booking_id = booking.id)
"""
# Seconds of outages that neither they nor anybody else claims.
UNCLAIMED = """
    SELECT coalesce(sum((
        SELECT sum(upper(gap) - lower(gap)) FROM unnest(
            int8multirange(occupancy_slot(unit.id, outage.starts_at,
                                          coalesce(outage.ends_at, '2200-01-01 00:00Z')))
            - coalesce((SELECT range_agg(slot) FROM occupancy WHERE unit_id = unit.id), '{}')
        ) AS gap
    )), 0)
    FROM outage JOIN unit ON unit.machine_id = outage.machine_id
"""
# Claims of outages outside their time.
BEYOND = """
    SELECT count(*) FROM occupancy JOIN outage ON outage.id = occupancy.outage_id
    WHERE occupancy.starts_at < outage.starts_at OR occupancy.ends_at > outage.ends_at
"""


def test_claims_fit_bookings_whatever_happens(
    sessions: sessionmaker[Session], cast: Cast, policy: Policy
) -> None:
    asking = replace(policy, approvals=1, decide_within_s=5 * 3600)

    @contextmanager
    def trial() -> Iterator[Session]:
        """One session whose work is thrown away at the end of the trial."""
        with sessions() as session:
            add_needed(session, EXTRACTOR, [PRUSA])
            yield session
            session.rollback()

    class Bookings(RuleBasedStateMachine):
        made = Bundle("made")
        outages = Bundle("outages")

        def __init__(self) -> None:
            super().__init__()
            self.now: datetime = tomorrow(0)
            # What is claimed, as we think: of which machines, from when to when, by booking.
            self.taken: dict[int, tuple[str, datetime, datetime]] = {}
            # Machine, from when to when (None: open).
            self.out: dict[int, tuple[str, datetime, datetime | None]] = {}
            self._trial = trial()
            self.session = self._trial.__enter__()

        def teardown(self) -> None:
            self._trial.__exit__(None, None, None)

        def free(self, machine: str, starts: datetime, ends: datetime, but: int = 0) -> bool:
            """Whether nobody has any of that time of the machine or of what it needs, as we think."""
            booked = any(
                CLAIMS[machine] & CLAIMS[name] and a < ends and starts < b
                for each, (name, a, b) in self.taken.items()
                if each != but
            )
            out = any(
                name in CLAIMS[machine] and a < ends and (b is None or starts < b)
                for name, a, b in self.out.values()
            )
            return not (booked or out)

        def tried(self, verb: Callable[[], object]) -> list[str] | None:
            """The codes it was refused with; None where it went well."""
            try:
                with self.session.begin_nested():
                    verb()
            except DomainError as refused:
                return [each.code for each in refused.refusals] or [str(refused.code)]
            finally:
                self.session.expire_all()
            return None

        def state(self, booking: int) -> str:
            return self.session.get_one(Booking, booking).state

        @rule(target=made, who=WHO, machine=MACHINE, start=HOUR, length=st.integers(1, 6))
        def book(self, who: str, machine: str, start: int, length: int) -> int:
            starts, ends = self.now + timedelta(hours=start), self.now + timedelta(hours=start + length)
            request = BookingRequest(machine, starts, ends)
            free, found = self.free(machine, starts, ends), []
            codes = self.tried(
                lambda: found.append(
                    create_booking(self.session, cast.actors[who], request, self.now, policy)
                )
            )
            assert codes == (None if free else ["machine_booked"])
            if codes is not None:
                return 0
            self.taken[found[0].id] = (machine, starts, ends)
            return int(found[0].id)

        @rule(target=made, who=WHO, machine=MACHINE, start=HOUR, length=st.integers(1, 6))
        def ask(self, who: str, machine: str, start: int, length: int) -> int:
            starts, ends = self.now + timedelta(hours=start), self.now + timedelta(hours=start + length)
            request = BookingRequest(machine, starts, ends)
            free, found = self.free(machine, starts, ends), []
            codes = self.tried(
                lambda: found.append(
                    create_booking(self.session, cast.actors[who], request, self.now, asking)
                )
            )
            assert codes == (None if free else ["machine_booked"])
            return int(found[0].id) if found else 0

        @rule(booking=made, who=st.sampled_from(["salma", "admin"]))
        def agree(self, booking: int, who: str) -> None:
            row = self.session.get(Booking, booking)
            codes = self.tried(lambda: approve(self.session, cast.actors[who], booking, self.now, asking))
            if row is None or codes is not None:
                if codes == ["machine_booked"]:
                    assert row is not None
                    assert not self.free(self.slug(row), row.starts_at, row.ends_at)
                return
            assert self.free(self.slug(row), row.starts_at, row.ends_at)
            self.taken[booking] = (self.slug(row), row.starts_at, row.ends_at)

        @rule(booking=made)
        def turn_down(self, booking: int) -> None:
            codes = self.tried(
                lambda: reject(self.session, cast.actors["salma"], booking, self.now, "a course")
            )
            assert codes is not None or booking not in self.taken

        @rule(booking=made, who=WHO, machine=MACHINE, start=HOUR, length=st.integers(1, 6))
        def move(self, booking: int, who: str, machine: str, start: int, length: int) -> None:
            starts, ends = self.now + timedelta(hours=start), self.now + timedelta(hours=start + length)
            change = Change(starts, ends, machine)
            free = self.free(machine, starts, ends, but=booking)
            codes = self.tried(
                lambda: move_booking(self.session, cast.actors[who], booking, change, self.now, policy)
            )
            if codes == ["machine_booked"]:
                assert not free
            elif codes is None:
                assert free
                # Where nobody has to agree, a request that moves is a booking.
                self.taken[booking] = (machine, starts, ends)

        @rule(booking=made, who=WHO, hours=st.integers(-3, 6))
        def change_the_end(self, booking: int, who: str, hours: int) -> None:
            row = self.session.get(Booking, booking)
            if row is None:
                return
            ends = row.ends_at + timedelta(hours=hours)
            verb = (
                (lambda: extend_booking(self.session, cast.actors[who], booking, ends, self.now, policy))
                if hours > 0
                else lambda: move_booking(
                    self.session, cast.actors[who], booking, Change(ends_at=ends), self.now, policy
                )
            )
            starts, machine, before = row.starts_at, self.slug(row), row.ends_at
            codes = self.tried(verb)
            if codes is None and before != ends:
                assert self.free(machine, starts, ends, but=booking)
                self.taken[booking] = (machine, starts, ends)

        @rule(booking=made, who=WHO)
        def cancel(self, booking: int, who: str) -> None:
            codes = self.tried(
                lambda: cancel_booking(self.session, cast.actors[who], booking, self.now, policy)
            )
            if codes is None:
                self.taken.pop(booking, None)

        @rule(booking=made)
        def start(self, booking: int) -> None:
            mark_started(self.session, booking, self.now)
            self.session.expire_all()

        @rule(
            target=outages,
            machine=st.sampled_from([PRUSA, OTHER, EXTRACTOR]),
            start=HOUR,
            length=st.one_of(st.none(), st.integers(1, 12)),
        )
        def begin(self, machine: str, start: int, length: int | None) -> int:
            starts = self.now + timedelta(hours=start)
            ends = None if length is None else starts + timedelta(hours=length)
            there = machine_by_slug(self.session, machine)
            assert there is not None
            wish = OutageWish(starts, ends, "fault")
            told = begin_outage(self.session, cast.actors["salma"], there, wish, self.now, policy)
            self.out[told.outage.id] = (machine, starts, ends)
            return told.outage.id

        @rule(outage=outages, shift=st.integers(0, 12))
        def end(self, outage: int, shift: int) -> None:
            machine, starts, _ = self.out[outage]
            there = machine_by_slug(self.session, machine)
            assert there is not None
            ends = max(self.now, starts) + timedelta(hours=shift)
            codes = self.tried(
                lambda: change_outage(
                    self.session, cast.actors["salma"], there, outage, {"ends_at": ends}, self.now, policy
                )
            )
            assert codes in (None, ["outage_span"])
            if codes is None:
                self.out[outage] = (machine, starts, ends)

        @rule(hours=st.integers(1, 5))
        def time_passes(self, hours: int) -> None:
            self.now += timedelta(hours=hours)
            close_past_bookings(self.session, self.now)
            assert close_past_bookings(self.session, self.now) == 0
            expire_requests(self.session, self.now)
            assert expire_requests(self.session, self.now) == 0
            self.session.expire_all()

        def slug(self, row: Booking) -> str:
            return PRUSA if row.machine_id == cast.machines[PRUSA] else OTHER

        @invariant()
        def nothing_overlaps_and_all_claims_have_their_owner(self) -> None:
            self.session.flush()
            for what in (OVERLAPS, MISMATCHES, ELSEWHERE, LAST_CHANGES, VERSIONS, UNCLAIMED, BEYOND):
                assert self.session.scalar(text(what)) == 0, what
            held = self.session.scalars(
                text("SELECT DISTINCT booking_id FROM occupancy WHERE kind = 'booking'")
            )
            assert set(held) == set(self.taken)

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
    unit = cast.units[PRUSA]
    claim_outage(session, unit, tomorrow(10), tomorrow(12))
    claim_outage(session, unit, tomorrow(12), tomorrow(13))
    with pytest.raises(Exception, match="one_claim_per_unit_and_instant"):
        claim_outage(session, unit, tomorrow(11), tomorrow(14))
