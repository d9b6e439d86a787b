"""Which stored messages to send next. Pure bookkeeping: no clock of its own, no socket.

The server confirms with `committed` from end to end; the broker's own acknowledgement counts for nothing
here. Sending goes back to the first unconfirmed message (go-back-N) when a connection begins, when the server
returns, when it has less than we believed, or when nothing was confirmed for a while.
"""

from dataclasses import dataclass, field

LATE_AFTER_S = 30.0
"""A message older than this at its first sending is history."""

SETTLE_S = 1.0
"""A smaller `committed` may be an old one from the broker's queue: believe it once it is the last word."""

SLOWEST = 8
"""Unanswered repeats slow down to this many times the set interval."""


@dataclass
class Window:
    """The state of sending. Times are monotonic seconds."""

    size: int
    resend_after_s: float
    committed: int = 0
    next_seq: int = 1
    server_online: bool = False
    """Unknown counts as away: the server's presence is retained, so whoever listens is known at once."""
    offline_upto: int = 0
    """Messages up to this number were made while the line was down."""
    progress_mono: float = 0.0
    patience: int = 1
    _late: dict[int, bool] = field(default_factory=dict)
    _smaller: tuple[int, float] | None = None

    def connected(self, now: float, last_seq: int) -> None:
        """A connection begins; everything stored so far was made without one."""
        self.offline_upto = max(self.offline_upto, last_seq)
        self.server_online = False
        self.go_back(now)

    def go_back(self, now: float) -> None:
        """Send again from the first unconfirmed message."""
        self.next_seq = self.committed + 1
        self.progress_mono = now

    def server_said(self, online: bool, now: float) -> None:
        """The server's presence."""
        if online and not self.server_online:
            self.patience = 1
            self.go_back(now)
        self.server_online = online

    def server_has(self, seq: int, now: float) -> bool:
        """The server's `committed`; True when messages up to it may be forgotten."""
        if seq < self.committed:
            self._smaller = (seq, now)
            return False
        self._smaller = None
        if seq > self.committed:
            self._late = {later: flag for later, flag in self._late.items() if later > seq}
            self.committed = seq
            self.next_seq = max(self.next_seq, seq + 1)
            self.progress_mono, self.patience = now, 1
        return True

    @property
    def uncertain(self) -> bool:
        """A smaller confirmation waits to be believed: `check` soon."""
        return self._smaller is not None

    def room(self) -> int:
        """How many messages may be sent now."""
        if not self.server_online:
            return 0
        return max(0, self.size - (self.next_seq - 1 - self.committed))

    def sent(self, seq: int, age_s: float) -> bool:
        """The message goes out now; True when it is to be marked historical. The first sending decides."""
        self.next_seq = seq + 1
        if seq not in self._late:
            self._late[seq] = age_s > LATE_AFTER_S or seq <= self.offline_upto
        return self._late[seq]

    def check(self, now: float) -> bool:
        """Called now and then; True when it went back to send again."""
        if self._smaller is not None and now - self._smaller[1] >= SETTLE_S:
            self._smaller = None
            self.go_back(now)
            return True
        waiting = self.next_seq - 1 > self.committed
        if not waiting or not self.server_online:
            self.progress_mono = now
            return False
        if now - self.progress_mono < self.resend_after_s * self.patience:
            return False
        self.patience = min(self.patience * 2, SLOWEST)
        self.go_back(now)
        return True

    def renewed(self, now: float) -> None:
        """The outbox took a new identity: nothing of it is confirmed."""
        self.committed, self.offline_upto, self._smaller = 0, 0, None
        self._late.clear()
        self.go_back(now)
