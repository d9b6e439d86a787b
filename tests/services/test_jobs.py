"""Jobs and usage sessions as machines report them, and whose booking they belong to."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy import select

from fablab.bookings.models import Booking, BookingChange
from fablab.usage.models import Job, UsageSession
from fablab.usage.queries import jobs, usage_sessions
from tests.services.telemetry_case import LASER, PRINTER, RABATS, START, Case
from tests.support.bridges import Outbox


def one_job(outbox: Outbox, started: float, ended: float, machine: str = PRINTER, **more: object) -> list:
    job = more.pop("job", None) or uuid.uuid4()
    outcome = more.pop("outcome", "finished")
    return [
        outbox.job(machine, "job_started", job, started, started=started),
        outbox.job(machine, "job_ended", job, ended, started=started, ended=ended, outcome=outcome, **more),
    ]


def booking(
    case: Case, begin: float, end: float, state: str = "confirmed", machine: str = PRINTER
) -> Booking:
    made = case.network.booking(
        case.machines[machine], START + timedelta(seconds=begin), START + timedelta(seconds=end), state
    )
    case.session.flush()
    return made


# ---- what does not count ----


def test_a_job_that_ended_stays_as_it_is(case: Case) -> None:
    outbox, job = case.outbox(), uuid.uuid4()
    case.deliver(one_job(outbox, 0, 60, job=job))
    case.deliver(
        [
            outbox.job(PRINTER, "job_ended", job, 90, started=0, ended=90, outcome="failed"),
            outbox.job(PRINTER, "job_started", job, 91, started=0),
            outbox.job(PRINTER, "job_resumed", job, 92, started=0),
        ]
    )
    (row,) = case.rows(Job)
    assert (row.outcome, row.ended_at) == ("finished", START + timedelta(seconds=60))
    (session,) = case.rows(UsageSession)
    assert session.ended_at == START + timedelta(seconds=60)


@pytest.mark.parametrize("state", ["cancelled", "rejected", "requested"])
def test_a_booking_that_is_none_gets_no_use(case: Case, state: str) -> None:
    booking(case, 0, 3600, state)
    case.deliver(one_job(case.outbox(), 10, 60))
    (row,) = case.rows(Job)
    assert (row.booking_id, row.member_id) == (None, None)


def test_a_booking_of_another_machine_gets_no_use(case: Case) -> None:
    booking(case, 0, 3600, machine=LASER)
    case.deliver(one_job(case.outbox(), 10, 60))
    assert case.rows(Job)[0].booking_id is None
    assert case.rows(Booking)[0].state == "confirmed"


def test_use_long_before_a_booking_is_nobodys(case: Case) -> None:
    booking(case, 1000, 3600)
    case.deliver(one_job(case.outbox(), 10, 60))
    assert case.rows(UsageSession)[0].booking_id is None


# ---- what does ----


def test_a_job_in_a_booking_is_its_members_and_starts_the_booking(case: Case) -> None:
    mine = booking(case, 0, 3600)
    case.deliver(
        one_job(case.outbox(), 10, 130, print_time_s=100, elapsed_s=120, filament_mm=12.5, reason="done")
    )
    (job,) = case.rows(Job)
    assert (job.booking_id, job.member_id) == (mine.id, mine.member_id)
    assert (job.outcome, job.print_time_s, job.filament_mm, job.file) == ("finished", 100, 12.5, "vase.gcode")
    (session,) = case.rows(UsageSession)
    assert (session.booking_id, session.job_id) == (mine.id, job.id)
    assert (session.busy_s, session.idle_s) == (120, 0)
    assert case.rows(Booking)[0].state == "started"
    (change,) = case.rows(BookingChange)
    assert (change.made_by, change.from_state, change.to_state) == ("machine", "confirmed", "started")


def test_a_job_shortly_before_its_booking_belongs_to_it(case: Case) -> None:
    mine = booking(case, 600, 3600)
    case.deliver(one_job(case.outbox(), 0, 30))
    assert case.rows(Job)[0].booking_id == mine.id


def test_news_of_a_missed_booking_s_use_completes_it(case: Case) -> None:
    mine = booking(case, 0, 600, "missed")
    case.deliver(one_job(case.outbox(), 10, 130))
    assert case.rows(Job)[0].booking_id == mine.id
    assert case.rows(Booking)[0].state == "completed"


def test_a_booking_made_after_the_print_began_gets_it(case: Case) -> None:
    outbox, job = case.outbox(), uuid.uuid4()
    case.deliver([outbox.job(PRINTER, "job_started", job, 120, started=120), outbox.hot(PRINTER, 290)])
    other = booking(case, 0, 3600, machine=LASER)
    mine = booking(case, 0, 3600)
    case.deliver([outbox.hot(PRINTER, 310)])
    (row,) = case.rows(Job)
    (session,) = case.rows(UsageSession)
    assert (row.booking_id, row.member_id) == (mine.id, mine.member_id)
    assert (session.booking_id, session.member_id) == (mine.id, mine.member_id)
    assert (mine.state, other.state) == ("started", "confirmed")


def test_a_booking_made_while_the_line_was_down_gets_the_print(case: Case) -> None:
    outbox, job = case.outbox(), uuid.uuid4()
    case.deliver([outbox.job(PRINTER, "job_started", job, 120, started=120)])
    mine = booking(case, 0, 3600, "missed")
    ended = outbox.job(PRINTER, "job_ended", job, 3000, started=120, ended=3000, outcome="finished")
    case.deliver([ended], received=7200)
    assert [row.booking_id for row in (*case.rows(Job), *case.rows(UsageSession))] == [mine.id, mine.id]
    assert mine.state == "completed"


def test_a_use_that_nobody_booked_in_time_stays_nobodys(case: Case) -> None:
    outbox, job = case.outbox(), uuid.uuid4()
    longest = case.settings.bookings.late_start_s + case.settings.usage.early_start_s
    case.deliver([outbox.job(PRINTER, "job_started", job, 0, started=0), outbox.hot(PRINTER, longest + 1)])
    booking(case, 0, 3600)
    case.deliver([outbox.hot(PRINTER, longest + 3)])
    assert case.rows(UsageSession)[0].booking_id is None


def test_the_change_to_started_is_dated_when_it_was_heard(case: Case) -> None:
    booking(case, 0, 3600)
    case.deliver(one_job(case.outbox(), 10, 130), received=9000)
    (change,) = case.rows(BookingChange)
    assert change.at == START + timedelta(seconds=9000)
    assert change.reason == "The machine was used from 2026-11-22 09:00 UTC."


def test_pauses_are_idle_time(case: Case) -> None:
    outbox, job = case.outbox(), uuid.uuid4()
    started, ended = one_job(outbox, 0, 100, job=job)
    outbox.seq = 1
    paused = outbox.job(PRINTER, "job_paused", job, 40, started=0)
    status = outbox.status(PRINTER, "paused", 41, since=40)
    resumed = outbox.job(PRINTER, "job_resumed", job, 70, started=0)
    beat = outbox.status(PRINTER, "running", 71, since=70)
    ended = outbox.job(PRINTER, "job_ended", job, 100, started=0, ended=100, outcome="finished")
    for message in (started, paused, status, resumed, beat, ended):
        assert case.deliver([message]).dead == 0
    (session,) = case.rows(UsageSession)
    assert (session.busy_s, session.idle_s, session.stop_reason) == (70, 30, "job_ended")


def test_two_prints_of_one_file_are_two_jobs(case: Case) -> None:
    outbox = case.outbox()
    case.deliver(one_job(outbox, 0, 60) + one_job(outbox, 60, 120, outcome="cancelled"))
    assert [job.outcome for job in case.rows(Job, Job.started_at)] == ["finished", "cancelled"]
    assert [session.busy_s for session in case.rows(UsageSession, UsageSession.started_at)] == [60, 60]


def test_a_job_whose_start_was_never_heard_of_is_stored_whole(case: Case) -> None:
    outbox, job = case.outbox(), uuid.uuid4()
    mine = booking(case, 0, 3600)
    ended = outbox.job(
        PRINTER, "job_ended", job, 100, started=10, ended=90, outcome="failed", print_time_s=50
    )
    case.deliver([ended])
    (row,) = case.rows(Job)
    assert (row.outcome, row.booking_id) == ("failed", mine.id)
    (session,) = case.rows(UsageSession)
    assert (session.busy_s, session.idle_s, session.booking_id) == (50, 30, mine.id)


def test_a_job_that_starts_over_one_that_never_ended_interrupts_it(case: Case) -> None:
    outbox = case.outbox()
    lost, next_one = uuid.uuid4(), uuid.uuid4()
    case.deliver([outbox.job(PRINTER, "job_started", lost, 0, started=0)])
    case.deliver(one_job(outbox, 50, 80, job=next_one))
    first, second = case.rows(Job, Job.started_at)
    assert (first.outcome, first.ended_at) == ("interrupted", START + timedelta(seconds=50))
    assert second.outcome == "finished"
    assert [s.busy_s for s in case.rows(UsageSession, UsageSession.started_at)] == [50, 30]


def test_late_history_does_not_disturb_the_job_that_runs(case: Case) -> None:
    outbox, job = case.outbox(), uuid.uuid4()
    case.deliver([outbox.job(PRINTER, "job_started", job, 1000, started=1000)])
    older = Outbox("tanger", start=START)
    case.deliver([older.presence(), *one_job(older, 0, 60, historical=True)], received=1001)
    assert [row.outcome for row in case.rows(Job, Job.started_at)] == ["finished", None]
    past, running = case.rows(UsageSession, UsageSession.started_at)
    assert (past.busy_s + past.idle_s, past.ended_at) == (60, START + timedelta(seconds=60))
    assert (running.job_id, running.ended_at) == (job, None)


def test_a_lasers_session_follows_its_power(case: Case) -> None:
    outbox = case.outbox()
    mine = booking(case, 0, 3600, machine=LASER)
    applied = case.deliver(
        [
            outbox.status(LASER, "off", 0, energy_wh=1000.0),
            outbox.power(LASER, True, 10),
            outbox.status(LASER, "idle", 10, energy_wh=1000.0),
            outbox.status(LASER, "running", 40, energy_wh=1001.0),
            outbox.reading(LASER, 50, energy_wh=1005.0),
            outbox.status(LASER, "idle", 70, energy_wh=1007.0),
        ]
    )
    assert applied.dead == 0
    (session,) = case.rows(UsageSession)
    assert (session.busy_s, session.idle_s, session.energy_wh, session.ended_at) == (30, 30, 7, None)
    applied = case.deliver([outbox.power(LASER, False, 80)])
    (session,) = case.rows(UsageSession)
    assert (session.busy_s, session.idle_s, session.stop_reason) == (30, 40, "power_off")
    assert session.booking_id == mine.id
    assert [ended.machine_id for ended in applied.ended] == [case.machines[LASER].id]


def test_the_seconds_of_an_open_session_are_counted_as_the_machine_is_heard_of(case: Case) -> None:
    outbox, job = case.outbox(), uuid.uuid4()
    case.deliver([outbox.job(PRINTER, "job_started", job, 0, started=0)])
    case.deliver([outbox.hot(PRINTER, 30), outbox.hot(PRINTER, 60)])
    (session,) = case.rows(UsageSession)
    assert (session.busy_s, session.counted_at) == (60, START + timedelta(seconds=60))


def test_an_end_that_lies_before_the_last_word_names_the_hours_counted_meanwhile(case: Case) -> None:
    outbox, job = case.outbox(), uuid.uuid4()
    case.deliver([outbox.job(PRINTER, "job_started", job, 0, started=0), outbox.hot(PRINTER, 90)])
    ended = outbox.job(PRINTER, "job_ended", job, 91, started=0, ended=60, outcome="interrupted")
    (told,) = case.deliver([ended]).ended
    assert (told.started_at, told.counted_until) == (START, START + timedelta(seconds=90))
    assert case.rows(UsageSession)[0].ended_at == START + timedelta(seconds=60)


# ---- reading them ----


def test_lists_narrow_and_go_page_by_page(case: Case) -> None:
    outbox, rabat = case.outbox(), case.outbox("rabat")
    for start in range(0, 500, 100):
        case.deliver(one_job(outbox, start, start + 50, outcome=("finished", "failed")[start // 100 % 2]))
    case.deliver(one_job(rabat, 0, 50, machine=RABATS))
    tanger = case.machines[PRINTER].lab_id
    seen, cursor = [], None
    while True:
        page = jobs(case.session, lab_id=tanger, limit=2, cursor=cursor)
        seen += [job.started_at for job in page.items]
        assert len(page.items) <= 2
        cursor = page.next
        if cursor is None:
            break
    assert seen == [START + timedelta(seconds=seconds) for seconds in (400, 300, 200, 100, 0)]
    assert len(jobs(case.session, outcome="failed").items) == 2
    assert [job.machine_slug for job in jobs(case.session, machine_id=case.machines[RABATS].id).items] == [
        RABATS
    ]
    late = usage_sessions(case.session, since=START + timedelta(seconds=300))
    assert [session.started_at for session in late.items] == [
        START + timedelta(seconds=400),
        START + timedelta(seconds=300),
    ]
    assert case.session.scalars(select(Job.id)).all()
