"""The supervisor brings back what dies, stops everything in order, and takes its children along."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fablab.embedded.data_dir import AlreadyRunning, only_one
from fablab.embedded.process import is_alive, wait_until

# A real supervisor in a process of its own, with children that write down when they end.
PROGRAM = """
import json, sys
from pathlib import Path
from fablab.embedded.data_dir import AlreadyRunning, log_file, only_one
from fablab.files import write_private_json
from fablab.embedded.supervisor import Service, StartFailed, Supervisor, command

here = Path(sys.argv[1])
CHILD = '''
import signal, sys, time
name, journal, stubborn = sys.argv[1:4]
def end(*_):
    with open(journal, "a") as file:
        file.write(name + "\\\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if stubborn == "yes" else end)
open(journal + "." + name, "w").close()
while True:
    time.sleep(60)
'''
def service(name, tier, stubborn="no", code=CHILD, wait=True):
    argv = [sys.executable, "-c", code, name, str(here / "journal"), stubborn]
    return Service(
        name, command(argv, log_file(here, name), {}, here), tier,
        ready=lambda: not wait or (here / f"journal.{name}").exists(), ready_within_s=30,
        log=here / "logs" / f"{name}.log",
    )
def tell():
    write_private_json(here / "pids.json", {s.name: s.process.pid for s in supervisor.services if s.process})
supervisor = Supervisor(say=lambda line: print(line, flush=True), changed=tell)
try:
    with only_one(here), supervisor.signals():
        SERVICES
        print("up", flush=True)
        supervisor.run()
except (AlreadyRunning, StartFailed) as error:
    sys.exit(str(error))
print("down", flush=True)
"""
THREE = """
        supervisor.start(service("database", 0))
        supervisor.start(service("worker", 1))
        supervisor.start(service("web", 2))
"""


class Run:
    def __init__(self, directory: Path, services: str) -> None:
        self.directory = directory
        program = PROGRAM.replace("SERVICES", textwrap.dedent(services).strip().replace("\n", "\n        "))
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, str(directory)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_up(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line == "up\n", line + self.process.communicate(timeout=20)[1]

    def pids(self) -> dict[str, int]:
        return dict(json.loads((self.directory / "pids.json").read_text()))

    def journal(self) -> list[str]:
        return (self.directory / "journal").read_text().split()

    def end(self, how: signal.Signals = signal.SIGTERM) -> str:
        self.process.send_signal(how)
        return self.process.communicate(timeout=30)[0]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def make(services: str = THREE) -> Run:
        runs.append(Run(tmp_path, services))
        return runs[-1]

    yield make
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.communicate(timeout=10)


def test_a_second_start_on_the_same_directory_is_refused(launch: Callable[..., Run]) -> None:
    first = launch()
    first.wait_up()
    second = launch()
    _, error = second.process.communicate(timeout=60)
    assert second.process.returncode == 1
    assert f"already runs on {first.directory} (process {first.process.pid})" in error
    assert "Traceback" not in error
    assert all(is_alive(pid) for pid in first.pids().values())


def test_a_lock_left_by_a_killed_run_does_not_hinder(launch: Callable[..., Run]) -> None:
    first = launch()
    first.wait_up()
    first.process.kill()
    first.process.communicate(timeout=10)
    assert (first.directory / "run.lock").exists()
    launch().wait_up()


def test_only_one_holds_within_a_process_too(tmp_path: Path) -> None:
    with only_one(tmp_path), pytest.raises(AlreadyRunning), only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass


def test_a_child_that_ends_at_its_start_stops_everything_and_names_its_log(
    launch: Callable[..., Run],
) -> None:
    run = launch(
        """
        supervisor.start(service("database", 0))
        supervisor.start(service("web", 1, code="raise SystemExit(3)"))
        """
    )
    _, error = run.process.communicate(timeout=30)
    assert run.process.returncode == 1
    assert "web ended at its start (exit code 3); see" in error
    assert "web.log" in error
    assert run.journal() == ["database"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_children_stop_in_reverse_order(launch: Callable[..., Run], how: signal.Signals) -> None:
    run = launch()
    run.wait_up()
    pids = run.pids()
    assert "down" in run.end(how)
    assert run.process.returncode == 0
    assert run.journal() == ["web", "worker", "database"]
    assert not any(is_alive(pid) for pid in pids.values())


def test_a_child_that_does_not_listen_is_killed_within_ten_seconds(launch: Callable[..., Run]) -> None:
    run = launch(THREE + '        supervisor.start(service("deaf", 3, stubborn="yes"))\n')
    run.wait_up()
    pids = run.pids()
    begun = time.monotonic()
    run.end()
    assert time.monotonic() - begun < 10
    assert not any(is_alive(pid) for pid in pids.values())
    assert run.journal() == ["web", "worker", "database"]


def test_a_killed_child_is_back_soon_and_the_others_stay(launch: Callable[..., Run]) -> None:
    run = launch()
    run.wait_up()
    before = run.pids()
    os.kill(before["worker"], signal.SIGKILL)
    assert wait_until(lambda: run.pids()["worker"] != before["worker"], 20)
    after = run.pids()
    assert wait_until(lambda: is_alive(after["worker"]), 20)
    assert (after["database"], after["web"]) == (before["database"], before["web"])
    assert "worker ended (signal SIGKILL); starting it again" in run.end()


def test_a_child_that_keeps_dying_is_tried_with_growing_pauses_and_told_about_twice(
    launch: Callable[..., Run],
) -> None:
    code = 'import sys; open(sys.argv[2] + ".tries", "a").write("x"); raise SystemExit(3)'
    run = launch(
        f"""
        supervisor.start(service("database", 0))
        supervisor.start(service("broken", 1, code={code!r}, wait=False), wait=False)
        """
    )
    run.wait_up()
    tries = run.directory / "journal.tries"
    assert wait_until(lambda: tries.exists() and len(tries.read_text()) >= 4, 30)
    said = run.end().splitlines()
    # 1 start, at once again, then after 1, 2, 4 ... seconds: far from a busy loop.
    assert len(tries.read_text()) <= 5
    assert said.count("broken ended (exit code 3); starting it again") == 1
    assert len([line for line in said if line.startswith("broken")]) <= 2


def test_children_die_with_a_killed_supervisor(launch: Callable[..., Run]) -> None:
    run = launch()
    run.wait_up()
    pids = run.pids()
    run.process.kill()
    run.process.wait(10)
    assert wait_until(lambda: not any(is_alive(pid) for pid in pids.values()), 20)


def test_grandchildren_of_a_killed_child_do_not_stay(launch: Callable[..., Run]) -> None:
    code = (
        "import subprocess, sys, time; p = subprocess.Popen(['sleep', '300']);"
        "open(sys.argv[2] + '.grand', 'a').write(f'{p.pid} '); open(sys.argv[2] + '.master', 'w').close();"
        "time.sleep(300)"
    )
    run = launch(f"""supervisor.start(service("master", 0, code={code!r}))""")
    run.wait_up()
    grandchild = int((run.directory / "journal.grand").read_text().split()[0])
    os.kill(run.pids()["master"], signal.SIGKILL)
    assert wait_until(lambda: not is_alive(grandchild), 20)


def test_it_imports_little() -> None:
    heavy = ("flask", "sqlalchemy", "psycopg", "asyncio", "gevent", "psutil", "paho")
    probe = (
        "import sys, fablab.embedded.supervisor, fablab.embedded.postgres\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
