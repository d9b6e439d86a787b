"""A lab's hours at a glance, for its managers: the year, what waits for a decision, and what lies outside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from flask import flash, redirect, render_template, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from fablab.bookings.outside_hours import Outside, outside_hours
from fablab.clock import utc_now
from fablab.errors import not_allowed, not_found
from fablab.machines.closures import ClosureView, closures_of
from fablab.machines.hours import MachineHours, OpenDay
from fablab.machines.queries import LabView, lab_by_slug, labs
from fablab.machines.seasons import SeasonView, seasons_of
from fablab.members.rules import Actor, may_manage_lab
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading

MONTHS = 12
# Class and words of a day in the year, as the legend lists them.
LEGEND = (
    ("year-open", "Usual hours"),
    ("year-season", "Hours of a season"),
    ("year-partly", "Closed for a part"),
    ("year-closed", "Closed by a closure"),
    ("year-off", "Not open"),
    ("year-asked", "Proposed, not decided"),
)


@dataclass(frozen=True)
class YearDay:
    """One square of the year: its class (of LEGEND), whether something is proposed, and why, in words."""

    on: date
    kind: str
    asked: bool
    words: str


@dataclass(frozen=True)
class Month:
    """``weeks`` run from Monday to Sunday; None where the month does not reach."""

    first: date
    weeks: tuple[tuple[YearDay | None, ...], ...]


@blueprint.get("/staff/hours")
def hours_labs() -> str | Response:
    """The labs whose hours one sets; straight to it where there is one."""
    session, actor = reading()
    own = [each for each in labs(session) if may_manage_lab(actor, each.id)]
    if not own:
        raise not_allowed("Hours are set by the managers of labs.")
    if len(own) == 1:
        return redirect(url_for("pages.hours", slug=own[0].slug))
    return render_template("hours/labs.html", labs=own)


@blueprint.get("/labs/<slug:slug>/hours")
def hours(slug: str) -> str:
    """The coming twelve months, proposals, and bookings that lie outside hours."""
    session, actor = reading()
    lab = managed(session, actor, slug)
    now = utc_now()
    today = now.astimezone(ZoneInfo(lab.zone)).date()
    proposed = closures_of(session, actor, lab.id, state="proposed", since=today)
    proposed_seasons = [
        each
        for each in seasons_of(session, actor, lab.id)
        if each.state == "proposed" and each.ends_on >= today
    ]
    return render_template(
        "hours/overview.html",
        lab=lab,
        now=now,
        today=today,
        months=list(months(lab.hours, today, _asked(proposed, proposed_seasons))),
        legend=LEGEND,
        proposed=proposed,
        proposed_seasons=proposed_seasons,
        outside=outside_hours(session, slug, now),
    )


def managed(session: Session, actor: Actor, slug: str) -> LabView:
    """The lab, for whoever sets its hours."""
    lab = lab_by_slug(session, slug)
    if lab is None:
        raise not_found("lab")
    if not may_manage_lab(actor, lab.id):
        raise not_allowed("Hours are set by the lab's managers.")
    return lab


def saved(said: str, outside: Sequence[Outside], address: str, slug: str) -> Response:
    """Say that it is done, and lead to the bookings that lie outside because of it."""
    flash(said, "good")
    if not outside:
        return redirect(address, 303)
    one = len(outside) == 1
    flash(
        f"{len(outside)} {'booking lies' if one else 'bookings lie'} outside the new hours. "
        f"{'It stays' if one else 'They stay'} booked: speak with whoever made {'it' if one else 'them'}.",
        "error",
    )
    return redirect(url_for("pages.hours", slug=slug, _anchor="outside"), 303)


def months(keeps: MachineHours, today: date, asked: Mapping[date, Sequence[str]]) -> Iterator[Month]:
    """The month of today and the eleven after it; ``asked`` is what is proposed by day."""
    for number in range(MONTHS):
        year, month = divmod(today.year * 12 + today.month - 1 + number, 12)
        first = date(year, month + 1, 1)
        days: list[YearDay | None] = [None] * first.weekday()
        on = first
        while on.month == first.month:
            days.append(_square(keeps.day(on), asked.get(on, [])))
            on += timedelta(days=1)
        days += [None] * (-len(days) % 7)
        yield Month(first, tuple(tuple(days[at : at + 7]) for at in range(0, len(days), 7)))


def _asked(closures: Sequence[ClosureView], seasons: Sequence[SeasonView]) -> dict[date, list[str]]:
    found: dict[date, list[str]] = defaultdict(list)
    spans = [(each.first_day, each.last_day, each.label) for each in closures]
    for first, last, label in (*spans, *((each.starts_on, each.ends_on, each.label) for each in seasons)):
        for number in range((last - first).days + 1):
            found[first + timedelta(days=number)].append(label)
    return found


def _square(day: OpenDay, asked: Sequence[str]) -> YearDay:
    if day.closure and not day.spans:
        kind, said = "year-closed", f"closed, {day.closure}"
    elif day.closure:
        kind, said = "year-partly", f"closed for a part, {day.closure}"
    elif not day.spans:
        kind, said = "year-off", "closed" if day.season is None else f"closed, {day.season}"
    elif day.season:
        kind, said = "year-season", day.season
    else:
        kind, said = "year-open", "usual hours"
    if asked:
        said += f"; proposed: {', '.join(asked)}"
    return YearDay(day.on, kind, bool(asked), f"{day.on:%-d %B}: {said}")
