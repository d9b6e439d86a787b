"""Topic names: building, parsing, subscription filters and the rights of a bridge.

fablab/1/{lab}/{subject}/{kind}     subject is a bridge for presence and committed, else a machine
fablab/1/server/presence            the server's own presence
"""

import re
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "fablab/1"
SERVER_PRESENCE = f"{PREFIX}/server/presence"
MAX_TOPIC_LENGTH = 200

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_RESERVED_LABS = frozenset({"server"})


class Kind(StrEnum):
    """The last level of a topic: what sort of message travels on it."""

    PRESENCE = "presence"
    COMMITTED = "committed"
    STATUS = "status"
    EVENT = "event"
    READING = "reading"
    COMMAND = "command"
    ACK = "ack"
    SERVER_PRESENCE = "server_presence"


BY_BRIDGE = frozenset({Kind.PRESENCE, Kind.COMMITTED})
"""Kinds whose subject is a bridge; every other subject is a machine."""

RETAINED = frozenset({Kind.PRESENCE, Kind.COMMITTED, Kind.STATUS, Kind.SERVER_PRESENCE})
"""Kinds that the broker keeps for late subscribers. Commands never are."""

_SAID_BY_MACHINES = (Kind.STATUS, Kind.EVENT, Kind.READING, Kind.ACK)
NUMBERED = frozenset(_SAID_BY_MACHINES)
"""Kinds that carry a message id and count in the outbox's unbroken sequence."""


class ForeignTopic(ValueError):
    """The topic is none of ours; the message says why."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One concrete topic. `lab` and `subject` are empty for the server's presence only."""

    kind: Kind
    lab: str = ""
    subject: str = ""

    def __str__(self) -> str:
        """The name on the wire. Raises ForeignTopic when a part is no slug."""
        if self.kind is Kind.SERVER_PRESENCE:
            return SERVER_PRESENCE
        for part in (self.lab, self.subject):
            if not is_slug(part):
                raise ForeignTopic(f"{part!r} is not a slug (a-z, 0-9, inner hyphens, at most 63)")
        if self.lab in _RESERVED_LABS:
            raise ForeignTopic(f"{self.lab!r} is a reserved word and cannot name a lab")
        return f"{PREFIX}/{self.lab}/{self.subject}/{self.kind.value}"

    @property
    def retained(self) -> bool:
        """Whether the broker keeps the last message of this topic."""
        return self.kind in RETAINED


def is_slug(text: str) -> bool:
    """Whether the text may name a lab, a machine or a bridge."""
    return _SLUG.fullmatch(text) is not None


def parse(name: str) -> Topic:
    """The parts of a topic name. Raises ForeignTopic for anything the contract does not know."""
    if name == SERVER_PRESENCE:
        return Topic(Kind.SERVER_PRESENCE)
    if len(name) > MAX_TOPIC_LENGTH:
        raise ForeignTopic("topic is too long")
    levels = name.split("/")
    if len(levels) != 5 or "/".join(levels[:2]) != PREFIX:
        raise ForeignTopic("topic is not fablab/1/LAB/SUBJECT/KIND")
    lab, subject, last = levels[2:]
    try:
        kind = Kind(last)
    except ValueError:
        raise ForeignTopic("topic has an unknown kind") from None
    if kind is Kind.SERVER_PRESENCE or lab in _RESERVED_LABS or not is_slug(lab) or not is_slug(subject):
        raise ForeignTopic("topic names no lab and subject")
    return Topic(kind, lab, subject)


def command_filter(lab: str) -> str:
    """Every command to a machine of this lab."""
    return f"{PREFIX}/{lab}/+/{Kind.COMMAND.value}"


def bridge_filters(lab: str, bridge: str) -> tuple[str, ...]:
    """What a bridge subscribes to: its `committed`, the lab's commands, the server's presence."""
    return (str(Topic(Kind.COMMITTED, lab, bridge)), command_filter(lab), SERVER_PRESENCE)


def bridge_write_filters(lab: str, bridge: str) -> tuple[str, ...]:
    """What a bridge may write, on every broker: its own presence, and what its lab's machines say."""
    said = tuple(f"{PREFIX}/{lab}/+/{kind.value}" for kind in _SAID_BY_MACHINES)
    return (str(Topic(Kind.PRESENCE, lab, bridge)), *said)


def server_filters() -> tuple[str, ...]:
    """What the server subscribes to: everything below our prefix, so that strays are seen and put aside.

    Presences come first once more: they announce the outboxes that all other retained messages speak of.
    """
    return f"{PREFIX}/+/+/{Kind.PRESENCE.value}", f"{PREFIX}/#"
