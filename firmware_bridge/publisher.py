"""The line to the broker. The only bridge file that knows paho.

One thread connects, sends what the outbox holds and waits for news; paho's own thread moves the bytes and
calls back. Each connection gets a fresh client: what an old one still queued would arrive out of order.
"""

import functools
import logging
import random
import ssl
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from firmware_bridge import __version__
from firmware_bridge.outbox import FLUSH_AFTER_S, Outbox, Parcel
from firmware_bridge.settings import Broker, Settings
from firmware_bridge.window import Window
from firmware_bridge.wire.codec import Unreadable, decode, encode
from firmware_bridge.wire.messages import (
    Ack,
    Command,
    Committed,
    Event,
    Presence,
    Reading,
    ServerPresence,
    Status,
)
from firmware_bridge.wire.topics import ForeignTopic, Kind, Topic, bridge_filters, parse

log = logging.getLogger(__name__)

KEEPALIVE_S = 15
CONNECT_S = 5.0
CONNACK_S = 10.0
FIRST_WAIT_S, LONGEST_WAIT_S, WAIT_GROWTH = 0.5, 20.0, 1.5
FAREWELL_S = 1.0
IN_FLIGHT = 100
BATCH = 100
IDLE_S = 5.0
HOPELESS = 4
"""Repeats without any answer before the connection itself is suspected and made anew."""


def _survive(callback: Callable[..., None]) -> Callable[..., None]:
    """An exception in a callback would silently end paho's thread while it still claims to be connected."""

    @functools.wraps(callback)
    def guarded(*args: Any) -> None:
        try:
            callback(*args)
        except Exception:
            log.exception("a broker callback failed")

    return guarded


