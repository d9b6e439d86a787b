"""The real ingest process for tests: started, killed, stopped, and its database looked into."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg

from fablab.embedded.process import birth_options
from tests.support.bridges import wait_for
from tests.support.database import PROJECT, plain


class IngestProcess:
    """`fablab ingest` with its log in a file; ended with the test whatever happens."""

    def __init__(self, database_url: str, mqtt_url: str, log: Path, **settings: str) -> None:
        self.log = log
        self._environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "FABLAB_MQTT_URL": mqtt_url,
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fablab", "ingest"],
                cwd=PROJECT,
                env=self._environment,
                stdout=log,
                stderr=log,
                **birth_options(),
            )

    def said(self, event: str) -> int:
        """How often the log has this event."""
        return self.log.read_text().count(f'"event": "{event}"')

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def memory_mb(self) -> float:
        """Resident memory now."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("no VmRSS")

    def _end(self, how: signal.Signals) -> int:
        code = 0
        if self.process is not None:
            self.process.send_signal(how)
            code = self.process.wait(20)
            self.process = None
        return code

    def __enter__(self) -> IngestProcess:
        self.start()
        wait_for(lambda: self.said("leading") > 0, 30, lambda: f"not leading: {self.log.read_text()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def ask(database_url: str, statement: str) -> Any:
    """The only value of a query."""
    with psycopg.connect(plain(database_url), autocommit=True) as connection:
        row = connection.execute(statement).fetchone()  # type: ignore[arg-type]
        assert row is not None
        return row[0]
