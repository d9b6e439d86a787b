"""What becomes of what is seen and heard: each way a print can go, with push and by polls alone."""

import pytest

from firmware_bridge.snapshot import JobSeen
from firmware_bridge.state import LOST_AFTER
from tests.bridge.watching import Watch, at, completed, given_up, record, running


@pytest.fixture
def heard() -> Watch:
    """A printer with push, seen idle."""
    watch = Watch(push=True)
    watch.look(0, "idle")
    return watch


@pytest.fixture
def polled() -> Watch:
    """A printer without push, seen idle."""
    watch = Watch(push=False)
    watch.look(0, "idle")
    return watch


# --- what must not be counted


def test_an_old_result_on_display_is_no_job() -> None:
    watch = Watch()
    watch.look(0, "idle", job=completed(20))
    watch.look(60, "idle", job=given_up())
    assert watch.events == []


@pytest.mark.parametrize("news", ["done", "failed", "cancelled", "paused", "resumed"])
def test_an_end_without_a_job_is_nothing(heard: Watch, news: str) -> None:
    heard.hear(1, news)
    assert heard.events == []
    assert heard.memory.job is None


def test_a_cancel_announced_twice_is_counted_once(heard: Watch) -> None:
    heard.hear(1, "started")
    heard.hear(9, "cancelled", print_time_s=8.0)
    heard.hear(9.02, "cancelled", print_time_s=8.0)
    assert heard.outcomes == ["cancelled"]


def test_the_second_announcement_does_not_cancel_the_next_job(heard: Watch) -> None:
    heard.hear(1, "started")
    heard.hear(9, "cancelled")
    heard.hear(9.01, "started")
    heard.hear(9.02, "cancelled")
    heard.hear(20, "done", print_time_s=11.0)
    assert heard.outcomes == ["cancelled", "finished"]


def test_a_late_second_announcement_is_a_real_cancel(heard: Watch) -> None:
    heard.hear(1, "started")
    heard.hear(9, "cancelled")
    heard.hear(10, "started")
    heard.hear(60, "cancelled")
    assert heard.outcomes == ["cancelled", "cancelled"]


def test_a_look_older_than_the_news_decides_nothing(heard: Watch) -> None:
    heard.hear(10, "started")
    heard.hear(20, "done", print_time_s=10.0)
    heard.look(19.9, "running", job=running(9.9))
    heard.look(20.1, "running", job=running(10.0))
    assert heard.kinds == ["job_started", "job_ended"]
    assert heard.memory.state == "idle"


def test_a_failed_look_older_than_the_news_decides_nothing(heard: Watch) -> None:
    heard.hear(10, "started")
    heard.look(9, "unreachable", push_alive=False)
    assert heard.memory.state == "running"


def test_a_look_a_moment_after_the_news_may_still_show_the_time_before(heard: Watch) -> None:
    heard.hear(10, "started")
    heard.look(10.1, "idle", push_alive=False)
    assert heard.ended == []


def test_a_job_that_is_just_ending_is_not_opened_anew(heard: Watch) -> None:
    heard.hear(10, "started")
    heard.hear(20, "done", print_time_s=10.0)
    heard.look(20.5, "running", job=running(10.0, ending=True))
    heard.look(30, "running", job=running(10.0, ending=True))
    assert heard.kinds == ["job_started", "job_ended"]


def test_a_start_told_after_the_look_that_found_it_is_the_same_job(heard: Watch) -> None:
    heard.look(10, "running", job=running(0.0))
    heard.hear(10.2, "started")
    heard.hear(30, "done", print_time_s=20.0)
    assert heard.kinds == ["job_started", "job_ended"]


def test_figures_of_the_previous_run_are_not_taken_for_the_new_one(heard: Watch) -> None:
    heard.hear(10, "started")
    heard.progress(10.1, running(100.0))
    heard.progress(12, running(100.0))
    assert heard.memory.job is not None
    assert heard.memory.job.progress is None
    heard.progress(13, running(3.0))
    assert heard.memory.job.progress == 0.03


# --- the ordinary ends


def test_a_finished_print_by_push(heard: Watch) -> None:
    heard.hear(1, "started", owner="amina")
    heard.hear(1.1, "state", state="running")
    heard.hear(21.4, "done", print_time_s=20.4)
    heard.hear(21.41, "state", state="idle")
    [job] = heard.ended
    assert (job.outcome, job.print_time_s, job.elapsed_s) == ("finished", 20.4, pytest.approx(20.4))
    assert (job.started_at, job.ended_at, job.owner) == (at(1), at(21.4), "amina")
    assert [status.state.value for status in heard.statuses] == ["idle", "running", "idle"]
    assert heard.statuses[-1].job is None


