"""Rows of hours: weeks, seasons, closures and calendars elsewhere, over REST and on pages."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from fablab.machines import closures, external_calendars, seasons
from fablab.machines.models import Closure, Season
from tests.web.permissions import Row
from tests.web.permissions.world import World

SEASON, ASKED_SEASON = {"season_id": "$season"}, {"season_id": "$asked_season"}
CLOSURE, ASKED_CLOSURE = {"closure_id": "$closure"}, {"closure_id": "$asked_closure"}
SOURCE = {"source_id": "$calendar_source"}
OPENINGS = [{"weekday": 0, "opens": "09:00", "closes": "12:00"}]
DAYS = {"starts_on": "2031-01-01", "ends_on": "2031-01-31"}


def staff(status: int, **how: Any) -> Row:
    """Tanger's manager and admins may; everybody may know that there are hours, so the others are told no."""
    return Row(403, salma=status, admin=status, **how)


def things(world: World) -> dict[str, Any]:
    """In Tanger: a season and a closure in force, one of each proposed, and a calendar elsewhere."""
    session, salma, now = world.session, world.cast.actors["salma"], world.now
    lab_id = world.cast.labs["tanger"]
    first = date(now.year + 2, 7, 1)
    wall = datetime.combine(first, datetime.min.time())
    asked_season = Season(
        lab_id=lab_id,
        label="Ramadan",
        starts_on=first,
        ends_on=first,
        state="proposed",
        proposal="ramadan-test",
    )
    asked_closure = Closure(
        lab_id=lab_id,
        label="Holiday",
        local_starts=wall,
        local_ends=wall + timedelta(days=1),
        state="proposed",
        proposal="holiday-test",
    )
    session.add_all([asked_season, asked_closure])
    session.flush()
    return {
        "season": seasons.add_season(session, salma, "tanger", "Summer", first, first, [], now).id,
        "asked_season": asked_season.id,
        "closure": closures.add_closure(
            session, salma, "tanger", "Fair", wall, wall + timedelta(hours=2), now
        ).id,
        "asked_closure": asked_closure.id,
        "calendar_source": external_calendars.add_source(
            session, salma, "tanger", "Lessons", "https://example.org/lessons.ics", now
        ).id,
    }


