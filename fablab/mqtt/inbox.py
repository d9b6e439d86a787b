"""The bounded queue between the network's thread and the committer."""

from __future__ import annotations

import threading
import time
from collections import deque

import msgspec

MAX_BYTES = 16 * 1024 * 1024
"""Payload bytes held at most, and MAX_BATCH_BYTES in one batch: a Raspberry Pi has other uses for memory."""
MAX_BATCH_BYTES = 4 * 1024 * 1024


class Letter(msgspec.Struct, frozen=True, gc=False):
    """A message as it came on the connection ``line``. ``payload`` may be cut; ``size`` is what came."""

    topic: str
    payload: bytes
    size: int
    received_at: float
    mid: int
    qos: int
    line: object


class Inbox:
    """First in, first out, with room for so many messages and bytes. One writer, one reader."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._letters: deque[Letter] = deque()
        self._bytes = 0
        self._changed = threading.Condition()

    @property
    def full(self) -> bool:
        """Whether the network should wait before it reads more."""
        return len(self._letters) >= self._most or self._bytes >= MAX_BYTES

    def __len__(self) -> int:
        return len(self._letters)

    def put(self, letter: Letter) -> None:
        """Add one; the caller looks at `full` first, a few too many do no harm."""
        with self._changed:
            self._letters.append(letter)
            self._bytes += len(letter.payload)
            if len(self._letters) == 1 or self.full:
                self._changed.notify()

    def take(self, most: int, first_wait_s: float, company_s: float) -> list[Letter]:
        """Up to ``most`` letters: waits for a first one, then ``company_s`` for more. Empty if none came."""
        with self._changed:
            if not self._letters:
                self._changed.wait(first_wait_s)
        if not self._letters:
            return []
        until = time.monotonic() + company_s
        while len(self._letters) < most and not self.full and (left := until - time.monotonic()) > 0:
            # Sleeping in slices costs less than being woken by each message.
            time.sleep(min(left, 0.01))
        taken: list[Letter] = []
        size = 0
        with self._changed:
            while self._letters and len(taken) < most and size < MAX_BATCH_BYTES:
                letter = self._letters.popleft()
                size += len(letter.payload)
                taken.append(letter)
            self._bytes -= size
        return taken

    def clear(self) -> None:
        """Forget everything: the broker has it, unacknowledged."""
        with self._changed:
            self._letters.clear()
            self._bytes = 0
