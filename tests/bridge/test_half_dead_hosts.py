"""The OctoPrint driver against hosts that lie, drip, hang or lead elsewhere: quick, and the key is safe."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from firmware_bridge.drivers.base import Expecting
from firmware_bridge.drivers.octoprint import OctoPrintDriver
from firmware_bridge.wire.messages import Action

Handler = Callable[[socket.socket, bytes], None]
KEY = "KEYKEYKEYKEY"


class Host:
    """A server of one trick; remembers every request."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.requests: list[bytes] = []
        self._open: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            request = connection.recv(65536)
            while request:
                self.requests.append(request)
                self._handler(connection, request)
                request = connection.recv(65536)
        except OSError:
            return  # the driver hung up, as it should

    def close(self) -> None:
        self._server.close()
        for connection in self._open:
            connection.close()


def answer(body: bytes, status: str = "200 OK", extra: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body


def says(body: bytes, status: str = "200 OK", extra: str = "") -> Handler:
    return lambda connection, _: connection.sendall(answer(body, status, extra))


def silent(connection: socket.socket, _: bytes) -> None:
    """Takes the request and never says a word."""


def drips(connection: socket.socket, _: bytes) -> None:
    for byte in answer(b"{}" * 20):
        connection.sendall(bytes([byte]))
        time.sleep(0.5)


def drips_its_body(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    for _byte in range(100):
        connection.sendall(b"x")
        time.sleep(0.5)


def hangs_up(connection: socket.socket, _: bytes) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def cut_short(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    connection.shutdown(socket.SHUT_RDWR)


def boots(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"Not found")
    connection.shutdown(socket.SHUT_RDWR)


def floods(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
    for _round in range(1000):
        connection.sendall(b"x" * 65536)


@pytest.fixture
def host() -> Iterator[Callable[[Handler], Host]]:
    hosts: list[Host] = []

    def make(handler: Handler) -> Host:
        hosts.append(Host(handler))
        return hosts[-1]

    yield make
    for made in hosts:
        made.close()


def driver(url: str) -> OctoPrintDriver:
    return OctoPrintDriver("tanger-prusa-1", url, KEY, push=False)


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (silent, "no answer in time"),
        (drips, "no answer in time"),
        (drips_its_body, "no answer in time"),
        (hangs_up, "connection broke"),
        (cut_short, "connection broke"),
        (boots, "starting"),
        (floods, "more than"),
        (says(b"<html>welcome to the hotel</html>"), "not OctoPrint"),
        (says(b"", "204 No Content"), "not OctoPrint"),
        (says(b"[]"), "not OctoPrint"),
        (says(b"null"), "not OctoPrint"),
        (says(b"7"), "not OctoPrint"),
        (says(b"\xff\xfe\xff"), "not OctoPrint"),
        (says(b"{}"), "not OctoPrint"),
        (says(b"[" * 100_000), "not OctoPrint"),
        (says(b"x" * 3000, "404 Not Found"), "404"),
        (says(b"{}", "401 Unauthorized"), "API key"),
        (says(b"{}", "403 Forbidden"), "API key"),
        (says(b"oops", "500 Internal Server Error"), "500"),
        (says(b"bad gateway", "502 Bad Gateway"), "502"),
    ],
)
def test_a_bad_host_is_unreachable_with_a_reason_and_in_time(
    host: Callable[[Handler], Host], handler: Handler, reason: str
) -> None:
    began = time.monotonic()
    snapshot = driver(host(handler).url).look(None)
    assert time.monotonic() - began < 4
    assert snapshot.state == "unreachable"
    assert reason in (snapshot.detail or "")
    assert len(snapshot.detail or "") < 100


def test_a_refused_connection_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    snapshot = driver(f"http://127.0.0.1:{port}").look(None)
    assert snapshot.state == "unreachable"
    assert "refused" in (snapshot.detail or "")
    assert not snapshot.slow


def test_an_unknown_host_is_named() -> None:
    snapshot = driver("http://no-such-host.invalid").look(None)
    assert snapshot.state == "unreachable"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_a_redirect_never_carries_the_key_elsewhere(host: Callable[[Handler], Host], status: str) -> None:
    thief = host(says(b"{}"))
    honest = host(says(b"", status, f"Location: {thief.url}/api/printer\r\n"))
    snapshot = driver(honest.url).look(None)
    assert "redirect" in (snapshot.detail or "")
    assert thief.requests == []


def octoprint(path: str, flags: dict[str, bool]) -> bytes:
    if path.startswith("/api/printer?"):
        return json.dumps({"state": {"text": "x", "flags": flags}, "temperature": {}}).encode()
    return json.dumps({"state": "x", "job": {"file": {"name": "a.gcode"}}, "progress": {}}).encode()


def test_a_switched_off_printer_is_off_and_not_unreachable(host: Callable[[Handler], Host]) -> None:
    def off(connection: socket.socket, request: bytes) -> None:
        if b" /api/printer?" in request:
            connection.sendall(answer(b'{"error":"Printer is not operational"}', "409 Conflict"))
        else:
            connection.sendall(answer(b'{"state":"Offline","job":{},"progress":{}}'))

    snapshot = driver(host(off).url).look(None)
    assert snapshot.state == "off"
    assert "not connected" in (snapshot.detail or "")


def test_a_paused_printer_that_also_claims_to_print_is_paused(host: Callable[[Handler], Host]) -> None:
    def two_point_oh(connection: socket.socket, request: bytes) -> None:
        path = request.split()[1].decode()
        flags = {"operational": True, "printing": True, "paused": True}
        connection.sendall(answer(octoprint(path, flags)))

    assert driver(host(two_point_oh).url).look(None).state == "paused"


def test_the_key_travels_in_the_header_only_and_a_path_prefix_is_kept(
    host: Callable[[Handler], Host],
) -> None:
    idle = host(lambda c, request: c.sendall(answer(octoprint(_path(request), {"operational": True}))))
    snapshot = driver(idle.url + "/octoprint/").look(None)
    assert snapshot.state in ("idle", "off")
    assert idle.requests
    for request in idle.requests:
        line, _, headers = request.decode().partition("\r\n")
        assert line.split()[1].startswith("/octoprint/api/")
        assert KEY not in line
        assert f"X-Api-Key: {KEY}" in headers


def _path(request: bytes) -> str:
    return request.split()[1].decode().removeprefix("/octoprint")


def test_a_file_name_with_odd_characters_is_asked_for_whole(host: Callable[[Handler], Host]) -> None:
    idle = host(lambda c, request: c.sendall(answer(octoprint(_path(request), {"operational": True}))))
    expecting = Expecting("a#b? ç.gcode", "dir/a#b? ç.gcode", "local", None, None)
    driver(idle.url).look(expecting)
    asked = [request.split()[1] for request in idle.requests if b"/api/files/" in request]
    assert asked == [b"/api/files/local/dir/a%23b%3F%20%C3%A7.gcode?recursive=false"]


def test_an_order_that_octoprint_refuses_is_refused_with_words(host: Callable[[Handler], Host]) -> None:
    busy = host(says(b'{"error":"Printer is neither printing nor paused"}', "409 Conflict"))
    done = driver(busy.url).act(Action.CANCEL)
    assert not done.ok
    assert done.detail
    assert not driver(busy.url).act(Action.POWER_OFF).ok


def test_values_of_the_wrong_type_are_unknown_and_harm_nobody(host: Callable[[Handler], Host]) -> None:
    def nonsense(connection: socket.socket, request: bytes) -> None:
        if b" /api/printer?" in request:
            body = {
                "state": {"text": "x", "flags": {"operational": "yes", "printing": True}},
                "temperature": {
                    "tool0": 7,
                    "bed": {"actual": "hot"},
                    "": {"actual": 1},
                    "c": {"actual": 1e99},
                },
            }
        else:
            body = {
                "state": "x",
                "job": {"file": {"name": 7, "path": "a\x00b.gcode"}, "filament": [1], "user": {}},
                "progress": {"completion": "half", "filepos": -1, "printTime": 1e300, "printTimeLeft": True},
            }
        connection.sendall(answer(json.dumps(body).encode()))

    snapshot = driver(host(nonsense).url).look(None)
    assert snapshot.state == "running"
    assert snapshot.temperatures == {}
    assert snapshot.job is not None
    assert snapshot.job.path == "ab.gcode"
    assert (snapshot.job.progress, snapshot.job.position, snapshot.job.print_time_s) == (None, None, None)