ROWS = {
    "GET /api/v1/labs/<slug:lab>/hours": Row(200),
    "GET /api/v1/machines/<slug:machine>/hours": Row(200),
    "GET /api/v1/labs/<slug:lab>/week": Row(200),
    "PUT /api/v1/labs/<slug:lab>/week": staff(200, json={"openings": OPENINGS}),
    "GET /api/v1/machines/<slug:machine>/week": Row(200),
    "PUT /api/v1/machines/<slug:machine>/week": staff(200, json={"openings": OPENINGS}),
    "GET /api/v1/labs/<slug:lab>/seasons": Row(200),
    "POST /api/v1/labs/<slug:lab>/seasons": staff(201, json={"label": "Exams", "openings": OPENINGS, **DAYS}),
    "PATCH /api/v1/labs/<slug:lab>/seasons/<id:season_id>": staff(200, at=SEASON, json={"priority": 3}),
    "PUT /api/v1/labs/<slug:lab>/seasons/<id:season_id>/week": staff(
        200, at=SEASON, json={"openings": OPENINGS}
    ),
    "POST /api/v1/labs/<slug:lab>/seasons/<id:season_id>/confirmation": staff(201, at=ASKED_SEASON),
    "DELETE /api/v1/labs/<slug:lab>/seasons/<id:season_id>": staff(204, at=SEASON),
    "GET /api/v1/labs/<slug:lab>/closures": Row(200),
    "POST /api/v1/labs/<slug:lab>/closures": staff(
        201,
        json={"label": "Fair", "local_starts": "2031-01-01T10:00", "local_ends": "2031-01-01T12:00"},
    ),
    "PATCH /api/v1/labs/<slug:lab>/closures/<id:closure_id>": staff(200, at=CLOSURE, json={"label": "Expo"}),
    "POST /api/v1/labs/<slug:lab>/closures/<id:closure_id>/confirmation": staff(201, at=ASKED_CLOSURE),
    "DELETE /api/v1/labs/<slug:lab>/closures/<id:closure_id>": staff(204, at=CLOSURE),
    "GET /api/v1/labs/<slug:lab>/calendar-sources": staff(200),
    "POST /api/v1/labs/<slug:lab>/calendar-sources": staff(
        201, json={"label": "Exams", "url": "https://example.org/exams.ics"}
    ),
    "DELETE /api/v1/labs/<slug:lab>/calendar-sources/<id:source_id>": staff(204, at=SOURCE),
    "GET /staff/hours": Row(403, salma=302, karim=302, admin=200),
    "GET /labs/<slug:slug>/hours": staff(200, at={"slug": "tanger"}),
    "GET /labs/<slug:slug>/hours/week": staff(200, at={"slug": "tanger"}),
    "POST /labs/<slug:slug>/hours/week": staff(
        303, at={"slug": "tanger"}, form={"opens-0-0": "09:00", "closes-0-0": "12:00"}
    ),
    "GET /labs/<slug:slug>/hours/seasons": staff(200, at={"slug": "tanger"}),
    "POST /labs/<slug:slug>/hours/seasons": staff(
        303, at={"slug": "tanger"}, form={"label": "Exams", "priority": "0", **DAYS}
    ),
    "GET /labs/<slug:slug>/hours/seasons/<id:season_id>": staff(200, at={"slug": "tanger", **SEASON}),
    "POST /labs/<slug:slug>/hours/seasons/<id:season_id>": staff(
        303, at={"slug": "tanger", **SEASON}, form={"label": "Exams", "priority": "0", **DAYS}
    ),
    "POST /labs/<slug:slug>/hours/seasons/<id:season_id>/week": staff(
        303, at={"slug": "tanger", **SEASON}, form={"opens-0-0": "09:00", "closes-0-0": "12:00"}
    ),
    "POST /labs/<slug:slug>/hours/seasons/<id:season_id>/confirmation": staff(
        303, at={"slug": "tanger", **ASKED_SEASON}, form={}
    ),
    "GET /labs/<slug:slug>/hours/seasons/<id:season_id>/removal": staff(200, at={"slug": "tanger", **SEASON}),
    "POST /labs/<slug:slug>/hours/seasons/<id:season_id>/removal": staff(
        303, at={"slug": "tanger", **SEASON}, form={}
    ),
    "GET /labs/<slug:slug>/hours/closures": staff(200, at={"slug": "tanger"}),
    "POST /labs/<slug:slug>/hours/closures": staff(
        303, at={"slug": "tanger"}, form={"label": "Fair", "first_day": "2031-01-01"}
    ),
    "POST /labs/<slug:slug>/hours/closures/decisions": staff(
        303, at={"slug": "tanger"}, form={"closure": "$asked_closure", "confirm": "1"}
    ),
    "GET /labs/<slug:slug>/hours/closures/<id:closure_id>/removal": staff(
        200, at={"slug": "tanger", **CLOSURE}
    ),
    "POST /labs/<slug:slug>/hours/closures/<id:closure_id>/removal": staff(
        303, at={"slug": "tanger", **CLOSURE}, form={}
    ),
    "GET /labs/<slug:slug>/hours/calendars": staff(200, at={"slug": "tanger"}),
    "POST /labs/<slug:slug>/hours/calendars": staff(
        303, at={"slug": "tanger"}, form={"label": "Exams", "url": "https://example.org/exams.ics"}
    ),
    "POST /labs/<slug:slug>/hours/calendars/<id:source_id>/removal": staff(
        303, at={"slug": "tanger", **SOURCE}, form={}
    ),
}
