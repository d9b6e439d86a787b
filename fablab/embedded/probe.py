"""Asking a server on loopback whether it works, without the memory an HTTP library costs the supervisor."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from fablab.embedded.ports import LOOPBACK


def get(
    port: int, path: str, headers: Mapping[str, str] | None = None, timeout: float = 2
) -> tuple[int, bytes] | None:
    """Status and body of a GET by HTTP/1.0; None without a well-formed answer in time.

    A server that is only starting may refuse, reset, or send something that is no HTTP at all
    (OctoPrint does): all of that is None.
    """
    lines = [f"GET {path} HTTP/1.0", f"Host: {LOOPBACK}:{port}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    answer = b""
    try:
        with socket.create_connection((LOOPBACK, port), timeout) as line:
            line.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            while chunk := line.recv(65536):
                answer += chunk
    except OSError:
        return None
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        return None
    return int(words[1]), body
