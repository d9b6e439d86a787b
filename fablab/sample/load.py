"""Writing the sample into an empty database: places, people, and two months of history."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.errors import Refusal, refused
from fablab.machines.models import Kind, Lab, Machine, Opening, Region, Unit
from fablab.sample.accounts import add_people
from fablab.sample.arrangements import add_arrangements, add_extractor, add_hours
from fablab.sample.booking_rules import add_rules
from fablab.sample.certifications import add_certifications
from fablab.sample.history import History, write
from fablab.sample.network import BRIDGE, KINDS, LABS, MACHINES, REGIONS, ZONE, Name
from fablab.sample.organisations import add_organisations
from fablab.sample.plan import DAYS_AHEAD, DAYS_BACK, plan
from fablab.sample.work import work
from fablab.telemetry.registry import register_bridge
from fablab.utilisation.rules import chunks
from fablab.utilisation.service import roll_up

# What keeps the sample out.
REFUSAL_CODES = {"not_empty": "The database has labs of its own."}
SEED = "fablab"
Say = Callable[[str], None]


def load(session: Session, now: datetime, say: Say = lambda line: None, *, history: bool = True) -> bool:
    """Load the sample; False when it is there already, and then nothing is changed.

    1. places, machines, people and bridges (with passwords nobody knows: see `fablab bridge add`);
    2. bookings, sessions and jobs of 60 days, and bookings of the next 10;
    3. the machine hours of all of it;
    4. organisations and projects, with part of those bookings made for them;
    5. certifications and trainings;
    6. rules of bookings.

    Without ``history`` there are no bookings and no hours. ``say`` gets a line per step. Raises DomainError
    when the database has labs of its own.
    """
    found = set(session.scalars(select(Lab.slug)))
    if found >= {lab.slug for lab in LABS}:
        return False
    if found:
        text = "The database has labs of its own; the sample is loaded into an empty one only."
        raise refused(Refusal("not_empty", "", text))
    say("places, machines and people")
    _places(session)
    add_hours(session, now)
    machine_ids = _machines(session)
    add_extractor(session)
    joined_at = now - timedelta(days=DAYS_BACK + 30)
    member_ids = add_people(session, _lab_ids(session), joined_at, now)
    _bridges(session, now)
    if history:
        _history(session, now, machine_ids, member_ids, say)
    add_organisations(session, member_ids, now)
    add_certifications(session, member_ids, now)
    add_arrangements(session, member_ids, now, history=history)
    add_rules(session, now)
    return True


def _history(
    session: Session,
    now: datetime,
    machine_ids: dict[str, tuple[int, int, int]],
    member_ids: dict[str, int],
    say: Say,
) -> None:
    say(f"{DAYS_BACK} days of bookings, jobs and sessions")
    labs = {lab.slug: lab for lab in LABS}
    history = History()
    for machine in MACHINES:
        booked, outages = plan(machine, labs[machine.lab], SEED, now)
        history.add(booked, outages, work(machine, labs[machine.lab], booked, outages, SEED, now))
    write(session, history, machine_ids, member_ids, now)
    say(f"  {len(history.booked)} bookings, {len(history.worked)} sessions")
    first, last = now - timedelta(days=DAYS_BACK + 1), now + timedelta(days=DAYS_AHEAD + 2)
    hours = 0
    for since, until in chunks(first, last, timedelta(days=18)):
        hours += roll_up(session, None, since, until)
        say(f"  {hours} machine hours counted")


def _named(slug: str, name: Name) -> dict[str, Any]:
    return {"slug": slug, "name_fr": name.fr, "name_ar": name.ar, "name_en": name.en}


def _places(session: Session) -> None:
    regions = {slug: Region(**_named(slug, name)) for slug, name in REGIONS.items()}
    session.add_all(regions.values())
    for lab in LABS:
        row = Lab(
            **_named(lab.slug, lab.name),
            region=regions[lab.region],
            zone=ZONE,
            address=lab.address,
            latitude=lab.latitude,
            longitude=lab.longitude,
        )
        row.openings = [
            Opening(weekday=weekday, opens=opens, closes=closes, supervised=supervised)
            for weekday, opens, closes, supervised in lab.openings()
        ]
        session.add(row)
    session.flush()


def _machines(session: Session) -> dict[str, tuple[int, int, int]]:
    """Slug -> ids of the machine, its lab and its unit."""
    kinds = {slug: Kind(**_named(slug, name)) for slug, name in KINDS.items()}
    session.add_all(kinds.values())
    session.flush()
    labs = _lab_ids(session)
    made = [
        Machine(
            slug=machine.slug,
            name=machine.name,
            lab_id=labs[machine.lab],
            kind_id=kinds[machine.kind].id,
            capabilities=machine.capabilities,
            unattended=machine.unattended,
            cleanup_s=machine.cleanup_s,
            units=[Unit(number=1)],
        )
        for machine in MACHINES
    ]
    session.add_all(made)
    session.flush()
    return {machine.slug: (machine.id, machine.lab_id, machine.units[0].id) for machine in made}


def _bridges(session: Session, now: datetime) -> None:
    for lab in LABS:
        register_bridge(session, lab.slug, BRIDGE, secrets.token_urlsafe(24), now)


def _lab_ids(session: Session) -> dict[str, int]:
    return {lab.slug: lab.id for lab in session.execute(select(Lab.slug, Lab.id))}
