"""Organisations, their people, invitations, quotas and what was done in their name, as JSON."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import fields, validate

from fablab.bookings.in_name import OrganisationBooking
from fablab.bookings.models import STATES
from fablab.organisations.models import KINDS
from fablab.organisations.queries import InvitationView, OrganisationView, QuotaView
from fablab.organisations.quotas import LONGEST_S
from fablab.organisations.rules import NAME_MAX, PERIODS, Standing
from fablab.usage.consumption import Consumed, Consumption, QuotaUse
from fablab.web.schemas.base import (
    Cursor,
    Day,
    Flag,
    Instant,
    PageQuery,
    PersonOut,
    Slug,
    Strict,
    Text,
    Whole,
    a_number,
    an_instant,
    person,
)
from fablab.web.schemas.places import Names


def a_flag(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError
    return value


def a_name(value: Any) -> str:
    """A name in a cursor."""
    if not isinstance(value, str) or len(value) > NAME_MAX or not value.isprintable():
        raise ValueError
    return value


class EntryOut(Strict):
    slug = fields.String()
    names = fields.Nested(Names)


class CategoryOut(EntryOut):
    kinds = fields.List(
        fields.String(), metadata={"description": "Kinds of organisation that begin in this category"}
    )


class OrganisationsQuery(PageQuery):
    text = Text(NAME_MAX, data_key="q", metadata={"description": "Part of the name"})
    kind = fields.String(validate=validate.OneOf(KINDS))
    tariff_category = Slug()
    mine = fields.Boolean(
        load_default=False, metadata={"description": "Only those one belongs to, also for operators"}
    )
    cursor = Cursor(a_name, a_number)


class PeopleQuery(PageQuery):
    cursor = Cursor(a_flag, a_name, a_number)


class InvitationsQuery(PageQuery):
    cursor = Cursor(a_number)


class OrganisationIn(Strict):
    name = Text(NAME_MAX, 1, required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))


class OrganisationPatch(Strict):
    name = Text(NAME_MAX, 1, metadata={"description": "Owners and admins"})
    kind = fields.String(validate=validate.OneOf(KINDS), metadata={"description": "Admins"})
    tariff_category = Slug(metadata={"description": "Admins; one of /tariff-categories"})


class OrganisationOut(Strict):
    slug = fields.String()
    name = fields.String()
    kind = fields.String(validate=validate.OneOf(KINDS))
    tariff_category = fields.String()
    members = fields.Integer(metadata={"description": "How many belong to it"})
    mine = fields.Boolean(metadata={"description": "Whether you belong to it"})
    owner = fields.Boolean(metadata={"description": "Whether you are one of its owners"})
    created_at = Instant()
    closed_at = Instant(allow_none=True)


class BelongingOut(Strict):
    id = fields.Integer(attribute="member_id")
    name = fields.String()
    owner = fields.Boolean()
    since = Instant()


class BelongingPatch(Strict):
    owner = Flag(required=True)


class InvitationIn(Strict):
    email = Text(254, 3, required=True)
    owner = Flag(load_default=False)


class InvitationOut(Strict):
    id = fields.Integer()
    organisation = fields.String(attribute="organisation_slug")
    organisation_name = fields.String()
    email = fields.String()
    owner = fields.Boolean(metadata={"description": "Whether who accepts becomes an owner"})
    invited_by = fields.Nested(PersonOut)
    created_at = Instant()
    expires_at = Instant()


class SecretIn(Strict):
    secret = Text(200, 1, required=True, metadata={"description": "The last part of the mail's link"})


class QuotaIn(Strict):
    kind = Slug(
        load_default=None, allow_none=True, metadata={"description": "Kind of machine; null: all together"}
    )
    period = fields.String(required=True, validate=validate.OneOf(PERIODS))
    limit_s = Whole(required=True, validate=validate.Range(0, LONGEST_S))


class QuotaOut(Strict):
    id = fields.Integer()
    kind = fields.String(allow_none=True)
    period = fields.String(validate=validate.OneOf(PERIODS))
    limit_s = fields.Integer()


class QuotaUseOut(QuotaOut):
    starts_at = Instant(metadata={"description": "When the present period began"})
    ends_at = Instant()
    booked_s = fields.Integer(metadata={"description": "Booked in the present period"})


class DoneQuery(PageQuery):
    since = Instant(data_key="from")
    until = Instant(data_key="to")
    cursor = Cursor(an_instant, a_number)


class OrganisationBookingOut(Strict):
    id = fields.Integer()
    machine = fields.String()
    machine_name = fields.String()
    lab = fields.String()
    member = fields.Nested(PersonOut)
    belongs = fields.Boolean(metadata={"description": "Whether that member still belongs to it"})
    starts_at = Instant()
    ends_at = Instant()
    state = fields.String(validate=validate.OneOf(STATES))
    head_count = fields.Integer()
    project = fields.String(allow_none=True, metadata={"description": "The organisation's project"})


class ConsumptionQuery(Strict):
    first = Day(data_key="from", metadata={"description": "First local day; a year before `to` if missing"})
    last = Day(data_key="to", metadata={"description": "Last local day; today if missing"})


class ConsumedOut(Strict):
    bookings = fields.Integer()
    missed = fields.Integer()
    booked_s = fields.Integer()
    used_s = fields.Integer(metadata={"description": "Machines in use in these bookings"})
    energy_wh = fields.Float(allow_none=True)
    jobs = fields.Integer()
    jobs_finished = fields.Integer()
    jobs_failed = fields.Integer()


class MonthOut(ConsumedOut):
    month = fields.Date(metadata={"description": "First day"})


class KindConsumedOut(ConsumedOut):
    kind = fields.String()


class MemberConsumedOut(ConsumedOut):
    member = fields.Nested(PersonOut)


class ConsumptionOut(Strict):
    first = fields.Date(data_key="from")
    last = fields.Date(data_key="to")
    total = fields.Nested(ConsumedOut)
    by_month = fields.List(fields.Nested(MonthOut))
    by_kind = fields.List(fields.Nested(KindConsumedOut))
    by_member = fields.List(fields.Nested(MemberConsumedOut))


def organisation_json(found: OrganisationView, place: Standing) -> dict[str, Any]:
    """An organisation, and what the caller is in it."""
    return {**vars(found), "mine": place.member, "owner": place.owner}


def invitation_json(found: InvitationView) -> dict[str, Any]:
    return {**vars(found), "invited_by": person(found.invited_by_id, found.invited_by)}


def quota_json(quota: QuotaView) -> dict[str, Any]:
    return {"id": quota.id, "kind": quota.kind_slug, "period": quota.period, "limit_s": quota.limit_s}


def quota_use_json(use: QuotaUse) -> dict[str, Any]:
    zone = ZoneInfo(use.quota.zone)
    return {
        **quota_json(use.quota),
        "starts_at": use.since.astimezone(zone),
        "ends_at": use.until.astimezone(zone),
        "booked_s": use.booked_s,
    }


def organisation_booking_json(each: OrganisationBooking) -> dict[str, Any]:
    zone = ZoneInfo(each.zone)
    return {
        **vars(each),
        "machine": each.machine_slug,
        "lab": each.lab_slug,
        "member": person(each.member_id, each.member_name),
        "starts_at": each.starts_at.astimezone(zone),
        "ends_at": each.ends_at.astimezone(zone),
    }


def consumption_json(found: Consumption, first: date, last: date) -> dict[str, Any]:
    return {
        "first": first,
        "last": last,
        "total": _consumed(found.total),
        "by_month": [{"month": month, **_consumed(each)} for month, each in found.by_month],
        "by_kind": [{"kind": kind, **_consumed(each)} for kind, _, each in found.by_kind],
        "by_member": [
            {"member": person(id_, name), **_consumed(each)} for id_, name, each in found.by_member
        ],
    }


def _consumed(sums: Consumed) -> dict[str, Any]:
    return {**vars(sums), "booked_s": round(sums.booked_s), "used_s": round(sums.used_s)}
