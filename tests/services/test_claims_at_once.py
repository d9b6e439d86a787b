"""Every verb that takes time, called by many at the same moment: one owner, no deadlock, all or nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings.deciding import approve
from fablab.bookings.facts import BookingRequest, Policy
from fablab.bookings.gathering import gather_all
from fablab.bookings.models import Booking
from fablab.bookings.moves import Move
from fablab.bookings.moving import Change, extend_booking, move_all, move_booking
from fablab.bookings.outages import OutageWish, begin_outage, change_outage
from fablab.bookings.service import cancel_booking, create_booking
from fablab.bookings.storing import Party, Taking, take_all
from fablab.bookings.verdicts import verdicts
from fablab.clock import utc_now
from fablab.db import transaction
from fablab.errors import refused
from fablab.machines.models import Unit
from fablab.machines.queries import machine_by_slug
from fablab.settings import Settings
from tests.fixtures_cast import Cast, tomorrow
from tests.support.at_once import CLIENTS, DONE, ROUNDS, all_at_once, check_claims, many_sessions
from tests.support.claims import add_needed

PRUSA, OTHER, LASER = "tanger-prusa-1", "tanger-prusa-2", "tanger-laser-1"
BOOKED = ["machine_booked"]
WHO = ("amina", "youssef", "salma", "admin")
HOUR = timedelta(hours=1)


@pytest.fixture
def many(settings: Settings) -> Iterator[sessionmaker[Session]]:
    with many_sessions(settings) as maker:
        yield maker


def request(machine: str, starts_at: datetime, hours: float = 1) -> BookingRequest:
    return BookingRequest(machine, starts_at, starts_at + timedelta(hours=hours))


def book(
    sessions: sessionmaker[Session], cast: Cast, policy: Policy, who: str, wanted: BookingRequest
) -> int:
    with transaction(sessions) as session:
        return create_booking(session, cast.actors[who], wanted, utc_now(), policy).id


def start(number: int) -> datetime:
    """Every round has a day of its own."""
    return tomorrow(8, days=2) + timedelta(days=number)


def test_one_of_many_books(many: sessionmaker[Session], cast: Cast, policy: Policy) -> None:
    for number in range(ROUNDS):
        wanted = request(PRUSA, start(number))
        met = all_at_once(
            many,
            [
                partial(
                    create_booking,
                    actor=cast.actors[WHO[n % 4]],
                    request=wanted,
                    now=utc_now(),
                    policy=policy,
                )
                for n in range(CLIENTS)
            ],
        )
        assert (met.count(DONE), met.count(BOOKED)) == (1, CLIENTS - 1), met
    check_claims(many)


def test_of_machines_that_share_what_they_need_one_is_booked(
    many: sessionmaker[Session], cast: Cast, policy: Policy
) -> None:
    """Half of them ask for the one, half for the other; there is one extractor, and the one machine needs it
    by way of another."""
    with transaction(many) as session:
        extractor = add_needed(session, "tanger-extractor", [OTHER])
        circuit = add_needed(session, "tanger-circuit", [PRUSA, "tanger-extractor"])
        assert extractor != circuit
    for number in range(ROUNDS):
        met = all_at_once(
            many,
            [
                partial(
                    create_booking,
                    actor=cast.actors[WHO[n % 4]],
                    request=request((PRUSA, OTHER)[n % 2], start(number)),
                    now=utc_now(),
                    policy=policy,
                )
                for n in range(CLIENTS)
            ],
        )
        assert (met.count(DONE), met.count(BOOKED)) == (1, CLIENTS - 1), met
    check_claims(many)


def test_two_machines_in_opposite_order(many: sessionmaker[Session], cast: Cast, policy: Policy) -> None:
    def both(session: Session, who: str, slugs: tuple[str, str], at: datetime) -> None:
        actor, now = cast.actors[who], utc_now()
        there = [machine_by_slug(session, slug) for slug in slugs]
        wanted = [(machine, request(machine.slug, at)) for machine in there if machine is not None]
        gathered = gather_all(session, actor, wanted, now, policy, lock=True)
        decided = verdicts([(one, each) for one, (_, each) in zip(gathered, wanted, strict=True)])
        if said := [refusal for verdict in decided for refusal in verdict.refusals]:
            raise refused(*said)
        party = Party(actor.member_id, actor.member_id)
        takings = [
            Taking(one.machine, verdict.units, each, party, one.span(each))
            for one, verdict, (_, each) in zip(gathered, decided, wanted, strict=True)
        ]
        ids = take_all(session, takings, now)
        assert None not in ids, "all of them lock the units first"

    for number in range(ROUNDS):
        met = all_at_once(
            many,
            [
                partial(
                    both,
                    who=WHO[n % 4],
                    slugs=(PRUSA, OTHER) if n % 2 else (OTHER, PRUSA),
                    at=start(number),
                )
                for n in range(CLIENTS)
            ],
        )
        assert met.count(DONE) == 1, met
    check_claims(many)
    with transaction(many) as session:
        assert session.scalar(select(func.count()).select_from(Booking)) == 2 * ROUNDS


def test_one_of_many_moves_to_a_free_time(many: sessionmaker[Session], cast: Cast, policy: Policy) -> None:
    made = [
        book(many, cast, policy, "amina", request((PRUSA, OTHER)[n % 2], tomorrow(0) + n // 2 * HOUR))
        for n in range(CLIENTS)
    ]
    for number in range(ROUNDS):
        change = Change(start(number), start(number) + HOUR, PRUSA)
        met = all_at_once(
            many,
            [
                partial(
                    move_booking,
                    actor=cast.actors["amina"],
                    booking_id=each,
                    change=change,
                    now=utc_now(),
                    policy=policy,
                )
                for each in made
            ],
        )
        assert (met.count(DONE), met.count(BOOKED)) == (1, CLIENTS - 1), met
        check_claims(many)


def test_bookings_that_move_in_a_circle(many: sessionmaker[Session], cast: Cast, policy: Policy) -> None:
    """Each wants the place of the next: none gets it, none waits for the other, and all keep their own."""
    made = [
        book(many, cast, policy, "amina", request((PRUSA, OTHER)[n % 2], start(0) + n * HOUR))
        for n in range(CLIENTS)
    ]
    places = [((PRUSA, OTHER)[n % 2], start(0) + n * HOUR) for n in range(CLIENTS)]
    for _ in range(ROUNDS):
        met = all_at_once(
            many,
            [
                partial(
                    move_booking,
                    actor=cast.actors["amina"],
                    booking_id=each,
                    change=Change(at, at + HOUR, machine),
                    now=utc_now(),
                    policy=policy,
                )
                for each, (machine, at) in zip(made, places[1:] + places[:1], strict=True)
            ],
        )
        assert met == [BOOKED] * CLIENTS
    check_claims(many)


def test_of_one_booking_the_last_move_counts_or_is_told(
    many: sessionmaker[Session], cast: Cast, policy: Policy
) -> None:
    made = book(many, cast, policy, "amina", request(PRUSA, start(0)))
    done = 0
    for number in range(ROUNDS):
        met = all_at_once(
            many,
            [
                partial(
                    move_booking,
                    actor=cast.actors["amina"],
                    booking_id=made,
                    change=Change(start(number) + n * HOUR, start(number) + (n + 1) * HOUR),
                    now=utc_now(),
                    policy=policy,
                )
                for n in range(CLIENTS)
            ],
        )
        done += met.count(DONE)
        assert met.count(DONE) >= 1
        assert met.count(DONE) + met.count(["stale"]) == CLIENTS, met
    check_claims(many)
    with transaction(many) as session:
        assert session.get_one(Booking, made).version == 1 + done


def test_many_moves_at_once_in_opposite_order(
    many: sessionmaker[Session], cast: Cast, policy: Policy
) -> None:
    def swap(session: Session, ids: list[int], first: int, at: datetime) -> None:
        there = {each: machine_by_slug(session, each) for each in (PRUSA, OTHER)}
        slugs = (PRUSA, OTHER) if first else (OTHER, PRUSA)
        moves = [
            Move(each, machine, at, at + HOUR)
            for each, slug in zip(ids, slugs, strict=True)
            if (machine := there[slug]) is not None
        ]
        move_all(session, cast.actors["amina"], moves, utc_now(), policy)

    pairs = [
        [
            book(many, cast, policy, "amina", request(machine, tomorrow(0) + n * HOUR))
            for machine in (PRUSA, OTHER)
        ]
        for n in range(CLIENTS)
    ]
    for number in range(ROUNDS):
        met = all_at_once(
            many,
            [
                partial(swap, ids=pair[:: 1 if n % 2 else -1], first=n % 2, at=start(number))
                for n, pair in enumerate(pairs)
            ],
        )
        assert (met.count(DONE), met.count(BOOKED)) == (1, CLIENTS - 1), met
        check_claims(many)


def test_one_of_many_requests_is_agreed_to(many: sessionmaker[Session], cast: Cast, policy: Policy) -> None:
    asking = replace(policy, approvals=1)
    for number in range(ROUNDS):
        asked = [
            book(many, cast, asking, "amina", request(PRUSA, start(number) + timedelta(minutes=n)))
            for n in range(CLIENTS)
        ]
        who = ("salma", "admin")
        met = all_at_once(
            many,
            [
                partial(approve, actor=cast.actors[who[n % 2]], booking_id=each, now=utc_now(), policy=asking)
                for n, each in enumerate(asked)
            ],
        )
        assert (met.count(DONE), met.count(BOOKED)) == (1, CLIENTS - 1), met
        again = all_at_once(
            many,
            [
                partial(
                    approve,
                    actor=cast.actors["salma"],
                    booking_id=asked[met.index(DONE)],
                    now=utc_now(),
                    policy=asking,
                )
            ],
        )
        assert again == [["not_requested"]]
    check_claims(many)


def test_one_of_two_neighbours_gets_the_hour_between(
    many: sessionmaker[Session], cast: Cast, policy: Policy
) -> None:
    for number in range(ROUNDS):
        verbs = []
        for pair in range(CLIENTS // 2):
            at = start(number) + 3 * pair * HOUR
            before, after = (
                book(many, cast, policy, who, request(PRUSA, at + shift * HOUR))
                for who, shift in (("amina", 0), ("youssef", 2))
            )
            verbs += [
                partial(
                    extend_booking,
                    actor=cast.actors["amina"],
                    booking_id=before,
                    ends_at=at + 2 * HOUR,
                    now=utc_now(),
                    policy=policy,
                ),
                partial(
                    move_booking,
                    actor=cast.actors["youssef"],
                    booking_id=after,
                    change=Change(starts_at=at + HOUR),
                    now=utc_now(),
                    policy=policy,
                ),
            ]
        met = all_at_once(many, verbs)
        for pair in range(CLIENTS // 2):
            assert sorted(met[2 * pair : 2 * pair + 2], key=str) == [BOOKED, DONE], met
        check_claims(many)


def test_as_many_book_as_there_are_ahead_of_one(
    many: sessionmaker[Session], cast: Cast, policy: Policy
) -> None:
    """Of two bookings of one member at once the second counts the first, on whatever machine."""
    few = replace(policy, max_ahead=3)
    slugs = (PRUSA, OTHER, "rabat-prusa-1")
    met = all_at_once(
        many,
        [
            partial(
                create_booking,
                actor=cast.actors["amina"],
                request=request(slugs[n % 3], start(0) + n * HOUR),
                now=utc_now(),
                policy=few,
            )
            for n in range(CLIENTS)
        ],
    )
    assert (met.count(DONE), met.count(["too_many_ahead"])) == (3, CLIENTS - 3), met


def test_anything_at_once(many: sessionmaker[Session], cast: Cast, policy: Policy) -> None:
    """Whatever people do at the same moment, nobody meets a deadlock and every claim has one owner."""
    chance = random.Random(20270207)
    with transaction(many) as session:
        session.add(Unit(machine_id=cast.machines[OTHER], number=2))
        add_needed(session, "tanger-extractor", [PRUSA, OTHER])
    slugs = (PRUSA, OTHER, "tanger-extractor")

    def one(session: Session, seed: int, day: datetime) -> None:
        own = random.Random(seed)
        actor, now = cast.actors["admin"], utc_now()
        at = day + own.randrange(12) * timedelta(minutes=30)
        ids = session.scalars(
            select(Booking.id).where(Booking.state.in_(("requested", "confirmed"))).order_by(Booking.id)
        ).all()
        act = own.choice(("create", "create", "request", "cancel", "move", "move", "approve", "outage"))
        if act in ("create", "request") or not ids:
            asking = replace(policy, approvals=int(act == "request"))
            who = cast.actors[own.choice(("amina", "salma"))]
            create_booking(session, who, request(own.choice(slugs[:2]), at), now, asking)
        elif act == "cancel":
            cancel_booking(session, actor, own.choice(ids), now, policy)
        elif act == "move":
            change = Change(at, at + HOUR, own.choice(slugs[:2]))
            move_booking(session, actor, own.choice(ids), change, now, policy)
        elif act == "approve":
            approve(session, actor, own.choice(ids), now, policy)
        else:
            machine = machine_by_slug(session, own.choice(slugs))
            assert machine is not None
            wish = OutageWish(at, None, "fault")
            told = begin_outage(session, actor, machine, wish, now, policy)
            change_outage(session, actor, machine, told.outage.id, {"ends_at": at + HOUR}, now, policy)

    done = 0
    for number in range(2 * ROUNDS):
        seeds = [chance.randrange(2**32) for _ in range(CLIENTS)]
        met = all_at_once(many, [partial(one, seed=seed, day=start(number // 3)) for seed in seeds])
        done += met.count(DONE)
        check_claims(many)
    assert done > 2 * ROUNDS
