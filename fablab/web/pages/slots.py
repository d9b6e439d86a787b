"""Find a time: the first free times over all labs that suit a member, one tap away from the booking form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import current_app, render_template, request, url_for

from fablab.bookings import queries as bookings
from fablab.bookings.facts import LONGEST_DAYS
from fablab.bookings.queries import BookingView
from fablab.bookings.rules import REFUSAL_CODES
from fablab.bookings.slot_reads import Wanted
from fablab.bookings.slots import Found, Slot, SlotWish, find_slots
from fablab.clock import utc_now
from fablab.machines import queries as machines
from fablab.machines.queries import KindView, LabView
from fablab.machines.rules import start_of_day
from fablab.members.rules import Actor
from fablab.web.pages import forms
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.booking_form import lengths
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, how_many, line
from fablab.web.settings import booking_policy

SHOWN, SHOWN_MOST = 8, 48
# What leaves machines no time, in words for one and for several of them, and where that is mended.
REASONS = {
    "not_certified": (
        "{n} machine needs a certification that you do not have.",
        "{n} machines need a certification that you do not have.",
        ("trainings", "school", "See the trainings"),
    ),
    "machine_booked": (
        "{n} machine is taken all that time.",
        "{n} machines are taken all that time.",
        ("waiting_list", "hourglass", "Waiting list"),
    ),
    "outside_hours": (
        "{n} machine’s lab is not open for that long in those days.",
        "The labs of {n} machines are not open for that long in those days.",
        None,
    ),
    "not_supervised": (
        "{n} machine is used only while staff are there, which they are not for that long.",
        "{n} machines are used only while staff are there, which they are not for that long.",
        None,
    ),
    "too_long": (
        "{n} machine may not be booked for so long at once.",
        "{n} machines may not be booked for so long at once.",
        None,
    ),
    "too_short": (
        "{n} machine is booked for longer at least.",
        "{n} machines are booked for longer at least.",
        None,
    ),
    "beyond_horizon": (
        "{n} machine cannot be booked so far ahead.",
        "{n} machines cannot be booked so far ahead.",
        None,
    ),
    "too_soon": (
        "{n} machine is booked longer before.",
        "{n} machines are booked longer before.",
        None,
    ),
    "quota_used": (
        "Your hours on {n} machine are used up in those days.",
        "Your hours on {n} machines are used up in those days.",
        ("my_bookings", "calendar-event", "Your bookings"),
    ),
    "too_many_ahead": (
        "You have as many bookings ahead as you may on {n} machine.",
        "You have as many bookings ahead as you may on {n} machines.",
        ("my_bookings", "calendar-event", "Your bookings"),
    ),
    "minor_without_consent": (
        "You are under 18: bring a parent’s or guardian’s consent to the lab first.",
        "You are under 18: bring a parent’s or guardian’s consent to the lab first.",
        None,
    ),
}


@dataclass
class Choice:
    """What the form says: texts as typed, and sentences of what is wrong by field."""

    kind: str
    duration: str
    where: str
    near: str
    day: str
    time: str
    until: str
    material: str
    errors: Errors = field(default_factory=dict)


@blueprint.get("/find")
def find_time() -> str:
    """The form, and what is free already for what it says at first."""
    session, actor = reading()
    now = utc_now()
    labs, kinds = machines.labs(session), machines.kinds(session)
    zone = machines.common_zone(labs)
    lately = bookings.bookings_of(session, actor.member_id, newest_first=True, limit=30)
    choice = _choice(actor, labs, kinds, lately)
    shown = how_many("shown", SHOWN, SHOWN_MOST)
    wish = _wish(choice, labs, kinds, zone, now, shown)
    found = None if wish is None else find_slots(session, actor, wish, now, booking_policy())
    today = now.astimezone(ZoneInfo(zone)).date()
    return render_template(
        "find_time.html",
        now=now,
        choice=choice,
        kinds=[(each.slug, each.names["en"]) for each in kinds],
        lengths=lengths(booking_policy(), choice.duration),
        regions=sorted({(each.region_slug, each.region_names["en"]) for each in labs}),
        labs=[(each.slug, each.names["en"]) for each in labs],
        today=today,
        zone=zone,
        found=found,
        slots=[] if found is None or wish is None else [_row(each, wish.length_s) for each in found.slots],
        why=[] if found is None else _why(found),
        more=min(shown * 2, SHOWN_MOST) if found and len(found.slots) == shown < SHOWN_MOST else None,
    )


def _choice(
    actor: Actor, labs: Sequence[LabView], kinds: Sequence[KindView], lately: Sequence[BookingView]
) -> Choice:
    """What was typed; where nothing was, near the lab they manage or booked in most of late."""
    often = Counter(each.lab_slug for each in lately).most_common(1)
    own = [each.slug for each in labs if each.id in actor.managed_labs]
    lab = (own or [slug for slug, _ in often] or [""])[0]
    return Choice(
        kind=line("kind", 60) or (kinds[0].slug if kinds else ""),
        duration=line("duration", 5) or "60",
        where=line("where", 70),
        near=line("near", 60) if "near" in request.args else lab,
        day=line("day", 10),
        time=line("time", 5),
        until=line("until", 10),
        material=line("material", 60),
    )


def _wish(
    choice: Choice, labs: Sequence[LabView], kinds: Sequence[KindView], zone: str, now: datetime, limit: int
) -> SlotWish | None:
    """The wish that the form makes, or None with its errors filled."""
    errors = choice.errors
    kind = forms.a_choice(choice.kind, "kind", errors, {each.slug: each.slug for each in kinds})
    minutes = forms.a_number(
        choice.duration,
        "duration",
        errors,
        least=1,
        most=LONGEST_DAYS * 1440,
        message="Please choose how long.",
    )
    places = {"": ("", "")}
    places |= {f"lab:{each.slug}": ("lab", each.slug) for each in labs}
    places |= {f"region:{each.region_slug}": ("region", each.region_slug) for each in labs}
    where = forms.a_choice(choice.where, "where", errors, places)
    near = forms.a_choice(choice.near, "near", errors, {"": "", **{each.slug: each.slug for each in labs}})
    day = forms.a_day(choice.day, "day", errors, near=True)
    at = forms.a_time(choice.time, "time", errors) if choice.time else time()
    until = forms.a_day(choice.until, "until", errors, near=True)
    if errors or kind is None or minutes is None or where is None or at is None:
        return None
    today = now.astimezone(ZoneInfo(zone)).date()
    after = now
    if day is not None or choice.time:
        start = forms.an_instant(day or today, at, zone, "time", errors)
        after = max(now, start or now)
    before = None if until is None else start_of_day(until + timedelta(days=1), ZoneInfo(zone))
    if before is not None and before - after < timedelta(minutes=minutes):
        forms.refuse(errors, "until", "Please choose a later last day.")
    if errors:
        return None
    what, slug = where
    return SlotWish(
        length_s=minutes * 60,
        wanted=Wanted(
            kinds=(kind,),
            labs=(slug,) if what == "lab" else (),
            regions=(slug,) if what == "region" else (),
            material=choice.material or None,
        ),
        after=after,
        before=before,
        near=near or None,
        limit=limit,
    )


def _row(slot: Slot, length_s: int) -> dict[str, Any]:
    """A slot with the address of the booking form that it fills."""
    wall = slot.starts_at.astimezone(ZoneInfo(slot.zone))
    address = url_for(
        "pages.machine",
        slug=slot.names.slug,
        day=f"{wall:%Y-%m-%d}",
        time=f"{wall:%H:%M}",
        duration=length_s // 60,
        _anchor="book",
    )
    return {"slot": slot, "address": address}


def _why(found: Found) -> list[tuple[str, tuple[str, str, str] | None]]:
    """Why machines have no time: sentences, each with the address, icon and label of what helps."""
    said = []
    for code, count in found.left_out.items():
        one, many, help_ = REASONS.get(code, (None, None, None))
        if one is None or many is None:
            one = many = f"{{n}}: {REFUSAL_CODES.get(code, 'They cannot be booked.')}"
        link = None
        if help_ is not None and f"pages.{help_[0]}" in current_app.view_functions:
            link = (url_for(f"pages.{help_[0]}"), help_[1], help_[2])
        said.append(((one if count == 1 else many).format(n=count), link))
    return said
