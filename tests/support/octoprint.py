"""Real OctoPrint servers for tests."""

import os
import secrets
from pathlib import Path

from fablab.embedded.octoprint import OctoPrintServer
from fablab.embedded.octoprint_install import is_installed
from tests.support.ports import free_port

PROJECT = Path(__file__).resolve().parents[2]


def environment() -> Path | None:
    """OctoPrint's own environment: FABLAB_OCTOPRINT_VENV, or the one `make` installs; None without."""
    venv = Path(os.environ.get("FABLAB_OCTOPRINT_VENV", PROJECT / ".venv-octoprint"))
    return venv if is_installed(venv) else None


class OctoPrintFarm:
    """Servers made on demand and kept: `farm(2)` gives two that are operational."""

    def __init__(self, venv: Path, directory: Path) -> None:
        self.venv = venv
        self.directory = directory
        self.servers: list[OctoPrintServer] = []

    def __call__(self, count: int = 1) -> list[OctoPrintServer]:
        while len(self.servers) < count:
            number = len(self.servers) + 1
            self.servers.append(
                OctoPrintServer(
                    self.venv,
                    self.directory / f"octoprint-{number}",
                    free_port(),
                    secrets.token_hex(16).upper(),
                    password=secrets.token_hex(8),
                    name=f"test-{number}",
                )
            )
        wanted = self.servers[:count]
        for server in wanted:
            if not server.alive():
                server.start()
        for server in wanted:
            self._make_idle(server)
        return wanted

    def stop(self) -> None:
        for server in self.servers:
            server.kill()

    def _make_idle(self, server: OctoPrintServer) -> None:
        """An earlier test may have left a print running or the printer disconnected."""
        if server.state() in {"Printing", "Paused", "Pausing", "Starting"}:
            server.post("/api/job", {"command": "cancel"})
        elif server.state() == "Closed":
            server.post("/api/connection", {"command": "connect"})
        server.wait_operational(60)
