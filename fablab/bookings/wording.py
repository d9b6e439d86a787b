"""Refusals, spans and lengths as people read them, in the network's three languages.

The sentences stand in words/*.toml, by code: ``fr``, ``ar`` and ``en``, with gaps like {least}. A code with
several sentences has a table for each case. Whatever fills a gap is never read for gaps again.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fablab.errors import Refusal, Worded
from fablab.mail.texts import LANGUAGES
from fablab.mail.words import LOCALES, format_day

HERE = Path(__file__).parent / "words"
# The language of the code: what is said where nobody asked for another.
ENGLISH = "en"
# Names the case of a code that has several sentences, among the values of a refusal.
CASE = "case"
_GAP = re.compile(r"\{(\w+)\}")
_COMMA = {"fr": ", ", "ar": "، ", "en": ", "}
_AND = {"fr": " ", "ar": " و", "en": " "}
_SPAN = {
    "fr": ("le {day} de {starts} à {ends}", "du {day} à {starts} au {last} à {ends}"),
    "ar": ("يوم {day} من {starts} إلى {ends}", "من {day} على {starts} إلى {last} على {ends}"),
    "en": ("{day} {starts} to {ends}", "{day} {starts} to {last} {ends}"),
}
# Babel's Arabic lacks the days.
_DAYS = {
    "ar": {
        "zero": "{} يوم",
        "one": "يوم",
        "two": "يومان",
        "few": "{} أيام",
        "many": "{} يومًا",
        "other": "{} يوم",
    }
}
_WHEN = {"fr": "{day} à {time}", "ar": "{day} على {time}", "en": "{day} {time}"}


@dataclass(frozen=True)
class Days:
    """A length that people count in days."""

    days: int

    def in_words(self, language: str) -> str:
        return _counted(self.days, "day", language)


def refusal(code: str, field: str, *, case: str = "", origin: Worded | None = None, **values: Any) -> Refusal:
    """A refusal whose sentence stands in the catalogue, in English here and in any language at the edge.

    ``values`` fill the gaps. They are plain Python and put into words by type: text and whole numbers as they
    are, `timedelta` as a length, `date` as a day, an aware `datetime` as day and time in the zone it carries,
    two of them as a span, a mapping of languages as the name in each, a list of texts with commas between,
    and whatever is `Worded` by itself. KeyError for a code without a sentence, or a gap without a value.
    """
    message = _fill(_sentences()[_key(code, case)][ENGLISH], values, ENGLISH)
    return Refusal(code, field, message, {**values, CASE: case} if case else values, origin)


def in_words(said: Refusal, language: str) -> str:
    """The refusal's sentence in a language; in English where the catalogue has none for it."""
    sentence = _sentences().get(_key(said.code, said.values.get(CASE, "")))
    if language == ENGLISH or sentence is None or not gaps(sentence[language]) <= said.values.keys():
        return said.message
    return _fill(sentence[language], said.values, language)


def sentences() -> Mapping[str, Mapping[str, str]]:
    """The catalogue: by code, or code and case as in "quota_used.week", the sentence in every language."""
    return _sentences()


def gaps(sentence: str) -> set[str]:
    """The names of what a sentence wants filled in."""
    return set(_GAP.findall(sentence))


def said(value: Any, language: str) -> str:
    """One value in words, by its type. TypeError for one that has no words."""
    match value:
        case str():
            return value
        case bool():
            raise TypeError("true and false have no words of their own")
        case int():
            return str(value)
        case timedelta():
            return length(value, language)
        case datetime():
            return when(value, language)
        case date():
            return format_day(value, language, weekday=False)
        case (datetime() as starts_at, datetime() as ends_at):
            return span(starts_at, ends_at, language)
        case list() | tuple():
            return _COMMA[language].join(said(each, language) for each in value)
        case Mapping():
            return str(value[language])
    if hasattr(value, "in_words"):
        return str(value.in_words(language))
    raise TypeError(f"{type(value).__name__} cannot be put into words")


def filled(templates: Mapping[str, str], language: str, **values: Any) -> str:
    """The template of a language with its gaps filled."""
    return _fill(templates[language], values, language)


def length(lasts: timedelta, language: str = ENGLISH) -> str:
    """A length in hours, minutes and seconds, as far as there are any: "7 hours 30 minutes"."""
    rest, seconds = divmod(max(0, round(lasts.total_seconds())), 60)
    hours, minutes = divmod(rest, 60)
    parts = [(hours, "hour"), (minutes, "minute"), (seconds, "second")]
    words = [_counted(count, unit, language) for count, unit in parts if count]
    return _AND[language].join(words) or _counted(0, "minute", language)


def when(at: datetime, language: str = ENGLISH) -> str:
    """A day and time as the clock of the zone it carries shows it."""
    return _WHEN[language].format(day=_day(at.date(), language), time=f"{at:%H:%M}")


def span(starts_at: datetime, ends_at: datetime, language: str = ENGLISH) -> str:
    """A span in the zone it carries: "2027-01-31 10:00 to 12:00"; the second day only when it differs."""
    short, long = _SPAN[language]
    return (short if starts_at.date() == ends_at.date() else long).format(
        day=_day(starts_at.date(), language),
        last=_day(ends_at.date(), language),
        starts=f"{starts_at:%H:%M}",
        ends=f"{ends_at:%H:%M}",
    )


def wall_span(starts_at: datetime, ends_at: datetime, zone: str) -> str:
    """A span in English, in the wall time of a zone."""
    return span(*local(starts_at, ends_at, zone))


def local(starts_at: datetime, ends_at: datetime, zone: str) -> tuple[datetime, datetime]:
    """Two instants as a zone's clock shows them: a span for whoever reads it there."""
    tz = ZoneInfo(zone)
    return starts_at.astimezone(tz), ends_at.astimezone(tz)


def minutes(seconds: int) -> str:
    """A length in English."""
    return length(timedelta(seconds=seconds))


def hours(seconds: int) -> str:
    """A longer length in English, in hours and minutes."""
    return length(timedelta(seconds=max(0, seconds) // 60 * 60))


def _key(code: str, case: str) -> str:
    return f"{code}.{case}" if case else code


def _fill(sentence: str, values: Mapping[str, Any], language: str) -> str:
    return _GAP.sub(lambda gap: said(values[gap[1]], language), sentence)


def _counted(count: int, unit: str, language: str) -> str:
    """A number of hours, minutes or days, as the language counts them: Arabic has six ways."""
    from babel import Locale
    from babel.units import format_unit

    if unit == "day" and language in _DAYS:
        return _DAYS[language][Locale.parse(LOCALES[language]).plural_form(count)].format(count)
    return format_unit(count, f"duration-{unit}", length="long", locale=LOCALES[language])


def _day(day: date, language: str) -> str:
    return f"{day}" if language == ENGLISH else format_day(day, language, weekday=False)


@cache
def _sentences() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for path in sorted(HERE.glob("*.toml")):
        for code, entry in tomllib.loads(path.read_text(encoding="utf-8")).items():
            cases = {"": entry} if LANGUAGES[0] in entry else entry
            for case, words in cases.items():
                key = _key(code, case)
                if key in found:
                    raise ValueError(f"{path}: {key} stands in another file already")
                found[key] = words
    return found
