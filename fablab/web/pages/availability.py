"""Whether a machine can be had now, until when, or from when: pure arithmetic over claims and open hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fablab.machines.rules import Span


@dataclass(frozen=True)
class Availability:
    """What a person who stands before the machine wants to know.

    ``kind`` is free, booked or closed. ``until`` is when that ends; None: not within the time looked at.
    """

    kind: str
    until: datetime | None


def availability(
    claims: Sequence[Span], open_spans: Sequence[Span] | None, now: datetime, horizon: datetime
) -> Availability:
    """Claims are sorted by start; without ``open_spans`` hours do not matter. Looks ahead to ``horizon``."""
    held_until = now
    for claim in claims:
        if claim.starts_at <= held_until < claim.ends_at:
            held_until = claim.ends_at
    if held_until > now:
        return Availability("booked", held_until)
    if open_spans is not None:
        opened = next((span for span in open_spans if span.starts_at <= now < span.ends_at), None)
        if opened is None:
            return Availability("closed", next((s.starts_at for s in open_spans if s.starts_at > now), None))
        horizon = opened.ends_at
    ends = [claim.starts_at for claim in claims if now < claim.starts_at < horizon]
    if ends:
        return Availability("free", min(ends))
    return Availability("free", None if open_spans is None else horizon)
