"""Messages to JSON and back.

Decoding is the only validation a message needs: what comes out is complete and within bounds.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from firmware_bridge.wire import messages
from firmware_bridge.wire.messages import Message
from firmware_bridge.wire.topics import Kind

MAX_PAYLOAD = 64 * 1024
"""Bytes. The largest honest message is a status with a few dozen sensors: about 4 kB."""

_TYPES: dict[Kind, type[Message]] = {
    Kind.PRESENCE: messages.Presence,
    Kind.COMMITTED: messages.Committed,
    Kind.STATUS: messages.Status,
    Kind.EVENT: messages.Event,
    Kind.READING: messages.Reading,
    Kind.COMMAND: messages.Command,
    Kind.ACK: messages.Ack,
    Kind.SERVER_PRESENCE: messages.ServerPresence,
}
_DECODERS: dict[Kind, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(type_) for kind, type_ in _TYPES.items()
}
_KINDS = {type_: kind for kind, type_ in _TYPES.items()}
_ENCODER = msgspec.json.Encoder()


class Unreadable(ValueError):
    """A payload that is no message of its topic; `reason` names the field and the fault."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def kind_of(message: Message) -> Kind:
    """Which kind of topic carries this message."""
    return _KINDS[type(message)]


def encode(message: Message) -> bytes:
    """UTF-8 JSON; instants as RFC 3339 in UTC with milliseconds. Raises Unreadable when too large."""
    # msgspec itself would write six decimals; the contract says three.
    plain = msgspec.to_builtins(message, builtin_types=(datetime,))
    payload = _ENCODER.encode(_with_milliseconds(plain))
    if len(payload) > MAX_PAYLOAD:
        raise Unreadable(f"message of {len(payload)} bytes; at most {MAX_PAYLOAD}")
    return payload


def decode(kind: Kind, payload: bytes) -> Message:
    """The typed message of a topic's kind. Raises Unreadable for anything that breaks the contract."""
    if len(payload) > MAX_PAYLOAD:
        raise Unreadable(f"payload of {len(payload)} bytes; at most {MAX_PAYLOAD}")
    try:
        message: Message = _DECODERS[kind].decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(str(error) or type(error).__name__) from None
    return message


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, `2026-11-22T06:50:27.123Z`. Raises ValueError for a naive time."""
    if moment.tzinfo is None:
        raise ValueError("an instant needs an offset")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _with_milliseconds(plain: Any) -> Any:
    if isinstance(plain, dict):
        return {key: _with_milliseconds(value) for key, value in plain.items()}
    if isinstance(plain, datetime):
        return instant(plain)
    return plain
