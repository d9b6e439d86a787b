"""Rules of bookings, for who sets them: what is set where, changing it, and what it means for a member."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from flask import flash, redirect, render_template, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from fablab.bookings.explaining import Explained, explain_rules
from fablab.bookings.rule_changes import RuleWish, set_rule, unset_rule
from fablab.bookings.rule_names import NAMES, RULES, RuleName, Unit
from fablab.bookings.rule_queries import RuleView, rules
from fablab.bookings.rule_rights import may_read_rules, may_set_rule, may_set_rules_somewhere
from fablab.bookings.rule_words import rule_in_words
from fablab.clock import utc_now
from fablab.errors import DomainError, not_allowed, not_found
from fablab.machines.queries import kinds, labs, machine_by_slug, machines
from fablab.members.queries import member_by_email
from fablab.members.rules import Actor, may_see_lab_details
from fablab.web.catalogue import network_words
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, errors_of, line, lines, number, refuse, told
from fablab.web.pages.organisation_words import choices
from fablab.web.settings import booking_policy

ENGLISH = "en"
# Seconds in what people type lengths in, the largest first.
LENGTHS = {"days": 86400, "hours": 3600, "minutes": 60}
PLACE = ("lab", "kind", "machine", "category", "organisation")
FIELDS = ("value", "unit", "note", *PLACE)


@blueprint.get("/staff/rules")
def booking_rules() -> str:
    """Every rule: what holds by default, and what is set where."""
    session, actor = reading()
    if not may_read_rules(actor):
        raise not_found("page")
    policy = booking_policy()
    found: dict[str, list[RuleView]] = {each.name: [] for each in RULES}
    for view in rules(session, actor=actor):
        found[view.row.name].append(view)
    for views in found.values():
        views.sort(key=lambda view: (view.row.specificity, str(view.origin)))
    return render_template(
        "rules.html",
        shown=[
            (
                rule,
                None if rule.of_machine else rule_in_words(rule.name, getattr(policy, rule.name), ENGLISH),
                found[rule.name],
            )
            for rule in RULES
        ],
        may_set=may_set_rules_somewhere(actor),
        may_change=lambda view: may_set_rule(actor, view.lab_id),
    )


@blueprint.get("/staff/rules/<name>/value")
def rule_value(name: str) -> str:
    """The form for one rule, empty or with what is set already (``?rule=`` its number)."""
    session, actor = reading()
    rule = _rule(actor, name)
    typed = {**dict.fromkeys(FIELDS, ""), "unit": "hours" if _is_length(rule) else ""}
    known = number(line("rule"))
    view = next(iter(rules(session, actor=actor, rule_id=known)), None) if known else None
    if view is not None and view.row.name == name:
        typed |= _typed(view)
    elif len(actor.managed_labs) == 1 and not actor.admin:
        typed["lab"] = next(each.slug for each in labs(session) if each.id in actor.managed_labs)
    return _form(session, actor, rule, typed)


@blueprint.post("/staff/rules/<name>/value")
def set_rule_value(name: str) -> Response | tuple[str, int]:
    session, actor = reading()
    rule = _rule(actor, name)
    typed = lines(*FIELDS)
    errors: Errors = {}
    value = _value(rule, typed, errors)
    if errors:
        return _form(session, actor, rule, typed, errors), 422
    wish = RuleWish(name, value, note=typed["note"], **{each: typed[each] or None for each in PLACE})
    try:
        with writing() as session:
            made = set_rule(session, actor, wish, utc_now(), network_words().tariff_categories.keys())
    except DomainError as error:
        session, _ = reading()
        return _form(session, actor, rule, typed, errors_of(error, fields=FIELDS)), 422
    flash(f"{rule.title}, {made.origin}: {made.in_words(ENGLISH)}", "good")
    return redirect(url_for("pages.booking_rules", _anchor=name), 303)


@blueprint.get("/staff/rules/<id:rule_id>/removal")
def rule_removal(rule_id: int) -> str:
    """Ask before a rule is taken away."""
    session, actor = reading()
    view = next(iter(rules(session, actor=actor, rule_id=rule_id)), None)
    if view is None or not may_read_rules(actor):
        raise not_found("rule")
    if not may_set_rule(actor, view.lab_id):
        raise not_allowed("You may read this rule, but not change it.")
    return render_template(
        "sure.html",
        title="Take this rule away?",
        thing=f"{NAMES[view.row.name].title}, {view.origin}",
        when=view.in_words(ENGLISH),
        text="Then the next more general rule holds there, or the default. Bookings that are made stay.",
        action=url_for("pages.remove_rule", rule_id=rule_id),
        button="Yes, take it away",
        picture="trash",
        back=url_for("pages.booking_rules"),
        keep="Keep it",
    )


@blueprint.post("/staff/rules/<id:rule_id>/removal")
def remove_rule(rule_id: int) -> Response:
    _, actor = reading()
    try:
        with writing() as session:
            unset_rule(session, actor, rule_id, utc_now())
    except DomainError as error:
        return told(error, url_for("pages.booking_rules"))
    flash("The rule is gone.", "good")
    return redirect(url_for("pages.booking_rules"), 303)


@blueprint.get("/staff/rules/explained")
def explained_rules() -> str:
    """What holds for a member at a machine, where it comes from, and how the member stands with it."""
    session, actor = reading()
    if not may_read_rules(actor):
        raise not_found("page")
    chosen = lines("machine", "member", "organisation")
    errors: Errors = {}
    return render_template(
        "rules_explained.html",
        chosen=chosen,
        machines=[each for each in machines(session) if may_see_lab_details(actor, each.lab_id)],
        explained=_explained(session, actor, chosen, errors),
        errors=errors,
    )


def _explained(session: Session, actor: Actor, chosen: dict[str, str], errors: Errors) -> Explained | None:
    """None where nothing is asked yet, or where what is asked for is not to be found."""
    if not chosen["machine"]:
        return None
    found = machine_by_slug(session, chosen["machine"])
    if found is None or not may_see_lab_details(actor, found.lab_id):
        refuse(errors, "machine", "Please choose one of the list.")
        return None
    member_id = None
    if chosen["member"]:
        member = member_by_email(session, chosen["member"])
        member_id = number(chosen["member"]) if member is None else member.id
        if member_id is None:
            refuse(errors, "member", "Nobody has this address.")
            return None
    try:
        return explain_rules(
            session,
            actor,
            found,
            utc_now(),
            booking_policy(),
            member_id=member_id,
            organisation=chosen["organisation"] or None,
        )
    except DomainError as error:
        refuse(errors, "organisation" if "organisation" in error.message else "member", error.message)
        return None


def _rule(actor: Actor, name: str) -> RuleName:
    if not may_read_rules(actor):
        raise not_found("page")
    if name not in NAMES:
        raise not_found("rule")
    if not may_set_rules_somewhere(actor):
        raise not_allowed("Lab managers and administrators set rules. You may read them.")
    return NAMES[name]


def _form(
    session: Session,
    actor: Actor,
    rule: RuleName,
    typed: dict[str, str],
    errors: Errors | None = None,
) -> str:
    """What may be narrowed to: for managers only what lies in their labs."""
    own = [each for each in labs(session) if may_set_rule(actor, each.id)]
    at = [each for each in machines(session, inactive=True) if may_set_rule(actor, each.lab_id)]
    return render_template(
        "rule_value.html",
        rule=rule,
        is_length=_is_length(rule),
        is_flag=rule.unit is Unit.FLAG,
        everywhere=may_set_rule(actor, None),
        labs=[(each.slug, each.names[ENGLISH]) for each in own],
        kinds=[(each.slug, each.names[ENGLISH]) for each in kinds(session)],
        machines=[(each.slug, each.name) for each in at],
        categories=choices(network_words().tariff_categories, typed["category"]),
        units=list(LENGTHS),
        typed=typed,
        errors=errors or {},
    )


def _typed(view: RuleView) -> dict[str, str]:
    """A rule as its form shows it."""
    row, rule = view.row, NAMES[view.row.name]
    value, unit = str(row.value).lower(), ""
    if _is_length(rule):
        unit, seconds = next(
            ((name, s) for name, s in LENGTHS.items() if row.value % s == 0), ("minutes", 60)
        )
        value = f"{Decimal(row.value) / seconds:f}"
    named = {each: getattr(row, each) for each in ("lab", "kind", "machine", "organisation")}
    return {
        "value": value,
        "unit": unit,
        "note": view.note,
        "category": row.category or "",
        **{each: "" if label is None else label.slug for each, label in named.items()},
    }


def _value(rule: RuleName, typed: dict[str, str], errors: Errors) -> Any:
    """What was typed, as the rule counts it. Whether it lies within bounds the verb says."""
    if rule.unit is Unit.FLAG:
        return {"true": True, "false": False}.get(typed["value"])
    try:
        value = Decimal(typed["value"].replace(",", "."))
        if _is_length(rule):
            value *= LENGTHS[typed["unit"]]
        if value != value.to_integral_value():
            raise InvalidOperation
        return int(value) if abs(value) < 10**12 else None
    except (InvalidOperation, KeyError, ValueError, OverflowError):
        refuse(errors, "value", "Please give a number.")
        return None


def _is_length(rule: RuleName) -> bool:
    return rule.unit is Unit.SECONDS
