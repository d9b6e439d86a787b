"""Dates on what is not a page: in mails and on certificates, in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

# Western digits in Arabic, as Morocco writes them.
LOCALES = {"fr": "fr_MA", "ar": "ar_MA", "en": "en_GB"}
_WHEN = {
    "fr": "EEEE d MMMM y 'à' HH:mm",
    "ar": "EEEE d MMMM y 'على الساعة' HH:mm",
    "en": "EEEE d MMMM y 'at' HH:mm",
}


def format_when(instant: datetime, zone: str, language: str) -> str:
    """An instant as the lab's clock shows it, for instance "samedi 28 novembre 2026 à 14:30"."""
    from babel.dates import format_datetime

    wall = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return format_datetime(wall, _WHEN[language], locale=LOCALES[language])


def format_day(day: date, language: str, *, weekday: bool = True) -> str:
    """A day, for instance "samedi 28 novembre 2026"; without ``weekday`` "28 novembre 2026"."""
    from babel.dates import format_date

    return format_date(day, "EEEE d MMMM y" if weekday else "d MMMM y", locale=LOCALES[language])


_UNTIL = {"fr": "{} à {}", "ar": "{} إلى {}", "en": "{} to {}"}
_OVER = {"fr": "du {} au {}", "ar": "من {} إلى {}", "en": "{} to {}"}
_SEVERAL = {
    "fr": "{count} dates, la première {first}, la dernière {last}",
    "ar": "{count} مواعيد، أولها {first} وآخرها {last}",
    "en": "{count} dates, the first on {first}, the last on {last}",
}


def format_span(starts_at: datetime, ends_at: datetime, zone: str, language: str) -> str:
    """A span as the lab's clock shows it, "samedi 28 novembre 2026, 14:30 à 16:00" on one day."""
    ends = ends_at.astimezone(ZoneInfo(zone))
    begins = format_when(starts_at, zone, language)
    if starts_at.astimezone(ZoneInfo(zone)).date() == ends.date():
        return _UNTIL[language].format(_on_one_day(starts_at, zone, language), f"{ends:%H:%M}")
    return _OVER[language].format(begins, format_when(ends_at, zone, language))


def format_spans(spans: Sequence[tuple[datetime, datetime]], zone: str, language: str) -> str:
    """One span as `format_span` writes it; of several how many, the first and the last."""
    if len(spans) == 1:
        return format_span(*spans[0], zone, language)
    first, last = min(spans)[0], max(spans)[0]
    return _SEVERAL[language].format(
        count=len(spans), first=format_when(first, zone, language), last=format_when(last, zone, language)
    )


def _on_one_day(starts_at: datetime, zone: str, language: str) -> str:
    """ "samedi 28 novembre 2026, 14:30": what "à 16:00" may follow."""
    local = starts_at.astimezone(ZoneInfo(zone))
    comma = "،" if language == "ar" else ","
    return f"{format_day(local.date(), language)}{comma} {local:%H:%M}"
