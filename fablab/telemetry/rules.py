"""Which messages count, how fresh a status is, which times are believable: pure decisions."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

# Every code a bridge's registration can be refused with, and what it means.
REFUSAL_CODES = {
    "bridge_exists": "The lab has a bridge of this name.",
    "user_taken": "Another lab's bridge has the user name.",
    "two_valid": "Two passwords of the bridge are valid already.",
}


class Verdict(Enum):
    """What to do with a numbered message."""

    DUPLICATE = "duplicate"  # it is in the database already
    APPLY = "apply"  # it is the next one
    HOLD = "hold"  # earlier ones are missing: leave it, the bridge sends again from the first missing one
    ACCEPT_GAP = "accept_gap"  # the missing ones did not come in time: give them up and apply it


class Mark(NamedTuple):
    """How far an outbox is: all up to ``committed`` is in the database; since when a later one waits."""

    committed: int = 0
    gap_since: datetime | None = None


def judge(mark: Mark, seq: int, now: datetime, gap_accept_s: int) -> tuple[Verdict, Mark]:
    """The verdict on message ``seq``, and the mark after it. The receiver's side of go-back-N.

    Only the next message is ever applied, so what is applied is complete and in order. A hole is waited for
    ``gap_accept_s`` from its first sight; the bridge sends everything again sooner than that.
    """
    if seq <= mark.committed:
        return Verdict.DUPLICATE, mark
    if seq == mark.committed + 1:
        return Verdict.APPLY, Mark(seq)
    if mark.gap_since is None:
        return Verdict.HOLD, Mark(mark.committed, now)
    if now - mark.gap_since < timedelta(seconds=gap_accept_s):
        return Verdict.HOLD, mark
    return Verdict.ACCEPT_GAP, Mark(seq)


def believable_span(now: datetime, oldest_days: int, newest_s: int) -> tuple[datetime, datetime]:
    """The first and last instant a bridge's stamp can truly have; outside, its clock was never set."""
    return now - timedelta(days=oldest_days), now + timedelta(seconds=newest_s)


def is_fresh(seen_at: datetime, bridge_online: bool, now: datetime, silent_after_s: int) -> bool:
    """Whether a machine's last word still describes it."""
    return bridge_online and now - seen_at <= timedelta(seconds=silent_after_s)


def offline_counts(current_boot: str | None, boot: str) -> bool:
    """Whether a good-bye ends the connection we know: a late last will of an earlier start does not."""
    return current_boot is None or current_boot == boot
