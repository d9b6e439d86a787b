"""Seasons of a lab: a list, a form for another, and one with its week."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from flask import flash, redirect, render_template, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from fablab.bookings.outside_hours import left_outside
from fablab.clock import utc_now
from fablab.errors import DomainError
from fablab.machines import seasons
from fablab.machines.models import LABEL_MAX
from fablab.machines.rules import OPENINGS_A_DAY, WEEKDAYS
from fablab.machines.seasons import PRIORITY_MOST, SeasonView, season_of, seasons_of, weeks_of
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, a_day, a_number, errors_of, lines, told
from fablab.web.pages.hours import managed, saved
from fablab.web.pages.hours_week import WeekForm

FIELDS = ("label", "starts_on", "ends_on", "priority")


@blueprint.get("/labs/<slug:slug>/hours/seasons")
def hours_seasons(slug: str) -> str:
    """All of them, and the form for another."""
    return _list(slug, dict.fromkeys(FIELDS, "") | {"priority": "0"}, {})


@blueprint.post("/labs/<slug:slug>/hours/seasons")
def hours_season_added(slug: str) -> Response | tuple[str, int]:
    """Add a season with the usual week; its own is set on the page it leads to."""
    session, actor = reading()
    lab = managed(session, actor, slug)
    typed = lines(*FIELDS)
    errors: Errors = {}
    values = _values(typed, errors)
    if errors:
        return _list(slug, typed, errors), 422
    week = weeks_of(session, lab.id).get(None, ())
    try:
        with writing() as session:
            made = seasons.add_season(session, actor, slug, week=week, now=utc_now(), **values)
    except DomainError as error:
        return _list(slug, typed, errors_of(error, fields=FIELDS)), 422
    flash("The season is in force, with the usual hours for now. Set its own below.", "good")
    return redirect(url_for("pages.hours_season", slug=slug, season_id=made.id), 303)


@blueprint.get("/labs/<slug:slug>/hours/seasons/<id:season_id>")
def hours_season(slug: str, season_id: int) -> str:
    """One season: its days and its week."""
    return _one(slug, season_id)


@blueprint.post("/labs/<slug:slug>/hours/seasons/<id:season_id>")
def hours_season_saved(slug: str, season_id: int) -> Response | tuple[str, int]:
    """Its days, name and priority."""
    _, actor = reading()
    typed = lines(*FIELDS)
    errors: Errors = {}
    values = _values(typed, errors)
    if errors:
        return _one(slug, season_id, typed, errors), 422
    try:
        outside = _changed(
            slug,
            lambda session: seasons.change_season(session, actor, slug, season_id, values, utc_now()),
        )
    except DomainError as error:
        return _one(slug, season_id, typed, errors_of(error, fields=FIELDS)), 422
    return saved("Saved.", outside, url_for("pages.hours_season", slug=slug, season_id=season_id), slug)


@blueprint.post("/labs/<slug:slug>/hours/seasons/<id:season_id>/week")
def hours_season_week(slug: str, season_id: int) -> Response | tuple[str, int]:
    """The lab's week in it."""
    _, actor = reading()
    form = WeekForm.sent()
    week = form.week()
    if form.errors:
        return _one(slug, season_id, form=form), 422
    try:
        outside = _changed(
            slug,
            lambda session: seasons.replace_season_week(session, actor, slug, season_id, week, utc_now()),
        )
    except DomainError as error:
        form.take(error)
        return _one(slug, season_id, form=form), 422
    address = url_for("pages.hours_season", slug=slug, season_id=season_id)
    return saved("The week is saved.", outside, address, slug)


@blueprint.post("/labs/<slug:slug>/hours/seasons/<id:season_id>/confirmation")
def hours_season_confirmed(slug: str, season_id: int) -> Response:
    """Put a proposal in force."""
    _, actor = reading()
    address = url_for("pages.hours_seasons", slug=slug)
    try:
        outside = _changed(
            slug, lambda session: seasons.confirm_season(session, actor, slug, season_id, utc_now())
        )
    except DomainError as error:
        return told(error, address)
    return saved("The season is in force.", outside, address, slug)


@blueprint.get("/labs/<slug:slug>/hours/seasons/<id:season_id>/removal")
def hours_season_removal(slug: str, season_id: int) -> str:
    """Ask before it is taken away."""
    session, actor = reading()
    found = season_of(session, managed(session, actor, slug).id, season_id)
    asked = found.state == "proposed"
    return render_template(
        "sure.html",
        title=f"Decline {found.label}?" if asked else f"Remove {found.label}?",
        text="The usual hours stay as they are on these days, and it is not proposed again."
        if asked
        else "The usual hours are kept on these days from now on. Bookings already made stay.",
        action=url_for("pages.hours_season_removed", slug=slug, season_id=season_id),
        button="Yes, decline it" if asked else "Yes, remove it",
        picture="trash",
        back=url_for("pages.hours_season", slug=slug, season_id=season_id),
        keep="Keep it",
    )


@blueprint.post("/labs/<slug:slug>/hours/seasons/<id:season_id>/removal")
def hours_season_removed(slug: str, season_id: int) -> Response:
    """Take it away, or decline the proposal."""
    _, actor = reading()
    outside = _changed(
        slug, lambda session: seasons.remove_season(session, actor, slug, season_id, utc_now())
    )
    return saved(
        "The usual hours count on these days.", outside, url_for("pages.hours_seasons", slug=slug), slug
    )


def _changed(slug: str, change: Callable[[Session], Any]) -> Any:
    """Bookings that lie outside hours because of the change."""
    with writing() as session:
        _, outside = left_outside(session, slug, utc_now(), lambda: change(session))
    return outside


def _values(typed: dict[str, str], errors: Errors) -> dict[str, Any]:
    return {
        "label": typed["label"],
        "starts_on": a_day(typed["starts_on"], "starts_on", errors, needed=True, near=True),
        "ends_on": a_day(typed["ends_on"], "ends_on", errors, needed=True, near=True),
        "priority": a_number(
            typed["priority"] or "0",
            "priority",
            errors,
            least=0,
            most=PRIORITY_MOST,
            message=f"Please give a number from 0 to {PRIORITY_MOST}.",
        ),
    }


def _list(slug: str, typed: dict[str, str], errors: Errors) -> str:
    session, actor = reading()
    lab = managed(session, actor, slug)
    today: date = utc_now().astimezone(ZoneInfo(lab.zone)).date()
    found = [each for each in seasons_of(session, actor, lab.id) if each.state != "declined"]
    return render_template(
        "hours/seasons.html",
        lab=lab,
        coming=[each for each in found if each.ends_on >= today],
        past=[each for each in reversed(found) if each.ends_on < today],
        today=today,
        typed=typed,
        errors=errors,
        longest=LABEL_MAX,
        most=PRIORITY_MOST,
    )


def _one(
    slug: str,
    season_id: int,
    typed: dict[str, str] | None = None,
    errors: Errors | None = None,
    form: WeekForm | None = None,
) -> str:
    session, actor = reading()
    lab = managed(session, actor, slug)
    found: SeasonView = season_of(session, lab.id, season_id)
    return render_template(
        "hours/season.html",
        lab=lab,
        season=found,
        typed=typed or {name: str(getattr(found, name)) for name in FIELDS},
        errors=errors or {},
        form=form or WeekForm.of(found.week),
        machine_weeks=sorted(slug for slug in found.weeks if slug is not None),
        weekdays=WEEKDAYS,
        most=OPENINGS_A_DAY,
        longest=LABEL_MAX,
        most_priority=PRIORITY_MOST,
    )
