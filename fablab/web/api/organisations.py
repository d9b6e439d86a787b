"""Organisations, who belongs to them, and what was done in their name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response
from marshmallow import ValidationError

from fablab.bookings.in_name import organisation_bookings
from fablab.clock import utc_now
from fablab.machines.queries import common_zone, labs
from fablab.organisations import service
from fablab.organisations.queries import (
    memberships,
    organisations,
    people,
)
from fablab.organisations.quotas import drop_quota, set_quota
from fablab.organisations.rules import (
    OUTSIDE,
    Standing,
    may_see_every_organisation,
)
from fablab.organisations.visibility import visible, visible_to_owners
from fablab.usage.consumption import consumption, quota_use
from fablab.web.api.base import Blueprint, session
from fablab.web.auth import current_actor
from fablab.web.catalogue import network_words
from fablab.web.idempotency import writes
from fablab.web.schemas import organisations as shape
from fablab.web.schemas.base import page, page_of

blueprint = Blueprint("organisations", "Clubs, companies and whoever else members act for")
LONGEST_DAYS = 3 * 366
FIRST_PAGE = 100
PersonPage = page_of(shape.BelongingOut, "BelongingPage")


@blueprint.get("/organisations")
@blueprint.arguments(shape.OrganisationsQuery, location="query")
@blueprint.response(200, page_of(shape.OrganisationOut, "OrganisationPage"))
def list_organisations(query: dict[str, Any]) -> dict[str, Any]:
    """Those one belongs to; operators and admins see all. By name; closed ones are among them."""
    actor = current_actor()
    every = may_see_every_organisation(actor) and not query["mine"]
    found = organisations(
        session(),
        member_id=None if every else actor.member_id,
        text=query.get("text", ""),
        kind=query.get("kind"),
        tariff_category=query.get("tariff_category"),
        after=query.get("cursor"),
        limit=query["limit"] + 1,
    )
    own = {
        each.organisation_id: Standing(True, each.owner)
        for each in memberships(session(), actor.member_id, closed=True)
    }
    return page(
        found,
        query["limit"],
        lambda each: shape.organisation_json(each, own.get(each.id, OUTSIDE)),
        lambda each: [each.name, each.id],
    )


@blueprint.post("/organisations")
@writes
@blueprint.arguments(shape.OrganisationIn)
@blueprint.response(201, shape.OrganisationOut)
def post_organisation(body: dict[str, Any]) -> dict[str, Any]:
    """Found an organisation and be its first owner. Its kind chooses the tariff category."""
    made = service.found(session(), current_actor(), body["name"], body["kind"], network_words(), utc_now())
    return shape.organisation_json(made, Standing(True, True))


@blueprint.get("/organisations/<slug:organisation>")
@blueprint.response(200, shape.OrganisationOut)
def get_organisation(organisation: str) -> dict[str, Any]:
    """One organisation, for whoever belongs to it, operators and admins."""
    return shape.organisation_json(*visible(session(), current_actor(), organisation))


@blueprint.patch("/organisations/<slug:organisation>")
@writes
@blueprint.arguments(shape.OrganisationPatch)
@blueprint.response(200, shape.OrganisationOut)
def patch_organisation(body: dict[str, Any], organisation: str) -> dict[str, Any]:
    """Rename it (owners), or set its kind and tariff category (admins). All of it happens or nothing."""
    actor, now = current_actor(), utc_now()
    if "name" in body:
        service.rename(session(), actor, organisation, body["name"], now)
    if "kind" in body or "tariff_category" in body:
        service.set_terms(
            session(),
            actor,
            organisation,
            network_words(),
            now,
            kind=body.get("kind"),
            tariff_category=body.get("tariff_category"),
        )
    return shape.organisation_json(*visible(session(), current_actor(), organisation))


@blueprint.post("/organisations/<slug:organisation>/closure")
@writes
@blueprint.response(201, shape.OrganisationOut)
def post_closure(organisation: str) -> dict[str, Any]:
    """Close it: nobody books in its name any more. Bookings made stay."""
    service.close(session(), current_actor(), organisation, utc_now())
    return shape.organisation_json(*visible(session(), current_actor(), organisation))


@blueprint.delete("/organisations/<slug:organisation>/closure")
@writes
@blueprint.response(204)
def delete_closure(organisation: str) -> Response:
    """Open a closed one again (admins)."""
    service.reopen(session(), current_actor(), organisation, utc_now())
    return Response(status=204)


@blueprint.get("/organisations/<slug:organisation>/members")
@blueprint.arguments(shape.PeopleQuery, location="query")
@blueprint.response(200, PersonPage)
def list_people(query: dict[str, Any], organisation: str) -> dict[str, Any]:
    """Who belongs to it, owners first."""
    return _people(organisation, query["limit"], query.get("cursor"))


@blueprint.patch("/organisations/<slug:organisation>/members/<id:member_id>")
@writes
@blueprint.arguments(shape.BelongingPatch)
@blueprint.response(200, PersonPage)
def patch_person(body: dict[str, Any], organisation: str, member_id: int) -> dict[str, Any]:
    """Make a member an owner, or an owner a member like others. There is always an owner left.

    Answers the first page of who belongs to it.
    """
    service.appoint(session(), current_actor(), organisation, member_id, body["owner"], utc_now())
    return _people(organisation, FIRST_PAGE)


def _people(organisation: str, limit: int, after: tuple[bool, str, int] | None = None) -> dict[str, Any]:
    found, _ = visible(session(), current_actor(), organisation)
    shown = people(session(), found.id, after=after, limit=limit + 1)
    return page(shown, limit, vars, lambda each: [not each.owner, each.name, each.member_id])


@blueprint.delete("/organisations/<slug:organisation>/members/<id:member_id>")
@writes
@blueprint.response(204)
def delete_person(organisation: str, member_id: int) -> Response:
    """Remove a member, or leave with one's own number. Bookings made stay as they are."""
    service.remove(session(), current_actor(), organisation, member_id, utc_now())
    return Response(status=204)


