"""Rules of bookings as JSON: what is set where, and what holds at a machine."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate

from fablab.bookings.explaining import Explained, RuleInForce
from fablab.bookings.models_rules import CATEGORY_MAX, NAME_MAX, NOTE_MAX
from fablab.bookings.rule_names import RuleName, Unit
from fablab.bookings.rule_queries import RuleView
from fablab.web.language import caller_language
from fablab.web.schemas.base import (
    Cursor,
    Id,
    Instant,
    PageQuery,
    PersonOut,
    Slug,
    Strict,
    Text,
    a_number,
    person,
)

VALUE = "A whole number, or true and false for rules whose unit is flag; 0 switches a rule off"


def _plain(value: Any) -> None:
    """A number or a flag as JSON has them; whether the rule takes it is the rule's to say."""
    if not isinstance(value, int):
        raise ValidationError("Give a whole number, or true or false.")


class RuleIn(Strict):
    """A value for a rule. What is left out or null does not narrow where and for whom it holds."""

    name = Text(NAME_MAX, 1, required=True, metadata={"description": "One of GET /rules/names"})
    value = fields.Raw(
        required=True,
        validate=_plain,
        metadata={"description": VALUE, "type": ["integer", "boolean"], "minimum": 0},
    )
    lab = Slug(load_default=None, allow_none=True)
    kind = Slug(load_default=None, allow_none=True)
    machine = Slug(
        load_default=None, allow_none=True, metadata={"description": "Then neither lab nor kind is given"}
    )
    category = Text(
        CATEGORY_MAX,
        1,
        load_default=None,
        allow_none=True,
        metadata={"description": "Of members: a slug of the network's tariff categories"},
    )
    organisation = Slug(
        load_default=None, allow_none=True, metadata={"description": "In whose name it is booked"}
    )
    note = Text(NOTE_MAX, load_default="", metadata={"description": "Why; no names of people"})


class RulesQuery(PageQuery):
    name = Text(NAME_MAX, 1)
    lab = Slug(metadata={"description": "Of the lab and its machines"})
    kind = Slug()
    machine = Slug()
    cursor = Cursor(a_number)


class RuleOut(Strict):
    id = fields.Integer()
    name = fields.String()
    value = fields.Raw(metadata={"description": VALUE})
    words = fields.String(metadata={"description": "What it asks, in the caller's language"})
    origin = fields.String(metadata={"description": "Where and for whom it holds, in words"})
    lab = fields.String(allow_none=True)
    kind = fields.String(allow_none=True)
    machine = fields.String(allow_none=True)
    category = fields.String(allow_none=True)
    organisation = fields.String(allow_none=True)
    note = fields.String()
    changed_by = fields.Nested(PersonOut, allow_none=True)
    changed_at = Instant()


class RuleNameOut(Strict):
    name = fields.String()
    title = fields.String()
    about = fields.String()
    unit = fields.String(validate=validate.OneOf([unit.value for unit in Unit]))
    least = fields.Integer(allow_none=True, metadata={"description": "Null for a flag"})
    most = fields.Integer(allow_none=True)
    zero_switches_off = fields.Boolean()


class RuleInForceOut(Strict):
    name = fields.String()
    value = fields.Raw(metadata={"description": VALUE})
    unit = fields.String()
    words = fields.String(metadata={"description": "What it asks, in the caller's language"})
    origin = fields.String(metadata={"description": "Where the value comes from, in words"})
    rule = fields.Integer(
        allow_none=True, metadata={"description": "Number of the rule that was set; null for a default"}
    )
    now = fields.String(
        allow_none=True, metadata={"description": "How the member stands with it, where it counts something"}
    )


class ForWhomQuery(Strict):
    member = Id(metadata={"description": "A member's number, for the lab's staff; otherwise oneself"})
    organisation = Slug(metadata={"description": "As if it were booked in its name"})


class RulesInForceOut(Strict):
    machine = fields.String()
    member = fields.Nested(PersonOut)
    organisation = fields.String(allow_none=True)
    rules = fields.List(fields.Nested(RuleInForceOut))


def rule_json(rule: RuleView) -> dict[str, Any]:
    row, language = rule.row, caller_language()
    return {
        "id": row.id,
        "name": row.name,
        "value": row.value,
        "words": rule.in_words(language),
        "origin": rule.origin.in_words(language),
        **{
            what: None if getattr(row, what) is None else getattr(row, what).slug
            for what in ("lab", "kind", "machine", "organisation")
        },
        "category": row.category,
        "note": rule.note,
        "changed_by": person(rule.changed_by_id, rule.changed_by_name),
        "changed_at": rule.changed_at,
    }


def rule_name_json(rule: RuleName) -> dict[str, Any]:
    flag = rule.unit is Unit.FLAG
    return {
        "name": rule.name,
        "title": rule.title,
        "about": rule.about,
        "unit": rule.unit.value,
        "least": None if flag else rule.least,
        "most": None if flag else rule.most,
        "zero_switches_off": rule.off,
    }


def in_force_json(held: RuleInForce) -> dict[str, Any]:
    language = caller_language()
    return {
        "name": held.rule.name,
        "value": held.value,
        "unit": held.rule.unit.value,
        "words": held.in_words(language),
        "origin": held.origin.in_words(language),
        "rule": None if held.origin.row is None else held.origin.row.id,
        "now": None if held.standing is None else held.standing.in_words(language),
    }


def explained_json(explained: Explained) -> dict[str, Any]:
    return {
        "machine": explained.machine.slug,
        "member": person(explained.member_id, explained.member_name),
        "organisation": explained.organisation,
        "rules": [in_force_json(each) for each in explained.rules],
    }
