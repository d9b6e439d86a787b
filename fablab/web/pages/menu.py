"""The menus of one's account and of staff: what stands in them, and for whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import current_app

from fablab.bookings.rule_rights import may_read_rules
from fablab.certifications.rules import may_look_up_certifications
from fablab.imports.rules import may_import_something
from fablab.members.rules import Actor, may_look_up_members, may_manage_some_lab, may_read_audit
from fablab.organisations.rules import may_see_every_organisation
from fablab.webhooks.rules import may_have_webhooks


@dataclass(frozen=True)
class Place:
    """A page in a menu. ``also`` names the endpoints of pages below it."""

    endpoint: str
    icon: str
    label: str
    shown: Callable[[Actor], bool] = lambda _: True
    also: tuple[str, ...] = ()


_PROJECT = ("project", "edit_project", "new_project", "begin_project")
_ORGANISATION = (
    "organisation",
    "invite",
    "organisation_bookings_page",
    "organisation_consumption",
    "organisation_settings",
    "new_organisation",
    "found_organisation",
    "rename_organisation",
    "set_terms",
    "set_organisation_quota",
)
_FACTORS = (
    *("authenticator", "authenticator_confirmed"),
    *("recovery_codes", "recovery_codes_renewed"),
    *("passkeys", "passkey_added"),
)
_HOURS = (
    *("hours", "hours_week", "hours_week_saved", "hours_calendars", "hours_calendar_added"),
    *("hours_seasons", "hours_season_added", "hours_season", "hours_season_saved", "hours_season_week"),
    *("hours_closures", "hours_closure_added"),
)
_WEBHOOKS = ("webhook", "webhook_made", "webhook_removal")
ACCOUNT = (
    Place("account", "user-circle", "Profile", also=("account_changed", "address_asked")),
    Place(
        "security",
        "lock",
        "Security",
        also=("tokens", "token_made", "password_changed", *_FACTORS),
    ),
    Place("my_organisations", "users-group", "Organisations", also=(*_ORGANISATION, "projects", *_PROJECT)),
    Place("my_certifications", "certificate", "Certifications"),
    Place("trainings", "school", "Trainings", also=("training", "new_training", "edit_training")),
    Place("notices", "mail", "Mails"),
    Place("calendar_addresses", "calendar-event", "Calendars", also=("calendar_address_made",)),
    Place("my_data", "database", "Your data", also=("my_erasure", "my_erasure_done")),
)
STAFF = (
    Place("members", "users", "Members", may_look_up_members, also=("member", "new_member", "new_consent")),
    Place(
        "certifying",
        "certificate",
        "Certifications",
        may_look_up_certifications,
        also=("certify", "certification"),
    ),
    Place("hours_labs", "clock-hour-4", "Hours", may_manage_some_lab, also=_HOURS),
    Place(
        "booking_rules",
        "list",
        "Rules",
        may_read_rules,
        also=("rule_value", "set_rule_value", "rule_removal", "explained_rules"),
    ),
    Place("organisations", "users-group", "Organisations", may_see_every_organisation, also=_ORGANISATION),
    Place("webhooks", "send", "Webhooks", may_have_webhooks, also=_WEBHOOKS),
    Place(
        "imports", "file-download", "Import", may_import_something, also=("import_checked", "import_stored")
    ),
    Place("audit", "history", "Audit", may_read_audit),
)


def places(menu: tuple[Place, ...], actor: Actor | None) -> list[Place]:
    """The pages of a menu this person may open."""
    if actor is None:
        return []
    return [
        each for each in menu if f"pages.{each.endpoint}" in current_app.view_functions and each.shown(actor)
    ]
