"""What changes, as it changes: one listener on the database a worker, fanned out to its viewers.

1. Whoever writes tells PostgreSQL inside the transaction (fablab.db.notify); it is delivered on commit.
2. The hub gathers what arrives within a moment and reads everything that changed again, once for all viewers:
   what a page shows is what is committed.
3. Every viewer has a bounded queue. Who does not keep up is let go; the browser connects again by itself and
   begins with the present.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import psycopg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.exceptions import TooManyRequests

from fablab.bookings.queries import BookingView, bookings
from fablab.clock import utc_now
from fablab.db import LIVE_CHANNEL, transaction
from fablab.logs import logger
from fablab.machines.queries import machines
from fablab.settings import Settings
from fablab.telemetry.queries import StatusView, statuses

log = logger("live")

GATHER_S = 0.05
QUEUE_EVENTS = 256
# Streams one person may hold open in a worker: every page of a browser with many tabs, but no worker's all.
MOST_OF_ONE = 20
RETRY_AFTER_S = 30
RECONNECT_S = (0.2, 5.0)


@dataclass(frozen=True)
class Event:
    """A machine's new status or a booking's new state. ``number`` grows with time, also across workers."""

    number: int
    kind: Literal["status", "booking"]
    lab_id: int
    zone: str
    view: StatusView | BookingView


@dataclass(eq=False)
class Viewer:
    """One open page or program of a member. ``lab_id`` None means all labs."""

    member_id: int
    lab_id: int | None
    events: queue.Queue[Event] = field(default_factory=lambda: queue.Queue(QUEUE_EVENTS))
    lost: bool = False

    def offer(self, event: Event) -> bool:
        """Queue an event; False when the viewer is too far behind and must go."""
        if self.lab_id not in (None, event.lab_id):
            return True
        try:
            self.events.put_nowait(event)
        except queue.Full:
            self.lost = True
            return False
        return True


def number_at(instant: datetime) -> int:
    """Event numbers are milliseconds since 1970, so that any worker can say what came after one."""
    return int(instant.timestamp() * 1000)


class Hub:
    """The viewers of this worker and the one thread that feeds them; started by the first viewer."""

    def __init__(self, settings: Settings, url: str, sessions: Callable[[], sessionmaker[Session]]) -> None:
        self._settings = settings
        self._url = url
        self._sessions = sessions
        self._viewers: set[Viewer] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._listening = threading.Event()
        self._fresh: dict[int, bool] = {}
        self._zones: dict[int, str] = {}

    def join(self, member_id: int, lab_id: int | None, wait_s: float = 5.0) -> Viewer:
        """A new viewer, from now on told of every change. Returns once the worker is listening.

        Raises TooManyRequests when the member has as many streams open as one may.
        """
        viewer = Viewer(member_id, lab_id)
        with self._lock:
            if sum(each.member_id == member_id for each in self._viewers) >= MOST_OF_ONE:
                text = f"You have {MOST_OF_ONE} live streams open. Close some of them."
                raise TooManyRequests(text, retry_after=RETRY_AFTER_S)
            self._viewers.add(viewer)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="live", daemon=True)
                self._thread.start()
        self._listening.wait(wait_s)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        with self._lock:
            self._viewers.discard(viewer)

    @property
    def viewers(self) -> int:
        return len(self._viewers)

    def _run(self) -> None:
        """Listen for as long as the process lives; a lost connection is logged once and made anew."""
        wait_s, complained = RECONNECT_S[0], False
        while True:
            try:
                with psycopg.connect(self._url, autocommit=True) as connection:
                    connection.execute(f"LISTEN {LIVE_CHANNEL}")
                    if complained:
                        log.info("live_back")
                        # Whatever was missed meanwhile: everybody gets the present.
                        self._tell(*self._everything())
                    wait_s, complained = RECONNECT_S[0], False
                    self._listening.set()
                    self._listen(connection)
            except (psycopg.Error, SQLAlchemyError, OSError) as error:
                self._listening.clear()
                if not complained:
                    log.warning("live_interrupted", trouble=str(error))
            except Exception:
                # An error of our own must not leave open pages without news: it is told, and one begins anew.
                self._listening.clear()
                log.exception("live_failed")
            complained = True
            time.sleep(wait_s)
            wait_s = min(wait_s * 2, RECONNECT_S[1])

    def _listen(self, connection: psycopg.Connection) -> None:
        look_again_at = time.monotonic() + self._settings.web.stream_heartbeat_s
        while True:
            timeout = max(0.0, look_again_at - time.monotonic())
            notes = [note.payload for note in connection.notifies(timeout=timeout, stop_after=1)]
            if notes:
                time.sleep(GATHER_S)
                notes += [note.payload for note in connection.notifies(timeout=0)]
                self._pass_on(notes)
            if time.monotonic() >= look_again_at:
                self._look_for_silence()
                look_again_at = time.monotonic() + self._settings.web.stream_heartbeat_s

    def _pass_on(self, payloads: Iterable[str]) -> None:
        """Read again what the notes name, each thing once, and tell the viewers."""
        machine_ids: set[int] = set()
        booking_ids: set[int] = set()
        for payload in payloads:
            try:
                note = json.loads(payload)
                if note["kind"] == "status":
                    machine_ids.add(int(note["machine"]))
                elif note["kind"] == "booking":
                    booking_ids.add(int(note["booking"]))
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                # Whoever may connect to the database may notify; that must not end the thread.
                log.warning("notification_unreadable", payload=payload[:100])
        if not self._viewers:
            return
        with transaction(self._sessions()) as session:
            found = self._statuses(session, machine_ids) if machine_ids else []
            booked = bookings(session, ids=booking_ids) if booking_ids else []
        self._tell(found, booked)

    def _look_for_silence(self) -> None:
        """A machine that falls silent tells nobody: find those whose last word has grown too old."""
        if not self._viewers:
            return
        found, _ = self._everything()
        self._tell([view for view in found if self._fresh.get(view.machine_id, view.fresh) != view.fresh], [])
        self._fresh = {view.machine_id: view.fresh for view in found}

    def _everything(self) -> tuple[list[StatusView], list[BookingView]]:
        with transaction(self._sessions()) as session:
            found = machines(session)
            self._zones = {each.id: each.zone for each in found}
            return self._statuses(session, set(self._zones)), []

    def _statuses(self, session: Session, machine_ids: set[int]) -> list[StatusView]:
        if not machine_ids <= self._zones.keys():
            self._zones |= {each.id: each.zone for each in machines(session, ids=machine_ids, inactive=True)}
        return statuses(session, sorted(machine_ids), utc_now(), self._settings)

    def _tell(self, changed: Iterable[StatusView], booked: Iterable[BookingView]) -> None:
        number = number_at(utc_now())
        events = []
        for status in changed:
            self._fresh[status.machine_id] = status.fresh
            zone = self._zones[status.machine_id]
            events.append(Event(number, "status", status.lab_id, zone, status))
        events += [Event(number, "booking", each.lab_id, each.zone, each) for each in booked]
        with self._lock:
            viewers = list(self._viewers)
        for viewer in viewers:
            if not all(viewer.offer(event) for event in events):
                log.info("viewer_let_go", member=viewer.member_id)
                self.leave(viewer)
