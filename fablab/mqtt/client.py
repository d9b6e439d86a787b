"""The line to the broker; the only file of the server that knows paho.

One thread owns the connection and makes every call into paho, so nothing in it needs a lock. Each connection
is a new paho client under the same client identifier: the broker keeps the session, and nothing stale is left
on our side. A message may be acknowledged on the connection it came on, and on no other.
"""

from __future__ import annotations

import contextlib
import random
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from fablab.logs import logger
from fablab.mqtt.inbox import Inbox, Letter
from fablab.settings import SettingsError
from fablab.telemetry.incoming import MAX_KEPT
from firmware_bridge.wire import codec
from firmware_bridge.wire.messages import ServerPresence
from firmware_bridge.wire.topics import SERVER_PRESENCE, server_filters

KEEPALIVE_S = 60
_CONNECT_TIMEOUT_S = 5.0
_FIRST_RETRY_S, _LAST_RETRY_S = 0.5, 15.0
# Packets read before acknowledgements get their turn again.
_READS = 50
_log = logger("mqtt")


@dataclass(frozen=True)
class Address:
    """Where the broker is and who we are there."""

    host: str
    port: int
    tls: bool
    user: str | None
    password: str | None


def address(url: str) -> Address:
    """Read mqtt://user:password@host:port or mqtts://. Raises SettingsError."""
    parts = urlsplit(url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise SettingsError("FABLAB_MQTT_URL: must look like mqtt://user:password@host:port or mqtts://")
    try:
        port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
    except ValueError:
        raise SettingsError("FABLAB_MQTT_URL: the port must be a number up to 65535") from None
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return Address(parts.hostname, port, parts.scheme == "mqtts", user, password)


class Line:
    """A connection that is made again for ever, until `stop`.

    Messages go into the inbox; while it is full nothing is read, so the broker holds them back.
    ``connection`` counts the connections that were accepted.
    """

    def __init__(self, url: str, client_id: str, inbox: Inbox, authority: str = "") -> None:
        """``authority`` is the certificate (PEM) of the broker's own one; empty: those the system knows."""
        self._address = address(url)
        self._authority = authority
        self._client_id = client_id
        self._inbox = inbox
        self._orders: deque[tuple[Any, ...]] = deque()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._client: Client | None = None
        self._received = 0
        self._refused = ""
        self._troubled = False
        self.connection = 0
        self.connected = False

    @property
    def running(self) -> bool:
        """Whether the line's thread lives."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin to connect, in a thread of its own."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Say good-bye to the broker and end the thread."""
        self._stopping.set()
        self._ring()
        if self._thread is not None:
            self._thread.join(_CONNECT_TIMEOUT_S + 5)
            self._thread = None

    def acknowledge(self, letters: Iterable[Letter]) -> None:
        """Tell the broker that we have these; in the order given. On a newer connection it tells us again."""
        self._orders.extend(("ack", letter.line, letter.mid) for letter in letters if letter.qos)
        self._ring()

    def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Publish retained messages (QoS 1). Dropped without a connection: a new one begins with all."""
        self._orders.extend(("publish", topic, payload) for topic, payload in messages)
        self._ring()

    def _ring(self) -> None:
        with contextlib.suppress(BlockingIOError):  # It rings already.
            self._bell.send(b"!")

    def _run(self) -> None:
        retry_s = _FIRST_RETRY_S
        while not self._stopping.is_set():
            before = self.connection
            trouble = "the connection was lost"
            try:
                self._converse()
            except OSError as error:
                trouble = str(error) or type(error).__name__
            except Exception as error:  # noqa: BLE001
                # The thread must outlive anything: without it the process looks alive and does nothing.
                trouble = f"{type(error).__name__}: {error}"
            self.connected = False
            self._client = None
            self._orders.clear()
            if self._stopping.is_set():
                return
            if self.connection != before:
                retry_s = _FIRST_RETRY_S
            self._complain(self._refused or trouble)
            self._stopping.wait(retry_s * random.uniform(0.75, 1.25))  # noqa: S311
            retry_s = min(retry_s * 2, _LAST_RETRY_S)

    def _complain(self, trouble: str) -> None:
        """Once per outage, not once per attempt."""
        if not self._troubled:
            self._troubled = True
            _log.warning("broker_lost", host=self._address.host, port=self._address.port, trouble=trouble)

    def _converse(self) -> None:
        """One connection from its start to its end."""
        self._refused = ""
        client = self._client = self._new_client()
        try:
            client.connect(self._address.host, self._address.port, KEEPALIVE_S)
            while client.socket() is not None and not self._stopping.is_set():
                self._turn(client)
            if client.socket() is not None:
                self._say_good_bye(client)
        finally:
            if (left := client.socket()) is not None:
                left.close()

    def _turn(self, client: Client) -> None:
        """Wait until there is something to do, then do some of it."""
        sock: Any = client.socket()
        hungry = not self._inbox.full
        pending = hungry and hasattr(sock, "pending") and sock.pending() > 0  # TLS holds bytes back
        wanted = [self._ear, sock] if hungry else [self._ear]
        # A full inbox rings no bell when there is room again, so look at it often.
        wait_s = 0 if pending else 1 if hungry else 0.05
        readable, _, _ = select.select(wanted, [sock] if client.want_write() else [], [], wait_s)
        if self._ear in readable:
            self._ear.recv(4096)
        if self._orders:
            self._follow_orders(client)
        if pending or sock in readable:
            for _ in range(_READS):
                received = self._received
                if client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS or client.socket() is None:
                    return
                if self._received == received or self._inbox.full:
                    break
        if client.want_write():
            client.loop_write()
        client.loop_misc()

    def _follow_orders(self, client: Client) -> None:
        """Acknowledge and publish what the committer asked for."""
        while self._orders:
            kind, first, second = self._orders.popleft()
            if kind == "publish":
                if self.connected:
                    client.publish(first, second, qos=1, retain=True)
            elif first is client:
                client.ack(second, 1)

    def _say_good_bye(self, client: Client) -> None:
        """Good-bye on purpose: the last will is not sent, so we say ourselves that we are gone."""
        self._follow_orders(client)
        last = client.publish(SERVER_PRESENCE, _presence(False), qos=1, retain=True)
        until = time.monotonic() + 2
        while not last.is_published() and client.socket() is not None and time.monotonic() < until:
            self._exchange(client)
        if client.socket() is not None:
            client.disconnect()
        while client.socket() is not None and client.want_write() and time.monotonic() < until:
            self._exchange(client)

    def _exchange(self, client: Client) -> None:
        sock: Any = client.socket()
        readable, writable, _ = select.select([sock], [sock] if client.want_write() else [], [], 0.1)
        if readable:
            client.loop_read()
        if writable and client.socket() is not None:
            client.loop_write()

    def _new_client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=False,
            protocol=MQTTv311,
            manual_ack=True,
        )
        client.connect_timeout = _CONNECT_TIMEOUT_S
        client.will_set(SERVER_PRESENCE, _presence(False), qos=1, retain=True)
        client.max_inflight_messages_set(1000)
        if self._address.user is not None:
            client.username_pw_set(self._address.user, self._address.password)
        if self._address.tls:
            client.tls_set_context(ssl.create_default_context(cadata=self._authority or None))
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        # With this set paho leaves writing to our loop instead of writing from inside publish and ack.
        client.on_socket_register_write = _nothing
        return client

    def _on_connect(
        self,
        client: Client,
        userdata: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._refused = f"the broker refused us: {reason}"
            return
        client.subscribe([(name, 1) for name in server_filters()])
        client.publish(SERVER_PRESENCE, _presence(True), qos=1, retain=True)
        self.connection += 1
        self.connected = True
        if self._troubled:
            self._troubled = False
            _log.info("broker_back", session_kept=flags.session_present)

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        # An exception here would end the connection, and the broker would send the same message again.
        self._received += 1
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "\ufffd"
        payload = bytes(message.payload)
        size = len(payload)
        if size > MAX_KEPT:
            payload = payload[:MAX_KEPT]
        self._inbox.put(Letter(topic, payload, size, time.time(), message.mid, message.qos, client))


def _presence(online: bool) -> bytes:
    return codec.encode(ServerPresence(online=online))


def _nothing(*_: object) -> None:
    """Our own loop looks whether there is something to write."""
