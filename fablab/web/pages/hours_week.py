"""The editor of a week: the lab's, or one machine's. Every day has its openings, and room for another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time

from flask import render_template, request, url_for
from werkzeug.wrappers import Response

from fablab.bookings.outside_hours import left_outside
from fablab.clock import utc_now
from fablab.errors import DomainError
from fablab.machines.queries import machines
from fablab.machines.rules import OPENINGS_A_DAY, WEEKDAYS, OpenHours
from fablab.machines.seasons import weeks_of
from fablab.machines.weeks import replace_week
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, a_time, errors_of, line, refuse
from fablab.web.pages.hours import managed, saved


@dataclass
class Row:
    """One opening as it stands in the form."""

    opens: str = ""
    closes: str = ""
    staff: bool = True

    @property
    def empty(self) -> bool:
        return not self.opens and not self.closes


@dataclass
class WeekForm:
    """Rows by weekday, Monday first, and sentences of what is wrong by weekday ("" for the form)."""

    days: list[list[Row]]
    errors: Errors = field(default_factory=dict)
    _places: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, week: Sequence[OpenHours]) -> WeekForm:
        """What there is."""
        return cls(
            [
                [
                    Row(f"{each.opens:%H:%M}", f"{each.closes:%H:%M}", each.supervised)
                    for each in week
                    if each.weekday == weekday
                ]
                for weekday in range(7)
            ]
        )

    @classmethod
    def sent(cls) -> WeekForm:
        """What the form sent. A row without times is none."""
        days = []
        for weekday in range(7):
            rows = [
                Row(
                    line(f"opens-{weekday}-{place}", 8),
                    line(f"closes-{weekday}-{place}", 8),
                    f"staff-{weekday}-{place}" in request.form,
                )
                for place in range(OPENINGS_A_DAY)
            ]
            days.append([each for each in rows if not each.empty])
        return cls(days)

    def week(self) -> list[OpenHours]:
        """The openings; what is no time is said at its day."""
        found = []
        for weekday, rows in enumerate(self.days):
            for row in rows:
                opens, closes = (self._time(text, WEEKDAYS[weekday]) for text in (row.opens, row.closes))
                if opens is not None and closes is not None:
                    found.append(OpenHours(weekday, opens, closes, row.staff))
                    self._places.append(weekday)
        return found

    def take(self, error: DomainError) -> None:
        """Put what a rule said at the day it concerns: a field is called openings.3.opens."""
        for name, messages in errors_of(error).items():
            parts = name.split(".")
            at = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else None
            day = WEEKDAYS[self._places[at]] if at is not None and at < len(self._places) else ""
            for message in messages:
                refuse(self.errors, day, message)

    def _time(self, text: str, day: str) -> time | None:
        own: Errors = {}
        found = a_time(text, day, own)
        for message in own.get(day, ()):
            if message not in self.errors.get(day, ()):
                refuse(self.errors, day, message)
        return None if found is None else found.replace(second=0)


@blueprint.get("/labs/<slug:slug>/hours/week")
def hours_week(slug: str) -> str:
    """The usual week of the lab, or with ?machine= of one machine."""
    return _page(slug, line("machine", 60), None)


@blueprint.post("/labs/<slug:slug>/hours/week")
def hours_week_saved(slug: str) -> Response | tuple[str, int]:
    """Put the week that was typed in its place."""
    _, actor = reading()
    machine, form, now = line("machine", 60), WeekForm.sent(), utc_now()
    week = [] if "as_lab" in request.form else form.week()
    if form.errors:
        return _page(slug, machine, form), 422
    try:
        with writing() as session:
            _, outside = left_outside(
                session,
                slug,
                now,
                lambda: replace_week(session, actor, slug, week, now, machine=machine or None),
            )
    except DomainError as error:
        form.take(error)
        return _page(slug, machine, form), 422
    address = url_for("pages.hours_week", slug=slug, machine=machine or None)
    return saved("The week is saved.", outside, address, slug)


def _page(slug: str, machine: str, form: WeekForm | None) -> str:
    session, actor = reading()
    lab = managed(session, actor, slug)
    known: Mapping[str | None, Sequence[OpenHours]] = weeks_of(session, lab.id)
    theirs = machines(session, lab=slug)
    chosen = next((each for each in theirs if each.slug == machine), None)
    whose = chosen.slug if chosen else None
    return render_template(
        "hours/week.html",
        lab=lab,
        machine=chosen,
        machines=theirs,
        own={each for each in known if each is not None},
        form=form or WeekForm.of(known.get(whose, known.get(None, ()))),
        weekdays=WEEKDAYS,
        most=OPENINGS_A_DAY,
    )
