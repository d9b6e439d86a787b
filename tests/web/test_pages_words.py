"""How the pages put states, times and lengths into words, and what they call free."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fablab.bookings.models import STATES
from fablab.machines.rules import Span
from fablab.usage.models import OUTCOMES
from fablab.web.pages import words
from fablab.web.pages.availability import Availability, availability

ZONE = "Europe/Paris"  # an hour ahead of UTC in winter
NOW = datetime(2026, 11, 24, 9, 7, 30, tzinfo=UTC)  # Tuesday, 10:07 in Paris


def at(hour: int, minute: int = 0, days: int = 0) -> datetime:
    """An instant of that day by UTC's clock."""
    return datetime(2026, 11, 24, hour, minute, tzinfo=UTC) + timedelta(days=days)


def test_every_state_and_outcome_has_a_word() -> None:
    assert set(words.BOOKING_STATES) == set(STATES)
    assert set(words.OUTCOMES) == {None, *OUTCOMES}
    assert set(words.MACHINE_STATES) == {"unreachable", "off", "idle", "running", "paused", "error"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "unknown"),
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (3599, "1 h"),
        (3600, "1 h"),
        (7500, "2 h 05"),
        (172799, "2 d"),
        (187200, "2 d 4 h"),
    ],
)
def test_lengths(seconds: float | None, text: str) -> None:
    assert words.length(seconds) == text


def test_spans_say_the_second_day_only_when_it_differs() -> None:
    assert words.span(at(13), at(15), ZONE, NOW) == "Today, 14:00 – 16:00"
    assert words.span(at(22), at(24 - 1, 30), ZONE, NOW) == "Today, 23:00 – tomorrow, 00:30"
    assert words.span(at(8, days=5), at(9, days=5), ZONE, NOW) == "Sun 29 Nov, 09:00 – 10:00"
    assert words.span(at(8, days=60), at(9, days=60), ZONE, NOW) == "Sat 23 Jan 2027, 09:00 – 10:00"
    assert words.span(at(8, days=-1), at(9, days=-1), ZONE, NOW) == "Yesterday, 09:00 – 10:00"


def test_ages_and_zones() -> None:
    assert words.ago(NOW - timedelta(seconds=2), NOW) == "just now"
    assert words.ago(NOW - timedelta(seconds=61), NOW) == "1 minute ago"
    assert words.ago(NOW - timedelta(hours=50), NOW) == "2 days ago"
    casablanca, summer = "Africa/Casablanca", datetime(2026, 7, 1, tzinfo=UTC)
    assert (
        words.zone_name(casablanca, "Tanger", NOW) == "Times are those of Tanger (Africa/Casablanca, UTC+0)."
    )
    assert (
        words.zone_name(casablanca, "Tanger", summer)
        == "Times are those of Tanger (Africa/Casablanca, UTC+1)."
    )


def test_capabilities_and_names_inside_a_sentence() -> None:
    known = {
        "nozzle_mm": 0.4,
        "volume_mm": [250, 210, 220],
        "materials": ["PLA", "PETG"],
        "enclosed": True,
        "x": None,
    }
    assert words.capabilities(known) == ["nozzle 0.4 mm", "250 × 210 × 220 mm", "PLA, PETG", "enclosed"]
    assert (words.inside("Laser cutter"), words.inside("3D printer"), words.inside("")) == (
        "laser cutter",
        "3D printer",
        "",
    )


@pytest.mark.parametrize(
    ("claims", "open_spans", "expected"),
    [
        ([], None, Availability("free", None)),
        ([(12, 14)], None, Availability("free", at(12))),
        ([(8, 10)], None, Availability("booked", at(10))),
        ([(8, 10), (10, 12), (13, 14)], None, Availability("booked", at(12))),
        ([(8, 9)], None, Availability("free", None)),
        ([], [(8, 17)], Availability("free", at(17))),
        ([(12, 14)], [(8, 17)], Availability("free", at(12))),
        ([(18, 19)], [(8, 17)], Availability("free", at(17))),
        ([], [(13, 17)], Availability("closed", at(13))),
        ([], [], Availability("closed", None)),
    ],
)
def test_availability(
    claims: list[tuple[int, int]], open_spans: list[tuple[int, int]] | None, expected: Availability
) -> None:
    assert (
        availability(_spans(claims), None if open_spans is None else _spans(open_spans), NOW, at(23))
        == expected
    )


def _spans(hours: list[tuple[int, int]]) -> list[Span]:
    return [Span(at(first), at(last)) for first, last in hours]