@blueprint.get("/organisations/<slug:organisation>/quotas")
@blueprint.response(200, page_of(shape.QuotaUseOut, "QuotaPage"))
def list_quotas(organisation: str) -> dict[str, Any]:
    """How much machine time may be booked in its name, and how much of it is taken in this week or month."""
    found, _ = visible(session(), current_actor(), organisation)
    uses = quota_use(session(), found.id, utc_now())
    return {"items": [shape.quota_use_json(each) for each in uses], "next": None}


@blueprint.post("/organisations/<slug:organisation>/quotas")
@writes
@blueprint.arguments(shape.QuotaIn)
@blueprint.response(201, shape.QuotaOut)
def post_quota(body: dict[str, Any], organisation: str) -> dict[str, Any]:
    """Set the quota of a kind of machine and period, or change it (admins)."""
    made = set_quota(
        session(),
        current_actor(),
        organisation,
        body["kind"],
        body["period"],
        body["limit_s"],
        utc_now(),
    )
    return shape.quota_json(made)


@blueprint.delete("/organisations/<slug:organisation>/quotas/<id:quota_id>")
@writes
@blueprint.response(204)
def delete_quota(organisation: str, quota_id: int) -> Response:
    """Take a quota away (admins)."""
    drop_quota(session(), current_actor(), organisation, quota_id, utc_now())
    return Response(status=204)


@blueprint.get("/organisations/<slug:organisation>/bookings")
@blueprint.arguments(shape.DoneQuery, location="query")
@blueprint.response(200, page_of(shape.OrganisationBookingOut, "OrganisationBookingPage"))
def list_done(query: dict[str, Any], organisation: str) -> dict[str, Any]:
    """Bookings made in its name, latest first, for its owners. Members' private bookings are not shown."""
    found, _ = visible_to_owners(session(), current_actor(), organisation)
    shown = organisation_bookings(
        session(),
        found.id,
        since=query.get("since"),
        until=query.get("until"),
        before=query.get("cursor"),
        limit=query["limit"] + 1,
    )
    return page(
        shown, query["limit"], shape.organisation_booking_json, lambda each: [each.starts_at, each.id]
    )


@blueprint.get("/organisations/<slug:organisation>/consumption")
@blueprint.arguments(shape.ConsumptionQuery, location="query")
@blueprint.response(200, shape.ConsumptionOut)
def get_consumption(query: dict[str, Any], organisation: str) -> dict[str, Any]:
    """Booked and used machine time, energy and jobs of bookings in its name; three years at most."""
    found, _ = visible_to_owners(session(), current_actor(), organisation)
    zone = ZoneInfo(common_zone(labs(session())))
    last = query.get("last") or utc_now().astimezone(zone).date()
    first = query.get("first") or last - timedelta(days=365)
    if not timedelta() <= last - first <= timedelta(days=LONGEST_DAYS):
        raise ValidationError({"to": [f"Must be from 0 to {LONGEST_DAYS} days after from."]})
    return shape.consumption_json(consumption(session(), found.id, first, last), first, last)
