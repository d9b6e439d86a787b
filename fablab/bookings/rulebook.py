"""Which value of each rule counts for a booking, and where it comes from. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fablab.bookings.facts import Place, Policy, Who
from fablab.bookings.record import Own
from fablab.bookings.rule_names import ASKING, COUNTING, RULES
from fablab.bookings.rule_words import origin_in_words

# What narrows a row, and how much it weighs. Every sum is another one: of two that fit, one is more specific.
WEIGHTS = {"kind": 1, "lab": 2, "machine": 4, "category": 8, "organisation": 16}


@dataclass(frozen=True)
class Label:
    """A lab, kind, machine or organisation as rows name it. ``names`` are keyed fr, ar, en."""

    id: int
    slug: str
    names: Mapping[str, str]


@dataclass(frozen=True)
class Row:
    """One value of one rule; what is None does not narrow it."""

    id: int
    name: str
    value: Any
    lab: Label | None = None
    kind: Label | None = None
    machine: Label | None = None
    category: str | None = None
    organisation: Label | None = None

    @property
    def specificity(self) -> int:
        return sum(weight for what, weight in WEIGHTS.items() if getattr(self, what) is not None)

    def fits(self, place: Place, who: Who) -> bool:
        """Whether it holds there and for them."""
        return (
            self.holds_at(place)
            and (self.category is None or self.category == who.category)
            and (self.organisation is None or self.organisation.id == who.organisation_id)
        )

    def holds_at(self, place: Place) -> bool:
        return (
            (self.lab is None or self.lab.id == place.lab_id)
            and (self.kind is None or self.kind.id == place.kind_id)
            and (self.machine is None or self.machine.id == place.machine_id)
        )


@dataclass(frozen=True)
class Origin:
    """Where a value comes from: a row, the machine's own entry, or (neither) the service's settings."""

    row: Row | None = None
    machine: bool = False

    def covers(self, own: Own) -> bool:
        """Whether a booking lies where the rule holds: what a rule counts, it counts there."""
        row = self.row
        if row is None:
            return True
        if row.organisation is not None and row.organisation.id != own.organisation_id:
            return False
        return row.holds_at(Place(own.machine_id, own.lab_id, own.kind_id))

    def in_words(self, language: str) -> str:
        """For people: "network", "lab Tanger", "Laser cutter in Tanger", "settings"."""
        return origin_in_words(self, language)

    def __str__(self) -> str:
        return self.in_words("en")


@dataclass(frozen=True)
class Ruling:
    """The rules in force for a booking; the fields are those of `rule_names`. Zero: no such rule.

    ``late_start_s`` and ``alternatives`` are settings that no row changes.
    """

    min_s: int
    max_s: int
    grid_s: int
    min_notice_s: int
    horizon_days: int
    setup_s: int
    cleanup_s: int
    max_ahead: int
    quota_day_s: int
    quota_week_s: int
    quota_month_s: int
    quota_evening_week_s: int
    quota_weekend_month_s: int
    one_of_kind: bool
    certification_level: int
    supervised_only: bool
    approvals: int
    decide_within_s: int
    cancel_before_s: int
    check_in_before_s: int
    no_show_after_s: int
    strikes: int
    strike_window_days: int
    suspension_days: int
    hold_minutes: int
    remind_before_s: int
    late_start_s: int
    alternatives: int
    origins: Mapping[str, Origin]

    def origin(self, name: str) -> Origin:
        """Where the value of a rule comes from."""
        return self.origins[name]

    @property
    def asks_record(self) -> bool:
        """Whether a rule is in force that asks for the member's `Record`."""
        return any(getattr(self, name) for name in ASKING)

    @property
    def counts(self) -> bool:
        """Whether a rule is in force that holds only while one request at a time is decided on."""
        return any(getattr(self, name) for name in COUNTING)


class Rulebook:
    """All rows of the network, ready to be asked for any machine and anybody."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.rows = tuple(sorted(rows, key=lambda row: (row.specificity, row.id)))
        self._of_machine: dict[int, list[Row]] = defaultdict(list)
        self._of_lab: dict[int, list[Row]] = defaultdict(list)
        self._anywhere: list[Row] = []
        for row in self.rows:
            if row.machine is not None:
                self._of_machine[row.machine.id].append(row)
            elif row.lab is not None:
                self._of_lab[row.lab.id].append(row)
            else:
                self._anywhere.append(row)
        self._kinds = {row.kind.id for row in self.rows if row.kind is not None}
        self._categories = {row.category for row in self.rows}
        self._organisations = {row.organisation.id for row in self.rows if row.organisation is not None}
        self._known: dict[Any, Ruling] = {}

    @property
    def machines_with_own(self) -> frozenset[int]:
        """Machines that a row names. All others of one lab and kind are ruled alike."""
        return frozenset(self._of_machine)

    def in_force(self, name: str, policy: Policy) -> bool:
        """Whether a rule is switched on for anybody anywhere."""
        return bool(getattr(policy, name)) or any(row.value for row in self.rows if row.name == name)

    def ruling(self, place: Place, who: Who, policy: Policy) -> Ruling:
        """What counts for a booking there by them: of the rows that fit the most specific, else the default.

        Remembered, as there are few different answers: only what a row names makes a difference.
        """
        key = (
            place.machine_id if place.machine_id in self._of_machine else None,
            place.lab_id if place.lab_id in self._of_lab else None,
            place.kind_id if place.kind_id in self._kinds else None,
            place.setup_s,
            place.cleanup_s,
            who.category if who.category in self._categories else None,
            who.organisation_id if who.organisation_id in self._organisations else None,
            policy,
        )
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._decide(place, who, policy)
        return found

    def _decide(self, place: Place, who: Who, policy: Policy) -> Ruling:
        rows = [
            *self._anywhere,
            *self._of_lab.get(place.lab_id, ()),
            *self._of_machine.get(place.machine_id, ()),
        ]
        # The most specific comes last, and the last one counts.
        rows.sort(key=lambda row: row.specificity)
        winners = {row.name: row for row in rows if row.fits(place, who)}
        values, origins = {}, {}
        for rule in RULES:
            row = winners.get(rule.name)
            if row is not None:
                values[rule.name], origins[rule.name] = row.value, Origin(row)
            elif rule.of_machine:
                values[rule.name], origins[rule.name] = getattr(place, rule.name), Origin(machine=True)
            else:
                values[rule.name], origins[rule.name] = getattr(policy, rule.name), Origin()
        return Ruling(
            **values,
            late_start_s=policy.late_start_s,
            alternatives=policy.alternatives,
            origins=MappingProxyType(origins),
        )
