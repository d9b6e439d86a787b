"""Giving a booking another time or machine."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from fablab.bookings import queries as bookings
from fablab.bookings.moving import Change, move_booking
from fablab.bookings.queries import BookingView
from fablab.bookings.rules_people import may_move
from fablab.clock import utc_now
from fablab.errors import Alternative, Code, DomainError, not_allowed, not_found
from fablab.machines import queries as machines
from fablab.members.rules import Actor
from fablab.web.database import writing
from fablab.web.errors import STATUS
from fablab.web.pages import words
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.booking_form import BookingForm, lengths, offered, read, typed
from fablab.web.pages.context import reading
from fablab.web.settings import booking_policy


@blueprint.get("/bookings/<id:booking_id>/move")
def move(booking_id: int) -> str:
    """The form, filled with the booking as it is, or with the machine, day, time and duration of the link."""
    session, actor = reading()
    found = _movable(session, actor, booking_id)
    form = offered(found.starts_at, found.zone, _minutes(found))
    for name in ("day", "time", "duration"):
        setattr(form, name, request.args.get(name, getattr(form, name))[:10])
    return _page(session, found, form, request.args.get("machine", found.machine_slug)[:60])


@blueprint.post("/bookings/<id:booking_id>/move")
def moved(booking_id: int) -> Response | tuple[str, int]:
    """Move it, or say everything that speaks against it; until then it stays where it is."""
    session, actor = reading()
    found = _movable(session, actor, booking_id)
    form, slug = typed(request.form), request.form.get("machine", "")[:60]
    machine = machines.machine_by_slug(session, slug)
    if machine is None or machine.lab_id != found.lab_id:
        form.refuse("machine", "Please choose one of the list.")
        return _page(session, found, form, found.machine_slug), 422
    wanted = read(form, machine)
    if wanted is None:
        return _page(session, found, form, slug), 422
    change = Change(wanted.starts_at, wanted.ends_at, slug if slug != found.machine_slug else None)
    try:
        with writing() as session:
            done = move_booking(session, actor, booking_id, change, utc_now(), booking_policy())
    except DomainError as error:
        if error.code not in (Code.REFUSED, Code.CLASH, Code.NOT_ALLOWED):
            raise
        form.take_refusals(error.refusals, machine)
        if not error.refusals:
            form.refuse("", error.message)
        return _page(session, found, form, slug, error.alternatives), STATUS[error.code]
    when = words.span(done.starts_at, done.ends_at, done.zone, utc_now())
    flash(f"Moved: {done.machine_name}, {when}.", "good")
    return redirect(url_for("pages.booking", booking_id=booking_id), 303)


def _movable(session: Session, actor: Actor, booking_id: int) -> BookingView:
    found = bookings.booking(session, booking_id, actor=actor)
    part = None if found is None else found.part(actor)
    if found is None or part is None:
        raise not_found("booking")
    if not may_move(actor, part, found.lab_id):
        raise not_allowed("This booking is not yours to move.")
    return found


def _page(
    session: Session,
    found: BookingView,
    form: BookingForm,
    slug: str,
    alternatives: tuple[Alternative, ...] = (),
) -> str:
    """The form; the machines of the same lab and kind first among those it may go to."""
    now = utc_now()
    there = [each for each in machines.machines(session, lab=found.lab_slug) if each.bookable]
    kind = next((each.kind_id for each in there if each.id == found.machine_id), None)
    there.sort(key=lambda each: (each.kind_id != kind, each.name))
    return render_template(
        "move.html",
        now=now,
        booking=found,
        form=form,
        chosen=slug,
        machines=[(each.slug, each.name) for each in there],
        names={each.slug: each.name for each in there},
        lengths=lengths(booking_policy(), form.duration),
        alternatives=[each for each in alternatives if each.lab == found.lab_slug],
    )


def _minutes(found: BookingView) -> int:
    return int((found.ends_at - found.starts_at).total_seconds()) // 60
