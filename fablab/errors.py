"""The one error type that domains raise; the edges turn its code into a status or an exit."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


class Code(StrEnum):
    """What kind of no it is. The web edge maps each to one HTTP status (fablab.web.errors)."""

    UNREADABLE = "unreadable"  # the request cannot be understood
    NOT_SIGNED_IN = "not_signed_in"  # no identity, or one that is no longer valid
    NOT_ALLOWED = "not_allowed"  # known, but not permitted
    NOT_FOUND = "not_found"  # does not exist, or may not be seen
    CLASH = "machine_booked"  # somebody else holds that time
    STALE = "stale"  # the thing changed meanwhile
    REFUSED = "refused"  # one or more rules say no
    TOO_MANY = "too_many"  # too often in too short a time; `retry_after_s` says when again
    INTERNAL = "internal"


# Codes of refusals that any domain may give; each declares its own beside its rules.
REFUSAL_CODES = {
    "invalid": "The field is missing, or not what it must be.",
    "not_allowed": "It is not for whoever asks to do.",
}


class Worded(Protocol):
    """What can be said in each of the network's languages: fr, ar, en."""

    def in_words(self, language: str) -> str: ...


@dataclass(frozen=True)
class Refusal:
    """One rule's no: a stable code, the field it concerns, and a sentence in English that says what to do.

    ``values`` are what another language's sentence is filled with (see `fablab.bookings.wording`), ``origin``
    the rule that was set somewhere and says so.
    """

    code: str
    field: str
    message: str
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict, compare=False)
    origin: Worded | None = dataclasses.field(default=None, compare=False)


@dataclass(frozen=True)
class Alternative:
    """A free span offered instead of one that is taken."""

    machine: str
    lab: str
    starts_at: datetime
    ends_at: datetime


class DomainError(Exception):
    """A request that cannot be fulfilled.

    ``code`` decides the status at the edge; ``message`` is one sentence for a person; ``refusals``
    lists every rule that said no; ``alternatives`` what is free instead; ``retry_after_s`` how many
    seconds to wait before asking again.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        refusals: Sequence[Refusal] = (),
        alternatives: Sequence[Alternative] = (),
        *,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.refusals = tuple(refusals)
        self.alternatives = tuple(alternatives)
        self.retry_after_s = retry_after_s


def not_found(what: str) -> DomainError:
    """The answer both for what does not exist and for what the actor may not see."""
    return DomainError(Code.NOT_FOUND, f"There is no such {what}, or you may not see it.")


def refused(*refusals: Refusal) -> DomainError:
    """The answer when rules say no: all of them, the first one's sentence leading."""
    return DomainError(Code.REFUSED, refusals[0].message, refusals)


def not_allowed(message: str, *refusals: Refusal) -> DomainError:
    """The answer to somebody who may see the thing and not do this with it."""
    return DomainError(Code.NOT_ALLOWED, message, refusals)
