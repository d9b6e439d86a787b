"""Free times over the network: all that is offered can be booked, nothing earlier; and why others are out."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from fablab.bookings.facts import BookingRequest, Policy
from fablab.bookings.models import Occupancy
from fablab.bookings.models_claims import Hold, Waiting
from fablab.bookings.models_rules import RuleRow, RulesVersion
from fablab.bookings.service import create_booking, preview_booking
from fablab.bookings.slots import Found, SlotWish, Wanted, find_slots
from fablab.certifications.models import Certification
from fablab.errors import Code, DomainError
from fablab.machines.models import Lab, Machine, Need, Opening, Unit
from fablab.members.models import Member
from tests.fixtures_cast import CASABLANCA, Cast, tomorrow
from tests.support.actors import actor_of
from tests.support.claims import claim_outage
from tests.support.groups import add_consent

HOUR = 3600
PRINTERS = Wanted(kinds=("3d-printer",))
LASERS = Wanted(kinds=("laser-cutter",))


@contextmanager
def counted(session: Session) -> Iterator[list[str]]:
    """The statements made meanwhile."""
    statements: list[str] = []

    def note(*args: Any) -> None:
        statements.append(args[2])

    event.listen(session.get_bind(), "before_cursor_execute", note)
    yield statements
    event.remove(session.get_bind(), "before_cursor_execute", note)


def rule(session: Session, name: str, value: Any, **where: Any) -> None:
    """Set a rule, as its verb does."""
    session.add(RuleRow(name=name, value=value, changed_at=datetime.now(UTC), **where))
    session.merge(RulesVersion(id=1))
    session.flush()
    session.execute(text("UPDATE rules_version SET version = gen_random_uuid()"))


def machine(session: Session, cast: Cast, slug: str) -> Machine:
    return session.get_one(Machine, cast.machines[slug])


def ask(session: Session, cast: Cast, policy: Policy, who: str = "amina", **wish: Any) -> Found:
    wanted = {"length_s": HOUR, "wanted": LASERS, "after": tomorrow(0), "limit": 3, **wish}
    return find_slots(session, cast.actors[who], SlotWish(**wanted), datetime.now(UTC), policy)


def times(found: Found) -> list[tuple[str, datetime]]:
    return [(each.names.slug, each.starts_at.astimezone(CASABLANCA)) for each in found.slots]


def test_who_books_nowhere_finds_nothing(session: Session, cast: Cast, policy: Policy) -> None:
    with pytest.raises(DomainError) as refused:
        ask(session, cast, policy, "nadia")
    assert refused.value.code is Code.NOT_ALLOWED


@pytest.mark.parametrize("which", ["kinds", "machines", "labs", "regions"])
def test_a_name_that_there_is_not_is_not_found(
    session: Session, cast: Cast, policy: Policy, which: str
) -> None:
    with pytest.raises(DomainError) as refused:
        ask(session, cast, policy, wanted=Wanted(**{which: ("atlantis",)}))
    assert refused.value.code is Code.NOT_FOUND
    assert which[:-1] in refused.value.message


def test_the_first_times_lie_in_the_hours(session: Session, cast: Cast, policy: Policy) -> None:
    found = ask(session, cast, policy)
    assert times(found) == [("tanger-laser-1", tomorrow(hour)) for hour in (9, 10, 11)]
    assert (found.machines, found.left_out, found.slots[0].state) == (1, {}, "confirmed")


def test_of_equal_starts_the_nearer_lab_comes_first(session: Session, cast: Cast, policy: Policy) -> None:
    for slug, north, east in (("tanger", 35.76, -5.83), ("rabat", 34.02, -6.84)):
        lab = session.get_one(Lab, cast.labs[slug])
        lab.latitude, lab.longitude = north, east
    session.flush()
    by_number = ask(session, cast, policy, wanted=PRINTERS)
    near_rabat = ask(session, cast, policy, wanted=PRINTERS, near="rabat")
    from_rabat = ask(session, cast, policy, wanted=PRINTERS, near=(34.0, -6.8))
    assert [slug for slug, _ in times(by_number)] == ["tanger-prusa-1", "tanger-prusa-2", "rabat-prusa-1"]
    assert times(near_rabat)[0][0] == "rabat-prusa-1" == times(from_rabat)[0][0]
    assert [each.km and round(each.km) for each in near_rabat.slots] == [0, 214, 214]
    # An earlier start far away comes before a later one close by.
    claim_outage(session, cast.units["rabat-prusa-1"], tomorrow(0), tomorrow(1))
    assert [slug for slug, _ in times(ask(session, cast, policy, wanted=PRINTERS, near="rabat"))] == [
        "tanger-prusa-1",
        "tanger-prusa-2",
        "rabat-prusa-1",
    ]


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({"material": "pla"}, True),
        ({"material": "TPU"}, False),
        ({"build_volume_mm": (200, 250, 180)}, True),
        ({"build_volume_mm": (200, 250, 221)}, False),
        ({"build_volume_mm": (251, 100, 100)}, False),
        ({"laser_w": 1}, False),
        ({"bed_mm": (100, 100)}, False),
    ],
)
def test_the_machine_can_do_the_work(
    session: Session, cast: Cast, policy: Policy, wanted: dict[str, Any], fits: bool
) -> None:
    first, second = (machine(session, cast, f"tanger-prusa-{number}") for number in (1, 2))
    first.capabilities = {"build_volume_mm": [250, 210, 220], "materials": ["PLA", "PETG"]}
    # What somebody typed in may be anything.
    second.capabilities = {"build_volume_mm": "large", "materials": "PLA!", "laser_w": [], "bed_mm": {"x": 1}}
    session.flush()
    found = ask(session, cast, policy, wanted=Wanted(kinds=("3d-printer",), **wanted))
    assert found.machines == (1 if fits else 0)
    assert {slug for slug, _ in times(found)} == ({"tanger-prusa-1"} if fits else set())


def test_a_laser_s_bed_may_be_turned(session: Session, cast: Cast, policy: Policy) -> None:
    machine(session, cast, "tanger-laser-1").capabilities = {"bed_mm": [610, 305], "laser_w": 60}
    session.flush()
    assert ask(session, cast, policy, wanted=Wanted(bed_mm=(300, 600), laser_w=60)).machines == 1
    assert ask(session, cast, policy, wanted=Wanted(bed_mm=(310, 600))).machines == 0
    assert ask(session, cast, policy, wanted=Wanted(laser_w=61)).machines == 0


def test_why_machines_are_left_out(session: Session, cast: Cast, policy: Policy) -> None:
    rule(session, "certification_level", 2, machine_id=cast.machines["tanger-prusa-1"])
    rule(session, "max_s", HOUR // 2, lab_id=cast.labs["rabat"])
    claim_outage(session, cast.units["tanger-prusa-2"], tomorrow(0), tomorrow(0, days=5))
    found = ask(session, cast, policy, wanted=Wanted(), before=tomorrow(0, days=4), limit=50)
    assert found.left_out == {"not_certified": 1, "too_long": 1, "machine_booked": 1}
    assert {slug for slug, _ in times(found)} == {"tanger-laser-1"}
    assert found.whole
    assert ask(session, cast, policy, length_s=10 * HOUR).left_out == {"outside_hours": 1}


def test_who_is_certified_finds_the_machine(session: Session, cast: Cast, policy: Policy) -> None:
    rule(session, "certification_level", 1)
    session.add(
        Certification(
            member_id=cast.members["amina"],
            machine_id=cast.machines["tanger-prusa-2"],
            lab_id=cast.labs["tanger"],
            level=1,
            granted_at=datetime.now(UTC),
            renewed_at=datetime.now(UTC),
            code="c",
        )
    )
    session.flush()
    found = ask(session, cast, policy, wanted=PRINTERS)
    assert {slug for slug, _ in times(found)} == {"tanger-prusa-2"}
    assert found.left_out == {"not_certified": 2}
    assert ask(session, cast, policy, "youssef", wanted=PRINTERS).left_out == {"not_certified": 3}


def test_what_a_machine_needs_must_be_free_too(session: Session, cast: Cast, policy: Policy) -> None:
    extractor = Machine(
        slug="extractor",
        name="Extractor",
        lab_id=cast.labs["tanger"],
        kind_id=machine(session, cast, "tanger-laser-1").kind_id,
        capabilities={},
        bookable=False,
    )
    session.add(extractor)
    session.flush()
    session.add(Need(machine_id=cast.machines["tanger-laser-1"], needs_id=extractor.id))
    session.flush()
    assert ask(session, cast, policy).left_out == {"machine_booked": 1}, "it has no unit"
    unit = Unit(machine_id=extractor.id)
    session.add(unit)
    session.flush()
    claim_outage(session, unit.id, tomorrow(9), tomorrow(13, 20))
    claim_outage(session, cast.units["tanger-laser-1"], tomorrow(14), tomorrow(15))
    assert times(ask(session, cast, policy, limit=1)) == [("tanger-laser-1", tomorrow(15))]


def test_set_up_and_clean_up_keep_their_distance(session: Session, cast: Cast, policy: Policy) -> None:
    laser = machine(session, cast, "tanger-laser-1")
    laser.setup_s, laser.cleanup_s = 600, 300
    session.flush()
    claim_outage(session, cast.units["tanger-laser-1"], tomorrow(10, 4), tomorrow(11))
    assert times(ask(session, cast, policy, limit=1)) == [("tanger-laser-1", tomorrow(11, 10))]


def test_a_hold_that_is_over_takes_no_time(session: Session, cast: Cast, policy: Policy) -> None:
    now = datetime.now(UTC)
    waiting = Waiting(
        member_id=cast.members["youssef"],
        machine_id=cast.machines["tanger-laser-1"],
        duration_s=HOUR,
        after=tomorrow(9),
        before=tomorrow(12),
        state="held",
        created_at=now,
    )
    session.add(waiting)
    session.flush()
    hold = Hold(
        waiting_id=waiting.id,
        machine_id=cast.machines["tanger-laser-1"],
        starts_at=tomorrow(9),
        ends_at=tomorrow(10),
        created_at=now,
        expires_at=now + timedelta(minutes=10),
        key_hash="0" * 64,
    )
    session.add(hold)
    session.flush()
    session.add(
        Occupancy(
            lab_id=cast.labs["tanger"],
            unit_id=cast.units["tanger-laser-1"],
            starts_at=hold.starts_at,
            ends_at=hold.ends_at,
            kind="hold",
            hold_id=hold.id,
        )
    )
    session.flush()
    assert times(ask(session, cast, policy, limit=1)) == [("tanger-laser-1", tomorrow(10))]
    hold.expires_at = now - timedelta(seconds=1)
    session.flush()
    assert times(ask(session, cast, policy, limit=1)) == [("tanger-laser-1", tomorrow(9))]


def test_a_pupil_finds_hours_with_staff_there(session: Session, cast: Cast, policy: Policy) -> None:
    member = session.get_one(Member, cast.members["amina"])
    member.birth_on = date(datetime.now(UTC).year - 15, 1, 1)
    session.flush()
    pupil = actor_of(session, member.id)
    assert pupil is not None
    wish = SlotWish(HOUR, PRINTERS, after=tomorrow(0), limit=1)
    found = find_slots(session, pupil, wish, datetime.now(UTC), policy)
    assert found.left_out == {"minor_without_consent": 3}
    add_consent(session, member.id)
    found = find_slots(session, pupil, wish, datetime.now(UTC), policy)
    assert times(found) == [("tanger-prusa-1", tomorrow(9))]


def test_the_statements_do_not_grow_with_machines_or_days(
    session: Session, cast: Cast, policy: Policy
) -> None:
    def statements(**wish: Any) -> int:
        ask(session, cast, policy, wanted=PRINTERS, limit=50, **wish)
        with counted(session) as made:
            ask(session, cast, policy, wanted=PRINTERS, limit=50, **wish)
        return len(made)

    few = statements(before=tomorrow(0, days=3))
    first = machine(session, cast, "tanger-prusa-1")
    for number in range(300):
        session.add(
            Machine(
                slug=f"more-{number}",
                name="More",
                lab_id=first.lab_id,
                kind_id=first.kind_id,
                capabilities={},
                unattended=True,
                units=[Unit()],
            )
        )
    session.flush()
    units = session.scalars(
        text(
            "SELECT unit.id FROM unit JOIN machine ON machine.id = machine_id "
            "WHERE kind_id = (SELECT kind_id FROM machine WHERE id = :id)"
        ),
        {"id": first.id},
    ).all()
    # Taken to the end: every round looks, and none finds anything.
    session.execute(
        text(
            "INSERT INTO outage (id, machine_id, lab_id, starts_at, category, note, created_at) "
            "OVERRIDING SYSTEM VALUE VALUES (900, :machine, :lab, now(), 'fault', '', now())"
        ),
        {"machine": first.id, "lab": first.lab_id},
    )
    session.execute(
        text(
            "INSERT INTO occupancy (lab_id, unit_id, starts_at, ends_at, kind, outage_id) "
            "SELECT :lab, unit, now() - interval '1 day', now() + interval '100 days', 'outage', 900 "
            "FROM unnest(CAST(:units AS bigint[])) AS unit"
        ),
        {"lab": first.lab_id, "units": list(units)},
    )
    many = statements()
    assert few <= 6
    assert many <= 9
    found = ask(session, cast, policy, wanted=PRINTERS, limit=50)
    assert found.left_out == {"machine_booked": 303}


@pytest.mark.parametrize("seed", range(6))
def test_what_is_found_is_what_booking_by_trial_would_find(
    session: Session, cast: Cast, policy: Policy, seed: int
) -> None:
    """Against the reference: asking `preview_booking` about every quarter of an hour of every machine."""
    chance = random.Random(seed)
    now = datetime.now(UTC)
    for slug, unit in cast.units.items():
        at = tomorrow(0)
        while at < tomorrow(0, days=3):
            at += timedelta(minutes=15 * chance.randint(1, 20))
            ends = at + timedelta(minutes=15 * chance.randint(1, 30))
            if chance.random() < 0.8:
                claim_outage(session, unit, at, ends)
            at = ends
        one = machine(session, cast, slug)
        one.setup_s, one.cleanup_s = chance.choice([0, 900]), chance.choice([0, 900])
    rule(session, "grid_s", 900)
    rule(session, "min_notice_s", chance.choice([0, 36 * HOUR]), lab_id=cast.labs["tanger"])
    rule(
        session,
        "supervised_only",
        chance.random() < 0.5,
        kind_id=machine(session, cast, "tanger-laser-1").kind_id,
    )
    rule(session, "one_of_kind", True)
    rule(session, chance.choice(["quota_day_s", "quota_week_s"]), chance.choice([2, 3, 5]) * HOUR)
    rule(session, "quota_evening_week_s", HOUR)
    session.add(
        Opening(
            lab_id=cast.labs["rabat"],
            weekday=tomorrow(0).weekday(),
            opens=time(20),
            closes=time(2),
            supervised=False,
        )
    )
    session.get_one(Lab, cast.labs["rabat"]).hours_version = uuid4()
    session.flush()
    session.expire_all()
    for minute in (45, 600, 1140):
        starts = tomorrow(0) + timedelta(minutes=15 * (minute // 15))
        for slug in ("rabat-prusa-1", "tanger-laser-1"):
            request = BookingRequest(slug, starts, starts + timedelta(hours=1))
            if not preview_booking(session, cast.actors["amina"], request, now, policy).refusals:
                create_booking(session, cast.actors["amina"], request, now, policy)
    length = timedelta(minutes=chance.choice([45, 60, 150]))
    after, before = tomorrow(0), tomorrow(0, days=2)
    wish = SlotWish(int(length.total_seconds()), Wanted(), after, before, limit=50)
    found = times(find_slots(session, cast.actors["amina"], wish, now, policy))

    tried = []
    for slug in cast.machines:
        at = after
        while at + length <= before:
            request = BookingRequest(slug, at, at + length)
            if preview_booking(session, cast.actors["amina"], request, now, policy).refusals:
                at += timedelta(minutes=15)
            else:
                tried.append((at, cast.machines[slug], slug))
                at += length
    assert found == [(slug, at) for at, _, slug in sorted(tried)[:50]]
