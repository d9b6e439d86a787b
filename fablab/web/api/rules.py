"""Rules of bookings: what is set where, and what holds at a machine."""

from __future__ import annotations

from typing import Any

from flask import Response

from fablab.bookings.explaining import explain_rules
from fablab.bookings.rule_changes import RuleWish, set_rule, unset_rule
from fablab.bookings.rule_names import RULES
from fablab.bookings.rule_queries import rules
from fablab.bookings.rule_rights import may_read_rules
from fablab.clock import utc_now
from fablab.errors import not_found
from fablab.web.api.base import Blueprint, session, the_machine
from fablab.web.auth import current_actor
from fablab.web.catalogue import network_words
from fablab.web.idempotency import writes
from fablab.web.schemas import rules as shape
from fablab.web.schemas.base import page, page_of
from fablab.web.settings import booking_policy

blueprint = Blueprint("rules", "What is asked of bookings, where and of whom")


@blueprint.get("/rules")
@blueprint.arguments(shape.RulesQuery, location="query")
@blueprint.response(200, page_of(shape.RuleOut, "RulePage"))
def list_rules(query: dict[str, Any]) -> dict[str, Any]:
    """Rules that are set, by number: those of one's labs and those beyond labs; operators and admins see all.

    For staff. What holds at one machine everybody may ask: `GET /machines/{machine}/rules`.
    """
    actor = current_actor()
    if not may_read_rules(actor):
        raise not_found("list")
    after = query["cursor"][0] if "cursor" in query else None
    narrowed = {each: query[each] for each in ("name", "lab", "kind", "machine") if each in query}
    found = rules(session(), actor=actor, after=after, limit=query["limit"] + 1, **narrowed)
    return page(found, query["limit"], shape.rule_json, lambda each: [each.row.id])


@blueprint.put("/rules")
@writes
@blueprint.arguments(shape.RuleIn)
@blueprint.response(200, shape.RuleOut)
def put_rule(body: dict[str, Any]) -> dict[str, Any]:
    """Set a rule, or change its value where it is set already.

    In a lab, for a kind in it or one of its machines, its managers; beyond one lab admins. The most specific
    of the rules that fit a booking counts: kind, then lab, machine, category, organisation.
    """
    made = set_rule(
        session(), current_actor(), RuleWish(**body), utc_now(), network_words().tariff_categories.keys()
    )
    return shape.rule_json(made)


@blueprint.delete("/rules/<id:rule_id>")
@writes
@blueprint.response(204)
def delete_rule(rule_id: int) -> Response:
    """Take a rule away: then the next more general one holds, or the default."""
    unset_rule(session(), current_actor(), rule_id, utc_now())
    return Response(status=204)


@blueprint.get("/rules/names")
@blueprint.response(200, page_of(shape.RuleNameOut, "RuleNamePage"))
def list_names() -> dict[str, Any]:
    """Every rule there is, with its unit and bounds."""
    return {"items": [shape.rule_name_json(each) for each in RULES], "next": None}


@blueprint.get("/machines/<slug:machine>/rules")
@blueprint.arguments(shape.ForWhomQuery, location="query")
@blueprint.response(200, shape.RulesInForceOut)
def get_rules_in_force(query: dict[str, Any], machine: str) -> dict[str, Any]:
    """The rules for one's own bookings of a machine, where each comes from, and how one stands with it.

    With `member` those for somebody else, for the lab's managers, operators and admins.
    """
    explained = explain_rules(
        session(),
        current_actor(),
        the_machine(machine),
        utc_now(),
        booking_policy(),
        member_id=query.get("member"),
        organisation=query.get("organisation"),
    )
    return shape.explained_json(explained)
