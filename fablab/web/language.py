"""The language an answer is given in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import request

from fablab.bookings.wording import ENGLISH, in_words
from fablab.errors import Refusal
from fablab.mail.texts import LANGUAGES


def caller_language() -> str:
    """What the caller's Accept-Language asks for, as far as we speak it; English where nothing is said."""
    return request.accept_languages.best_match(LANGUAGES) or ENGLISH


def refusal_json(refusal: Refusal) -> dict[str, Any]:
    """A refusal, its sentence and its rule's origin in the caller's language."""
    language = caller_language()
    return {
        "code": refusal.code,
        "field": refusal.field,
        "message": in_words(refusal, language),
        "origin": None if refusal.origin is None else refusal.origin.in_words(language),
    }


def told(message: str, refusals: Sequence[Refusal]) -> str:
    """An error's sentence in the caller's language, where it is the sentence of one of its refusals."""
    said = (in_words(each, caller_language()) for each in refusals if each.message == message)
    return next(said, message)
