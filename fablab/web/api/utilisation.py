"""Booked against really used."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, request
from marshmallow import fields, validate

from fablab.clock import utc_now
from fablab.csv_out import write_table
from fablab.errors import not_allowed, not_found
from fablab.machines.queries import common_zone, labs
from fablab.members.rules import Actor, may_read_utilisation_of, may_read_utilisation_somewhere
from fablab.utilisation.queries import UtilisationRow, utilisation
from fablab.utilisation.rules import BUCKETS, BY
from fablab.web.api.base import Blueprint, session, the_lab
from fablab.web.auth import current_actor
from fablab.web.schemas.base import Day, Instant, Slug, Strict, check_span, page_of

blueprint = Blueprint("utilisation", "Booked against really used")
# By bucket: an answer has a row a bucket for each machine.
LONGEST_DAYS = {"hour": 32, "day": 367}
LONGEST_DAYS_ELSE = 366 * 5


class DayOrInstant(fields.Field[Any]):
    """A day (2027-01-31, local) or an instant."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date | datetime:
        if isinstance(value, str) and len(value) == 10:
            day: date = Day().deserialize(value)
            return day
        found: datetime = Instant().deserialize(value)
        return found


class UtilisationQuery(Strict):
    since = DayOrInstant(
        data_key="from", metadata={"description": "A day or an instant; 30 days ago if left out"}
    )
    until = DayOrInstant(data_key="to", metadata={"description": "The day after the last, or an instant"})
    by = fields.String(load_default="machine", validate=validate.OneOf(BY))
    bucket = fields.String(load_default="total", validate=validate.OneOf(BUCKETS))
    lab = Slug()


class UtilisationOut(Strict):
    key = fields.String()
    starts_on = fields.Date()
    starts_at = Instant(allow_none=True, metadata={"description": "For buckets of an hour"})
    open_s = fields.Float()
    outage_s = fields.Float()
    available_s = fields.Float()
    booked_s = fields.Float()
    used_s = fields.Float()
    used_booked_s = fields.Float()
    used_unbooked_s = fields.Float()
    idle_booked_s = fields.Float()
    overrun_s = fields.Float()
    bookings = fields.Integer()
    missed = fields.Integer()
    jobs = fields.Integer()
    jobs_finished = fields.Integer()
    jobs_failed = fields.Integer()
    jobs_cancelled = fields.Integer()
    jobs_interrupted = fields.Integer()
    energy_wh = fields.Float()
    utilisation = fields.Float(allow_none=True, metadata={"description": "used_s / available_s"})
    booked_ratio = fields.Float(allow_none=True, metadata={"description": "booked_s / available_s"})


_out = UtilisationOut()


@blueprint.get("/utilisation")
@blueprint.arguments(UtilisationQuery, location="query")
@blueprint.response(200, page_of(UtilisationOut, "UtilisationPage"))
@blueprint.doc(responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}})
def get_utilisation(query: dict[str, Any]) -> Any:
    """Seconds open, booked and used by machine, lab, kind, region or the network; JSON, or CSV by Accept.

    Managers see their own labs, operators and admins all.
    """
    actor = current_actor()
    lab_ids, zone = _scope(query.get("lab"), actor)
    now = utc_now()
    until = _instant(query.get("until"), zone) or now
    since = _instant(query.get("since"), zone) or until - timedelta(days=30)
    check_span(since, until, LONGEST_DAYS.get(query["bucket"], LONGEST_DAYS_ELSE))
    rows = utilisation(session(), since, until, query["by"], query["bucket"], lab_ids)
    values = [_values(row, zone) for row in rows]
    if request.accept_mimetypes.best_match(["application/json", "text/csv"]) == "text/csv":
        return _csv(values)
    return {"items": values, "next": None}


def _scope(slug: str | None, actor: Actor) -> tuple[list[int] | None, str]:
    """Which labs are counted (None: all of them) and in which zone days are meant.

    A lab whose figures one may not see is not found.
    """
    if not may_read_utilisation_somewhere(actor):
        raise not_allowed("Utilisation is for managers and operators.")
    if slug is not None:
        lab = the_lab(slug)
        if not may_read_utilisation_of(actor, lab.id):
            raise not_found("lab")
        return [lab.id], lab.zone
    own = [lab for lab in labs(session()) if may_read_utilisation_of(actor, lab.id)]
    whole = may_read_utilisation_of(actor, None)
    return None if whole else [lab.id for lab in own], common_zone(own)


def _instant(value: date | datetime | None, zone: str) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    return datetime.combine(value, time(0), ZoneInfo(zone)).astimezone(UTC)


def _values(row: UtilisationRow, zone: str) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in _out.fields}
    if row.starts_at is not None:
        values["starts_at"] = row.starts_at.astimezone(ZoneInfo(zone))
    return values


def _csv(values: list[dict[str, Any]]) -> Response:
    text = io.StringIO()
    rows = (_out.dump(each) for each in values)
    write_table(text, list(_out.fields), ([row.get(name) for name in _out.fields] for row in rows))
    answer = Response(text.getvalue(), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = "attachment; filename=utilisation.csv"
    return answer
