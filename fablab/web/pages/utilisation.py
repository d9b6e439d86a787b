"""Utilisation: booked against really used, over a period, for a lab or the network."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import Response, render_template, request
from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.csv_out import write_table
from fablab.errors import not_allowed, not_found
from fablab.machines import queries as machines
from fablab.machines.queries import LabView
from fablab.members.rules import Actor, may_read_utilisation_of, may_read_utilisation_somewhere
from fablab.utilisation.queries import UtilisationRow
from fablab.utilisation.queries import utilisation as count
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import day, line

PERIODS = {"7": "Last 7 days", "30": "Last 30 days", "60": "Last 60 days", "365": "Last 12 months"}
DAYS_AS_BARS = 45
COLUMNS = (
    "available_s",
    "booked_s",
    "used_s",
    "used_booked_s",
    "used_unbooked_s",
    "idle_booked_s",
    "overrun_s",
    "bookings",
    "missed",
    "jobs_finished",
    "jobs_failed",
    "jobs_cancelled",
    "jobs_interrupted",
    "energy_wh",
    "utilisation",
    "booked_ratio",
)


@dataclass(frozen=True)
class Choice:
    """What the filters say: one lab or all that the actor may see, from the first to the last local day."""

    lab: LabView | None
    labs: list[LabView]
    period: str
    first: date
    last: date
    zone: str

    @property
    def since(self) -> datetime:
        return _midnight(self.first, self.zone)

    @property
    def until(self) -> datetime:
        return _midnight(self.last + timedelta(days=1), self.zone)

    @property
    def lab_ids(self) -> list[int]:
        return [self.lab.id] if self.lab else [lab.id for lab in self.labs]

    @property
    def by(self) -> str:
        return "machine" if len(self.lab_ids) == 1 else "lab"


@blueprint.get("/utilisation")
def utilisation() -> str:
    """Totals, a chart and a table."""
    session, actor = reading()
    choice = _choice(session, actor)
    bucket = "day" if (choice.last - choice.first).days < DAYS_AS_BARS else "week"
    totals = count(session, choice.since, choice.until, "network", "total", choice.lab_ids)
    return render_template(
        "utilisation.html",
        now=utc_now(),
        choice=choice,
        periods=PERIODS,
        bucket=bucket,
        total=totals[0] if totals else None,
        bars=count(session, choice.since, choice.until, "network", bucket, choice.lab_ids),
        rows=count(session, choice.since, choice.until, choice.by, "total", choice.lab_ids),
        names=_names(session, choice),
    )


@blueprint.get("/utilisation.csv")
def utilisation_csv() -> Response:
    """The table as a file for spreadsheets: seconds, numbers and shares as they are counted."""
    session, actor = reading()
    choice = _choice(session, actor)
    rows = count(session, choice.since, choice.until, choice.by, "total", choice.lab_ids)
    text = io.StringIO()
    heading = ["from", "to", choice.by, *COLUMNS]
    values = ([choice.first, choice.last, row.key, *(getattr(row, name) for name in COLUMNS)] for row in rows)
    write_table(text, heading, values)
    name = f"utilisation-{choice.lab.slug if choice.lab else 'network'}-{choice.first}-{choice.last}.csv"
    answer = Response(text.getvalue(), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _choice(session: Session, actor: Actor) -> Choice:
    """Read the filters. A lab one may not see is not found; a date nobody can read gives the last 30 days."""
    if not may_read_utilisation_somewhere(actor):
        raise not_allowed("Utilisation is for lab managers and the network's operators.")
    labs = [lab for lab in machines.labs(session) if may_read_utilisation_of(actor, lab.id)]
    wanted = request.args.get("lab", "")
    lab = next((each for each in labs if each.slug == wanted), None)
    if wanted and lab is None:
        raise not_found("lab")
    if lab is None and len(labs) == 1:
        lab = labs[0]
    zone = machines.common_zone([lab] if lab else labs)
    today = utc_now().astimezone(ZoneInfo(zone)).date()
    period = request.args.get("period", "30")
    first, last = _dates(line("from"), line("to"))
    if period == "own":
        first, last = (first, last) if first and last else (today - timedelta(days=29), today)
        return Choice(lab, labs, period, first, last, zone)
    if period not in PERIODS:
        period = "30"
    return Choice(lab, labs, period, today - timedelta(days=int(period) - 1), today, zone)


def _dates(first: str, last: str) -> tuple[date | None, date | None]:
    begins, ends = day(first), day(last)
    if begins is None or ends is None or (ends - begins).days not in range(3661):
        return None, None
    return (begins, ends) if begins.year >= 2000 and ends.year < 2200 else (None, None)


def _names(session: Session, choice: Choice) -> dict[str, str]:
    if choice.by == "lab":
        return {lab.slug: lab.names["en"] for lab in choice.labs}
    slug = choice.lab.slug if choice.lab else None
    return {each.slug: each.name for each in machines.machines(session, lab=slug, inactive=True)}


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)


@blueprint.app_template_filter("bar_label")
def bar_label(row: UtilisationRow, bucket: str) -> str:
    """What stands below a bar: the day, or the Monday a week begins with."""
    return f"{'' if bucket == 'day' else 'Week of '}{row.starts_on.day} {row.starts_on:%b}"
