"""One's own data as JSON."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate

from fablab.web.schemas.base import Instant, Strict


class Password(fields.String):
    """A password as it was typed; only what can be typed is one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if text is None or "\0" in text or any("\ud800" <= each <= "\udfff" for each in text):
            raise ValidationError("A password is made of characters that can be typed.")
        return text


class ErasureIn(Strict):
    password = Password(
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=200),
        metadata={"description": "Needed unless the browser's session is younger than ten minutes"},
    )


class ErasureOut(Strict):
    erased_at = Instant()
    bookings_cancelled = fields.Integer(metadata={"description": "Bookings to come that were given back"})
