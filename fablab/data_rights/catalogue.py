"""What of every table is personal: who gets it, what an erasure does to it, how long it is kept.

A test compares this with the tables: a new table, a key to a member or a column that can hold text has to
be decided here before it can be merged.
"""

from __future__ import annotations

from fablab.data_rights.arrangements import ARRANGEMENTS
from fablab.data_rights.belonging import BELONGING, LEARNING
from fablab.data_rights.declarations import Declaration, Nothing, Personal
from fablab.data_rights.doings import DOINGS
from fablab.data_rights.people import PEOPLE

MACHINES = "Places and machines of the network, which everybody may see."
BRIDGES = "The network's own devices and their accounts; no person is behind one."

NOTHING: tuple[Declaration, ...] = (
    Nothing("region", MACHINES),
    Nothing("lab", MACHINES),
    Nothing("opening", MACHINES),
    Nothing("kind", MACHINES),
    Nothing("machine", MACHINES),
    Nothing("unit", MACHINES),
    Nothing("machine_need", MACHINES),
    Nothing("season", "Days on which a lab keeps other hours, which everybody may see."),
    Nothing("calendar_source", "A lab's own calendars elsewhere."),
    Nothing("preset", "Machines of a lab that are often booked together, which everybody may see."),
    Nothing("digest", "The day on which a lab's staff last got their digest."),
    Nothing("rules_version", "Tells when the rules have to be read again."),
    Nothing("bridge", BRIDGES),
    Nothing("bridge_credential", BRIDGES),
    Nothing("bridge_outbox", BRIDGES),
    Nothing("message_gap", BRIDGES),
    Nothing("spent_challenge", "Fingerprints of random numbers that were used once; they go within minutes."),
    Nothing("quota", "How much an organisation may book."),
    Nothing("hold", "A span kept for somebody in the waiting list, which says for whom; it goes soon."),
    Nothing("occupancy", "Claims on machines' time; whose they are stands with the booking."),
    Nothing("machine_hour", "Sums by machine and hour."),
)

# An erasure first clears what the member did, then lets the verbs of each domain give back what the member
# still holds, then forgets who it was.
BEFORE_VERBS: tuple[Declaration, ...] = (*LEARNING, *DOINGS, *ARRANGEMENTS)
AFTER_VERBS: tuple[Declaration, ...] = (*BELONGING, *PEOPLE)
CATALOGUE: tuple[Declaration, ...] = (*BEFORE_VERBS, *AFTER_VERBS, *NOTHING)

# The files of an export, in the order a person would look at them.
SHEETS: tuple[Personal, ...] = tuple(
    each for each in (*PEOPLE, *BELONGING, *LEARNING, *DOINGS, *ARRANGEMENTS) if isinstance(each, Personal)
)
