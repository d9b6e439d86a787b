"""Who may connect to the embedded broker and which topics they may use. Knows nothing of amqtt.

Rights are those of the contract: the server everything below `fablab/1/`; a bridge what the contract's
topics name for it.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fablab.files import write_private_json
from fablab.telemetry.broker_accounts import bridge_users, hash_password, password_matches
from firmware_bridge.wire.topics import PREFIX, bridge_filters, bridge_write_filters

SERVER = "server"

log = logging.getLogger("fablab.broker")


@dataclass(frozen=True)
class User:
    """One account. `lab` and `name` are empty for the server."""

    password_hash: str
    lab: str = ""
    name: str = ""

    @cached_property
    def read_filters(self) -> tuple[str, ...]:
        return bridge_filters(self.lab, self.name) if self.lab else (f"{PREFIX}/#",)

    @cached_property
    def write_filters(self) -> tuple[str, ...]:
        return bridge_write_filters(self.lab, self.name) if self.lab else (f"{PREFIX}/#",)

    def may_publish(self, topic: str) -> bool:
        # A name with wildcards is no topic, though a filter may cover it.
        return not {"+", "#"}.intersection(topic) and any(
            covers(allowed, topic) for allowed in self.write_filters
        )

    def may_subscribe(self, topic_filter: str) -> bool:
        return any(covers(allowed, topic_filter) for allowed in self.read_filters)

    may_receive = may_subscribe


def covers(wide: str, narrow: str) -> bool:
    """Whether every topic that `narrow` (a topic or a filter) can mean also matches the filter `wide`."""
    wide_levels, narrow_levels = wide.split("/"), narrow.split("/")
    for index, level in enumerate(wide_levels):
        if level == "#":
            return True
        if index >= len(narrow_levels) or narrow_levels[index] == "#":
            return False
        if level not in ("+", narrow_levels[index]):
            return False
    return len(wide_levels) == len(narrow_levels)


def write_credentials(path: Path, server_hash: str, bridges: Iterable[tuple[str, User]]) -> None:
    """Write the accounts, mode 0600, in one step: the server's, and bridges' by broker user."""
    users: dict[str, dict[str, str]] = {SERVER: {"password": server_hash}}
    for account, bridge in bridges:
        users[account] = {"password": bridge.password_hash, "lab": bridge.lab, "name": bridge.name}
    write_private_json(path, {"users": users})


def read_credentials(path: Path) -> dict[str, User]:
    """Raises OSError or ValueError when the file is missing or not what `write_credentials` writes."""
    users: dict[str, User] = {}
    for account, entry in json.loads(path.read_text())["users"].items():
        user = User(entry["password"], entry.get("lab", ""), entry.get("name", ""))
        if account not in (bridge_users(user.lab, user.name) if user.lab else (SERVER,)):
            raise ValueError(f"account {account!r} does not match its lab and name")
        users[account] = user
    return users


class Accounts:
    """The accounts in a file, read again within a second of a change; a bad file keeps the last good ones."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._users = read_credentials(path)
        self._version = self._stat()
        self._looked_at = time.monotonic()

    def find(self, username: str | None) -> User | None:
        self._refresh()
        return self._users.get(username or "")

    def admit(self, username: str | None, password: str | None) -> User | None:
        """The user whose password this is, or None; takes equally long for names that do not exist."""
        user = self.find(username)
        stored = user.password_hash if user else _NOBODY
        return user if password_matches(password or "", stored) and user else None

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < 0.5:
            return
        self._looked_at = now
        version = self._stat()
        if version == self._version:
            return
        self._version = version
        try:
            self._users = read_credentials(self._path)
            log.info("accounts read again: %d", len(self._users))
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.error("accounts not read again, the former ones stay: %s", error)

    def _stat(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
            return found.st_mtime_ns, found.st_ino
        except OSError:
            return 0, 0


_NOBODY = hash_password(os.urandom(16).hex())
