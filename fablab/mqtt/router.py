"""From a topic and bytes to a message of the domain; nothing is too broken for it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from fablab.mqtt.inbox import Letter
from fablab.telemetry.incoming import Incoming
from firmware_bridge.wire.codec import MAX_PAYLOAD, Unreadable, decode
from firmware_bridge.wire.messages import MessageId, Numbered
from firmware_bridge.wire.topics import NUMBERED, ForeignTopic, Kind, Topic, parse

_parse = lru_cache(maxsize=8192)(parse)


class _Envelope(msgspec.Struct):
    id: MessageId


_envelope = msgspec.json.Decoder(_Envelope).decode


_OWN = frozenset({Kind.COMMITTED, Kind.COMMAND, Kind.SERVER_PRESENCE})


def read(letter: Letter) -> Incoming | None:
    """What a letter means, or why it means nothing; None for what the server itself has written."""
    received_at = datetime.fromtimestamp(letter.received_at, UTC)
    try:
        topic = _parse(letter.topic)
    except ForeignTopic as error:
        return _dead(letter, received_at, None, str(error))
    if topic.kind in _OWN:
        return None
    if letter.size > MAX_PAYLOAD:
        return _dead(letter, received_at, topic, f"payload of {letter.size} bytes; at most {MAX_PAYLOAD}")
    try:
        message = decode(topic.kind, letter.payload)
    except Unreadable as error:
        return _dead(letter, received_at, topic, error.reason)
    return Incoming(
        letter.topic,
        letter.payload,
        letter.size,
        received_at,
        topic.lab,
        topic.subject,
        topic.kind,
        message.id if isinstance(message, Numbered) else None,
        message,
    )


def _dead(letter: Letter, received_at: datetime, topic: Topic | None, reason: str) -> Incoming:
    if topic is None:
        return Incoming(letter.topic, letter.payload, letter.size, received_at, reason=reason)
    return Incoming(
        letter.topic,
        letter.payload,
        letter.size,
        received_at,
        topic.lab,
        topic.subject,
        topic.kind,
        _number_of(letter.payload) if topic.kind in NUMBERED else None,
        reason=reason,
    )


def _number_of(payload: bytes) -> MessageId | None:
    """The number of a message of which nothing else may be readable."""
    try:
        return _envelope(payload).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