class Publisher:
    """Sends one bridge's outbox and hands incoming commands over."""

    def __init__(
        self,
        settings: Settings,
        outbox: Outbox,
        boot: UUID,
        on_command: Callable[[str, Command], None],
        on_connected: Callable[[], None],
    ) -> None:
        self._settings, self._outbox, self._boot = settings, outbox, boot
        self._on_command, self._on_connected = on_command, on_connected
        self._window = Window(settings.broker.window, settings.broker.resend_after_s, outbox.committed)
        self._window.next_seq = outbox.committed + 1
        self._changed = threading.Condition()
        self._stopping = False
        self._client: mqtt.Client | None = None
        self._connected = self._gone = False
        self._trouble: str | None = None
        self._refusal: str | None = None
        self._nudged = self._outdated = False
        self._thread = threading.Thread(target=self._run, name=f"broker-{settings.lab}", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us."""
        return self._connected

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def nudge(self) -> None:
        """Something new may be in the outbox."""
        with self._changed:
            self._nudged = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Say goodbye; does not wait."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def join(self, timeout: float) -> None:
        """Wait for the goodbye."""
        self._thread.join(timeout)

    # --- the connection

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._stopping:
            began = time.monotonic()
            try:
                why = self._connect_and_send()
            except Exception as error:
                # Without this thread nothing is sent until somebody restarts the bridge.
                why = f"sending failed ({type(error).__name__}: {error})"
                if why != self._trouble:
                    log.exception("broker: sending failed")
            if self._stopping:
                return
            if why != self._trouble:
                log.warning("broker: %s; keeping messages and trying again", why)
            self._trouble = why
            wait_s = (
                FIRST_WAIT_S if time.monotonic() - began > 30 else min(wait_s * WAIT_GROWTH, LONGEST_WAIT_S)
            )
            with self._changed:
                # Jitter: after a broker's restart all bridges of the network come back.
                pause_s = wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
                self._changed.wait_for(lambda: self._stopping, pause_s)
            self._keep_house()

    def _connect_and_send(self) -> str:
        """One connection from its beginning to its end; the answer says why it ended."""
        client = new_client(self._settings, f"fablab-bridge-{self._settings.lab}-{self._settings.name}")
        client.on_connect = _survive(self._connack)
        client.on_disconnect = _survive(self._disconnected)
        client.on_subscribe = _survive(self._suback)
        client.on_message = _survive(self._message)
        client.will_set(self._presence_topic, encode(Presence(online=False, boot=self._boot)), 1, True)
        self._connected = self._gone = False
        reason = "the connection was lost"
        try:
            client.connect(
                self._settings.broker.address.hostname or "", self._settings.broker.port, KEEPALIVE_S
            )
        except (OSError, ValueError) as error:
            return f"cannot connect ({error})"
        self._client = client
        client.loop_start()
        try:
            with self._changed:
                self._changed.wait_for(lambda: self._connected or self._gone or self._stopping, CONNACK_S)
            if self._connected:
                self._trouble = None
                self._welcome(client)
                self._send_until_gone(client)
            else:
                reason = self._refusal or "no answer from the broker"
            if self._stopping:
                self._farewell(client)
        finally:
            self._client, self._connected = None, False
            client.disconnect()
            client.loop_stop()
        return reason

    def _connack(self, client: mqtt.Client, _: Any, __: Any, code: Any, ___: Any) -> None:
        with self._changed:
            if code.is_failure:
                self._refusal, self._gone = f"refuses us: {code}", True
            else:
                self._refusal, self._connected = None, True
            self._changed.notify_all()

    def _disconnected(self, client: mqtt.Client, *_: Any) -> None:
        with self._changed:
            if client is self._client:
                self._gone, self._connected = True, False
                self._changed.notify_all()

    def _suback(self, client: mqtt.Client, _: Any, __: Any, codes: list[Any], ___: Any) -> None:
        if any(code.is_failure for code in codes):
            log.error("broker: refuses a subscription; commands or confirmations will not arrive (rights?)")

    def _welcome(self, client: mqtt.Client) -> None:
        log.info("broker: connected")
        self._outbox.flush()
        with self._changed:
            self._window.connected(time.monotonic(), self._outbox.last_seq)
        filters = bridge_filters(self._settings.lab, self._settings.name)
        client.subscribe([(name, 1) for name in filters])
        self._say_online(client)
        self._on_connected()

    def _say_online(self, client: mqtt.Client) -> None:
        presence = Presence(
            online=True,
            boot=self._boot,
            version=__version__,
            machines=[machine.slug for machine in self._settings.machine],
            outbox=self._outbox.id,
            at=datetime.now(UTC),
        )
        client.publish(self._presence_topic, encode(presence), 1, True)

    def _farewell(self, client: mqtt.Client) -> None:
        gone = client.publish(self._presence_topic, encode(Presence(online=False, boot=self._boot)), 1, True)
        try:
            gone.wait_for_publish(FAREWELL_S)
        except (ValueError, RuntimeError):
            return  # no connection: the last will says it

    @property
    def _presence_topic(self) -> str:
        return str(Topic(Kind.PRESENCE, self._settings.lab, self._settings.name))

    # --- sending

    def _send_until_gone(self, client: mqtt.Client) -> None:
        repeats = 0
        while not self._gone and not self._stopping:
            with self._changed:
                self._nudged = False
                progressed = self._window.committed
            if self._outdated:
                self._begin_anew(client)
            self._keep_house()
            self._send(client)
            with self._changed:
                soon = self._window.uncertain or self._outbox.durable_seq < self._outbox.last_seq
                self._changed.wait_for(lambda: self._awake, FLUSH_AFTER_S if soon else IDLE_S)
                if self._window.check(time.monotonic()):
                    repeats += 1
                    log.warning("broker: the server confirms nothing, sending again")
                if self._window.committed > progressed:
                    repeats = 0
            if repeats >= HOPELESS:
                return

    @property
    def _awake(self) -> bool:
        return self._nudged or self._gone or self._stopping

    def _keep_house(self) -> None:
        """Bring waiting readings to disk and drop what the server has."""
        try:
            self._outbox.forget(self._window.committed)
            self._outbox.flush(if_older_than_s=FLUSH_AFTER_S)
        except Exception:
            log.exception("outbox: cannot write")

    def _send(self, client: mqtt.Client) -> None:
        while not self._gone and not self._stopping:
            with self._changed:
                room, after = self._window.room(), self._window.next_seq - 1
            parcels = self._outbox.read(after, min(room, BATCH)) if room else []
            if not parcels:
                return
            for parcel in parcels:
                if not self._send_one(client, parcel, after):
                    return
                after = parcel.seq

    def _send_one(self, client: mqtt.Client, parcel: Parcel, after: int) -> bool:
        message = decode(parcel.kind, parcel.body)
        if not isinstance(message, Status | Event | Reading | Ack):
            raise TypeError(f"message {parcel.seq} has no number")
        age_s = (datetime.now(UTC) - message.at).total_seconds()
        with self._changed:
            if self._window.next_seq - 1 != after:
                return False  # went back or forward meanwhile: read again
            historical = self._window.sent(parcel.seq, age_s)
        body = encode(msgspec.structs.replace(message, historical=True)) if historical else parcel.body
        topic = Topic(parcel.kind, self._settings.lab, parcel.subject)
        # A late status must not become what a newcomer takes for the present.
        info = client.publish(str(topic), body, 1, topic.retained and not historical)
        return info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    # --- receiving

    def _message(self, client: mqtt.Client, _: Any, incoming: mqtt.MQTTMessage) -> None:
        try:
            topic = parse(incoming.topic)
            message = decode(topic.kind, bytes(incoming.payload))
        except (ForeignTopic, Unreadable) as error:
            log.warning("broker: an unreadable message on %.100s was dropped: %.200s", incoming.topic, error)
            return
        if isinstance(message, Command):
            self._on_command(topic.subject, message)
        elif isinstance(message, ServerPresence):
            with self._changed:
                if message.online != self._window.server_online:
                    log.info("server: is %s", "listening" if message.online else "away, holding data")
                self._window.server_said(message.online, time.monotonic())
            self.nudge()
        elif isinstance(message, Committed) and message.outbox == self._outbox.id:
            self._server_has(message.seq)

    def _server_has(self, seq: int) -> None:
        with self._changed:
            if seq > self._outbox.last_seq:
                self._outdated = True
            else:
                self._window.server_has(seq, time.monotonic())
        self.nudge()

    def _begin_anew(self, client: mqtt.Client) -> None:
        log.error("outbox: the server has more of it than we do (an old copy?); it gets a new identity")
        self._outbox.renew()
        with self._changed:
            self._outdated = False
            self._window.renewed(time.monotonic())
        self._say_online(client)


def new_client(settings: Settings, client_id: str, *, clean: bool = False) -> mqtt.Client:
    """A paho client with the settings' credentials; it never reconnects by itself."""
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=clean,
        protocol=mqtt.MQTTv311,
        reconnect_on_failure=False,
    )
    broker: Broker = settings.broker
    client.connect_timeout = CONNECT_S
    client.max_inflight_messages_set(IN_FLIGHT)
    if broker.user is not None:
        client.username_pw_set(broker.user, broker.password)
    if broker.tls:
        client.tls_set_context(ssl.create_default_context(cadata=broker.ca))
    return client


