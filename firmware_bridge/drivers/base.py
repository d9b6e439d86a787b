"""What every driver offers, and the typed results that leave it.

A driver never raises for what a device does: a dead, hung or lying machine is a snapshot with a state
and a reason.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from firmware_bridge.snapshot import Heard, Progressed, Snapshot
from firmware_bridge.wire.messages import Action

Tell = Callable[[Heard | Progressed], None]
Wake = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Expecting:
    """The open job as the bridge knows it, so that a look can fetch evidence about its end."""

    file: str | None
    path: str | None
    origin: str | None
    position: int | None
    print_time_s: float | None


@dataclass(frozen=True, slots=True)
class Done:
    """The result of an order: whether the machine took it, and its words when it did not."""

    ok: bool
    detail: str | None = None


class Listener(Protocol):
    """A push connection that runs in its own thread."""

    def start(self) -> None:
        """Begin; connects once `allow` was called."""

    def allow(self, reachable: bool) -> None:
        """The poller's word whether connecting makes sense now; cuts a waiting time short."""

    def stop(self) -> None:
        """End soon; does not wait."""

    def join(self, timeout: float) -> None:
        """Wait for the end, at most `timeout` seconds."""


class Driver(Protocol):
    """One machine. `look` and `act` are only called from that machine's own worker thread."""

    def look(self, expecting: Expecting | None) -> Snapshot:
        """One complete look; returns within seconds whatever the machine does."""

    def act(self, action: Action) -> Done:
        """Carry out an order."""

    def pause_s(self, snapshot: Snapshot) -> float:
        """How long to wait before the next look, in seconds."""

    def listener(self, tell: Tell, wake: Wake) -> Listener | None:
        """A push connection feeding `tell`, calling `wake` when a look is due; None without push."""

    def close(self) -> None:
        """Let go of connections."""
