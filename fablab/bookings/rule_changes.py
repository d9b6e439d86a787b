"""Setting the rules of bookings, and taking them away. No verb commits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fablab.bookings.models_rules import RuleRow, RulesVersion
from fablab.bookings.rule_names import DAY, NAMES, RuleName, Unit
from fablab.bookings.rule_queries import RuleView, rules
from fablab.bookings.rule_rights import may_read_rule, may_set_rule, may_set_rules_somewhere
from fablab.bookings.rule_words import value_of
from fablab.bookings.wording import Days, refusal
from fablab.errors import Refusal, not_allowed, not_found, refused
from fablab.machines.models import Kind, Lab, Machine
from fablab.members import audit
from fablab.members.rules import Actor
from fablab.organisations.models import Organisation


@dataclass(frozen=True)
class RuleWish:
    """A value for a rule, and what narrows it: slugs, each None where it does not."""

    name: str
    value: Any
    lab: str | None = None
    kind: str | None = None
    machine: str | None = None
    category: str | None = None
    organisation: str | None = None
    note: str = ""


@dataclass(frozen=True)
class _Scope:
    """The ids behind a wish. ``holds_in`` is the lab whose manager may set it, None: beyond one lab."""

    lab_id: int | None
    kind_id: int | None
    machine_id: int | None
    category: str | None
    organisation_id: int | None
    holds_in: int | None


def set_rule(
    session: Session, actor: Actor, wish: RuleWish, now: datetime, categories: Collection[str]
) -> RuleView:
    """Set a rule where the wish says, or change its value there. ``categories`` are the network's.

    Raises NOT_ALLOWED, or REFUSED with everything that is wrong: the name, the value, what narrows it.
    """
    if not may_set_rules_somewhere(actor):
        raise not_allowed(_WHO_SETS)
    scope, refusals = _scope(session, wish, categories)
    if refusals := [*_value_refusals(wish), *refusals]:
        raise refused(*refusals)
    if not may_set_rule(actor, scope.holds_in):
        raise not_allowed(_WHO_SETS)
    _new_version(session)
    values = {
        "value": wish.value,
        "note": wish.note,
        "changed_by_id": actor.member_id,
        "changed_at": now,
    }
    rule_id = session.scalar(
        insert(RuleRow)
        .values(
            name=wish.name,
            lab_id=scope.lab_id,
            kind_id=scope.kind_id,
            machine_id=scope.machine_id,
            category=scope.category,
            organisation_id=scope.organisation_id,
            **values,
        )
        .on_conflict_do_update(index_elements=_ONE_VALUE, set_=values)
        .returning(RuleRow.id)
    )
    (made,) = rules(session, rule_id=rule_id)
    _record(session, actor, "rule.set", made, now)
    return made


def unset_rule(session: Session, actor: Actor, rule_id: int, now: datetime) -> None:
    """Take a rule away: what holds there is the next more general one, or the default.

    Raises NOT_FOUND (also for one the actor may not read) or NOT_ALLOWED.
    """
    found = next(iter(rules(session, rule_id=rule_id)), None)
    if found is None or not may_read_rule(actor, found.lab_id):
        raise not_found("rule")
    if not may_set_rule(actor, found.lab_id):
        raise not_allowed("You may read this rule, but not change it.")
    _new_version(session)
    if session.scalar(delete(RuleRow).where(RuleRow.id == rule_id).returning(RuleRow.id)) is None:
        raise not_found("rule")
    _record(session, actor, "rule.remove", found, now)


def _scope(session: Session, wish: RuleWish, categories: Collection[str]) -> tuple[_Scope, list[Refusal]]:
    """The ids of what the wish names, and what speaks against naming it."""
    refusals = []
    ids: dict[str, int | None] = {}
    for field, model in _NAMED.items():
        slug = getattr(wish, field)
        ids[field] = None if slug is None else session.scalar(select(model.id).where(model.slug == slug))
        if slug is not None and ids[field] is None:
            refusals.append(refusal("rule_place", field, case="unknown", slug=slug))
    if wish.machine is not None and (wish.lab is not None or wish.kind is not None):
        refusals.append(refusal("rule_place", "machine", case="machine_alone"))
    if wish.category is not None and wish.category not in categories:
        known = sorted(categories)
        refusals.append(refusal("rule_place", "category", case="category", slug=wish.category, known=known))
    holds_in = ids["lab"]
    if ids["machine"] is not None:
        holds_in = session.scalar(select(Machine.lab_id).where(Machine.id == ids["machine"]))
    scope = _Scope(ids["lab"], ids["kind"], ids["machine"], wish.category, ids["organisation"], holds_in)
    return scope, refusals


def _value_refusals(wish: RuleWish) -> list[Refusal]:
    rule = NAMES.get(wish.name)
    if rule is None:
        return [refusal("unknown_rule", "name", name=wish.name, known=list(NAMES))]
    if rule.fits(wish.value):
        return []
    return [
        refusal(
            "rule_value",
            "value",
            case=rule.takes,
            name={"fr": rule.name, "ar": rule.name, "en": rule.title},
            least=_in_its_unit(rule, rule.least),
            most=_in_its_unit(rule, rule.most),
        )
    ]


def _in_its_unit(rule: RuleName, bound: int) -> Any:
    """A bound as people say it: days where they are whole."""
    if rule.unit is Unit.SECONDS and bound and bound % DAY == 0:
        return Days(bound // DAY)
    return value_of(rule.name, bound)


def _new_version(session: Session) -> None:
    """Another version of all rules. Whoever changes one waits here for whoever else does."""
    session.execute(
        insert(RulesVersion)
        .values(id=1)
        .on_conflict_do_update(index_elements=["id"], set_={"version": func.gen_random_uuid()})
    )


def _record(session: Session, actor: Actor, action: str, rule: RuleView, now: datetime) -> None:
    """What was set where; an organisation by its number, as its name may be a person's."""
    row = rule.row
    where = {
        "lab": row.lab and row.lab.slug,
        "kind": row.kind and row.kind.slug,
        "machine": row.machine and row.machine.slug,
        "category": row.category,
        "organisation": row.organisation and row.organisation.id,
    }
    narrowed = ", ".join(f"{what} {which}" for what, which in where.items() if which is not None)
    detail = f"{row.name} = {row.value}, {narrowed or 'network'}"
    audit.record(session, actor, action, f"rule {row.id}", now, detail, lab_id=rule.lab_id)


_WHO_SETS = "In a lab its managers set the rules; beyond one lab the network's administrators do."
_NAMED: dict[str, Any] = {"lab": Lab, "kind": Kind, "machine": Machine, "organisation": Organisation}
# The columns of the unique index: one value for each rule and place and whom.
_ONE_VALUE: list[Any] = [
    "name",
    text("coalesce(lab_id, 0)"),
    text("coalesce(kind_id, 0)"),
    text("coalesce(machine_id, 0)"),
    text("coalesce(category, '')"),
    text("coalesce(organisation_id, 0)"),
]
