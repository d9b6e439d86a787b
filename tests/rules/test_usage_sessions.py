"""A session's seconds add up, whatever a machine says and in whatever order."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fablab.usage.rules import (
    Signal,
    Usage,
    choose_booking,
    closed,
    counted,
    follow,
    metered,
    opened,
    past,
    turned,
)

START = datetime(2026, 11, 22, 9, tzinfo=UTC)
JOBS = [uuid.UUID(int=number) for number in (1, 2, 3)]


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def span_s(usage: Usage) -> float:
    return (usage.counted_at - usage.started_at).total_seconds()


@dataclass(frozen=True)
class Booking:
    id: int
    starts_at: datetime
    ends_at: datetime


# ---- what is not counted ----


def test_an_earlier_time_counts_nothing() -> None:
    usage = counted(opened(at(100), busy=True), at(50))
    assert (usage.busy_s, usage.idle_s, usage.counted_at) == (0, 0, at(100))


def test_an_end_before_the_start_makes_an_empty_session() -> None:
    usage = closed(opened(at(100), busy=True), at(50), "job_ended")
    assert (usage.started_at, usage.ended_at, usage.busy_s, usage.idle_s) == (at(100), at(100), 0, 0)


def test_a_meter_that_falls_or_restarts_adds_nothing() -> None:
    usage = metered(opened(at(0), busy=True, meter_wh=1000), 1010, "a")
    assert usage.energy_wh == 10
    assert metered(usage, 5, "a").energy_wh == 10
    assert metered(usage, 5000, "b").energy_wh == 10
    assert metered(metered(usage, 5000, "b"), 5003, "b").energy_wh == 13


def test_the_first_meter_value_is_where_counting_starts() -> None:
    assert metered(opened(at(0), busy=True), 123456).energy_wh == 0


def test_another_jobs_pause_and_end_leave_the_session_alone() -> None:
    usage = opened(at(0), busy=True, job_id=JOBS[0])
    for signal in (Signal.JOB_PAUSED, Signal.JOB_ENDED):
        step = follow(usage, signal, at(10), job_id=JOBS[1])
        assert (step.ended, step.current) == (None, usage)


def test_a_job_from_before_the_open_session_disturbs_nothing() -> None:
    usage = opened(at(100), busy=True, job_id=JOBS[0])
    step = follow(usage, Signal.JOB_STARTED, at(50), job_id=JOBS[1])
    assert (step.ended, step.current) == (None, usage)


@pytest.mark.parametrize(
    "signal", [signal for signal in Signal if signal not in (Signal.JOB_STARTED, Signal.POWER_ON)]
)
def test_without_a_session_only_a_job_or_power_opens_one(signal: Signal) -> None:
    step = follow(None, signal, at(0), job_id=JOBS[0])
    assert (step.ended, step.current) == (None, None)


# ---- what is ----


def test_a_paused_job_is_idle() -> None:
    usage = follow(None, Signal.JOB_STARTED, at(0), job_id=JOBS[0]).current
    usage = follow(usage, Signal.JOB_PAUSED, at(60), job_id=JOBS[0]).current
    usage = follow(usage, Signal.JOB_RESUMED, at(90), job_id=JOBS[0]).current
    ended = follow(usage, Signal.JOB_ENDED, at(100), job_id=JOBS[0]).ended
    assert ended is not None
    assert (ended.busy_s, ended.idle_s, ended.ended_at) == (70, 30, at(100))


def test_power_alone_makes_a_session_that_works_when_the_machine_does() -> None:
    usage = follow(None, Signal.POWER_ON, at(0)).current
    usage = follow(usage, Signal.WORKING, at(30)).current
    usage = follow(usage, Signal.RESTING, at(50)).current
    ended = follow(usage, Signal.POWER_OFF, at(60)).ended
    assert ended is not None
    assert (ended.busy_s, ended.idle_s, ended.stop_reason) == (20, 40, "power_off")


def test_power_off_during_a_job_waits_for_the_jobs_end() -> None:
    usage = follow(None, Signal.JOB_STARTED, at(0), job_id=JOBS[0]).current
    step = follow(usage, Signal.POWER_OFF, at(40))
    assert step.ended is None
    ended = follow(step.current, Signal.JOB_ENDED, at(45), job_id=JOBS[0]).ended
    assert ended is not None
    assert (ended.busy_s, ended.idle_s) == (40, 5)


def test_a_job_takes_over_the_session_that_power_opened() -> None:
    usage = follow(None, Signal.POWER_ON, at(0)).current
    step = follow(usage, Signal.JOB_STARTED, at(20), job_id=JOBS[0])
    assert step.ended is None
    assert step.current is not None
    assert (step.current.started_at, step.current.job_id) == (at(0), JOBS[0])


def test_a_new_job_ends_the_session_of_one_that_never_ended() -> None:
    usage = follow(None, Signal.JOB_STARTED, at(0), job_id=JOBS[0]).current
    step = follow(usage, Signal.JOB_STARTED, at(100), job_id=JOBS[1])
    assert step.ended is not None
    assert step.current is not None
    assert (step.ended.ended_at, step.ended.stop_reason) == (at(100), "job_replaced")
    assert (step.current.started_at, step.current.job_id) == (at(100), JOBS[1])


def test_an_end_that_turns_out_earlier_takes_idle_seconds_back() -> None:
    usage = counted(turned(opened(at(0), busy=True), at(50), busy=False), at(80))
    ended = closed(usage, at(60), "job_ended")
    assert (ended.busy_s, ended.idle_s, ended.ended_at) == (50, 10, at(60))


def test_a_session_nobody_saw_is_as_busy_as_its_job_says() -> None:
    usage = past(at(0), at(100), JOBS[0], 70, "job_ended")
    assert (usage.busy_s, usage.idle_s) == (70, 30)
    assert past(at(0), at(100), JOBS[0], 700, "job_ended").busy_s == 100


moves = st.lists(
    st.tuples(
        st.sampled_from(list(Signal)),
        st.integers(-50, 500),
        st.sampled_from(JOBS),
        st.booleans(),
        st.one_of(st.none(), st.integers(0, 500)),
    ),
    max_size=40,
)


@given(moves)
def test_busy_and_idle_always_add_up_to_the_span(
    story: list[tuple[Signal, int, uuid.UUID, bool, int]],
) -> None:
    """Times go back and forth, events come in any order: no second is lost, doubled or negative."""
    current: Usage | None = None
    ended: list[Usage] = []
    for signal, seconds, job, working, seen in story:
        step = follow(current, signal, at(seconds), job_id=job, working=working)
        if step.ended is not None:
            ended.append(step.ended)
        current = step.current
        if current is not None and seen is not None:
            current = counted(current, at(seen))
        for usage in (*ended, current):
            if usage is not None:
                assert usage.busy_s >= 0
                assert usage.idle_s >= 0
                assert usage.busy_s + usage.idle_s == pytest.approx(span_s(usage), abs=1e-6)
    for usage in ended:
        assert usage.ended_at == usage.counted_at
        assert usage.ended_at >= usage.started_at


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=50))
def test_energy_is_the_sum_of_the_steps_upwards(values: list[int]) -> None:
    usage = opened(at(0), busy=True, meter_wh=values[0])
    for value in values[1:]:
        usage = metered(usage, value)
    upwards = sum(max(0, after - before) for before, after in pairwise(values))
    assert (usage.energy_wh or 0) == upwards


# ---- whose it was ----

MORNING = Booking(1, at(0), at(3600))
NOON = Booking(2, at(3600), at(7200))


def test_no_booking_near_means_nobodys() -> None:
    assert choose_booking(at(0), [], 600) is None
    assert choose_booking(at(-601), [MORNING], 600) is None
    assert choose_booking(at(7200), [MORNING, NOON], 600) is None


def test_the_booking_that_holds_the_start_wins() -> None:
    assert choose_booking(at(0), [NOON, MORNING], 600) == MORNING
    assert choose_booking(at(3599), [NOON, MORNING], 600) == MORNING
    assert choose_booking(at(3600), [NOON, MORNING], 600) == NOON


def test_shortly_before_a_booking_the_machine_is_its_own_unless_somebody_holds_it() -> None:
    assert choose_booking(at(-600), [MORNING, NOON], 600) == MORNING
    assert choose_booking(at(3000), [NOON], 600) == NOON
    assert choose_booking(at(3000), [NOON, MORNING], 600) == MORNING


def test_of_two_that_hold_a_machine_with_two_places_the_later_one_is_meant() -> None:
    late = Booking(3, at(1800), at(5400))
    assert choose_booking(at(2000), [MORNING, late], 600) == late
