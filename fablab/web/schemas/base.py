"""Fields and the base schema: strict about types, unknown fields, lengths and characters."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

# RFC 3339: a date, a time to the second at least, and an offset.
_INSTANT = re.compile(r"(\d{4})-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)
_DAY = re.compile(r"(\d{4})-\d\d-\d\d", re.ASCII)
_UNESCAPED = re.compile(r"(?<=[\d]) (?=\d\d:\d\d$)")
# C0 and C1 controls except tab and line ends, NUL among them; halves of surrogate pairs; noncharacters.
_UNWELCOME = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_DURATION = re.compile(r"P(?:(\d{1,4})D)?(?:T(?=\d)(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?", re.ASCII)
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# Claims are kept in 33 bits of epoch seconds, and nobody books a machine for the year 9999.
FIRST_YEAR, LAST_YEAR = 2000, 2199
ID_MOST = 2**63 - 1
PAGE_MOST = 500
# A name of 120 letters, each an escape of six or twelve characters in JSON, in base64.
CURSOR_LONGEST = 2100


class Strict(Schema):
    """Refuses fields it does not know, so that a misspelt one is not taken for a missing one."""

    class Meta:
        unknown = RAISE


class Instant(fields.Field[datetime]):
    """An instant, RFC 3339 with offset. Goes out in whatever offset it carries."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        if isinstance(value, str):
            # A plus sign that was not escaped in a query arrives as a blank.
            value = _UNESCAPED.sub("+", value)
        match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise ValidationError("Must be an instant like 2027-01-31T10:00:00+01:00.")
        if match[3] is None:
            raise ValidationError("The offset is missing: 2027-01-31T10:00:00+01:00, not local time.")
        if not FIRST_YEAR <= int(match[1]) <= LAST_YEAR:
            raise ValidationError(f"The year must lie between {FIRST_YEAR} and {LAST_YEAR}.")
        try:
            return datetime.fromisoformat(value.upper())
        except ValueError:
            raise ValidationError("There is no such date or time.") from None

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if value is None:
            return None
        return value.isoformat(timespec="milliseconds" if value.microsecond else "seconds")


class Day(fields.Date):
    """A day as 2027-01-31 and in no other way of writing, in a year somebody could mean."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        match = _DAY.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise ValidationError("Must be a day like 2027-01-31.")
        if not FIRST_YEAR <= int(match[1]) <= LAST_YEAR:
            raise ValidationError(f"The year must lie between {FIRST_YEAR} and {LAST_YEAR}.")
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValidationError("There is no such day.") from None


class Duration(fields.Field[timedelta]):
    """A length of time in ISO 8601 (PT90M, PT1H30M, P1DT2H), in whole seconds; ``most`` is the longest."""

    def __init__(self, most: timedelta = timedelta(days=366), **kwargs: Any) -> None:
        self._most = most
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> timedelta:
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is None or not any(match.groups()):
            raise ValidationError("Must be a length of time like PT90M or PT1H30M.")
        days, hours, minutes, seconds = (int(each or 0) for each in match.groups())
        length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if not timedelta() < length <= self._most:
            raise ValidationError(f"Must be more than nothing, and {iso_duration(self._most)} at most.")
        return length

    def _serialize(
        self, value: timedelta | int | None, attr: str | None, obj: Any, **kwargs: Any
    ) -> str | None:
        return None if value is None else iso_duration(value)


class Text(fields.String):
    """Text of bounded length without control characters; surrounding blanks are dropped."""

    def __init__(self, longest: int, shortest: int = 0, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(shortest, longest), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        assert text is not None
        if _UNWELCOME.search(text):
            raise ValidationError("Contains characters that are not text.")
        return text.strip()


class Flag(fields.Boolean):
    """true or false, and nothing that could be taken for one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if type(value) is not bool:
            raise ValidationError("Must be true or false.")
        return value


class Whole(fields.Integer):
    """A whole number that was written as one: not true, not "3", not 3.0."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            raise ValidationError("Must be a whole number.")
        return value


class Slug(fields.String):
    """The name of a lab, machine, kind or region in addresses."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if text is None or len(text) > 60 or not _SLUG.fullmatch(text):
            raise ValidationError("Must be a name of small letters, digits and dashes, at most 60.")
        return text