def probe(settings: Settings, timeout_s: float = 6.0) -> tuple[bool, str]:
    """Connect once under another client id and ask for our subscriptions: (well, what was found)."""
    found: list[tuple[bool, str]] = []
    accepted, done = threading.Event(), threading.Event()

    def lost(*_: Any) -> None:
        # Where a client is its user, the bridge at work and this check push one another out.
        if accepted.is_set():
            answer(True, "connected; the bridge at work took its place back")
        else:
            answer(False, "closed the connection")

    def answer(well: bool, words: str) -> None:
        found.append((well, words))
        done.set()

    def connack(client: mqtt.Client, _: Any, __: Any, code: Any, ___: Any) -> None:
        if code.is_failure:
            answer(False, f"refuses us: {code}")
        else:
            accepted.set()
            filters = bridge_filters(settings.lab, settings.name)
            client.subscribe([(name, 1) for name in filters])

    def suback(client: mqtt.Client, _: Any, __: Any, codes: list[Any], ___: Any) -> None:
        refused = any(code.is_failure for code in codes)
        answer(not refused, "refuses a subscription" if refused else "connected")

    client = new_client(settings, f"fablab-check-{settings.lab}-{settings.name}", clean=True)
    client.on_connect, client.on_subscribe = _survive(connack), _survive(suback)
    client.on_disconnect = _survive(lost)
    try:
        client.connect(settings.broker.address.hostname or "", settings.broker.port, KEEPALIVE_S)
    except (OSError, ValueError) as error:
        return False, f"cannot connect ({error})"
    client.loop_start()
    done.wait(timeout_s)
    client.disconnect()
    client.loop_stop()
    return found[0] if found else (False, "no answer in time")
