"""What comes again: rules of RFC 5545 in the wall time of a place, and the instants its clocks give them.

A subset: FREQ of days, weeks, months or years with INTERVAL, BYDAY, BYMONTHDAY, BYSETPOS, WKST, and an end by
COUNT or UNTIL. Wall times are naive datetimes. Where a clock is moved:

- what recurs keeps its wall time, so that 18:00 stays 18:00 on either side;
- a wall time that the clock skips means the instant of the skip, one that it shows twice the first of two;
- how long a span takes follows from its two ends: 01:00 to 05:00 is five hours in the night that repeats one.
"""

from __future__ import annotations

import itertools
import re
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from fablab.errors import Refusal
from fablab.machines.rules import Span, instant_of

OCCURRENCES_MOST = 366
INTERVAL_MOST = 1000
LONGEST_TEXT = 500
# Nothing that ends is looked for beyond this: a rule that never comes true must not be searched for long.
YEARS_MOST = 10

FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_NUMBER = re.compile(r"[+-]?\d{1,7}", re.ASCII)
_BY_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_UNTIL = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?", re.ASCII)


class BadRule(ValueError):
    """A rule that cannot be used; the refusal says what to write instead."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


@dataclass(frozen=True)
class Recurrence:
    """A rule that was read. ``by_day`` are (which one, 0 for each; weekday, Monday is 0).

    ``until`` is the last wall time that still counts.
    """

    frequency: str
    interval: int = 1
    by_day: tuple[tuple[int, int], ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_position: tuple[int, ...] = ()
    count: int | None = None
    until: datetime | None = None
    week_starts: int = 0

    @property
    def endless(self) -> bool:
        return self.count is None and self.until is None

    @property
    def text(self) -> str:
        """The rule as RFC 5545 writes it, always in the same order; `parse` reads it to the same rule."""
        parts = [f"FREQ={self.frequency}"]
        if self.interval != 1:
            parts.append(f"INTERVAL={self.interval}")
        if self.by_day:
            parts.append(f"BYDAY={','.join(f'{nth or str()}{DAYS[day]}' for nth, day in self.by_day)}")
        if self.by_month_day:
            parts.append(f"BYMONTHDAY={','.join(map(str, self.by_month_day))}")
        if self.by_position:
            parts.append(f"BYSETPOS={','.join(map(str, self.by_position))}")
        if self.count is not None:
            parts.append(f"COUNT={self.count}")
        if self.until is not None:
            parts.append(f"UNTIL={self.until:%Y%m%dT%H%M%S}")
        if self.week_starts:
            parts.append(f"WKST={DAYS[self.week_starts]}")
        return ";".join(parts)


def parse(text: str, zone: str, *, endless: bool = False) -> Recurrence:
    """Read a rule strictly: what is unknown, said twice, out of range or without end is refused.

    UNTIL may be a day (which counts whole), a wall time, or an instant in UTC, which is turned into the wall
    time of ``zone``. ``endless`` allows rules without end. Raises BadRule.
    """
    parts = _parts(text)
    frequency = parts.pop("FREQ", "")
    if frequency not in FREQUENCIES:
        raise _bad(f"FREQ must be one of {', '.join(FREQUENCIES)}, such as FREQ=WEEKLY;COUNT=10.")
    [interval] = _numbers(parts, "INTERVAL", 1, INTERVAL_MOST, single=True) or [1]
    counts = _numbers(parts, "COUNT", 1, 10**7, single=True)
    rule = Recurrence(
        frequency,
        interval,
        _by_day(parts, frequency),
        _numbers(parts, "BYMONTHDAY", -31, 31),
        _numbers(parts, "BYSETPOS", -366, 366),
        counts[0] if counts else None,
        _until(parts, zone),
        _week_starts(parts),
    )
    if parts:
        raise _bad(f"{', '.join(parts)[:60]} cannot be used here; see FREQ, INTERVAL, BYDAY, COUNT, UNTIL.")
    if rule.by_month_day and frequency == "WEEKLY":
        raise _bad("BYMONTHDAY does not go with FREQ=WEEKLY.")
    if rule.by_position and not (rule.by_day or rule.by_month_day):
        raise _bad("BYSETPOS chooses among the days of BYDAY or BYMONTHDAY; add one of them.")
    if rule.count is not None and rule.until is not None:
        raise _bad("Give COUNT or UNTIL, not both.")
    if rule.endless and not endless:
        raise BadRule(
            Refusal(
                "rrule_without_end",
                "rrule",
                "The rule never ends. Say how often, as in FREQ=WEEKLY;COUNT=10, "
                "or until when, as in FREQ=WEEKLY;UNTIL=20270630.",
            )
        )
    return rule


def occurrences(rule: Recurrence, first: datetime, most: int = OCCURRENCES_MOST) -> list[datetime]:
    """Every wall time at which it starts, the first one included.

    Looks at ``most`` + 1 of them at most, and no further than ten years ahead, whatever the rule says. Raises
    BadRule where there are more, or the first is not one of them.
    """
    if rule.endless:
        raise ValueError("it has no end")
    if rule.count is not None and rule.count > most:
        raise _too_many(f"{rule.count:,}".replace(",", " "), most)
    horizon = _years_on(first, YEARS_MOST)
    if rule.until is not None and rule.until > horizon:
        raise _too_many(f"occurrences until {rule.until:%Y}: more than {YEARS_MOST} years of", most)
    found = list(itertools.islice(_expand(replace(rule, count=None), first, first, horizon), most + 1))
    if rule.count is not None:
        if len(found) < rule.count:
            raise _bad(f"It does not come true {rule.count} times within {YEARS_MOST} years.")
        found = found[: rule.count]
    if len(found) > most:
        raise _too_many(f"more than {most}", most)
    if not found or found[0] != first:
        raise _bad(
            f"It does not name {DAY_NAMES[first.weekday()]} {first:%Y-%m-%d}, the day of the first one. "
            "Begin on a day that the rule names, or change the rule."
        )
    return found


def occurrences_between(
    rule: Recurrence, first: datetime, since: datetime, until: datetime
) -> Iterator[datetime]:
    """The wall times in [since, until) at which it starts, in order; the first one counts, named or not.

    What lies before is not walked through one by one, unless the rule has a COUNT.
    """
    near = first if rule.count is not None else max(since, first)
    later = (start for start in _expand(rule, first, near, until) if start > first)
    for start in itertools.islice(itertools.chain([first], later), rule.count):
        if since <= start < until:
            yield start


def instants(wall_starts: datetime, wall_ends: datetime, zone: str) -> Span | None:
    """The span between two wall times, in UTC; None where the clock skips all of it."""
    span = Span(instant(wall_starts, zone), instant(wall_ends, zone))
    return span if span.starts_at < span.ends_at else None


def instant(wall: datetime, zone: str) -> datetime:
    """The instant, in UTC, at which clocks show this: the first of two; where they never do, the skip's."""
    return instant_of(wall, ZoneInfo(zone))