class Id(fields.Integer):
    """A positive number as the database counts them, in addresses; in bodies see `WholeId`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(1, ID_MOST), **kwargs)


class WholeId(Whole):
    """A positive number as the database counts them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(1, ID_MOST), **kwargs)


class Cursor(fields.Field[tuple[Any, ...]]):
    """Where the next page begins. Opaque to callers; made of the last item's sort key."""

    def __init__(self, *parts: Callable[[Any], Any], **kwargs: Any) -> None:
        self._parts = parts
        super().__init__(metadata={"description": "`next` of the page before"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[Any, ...]:
        try:
            if not isinstance(value, str) or len(value) > CURSOR_LONGEST:
                raise ValueError
            read = json.loads(base64.urlsafe_b64decode(value.encode("ascii") + b"=="))
            if not isinstance(read, list) or len(read) != len(self._parts):
                raise ValueError
            return tuple(part(each) for part, each in zip(self._parts, read, strict=True))
        except (ValueError, TypeError, RecursionError, binascii.Error, ValidationError):
            raise ValidationError("Is not a cursor of this list.") from None


def encode_cursor(parts: Sequence[Any]) -> str:
    """The cursor after an item with this sort key."""
    plain = json.dumps([each.isoformat() if isinstance(each, datetime) else each for each in parts])
    return base64.urlsafe_b64encode(plain.encode()).rstrip(b"=").decode()


def an_instant(value: Any) -> datetime:
    """An aware instant in a cursor."""
    found: datetime = Instant().deserialize(value)
    return found


def a_number(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= ID_MOST:
        raise ValueError
    return value


def a_slug(value: Any) -> str:
    if not isinstance(value, str) or not _SLUG.fullmatch(value):
        raise ValueError
    return value


def iso_duration(length: timedelta | int) -> str:
    """PT90M for 5400 seconds: the largest of hours, minutes, seconds that says it in one number."""
    seconds = int(length.total_seconds()) if isinstance(length, timedelta) else length
    for unit, letter in ((3600, "H"), (60, "M")):
        if seconds and seconds % unit == 0:
            return f"PT{seconds // unit}{letter}"
    return f"PT{seconds}S"


class PageQuery(Strict):
    """How every list is paged."""

    limit = fields.Integer(
        load_default=100,
        validate=validate.Range(1, PAGE_MOST),
        metadata={"description": f"Items a page, 1 to {PAGE_MOST}"},
    )


class PersonOut(Strict):
    """Somebody, wherever one is named."""

    id = fields.Integer()
    name = fields.String()


def person(member_id: int | None, name: str | None) -> dict[str, Any] | None:
    """The values of PersonOut; None where nobody is known."""
    return None if member_id is None else {"id": member_id, "name": name}


def page_of(item: type[Schema], name: str) -> type[Schema]:
    """The schema of a list: its items and the cursor of the next page."""
    return Strict.from_dict(
        {
            "items": fields.List(fields.Nested(item), required=True),
            "next": fields.String(
                allow_none=True, metadata={"description": "Cursor of the next page, null on the last"}
            ),
        },
        name=name,
    )


def page(
    items: Sequence[Any],
    limit: int,
    render: Callable[[Any], Mapping[str, Any]],
    key: Callable[[Any], Sequence[Any]],
) -> dict[str, Any]:
    """A page from ``limit`` + 1 items that were read: the one too many says that there is more."""
    shown = items[:limit]
    more = len(items) > limit
    return {
        "items": [render(each) for each in shown],
        "next": encode_cursor(key(shown[-1])) if more else None,
    }


def check_span(since: datetime, until: datetime, longest_days: int) -> None:
    """Refuse a range that is none or too wide to answer in one piece."""
    if until <= since:
        raise ValidationError({"to": ["Must be after from."]})
    if until - since > timedelta(days=longest_days):
        raise ValidationError({"to": [f"Must be at most {longest_days} days after from."]})
