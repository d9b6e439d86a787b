"""What is kept only for a while: the catalogue's limits as statements."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, text
from sqlalchemy.orm import Session

from fablab.data_rights.catalogue import CATALOGUE
from fablab.data_rights.declarations import Limit, Nothing
from fablab.settings import Retention

# Rows a rule may change in one run, so that no transaction takes long; the next run goes on.
MOST = 20_000

# Late news of work that was under way when its member was erased.
LATE = """
UPDATE job SET file = NULL, reason = NULL, owner = NULL
WHERE member_id IN (SELECT id FROM member WHERE erased_at IS NOT NULL)
AND num_nonnulls(file, reason, owner) > 0
"""

# The last mail an erased member gets carries the address, and nothing else does by then.
GOODBYES = "DELETE FROM mail WHERE template = 'data_erased' AND num_nonnulls(sent_at, given_up_at) > 0"


def forget_old(session: Session, now: datetime, settings: Retention, most: int = MOST) -> int:
    """Delete or empty what has been kept long enough, ``most`` rows a rule; returns how many rows."""
    changed = 0
    for table, limit in limits():
        days = getattr(settings, limit.setting)
        if days:
            arguments = {"before": now - timedelta(days=days), "most": most}
            changed += _count(session.execute(text(statement(table, limit)), arguments))
    return changed + sum(_count(session.execute(text(each))) for each in (LATE, GOODBYES))


def limits() -> Iterator[tuple[str, Limit]]:
    """Every rule of the catalogue with its table."""
    for each in CATALOGUE:
        if not isinstance(each, Nothing):
            for limit in each.limits:
                yield each.table, limit


def statement(table: str, limit: Limit) -> str:
    """One rule as SQL; every part of it stands in the catalogue."""
    rows = f"ARRAY(SELECT t.ctid FROM {limit.source or f'{table} AS t'} WHERE ({limit.rows}) LIMIT :most)"  # noqa: S608
    if not limit.values:
        return f"DELETE FROM {table} WHERE ctid = ANY({rows})"  # noqa: S608
    values = ", ".join(f"{column} = {value}" for column, value in limit.values.items())
    return f"UPDATE {table} SET {values} WHERE ctid = ANY({rows})"  # noqa: S608


def _count(result: Any) -> int:
    assert isinstance(result, CursorResult)
    return int(result.rowcount)
