"""Requests to addresses that people typed: calendars elsewhere, webhooks.

Such an address must not become a way into our own network. So the name is resolved once, every address it
has must be a public one, and the connection goes to just that address: a name that answers otherwise the next
time gains nothing. Redirects are not followed, the whole exchange has one deadline, the answer is measured.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

URL_MAX = 500
# What may be in front of us but is nobody's public server, beside what `ipaddress` knows.
_CARRIER = ipaddress.ip_network("100.64.0.0/10")
_PORTS = {"https": 443, "http": 80}


class OutboundError(Exception):
    """Nothing came of it; one sentence for whoever gave the address, without secrets."""


@dataclass(frozen=True)
class Answer:
    """What came back. ``headers`` by name in small letters."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def url_trouble(url: str, *, private: bool = False) -> str:
    """What is wrong with an address somebody typed, as a sentence; empty when nothing is seen yet.

    ``private`` allows http and addresses of our own network: for labs whose receivers stand beside them.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "That is no address. One looks like https://example.org/path."
    if len(url) > URL_MAX or not url.isascii() or not url.isprintable() or " " in url:
        return f"An address has at most {URL_MAX} plain characters."
    if parts.scheme not in _PORTS or not host:
        return "An address begins with https:// and the name of a server."
    if parts.scheme == "http" and not private:
        return "The address must begin with https://, so that nobody reads along."
    if parts.username is not None or parts.password is not None:
        return "Leave name and password out of the address."
    if parts.fragment:
        return "Leave out what comes after #."
    if port == 0:
        return "There is no port 0."
    if not private and _as_ip(host) is not None and not _is_public(host):
        return "That is an address of a private network. Give one that is reachable from the internet."
    return ""


def ask(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout_s: float,
    most_bytes: int = 0,
    private: bool = False,
) -> Answer:
    """One exchange with the server at ``url``, over after ``timeout_s`` whatever the server does.

    Of the answer's body ``most_bytes`` are read, of a longer one none: OutboundError, as for everything else
    that goes wrong. With 0 the body is left alone.
    """
    if trouble := url_trouble(url, private=private):
        raise OutboundError(trouble)
    until = time.monotonic() + timeout_s
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with _connection(parts, until, private) as connection:
            connection.request(method, target, body=body, headers={"Connection": "close", **(headers or {})})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, _read(answer, most_bytes))
    except OutboundError:
        raise
    except ssl.SSLCertVerificationError as error:
        raise OutboundError(f"Its certificate is not in order: {error.verify_message}.") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        if time.monotonic() >= until or isinstance(error, TimeoutError):
            raise OutboundError(f"It did not answer within {timeout_s:g} seconds.") from error
        raise OutboundError(f"It cannot be reached: {_words(error)}.") from error


@contextlib.contextmanager
def _connection(parts: SplitResult, until: float, private: bool) -> Iterator[http.client.HTTPConnection]:
    host = parts.hostname or ""
    port = parts.port or _PORTS[parts.scheme]
    raw = _connect(host, port, until, private)
    # Each step has a time limit of its own; somebody who sends a letter a second would pass them all.
    watch = threading.Timer(max(until - time.monotonic(), 0.01), _shut, [raw])
    watch.daemon = True
    watch.start()
    connection = http.client.HTTPConnection(host, port)
    try:
        connection.sock = raw
        if parts.scheme == "https":
            connection.sock = ssl.create_default_context().wrap_socket(raw, server_hostname=host)
            # `http.client` leaves the port out of the Host header only where it knows the scheme's own.
            connection.default_port = _PORTS["https"]
        yield connection
    finally:
        watch.cancel()
        connection.close()
        raw.close()


def _connect(host: str, port: int, until: float, private: bool) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise OutboundError("There is no server of that name.") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not private and not all(_is_public(each) for each in addresses):
        raise OutboundError("Its name leads into a private network, where nothing is sent.")
    last: OSError | None = None
    for address in addresses:
        left = until - time.monotonic()
        if left <= 0:
            break
        try:
            return socket.create_connection((address, port), timeout=left)
        except OSError as error:
            last = error
    raise last or TimeoutError()


def _read(answer: http.client.HTTPResponse, most_bytes: int) -> bytes:
    if not most_bytes:
        return b""
    body = answer.read(most_bytes + 1)
    if len(body) > most_bytes:
        raise OutboundError(f"What it sends is larger than {most_bytes // 1024} KB.")
    return body


def _shut(raw: socket.socket) -> None:
    with contextlib.suppress(OSError):
        raw.shutdown(socket.SHUT_RDWR)


def _as_ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _is_public(text: str) -> bool:
    """Whether an address is one of the internet's. Those that carry another inside are judged by it, too."""
    address = _as_ip(text)
    if address is None:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None and not _is_public(str(inner)):
            return False
        # 64:ff9b::/96 leads to the IPv4 address in its last four bytes.
        if address in ipaddress.ip_network("64:ff9b::/96"):
            return _is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
        if address.ipv4_mapped:
            return True
    if isinstance(address, ipaddress.IPv4Address) and address in _CARRIER:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