def test_a_finished_print_by_polls(polled: Watch) -> None:
    for second in range(10, 30, 2):
        polled.look(second, "running", job=running(second - 10))
    polled.look(31, "idle", job=completed(20), record=record(30.1, True, 20.3))
    [job] = polled.ended
    assert (job.outcome, job.print_time_s) == ("finished", 20.3)
    assert (job.started_at, job.ended_at) == (at(10), at(30.1))


def test_a_finished_print_by_polls_without_a_record(polled: Watch) -> None:
    polled.look(10, "running", job=running(1))
    polled.look(12, "idle", job=completed(2.4))
    assert polled.outcomes == ["finished"]


def test_a_cancelled_print_by_polls(polled: Watch) -> None:
    polled.look(10, "running", job=running(1))
    polled.look(12, "idle", job=given_up())
    assert polled.outcomes == ["cancelled"]


def test_a_cancelled_print_whose_file_was_finished_before(polled: Watch) -> None:
    polled.look(10, "running", job=running(1))
    polled.look(12, "idle", job=given_up(), record=record(5, True, 20.0))
    assert polled.outcomes == ["cancelled"]


def test_an_error_by_push_keeps_its_reason_whatever_the_order(heard: Watch) -> None:
    heard.hear(1, "started")
    heard.hear(5, "fault", reason="Thermal Runaway")
    heard.hear(5.01, "state", state="off")
    heard.hear(5.02, "failed", print_time_s=4.0)
    [job] = heard.ended
    assert (job.outcome, job.reason) == ("failed", "Thermal Runaway")
    assert (heard.memory.state, heard.memory.detail) == ("error", "Thermal Runaway")
    heard.look(6, "error", detail="Thermal Runaway")
    heard.hear(60, "state", state="idle")
    assert heard.memory.state == "idle"


def test_an_error_by_polls(polled: Watch) -> None:
    polled.look(10, "running", job=running(1))
    polled.look(12, "error", detail="Thermal Runaway")
    [job] = polled.ended
    assert (job.outcome, job.reason) == ("failed", "Thermal Runaway")


def test_a_printer_that_dies_while_paused_tells_nothing_and_is_failed(heard: Watch) -> None:
    heard.hear(1, "started")
    heard.hear(5, "paused")
    heard.hear(9, "state", state="off")
    assert heard.ended == []
    heard.look(9.5, "off", detail="not connected")
    heard.look(11, "off", detail="not connected")
    [job] = heard.ended
    assert (job.outcome, job.reason) == ("failed", "not connected")


def test_a_dropped_connection_by_polls_is_failed(polled: Watch) -> None:
    polled.look(10, "running", job=running(1))
    polled.look(12, "off", detail="not connected")
    assert polled.outcomes == ["failed"]


# --- pauses


def test_a_pause_is_told_once_however_often_it_is_witnessed(heard: Watch) -> None:
    heard.hear(1, "started")
    heard.hear(5, "paused")
    heard.hear(5.1, "state", state="paused")
    heard.look(8, "paused", job=running(7, position=400))
    heard.hear(65, "resumed")
    heard.hear(65.1, "state", state="running")
    heard.look(67, "running", job=running(6, position=600))
    heard.hear(80, "done", print_time_s=19.0)
    assert heard.kinds == ["job_started", "job_paused", "job_resumed", "job_ended"]
    assert heard.ended[0].elapsed_s == 79
    assert heard.ended[0].print_time_s == 19


def test_the_print_time_may_fall_after_a_pause(polled: Watch) -> None:
    polled.look(10, "running", job=running(2))
    polled.look(12, "paused", job=running(4, position=300))
    polled.look(60, "paused", job=running(52, position=300))
    polled.look(62, "running", job=running(5, position=320))
    polled.look(80, "idle", job=completed(23))
    assert polled.kinds == ["job_started", "job_paused", "job_resumed", "job_ended"]
    assert polled.outcomes == ["finished"]


def test_a_paused_print_started_again_is_two_jobs(heard: Watch) -> None:
    heard.hear(1, "started")
    heard.hear(5, "paused")
    heard.hear(9, "started")
    heard.hear(30, "done")
    assert heard.outcomes == ["cancelled", "finished"]
    assert heard.ended[0].reason
    assert heard.kinds == ["job_started", "job_paused", "job_ended", "job_started", "job_ended"]


# --- one file, several jobs


def test_a_second_print_of_the_file_between_two_polls_is_a_second_job(polled: Watch) -> None:
    polled.look(10, "running", job=running(15))
    polled.look(12, "running", job=running(1), record=record(10.8, True, 16.0))
    polled.look(20, "idle", job=completed(9), record=record(19.5, True, 9.2))
    assert polled.outcomes == ["finished", "finished"]
    first, second = polled.ended
    assert first.id != second.id
    assert first.ended_at is not None
    assert first.ended_at <= second.started_at


