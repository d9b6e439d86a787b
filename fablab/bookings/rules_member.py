"""What speaks against a booking because of the member's others, missed ones and certifications. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from fablab.bookings.facts import BookingFacts, BookingRequest
from fablab.bookings.record import TOGETHER, Own, Record
from fablab.bookings.rule_words import place_in_words
from fablab.bookings.rulebook import Origin, Ruling
from fablab.bookings.rules_quota import bands, local_days, periods, seconds_within
from fablab.bookings.wording import Days, local, refusal
from fablab.errors import Refusal
from fablab.machines.rules import Span

# Rule, the period in which it counts, and the hours of it that count (None: all).
QUOTAS = (
    ("quota_day_s", "day", None),
    ("quota_week_s", "week", None),
    ("quota_month_s", "month", None),
    ("quota_evening_week_s", "week", "evening"),
    ("quota_weekend_month_s", "month", "weekend"),
)
# Still to come, of those in a record.
_AHEAD = ("requested", "confirmed")
GOING_ON = (*_AHEAD, "started")


class _Where:
    """The place of a rule, in words."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    def in_words(self, language: str) -> str:
        return place_in_words(self._origin, language)


def member_refusals(request: BookingRequest, facts: BookingFacts, ruling: Ruling) -> Iterator[Refusal]:
    """Everything that the member's record says against a request. ValueError where the record is missing."""
    if facts.person is None or not ruling.asks_record:
        return
    if facts.record is None:
        raise ValueError("a rule asks for the member's record: gather it (fablab.bookings.rule_facts)")
    yield from _suspended(facts, facts.record, ruling)
    yield from _not_certified(request, facts, facts.record, ruling)
    yield from _too_many_ahead(request, facts, facts.record, ruling)
    if request.sane:
        yield from _quota_used(request, facts, facts.record, ruling)
    yield from _one_of_kind(request, facts, facts.record, ruling)


def ahead(record: Record, origin: Origin, now: datetime) -> int:
    """How many bookings are still to come where the rule holds; those made as one count once.

    What is to be made as one with the request (bundle 0) counts with it.
    """
    coming = (
        each
        for each in record.bookings
        if each.state in _AHEAD and each.starts_at > now and each.bundle_id != TOGETHER
    )
    return len({_as_one(each) for each in coming if origin.covers(each)})


def used_s(record: Record, origin: Origin, period: Span, zone: str, band: str | None) -> int:
    """Seconds booked in a period where the rule holds, in these hours of it."""
    counted = bands(period, zone, band)
    return sum(
        seconds_within(each.span, hours)
        for each in record.bookings
        if each.starts_at < period.ends_at and each.ends_at > period.starts_at and origin.covers(each)
        for hours in counted
    )


def suspended_until(record: Record, ruling: Ruling) -> datetime | None:
    """When the last suspension ends, or ended; None where there never was one.

    It begins with the missed booking that makes their number full within the window, and ends so many days
    after that one, or after a later one that makes it full again.
    """
    if not ruling.strikes:
        return None
    origin = ruling.origin("strikes")
    missed = [each.starts_at for each in record.missed if origin.covers(each)]
    window = timedelta(days=ruling.strike_window_days)
    full = [
        last
        for first, last in zip(missed, missed[ruling.strikes - 1 :], strict=False)
        if last - first <= window
    ]
    return max(full) + timedelta(days=ruling.suspension_days) if full else None


def _suspended(facts: BookingFacts, record: Record, ruling: Ruling) -> Iterator[Refusal]:
    until = suspended_until(record, ruling)
    if until is not None and facts.now < until:
        yield refusal(
            "suspended",
            "member",
            until=until.astimezone(ZoneInfo(facts.zone)),
            missed=ruling.strikes,
            days=Days(ruling.strike_window_days),
            origin=ruling.origin("strikes"),
        )


def _not_certified(
    request: BookingRequest, facts: BookingFacts, record: Record, ruling: Ruling
) -> Iterator[Refusal]:
    """Who books is certified when it ends, so that nobody is at the machine whose certification is over."""
    level = ruling.certification_level
    if not level:
        return
    place, origin = facts.place, ruling.origin("certification_level")
    last = request.ends_at - timedelta(microseconds=1)
    has = record.certified(place.machine_id, place.kind_id, last)
    if has >= level:
        return
    if record.certified(place.machine_id, place.kind_id, facts.now) >= level:
        yield refusal(
            "not_certified", "starts_at", case="by_then", level=level, machine=request.machine, origin=origin
        )
    elif has:
        yield refusal(
            "not_certified", "machine", case="higher", level=level, has=has, machine=request.machine,
            origin=origin,
        )  # fmt: skip
    else:
        yield refusal(
            "not_certified", "machine", case="none", level=level, machine=request.machine, origin=origin
        )


def _too_many_ahead(
    request: BookingRequest, facts: BookingFacts, record: Record, ruling: Ruling
) -> Iterator[Refusal]:
    most, origin = ruling.max_ahead, ruling.origin("max_ahead")
    if not most or request.starts_at <= facts.now:
        return
    coming = ahead(record, origin, facts.now)
    if coming >= most:
        yield refusal(
            "too_many_ahead", "starts_at", most=most, coming=coming, where=_Where(origin), origin=origin
        )


def _quota_used(
    request: BookingRequest, facts: BookingFacts, record: Record, ruling: Ruling
) -> Iterator[Refusal]:
    """One refusal for each quota and period in which the booking would not fit any more."""
    wanted = Span(request.starts_at, request.ends_at)
    for name, unit, band in QUOTAS:
        limit_s, origin = getattr(ruling, name), ruling.origin(name)
        for period in periods(wanted, facts.zone, unit) if limit_s else ():
            asked_s = sum(seconds_within(wanted, hours) for hours in bands(period, facts.zone, band))
            taken_s = used_s(record, origin, period, facts.zone, band)
            if asked_s and taken_s + asked_s > limit_s:
                first, last = local_days(period, facts.zone)
                yield refusal(
                    "quota_used",
                    "starts_at",
                    case=band or unit,
                    limit=timedelta(seconds=limit_s),
                    used=timedelta(seconds=taken_s),
                    asked=timedelta(seconds=asked_s),
                    first=first,
                    last=last,
                    where=_Where(origin),
                    origin=origin,
                )


def _one_of_kind(
    request: BookingRequest, facts: BookingFacts, record: Record, ruling: Ruling
) -> Iterator[Refusal]:
    if not ruling.one_of_kind:
        return
    origin = ruling.origin("one_of_kind")
    meanwhile = [
        each
        for each in record.bookings
        if each.kind_id == facts.place.kind_id
        and each.state in GOING_ON
        and each.starts_at < request.ends_at
        and each.ends_at > request.starts_at
        and origin.covers(each)
    ]
    if meanwhile:
        first = min(meanwhile, key=lambda each: each.starts_at)
        yield refusal(
            "one_of_kind",
            "starts_at",
            machine=first.machine_slug,
            span=local(first.starts_at, first.ends_at, facts.zone),
            origin=origin,
        )


def _as_one(own: Own) -> object:
    """Bookings made as one share this; each one that is not stored yet is another."""
    if own.bundle_id is not None:
        return ("bundle", own.bundle_id)
    return ("booking", own.id) if own.id else own
