"""Which rules hold for a member at a machine, where they come from, and how the member stands with each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.bookings.facts import Policy, Who
from fablab.bookings.record import Record
from fablab.bookings.rule_facts import record_of
from fablab.bookings.rule_names import RULES, RuleName
from fablab.bookings.rule_rights import may_explain
from fablab.bookings.rule_store import place_of, rulebook
from fablab.bookings.rule_words import rule_in_words, standing_in_words
from fablab.bookings.rulebook import Origin, Ruling
from fablab.bookings.rules_member import QUOTAS, ahead, suspended_until, used_s
from fablab.bookings.rules_quota import periods
from fablab.errors import not_found
from fablab.machines.queries import MachineView
from fablab.machines.rules import Span
from fablab.members.models import Member
from fablab.members.rules import Actor
from fablab.organisations.queries import memberships

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Standing:
    """How a member stands with a rule now, in words of any language."""

    case: str
    values: dict[str, Any]

    def in_words(self, language: str) -> str:
        return standing_in_words(self.case, self.values, language)


@dataclass(frozen=True)
class RuleInForce:
    """A rule with the value that counts, and where that comes from."""

    rule: RuleName
    value: Any
    origin: Origin
    standing: Standing | None = None

    def in_words(self, language: str) -> str:
        """What it asks, as a sentence."""
        return rule_in_words(self.rule.name, self.value, language)


@dataclass(frozen=True)
class Explained:
    """The rules for somebody at a machine; ``organisation`` is the slug in whose name it would be booked."""

    machine: MachineView
    member_id: int
    member_name: str
    category: str
    organisation: str | None
    rules: tuple[RuleInForce, ...]


def explain_rules(
    session: Session,
    actor: Actor,
    machine: MachineView,
    now: datetime,
    policy: Policy,
    *,
    member_id: int | None = None,
    organisation: str | None = None,
) -> Explained:
    """What holds at the machine for the actor, or for a member where the actor is the lab's staff.

    Three statements at most. Raises NOT_FOUND for a member the actor may not ask about, and for an
    organisation that the member does not belong to.
    """
    member_id = actor.member_id if member_id is None else member_id
    if not may_explain(actor, member_id, machine.lab_id):
        raise not_found("member")
    name, category = actor.name, actor.category
    if member_id != actor.member_id:
        row = session.execute(
            select(Member.name, Member.category).where(Member.id == member_id, Member.active)
        ).one_or_none()
        if row is None:
            raise not_found("member")
        name, category = row
    organisation_id = None
    if organisation is not None:
        theirs = {each.slug: each.organisation_id for each in memberships(session, member_id)}
        if organisation not in theirs:
            raise not_found("organisation")
        organisation_id = theirs[organisation]
    rules = rulebook(session, machine.rules_version)
    ruling = rules.ruling(place_of(machine), Who(category, organisation_id), policy)
    record = record_of(session, member_id, Span(now, now), now)
    found = tuple(
        RuleInForce(
            rule,
            getattr(ruling, rule.name),
            ruling.origin(rule.name),
            _standing(rule.name, machine, ruling, record, now),
        )
        for rule in RULES
    )
    return Explained(machine, member_id, name, category, organisation, found)


def rules_in_force(ruling: Ruling) -> tuple[RuleInForce, ...]:
    """The rules as they hold for a booking, in the order in which people read them."""
    return tuple(RuleInForce(rule, getattr(ruling, rule.name), ruling.origin(rule.name)) for rule in RULES)


def _standing(
    name: str, machine: MachineView, ruling: Ruling, record: Record, now: datetime
) -> Standing | None:
    """How the member stands with a rule that is switched on; None for rules that count nothing."""
    value = getattr(ruling, name)
    if not value:
        return None
    origin = ruling.origin(name)
    for quota, unit, band in QUOTAS:
        if quota == name:
            (period,) = periods(Span(now, now + _INSTANT), machine.zone, unit)
            taken = used_s(record, origin, period, machine.zone, band)
            left = timedelta(seconds=max(0, value - taken))
            return Standing("quota", {"used": timedelta(seconds=taken), "left": left})
    match name:
        case "max_ahead":
            return Standing("ahead", {"count": ahead(record, origin, now)})
        case "certification_level":
            has = record.certified(machine.id, machine.kind_id, now)
            return Standing("certified" if has else "not_certified", {"level": has})
        case "strikes":
            until = suspended_until(record, ruling)
            if until is not None and now < until:
                return Standing("suspended", {"until": until.astimezone(ZoneInfo(machine.zone))})
            window = now - timedelta(days=ruling.strike_window_days)
            missed = [each for each in record.missed if each.starts_at > window and origin.covers(each)]
            return Standing("missed", {"count": len(missed)})
        case _:
            return None
