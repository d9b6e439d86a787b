"""Bookings that come again."""

from __future__ import annotations

from typing import Any

from fablab.bookings.astray import unresolved
from fablab.bookings.queries import participants
from fablab.bookings.rules_people import may_see_participants
from fablab.bookings.series import create_series, preview_series
from fablab.bookings.series_changes import add_occurrence, cancel_series, change_series
from fablab.bookings.series_queries import SeriesView, bookings_in, outcome, series, skips_of
from fablab.clock import utc_now
from fablab.errors import not_found
from fablab.members.rules import may_see_lab_details
from fablab.web.api.base import Blueprint, session, the_lab
from fablab.web.auth import current_actor
from fablab.web.idempotency import writes
from fablab.web.schemas import bookings as booking_shape
from fablab.web.schemas import series as shape
from fablab.web.schemas.base import page_of
from fablab.web.settings import booking_policy

blueprint = Blueprint("series", "Bookings that come again, in the lab's wall time")


@blueprint.post("/series")
@writes
@blueprint.arguments(shape.SeriesIn)
@blueprint.response(201, shape.SeriesOut)
def post_series(body: dict[str, Any]) -> dict[str, Any]:
    """Book every occurrence, or with `on_clash` skip those that can be; the answer tells what became of each.

    A refusal's field names the occurrence, counted from 0: `occurrences.3.starts_at`.
    """
    actor = current_actor()
    series_id, made = create_series(session(), actor, shape.series_request(body), utc_now(), booking_policy())
    return shape.series_json(_seen(series_id), made.occurrences, actor)


@blueprint.post("/series/preview")
@writes
@blueprint.arguments(shape.SeriesIn)
@blueprint.response(200, shape.SeriesPreviewOut)
def post_series_preview(body: dict[str, Any]) -> dict[str, Any]:
    """Every occurrence with what booking would make of it now, and why not; stores nothing."""
    seen = preview_series(session(), current_actor(), shape.series_request(body), utc_now(), booking_policy())
    return {
        "bookable": seen.bookable,
        "rrule": seen.rrule,
        "occurrences": [shape.occurrence_json(each) for each in seen.occurrences],
    }


@blueprint.get("/series/<id:series_id>")
@blueprint.response(200, shape.SeriesOut)
def get_series(series_id: int) -> dict[str, Any]:
    """A series with what became of each of its occurrences; for whose it is, and the lab's staff."""
    return _whole(_seen(series_id))


@blueprint.patch("/series/<id:series_id>")
@writes
@blueprint.arguments(shape.SeriesPatch)
@blueprint.response(200, shape.SeriesOut)
def patch_series(body: dict[str, Any], series_id: int) -> dict[str, Any]:
    """Change one occurrence, this and those after it, or all that are still to come; all of them or none.

    Where others stay behind, the changed ones are a series of their own from there on, which is the answer.
    """
    changed = change_series(
        session(),
        current_actor(),
        series_id,
        body["scope"],
        body["at"],
        shape.series_change(body),
        utc_now(),
        booking_policy(),
    )
    return _whole(_seen(changed))


@blueprint.post("/series/<id:series_id>/cancellation")
@writes
@blueprint.arguments(shape.SeriesCancellationIn)
@blueprint.response(201, shape.SeriesOut)
def post_series_cancellation(body: dict[str, Any], series_id: int) -> dict[str, Any]:
    """Give back the time of one occurrence, of this and those after it, or of all that are still to come."""
    cancel_series(
        session(),
        current_actor(),
        series_id,
        body["scope"],
        body["at"],
        utc_now(),
        booking_policy(),
        body["reason"],
    )
    return _whole(_seen(series_id))


@blueprint.post("/series/<id:series_id>/occurrences")
@writes
@blueprint.arguments(shape.AddedOccurrenceIn)
@blueprint.response(201, booking_shape.BookingOut)
def post_occurrence(body: dict[str, Any], series_id: int) -> dict[str, Any]:
    """Book a date of the series that was skipped or cancelled, as the others are."""
    actor = current_actor()
    made = add_occurrence(session(), actor, series_id, body["on"], utc_now(), booking_policy())
    shown = made.head_count > 1 and may_see_participants(made.part(actor))
    listed = participants(session(), [made.id]).get(made.id, ()) if shown else ()
    return booking_shape.booking_json(made, actor, listed)


@blueprint.get("/labs/<slug:lab>/misplaced-bookings")
@blueprint.response(200, page_of(shape.MisplacedOut, "MisplacedPage"))
def get_misplaced(lab: str) -> dict[str, Any]:
    """Coming bookings that could not keep their wall time when the rules of the clock changed.

    For the lab's staff: the machine is taken at that time; speak with the people, then move or cancel.
    """
    found = the_lab(lab)
    if not may_see_lab_details(current_actor(), found.id):
        raise not_found("page")
    items = unresolved(session(), found.id, utc_now())
    return {"items": [shape.misplaced_json(each, found.zone) for each in items], "next": None}


def _seen(series_id: int) -> SeriesView:
    found = series(session(), series_id)
    if found is None or not found.visible_to(current_actor()):
        raise not_found("series")
    return found


def _whole(found: SeriesView) -> dict[str, Any]:
    told = outcome(found, bookings_in(session(), found.id), skips_of(session(), found.id))
    return shape.series_json(found, told, current_actor())
