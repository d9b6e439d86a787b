"""The memory of tries: counted before a secret is looked at, in the database, for all web workers alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fablab.errors import Code, DomainError
from fablab.signin.models import Guess
from fablab.signin.rules import LIMITS, Limit, digest, forgotten, wait_s


def attempt(session: Session, keys: Sequence[str], now: datetime) -> None:
    """Count one try under each key (see `fablab.signin.rules`), or raise TOO_MANY and count nothing.

    The caller commits before it looks at the secret. Of many at once each waits for the one before it, so
    that no more get through than the limit says. A try that is turned away does not make the wait longer:
    otherwise anybody could keep anybody out for ever.
    """
    rows = _locked(session, keys, now)
    waits = [wait_s(limit, row.failures, row.last_at, now) for row, limit in rows]
    if any(waits):
        raise too_many(max(waits))
    session.execute(
        update(Guess),
        [
            {
                "key": row.key,
                "failures": 1 if forgotten(limit, row.last_at, now) else row.failures + 1,
                "last_at": max(row.last_at, now),
            }
            for row, limit in rows
        ],
    )


def succeeded(session: Session, keys: Sequence[str]) -> None:
    """The secret was right: forget the account's tries; of an address's only this one."""
    for key in sorted(keys, key=digest):
        if _limit(key).clears:
            session.execute(delete(Guess).where(Guess.key == digest(key)))
        else:
            session.execute(
                update(Guess)
                .where(Guess.key == digest(key))
                .values(failures=func.greatest(Guess.failures - 1, 0))
            )


def forget_old(session: Session, now: datetime) -> int:
    """Delete what no limit looks at any more; returns how many."""
    longest = max(limit.forget_s for limit in LIMITS.values())
    gone = session.execute(
        delete(Guess).where(Guess.last_at < now - timedelta(seconds=longest)).returning(Guess.key)
    )
    return len(gone.all())


def too_many(wait: int) -> DomainError:
    """The refusal, with a sentence that says how long to wait."""
    minutes = -(-wait // 60)
    length = f"{wait} seconds" if wait < 100 else f"{minutes} minutes"
    return DomainError(
        Code.TOO_MANY, f"That was tried too often. Please wait {length} and try again.", retry_after_s=wait
    )


def _locked(session: Session, keys: Sequence[str], now: datetime) -> list[tuple[Any, Limit]]:
    """The rows of the keys, made where missing, and locked in one order by everybody."""
    limits = {digest(key): _limit(key) for key in keys}
    ordered = sorted(limits)
    session.execute(
        insert(Guess)
        .values([{"key": key, "failures": 0, "last_at": now} for key in ordered])
        .on_conflict_do_nothing()
    )
    rows = session.execute(
        select(Guess.key, Guess.failures, Guess.last_at)
        .where(Guess.key.in_(ordered))
        .order_by(Guess.key)
        .with_for_update()
    )
    return [(row, limits[row.key]) for row in rows]


def _limit(key: str) -> Limit:
    return LIMITS[key.partition(":")[0]]