def test_a_second_print_after_a_cancel_between_two_polls(polled: Watch) -> None:
    polled.look(10, "running", job=running(15))
    polled.look(12, "running", job=running(1), record=record(10.8, False))
    assert polled.outcomes == ["cancelled"]


def test_a_position_that_falls_is_another_run_even_at_the_very_beginning(polled: Watch) -> None:
    polled.look(11.5, "running", job=running(1.5))
    polled.look(13, "running", job=running(0.5))
    assert polled.kinds == ["job_started", "job_ended", "job_started"]


def test_another_file_is_another_job_even_without_evidence(polled: Watch) -> None:
    polled.look(10, "running", job=running(15))
    polled.look(12, "running", job=running(1, file="gear.gcode"))
    assert polled.outcomes == ["interrupted"]
    assert polled.memory.job is not None
    assert polled.memory.job.file == "gear.gcode"


def test_push_opens_the_second_print_the_moment_the_first_ends(heard: Watch) -> None:
    for begin in (1, 22, 43):
        heard.hear(begin, "started")
        heard.hear(begin + 20.4, "done", print_time_s=20.4)
    assert heard.outcomes == ["finished"] * 3
    assert len({job.id for job in heard.ended}) == 3


def test_two_starts_in_one_millisecond_get_two_ids(heard: Watch) -> None:
    heard.hear(1, "started")
    heard.hear(1, "cancelled")
    heard.hear(1, "started")
    heard.hear(2, "done")
    assert len({job.id for job in heard.ended}) == 2


# --- out of reach


def test_a_killed_octoprint_leaves_an_interrupted_job(heard: Watch) -> None:
    heard.hear(1, "started")
    heard.progress(9, running(8))
    heard.look(10, "unreachable", detail="refused", push_alive=False)
    assert heard.memory.state == "unreachable"
    assert heard.statuses[-1].job is not None
    heard.look(40, "idle", push_alive=False)
    [job] = heard.ended
    assert (job.outcome, job.ended_at) == ("interrupted", at(9))


def test_a_killed_octoprint_that_comes_back_without_its_printer(heard: Watch) -> None:
    heard.hear(1, "started")
    heard.look(10, "unreachable", push_alive=False)
    heard.look(40, "off", push_alive=False)
    assert heard.outcomes == ["interrupted"]


def test_a_network_outage_leaves_the_job_alone(heard: Watch) -> None:
    heard.hear(1, "started")
    heard.look(10, "unreachable", push_alive=False)
    heard.look(60, "running", job=running(59), push_alive=False)
    heard.hear(101, "done", print_time_s=100.0)
    assert heard.outcomes == ["finished"]
    assert heard.kinds == ["job_started", "job_ended"]


def test_an_outage_with_a_pause_in_it_leaves_the_job_alone(polled: Watch) -> None:
    polled.look(30, "running", job=running(30))
    polled.look(32, "unreachable")
    polled.look(100, "running", job=running(85, position=8500))
    assert polled.ended == []


def test_a_new_run_after_an_outage_is_a_new_job(polled: Watch) -> None:
    polled.look(30, "running", job=running(30))
    polled.look(32, "unreachable")
    polled.look(100, "running", job=running(40, position=4000))
    polled.look(102, "idle", job=completed(42))
    assert polled.outcomes == ["interrupted", "finished"]


@pytest.mark.parametrize(
    ("success", "shown", "outcome"),
    [(True, completed(20), "finished"), (False, given_up(), "cancelled"), (False, None, "failed")],
)
def test_the_record_tells_how_a_job_ended_out_of_sight(
    heard: Watch, success: bool, shown: JobSeen | None, outcome: str
) -> None:
    heard.hear(1, "started")
    heard.look(10, "unreachable", push_alive=False)
    heard.look(60, "idle", job=shown, record=record(21, success, 20.0), push_alive=False)
    [job] = heard.ended
    assert (job.outcome, job.ended_at) == (outcome, at(21))


def test_a_completed_job_on_display_ended_when_its_print_time_says(heard: Watch) -> None:
    heard.hear(1, "started")
    heard.look(10, "unreachable", push_alive=False)
    heard.look(60, "idle", job=completed(20), push_alive=False)
    [job] = heard.ended
    assert (job.outcome, job.ended_at) == ("finished", at(21))


