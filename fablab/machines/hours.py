"""When a lab and its machines are open: weeks, seasons and closures turned into spans of instants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from uuid import UUID
from zoneinfo import ZoneInfo

from fablab.machines.rules import (
    MIDNIGHT,
    OpenHours,
    Span,
    instant_of,
    joined,
    start_of_day,
    without,
)

# Days kept laid out at a time; one more forgets them all.
_DAYS_KEPT = 800
_DAY = timedelta(days=1)
Week = tuple[OpenHours, ...]
# (machine's id or None for the lab's own, season's id or None for the rest of the year).
Weeks = Mapping[tuple[int | None, int | None], Week]


@dataclass(frozen=True)
class Season:
    """Days, the last one included, with other hours. The highest priority counts, then the later start."""

    id: int
    label: str
    starts_on: date
    ends_on: date
    priority: int = 0


@dataclass(frozen=True)
class Closure:
    """A span of wall time in which a lab, or one machine of it, is closed.

    ``again`` gives the wall times at which it begins between two wall times, where it is repeated.
    ``unattended_too``: machines that may run unattended stand still. One machine's own binds it always.
    """

    label: str
    local_starts: datetime
    local_ends: datetime
    machine_id: int | None = None
    unattended_too: bool = False
    again: Callable[[datetime, datetime], Iterable[datetime]] | None = field(default=None, compare=False)

    def between(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Every span of it, in wall time, that touches [since, until)."""
        if self.again is None:
            if self.local_starts < until and self.local_ends > since:
                yield self.local_starts, self.local_ends
            return
        length = self.local_ends - self.local_starts
        for starts in self.again(since - length, until):
            if starts + length > since:
                yield starts, starts + length


@dataclass(frozen=True)
class OpenDay:
    """A local day and the spans that begin on it: a night belongs to the day it begins on.

    ``supervised`` are those with staff there. ``season`` and ``closure`` are the labels of what made the day
    other than usual.
    """

    on: date
    spans: tuple[Span, ...]
    supervised: tuple[Span, ...] = ()
    season: str | None = None
    closure: str | None = None


class _Closures:
    """Closures, found by the day they touch: calendars from elsewhere bring hundreds."""

    def __init__(self, closures: Iterable[Closure]) -> None:
        self._once: dict[date, list[Closure]] = defaultdict(list)
        self._again: list[Closure] = []
        for closure in closures:
            if closure.again is not None:
                self._again.append(closure)
                continue
            first, last = closure.local_starts.date(), closure.local_ends.date()
            for number in range((last - first).days + 1):
                self._once[first + timedelta(days=number)].append(closure)

    def between(self, first: date, last: date) -> Iterator[tuple[Closure, datetime, datetime]]:
        """Each with its spans of wall time that touch these days, the last one included; some come twice."""
        since, until = datetime.combine(first, MIDNIGHT), datetime.combine(last + _DAY, MIDNIGHT)
        days = (first + timedelta(days=number) for number in range((last - first).days + 1))
        for closure in (*self._again, *(each for day in days for each in self._once.get(day, ()))):
            for starts, ends in closure.between(since, until):
                yield closure, starts, ends


