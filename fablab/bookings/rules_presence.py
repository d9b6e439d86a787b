"""Coming and going: who checks in, from when on, and when nobody is waited for any longer. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from fablab.bookings.rules_people import Part
from fablab.bookings.wording import refusal
from fablab.errors import Refusal
from fablab.members.rules import Actor, may_manage_lab

REFUSAL_CODES = {
    "check_in_early": "Check-in is not open yet.",
    "not_to_check_in": "The booking is not one to check in to: not approved, given up, cancelled or over.",
    "not_to_check_out": "The booking is not one to check out of: nobody came to it, or it is over.",
}
# Who leaves at once still was there: a booking has a length.
SHORTEST = timedelta(minutes=1)


def may_check_in(actor: Actor, part: Part | None, lab_id: int) -> bool:
    """Say that somebody came, or is done: whose it is, who comes along, and whoever manages the lab."""
    return part in (Part.LEADER, Part.PARTICIPANT) or may_manage_lab(actor, lab_id)


def check_in_opens(starts_at: datetime, check_in_before_s: int) -> datetime:
    """From when on one may check in."""
    return starts_at - timedelta(seconds=check_in_before_s)


def given_up_at(starts_at: datetime, created_at: datetime, no_show_after_s: int) -> datetime | None:
    """When a booking is given up to which nobody came; None where that is not asked.

    Who books what has begun already gets as long as everybody else.
    """
    if no_show_after_s <= 0:
        return None
    return max(starts_at, created_at) + timedelta(seconds=no_show_after_s)


def nobody_came(
    state: str,
    starts_at: datetime,
    ends_at: datetime,
    created_at: datetime,
    no_show_after_s: int,
    now: datetime,
) -> bool:
    """Whether a booking under way is to be given up by now."""
    given_up = given_up_at(starts_at, created_at, no_show_after_s)
    return state == "confirmed" and given_up is not None and given_up <= now < ends_at


def check_in_refusal(
    state: str, starts_at: datetime, ends_at: datetime, zone: str, now: datetime, check_in_before_s: int
) -> Refusal | None:
    """What speaks against checking in now. ``state`` is 'missed' also for what is about to be given up."""
    if state in ("requested", "cancelled", "rejected", "missed"):
        return refusal("not_to_check_in", "state", case=state)
    if state == "completed" or now >= ends_at:
        return refusal("not_to_check_in", "state", case="over")
    opens = check_in_opens(starts_at, check_in_before_s)
    if now < opens:
        return refusal("check_in_early", "starts_at", at=opens.astimezone(ZoneInfo(zone)))
    return None


def check_out_refusal(state: str, ends_at: datetime, now: datetime) -> Refusal | None:
    """What speaks against saying "I am done" now."""
    if state == "started" and now < ends_at:
        return None
    case = "not_begun" if state in ("requested", "confirmed") and now < ends_at else "over"
    return refusal("not_to_check_out", "state", case=case)


def shortened_end(starts_at: datetime, ends_at: datetime, now: datetime) -> datetime:
    """Where a booking ends that its holder is done with now."""
    return min(ends_at, max(now.replace(microsecond=0), starts_at + SHORTEST))


def reminder_due(starts_at: datetime, created_at: datetime, remind_before_s: int, now: datetime) -> bool:
    """Whether to remind of a booking to come; not where it was made later than the reminder was due."""
    due = starts_at - timedelta(seconds=remind_before_s)
    return remind_before_s > 0 and created_at <= due <= now < starts_at