def shows(at: datetime, wall: datetime, zone: str) -> bool:
    """Whether the instant is what the wall time means, or the second at which clocks show it."""
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall or at == instant(wall, zone)


def _expand(rule: Recurrence, first: datetime, since: datetime, until: datetime) -> Iterator[datetime]:
    """Wall times in [since, until), in order, from ``first`` on at the earliest. COUNT is not looked at.

    Walks period by period and ends at ``until`` whatever the rule says. The library for this (dateutil) walks
    to the year 9999 through a rule that never comes true; the tests compare with it.
    """
    for days in _periods(rule, first.date(), since.date(), until.date()):
        for day in _chosen(days, rule.by_position):
            at = datetime.combine(day, first.time())
            if at >= until or (rule.until is not None and at > rule.until):
                return
            if at >= first and at >= since:
                yield at


def _periods(rule: Recurrence, first: date, since: date, until: date) -> Iterator[list[date]]:
    """For every period that may reach into the range, the days in it that the rule names."""
    if rule.frequency in ("DAILY", "WEEKLY"):
        days = 7 if rule.frequency == "WEEKLY" else 1
        begins = first - timedelta(days=(first.weekday() - rule.week_starts) % days)
        step = timedelta(days=days * rule.interval)
        begins += max(0, (since - begins) // step) * step
        while begins <= until:
            yield _named(rule, first, [begins + timedelta(days=each) for each in range(days)])
            begins += step
        return
    length = 12 if rule.frequency == "YEARLY" else 1
    step_months = length * rule.interval
    month = (first.year * 12 + first.month - 1) // length * length
    month += max(0, (since.year * 12 + since.month - 1 - month) // step_months) * step_months
    while (begins := date(month // 12, month % 12 + 1, 1)) <= until:
        last = month + length
        ends = date(last // 12, last % 12 + 1, 1)
        yield _named(rule, first, [begins + timedelta(days=each) for each in range((ends - begins).days)])
        month += step_months


def _named(rule: Recurrence, first: date, days: Sequence[date]) -> list[date]:
    """Of the days of a period those that the rule names; what it leaves open is as on the first one."""
    named = bool(rule.by_day or rule.by_month_day)
    found = []
    for number, day in enumerate(days):
        # Which of its weekdays it is in the period, counted from either end.
        nths = (0, number // 7 + 1, -((len(days) - 1 - number) // 7 + 1))
        if rule.by_day and not any(weekday == day.weekday() and nth in nths for nth, weekday in rule.by_day):
            continue
        if rule.by_month_day and not {day.day, day.day - _month_length(day) - 1} & set(rule.by_month_day):
            continue
        if not named and not _like_the_first(rule.frequency, first, day):
            continue
        found.append(day)
    return found


def _like_the_first(frequency: str, first: date, day: date) -> bool:
    match frequency:
        case "WEEKLY":
            return day.weekday() == first.weekday()
        case "MONTHLY":
            return day.day == first.day
        case "YEARLY":
            return (day.month, day.day) == (first.month, first.day)
    return True


def _chosen(days: list[date], positions: Sequence[int]) -> list[date]:
    """The days at these positions, counted from 1 or, from the end, from -1; all where there are none."""
    if not positions:
        return days
    numbers = {each - 1 if each > 0 else len(days) + each for each in positions}
    return [days[each] for each in sorted(numbers) if 0 <= each < len(days)]


def _month_length(day: date) -> int:
    return monthrange(day.year, day.month)[1]


def _parts(text: str) -> dict[str, str]:
    plain = text.strip().upper().removeprefix("RRULE:")
    if not plain or len(plain) > LONGEST_TEXT:
        raise _bad(f"It must have 1 to {LONGEST_TEXT} characters, such as FREQ=WEEKLY;COUNT=10.")
    found: dict[str, str] = {}
    for part in plain.split(";"):
        name, equals, value = part.partition("=")
        if not (name and equals and value):
            raise _bad(f"{part[:40]!r} is not NAME=VALUE; parts are separated by semicolons.")
        if name in found:
            raise _bad(f"{name[:40]} stands in it twice.")
        found[name] = value
    return found


def _numbers(
    parts: dict[str, str], name: str, least: int, most: int, *, single: bool = False
) -> tuple[int, ...]:
    if name not in parts:
        return ()
    texts = parts.pop(name).split(",")
    if (single and len(texts) > 1) or not all(_NUMBER.fullmatch(each) for each in texts):
        raise _bad(f"{name} must be {'a whole number' if single else 'whole numbers with commas between'}.")
    numbers = tuple(dict.fromkeys(int(each) for each in texts))
    if any(number == 0 or not least <= number <= most for number in numbers):
        raise _bad(f"{name} must lie between {least} and {most}{' and not be 0' if least < 0 else ''}.")
    return numbers


def _by_day(parts: dict[str, str], frequency: str) -> tuple[tuple[int, int], ...]:
    if "BYDAY" not in parts:
        return ()
    found = []
    for each in parts.pop("BYDAY").split(","):
        match = _BY_DAY.fullmatch(each)
        if match is None:
            raise _bad(f"BYDAY names days as {', '.join(DAYS)}, or as 2TU with a number; not {each[:20]!r}.")
        nth = int(match[1]) if match[1] else 0
        most = {"MONTHLY": 5, "YEARLY": 53}.get(frequency, 0)
        if match[1] and (nth == 0 or abs(nth) > most):
            why = "there is no such day" if most else f"numbers do not go with FREQ={frequency}"
            raise _bad(f"BYDAY={each}: {why}.")
        found.append((nth, DAYS.index(match[2])))
    return tuple(dict.fromkeys(found))


def _until(parts: dict[str, str], zone: str) -> datetime | None:
    if "UNTIL" not in parts:
        return None
    text = parts.pop("UNTIL")
    match = _UNTIL.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        day = datetime.strptime(match[1], "%Y%m%d").date()  # noqa: DTZ007 - wall time
        if match[2] is None:
            return datetime.combine(day, time.max.replace(microsecond=0))
        wall = datetime.combine(day, datetime.strptime(match[2], "%H%M%S").time())  # noqa: DTZ007
        if not match[3]:
            return wall
        return wall.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise _bad(
            f"UNTIL must be a day or a time, 20270630 or 20270630T180000, not {text[:30]!r}."
        ) from None


def _week_starts(parts: dict[str, str]) -> int:
    day = parts.pop("WKST", "MO")
    if day not in DAYS:
        raise _bad(f"WKST must be one of {', '.join(DAYS)}.")
    return DAYS.index(day)


def _years_on(wall: datetime, years: int) -> datetime:
    return wall + timedelta(days=366 * years)


def _bad(message: str) -> BadRule:
    return BadRule(Refusal("bad_rrule", "rrule", f"The rule cannot be used. {message}"))


def _too_many(what: str, most: int) -> BadRule:
    return BadRule(
        Refusal(
            "too_many_occurrences",
            "rrule",
            f"The rule has {what} occurrences; {most} at most. Give a smaller COUNT or earlier UNTIL.",
            {"most": most},
        )
    )
