"""Series and presets. The series is Amina's, in Tanger; the preset is Tanger's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fablab.bookings.facts import BookingRequest, Policy
from fablab.bookings.preset_queries import Step
from fablab.bookings.presets import add_preset
from fablab.bookings.series import create_series
from fablab.bookings.series_changes import cancel_series
from fablab.bookings.series_plan import SeriesRequest
from fablab.machines.queries import lab_by_slug
from tests.fixtures_cast import tomorrow
from tests.web.api.requests import booking_body
from tests.web.permissions import Row
from tests.web.permissions.world import World

# An hour at night, on days that nobody else's rows book.
STARTS = tomorrow(3, days=8)
SERIES = {"series_id": "$series"}
UNSEEN = {"youssef": 404, "trainer": 404, "karim": 404}
LEADERS = {**UNSEEN, "nadia": 403}
MANAGERS = dict.fromkeys(("amina", "youssef", "trainer", "karim", "nadia"), 403)
WANTED = booking_body(rrule="FREQ=WEEKLY;COUNT=2")
PRESET = {"preset_id": "$preset"}
STEPS = [{"machine": "tanger-laser-1", "duration_s": 3600}]

ROWS: dict[str, Row] = {
    "POST /api/v1/series": Row(201, nadia=403, json=WANTED),
    "POST /api/v1/series/preview": Row(200, nadia=403, json=WANTED),
    "GET /api/v1/series/<id:series_id>": Row(200, **UNSEEN, at=SERIES),
    "PATCH /api/v1/series/<id:series_id>": Row(
        200, **LEADERS, at=SERIES, json={"scope": "all", "purpose": "club"}
    ),
    "POST /api/v1/series/<id:series_id>/cancellation": Row(201, **LEADERS, at=SERIES, json={"scope": "all"}),
    "POST /api/v1/series/<id:series_id>/occurrences": Row(
        201, **LEADERS, at=SERIES, json={"on": f"{STARTS:%Y-%m-%d}"}
    ),
    "GET /api/v1/labs/<slug:lab>/misplaced-bookings": Row(200, **UNSEEN, amina=404),
    "GET /api/v1/labs/<slug:lab>/presets": Row(200),
    "POST /api/v1/labs/<slug:lab>/presets": Row(201, **MANAGERS, json={"name": "New", "steps": STEPS}),
    "PATCH /api/v1/presets/<id:preset_id>": Row(200, **MANAGERS, at=PRESET, json={"name": "Other"}),
    "DELETE /api/v1/presets/<id:preset_id>": Row(204, **MANAGERS, at=PRESET),
}


def things(world: World) -> dict[str, Any]:
    """The series has a first date that was cancelled and can be added again."""
    amina, salma = world.cast.actors["amina"], world.cast.actors["salma"]
    limits = Policy(**vars(world.settings.bookings))
    first = BookingRequest("tanger-prusa-2", STARTS, STARTS + timedelta(hours=1))
    wanted = SeriesRequest(first, "FREQ=WEEKLY;COUNT=3")
    series_id, made = create_series(world.session, amina, wanted, world.now, limits)
    cancel_series(world.session, amina, series_id, "this", made.occurrences[0].at, world.now, limits)
    lab = lab_by_slug(world.session, "tanger")
    assert lab is not None
    steps = [Step(0, 3600, machine="tanger-laser-1")]
    preset = add_preset(world.session, salma, lab, "Cut", steps, world.now)
    return {"series": series_id, "preset": preset.id}
