"""Secrets made once for an installation and kept in its data directory, mode 0600."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path

from fablab.files import write_private_json


class Secrets:
    """A secret is made when it is first asked for and written down at once."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "secrets.json"
        self._known = self._read()

    @property
    def secret_key(self) -> str:
        """Signs web sessions."""
        return self._get("secret_key", lambda: secrets.token_urlsafe(48))

    @property
    def broker_password(self) -> str:
        """The server's password at the embedded broker."""
        return self._get("broker/server", lambda: secrets.token_urlsafe(24))

    def bridge_password(self, lab: str, name: str) -> str:
        """A bridge's password at the embedded broker."""
        return self._get(f"broker/{lab}/{name}", lambda: secrets.token_urlsafe(24))

    def knows_bridge(self, lab: str, name: str) -> bool:
        """Whether that password was made before."""
        return f"broker/{lab}/{name}" in self._known

    def octoprint_key(self, machine: str) -> str:
        """The API key of one of our OctoPrint servers: 32 characters, as OctoPrint itself makes them."""
        return self._get(f"octoprint/{machine}", lambda: secrets.token_hex(16).upper())

    def _get(self, name: str, make: Callable[[], str]) -> str:
        if name not in self._known:
            # Another process of the same start may have added some since.
            self._known = self._read()
        if name not in self._known:
            self._known[name] = make()
            write_private_json(self.path, self._known)
        return self._known[name]

    def _read(self) -> dict[str, str]:
        try:
            return dict(json.loads(self.path.read_text()))
        except FileNotFoundError:
            return {}
        except ValueError:
            raise RuntimeError(
                f"{self.path} is damaged: restore it, or delete it (everybody must sign in again)"
            ) from None
