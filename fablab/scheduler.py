"""The process that starts tasks by the clock: what config/schedule.toml says, in one process at a time."""

from __future__ import annotations

import threading
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.leader import SCHEDULER, Leader, leader_engine
from fablab.logs import logger
from fablab.settings import ROOT, Settings, SettingsError

SCHEDULE = ROOT / "config" / "schedule.toml"
_STANDBY_S = 1.0
_RETRY_S = 2.0
_log = logger("scheduler")

# A task gets its transaction, the time and the settings, and returns how many things it changed.
Task = Callable[[Session, datetime, Settings], int]


@dataclass(frozen=True)
class Entry:
    """One section of schedule.toml: a task and either its interval or its time of day (UTC)."""

    name: str
    what: str
    task: Task
    every_s: int | None
    daily_at: tuple[int, int] | None

    def trigger(self) -> Any:
        if self.daily_at is not None:
            return CronTrigger(hour=self.daily_at[0], minute=self.daily_at[1], timezone=UTC)
        return IntervalTrigger(seconds=self.every_s or 0, timezone=UTC)


def read_schedule(path: Path = SCHEDULE) -> list[Entry]:
    """Every task of the schedule. Raises SettingsError for a section that cannot be used."""
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error
    return [_entry(path, name, section) for name, section in sections.items()]


class Scheduler:
    """One scheduler process. Several may run: one leads, the others stand by and take over."""

    def __init__(self, settings: Settings, schedule: list[Entry] | None = None) -> None:
        self._settings = settings
        self._schedule = read_schedule() if schedule is None else schedule
        self._leader = Leader(leader_engine(settings.database), SCHEDULER)
        self._over = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Lead or stand by until ``stop`` is set; a database that is away is waited for."""
        said = ""
        while not stop.is_set():
            state, wait_s = "leading", 0.0
            try:
                connection = self._leader.connection()
                if connection is None:
                    state, wait_s = "standing_by", _STANDBY_S
            except DBAPIError as error:
                connection = None
                state, wait_s = "database_away", _RETRY_S
                if said != state:
                    _log.warning(state, trouble=str(error.orig).strip().splitlines()[0])
                said = state
            if said != state:
                _log.info(state)
                said = state
            if connection is None:
                stop.wait(wait_s)
                continue
            self._lead(connection, stop)
            self._leader.step_down()
            said = ""

    def _lead(self, connection: Connection, stop: threading.Event) -> None:
        """Run tasks on the leader's own connection until told to stop or the connection is lost."""
        self._over.clear()
        clock = BackgroundScheduler(
            # One thread: tasks share the connection that holds the lock.
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        for entry in self._schedule:
            first = {} if entry.daily_at is not None else {"next_run_time": utc_now()}
            clock.add_job(self._start, entry.trigger(), (entry, connection), id=entry.name, **first)
        clock.start()
        while not stop.is_set() and not self._over.is_set():
            stop.wait(0.2)
        # Waits for the task at work; those that are due run in whoever leads next.
        self._over.set()
        clock.shutdown(wait=True)

    def _start(self, entry: Entry, connection: Connection) -> None:
        """One run of one task in a transaction of its own."""
        if self._over.is_set():
            return
        try:
            with Session(connection) as session, session.begin():
                changed = entry.task(session, utc_now(), self._settings)
        except DBAPIError as error:
            _log.warning("task_failed", task=entry.name, trouble=str(error.orig).strip().splitlines()[0])
            if error.connection_invalidated or connection.closed or connection.invalidated:
                self._over.set()
        except Exception:  # noqa: BLE001
            # The next run may do better, and the other tasks have to go on.
            _log.exception("task_failed", task=entry.name)
        else:
            if changed:
                _log.info("task_done", task=entry.name, changed=changed)


def _entry(path: Path, name: str, section: Any) -> Entry:
    where = f"{path.name}: [{name}]"
    if not isinstance(section, dict) or set(section) - {"task", "what", "every_s", "daily_at"}:
        raise SettingsError(f"{where} may have task, what, and every_s or daily_at only")
    if not str(section.get("what", "")).strip():
        raise SettingsError(f"{where} needs a sentence in `what`")
    every_s, daily_at = section.get("every_s"), section.get("daily_at")
    if (every_s is None) == (daily_at is None):
        raise SettingsError(f"{where} needs either every_s or daily_at")
    if every_s is not None and (type(every_s) is not int or every_s < 1):
        raise SettingsError(f"{where} every_s must be a whole number of seconds, not {every_s!r}")
    return Entry(
        name, section["what"], _task(where, section.get("task")), every_s, _time_of_day(where, daily_at)
    )


def _task(where: str, path: Any) -> Task:
    module, _, function = str(path).partition(":")
    parts = module.split(".")
    if len(parts) != 3 or parts[0] != "fablab" or parts[2] != "tasks":
        raise SettingsError(f"{where} task must be fablab.<domain>.tasks:<function>, not {path!r}")
    try:
        task: Task = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"{where} there is no {path}: {error}") from error
    return task


def _time_of_day(where: str, text: Any) -> tuple[int, int] | None:
    if text is None:
        return None
    try:
        found = datetime.strptime(text, "%H:%M")  # noqa: DTZ007  (a time of day, no instant)
    except (TypeError, ValueError):
        raise SettingsError(f"{where} daily_at must be HH:MM, not {text!r}") from None
    return found.hour, found.minute
