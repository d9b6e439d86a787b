"""The whole product from its real parts, each a process of its own that a test may kill and start again."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fablab.embedded.process import birth_options
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port, wait_listening

PROJECT = Path(__file__).resolve().parents[2]


@dataclass
class Part:
    """One process. `kill` is kill -9; `stop` asks it to end."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert self.process is None or self.process.poll() is not None, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=PROJECT, env=self.environment, stdout=log, stderr=log, **birth_options()
            )

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        self.kill()
        self.start()

    def _end(self, how: signal.Signals) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
            raise AssertionError(f"{self.name} did not end within 15 s of {how.name}") from None


@dataclass
class Machine:
    """A machine for the bridge's configuration."""

    slug: str
    url: str
    api_key: str
    driver: str = "octoprint"

    def toml(self) -> str:
        return (
            f'[[machine]]\nslug = "{self.slug}"\ndriver = "{self.driver}"\n'
            f'url = "{self.url}"\napi_key = "{self.api_key}"\n'
        )


@dataclass
class Stack:
    """Ingest, web and one bridge of Tanger on a given database and broker, with the sample's people."""

    folder: Path
    database_url: str
    broker: Mosquitto
    machines: list[Machine]
    web_workers: int = 1
    port: int = field(default_factory=free_port)
    parts: dict[str, Part] = field(default_factory=dict)

    def __post_init__(self) -> None:
        config = self.folder / "bridge.toml"
        config.write_text(
            f'lab = "tanger"\nname = "pi-1"\n[broker]\nurl = "{self.broker.url("bridge-tanger-pi-1")}"\n'
            + "".join(machine.toml() for machine in self.machines)
        )
        config.chmod(0o600)
        environment = {
            **os.environ,
            "DATABASE_URL": self.database_url,
            "FABLAB_MQTT_URL": self.broker.url("server"),
            "FABLAB_SECRET_KEY": secrets.token_hex(32),
            "FABLAB_BASE_URL": self.base_url,
            "FABLAB_DATA_DIR": str(self.folder),
        }
        self.environment = environment
        python = sys.executable
        for name, command in {
            "ingest": [python, "-m", "fablab", "ingest"],
            "bridge": [python, "-m", "firmware_bridge", "--config", str(config)],
            "web": [
                *(python, "-m", "gunicorn", "-c", "config/gunicorn.py", "-w", str(self.web_workers)),
                *("--bind", f"127.0.0.1:{self.port}", "wsgi:app"),
            ],
        }.items():
            self.parts[name] = Part(name, command, environment, self.folder / f"{name}.log")

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def load_sample(self) -> None:
        """The sample network and its people, without history."""
        done = subprocess.run(
            [sys.executable, "-m", "fablab", "sample", "load", "--no-history"],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """Ends when pages are answered: gunicorn listens long before its workers are ready."""
        for part in self.parts.values():
            part.start()
        wait_listening(self.port, 60)
        with urllib.request.urlopen(f"{self.base_url}/healthz", timeout=120) as answer:
            assert answer.status == 200

    def stop(self) -> None:
        failures = []
        for part in reversed(self.parts.values()):
            try:
                part.stop()
            except AssertionError as failure:
                failures.append(str(failure))
        assert not failures, failures

    def sign_in(self, email: str) -> Api:
        """A client with a personal access token of this member."""
        done = subprocess.run(
            [sys.executable, "-m", "fablab", "token", "add", email, "--scope", "write"],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return Api(self.base_url, done.stdout.split()[-1])


@dataclass
class Api:
    """Our REST interface as a program outside sees it."""

    base_url: str
    token: str

    def get(self, path: str) -> Any:
        status, body = self.call("GET", path)
        assert status == 200, f"GET {path}: {status} {body}"
        return body

    def post(self, path: str, body: object) -> Any:
        status, answer = self.call("POST", path, body)
        assert status in {200, 201}, f"POST {path}: {status} {answer}"
        return answer

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        request = urllib.request.Request(
            f"{self.base_url}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


def eventually(read: Callable[[], Any], wanted: Callable[[Any], bool], within_s: float, what: str) -> Any:
    """Read again and again until the value is wanted; its last value is in the failure."""
    deadline = time.monotonic() + within_s
    while True:
        value = read()
        if wanted(value):
            return value
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}; last seen {value!r}"
        time.sleep(0.05)
