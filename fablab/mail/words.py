"""Dates on what is not a page: in mails and on certificates, in the reader's language."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

# Western digits in Arabic, as Morocco writes them.
_LOCALES = {"fr": "fr_MA", "ar": "ar_MA", "en": "en_GB"}
_WHEN = {
    "fr": "EEEE d MMMM y 'à' HH:mm",
    "ar": "EEEE d MMMM y 'على الساعة' HH:mm",
    "en": "EEEE d MMMM y 'at' HH:mm",
}


def format_when(instant: datetime, zone: str, language: str) -> str:
    """An instant as the lab's clock shows it, for instance "samedi 28 novembre 2026 à 14:30"."""
    from babel.dates import format_datetime

    wall = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return format_datetime(wall, _WHEN[language], locale=_LOCALES[language])


def format_day(day: date, language: str, *, weekday: bool = True) -> str:
    """A day, for instance "samedi 28 novembre 2026"; without ``weekday`` "28 novembre 2026"."""
    from babel.dates import format_date

    return format_date(day, "EEEE d MMMM y" if weekday else "d MMMM y", locale=_LOCALES[language])
