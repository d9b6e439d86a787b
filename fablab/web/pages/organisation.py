"""One organisation: its people and quotas, what was booked and used in its name."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import render_template, request

from fablab.bookings.in_name import organisation_bookings
from fablab.clock import utc_now
from fablab.machines.queries import common_zone, labs
from fablab.organisations import queries
from fablab.organisations.queries import OrganisationView
from fablab.organisations.rules import (
    OUTSIDE,
    Standing,
    may_change_project,
    may_close,
    may_invite,
    may_see_what_was_done,
    may_set_terms,
)
from fablab.organisations.visibility import visible, visible_to_owners
from fablab.usage.consumption import consumption, quota_use
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, how_many

COMING_MOST, PAST_SHOWN, PAST_MOST = 200, 30, 600
MONTHS = {3: "3 months", 6: "6 months", 12: "12 months", 24: "2 years"}


@blueprint.get("/organisations/<slug:slug>")
def organisation(slug: str) -> str:
    """Its people, its quotas, and for owners its open invitations."""
    return people_page(slug)


def people_page(slug: str, email: str = "", as_owner: bool = False, errors: Errors | None = None) -> str:
    """The same, with what was typed into the invitation's form."""
    session, actor = reading()
    found, place = visible(session, actor, slug)
    now = utc_now()
    sees = may_see_what_was_done(actor, place)
    return render_template(
        "organisation.html",
        **frame(found, place),
        now=now,
        people=queries.people(session, found.id),
        uses=quota_use(session, found.id, now),
        projects=queries.projects_of_organisation(session, found.id),
        may_edit=lambda each: may_change_project(actor, each.member_id, place, True),
        invitations=queries.open_invitations(session, found.id, now) if sees else [],
        email=email,
        as_owner=as_owner,
        errors=errors or {},
    )


@blueprint.get("/organisations/<slug:slug>/bookings")
def organisation_bookings_page(slug: str) -> str:
    """Bookings in its name: what is coming and what was. ``?past=N`` shows N past ones."""
    session, actor = reading()
    found, place = visible_to_owners(session, actor, slug)
    now = utc_now()
    wanted = how_many("past", PAST_SHOWN, PAST_MOST)
    coming = organisation_bookings(session, found.id, since=now, newest_first=False, limit=COMING_MOST)
    begun = {each.id for each in coming if each.starts_at < now}
    past = organisation_bookings(session, found.id, until=now, limit=wanted + len(begun) + 1)
    past = [each for each in past if each.id not in begun]
    return render_template(
        "organisation_bookings.html",
        **frame(found, place),
        now=now,
        coming=[each for each in coming if each.state not in ("cancelled", "rejected")],
        past=past[:wanted],
        more=wanted + PAST_SHOWN if len(past) > wanted and wanted < PAST_MOST else None,
    )


@blueprint.get("/organisations/<slug:slug>/consumption")
def organisation_consumption(slug: str) -> str:
    """Booked and used hours, energy and jobs by month, kind of machine and member."""
    session, actor = reading()
    found, place = visible_to_owners(session, actor, slug)
    zone = common_zone(labs(session))
    months = request.args.get("months", 6, type=int)
    months = months if months in MONTHS else 6
    today = utc_now().astimezone(ZoneInfo(zone)).date()
    return render_template(
        "organisation_consumption.html",
        **frame(found, place),
        consumed=consumption(session, found.id, _months_back(today, months - 1), today),
        months=months,
        periods=MONTHS,
    )


def frame(found: OrganisationView, place: Standing = OUTSIDE) -> dict[str, Any]:
    """What the head of every page about an organisation needs: who looks, and what they may do."""
    _, actor = reading()
    return {
        "organisation": found,
        "place": place,
        "is_open": found.closed_at is None,
        "may_invite": may_invite(actor, place) and found.closed_at is None,
        "may_see_done": may_see_what_was_done(actor, place),
        "may_close": may_close(actor, place),
        "may_set_terms": may_set_terms(actor),
    }


def _months_back(day: date, months: int) -> date:
    """The first day of the month that lies ``months`` before."""
    first = day.replace(day=1)
    for _ in range(months):
        first = (first - timedelta(days=1)).replace(day=1)
    return first
