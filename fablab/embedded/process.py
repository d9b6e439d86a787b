"""What every child process of ours gets at birth, and how to tell who a process id belongs to."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def birth_options(
    death_signal: int = signal.SIGTERM, user: pwd.struct_passwd | None = None
) -> dict[str, Any]:
    """Options for `subprocess.Popen`: an own process group, and death together with the parent.

    The own group keeps Ctrl-C in a terminal from reaching the children before their parent has
    decided the order. `death_signal` arrives when the parent dies, even by kill -9 (Linux only).
    The kernel ties it to the *thread* that forked, so start children from a thread that stays.
    With `user` the child runs as that system user.
    """
    parent = os.getpid()

    def tie_to_parent() -> None:
        # Runs after the change of user, which would have cleared the setting.
        if _libc is None:
            return
        _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the line above
            os._exit(1)

    options: dict[str, Any] = {"process_group": 0, "preexec_fn": tie_to_parent, "stdin": subprocess.DEVNULL}
    if user is not None:
        options.update(user=user.pw_uid, group=user.pw_gid, extra_groups=[], umask=0o077)
    return options


def exists(pid: int) -> bool:
    """Whether the number is in use, be it by a dead process whose parent has not asked for it yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists and is not a zombie waiting for its parent."""
    if not exists(pid):
        return False
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return Path("/proc/self").exists() is False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def command_of(pid: int) -> str:
    """The command line of a process, empty when it is gone or may not be read."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        pass
    if Path("/proc/self").exists():
        return ""
    answer = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()


def wait_until(condition: Callable[[], bool], timeout: float, pause: float = 0.02) -> bool:
    """Poll `condition` until it holds; False after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
    return True
