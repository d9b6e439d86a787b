"""The settings in force, and what verbs want of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import cast

from flask import current_app

from fablab.bookings.rules import Policy as BookingPolicy
from fablab.certifications.rules import Policy as CertificationPolicy
from fablab.settings import Settings


def settings() -> Settings:
    return cast(Settings, current_app.extensions["fablab.settings"])


def base_url() -> str:
    """What links in mails begin with."""
    return settings().web.base_url


def booking_policy() -> BookingPolicy:
    """The limits of bookings."""
    return BookingPolicy(**asdict(settings().bookings))


def certification_policy() -> CertificationPolicy:
    """How long certifications hold, and when they are spoken of before."""
    return CertificationPolicy(**asdict(settings().certifications))
