"""OctoPrint's push socket: starts, ends and their reasons the moment they happen.

The socket is the raw SockJS one (plain JSON frames). It has no heartbeat of its own and a hung host closes
nothing, so we ping every few seconds and give up after `SILENCE_S` without a byte. Lost news is not repeated
by OctoPrint: after each connect and each loss the poller is woken to compare.
"""

import logging
import random
import threading
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
import requests
import websocket

from firmware_bridge.drivers import octoprint_read as read
from firmware_bridge.drivers.base import Tell, Wake
from firmware_bridge.drivers.deadline import DeadlineSession
from firmware_bridge.snapshot import ACTIVE, Heard, News, Progressed

log = logging.getLogger(__name__)

PING_EVERY_S = 2.0
SILENCE_S = 5.0
CONNECT_S = 5.0
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
THROTTLE = 2
"""`current` messages at most once per 0.5 s times this."""

MAX_FRAME = 1024 * 1024


class OctoPrintPush:
    """The listening thread of one OctoPrint server."""

    def __init__(self, slug: str, url: str, api_key: str, tell: Tell, wake: Wake) -> None:
        self.slug = slug
        self._url, self._tell, self._wake = url, tell, wake
        self._session = DeadlineSession(api_key=api_key, prefix=urlsplit(url).path)
        self._stop = threading.Event()
        self._allowed = threading.Event()
        self._heard_mono = 0.0
        self._listening = False
        self._complained = False
        self._thread = threading.Thread(target=self._run, name=f"push-{slug}", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the socket is up and spoke lately."""
        return self.spoke_within(SILENCE_S)

    def spoke_within(self, seconds: float) -> bool:
        """Whether anything, be it a pong, came over the socket lately."""
        return self._listening and time.monotonic() - self._heard_mono < seconds

    def start(self) -> None:
        """Begin to listen, once allowed."""
        self._thread.start()

    def allow(self, reachable: bool) -> None:
        """Connecting makes sense only while REST answers."""
        if reachable:
            self._allowed.set()
        else:
            self._allowed.clear()

    def stop(self) -> None:
        """End within a second or so."""
        self._stop.set()
        self._allowed.set()

    def join(self, timeout: float) -> None:
        """Wait for the thread."""
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._stop.is_set():
            self._allowed.wait()
            if self._stop.is_set():
                break
            began = time.monotonic()
            why = self._listen_once()
            self._listening = False
            self._wake()
            if self._stop.is_set():
                break
            if not self._complained:
                log.info("%s: push connection lost or refused (%s), polling meanwhile", self.slug, why)
                self._complained = True
            wait_s = FIRST_WAIT_S if time.monotonic() - began > 60 else min(wait_s * 2, LONGEST_WAIT_S)
            # Jitter: after a power cut a whole lab comes back in the same second.
            self._stop.wait(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        self._session.close()

    def _listen_once(self) -> str:
        """Connect, log in and listen until something breaks; the answer says what."""
        connection = None
        try:
            login = self._log_in()
            connection = websocket.create_connection(
                self._socket_url(),
                timeout=CONNECT_S,
                redirect_limit=0,
                http_no_proxy=["*"],
                enable_multithread=False,
            )
            for message in (
                {
                    "subscribe": {
                        "state": {"logs": False, "messages": False},
                        "events": list(read.EVENTS),
                        "plugins": False,
                    }
                },
                {"auth": login},
                {"throttle": THROTTLE},
            ):
                connection.send(msgspec.json.encode(message).decode())
            self._listen(connection)
        except (requests.RequestException, websocket.WebSocketException, OSError, ValueError) as error:
            return type(error).__name__
        finally:
            if connection is not None:
                connection.shutdown()
        return "closed"

    def _log_in(self) -> str:
        """A passive login: turns the API key into the short-lived pair that the socket wants."""
        self._session.begin(CONNECT_S)
        answer = self._session.post(f"{_origin(self._url)}/api/login", json={"passive": True})
        if answer.status_code != 200:
            raise ValueError(f"login answered {answer.status_code}")
        body = answer.json()
        name, session = read.text(read.part(body, "name")), read.text(read.part(body, "session"))
        if name is None or session is None:
            raise ValueError("login without name and session")
        return f"{name}:{session}"

    def _socket_url(self) -> str:
        parts = urlsplit(self._url)
        scheme = "wss" if parts.scheme == "https" else "ws"
        return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}/sockjs/websocket"

    def _listen(self, connection: websocket.WebSocket) -> None:
        """Read frames until closed, silent or told to stop.

        Raises websocket.WebSocketException or OSError when the line breaks, ValueError on nonsense.
        """
        connection.settimeout(1.0)
        self._heard_mono = pinged_mono = time.monotonic()
        while not self._stop.is_set():
            now = time.monotonic()
            if now - self._heard_mono > SILENCE_S:
                raise websocket.WebSocketTimeoutException("silent")
            if now - max(self._heard_mono, pinged_mono) > PING_EVERY_S:
                connection.ping()
                pinged_mono = now
            try:
                opcode, frame = connection.recv_data_frame(control_frame=True)
            except (TimeoutError, websocket.WebSocketTimeoutException):
                continue
            self._heard_mono = time.monotonic()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return
            if opcode in (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY):
                if frame is None or len(frame.data) > MAX_FRAME:
                    raise ValueError("frame too large")
                self._take(frame.data)

    def _take(self, data: bytes) -> None:
        message = msgspec.json.decode(data)
        if not isinstance(message, dict):
            return
        for kind, payload in message.items():
            if kind == "reauthRequired":
                raise ValueError("the session ran out")
            if kind in ("current", "history"):
                self._take_current(payload)
                if kind == "history":
                    # Comes once after the log-in: only from here on is nothing missed.
                    self._welcome()
            elif kind == "event":
                self._take_event(payload)

    def _welcome(self) -> None:
        self._listening = True
        log.info("%s: push connection is up", self.slug)
        self._complained = False
        self._wake()

    def _take_event(self, payload: Any) -> None:
        found = read.news_of(str(read.part(payload, "type")), read.part(payload, "payload"))
        if found is None:
            return
        news, fields = found
        self._tell(Heard(news, time.monotonic(), datetime.now(UTC), **fields))
        if news in (News.STATE, News.FAULT, News.FAILED):
            self._wake()

    def _take_current(self, payload: Any) -> None:
        now = datetime.now(UTC)
        server_time = read.number(read.part(payload, "serverTime"), 0, read.LATEST)
        temps = read.part(payload, "temps")
        latest = temps[-1] if isinstance(temps, list) and temps else None
        flags = read.part(payload, "state", "flags")
        busy = read.state_of(flags) in ACTIVE
        self._tell(
            Progressed(
                time.monotonic(),
                now,
                read.job_of(payload, flags) if busy else None,
                read.temperatures_of(latest),
                None if server_time is None else server_time - now.timestamp(),
            )
        )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
