"""Many who take, book and let go the same kept time at the same moment: it never has two owners.

A few rounds by default; FABLAB_TEST_ROUNDS says how many (50 for the proof).
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings import handover, waiting
from fablab.bookings.facts import BookingRequest, Policy
from fablab.bookings.service import cancel_booking, create_booking
from fablab.bookings.waiting import WaitingRequest
from fablab.clock import utc_now
from fablab.db import transaction
from fablab.machines.queries import machine_by_slug
from tests.fixtures_cast import Apis, Cast, tomorrow
from tests.services.test_double_booking import OVERLAPS
from tests.support.clients import HttpClient, at_once
from tests.support.web import serving

ROUNDS = int(os.environ.get("FABLAB_TEST_ROUNDS", "4"))
PRINTER = "tanger-prusa-1"
# Kept time is taken by its owner, wanted by others, and let go by the clock: none of this is an error.
ANSWERS = {200, 201, 204, 404, 409, 422}


def kept(
    sessions: sessionmaker[Session], cast: Cast, policy: Policy, starts: datetime, line: list[str]
) -> list[int]:
    """An hour that somebody gave back while these stood in line for it, in this order; their lines."""
    now = utc_now()
    with transaction(sessions) as session:
        request = BookingRequest(PRINTER, starts, starts + timedelta(hours=1))
        taken = create_booking(session, cast.actors["admin"], request, now, policy).id
        lines = [
            waiting.join(
                session,
                cast.actors[name],
                WaitingRequest(PRINTER, None, None, 3600, starts, starts + timedelta(hours=1)),
                now + timedelta(seconds=place),
                policy,
            ).id
            for place, name in enumerate(line)
        ]
    with transaction(sessions) as session:
        cancel_booking(session, cast.actors["admin"], taken, now, policy)
    return lines


def check(sessions: sessionmaker[Session], starts: datetime) -> int:
    """One claim at most; how many confirmed bookings there are of that hour."""
    with transaction(sessions) as session:
        assert session.scalar(text(OVERLAPS)) == 0
        at = {"starts": starts}
        claims = session.execute(
            text("SELECT kind, booking_id, hold_id FROM occupancy WHERE starts_at = :starts"), at
        ).all()
        booked = session.scalars(
            text("SELECT id FROM booking WHERE starts_at = :starts AND state = 'confirmed'"), at
        ).all()
        assert len(claims) <= 1, claims
        assert [each.booking_id for each in claims if each.kind == "booking"] == list(booked)
        # Whoever is said to have something kept has, and the other way round.
        assert (
            session.scalar(
                text(
                    "SELECT count(*) FROM waiting FULL JOIN hold ON hold.waiting_id = waiting.id "
                    "WHERE (waiting.state = 'held') <> (hold.id IS NOT NULL)"
                )
            )
            == 0
        )
        return len(booked)


def test_kept_time_has_one_owner_whoever_is_fastest(
    api: Apis,
    cast: Cast,
    policy: Policy,
    sessions: sessionmaker[Session],
    database_url: str,
    tmp_path: Path,
) -> None:
    """Amina accepts six times over, others book the hour ten times over: she has it, once."""
    with serving(database_url, tmp_path, workers=2) as base_url:
        hers = [HttpClient(base_url, api.token("amina")) for _ in range(6)]
        others = [HttpClient(base_url, api.token(name)) for name in ["youssef", "karim"] * 5]
        for n in range(ROUNDS):
            starts = tomorrow(0, days=2) + timedelta(hours=n)
            line, _ = kept(sessions, cast, policy, starts, ["amina", "youssef"])
            body = {
                "machine": PRINTER,
                "starts_at": starts.isoformat(),
                "ends_at": (starts + timedelta(hours=1)).isoformat(),
            }
            works: list[Callable[[], Any]] = [
                partial(each.post, f"/api/v1/waitlist/{line}/acceptance", {}) for each in hers
            ]
            works += [partial(each.post, "/api/v1/bookings", body) for each in others]
            random.Random(n).shuffle(works)
            answers = at_once(works)
            assert Counter(status for status, _ in answers) == {201: 1, 422: 5, 409: 10}, n
            assert check(sessions, starts) == 1
            with transaction(sessions) as session:
                waiting.withdraw_all(session, cast.members["youssef"], utc_now(), policy)
        for client in (*hers, *others):
            client.close()


def test_time_that_runs_out_meanwhile_has_one_owner_too(
    api: Apis,
    cast: Cast,
    policy: Policy,
    sessions: sessionmaker[Session],
    database_url: str,
    tmp_path: Path,
) -> None:
    """It runs out while its owner accepts, others book, the next withdraws and the clock lets it go."""

    def clock() -> tuple[int, Any]:
        with transaction(sessions) as session:
            waiting.release_holds(session, utc_now(), policy)
        return 200, None

    with serving(database_url, tmp_path, workers=2) as base_url:
        clients = {
            name: [HttpClient(base_url, api.token(name)) for _ in range(4)]
            for name in ("amina", "youssef", "karim")
        }
        for n in range(ROUNDS):
            starts = tomorrow(0, days=2) + timedelta(hours=n)
            first, second, third = kept(sessions, cast, policy, starts, ["amina", "youssef", "karim"])
            with transaction(sessions) as session:
                session.execute(
                    text("UPDATE hold SET expires_at = now() + make_interval(secs => :rest)"),
                    {"rest": random.Random(n).choice([0.0, 0.02, 0.05])},
                )
            body = {
                "machine": PRINTER,
                "starts_at": starts.isoformat(),
                "ends_at": (starts + timedelta(hours=1)).isoformat(),
            }
            works: list[Callable[[], Any]] = [clock, clock]
            for name, line in (("amina", first), ("youssef", second), ("karim", third)):
                accept = f"/api/v1/waitlist/{line}/acceptance"
                works += [partial(each.post, accept, {}) for each in clients[name][:3]]
                works.append(partial(clients[name][3].post, "/api/v1/bookings", body))
            random.Random(n).shuffle(works)
            answers = at_once(works)
            assert {status for status, _ in answers} <= ANSWERS, answers
            assert check(sessions, starts) <= 1
            with transaction(sessions) as session:
                for name in ("amina", "youssef", "karim"):
                    waiting.withdraw_all(session, cast.members[name], utc_now(), policy)
        for client in (each for several in clients.values() for each in several):
            client.close()


def test_a_booking_swapped_and_moved_at_once_is_somebodys(
    api: Apis,
    cast: Cast,
    policy: Policy,
    sessions: sessionmaker[Session],
    database_url: str,
    tmp_path: Path,
) -> None:
    """The swap is accepted, taken back, and one of the bookings cancelled at the same moment."""
    with serving(database_url, tmp_path, workers=2) as base_url:
        hers = [HttpClient(base_url, api.token("amina")) for _ in range(4)]
        his = [HttpClient(base_url, api.token("youssef")) for _ in range(4)]
        for n in range(ROUNDS):
            now, starts = utc_now(), tomorrow(0, days=2) + timedelta(hours=2 * n)
            with transaction(sessions) as session:
                own, back = (
                    create_booking(
                        session,
                        cast.actors[who],
                        BookingRequest(machine, starts, starts + timedelta(hours=1)),
                        now,
                        policy,
                    ).id
                    for who, machine in (("amina", PRINTER), ("youssef", "tanger-prusa-2"))
                )
                offer = _offer(session, cast, policy, own, starts)
            accept, cancel = f"/api/v1/handovers/{offer}/acceptance", "/api/v1/bookings/{}/cancellation"
            works: list[Callable[[], Any]] = [partial(each.post, accept, {}) for each in his[:3]]
            works += [
                partial(his[3].post, cancel.format(back), {}),
                partial(hers[0].post, cancel.format(own), {}),
                partial(hers[1].post, f"/api/v1/handovers/{offer}/refusal", {}),
            ]
            random.Random(n).shuffle(works)
            answers = at_once(works)
            assert {status for status, _ in answers} <= ANSWERS | {403}, answers
            with transaction(sessions) as session:
                holders = dict(
                    session.execute(
                        text("SELECT id, member_id FROM booking WHERE id = ANY(:ids)"), {"ids": [own, back]}
                    ).all()
                )
                state = session.scalar(text("SELECT state FROM handover WHERE id = :id"), {"id": offer})
            amina, youssef = cast.members["amina"], cast.members["youssef"]
            swapped = holders == {own: youssef, back: amina}
            assert swapped == (state == "accepted"), (holders, state)
            assert swapped or holders == {own: amina, back: youssef}
        for client in (*hers, *his):
            client.close()


def _offer(session: Session, cast: Cast, policy: Policy, own: int, starts: datetime) -> int:
    machine = machine_by_slug(session, "tanger-prusa-2")
    assert machine is not None
    offered = handover.offer_swap(session, cast.actors["amina"], own, machine, starts, "", utc_now(), policy)
    return offered.id
