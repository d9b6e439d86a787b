"""OctoPrint by REST. The only file that knows octorest, which knows no timeouts and one sort of error.

Every failure becomes one of few sentences: what the person in the lab has to look at.
"""

import logging
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from octorest import OctoRest

from firmware_bridge.drivers import octoprint_read as read
from firmware_bridge.drivers.base import Done, Expecting, Listener, Tell, Wake
from firmware_bridge.drivers.deadline import DeadlineSession, TooLarge
from firmware_bridge.drivers.octoprint_push import PING_EVERY_S, OctoPrintPush
from firmware_bridge.snapshot import ACTIVE, JobSeen, PrintRecord, Snapshot
from firmware_bridge.wire.messages import Action, MachineState

log = logging.getLogger(__name__)

FIRST_LOOK_S, SHORTEST_LOOK_S, LONGEST_LOOK_S = 3.0, 1.5, 8.0
"""A look may take four times as long as the last ones did, within these bounds: a slow Pi is not dead."""

WITH_PUSH_ACTIVE_S, WITH_PUSH_QUIET_S = 5.0, 10.0
ALONE_S, UNREACHABLE_S, REFUSED_S = 1.5, 2.0, 10.0
ORDER_S = 8.0
"""Pausing waits for the printer's moves: about one second, more on a slow machine."""

_CODE = re.compile(r"\((\d{3})\)\s*\Z")
_REFUSED_KEY = "OctoPrint refuses the API key (403)"
_STRANGER = "something answers there, but it is not OctoPrint"


class _Trouble(Exception):
    """A request failed: HTTP status if there was an answer, and a sentence for people."""

    def __init__(self, sentence: str, status: int | None = None, *, slow: bool = False) -> None:
        super().__init__(sentence)
        self.sentence, self.status, self.slow = sentence, status, slow


