"""One machine: live, its week, and the form that books it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from fablab.bookings.alternatives import first_start
from fablab.bookings.calendar import calendar
from fablab.bookings.facts import Who
from fablab.bookings.rule_store import ruling_at
from fablab.bookings.service import create_booking
from fablab.clock import utc_now
from fablab.errors import Alternative, Code, DomainError, not_found
from fablab.machines import queries as machines
from fablab.machines.queries import MachineView
from fablab.machines.rules import Span
from fablab.members.directory import find_members
from fablab.members.queries import has_consent, member_by_email
from fablab.members.rules import Actor, is_minor, may_book_for_others
from fablab.organisations.queries import memberships, projects_of
from fablab.web.database import writing
from fablab.web.errors import STATUS
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.booking_form import BookingForm, lengths, offered, read, typed
from fablab.web.pages.context import reading
from fablab.web.pages.forms import day, line
from fablab.web.pages.tiles import tiles
from fablab.web.settings import booking_policy, settings

AGENDA = timedelta(days=7)


@blueprint.get("/machines/<slug>")
def machine(slug: str) -> str:
    """Live status, the week and an empty form."""
    session, actor = reading()
    found = _find(session, slug)
    return _page(session, actor, found, None)


@blueprint.get("/machines/<slug>/panel")
def panel(slug: str) -> str:
    """The live part of the machine's page alone."""
    session, actor = reading()
    now = utc_now()
    [shown] = tiles(session, actor, [_find(session, slug)], now, settings())
    return render_template("parts/panel_alone.html", tile=shown, now=now)


@blueprint.post("/machines/<slug>/bookings")
def book(slug: str) -> Response | tuple[str, int]:
    """Book what the form says; come back with every reason where that cannot be."""
    session, actor = reading()
    found = _find(session, slug)
    form = typed(request.form)
    wanted = read(form, found)
    if wanted is None:
        return _page(session, actor, found, form), 422
    try:
        with writing() as session:
            made = create_booking(session, actor, wanted, utc_now(), booking_policy())
    except DomainError as error:
        if error.code not in (Code.REFUSED, Code.CLASH, Code.NOT_ALLOWED):
            raise
        form.take_refusals(error.refusals, found)
        if not error.refusals:
            form.refuse("", error.message)
        return _page(session, actor, found, form, error.alternatives), STATUS[error.code]
    return redirect(url_for("pages.booking", booking_id=made.id, made=1), 303)


@blueprint.get("/machines/<slug>/people")
def people(slug: str) -> str:
    """As the lab's managers type whom they book for: members to choose from, and in whose name they may."""
    session, actor = reading()
    found = _find(session, slug)
    if not may_book_for_others(actor, found.lab_id):
        raise not_found("machine")
    text = line("for_member")
    form = typed({"for_member": text})
    return render_template(
        "parts/people_options.html",
        people=find_members(session, text, limit=8, active=True) if text else [],
        form=form,
        may_book_for_others=True,
        **_in_whose_name(session, actor, found, form),
    )


def _find(session: Session, slug: str) -> MachineView:
    found = machines.machine_by_slug(session, slug)
    if found is None:
        raise not_found("machine")
    return found


def _page(
    session: Session,
    actor: Actor,
    found: MachineView,
    form: BookingForm | None,
    alternatives: tuple[Alternative, ...] = (),
) -> str:
    now = utc_now()
    [shown] = tiles(session, actor, [found], now, settings())
    taken = calendar(session, [found.id], now, now + AGENDA, now)
    ruling = ruling_at(session, found, Who(actor.category, None), booking_policy())
    today = now.astimezone(ZoneInfo(found.zone))
    minor = is_minor(actor.birth_on, today.date())
    if form is None:
        # Now, to the minute: whoever stands before a free machine starts at once, and use before a booking
        # would not count as booked.
        minute = now.replace(second=0, microsecond=0)
        week = Span(minute, minute + AGENDA)
        start = first_start(session, found, ruling, timedelta(hours=1), week, now, supervised=minor)
        form = _asked(offered(start or minute, found.zone))
    return render_template(
        "machine.html",
        now=now,
        machine=found,
        tile=shown,
        taken=taken,
        form=form,
        lengths=lengths(ruling, form.duration),
        first_day=today.date(),
        shown_day=day(form.day) or today.date(),
        last_day=today.date() + timedelta(days=ruling.horizon_days),
        utc_offset_min=int((today.utcoffset() or timedelta()).total_seconds()) // 60,
        may_book_for_others=may_book_for_others(actor, found.lab_id),
        minor=minor,
        supervised=_supervised(found, now) if minor else [],
        consent=minor and has_consent(session, actor.member_id),
        alternatives=[_offer(session, each) for each in alternatives],
        **_in_whose_name(session, actor, found, form),
    )


def _in_whose_name(session: Session, actor: Actor, found: MachineView, form: BookingForm) -> dict[str, Any]:
    """Organisations and projects to choose from: theirs whom a manager books for, none while unknown."""
    whose: int | None = actor.member_id
    if form.for_member and may_book_for_others(actor, found.lab_id):
        member = member_by_email(session, form.for_member) if "\0" not in form.for_member else None
        whose = member.id if member else None
    return {
        "organisations": memberships(session, whose) if whose else [],
        "projects": projects_of(session, whose) if whose else [],
    }


def _asked(form: BookingForm) -> BookingForm:
    """A link may name a day, a time and a length; whatever it does not name stays as offered."""
    form.day = request.args.get("day", form.day)[:10]
    form.time = request.args.get("time", form.time)[:5]
    form.duration = request.args.get("duration", form.duration)[:5]
    return form


def _supervised(found: MachineView, now: datetime) -> list[Span]:
    """When staff are in the lab, in the coming week."""
    return found.hours.supervised_spans(now, now + AGENDA)


def _offer(session: Session, alternative: Alternative) -> dict[str, Any]:
    """An alternative with what its one-tap form sends: wall time of the other machine's lab."""
    other = machines.machine_by_slug(session, alternative.machine)
    assert other is not None, "alternatives are machines"
    wall: datetime = alternative.starts_at.astimezone(ZoneInfo(other.zone))
    length = alternative.ends_at - alternative.starts_at
    return {
        "machine": other,
        "starts_at": alternative.starts_at,
        "ends_at": alternative.ends_at,
        "day": f"{wall:%Y-%m-%d}",
        "time": f"{wall:%H:%M:%S}" if wall.second else f"{wall:%H:%M}",
        "duration": int(length.total_seconds()) // 60,
    }
