"""Every table of the product in one place, for migrations and tests. Domains import their own models only."""

from fablab.bookings import models as bookings
from fablab.bookings import models_calendars, models_claims, models_notices, models_rules, models_series
from fablab.certifications import models as certifications
from fablab.machines import models as machines
from fablab.mail import models as mail
from fablab.members import models as members
from fablab.organisations import models as organisations
from fablab.signin import models as signin
from fablab.telemetry import models as telemetry
from fablab.usage import models as usage
from fablab.utilisation import models as utilisation
from fablab.web import models as web
from fablab.webhooks import models as webhooks

__all__ = [
    "bookings",
    "certifications",
    "machines",
    "mail",
    "members",
    "models_calendars",
    "models_claims",
    "models_notices",
    "models_rules",
    "models_series",
    "organisations",
    "signin",
    "telemetry",
    "usage",
    "utilisation",
    "web",
    "webhooks",
]
