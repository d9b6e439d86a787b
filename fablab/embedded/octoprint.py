"""One real OctoPrint server with the bundled virtual printer, on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from fablab.embedded import probe
from fablab.embedded.octoprint_files import write_files
from fablab.embedded.octoprint_install import python_of
from fablab.embedded.process import birth_options, wait_until


class OctoPrintFailed(RuntimeError):
    """The server ended or its printer did not come up; the text says which."""


class OctoPrintServer:
    """A server with its own base directory, port and API key. Stops with its parent process."""

    def __init__(
        self, venv: Path, basedir: Path, port: int, api_key: str, *, password: str, name: str = "OctoPrint"
    ) -> None:
        self.venv = venv
        self.basedir = basedir
        self.port = port
        self.api_key = api_key
        self.password = password
        self.name = name
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None else None

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> subprocess.Popen[bytes]:
        """Start without waiting; see `wait_operational`."""
        write_files(self.basedir, self.port, self.api_key, self.password, self.name)
        command = [
            str(python_of(self.venv)), "-m", "octoprint", "serve", "--iknowwhatimdoing", "--ignore-blacklist",
            "--basedir", str(self.basedir), "--host", "127.0.0.1", "--port", str(self.port),
        ]  # fmt: skip
        with (self.basedir / "console.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self.basedir,
                env={**_without_python_settings(), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"},
                **birth_options(),
            )
        return self.process

    def state(self) -> str | None:
        """The printer's connection state ("Operational", "Printing", "Closed", ...); None: no answer."""
        answer = probe.get(self.port, "/api/connection", {"X-Api-Key": self.api_key})
        if answer is None or answer[0] != 200:
            return None
        return str(json.loads(answer[1])["current"]["state"])

    def wait_operational(self, timeout: float = 60) -> None:
        """Wait until the printer is connected and idle. Raises OctoPrintFailed."""
        wait_until(lambda: not self.alive() or self.state() == "Operational", timeout, pause=0.2)
        if not self.alive():
            raise OctoPrintFailed(f"{self.name} ended at its start; see {self.basedir / 'console.log'}")
        if (state := self.state()) != "Operational":
            raise OctoPrintFailed(f"{self.name} is not operational after {timeout} s: {state or 'no answer'}")

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def get(self, path: str, timeout: float = 5) -> Any:
        """GET; the decoded JSON. Raises urllib.error.HTTPError on 4xx and 5xx."""
        return self._call("GET", path, None, timeout)

    def post(self, path: str, body: Any, timeout: float = 5) -> Any:
        """POST JSON; the decoded answer or None. Raises urllib.error.HTTPError on 4xx and 5xx."""
        return self._call("POST", path, body, timeout)

    def print_file(self, file: str) -> None:
        """Select a file of the upload folder and start printing it."""
        self.post(f"/api/files/local/{file}", {"command": "select", "print": True})

    def order(self, line: str) -> None:
        """Send one line to the printer, for instance `!!DEBUG:drop_connection`."""
        self.post("/api/printer/command", {"command": line})

    def _call(self, method: str, path: str, body: Any, timeout: float) -> Any:
        import urllib.request  # here, because the supervisor never needs it

        request = urllib.request.Request(  # noqa: S310 - the address is our own loopback server
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Api-Key": self.api_key, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text else None

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)
            if not wait_until(lambda: not self.alive(), 6):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)
        self.process = None


def _without_python_settings() -> dict[str, str]:
    """Our own environment's PYTHON* and VIRTUAL_ENV would lead OctoPrint's Python astray."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") and k != "VIRTUAL_ENV"}
