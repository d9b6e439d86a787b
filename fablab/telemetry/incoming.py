"""A message on its way into the database: what came, and what it means."""

from __future__ import annotations

from datetime import datetime

import msgspec

from firmware_bridge.wire.messages import Message, MessageId
from firmware_bridge.wire.topics import Kind

MAX_KEPT = 64 * 1024
"""Bytes of a payload that are kept for the dead letters."""


class Incoming(msgspec.Struct, frozen=True):
    """One message. Either `message` is set, or `reason` says why it is a dead letter.

    ``id`` is set whenever it could be read, so that a dead letter too can count as committed.
    ``payload`` is cut at MAX_KEPT; ``size`` is what came.
    """

    topic: str
    payload: bytes
    size: int
    received_at: datetime
    lab: str = ""
    subject: str = ""
    kind: Kind | None = None
    id: MessageId | None = None
    message: Message | None = None
    reason: str | None = None

    def dead(self, reason: str) -> Incoming:
        """The same message as a dead letter."""
        return msgspec.structs.replace(self, message=None, reason=reason)
