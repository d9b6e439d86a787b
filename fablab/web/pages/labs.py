"""The network's labs, one lab with its machines, and one machine's tile."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from flask import render_template

from fablab.bookings import queries as bookings
from fablab.bookings.rules import LIVE_STATES
from fablab.clock import utc_now
from fablab.errors import not_found
from fablab.machines import queries as machines
from fablab.machines.queries import LabView
from fablab.members.rules import may_manage_lab
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.tiles import LOOK_AHEAD, Tile, tiles
from fablab.web.pages.words import until
from fablab.web.settings import settings


@blueprint.get("/")
def home() -> str:
    """Every lab: open or closed, and how many machines of each kind are free now."""
    now = utc_now()
    session, actor = reading()
    recent = Counter(
        booking.lab_slug
        for booking in bookings.bookings_of(session, actor.member_id, newest_first=True, limit=30)
    )
    # One's own lab first: the one managed, or booked in most of late.
    labs = sorted(
        machines.labs(session),
        key=lambda lab: (lab.id not in actor.managed_labs, -recent[lab.slug], lab.names["en"]),
    )
    all_tiles = tiles(session, actor, machines.machines(session), now, settings())
    by_lab = {lab.slug: [tile for tile in all_tiles if tile.machine.lab_slug == lab.slug] for lab in labs}
    coming = [
        booking
        for booking in bookings.bookings_of(session, actor.member_id, since=now, limit=10)
        if booking.state in LIVE_STATES
    ]
    return render_template(
        "home.html",
        now=now,
        labs=[(lab, _door(lab, now), _by_kind(by_lab[lab.slug])) for lab in labs],
        next_booking=coming[0] if coming else None,
        lab_names={lab.slug: lab.names["en"] for lab in labs},
    )


@blueprint.get("/labs/<slug>")
def lab(slug: str) -> str:
    """The lab's machines, live."""
    now = utc_now()
    session, actor = reading()
    found = machines.lab_by_slug(session, slug)
    if found is None:
        raise not_found("lab")
    shown = tiles(session, actor, machines.machines(session, lab=slug), now, settings())
    today = now.astimezone(ZoneInfo(found.zone)).date()
    days = found.hours.open_days(now, now + LOOK_AHEAD)
    # Seven days, and what is left of last night.
    week = [each for each in days if (each.on - today).days < LOOK_AHEAD.days]
    return render_template(
        "lab.html",
        now=now,
        lab=found,
        door=_door(found, now),
        kinds=_by_kind(shown),
        week=week,
        today=today,
        some_without_staff=any(set(day.spans) - set(day.supervised) for day in week),
        may_set_hours=may_manage_lab(actor, found.id),
    )


@blueprint.get("/machines/<slug>/tile")
def tile(slug: str) -> str:
    """One tile alone: what the lab's page asks for when a machine's state changed."""
    session, actor = reading()
    now = utc_now()
    machine = machines.machine_by_slug(session, slug)
    if machine is None:
        raise not_found("machine")
    [shown] = tiles(session, actor, [machine], now, settings())
    return render_template("parts/tile_alone.html", tile=shown, now=now)


def _door(lab: LabView, now: datetime) -> tuple[bool, str]:
    """Whether the lab is open, and when that changes, in words."""
    spans = lab.hours.open_spans(now, now + LOOK_AHEAD)
    if spans and spans[0].starts_at <= now:
        return True, f"until {until(spans[0].ends_at, lab.zone, now)}"
    if spans:
        return False, f"opens {until(spans[0].starts_at, lab.zone, now)}"
    return False, "no opening hours this week"


def _by_kind(shown: list[Tile]) -> list[tuple[str, str, list[Tile]]]:
    """Kind slug, kind name and tiles, kinds in the order of their names."""
    ordered = sorted(shown, key=lambda tile: (tile.machine.kind_name, tile.machine.slug))
    groups = groupby(ordered, key=lambda tile: (tile.machine.kind_slug, tile.machine.kind_name))
    return [(slug, name, list(each)) for (slug, name), each in groups]
