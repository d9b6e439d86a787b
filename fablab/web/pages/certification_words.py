"""How the pages speak of certifications and trainings. Pure."""

from __future__ import annotations

from fablab.web.pages.words import Word

STANDINGS = {
    "valid": Word("Valid", "circle-check", "good"),
    "expired": Word("Expired", "hourglass", "warn"),
    "suspended": Word("Suspended", "player-pause", "warn"),
    "revoked": Word("Revoked", "ban", "bad"),
}
CHANGES = {
    "granted": "Granted",
    "renewed": "Renewed",
    "suspended": "Suspended",
    "resumed": "Resumed",
    "revoked": "Revoked",
}
LEVELS = {1: "Level 1, basics", 2: "Level 2, on your own", 3: "Level 3, may teach"}
# What somebody else's certification is called.
LEVELS_OF_OTHERS = {1: "Level 1, basics", 2: "Level 2, on their own", 3: "Level 3, may teach"}
TRAINING_STATES = {
    "planned": Word("Planned", "calendar-event"),
    "under_way": Word("Under way", "player-play", "now"),
    "held": Word("Attendance missing", "clipboard-list", "warn"),
    "closed": Word("Done", "circle-check", "good"),
    "cancelled": Word("Cancelled", "calendar-x"),
}
OWN_STATES = {
    "enrolled": Word("You have a place", "check", "good"),
    "waiting": Word("You are in the line", "hourglass", "warn"),
    "attended": Word("You were there", "circle-check", "good"),
    "absent": Word("You were not there", "user-x"),
}
ENROLMENTS = {
    "enrolled": Word("Has a place", "check", "good"),
    "waiting": Word("In the line", "hourglass", "warn"),
    "attended": Word("Attended", "circle-check", "good"),
    "absent": Word("Absent", "user-x"),
}


def places_left(free: int, waiting: int) -> str:
    if free:
        return f"{free} place{'s' if free != 1 else ''} left"
    return f"Full, {waiting} waiting" if waiting else "Full"


def ahead(number: int) -> str:
    """Where somebody stands in the line."""
    return "You are next." if number == 0 else f"{number} before you."
