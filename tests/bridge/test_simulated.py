"""Simulated machines: the same life for the same seed, every ending, and orders that are followed."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from firmware_bridge.drivers import simulated
from firmware_bridge.drivers.simulated import SimulatedDriver
from firmware_bridge.memory import Memory
from firmware_bridge.settings import SimulatedMachine
from firmware_bridge.snapshot import Snapshot
from firmware_bridge.state import observe
from firmware_bridge.wire.messages import Action, Event


class Clock:
    """Stands in for the module `time` in the driver."""

    def __init__(self, now: float) -> None:
        self.now = now

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(1_772_355_600.0)
    monkeypatch.setattr(simulated, "time", clock)
    return clock


def machine(**more: Any) -> SimulatedMachine:
    return SimulatedMachine(slug="rabat-prusa-1", job_s=(20.0, 60.0), idle_s=(5.0, 20.0), **more)


def live(driver: SimulatedDriver, clock: Clock, seconds: int) -> list[Event]:
    """Look once a second and give the events that follow."""
    memory, events = Memory(), []
    for _ in range(seconds):
        clock.now += 1
        snapshot = driver.look(None)
        memory, reports = observe("rabat/x", memory, snapshot, datetime.fromtimestamp(clock.now, UTC))
        events += [report for report in reports if isinstance(report, Event)]
    return events


def look_until(driver: SimulatedDriver, clock: Clock, state: str) -> Snapshot:
    for _ in range(500):
        clock.now += 1
        snapshot = driver.look(None)
        if snapshot.state == state:
            return snapshot
    raise AssertionError(f"never {state}")


def test_orders_to_an_idle_printer_are_refused(clock: Clock) -> None:
    driver = SimulatedDriver(machine())
    look_until(driver, clock, "idle")
    for action in Action:
        assert not driver.act(action).ok


def test_the_same_seed_lives_the_same_life_and_another_seed_another(clock: Clock) -> None:
    begin = clock.now

    def life(seed: int) -> list[tuple[str, datetime]]:
        clock.now = begin
        return [(event.event, event.at) for event in live(SimulatedDriver(machine(seed=seed)), clock, 300)]

    assert life(1) == life(1)
    assert life(1) != life(2)


def test_a_long_life_has_every_ending_and_each_job_once(clock: Clock) -> None:
    events = live(SimulatedDriver(machine()), clock, 8000)
    jobs = [event.job for event in events if event.event == "job_ended" and event.job]
    assert {job.outcome for job in jobs} == {"finished", "failed", "cancelled"}
    assert len({job.id for job in jobs}) == len(jobs)
    for job in jobs:
        assert job.elapsed_s is not None
        assert 0 <= job.elapsed_s <= 62


def test_a_restart_in_the_middle_finds_the_same_job(clock: Clock) -> None:
    first = look_until(SimulatedDriver(machine()), clock, "running")
    second = SimulatedDriver(machine()).look(None)
    assert first.job is not None
    assert second.job is not None
    assert second.job.path == first.job.path
    assert second.job.print_time_s == pytest.approx(first.job.print_time_s)


def test_a_pause_holds_the_job_and_a_cancel_ends_it(clock: Clock) -> None:
    driver = SimulatedDriver(machine())
    look_until(driver, clock, "running")
    assert driver.act(Action.PAUSE).ok
    paused = driver.look(None)
    clock.now += 500
    still = driver.look(None)
    assert (paused.state, still.state) == ("paused", "paused")
    assert paused.job is not None
    assert still.job is not None
    assert still.job.print_time_s == pytest.approx(paused.job.print_time_s)
    assert driver.act(Action.RESUME).ok
    assert driver.look(None).state == "running"
    assert driver.act(Action.CANCEL).ok
    clock.now += 1
    assert driver.look(None).state == "idle"


def test_a_laser_uses_power_and_its_energy_only_grows(clock: Clock) -> None:
    driver = SimulatedDriver(machine(kind="laser-cutter"))
    states, energy = set(), 0.0
    for _ in range(400):
        clock.now += 1
        snapshot = driver.look(None)
        states.add(snapshot.state.value)
        assert snapshot.energy_wh is not None
        assert snapshot.energy_wh >= energy
        energy = snapshot.energy_wh
        assert snapshot.power_w is not None
        assert (snapshot.power_w > 0) == (snapshot.state != "off")
    assert states == {"off", "idle", "running"}
    assert energy > 0


def test_a_laser_can_be_switched_off_and_on(clock: Clock) -> None:
    driver = SimulatedDriver(machine(kind="laser-cutter"))
    look_until(driver, clock, "running")
    assert not driver.act(Action.PAUSE).ok
    assert driver.act(Action.POWER_OFF).ok
    assert driver.look(None).state == "off"
    assert driver.act(Action.POWER_ON).ok
    assert driver.look(None).state != "off"


def test_the_real_clock_serves_too() -> None:
    assert SimulatedDriver(machine()).look(None).asked_mono <= time.monotonic()
