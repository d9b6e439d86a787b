"""Verbs that many call at the same moment, each in a transaction of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from fablab.db import connect, transaction
from fablab.errors import DomainError
from fablab.settings import Settings
from tests.support.clients import at_once

CLIENTS = 16
# FABLAB_ROUNDS=50 is the proof; a few find what is broken.
ROUNDS = int(os.environ.get("FABLAB_ROUNDS", "4"))
DONE = "done"

# Two claims of one unit at one instant.
OVERLAPS = """
    SELECT count(*) FROM occupancy a JOIN occupancy b
    ON a.unit_id = b.unit_id AND a.id < b.id AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at
"""
# Bookings that hold time without one claim on their machine and on each that it needs, and claims of bookings
# that hold none.
MISMATCHES = """
    WITH RECURSIVE uses (machine_id, used_id) AS (
        SELECT id, id FROM machine
        UNION SELECT uses.machine_id, need.needs_id
        FROM uses JOIN machine_need AS need ON need.machine_id = uses.used_id
    ), wanted AS (
        SELECT booking.id, uses.used_id FROM booking JOIN uses USING (machine_id)
        WHERE booking.state IN ('confirmed', 'started', 'completed', 'missed')
    ), claimed AS (
        SELECT occupancy.booking_id AS id, unit.machine_id AS used_id, count(*) AS claims
        FROM occupancy JOIN unit ON unit.id = occupancy.unit_id
        WHERE occupancy.booking_id IS NOT NULL GROUP BY 1, 2
    )
    SELECT count(*) FROM wanted FULL JOIN claimed USING (id, used_id)
    WHERE claimed.claims IS DISTINCT FROM 1 OR wanted.id IS NULL
"""
# Live bookings at another time than what they claim, by set-up and clean-up of none.
ELSEWHERE = """
    SELECT count(*) FROM booking JOIN occupancy ON occupancy.booking_id = booking.id
    WHERE (occupancy.starts_at, occupancy.ends_at) <> (booking.starts_at, booking.ends_at)
"""


@contextmanager
def many_sessions(settings: Settings) -> Iterator[sessionmaker[Session]]:
    """Sessions for as many threads as call at once."""
    maker = connect(replace(settings.database, pool_size=CLIENTS, max_overflow=4))
    try:
        yield maker
    finally:
        maker.kw["bind"].dispose()


def all_at_once(
    sessions: sessionmaker[Session], verbs: Sequence[Callable[[Session], object]]
) -> list[str | list[str]]:
    """What each of them met: DONE, or the codes it was refused with. Any other error is one."""

    def run(verb: Callable[[Session], object]) -> str | list[str]:
        try:
            with transaction(sessions) as session:
                verb(session)
        except DomainError as refused:
            return [each.code for each in refused.refusals] or [str(refused.code)]
        return DONE

    return at_once([lambda verb=verb: run(verb) for verb in verbs])  # type: ignore[misc]


def check_claims(sessions: sessionmaker[Session]) -> None:
    """Nothing is claimed twice, and claims fit the bookings."""
    with transaction(sessions) as session:
        assert session.scalar(text(OVERLAPS)) == 0
        assert session.scalar(text(MISMATCHES)) == 0
        assert session.scalar(text(ELSEWHERE)) == 0
