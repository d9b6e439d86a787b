"""A lab's machines side by side on one day: who has what when, to book and to move by drawing."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import render_template, request

from fablab.bookings.calendar import lab_calendar
from fablab.clock import utc_now
from fablab.errors import not_found
from fablab.machines import queries as machines
from fablab.machines.queries import MachineView
from fablab.machines.rules import start_of_day
from fablab.members.rules import Actor, may_book, may_manage_lab
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading


@blueprint.get("/labs/<slug>/timeline")
def timeline(slug: str) -> str:
    """One day of all machines of a lab. ``?day=YYYY-MM-DD``, today if not said."""
    session, actor = reading()
    now = utc_now()
    lab = machines.lab_by_slug(session, slug)
    if lab is None:
        raise not_found("lab")
    zone = ZoneInfo(lab.zone)
    today = now.astimezone(zone).date()
    day = _day(today)
    since, until = start_of_day(day, zone), start_of_day(day + timedelta(days=1), zone)
    shown = [each for each in machines.machines(session, lab=slug) if each.bookable]
    taken = lab_calendar(session, lab.id, since, until, now)
    return render_template(
        "timeline.html",
        now=now,
        lab=lab,
        day=day,
        today=today,
        before=day - timedelta(days=1),
        after=day + timedelta(days=1),
        offset_min=_offset_min(now, zone),
        may_book=may_book(actor, lab.id),
        may_move_all=may_manage_lab(actor, lab.id),
        rows=[(each, [row for row in taken if row.machine_id == each.id]) for each in shown],
        resources=[_resource(each, actor, since, until) for each in shown],
        open_today=lab.hours.day(day).spans,
    )


def _day(today: date) -> date:
    """The day asked for; what cannot be read, or lies in another century, is today."""
    try:
        asked = date.fromisoformat(request.args.get("day", ""))
    except ValueError:
        return today
    return asked if 2000 <= asked.year <= 2199 else today


def _resource(machine: MachineView, actor: Actor, since: datetime, until: datetime) -> dict[str, Any]:
    """A machine as the drawing needs it; ``open`` is when it may be used that day."""
    zone = ZoneInfo(machine.zone)
    return {
        "id": machine.slug,
        "title": machine.name,
        "kind": machine.kind_name,
        "bookable": machine.active and may_book(actor, machine.lab_id),
        "open": [
            {"starts_at": _wall(span.starts_at, zone), "ends_at": _wall(span.ends_at, zone)}
            for span in machine.hours.open_spans(since, until)
        ],
    }


def _wall(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).isoformat(timespec="minutes")


def _offset_min(now: datetime, zone: ZoneInfo) -> int:
    """Minutes the lab's wall clock is ahead of UTC now."""
    return int((now.astimezone(zone).utcoffset() or timedelta()).total_seconds()) // 60
