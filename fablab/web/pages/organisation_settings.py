"""An organisation's name and end, for its owners; its terms and quotas, for admins."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.errors import DomainError, not_allowed
from fablab.machines.queries import kinds
from fablab.organisations import service
from fablab.organisations.quotas import drop_quota, set_quota
from fablab.organisations.rules import NAME_MAX, may_close
from fablab.organisations.visibility import visible, visible_to_owners
from fablab.usage.consumption import quota_use
from fablab.web.catalogue import network_words
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, errors_of, line
from fablab.web.pages.organisation import frame
from fablab.web.pages.organisation_words import KINDS, choices

HOURS_MOST = 10_000


@blueprint.get("/organisations/<slug:slug>/settings")
def organisation_settings(slug: str) -> str:
    """Name, closing, and what the network has agreed with it."""
    return _page(slug)


def _page(slug: str, errors: Errors | None = None, **typed_values: Any) -> str:
    session, actor = reading()
    found, place = visible_to_owners(session, actor, slug)
    return render_template(
        "organisation_settings.html",
        **frame(found, place),
        uses=quota_use(session, found.id, utc_now()),
        machine_kinds=[(each.slug, each.names["en"]) for each in kinds(session)],
        kinds=KINDS,
        categories=choices(network_words().tariff_categories, found.tariff_category),
        errors=errors or {},
        typed={"name": found.name, "hours": "", "kind": "", "period": "week", **typed_values},
    )


@blueprint.post("/organisations/<slug:slug>/name")
def rename_organisation(slug: str) -> Response | tuple[str, int]:
    _, actor = reading()
    name = line("name", NAME_MAX)
    try:
        with writing() as session:
            service.rename(session, actor, slug, name, utc_now())
    except DomainError as error:
        return _again(error, slug, name=name)
    return _saved(slug)


@blueprint.post("/organisations/<slug:slug>/terms")
def set_terms(slug: str) -> Response | tuple[str, int]:
    """Kind and tariff category."""
    _, actor = reading()
    try:
        with writing() as session:
            service.set_terms(
                session,
                actor,
                slug,
                network_words(),
                utc_now(),
                kind=line("kind", 20) or None,
                tariff_category=line("tariff_category", 60) or None,
            )
    except DomainError as error:
        return _again(error, slug)
    return _saved(slug)


@blueprint.post("/organisations/<slug:slug>/quotas")
def set_organisation_quota(slug: str) -> Response | tuple[str, int]:
    """Set or change one quota, in hours."""
    _, actor = reading()
    kind, period, hours = line("machine_kind", 60), line("period", 10), line("hours", 10)
    limit_s = _seconds(hours)
    try:
        with writing() as session:
            set_quota(session, actor, slug, kind or None, period, limit_s, utc_now())
    except DomainError as error:
        return _again(error, slug, hours=hours, kind=kind, period=period)
    return _saved(slug)


@blueprint.post("/organisations/<slug:slug>/quotas/<id:quota_id>/removal")
def drop_organisation_quota(slug: str, quota_id: int) -> Response:
    _, actor = reading()
    with writing() as session:
        drop_quota(session, actor, slug, quota_id, utc_now())
    return _saved(slug)


@blueprint.get("/organisations/<slug:slug>/closure")
def closure(slug: str) -> str:
    """Ask before it is closed."""
    session, actor = reading()
    found, place = visible(session, actor, slug)
    if not may_close(actor, place):
        raise not_allowed("Only its owners may close the organisation.")
    return render_template(
        "sure.html",
        title=f"Close {found.name}?",
        text="Nobody can book in its name any more, and open invitations end. Bookings already made go on. "
        "Only the network’s administrators can open it again.",
        action=url_for("pages.close_organisation", slug=slug),
        button="Yes, close it",
        picture="lock",
        back=url_for("pages.organisation_settings", slug=slug),
        keep="Keep it open",
    )


@blueprint.post("/organisations/<slug:slug>/closure")
def close_organisation(slug: str) -> Response | tuple[str, int]:
    _, actor = reading()
    try:
        with writing() as session:
            service.close(session, actor, slug, utc_now())
    except DomainError as error:
        return _again(error, slug)
    flash("The organisation is closed.", "good")
    return redirect(url_for("pages.organisation_settings", slug=slug), 303)


@blueprint.post("/organisations/<slug:slug>/reopening")
def reopen_organisation(slug: str) -> Response:
    _, actor = reading()
    with writing() as session:
        service.reopen(session, actor, slug, utc_now())
    flash("The organisation is open again.", "good")
    return redirect(url_for("pages.organisation_settings", slug=slug), 303)


def _seconds(hours: str) -> int:
    """Hours as typed, "12" or "12.5" or "12,5"; -1 for what is no number, which the rule then refuses."""
    try:
        value = float(hours.replace(",", "."))
    except ValueError:
        return -1
    return round(value * 3600) if 0 <= value <= HOURS_MOST else -1


def _again(error: DomainError, slug: str, **typed_values: Any) -> tuple[str, int]:
    names = {"kind": "machine_kind", "limit": "hours"} if "hours" in request.form else {}
    return _page(slug, errors_of(error, {"organisation": "", **names}), **typed_values), 422


def _saved(slug: str) -> Response:
    flash("Saved.", "good")
    return redirect(url_for("pages.organisation_settings", slug=slug), 303)