class MachineHours:
    """When one machine may be booked, or (the lab's own) when the lab is open.

    Days are remembered once they have been laid out, so an object lives as long as its hours do not change.
    """

    def __init__(
        self,
        zone: str,
        weeks: Sequence[tuple[Season | None, Week]],
        closures: Sequence[Closure],
        standstills: Sequence[Closure],
        *,
        unattended: bool,
    ) -> None:
        """``weeks``: the first one whose season holds a day counts on it; the last has none.

        ``closures`` are those that send the staff home, ``standstills`` those that stop the machine.
        """
        self.zone = zone
        self.unattended = unattended
        self._tz = ZoneInfo(zone)
        self._weeks = tuple(weeks)
        self._closures = _Closures(closures)
        self._standstills = _Closures(standstills)
        self._days: dict[date, OpenDay] = {}

    def open_spans(self, since: datetime, until: datetime) -> list[Span]:
        """Every instant of [since, until) at which it may be booked, as spans in UTC, sorted and apart."""
        return joined(span for day in self.open_days(since, until) for span in day.spans)

    def supervised_spans(self, since: datetime, until: datetime) -> list[Span]:
        """Every instant of [since, until) at which staff are there, as `open_spans` does."""
        return joined(span for day in self.open_days(since, until) for span in day.supervised)

    def open_days(self, since: datetime, until: datetime) -> Iterator[OpenDay]:
        """The local days that [since, until) touches, in order, their spans cut to that range.

        The day before is the first of them where its night reaches into the range.
        """
        if until <= since:
            return
        since, until = since.astimezone(UTC), until.astimezone(UTC)
        first = since.astimezone(self._tz).date()
        # One microsecond less: [.., midnight) does not touch the day that begins at midnight.
        last = (until - timedelta(microseconds=1)).astimezone(self._tz).date()
        before = _cut(self.day(first - _DAY), since, until)
        if before.spans or before.supervised:
            yield before
        for number in range((last - first).days + 1):
            day = self.day(first + timedelta(days=number))
            # Only the days at the ends, and the one whose night reaches out, can stick out of the range.
            inside = all(since <= span.starts_at and span.ends_at <= until for span in day.spans)
            yield day if inside and not self.unattended else _cut(day, since, until)

    def day(self, on: date) -> OpenDay:
        """One local day, whole.

        A day on which the clock changes is as long as it is: an opening that the change falls into is an hour
        longer or shorter. An opening inside the hour that is skipped opens or closes at the change; in the
        hour that comes twice it opens the first time and closes the last time.
        """
        known = self._days.get(on)
        if known is None:
            if len(self._days) >= _DAYS_KEPT:
                self._days.clear()
            known = self._days[on] = self._laid_out(on)
        return known

    def week_of(self, on: date) -> tuple[Season | None, Week]:
        """The week that counts on a local day, and the season that it is of."""
        for season, week in self._weeks:
            if season is None or season.starts_on <= on <= season.ends_on:
                return season, week
        return None, ()

    def _laid_out(self, on: date) -> OpenDay:
        season, week = self.week_of(on)
        opened, staffed = [], []
        for opening in week:
            if opening.weekday != on.weekday():
                continue
            span = self._span(on, opening)
            if span is not None:
                opened.append(span)
                staffed += [span] if opening.supervised else []
        closed, labels = self._closed(self._closures, on)
        supervised = without(sorted(staffed), closed)
        if self.unattended:
            # Its hours are those of the clock, so no season makes them.
            season = None
            closed, labels = self._closed(self._standstills, on)
            opened = [Span(start_of_day(on, self._tz), start_of_day(on + _DAY, self._tz))]
        return OpenDay(
            on,
            # Openings that touch stay two, as they were written; a closure cuts each.
            tuple(without(sorted(opened), closed)),
            tuple(supervised),
            None if season is None else season.label,
            ", ".join(labels) or None,
        )

    def _span(self, on: date, opening: OpenHours) -> Span | None:
        night = opening.closes <= opening.opens
        starts = instant_of(datetime.combine(on, opening.opens), self._tz)
        closes = datetime.combine(on + _DAY if night else on, opening.closes)
        # At midnight the next day begins, and it begins the first time.
        ends = instant_of(closes, self._tz, late=opening.closes != MIDNIGHT)
        return Span(starts, ends) if starts < ends else None

    def _closed(self, closures: _Closures, on: date) -> tuple[list[Span], list[str]]:
        """What is closed on this day and in the night after it; the labels of what touches the day itself."""
        midnight, next_midnight = (datetime.combine(each, MIDNIGHT) for each in (on, on + _DAY))
        spans, labels = [], []
        for closure, starts, ends in closures.between(on, on + _DAY):
            span = Span(instant_of(starts, self._tz), instant_of(ends, self._tz, late=True))
            if span.starts_at < span.ends_at:
                spans.append(span)
            if starts < next_midnight and ends > midnight and closure.label not in labels:
                labels.append(closure.label)
        return joined(spans), labels


@dataclass(frozen=True)
class Hours:
    """All hours of one lab: the weeks of it and of its machines, confirmed seasons and closures."""

    zone: str
    weeks: Weeks
    seasons: tuple[Season, ...] = ()
    closures: tuple[Closure, ...] = ()
    version: UUID | None = None
    _known: dict[tuple[int | None, bool], MachineHours] = field(
        default_factory=dict, compare=False, repr=False
    )

    def of(self, machine_id: int | None, unattended: bool = False) -> MachineHours:
        """The hours of one machine, or (None) the lab's own. Machines without any of their own share them."""
        key = (machine_id if machine_id in self._own else None, unattended)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._made(*key)
        return found

    @property
    def machines_with_own(self) -> frozenset[int | None]:
        """Machines that share their hours with no other (and None, where the lab has any)."""
        return self._own

    @cached_property
    def _own(self) -> frozenset[int | None]:
        """Machines that have hours of their own."""
        return frozenset([machine for machine, _ in self.weeks] + [each.machine_id for each in self.closures])

    def _made(self, machine_id: int | None, unattended: bool) -> MachineHours:
        ranked = sorted(self.seasons, key=lambda each: (each.priority, each.starts_on, each.id), reverse=True)
        weeks: list[tuple[Season | None, Week]] = [
            (each, self._week(machine_id, each.id) or ()) for each in ranked
        ]
        usual = self._week(machine_id, None) or ()
        bind = [each for each in self.closures if each.machine_id in (None, machine_id)]
        stop = [each for each in bind if each.unattended_too or each.machine_id is not None]
        return MachineHours(self.zone, [*weeks, (None, usual)], bind, stop, unattended=unattended)

    def _week(self, machine_id: int | None, season_id: int | None) -> Week | None:
        """The machine's own week of the season, else the lab's."""
        own = self.weeks.get((machine_id, season_id))
        return own if own is not None else self.weeks.get((None, season_id))


def _cut(day: OpenDay, since: datetime, until: datetime) -> OpenDay:
    return OpenDay(
        day.on,
        tuple(_inside(day.spans, since, until)),
        tuple(_inside(day.supervised, since, until)),
        day.season,
        day.closure,
    )


def _inside(spans: Iterable[Span], since: datetime, until: datetime) -> Iterator[Span]:
    for span in spans:
        starts, ends = max(span.starts_at, since), min(span.ends_at, until)
        if starts < ends:
            yield Span(starts, ends)
