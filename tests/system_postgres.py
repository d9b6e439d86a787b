"""Run the suites that speak SQL once more, against the system's own PostgreSQL.

`python -m tests.system_postgres`. The embedded server is one version of PostgreSQL; people run others. A
throw-away cluster of the installed one is made in a temporary folder and listens on a Unix socket only.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# What hangs on the server's version: constraints, locks, triggers, partitions, search, sums. The rest of
# tests/services would say the same twice.
SUITES = [
    "tests/house/test_migrations.py",
    *(
        f"tests/services/test_{name}.py"
        for name in (
            *("audit", "bookings", "booking_machine", "certifications", "consumption", "double_booking"),
            *("erasure", "group_bookings", "ingest_commit", "invitations", "jobs", "member_search"),
            *("messages", "organisation_bookings", "organisations", "partitions", "retention", "rollup"),
            *("sign_in_limits", "trainings", "utilisation"),
        )
    ),
]


def newest_binaries() -> Path | None:
    """The folder of the newest PostgreSQL server that Debian's packages brought, or None."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]), reverse=True
    )
    return found[0].parent if found else None


def main() -> int:
    """Exit code of the suites; 0 with a sentence where there is no server, 1 for that under CI=true."""
    binaries = newest_binaries()
    if binaries is None:
        print(
            "skipped: the suites on the system's PostgreSQL, because none is installed (Debian: postgresql)"
        )
        return 1 if os.environ.get("CI", "").lower() in {"1", "true"} else 0
    owner = _unprivileged_owner()
    with tempfile.TemporaryDirectory(prefix="fablab-pg-") as folder:
        cluster, log = Path(folder) / "data", Path(folder) / "server.log"
        shutil.chown(folder, owner.pw_uid, owner.pw_gid)

        def server(*command: str) -> None:
            identity = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
            subprocess.run(
                [str(binaries / command[0]), *command[1:]],
                check=True,
                cwd=folder,
                stdout=subprocess.DEVNULL,
                **(identity if os.geteuid() == 0 else {}),  # type: ignore[arg-type]
            )

        server("initdb", "-D", str(cluster), "-U", "fablab", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c timezone=UTC"
        server("pg_ctl", "start", "-w", "-D", str(cluster), "-l", str(log), "-o", options)
        try:
            url = f"postgresql://fablab@/postgres?host={folder}"
            print(f"once more on PostgreSQL {binaries.parent.name} of this system", flush=True)
            return subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", *SUITES],
                env={**os.environ, "FABLAB_TEST_DATABASE_URL": url},
                check=False,
            ).returncode
        finally:
            server("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(cluster))


def _unprivileged_owner() -> pwd.struct_passwd:
    """Who runs the server: PostgreSQL refuses to run as root, so root lends it to the package's user."""
    return pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


if __name__ == "__main__":
    sys.exit(main())
