"""The embedded PostgreSQL starts, stops, keeps its data and survives every way of dying."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from fablab.embedded.postgres import EmbeddedPostgres, PostgresFailed
from fablab.embedded.process import birth_options, is_alive, wait_until
from tests.support.database import plain

OWNER = """
import signal, sys
from fablab.embedded.postgres import EmbeddedPostgres
server = EmbeddedPostgres(sys.argv[1], fast=True)
server.start()
print(server.pid, flush=True)
signal.pause()
"""


@pytest.fixture(scope="module")
def pristine() -> Iterator[Path]:
    """A cluster made once; making one takes longer than most of these tests."""
    directory = Path(tempfile.mkdtemp(prefix="fablab-test-"))
    server = EmbeddedPostgres(directory, fast=True)
    server.prepare()
    server.stop()
    yield server.root
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def server(data_dir: Path, pristine: Path) -> Iterator[EmbeddedPostgres]:
    subprocess.run(["cp", "-a", pristine, data_dir / "postgres"], check=True)
    server = EmbeddedPostgres(data_dir, fast=True)
    yield server
    server.stop()


def ask(url: str, question: str) -> object:
    with psycopg.connect(plain(url), autocommit=True) as connection:
        cursor = connection.execute(question)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def test_a_second_owner_of_the_same_directory_is_refused(server: EmbeddedPostgres, data_dir: Path) -> None:
    server.start()
    with pytest.raises(PostgresFailed, match="in use by another process"):
        EmbeddedPostgres(data_dir).start()
    assert ask(server.url, "SELECT 1") == 1


def test_data_of_another_version_is_refused(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    (server.cluster / "PG_VERSION").write_text("9\n")
    with pytest.raises(PostgresFailed, match="made by PostgreSQL 9"):
        server.start()


def test_no_reason_is_hidden_when_it_cannot_start(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    (server.cluster / "global" / "pg_control").write_bytes(b"")
    with pytest.raises(PostgresFailed, match=r"pg_control|could not read"):
        server.start()


def test_nobody_else_may_enter_the_socket_directory_and_there_is_no_port(server: EmbeddedPostgres) -> None:
    server.start()
    assert server.socket_dir.stat().st_mode & 0o777 == 0o700
    assert server.cluster.stat().st_mode & 0o777 == 0o700
    assert ask(server.url, "SHOW listen_addresses") == ""


def test_stop_keeps_the_data_and_a_new_start_finds_it(server: EmbeddedPostgres) -> None:
    url = server.start()
    ask(url, "CREATE TABLE kept (word text)")
    ask(url, "INSERT INTO kept VALUES ('Tétouan')")
    first = server.pid
    server.stop()
    assert first is not None
    assert not is_alive(first)
    assert ask(server.start(), "SELECT word FROM kept") == "Tétouan"
    assert ask(server.url, "SHOW timezone") == "UTC"


def test_kill_9_is_noticed_and_committed_data_is_there_after_the_next_start(server: EmbeddedPostgres) -> None:
    url = server.start()
    ask(url, "CREATE TABLE kept (n int)")
    ask(url, "INSERT INTO kept SELECT generate_series(1, 1000)")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert wait_until(lambda: not server.alive(), 20)
    assert ask(server.start(), "SELECT count(*) FROM kept") == 1000


def test_a_backend_that_outlives_a_killed_server_does_not_hinder(server: EmbeddedPostgres) -> None:
    url = server.start()
    with psycopg.connect(plain(url), autocommit=True) as busy:
        assert server.pid is not None
        backend = busy.info.backend_pid
        working = threading.Thread(target=_ignore_the_end, args=(busy,))
        working.start()
        assert wait_until(
            lambda: ask(url, "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^DO'") == 1, 20
        )
        os.kill(server.pid, signal.SIGKILL)
        assert wait_until(lambda: not server.alive(), 20)
        assert is_alive(backend), "the statement should keep it busy"
        assert ask(server.start(), "SELECT 1") == 1
        working.join(10)


def test_it_stops_with_an_owner_that_was_killed(server: EmbeddedPostgres, data_dir: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, data_dir], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    owner.kill()
    owner.wait()
    assert wait_until(lambda: not is_alive(pid), 30), "PostgreSQL outlived its owner"
    with EmbeddedPostgres(data_dir, fast=True) as again:
        assert ask(again.url, "SELECT 1") == 1


def test_a_server_left_behind_is_stopped_and_replaced(server: EmbeddedPostgres, data_dir: Path) -> None:
    url = server.start()
    ask(url, "CREATE TABLE kept (n int)")
    server.stop()
    orphan = subprocess.Popen(
        [*_command(server), "-c", f"unix_socket_directories={server.socket_dir}", "-c", "listen_addresses="],
        **{**birth_options(user=server._owner), "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL},
    )
    assert wait_until(lambda: "ready" in _postmaster_lines(server), 60)
    said: list[str] = []
    with EmbeddedPostgres(data_dir, fast=True, say=said.append) as next_one:
        assert orphan.wait(20) == 0, "it should have ended by a clean shutdown"
        assert next_one.pid != orphan.pid
        assert ask(next_one.url, "SELECT count(*) FROM kept") == 0
    assert any("left behind" in line for line in said)


def test_a_lock_file_whose_number_belongs_to_a_stranger_does_not_hinder(
    server: EmbeddedPostgres,
) -> None:
    server.start()
    lock = server.cluster / "postmaster.pid"
    text = lock.read_text()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert wait_until(lambda: not server.alive(), 20)
    stranger = subprocess.Popen(["sleep", "60"], **birth_options(user=server._owner))
    try:
        lock.write_text(text.replace(text.splitlines()[0], str(stranger.pid), 1))
        assert ask(server.start(), "SELECT 1") == 1
        assert stranger.poll() is None, "a process that is none of ours was ended"
    finally:
        stranger.kill()
        stranger.wait()


def test_a_dead_server_nobody_has_buried_does_not_hinder(server: EmbeddedPostgres) -> None:
    server.start()
    lock = server.cluster / "postmaster.pid"
    text = lock.read_text()
    server.stop()
    zombie = subprocess.Popen(["true"], **birth_options(user=server._owner))
    assert wait_until(lambda: not is_alive(zombie.pid), 20)
    for file in (lock, server.socket_dir / ".s.PGSQL.5432.lock"):
        file.write_text(text.replace(text.splitlines()[0], str(zombie.pid), 1))
    assert ask(server.start(), "SELECT 1") == 1
    zombie.wait()


def test_a_deep_data_directory_gets_a_short_socket_path(data_dir: Path) -> None:
    deep = data_dir / ("d" * 60) / ("e" * 60)
    with EmbeddedPostgres(deep, fast=True) as server:
        assert len(str(server.socket_dir)) < 80
        assert server.socket_dir.stat().st_mode & 0o777 == 0o700
        assert ask(server.url, "SELECT 1") == 1
    server.socket_dir.rmdir()


def test_an_interrupted_first_start_leaves_nothing_that_looks_complete(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir, fast=True)
    unfinished = server.root / "data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    assert ask(server.start(), "SELECT current_database()") == "fablab"
    assert not unfinished.exists()
    server.stop()


def _ignore_the_end(connection: psycopg.Connection) -> None:
    """A statement that never looks whether the server is still there."""
    with pytest.raises(psycopg.OperationalError):
        connection.execute("DO $$ BEGIN LOOP END LOOP; END $$")


def _command(server: EmbeddedPostgres) -> list[str]:
    from fablab.embedded.postgres_files import binaries

    return [str(binaries(server.cluster) / "postgres"), "-D", str(server.cluster)]


def _postmaster_lines(server: EmbeddedPostgres) -> str:
    try:
        return (server.cluster / "postmaster.pid").read_text()
    except OSError:
        return ""
