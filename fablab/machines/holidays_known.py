"""Days that are special in a country or a calendar: public holidays, and the month of Ramadan.

Both are computed. Where days depend on who sees the moon, they may turn out to be others: they are only
proposed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import holidays
from hijridate import Gregorian, Hijri

_RAMADAN = 9


@dataclass(frozen=True)
class Holiday:
    """A day off. ``key`` names it for ever."""

    key: str
    on: date
    label: str


@dataclass(frozen=True)
class Ramadan:
    """The month of fasting of one Hijri year, the last day included."""

    key: str
    label: str
    starts_on: date
    ends_on: date


def public_holidays(country: str, language: str, since: date, until: date) -> list[Holiday]:
    """Public holidays of a country (ISO 3166) in [since, until], in order; none of one that is not known."""
    try:
        known = holidays.country_holidays(country, years=range(since.year, until.year + 1), language=language)
    except NotImplementedError:
        return []
    return [
        Holiday(f"holiday-{country.lower()}-{on}", on, name)
        for on, name in sorted(known.items())
        if since <= on <= until
    ]


def ramadans(since: date, until: date) -> list[Ramadan]:
    """Every Ramadan that begins in [since, until], as the calendar of Umm al-Qura has it."""
    first, last = (Gregorian.fromdate(each).to_hijri().year for each in (since, until))
    found = []
    for year in range(first, last + 1):
        begins = Hijri(year, _RAMADAN, 1)
        first_day = begins.to_gregorian()
        starts_on = date(first_day.year, first_day.month, first_day.day)
        ends_on = starts_on + timedelta(days=begins.month_length() - 1)
        if since <= starts_on <= until:
            found.append(Ramadan(f"ramadan-{year}", f"Ramadan {year}", starts_on, ends_on))
    return found
