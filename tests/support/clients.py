"""Many HTTP clients at once, each with its own open connection."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit


class HttpClient:
    """One kept-open connection with a token."""

    def __init__(self, base_url: str, token: str) -> None:
        self._address = urlsplit(base_url)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._connection = self._connect()

    def post(self, path: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        """Status and decoded answer."""
        return self.send("POST", path, body, **headers)

    def send(self, method: str, path: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        """Status and decoded answer; connects anew when the server had closed the idle connection."""
        content = json.dumps(body).encode()
        try:
            self._connection.request(method, path, content, {**self._headers, **headers})
            answer = self._connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):
            self._connection = self._connect()
            self._connection.request(method, path, content, {**self._headers, **headers})
            answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")

    def close(self) -> None:
        self._connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        assert self._address.hostname is not None
        return http.client.HTTPConnection(self._address.hostname, self._address.port, timeout=30)


def at_once(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """Start all of them at the same moment, each in a thread; results in order, or the first error."""
    barrier = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)
    errors: list[BaseException] = []

    def run(index: int, work: Callable[[], Any]) -> None:
        barrier.wait(30)
        try:
            results[index] = work()
        except BaseException as error:  # noqa: BLE001  (re-raised below)
            errors.append(error)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    if errors:
        raise errors[0]
    return results