class OctoPrintDriver:
    """One OctoPrint server, one session, used by one worker thread."""

    def __init__(self, slug: str, url: str, api_key: str, *, push: bool = True) -> None:
        self.slug = slug
        self._url, self._api_key, self._with_push = url, api_key, push
        self._push: OctoPrintPush | None = None
        self._slowest_s = FIRST_LOOK_S / 4
        self._skew_s = 0.0
        self._connect()

    def _connect(self) -> None:
        # The key goes into our own session: octorest would make a request in its constructor to try it.
        self._session = DeadlineSession(api_key=self._api_key, prefix=urlsplit(self._url).path)
        self._client = OctoRest(url=self._url, session=self._session)

    def listener(self, tell: Tell, wake: Wake) -> Listener | None:
        """The push socket, unless switched off."""
        if self._with_push:
            self._push = OctoPrintPush(self.slug, self._url, self._api_key, tell, wake)
        return self._push

    def pause_s(self, snapshot: Snapshot) -> float:
        """Push tells the news; looks only check it. Alone, looks must be frequent."""
        if snapshot.state is MachineState.UNREACHABLE:
            return REFUSED_S if snapshot.detail == _REFUSED_KEY else UNREACHABLE_S
        if self._push is not None and self._push.alive:
            return WITH_PUSH_ACTIVE_S if snapshot.state in ACTIVE else WITH_PUSH_QUIET_S
        return ALONE_S

    def look(self, expecting: Expecting | None) -> Snapshot:
        """State and temperatures, the job, and evidence about an ended one."""
        asked_mono, asked_at = time.monotonic(), datetime.now(UTC)
        budget = min(max(SHORTEST_LOOK_S, 4 * self._slowest_s), LONGEST_LOOK_S)
        self._session.begin(budget)
        push_alive = self._push is not None and self._push.alive
        try:
            snapshot = self._look(expecting, asked_mono, asked_at, push_alive)
        except _Trouble as trouble:
            self._session.close()
            if trouble.slow:
                self._slowest_s = min(self._slowest_s * 2, LONGEST_LOOK_S / 4)
            snapshot = Snapshot(
                asked_mono,
                asked_at,
                MachineState.UNREACHABLE,
                trouble.sentence,
                slow=trouble.slow,
                # A busy OctoPrint still answers pings while a request waits; a hung one answers nothing.
                push_alive=self._push is not None and self._push.spoke_within(PING_EVERY_S + 0.5),
            )
        else:
            self._slowest_s = max(time.monotonic() - asked_mono, self._slowest_s * 0.9)
        if self._push is not None:
            self._push.allow(snapshot.state is not MachineState.UNREACHABLE)
        return snapshot

    def _look(
        self, expecting: Expecting | None, asked_mono: float, asked_at: datetime, push_alive: bool
    ) -> Snapshot:
        printer, job = self._printer_and_job()
        self._measure_skew()
        flags = read.part(printer, "state", "flags")
        state, detail = read.state_of(flags), None
        seen = read.job_of(job, flags)
        if state is MachineState.OFF:
            error = self._optional("/api/printer/error") if expecting or read.fault_of(job) else None
            detail = read.fault_of(error, job, read.part(printer, "state"))
            state = MachineState.ERROR if detail else MachineState.OFF
            detail = detail or "OctoPrint is not connected to the printer"
        return Snapshot(
            asked_mono,
            asked_at,
            state,
            detail,
            seen,
            self._record(expecting, seen if state in ACTIVE else None),
            read.temperatures_of(read.part(printer, "temperature")),
            push_alive=push_alive,
        )

    def _printer_and_job(self) -> tuple[Any, Any]:
        """Two requests, one moment: asked again when the state's text changed in between."""
        for _ in range(3):
            try:
                printer = self._call(lambda: self._client.printer(exclude=["sd"]))
            except _Trouble as trouble:
                if trouble.status != 409:
                    raise
                printer = {}  # not connected to the printer: a normal state
            job = self._call(self._client.job_info)
            if not isinstance(printer, dict) or not isinstance(job, dict) or "state" not in job:
                raise _Trouble(_STRANGER)
            if not printer or read.part(printer, "state", "text") == job["state"]:
                break
        return printer, job

    def _record(self, expecting: Expecting | None, running: JobSeen | None) -> PrintRecord | None:
        """OctoPrint's note about the last run of our job's file, where the run may be over."""
        if expecting is None or expecting.path is None or expecting.origin != "local":
            return None
        if running is not None and running.path == expecting.path and not _fell_back(expecting, running):
            return None
        path = quote(expecting.path)  # octorest does not quote
        try:
            info = self._call(lambda: self._client.files_info("local", path))
        except _Trouble as trouble:
            if trouble.status is None:
                raise
            return None  # the file was deleted, or the key may not list files
        return read.record_of(info, self._skew_s)

    def _optional(self, path: str) -> Any:
        try:
            return self._call(lambda: self._client._get(path))
        except _Trouble as trouble:
            if trouble.status is None:
                raise
            return None  # older versions do not have it

    def _measure_skew(self) -> None:
        try:
            theirs = parsedate_to_datetime(self._session.server_date or "")
            skew = (theirs - datetime.now(UTC)).total_seconds() + 0.5
        except (ValueError, TypeError):
            return
        # The header has whole seconds: what is below two is our own measuring error.
        self._skew_s = skew if abs(skew) > 2 else 0.0

    def act(self, action: Action) -> Done:
        """Pause, resume or cancel the print."""
        calls = {
            Action.PAUSE: self._client.pause,
            Action.RESUME: self._client.resume,
            Action.CANCEL: self._client.cancel,
        }
        call = calls.get(action)
        if call is None:
            return Done(False, f"{action} is not possible on an OctoPrint printer")
        self._session.begin(ORDER_S)
        try:
            self._call(call)
        except _Trouble as trouble:
            return Done(False, trouble.sentence)
        return Done(True)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _call(self, request: Any) -> Any:
        """Make one octorest call; every failure leaves as _Trouble."""
        try:
            return request()
        except RuntimeError as error:
            raise _refusal(str(error)) from None
        except requests.TooManyRedirects:
            raise _Trouble("answers with a redirect to another address") from None
        except TooLarge as error:
            raise _Trouble(str(error)) from None
        except requests.JSONDecodeError:
            raise _Trouble(_STRANGER) from None
        except requests.RequestException as error:
            raise _dead_line(error) from None
        except (TimeoutError, OSError) as error:
            raise _dead_line(error) from None


def _fell_back(expecting: Expecting, running: JobSeen) -> bool:
    """Position or print time went back: perhaps another run of the same file."""
    if expecting.position is not None and running.position is not None:
        return running.position < expecting.position
    return (running.print_time_s or 0) < (expecting.print_time_s or 0)


def _refusal(message: str) -> _Trouble:
    """octorest's "... was not OK: BODY (CODE)". The body stays out of logs: it may be a page of HTML."""
    match = _CODE.search(message)
    status = int(match.group(1)) if match else None
    if status in (401, 403):
        return _Trouble(_REFUSED_KEY, 403)
    if status == 409:
        return _Trouble("not possible in the printer's present state", 409)
    if status is not None and 300 <= status < 400:
        return _Trouble("answers with a redirect to another address")
    if status is not None and status >= 500:
        return _Trouble(f"OctoPrint answers with an error ({status})")
    return _Trouble(f"{_STRANGER} ({status})" if status else _STRANGER, status)


def _dead_line(error: Exception) -> _Trouble:
    words = repr(error)
    if isinstance(error, requests.Timeout | TimeoutError) or "timed out" in words:
        return _Trouble("no answer in time", slow=True)
    if "Connection refused" in words:
        return _Trouble("nothing listens at this address (connection refused)")
    if "NameResolution" in words or "getaddrinfo" in words:
        return _Trouble("the host name is unknown")
    if "BadStatusLine" in words:
        return _Trouble("OctoPrint is starting")
    if "SSL" in words:
        return _Trouble("the encrypted connection fails")
    if "No route to host" in words or "unreachable" in words:
        return _Trouble("no way to this address")
    return _Trouble("the connection broke")
