"""What may be waited for, until when something is kept, and where it can begin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fablab.bookings.rules_handover import Offered, answer_refusal, handable, offer_refusals, open_until
from fablab.bookings.rules_waiting import (
    SHORTEST_HOLD,
    WAITING_MOST,
    Wanted,
    kept_until,
    line_refusals,
    starts_within,
    window_refusals,
)

NOW = datetime(2027, 1, 30, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
minutes = st.integers(-2000, 4000).map(lambda n: NOW + timedelta(minutes=n))


def wanted(after: datetime, before: datetime, duration_s: int = 3600, machine: int | None = 1) -> Wanted:
    return Wanted(machine, None if machine else 7, None, duration_s, after, before)


def test_a_window_is_to_come_wide_enough_and_within_reach() -> None:
    def said(after: datetime, before: datetime) -> list[str]:
        return [str(each.values["case"]) for each in window_refusals(wanted(after, before), NOW, 30)]

    assert said(NOW - 2 * HOUR, NOW) == ["over"]
    assert said(NOW - 2 * HOUR, NOW + HOUR / 2) == ["short"]
    assert said(NOW, NOW + timedelta(days=40)) == ["far"]
    assert said(NOW - 2 * HOUR, NOW + HOUR) == []


def test_lines_are_counted_and_not_doubled() -> None:
    own = [wanted(NOW + n * HOUR, NOW + (n + 1) * HOUR) for n in range(WAITING_MOST)]
    codes = [each.code for each in line_refusals(wanted(NOW, NOW + HOUR), own)]
    assert codes == ["waiting_already", "waiting_too_many"]
    assert list(line_refusals(wanted(NOW, NOW + HOUR, machine=None), own[:-1])) == []


@given(starts=minutes, hold_minutes=st.integers(0, 600))
def test_nothing_is_kept_past_its_start_or_longer_than_the_rule(starts: datetime, hold_minutes: int) -> None:
    until = kept_until(NOW, starts, hold_minutes)
    if until is None:
        assert min(starts - NOW, timedelta(minutes=hold_minutes)) < SHORTEST_HOLD
    else:
        assert until <= starts
        assert SHORTEST_HOLD <= until - NOW <= timedelta(minutes=hold_minutes)


@given(
    after=minutes,
    width=st.integers(1, 3000),
    duration=st.integers(1, 600),
    freed_at=minutes,
    freed_for=st.integers(1, 600),
    setup=st.integers(0, 60),
    cleanup=st.integers(0, 60),
)
def test_every_start_lies_in_the_window_and_uses_what_came_free(
    after: datetime, width: int, duration: int, freed_at: datetime, freed_for: int, setup: int, cleanup: int
) -> None:
    before, ends = after + timedelta(minutes=width), freed_at + timedelta(minutes=freed_for)
    within = starts_within(
        wanted(after, before, duration * 60),
        (freed_at, ends),
        setup * 60,
        cleanup * 60,
        NOW,
        NOW + timedelta(days=60),
    )
    for start in {within.first, within.last} if within.first <= within.last else ():
        at = datetime.fromtimestamp(start, UTC)
        over = at + timedelta(minutes=duration)
        assert max(after, NOW) <= at
        assert over <= before
        assert at - timedelta(minutes=setup) < ends
        assert freed_at < over + timedelta(minutes=cleanup)
    for start in (within.first - 1, within.last + 1) if within.first <= within.last else ():
        at = datetime.fromtimestamp(start, UTC)
        over = at + timedelta(minutes=duration)
        outside = at < max(after, NOW) or over > before or at > NOW + timedelta(days=60)
        touches = at - timedelta(minutes=setup) < ends and freed_at < over + timedelta(minutes=cleanup)
        assert outside or not touches


def test_an_offer_ends_with_what_it_is_about() -> None:
    assert open_until(NOW, NOW + HOUR, NOW + 2 * HOUR) == NOW + HOUR
    assert open_until(NOW, NOW + timedelta(days=9)) == NOW + timedelta(hours=48)
    assert not handable("confirmed", NOW, NOW)
    assert not handable("requested", NOW + HOUR, NOW)
    assert answer_refusal("offered", NOW + HOUR, NOW, stale=False) is None
    over, stale = (
        answer_refusal(state, NOW, NOW, stale=state == "offered") for state in ("declined", "offered")
    )
    assert over is not None
    assert stale is not None
    assert (over.code, stale.code) == ("handover_over", "handover_stale")


def test_all_that_speaks_against_an_offer_is_said_at_once() -> None:
    own = Offered("cancelled", NOW + HOUR, 1, 1)
    back = Offered("confirmed", NOW + HOUR, 1, 1)
    codes = [each.code for each in offer_refusals(own, back, NOW, open_already=True, offers_today=20)]
    assert codes == ["handover_state", "handover_self", "handover_offered", "handover_too_many"]
