"""TCP ports on loopback."""

from __future__ import annotations

import socket

from fablab.embedded.process import wait_until

LOOPBACK = "127.0.0.1"


class NoPort(RuntimeError):
    """No free port near the wanted one."""


def next_free(wanted: int, taken: set[int] | None = None, tries: int = 100) -> int:
    """`wanted`, or the next higher port nobody listens on. `taken` are promised to others. Raises NoPort."""
    for port in range(wanted, min(wanted + tries, 65536)):
        if port not in (taken or set()) and _is_free(port):
            return port
    raise NoPort(f"no free port from {wanted} on")


def wait_free(port: int, timeout: float) -> None:
    """Give a server that is just ending the time to leave its port."""
    wait_until(lambda: _is_free(port), timeout, pause=0.1)


def answers(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As a server does it: ports of connections that just closed are free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return not answers(port)
