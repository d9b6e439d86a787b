"""Closures of a lab: proposals to decide, a list, a form for another; and calendars elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from fablab.bookings.outside_hours import left_outside
from fablab.clock import utc_now
from fablab.errors import DomainError
from fablab.machines import closures
from fablab.machines.closures import closures_of
from fablab.machines.external_calendars import add_source, remove_source, sources_of
from fablab.machines.models import LABEL_MAX
from fablab.machines.queries import machines
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, a_choice, a_day, a_time, errors_of, lines, number, told
from fablab.web.pages.hours import managed, saved
from fablab.web.settings import settings

FIELDS = ("label", "first_day", "last_day", "starts", "ends", "machine", "again")
# Whose wall times a refusal of the verb concerns, in this form.
OWN_FIELDS = {"local_starts": "first_day", "local_ends": "last_day", "rrule": "again"}
AGAIN = {
    "": ("Once", None),
    "weekly": ("Every week", "FREQ=WEEKLY"),
    "monthly": ("Every month", "FREQ=MONTHLY"),
    "yearly": ("Every year", "FREQ=YEARLY"),
}
SHOWN = 200


@dataclass
class ClosureForm:
    """The values as the person sees them, and sentences of what is wrong by field."""

    typed: dict[str, str]
    unattended_too: bool = False
    errors: Errors = field(default_factory=dict)

    def values(self, known: dict[str, str]) -> dict[str, Any]:
        """What the verb takes. Without times whole days are meant, without a last day the first alone."""
        first = a_day(self.typed["first_day"], "first_day", self.errors, needed=True, near=True)
        last = a_day(self.typed["last_day"], "last_day", self.errors, near=True) or first
        starts, ends = (self._time(name) for name in ("starts", "ends"))
        machine = self.typed["machine"]
        if machine:
            a_choice(machine, "machine", self.errors, known)
        again = a_choice(self.typed["again"], "again", self.errors, AGAIN)
        if self.errors or first is None or last is None:
            return {}
        local_ends = datetime.combine(last, ends or time(0))
        if ends is None:
            local_ends += timedelta(days=1)
        return {
            "label": self.typed["label"],
            "local_starts": datetime.combine(first, starts or time(0)),
            "local_ends": local_ends,
            "machine": machine or None,
            "rrule": again[1] if again else None,
            "unattended_too": self.unattended_too,
        }

    def _time(self, name: str) -> time | None:
        text = self.typed[name]
        return a_time(text, name, self.errors) if text else None


@blueprint.get("/labs/<slug:slug>/hours/closures")
def hours_closures(slug: str) -> str:
    """What is closed, what is proposed, and the form for another."""
    return _page(slug, ClosureForm(dict.fromkeys(FIELDS, "")))


@blueprint.post("/labs/<slug:slug>/hours/closures")
def hours_closure_added(slug: str) -> Response | tuple[str, int]:
    session, actor = reading()
    managed(session, actor, slug)
    form = ClosureForm(lines(*FIELDS), "unattended_too" in request.form)
    values = form.values({each.slug: each.slug for each in machines(session, lab=slug)})
    if form.errors:
        return _page(slug, form), 422
    now = utc_now()
    try:
        with writing() as session:
            _, outside = left_outside(
                session,
                slug,
                now,
                lambda: closures.add_closure(session, actor, slug, now=now, **values),
            )
    except DomainError as error:
        form.errors = errors_of(error, OWN_FIELDS, fields=FIELDS)
        return _page(slug, form), 422
    return saved("The closure is planned.", outside, url_for("pages.hours_closures", slug=slug), slug)


@blueprint.post("/labs/<slug:slug>/hours/closures/decisions")
def hours_closures_decided(slug: str) -> Response:
    """Confirm the proposals that were ticked, or decline them."""
    session, actor = reading()
    managed(session, actor, slug)
    chosen = [found for text in request.form.getlist("closure")[:SHOWN] if (found := number(text))]
    now, address = utc_now(), url_for("pages.hours_closures", slug=slug)
    if not chosen:
        flash("Tick the proposals you decide on first.", "error")
        return redirect(address, 303)
    if "decline" in request.form:
        with writing() as session:
            declined = closures.decline_closures(session, actor, slug, chosen, now)
        return saved(f"{declined} declined. The lab stays open then.", [], address, slug)
    try:
        with writing() as session:
            confirmed, outside = left_outside(
                session, slug, now, lambda: closures.confirm_closures(session, actor, slug, chosen, now)
            )
    except DomainError as error:
        return told(error, address)
    return saved(f"{confirmed} confirmed. The lab is closed then.", outside, address, slug)


@blueprint.get("/labs/<slug:slug>/hours/closures/<id:closure_id>/removal")
def hours_closure_removal(slug: str, closure_id: int) -> str:
    """Ask before it is taken away."""
    session, actor = reading()
    found = closures.closure_of(session, managed(session, actor, slug).id, closure_id)
    return render_template(
        "sure.html",
        title=f"Remove {found.label}?",
        text="Whatever the week and its season say counts then, and people can book that time again.",
        action=url_for("pages.hours_closure_removed", slug=slug, closure_id=closure_id),
        button="Yes, remove it",
        picture="trash",
        back=url_for("pages.hours_closures", slug=slug),
        keep="Keep it",
        harmless=True,
    )


@blueprint.post("/labs/<slug:slug>/hours/closures/<id:closure_id>/removal")
def hours_closure_removed(slug: str, closure_id: int) -> Response:
    _, actor = reading()
    address = url_for("pages.hours_closures", slug=slug)
    try:
        with writing() as session:
            closures.remove_closure(session, actor, slug, closure_id, utc_now())
    except DomainError as error:
        return told(error, address)
    return saved("The closure is removed.", [], address, slug)


@blueprint.get("/labs/<slug:slug>/hours/calendars")
def hours_calendars(slug: str) -> str:
    """Calendars elsewhere whose busy times close the lab."""
    return _calendars(slug, {"label": "", "url": ""}, {})


@blueprint.post("/labs/<slug:slug>/hours/calendars")
def hours_calendar_added(slug: str) -> Response | tuple[str, int]:
    _, actor = reading()
    typed = {**lines("label"), **lines("url")}
    typed["url"] = request.form.get("url", "").strip()[:600]
    private = settings().hours.private_calendars
    try:
        with writing() as session:
            add_source(session, actor, slug, typed["label"], typed["url"], utc_now(), private=private)
    except DomainError as error:
        return _calendars(slug, typed, errors_of(error, fields=("label", "url"))), 422
    address = url_for("pages.hours_calendars", slug=slug)
    return saved("The calendar is read within a few minutes.", [], address, slug)


@blueprint.post("/labs/<slug:slug>/hours/calendars/<id:source_id>/removal")
def hours_calendar_removed(slug: str, source_id: int) -> Response:
    _, actor = reading()
    with writing() as session:
        remove_source(session, actor, slug, source_id, utc_now())
    address = url_for("pages.hours_calendars", slug=slug)
    return saved("The calendar and its closures are gone.", [], address, slug)


def _page(slug: str, form: ClosureForm) -> str:
    session, actor = reading()
    lab = managed(session, actor, slug)
    today = utc_now().astimezone(ZoneInfo(lab.zone)).date()
    found = closures_of(session, actor, lab.id, since=today, limit=SHOWN)
    return render_template(
        "hours/closures.html",
        lab=lab,
        today=today,
        proposed=[each for each in found if each.state == "proposed"],
        closures=[each for each in found if each.state == "confirmed"],
        machines=[(each.slug, each.name) for each in machines(session, lab=slug)],
        machine_names={each.slug: each.name for each in machines(session, lab=slug, inactive=True)},
        again=[(key, words) for key, (words, _) in AGAIN.items()],
        again_words={rule: words for words, rule in AGAIN.values() if rule},
        form=form,
        longest=LABEL_MAX,
        shown=SHOWN,
    )


def _calendars(slug: str, typed: dict[str, str], errors: Errors) -> str:
    session, actor = reading()
    lab = managed(session, actor, slug)
    return render_template(
        "hours/calendars.html",
        lab=lab,
        now=utc_now(),
        sources=sources_of(session, actor, lab.id),
        typed=typed,
        errors=errors,
        longest=LABEL_MAX,
    )
