"""Reading Server-Sent Events as a browser does."""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import socket
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass
class ServerEvent:
    id: int
    kind: str
    data: dict[str, Any]


class EventReader:
    """One open stream, read in a thread. `read` gives the next event, or None when none came in time."""

    def __init__(self, base_url: str, path: str, token: str, last: int | None = None) -> None:
        address = urlsplit(base_url)
        assert address.hostname is not None
        self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        self._connection.request("GET", path, headers=headers)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.read()
        assert self._answer.headers["Content-Type"].startswith("text/event-stream")
        self._events: queue.Queue[ServerEvent] = queue.Queue()
        self.comments = 0
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether the server has let go."""
        return not self._thread.is_alive()

    def read(self, timeout: float = 5) -> ServerEvent | None:
        try:
            return self._events.get(timeout=timeout)
        except queue.Empty:
            return None

    def read_all(self, quiet: float = 0.5) -> list[ServerEvent]:
        """The first event and all that follow until nothing has come for a while."""
        found, event = [], self.read()
        while event is not None:
            found.append(event)
            event = self.read(quiet)
        return found

    def close(self) -> None:
        if self._connection.sock is not None:
            with contextlib.suppress(OSError):
                self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._connection.close()

    def _follow(self) -> None:
        fields: dict[str, str] = {}
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            for raw in self._answer:
                line = raw.decode().rstrip("\n")
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                else:
                    if "event" in fields:
                        self._events.put(
                            ServerEvent(int(fields["id"]), fields["event"], json.loads(fields["data"]))
                        )
                    fields = {}