def test_a_machine_lost_for_long_gives_its_job_up_and_it_never_comes_back(heard: Watch) -> None:
    heard.hear(1, "started")
    first = heard.memory.job
    assert first is not None
    heard.look(10, "unreachable", push_alive=False)
    away = LOST_AFTER.total_seconds()
    heard.look(away + 2, "unreachable", push_alive=False)
    assert heard.outcomes == ["interrupted"]
    heard.look(away + 10, "running", job=running(away + 9), push_alive=False)
    assert heard.memory.job is not None
    assert heard.memory.job.id != first.id


def test_a_slow_answer_is_no_outage_while_push_speaks(heard: Watch) -> None:
    heard.hear(1, "started")
    heard.look(10, "unreachable", slow=True)
    heard.look(12, "unreachable", slow=True)
    assert heard.memory.state == "running"
    heard.look(14, "unreachable", slow=True)
    assert heard.memory.state == "unreachable"


# --- the bridge itself restarts


def test_a_restarted_bridge_goes_on_with_the_job(heard: Watch) -> None:
    heard.hear(1, "started")
    heard.restart()
    heard.look(20, "running", job=running(19), push_alive=False)
    heard.hear(101, "done", print_time_s=100.0)
    assert heard.kinds == ["job_started", "job_ended"]


def test_a_restarted_bridge_learns_of_an_end_it_missed(heard: Watch) -> None:
    heard.hear(1, "started")
    heard.restart()
    heard.look(200, "idle", job=completed(100), record=record(101, True, 100.0), push_alive=False)
    [job] = heard.ended
    assert (job.outcome, job.ended_at) == ("finished", at(101))


# --- witnesses disagree


def test_an_end_seen_but_not_told_is_believed_after_a_moment(heard: Watch) -> None:
    heard.hear(1, "started")
    heard.look(30, "idle", job=completed(20))
    assert heard.ended == []
    heard.look(31.6, "idle", job=completed(20))
    assert heard.outcomes == ["finished"]


def test_the_told_end_wins_over_the_seen_one(heard: Watch) -> None:
    heard.hear(1, "started")
    heard.look(21.3, "idle", job=completed(20))
    heard.hear(21.4, "done", print_time_s=20.4)
    [job] = heard.ended
    assert job.print_time_s == 20.4


def test_a_start_that_was_not_told_is_seen(heard: Watch) -> None:
    heard.look(10, "running", job=running(3))
    assert heard.kinds == ["job_started"]
    assert heard.events[0].job is not None
    assert heard.events[0].job.started_at == at(7)


# --- reports


def test_a_status_beats_every_minute_and_on_every_change(polled: Watch) -> None:
    for second in range(1, 130):
        polled.look(second, "idle")
    assert len(polled.statuses) == 3
    polled.look(130, "off", detail="not connected")
    assert len(polled.statuses) == 4
    assert polled.statuses[-1].since == at(130)


def test_readings_come_often_while_busy_and_seldom_otherwise(polled: Watch) -> None:
    for second in range(10, 41):
        polled.look(second, "running", job=running(second - 10))
    busy = len(polled.readings)
    assert 14 <= busy <= 17
    polled.look(41, "idle", job=completed(30), power_w=5.0)
    for second in range(42, 102):
        polled.look(second, "idle", power_w=5.0)
    assert 2 <= len(polled.readings) - busy <= 3


def test_a_clock_set_back_does_not_silence_a_machine(polled: Watch) -> None:
    polled.look(10_000, "idle")
    before = len(polled.statuses)
    polled.look(20, "idle")
    assert len(polled.statuses) == before + 1


def test_an_unreachable_machine_shows_no_measured_values(polled: Watch) -> None:
    polled.look(1, "idle", power_w=12.0)
    polled.look(5, "unreachable", detail="no answer in time")
    assert polled.statuses[-1].power_w is None
    assert polled.statuses[-1].detail == "no answer in time"


# --- machines whose power is their use


def test_a_laser_switched_on_and_off_is_told_once_each() -> None:
    watch = Watch()
    watch.look(0, "off", switched=True, power_w=0.0)
    watch.look(10, "idle", switched=True, power_w=40.0)
    watch.look(20, "running", switched=True, power_w=400.0)
    watch.look(30, "idle", switched=True, power_w=40.0)
    watch.look(40, "unreachable")
    watch.look(50, "idle", switched=True, power_w=40.0)
    watch.look(60, "off", switched=True, power_w=0.0)
    assert watch.kinds == ["power_on", "power_off"]


def test_a_laser_found_on_is_told_as_on() -> None:
    watch = Watch()
    watch.look(0, "running", switched=True, power_w=400.0)
    assert watch.kinds == ["power_on"]


def test_a_printer_that_is_connected_tells_no_power(heard: Watch) -> None:
    heard.look(10, "off")
    heard.look(20, "idle")
    assert heard.events == []
