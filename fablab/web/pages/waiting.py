"""The waiting list: stand in line, see where, take what is kept or leave; and the page a mail leads to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from fablab.bookings import waiting as verbs
from fablab.bookings.waiting import WaitingRequest
from fablab.bookings.waiting_queries import WaitingView, waiting_by_id, waiting_by_key, waitings_of
from fablab.clock import utc_now
from fablab.errors import Alternative, Code, DomainError, not_found
from fablab.machines import queries as machines
from fablab.machines.queries import MachineView, common_zone
from fablab.members.rules import Actor
from fablab.web import auth
from fablab.web.database import db, writing
from fablab.web.errors import STATUS
from fablab.web.pages import forms, words
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.booking_form import lengths
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, errors_of, line, told
from fablab.web.settings import booking_policy

# What was waited for lately, shown below what is still open.
OVER = ("accepted", "withdrawn", "expired")
OVER_SHOWN = 6
FIELDS = {
    "machine": "what",
    "kind": "what",
    "lab": "lab",
    "after": "time",
    "starts_at": "time",
    "before": "until_time",
    "duration": "duration",
    "ends_at": "duration",
}
# Of which machines one of a machine's page is content with.
CHOICES = ("machine", "lab", "anywhere")


@dataclass
class WaitingForm:
    """The values as the person sees them, and what is wrong by field ("" for the form as a whole).

    ``what`` is a kind, or where one ``machine`` is asked for which machines will do, of CHOICES.
    """

    machine: str = ""
    what: str = ""
    lab: str = ""
    duration: str = "60"
    day: str = ""
    time: str = ""
    until_day: str = ""
    until_time: str = ""
    errors: Errors = field(default_factory=dict)


@blueprint.get("/waitlist")
def waiting_list() -> str:
    """What one waits for, what is kept for one, and the form for another line.

    A link may name a machine with a day, a time and a length: what was taken.
    """
    session, actor = reading()
    return _page(session, actor, _offered(session, utc_now()))


@blueprint.post("/waitlist")
def wait() -> Response | tuple[str, int]:
    """Stand in line; come back with every reason where that makes no sense."""
    session, actor = reading()
    now = utc_now()
    form = WaitingForm(
        machine=line("machine", 60),
        what=line("what", 60),
        lab=line("lab", 60),
        duration=line("duration", 60),
        day=line("day", 60),
        time=line("time", 60),
        until_day=line("until_day", 60),
        until_time=line("until_time", 60),
    )
    asked = _read(session, form, now)
    if asked is None:
        return _page(session, actor, form), 422
    try:
        with writing() as session:
            verbs.join(session, actor, asked, now, booking_policy())
    except DomainError as error:
        if error.code not in (Code.REFUSED, Code.NOT_ALLOWED):
            raise
        named = {**FIELDS, "machine": ""} if form.machine else FIELDS
        form.errors = errors_of(error, named, fields=set(FIELDS.values()), also=(Code.NOT_ALLOWED,))
        return _page(session, actor, form, error.alternatives), STATUS[error.code]
    flash("You are in line. We write to you the moment time comes free, and keep it for you.", "good")
    return redirect(url_for("pages.waiting_list"), 303)


@blueprint.get("/waitlist/<id:waiting_id>/leaving")
def leaving(waiting_id: int) -> str:
    """Ask before a place in line is given up."""
    session, actor = reading()
    found = waiting_by_id(session, waiting_id)
    if found is None or found.member_id != actor.member_id:
        raise not_found("line")
    kept = found.held(utc_now()) is not None
    return render_template(
        "sure.html",
        title="Let it go?" if kept else "Leave the line?",
        thing=_thing(found),
        when=_window(found),
        quiet="The next in line gets that time at once."
        if kept
        else "Coming back means standing at the end.",
        action=url_for("pages.left", waiting_id=waiting_id),
        button="Yes, let it go" if kept else "Yes, leave it",
        picture="x",
        back=url_for("pages.waiting_list"),
        keep="Keep my place",
    )


@blueprint.post("/waitlist/<id:waiting_id>/leaving")
def left(waiting_id: int) -> Response:
    """Leave the line."""
    _, actor = reading()
    try:
        with writing() as session:
            verbs.withdraw(session, actor, waiting_id, utc_now(), booking_policy())
    except DomainError as error:
        return told(error, url_for("pages.waiting_list"))
    flash("You are out of that line.", "good")
    return redirect(url_for("pages.waiting_list"), 303)


@blueprint.post("/waitlist/<id:waiting_id>/acceptance")
def held_taken(waiting_id: int) -> Response:
    """Book what is kept for oneself."""
    _, actor = reading()
    try:
        with writing() as session:
            made = verbs.accept(session, actor, waiting_id, utc_now(), booking_policy())
    except DomainError as error:
        return told(error, url_for("pages.waiting_list"), also=(Code.CLASH, Code.NOT_ALLOWED))
    return redirect(url_for("pages.booking", booking_id=made.id, made=1), 303)


@blueprint.get("/offers/<key>")
@auth.public
def held(key: str) -> tuple[str, int]:
    """What a mail says is kept: until when, and a button. Looking changes nothing: scanners look, too."""
    return _held_page(key, {})


@blueprint.post("/offers/<key>")
@auth.public
def held_taken_by_mail(key: str) -> Response | tuple[str, int]:
    """Book it for whom the mail was sent to, whoever is signed in here, or nobody."""
    try:
        with writing() as session:
            made = verbs.accept_by_key(session, key, utc_now(), booking_policy())
    except DomainError as error:
        errors = errors_of(error, fields=(), also=(Code.CLASH, Code.NOT_ALLOWED))
        return _held_page(key, errors, STATUS[error.code])
    actor = auth.actor_or_none()
    if actor is not None and actor.member_id == made.member_id:
        return redirect(url_for("pages.booking", booking_id=made.id, made=1), 303)
    return render_template("held.html", now=utc_now(), key="", hold=None, made=made, errors={}), 200


@blueprint.post("/offers/<key>/refusal")
@auth.public
def held_refused(key: str) -> Response | tuple[str, int]:
    """Leave it to the next in line."""
    try:
        with writing() as session:
            verbs.decline_by_key(session, key, utc_now(), booking_policy())
    except DomainError as error:
        return _held_page(key, errors_of(error, fields=()), STATUS[error.code])
    return render_template(
        "held.html", now=utc_now(), key="", hold=None, made=None, declined=True, errors={}
    ), 200


def _held_page(key: str, errors: Errors, status: int = 200) -> tuple[str, int]:
    now = utc_now()
    found = waiting_by_key(db.session(), key[:200]) if key.isascii() and key.isprintable() else None
    hold = found.held(now) if found else None
    page = render_template("held.html", now=now, key=key, hold=hold, made=None, errors=errors)
    return page, status


def _page(
    session: Session, actor: Actor, form: WaitingForm, alternatives: tuple[Alternative, ...] = ()
) -> str:
    now = utc_now()
    lines = waitings_of(session, actor.member_id)
    labs = machines.labs(session)
    machine = _machine(session, form.machine)
    zone = machine.zone if machine else common_zone(labs)
    today = now.astimezone(ZoneInfo(zone)).date()
    policy = booking_policy()
    return render_template(
        "waiting_list.html",
        now=now,
        kept=[each for each in lines if each.held(now)],
        lines=[each for each in lines if each.held(now) is None and each.state == "waiting"],
        over=waitings_of(session, actor.member_id, states=OVER, limit=OVER_SHOWN),
        form=form,
        machine=machine,
        kinds=machines.kinds(session),
        labs=labs,
        lengths=lengths(policy, form.duration),
        first_day=today,
        last_day=today + timedelta(days=policy.horizon_days),
        alternatives=[_offer(session, each) for each in alternatives],
        thing=_thing,
        window=_window,
        zone=zone,
    )


def _offered(session: Session, now: datetime) -> WaitingForm:
    """A form to begin with: for the rest of that day, or of today and tomorrow."""
    machine = _machine(session, line("machine", 60))
    zone = ZoneInfo(machine.zone if machine else common_zone(machines.labs(session)))
    today = now.astimezone(zone)
    day = forms.day(line("day", 10)) or today.date()
    return WaitingForm(
        machine=machine.slug if machine else "",
        what="machine" if machine else line("kind", 60),
        lab=line("lab", 60),
        duration=line("duration", 5) or "60",
        day=f"{day}",
        time=line("time", 5) or (f"{today:%H:%M}" if day == today.date() else "08:00"),
        until_day=f"{day if 'day' in request.args else day + timedelta(days=1)}",
        until_time="20:00",
    )


def _read(session: Session, form: WaitingForm, now: datetime) -> WaitingRequest | None:
    """What the form asks for, or None with its errors filled. Days and times are those of the lab's wall."""
    errors = form.errors
    machine = _machine(session, form.machine)
    labs = {each.slug: each for each in machines.labs(session)}
    kind, lab = None, None
    if machine is not None:
        choice = forms.a_choice(form.what, "what", errors, {each: each for each in CHOICES})
        kind = None if choice == "machine" else machine.kind_slug
        lab = machine.lab_slug if choice == "lab" else None
    else:
        kinds = {each.slug: each.slug for each in machines.kinds(session)}
        kind = forms.a_choice(form.what, "what", errors, kinds, "Please say what you wait for.")
        if form.lab:
            found = forms.a_choice(form.lab, "lab", errors, labs)
            lab = found.slug if found else None
    zone = machine.zone if machine else labs[lab].zone if lab else common_zone(list(labs.values()))
    minutes = forms.a_number(
        form.duration, "duration", errors, least=1, most=99_999, message="Please choose how long."
    )
    after = _instant(form.day, "day", form.time, "time", zone, errors)
    before = _instant(form.until_day, "until_day", form.until_time, "until_time", zone, errors)
    if errors or minutes is None or after is None or before is None:
        return None
    if before <= after:
        forms.refuse(errors, "until_time", "The window must end after it begins.")
        return None
    return WaitingRequest(
        machine.slug if machine is not None and kind is None else None,
        kind,
        lab,
        minutes * 60,
        max(after, now),
        before,
    )


