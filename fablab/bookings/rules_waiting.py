"""Waiting in line: what may be waited for, until when a span is kept, and where one fits. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from fablab.bookings.wording import refusal
from fablab.errors import Refusal

# Every code with which waiting, or taking what is kept, is refused. The API's document is made from it.
REFUSAL_CODES = {
    "waiting_window": "The window is over, too short for what is wanted, or reaches too far ahead.",
    "waiting_too_many": "The member is in as many lines as one may be in at a time.",
    "waiting_already": "The member waits for the same thing in a window that overlaps this one.",
    "free_already": "There is a free span that fits; no line is needed.",
    "nothing_to_wait_for": "No machine fits what is waited for.",
    "hold_over": "What was kept for the member is not kept any more.",
    "not_waiting": "The member is not in that line any more.",
}
# Lines a member may stand in at a time: time that is kept for one is nobody's meanwhile.
WAITING_MOST = 10
# What begins sooner is not kept for anybody, it is simply free; and where the time allows, people get longer
# to read the mail and answer.
SHORTEST_HOLD, WELL_AHEAD = timedelta(minutes=2), timedelta(minutes=10)
# States in which one is still in line.
IN_LINE = ("waiting", "held")


@dataclass(frozen=True)
class Wanted:
    """A machine or any of a kind (ids), of one lab or any, for so long within [after, before)."""

    machine_id: int | None
    kind_id: int | None
    lab_id: int | None
    duration_s: int
    after: datetime
    before: datetime

    def same_thing(self, other: Wanted) -> bool:
        """Whether both wait for the same machine or kind at times that overlap."""
        return (
            self.machine_id == other.machine_id
            and self.kind_id == other.kind_id
            and (None in (self.lab_id, other.lab_id) or self.lab_id == other.lab_id)
            and self.after < other.before
            and other.after < self.before
        )


def window_refusals(wanted: Wanted, now: datetime, horizon_days: int) -> Iterator[Refusal]:
    """What is wrong with the window; it may reach as far ahead as bookings are taken."""
    length = timedelta(seconds=wanted.duration_s)
    horizon = now + timedelta(days=horizon_days) + length
    if wanted.before <= now:
        yield refusal("waiting_window", "before", case="over")
    elif wanted.before - max(wanted.after, now) < length:
        yield refusal("waiting_window", "before", case="short", length=length)
    elif wanted.after > horizon or wanted.before > horizon + timedelta(days=1):
        yield refusal("waiting_window", "before", case="far", days=horizon_days)


def line_refusals(wanted: Wanted, own: Collection[Wanted]) -> Iterator[Refusal]:
    """What speaks against one more line beside those the member stands in."""
    if any(wanted.same_thing(each) for each in own):
        yield refusal("waiting_already", "machine" if wanted.machine_id else "kind")
    if len(own) >= WAITING_MOST:
        yield refusal("waiting_too_many", "", most=WAITING_MOST)


def key_hash(key: str) -> str:
    """What is stored of the secret in a mail: its SHA-256."""
    return hashlib.sha256(key.encode()).hexdigest()


def kept_until(now: datetime, starts_at: datetime, hold_minutes: int) -> datetime | None:
    """Until when a span is kept that is offered now: so many minutes, but never past its start.

    None: it begins so soon, or the network keeps nothing, that there is nothing to offer.
    """
    until = min(now + timedelta(minutes=hold_minutes), starts_at)
    return until if until - now >= SHORTEST_HOLD else None


@dataclass(frozen=True)
class Within:
    """Starts that are looked at, in seconds since the epoch: [first, last]; none when last is smaller."""

    first: int
    last: int


def starts_within(
    wanted: Wanted,
    freed: tuple[datetime, datetime],
    setup_s: int,
    cleanup_s: int,
    earliest: datetime,
    horizon: datetime,
) -> Within:
    """The starts at which a booking lies in the window and uses, with its buffers, some of what came free.

    A start outside of these was possible before, or is not wanted. ``earliest`` and ``horizon`` bound it as
    the rules do.
    """
    since, until = (int(at.timestamp()) for at in freed)
    after = -int(-wanted.after.timestamp() // 1)
    soonest = -int(-earliest.timestamp() // 1)
    return Within(
        max(after, soonest, since - wanted.duration_s - cleanup_s + 1),
        min(
            int(wanted.before.timestamp()) - wanted.duration_s, int(horizon.timestamp()), until + setup_s - 1
        ),
    )
