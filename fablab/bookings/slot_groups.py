"""Machines in groups that rules and hours treat alike, and what those leave of the time asked for. Pure.

A network has thousands of machines, and a handful of groups in each lab.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from fablab.bookings.facts import BookingFacts, BookingRequest, Person, Place, Policy, Who
from fablab.bookings.record import Record
from fablab.bookings.rulebook import Rulebook, Ruling
from fablab.bookings.rules import decide
from fablab.bookings.slot_rules import barred_starts, grid_of, instant, seconds
from fablab.bookings.slot_search import DAY_S, WallGrid, Wish, first_allowed, outside
from fablab.bookings.slot_times import OpenTimes
from fablab.machines.distance import Point, kilometres
from fablab.machines.hours import Hours, MachineHours
from fablab.machines.rules import Span, start_of_day
from fablab.members.rules import OF_AGE, Actor, is_minor, may_book

# Refusals of a time and not of the machine: another time may do.
OF_THE_TIME = frozenset(
    {
        *("in_the_past", "too_soon", "beyond_horizon", "off_grid", "outside_hours", "machine_booked"),
        *("minor_unsupervised", "not_supervised", "quota_used", "one_of_kind"),
    }
)
LONGEST_AHEAD_DAYS = 731


@dataclass(frozen=True)
class LabRow:
    """A lab, and whether its machines are wanted or only where it lies."""

    id: int
    slug: str
    zone: str
    place: Point | None
    hours_version: Any
    rules_version: Any
    wanted: bool


@dataclass(frozen=True)
class MachineRows:
    """Machines of one lab and kind with the same set-up and clean-up; ``ids`` ascend."""

    lab_id: int
    kind_id: int
    unattended: bool
    setup_s: int
    cleanup_s: int
    ids: Sequence[int]


@dataclass(frozen=True)
class Asked:
    """Who looks for how many seconds, between which instants, from where; and what is known of them."""

    actor: Actor
    record: Record
    consent: bool
    length_s: int
    after: datetime
    before: datetime | None
    here: Point | None
    now: datetime
    policy: Policy


@dataclass
class Group:
    """Machines of one lab and kind that rules and hours treat alike; ``place`` is the first of them.

    Starts lie in [first, last]. ``refused``: why there can be none, whatever is claimed. ``at``: there is no
    start before; the first one that hours leave open, once they are ``looked_at``.
    """

    zone: ZoneInfo
    place: Place
    ruling: Ruling
    times: OpenTimes
    wish: Wish
    first: int
    last: int
    barred: Any
    km: float | None
    machines: Sequence[int]
    refused: str | None = None
    at: int = 0
    looked_at: bool = False


class Groups:
    """The groups of one search. What several of them have in common is worked out once."""

    def __init__(
        self, asked: Asked, labs: Mapping[int, LabRow], hours: Mapping[int, Hours], rules: Rulebook
    ) -> None:
        self._asked, self._labs, self._hours, self._rules = asked, labs, hours, rules
        self._known: dict[Any, Any] = {}

    def of(self, machines: Iterable[MachineRows]) -> list[Group]:
        """The machines in groups: what a rule, hours or a certification name stands alone."""
        certificates = self._asked.record.certificates
        named = self._rules.machines_with_own | {each.machine_id for each in certificates}
        found = []
        for rows in machines:
            hours = self._hours[rows.lab_id]
            apart = (named | hours.machines_with_own).intersection(rows.ids)
            found += [self._group(rows, [each], hours) for each in rows.ids if each in apart]
            if alike := [each for each in rows.ids if each not in apart]:
                found.append(self._group(rows, alike, hours))
        return found

    def refusals(self, group: Group, at: int, machine_id: int) -> list[str]:
        """The codes of all rules that refuse a start at which the machine is free and the hours allow it."""
        asked = self._asked
        starts_at, ends_at = instant(at), instant(at + asked.length_s)
        request = BookingRequest(str(machine_id), starts_at, ends_at)
        minor = is_minor(asked.actor.birth_on, starts_at.astimezone(group.zone).date())
        facts = BookingFacts(
            now=asked.now,
            zone=group.zone.key,
            active=True,
            open_throughout=True,
            unit_ids=(0,),
            claims=(),
            person=Person("", asked.actor.name, minor, asked.consent),
            supervised=(Span(starts_at, ends_at),),
            place=group.place,
            record=asked.record,
        )
        return [each.code for each in decide(request, facts, group.ruling)]

    def look_at_hours(self, group: Group) -> None:
        """Note the first start that hours and other bookings of the member leave open, or why none is."""
        steps = [group.wish.grid, group.barred]
        at = group.times.first_start(steps, group.first, group.last, self._asked.length_s)
        group.refused = self._why_not(group) if at is None else None
        group.at = group.at if at is None else at
        group.looked_at = True

    def _group(self, rows: MachineRows, ids: Sequence[int], hours: Hours) -> Group:
        asked, lab = self._asked, self._labs[rows.lab_id]
        zone = self._zone(lab.zone)
        place = Place(ids[0], rows.lab_id, rows.kind_id, rows.setup_s, rows.cleanup_s)
        ruling = self._rules.ruling(place, Who(asked.actor.category), asked.policy)
        first = max(self._first, whole_minute(asked.now + timedelta(seconds=ruling.min_notice_s)))
        if not asked.consent:
            first = max(first, self._of_age(zone))
        horizon = seconds(asked.now) + ruling.horizon_days * DAY_S
        group = Group(
            zone=zone,
            place=place,
            ruling=ruling,
            times=self._times(hours.of(ids[0], rows.unattended), ruling.supervised_only, zone),
            wish=Wish(asked.length_s, ruling.setup_s, ruling.cleanup_s, self._grid(ruling, zone)),
            first=first,
            last=min(horizon, self._last),
            barred=self._barred(ruling, place, zone),
            km=self._km(lab),
            machines=ids,
        )
        group.at = first
        group.refused = self._never(group, lab, horizon)
        return group

    def _never(self, group: Group, lab: LabRow, horizon: int) -> str | None:
        """Why no time at all will do, before hours are looked at."""
        if not may_book(self._asked.actor, lab.id):
            return "not_allowed"
        if group.first > group.last:
            if not self._asked.consent and self._of_age(group.zone) > group.last:
                return "minor_without_consent"
            if group.last < seconds(self._asked.now):
                return "in_the_past"
            return "beyond_horizon" if self._first > horizon else "too_soon"
        if group.ruling.grid_s and self._asked.length_s % group.ruling.grid_s:
            return "off_grid"
        machine_id = group.place.machine_id
        has_own = any(each.machine_id == machine_id for each in self._asked.record.certificates)
        key = (
            "never",
            id(group.ruling),
            group.place.kind_id,
            group.zone.key,
            machine_id if has_own else None,
        )
        if key not in self._known:
            codes = self.refusals(group, group.first, machine_id)
            self._known[key] = next((code for code in codes if code not in OF_THE_TIME), None)
        found: str | None = self._known[key]
        return found

    def _why_not(self, group: Group) -> str:
        """What leaves nothing of the time asked for: the hours, or the member's other bookings."""
        length_s = self._asked.length_s
        steps = [group.wish.grid]
        if group.times.first_start(steps, group.first, group.last, length_s) is None:
            return "not_supervised" if group.ruling.supervised_only else "outside_hours"
        at = first_allowed(steps, group.first, group.last)
        codes = [] if at is None else self.refusals(group, at, group.place.machine_id)
        return codes[0] if codes else "quota_used"

    @cached_property
    def _first(self) -> int:
        return whole_minute(max(self._asked.after, self._asked.now))

    @cached_property
    def _last(self) -> int:
        """The last start that anybody could mean."""
        farthest = seconds(self._asked.now) + LONGEST_AHEAD_DAYS * DAY_S
        before = self._asked.before
        return farthest if before is None else min(farthest, seconds(before) - self._asked.length_s)

    def _zone(self, name: str) -> ZoneInfo:
        found: ZoneInfo = self._known.setdefault(("zone", name), ZoneInfo(name))
        return found

    def _km(self, lab: LabRow) -> float | None:
        here = self._asked.here
        if here is None or lab.place is None:
            return None
        key = ("km", lab.id)
        if key not in self._known:
            self._known[key] = kilometres(here, lab.place)
        found: float = self._known[key]
        return found

    def _times(self, hours: MachineHours, supervised: bool, zone: ZoneInfo) -> OpenTimes:
        key = ("times", id(hours), supervised)
        if key not in self._known:
            self._known[key] = OpenTimes(hours, supervised=supervised, of_age=self._of_age(zone))
        found: OpenTimes = self._known[key]
        return found

    def _of_age(self, zone: ZoneInfo) -> int:
        """The instant from which on the member books as an adult; 0 for who is one."""
        born, today = self._asked.actor.birth_on, self._asked.now.astimezone(zone).date()
        if born is None or not is_minor(born, today):
            return 0
        # Who was born on 29 February comes of age on 1 March.
        day = next(
            each
            for each in (date(born.year + OF_AGE, born.month, 1) + timedelta(days=n) for n in range(40))
            if not is_minor(born, each)
        )
        return seconds(start_of_day(day, zone))

    def _grid(self, ruling: Ruling, zone: ZoneInfo) -> WallGrid:
        key = ("grid", ruling.grid_s, zone.key)
        if key not in self._known:
            self._known[key] = grid_of(ruling, zone, self._first, self._last)
        found: WallGrid = self._known[key]
        return found

    def _barred(self, ruling: Ruling, place: Place, zone: ZoneInfo) -> Any:
        key = ("barred", id(ruling), zone.key, place.kind_id if ruling.one_of_kind else None)
        if key not in self._known:
            asked = self._asked
            last = min(self._last, seconds(asked.now) + ruling.horizon_days * DAY_S)
            self._known[key] = outside(
                barred_starts(ruling, asked.record, place, zone, asked.length_s, self._first, last)
            )
        return self._known[key]


def whole_minute(at: datetime) -> int:
    """An instant as epoch seconds, up to the next whole minute."""
    return -(-seconds(at) // 60) * 60 if not at.microsecond else (seconds(at) // 60 + 1) * 60
