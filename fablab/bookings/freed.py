"""What happens with time that came free."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from fablab.bookings.facts import Policy
from fablab.bookings.outage_claims import refill
from fablab.machines.rules import Span


def freed(session: Session, spans: Sequence[tuple[int, Span]], now: datetime, policy: Policy | None) -> None:
    """Give on what came free in this transaction: (machine id, claimed span), once, after all else.

    What lies in an outage becomes part of it; the rest is offered to whoever waits for it. ``policy`` None
    leaves that to the next sweep. The units are locked by whoever freed them.
    """
    # Waiting members are offered time by way of the same claims and rules that verbs use; they import this.
    from fablab.bookings.offering import offer

    spans = [(machine_id, span) for machine_id, span in spans if span.ends_at > now]
    if not spans:
        return
    refill(session, spans)
    if policy is not None:
        offer(session, spans, now, policy)
