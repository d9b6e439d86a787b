"""HTTP sessions that cannot hang, cannot be led elsewhere and cannot be flooded.

The timeouts of `requests` bound the silence between two bytes, so a host that drips one byte every half
second holds a caller for minutes. Here every read of the socket is bounded by what is left of one total
deadline.
"""

import io
import socket
import time
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

MAX_BODY = 4 * 1024 * 1024
"""Bytes of one answer; a status is about 2 kB."""


class TooLarge(requests.RequestException):
    """The answer exceeds MAX_BODY."""


class Deadline:
    """A moment that all requests of one look share."""

    def __init__(self) -> None:
        self._until = 0.0

    def set(self, seconds: float) -> None:
        """The deadline is `seconds` from now."""
        self._until = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left; raises TimeoutError when none are."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left


class _BoundedReader(io.RawIOBase):
    """The reading side of a socket, each read bounded by the deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: Deadline) -> None:
        self._raw, self._sock, self._deadline = raw, sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        # The raw reader counts as a user of the socket: closing it lets the socket really close.
        self._raw.close()
        super().close()


class _BoundedSocket:
    """Stands in for a connected socket (plain or TLS) and hands out bounded readers."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock, self._deadline = sock, deadline

    def makefile(self, mode: str = "rb", *_: Any, **__: Any) -> io.BufferedReader:
        raw = self._sock.makefile("rb", buffering=0)
        return io.BufferedReader(_BoundedReader(raw, self._sock, self._deadline))

    def sendall(self, data: Any, *args: Any) -> None:
        self._sock.settimeout(self._deadline.left())
        self._sock.sendall(data, *args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def _pool(pool: type, base: type, deadline: Deadline) -> Any:
    class Connection(base):
        def connect(self) -> None:
            self.timeout = deadline.left()
            super().connect()
            self.sock: Any = _BoundedSocket(self.sock, deadline)

    return type("Pool", (pool,), {"ConnectionCls": Connection})


class _BoundedAdapter(HTTPAdapter):
    """A transport whose connections know the deadline; it never tries twice."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        super().__init__(max_retries=0, pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool(HTTPConnectionPool, HTTPConnection, self._deadline),
            "https": _pool(HTTPSConnectionPool, HTTPSConnection, self._deadline),
        }


class DeadlineSession(requests.Session):
    """A session for one host: total deadline, no redirects, no proxy, no netrc, bounded answers.

    `prefix` is put before every path, because octorest cuts the path of a base address off. Call `begin`
    before a round of requests; what exceeds it raises requests.Timeout or requests.ConnectionError; a
    redirect raises requests.TooManyRedirects before anything is sent elsewhere.
    """

    def __init__(self, *, api_key: str | None = None, prefix: str = "") -> None:
        super().__init__()
        self.deadline = Deadline()
        self.trust_env = False
        self.max_redirects = 0
        self.prefix = prefix.rstrip("/")
        self.server_date: str | None = None
        adapter = _BoundedAdapter(self.deadline)
        self.mount("http://", adapter)
        self.mount("https://", adapter)
        if api_key is not None:
            self.headers["X-Api-Key"] = api_key

    def begin(self, seconds: float) -> None:
        """All requests from now on share this deadline."""
        self.deadline.set(seconds)

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """As requests.Session.request, bounded."""
        if self.prefix:
            scheme, _, rest = str(url).partition("://")
            host, _, path = rest.partition("/")
            url = f"{scheme}://{host}{self.prefix}/{path}"
        try:
            left = self.deadline.left()
        except TimeoutError as error:
            raise requests.Timeout(str(error)) from None
        kwargs.update(timeout=left, allow_redirects=False, stream=True)
        response = super().request(method, url, *args, **kwargs)
        self.server_date = response.headers.get("Date")
        body = bytearray()
        for chunk in response.iter_content(65536):
            body += chunk
            if len(body) > MAX_BODY:
                response.close()
                raise TooLarge(f"answer of more than {MAX_BODY} bytes")
        # Read here, under the deadline; `content` and `json()` then find it ready.
        response._content = bytes(body)
        return response
