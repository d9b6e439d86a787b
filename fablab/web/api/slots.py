"""The first free times over the network."""

from __future__ import annotations

from typing import Any

from fablab.bookings.slots import find_slots
from fablab.clock import utc_now
from fablab.web.api.base import Blueprint, session
from fablab.web.auth import current_actor
from fablab.web.schemas.slots import SlotPage, SlotsQuery, slot_wish, slots_json
from fablab.web.settings import booking_policy

blueprint = Blueprint("slots", "Find the first free time over machines and labs")


@blueprint.get("/slots")
@blueprint.arguments(SlotsQuery, location="query")
@blueprint.response(200, SlotPage)
def list_slots(query: dict[str, Any]) -> dict[str, Any]:
    """The earliest times that you can book, over any set of machines, labs and regions.

    By your rules, certifications and other bookings, and by all hours, set-up and clean-up times: what is
    listed would be booked if you asked for it now. By start; of equal starts the nearer lab's comes first,
    then the machine with the lower number. Those of one machine do not overlap.

    Work may ask for `material`, `build_volume`, `bed` and `laser_w`. A machine's `capabilities` answer by the
    keys `materials` (a list), `build_volume_mm` ([width, depth, height]), `bed_mm` ([width, depth]) and
    `laser_w`; a machine of which nothing is known does not fit.
    """
    found = find_slots(session(), current_actor(), slot_wish(query), utc_now(), booking_policy())
    return slots_json(found)