def _instant(
    day: str, day_name: str, time: str, time_name: str, zone: str, errors: Errors
) -> datetime | None:
    on = forms.a_day(day, day_name, errors, needed=True, near=True)
    at = forms.a_time(time, time_name, errors)
    return None if on is None or at is None else forms.an_instant(on, at, zone, time_name, errors)


def _machine(session: Session, slug: str) -> MachineView | None:
    return machines.machine_by_slug(session, slug) if slug and slug.isascii() and slug.isprintable() else None


def _offer(session: Session, alternative: Alternative) -> dict[str, object]:
    """A free span with where it is booked."""
    machine = machines.machine_by_slug(session, alternative.machine)
    assert machine is not None, "what is free is a machine"
    wall = alternative.starts_at.astimezone(ZoneInfo(machine.zone))
    minutes = int((alternative.ends_at - alternative.starts_at).total_seconds()) // 60
    return {
        "machine": machine,
        "starts_at": alternative.starts_at,
        "ends_at": alternative.ends_at,
        "address": url_for(
            "pages.machine",
            slug=machine.slug,
            day=f"{wall:%Y-%m-%d}",
            time=f"{wall:%H:%M}",
            duration=minutes,
            _anchor="book",
        ),
    }


def _thing(found: WaitingView) -> str:
    """What is waited for, in words."""
    if found.machine_name is not None:
        return found.machine_name
    where = f"in {found.lab_names['en']}" if found.lab_names else "in any lab"
    return f"Any {words.inside(found.kind_names['en'])} {where}"


def _window(found: WaitingView) -> str:
    """How long, and between when and when."""
    now = utc_now()
    length = words.length(found.wanted.duration_s)
    after, before = found.wanted.after, found.wanted.before
    if after <= now:
        return f"{length}, until {words.moment(before, found.zone, now)}"
    span = words.span(after, before, found.zone, now)
    return f"{length}, {span[0].lower()}{span[1:]}"
