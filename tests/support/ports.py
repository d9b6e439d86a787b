"""Free TCP ports and waiting for somebody to listen on them."""

import socket

from fablab.embedded.process import wait_until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_listening(port: int, timeout: float = 30) -> None:
    if not wait_until(lambda: listening(port), timeout):
        raise AssertionError(f"nobody listens on port {port} after {timeout} s")
