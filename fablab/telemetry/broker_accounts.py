"""Broker accounts of bridges: how they are called and how their passwords are kept. Knows no broker."""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64decode, b64encode

from firmware_bridge.wire.topics import ForeignTopic, Kind, Topic

# Broker passwords are random tokens of 192 bits made by us, which no dictionary contains: few rounds
# suffice, and a connection costs a single-threaded broker milliseconds.
_ROUNDS = 10_000
# A bridge has two names so that a new password can be valid beside the old one: a password file knows one
# password for each name. No slug has a dot, so neither is ever another bridge's.
_ENDINGS = ("", ".2")


def bridge_users(lab: str, name: str) -> tuple[str, ...]:
    """The broker users a bridge may have. Raises ValueError for names that could widen a right."""
    try:
        str(Topic(Kind.PRESENCE, lab, name))
    except ForeignTopic as error:
        raise ValueError(f"not a name for a lab and its bridge: {lab!r}, {name!r}") from error
    return tuple(f"bridge-{lab}-{name}{ending}" for ending in _ENDINGS)


def bridge_user(lab: str, name: str) -> str:
    """A bridge's first broker user. Raises ValueError as `bridge_users` does."""
    return bridge_users(lab, name)[0]


def same_bridge(one: str | None, other: str | None) -> bool:
    """Whether two broker users are of one bridge: an old password's and a new one's."""
    return _stem(one) == _stem(other)


def hash_password(password: str) -> str:
    """PBKDF2-SHA512 as Mosquitto 2 spells it in its password file: one hash serves both brokers."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)
    return f"$7${_ROUNDS}${b64encode(salt).decode()}${b64encode(digest).decode()}"


def password_matches(password: str, stored: str) -> bool:
    """Raises ValueError when `stored` is not what `hash_password` gives."""
    _, kind, rounds, salt, digest = stored.split("$")
    if kind != "7":
        raise ValueError("not a hash of kind 7 (PBKDF2-SHA512)")
    found = hashlib.pbkdf2_hmac("sha512", password.encode(), b64decode(salt), int(rounds))
    return hmac.compare_digest(found, b64decode(digest))


def _stem(user: str | None) -> str:
    return (user or "").removesuffix(_ENDINGS[1])
