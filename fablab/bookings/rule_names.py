"""Every rule that can be set for bookings, declared once: what it is called, counts and allows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fablab.bookings.facts import LONGEST_DAYS

HOUR, DAY = 3600, 86400


class Unit(StrEnum):
    """What a rule's value counts. Flags are true or false, everything else a whole number."""

    SECONDS = "seconds"
    MINUTES = "minutes"
    DAYS = "days"
    COUNT = "count"
    LEVEL = "level"
    FLAG = "flag"


@dataclass(frozen=True)
class RuleName:
    """A rule: its bounds, a title and a sentence for whoever sets it.

    With ``off`` the value 0 switches it off, whatever ``least`` says. The default stands in the settings'
    [bookings] under the same name, or, with ``of_machine``, with the machine.
    """

    name: str
    title: str
    about: str
    unit: Unit
    least: int = 0
    most: int = 1
    off: bool = False
    of_machine: bool = False

    @property
    def takes(self) -> str:
        """Which values it takes, as the case of a refusal: flag, number, number_or_off, grid."""
        if self.unit is Unit.FLAG:
            return "flag"
        if self.name == "grid_s":
            return "grid"
        return "number_or_off" if self.off else "number"

    def fits(self, value: Any) -> bool:
        """Whether the value is one that the rule takes."""
        if self.unit is Unit.FLAG or isinstance(value, bool):
            return self.unit is Unit.FLAG and isinstance(value, bool)
        if not isinstance(value, int):
            return False
        if self.off and value == 0:
            return True
        return self.least <= value <= self.most and self._divides_the_day(value)

    def _divides_the_day(self, value: int) -> bool:
        """Only such a grid begins anew at the same times every day."""
        return self.name != "grid_s" or DAY % value == 0


def _seconds(name: str, title: str, about: str, least: int, most: int, **more: bool) -> RuleName:
    return RuleName(name, title, about, Unit.SECONDS, least, most, **more)


def _quota(name: str, title: str, when: str) -> RuleName:
    about = f"Machine time a member may book {when}. Every second counts that lies where the rule holds."
    return _seconds(name, title, about, 60, 1000 * HOUR, off=True)


# In the order in which people read them.
RULES: tuple[RuleName, ...] = (
    _seconds("min_s", "Shortest booking", "A booking takes at least this long.", 60, LONGEST_DAYS * DAY),
    _seconds("max_s", "Longest booking", "A booking takes at most this long.", 60, LONGEST_DAYS * DAY),
    _seconds(
        "grid_s",
        "Grid",
        "Bookings start and end on multiples of this, counted from midnight on the lab's clock.",
        60,
        DAY,
        off=True,
    ),
    _seconds(
        "min_notice_s",
        "Notice",
        "A booking is made at least this long before it starts.",
        60,
        90 * DAY,
        off=True,
    ),
    RuleName("horizon_days", "Horizon", "Bookings start at most this many days ahead.", Unit.DAYS, 1, 731),
    _seconds("setup_s", "Set-up", "Time claimed before every booking to set up.", 0, DAY, of_machine=True),
    _seconds(
        "cleanup_s", "Clean-up", "Time claimed after every booking to clean up.", 0, DAY, of_machine=True
    ),
    RuleName(
        "max_ahead",
        "Bookings ahead",
        "Bookings still to come that a member may have at once where the rule holds. Several machines "
        "booked as one count once.",
        Unit.COUNT,
        1,
        1000,
        off=True,
    ),
    _quota("quota_day_s", "Hours a day", "for one local day"),
    _quota("quota_week_s", "Hours a week", "for one week from Monday to Sunday"),
    _quota("quota_month_s", "Hours a month", "for one month"),
    _quota("quota_evening_week_s", "Evening hours a week", "between 18:00 and midnight, for one week"),
    _quota("quota_weekend_month_s", "Week-end hours a month", "on Saturdays and Sundays, for one month"),
    RuleName(
        "one_of_kind",
        "One of a kind at a time",
        "A member has at most one machine of the kind at any moment.",
        Unit.FLAG,
    ),
    RuleName(
        "certification_level",
        "Certification",
        "Who books is certified on the machine or its kind at this level or a higher one, on the booking's "
        "last day: 1 basic, 2 on one's own, 3 teaches.",
        Unit.LEVEL,
        1,
        3,
        off=True,
    ),
    RuleName(
        "supervised_only",
        "Only under supervision",
        "Bookings lie inside the hours in which staff are in the lab.",
        Unit.FLAG,
    ),
    RuleName(
        "approvals",
        "Approvals",
        "A booking is a request until so many of the lab's staff have said yes.",
        Unit.COUNT,
        1,
        5,
        off=True,
    ),
    _seconds(
        "decide_within_s",
        "Time to decide",
        "A request is over when nobody has decided it for so long, and at the latest when it would start.",
        HOUR,
        60 * DAY,
        off=True,
    ),
    _seconds(
        "cancel_before_s",
        "Cancellation deadline",
        "Members cancel and move bookings until this long before the start; staff do at any time.",
        60,
        60 * DAY,
        off=True,
    ),
    _seconds(
        "check_in_before_s",
        "Check-in opens",
        "How long before the start one may check in.",
        0,
        DAY,
    ),
    _seconds(
        "no_show_after_s",
        "No-show after",
        "A booking that nobody has begun to use so long after its start is missed, and its time free again.",
        60,
        DAY,
        off=True,
    ),
    RuleName(
        "strikes",
        "Strikes",
        "So many missed bookings, which staff have not forgiven, suspend a member from booking.",
        Unit.COUNT,
        1,
        100,
        off=True,
    ),
    RuleName(
        "strike_window_days",
        "Strikes count for",
        "Missed bookings count together when they lie within so many days.",
        Unit.DAYS,
        1,
        365,
    ),
    RuleName(
        "suspension_days",
        "Suspension lasts",
        "A suspension ends so many days after the last missed booking.",
        Unit.DAYS,
        1,
        365,
    ),
    RuleName(
        "hold_minutes",
        "Holds last",
        "Time that came free is kept for the first in the waiting list for so many minutes.",
        Unit.MINUTES,
        1,
        7 * 1440,
    ),
    _seconds(
        "remind_before_s",
        "Reminder",
        "Members are reminded of a booking this long before it starts.",
        60,
        30 * DAY,
        off=True,
    ),
)
NAMES: Mapping[str, RuleName] = {each.name: each for each in RULES}
# Rules that ask what the member has booked, missed or is certified for. Where one that counts is in force,
# several requests of one member at once must wait for one another.
COUNTING = (
    "max_ahead",
    "quota_day_s",
    "quota_week_s",
    "quota_month_s",
    "quota_evening_week_s",
    "quota_weekend_month_s",
    "one_of_kind",
)
ASKING = (*COUNTING, "strikes", "certification_level")
