"""The clock's tasks: each declared once, run by one process at a time, taken over when that one dies."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking, BookingChange
from fablab.bookings.tasks import close_past_bookings
from fablab.clock import utc_now
from fablab.leader import SCHEDULER
from fablab.scheduler import Entry, Scheduler, read_schedule
from fablab.settings import ROOT, Settings, SettingsError
from fablab.telemetry.tasks import make_reading_partitions
from fablab.utilisation.models import MachineHour
from fablab.utilisation.service import roll_up
from fablab.utilisation.tasks import roll_up_days, roll_up_recent
from tests.support.database import plain
from tests.support.network import Network

NOW = datetime(2026, 11, 18, 10, 20, tzinfo=UTC)


def until(condition: Callable[[], bool], seconds: float = 40) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


# ---- what is declared


def test_every_task_is_declared_once_with_a_sentence() -> None:
    declared = [(entry.task.__module__, entry.task.__name__) for entry in read_schedule()]
    assert len(declared) == len(set(declared))
    written = {
        (f"fablab.{path.parent.name}.tasks", name)
        for path in ROOT.glob("fablab/*/tasks.py")
        for name in re.findall(r"^def ([a-z]\w*)\(", path.read_text(encoding="utf-8"), re.M)
    }
    assert written == set(declared), (
        "a task of fablab/*/tasks.py belongs in config/schedule.toml, and only there"
    )
    for entry in read_schedule():
        assert entry.what[0].isupper()
        assert entry.what.endswith("."), f"{entry.name}: `what` is a sentence"
        assert entry.name == entry.task.__name__


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ('task = "fablab.bookings.tasks:close_past_bookings"\nevery_s = 5', "sentence"),
        ('what = "A."\ntask = "fablab.bookings.tasks:close_past_bookings"', "every_s or daily_at"),
        ('what = "A."\ntask = "fablab.bookings.tasks:close_past_bookings"\nevery_s = 0', "whole number"),
        ('what = "A."\ntask = "fablab.bookings.tasks:close_past_bookings"\ndaily_at = "25:00"', "HH:MM"),
        ('what = "A."\ntask = "fablab.bookings.tasks:unknown"\nevery_s = 5', "there is no"),
        ('what = "A."\ntask = "os:system"\nevery_s = 5', "fablab.<domain>.tasks"),
        ('what = "A."\ntask = "fablab.bookings.tasks:close_past_bookings"\nevery_s = 5\nand = 1', "only"),
    ],
)
def test_a_section_that_cannot_be_used_is_named(tmp_path: Path, section: str, says: str) -> None:
    path = tmp_path / "schedule.toml"
    path.write_text(f"[thing]\n{section}\n")
    with pytest.raises(SettingsError, match=says) as error:
        read_schedule(path)
    assert "[thing]" in str(error.value)
    assert len(str(error.value).splitlines()) == 1


# ---- what the tasks do


def test_past_bookings_are_closed_once(session: Session, settings: Settings) -> None:
    network = Network(session, NOW)
    machine = network.machine(network.lab())
    hour = timedelta(hours=1)
    used = network.booking(machine, NOW - 3 * hour, NOW - 2 * hour, "started")
    unused = network.booking(machine, NOW - 2 * hour, NOW - hour)
    running = network.booking(machine, NOW - hour, NOW + hour, "started")
    assert close_past_bookings(session, NOW, settings) == 2
    assert close_past_bookings(session, NOW, settings) == 0
    session.expire_all()
    assert [used.state, unused.state, running.state] == ["completed", "missed", "started"]
    assert len(session.scalars(select(BookingChange)).all()) == 2


def test_recent_hours_and_what_reached_back_are_counted(session: Session, settings: Settings) -> None:
    network = Network(session, NOW)
    lab = network.lab()
    long_print, quiet = network.machine(lab, "one", unattended=True), network.machine(lab, "two")
    roll_up(session, None, NOW - timedelta(hours=9), NOW)
    network.usage(long_print, NOW - timedelta(hours=6), None).counted_at = NOW
    forgotten = network.booking(quiet, NOW - timedelta(hours=30), NOW - timedelta(hours=29), "missed")
    assert roll_up_recent(session, NOW, settings) == 7
    used = session.scalars(
        select(MachineHour.used_s).where(MachineHour.machine_id == long_print.id).order_by(MachineHour.hour)
    ).all()
    assert sum(used) == 6 * 3600
    assert roll_up_recent(session, NOW, settings) == 0
    assert roll_up_days(session, NOW, settings) > 0, "the nightly count finds what nobody told"
    hours = select(MachineHour.bookings).where(
        MachineHour.machine_id == quiet.id, MachineHour.hour == forgotten.starts_at.replace(minute=0)
    )
    assert session.scalar(hours) == 1


def test_a_booking_changed_lately_is_counted_where_it_began(session: Session, settings: Settings) -> None:
    network = Network(session, NOW)
    machine = network.machine(network.lab(), unattended=True)
    network.booking(machine, NOW - timedelta(hours=8), NOW - timedelta(minutes=1), "started")
    roll_up_recent(session, NOW, settings)
    close_past_bookings(session, NOW, settings)
    roll_up_recent(session, NOW, settings)
    assert sum(session.scalars(select(MachineHour.booked_s))) == 8 * 3600 - 60
    assert sum(session.scalars(select(MachineHour.bookings))) == 1


def test_partitions_are_made_ahead(session: Session, settings: Settings) -> None:
    make_reading_partitions(session, NOW, settings)
    assert make_reading_partitions(session, NOW, settings) == 0
    partition = text("SELECT to_regclass('reading_202702') IS NOT NULL")
    assert session.scalar(partition) is True
    session.rollback()


# ---- who runs them


def test_a_task_that_fails_does_not_stop_the_others(settings: Settings) -> None:
    runs: list[str] = []

    def good(session: Session, now: datetime, settings: Settings) -> int:
        session.execute(text("SELECT 1"))
        runs.append("good")
        return 1

    def bad(session: Session, now: datetime, settings: Settings) -> int:
        runs.append("bad")
        raise RuntimeError("on purpose")

    def wrong(session: Session, now: datetime, settings: Settings) -> int:
        session.execute(text("SELECT 1 / 0"))
        return 1

    entries = [Entry(task.__name__, "On purpose.", task, 1, None) for task in (bad, wrong, good)]
    stop = threading.Event()
    thread = threading.Thread(target=Scheduler(settings, entries).run, args=(stop,))
    thread.start()
    assert until(lambda: runs.count("good") >= 2 and runs.count("bad") >= 2)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()


def test_two_schedulers_in_one_house_work_as_one(settings: Settings) -> None:
    at_work, most, runs = 0, 0, 0

    def slow(session: Session, now: datetime, settings: Settings) -> int:
        nonlocal at_work, most, runs
        at_work += 1
        most, runs = max(most, at_work), runs + 1
        time.sleep(0.2)
        at_work -= 1
        return 0

    stop = threading.Event()
    entries = [Entry("slow", "On purpose.", slow, 1, None)]
    threads = [threading.Thread(target=Scheduler(settings, entries).run, args=(stop,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert until(lambda: runs >= 3)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert most == 1


def test_a_lost_connection_is_replaced_and_a_database_away_is_waited_for(settings: Settings) -> None:
    runs = 0

    def count(session: Session, now: datetime, settings: Settings) -> int:
        nonlocal runs
        session.execute(text("SELECT 1"))
        runs += 1
        return 0

    stop = threading.Event()
    scheduler = Scheduler(settings, [Entry("count", "On purpose.", count, 1, None)])
    thread = threading.Thread(target=scheduler.run, args=(stop,))
    thread.start()
    assert until(lambda: runs >= 1)
    first = _holder(settings.database.url)
    _cut(settings.database.url)
    assert until(lambda: _holder(settings.database.url) not in (None, first)), (
        "it leads by another connection"
    )
    before = runs
    assert until(lambda: runs > before)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()


@pytest.fixture
def start(settings: Settings) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    running: list[subprocess.Popen[bytes]] = []

    def begin() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "fablab", "scheduler"],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": settings.database.url},
            stderr=subprocess.DEVNULL,
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait()


def test_a_standby_takes_over_from_a_killed_leader(
    start: Callable[[], subprocess.Popen[bytes]], session: Session, settings: Settings
) -> None:
    network = Network(session, NOW)
    machine = network.machine(network.lab())
    session.commit()
    leader = start()
    assert until(lambda: _holder(settings.database.url) is not None)
    first = _holder(settings.database.url)
    standby = start()
    # Two are harmless: one closing, written once.
    now = utc_now()
    network.booking(machine, now - timedelta(hours=2), now - timedelta(hours=1))
    session.commit()
    leader.send_signal(signal.SIGKILL)
    leader.wait()
    assert until(lambda: _holder(settings.database.url) not in (None, first))

    def closed() -> bool:
        session.rollback()
        return session.scalars(select(Booking.state)).all() == ["missed"]

    assert until(closed)
    assert len(session.scalars(select(BookingChange)).all()) == 1
    memory = psutil.Process(standby.pid).memory_info().rss / 1024**2
    assert memory < 80, f"{memory:.0f} MB"
    standby.send_signal(signal.SIGTERM)
    assert standby.wait(20) == 0


def _holder(url: str) -> int | None:
    """The backend that leads."""
    with psycopg.connect(plain(url)) as connection:
        row = connection.execute(
            "SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database"
            " WHERE locktype = 'advisory' AND objid = %s AND granted AND d.datname = current_database()",
            (SCHEDULER,),
        ).fetchone()
    return None if row is None else int(row[0])


def _cut(url: str) -> None:
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", (_holder(url),))
