"""Readings have a place to go before they come."""

import psycopg
import pytest
from sqlalchemy import text

from fablab.telemetry.partitions import make_partitions
from tests.services.telemetry_case import START, Case

MONTHS = ["reading_202608", "reading_202609", "reading_202610", "reading_202611"]
AHEAD = ["reading_202612", "reading_202701", "reading_202702"]


def places(case: Case) -> list[str]:
    query = "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY 1"
    return [name for name in case.session.scalars(text(query)) if name.startswith("reading_2")]


@pytest.fixture(autouse=True)
def only_ours(case: Case) -> None:
    """Partitions outlive the emptying of tables, so each test begins without any."""
    for name in places(case):
        case.session.execute(text(f"DROP TABLE {name}"))


def test_a_reading_without_a_place_is_refused_by_the_database(case: Case) -> None:
    statement = "INSERT INTO reading (machine_id, at, seq, lab_id) VALUES (1, :at, 1, 1)"
    with pytest.raises(Exception, match="no partition") as raised:
        case.session.execute(text(statement), {"at": START})
    assert isinstance(getattr(raised.value, "orig", None), psycopg.errors.CheckViolation)


def test_all_months_a_message_may_carry_have_a_place(case: Case) -> None:
    assert make_partitions(case.session, START, case.settings.telemetry) == MONTHS + AHEAD
    assert make_partitions(case.session, START, case.settings.telemetry) == []
    assert places(case) == MONTHS + AHEAD
    outbox = case.outbox()
    days = case.settings.telemetry.oldest_message_days
    applied = case.deliver(
        [outbox.hot("tanger-prusa-1", seconds) for seconds in (-days * 86400 + 1, 0, 86399)], received=0
    )
    assert applied.dead == 0
