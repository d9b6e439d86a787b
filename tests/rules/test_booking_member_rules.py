"""What a member's other bookings, missed ones and certifications say against a booking."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fablab.bookings.facts import BookingFacts, BookingRequest, Person, Place, Policy, Who
from fablab.bookings.record import TOGETHER, Certificate, Own, Record
from fablab.bookings.rulebook import Label, Row, Rulebook, Ruling
from fablab.bookings.rules import decide, too_late_to_cancel
from fablab.bookings.rules_member import suspended_until, used_s
from fablab.bookings.rules_quota import bands, periods, seconds_within
from fablab.machines.rules import Span
from tests.support.rules import POLICY, ruling

MOROCCO = "Africa/Casablanca"
ZONE = ZoneInfo(MOROCCO)
HOUR = 3600
# A Monday; the clock goes back an hour on Sunday 2026-02-15 and forward again on Sunday 2026-03-22.
NOW = datetime(2026, 2, 2, 8, tzinfo=UTC)
PLACE = Place(5, 1, 3)
ANYWHERE = Own(5, "laser-1", 1, 3, NOW, NOW + timedelta(hours=1), id=9)
FACTS = BookingFacts(
    now=NOW,
    zone=MOROCCO,
    active=True,
    open_throughout=True,
    unit_ids=(7,),
    claims=(),
    place=PLACE,
    record=Record(),
)
LAB = Label(1, "tanger", {"fr": "Tanger", "ar": "طنجة", "en": "Tanger"})
OTHER_LAB = Label(2, "rabat", {"fr": "Rabat", "ar": "الرباط", "en": "Rabat"})


def wall(day: int, hour: int = 0, month: int = 2, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=ZONE).astimezone(UTC)


def request(day: int, hour: int, hours: float = 1, month: int = 2) -> BookingRequest:
    starts = wall(day, hour, month)
    return BookingRequest("laser-1", starts, starts + timedelta(hours=hours))


def own(day: int, hour: int, hours: float = 1, **more: Any) -> Own:
    starts = wall(day, hour, more.pop("month", 2))
    return replace(ANYWHERE, starts_at=starts, ends_at=starts + timedelta(hours=hours), **more)


def codes(wanted: BookingRequest, in_force: Ruling, *bookings: Own, **more: Any) -> list[str]:
    facts = replace(FACTS, record=Record(bookings), **more)
    return [each.code for each in decide(wanted, facts, in_force)]


def test_a_rule_that_asks_needs_the_record() -> None:
    with pytest.raises(ValueError, match="record"):
        decide(request(3, 10), replace(FACTS, record=None), ruling(max_ahead=1))
    assert decide(request(3, 10), replace(FACTS, record=None), ruling()) == []
    assert decide(request(3, 10), replace(FACTS, record=None, person=None), ruling(max_ahead=1))


# Notice, grid, supervision


@pytest.mark.parametrize(("minutes", "expected"), [(119, ["too_soon"]), (120, []), (-600, ["in_the_past"])])
def test_notice(minutes: int, expected: list[str]) -> None:
    starts = NOW + timedelta(minutes=minutes)
    wanted = BookingRequest("laser-1", starts, starts + timedelta(hours=1))
    assert codes(wanted, ruling(min_notice_s=2 * HOUR)) == expected


def test_a_start_that_stands_is_not_asked_again() -> None:
    starts = NOW - timedelta(hours=1, minutes=7)
    wanted = BookingRequest("laser-1", starts, NOW + timedelta(hours=1))
    strict = ruling(min_notice_s=2 * HOUR, grid_s=900)
    assert codes(wanted, strict) == ["in_the_past", "off_grid"]
    assert codes(wanted, strict, moved_from=Span(starts, NOW)) == []
    off = replace(wanted, ends_at=NOW + timedelta(minutes=61))
    assert codes(off, strict, moved_from=Span(starts, NOW)) == ["off_grid"]


@pytest.mark.parametrize(
    ("starts", "ends", "field"),
    [((10, 7), (11, 0), "starts_at"), ((10, 0), (11, 7), "ends_at"), ((10, 15), (11, 0), None)],
)
def test_the_grid_is_that_of_the_wall_clock(
    starts: tuple[int, int], ends: tuple[int, int], field: str | None
) -> None:
    wanted = BookingRequest("laser-1", *(wall(3, hour, minute=minute) for hour, minute in (starts, ends)))
    found = decide(wanted, FACTS, ruling(grid_s=900))
    assert [(each.code, each.field) for each in found] == ([("off_grid", field)] if field else [])


def test_a_grid_of_two_hours_follows_the_clock_through_ramadan() -> None:
    """An instant that was at 10:00 is at 9:00 after the change."""
    strict = ruling(grid_s=2 * HOUR)
    assert codes(request(14, 10, 2), strict) == []
    assert codes(request(16, 10, 2), strict) == []
    shifted = wall(14, 10) + timedelta(days=2)
    assert codes(BookingRequest("laser-1", shifted, shifted + timedelta(hours=2)), strict) == ["off_grid"]


def test_supervised_only() -> None:
    staffed = (Span(wall(3, 9), wall(3, 12)),)
    strict = ruling(supervised_only=True)
    assert codes(request(3, 10), strict, supervised=staffed) == []
    (no,) = decide(request(3, 13), replace(FACTS, supervised=staffed), strict)
    assert (no.code, no.field) == ("not_supervised", "starts_at")
    assert "on 3 February 2026, 09:00–12:00" in no.message
    assert "On 3 February 2026 they are not" in decide(request(3, 13), FACTS, strict)[0].message
    minor = Person("p@example.org", "P", minor=True, consent=True)
    assert codes(request(3, 13), strict, person=minor) == ["minor_unsupervised"]


# Certification


@pytest.mark.parametrize(
    ("certificates", "case"),
    [
        ((), "none"),
        ((Certificate(None, 6, 3, MOROCCO),), "none"),
        ((Certificate(4, None, 3, MOROCCO),), "none"),
        ((Certificate(3, None, 1, MOROCCO),), "higher"),
        ((Certificate(3, None, 2, MOROCCO, suspended_at=NOW),), "none"),
        ((Certificate(3, None, 2, MOROCCO, expires_on=date(2026, 2, 2)),), "by_then"),
        ((Certificate(3, None, 2, MOROCCO, expires_on=date(2026, 2, 3)),), None),
        ((Certificate(None, 5, 2, MOROCCO),), None),
        ((Certificate(3, None, 1, MOROCCO), Certificate(None, 5, 3, MOROCCO)), None),
    ],
)
def test_certification(certificates: tuple[Certificate, ...], case: str | None) -> None:
    facts = replace(FACTS, record=Record((), certificates))
    found = decide(request(3, 10), facts, ruling(certification_level=2))
    assert [each.code for each in found] == ([] if case is None else ["not_certified"])
    if case is not None:
        assert found[0].values["case"] == case


def test_who_is_certified_today_and_not_at_the_end_may_not_begin() -> None:
    """It holds on its last day whole; a booking until midnight is still on that day."""
    last_day = Certificate(3, None, 1, MOROCCO, expires_on=date(2026, 2, 3))
    facts = replace(FACTS, record=Record((), (last_day,)))
    strict = ruling(certification_level=1)
    assert decide(request(3, 22, 2), facts, strict) == []
    assert [each.code for each in decide(request(3, 22, 2.5), facts, strict)] == ["not_certified"]


# Bookings ahead


def test_bookings_ahead() -> None:
    two = (own(3, 9, id=1), own(4, 9, id=2, state="requested"))
    assert codes(request(5, 10), ruling(max_ahead=3), *two) == []
    assert codes(request(5, 10), ruling(max_ahead=2), *two) == ["too_many_ahead"]
    over = [own(3, 9, id=n, state=state) for n, state in enumerate(("started", "completed", "missed"), 3)]
    assert codes(request(5, 10), ruling(max_ahead=3), *two, *over) == []
    begun = own(1, 9, id=8)
    assert codes(request(5, 10), ruling(max_ahead=3), *two, begun) == []


def test_a_moved_booking_does_not_stand_in_its_own_way() -> None:
    record = Record((own(3, 9, id=1), own(4, 9, id=2)))
    assert len(record.without([1]).bookings) == 1
    facts = replace(FACTS, record=record.without([1]))
    assert decide(request(5, 10), facts, ruling(max_ahead=2)) == []


def test_machines_booked_as_one_count_once() -> None:
    bundle = (own(3, 9, id=1, bundle_id=1), own(3, 10, id=2, bundle_id=1))
    assert codes(request(5, 10), ruling(max_ahead=2), *bundle) == []
    with_it = own(5, 9, id=0, bundle_id=TOGETHER)
    assert codes(request(5, 10), ruling(max_ahead=2), *bundle, with_it) == []
    assert codes(request(5, 10), ruling(max_ahead=2), *bundle, own(6, 9, id=0)) == ["too_many_ahead"]


def test_what_begins_now_is_not_ahead() -> None:
    wanted = BookingRequest("laser-1", NOW, NOW + timedelta(hours=1))
    assert codes(wanted, ruling(max_ahead=1), own(5, 9)) == []


def lab_rule(name: str, value: int, lab: Label = LAB, **policy: Any) -> Ruling:
    return Rulebook([Row(1, name, value, lab=lab)]).ruling(PLACE, Who(), replace(POLICY, **policy))


@pytest.mark.parametrize(
    ("name", "value", "code"), [("max_ahead", 1, "too_many_ahead"), ("quota_week_s", HOUR, "quota_used")]
)
def test_a_labs_rule_counts_what_is_booked_in_that_lab(name: str, value: int, code: str) -> None:
    here, elsewhere = own(4, 9), own(4, 9, lab_id=OTHER_LAB.id)
    assert codes(request(5, 10), lab_rule(name, value), elsewhere) == []
    (no,) = decide(request(5, 10), replace(FACTS, record=Record((here,))), lab_rule(name, value))
    assert no.code == code
    assert "(lab Tanger)" in no.message
    assert str(no.origin) == "lab Tanger"


# One of a kind


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (own(5, 10, machine_id=6, machine_slug="laser-2"), ["one_of_kind"]),
        (own(5, 9, 1.5, state="requested"), ["one_of_kind"]),
        (own(5, 9, 1), []),
        (own(5, 11, 1), []),
        (own(5, 10, kind_id=4), []),
        (own(5, 10, state="completed"), []),
    ],
)
def test_one_of_a_kind_at_a_time(other: Own, expected: list[str]) -> None:
    assert codes(request(5, 10), ruling(one_of_kind=True), other) == expected
    assert codes(request(5, 10), ruling(), other) == []


# Strikes


def missed(*days: int, forgiven: tuple[int, ...] = (), month: int = 1) -> list[Own]:
    return [own(day, 9, month=month, id=day, state="missed", forgiven=day in forgiven) for day in days]


STRICT = ruling(strikes=2, strike_window_days=10, suspension_days=14)


@pytest.mark.parametrize(
    ("strikes", "expected"),
    [
        (missed(25), []),
        (missed(25, 31), ["suspended"]),
        (missed(15, 26), []),
        (missed(16, 26), ["suspended"]),
        (missed(25, 31, forgiven=(31,)), []),
        (missed(2, 9), []),
        (missed(2, 12, 22), ["suspended"]),
    ],
)
def test_missed_bookings_suspend(strikes: list[Own], expected: list[str]) -> None:
    assert codes(request(5, 10), STRICT, *strikes) == expected
    assert codes(request(5, 10), ruling(), *strikes) == []


def test_a_suspension_ends_after_the_last_missed_booking() -> None:
    record = Record(tuple(missed(20, 25)))
    until = suspended_until(record, STRICT)
    assert until == wall(25, 9, month=1) + timedelta(days=14)
    facts = replace(FACTS, record=record, now=until)
    assert decide(request(20, 10), facts, STRICT) == []
    (no,) = decide(request(20, 10), replace(facts, now=until - timedelta(seconds=1)), STRICT)
    assert no.code == "suspended"
    assert "again from 2026-02-08 09:00" in no.message


@given(
    st.lists(st.integers(0, 60), max_size=8, unique=True),
    st.integers(1, 4),
    st.integers(1, 30),
    st.integers(1, 30),
)
def test_suspensions_by_their_definition(days: list[int], strikes: int, window: int, lasts: int) -> None:
    """Against counting them the slow way: at each missed booking, those within the window before it."""
    begin = NOW - timedelta(days=90)
    bookings = tuple(
        replace(ANYWHERE, id=day + 1, state="missed", starts_at=begin + timedelta(days=day)) for day in days
    )
    ends = [
        begin + timedelta(days=day + lasts)
        for day in days
        if sum(day - window <= other <= day for other in days) >= strikes
    ]
    in_force = ruling(strikes=strikes, strike_window_days=window, suspension_days=lasts)
    assert suspended_until(Record(bookings), in_force) == max(ends, default=None)


# Cancelling


def test_the_deadline_for_cancelling() -> None:
    strict = ruling(cancel_before_s=24 * HOUR)
    starts = NOW + timedelta(hours=24)
    assert too_late_to_cancel(starts, "confirmed", NOW, strict) is None
    no = too_late_to_cancel(starts, "confirmed", NOW + timedelta(seconds=1), strict)
    assert no is not None
    assert (no.code, str(no.origin)) == ("too_late_to_cancel", "settings")
    assert too_late_to_cancel(starts, "requested", NOW + timedelta(hours=23), strict) is None
    assert too_late_to_cancel(starts, "confirmed", starts, ruling()) is None


# Quotas


@pytest.mark.parametrize(
    ("name", "limit_h", "wanted", "expected"),
    [
        ("quota_day_s", 4, request(5, 14, 2), []),
        ("quota_day_s", 4, request(5, 14, 2.5), ["quota_used"]),
        ("quota_day_s", 4, request(6, 14, 4), []),
        # Over midnight: two hours on the one day, one on the other.
        ("quota_day_s", 4, request(5, 22, 3), []),
        ("quota_day_s", 3, request(5, 22, 3), ["quota_used"]),
        ("quota_week_s", 6, request(6, 14, 4), []),
        ("quota_week_s", 5, request(6, 14, 4), ["quota_used"]),
        ("quota_week_s", 5, request(9, 14, 4), []),
        ("quota_month_s", 5, request(20, 14, 4), ["quota_used"]),
        ("quota_month_s", 5, request(2, 14, 4, month=3), []),
        ("quota_evening_week_s", 1, request(6, 17, 2), []),
        ("quota_evening_week_s", 1, request(6, 17, 2.5), ["quota_used"]),
        ("quota_evening_week_s", 1, request(6, 9, 8), []),
        ("quota_weekend_month_s", 2, request(7, 9, 2), []),
        ("quota_weekend_month_s", 2, request(7, 9, 2.5), ["quota_used"]),
        ("quota_weekend_month_s", 2, request(6, 22, 4), []),
        ("quota_weekend_month_s", 2, request(6, 9, 9), []),
    ],
)
def test_quotas(name: str, limit_h: int, wanted: BookingRequest, expected: list[str]) -> None:
    """Two hours are booked on Thursday the fifth, in the morning."""
    assert codes(wanted, ruling(**{name: limit_h * HOUR}), own(5, 9, 2)) == expected


def test_a_quota_says_what_is_used_when_and_what_to_do() -> None:
    record = Record((own(5, 9, 2),))
    (no,) = decide(request(6, 14, 4), replace(FACTS, record=record), ruling(quota_week_s=5 * HOUR))
    assert no.message == (
        "The limit is 5 hours a week (the whole network). From 2 February 2026 to 8 February 2026, 2 hours "
        "are booked already; this booking takes 4 hours. Shorten it or choose another week."
    )


def test_time_given_back_does_not_count_and_missed_time_does() -> None:
    strict = ruling(quota_week_s=3 * HOUR)
    assert codes(request(6, 14, 2), strict, own(5, 9, 2, state="missed")) == ["quota_used"]
    assert codes(request(6, 14, 2), strict, own(5, 9, 2, state="completed")) == ["quota_used"]


def test_the_day_on_which_the_clock_goes_back_has_25_hours() -> None:
    (day,) = periods(Span(wall(15, 12), wall(15, 13)), MOROCCO, "day")
    assert day.ends_at - day.starts_at == timedelta(hours=25)
    whole = BookingRequest("laser-1", day.starts_at, day.ends_at)
    assert codes(whole, ruling(quota_day_s=25 * HOUR, max_s=2 * 86400)) == []
    assert codes(whole, ruling(quota_day_s=25 * HOUR - 1, max_s=2 * 86400)) == ["quota_used"]


def test_the_day_on_which_it_goes_forward_has_23() -> None:
    (day,) = periods(Span(wall(22, 12, month=3), wall(22, 13, month=3)), MOROCCO, "day")
    assert day.ends_at - day.starts_at == timedelta(hours=23)
    assert sum(seconds_within(day, each) for each in bands(day, MOROCCO, "weekend")) == 23 * HOUR
    assert sum(seconds_within(day, each) for each in bands(day, MOROCCO, "evening")) == 6 * HOUR


ZONES = st.sampled_from([MOROCCO, "UTC", "Asia/Beirut", "America/Sao_Paulo", "Europe/London"])
instants = st.integers(0, 70 * 86400).map(lambda s: datetime(2026, 2, 1, tzinfo=UTC) + timedelta(seconds=s))
spans = st.builds(lambda at, s: Span(at, at + timedelta(seconds=s)), instants, st.integers(1, 20 * 86400))


@given(spans, ZONES, st.sampled_from(["day", "week", "month"]), st.sampled_from([None, "evening", "weekend"]))
def test_bands_lie_apart_within_their_period(span: Span, zone: str, unit: str, band: str | None) -> None:
    for period in periods(span, zone, unit):
        found = bands(period, zone, band)
        assert all(period.starts_at <= each.starts_at < each.ends_at <= period.ends_at for each in found)
        assert all(one.ends_at <= two.starts_at for one, two in pairwise(found))


@given(instants, ZONES)
def test_every_instant_is_in_the_band_its_clock_says(at: datetime, zone: str) -> None:
    local = at.astimezone(ZoneInfo(zone))
    second = Span(at, at + timedelta(seconds=1))
    for unit in ("day", "week", "month"):
        period = periods(second, zone, unit)[0]
        assert sum(seconds_within(second, each) for each in bands(period, zone, "evening")) == (
            local.hour >= 18
        )
        assert sum(seconds_within(second, each) for each in bands(period, zone, "weekend")) == (
            local.weekday() >= 5
        )


@given(st.lists(spans, max_size=4), spans, st.sampled_from(["day", "week", "month"]))
def test_periods_share_out_what_is_used(found: list[Span], within: Span, unit: str) -> None:
    """What is booked in the periods of a span is what is booked in all of them together."""
    record = Record(
        tuple(
            replace(ANYWHERE, id=n, starts_at=each.starts_at, ends_at=each.ends_at)
            for n, each in enumerate(found, start=1)
        )
    )
    asked = periods(within, MOROCCO, unit)
    together = Span(asked[0].starts_at, asked[-1].ends_at)
    origin = ruling().origin("quota_day_s")
    assert sum(used_s(record, origin, each, MOROCCO, None) for each in asked) == sum(
        seconds_within(each, together) for each in found
    )


@given(st.lists(spans, max_size=4), spans, st.integers(1, 200))
def test_an_accepted_booking_never_takes_a_week_over_its_limit(
    found: list[Span], wanted: Span, limit_h: int
) -> None:
    policy: Policy = replace(POLICY, max_s=60 * 86400, horizon_days=300, quota_week_s=limit_h * HOUR)
    in_force = Rulebook().ruling(PLACE, Who(), policy)
    record = Record(
        tuple(
            replace(ANYWHERE, id=n, starts_at=each.starts_at, ends_at=each.ends_at)
            for n, each in enumerate(found, start=1)
        )
    )
    facts = replace(FACTS, record=record, now=wanted.starts_at)
    asked = BookingRequest("laser-1", wanted.starts_at, wanted.ends_at)
    codes = [each.code for each in decide(asked, facts, in_force)]
    after = record.plus(replace(ANYWHERE, id=0, starts_at=wanted.starts_at, ends_at=wanted.ends_at))
    over = [
        week
        for week in periods(wanted, MOROCCO, "week")
        if used_s(after, in_force.origin("quota_week_s"), week, MOROCCO, None) > limit_h * HOUR
    ]
    assert codes.count("quota_used") == len(over)


def test_everything_is_said_at_once() -> None:
    strict = ruling(
        min_notice_s=7 * 86400,
        grid_s=3600,
        certification_level=1,
        max_ahead=1,
        quota_day_s=HOUR,
        one_of_kind=True,
        supervised_only=True,
        strikes=1,
    )
    wanted = replace(request(3, 10, 2), starts_at=wall(3, 10, minute=5))
    others = (own(3, 11), *missed(31))
    assert codes(wanted, strict, *others) == [
        "too_soon",
        "off_grid",
        "not_supervised",
        "suspended",
        "not_certified",
        "too_many_ahead",
        "quota_used",
        "one_of_kind",
    ]
