"""Limits and rulings for tests that need no database."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from fablab.bookings.facts import NOWHERE, Place, Policy, Who
from fablab.bookings.rulebook import Rulebook, Ruling
from fablab.settings import load_settings

# The settings as they are shipped.
POLICY = Policy(**asdict(load_settings({}).bookings))


def ruling(place: Place = NOWHERE, **rules: Any) -> Ruling:
    """What holds where nobody has set a rule, except these."""
    return Rulebook().ruling(place, Who(), replace(POLICY, **rules))
