"""The whole product as `fablab run` starts it, for tests."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fablab.embedded.process import is_alive, wait_until
from tests.support.ports import free_port

PROJECT = Path(__file__).resolve().parents[2]


class RunningSystem:
    """`fablab run` on a data directory and a free port; its words go to `output`."""

    def __init__(self, data_dir: Path, environment: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.output = data_dir.with_name(data_dir.name + ".out")
        self.port = free_port()
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("FABLAB_", "DATABASE_URL"))},
            "DATA_DIR": str(data_dir),
            "PORT": str(self.port),
            "OCTOPRINT": "0",
            **(environment or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, timeout: float = 150) -> float:
        """Start and wait until everything is up; returns the seconds until pages were answered."""
        begun = time.monotonic()
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fablab", "run"],
                cwd=PROJECT,
                env=self.environment,
                stdout=output,
                stderr=output,
            )
        wait_until(lambda: self._says("pages ready") or not self.alive(), timeout)
        seconds = time.monotonic() - begun
        wait_until(lambda: self._says("Ctrl-C stops everything") or not self.alive(), 90)
        assert self.alive(), self.output.read_text()
        return seconds

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def run(self) -> dict[str, Any]:
        """run.json as it is now."""
        return dict(json.loads((self.data_dir / "run.json").read_text()))

    @property
    def pids(self) -> dict[str, int]:
        return dict(self.run["pids"])

    def end(self, how: signal.Signals = signal.SIGINT, timeout: float = 20) -> float:
        """Signal the supervisor alone; returns the seconds until all its children are gone."""
        assert self.process is not None
        pids = self.pids if (self.data_dir / "run.json").exists() else {}
        begun = time.monotonic()
        if self.alive():
            self.process.send_signal(how)
        self.process.wait(timeout)
        assert wait_until(lambda: not any(is_alive(pid) for pid in pids.values()), timeout)
        return time.monotonic() - begun

    def _says(self, words: str) -> bool:
        return words in self.output.read_text()
